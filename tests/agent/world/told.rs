//! What the agent is told to watch for, and how lines and messages look.
//!
//! A line is `000017 alpha:k1; beta:k2; …`: its number, and a mark for every rule
//! that it is an event of. A message carries a count, a rule and a `by` value that
//! can be read back, in the author's wording as well as in the built-in ones.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use logcrier::rules::glob::Glob;
use logcrier::rules::own;
use logcrier::rules::pattern::{Pattern, Patterns};
use logcrier::rules::template::Template;
use logcrier::rules::{
    Debounce, Files, From, PacerKey, Rule, RuleKey, RuleSet, Severity, Space, SpaceName,
    ThreadMode, Webhook,
};
use regex::Regex;

use super::entropy::Entropy;

/// The rules that there can be. The first one is always there.
pub(crate) const RULES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// The files that are followed.
pub(crate) const GLOB: &str = "/logs/*.log";

/// The wording that most rules have.
const TITLE: &str = "n={{ count }} r={{ key }} k={{ k }} why={{ reason }} s={{ line }}";

/// One rule, as far as it differs from others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) key: &'static str,
    pub(crate) debounce: Debounce,
    pub(crate) from: From,
    pub(crate) severity: Severity,
    pub(crate) spaces: Vec<&'static str>,
    pub(crate) thread: ThreadMode,
    pub(crate) own_wording: bool,
    pub(crate) glob: String,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) rule: String,
    pub(crate) k: String,
    pub(crate) count: u64,
    /// Why it exists, and the number of its sample line, where the wording tells.
    pub(crate) why: String,
    pub(crate) line: Option<usize>,
}

impl Told {
    pub(crate) fn new(key: &'static str) -> Self {
        Self {
            key,
            debounce: window(Duration::from_secs(300), Duration::from_secs(3600)),
            from: From::End,
            severity: Severity::Warning,
            spaces: vec!["ops"],
            thread: ThreadMode::Rule,
            own_wording: true,
            glob: GLOB.into(),
        }
    }

    fn rule(&self) -> Rule {
        let regex = format!("{}:(?<k>k[0-9]+);", self.key);
        Rule {
            key: RuleKey::new(self.key),
            files: Files {
                include: vec![Glob::parse(&self.glob, Path::new("/")).expect("a glob")],
                exclude: Vec::new(),
            },
            from: self.from,
            patterns: Patterns {
                matches: vec![Arc::new(Pattern::of(
                    &regex::bytes::Regex::new(&regex).expect("a regex"),
                ))],
                excepts: Vec::new(),
            },
            by: vec!["k".into()],
            severity: self.severity,
            debounce: self.debounce,
            spaces: self
                .spaces
                .iter()
                .map(|name| SpaceName::new(name))
                .collect(),
            thread: self.thread,
            title: (self.own_wording).then(|| Template::parse(TITLE).expect("a template")),
            text: None,
            runbook: None,
            labels: BTreeMap::new(),
        }
    }
}

/// A window that doubles.
pub(crate) fn window(every: Duration, max: Duration) -> Debounce {
    Debounce::Window { every, max }
}

/// The shortest window of a debounce.
pub(crate) fn shortest(debounce: Debounce) -> Option<Duration> {
    match debounce {
        Debounce::Window { every, .. } => Some(every),
        Debounce::None => None,
    }
}

/// Draws rules. `all` of those that are drawn once stay the same but for what a
/// reload may change.
pub(crate) fn draw(chance: &mut Entropy, longest: Duration) -> Vec<Told> {
    let from = chance.one_of(&[From::End, From::Beginning]);
    let n_rules = 1 + chance.index(RULES.len());
    (RULES.iter().take(n_rules))
        .map(|key| {
            let mut told = Told::new(key);
            told.from = match chance.percent(70) {
                true => from,
                false => chance.one_of(&[From::End, From::Beginning]),
            };
            told.debounce = draw_debounce(chance, longest);
            told.severity = chance.one_of(&Severity::ALL);
            told.spaces = match chance.below(4) {
                0 => vec!["dev"],
                1 => vec!["dev", "ops"],
                _ => vec!["ops"],
            };
            told.thread = chance.one_of(&[
                ThreadMode::Rule,
                ThreadMode::Instance,
                ThreadMode::Incident,
                ThreadMode::Day,
                ThreadMode::None,
            ]);
            told.own_wording = chance.percent(75);
            told
        })
        .collect()
}

pub(crate) fn draw_debounce(chance: &mut Entropy, longest: Duration) -> Debounce {
    if chance.percent(20) {
        return Debounce::None;
    }
    let every = chance.duration(Duration::from_secs(2), longest / 4);
    window(every, chance.duration(every, longest))
}

/// The rule set of rules. With `shared`, both spaces are one in truth.
pub(crate) fn rule_set(told: &[Told], pace: Duration, shared: bool) -> Arc<RuleSet> {
    let space = |name: &str| {
        let real = match shared {
            true => "spaces/one",
            false => name,
        };
        let pacer = PacerKey(real.into());
        let webhook = Webhook::new(format!("https://chat.example/{name}"), pacer);
        (SpaceName::new(name), Space { webhook, pace })
    };
    let mut rules: Vec<Arc<Rule>> = told.iter().map(|told| Arc::new(told.rule())).collect();
    rules.sort_by(|a, b| a.key.cmp(&b.key));
    Arc::new(RuleSet {
        host: "web-1".into(),
        spaces: ["dev", "ops"].map(space).into(),
        default_space: Some(SpaceName::new("ops")),
        rules,
        own: own::rules(Some(&SpaceName::new("ops"))),
        redactor: Arc::default(),
    })
}

/// Whether a rule is the agent's own.
pub(crate) fn is_own(rule: &str) -> bool {
    rule.starts_with(own::PREFIX)
}

/// Reads back what the body of a request says.
pub(crate) fn read_back(body: &str) -> Option<Said> {
    static OWN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"n=(\d+) r=(\w+) k=(\w*) why=(\w+) s=(\d{6})?").expect("a regex")
    });
    static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^([\w.]+) on web-1: ([\d,]+) \w+ event\(s\)\n.*?(?:(\w+):(k\d+);|$)")
            .expect("a regex")
    });
    static BUILT_IN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\S+ \*\w+\* `([\w.]+)` `(?:\w+=)?([^`]*)`\n").expect("a regex")
    });
    static MORE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\*\+([\d,]+) more\* [^\n]*?(, last:)?\n").expect("a regex"));
    let number = |text: &str| text.replace(',', "").parse::<u64>().ok();
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    let text = json["text"].as_str()?;
    if let Some(found) = OWN.captures(text) {
        return Some(Said {
            rule: found[2].into(),
            k: found[3].into(),
            count: number(&found[1])?,
            why: found[4].into(),
            line: found.get(5).and_then(|line| line.as_str().parse().ok()),
        });
    }
    if let Some(found) = PLAIN.captures(text) {
        let rule = found[1].to_owned();
        let k = Regex::new(&format!(r"{rule}:(k\d+);")).ok()?;
        return Some(Said {
            k: match is_own(&rule) {
                true => String::new(),
                false => k.captures(text)?[1].into(),
            },
            rule,
            count: number(&found[2])?,
            why: "plain".into(),
            line: None,
        });
    }
    let found = BUILT_IN.captures(text)?;
    let (count, why) = match MORE.captures(text) {
        None => (1, "first"),
        Some(more) => match more.get(2) {
            Some(_) => (number(&more[1])?, "summary"),
            None => (number(&more[1])? + 1, "first"),
        },
    };
    Some(Said {
        rule: found[1].into(),
        k: found[2].into(),
        count,
        why: why.into(),
        line: None,
    })
}
