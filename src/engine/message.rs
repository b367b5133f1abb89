//! Events to one message that fits.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::card;
use super::course;
use super::events::{Event, EventId, InstanceId, OTHERS};
use super::identity::fingerprint;
use super::markup::{self, Room};
use super::scan::Sample;
use super::time::Wall;
use super::verdict;
use crate::rules::template::{Piece, Template, Value, Values};
use crate::rules::{FormatAs, Mention, Rule, Severity, ThreadMode};

/// UTF-16 units of a message's text. Chat took 4,096 when it was last measured.
const TEXT_UNITS_MAX: usize = 4_000;

/// Bytes of a whole body. Chat takes 32,000.
pub const BODY_BYTES_MAX: usize = 30_000;

/// Characters of a title.
const TITLE_CHARS_MAX: usize = 200;

/// Characters of a rule's own text.
pub(super) const OWN_TEXT_CHARS_MAX: usize = 3_000;

/// Characters of the samples beside the newest one.
const OTHER_SAMPLE_CHARS_MAX: usize = 200;

/// Different samples that a message keeps.
pub(super) const SAMPLES_MAX: usize = 3;

/// Labels that a message shows.
const LABELS_MAX: usize = 8;

/// Characters of a name (host, path) in a message.
const NAME_CHARS_MAX: usize = 120;

/// Characters of a thread key made of values. Chat takes 4,000.
const THREAD_KEY_CHARS_MAX: usize = 200;

/// Events that are spoken for together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// The event that began it: names the message.
    pub birth: EventId,
    /// When the first happened.
    pub first: Wall,
    /// When the last happened.
    pub last: Wall,
    /// The worst of them.
    pub worst: Severity,
    /// The first three different ones.
    pub different: Vec<Shown>,
    /// The last one.
    pub latest: Shown,
}

/// A record as a message shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Shown {
    /// The record.
    pub sample: Arc<Sample>,
    /// Where it was found.
    pub source: Arc<str>,
}

/// What a message says, before it is worded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Why it exists.
    pub reason: Reason,
    /// The events it speaks for.
    pub tally: Tally,
    /// Events of the incident so far.
    pub total: u64,
    /// When the incident began.
    pub since: Wall,
    /// When it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Wall>,
}

/// Why a message exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The first event of an idle instance.
    First,
    /// A window ended in which something was counted.
    Summary,
    /// It is worse than what was said before.
    Severity,
    /// An incident is still open.
    Repeat,
    /// An incident is over.
    Resolved,
    /// An incident is over of which nothing was said.
    Brief,
    /// An instance opens and closes too often to say each time.
    Flapping,
    /// An instance that was flapping has not changed for a while.
    Steady,
    /// A check tells nothing.
    Broken,
    /// A check tells something again.
    Mended,
    /// The rule of an open incident is no more.
    Dropped,
    /// A sign of life did not come.
    Absent,
    /// Signs of life come again.
    Returned,
    /// A silence is over in which something was counted.
    SilenceEnd,
    /// The hours of a rule begin, and something was counted before.
    HoursBegin,
    /// Something bigger is over that kept an instance quiet.
    InhibitorEnd,
}

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

impl Tally {
    /// Begins to count.
    pub fn of(event: &Event) -> Self {
        let shown = Shown {
            sample: event.sample.clone(),
            source: event.source.clone(),
        };
        Self {
            count: 1,
            birth: event.id,
            first: event.at,
            last: event.at,
            worst: event.severity,
            different: vec![shown.clone()],
            latest: shown,
        }
    }

    /// Counts one more.
    pub fn add(&mut self, event: &Event) {
        self.count += 1;
        self.first = self.first.min(event.at);
        self.last = self.last.max(event.at);
        self.worst = self.worst.max(event.severity);
        self.latest = Shown {
            sample: event.sample.clone(),
            source: event.source.clone(),
        };
        let is_new = self.different.len() < SAMPLES_MAX
            && (self.different.iter()).all(|shown| shown.sample.line != event.sample.line);
        if is_new {
            self.different.push(self.latest.clone());
        }
    }

    /// Counts an event that stands for what is `counted`.
    pub fn count_in(&mut self, event: &Event, counted: &Self) {
        match counted.count {
            1 => self.add(event),
            _ => self.merge(counted),
        }
    }

    /// Counts what was counted elsewhere, later or of another instance.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        if self.last <= other.last {
            self.latest = other.latest.clone();
        }
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.worst = self.worst.max(other.worst);
        for shown in &other.different {
            let is_new = (self.different.iter()).all(|ours| ours.sample.line != shown.sample.line);
            if is_new && self.different.len() < SAMPLES_MAX {
                self.different.push(shown.clone());
            }
        }
    }
}

impl Reason {
    /// The word that templates see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Summary => "summary",
            Self::Severity => "severity",
            Self::Repeat => "repeat",
            Self::Resolved | Self::Brief | Self::Mended | Self::Dropped | Self::Returned => {
                "resolved"
            }
            Self::Flapping => "flapping",
            Self::Steady => "summary",
            Self::Broken | Self::Absent => "first",
            Self::SilenceEnd | Self::HoursBegin | Self::InhibitorEnd => "silence_end",
        }
    }

    /// The word that tells apart the messages that are born with one event.
    pub fn birth_word(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Broken => "broken",
            Self::Mended => "mended",
            Self::HoursBegin => "hours_begin",
            Self::InhibitorEnd => "inhibitor_end",
            Self::SilenceEnd
            | Self::Absent
            | Self::Returned
            | Self::First
            | Self::Summary
            | Self::Severity
            | Self::Repeat
            | Self::Resolved
            | Self::Brief
            | Self::Flapping
            | Self::Dropped => self.as_str(),
        }
    }

    /// Whether a message that exists for it speaks for later events of its instance
    /// as well, until it is attempted.
    pub fn absorbs(self) -> bool {
        match self {
            Self::First
            | Self::Summary
            | Self::Severity
            | Self::Repeat
            | Self::Absent
            | Self::SilenceEnd
            | Self::HoursBegin
            | Self::InhibitorEnd => true,
            Self::Resolved
            | Self::Returned
            | Self::Brief
            | Self::Flapping
            | Self::Steady
            | Self::Broken
            | Self::Mended
            | Self::Dropped => false,
        }
    }
}

/// The key of the thread that a message of an instance belongs to.
pub fn thread_key(
    rule: &Rule,
    instance: &InstanceId,
    opened: Wall,
    now: Wall,
    zone: &TimeZone,
    reason: Reason,
) -> Option<String> {
    let key = rule.key.as_str();
    // The end of an incident belongs to where it began.
    let day = match reason {
        Reason::Resolved | Reason::Brief | Reason::Mended | Reason::Dropped | Reason::Returned => {
            opened
        }
        Reason::Absent
        | Reason::SilenceEnd
        | Reason::HoursBegin
        | Reason::InhibitorEnd
        | Reason::First
        | Reason::Summary
        | Reason::Severity
        | Reason::Repeat
        | Reason::Flapping
        | Reason::Steady
        | Reason::Broken => now,
    };
    match rule.thread {
        ThreadMode::None => None,
        ThreadMode::Rule => Some(key.to_owned()),
        ThreadMode::Instance if instance.by.is_empty() => Some(key.to_owned()),
        ThreadMode::Instance => {
            let is_shared = instance.by.iter().all(|value| value == OTHERS);
            let values = match is_shared {
                true => OTHERS.to_owned(),
                false => instance.by.join("/"),
            };
            // Of several values none may hold what parts them, or a log could choose
            // somebody else's thread.
            let is_parted =
                instance.by.len() == 1 || instance.by.iter().all(|value| !value.contains('/'));
            let readable = is_parted
                && values.chars().all(|c| c.is_ascii_graphic())
                && key.len() + 1 + values.len() <= THREAD_KEY_CHARS_MAX;
            Some(match readable {
                true => format!("{key}/{values}"),
                false => {
                    let apart = instance.by.join("\0");
                    format!("{key}/{:016x}", fingerprint(apart.as_bytes()))
                }
            })
        }
        ThreadMode::Incident => Some(format!(
            "{key}@{}",
            zoned(opened, zone).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z")
        )),
        ThreadMode::Day => Some(format!("{key}@{}", zoned(day, zone).strftime("%Y-%m-%d"))),
    }
}

/// What a message says, in words: cut to their bounds, harmless, and of no format yet.
#[derive(Debug)]
pub(super) struct Said<'a> {
    /// The events.
    pub(super) tally: &'a Tally,
    /// The state in one word with its mark, where it is not the severity.
    pub(super) lead: Option<String>,
    /// What a command says of itself, to stand behind the built-in title.
    pub(super) finding: Option<&'a str>,
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
        finding: finding.as_ref().map(|_| tally.latest.sample.line.as_str()),
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

/// The whole text of a message.
fn text(said: &Said<'_>, reason: Reason) -> String {
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
pub(super) fn head_line(said: &Said<'_>) -> String {
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
            if let Some(finding) = said.finding {
                head.push(' ');
                head.push_str(&markup::plain(&markup::shorten(finding, TITLE_CHARS_MAX)));
            }
        }
    }
    head
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

fn values(rule: Option<&Rule>, instance: &InstanceId, draft: &Draft, surface: &Surface) -> Values {
    let tally = &draft.tally;
    let main = main_sample(tally, draft.reason);
    let mut captures: BTreeMap<String, String> = rule
        .map(|rule| rule.patterns.capture_names())
        .unwrap_or_default()
        .into_iter()
        .map(|name| (name.to_string(), String::new()))
        .collect();
    // What ends an incident need not say whose.
    let by = rule.map_or(&[][..], |rule| &rule.by);
    let by = by.iter().zip(instance.by.iter());
    captures.extend(by.map(|(name, value)| (name.clone(), value.clone())));
    let is_shared = instance.by.iter().any(|value| value == OTHERS);
    for (name, text) in &main.sample.captures {
        // The shared instance is none of those that share it.
        let is_by = is_shared && rule.is_some_and(|rule| rule.by.iter().any(|by| **by == **name));
        if !is_by {
            captures.insert(name.to_string(), text.clone());
        }
    }
    let mut values = BTreeMap::new();
    // Captures are also plain names, but never hide what is ours.
    for (name, text) in &captures {
        values.insert(name.clone(), Value::Text(text.clone()));
    }
    let labels = rule.map(|rule| rule.labels.clone()).unwrap_or_default();
    let lasted = draft.until.unwrap_or(tally.last).since(draft.since);
    let number = |n: u64| Value::Number(i64::try_from(n).unwrap_or(i64::MAX));
    let stamp = |wall| {
        zoned(wall, &surface.zone)
            .strftime("%Y-%m-%dT%H:%M:%S%.3f%:z")
            .to_string()
    };
    let title = title_text(instance, rule);
    for (name, value) in [
        ("key", Value::Text(instance.rule.as_str().to_owned())),
        ("title", Value::Text(title)),
        ("severity", Value::Text(tally.worst.to_string())),
        ("host", Value::Text(surface.host.clone())),
        ("source", Value::Text(main.source.to_string())),
        ("line", Value::Text(sample_line(main, 1_000))),
        ("fields", fields(rule, &main.sample, &captures)),
        ("captures", Value::Map(captures)),
        ("labels", Value::Map(labels)),
        ("count", number(tally.count)),
        ("total", number(draft.total)),
        ("first", Value::Text(stamp(tally.first))),
        ("last", Value::Text(stamp(tally.last))),
        ("reason", Value::Text(draft.reason.as_str().to_owned())),
        ("duration", Value::Text(humane(lasted))),
    ] {
        values.insert(name.to_owned(), value);
    }
    if let Some(finding) = &main.sample.finding {
        let status = match finding.exit_status {
            Some(status) => Value::Number(status.into()),
            None => Value::Text(String::new()),
        };
        let perf = finding.perf.iter();
        let perf = perf.map(|perf| (perf.name.clone(), perf.shown())).collect();
        values.insert("exit_status".to_owned(), status);
        values.insert("output".to_owned(), Value::Text(finding.output.clone()));
        values.insert("perf".to_owned(), Value::Map(perf));
    }
    Values(values)
}

/// The fields of a record, by their names with dots; those of a plain line are what was
/// captured of it.
fn fields(rule: Option<&Rule>, sample: &Sample, captures: &BTreeMap<String, String>) -> Value {
    let Some(rule) = rule.filter(|rule| rule.reading.format.is_structured()) else {
        return Value::Map(captures.clone());
    };
    // A field that is not there is empty.
    let mut fields: BTreeMap<String, String> = (rule.kept.names.iter())
        .map(|name| (name.to_string(), String::new()))
        .collect();
    for (name, text) in &sample.fields {
        fields.insert(name.to_string(), text.clone());
    }
    Value::Nested(fields)
}

/// The record that a message is mainly about.
fn main_sample(tally: &Tally, reason: Reason) -> &Shown {
    match reason {
        // What a command says last is how things are.
        _ if tally.latest.sample.finding.is_some() => &tally.latest,
        Reason::First => tally.different.first().unwrap_or(&tally.latest),
        Reason::Absent
        | Reason::Returned
        | Reason::SilenceEnd
        | Reason::HoursBegin
        | Reason::InhibitorEnd
        | Reason::Summary
        | Reason::Severity
        | Reason::Repeat
        | Reason::Resolved
        | Reason::Brief
        | Reason::Flapping
        | Reason::Steady
        | Reason::Broken
        | Reason::Mended
        | Reason::Dropped => &tally.latest,
    }
}

/// The samples of a message: the one it is mainly about, then other ones.
fn samples(tally: &Tally, reason: Reason) -> Vec<String> {
    if reason == Reason::Absent {
        return Vec::new();
    }
    if let Some(finding) = &tally.latest.sample.finding {
        return verdict::samples(tally, finding);
    }
    let main = main_sample(tally, reason);
    let mut lines = vec![sample_line(main, 1_000)];
    for shown in tally.different.iter().chain(std::iter::once(&tally.latest)) {
        let line = sample_line(shown, OTHER_SAMPLE_CHARS_MAX);
        if shown.sample.line != main.sample.line && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.truncate(1 + SAMPLES_MAX);
    lines
}

/// A record between the lines around it, which are set back.
fn surrounded(shown: &Shown) -> Option<String> {
    let around = shown.sample.around.as_ref()?;
    let set_back = |lines: &str| {
        let lines = lines.lines().map(|line| format!("  {line}"));
        lines.collect::<Vec<String>>().join("\n")
    };
    let record = sample_line(shown, 1_000);
    let parts = [set_back(&around.before), record, set_back(&around.after)];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Some(parts.join("\n"))
}

/// A record cut to a number of characters, saying how many bytes are not shown.
fn sample_line(shown: &Shown, chars_max: usize) -> String {
    let line = &shown.sample.line;
    let kept = &line[..markup::cut_at(line, chars_max)];
    let n_cut = (line.len() - kept.len()) as u64;
    match n_cut + shown.sample.n_more_bytes {
        0 => kept.to_owned(),
        n_more => format!("{kept}… (+{} bytes)", group(n_more)),
    }
}

/// `+37 more in 5 min, 10:02:11–10:06:58`, and why the message exists.
fn more_line(draft: &Draft, now: Wall, zone: &TimeZone) -> Option<String> {
    let tally = &draft.tally;
    if let Some(finding) = &tally.latest.sample.finding
        && !is_of_absence(draft.reason)
    {
        return Some(verdict::line(draft, finding, now, zone));
    }
    if let Some(line) = course::line(draft, now, zone) {
        return Some(line);
    }
    let n_more = match draft.reason {
        Reason::First | Reason::Severity => tally.count.saturating_sub(1),
        Reason::Absent
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
        | Reason::Dropped => tally.count,
    };
    let mut parts = Vec::new();
    if draft.reason == Reason::Severity {
        parts.push(format!("it got worse: now {}", tally.worst));
    }
    if n_more > 0 {
        parts.push(counted_in(n_more, tally, now, zone));
    }
    if draft.reason != Reason::First && draft.total > tally.count {
        let since = clock(draft.since, now, zone);
        parts.push(format!("{} since {since}", group(draft.total)));
    }
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// `+37 more in 5 min, 10:02:11–10:06:58`.
pub(super) fn counted_in(n_more: u64, tally: &Tally, now: Wall, zone: &TimeZone) -> String {
    format!(
        "*+{} more* {}, {}",
        group(n_more),
        within(tally.last.since(tally.first)),
        when(tally, now, zone),
    )
}

/// Whether a message is about signs of life, and not about what a command found.
fn is_of_absence(reason: Reason) -> bool {
    matches!(reason, Reason::Absent | Reason::Returned)
}

/// `10:02:11`, or `10:02:11–10:06:58`.
fn when(tally: &Tally, now: Wall, zone: &TimeZone) -> String {
    let (first, last) = (clock(tally.first, now, zone), clock(tally.last, now, zone));
    match first == last {
        true => first,
        false => format!("{first}–{last}"),
    }
}

fn title_text(instance: &InstanceId, rule: Option<&Rule>) -> String {
    let names = rule.map_or(&[][..], |rule| &rule.by);
    let mut title = instance.rule.as_str().to_owned();
    for (name, value) in names.iter().zip(instance.by.iter()) {
        let _ = write!(title, " {name}={value}");
    }
    title
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

pub(super) fn close_block(body: String) -> String {
    match body.matches("```").count() % 2 {
        0 => body,
        _ => format!("{body}\n```"),
    }
}

/// Whether a text is short enough for a message.
pub(super) fn fits(text: &str) -> bool {
    text.encode_utf16().count() <= TEXT_UNITS_MAX
}

pub(super) fn name(text: &str) -> String {
    markup::inline(&markup::shorten(text, NAME_CHARS_MAX))
}

pub(super) fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "ℹ️",
        Severity::Warning => "⚠️",
        Severity::Error => "🔴",
        Severity::Critical => "🚨",
    }
}

/// A number with thousands separators.
pub fn group(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A duration as a person would say it.
pub fn humane(duration: Duration) -> String {
    let secs = duration.as_secs();
    match secs {
        0 => "under 1 s".to_owned(),
        1..=89 => format!("{secs} s"),
        90..=5_399 => format!("{} min", (secs + 30) / 60),
        5_400..=129_599 => format!("{} h", (secs + 1_800) / 3_600),
        _ => format!("{} days", (secs + 43_200) / 86_400),
    }
}

/// `in 5 min`, or `within a second`.
fn within(duration: Duration) -> String {
    match duration.as_secs() {
        0 => "within a second".to_owned(),
        _ => format!("in {}", humane(duration)),
    }
}

/// `HH:MM:SS`, with the date when it is not today.
pub(super) fn clock(wall: Wall, now: Wall, zone: &TimeZone) -> String {
    let (then, now) = (zoned(wall, zone), zoned(now, zone));
    match then.date() == now.date() {
        true => then.strftime("%H:%M:%S").to_string(),
        false => then.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

fn zoned(wall: Wall, zone: &TimeZone) -> jiff::Zoned {
    Timestamp::from_microsecond(wall.0)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone())
}
