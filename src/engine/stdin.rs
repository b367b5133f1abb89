//! Standard input: the source that ends.
//!
//! What comes there is copied by the host to the state directory, and followed like a
//! file that only grows ([`STDIN`]): a line that was taken from a pipe stands on disk
//! until all that it causes does. Two things are not as with files. What is read and
//! committed need not be kept, so the copy stays small. And when the other end is
//! closed there is nothing more to wait for: an agent that watches nothing else says
//! what is left to be said, and ends. For a space that refuses everything it does not
//! wait: a person must help, and the messages are on disk.

use std::path::Path;

use super::own::Trouble;
use super::schedules::Schedules;
use super::stream::Stream;
use super::time::Now;
use super::{Engine, Report, Stopping};
use crate::rules::STDIN;
use crate::rules::own::Own;

/// How many bytes of standard input may be read and not committed: the host keeps them.
pub(super) const PROGRESS_BYTES_MAX: u64 = 4 << 20;

/// What the host tells of standard input, besides what came there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Its other end is closed, and all that came is in the copy.
    Ended {
        /// Where the copy ends.
        upto: u64,
    },
    /// It cannot be read, and is not tried again.
    Unreadable {
        /// Why.
        why: String,
    },
    /// The copy cannot be written. What comes waits in the pipe.
    Uncopied {
        /// Why.
        why: String,
    },
    /// The copy can be written again.
    Copied,
}

impl News {
    /// The event that it is, if a person should hear of it.
    fn trouble(&self) -> Option<Trouble> {
        let what = match self {
            Self::Unreadable { why } => format!("standard input cannot be read: {why}"),
            Self::Uncopied { why } => {
                format!("standard input waits, its copy in the state directory fails: {why}")
            }
            Self::Ended { .. } | Self::Copied => return None,
        };
        Some(Trouble {
            own: Own::Source,
            subject: "stdin".to_owned(),
            what,
            at_fault: None,
        })
    }
}

/// How far standard input is.
#[derive(Debug, Default)]
pub(super) struct Stdin {
    /// Where it ended.
    ended: Option<u64>,
    /// Whether what was counted by then is said.
    is_summed_up: bool,
    /// Up to where the host was told that nothing need be kept.
    spent: u64,
}

impl Stdin {
    /// Bytes that are read and not told to be spent.
    pub(super) fn n_spendable(&self, schedules: &Schedules) -> u64 {
        read_up_to(schedules).map_or(0, |upto| upto.saturating_sub(self.spent))
    }

    /// What came up to here is committed. Returns whether that is news.
    pub(super) fn spend(&mut self, upto: u64) -> bool {
        std::mem::replace(&mut self.spent, upto) != upto
    }
}

/// Up to where standard input is read for all who follow it.
pub(super) fn read_up_to(schedules: &Schedules) -> Option<u64> {
    let streams = schedules.named(Path::new(STDIN));
    streams.map(|stream| stream.offset).min()
}

impl Engine {
    /// Takes what the host tells of standard input.
    pub(super) fn stdin_news(&mut self, now: Now, news: News) {
        if let News::Ended { upto } = &news {
            self.stdin.ended = Some(*upto);
            self.stdin.is_summed_up = false;
        }
        if let Some(trouble) = news.trouble() {
            self.trouble(now, &trouble);
        }
        self.report(Report::Stdin(news));
    }

    /// Nothing more can come: what was counted need not wait for the end of its window.
    pub(super) fn sum_up_stdin(&mut self, now: Now) {
        let Some(upto) = self.stdin.ended else {
            return;
        };
        if self.stdin.is_summed_up || !self.watches_nothing_else() {
            return;
        }
        let mut streams = self.schedule.named(Path::new(STDIN)).peekable();
        if streams.peek().is_some() && streams.all(|stream| stream.has_ended(upto)) {
            self.stdin.is_summed_up = true;
            self.correlate.sum_up(now.moment);
        }
    }

    /// Ends once all is said that can be.
    pub(super) fn end_with_stdin(&mut self) {
        if !self.stdin.is_summed_up || self.stopping != Stopping::No {
            return;
        }
        if !self.outbox.may_deliver() && self.watches_nothing_else() {
            self.stop();
        }
    }

    fn watches_nothing_else(&self) -> bool {
        self.rules.rules.iter().all(|rule| rule.is_of_stdin())
    }
}

impl Stream {
    /// Whether all is taken of what ends there.
    fn has_ended(&self, upto: u64) -> bool {
        let n_taken = (self.unfinished.filter(|left| left.taken)).map_or(0, |left| left.n_bytes);
        self.offset + n_taken >= upto
    }
}
