//! The unread rest of a log: generations that were renamed, copied or compressed
//! before they were read.
//!
//! ```text
//!   a file loses its name ──► its kin are named ──► each is held against it
//!                                                          │
//!       newer than it and other ──► read from its start    │ oldest first
//!       the same content, the file itself gone ──► read on ┘
//! ```
//!
//! Only names that say so are kin ([`kinship`](crate::engine::kinship)), only what was written since the
//! file was is looked at, and only bytes prove that a copy or an archive is the file
//! itself. The search is made once for each file that loses its name, and what came
//! of it goes to disk in one commit, so nothing is read twice. What is asked later, where
//! the file's own content went, never brings other generations: those that came after it
//! were followed since, and a copy of one of them may lie there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Fault, Look, LookAt, Notice, Schedule};
use crate::engine::identity::{Facts, Mark, PROOF_BYTES_MIN};
use crate::engine::ids::StreamId;
use crate::engine::schedule::Entry;
use crate::engine::stream::{Asked, Kin, Naming, Phase, Stream, Unread};
use crate::engine::time::Moment;

mod candidates;

mod order;

/// Kin that one search looks at, the newest ones.
const KIN_MAX: usize = 64;

/// How coarse the times are that compressors keep.
const TIME_NANOS: i64 = 2_000_000_000;

/// How often an archive that cannot be read is tried: for about a minute. It may be
/// in the making.
const TRIES_MAX: u32 = 7;

/// A search for what was rotated after a file.
#[derive(Debug)]
pub(super) struct Search {
    /// Newest first.
    candidates: Vec<Candidate>,
    newer: Newer,
    /// Whether the head of the one that is looked at holds, and its marks are asked.
    is_deep: bool,
}

/// How it is known what is newer, where no copy proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Newer {
    /// The file itself was found among its kin.
    ByName,
    /// It was written later.
    ByTime,
    /// Nothing tells.
    Never,
}

/// A file that may be kin.
#[derive(Debug)]
struct Candidate {
    stream: StreamId,
    modified: i64,
    verdict: Option<Verdict>,
}

/// What a file is to the one that lost its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The same content.
    Same,
    /// Another generation.
    Other,
    /// Nobody can tell yet: it cannot be read.
    Unread,
    /// Not to be read: older, gone, or a broken archive.
    None,
}

impl Schedule {
    /// Begins the search for what was rotated after a file that lost its name.
    pub(super) fn search(&mut self, id: StreamId, kin: &[Entry]) {
        let Some(lost) = self.streams.get_mut(&id) else {
            return;
        };
        lost.kin = Kin::Asked;
        // What was read of the log before or since may stand in a copy as well.
        let newer = match lost.is_ghost() || lost.is_succeeded {
            true => Newer::Never,
            false if lost.rank().is_some() => Newer::ByName,
            false => Newer::ByTime,
        };
        let candidates = self.candidates(id, kin, newer);
        let search = Search {
            candidates,
            newer,
            is_deep: false,
        };
        self.searches.insert(id, search);
        self.go_on_searching(id);
    }

    /// Looks at the next candidate, or ends the search.
    pub(super) fn go_on_searching(&mut self, id: StreamId) {
        let Some(search) = self.searches.get_mut(&id) else {
            return;
        };
        let open = (search.candidates.iter()).find(|candidate| candidate.verdict.is_none());
        if let Some(open) = open.map(|candidate| candidate.stream) {
            return self.wake(open);
        }
        let Some(lost) = self.streams.get(&id) else {
            return;
        };
        // First it must be known whether the file itself is still within reach.
        if lost.confirmed || lost.is_memory || search.candidates.is_empty() {
            self.conclude(id);
        }
    }

    /// It came to light where a file goes on: its kin were held against less than is known
    /// of it now.
    pub(super) fn hold_against_kin_again(&mut self, id: StreamId) {
        let Some(search) = self.searches.get_mut(&id) else {
            return;
        };
        for candidate in &mut search.candidates {
            candidate.verdict = candidate.verdict.filter(|known| *known == Verdict::None);
        }
        self.go_on_searching(id);
    }

    /// What is asked of a candidate: its head, and if that is the same, all marks.
    pub(super) fn look_at_kin(&mut self, id: StreamId) -> Option<LookAt> {
        let of = self.streams.get(&id)?.follows;
        let lost = of.and_then(|of| self.streams.get(&of));
        let search = of.and_then(|of| self.searches.get(&of));
        let (Some(lost), Some(search)) = (lost, search) else {
            self.forget(id);
            return None;
        };
        let asked = match search.is_deep || lost.identity.head.is_empty() {
            true => lost.evidence().into(),
            false => lost.identity.head.clone(),
        };
        let of = lost.id;
        let stream = self.streams.get_mut(&id)?;
        stream.phase = Phase::Looking;
        let look = LookAt {
            stream: id,
            path: stream.path.to_path_buf(),
            place: stream.place(),
            packing: stream.packing,
            stretches: asked.iter().map(|mark| (mark.start, mark.end)).collect(),
            then: None,
        };
        stream.asked = Some(Box::new(Asked { of, marks: asked }));
        Some(look)
    }

    /// Takes what a look at a candidate found.
    pub(super) fn looked_at_kin(&mut self, now: Moment, id: StreamId, look: Result<Look, Fault>) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let asked = stream.asked.take();
        let Some(of) = stream.follows else {
            return;
        };
        let look = match look {
            Ok(look) if look.is_later => return self.wake(id),
            Ok(look) => look,
            Err(fault) => {
                let path = stream.path.to_path_buf();
                if stream.tries_again(now) {
                    // It may take long; the log itself is not to wait.
                    if let Some(lost) = self.streams.get_mut(&of) {
                        lost.kin = Kin::Slow;
                    }
                    return self.wake_heirs(of);
                }
                if stream.packing.is_none() {
                    self.judge_kin(of, id, Verdict::Unread);
                    // It is tried again as any other file that is followed.
                    return self.fault(now, id, fault);
                }
                self.notices.push(Notice::ArchiveBroken {
                    path,
                    why: fault.why,
                });
                return self.judge_kin(of, id, Verdict::None);
            }
        };
        stream.unread = None;
        let may_have_moved = stream.packing.is_none() && stream.naming != Naming::Nameless;
        let Some(lost) = self.streams.get(&of) else {
            return self.forget(id);
        };
        let Some(search) = self.searches.get_mut(&of) else {
            return self.forget(id);
        };
        let Some(facts) = look.opened else {
            return match may_have_moved {
                // It may have been rotated once more before anybody could open it.
                true => self.lose_name(id),
                false => self.judge_kin(of, id, Verdict::None),
            };
        };
        // An archive holds more than its size: where a mark holds, it is long enough.
        let facts = Facts {
            size: u64::MAX,
            ..facts
        };
        let (head, all) = (&lost.identity.head, lost.evidence());
        let holds = |marks: &[Mark]| {
            let pairs = marks.iter().zip(&look.hashes);
            marks.len() == look.hashes.len()
                && pairs
                    .into_iter()
                    .all(|(mark, hash)| *hash == Some(mark.hash))
        };
        let is_deep = search.is_deep || head.is_empty();
        search.is_deep = false;
        let asked = asked.map_or_else(Box::default, |asked| asked.marks);
        if (!is_deep && asked != *head) || (is_deep && *asked != *all) {
            // The file was read on meanwhile: the evidence is of yesterday.
            return self.wake(id);
        }
        if !is_deep && holds(&asked) {
            search.is_deep = true;
            return self.wake(id);
        }
        let is_same = is_deep && lost.stands_in(&facts, &look.hashes);
        let verdict = match is_same {
            true => Verdict::Same,
            false => Verdict::Other,
        };
        self.judge_kin(of, id, verdict);
    }

    fn judge_kin(&mut self, of: StreamId, id: StreamId, verdict: Verdict) {
        let Some(search) = self.searches.get_mut(&of) else {
            return self.forget(id);
        };
        search.is_deep = false;
        self.unpacking = None;
        let mut is_older = false;
        for candidate in &mut search.candidates {
            if candidate.stream == id {
                candidate.verdict = Some(verdict);
                is_older = verdict == Verdict::Same;
            } else if is_older {
                candidate.verdict = Some(Verdict::None);
            }
        }
        self.go_on_searching(of);
    }

    /// Ends a search: what is to be read is let go, oldest first, the rest forgotten.
    fn conclude(&mut self, id: StreamId) {
        let Some(search) = self.searches.remove(&id) else {
            return;
        };
        self.search_what_waited();
        let is_succeeded = self.has_successor(id, &search);
        let Some(lost) = self.streams.get_mut(&id) else {
            return;
        };
        lost.kin = Kin::Known;
        lost.is_succeeded |= is_succeeded;
        let (is_gone, since) = (lost.is_memory, lost.modified);
        // No name leads to it, and it cannot be read: as far as is known it was emptied.
        let is_beyond = lost.naming == Naming::Nameless && lost.unread.is_some();
        let record = lost.record();
        let is_nameless = lost.naming == Naming::Nameless && lost.offset >= PROOF_BYTES_MIN;
        let own_size = lost.size;
        // What came and went unread proves nothing. It may have been the continuation of
        // another, and so may be what came after it.
        let heir_of = lost.heir_of.filter(|_| lost.is_fresh());
        self.dirty.insert(id);
        let sought = self.sought_since(id);
        let has_same = (search.candidates.iter()).any(|one| one.verdict == Some(Verdict::Same));
        let (mut last, mut read_on) = (id, None);
        for candidate in search.candidates.iter().rev() {
            let held = candidate.stream;
            let original = self.original_of_newer(held, id);
            let is_same = candidate.verdict == Some(Verdict::Same);
            let is_read_on = is_same && (is_gone || is_beyond);
            // Whoever copied the file and deleted it wrote on in the copy.
            let has_more = is_same && is_nameless && !is_read_on && self.size_of(held) > own_size;
            // Where the file has no name and nothing proves which archive it is,
            // only time tells what is newer.
            let is_unread = candidate.verdict == Some(Verdict::Unread);
            let is_newer = (is_unread || candidate.verdict == Some(Verdict::Other))
                && match search.newer {
                    Newer::ByName => true,
                    Newer::ByTime => has_same || (since > 0 && candidate.modified > since),
                    Newer::Never => false,
                };
            if !is_read_on && !is_newer && !has_more {
                self.forget(held);
                continue;
            }
            self.note_succeeded(last);
            let Some(stream) = self.streams.get_mut(&held) else {
                continue;
            };
            if is_read_on {
                stream.succeed(record.clone());
                read_on = Some(held);
            } else if has_more || is_unread {
                // One that cannot be read yet is held against it when it can be.
                (stream.heir_of, stream.is_copy) = (Some(id), is_unread);
            } else if stream.packing.is_none() {
                stream.heir_of = sought.or(heir_of);
                stream.copy_of = original;
            }
            stream.is_held = false;
            stream.follows = Some(last);
            // It is the newest one so far. An archive is let go when it is read, and then
            // nothing would tell that it was.
            stream.is_succeeded = is_succeeded || stream.packing.is_some();
            last = held;
            self.notices.push(Notice::Follows {
                path: stream.path.clone(),
                offset: stream.offset,
            });
            self.dirty.insert(held);
            self.wake(held);
        }
        let is_kin = |heir: &StreamId| (search.candidates.iter()).any(|one| one.stream == *heir);
        let heirs = self.streams.heirs_of(id).into_iter();
        for heir in heirs.filter(|heir| !is_kin(heir)) {
            if let Some(heir) = self.streams.get_mut(&heir) {
                heir.follows = Some(last);
            }
        }
        self.wake_heirs(id);
        if let Some(lost) = self.streams.get_mut(&id)
            && is_beyond
            && read_on.is_some()
        {
            // Once it can be read, what was read there is read of it as well.
            (lost.heir_of, lost.is_copy) = (read_on, true);
        }
        if is_gone {
            // Nothing more is to be seen of it.
            if let Some(lost) = self.streams.get_mut(&id) {
                lost.confirmed = true;
            }
        }
        if has_same && is_gone {
            // Another file has its content: nothing of it is lost.
            if let Some(lost) = self.streams.get_mut(&id) {
                lost.size = lost.offset;
            }
        }
        self.wake(id);
    }

    /// Whether it is known what came after a lost file and its kin. While nothing stands
    /// at its name, more generations may come and go there.
    fn has_successor(&mut self, id: StreamId, search: &Search) -> bool {
        let Some(lost) = self.streams.get(&id) else {
            return true;
        };
        if lost.is_ghost() {
            // What was cut came before what its file holds now.
            return true;
        }
        let name = lost.name.clone();
        let holder = self.by_path.get(&name).and_then(|id| self.streams.get(id));
        if holder.is_some_and(|holder| holder.naming == Naming::Here) {
            return true;
        }
        let is_kin = |other: StreamId| (search.candidates.iter()).any(|one| one.stream == other);
        let (age, rank) = (lost.age(), lost.rank());
        // Whoever was seen last at the name of one of these has another by now.
        let kin = (search.candidates.iter()).filter_map(|one| self.streams.get(&one.stream));
        let names: Vec<Arc<Path>> = kin.map(|kin| kin.path.clone()).collect();
        let others = self.streams.lost_from(&name).into_iter();
        let others = others.filter(|other| *other != id && !is_kin(*other));
        let mut others = others.filter_map(|other| self.streams.get(&other));
        others.any(|other| {
            let (rank, other_rank) = (rank.as_ref(), other.rank());
            let order = rank.and_then(|rank| other_rank?.is_newer_than(rank));
            age < other.age() || (order == Some(true) && !names.contains(&other.path))
        })
    }

    /// The size of a file among the rotated ones, as far as it is not an archive.
    fn size_of(&self, held: StreamId) -> u64 {
        let held = self.streams.get(&held);
        held.filter(|held| held.packing.is_none())
            .map_or(0, |held| held.size)
    }

    /// The file that a newer one may be a whole copy of: what came since may have been
    /// read under the log's name already, where the search took long or is made once more.
    fn original_of_newer(&mut self, held: StreamId, lost: StreamId) -> Option<StreamId> {
        let path = self.streams.get(&held)?.path.clone();
        let original = self.original_of(&path, Some(lost))?;
        let is_whole = self.streams.get(&original)?.offset <= self.size_of(held);
        is_whole.then_some(original)
    }

    /// The newest of the later generations whose kin nobody has named yet: what this
    /// search found may have taken the place of that one, and begin with its content.
    fn sought_since(&mut self, id: StreamId) -> Option<StreamId> {
        let lost = self.streams.get(&id)?;
        let (name, age) = (lost.name.clone(), lost.age());
        let others = self.streams.lost_from(&name).into_iter();
        let others = others.filter_map(|other| self.streams.get(&other));
        let is_sought = |other: &&Stream| other.naming == Naming::Sought && !other.is_memory;
        let later = others.filter(is_sought).filter(|other| {
            let is_later = age < other.age();
            is_later && other.kin == Kin::Unasked && other.was_read()
        });
        later.max_by_key(|other| other.age()).map(|other| other.id)
    }

    /// Notes that it is known what came after a file.
    fn note_succeeded(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.is_succeeded = true;
        }
    }

    /// Ends the search of a file that is let go.
    pub(super) fn give_up_searching(&mut self, id: StreamId) {
        self.give_back(id);
        self.search_what_waited();
    }

    /// Lets a candidate go that is none any more.
    pub(super) fn leave_search(&mut self, id: StreamId) {
        let of = self.streams.get(&id).and_then(|stream| stream.follows);
        self.forget(id);
        let search = of.and_then(|of| self.searches.get_mut(&of).map(|search| (of, search)));
        if let Some((of, search)) = search {
            (search.candidates).retain(|candidate| candidate.stream != id);
            self.go_on_searching(of);
        }
    }

    /// Ends a search, whatever it holds.
    pub(super) fn give_back(&mut self, id: StreamId) {
        if let Some(search) = self.searches.remove(&id) {
            for candidate in search.candidates {
                self.forget(candidate.stream);
            }
        }
    }

    /// Whether a search must wait for another one that may be after the same files.
    /// What comes later in the order gives up what it holds, and searches again.
    pub(super) fn must_wait(&mut self, id: StreamId, kin: &[Entry]) -> bool {
        let Some(stream) = self.streams.get(&id) else {
            return false;
        };
        let own = stream.place_in_order();
        let log = stream.name.clone();
        let is_awaited = |other: &Stream| {
            let is_asked = other.kin == Kin::Unasked && !other.seek_failed;
            other.is_ghost() && is_asked && !self.postponed.contains(&other.id)
        };
        let mut others: Vec<StreamId> = self.streams.lost_from(&log);
        others.retain(|other| self.streams.get(other).is_some_and(is_awaited));
        let holders = kin.iter().filter_map(|entry| {
            let holder = self.by_place.get(&entry.facts.place)?;
            let holder = self.streams.get(holder)?;
            // One whose archives take long is not waited for.
            let is_held = holder.is_held && holder.packing.is_none();
            holder.follows.filter(|_| is_held)
        });
        others.extend(holders);
        let place = |other: &StreamId| self.streams.get(other).map(Stream::place_in_order);
        let (later, earlier): (Vec<StreamId>, Vec<StreamId>) = (others.into_iter())
            .filter(|other| *other != id)
            .partition(|other| place(other).is_some_and(|place| own < place));
        for other in later {
            if self.searches.contains_key(&other)
                && let Some(stream) = self.streams.get_mut(&other)
            {
                stream.kin = Kin::Unasked;
                if stream.naming == Naming::Rotated {
                    stream.naming = Naming::Sought;
                }
                self.postponed.insert(other);
                self.give_back(other);
            }
        }
        if !earlier.is_empty() {
            self.postponed.insert(id);
        }
        !earlier.is_empty()
    }

    /// A search is over: those that were put off can be made.
    pub(super) fn search_what_waited(&mut self) {
        for id in std::mem::take(&mut self.postponed) {
            let order = self.streams.get_mut(&id).map(Stream::seek);
            self.orders.extend(order);
        }
    }

    /// After a read of an archive: it is read on, or finished for ever.
    pub(super) fn go_on_unpacking(&mut self, id: StreamId, at_end: bool) {
        self.recovered(id);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let is_over = at_end && stream.unfinished.as_ref().is_none_or(|line| line.taken);
        if is_over {
            return self.forget(id);
        }
        if !at_end {
            // What ends with the region goes on behind it.
            stream.unfinished = None;
        }
        self.wake(id);
    }

    /// Whether an archive may have its turn, and no other has.
    pub(super) fn may_unpack(&mut self, id: StreamId) -> bool {
        let other = self.unpacking.and_then(|other| self.streams.get(&other));
        // One that is tried again later is not waited for.
        if other.is_some_and(|other| other.id != id && other.unread.is_none()) {
            return false;
        }
        let is_waiting = |stream: &Stream| !stream.is_held && self.waits_for_older(stream);
        if !self.streams.get(&id).is_some_and(is_waiting) {
            self.unpacking = Some(id);
        }
        true
    }

    /// Whether an older generation is to be read first: the one before it, or one
    /// before that.
    pub(super) fn waits_for_older(&self, stream: &Stream) -> bool {
        let mut older = stream.follows.and_then(|older| self.streams.get(&older));
        for _ in 0..=KIN_MAX {
            let Some(stream) = older else {
                return false;
            };
            if stream.is_memory && stream.kin == Kin::Unasked && !stream.seek_failed {
                return true;
            }
            let is_behind = stream.packing.is_some() || stream.is_held || !stream.is_read();
            if is_behind && stream.unread.is_none() && !stream.is_memory {
                return true;
            }
            older = stream.follows.and_then(|older| self.streams.get(&older));
        }
        false
    }
}

impl Stream {
    /// Notes that an archive cannot be read for now. Returns whether it is to be
    /// tried again.
    pub(super) fn tries_again(&mut self, now: Moment) -> bool {
        let path = self.name.clone();
        let unread = self.unread.get_or_insert_with(|| {
            Box::new(Unread {
                path,
                n_faults: 0,
                retry: None,
                counts: false,
            })
        });
        // A hint may have hurried it: while an archive is being made there are many.
        if unread.retry.is_none_or(|retry| retry <= now) {
            let wait = Duration::from_secs(1 << unread.n_faults.min(4));
            unread.n_faults += 1;
            unread.retry = Some(now.after(wait));
        }
        unread.n_faults < TRIES_MAX
    }
}

#[cfg(test)]
mod tests;
