//! The titles and texts people write, and which names they may use.

use std::collections::{BTreeMap, BTreeSet};

use super::fields;
use super::parse::Entry;
use super::template::{Template, Value, Values};
use crate::diagnostic::{Report, did_you_mean};

/// The names every template knows.
const NAMES: [&str; 13] = [
    "captures", "count", "duration", "first", "host", "key", "labels", "last", "line", "reason",
    "severity", "source", "total",
];

/// The name that only a text knows: a title cannot hold itself.
const TITLE: &str = "title";

/// What a message may be there for; templates branch on it.
const REASONS: [&str; 4] = ["first", "summary", "severity", "catch_up"];

/// What a rule's templates may speak of, beyond what all may.
#[derive(Debug)]
pub(super) struct Names<'a> {
    /// The named groups of its patterns.
    pub(super) captures: &'a BTreeSet<String>,
    /// Its labels; none if they are not all known.
    pub(super) labels: Option<&'a BTreeMap<String, String>>,
}

/// Reads a template, without asking what it speaks of.
pub(super) fn parse(entry: &Entry, report: &mut Report) -> Option<Template> {
    let source = fields::text(entry, report)?;
    match Template::parse(source) {
        Ok(template) => Some(template),
        Err(mistake) => {
            let at = fields::place_of(entry);
            report.not_a_template(at, &mistake.reason, mistake.line_number);
            None
        }
    }
}

/// Reads a template and checks every name in it.
pub(super) fn read(entry: &Entry, names: &Names<'_>, report: &mut Report) -> Option<Template> {
    let template = parse(entry, report)?;
    let at = fields::place_of(entry);
    let mut is_good = true;
    for name in template.variables() {
        let known = known_for(&name, &entry.key, names);
        if let Some(known) = known {
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
                report.not_a_template(at, &mistake.reason, mistake.line_number);
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
        ("captures", Some(rest)) => within(names.captures.iter().collect(), rest),
        ("labels", Some(rest)) => within(names.labels?.keys().collect(), rest),
        _ if NAMES.contains(&root) || names.captures.contains(root) => None,
        (TITLE, _) if field != TITLE => None,
        _ => {
            let mut known: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
            known.extend(names.captures.iter().cloned());
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
    values.insert("captures".into(), Value::Map(captures));
    let labels = names.labels.cloned().unwrap_or_default();
    values.insert("labels".into(), Value::Map(labels));
    Values(values)
}
