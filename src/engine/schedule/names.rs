//! Which name leads to which file.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Entry, Fault, Found, Listing, Notice, Schedule, Scope, Turn};
use crate::engine::ids::StreamId;
use crate::engine::kinship::{self, Packing};
use crate::engine::stream::{Kin, Naming, Phase, Stream};
use crate::engine::time::Moment;

mod seen;

use seen::Seen;

impl Schedule {
    /// Takes a listing.
    pub fn listed(&mut self, now: Moment, listing: Listing) {
        let Some(ordered) = self.listing.take() else {
            return;
        };
        let scope = ordered.scope;
        self.note_faults(now, &scope, &listing.faults);
        self.note_limits(&scope, &listing.cut_off);
        self.note_unseen(now, &scope, &listing);
        let seen = &Seen::of(&listing.entries);
        let excluded = std::mem::take(&mut self.excluded);
        for entry in &listing.entries {
            let own = excluded.iter().find(|dir| is_below(&entry.path, dir));
            if let Some(own) = own {
                self.pass_over(own);
            } else if self.excluded_places.contains(&entry.facts.place) {
                self.pass_over(&entry.path);
            } else {
                self.meet_entry(entry, &scope, seen, ordered.number);
            }
        }
        self.excluded = excluded;
        let missing: Vec<StreamId> = (self.standing_in(&scope).into_iter())
            .filter_map(|id| self.streams.get(&id))
            .filter(|stream| stream.naming == Naming::Here)
            .filter(|stream| !seen.shows(&stream.path, stream.place()))
            .filter(|stream| {
                !(listing.faults.iter()).any(|(directory, _)| stream.path.starts_with(directory))
            })
            .map(|stream| stream.id)
            .collect();
        for id in missing {
            self.lose_name(id);
        }
        self.look_for_lost(&scope, ordered.number, &listing.faults);
        self.know_globs(&scope, &listing.faults, &ordered.rules);
        if scope == Scope::All {
            self.all_listed = ordered.number;
            // One that was ordered for other rules does not know all patterns.
            if ordered.epoch == self.epoch {
                self.settle();
            }
            if listing.faults.is_empty() {
                self.keep_skipped(&listing.entries);
                self.note_missing(now);
            }
            for id in self.streams.lost() {
                self.seek_again(id);
                self.wake(id);
            }
        }
    }

    /// The streams that stood at a name within a scope, as far as is known.
    fn standing_in(&self, scope: &Scope) -> Vec<StreamId> {
        match scope {
            Scope::All => self.streams.ids(),
            Scope::Below(paths) => (paths.iter())
                .flat_map(|above| {
                    // What is below a path comes right after it.
                    let from = (Bound::Included(above.as_path()), Bound::Unbounded);
                    let names = self.by_path.range::<Path, _>(from);
                    names.take_while(move |(name, _)| name.starts_with(above))
                })
                .map(|(_, id)| *id)
                .collect(),
        }
    }

    /// Everything was listed: the first time, all files from an earlier life are
    /// looked at, whether they have a name in the patterns or not.
    fn settle(&mut self) {
        self.from_the_end = false;
        if self.listed_for.replace(self.epoch).is_none() {
            let ids = self.streams.ids();
            for id in ids {
                self.suspect_copy(id);
                self.wake(id);
            }
            let lost = self
                .streams
                .values()
                .filter(|stream| stream.naming != Naming::Here);
            let lost: BTreeSet<Arc<Path>> = lost.map(|stream| stream.name.clone()).collect();
            for name in lost {
                self.miss(&name);
            }
        }
    }

    /// What took the place of files that lost their names before this listing was
    /// ordered is known now.
    fn look_for_lost(&mut self, scope: &Scope, number: u64, faults: &[(PathBuf, String)]) {
        for id in self.streams.lost() {
            let Some(stream) = self.streams.get_mut(&id) else {
                continue;
            };
            let name = &*stream.name;
            let is_hidden = faults.iter().any(|(path, _)| name.starts_with(path));
            let is_lost = stream.lost_after < number;
            if is_lost && !stream.looked_for && scope.holds(name) && !is_hidden {
                stream.looked_for = true;
                self.wake(id);
            }
        }
    }

    /// Asks once more where a file went, if nobody could tell.
    fn seek_again(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if std::mem::take(&mut stream.seek_failed) {
            let order = stream.seek();
            self.orders.push_back(order);
        }
    }

    /// What took the place of a file is known: what came and went in between lies among
    /// its kin by now, and what was told of them before is too old to tell.
    fn seek_successors(&mut self, id: StreamId) {
        self.give_back(id);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.naming == Naming::Rotated {
            stream.naming = Naming::Sought;
        }
        stream.kin = Kin::Unasked;
        stream.is_succeeded = false;
        stream.seek_failed = false;
        let order = stream.seek();
        self.orders.push_back(order);
        self.dirty.insert(id);
    }

    /// Takes where a file went.
    pub fn found(&mut self, id: StreamId, found: Result<Found, Fault>) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.n_seeks = stream.n_seeks.saturating_sub(1);
        if stream.n_seeks > 0 {
            // It was asked again since: this is older news.
            return;
        }
        let is_unasked = stream.kin == Kin::Unasked;
        match stream.naming {
            Naming::Sought => {}
            // What is there now is another file of its number: only kin matter.
            Naming::Nameless if is_unasked => {}
            Naming::Here | Naming::Rotated | Naming::Nameless => return,
        }
        let Ok(Found { path, kin }) = found else {
            // The directory cannot be listed: ask again with the next listing.
            stream.seek_failed = true;
            return self.search_what_waited();
        };
        if is_unasked && self.must_wait(id, &kin) {
            return;
        }
        self.note_names(&kin);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.confirmed = false;
        // What was found is by its inode number. If that is known to have gone to
        // another file since, it is that one.
        let is_reused = self.by_place.get(&stream.place()) != Some(&id);
        // A compressor frees the number, and its next archive may get it.
        let is_archive = |path: &PathBuf| Packing::of(path) != stream.packing;
        let is_stranger = |path: &PathBuf| {
            (kin.iter().find(|entry| *entry.path == **path))
                .is_some_and(|entry| stream.identity.has_other_birth_than(&entry.facts))
        };
        let path = path
            .filter(|path| !is_archive(path) && !is_stranger(path))
            .filter(|_| stream.naming == Naming::Sought && !is_reused);
        match path {
            Some(path) => {
                let path: Arc<Path> = path.into();
                stream.naming = Naming::Rotated;
                self.move_to(id, &path);
                if self.may_name(&path) {
                    self.want(&path);
                }
            }
            // Nothing else leads to an archive.
            None if stream.packing.is_some() => return self.forget(id),
            None => stream.naming = Naming::Nameless,
        }
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.phase == Phase::WaitsToRead
            && stream.packing.is_none()
        {
            // First it must be seen that it is what was found there, even if nothing is
            // read for now: others wait for that.
            stream.phase = Phase::WaitsToLook;
        }
        if is_unasked {
            match self.streams.get_mut(&id) {
                // It lies there itself, and what came after it is known.
                Some(stream) if stream.naming == Naming::Rotated && stream.is_succeeded => {
                    stream.kin = Kin::Known;
                    self.search_what_waited();
                }
                Some(_) | None => self.search(id, &kin),
            }
        }
        self.dirty.insert(id);
        self.wake(id);
        self.wake_heirs(id);
    }

    /// Where other rotated files of a log are by now: their names tell which came first.
    fn note_names(&mut self, kin: &[Entry]) {
        for entry in kin {
            let other = self.by_place.get(&entry.facts.place);
            let other = other.and_then(|id| self.streams.get(id));
            let moved = other.filter(|other| {
                let is_it = !other.identity.has_other_birth_than(&entry.facts);
                is_it && other.naming == Naming::Rotated && other.packing.is_none()
            });
            if let Some(id) = moved.map(|moved| moved.id) {
                self.move_to(id, &entry.path);
            }
        }
    }

    /// A rotated file was seen at a name.
    fn move_to(&mut self, id: StreamId, path: &Arc<Path>) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let old = std::mem::replace(&mut stream.path, path.clone());
        self.unname(&old, id);
        let holder = self.by_path.get(path).and_then(|id| self.streams.get(id));
        if holder.is_none_or(|holder| holder.naming != Naming::Here) {
            self.by_path.insert(path.clone(), id);
        }
    }

    /// Lets a file go.
    pub(super) fn forget(&mut self, id: StreamId) {
        let Some(stream) = self.streams.remove(&id) else {
            return;
        };
        if let Some(unread) = &stream.unread
            && self.ends_trouble(unread)
        {
            let (path, n_lost) = (unread.path.to_path_buf(), stream.n_behind());
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
        // One that was only remembered for its sake can go as well.
        for old in stream.heir_of.into_iter().chain(stream.copy_of) {
            if self.streams.get(&old).is_some_and(|old| old.is_memory) {
                self.wake(old);
            }
        }
        self.dirty.insert(id);
        self.orders.push_back(Turn::Close(id));
        self.give_up_searching(id);
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
                stream.kin = Kin::Unasked;
                stream.is_succeeded = false;
                stream.lost_after = self.n_listings;
                stream.looked_for = false;
                stream.listed_again = false;
                // What takes its place goes to disk as well: together.
                self.dirty.insert(id);
                let (order, path) = (stream.seek(), stream.path.clone());
                // What older ones are still sought for lies among the same files.
                for older in self.streams.lost_from(&path) {
                    if older != id {
                        self.seek_again(older);
                    }
                }
                self.orders.push_back(order);
                self.want(&path);
                self.miss(&path);
            }
            // Its new name went as well.
            Naming::Rotated => {
                stream.naming = Naming::Sought;
                stream.real = None;
                let order = stream.seek();
                self.orders.push_back(order);
            }
            Naming::Sought => {}
            Naming::Nameless => {
                // Neither a name nor an open descriptor leads to it.
                let (path, n_lost) = (stream.name.to_path_buf(), stream.n_behind());
                let is_told = n_lost == 0 || stream.unread.is_some();
                if self.may_be_continued(id) {
                    // What it was read up to is needed still, and nothing else of it.
                    if let Some(stream) = self.streams.get_mut(&id) {
                        stream.is_memory = true;
                        let place = stream.place();
                        if self.by_place.get(&place) == Some(&id) {
                            self.by_place.remove(&place);
                        }
                    }
                    self.wake_heirs(id);
                    return self.go_on_searching(id);
                }
                if !is_told {
                    self.notices.push(Notice::Lost { path, n_lost });
                }
                self.forget(id);
            }
        }
    }

    /// The stream that a name leads to.
    pub(in crate::engine) fn named(&self, path: &Path) -> Option<StreamId> {
        self.by_path
            .get(path)
            .or_else(|| self.by_real.get(path))
            .copied()
    }

    /// Asks for a listing of what stands at a path or below it.
    pub(super) fn want(&mut self, path: &Path) {
        self.wanted.insert(path.to_owned());
    }

    pub(super) fn next_stream_id(&mut self) -> StreamId {
        let id = StreamId(self.next_id);
        self.next_id += 1;
        id
    }

    pub(super) fn add(&mut self, stream: Stream) {
        let id = stream.id;
        self.by_place.insert(stream.place(), id);
        self.by_path.insert(stream.path.clone(), id);
        if let Some(real) = &stream.real {
            self.by_real.insert(real.clone(), id);
        }
        self.streams.insert(stream);
        self.dirty.insert(id);
    }

    fn unname(&mut self, path: &Path, id: StreamId) {
        if self.by_path.get(path) == Some(&id) {
            self.by_path.remove(path);
        }
    }

    /// Holds one listed file against what is known.
    fn meet_entry(&mut self, entry: &Entry, scope: &Scope, seen: &Seen<'_>, number: u64) {
        let place = entry.facts.place;
        if let Some(&id) = self.by_place.get(&place)
            && let Some(stream) = self.streams.get(&id)
        {
            if stream.is_held && stream.packing.is_none() {
                if number <= stream.changed_after {
                    // It may have been rotated since: to be seen when that name is looked at.
                    return self.want(&entry.path);
                }
                // It was found among rotated files, and has a followed name by now.
                self.leave_search(id);
                return self.meet_new(entry, number);
            }
            if stream.packing.is_some() && !stream.identity.has_other_birth_than(&entry.facts) {
                // An archive is read for the log's sake, not for its own name's.
                return;
            }
            if !stream.identity.has_other_birth_than(&entry.facts) {
                return self.meet_again(id, entry, scope, seen);
            }
            if number <= stream.changed_after {
                // Older news than what a look has told since.
                return;
            }
            self.lose_number(id);
            self.meet_new(entry, number);
            return self.wake(id);
        }
        self.meet_new(entry, number);
    }

    /// A listed file is one that is followed.
    fn meet_again(&mut self, id: StreamId, entry: &Entry, scope: &Scope, seen: &Seen<'_>) {
        let place = entry.facts.place;
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        if stream.unread.is_none() && stream.is_as_listed(entry) {
            return;
        }
        if *stream.path != *entry.path {
            let is_second_name = seen.shows(&stream.path, place);
            let may_be_second = stream.naming == Naming::Here && !scope.holds(&stream.path);
            let known = stream.path.clone();
            self.add_rules(id, &entry.path);
            if is_second_name {
                // One file, two names: followed once, for the rules of both.
                return;
            }
            if may_be_second {
                // Or was it renamed? To be seen when both names are looked at.
                self.want(&known);
                return self.want(&entry.path);
            }
            let Some(stream) = self.streams.get(&id) else {
                return;
            };
            let old_path = stream.path.clone();
            self.unname(&old_path, id);
            if let Some(&other) = self.by_path.get(&*entry.path)
                && other != id
            {
                self.displace(other);
            }
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.rename(entry.path.clone());
            }
            self.dirty.insert(id);
        } else if *stream.name != *entry.path {
            // It was found here before a listing told that rules follow it here.
            let path = stream.path.clone();
            self.add_rules(id, &path);
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.rename(path);
            }
            self.dirty.insert(id);
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        self.by_path.insert(stream.path.clone(), id);
        let was_lost = stream.naming != Naming::Here;
        if was_lost {
            stream.naming = Naming::Here;
            // Whatever stood at the name before is older now.
            stream.order = StreamId(self.next_id);
            self.next_id += 1;
            self.dirty.insert(id);
        }
        stream.real = entry.real.clone();
        if let Some(real) = &stream.real {
            self.by_real.insert(real.clone(), id);
        }
        let changed = (stream.size, stream.modified) != (entry.facts.size, entry.facts.modified);
        let wakes = match &stream.unread {
            // What cannot be read has its own times to be tried, unless it was gone.
            Some(unread) => unread.retry.is_none(),
            // Nobody could look at it where it was thought to be.
            None => changed || was_lost,
        };
        if wakes {
            self.wake(id);
        }
    }

    /// A listed file is not known.
    fn meet_new(&mut self, entry: &Entry, number: u64) {
        let rules = self.rules_of(&entry.path);
        if rules.is_empty() {
            return;
        }
        if Packing::of(&entry.path).is_some() {
            let logs = kinship::logs_of(&entry.path);
            let is_kin = logs.iter().any(|log| self.by_path.contains_key(&**log));
            if !is_kin && self.skipped.insert(entry.path.to_path_buf()) {
                let path = entry.path.to_path_buf();
                self.notices.push(Notice::ArchiveSkipped { path });
            }
            return;
        }
        let before = self.predecessor(&entry.path);
        // What was found out in an earlier life stands.
        let is_asked = before
            .and_then(|id| self.streams.get(&id))
            .is_some_and(|stream| stream.naming != Naming::Here && stream.lost_after > 0);
        let last = self.last_without_successor(&entry.path);
        if let Some(&holder) = self.by_path.get(&*entry.path) {
            self.displace(holder);
        }
        if let Some(before) = before {
            self.notices.push(Notice::Rotated {
                path: entry.path.to_path_buf(),
            });
            if !is_asked {
                self.displace(before);
            }
        }
        let asked = before.filter(|_| is_asked);
        for id in asked
            .into_iter()
            .chain(last.filter(|last| asked != Some(*last)))
        {
            self.seek_successors(id);
        }
        let following = self.following(&rules);
        let id = self.next_stream_id();
        let mut stream = Stream::new(id, entry.path.clone(), &entry.facts, following);
        stream.real = entry.real.clone();
        stream.heir_of = before.map(|before| self.as_of(number, before));
        self.place_at_start(&mut stream, &rules, entry);
        if stream.offset == 0 && stream.joined.is_empty() {
            // Born since: it may be a copy of what was read under another name.
            stream.copy_of = self.original_of(&entry.path, None);
        }
        self.notices.push(Notice::Follows {
            path: entry.path.clone(),
            offset: stream.offset,
        });
        self.add(stream);
        self.wake(id);
    }

    /// Forgets archives that were skipped and are gone.
    fn keep_skipped(&mut self, entries: &[Entry]) {
        if self.skipped.is_empty() {
            return;
        }
        let names: BTreeSet<&Path> = entries.iter().map(|entry| &*entry.path).collect();
        self.skipped.retain(|path| names.contains(path.as_path()));
    }

    /// The newest file that stood at a name, if nothing has stood there since it was asked
    /// what came after it.
    fn last_without_successor(&mut self, name: &Path) -> Option<StreamId> {
        let lost = self.streams.lost_from(name);
        let lost = lost.iter().filter_map(|id| self.streams.get(id));
        let last = lost.max_by_key(|stream| stream.age())?;
        (!last.is_succeeded && last.kin == Kin::Known).then_some(last.id)
    }
}

/// Whether a path is in a directory: mostly their first bytes tell that it is not.
fn is_below(path: &Path, directory: &Path) -> bool {
    let [path_bytes, bytes] = [path, directory].map(|path| path.as_os_str().as_encoded_bytes());
    path_bytes.starts_with(bytes) && path.starts_with(directory)
}
