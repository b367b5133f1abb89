//! Whether a new file is what became of an old one.

use std::path::Path;

use super::{Look, Schedule};
use crate::engine::identity::{self, Facts, Identity, Mark, Place, Verdict};
use crate::engine::ids::StreamId;
use crate::engine::kinship;
use crate::engine::stream::{GROWING, Kin, Naming, Phase, Stream};
use crate::engine::time::Moment;

/// Contents of a file that are remembered although they were written anew, until their
/// copies are known.
const GHOSTS_MAX: usize = 8;

/// Whether a file may be the continuation of the one that had its name before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heirship {
    /// It is itself.
    Own,
    /// The other is gone: it may have been copied from there.
    Of(StreamId),
    /// It is not known yet where the other went.
    Unsettled,
}

impl Schedule {
    /// It is known what became of a file: those that may continue it can go on.
    pub(super) fn wake_heirs(&mut self, id: StreamId) {
        for heir in self.streams.heirs_of(id) {
            self.wake(heir);
        }
    }

    /// Whether a file may be the continuation of the one that had its name before.
    pub(super) fn heirship(&self, id: StreamId) -> Heirship {
        let heir_of = |id: &StreamId| self.streams.get(id).and_then(|stream| stream.heir_of);
        let Some(mut old) = heir_of(&id).and_then(|old| self.streams.get(&old)) else {
            return Heirship::Own;
        };
        if self.streams.get(&id).is_some_and(|stream| stream.is_copy) {
            return Heirship::Of(old.id);
        }
        // What came in between and is gone, with nothing read of it, was itself only
        // what another left.
        while old.is_fresh()
            && let Some(older) = old.heir_of.and_then(|older| self.streams.get(&older))
        {
            if !old.is_memory {
                return Heirship::Unsettled;
            }
            old = older;
        }
        if old.kin == Kin::Asked {
            return Heirship::Unsettled;
        }
        match old.naming {
            Naming::Sought => Heirship::Unsettled,
            // Its number may have gone to another file meanwhile.
            Naming::Rotated if !old.confirmed => Heirship::Unsettled,
            Naming::Nameless => Heirship::Of(old.id),
            Naming::Here | Naming::Rotated => Heirship::Own,
        }
    }

    /// Whether what was found at a file's name may only have its number: no name is
    /// known to lead to it, and nothing that was read of it could tell.
    pub(super) fn is_unproven(&self, id: StreamId, named: Option<Place>) -> bool {
        self.streams.get(&id).is_some_and(|stream| {
            stream.naming == Naming::Nameless && stream.is_fresh() && named == Some(stream.place())
        })
    }

    /// If this file was looked at as the heir of another, decides whether it goes
    /// on where the other was left. Returns whether it was such a look.
    pub(super) fn inherit(
        &mut self,
        now: Moment,
        id: StreamId,
        facts: &Facts,
        hashes: &[Option<u64>],
    ) -> bool {
        let heirship = self.heirship(id);
        let Some(stream) = self.streams.get_mut(&id) else {
            return false;
        };
        let Some(heir_of) = stream.heir_of.take() else {
            return false;
        };
        let Some(asked) = stream.asked.take() else {
            return false;
        };
        let is_asked =
            |old: &&Stream| heirship == Heirship::Of(old.id) && *old.evidence() == *asked.marks;
        let Some(old) = self.streams.get(&asked.of).filter(is_asked) else {
            // The other was read on meanwhile, or let go, or this is the heir of yet another by
            // now: the evidence is of yesterday.
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.heir_of = Some(heir_of);
            }
            self.wake(id);
            return true;
        };
        let old_id = old.id;
        let is_copy = self.streams.get(&id).is_some_and(|stream| stream.is_copy);
        if is_copy {
            self.take_copy(now, id, old_id, facts, hashes);
            return true;
        }
        let has_moved = old.has_moved_to(facts, hashes);
        self.dirty.insert(id);
        let may_have_more = old.may_have_more();
        if has_moved {
            let is_busy = matches!(old.phase, Phase::Reading | Phase::Looking);
            let is_over = !is_busy && !may_have_more;
            let waited_for = (old.heir_of, old.is_copy);
            let inherited = old.record();
            if let Some(stream) = self.streams.get_mut(&id) {
                (stream.heir_of, stream.is_copy) = match is_over {
                    // What the other waited for itself, this one waits for now.
                    true => waited_for,
                    // A read of the other is under way, or to come: its outcome is part of
                    // what is inherited.
                    false => (Some(heir_of), false),
                };
                if !is_busy {
                    // If the other has more in the end, this is what both have.
                    stream.succeed(inherited);
                }
            }
            if !is_busy {
                self.hold_against_kin_again(id);
            }
            if is_over {
                self.forget(old_id);
                self.dirty.insert(id);
            }
        }
        if has_moved && may_have_more {
            // It is woken when the other is read.
            self.wake(old_id);
            return true;
        }
        self.wake(id);
        self.wake(old_id);
        self.wake(heir_of);
        // Those who wait for this one can go on.
        self.wake_heirs(id);
        true
    }

    /// Decides whether a file is a copy of another: then what was read of that is read
    /// of this as well.
    fn take_copy(
        &mut self,
        now: Moment,
        id: StreamId,
        of: StreamId,
        facts: &Facts,
        hashes: &[Option<u64>],
    ) {
        let (Some(old), Some(stream)) = (self.streams.get(&of), self.streams.get(&id)) else {
            return;
        };
        let is_same = old.stands_in(facts, hashes);
        let may_become = identity::may_become(&old.identity, old.offset, facts, hashes);
        let has_grown = stream.grows.is_none_or(|(size, _)| size < facts.size);
        let has_stopped = (stream.grows).is_some_and(|(_, since)| since.after(GROWING) <= now);
        let is_proven = old.identity.head.iter().any(|mark| mark.end <= facts.size);
        let record = old.record();
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if !is_same && may_become && (has_grown || !has_stopped) {
            let since = match (has_grown, stream.grows) {
                (false, Some((_, since))) => since,
                (true | false, _) => now,
            };
            stream.grows = Some((facts.size, since));
            stream.heir_of = Some(of);
            return;
        }
        stream.grows = None;
        stream.is_copy = false;
        if is_same || (may_become && is_proven) {
            stream.succeed(record);
            // A copy that ended early holds nothing that was not read.
            stream.offset = stream.offset.min(facts.size);
            stream.identity.cut(facts.size);
        }
        self.dirty.insert(id);
        self.wake(id);
        self.wake(of);
    }

    /// The file that a new one may be a copy of, by its name: a log that is followed,
    /// or what was known of it before it was cut short. If the new one is known to have come
    /// after another, so did what it may be a copy of.
    pub(super) fn original_of(&mut self, path: &Path, after: Option<StreamId>) -> Option<StreamId> {
        let after = after.and_then(|after| self.streams.get(&after));
        let after = after.map(Stream::age);
        for log in kinship::logs_of(path) {
            let ghosts = self.streams.lost_from(&log);
            let is_ghost = |id: &StreamId| {
                let ghost = self
                    .streams
                    .get(id)
                    .filter(|ghost| Some(ghost.age()) > after);
                ghost.is_some_and(|ghost| ghost.is_memory && ghost.was_read())
            };
            if let Some(ghost) = ghosts.into_iter().rfind(is_ghost) {
                return Some(ghost);
            }
            let holder = self.by_path.get(&*log).and_then(|id| self.streams.get(id));
            let holder = holder.filter(|log| log.naming == Naming::Here && log.was_read());
            if let Some(holder) = holder {
                return Some(holder.id);
            }
        }
        None
    }

    /// The file that may have been copied over a rotated one, which was written anew.
    pub(super) fn original_of_rewritten(&mut self, id: StreamId) -> Option<StreamId> {
        let stream = self.streams.get(&id)?;
        if !stream.was_rotated() {
            return None;
        }
        if stream.copy_of.is_some() {
            return stream.copy_of;
        }
        let (name, age, place) = (stream.name.clone(), stream.age(), stream.place());
        let lost = self.streams.lost_from(&name);
        // What it held itself before was not copied over it.
        let may_be_it = |other: &&Stream| other.was_read() && other.place() != place;
        let read = |other: &StreamId| self.streams.get(other).filter(may_be_it);
        // That the log was cut may not be known yet, and it may have lost its name since.
        let log = self.by_path.get(&name).and_then(read);
        let log = log.filter(|log| log.naming == Naming::Here);
        let is_gone = |old: &Stream| old.is_memory || old.is_not_seen_yet();
        let is_unseen = |old: &&Stream| is_gone(old) && old.age() > age;
        let mut last = lost.iter().rev().filter_map(read);
        let last = last.find(|old| old.is_ghost() || is_unseen(old));
        log.or(last).map(|original| original.id)
    }

    /// A log was cut: it may have been copied over its rotated files before.
    fn suspect_copies(&mut self, name: &Path, log: StreamId, ghost: StreamId) {
        let rotated = self.streams.lost_from(name);
        for id in rotated.into_iter().filter(|id| *id != log) {
            let Some(stream) = self.streams.get_mut(&id) else {
                continue;
            };
            if stream.was_rotated() && !stream.is_held && stream.packing.is_none() {
                let before = stream.copy_of.replace(ghost);
                self.wake(id);
                before.into_iter().for_each(|before| self.wake(before));
            }
        }
    }

    /// A rotated file of an earlier life was written anew there, and nothing was read of that:
    /// it may be a copy of its log. (One that lost its name in this life is none of those.)
    pub(super) fn suspect_copy(&mut self, id: StreamId) {
        let is_anew = |stream: &Stream| {
            stream.lost_after == 0 && stream.is_fresh() && stream.generation != stream.id
        };
        if self.streams.get(&id).is_some_and(is_anew) {
            let original = self.original_of_rewritten(id);
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.copy_of = original;
            }
        }
    }

    /// A rotated file is still itself: nothing was copied over what was read of it. Of
    /// one of which nothing was read, only its bytes can tell.
    pub(super) fn is_to_be_held_against_its_log(&mut self, id: StreamId) -> bool {
        let Some(stream) = self.streams.get(&id) else {
            return false;
        };
        let Some(ghost) = stream.copy_of else {
            return false;
        };
        if stream.is_fresh() || stream.again {
            // Or the look had begun before anything was suspected.
            return true;
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.copy_of = None;
        }
        self.wake(ghost);
        false
    }

    /// Keeps what is known of a file whose content is written anew: a copy of it may
    /// hold what was not read, and a copy must not be read again.
    pub(super) fn remember(&mut self, id: StreamId) {
        let ghost = self.next_stream_id();
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        if stream.evidence().is_empty() {
            return;
        }
        let (name, path) = (stream.name.clone(), stream.path.clone());
        let was_log = stream.naming == Naming::Here || stream.is_not_seen_yet();
        let mut remembered = stream.ghost(ghost);
        remembered.lost_after = self.n_listings;
        self.keep_few_ghosts(&remembered.name);
        // The file and what it was before go to disk together.
        self.dirty.insert(ghost);
        self.await_copies(remembered, Some(id));
        for heir in self.streams.heirs_of(id) {
            let Some(heir) = self.streams.get_mut(&heir) else {
                continue;
            };
            if heir.is_copy {
                heir.heir_of = Some(ghost);
            }
            heir.copy_of = heir.copy_of.map(|_| ghost);
        }
        if was_log {
            self.suspect_copies(&name, id, ghost);
        }
        let directory = path.parent().unwrap_or(&path);
        self.want(directory);
    }

    /// Asks where copies of a ghost lie. First it must be known which files were there
    /// by now, before the file itself is read on: in a later one may stand what is read
    /// from now on.
    fn await_copies(&mut self, mut ghost: Stream, of: Option<StreamId>) {
        if let Some(stream) = of.and_then(|of| self.streams.get_mut(&of)) {
            stream.follows = Some(ghost.id);
        }
        self.orders.push_back(ghost.seek());
        self.streams.insert(ghost);
    }

    /// Goes on with what is known of a file whose content was written anew in an earlier
    /// life.
    pub(super) fn take_up_ghost(&mut self, ghost: Stream) {
        // Its number is higher than that of the file: that one is known by now.
        let of = self.by_place.get(&ghost.place()).copied();
        self.await_copies(ghost, of);
    }

    /// Where copies cannot be looked for, the oldest ghosts of a name go.
    fn keep_few_ghosts(&mut self, name: &Path) {
        let mut ghosts = self.streams.lost_from(name);
        ghosts.retain(|id| self.streams.get(id).is_some_and(Stream::is_ghost));
        let n_over = (ghosts.len() + 1).saturating_sub(GHOSTS_MAX);
        for id in ghosts.into_iter().take(n_over) {
            self.forget(id);
        }
    }

    /// The file that stood at a name before: the one that is thought to stand there
    /// still, or the last one that lost it since it was listed.
    pub(super) fn predecessor(&mut self, path: &Path) -> Option<StreamId> {
        let holder = self.by_path.get(path).and_then(|id| self.streams.get(id));
        // One that was only found there has another name.
        if let Some(holder) = holder.filter(|stream| *stream.name == *path) {
            return Some(holder.id);
        }
        let lost = self.streams.lost_from(path);
        let lost = lost.iter().filter_map(|id| self.streams.get(id));
        let last = lost.filter(|stream| !stream.looked_for);
        last.max_by_key(|stream| stream.age())
            .map(|stream| stream.id)
    }

    /// What stood at a name when a listing was ordered. If a look has shown since that the file
    /// there is another, of which nothing was read yet, that was what is remembered of it.
    pub(super) fn as_of(&self, listing: u64, id: StreamId) -> StreamId {
        let is_later = |stream: &&Stream| stream.is_fresh() && listing <= stream.changed_after;
        let later = self.streams.get(&id).filter(is_later);
        let before = later.and_then(|stream| self.streams.get(&stream.follows?));
        let ghost = before.filter(|before| before.is_ghost());
        ghost.map_or(id, |ghost| ghost.id)
    }

    /// Whether a file waits to be told whether it is the continuation of this one.
    fn has_heir(&mut self, id: StreamId) -> bool {
        !self.streams.heirs_of(id).is_empty()
    }

    /// Whether another file may turn out to be the continuation of this one: it
    /// took its place, or it is not known yet what did. Or this one was copied over it.
    pub(super) fn may_be_continued(&mut self, id: StreamId) -> bool {
        let is_settled = |stream: &Stream| stream.looked_for && stream.kin == Kin::Known;
        let is_settled = self.streams.get(&id).is_none_or(is_settled);
        self.has_heir(id) || !is_settled || self.may_be_copied(id)
    }

    /// Whether nobody has looked yet at a rotated file that is older than this one.
    fn may_be_copied(&mut self, id: StreamId) -> bool {
        let Some(stream) = self.streams.get(&id).filter(|stream| stream.was_read()) else {
            return false;
        };
        let (name, age) = (stream.name.clone(), stream.age());
        let older = self.streams.lost_from(&name).into_iter();
        let mut older = older.filter_map(|older| self.streams.get(&older));
        older.any(|older| {
            let is_plain = older.packing.is_none() && !older.is_held;
            is_plain && older.age() < age && older.was_rotated() && older.is_not_seen_yet()
        })
    }

    /// A rotated file was looked at where it went: what is only kept because it may have
    /// been copied over that can go.
    pub(super) fn wake_copied(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(&id).filter(|stream| stream.was_rotated()) else {
            return;
        };
        let name = stream.name.clone();
        for lost in self.streams.lost_from(&name) {
            let is_memory = self.streams.get(&lost).is_some_and(|lost| lost.is_memory);
            if is_memory && !self.has_heir(lost) {
                self.wake(lost);
            }
        }
    }
}

impl Stream {
    /// The marks that an heir is held against: those of its identity, and of the line or
    /// record that was taken as it stood.
    pub(super) fn evidence(&self) -> Vec<Mark> {
        let mut marks = self.identity.probes();
        marks.extend(self.taken.as_ref().and_then(|taken| taken.mark));
        marks
    }

    /// The hashes of those, of a look at the file itself: between them stand heads that
    /// are not remembered yet.
    pub(super) fn hashes_of_evidence(&self, look: &Look) -> Vec<Option<u64>> {
        let n_probes = self.identity.probes().len().min(look.hashes.len());
        let mut hashes = look.hashes[..n_probes].to_vec();
        if self
            .taken
            .as_ref()
            .is_some_and(|taken| taken.mark.is_some())
        {
            hashes.extend(look.hashes.last());
        }
        hashes
    }

    /// Whether another file has its content, with the hashes of [`Self::evidence`]: what
    /// it was read up to, or what was taken behind that as it stood. That may be all that
    /// there is of a file.
    pub(super) fn has_moved_to(&self, facts: &Facts, hashes: &[Option<u64>]) -> bool {
        self.is_known_by(|known, upto| {
            identity::judge((known, upto), true, facts, hashes) == Verdict::Moved
        })
    }

    /// Whether a file that its name makes a copy of it begins with its content.
    pub(super) fn stands_in(&self, facts: &Facts, hashes: &[Option<u64>]) -> bool {
        self.is_known_by(|known, upto| identity::holds(known, upto, facts, hashes))
    }

    /// Where what was taken is gone from a file, its end was cut, and it was written on:
    /// then so begins what was read since as well, and copies of that.
    fn is_known_by(&self, is_proof: impl Fn(&Identity, u64) -> bool) -> bool {
        let with_taken = self
            .taken
            .as_ref()
            .and_then(|taken| taken.mark)
            .map(|mark| {
                let mut known = self.identity.clone();
                known.marks = [&*known.marks, &[mark]].concat().into();
                (known, mark.end)
            });
        match &with_taken {
            Some((known, upto)) if self.is_ghost() => is_proof(known, *upto),
            Some((known, upto)) => is_proof(&self.identity, self.offset) || is_proof(known, *upto),
            None => is_proof(&self.identity, self.offset),
        }
    }

    /// Whether something of it may be left to be read through the open descriptor, which
    /// alone leads to it: what has its name now may lack that.
    fn may_have_more(&self) -> bool {
        let is_open = self.naming == Naming::Nameless && !self.is_memory;
        // Nobody knows yet whether the other has what stands unfinished at its end.
        let waits = self.unfinished.as_ref().is_some_and(|line| !line.taken);
        is_open && self.unread.is_none() && !(self.confirmed && self.is_read() && !waits)
    }

    /// Whether it has another name than its log, as far as is known.
    fn was_rotated(&self) -> bool {
        matches!(self.naming, Naming::Rotated | Naming::Sought)
    }

    /// Whether nobody has looked at it where it went: it may have been cut before that.
    fn is_not_seen_yet(&self) -> bool {
        match self.naming {
            Naming::Sought => true,
            Naming::Rotated | Naming::Nameless => !self.confirmed,
            Naming::Here => false,
        }
    }

    /// Whether anything of it was searched.
    pub(super) fn was_read(&self) -> bool {
        self.offset > 0 || self.taken.is_some()
    }
}
