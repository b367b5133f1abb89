//! Raw values to rules; finds every mistake, not just the first.
//!
//! A field is looked up in the rule, then in its file's `defaults`, then in those
//! of the settings. Each field has its own small function, which takes the place
//! it was found at, so it does not matter where that was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::checks::read::{self, Kind};
use super::conditions::read as conditions;
use super::fields::{self, Fields, Known};
use super::glob::Glob;
use super::journal;
use super::own;
use super::parse::{Entry, Value};
use super::pattern::Patterns;
use super::regexes::{self, Case, Purpose};
use super::wording::{self, Names};
use super::{
    Debounce, Files, FormatAs, From, Mention, Rule, RuleKey, Severity, SpaceName, Surroundings,
    ThreadMode,
};
use crate::diagnostic::{FileId, Report, Span, did_you_mean};

/// The window of a rule that says nothing about it.
const EVERY_DEFAULT: Duration = Duration::from_secs(5 * 60);

/// The longest window of a rule that says nothing about it.
const EVERY_MAX_DEFAULT: Duration = Duration::from_secs(60 * 60);

/// The bytes a key may have.
const KEY_BYTES_MAX: usize = 63;

/// How many patterns of files a rule may have.
const GLOBS_MAX: usize = 1_000;

/// Fields of rules that come later, of one kind or another.
const LATER: &[&str] = &[
    "context",
    "encoding",
    "format",
    "line_max",
    "multiline",
    "stdin",
    "where",
];

/// The fields of a rule.
pub(super) const RULE: Known = Known {
    what: "a rule",
    fields: &[
        "absent",
        "active",
        "by",
        "command",
        "cron",
        "cwd",
        "debounce",
        "env",
        "every",
        "except",
        "exclude_files",
        "exec",
        "fail_after",
        "files",
        "first_seen",
        "format_as",
        "from",
        "ignore_case",
        "inhibited_by",
        "journal",
        "key",
        "labels",
        "match",
        "max_keys",
        "mention",
        "recover_after",
        "repeat",
        "resolve",
        "retry_every",
        "runbook",
        "severity",
        "shell",
        "space",
        "status",
        "tests",
        "text",
        "thread",
        "threshold",
        "timeout",
        "title",
        "tz",
        "user",
    ],
    later: LATER,
};

/// The fields of `defaults`.
pub(super) const DEFAULTS: Known = Known {
    what: "`defaults`",
    fields: &[
        "active",
        "debounce",
        "exclude_files",
        "fail_after",
        "format_as",
        "from",
        "ignore_case",
        "labels",
        "max_keys",
        "mention",
        "recover_after",
        "repeat",
        "retry_every",
        "runbook",
        "severity",
        "space",
        "text",
        "thread",
        "timeout",
        "title",
    ],
    later: LATER,
};

/// The fields of a rule file.
pub(super) const RULE_FILE: Known = Known {
    what: "a rule file",
    fields: &["defaults", "rules"],
    later: &[],
};

/// The fields of `debounce` as a map.
pub(super) const DEBOUNCE: Known = Known {
    what: "`debounce`",
    fields: &["every", "max"],
    later: &[],
};

/// The words for how bad something is.
pub(super) const SEVERITIES: [(&str, Severity); 4] = [
    ("info", Severity::Info),
    ("warning", Severity::Warning),
    ("error", Severity::Error),
    ("critical", Severity::Critical),
];

/// The words for threads.
pub(super) const THREADS: [(&str, ThreadMode); 5] = [
    ("rule", ThreadMode::Rule),
    ("instance", ThreadMode::Instance),
    ("incident", ThreadMode::Incident),
    ("day", ThreadMode::Day),
    ("none", ThreadMode::None),
];

/// The words for what a message is made of.
pub(super) const FORMATS: [(&str, FormatAs); 2] =
    [("text", FormatAs::Text), ("card", FormatAs::Card)];

/// How many a message may call.
const MENTIONS_MAX: usize = 10;

/// The digits that the id of a person may have.
const USER_ID_DIGITS_MAX: usize = 32;

/// The words for where reading starts.
pub(super) const FROMS: [(&str, From); 2] = [("end", From::End), ("beginning", From::Beginning)];

/// What rules are checked against.
pub(super) struct Context<'a> {
    /// The directory each file's relative names are meant from.
    pub(super) directories: &'a BTreeMap<FileId, PathBuf>,
    /// The spaces there are; nothing if that is not known, and then any will do.
    pub(super) spaces: Option<&'a BTreeSet<SpaceName>>,
    /// Where a rule posts that names no space and has no defaults that do.
    pub(super) only_space: Option<&'a SpaceName>,
    /// The labels of the settings.
    pub(super) labels: &'a BTreeMap<String, String>,
    /// The world.
    pub(super) surroundings: &'a dyn Surroundings,
}

/// A rule and the defaults that stand behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layers<'a> {
    pub(super) rule: &'a Fields<'a>,
    pub(super) file: Option<&'a Fields<'a>>,
    pub(super) settings: Option<&'a Fields<'a>>,
}

impl<'a> Layers<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a Entry> {
        let defaults = || self.file.and_then(|fields| fields.get(name));
        let settings = || self.settings.and_then(|fields| fields.get(name));
        self.rule.get(name).or_else(defaults).or_else(settings)
    }
}

/// Makes a rule of what was written; nothing if a mistake is in the way.
pub(super) fn rule(layers: Layers<'_>, context: &Context<'_>, report: &mut Report) -> Option<Rule> {
    let key = required(layers.rule, "key", report).and_then(|entry| key(entry, report));
    let kind = Kind::of(layers.rule, report);
    if let Some(kind) = kind {
        kind.refuse_others(layers.rule, report);
    }
    let include = optional(layers.rule.get("files"), |entry| {
        globs(entry, context, report)
    });
    let journal = optional(layers.rule.get("journal"), |entry| {
        journal::read(entry, report)
    });
    let check = kind.and_then(|kind| read::check(kind, layers, context, report));
    let repeat = optional(layers.get("repeat"), |entry| read::repeat(entry, report));
    let exclude = optional(layers.get("exclude_files"), |entry| {
        globs(entry, context, report)
    });
    let from = optional(layers.get("from"), |entry| {
        fields::word(entry, &FROMS, report)
    });
    let patterns = patterns(kind, layers, report);
    let captures = patterns.as_ref().map(captures_of);
    let by = match kind {
        Some(Kind::Records) | None => layers.rule.get("by"),
        Some(Kind::Command | Kind::Exec) => None,
    };
    let by = optional(by, |entry| self::by(entry, captures.as_ref(), report));
    let conditions = conditions::conditions(kind, layers, captures.as_ref(), context, report);
    let severity = optional(layers.get("severity"), |entry| severity(entry, report));
    let debounce = optional(layers.get("debounce"), |entry| debounce(entry, report));
    let spaces = spaces(layers, context, report);
    let thread = optional(layers.get("thread"), |entry| {
        fields::word(entry, &THREADS, report)
    });
    let format_as = optional(layers.get("format_as"), |entry| {
        fields::word(entry, &FORMATS, report)
    });
    let mention = optional(layers.get("mention"), |entry| mentions(entry, report));
    let runbook = optional(layers.get("runbook"), |entry| runbook(entry, report));
    let labels = labels(layers, context, report);
    let names = captures.as_ref().map(|captures| Names {
        captures,
        labels: context.spaces.is_some().then_some(&labels),
        of_check: kind != Some(Kind::Records),
    });
    // Without the captures nobody knows which names are good.
    let mut wording = |name: &str| {
        optional(layers.get(name), |entry| match &names {
            Some(names) => wording::read(entry, names, report),
            None => wording::parse(entry, report),
        })
    };
    let title = wording("title");
    let text = wording("text");
    if let (Some(captures), Some(entry)) = (&captures, layers.rule.get("match")) {
        for name in captures.iter().filter(|name| wording::is_taken(name)) {
            report.capture_hides_variable(fields::place_of(entry), name);
        }
    }
    let (check, conditions) = (check?, conditions?);
    let has_end = check.is_some() || conditions.has_end();
    Some(Rule {
        key: key?,
        check,
        // That of the defaults is for those that can use it.
        repeat: repeat?.filter(|_| has_end).unwrap_or_default(),
        files: Files {
            include: include?.unwrap_or_default(),
            exclude: exclude?.unwrap_or_default(),
        },
        from: from?.unwrap_or(From::End),
        journal: journal?,
        patterns: patterns?,
        by: by?.unwrap_or_default(),
        conditions,
        severity: severity?.unwrap_or(Severity::Warning),
        debounce: debounce?.unwrap_or(Debounce::Window {
            every: EVERY_DEFAULT,
            max: EVERY_MAX_DEFAULT,
        }),
        spaces: spaces?,
        thread: thread?.unwrap_or(ThreadMode::Rule),
        title: title?,
        text: text?,
        format_as: format_as?.unwrap_or_default(),
        mention: mention?.unwrap_or_default(),
        runbook: runbook?,
        labels,
    })
}

/// Checks defaults by themselves, so that a mistake in them is found even if no
/// rule comes to use them.
pub(super) fn defaults(fields: &Fields<'_>, context: &Context<'_>, report: &mut Report) {
    let get = |name| fields.get(name);
    let _ = get("exclude_files").map(|entry| globs(entry, context, report));
    let _ = get("from").map(|entry| fields::word(entry, &FROMS, report));
    let _ = get("ignore_case").map(|entry| fields::truth(entry, report));
    let _ = get("severity").map(|entry| severity(entry, report));
    let _ = get("debounce").map(|entry| debounce(entry, report));
    let _ = get("space").map(|entry| named_spaces(entry, context, report));
    let _ = get("thread").map(|entry| fields::word(entry, &THREADS, report));
    let _ = get("format_as").map(|entry| fields::word(entry, &FORMATS, report));
    let _ = get("mention").map(|entry| mentions(entry, report));
    let _ = get("runbook").map(|entry| runbook(entry, report));
    let _ = get("labels").map(|entry| read_labels(entry, report));
    let _ = get("title").map(|entry| wording::parse(entry, report));
    let _ = get("text").map(|entry| wording::parse(entry, report));
    read::defaults(fields, report);
    conditions::defaults(fields, context, report);
}

/// Reads a field that may be missing: nothing if it is wrong, nothing within if
/// it is not there.
pub(super) fn optional<T>(
    entry: Option<&Entry>,
    read: impl FnOnce(&Entry) -> Option<T>,
) -> Option<Option<T>> {
    match entry {
        Some(entry) => read(entry).map(Some),
        None => Some(None),
    }
}

fn required<'a>(fields: &Fields<'a>, name: &str, report: &mut Report) -> Option<&'a Entry> {
    let entry = fields.get(name);
    if entry.is_none() {
        report.missing_field(fields.at, name, "a rule");
    }
    entry
}

fn key(entry: &Entry, report: &mut Report) -> Option<RuleKey> {
    let text = fields::text(entry, report)?;
    let at = fields::place_of(entry);
    let first_is_good =
        text.starts_with(|char: char| char.is_ascii_lowercase() || char.is_ascii_digit());
    let all_are_good = text
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
    if text.len() > KEY_BYTES_MAX {
        report.key_too_long(at, KEY_BYTES_MAX);
        return None;
    }
    if !first_is_good || !all_are_good {
        let shown = fields::shown(&entry.node);
        report.not_a_key(at, shown, &near_key(shown));
        return None;
    }
    if text.starts_with(own::PREFIX) {
        report.reserved_key(at, fields::shown(&entry.node));
        return None;
    }
    Some(RuleKey::new(text))
}

/// Tells whether a text can be the key of a rule that a person makes.
pub(super) fn is_key(text: &str) -> bool {
    let begins = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let is_good = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    text.len() <= KEY_BYTES_MAX
        && text.starts_with(begins)
        && text.bytes().all(is_good)
        && !text.starts_with(own::PREFIX)
}

/// Returns a key that is near to a text that is none.
fn near_key(text: &str) -> String {
    let dashed: String = text
        .to_lowercase()
        .chars()
        .map(|char| match char {
            'a'..='z' | '0'..='9' | '.' | '_' => char,
            _ => '-',
        })
        .collect();
    match dashed.trim_matches(['-', '.', '_']) {
        "" => "disk-full".to_owned(),
        near => near.to_owned(),
    }
}

fn globs(entry: &Entry, context: &Context<'_>, report: &mut Report) -> Option<Vec<Glob>> {
    let texts = fields::texts(entry, report)?;
    if texts.len() > GLOBS_MAX {
        report.too_many(fields::place_of(entry), &entry.key, GLOBS_MAX);
        return None;
    }
    let globs: Vec<Option<Glob>> = texts
        .into_iter()
        .map(|(node, text)| {
            if text.starts_with('~') {
                report.tilde(node.at);
                return None;
            }
            let directory = context.directories.get(&node.at.file);
            let directory = directory.map_or(Path::new("/"), PathBuf::as_path);
            Glob::parse(text, directory)
                .map_err(|reason| report.not_a_glob(node.at, &reason))
                .ok()
        })
        .collect();
    globs.into_iter().collect()
}

fn patterns(kind: Option<Kind>, layers: Layers<'_>, report: &mut Report) -> Option<Patterns> {
    let case = match layers.get("ignore_case") {
        Some(entry) => match fields::truth(entry, report) {
            Some(true) => Some(Case::Ignored),
            Some(false) => Some(Case::Kept),
            None => None,
        },
        None => Some(Case::Kept),
    };
    // Regexes are looked at even if their case is not known.
    let known_case = case.unwrap_or(Case::Kept);
    let wanted = match kind {
        Some(Kind::Records) => required(layers.rule, "match", report).map(Some),
        Some(Kind::Command | Kind::Exec) | None => Some(layers.rule.get("match")),
    };
    if let (Some(Kind::Command), None, Some(entry)) =
        (kind, layers.rule.get("match"), layers.rule.get("except"))
    {
        report.except_without_match(entry.at);
        return None;
    }
    let matches = wanted.and_then(|entry| {
        optional(entry, |entry| {
            regexes::read(entry, Purpose::Match, known_case, report)
        })
    });
    let excepts = optional(layers.rule.get("except"), |entry| {
        regexes::read(entry, Purpose::Except, known_case, report)
    });
    case?;
    Some(Patterns {
        matches: matches?.unwrap_or_default(),
        excepts: excepts?.unwrap_or_default(),
    })
}

fn captures_of(patterns: &Patterns) -> BTreeSet<String> {
    let names = patterns.capture_names();
    names.iter().map(|name| name.to_string()).collect()
}

fn by(
    entry: &Entry,
    captures: Option<&BTreeSet<String>>,
    report: &mut Report,
) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    let mut is_good = true;
    for (node, name) in fields::texts(entry, report)? {
        if names.iter().any(|known| known == name) {
            report.named_twice(node.at, fields::shown(node), "by");
            is_good = false;
        } else if let Some(captures) = captures.filter(|captures| !captures.contains(name)) {
            let known: Vec<&str> = captures.iter().map(String::as_str).collect();
            report.unknown_capture(node.at, fields::shown(node), &known);
            is_good = false;
        }
        names.push(name.to_owned());
    }
    is_good.then_some(names)
}

fn severity(entry: &Entry, report: &mut Report) -> Option<Severity> {
    if let Value::Map(_) = entry.node.value {
        report.severity_by_map(fields::place_of(entry));
        return None;
    }
    fields::word(entry, &SEVERITIES, report)
}

fn debounce(entry: &Entry, report: &mut Report) -> Option<Debounce> {
    match &entry.node.value {
        Value::Scalar(scalar) if scalar.text == "none" => Some(Debounce::None),
        Value::Scalar(_) => {
            let every = fields::duration(entry, report)?;
            if every.is_zero() {
                report.zero_debounce(fields::place_of(entry));
                return None;
            }
            Some(Debounce::Window {
                every,
                max: EVERY_MAX_DEFAULT.max(every),
            })
        }
        Value::List(_) => {
            report.wrong_kind(
                fields::place_of(entry),
                "`debounce`",
                "a duration, a map or `none`",
                "a list",
            );
            None
        }
        Value::Map(_) => {
            let fields = Fields::read(&entry.node, DEBOUNCE, report)?;
            let every = optional(fields.get("every"), |entry| fields::duration(entry, report));
            let max = optional(fields.get("max"), |entry| fields::duration(entry, report));
            let (every, max) = (every?.unwrap_or(EVERY_DEFAULT), max?);
            if every.is_zero() {
                report.zero_debounce(fields.get("every").map_or(fields.at, fields::place_of));
                return None;
            }
            let longest = max.unwrap_or(EVERY_MAX_DEFAULT.max(every));
            if longest < every {
                report.max_below_every(fields.get("max").map_or(fields.at, fields::place_of));
                return None;
            }
            Some(Debounce::Window {
                every,
                max: longest,
            })
        }
    }
}

fn spaces(
    layers: Layers<'_>,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Vec<SpaceName>> {
    if let Some(entry) = layers.get("space") {
        return named_spaces(entry, context, report);
    }
    match (context.only_space, context.spaces) {
        (Some(space), _) => Some(vec![space.clone()]),
        (None, None) => Some(vec![SpaceName::new(super::SPACE_DEFAULT)]),
        // That there is no space at all is said once, not for every rule.
        (None, Some(known)) if known.is_empty() => None,
        (None, Some(known)) => {
            let known: Vec<&str> = known.iter().map(SpaceName::as_str).collect();
            report.no_space(layers.rule.at, &known);
            None
        }
    }
}

/// Reads the names of spaces.
pub(super) fn named_spaces(
    entry: &Entry,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Vec<SpaceName>> {
    let mut names: Vec<SpaceName> = Vec::new();
    let mut is_good = true;
    for (node, text) in fields::texts(entry, report)? {
        let name = SpaceName::new(text);
        if names.contains(&name) {
            report.named_twice(node.at, fields::shown(node), "space");
            is_good = false;
        } else if let Some(known) = context.spaces.filter(|known| !known.contains(&name)) {
            unknown_space(node.at, fields::shown(node), text, known, report);
            is_good = false;
        }
        names.push(name);
    }
    is_good.then_some(names)
}

/// Reports a name that no space has.
pub(super) fn unknown_space(
    at: Span,
    shown: &str,
    text: &str,
    known: &BTreeSet<SpaceName>,
    report: &mut Report,
) {
    let known: Vec<&str> = known.iter().map(SpaceName::as_str).collect();
    let meant = did_you_mean(text, known.iter().copied());
    report.unknown_space(at, shown, meant, &known);
}

/// Reads whom a message calls: only who was named by id can be meant.
fn mentions(entry: &Entry, report: &mut Report) -> Option<Vec<Mention>> {
    if matches!(&entry.node.value, Value::List(nodes) if nodes.is_empty()) {
        // Nobody, whatever the defaults say.
        return Some(Vec::new());
    }
    let texts = fields::texts(entry, report)?;
    if texts.len() > MENTIONS_MAX {
        report.too_many(fields::place_of(entry), &entry.key, MENTIONS_MAX);
        return None;
    }
    let mut mentions: Vec<Mention> = Vec::new();
    let mut is_good = true;
    for (node, text) in texts {
        let id = text.strip_prefix("users/").unwrap_or(text);
        let is_person = (1..=USER_ID_DIGITS_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_digit());
        let mention = Mention(id.to_owned());
        if !is_person && id != "all" {
            report.not_a_mention(node.at, fields::shown(node));
            is_good = false;
        } else if mentions.contains(&mention) {
            report.named_twice(node.at, fields::shown(node), "mention");
            is_good = false;
        }
        mentions.push(mention);
    }
    is_good.then_some(mentions)
}

fn runbook(entry: &Entry, report: &mut Report) -> Option<String> {
    let text = fields::text(entry, report)?;
    let is_link = text.starts_with("https://")
        && Url::parse(text).is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty()));
    if !is_link {
        report.not_a_link(fields::place_of(entry));
        return None;
    }
    let mut link = String::with_capacity(text.len());
    for char in text.trim_end().chars() {
        // These would end the link in a message, or begin another.
        if char.is_whitespace() || char.is_control() || matches!(char, '<' | '>' | '|') {
            let mut bytes = [0; 4];
            for byte in char.encode_utf8(&mut bytes).bytes() {
                link.push_str(&format!("%{byte:02X}"));
            }
        } else {
            link.push(char);
        }
    }
    Some(link)
}

fn labels(
    layers: Layers<'_>,
    context: &Context<'_>,
    report: &mut Report,
) -> BTreeMap<String, String> {
    let mut labels = context.labels.clone();
    for fields in [layers.settings, layers.file, Some(layers.rule)]
        .into_iter()
        .flatten()
    {
        if let Some(entry) = fields.get("labels") {
            labels.extend(read_labels(entry, report));
        }
    }
    labels
}

/// Reads names and their texts.
pub(super) fn read_labels(entry: &Entry, report: &mut Report) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let Some(entries) = fields::entries_of(&entry.node, "`labels`", report) else {
        return labels;
    };
    for (name, entry) in entries {
        if let Some(text) = fields::text(entry, report) {
            labels.insert(name.to_owned(), text.to_owned());
        }
    }
    labels
}

/// Puts rules in the order of their keys.
pub(super) fn sorted(mut rules: Vec<Rule>) -> Vec<Arc<Rule>> {
    rules.sort_by(|one, other| one.key.cmp(&other.key));
    rules.into_iter().map(Arc::new).collect()
}
