//! What the agent is told to watch for, and how lines and messages look.
//!
//! A line is `000017 alpha:k1; beta:k2; …`: its number, and a mark for every rule
//! that it is an event of. A message carries a count, a rule and a `by` value that
//! can be read back, in the author's wording as well as in the built-in ones.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use logcrier::rules::conditions::{
    Absence, Conditions, FirstSeen, KEYS_DEFAULT, Resolve, Threshold,
};
use logcrier::rules::glob::Glob;
use logcrier::rules::own;
use logcrier::rules::pattern::{Pattern, Patterns};
use logcrier::rules::records::conditions::Where;
use logcrier::rules::records::reading::{Format, Joins, Multiline, Reading};
use logcrier::rules::records::searcher::{Context, Kept};
use logcrier::rules::template::Template;
use logcrier::rules::{
    Debounce, Files, FormatAs, From, PacerKey, Rule, RuleKey, RuleSet, Severity, Space, SpaceName,
    ThreadMode, Webhook,
};
use regex::Regex;

use super::commands::ToldCheck;
use super::entropy::Entropy;

/// The rules that there can be. The first one is always there.
pub(crate) const RULES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// The files that are followed.
pub(crate) const GLOB: &str = "/logs/*.log";

/// How values are called that a message counts and does not name.
pub(crate) const UNNAMED: &str = "(several)";

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
    /// Its patterns, with spaces between them.
    pub(crate) glob: String,
    pub(crate) wanted: Wanted,
    pub(crate) dialect: Dialect,
}

/// What makes a hit of a rule worth saying, in seconds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Wanted {
    /// So many within a time.
    pub(crate) threshold: Option<(u32, u64)>,
    /// A line `alpha-ok:k1;` ends it, if it stays so for this long.
    pub(crate) resolve: Option<u64>,
    /// No event for this long ends it.
    pub(crate) quiet: Option<u64>,
    /// No hit for this long is an event.
    pub(crate) absent: Option<u64>,
    /// Remembered, and learnt before.
    pub(crate) first_seen: Option<(u64, u64)>,
    pub(crate) repeat: Vec<u64>,
    pub(crate) inhibited_by: Vec<&'static str>,
    pub(crate) max_keys: Option<usize>,
    /// Whether all hits are of one instance.
    pub(crate) one_instance: bool,
    /// Whether something is left out that never comes: other records are selected.
    pub(crate) leaves_out: bool,
}

impl Wanted {
    fn conditions(&self, key: &str) -> Conditions {
        let secs = Duration::from_secs;
        let ends = format!("{key}-ok:(?:(?<k>k[0-9]+);)?");
        Conditions {
            threshold: self.threshold.map(|(count, within)| Threshold {
                count,
                within: secs(within),
                distinct: None,
            }),
            resolve: match (self.resolve, self.quiet) {
                (Some(after), _) => Some(Resolve::Record {
                    filter: Default::default(),
                    patterns: patterns(&ends),
                    after: secs(after),
                }),
                (None, Some(quiet)) => Some(Resolve::Quiet(secs(quiet))),
                (None, None) => None,
            },
            absent: self.absent.map(secs).map(Absence::For),
            first_seen: self.first_seen.map(|(remember, learn)| FirstSeen {
                remember: secs(remember),
                learn: secs(learn),
            }),
            max_keys: self.max_keys.unwrap_or(KEYS_DEFAULT),
            inhibited_by: (self.inhibited_by.iter())
                .map(|key| RuleKey::new(key))
                .collect(),
            active: None,
        }
    }
}

fn patterns(regex: &str) -> Patterns {
    let regex = regex::bytes::Regex::new(regex).expect("a regex");
    Patterns {
        matches: vec![Arc::new(Pattern::of(&regex))],
        excepts: Vec::new(),
    }
}

/// What a record looks like, and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Dialect {
    /// A line.
    #[default]
    Lines,
    /// A JSON object with the text as its message.
    Json,
    /// A line, and perhaps another one that is set back and has the marks.
    Stacks,
}

impl Dialect {
    fn reading(self) -> Reading {
        let ordinary = Reading::default();
        match self {
            Self::Lines => ordinary,
            Self::Json => Reading {
                format: Format::Json,
                ..ordinary
            },
            Self::Stacks => Reading {
                multiline: Some(Multiline {
                    joins: Joins::Indent,
                    timeout: Duration::from_secs(1),
                }),
                ..ordinary
            },
        }
    }

    /// A record as it is written: what stands before its marks, and with them.
    pub(crate) fn written(self, before: &str, marked: &str, is_split: bool) -> String {
        match self {
            Self::Lines => format!("{before} {marked}\n"),
            Self::Json => {
                let message = serde_json::Value::from(format!("{before} {marked}"));
                format!("{{\"msg\":{message}}}\n")
            }
            Self::Stacks if is_split => format!("{before}\n  at {marked}\n"),
            Self::Stacks => format!("{before} {marked}\n  at rest\n"),
        }
    }
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
            wanted: Wanted::default(),
            dialect: Dialect::Lines,
        }
    }

    fn rule(&self) -> Rule {
        let regex = format!("{}:(?<k>k[0-9]+);", self.key);
        Rule {
            key: RuleKey::new(self.key),
            files: Files {
                include: (self.glob.split(' '))
                    .map(|glob| Glob::parse(glob, Path::new("/")).expect("a glob"))
                    .collect(),
                exclude: Vec::new(),
            },
            journal: None,
            check: None,
            conditions: self.wanted.conditions(self.key),
            repeat: (self.wanted.repeat.iter())
                .map(|secs| Duration::from_secs(*secs))
                .collect(),
            from: self.from,
            patterns: Patterns {
                excepts: match self.wanted.leaves_out {
                    true => patterns("never written").matches,
                    false => Vec::new(),
                },
                ..patterns(&regex)
            },
            by: match self.wanted.one_instance {
                true => Vec::new(),
                false => vec!["k".into()],
            },
            reading: self.dialect.reading(),
            filter: Where::default(),
            kept: Kept::default(),
            context: Context::default(),
            severity: self.severity,
            severity_of: None,
            debounce: self.debounce,
            spaces: self
                .spaces
                .iter()
                .map(|name| SpaceName::new(name))
                .collect(),
            thread: self.thread,
            title: (self.own_wording).then(|| Template::parse(TITLE).expect("a template")),
            text: None,
            format_as: FormatAs::Text,
            mention: Vec::new(),
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
/// With `stands_in`, `dev` stands in for `ops`.
pub(crate) fn rule_set(
    told: &[Told],
    checks: &[ToldCheck],
    pace: Duration,
    shared: bool,
    stands_in: bool,
) -> Arc<RuleSet> {
    let space = |name: &str| {
        let real = match shared {
            true => "spaces/one",
            false => name,
        };
        let pacer = PacerKey(real.into());
        let webhook = Webhook::new(format!("https://chat.example/{name}"), pacer);
        let fallback = (stands_in && !shared && name == "ops").then(|| SpaceName::new("dev"));
        let space = Space {
            webhook,
            pace,
            fallback,
        };
        (SpaceName::new(name), space)
    };
    let mut rules: Vec<Arc<Rule>> = told.iter().map(|told| Arc::new(told.rule())).collect();
    rules.extend(checks.iter().map(ToldCheck::rule));
    rules.sort_by(|a, b| a.key.cmp(&b.key));
    Arc::new(RuleSet {
        host: "web-1".into(),
        spaces: ["dev", "ops"].map(space).into(),
        default_space: Some(SpaceName::new("ops")),
        exec: None,
        rules,
        own: own::rules(Some(&SpaceName::new("ops"))),
        redactor: Arc::default(),
    })
}

/// Whether a rule is the agent's own.
pub(crate) fn is_own(rule: &str) -> bool {
    rule.starts_with(own::PREFIX)
}

/// What the body of a request says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Heard {
    /// Whose message it is, where another space stands in.
    pub(crate) meant_for: Option<String>,
    /// What it says of each value that it names.
    pub(crate) said: Vec<Said>,
    /// What it says of a rule without naming values.
    pub(crate) unnamed: Vec<(String, u64)>,
}

impl Heard {
    /// All of it as if it were said of one value.
    pub(crate) fn in_short(&self) -> Said {
        if let ([said], true) = (&self.said[..], self.unnamed.is_empty()) {
            return said.clone();
        }
        let mut rules: Vec<&str> = (self.said.iter().map(|said| said.rule.as_str()))
            .chain(self.unnamed.iter().map(|(rule, _)| rule.as_str()))
            .collect();
        rules.sort_unstable();
        rules.dedup();
        let mut values: Vec<&str> = self.said.iter().map(|said| said.k.as_str()).collect();
        values.sort_unstable();
        let mut k = match values.len() {
            0..=4 => values.join("+"),
            n => format!("{n} values"),
        };
        if !self.unnamed.is_empty() {
            k += " and more";
        }
        let counts = self.said.iter().map(|said| said.count);
        Said {
            rule: rules.join("+"),
            k,
            count: counts.chain(self.unnamed.iter().map(|(_, n)| *n)).sum(),
            why: self
                .said
                .first()
                .map_or("unnamed".into(), |said| said.why.clone()),
            line: None,
        }
    }
}

/// Reads back what the body of a request says. Every count of it must be told.
pub(crate) fn read_back(body: &str) -> Option<Heard> {
    static MEANT_FOR: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\[(\w+)\] ").expect("a regex"));
    static OWN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"n=(\d+) r=(\w+) k=(\w*|\(several\)|\(others\)) why=(\w+) s=(?:\{"msg":")?(\d{6})?"#,
        )
        .expect("a regex")
    });
    static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^([\w.]+) on web-1: ([\d,]+) \w+ event\(s\)\n.*?(?:(\w+):(k\d+);|$)")
            .expect("a regex")
    });
    static BUILT_IN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\S+ \*([\w ,]+)\* `([\w.]+)` `(?:\w+=)?([^`]*)`\n").expect("a regex")
    });
    static MORE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\*\+([\d,]+) more\* [^\n]*?(, last:)?\n").expect("a regex"));
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    let text = json["text"].as_str()?;
    let meant_for = MEANT_FOR.captures(text).map(|found| found[1].to_owned());
    let text = MEANT_FOR.replace(text, "");
    let text = text.as_ref();
    let heard = |said: Vec<Said>, unnamed| Heard {
        meant_for: meant_for.clone(),
        said,
        unnamed,
    };
    if text.contains("*Digest: ") || text.contains("*while the agent was down") {
        let (said, unnamed) = table(text)?;
        return Some(heard(said, unnamed));
    }
    if let Some(rest) = text.strip_prefix("Digest: ") {
        let (_, counts) = rest.split_once('\n')?;
        return Some(heard(Vec::new(), by_rule(counts)?));
    }
    if let Some(found) = OWN.captures(text) {
        let rule = &found[2];
        if &found[3] == "(several)" {
            let (said, unnamed) = several(text, rule, number(&found[1])?)?;
            return Some(heard(said, unnamed));
        }
        let said = Said {
            rule: rule.into(),
            k: found[3].into(),
            count: number(&found[1])?,
            why: found[4].into(),
            line: found.get(5).and_then(|line| line.as_str().parse().ok()),
        };
        return Some(heard(vec![said], Vec::new()));
    }
    if let Some(found) = PLAIN.captures(text) {
        let (rule, count) = (found[1].to_owned(), number(&found[2])?);
        if text.lines().count() > 2 {
            let (said, unnamed) = several(text, &rule, count)?;
            return Some(heard(said, unnamed));
        }
        let k = Regex::new(&format!(r"{rule}:(k\d+);")).ok()?;
        let said = Said {
            k: match is_own(&rule) {
                true => String::new(),
                false => k.captures(text)?[1].into(),
            },
            rule,
            count,
            why: "plain".into(),
            line: None,
        };
        return Some(heard(vec![said], Vec::new()));
    }
    let found = BUILT_IN.captures(text)?;
    let is_course = !Severity::ALL.iter().any(|word| word.as_str() == &found[1]);
    let (count, why) = match MORE.captures(text) {
        more if is_course => (more.map_or(Some(0), |more| number(&more[1]))?, "course"),
        None => (1, "first"),
        Some(more) => match more.get(2) {
            Some(_) => (number(&more[1])?, "summary"),
            None => (number(&more[1])? + 1, "first"),
        },
    };
    if &found[3] == "(several)" {
        let (said, unnamed) = several(text, &found[2], count)?;
        return Some(heard(said, unnamed));
    }
    let said = Said {
        rule: found[2].into(),
        k: found[3].into(),
        count,
        why: why.into(),
        line: None,
    };
    Some(heard(vec![said], Vec::new()))
}

type Shares = (Vec<Said>, Vec<(String, u64)>);

/// The last line of a message for several values of a rule: `k=k1 3, k=k2 5`, and
/// how many more.
fn several(text: &str, rule: &str, count: u64) -> Option<Shares> {
    static REST: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^([\d,]+) more: ([\d,]+) events?$").expect("a regex"));
    let last = text.lines().last()?.replace('`', "");
    if last.contains("only counted") {
        return Some((Vec::new(), vec![(rule.into(), count)]));
    }
    let (pairs, n_unnamed) = match last.split_once(" and ") {
        Some((pairs, rest)) => (pairs, number(&REST.captures(rest)?[2])?),
        None => (&*last, 0),
    };
    let said: Option<Vec<Said>> = (pairs.split(", "))
        .map(|pair| {
            let (name, count) = pair.rsplit_once(' ')?;
            let (_, k) = name.split_once('=').unwrap_or(("", name));
            Some(share(rule, k, number(count)?, "thread"))
        })
        .collect();
    let said = said?;
    let n_said: u64 = said.iter().map(|said| said.count).sum();
    let unnamed = (n_unnamed > 0).then(|| (rule.to_owned(), n_unnamed));
    (n_said + n_unnamed == count).then(|| (said, unnamed.into_iter().collect()))
}

/// The rows of a digest and the line after them, which must give its totals.
fn table(text: &str) -> Option<Shares> {
    static ROW: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^ *([\d,]+) +(?:[\d-]+ )?[\d:]+ +\w+ +([\w.]+)(?: (?:\w+=)?(\S+))?$")
            .expect("a regex")
    });
    static TOTALS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r": ([\d,]+) events? of (\d+) rules?\*\n").expect("a regex"));
    static REST: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\nand ([\d,]+) more: ([\d,]+) events? \((.*)\)$").expect("a regex")
    });
    let totals = TOTALS.captures(text)?;
    let (_, rows) = text.split_once("```\n")?;
    let (rows, _) = rows.split_once("\n```")?;
    let why = match text.contains("*Digest: ") {
        true => "digest",
        false => "catch_up",
    };
    let mut said = Vec::new();
    let mut unnamed = Vec::new();
    for row in rows.lines() {
        let found = ROW.captures(row)?;
        let (rule, count) = (&found[2], number(&found[1])?);
        match found.get(3).map(|k| k.as_str()) {
            Some("(several)") | None => unnamed.push((rule.to_owned(), count)),
            Some(k) => said.push(share(rule, k, count, why)),
        }
    }
    if let Some(found) = REST.captures(text) {
        let counts = by_rule(&found[3])?;
        let n_events: u64 = counts.iter().map(|(_, count)| count).sum();
        (number(&found[2])? == n_events).then_some(())?;
        unnamed.extend(counts);
    }
    let n_said = said.iter().map(|said| said.count);
    let n_events: u64 = n_said.chain(unnamed.iter().map(|(_, n)| *n)).sum();
    let rules: std::collections::BTreeSet<&str> = (said.iter().map(|said| said.rule.as_str()))
        .chain(unnamed.iter().map(|(rule, _)| rule.as_str()))
        .collect();
    let is_right = number(&totals[1])? == n_events && number(&totals[2])? == rules.len() as u64;
    is_right.then_some((said, unnamed))
}

/// `alpha 3,000, beta 2`.
fn by_rule(text: &str) -> Option<Vec<(String, u64)>> {
    text.split(", ")
        .map(|pair| {
            let (rule, count) = pair.split_once(' ')?;
            Some((rule.to_owned(), number(count)?))
        })
        .collect()
}

fn share(rule: &str, k: &str, count: u64, why: &str) -> Said {
    Said {
        rule: rule.into(),
        k: k.into(),
        count,
        why: why.into(),
        line: None,
    }
}

fn number(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}
