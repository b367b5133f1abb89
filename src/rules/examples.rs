//! The tests that a rule carries: lines it must and must not match, and a story.
//!
//! Here they are only read. They are tried by [`rehearsal`](crate::rehearsal), which
//! puts the rule through the real engine in virtual time.

use std::time::Duration;

use super::check::optional;
use super::fields::{self, Fields, Known};
use super::parse::{Entry, Node, Value};
use crate::diagnostic::{Report, Span};

/// How many lines `match` and `no_match` may list, each, and how many steps a
/// sequence may have.
const EXAMPLES_MAX: usize = 1_000;

/// How many lines or results all steps of a sequence may write together.
const TIMES_MAX: u64 = 10_000;

/// How long all steps of a sequence may take together.
const LASTS_MAX: Duration = Duration::from_secs(400 * 86_400);

/// The fields of `tests`.
pub(super) const TESTS: Known = Known {
    what: "`tests`",
    fields: &["match", "no_match", "sequence"],
};

/// The fields of a line that must match.
pub(super) const MATCH: Known = Known {
    what: "a line of `match`",
    fields: &["captures", "line"],
};

/// The fields of a step of any kind.
pub(super) const STEP: Known = Known {
    what: "a step of `sequence`",
    fields: &[
        "advance", "contains", "every", "line", "output", "posts", "status", "times",
    ],
};

/// The tests of one rule.
#[derive(Debug, Clone, Default)]
pub struct Examples {
    /// Lines that it must match.
    pub matches: Vec<MustMatch>,
    /// Lines that it must not match.
    pub no_matches: Vec<Placed<String>>,
    /// What happens one after the other, and what is posted then.
    pub sequence: Vec<Step>,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Placed<T> {
    /// Where a person finds it.
    pub at: Span,
    /// The value.
    pub value: T,
}

/// A line that a rule must match.
#[derive(Debug, Clone)]
pub struct MustMatch {
    /// The line; of a rule that joins lines, all of the record.
    pub line: Placed<String>,
    /// Captures by name, with the texts that they must have.
    pub captures: Vec<(String, Placed<String>)>,
}

/// One step of a sequence.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where it begins.
    pub at: Span,
    /// What happens.
    pub happens: Happens,
    /// How many messages it must cause; any number if it does not say.
    pub posts: Option<Placed<u64>>,
    /// Texts of which each must stand in one of these messages.
    pub contains: Vec<Placed<String>>,
}

/// What happens in a step.
#[derive(Debug, Clone)]
pub enum Happens {
    /// A line is written.
    Line {
        /// Without its ending.
        line: String,
        /// How often, and how far apart.
        pace: Pace,
    },
    /// Time passes and nothing is written.
    Advance(Duration),
    /// A command ends.
    Result {
        /// Its exit status.
        status: u8,
        /// What it wrote to its standard output.
        output: String,
        /// How often, and how far apart.
        pace: Pace,
    },
}

/// How often something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// So many times; at least once.
    pub times: u64,
    /// So far apart.
    pub every: Duration,
}

impl Pace {
    /// Once, and that is it.
    pub const ONCE: Self = Self {
        times: 1,
        every: Duration::ZERO,
    };
}

impl Examples {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.matches.is_empty() && self.no_matches.is_empty() && self.sequence.is_empty()
    }
}

/// What the rule that carries the tests is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// Records.
    Records,
    /// Commands, whose output is searched for patterns.
    SearchedResults,
    /// Commands, whose status alone tells.
    Results,
}

/// Reads the tests of a rule; those that are wrong are reported and left out.
pub(super) fn read(entry: &Entry, subject: Subject, report: &mut Report) -> Option<Examples> {
    let fields = Fields::read(&entry.node, TESTS, report)?;
    if subject == Subject::Results {
        for entry in ["match", "no_match"]
            .iter()
            .filter_map(|name| fields.get(name))
        {
            report.no_lines_to_match(entry.at, &entry.key);
        }
    }
    let matches = optional(fields.get("match"), |entry| {
        each(entry, report, |node, report| {
            must_match(node, &entry.key, report)
        })
    });
    let no_matches = optional(fields.get("no_match"), |entry| {
        each(entry, report, |node, report| line(node, &entry.key, report))
    });
    let sequence = optional(fields.get("sequence"), |entry| {
        each(entry, report, |node, report| step(node, subject, report))
    });
    let examples = Examples {
        matches: matches?.unwrap_or_default(),
        no_matches: no_matches?.unwrap_or_default(),
        sequence: sequence?.unwrap_or_default(),
    };
    if examples.is_empty() {
        report.empty_value(fields::place_of(entry), &entry.key);
        return None;
    }
    is_bounded(&examples.sequence, report).then_some(examples)
}

/// Reads every item of a list; one alone may stand without it.
fn each<T>(
    entry: &Entry,
    report: &mut Report,
    mut read: impl FnMut(&Node, &mut Report) -> Option<T>,
) -> Option<Vec<T>> {
    let nodes = match &entry.node.value {
        Value::List(nodes) => nodes.as_slice(),
        Value::Scalar(_) | Value::Map(_) => std::slice::from_ref(&entry.node),
    };
    if nodes.len() > EXAMPLES_MAX {
        report.too_many(fields::place_of(entry), &entry.key, EXAMPLES_MAX);
        return None;
    }
    let read: Vec<Option<T>> = nodes.iter().map(|node| read(node, report)).collect();
    read.into_iter().collect()
}

fn must_match(node: &Node, key: &str, report: &mut Report) -> Option<MustMatch> {
    if !matches!(node.value, Value::Map(_)) {
        let line = line(node, key, report)?;
        return Some(MustMatch {
            line,
            captures: Vec::new(),
        });
    }
    let fields = Fields::read(node, MATCH, report)?;
    let Some(entry) = fields.get("line") else {
        report.missing_field(fields.at, "line", MATCH.what);
        return None;
    };
    let line = line(&entry.node, "line", report);
    let captures = optional(fields.get("captures"), |entry| {
        let entries = fields::entries_of(&entry.node, "`captures`", report)?;
        let mut captures = Vec::new();
        for (name, entry) in entries {
            captures.push((name.to_owned(), expected(entry, report)?));
        }
        Some(captures)
    });
    Some(MustMatch {
        line: line?,
        captures: captures?.unwrap_or_default(),
    })
}

/// Reads a line of a log. It may be empty, but it must be there.
fn line(node: &Node, key: &str, report: &mut Report) -> Option<Placed<String>> {
    match node.as_scalar() {
        Some(scalar) if scalar.is_unknown => None,
        Some(scalar) if !scalar.is_null() || (!scalar.is_plain && scalar.text.is_empty()) => {
            Some(Placed {
                at: node.at,
                // A block of text ends in a line break that no log has twice.
                value: scalar.text.trim_end_matches('\n').to_owned(),
            })
        }
        Some(_) => {
            report.empty_value(node.at, key);
            None
        }
        None => {
            report.wrong_kind(node.at, "a line of a log", "a text", node.kind());
            None
        }
    }
}

/// Reads the text that a capture must have; also the empty one.
fn expected(entry: &Entry, report: &mut Report) -> Option<Placed<String>> {
    match entry.node.as_scalar() {
        Some(scalar) if scalar.is_unknown => None,
        Some(scalar) => Some(Placed {
            at: fields::place_of(entry),
            value: scalar.text.clone(),
        }),
        None => {
            let name = format!("`{}`", entry.key);
            report.wrong_kind(fields::place_of(entry), &name, "a text", entry.node.kind());
            None
        }
    }
}

fn step(node: &Node, subject: Subject, report: &mut Report) -> Option<Step> {
    let fields = Fields::read(node, STEP, report)?;
    let happens = happens(&fields, subject, report);
    let posts = optional(fields.get("posts"), |entry| {
        let value = number(entry, 0, report)?;
        Some(Placed {
            at: fields::place_of(entry),
            value,
        })
    });
    let contains = optional(fields.get("contains"), |entry| {
        let texts = fields::texts(entry, report)?;
        let placed = texts.into_iter().map(|(node, text)| Placed {
            at: node.at,
            value: text.to_owned(),
        });
        Some(placed.collect::<Vec<_>>())
    });
    let (posts, contains) = (posts?, contains?.unwrap_or_default());
    if let (Some(Placed { value: 0, .. }), Some(text)) = (&posts, contains.first()) {
        report.contained_in_nothing(text.at);
        return None;
    }
    Some(Step {
        at: fields.at,
        happens: happens?,
        posts,
        contains,
    })
}

fn happens(fields: &Fields<'_>, subject: Subject, report: &mut Report) -> Option<Happens> {
    let mut kinds = ["line", "advance", "status"]
        .iter()
        .filter_map(|name| fields.get(name));
    let Some(entry) = kinds.next() else {
        report.nothing_happens(fields.at);
        return None;
    };
    if let Some(second) = kinds.next() {
        report.two_steps_in_one(second.at, &entry.key, &second.key);
        return None;
    }
    // What only says how often, or what was written, needs something to happen.
    let only = |names: &[&str], report: &mut Report| {
        let wrong = (names.iter()).find_map(|name| fields.get(name));
        if let Some(wrong) = wrong {
            report.not_in_this_step(wrong.at, &wrong.key, &entry.key);
        }
        wrong.is_none()
    };
    match entry.key.as_str() {
        "line" => {
            let may_stand = only(&["output"], report);
            if subject != Subject::Records {
                report.step_of_others(entry.at, "line", "a command ends", "status: 2");
                return None;
            }
            let line = line(&entry.node, "line", report);
            let pace = pace(fields, report);
            Some(Happens::Line {
                line: line?.value,
                pace: pace.filter(|_| may_stand)?,
            })
        }
        "status" => {
            if subject == Subject::Records {
                report.step_of_others(entry.at, "status", "lines are written", "line: …");
                return None;
            }
            let status = fields::text(entry, report)?;
            let Ok(status) = status.parse::<u8>() else {
                report.not_a_status(fields::place_of(entry), fields::shown(&entry.node));
                return None;
            };
            let output = optional(fields.get("output"), |entry| expected(entry, report));
            let pace = pace(fields, report);
            Some(Happens::Result {
                status,
                output: output?.map(|output| output.value).unwrap_or_default(),
                pace: pace?,
            })
        }
        _ => {
            let may_stand = only(&["times", "every", "output"], report);
            fields::duration(entry, report)
                .filter(|_| may_stand)
                .map(Happens::Advance)
        }
    }
}

fn pace(fields: &Fields<'_>, report: &mut Report) -> Option<Pace> {
    let times = optional(fields.get("times"), |entry| number(entry, 1, report));
    let every = optional(fields.get("every"), |entry| fields::duration(entry, report));
    let (times, every) = (times?.unwrap_or(1), every?);
    if let (1, Some(entry)) = (times, fields.get("every")) {
        report.every_without_times(entry.at);
        return None;
    }
    Some(Pace {
        times,
        every: every.unwrap_or_default(),
    })
}

fn number(entry: &Entry, least: u64, report: &mut Report) -> Option<u64> {
    let text = fields::text(entry, report)?;
    let number = text.parse::<u64>().ok();
    let number = number.filter(|number| (least..=TIMES_MAX).contains(number));
    if number.is_none() {
        let shown = fields::shown(&entry.node);
        report.not_a_count(fields::place_of(entry), &entry.key, shown, least, TIMES_MAX);
    }
    number
}

/// Whether a sequence takes no longer than anybody would wait for its outcome.
fn is_bounded(sequence: &[Step], report: &mut Report) -> bool {
    let mut n_times = 0_u64;
    let mut lasts = Duration::ZERO;
    for step in sequence {
        match &step.happens {
            Happens::Line { pace, .. } | Happens::Result { pace, .. } => {
                n_times = n_times.saturating_add(pace.times);
                let times = u32::try_from(pace.times).unwrap_or(u32::MAX);
                lasts = lasts.saturating_add(pace.every.saturating_mul(times));
            }
            Happens::Advance(duration) => lasts = lasts.saturating_add(*duration),
        }
        if n_times > TIMES_MAX || lasts > LASTS_MAX {
            report.sequence_too_long(step.at, TIMES_MAX, LASTS_MAX.as_secs() / 86_400);
            return false;
        }
    }
    true
}
