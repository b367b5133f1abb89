//! The titles and texts people write, and which names they may use.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::fields;
use super::parse::Entry;
use super::template::{Template, TemplateMistake, Value, Values};
use crate::diagnostic::{Report, Span, did_you_mean};

/// The names every template knows.
const NAMES: [&str; 14] = [
    "captures", "count", "duration", "fields", "first", "host", "key", "labels", "last", "line",
    "reason", "severity", "source", "total",
];

/// The names that only templates of rules of commands know.
const CHECK_NAMES: [&str; 3] = ["exit_status", "output", "perf"];

/// The name that only a text knows: a title cannot hold itself.
const TITLE: &str = "title";

/// What a message may be there for; templates branch on it.
const REASONS: [&str; 8] = [
    "first",
    "summary",
    "severity",
    "repeat",
    "resolved",
    "flapping",
    "silence_end",
    "catch_up",
];

/// What a rule's templates may speak of, beyond what all may.
#[derive(Debug)]
pub(super) struct Names<'a> {
    /// The named groups of its patterns.
    pub(super) captures: &'a BTreeSet<String>,
    /// Its labels; none if they are not all known.
    pub(super) labels: Option<&'a BTreeMap<String, String>>,
    /// Whether its records have fields of their own, with any names.
    pub(super) has_fields: bool,
    /// Whether it is about a command.
    pub(super) of_check: bool,
}

/// Reads a template, without asking what it speaks of.
pub(super) fn parse(entry: &Entry, report: &mut Report) -> Option<Template> {
    let source = fields::text(entry, report)?;
    match Template::parse(source) {
        Ok(template) => Some(template),
        Err(mistake) => {
            refuse(entry, source, &mistake, report);
            None
        }
    }
}

fn refuse(entry: &Entry, source: &str, mistake: &TemplateMistake, report: &mut Report) {
    let n_before = mistake.line_number.saturating_sub(1);
    let start: usize = (source.split_inclusive('\n').take(n_before))
        .map(str::len)
        .sum();
    let line = source[start..].lines().next().unwrap_or_default();
    let at = match line.len() < source.trim_end().len() {
        true => {
            let start = start + (line.len() - line.trim_start().len());
            place_in(entry, source, start..start + line.trim().len(), report)
        }
        false => fields::place_of(entry),
    };
    report.not_a_template(at, &mistake.reason, mistake.line_number);
}

/// Where a part of a text stands in its file. What is folded or escaped there is
/// looked for by its letters.
fn place_in(entry: &Entry, source: &str, part: Range<usize>, report: &Report) -> Span {
    let whole = entry.node.at;
    let exact = entry.node.at_part(part.clone());
    if exact != whole {
        return exact;
    }
    let Some(word) = source.get(part.clone()).filter(|word| !word.is_empty()) else {
        return fields::place_of(entry);
    };
    let n_before = source[..part.start].matches(word).count();
    let mut found = report.text_from(whole).match_indices(word);
    match found.nth(n_before) {
        Some((idx, _)) => Span {
            start: whole.start + idx,
            end: whole.start + idx + word.len(),
            ..whole
        },
        None => fields::place_of(entry),
    }
}

/// Reads a template and checks every name in it.
pub(super) fn read(entry: &Entry, names: &Names<'_>, report: &mut Report) -> Option<Template> {
    let template = parse(entry, report)?;
    let source = fields::text(entry, report)?;
    let mut is_good = true;
    for name in template.variables() {
        let known = known_for(&name, &entry.key, names);
        // Not every rule has every label.
        if name.starts_with("labels.") && template.asks_for(&name) {
            continue;
        }
        if let Some(known) = known {
            let at = match template.place_of(&name) {
                Some(part) if template.as_str() == source => place_in(entry, source, part, report),
                _ => fields::place_of(entry),
            };
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            report.unknown_variable(
                at,
                &name,
                did_you_mean(&name, known.iter().copied()),
                &known,
            );
            is_good = false;
        }
    }
    // Names that do not exist are empty and would only mislead here.
    if is_good {
        for reason in REASONS {
            if let Err(mistake) = template.try_out(&made_up_values(names, reason)) {
                refuse(entry, source, &mistake, report);
                return None;
            }
        }
    }
    is_good.then_some(template)
}

/// Returns the names that could have been meant by one that is not known; nothing
/// if it is known.
fn known_for(name: &str, field: &str, names: &Names<'_>) -> Option<Vec<String>> {
    let (root, rest) = match name.split_once('.') {
        Some((root, rest)) => (root, Some(rest)),
        None => (name, None),
    };
    let within = |known: Vec<&String>, rest: &str| -> Option<Vec<String>> {
        // A dot may be part of a name; minijinja reads `labels.a.b` its own way.
        let first = rest.split('.').next().unwrap_or(rest);
        (!known.iter().any(|name| *name == first))
            .then(|| known.iter().map(|name| format!("{root}.{name}")).collect())
    };
    match (root, rest) {
        ("fields", Some(_)) if names.has_fields => None,
        ("captures" | "fields", Some(rest)) => within(names.captures.iter().collect(), rest),
        ("labels", Some(rest)) => within(names.labels?.keys().collect(), rest),
        _ if NAMES.contains(&root) || names.captures.contains(root) => None,
        _ if names.of_check && CHECK_NAMES.contains(&root) => None,
        (TITLE, _) if field != TITLE => None,
        _ => {
            let mut known: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
            known.extend(names.captures.iter().cloned());
            if names.of_check {
                known.extend(CHECK_NAMES.map(str::to_owned));
            }
            if field != TITLE {
                known.push(TITLE.to_owned());
            }
            known.sort();
            Some(known)
        }
    }
}

/// Tells whether a capture would hide something every template knows.
pub(super) fn is_taken(capture: &str) -> bool {
    capture == TITLE || NAMES.contains(&capture)
}

fn made_up_values(names: &Names<'_>, reason: &str) -> Values {
    let text = |text: &str| Value::Text(text.to_owned());
    let example = "1".to_owned();
    let captures: BTreeMap<String, String> = names
        .captures
        .iter()
        .map(|name| (name.clone(), example.clone()))
        .collect();
    let mut values = BTreeMap::new();
    for name in names.captures {
        values.insert(name.clone(), text(&example));
    }
    for name in [
        "duration", "first", "host", "key", "last", "line", "source", TITLE,
    ] {
        values.insert(name.to_owned(), text(&example));
    }
    let n_events = if reason == "first" { 1 } else { 5 };
    values.insert("count".into(), Value::Number(n_events));
    values.insert("total".into(), Value::Number(n_events));
    values.insert("severity".into(), text("warning"));
    values.insert("reason".into(), text(reason));
    values.insert("fields".into(), Value::Map(captures.clone()));
    values.insert("captures".into(), Value::Map(captures));
    if names.of_check {
        values.insert("exit_status".into(), text(&example));
        values.insert("output".into(), text(&example));
        values.insert("perf".into(), Value::Map(BTreeMap::new()));
    }
    let labels = names.labels.cloned().unwrap_or_default();
    values.insert("labels".into(), Value::Map(labels));
    Values(values)
}
