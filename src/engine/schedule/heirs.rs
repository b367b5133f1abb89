//! Whether a new file is what became of an old one.

use std::path::Path;

use super::Schedule;
use crate::engine::identity::{self, Facts, Place, Verdict};
use crate::engine::ids::StreamId;
use crate::engine::stream::{Naming, Phase};

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
    pub(super) fn inherit(&mut self, id: StreamId, facts: &Facts, hashes: &[Option<u64>]) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else {
            return false;
        };
        let Some(heir_of) = stream.heir_of.take() else {
            return false;
        };
        let asked = std::mem::take(&mut stream.asked);
        let Some(old) = stream.asked_of.and_then(|old| self.streams.get(&old)) else {
            return false;
        };
        if old.identity.probes() != asked {
            // The other was read on meanwhile: the evidence is of yesterday.
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.heir_of = Some(heir_of);
            }
            self.wake(id);
            return true;
        }
        let old_id = old.id;
        let verdict = identity::judge(&old.identity, old.offset, facts, hashes);
        self.dirty.insert(id);
        if verdict == Verdict::Moved {
            let is_busy = matches!(old.phase, Phase::Reading | Phase::Looking);
            let inherited = old.record();
            if let Some(stream) = self.streams.get_mut(&id) {
                match is_busy {
                    // A read of the other is under way: its outcome is part of
                    // what is inherited.
                    true => stream.heir_of = Some(heir_of),
                    false => stream.succeed(inherited),
                }
            }
            if !is_busy {
                self.forget(old_id);
                self.dirty.insert(id);
            }
        }
        self.wake(id);
        self.wake(old_id);
        self.wake(heir_of);
        // Those who wait for this one can go on.
        self.wake_heirs(id);
        true
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
        let is_looked_for =
            |id: &StreamId| (self.streams.get(id)).is_some_and(|stream| stream.looked_for);
        lost.into_iter().rfind(|id| !is_looked_for(id))
    }

    /// Whether a file waits to be told whether it is the continuation of this one.
    fn has_heir(&mut self, id: StreamId) -> bool {
        !self.streams.heirs_of(id).is_empty()
    }

    /// Whether another file may turn out to be the continuation of this one: it
    /// took its place, or it is not known yet what did.
    pub(super) fn may_be_continued(&mut self, id: StreamId) -> bool {
        let is_looked_for = (self.streams.get(&id)).is_none_or(|stream| stream.looked_for);
        self.has_heir(id) || !is_looked_for
    }
}
