//! Raw values to rules; finds every mistake, not just the first.
//!
//! A field is looked up in the rule, then in its file's `defaults`, then in those
//! of the settings. Each field has its own small function, which takes the place
//! it was found at, so it does not matter where that was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::checks::read::{self, Kind};
use super::conditions::read as conditions;
use super::fields::{self, Fields};
use super::glob::Glob;
use super::journal;
use super::parse::{Entry, Value};
use super::pattern::Patterns;
use super::records;
use super::records::reading::{Format, Reading};
use super::records::searcher::Kept;
use super::regexes::{self, Breaks, Case, Purpose};
use super::template::Template;
use super::vocabulary::Vocabulary;
use super::wording::{self, Names};
use super::{
    Debounce, Files, From, Rule, Severity, SeverityOf, SpaceName, Surroundings, ThreadMode,
};
use crate::diagnostic::{FileId, Report};

mod message;

mod known;

mod key;

pub(super) use key::is_key;
use key::key;
pub(super) use known::{DEBOUNCE, DEFAULTS, FORMATS, FROMS, RULE, RULE_FILE, SEVERITIES, THREADS};
use message::{labels, mentions, runbook, spaces};
pub(super) use message::{named_spaces, read_labels, unknown_space};

/// The window of a rule that says nothing about it.
const EVERY_DEFAULT: Duration = Duration::from_secs(5 * 60);

/// The longest window of a rule that says nothing about it.
const EVERY_MAX_DEFAULT: Duration = Duration::from_secs(60 * 60);

/// How many patterns of files a rule may have.
const GLOBS_MAX: usize = 1_000;

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
    let stdin = optional(layers.rule.get("stdin"), |entry| {
        let is_wanted = fields::truth(entry, report)?;
        if !is_wanted {
            report.stdin_false(fields::place_of(entry));
        }
        is_wanted.then_some(())
    });
    let is_of_stdin = stdin.is_none_or(|stdin| stdin.is_some());
    let check = kind.and_then(|kind| read::check(kind, layers, context, report));
    let repeat = optional(layers.get("repeat"), |entry| read::repeat(entry, report));
    let exclude = optional(layers.get("exclude_files"), |entry| {
        globs(entry, context, report)
    });
    let from = optional(layers.get("from"), |entry| {
        fields::word(entry, &FROMS, report)
    });
    let of_records = |name| match kind {
        Some(Kind::Records) | None => layers.get(name),
        Some(Kind::Command | Kind::Exec) => None,
    };
    let reading = match kind {
        Some(Kind::Records) | None => records::read::reading(layers, report),
        Some(Kind::Command | Kind::Exec) => Some(Reading::default()),
    };
    let lines = optional(of_records("context"), |entry| {
        records::read::context(entry, report)
    });
    let patterns = patterns(kind, layers, reading.as_ref(), report);
    let reading = reading.map(|reading| match (&include, &journal) {
        // Files have lines, and an entry of the journal has fields.
        (Some(None), Some(Some(_))) => reading.of_entries(),
        _ if is_of_stdin => reading.in_utf8(),
        _ => reading,
    });
    let captures = patterns.as_ref().map(captures_of);
    // Fields of their own can have any name.
    let has_fields = reading
        .as_ref()
        .is_none_or(|reading| reading.format.is_structured());
    let names = match (&captures, &reading) {
        (Some(captures), Some(reading)) if reading.format == Format::Journal => {
            Vocabulary::Entries(captures)
        }
        (Some(captures), Some(reading)) if !reading.format.is_structured() => {
            Vocabulary::Captures(captures)
        }
        _ => Vocabulary::Any,
    };
    let filter = match kind {
        Some(Kind::Exec) => None,
        Some(Kind::Records | Kind::Command) | None => layers.rule.get("where"),
    };
    let filter = optional(filter, |entry| {
        if !has_fields && layers.rule.get("match").is_none() {
            report.where_without_fields(entry.at);
            return None;
        }
        records::read::conditions(entry, names, report)
    });
    let by = optional(of_records("by"), |entry| by(entry, names, report));
    let conditions = conditions::conditions(kind, layers, names, context, report);
    let severity = optional(layers.get("severity"), |entry| {
        if let (Some(kind @ (Kind::Command | Kind::Exec)), Value::Map(_)) =
            (kind, &entry.node.value)
        {
            report.severity_map_misplaced(fields::place_of(entry), kind.words());
            return None;
        }
        severity(entry, names, report)
    });
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
        has_fields,
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
    let (by, title, text) = (by?.unwrap_or_default(), title?, text?);
    let (severity, severity_of) = severity?.unwrap_or((Severity::Warning, None));
    let kept = match has_fields {
        true => kept(&by, severity_of.as_ref(), [&title, &text]),
        false => Kept::default(),
    };
    Some(Rule {
        key: key?,
        check,
        // That of the defaults is for those that can use it.
        repeat: repeat?.filter(|_| has_end).unwrap_or_default(),
        files: match stdin? {
            // What the defaults say of files is not meant.
            Some(()) => Files::stdin(),
            None => Files {
                include: include?.unwrap_or_default(),
                exclude: exclude?.unwrap_or_default(),
            },
        },
        from: match is_of_stdin {
            true => From::Beginning,
            false => from?.unwrap_or(From::End),
        },
        journal: journal?,
        reading: reading?,
        patterns: patterns?,
        filter: filter?.unwrap_or_default(),
        kept,
        context: lines?.unwrap_or_default(),
        by,
        conditions,
        severity,
        severity_of,
        debounce: debounce?.unwrap_or(Debounce::Window {
            every: EVERY_DEFAULT,
            max: EVERY_MAX_DEFAULT,
        }),
        spaces: spaces?,
        thread: thread?.unwrap_or(ThreadMode::Rule),
        title,
        text,
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
    let _ = get("severity").map(|entry| severity(entry, Vocabulary::Any, report));
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
    records::read::defaults(fields, report);
}

/// The fields that a rule speaks of.
fn kept(by: &[String], severity_of: Option<&SeverityOf>, own: [&Option<Template>; 2]) -> Kept {
    let mut kept = Kept::default();
    let names = by.iter().map(String::as_str);
    let names = names.chain(severity_of.map(|of| &*of.from));
    kept.names.extend(names.map(Arc::from));
    for name in own.into_iter().flatten().flat_map(Template::variables) {
        match name.strip_prefix("fields.") {
            Some(name) => drop(kept.names.insert(name.into())),
            None => kept.all |= name == "fields",
        }
    }
    kept
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

fn patterns(
    kind: Option<Kind>,
    layers: Layers<'_>,
    reading: Option<&Reading>,
    report: &mut Report,
) -> Option<Patterns> {
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
    let breaks = match reading {
        Some(reading) if !reading.may_hold_breaks() => Breaks::Never,
        Some(_) | None => Breaks::May,
    };
    let written = layers.rule.get("match");
    let wanted = match (kind, written, layers.rule.get("where")) {
        (Some(Kind::Records), None, None) => {
            report.nothing_selected(layers.rule.at);
            None
        }
        _ => Some(written),
    };
    if let (Some(Kind::Command), None, Some(entry)) =
        (kind, layers.rule.get("match"), layers.rule.get("except"))
    {
        report.except_without_match(entry.at);
        return None;
    }
    let matches = wanted.and_then(|entry| {
        optional(entry, |entry| {
            regexes::read(entry, Purpose::Match, known_case, breaks, report)
        })
    });
    let excepts = optional(layers.rule.get("except"), |entry| {
        regexes::read(entry, Purpose::Except, known_case, breaks, report)
    });
    case?;
    Some(Patterns {
        matches: matches?.unwrap_or_default(),
        excepts: excepts?.unwrap_or_default(),
    })
}

pub(super) fn captures_of(patterns: &Patterns) -> BTreeSet<String> {
    let names = patterns.capture_names();
    names.iter().map(|name| name.to_string()).collect()
}

fn by(entry: &Entry, vocabulary: Vocabulary<'_>, report: &mut Report) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    let mut is_good = true;
    for (node, name) in fields::texts(entry, report)? {
        if names.iter().any(|known| known == name) {
            report.named_twice(node.at, fields::shown(node), "by");
            is_good = false;
        } else if !vocabulary.has(name) {
            report.unknown_capture(node.at, fields::shown(node), &vocabulary.captures());
            is_good = false;
        }
        names.push(name.to_owned());
    }
    is_good.then_some(names)
}

/// Reads a severity, or what tells it.
fn severity(
    entry: &Entry,
    vocabulary: Vocabulary<'_>,
    report: &mut Report,
) -> Option<(Severity, Option<SeverityOf>)> {
    let Value::Map(list) = &entry.node.value else {
        return Some((fields::word(entry, &SEVERITIES, report)?, None));
    };
    let of = records::read::severity_of(entry, &SEVERITIES, report);
    let from = list.iter().find(|entry| entry.key == "from");
    if let Some(from) = from
        && let Some(name) = from
            .node
            .as_scalar()
            .filter(|name| !vocabulary.has(&name.text))
    {
        let place = fields::place_of(from);
        report.unknown_field_of_text(place, name.shown(), &vocabulary.captures());
        return None;
    }
    Some((Severity::Warning, Some(of?)))
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

/// Puts rules in the order of their keys.
pub(super) fn sorted(mut rules: Vec<Rule>) -> Vec<Arc<Rule>> {
    rules.sort_by(|one, other| one.key.cmp(&other.key));
    rules.into_iter().map(Arc::new).collect()
}
