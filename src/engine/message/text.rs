//! A message as text: from the wordiest form to the tersest, the first that fits.

use std::fmt::Write as _;

use super::draft::Reason;
use super::phrases::{mark, name};
use super::{OTHER_SAMPLE_CHARS_MAX, OWN_TEXT_CHARS_MAX, Said, TITLE_CHARS_MAX};
use crate::engine::markup;

/// UTF-16 units of a message's text. Chat took 4,096 when it was last measured.
const TEXT_UNITS_MAX: usize = 4_000;

/// Labels that a message shows.
const LABELS_MAX: usize = 8;

/// The whole text of a message.
pub(super) fn text(said: &Said<'_>, reason: Reason) -> String {
    let mut head = head_line(said);
    if let Some(mentions) = &said.mentions {
        let _ = write!(head, "\n{mentions}");
    }
    let mut facts = vec![name(said.host)];
    if said.own_title.is_some() {
        facts.push(name(said.key));
    }
    if said.own_text.is_none() {
        facts.push(name(&said.tally.latest.source));
        let labels = said.labels.iter().take(LABELS_MAX);
        facts.extend(labels.map(|(label, value)| name(&format!("{label}={value}"))));
    }
    if said.more.is_none() {
        facts.push(said.when.clone());
    }
    let _ = write!(head, "\n{}", facts.join(" · "));
    if let Some(line) = &said.more {
        let _ = write!(head, "\n{line}");
        if said.own_text.is_none() && reason == Reason::Summary {
            head.push_str(", last:");
        }
    }
    let tail = said.runbook.map(|url| markup::link(url, "Runbook"));

    // From the wordiest to the tersest; the first that fits is taken.
    let main = said.samples.first().map_or("", String::as_str);
    let bodies = match &said.own_text {
        None if said.samples.is_empty() => vec![String::new()],
        Some(text) => vec![
            markup::shorten(text, OWN_TEXT_CHARS_MAX),
            markup::shorten(&text.replace("```", ""), OWN_TEXT_CHARS_MAX / 4),
        ],
        None => vec![
            match &said.surrounded {
                Some(surrounded) => markup::block(surrounded),
                None => markup::block(&said.samples.join("\n")),
            },
            markup::block(main),
            markup::block(&markup::shorten(main, OTHER_SAMPLE_CHARS_MAX)),
        ],
    };
    bodies
        .into_iter()
        .map(|body| joined(&head, &close_block(body), tail.as_deref()))
        .find(|text| fits(text))
        .unwrap_or_else(|| joined(&markup::shorten(&head, TEXT_UNITS_MAX / 4), "", None))
}

/// Severity and title: what a notification shows.
pub(in crate::engine) fn head_line(said: &Said<'_>) -> String {
    let severity = said.tally.worst;
    let mut head = match &said.lead {
        Some(lead) => lead.clone(),
        None => format!("{} *{severity}* ", mark(severity)),
    };
    match &said.own_title {
        Some(title) => head.push_str(title),
        None => {
            head.push_str(&name(said.key));
            for (name, value) in &said.by {
                let pair = match name.is_empty() {
                    true => (*value).to_owned(),
                    false => format!("{name}={value}"),
                };
                let _ = write!(head, " {}", markup::inline(&markup::shorten(&pair, 60)));
                if head.chars().count() > TITLE_CHARS_MAX {
                    head.push_str(" …");
                    break;
                }
            }
            if let Some(finding) = said.finding.as_deref().filter(|line| !line.is_empty()) {
                head.push(' ');
                head.push_str(&markup::plain(&markup::shorten(finding, TITLE_CHARS_MAX)));
            }
        }
    }
    head
}

fn joined(head: &str, body: &str, tail: Option<&str>) -> String {
    let mut text = head.to_owned();
    for part in [Some(body), tail].into_iter().flatten() {
        if !part.is_empty() {
            text.push('\n');
            text.push_str(part);
        }
    }
    text
}

pub(in crate::engine) fn close_block(body: String) -> String {
    match body.matches("```").count() % 2 {
        0 => body,
        _ => format!("{body}\n```"),
    }
}

/// Whether a text is short enough for a message.
pub(in crate::engine) fn fits(text: &str) -> bool {
    text.encode_utf16().count() <= TEXT_UNITS_MAX
}
