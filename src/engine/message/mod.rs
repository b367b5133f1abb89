//! Events to one message that fits.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde_json::json;

mod tally;

mod draft;

mod thread;

mod text;

mod samples;

mod more;

mod values;

mod phrases;

use super::card;
use super::course;
use super::events::InstanceId;
use super::markup::{self, Room};
use super::time::Wall;
use super::verdict;
use crate::rules::template::{Piece, Template};
use crate::rules::{FormatAs, Mention, Rule};
pub(super) use draft::Course;
pub use draft::{Draft, Reason};
pub(super) use more::counted_in;
use more::more_line;
use phrases::{NAME_CHARS_MAX, when};
pub(super) use phrases::{clock, mark, name};
pub use phrases::{counted, group, humane};
use samples::{main_sample, samples, surrounded};
pub(super) use tally::SAMPLES_MAX;
pub use tally::{Shown, Tally};
use text::text;
pub(super) use text::{close_block, fits, head_line};
pub use thread::thread_key;
use values::values;

/// Bytes of a whole body. Chat takes 32,000.
pub const BODY_BYTES_MAX: usize = 30_000;

/// Characters of a title.
const TITLE_CHARS_MAX: usize = 200;

/// Characters of a rule's own text.
pub(super) const OWN_TEXT_CHARS_MAX: usize = 3_000;

/// Characters of the samples beside the newest one.
const OTHER_SAMPLE_CHARS_MAX: usize = 200;

/// Where and for whom a message is worded.
#[derive(Debug, Clone)]
pub struct Surface {
    /// The name of the machine.
    pub host: String,
    /// The time zone of the machine.
    pub zone: TimeZone,
}

/// A worded message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worded {
    /// The JSON body.
    pub body: String,
    /// Why a template was not used, if it failed.
    pub fault: Option<String>,
}

/// What a message says, in words: cut to their bounds, harmless, and of no format yet.
#[derive(Debug)]
pub(super) struct Said<'a> {
    /// The events.
    pub(super) tally: &'a Tally,
    /// The state in one word with its mark, where it is not the severity.
    pub(super) lead: Option<String>,
    /// What a command says of itself, to stand behind the built-in title.
    pub(super) finding: Option<String>,
    /// The rule's key.
    pub(super) key: &'a str,
    /// The rule's own title with its markup, if it has one that could be rendered.
    pub(super) own_title: Option<String>,
    /// The same without any markup.
    pub(super) bare_title: String,
    /// The rule's own text, if it has one that could be rendered.
    pub(super) own_text: Option<String>,
    /// The `by` values with their names.
    pub(super) by: Vec<(&'a str, &'a str)>,
    /// The labels with their names.
    pub(super) labels: Vec<(&'a str, &'a str)>,
    /// The name of the machine.
    pub(super) host: &'a str,
    /// How many more there were and when, and why the message exists.
    pub(super) more: Option<String>,
    /// When it happened: one time, or the first and the last.
    pub(super) when: String,
    /// Events of the incident so far.
    pub(super) total: u64,
    /// The record it is mainly about, then other ones.
    pub(super) samples: Vec<String>,
    /// The first of these with the lines around it, if they are wanted.
    pub(super) surrounded: Option<String>,
    /// The runbook's address.
    pub(super) runbook: Option<&'a str>,
    /// Who is called.
    pub(super) mentions: Option<String>,
}

/// Words a message. `rule` is `None` when it was removed since.
pub fn word(
    rule: Option<&Rule>,
    instance: &InstanceId,
    draft: &Draft,
    thread_key: Option<&str>,
    now: Wall,
    surface: &Surface,
) -> Worded {
    let values = values(rule, instance, draft, surface);
    let mut fault = None;
    let mut own = |template: Option<&Template>| {
        let rendered = template?.render(&values);
        rendered.map_err(|why| fault = Some(why)).ok()
    };
    let own_title = own(rule.and_then(|rule| rule.title.as_ref()));
    let own_text = own(rule.and_then(|rule| rule.text.as_ref()));
    let tally = &draft.tally;
    let bare_title = match &own_title {
        Some(pieces) => markup::bare(&without_markup(pieces)),
        None => markup::bare(&title_text(instance, rule)),
    };
    let names = rule.map_or(&[][..], |rule| &rule.by);
    let pairs = (instance.by.iter().enumerate())
        .map(|(idx, value)| (names.get(idx).map_or("", String::as_str), value.as_str()));
    let labels = rule.map(|rule| &rule.labels).into_iter().flatten();
    let finding = &tally.latest.sample.finding;
    let said = Said {
        tally,
        lead: match finding.is_some() && !is_of_absence(draft.reason) {
            true => Some(verdict::lead(draft)),
            false => course::lead(draft),
        },
        finding: (finding.as_ref()).map(|_| verdict::said(draft, &tally.latest.sample.line)),
        key: instance.rule.as_str(),
        own_title: own_title.map(|pieces| own_line(&pieces)),
        bare_title: markup::shorten(&bare_title, TITLE_CHARS_MAX),
        own_text: own_text
            .map(|pieces| markup::assemble(&pieces, Room::Lines).trim_end().to_owned()),
        by: pairs.collect(),
        labels: labels
            .map(|(label, value)| (label.as_str(), value.as_str()))
            .collect(),
        host: &surface.host,
        more: more_line(draft, now, &surface.zone),
        when: when(tally, now, &surface.zone),
        total: draft.total,
        samples: samples(tally, draft.reason),
        surrounded: surrounded(main_sample(tally, draft.reason)),
        runbook: rule.and_then(|rule| rule.runbook.as_deref()),
        mentions: rule.and_then(|rule| mentions(&rule.mention, draft)),
    };
    let format_as = rule.map_or(FormatAs::Text, |rule| rule.format_as);
    let mut body = match format_as {
        FormatAs::Text => json!({ "text": text(&said, draft.reason) }),
        FormatAs::Card => card::body(&said),
    };
    if let Some(key) = thread_key {
        body["thread"] = json!({ "threadKey": key });
    }
    Worded {
        body: body.to_string(),
        fault,
    }
}

/// A title where Chat knows no markup: without the author's own.
fn without_markup(pieces: &[Piece]) -> String {
    let texts = pieces.iter().map(|piece| match piece {
        Piece::Literal(text) => text.replace(['*', '`'], ""),
        Piece::Value(text) => text.clone(),
    });
    texts.collect()
}

/// A title of the rule's author as one line that fits.
fn own_line(pieces: &[Piece]) -> String {
    let title = markup::assemble(pieces, Room::Line).replace("```", "");
    markup::shorten(&title.trim().replace(['\n', '\t'], " "), TITLE_CHARS_MAX)
}

/// Who is called: once for an incident, and again when it gets worse.
fn mentions(wanted: &[Mention], draft: &Draft) -> Option<String> {
    // Nothing was said of the incident before.
    let is_first = draft.until.is_none() && draft.total == draft.tally.count;
    match draft.reason {
        Reason::First | Reason::Absent | Reason::Severity if !wanted.is_empty() => {}
        Reason::SilenceEnd | Reason::HoursBegin | Reason::InhibitorEnd
            if is_first && !wanted.is_empty() => {}
        Reason::First
        | Reason::Absent
        | Reason::Severity
        | Reason::Returned
        | Reason::SilenceEnd
        | Reason::HoursBegin
        | Reason::InhibitorEnd
        | Reason::Summary
        | Reason::Repeat
        | Reason::Resolved
        | Reason::Brief
        | Reason::Flapping
        | Reason::Steady
        | Reason::Broken
        | Reason::Mended
        | Reason::Dropped => return None,
    }
    let runs: Vec<String> = (wanted.iter())
        .map(|mention| format!("<users/{}>", mention.0))
        .collect();
    Some(runs.join(" "))
}

/// Words a refused message once more: short, plain, without a thread.
pub fn word_plain(instance: &InstanceId, draft: &Draft, surface: &Surface) -> String {
    let tally = &draft.tally;
    let state = match &tally.latest.sample.finding {
        Some(_) if !is_of_absence(draft.reason) => verdict::state_word(draft),
        Some(_) | None => course::word(draft).map_or_else(String::new, |word| format!("{word}, ")),
    };
    let text = format!(
        "{} on {}: {state}{} {} event(s)\n{}",
        markup::plain(instance.rule.as_str()),
        markup::plain(&markup::shorten(&surface.host, NAME_CHARS_MAX)),
        group(tally.count),
        tally.worst,
        markup::plain(&markup::shorten(
            &tally.latest.sample.line,
            OTHER_SAMPLE_CHARS_MAX
        )),
    );
    json!({ "text": text }).to_string()
}

/// A message that somebody wrote by hand, with this host's name.
pub fn word_by_hand(text: &str, surface: &Surface) -> String {
    let mut shown = text.to_owned();
    loop {
        let said = format!("{}\n{}", name(&surface.host), by_hand(&shown));
        if fits(&said) {
            return json!({ "text": said }).to_string();
        }
        let n_chars = shown.chars().count();
        shown = shown.chars().take(n_chars * 3 / 4).collect();
        shown.push('…');
    }
}

/// Keeps the lines of a text, and nothing that could become markup.
fn by_hand(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(markup::plain).collect();
    lines.join("\n")
}

/// Whether a message is about signs of life, and not about what a command found.
fn is_of_absence(reason: Reason) -> bool {
    matches!(reason, Reason::Absent | Reason::Returned)
}

fn title_text(instance: &InstanceId, rule: Option<&Rule>) -> String {
    let names = rule.map_or(&[][..], |rule| &rule.by);
    let mut title = instance.rule.as_str().to_owned();
    for (name, value) in names.iter().zip(instance.by.iter()) {
        let _ = write!(title, " {name}={value}");
    }
    title
}
