//! Reads: what a region held, and what that means for the file.

use super::{Fault, Notice, Read, ReadDone, ReadThen, Schedule, Then};
use crate::engine::ids::StreamId;
use crate::engine::scan::{Ending, Hit};
use crate::engine::stream::{Naming, Phase, Stream};
use crate::engine::time::Moment;

/// The head that a file must have, at most, when a region of it is read: the bytes before
/// the region tell much already.
const HEAD_BYTES_READ: u64 = 256;

impl Stream {
    /// The next region of it.
    pub(super) fn region(&self, now: Moment, epoch: u64) -> Read {
        let heads = self.identity.head.iter();
        Read {
            stream: self.id,
            path: self.path.to_path_buf(),
            place: self.place(),
            packing: self.packing,
            offset: self.offset,
            mark: self.identity.mark_at(self.offset),
            head: heads.copied().rfind(|mark| mark.end <= HEAD_BYTES_READ),
            skipping: self.skipping,
            ending: self.ending(now),
            // Which of them are nobody's is told by where each stands.
            may_count: self.joined.is_empty(),
            searcher: self.following.searcher.clone(),
            epoch,
        }
    }
}

impl Schedule {
    /// What is to be read of a file that is looked at, if it is found as it was left.
    pub(super) fn then(&self, now: Moment, id: StreamId) -> Option<Box<Then>> {
        let stream = self.streams.get(&id)?;
        let is_open = stream.packing.is_none() && !stream.is_binary;
        let is_itself = !stream.is_held && stream.asked.is_none();
        let n_left = (stream.unfinished.as_deref()).map_or(0, |left| left.n_bytes);
        (is_open && is_itself).then(|| {
            Box::new(Then {
                // The look is at all that the file begins with.
                read: Read {
                    head: None,
                    ..stream.region(now, self.epoch)
                },
                generation: stream.generation,
                beyond: stream.offset + n_left,
            })
        })
    }

    /// Whether a read that followed a look is the one that would be made now.
    pub(super) fn still_wants(&self, stream: &Stream, read: &ReadThen) -> bool {
        let is_its_turn = stream.phase == Phase::WaitsToRead && !self.waits_for_older(stream);
        let is_of_now = (read.generation, read.offset) == (stream.generation, stream.offset);
        let has_found = matches!(read.done, ReadDone::Scanned { .. });
        is_its_turn && is_of_now && has_found && read.epoch == self.epoch
    }

    /// The host reads a file.
    pub(super) fn begin_reading(&mut self, id: StreamId) {
        self.n_turns += 1;
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.phase = Phase::Reading;
            stream.follows = None;
        }
    }

    /// Takes what a read found. Returns the stream's hits that count.
    pub fn read_done(
        &mut self,
        now: Moment,
        id: StreamId,
        ending: Ending,
        epoch: u64,
        outcome: Result<ReadDone, Fault>,
    ) -> Vec<Hit> {
        self.n_turns = self.n_turns.saturating_sub(1);
        let is_nameless = |stream: &Stream| stream.naming == Naming::Nameless;
        if self.streams.get(&id).is_some_and(is_nameless) {
            // What has its content, as far as it was read, waits for this.
            self.wake_heirs(id);
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return Vec::new();
        };
        stream.phase = Phase::Resting;
        let counts = epoch == self.epoch && !std::mem::take(&mut stream.outdated);
        let (scanned, at_end) = match outcome {
            Ok(ReadDone::Scanned { scanned, at_end }) if counts => (scanned, at_end),
            // Other bytes than those that were expected, or searched for rules
            // that are no more: look again.
            Ok(ReadDone::Changed) if stream.packing.is_some() => {
                self.forget(id);
                return Vec::new();
            }
            Ok(ReadDone::Scanned { .. } | ReadDone::Changed | ReadDone::Later) => {
                self.wake(id);
                return Vec::new();
            }
            Err(fault) if stream.packing.is_some() => {
                let path = stream.path.to_path_buf();
                if !stream.tries_again(now) {
                    let why = fault.why;
                    self.notices.push(Notice::ArchiveBroken { path, why });
                    self.forget(id);
                }
                return Vec::new();
            }
            Err(fault) => {
                self.fault(now, id, fault);
                return Vec::new();
            }
        };
        if scanned.is_binary {
            if !std::mem::replace(&mut stream.is_binary, true) {
                let path = stream.path.to_path_buf();
                self.notices.push(Notice::Binary { path });
            }
            return Vec::new();
        }
        if scanned.has_bare_returns && !std::mem::replace(&mut stream.has_bare_returns, true) {
            let path = stream.path.to_path_buf();
            self.notices.push(Notice::BareReturns { path });
        }
        let before = (stream.offset, stream.taken.clone());
        if scanned.n_cut > 0 {
            self.notices.push(Notice::LinesCut {
                path: stream.path.to_path_buf(),
                n_lines: scanned.n_cut,
            });
        }
        let following = stream.following.clone();
        let mut hits = stream.advance(now, ending, scanned, &following.searched);
        for hit in &mut hits {
            let searched = &following.searched[hit.rule];
            (hit.rule, hit.role) = (searched.idx, searched.role);
        }
        if (stream.offset, &stream.taken) != (before.0, &before.1) {
            self.n_dirty_bytes += stream.offset.saturating_sub(before.0);
            self.dirty.insert(id);
        }
        if stream.packing.is_some() {
            self.go_on_unpacking(id, at_end);
            return hits;
        }
        self.recovered(id);
        let Some(stream) = self.streams.get_mut(&id) else {
            return hits;
        };
        if !at_end {
            stream.phase = Phase::WaitsToRead;
            self.backlog.push_back(id);
        } else if stream.again || stream.naming != Naming::Here {
            self.wake(id);
        }
        hits
    }
}
