//! Which files may be what came after one that lost its name.

use super::{Candidate, KIN_MAX, Newer, TIME_NANOS};
use crate::engine::ids::StreamId;
use crate::engine::kinship::{self, Packing, Rank};
use crate::engine::schedule::{Entry, Schedule};
use crate::engine::stream::{Kin, Naming, Stream};

impl Schedule {
    /// The files that may be newer generations of a log, newest first, as streams
    /// that are held until it is known what they are.
    pub(super) fn candidates(
        &mut self,
        id: StreamId,
        kin: &[Entry],
        newer: Newer,
    ) -> Vec<Candidate> {
        let Some(lost) = self.streams.get(&id) else {
            return Vec::new();
        };
        let (log, modified, anchor) = (lost.name.clone(), lost.modified, lost.rank());
        let (following, order) = (lost.following.clone(), lost.order);
        // Names alone tell little: some writers give the newest the highest number.
        // What was written before an older generation was is none that is missing.
        let own = lost.age();
        let others = self.streams.lost_from(&log);
        let others = others.iter().filter_map(|other| self.streams.get(other));
        let since = (others.filter(|other| other.age() < own))
            // That one is the same file, written anew since.
            .filter(|older| older.follows != Some(id))
            .map(|older| older.modified)
            .chain([modified])
            .max()
            .filter(|since| *since > 0);
        let Some(since) = since else {
            return Vec::new();
        };
        let mut found: Vec<(Rank, &Entry)> = Vec::new();
        for entry in kin {
            let Some(rank) = kinship::rank(&log, &entry.path) else {
                continue;
            };
            let order = anchor
                .as_ref()
                .and_then(|anchor| rank.is_newer_than(anchor));
            let slack = Packing::of(&entry.path).map_or(0, |_| TIME_NANOS);
            let is_newer = order != Some(false) && entry.facts.modified + slack >= since;
            let is_followed = !self.rules_of(&entry.path).is_empty();
            let is_known =
                self.is_known(entry, newer) || self.excluded_places.contains(&entry.facts.place);
            // What is being compressed is there twice.
            let is_twin = Packing::of(&entry.path).is_some()
                && kin.iter().any(|other| {
                    Packing::of(&other.path).is_none()
                        && kinship::rank(&log, &other.path).as_ref() == Some(&rank)
                });
            if is_newer
                && !is_known
                && !is_twin
                && (!is_followed || Packing::of(&entry.path).is_some())
            {
                // One that went to another of these names meanwhile is where it was seen last.
                found.retain(|(_, other)| other.facts.place != entry.facts.place);
                found.push((rank, entry));
            }
        }
        found.sort_by(|(one, a), (other, b)| {
            let by_time = || b.facts.modified.cmp(&a.facts.modified);
            match one.is_newer_than(other) {
                Some(true) => std::cmp::Ordering::Less,
                Some(false) if one != other => std::cmp::Ordering::Greater,
                Some(false) | None => by_time(),
            }
        });
        found.truncate(KIN_MAX);
        let mut candidates = Vec::new();
        // The older has the lower number, as where each was met at its name.
        for (_, entry) in found.into_iter().rev() {
            let held = self.next_stream_id();
            let path = entry.path.clone();
            let mut stream = Stream::new(held, path, &entry.facts, following.clone());
            stream.name = log.clone();
            stream.naming = Naming::Rotated;
            stream.packing = Packing::of(&entry.path);
            stream.confirmed = true;
            stream.looked_for = true;
            stream.kin = Kin::Known;
            stream.is_succeeded = true;
            stream.is_held = true;
            stream.changed_after = self.n_listings;
            stream.follows = Some(id);
            stream.order = order;
            if stream.packing.is_none() {
                stream.size = entry.facts.size;
            }
            self.add(stream);
            candidates.push(Candidate {
                stream: held,
                modified: entry.facts.modified,
                verdict: None,
            });
        }
        candidates.reverse();
        candidates
    }

    /// Whether a listed file is followed already. One that has no name, and was not looked
    /// at since that is known, may be gone and its number with this file: where only the
    /// same content counts, that is asked.
    fn is_known(&self, entry: &Entry, newer: Newer) -> bool {
        let holder = self.by_place.get(&entry.facts.place);
        let holder = holder.and_then(|id| self.streams.get(id));
        holder.is_some_and(|stream| {
            let may_be_gone = stream.naming == Naming::Nameless && !stream.confirmed;
            let is_asked = may_be_gone && newer == Newer::Never;
            !is_asked && !stream.identity.has_other_birth_than(&entry.facts)
        })
    }
}
