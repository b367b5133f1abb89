//! Reads: what a region held, and what that means for the file.

use super::{Fault, Notice, ReadDone, Schedule};
use crate::engine::ids::StreamId;
use crate::engine::scan::{Ending, Hit};
use crate::engine::stream::{Naming, Phase, Stream};
use crate::engine::time::Moment;

impl Schedule {
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
