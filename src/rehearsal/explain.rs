//! Why a line would be posted, or why not.

use std::sync::Arc;

use super::Said;
use super::trial::Story;
use crate::engine::events::{InstanceId, severity_of};
use crate::engine::scan::{self, Ending, Region, Sample};
use crate::rules::examples::{Happens, Pace};
use crate::rules::pattern::Pattern;
use crate::rules::records::searcher::Searcher;
use crate::rules::{Rule, RuleSet, Severity};

/// What a rule makes of a line.
#[derive(Debug, Clone)]
pub enum Seen {
    /// It is a hit.
    Hit {
        /// The regex that was found, if there is one.
        pattern: Option<String>,
        /// What was found.
        sample: Arc<Sample>,
    },
    /// None of its regexes was found.
    NotFound,
    /// It would be a hit, but for this regex of `except`.
    Excepted(String),
    /// Its fields are not as `where` wants them.
    Unfit,
}

/// What becomes of a hit if nothing has happened before.
#[derive(Debug)]
pub struct Outcome {
    /// The values of `by`, with their names.
    pub instance: Vec<(String, String)>,
    /// How bad it is.
    pub severity: Severity,
    /// What is posted at once.
    pub said: Vec<Said>,
    /// Whether it is counted, and may be said later or together with others.
    pub is_counted: bool,
}

/// Tells what a rule makes of a line. `searcher` is that of the rule alone.
pub fn see(rule: &Rule, line: &str, searcher: &Searcher) -> Seen {
    let found_in = |patterns: &[Arc<Pattern>]| {
        let found = (patterns.iter()).find(|pattern| pattern.is_found_in(line.as_bytes()));
        found.map(|pattern| pattern.as_str().to_owned())
    };
    let pattern = found_in(&rule.patterns.matches);
    let region = Region {
        bytes: line.as_bytes(),
        offset: 0,
        before: &[],
        skipping: false,
        ending: Ending::Take,
    };
    let hit = scan::scan(region, searcher).hits.into_iter().next();
    match (hit, pattern) {
        (Some(hit), pattern) => Seen::Hit {
            pattern,
            sample: hit.sample,
        },
        (None, Some(_)) => match found_in(&rule.patterns.excepts) {
            Some(except) => Seen::Excepted(except),
            None if rule.filter.is_empty() => Seen::NotFound,
            None => Seen::Unfit,
        },
        (None, None) if rule.patterns.matches.is_empty() => Seen::Unfit,
        (None, None) => Seen::NotFound,
    }
}

/// Makes one rule ready to search.
pub fn searcher_of(rule: &Rule, rules: &RuleSet) -> Searcher {
    Searcher::new(&[rule], &rules.redactor)
}

/// Lets an agent that has seen nothing before read the line.
pub fn outcome(rule: &Rule, line: &str, sample: &Sample, rules: &RuleSet) -> Outcome {
    let mut story = Story::begin(rule, rules);
    let said = story.live(&Happens::Line {
        line: line.to_owned(),
        pace: Pace::ONCE,
    });
    let instance = InstanceId::of(rule, sample);
    Outcome {
        instance: (rule.by.iter().cloned())
            .zip(instance.by.iter().cloned())
            .collect(),
        severity: severity_of(rule, sample),
        is_counted: said.is_empty(),
        said,
    }
}

impl Seen {
    /// Why the line is a hit or is none, in words.
    pub fn why(&self, rule: &Rule) -> String {
        match self {
            Self::Hit {
                pattern: Some(pattern),
                ..
            } => format!("`{pattern}` is found in it"),
            Self::Hit { pattern: None, .. } => "it is a hit".to_owned(),
            Self::NotFound => match rule.patterns.matches.as_slice() {
                [one] => format!("`{}` is not found in it", one.as_str()),
                _ => "none of `match` is found in it".to_owned(),
            },
            Self::Excepted(except) => {
                format!("`except` takes it out: `{except}` is found in it")
            }
            Self::Unfit => "its fields are not as `where` wants them".to_owned(),
        }
    }
}
