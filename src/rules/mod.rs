//! The language people write: what is watched, what counts, what is said and where.
//!
//! A [`RuleSet`] has no doubts left: every name is known, every pattern compiles,
//! every duration is a duration. It is made from YAML in two steps, so that all
//! mistakes can be shown at once: [`parse`] keeps every value with its place,
//! `check` and [`settings`] turn the values into these types.
//!
//! Nothing here reads a file, a clock or the environment; what is needed from the
//! world is handed in through [`Surroundings`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod check;
pub mod checks;
pub mod conditions;
pub mod cron;
pub mod examples;
mod fields;
pub mod glob;
pub mod journal;
pub mod own;
pub mod parse;
pub mod pattern;
pub mod records;
mod regexes;
pub mod schema;
pub mod settings;
pub mod template;
mod variables;
mod vocabulary;
mod webhook;
mod wording;

use checks::Check;
use conditions::{Conditions, Resolve};
pub use fields::parse_duration_argument;
use glob::Glob;
use jiff::tz::TimeZone;
use pattern::Patterns;
use records::conditions::Where;
use records::reading::Reading;
use records::searcher::{Context, Kept};
use template::Template;

use crate::secrets::Redactor;

/// The space that `LOGCRIER_WEBHOOK` makes.
const SPACE_DEFAULT: &str = "default";

/// The path by which standard input is followed. The host has a copy of what came there,
/// and shows it under this name as a file that only grows.
pub const STDIN: &str = "/dev/stdin";

/// Everything a running agent was told: spaces and rules, checked.
#[derive(Debug, Clone)]
pub struct RuleSet {
    /// The name of this machine in messages.
    pub host: String,
    /// The spaces by name.
    pub spaces: BTreeMap<SpaceName, Space>,
    /// Where the agent's own troubles are posted (`defaults.space`, or the only space).
    pub default_space: Option<SpaceName>,
    /// The rules, in the order of their keys.
    pub rules: Vec<Arc<Rule>>,
    /// What `logcrier exec` goes by under a key that no rule has; none if there is no
    /// space for it.
    pub exec: Option<Arc<Rule>>,
    /// The agent's own rules, which follow no files: [`own::rules`].
    pub own: Vec<Arc<Rule>>,
    /// What must not be stored, shown or sent.
    pub redactor: Arc<Redactor>,
}

/// One rule, checked.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, unique over all files; also the key of its thread.
    pub key: RuleKey,
    /// The files it follows, or standard input.
    pub files: Files,
    /// The entries of the systemd journal that it looks at. Where a rule has both,
    /// [`RuleSet::with_journal`] decides.
    pub journal: Option<journal::Selection>,
    /// Where reading starts in files that existed before the agent ever ran.
    pub from: From,
    /// How it reads them.
    pub reading: Reading,
    /// What is a hit: by its message …
    pub patterns: Patterns,
    /// … and by its fields.
    pub filter: Where,
    /// The fields that are kept of a hit, because the rule speaks of them.
    pub kept: Kept,
    /// The lines around a hit that messages show.
    pub context: Context,
    /// What it makes of the results of a command; `None` for a rule of records,
    /// whose `files` are then not empty.
    pub check: Option<Check>,
    /// When a hit is worth saying.
    pub conditions: Conditions,
    /// The gaps between reminders of an open incident, the last one for ever;
    /// empty if there are none, or if incidents have no end.
    pub repeat: Vec<Duration>,
    /// Captures and fields whose values separate instances.
    pub by: Vec<String>,
    /// How bad an event is, if it does not tell itself.
    pub severity: Severity,
    /// How it tells.
    pub severity_of: Option<SeverityOf>,
    /// How repeats are held back.
    pub debounce: Debounce,
    /// Where it posts; never empty.
    pub spaces: Vec<SpaceName>,
    /// Which messages share a thread.
    pub thread: ThreadMode,
    /// The first line of a message, if the built-in one is not wanted.
    pub title: Option<Template>,
    /// The body of a message, if the built-in one is not wanted.
    pub text: Option<Template>,
    /// Whether messages are text or cards.
    pub format_as: FormatAs,
    /// Who is called on the first message of an incident and when it gets worse.
    pub mention: Vec<Mention>,
    /// An absolute `https` link, already safe to stand between `<` and `|`.
    pub runbook: Option<String>,
    /// The settings' labels, the file's and the rule's, the last winning.
    pub labels: BTreeMap<String, String>,
}

/// The files a rule follows, or standard input by the path [`STDIN`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Patterns of files to follow; empty only for rules of commands.
    pub include: Vec<Glob>,
    /// Patterns of files to leave alone although `include` names them.
    pub exclude: Vec<Glob>,
}

/// The name of a rule: `[a-z0-9][a-z0-9._-]{0,62}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleKey(pub Arc<str>);

/// The name of a space in the settings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpaceName(pub Arc<str>);

/// How bad something is, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// May need a person.
    Warning,
    /// Needs a person.
    Error,
    /// Needs a person now.
    Critical,
}

/// How an event tells how bad it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeverityOf {
    /// The capture or field that tells.
    pub from: Arc<str>,
    /// What its values mean.
    pub map: BTreeMap<String, Severity>,
    /// What other values mean, and none at all; the rule's own severity if nothing is
    /// said.
    pub others: Option<Severity>,
}

/// Where reading starts in a file that existed before the agent ever ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Only what is written from now on.
    End,
    /// All of it.
    Beginning,
}

/// How repeats of an instance are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debounce {
    /// Every event is its own message.
    None,
    /// The first event is posted at once, later ones are counted per window.
    Window {
        /// The first window.
        every: Duration,
        /// The longest window: each one with something in it doubles the next.
        max: Duration,
    },
}

/// Which messages of a rule share a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadMode {
    /// All of the rule's.
    Rule,
    /// Those of one instance.
    Instance,
    /// Those of one incident.
    Incident,
    /// Those of one local day.
    Day,
    /// None: every message stands alone.
    None,
}

/// What a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FormatAs {
    /// Text with Chat's markup.
    #[default]
    Text,
    /// A card, with text above it for notifications.
    Card,
}

/// Whom a message calls: `all`, or the digits of a person's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention(pub String);

/// A Google Chat space that can be posted to.
#[derive(Debug, Clone)]
pub struct Space {
    /// Where to post. A password: it cannot be printed.
    pub webhook: Webhook,
    /// Least time from an answer to the next request.
    pub pace: Duration,
    /// Where its messages go while it refuses them. Never leads back to it.
    pub fallback: Option<SpaceName>,
}

/// A webhook address. Whoever has it can post, so nothing can print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    url: String,
    pacer: PacerKey,
}

/// What identifies a real space: webhooks with the same key share one quota.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacerKey(pub Arc<str>);

/// What checking settings and rules needs to know of the world.
///
/// It is handed in, so that the rules stay pure and tests can lie.
pub trait Surroundings {
    /// The value of an environment variable, if it is set and is text.
    fn variable(&self, name: &str) -> Option<String>;
    /// The content of a small file (a webhook, a rule file); the error is what a
    /// person should read, without the path.
    fn read(&self, path: &Path) -> Result<String, String>;
    /// Whether everybody on this machine may read a file.
    fn is_exposed(&self, path: &Path) -> bool;
    /// The files that a pattern of `rule_files` names, in name order.
    fn matching(&self, pattern: &Glob) -> Vec<PathBuf>;
    /// Whether a file exists.
    fn exists(&self, path: &Path) -> bool;
    /// The time zone of a name such as `Europe/Berlin`, if there is one.
    fn zone(&self, name: &str) -> Option<TimeZone>;
}

impl SeverityOf {
    /// How bad an event is by the value that tells, if it is there.
    pub fn severity(&self, value: Option<&str>) -> Option<Severity> {
        let listed = value.and_then(|value| self.map.get(value));
        listed.copied().or(self.others)
    }
}

impl Files {
    /// Standard input and nothing else.
    pub fn stdin() -> Self {
        Self {
            include: vec![Glob::of_path(Path::new(STDIN))],
            exclude: Vec::new(),
        }
    }
}

/// What people call a source that has this path.
pub fn source_name(path: &Path) -> Cow<'_, str> {
    match path == Path::new(STDIN) {
        true => Cow::Borrowed("stdin"),
        false => path.to_string_lossy(),
    }
}

impl Rule {
    /// Whether it looks at standard input.
    pub fn is_of_stdin(&self) -> bool {
        (self.files.include.iter()).any(|glob| glob.as_str() == STDIN)
    }

    /// Whether of its hits that come close together only the first ones and the last are
    /// ever shown: all others are counted, and it makes no difference what they say.
    pub fn is_countable(&self) -> bool {
        let asks_each = {
            let Conditions {
                threshold,
                resolve,
                absent,
                first_seen,
                max_keys: _,
                inhibited_by,
                active: _,
            } = &self.conditions;
            threshold.is_some()
                || matches!(resolve, Some(Resolve::Record { .. }))
                || absent.is_some()
                || first_seen.is_some()
                || !inhibited_by.is_empty()
        };
        let is_told_apart = !self.by.is_empty() || self.severity_of.is_some();
        let is_held_back = self.debounce != Debounce::None;
        is_held_back && !asks_each && !is_told_apart && self.filter.is_empty()
    }

    /// The rule as it looks for what ends its incidents, if a record does that.
    pub fn ending(&self) -> Option<Self> {
        let (patterns, filter) = self.conditions.resolving()?;
        Some(Self {
            patterns: patterns.clone(),
            filter: filter.clone(),
            ..self.clone()
        })
    }
}

impl RuleSet {
    /// Decides for rules that look at files or the journal, whichever there is: never
    /// at both, for then a record would count twice.
    pub fn with_journal(&self, is_readable: bool) -> Self {
        let mut rules = self.clone();
        for rule in &mut rules.rules {
            if rule.journal.is_none() || rule.files.include.is_empty() {
                continue;
            }
            let rule = Arc::make_mut(rule);
            match is_readable {
                true => rule.files.include.clear(),
                false => rule.journal = None,
            }
        }
        rules
    }

    /// Whether a rule looks at standard input.
    pub fn has_stdin(&self) -> bool {
        self.rules.iter().any(|rule| rule.is_of_stdin())
    }

    /// Whether a rule looks at the journal.
    pub fn has_journal(&self) -> bool {
        self.rules.iter().any(|rule| rule.journal.is_some())
    }

    /// Returns the rule by which what `logcrier exec` tells under a key is judged:
    /// the rule of that key if it is one of `exec`, else the defaults.
    pub fn reported(&self, key: &RuleKey) -> Option<Arc<Rule>> {
        match self.rule(key) {
            Some(rule) => {
                let is_exec = rule.check.as_ref().is_some_and(|check| check.run.is_none());
                is_exec.then(|| rule.clone())
            }
            None => self.exec.as_ref().map(|rule| {
                Arc::new(Rule {
                    key: key.clone(),
                    ..Rule::clone(rule)
                })
            }),
        }
    }

    /// Returns the rule of a key, if there is one; also one of the agent's own.
    pub fn rule(&self, key: &RuleKey) -> Option<&Arc<Rule>> {
        if key.as_str().starts_with(own::PREFIX) {
            return self.own.iter().find(|rule| rule.key == *key);
        }
        self.rules
            .binary_search_by(|rule| rule.key.cmp(key))
            .ok()
            .map(|idx| &self.rules[idx])
    }
}

impl Webhook {
    /// Makes a webhook of an address whose host and space were already checked.
    ///
    /// `pacer` names the real space: the address without its query.
    pub fn new(url: String, pacer: PacerKey) -> Self {
        Self { url, pacer }
    }

    /// The address itself, for the one place that sends.
    pub fn expose(&self) -> &str {
        &self.url
    }

    /// Whether the way there is encrypted; if not, it is on this machine.
    pub fn is_encrypted(&self) -> bool {
        webhook::is_encrypted(&self.url)
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        webhook::is_on_this_machine(&self.url)
    }

    /// What identifies the real space behind the address.
    pub fn pacer(&self) -> &PacerKey {
        &self.pacer
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.pacer.0)
    }
}

impl RuleKey {
    /// Reads a key; nothing if it is none, or one of the agent's own.
    pub fn parse(text: &str) -> Option<Self> {
        check::is_key(text).then(|| Self::new(text))
    }

    /// Makes a key of text that was already checked.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SpaceName {
    /// Makes a name of text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RuleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for RuleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SpaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for SpaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Severity {
    /// All of them, mildest first.
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// The word people write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
pub(crate) mod paper;
