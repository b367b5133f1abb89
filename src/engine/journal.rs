//! The systemd journal as a source: its entries to hits, and how far it was read.
//!
//! What is a position in a file is a cursor here. It goes to disk in the same commit
//! as all that the entries before it caused. One reading serves all rules.
//!
//! [`search`] finds the hits, [`Journal`] keeps the position.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::own::Trouble;
use super::schedule::Fault;
use super::time::{Moment, Wall};
use crate::rules::RuleSet;
use crate::rules::own::Own;

pub mod search;

pub use search::{Done, Found, Search};

/// The longest wait before the journal is tried again.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How long it is out of reach before people are told.
const LASTING: Duration = Duration::from_secs(10);

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
    /// Whether it was read to its end, and can be read since then.
    is_at_end: bool,
    is_dirty: bool,
    n_faults: u32,
    /// Since when it cannot be read, and whether people were told.
    failing: Option<(Moment, bool)>,
    retry: Option<Moment>,
    notices: Vec<Notice>,
    n_entries: u64,
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
            is_at_end: false,
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
        // That is true whatever it was read for.
        self.is_at_end |= outcome.as_ref().is_ok_and(|done| done.is_end);
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
        self.is_at_end = false;
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

    /// Whether all that was written is read, or nobody wants it.
    pub fn has_read_all(&self) -> bool {
        self.is_at_end || !self.is_wanted()
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

#[cfg(test)]
mod tests;
