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

use super::identity::Place;
use super::own::Trouble;
use super::schedules::Schedules;
use super::stream::Stream;
use super::time::Now;
use super::{Engine, Report, Stopping};
use crate::rules::STDIN;
use crate::rules::own::Own;

/// How many bytes of standard input may be read and not committed: the host keeps them.
pub(super) const PROGRESS_BYTES_MAX: u64 = 4 << 20;

/// How far, in a copy of what came. If one is lost another is begun, and positions in
/// the one say nothing of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// In which copy: its place as a file.
    pub copy: Place,
    /// How many bytes from its beginning.
    pub upto: u64,
}

/// What the host tells of standard input, besides what came there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Its other end is closed, and all that came is in the copy.
    Ended(
        /// Where the copy ends.
        Reach,
    ),
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
            Self::Ended(_) | Self::Copied => return None,
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
    ended: Option<Reach>,
    /// Whether what was counted by then is said.
    is_summed_up: bool,
    /// Up to where the host was told that nothing need be kept.
    spent: Option<Reach>,
}

impl Stdin {
    /// Bytes that are read and not told to be spent.
    pub(super) fn n_spendable(&self, schedules: &Schedules) -> u64 {
        let spent = |copy| self.spent.filter(|spent| spent.copy == copy);
        let spent = |copy| spent(copy).map_or(0, |spent| spent.upto);
        read_up_to(schedules).map_or(0, |read| read.upto.saturating_sub(spent(read.copy)))
    }

    /// What came up to here is committed. Returns whether that is news.
    pub(super) fn spend(&mut self, upto: Reach) -> bool {
        self.spent.replace(upto) != Some(upto)
    }
}

/// Up to where standard input is read for all who follow it; nothing if they do not
/// follow one copy.
pub(super) fn read_up_to(schedules: &Schedules) -> Option<Reach> {
    let mut streams = schedules.named(Path::new(STDIN));
    let first = streams.next()?;
    let mut read = Reach {
        copy: first.place(),
        upto: first.offset,
    };
    for stream in streams {
        if stream.place() != read.copy {
            return None;
        }
        read.upto = read.upto.min(stream.offset);
    }
    Some(read)
}

impl Engine {
    /// Takes what the host tells of standard input.
    pub(super) fn stdin_news(&mut self, now: Now, news: News) {
        if let News::Ended(reach) = &news {
            self.stdin.ended = Some(*reach);
            self.stdin.is_summed_up = false;
        }
        if let Some(trouble) = news.trouble() {
            self.trouble(now, &trouble);
        }
        self.report(Report::Stdin(news));
    }

    /// Nothing more can come: what was counted need not wait for the end of its window.
    pub(super) fn sum_up_stdin(&mut self, now: Now) {
        let Some(ended) = self.stdin.ended else {
            return;
        };
        if self.stdin.is_summed_up || !self.watches_nothing_else() {
            return;
        }
        let mut streams = self.schedule.named(Path::new(STDIN)).peekable();
        if streams.peek().is_some() && streams.all(|stream| stream.has_ended(ended)) {
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
    fn has_ended(&self, end: Reach) -> bool {
        let n_taken =
            (self.unfinished.as_deref().filter(|left| left.taken)).map_or(0, |left| left.n_bytes);
        self.place() == end.copy && self.offset + n_taken >= end.upto
    }
}
