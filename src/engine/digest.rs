//! Several instances in one message: a thread's, a digest, what happened while the
//! agent was down.
//!
//! Each of them says how many events it speaks for, names the instances as far as
//! there is room, and counts the rest exactly: `and 1,204 more: 5,000 events`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;

use super::commit::{Kind, MessageRecord, Part};
use super::events::InstanceId;
use super::markup;
use super::message::{self, Draft, Shown, Surface, Worded, counted, group};
use super::outbox::SEVERAL;
use super::scan::Sample;
use super::time::Wall;
use crate::rules::{Rule, RuleKey, RuleSet};

/// UTF-16 units of a message's text.
const TEXT_UNITS_MAX: usize = 4_000;

/// Rows of a digest, at most: what no screen holds nobody reads.
const ROWS_MAX: usize = 25;

/// Instances that a thread's message names, at most.
const NAMES_MAX: usize = 20;

/// Characters of an instance in a row.
const INSTANCE_CHARS_MAX: usize = 60;

/// Rules that the last line of a digest tells apart.
const RULES_MAX: usize = 8;

/// UTF-16 units that are kept free for the last line.
const REST_UNITS: usize = 700;

/// Words a message of whatever kind.
pub fn word(rules: &RuleSet, message: &MessageRecord, now: Wall, surface: &Surface) -> Worded {
    let rule = rules.rule(&message.instance.rule).map(AsRef::as_ref);
    let word = |draft: &Draft| {
        let key = message.thread_key.as_deref();
        message::word(rule, &message.instance, draft, key, now, surface)
    };
    let worded = match message.kind {
        Kind::Instance | Kind::State => word(&message.draft),
        Kind::Thread => {
            let worded = word(&of_several(rule, &message.draft));
            append(worded, &list(rules, &message.parts))
        }
        Kind::Folded => {
            let worded = word(&of_several(rule, &message.draft));
            append(worded, "_more waited than is kept apart: only counted_")
        }
        Kind::Digest | Kind::CatchUp => table(rules, message, now, surface),
    };
    for_another(message, worded)
}

/// Words a refused message once more: short, plain, without a thread.
pub fn word_plain(rules: &RuleSet, message: &MessageRecord, surface: &Surface) -> String {
    let body = match message.kind {
        Kind::Instance | Kind::State | Kind::Folded => {
            message::word_plain(&message.instance, &message.draft, surface)
        }
        Kind::Thread => {
            let plain = message::word_plain(&message.instance, &message.draft, surface);
            let list = markup::plain(&names(rules, &message.parts));
            rewrite(&plain, |text| format!("{text}\n{list}"))
        }
        Kind::Digest | Kind::CatchUp => {
            let host = markup::plain(&surface.host);
            let totals = totals(&message.shares());
            let rest = by_rule(message.shares().iter());
            serde_json::json!({ "text": format!("Digest: {totals} on {host}\n{rest}") }).to_string()
        }
    };
    let worded = Worded { body, fault: None };
    for_another(message, worded).body
}

/// Says in front whose message it is, where another space stands in.
fn for_another(message: &MessageRecord, worded: Worded) -> Worded {
    let Some(space) = &message.meant_for else {
        return worded;
    };
    let body = rewrite(&worded.body, |text| format!("[{space}] {text}"));
    Worded { body, ..worded }
}

fn append(worded: Worded, line: &str) -> Worded {
    let body = rewrite(&worded.body, |text| {
        let longer = format!("{text}\n{line}");
        match units(&longer) <= TEXT_UNITS_MAX {
            true => longer,
            false => text.to_owned(),
        }
    });
    Worded { body, ..worded }
}

/// Changes the text of a body, and nothing else in it.
fn rewrite(body: &str, change: impl FnOnce(&str) -> String) -> String {
    let Ok(mut json) = serde_json::from_str::<Value>(body) else {
        return body.to_owned();
    };
    let text = change(json["text"].as_str().unwrap_or_default());
    json["text"] = Value::String(text);
    json.to_string()
}

/// A draft in which what tells instances apart is not that of one of them.
fn of_several(rule: Option<&Rule>, draft: &Draft) -> Draft {
    let by = rule.map_or(&[][..], |rule| &rule.by);
    let latest = &draft.tally.latest;
    let captures = (latest.sample.captures.iter())
        .map(|(name, text)| match by.iter().any(|by| **by == **name) {
            true => (name.clone(), SEVERAL.to_owned()),
            false => (name.clone(), text.clone()),
        })
        .collect();
    let sample = Sample {
        captures,
        ..Sample::clone(&latest.sample)
    };
    let latest = Shown {
        sample: Arc::new(sample),
        source: latest.source.clone(),
    };
    let mut draft = draft.clone();
    draft.tally.different = vec![latest.clone()];
    draft.tally.latest = latest;
    draft
}

/// A head with the totals, and a row for each rule and instance.
fn table(rules: &RuleSet, message: &MessageRecord, now: Wall, surface: &Surface) -> Worded {
    let shares = message.shares();
    let (tally, parts) = (&message.draft.tally, in_turn(sorted(&shares)));
    let clock = |wall| message::clock(wall, now, &surface.zone);
    let mark = message::mark(tally.worst);
    let host = message::name(&surface.host);
    let totals = totals(&message.shares());
    let head = match message.kind {
        Kind::CatchUp => {
            let [first, last] = [tally.first, tally.last].map(|wall| {
                clock(wall)
                    .rsplit_once(':')
                    .map_or_else(String::new, |t| t.0.into())
            });
            format!("{mark} *while the agent was down, {first}–{last}: {totals}*\n{host}")
        }
        Kind::Instance | Kind::State | Kind::Folded | Kind::Thread | Kind::Digest => {
            let (first, last) = (clock(tally.first), clock(tally.last));
            format!(
                "{mark} *Digest: {totals}*\n{host} · {first}–{last} · \
                 more waits than the space can take, so this is one message for all"
            )
        }
    };
    let head = match parts
        .iter()
        .any(|part| part.instance.rule != parts[0].instance.rule)
    {
        true => format!("{head}\n{}", by_rule(parts.iter().copied())),
        false => head,
    };
    let cells: Vec<[String; 4]> = (parts.iter().take(ROWS_MAX))
        .map(|part| {
            let instance = markup::shorten(&name_of(rules, &part.instance), INSTANCE_CHARS_MAX);
            [
                group(part.count),
                clock(part.last),
                part.worst.to_string(),
                format!("{} {instance}", part.instance.rule),
            ]
        })
        .collect();
    let width = |idx: usize| cells.iter().map(|row| row[idx].chars().count()).max();
    let widths = [0, 1, 2].map(|idx| width(idx).unwrap_or(0));
    let mut rows = String::new();
    let mut n_rows = 0;
    for [count, last, worst, instance] in &cells {
        let [w0, w1, w2] = widths;
        let row = format!("{count:>w0$}  {last:>w1$}  {worst:<w2$}  {instance}");
        let longer = match rows.is_empty() {
            true => row.trim_end().to_owned(),
            false => format!("{rows}\n{}", row.trim_end()),
        };
        // What is made harmless may grow: the block is what counts.
        if units(&head) + units(&markup::block(&longer)) + REST_UNITS > TEXT_UNITS_MAX {
            break;
        }
        rows = longer;
        n_rows += 1;
    }
    let mut text = format!("{head}\n{}", markup::block(&rows));
    if let Some(rest) = rest(&parts[n_rows..]) {
        let _ = write!(text, "\n{rest}");
        let by_rule = by_rule(parts[n_rows..].iter().copied());
        let _ = write!(text, " ({by_rule})");
    }
    let mut body = serde_json::json!({ "text": text });
    if let Some(key) = &message.thread_key {
        body["thread"] = serde_json::json!({ "threadKey": key });
    }
    Worded {
        body: body.to_string(),
        fault: None,
    }
}

/// `2,000 events of 14 rules`.
fn totals(parts: &[Part]) -> String {
    let n_events = parts.iter().map(|part| part.count).sum();
    let mut rules: Vec<&RuleKey> = parts.iter().map(|part| &part.instance.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    format!(
        "{} of {}",
        counted(n_events, "event"),
        counted(rules.len() as u64, "rule")
    )
}

/// The instances of a thread's message, as one run of code and what follows it.
fn list(rules: &RuleSet, parts: &[Part]) -> String {
    let parts = sorted(parts);
    let (shown, others) = parts.split_at(parts.len().min(NAMES_MAX));
    let shown: Vec<String> = shown.iter().map(|part| pair(rules, part)).collect();
    let shown = markup::inline(&shown.join(", "));
    match rest(others) {
        Some(rest) => format!("{shown} {rest}"),
        None => shown,
    }
}

/// As [`list`], in plain text and shorter.
fn names(rules: &RuleSet, parts: &[Part]) -> String {
    let parts = sorted(parts);
    let (shown, others) = parts.split_at(parts.len().min(NAMES_MAX / 4));
    let shown: Vec<String> = shown.iter().map(|part| pair(rules, part)).collect();
    let shown = shown.join(", ");
    match rest(others) {
        Some(rest) => format!("{shown} {rest}"),
        None => shown,
    }
}

/// `ip=192.0.2.7 3`.
fn pair(rules: &RuleSet, part: &Part) -> String {
    let name = name_of(rules, &part.instance);
    let name = markup::shorten(&name, INSTANCE_CHARS_MAX);
    format!("{name} {}", group(part.count))
}

/// `and 12 more: 40 events`, unless there is nothing more.
fn rest(parts: &[&Part]) -> Option<String> {
    let n_events = parts.iter().map(|part| part.count).sum();
    (!parts.is_empty()).then(|| {
        let n_more = group(parts.len() as u64);
        format!("and {n_more} more: {}", counted(n_events, "event"))
    })
}

/// `ssh 3,000, disk 12`, the most first.
fn by_rule<'a>(parts: impl Iterator<Item = &'a Part>) -> String {
    let mut counts: BTreeMap<&RuleKey, u64> = BTreeMap::new();
    for part in parts {
        *counts.entry(&part.instance.rule).or_default() += part.count;
    }
    let mut counts: Vec<(&RuleKey, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    let (shown, others) = counts.split_at(counts.len().min(RULES_MAX));
    let mut text: Vec<String> = (shown.iter())
        .map(|(rule, count)| format!("{rule} {}", group(*count)))
        .collect();
    if !others.is_empty() {
        let n_events = others.iter().map(|(_, count)| count).sum();
        let n_rules = counted(others.len() as u64, "other rule");
        text.push(format!("{n_rules} {}", group(n_events)));
    }
    text.join(", ")
}

/// `ip=192.0.2.7 user=root`; untrusted.
fn name_of(rules: &RuleSet, instance: &InstanceId) -> String {
    let rule = rules.rule(&instance.rule);
    let names = rule.map_or(&[][..], |rule| &rule.by);
    let pairs = (instance.by.iter().enumerate()).map(|(idx, value)| match names.get(idx) {
        Some(name) => format!("{name}={value}"),
        None => value.clone(),
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// The worst first, then the most.
fn sorted(parts: &[Part]) -> Vec<&Part> {
    let mut parts: Vec<&Part> = parts.iter().collect();
    parts.sort_by(|a, b| {
        let rank = |part: &Part| (part.worst, part.count, part.last);
        (rank(b), &a.instance).cmp(&(rank(a), &b.instance))
    });
    parts
}

/// Of what is equally bad, each rule's most in turn: a digest shows something of
/// every rule before it shows all of one.
fn in_turn(mut parts: Vec<&Part>) -> Vec<&Part> {
    let mut n_seen: BTreeMap<&RuleKey, usize> = BTreeMap::new();
    let mut turns: Vec<(usize, &Part)> = Vec::with_capacity(parts.len());
    for part in parts.drain(..) {
        let n_before = n_seen.entry(&part.instance.rule).or_default();
        turns.push((*n_before, part));
        *n_before += 1;
    }
    // Stable: within a turn the most stays first.
    turns.sort_by_key(|(turn, part)| (Reverse(part.worst), *turn));
    turns.into_iter().map(|(_, part)| part).collect()
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}
