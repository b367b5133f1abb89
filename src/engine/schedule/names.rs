//! Which name leads to which file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Entry, Fault, Listing, Notice, Schedule, Scope, Turn};
use crate::engine::identity::{self, Facts, Place, Verdict};
use crate::engine::ids::StreamId;
use crate::engine::stream::{Naming, Phase, Stream};
use crate::engine::time::Moment;
use crate::rules::pattern::Matcher;
use crate::rules::{From, Rule, RuleKey, RuleSet};

/// How far before the end reading starts in a file whose old lines do not count,
/// to meet a last line that is not finished yet as a whole.
const LEAD_BYTES: u64 = 4 << 10;

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
    /// Takes over changed rules; positions stay.
    pub fn meet(&mut self, rules: Arc<RuleSet>, now: Moment) {
        self.keys = keys_of(&rules);
        self.rules = rules;
        self.epoch += 1;
        self.matchers.clear();
        self.keep_known_globs();
        let ids: Vec<StreamId> = self.streams.keys().copied().collect();
        for id in ids {
            let Some(stream) = self.streams.get(&id) else {
                continue;
            };
            let kept = match stream.naming {
                Naming::Here => self.rules_of(&stream.path),
                // Rules of a file that lost its name are found by the name it had.
                Naming::Sought | Naming::Rotated | Naming::Nameless => self.rules_of(&stream.name),
            };
            if kept.is_empty() {
                self.forget(id);
                continue;
            }
            let matcher = self.matcher(&kept);
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.rules = kept;
                stream.matcher = matcher;
            }
        }
        self.wanted.insert(Scope::All);
        self.next_listing = now;
    }

    /// Takes a listing.
    pub fn listed(&mut self, listing: Listing) {
        let Some(ordered) = self.listing.take() else {
            return;
        };
        let scope = ordered.scope;
        self.note_faults(&scope, &listing.faults);
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

    /// It is known what became of a file: those that may continue it can go on.
    pub(super) fn wake_heirs(&mut self, id: StreamId) {
        let heirs: Vec<StreamId> = (self.streams.values())
            .filter(|stream| stream.heir_of == Some(id))
            .map(|stream| stream.id)
            .collect();
        for heir in heirs {
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
    fn predecessor(&self, path: &Path) -> Option<StreamId> {
        let lost = |stream: &&Stream| {
            stream.naming != Naming::Here && !stream.looked_for && stream.name == path
        };
        let lost = || self.streams.values().filter(lost).map(|stream| stream.id);
        let holder = self.by_path.get(path).and_then(|id| self.streams.get(id));
        // One that was only found there has another name.
        let holder = holder.filter(|stream| stream.name == path);
        holder.map(|stream| stream.id).or_else(|| lost().max())
    }

    /// Whether a file waits to be told whether it is the continuation of this one.
    fn has_heir(&self, id: StreamId) -> bool {
        self.streams
            .values()
            .any(|stream| stream.heir_of == Some(id))
    }

    /// Whether another file may turn out to be the continuation of this one: it
    /// took its place, or it is not known yet what did.
    pub(super) fn may_be_continued(&self, id: StreamId) -> bool {
        let stream = self.streams.get(&id);
        self.has_heir(id) || stream.is_some_and(|stream| !stream.looked_for)
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
        if let Some(path) = stream.trouble.clone()
            && self.ends_trouble(&path)
        {
            let n_lost = stream.n_behind();
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

    /// A file could not be read: said once, tried again with the next listing.
    pub(super) fn fault(&mut self, id: StreamId, fault: Fault) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.trouble.is_none() {
            let path = stream.name.clone();
            stream.trouble = Some(path.clone());
            let n = self.n_troubles.entry(path.clone()).or_default();
            *n += 1;
            if *n == 1 {
                let why = fault.why;
                self.notices.push(Notice::Unreadable { path, why });
            }
        }
    }

    /// A file could be read.
    pub(super) fn recovered(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if let Some(path) = stream.trouble.take()
            && self.ends_trouble(&path)
        {
            self.notices.push(Notice::Readable { path });
        }
    }

    /// One file of a name is out of trouble. Returns whether it was the last: the
    /// name may have been that of several, one after the other.
    fn ends_trouble(&mut self, path: &Path) -> bool {
        let Some(n) = self.n_troubles.get_mut(path) else {
            return false;
        };
        *n -= 1;
        let is_last = *n == 0;
        if is_last {
            self.n_troubles.remove(path);
        }
        is_last
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
                let is_told = n_lost == 0 || stream.trouble.is_some();
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

    /// Whether a pattern may name this path, or something below it.
    pub(super) fn may_name(&self, path: &Path) -> bool {
        let globs = self.rules.rules.iter().flat_map(|rule| &rule.files.include);
        let mut globs = globs.filter(|glob| glob.matches(path) || glob.may_match_below(path));
        globs.next().is_some()
    }

    /// Asks for a listing of the directory that a name stands in.
    pub(super) fn want_around(&mut self, path: &Path) {
        let directory = path.parent().unwrap_or(path);
        self.wanted.insert(Scope::Below(directory.to_owned()));
    }

    /// The rules that follow a path, by their place in the rule set.
    pub(super) fn rules_of(&self, path: &Path) -> Vec<usize> {
        let follows = |rule: &Rule| {
            rule.files.include.iter().any(|glob| glob.matches(path))
                && !rule.files.exclude.iter().any(|glob| glob.matches(path))
        };
        (self.rules.rules.iter().enumerate())
            .filter(|(_, rule)| follows(rule))
            .map(|(idx, _)| idx)
            .collect()
    }

    /// Some rules, ready to search.
    pub(super) fn matcher(&mut self, rules: &[usize]) -> Arc<Matcher> {
        if let Some(matcher) = self.matchers.get(rules) {
            return matcher.clone();
        }
        let patterns: Vec<_> = (rules.iter())
            .map(|&idx| &self.rules.rules[idx].patterns)
            .collect();
        let matcher = Arc::new(Matcher::new(&patterns, crate::engine::scan::LINE_BYTES_MAX));
        self.matchers.insert(rules.to_vec(), matcher.clone());
        matcher
    }

    /// Forgets patterns that no rule has any more: if they come back, their files
    /// are seen for the first time again.
    pub(super) fn keep_known_globs(&mut self) {
        let in_use: BTreeSet<&str> = (self.rules.rules.iter())
            .flat_map(|rule| &rule.files.include)
            .map(|glob| glob.as_str())
            .collect();
        let n_before = self.globs.len();
        self.globs.retain(|glob| in_use.contains(glob.as_str()));
        self.globs_changed |= self.globs.len() != n_before;
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
        if changed || stream.trouble.is_some() {
            self.wake(id);
        }
    }

    /// Adds the rules that follow a file by one more of its names.
    fn add_rules(&mut self, id: StreamId, name: &Path) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        let mut all: BTreeSet<usize> = self.rules_of(name).into_iter().collect();
        all.extend(&stream.rules);
        if all.len() == stream.rules.len() {
            return;
        }
        let all: Vec<usize> = all.into_iter().collect();
        let matcher = self.matcher(&all);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.rules = all;
            stream.matcher = matcher;
            stream.outdated = stream.phase == Phase::Reading;
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

    /// Where reading begins. A file that a known pattern names only now was born
    /// since, and is read from its beginning. One that existed before its pattern
    /// was ever listed begins where each rule wants it.
    fn place_at_start(&self, stream: &mut Stream, rules: &[usize], entry: &Entry) {
        let size = entry.facts.size;
        let wants = |rule: &Rule| {
            if self.from_the_end {
                return size;
            }
            let names = |glob: &&crate::rules::glob::Glob| glob.matches(&entry.path);
            let mut globs = rule.files.include.iter().filter(names);
            let is_born_since = globs.any(|glob| self.globs.contains(glob.as_str()));
            match rule.from {
                From::End if !is_born_since => size,
                From::End | From::Beginning => 0,
            }
        };
        let starts: Vec<(RuleKey, u64)> = (rules.iter())
            .map(|&idx| &self.rules.rules[idx])
            .map(|rule| (rule.key.clone(), wants(rule)))
            .collect();
        let first = starts.iter().map(|(_, start)| *start).min().unwrap_or(0);
        stream.offset = first.saturating_sub(LEAD_BYTES);
        stream.joined = (starts.into_iter())
            .filter(|(_, start)| *start > stream.offset)
            .collect();
    }

    /// Remembers the patterns that were listed as a whole: what they name from now
    /// on was born since.
    fn know_globs(&mut self, scope: &Scope, faults: &[(PathBuf, String)]) {
        let globs = self.rules.rules.iter().flat_map(|rule| &rule.files.include);
        for glob in globs.filter(|glob| in_scope(scope, glob.root())) {
            let hidden = faults
                .iter()
                .any(|(path, _)| glob.may_match_below(path) || glob.matches(path));
            if !hidden && self.globs.insert(glob.as_str().to_owned()) {
                self.globs_changed = true;
            }
        }
    }

    fn note_faults(&mut self, scope: &Scope, faults: &[(PathBuf, String)]) {
        for (path, why) in faults {
            if self.unlistable.insert(path.clone()) {
                self.notices.push(Notice::Unreadable {
                    path: path.clone(),
                    why: why.clone(),
                });
            }
        }
        let faulty: BTreeSet<&Path> = faults.iter().map(|(path, _)| path.as_path()).collect();
        let notices = &mut self.notices;
        self.unlistable.retain(|path| {
            let still = faulty.contains(path.as_path()) || !in_scope(scope, path);
            if !still {
                notices.push(Notice::Readable { path: path.clone() });
            }
            still
        });
    }
}

/// The keys of the rules, in the order of the rule set.
pub(super) fn keys_of(rules: &RuleSet) -> Vec<RuleKey> {
    rules.rules.iter().map(|rule| rule.key.clone()).collect()
}

fn in_scope(scope: &Scope, path: &Path) -> bool {
    match scope {
        Scope::All => true,
        Scope::Below(directory) => path.starts_with(directory),
    }
}
