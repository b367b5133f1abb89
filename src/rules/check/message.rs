//! Where messages go, whom they call, and what stands on them.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::{Context, Layers};
use crate::diagnostic::{Report, Span, did_you_mean};
use crate::rules::fields;
use crate::rules::parse::{Entry, Value};
use crate::rules::{Mention, SpaceName};

/// How many a message may call.
const MENTIONS_MAX: usize = 10;

/// The digits that the id of a person may have.
const USER_ID_DIGITS_MAX: usize = 32;

/// Reads where messages go.
pub(super) fn spaces(
    layers: Layers<'_>,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Vec<SpaceName>> {
    if let Some(entry) = layers.get("space") {
        return named_spaces(entry, context, report);
    }
    match (context.only_space, context.spaces) {
        (Some(space), _) => Some(vec![space.clone()]),
        (None, None) => Some(vec![SpaceName::new(crate::rules::SPACE_DEFAULT)]),
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
pub(in crate::rules) fn named_spaces(
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
pub(in crate::rules) fn unknown_space(
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
pub(super) fn mentions(entry: &Entry, report: &mut Report) -> Option<Vec<Mention>> {
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

pub(super) fn runbook(entry: &Entry, report: &mut Report) -> Option<String> {
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

pub(super) fn labels(
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
pub(in crate::rules) fn read_labels(
    entry: &Entry,
    report: &mut Report,
) -> BTreeMap<String, String> {
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
