//! Which name leads to which file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Entry, Fault, Listing, Notice, Schedule, Scope, Turn};
use crate::engine::identity::{Facts, Place};
use crate::engine::ids::StreamId;
use crate::engine::stream::{Naming, Stream};
use crate::engine::time::Moment;

impl Schedule {
    /// Takes a listing.
    pub fn listed(&mut self, now: Moment, listing: Listing) {
        let Some(ordered) = self.listing.take() else {
            return;
        };
        let scope = ordered.scope;
        self.note_faults(now, &scope, &listing.faults);
        let mut seen: BTreeMap<&Path, Place> = BTreeMap::new();
        for entry in &listing.entries {
            seen.insert(&entry.path, entry.facts.place);
        }
        let excluded = std::mem::take(&mut self.excluded);
        for entry in &listing.entries {
            let is_own = excluded.iter().any(|dir| entry.path.starts_with(dir))
                || self.excluded_places.contains(&entry.facts.place);
            if !is_own {
                self.meet_entry(entry, &seen, ordered.number);
            }
        }
        self.excluded = excluded;
        let missing: Vec<StreamId> = self
            .streams
            .values()
            .filter(|stream| stream.naming == Naming::Here && in_scope(&scope, &stream.path))
            .filter(|stream| seen.get(stream.path.as_path()) != Some(&stream.place()))
            .filter(|stream| {
                !(listing.faults.iter()).any(|(directory, _)| stream.path.starts_with(directory))
            })
            .map(|stream| stream.id)
            .collect();
        for id in missing {
            self.lose_name(id);
        }
        self.look_for_lost(&scope, ordered.number, &listing.faults);
        // One that was ordered for other rules does not know all patterns.
        let is_current = ordered.epoch == self.epoch;
        if is_current {
            self.know_globs(&scope, &listing.faults);
        }
        if scope == Scope::All {
            if is_current {
                self.settle();
            }
            if listing.faults.is_empty() {
                self.note_missing(now);
            }
            let rotated: Vec<StreamId> = self
                .streams
                .values()
                .filter(|stream| stream.naming != Naming::Here)
                .map(|stream| stream.id)
                .collect();
            for id in rotated {
                self.seek_again(id);
                self.wake(id);
            }
        }
    }

    /// Everything was listed: the first time, all files from an earlier life are
    /// looked at, whether they have a name in the patterns or not.
    fn settle(&mut self) {
        self.from_the_end = false;
        if self.listed_for.replace(self.epoch).is_none() {
            let ids: Vec<StreamId> = self.streams.keys().copied().collect();
            for id in ids {
                self.wake(id);
            }
            let lost = self
                .streams
                .values()
                .filter(|stream| stream.naming != Naming::Here);
            let lost: BTreeSet<PathBuf> = lost.map(|stream| stream.name.clone()).collect();
            for name in lost {
                self.miss(&name);
            }
        }
    }

    /// What took the place of files that lost their names before this listing was
    /// ordered is known now.
    fn look_for_lost(&mut self, scope: &Scope, number: u64, faults: &[(PathBuf, String)]) {
        let mut found = Vec::new();
        for stream in self.streams.values_mut() {
            let name = stream.name.as_path();
            let is_hidden = faults.iter().any(|(path, _)| name.starts_with(path));
            let is_lost = stream.naming != Naming::Here && stream.lost_after < number;
            if is_lost && !stream.looked_for && in_scope(scope, name) && !is_hidden {
                stream.looked_for = true;
                found.push(stream.id);
            }
        }
        for id in found {
            self.wake(id);
        }
    }

    /// Asks once more where a file went, if nobody could tell.
    fn seek_again(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if std::mem::take(&mut stream.seek_failed) {
            self.orders.push_back(Turn::Seek {
                stream: id,
                path: stream.path.clone(),
                real: stream.real.clone(),
                place: stream.place(),
            });
        }
    }

    /// Takes where a file went.
    pub fn found(&mut self, id: StreamId, found: Result<Option<PathBuf>, Fault>) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.naming != Naming::Sought {
            return;
        }
        match found {
            Ok(Some(path)) => {
                stream.naming = Naming::Rotated;
                stream.confirmed = false;
                let old = std::mem::replace(&mut stream.path, path.clone());
                self.unname(&old, id);
                let holder = self.by_path.get(&path).and_then(|id| self.streams.get(id));
                if holder.is_none_or(|holder| holder.naming != Naming::Here) {
                    self.by_path.insert(path, id);
                }
            }
            Ok(None) => stream.naming = Naming::Nameless,
            // The directory cannot be listed: ask again with the next listing.
            Err(_) => {
                stream.seek_failed = true;
                return;
            }
        }
        self.dirty.insert(id);
        self.wake(id);
        self.wake_heirs(id);
    }

    /// The same file, other content behind `from`: a new generation that begins
    /// there. The file stays open, for no name may lead to it.
    pub(super) fn begin_anew(&mut self, id: StreamId, facts: &Facts, from: u64) {
        let generation = self.next_stream_id();
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.changed_after = self.n_listings;
            stream.begin_anew(generation, facts, from);
        }
        self.dirty.insert(id);
        self.wake(id);
    }

    /// Lets a file go.
    pub(super) fn forget(&mut self, id: StreamId) {
        let Some(stream) = self.streams.remove(&id) else {
            return;
        };
        if let Some(unread) = &stream.unread
            && self.ends_trouble(&unread.path)
        {
            let (path, n_lost) = (unread.path.clone(), stream.n_behind());
            self.notices.push(Notice::Lost { path, n_lost });
        }
        if self.by_place.get(&stream.place()) == Some(&id) {
            self.by_place.remove(&stream.place());
        }
        self.unname(&stream.path, id);
        if let Some(real) = &stream.real
            && self.by_real.get(real) == Some(&id)
        {
            self.by_real.remove(real);
        }
        if let Some(kept) = self.rotated.get_mut(&stream.name) {
            kept.remove(&id);
            if kept.is_empty() {
                self.rotated.remove(&stream.name);
            }
        }
        self.dirty.insert(id);
        self.orders.push_back(Turn::Close(id));
    }

    /// Another file was listed at the stream's name. One that is known to have no
    /// name may still be open: only a look can tell.
    fn displace(&mut self, id: StreamId) {
        let naming = self.streams.get(&id).map(|stream| stream.naming);
        match naming {
            Some(Naming::Here | Naming::Rotated) => self.lose_name(id),
            Some(Naming::Sought | Naming::Nameless) | None => {}
        }
    }

    /// Another file stands at the stream's name, or none: asks where it went.
    pub(super) fn lose_name(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        match stream.naming {
            Naming::Here => {
                stream.naming = Naming::Sought;
                stream.lost_after = self.n_listings;
                stream.looked_for = false;
                // What takes its place goes to disk as well: together.
                self.dirty.insert(id);
                self.orders.push_back(Turn::Seek {
                    stream: id,
                    path: stream.path.clone(),
                    real: stream.real.clone(),
                    place: stream.place(),
                });
                let path = stream.path.clone();
                self.want_around(&path);
                self.miss(&path);
            }
            // Its new name went as well.
            Naming::Rotated => {
                stream.naming = Naming::Sought;
                self.orders.push_back(Turn::Seek {
                    stream: id,
                    path: stream.path.clone(),
                    real: None,
                    place: stream.place(),
                });
            }
            Naming::Sought => {}
            Naming::Nameless => {
                // Neither a name nor an open descriptor leads to it.
                let (path, n_lost) = (stream.name.clone(), stream.n_behind());
                let is_told = n_lost == 0 || stream.unread.is_some();
                if self.may_be_continued(id) {
                    // What it was read up to is needed still.
                    self.streams
                        .entry(id)
                        .and_modify(|stream| stream.is_memory = true);
                    return self.wake_heirs(id);
                }
                if !is_told {
                    self.notices.push(Notice::Lost { path, n_lost });
                }
                self.forget(id);
            }
        }
    }

    /// The stream that a name leads to.
    pub(super) fn named(&self, path: &Path) -> Option<StreamId> {
        self.by_path
            .get(path)
            .or_else(|| self.by_real.get(path))
            .copied()
    }

    /// Asks for a listing of the directory that a name stands in.
    pub(super) fn want_around(&mut self, path: &Path) {
        let directory = path.parent().unwrap_or(path);
        self.wanted.insert(Scope::Below(directory.to_owned()));
    }

    fn next_stream_id(&mut self) -> StreamId {
        let id = StreamId(self.next_id);
        self.next_id += 1;
        id
    }

    fn add(&mut self, stream: Stream) {
        let id = stream.id;
        self.by_place.insert(stream.place(), id);
        self.by_path.insert(stream.path.clone(), id);
        if let Some(real) = &stream.real {
            self.by_real.insert(real.clone(), id);
        }
        self.streams.insert(id, stream);
        self.dirty.insert(id);
    }

    fn unname(&mut self, path: &Path, id: StreamId) {
        if self.by_path.get(path) == Some(&id) {
            self.by_path.remove(path);
        }
    }

    /// Holds one listed file against what is known.
    fn meet_entry(&mut self, entry: &Entry, seen: &BTreeMap<&Path, Place>, number: u64) {
        let place = entry.facts.place;
        if let Some(&id) = self.by_place.get(&place)
            && let Some(stream) = self.streams.get(&id)
        {
            if !stream.identity.has_other_birth_than(&entry.facts) {
                return self.meet_again(id, entry, seen);
            }
            if number <= stream.changed_after {
                // Older news than what a look has told since.
                return;
            }
            // The inode number went to another file: what was here has no name. But
            // its content may be there still.
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.naming = Naming::Nameless;
                stream.lost_after = self.n_listings;
                stream.looked_for = false;
            }
            self.dirty.insert(id);
            self.meet_new(entry);
            return self.wake(id);
        }
        self.meet_new(entry);
    }

    /// A listed file is one that is followed.
    fn meet_again(&mut self, id: StreamId, entry: &Entry, seen: &BTreeMap<&Path, Place>) {
        let place = entry.facts.place;
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        if stream.path != entry.path {
            let is_second_name = seen.get(stream.path.as_path()) == Some(&place);
            self.add_rules(id, &entry.path);
            if is_second_name {
                // One file, two names: followed once, for the rules of both.
                return;
            }
            let Some(stream) = self.streams.get(&id) else {
                return;
            };
            let old_path = stream.path.clone();
            self.unname(&old_path, id);
            if let Some(&other) = self.by_path.get(&entry.path)
                && other != id
            {
                self.displace(other);
            }
            self.by_path.insert(entry.path.clone(), id);
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.rename(&entry.path);
            }
            self.dirty.insert(id);
        }
        self.by_path.insert(entry.path.clone(), id);
        if let Some(real) = &entry.real {
            self.by_real.insert(real.clone(), id);
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.naming != Naming::Here {
            stream.naming = Naming::Here;
            self.dirty.insert(id);
        }
        stream.real = entry.real.clone();
        let changed = (stream.size, stream.modified) != (entry.facts.size, entry.facts.modified);
        // What cannot be read has its own times to be tried.
        if changed && stream.unread.is_none() {
            self.wake(id);
        }
    }

    /// A listed file is not known.
    fn meet_new(&mut self, entry: &Entry) {
        let rules = self.rules_of(&entry.path);
        if rules.is_empty() {
            return;
        }
        let before = self.predecessor(&entry.path);
        if let Some(&holder) = self.by_path.get(&entry.path) {
            self.displace(holder);
        }
        if let Some(before) = before {
            self.notices.push(Notice::Rotated {
                path: entry.path.clone(),
            });
            self.displace(before);
        }
        let matcher = self.matcher(&rules);
        let id = self.next_stream_id();
        let mut stream = Stream::new(id, entry.path.clone(), &entry.facts, matcher);
        stream.real = entry.real.clone();
        stream.heir_of = before;
        self.place_at_start(&mut stream, &rules, entry);
        stream.rules = rules;
        self.notices.push(Notice::Follows {
            path: entry.path.clone(),
            offset: stream.offset,
        });
        self.add(stream);
        self.wake(id);
    }
}

pub(super) fn in_scope(scope: &Scope, path: &Path) -> bool {
    match scope {
        Scope::All => true,
        Scope::Below(directory) => path.starts_with(directory),
    }
}
