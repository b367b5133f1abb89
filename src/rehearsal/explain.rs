//! Why a line would be posted, or why not.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Said;
use super::trial::Story;
use crate::engine::events::{InstanceId, severity_of};
use crate::engine::scan::{self, Ending, Region, Sample};
use crate::engine::time::Wall;
use crate::rules::conditions::Absence;
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
    /// Why nothing is, in words; nothing if something is.
    pub counted: Option<String>,
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
        may_count: false,
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

/// Lets an agent that has seen nothing before read the line, now.
pub fn outcome(
    rule: &Rule,
    line: &str,
    sample: &Sample,
    rules: &RuleSet,
    (now, zone): (Wall, &TimeZone),
) -> Outcome {
    let counted = counted(rule, now, zone);
    let said = match counted {
        Some(_) => Vec::new(),
        None => {
            // They hold now; on the stage it is another day.
            let mut rule = rule.clone();
            rule.conditions.active = None;
            Story::begin(&rule, rules).live(&Happens::Line {
                line: line.to_owned(),
                pace: Pace::ONCE,
            })
        }
    };
    let instance = InstanceId::of(rule, sample);
    Outcome {
        instance: (rule.by.iter().cloned())
            .zip(instance.by.iter().cloned())
            .collect(),
        severity: severity_of(rule, sample),
        said,
        counted,
    }
}

/// Why the first hit that an agent sees is only counted; nothing if it is said.
fn counted(rule: &Rule, now: Wall, zone: &TimeZone) -> Option<String> {
    let conditions = &rule.conditions;
    match &conditions.absent {
        Some(Absence::For(length)) => {
            let length = short(*length);
            return Some(format!(
                "a sign of life: nothing is posted until none came for {length}"
            ));
        }
        Some(Absence::Cron { grace, .. }) => {
            let grace = short(*grace);
            return Some(format!(
                "a sign of life: nothing is posted until none came by its time and {grace} later"
            ));
        }
        None => {}
    }
    if let Some(first_seen) = conditions.first_seen
        && !first_seen.learn.is_zero()
    {
        let learn = short(first_seen.learn);
        return Some(format!(
            "learnt: nothing is posted in the first {learn} of the rule, then each value that is new"
        ));
    }
    if let Some(threshold) = &conditions.threshold {
        let (count, within) = (threshold.count, short(threshold.within));
        let of = match &threshold.distinct {
            Some(name) => format!("{count} different `{name}`"),
            None => count.to_string(),
        };
        return Some(format!(
            "1 of {of} within {within}: counted, nothing is posted yet"
        ));
    }
    let hours = conditions.active.as_ref()?;
    let at = Timestamp::from_microsecond(now.0).ok()?;
    if hours.hold(at, zone) {
        return None;
    }
    let begins = hours.next_change(at, zone).map(|at| {
        let at = at.to_zoned(zone.clone());
        format!(" at {}", at.strftime("%Y-%m-%d %H:%M"))
    });
    let begins = begins.unwrap_or_default();
    Some(format!(
        "outside its hours: counted, and summed up when they begin{begins}"
    ))
}

/// A duration as people write it in rules.
fn short(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let unit = units
        .into_iter()
        .find(|(_, length)| millis.is_multiple_of(*length));
    let (unit, length) = unit.unwrap_or(("ms", 1));
    format!("{}{unit}", millis / length)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Paint;
    use crate::rules::paper::Paper;
    use crate::rules::settings::{Purpose, Request, load};

    /// Monday at noon.
    const NOW: Wall = Wall(1_767_614_400_000_000);

    fn rule(fields: &str) -> Rule {
        let text =
            format!("rules: [{{key: a, files: /a, match: '(?<user>.)', by: [user], {fields}}}]");
        let request = Request {
            config: None,
            rules: vec!["/rules.yaml".into()],
            purpose: Purpose::LoneRules,
            machine_name: "web-03".into(),
            directory: "/".into(),
        };
        let loaded = load(&request, &Paper::default().with("/rules.yaml", &text));
        let said = loaded.report.render(Paint::Plain);
        let settings = loaded.settings.unwrap_or_else(|| panic!("{said}"));
        Rule::clone(&settings.rule_set.rules[0])
    }

    #[test]
    fn what_is_only_counted_says_why() {
        for (fields, expected) in [
            ("severity: info", None),
            (
                "threshold: {count: 5, within: 10m}",
                Some("1 of 5 within 10m: counted, nothing is posted yet"),
            ),
            (
                "threshold: {count: 3, within: 90s, distinct: user}",
                Some("1 of 3 different `user` within 90s: counted, nothing is posted yet"),
            ),
            (
                "absent: {for: 26h}",
                Some("a sign of life: nothing is posted until none came for 26h"),
            ),
            (
                "absent: {cron: '30 2 * * *', grace: 1h}",
                Some("a sign of life: nothing is posted until none came by its time and 1h later"),
            ),
            (
                "first_seen: {remember: 30d, learn: 24h}",
                Some(
                    "learnt: nothing is posted in the first 1d of the rule, then each value that is new",
                ),
            ),
            ("first_seen: {remember: 30d, learn: 0s}", None),
            ("active: {days: [mon-fri], hours: '08:00-20:00'}", None),
            (
                "active: {days: [sat-sun], hours: '08:00-20:00'}",
                Some(
                    "outside its hours: counted, and summed up when they begin at 2026-01-10 08:00",
                ),
            ),
        ] {
            let found = counted(&rule(fields), NOW, &TimeZone::UTC);
            assert_eq!(found.as_deref(), expected, "{fields}");
        }
    }
}
