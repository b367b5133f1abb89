//! Followed files, for all ways of reading them.
//!
//! Rules that read a file in the same way share its stream, and all streams that are
//! read in one way are one [`Schedule`]: positions, rotations and archives of one way
//! of reading are nobody's business in another. Here they are kept together: numbers
//! come from one row, one listing serves all, and what happens to a file is said once.
//!
//! A file that is known in one way is joined in another where it is read by then, as
//! a rule joins it that is added later.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::commit::StreamRecord;
use super::ids::StreamId;
use super::scan::{Ending, Hit};
use super::schedule::{
    Fault, Found, Hint, Listing, Look, May, Means, Notice, ReadDone, ReadThen, Schedule, Scope,
    Start, Turn,
};
use super::stream::{Naming, Stream};
use super::time::Moment;
use crate::rules::records::reading::ReadingKey;
use crate::rules::{Rule, RuleSet};

/// All followed files.
#[derive(Debug)]
pub struct Schedules {
    /// Never without that of the ordinary reading.
    by_reading: BTreeMap<ReadingKey, Schedule>,
    /// What a schedule begins with that is made later; without streams.
    start: Start,
    means: Means,
    next_id: u64,
    /// Whose turn comes after the last one.
    n_turns: usize,
    is_listing: bool,
    /// Looks and reads that the host has: for whom.
    under_way: BTreeMap<StreamId, ReadingKey>,
    /// Streams of an earlier life that nobody follows.
    gone: BTreeSet<StreamId>,
    /// How many readings a path is unreadable for.
    unreadable: BTreeMap<PathBuf, Unreadable>,
}

/// A path that cannot be read.
#[derive(Debug, Default)]
struct Unreadable {
    n_readings: usize,
    stays_so: bool,
}

impl Schedules {
    /// Takes up the files of an earlier life. Everything is listed first.
    pub fn new(rules: &Arc<RuleSet>, means: Means, mut start: Start, now: Moment) -> Self {
        let streams = std::mem::take(&mut start.streams);
        let readings = readings_of(rules);
        // Where there is one reading only, it joins nobody: there may be a hundred
        // thousand files, and their records are not kept twice.
        let joins =
            readings.len() > 1 || (streams.values()).any(|it| !readings.contains(&it.reading));
        let known: Vec<StreamRecord> = match joins {
            true => streams.values().cloned().collect(),
            false => Vec::new(),
        };
        let mut schedules = Self {
            by_reading: BTreeMap::new(),
            next_id: start.next_id,
            start,
            means,
            n_turns: 0,
            is_listing: false,
            under_way: BTreeMap::new(),
            gone: BTreeSet::new(),
            unreadable: BTreeMap::new(),
        };
        let mut by_reading: BTreeMap<ReadingKey, BTreeMap<StreamId, StreamRecord>> =
            BTreeMap::new();
        for (id, record) in streams {
            let reading = by_reading.entry(record.reading.clone()).or_default();
            reading.insert(id, record);
        }
        for reading in readings {
            let streams = by_reading.remove(&reading).unwrap_or_default();
            schedules.add(rules, reading, streams, now);
        }
        schedules.gone = by_reading
            .into_values()
            .flat_map(BTreeMap::into_keys)
            .collect();
        schedules.join_all(known.iter());
        schedules.start.from_the_end = false;
        schedules
    }

    /// Takes over changed rules; positions stay.
    pub fn meet(&mut self, rules: &Arc<RuleSet>, now: Moment) {
        let readings = readings_of(rules);
        let known: Vec<StreamRecord> = (self.streams())
            .filter(|stream| stream.may_be_joined())
            .map(Stream::record)
            .collect();
        self.start.globs = self.globs();
        for schedule in self.by_reading.values_mut() {
            schedule.meet(rules.clone(), now);
        }
        for reading in &readings {
            if !self.by_reading.contains_key(reading) {
                self.add(rules, reading.clone(), BTreeMap::new(), now);
            }
        }
        // One that nobody reads by any more has let all its files go; it stays until
        // their descriptors are closed.
        self.by_reading
            .retain(|reading, schedule| readings.contains(reading) || schedule.is_busy());
        self.join_all(known.iter());
    }

    fn add(
        &mut self,
        rules: &Arc<RuleSet>,
        reading: ReadingKey,
        streams: BTreeMap<StreamId, StreamRecord>,
        now: Moment,
    ) {
        let start = Start {
            streams,
            ..self.start.clone()
        };
        let schedule = Schedule::new(rules.clone(), reading.clone(), self.means, start, now);
        self.by_reading.insert(reading, schedule);
    }

    /// Lets every reading join the files that are known in another.
    fn join_all<'r>(&mut self, known: impl Iterator<Item = &'r StreamRecord>) {
        if self.by_reading.len() == 1 && self.gone.is_empty() {
            return;
        }
        for record in known {
            for (reading, schedule) in &mut self.by_reading {
                if *reading == record.reading || !schedule.names(&record.name) {
                    continue;
                }
                let id = StreamId(self.next_id);
                self.next_id += 1;
                schedule.join(StreamRecord {
                    id,
                    generation: id,
                    reading: reading.clone(),
                    heir_of: None,
                    ..record.clone()
                });
            }
        }
    }

    /// Whether everything was listed at least once.
    pub fn is_listed(&self) -> bool {
        self.by_reading.values().all(Schedule::is_listed)
    }

    /// Whether all that was listed is read.
    pub fn is_drained(&self) -> bool {
        self.by_reading.values().all(Schedule::is_drained)
    }

    /// Asks for a listing of everything, for a rule that waits for what was written by
    /// now. Returns the number of that listing for [`has_read_all`](Self::has_read_all).
    pub fn ask_for_all(&mut self, rule: &Rule) -> u64 {
        let schedule = self.by_reading.get_mut(&rule.reading.key());
        schedule.map_or(0, Schedule::ask_for_all)
    }

    /// Whether everything was listed by a number, and all that the rule follows is read
    /// as far as it can be.
    pub fn has_read_all(&self, rule: &Rule, listing: u64) -> bool {
        let schedule = self.by_reading.get(&rule.reading.key());
        schedule.is_none_or(|schedule| schedule.has_read_all(&rule.key, listing))
    }

    /// The streams, for status and tests.
    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.by_reading.values().flat_map(Schedule::streams)
    }

    /// A stream.
    pub fn stream(&self, id: StreamId) -> Option<&Stream> {
        let mut schedules = self.by_reading.values();
        schedules.find_map(|schedule| schedule.stream(id))
    }

    /// The streams of a path, one for each reading.
    pub fn named<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Stream> {
        let schedules = self.by_reading.values();
        schedules.filter_map(move |schedule| schedule.stream(schedule.named(path)?))
    }

    /// Names without wildcards whose files went away and stay away.
    pub fn missing(&self) -> impl Iterator<Item = &Path> {
        let missing: BTreeSet<&Path> = self
            .by_reading
            .values()
            .flat_map(Schedule::missing)
            .collect();
        missing.into_iter()
    }

    /// Directories that cannot be listed, or below which not everything is.
    pub fn out_of_reach(&self) -> BTreeSet<&Path> {
        let schedules = self.by_reading.values();
        schedules.flat_map(Schedule::out_of_reach).collect()
    }

    /// What has become due by now.
    pub fn tick(&mut self, now: Moment) {
        self.each(|schedule| schedule.tick(now));
    }

    /// Something may have happened, at `since` at the latest.
    pub fn hint(&mut self, now: Moment, hint: &Hint, since: Moment) {
        self.each(|schedule| schedule.hint(now, hint.clone(), since));
    }

    /// Takes a listing.
    pub fn listed(&mut self, now: Moment, listing: Listing) {
        self.is_listing = false;
        if self.by_reading.len() == 1 {
            let mut listing = Some(listing);
            return self.each(|schedule| {
                if let Some(listing) = listing.take() {
                    schedule.listed(now, listing);
                }
            });
        }
        self.each(|schedule| {
            // What only others follow is as good as not there.
            let entries = listing.entries.iter();
            let entries = entries.filter(|entry| schedule.names(&entry.path));
            let listing = Listing {
                entries: entries.cloned().collect(),
                ..listing.clone()
            };
            schedule.listed(now, listing);
        });
    }

    /// Takes what a look found that began at `begun`.
    pub fn looked(
        &mut self,
        now: Moment,
        id: StreamId,
        begun: Moment,
        outcome: Result<Look, Fault>,
    ) -> Option<ReadThen> {
        let owner = self.under_way.remove(&id);
        let then = self.with(owner.clone(), |schedule| {
            schedule.looked(now, id, begun, outcome)
        });
        let then = then.flatten();
        if then.is_some() {
            self.note_turn(id, owner);
        }
        then
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
        let owner = self.under_way.remove(&id);
        let hits = self.with(owner, |schedule| {
            schedule.read_done(now, id, ending, epoch, outcome)
        });
        hits.unwrap_or_default()
    }

    /// Takes where a file went.
    pub fn found(&mut self, id: StreamId, found: Result<Found, Fault>) {
        let owner = self.owner_of(id);
        self.with(owner, |schedule| schedule.found(id, found));
    }

    /// When something becomes due.
    pub fn wakeup(&self) -> Option<Moment> {
        let schedules = self.by_reading.values();
        schedules.filter_map(Schedule::wakeup).min()
    }

    /// The next turn, if there is one and the host has room for it. Reads are only
    /// given where `may_read`: what is not read stays in the files.
    pub fn next_turn(&mut self, now: Moment, may_read: bool) -> Option<Turn> {
        let n_schedules = self.by_reading.len();
        for _ in 0..n_schedules {
            let reading = self.by_reading.keys().nth(self.n_turns % n_schedules);
            let reading = reading.cloned();
            let may = May {
                read: may_read,
                list: !self.is_listing,
            };
            let turn = self.with(reading.clone(), |schedule| schedule.next_turn(now, may));
            let Some(turn) = turn.flatten() else {
                self.n_turns = self.n_turns.wrapping_add(1);
                continue;
            };
            match &turn {
                Turn::List(scope) => self.all_listen(reading.as_ref(), scope, now),
                Turn::Look(look) => self.note_turn(look.stream, reading),
                Turn::Read(read) => {
                    self.note_turn(read.stream, reading);
                    // A region each: nobody waits long for the others.
                    self.n_turns = self.n_turns.wrapping_add(1);
                }
                Turn::Seek(_) | Turn::Close(_) => {}
            }
            return Some(turn);
        }
        None
    }

    fn note_turn(&mut self, id: StreamId, reading: Option<ReadingKey>) {
        self.under_way.extend(reading.map(|reading| (id, reading)));
    }

    fn all_listen(&mut self, by: Option<&ReadingKey>, scope: &Scope, now: Moment) {
        self.is_listing = true;
        for (reading, schedule) in &mut self.by_reading {
            if by != Some(reading) {
                schedule.listen(scope, now);
            }
        }
    }

    /// What people should hear of since the last call, once for all readings.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        let schedules = self.by_reading.values_mut();
        let notices: Vec<Notice> = schedules.flat_map(Schedule::take_notices).collect();
        if self.by_reading.len() == 1 {
            self.unreadable.clear();
            return notices;
        }
        let mut told: Vec<Notice> = Vec::new();
        for notice in notices {
            if self.is_news(&notice) && !told.contains(&notice) {
                told.push(notice);
            }
        }
        told
    }

    /// Whether nobody was told of this for another reading. What begins and ends is
    /// told when it begins for the first and ends for the last.
    fn is_news(&mut self, notice: &Notice) -> bool {
        match notice {
            Notice::Unreadable { path, .. } => {
                let unreadable = self.unreadable.entry(path.clone()).or_default();
                unreadable.n_readings += 1;
                unreadable.n_readings == 1
            }
            Notice::StaysUnreadable { path, .. } => {
                let unreadable = self.unreadable.entry(path.clone()).or_default();
                !std::mem::replace(&mut unreadable.stays_so, true)
            }
            Notice::Readable { path } => {
                let Some(unreadable) = self.unreadable.get_mut(path) else {
                    return true;
                };
                unreadable.n_readings = unreadable.n_readings.saturating_sub(1);
                let is_over = unreadable.n_readings == 0;
                if is_over {
                    self.unreadable.remove(path);
                }
                is_over
            }
            Notice::Lost { path, .. } => {
                self.unreadable.remove(path);
                true
            }
            Notice::Follows { .. }
            | Notice::Rotated { .. }
            | Notice::Truncated { .. }
            | Notice::CutInPlace { .. }
            | Notice::ArchiveBroken { .. }
            | Notice::ArchiveSkipped { .. }
            | Notice::Binary { .. }
            | Notice::BareReturns { .. }
            | Notice::StaysAway { .. }
            | Notice::NeverCame { .. }
            | Notice::Back { .. }
            | Notice::HintsLost
            | Notice::HintsBack { .. }
            | Notice::Unwatched { .. }
            | Notice::Watched
            | Notice::Shared { .. }
            | Notice::MountedAlone { .. }
            | Notice::CutOff { .. }
            | Notice::Whole { .. }
            | Notice::Own { .. }
            | Notice::LinesCut { .. } => true,
        }
    }

    /// Whether positions changed.
    pub fn is_dirty(&self) -> bool {
        !self.gone.is_empty() || self.by_reading.values().any(Schedule::is_dirty)
    }

    /// Bytes searched since positions were taken last.
    pub fn n_dirty_bytes(&self) -> u64 {
        self.by_reading.values().map(Schedule::n_dirty_bytes).sum()
    }

    /// The streams that changed since the last call, and those that are gone.
    pub fn take_dirty(&mut self) -> (Vec<StreamRecord>, Vec<StreamId>) {
        let n_dirty = self.by_reading.values().map(Schedule::n_dirty).sum();
        let mut changed = Vec::with_capacity(n_dirty);
        let mut gone: Vec<StreamId> = std::mem::take(&mut self.gone).into_iter().collect();
        for schedule in self.by_reading.values_mut() {
            schedule.take_dirty(&mut changed, &mut gone);
        }
        (changed, gone)
    }

    /// Takes back what [`take_dirty`](Self::take_dirty) gave: it was not committed.
    pub fn mark_dirty(&mut self, streams: impl IntoIterator<Item = StreamId>) {
        for id in streams {
            let owner = self.owner_of(id);
            let marked = self.with(owner, |schedule| schedule.mark_dirty([id]));
            if marked.is_none() {
                self.gone.insert(id);
            }
        }
    }

    /// All patterns that were listed, if that changed since the last call.
    pub fn take_globs(&mut self) -> Option<BTreeSet<String>> {
        let mut has_changed = false;
        for schedule in self.by_reading.values_mut() {
            has_changed |= schedule.take_globs_changed();
        }
        has_changed.then(|| self.globs())
    }

    /// Takes back what [`take_globs`](Self::take_globs) gave: it was not committed.
    pub fn mark_globs(&mut self) {
        self.each(Schedule::mark_globs);
    }

    fn globs(&self) -> BTreeSet<String> {
        let globs = self.by_reading.values().flat_map(Schedule::globs);
        globs.cloned().collect()
    }

    /// The next stream's number.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Whether the host has no look, read or listing of ours.
    pub fn is_quiet(&self) -> bool {
        self.by_reading.values().all(Schedule::is_quiet)
    }

    fn owner_of(&self, id: StreamId) -> Option<ReadingKey> {
        let mut schedules = self.by_reading.iter();
        let owner = schedules.find(|(_, schedule)| schedule.stream(id).is_some());
        owner.map(|(reading, _)| reading.clone())
    }

    /// Lets a schedule do something; nothing if there is no such one.
    fn with<T>(
        &mut self,
        reading: Option<ReadingKey>,
        act: impl FnOnce(&mut Schedule) -> T,
    ) -> Option<T> {
        let schedule = self.by_reading.get_mut(&reading?)?;
        schedule.set_next_id(self.next_id);
        let done = act(schedule);
        self.next_id = schedule.next_id();
        Some(done)
    }

    fn each(&mut self, mut act: impl FnMut(&mut Schedule)) {
        for schedule in self.by_reading.values_mut() {
            schedule.set_next_id(self.next_id);
            act(schedule);
            self.next_id = schedule.next_id();
        }
    }
}

/// The ways in which rules read files, and the ordinary one.
fn readings_of(rules: &RuleSet) -> BTreeSet<ReadingKey> {
    let readings = rules.rules.iter().map(|rule| rule.reading.key());
    readings.chain([ReadingKey::default()]).collect()
}

impl Stream {
    /// Whether it can be opened anew for another reading: by its name.
    fn may_be_joined(&self) -> bool {
        let has_name = match self.naming {
            Naming::Here | Naming::Rotated => true,
            Naming::Sought | Naming::Nameless => false,
        };
        has_name && !self.is_memory && !self.is_held && self.packing.is_none()
    }
}
