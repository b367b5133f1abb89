//! The systemd journal as a source: its entries to hits, and how far it was read.
//!
//! What is a position in a file is a cursor here. It goes to disk in the same commit
//! as all that the entries before it caused. One reading serves all rules.
//!
//! A record is `IDENTIFIER[PID]: MESSAGE`, as syslog writes it behind the time and
//! the host, so that one pattern finds a line in a file and its entry in the journal.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::correlate::Role;
use super::own::Trouble;
use super::scan::{self, Sample};
use super::schedule::Fault;
use super::time::{Moment, Wall};
use crate::rules::RuleSet;
use crate::rules::journal::{Facts, Selection};
use crate::rules::own::Own;
use crate::rules::records::reading::Reading;
use crate::rules::records::searcher::{Searcher, Selector};

/// The longest wait before the journal is tried again.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How long it is out of reach before people are told.
const LASTING: Duration = Duration::from_secs(10);

/// What the agent calls itself: its own entries would feed themselves.
const OWN_NAME: &str = "logcrier";

/// Up to where the journal was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The last entry that was read; none if none was yet.
    pub cursor: Option<String>,
    /// The time of that entry, or where reading begins.
    pub at: Wall,
}

/// How far the journal is read, and what it is read for.
#[derive(Debug)]
pub struct Journal {
    search: Option<Arc<Search>>,
    position: Option<Position>,
    epoch: u64,
    is_asked: bool,
    is_dirty: bool,
    n_faults: u32,
    /// Since when it cannot be read, and whether people were told.
    failing: Option<(Moment, bool)>,
    retry: Option<Moment>,
    notices: Vec<Notice>,
    n_entries: u64,
}

/// All rules of the journal, ready to search.
#[derive(Debug)]
pub struct Search {
    searcher: Searcher,
    rules: Vec<Watching>,
}

#[derive(Debug)]
struct Watching {
    /// Its place in the rule set.
    rule: usize,
    role: Role,
    selection: Selection,
}

/// What is to be read next.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Behind this.
    pub after: Position,
    /// For these rules.
    pub search: Arc<Search>,
    /// For the answer.
    pub epoch: u64,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Up to where.
    pub upto: Position,
    /// The hits, in the order of their entries.
    pub found: Vec<Found>,
    /// How many entries there were.
    pub n_entries: u64,
    /// Whether entries behind the last one that was read are gone.
    pub has_gap: bool,
}

/// An entry that a rule selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The rule's place in the rule set.
    pub rule: usize,
    /// What it is for that rule.
    pub role: Role,
    /// Names the entry for ever.
    pub cursor: Arc<str>,
    /// When it was written.
    pub at: Wall,
    /// Where it comes from, for people.
    pub source: Arc<str>,
    /// What a message can show of it.
    pub sample: Arc<Sample>,
}

/// What people should hear of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It cannot be read. Said once until it can.
    Unreadable {
        /// Why.
        why: String,
    },
    /// It still cannot be read.
    StaysUnreadable {
        /// Why.
        why: String,
    },
    /// It can be read again.
    Readable,
    /// Entries were removed before they were read.
    Gap {
        /// When the last one was written that was read.
        since: Wall,
    },
}

impl Notice {
    /// The event that it is, if a person should hear of it at once.
    pub fn trouble(&self) -> Option<Trouble> {
        let what = match self {
            Self::StaysUnreadable { why } => format!("the journal cannot be read: {why}"),
            Self::Gap { since } => {
                let since = since.rfc3339();
                format!("the journal lost entries that were not read, written after {since}")
            }
            Self::Unreadable { .. } | Self::Readable => return None,
        };
        Some(Trouble {
            own: Own::Source,
            subject: "journal".to_owned(),
            what,
            at_fault: None,
        })
    }
}

impl Journal {
    /// Takes up where an earlier life ended.
    pub fn new(position: Option<Position>, rules: &RuleSet, now: Wall) -> Self {
        let mut journal = Self {
            search: None,
            position,
            epoch: 0,
            is_asked: false,
            is_dirty: false,
            n_faults: 0,
            failing: None,
            retry: None,
            notices: Vec::new(),
            n_entries: 0,
        };
        journal.meet(rules, now);
        journal
    }

    /// Takes over changed rules. Reading begins now where no rule wanted it before,
    /// and the position is forgotten where none wants it any more.
    pub fn meet(&mut self, rules: &RuleSet, now: Wall) {
        self.epoch += 1;
        self.is_asked = false;
        self.search = Search::of(rules).map(Arc::new);
        match (&self.search, &self.position) {
            (Some(_), None) => {
                self.position = Some(Position {
                    cursor: None,
                    at: now,
                });
                self.is_dirty = true;
            }
            (None, Some(_)) => {
                self.position = None;
                self.is_dirty = true;
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// What the host shall read, if it is not reading already.
    pub fn next_turn(&mut self, now: Moment) -> Option<Turn> {
        if self.is_asked || self.retry.is_some_and(|at| at > now) {
            return None;
        }
        let (search, position) = (self.search.clone()?, self.position.clone()?);
        self.is_asked = true;
        self.retry = None;
        Some(Turn {
            after: position,
            search,
            epoch: self.epoch,
        })
    }

    /// Takes what was read. Returns the hits that count.
    pub fn done(&mut self, now: Moment, epoch: u64, outcome: Result<Done, Fault>) -> Vec<Found> {
        if epoch != self.epoch {
            return Vec::new();
        }
        self.is_asked = false;
        let done = match outcome {
            Ok(done) => done,
            Err(fault) => {
                self.fault(now, fault.why);
                return Vec::new();
            }
        };
        self.n_faults = 0;
        if self.failing.take().is_some() {
            self.notices.push(Notice::Readable);
        }
        if let Some(position) = self.position.as_ref().filter(|_| done.has_gap) {
            self.notices.push(Notice::Gap { since: position.at });
        }
        self.n_entries += done.n_entries;
        if self.position.as_ref() != Some(&done.upto) {
            self.position = Some(done.upto);
            self.is_dirty = true;
        }
        done.found
    }

    fn fault(&mut self, now: Moment, why: String) {
        let wait = Duration::from_secs(1 << self.n_faults.min(5));
        self.n_faults = self.n_faults.saturating_add(1);
        self.retry = Some(now.after(wait.min(RETRY_MAX)));
        match &mut self.failing {
            None => {
                self.failing = Some((now, false));
                self.notices.push(Notice::Unreadable { why });
            }
            Some((since, is_told)) if !*is_told && since.after(LASTING) <= now => {
                *is_told = true;
                self.notices.push(Notice::StaysUnreadable { why });
            }
            Some(_) => {}
        }
    }

    /// When it is to be tried again.
    pub fn wakeup(&self) -> Option<Moment> {
        self.retry.filter(|_| !self.is_asked)
    }

    /// Whether rules look at it.
    pub fn is_wanted(&self) -> bool {
        self.search.is_some()
    }

    /// Whether it cannot be read now.
    pub fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// Entries that were read since the start.
    pub fn n_entries(&self) -> u64 {
        self.n_entries
    }

    /// What people should hear.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Whether something must be committed.
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// The position, if it changed since the last call; within it, nothing if it is
    /// to be forgotten.
    pub fn take_dirty(&mut self) -> Option<Option<Position>> {
        std::mem::take(&mut self.is_dirty).then(|| self.position.clone())
    }

    /// Takes back what [`take_dirty`](Self::take_dirty) gave: it was not committed.
    pub fn mark_dirty(&mut self) {
        self.is_dirty = true;
    }
}

impl Search {
    fn of(rules: &RuleSet) -> Option<Self> {
        let mut watching = Vec::new();
        let mut selectors = Vec::new();
        for (rule, of) in rules.rules.iter().enumerate() {
            let Some(selection) = &of.journal else {
                continue;
            };
            // What ends an incident is judged after what it is made of.
            let hits = (Role::Match, (**of).clone());
            let ends = of.ending().map(|ending| (Role::Resolve, ending));
            for (role, rule_of_role) in std::iter::once(hits).chain(ends) {
                selectors.push(Selector {
                    patterns: rule_of_role.patterns,
                    conditions: rule_of_role.filter,
                    kept: rule_of_role.kept,
                });
                watching.push(Watching {
                    rule,
                    role,
                    selection: selection.clone(),
                });
            }
        }
        if watching.is_empty() {
            return None;
        }
        let searcher = Searcher::of(Reading::default(), selectors, Vec::new(), &rules.redactor);
        Some(Self {
            searcher,
            rules: watching,
        })
    }

    /// Searches entries as `journalctl --output=json` writes them, one a line. What
    /// cannot be understood is passed over. `after` is the position before them.
    /// If they should begin with the entry that was read last (`first`), that one
    /// does not count again; and if they do not, what lay between is gone.
    pub fn search(&self, lines: &[u8], after: &Position, first: Option<&str>) -> Done {
        let mut first = first;
        let mut done = Done {
            upto: after.clone(),
            found: Vec::new(),
            n_entries: 0,
            has_gap: false,
        };
        let mut records = Vec::new();
        let mut entries = Vec::new();
        for line in lines.split(|byte| *byte == b'\n') {
            let Ok(entry) = serde_json::from_slice::<Entry>(line) else {
                continue;
            };
            if let Some(expected) = first.take() {
                if entry.cursor == expected {
                    continue;
                }
                done.has_gap = true;
            }
            done.n_entries += 1;
            done.upto = Position {
                cursor: Some(entry.cursor.clone()),
                at: entry.written(),
            };
            if entry.is_own() {
                continue;
            }
            let start = records.len();
            entry.write_record(&mut records);
            entries.push((start, entry));
        }
        for hit in scan::search_records(&records, &self.searcher) {
            let start = usize::try_from(hit.start).unwrap_or(usize::MAX);
            let Ok(idx) = entries.binary_search_by_key(&start, |(start, _)| *start) else {
                continue;
            };
            let entry = &entries[idx].1;
            let watching = &self.rules[hit.rule];
            if watching.selection.selects(&entry.facts()) {
                done.found.push(Found {
                    rule: watching.rule,
                    role: watching.role,
                    cursor: entry.cursor.as_str().into(),
                    at: entry.written(),
                    source: entry.source().into(),
                    sample: hit.sample,
                });
            }
        }
        done
    }
}

/// An entry, as far as it matters. A field may stand there several times or be
/// bytes; then it is an array.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    #[serde(rename = "__REALTIME_TIMESTAMP", default)]
    realtime: String,
    #[serde(rename = "MESSAGE", default)]
    message: Value,
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    unit: Value,
    #[serde(rename = "UNIT", default)]
    subject: Value,
    #[serde(rename = "_PID", default)]
    pid: Value,
    #[serde(rename = "SYSLOG_IDENTIFIER", default)]
    identifier: Value,
    #[serde(rename = "_COMM", default)]
    comm: Value,
    #[serde(rename = "_TRANSPORT", default)]
    transport: Value,
    #[serde(rename = "PRIORITY", default)]
    priority: Value,
}

impl Entry {
    fn facts(&self) -> Facts<'_> {
        Facts {
            unit: text(&self.unit),
            subject: text(&self.subject),
            pid: text(&self.pid),
            identifier: text(&self.identifier),
            transport: text(&self.transport),
            priority: text(&self.priority),
        }
    }

    fn written(&self) -> Wall {
        Wall(self.realtime.parse().unwrap_or_default())
    }

    fn is_own(&self) -> bool {
        text(&self.identifier) == Some(OWN_NAME) && text(&self.comm) == Some(OWN_NAME)
    }

    fn source(&self) -> String {
        let name = text(&self.unit).or_else(|| text(&self.identifier));
        match name {
            Some(name) => format!("journal: {name}"),
            None => "journal".to_owned(),
        }
    }

    /// Appends the record as a line of its own: what would break it is a space.
    fn write_record(&self, records: &mut Vec<u8>) {
        let identifier = text(&self.identifier).or_else(|| text(&self.comm));
        if let Some(identifier) = identifier {
            push_line(records, identifier.as_bytes());
            let is_kernel = text(&self.transport) == Some("kernel");
            if let Some(pid) = text(&self.pid).filter(|_| !is_kernel) {
                records.push(b'[');
                push_line(records, pid.as_bytes());
                records.push(b']');
            }
            records.extend_from_slice(b": ");
        }
        match &self.message {
            Value::String(message) => push_line(records, message.as_bytes()),
            Value::Array(parts) => {
                for part in parts {
                    match part {
                        Value::Number(byte) => {
                            let byte = byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
                            push_line(records, &[byte.unwrap_or(b'?')]);
                        }
                        Value::String(part) => {
                            push_line(records, part.as_bytes());
                            records.push(b' ');
                        }
                        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {}
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
        }
        records.push(b'\n');
    }
}

/// The text of a field; of several the first.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(values) => values.first().and_then(Value::as_str),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

fn push_line(records: &mut Vec<u8>, bytes: &[u8]) {
    let breaks = |byte: &u8| matches!(byte, b'\n' | b'\r' | 0);
    records.extend((bytes.iter()).map(|byte| if breaks(byte) { b' ' } else { *byte }));
}

#[cfg(test)]
mod tests;
