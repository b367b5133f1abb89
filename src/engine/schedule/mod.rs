//! Which source is looked at next, and when.
//!
//! Three things make a stream's turn come: a hint that it may have changed, a
//! listing that shows it changed, and a line that has stood unfinished too long.
//! Hints are never believed, only hurried after; the slow listing makes the
//! promise that nothing is overlooked for long.
//!
//! Turns are short, a look or one region, and given in order: a file at full
//! speed delays the others by no more than a region.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::commit::StreamRecord;
use super::identity::{self, Facts, HEAD_BYTES, Mark, Place, Verdict};
use super::ids::StreamId;
use super::scan::{Ending, Hit};
use super::stream::{DELETED, Naming, Phase, Stream};
use super::time::Moment;
use crate::rules::pattern::Matcher;
use crate::rules::{RuleKey, RuleSet};

mod names;
mod turns;

use names::Heirship;
pub use turns::{
    Entry, Fault, Hint, Listing, Look, LookAt, Notice, Noticing, Read, ReadDone, Scope, Turn,
};

/// How often everything is listed where hints are told: the safety look.
pub const SLOW_LISTING: Duration = Duration::from_secs(30);

/// How often everything is listed where no hints are told.
pub const POLLED_LISTING: Duration = Duration::from_millis(200);

/// Looks and reads that the host has at once.
const TURNS_MAX: usize = 2;

/// Rotated files kept open per path after they were read to their end: their
/// writer may still hold them.
const ROTATED_KEPT: usize = 2;

/// All followed files.
#[derive(Debug)]
pub struct Schedule {
    rules: Arc<RuleSet>,
    /// Rises with every change of the rules.
    epoch: u64,
    keys: Vec<RuleKey>,
    matchers: BTreeMap<Vec<usize>, Arc<Matcher>>,
    noticing: Noticing,
    excluded: Vec<PathBuf>,
    excluded_places: BTreeSet<Place>,
    streams: BTreeMap<StreamId, Stream>,
    by_place: BTreeMap<Place, StreamId>,
    by_path: BTreeMap<PathBuf, StreamId>,
    by_real: BTreeMap<PathBuf, StreamId>,
    next_id: u64,
    globs: BTreeSet<String>,
    globs_changed: bool,
    from_the_end: bool,
    turns: VecDeque<StreamId>,
    n_turns: usize,
    wanted: BTreeSet<Scope>,
    listing: Option<Ordered>,
    n_listings: u64,
    next_listing: Moment,
    /// The rules, by their epoch, for which everything was listed last.
    listed_for: Option<u64>,
    unlistable: BTreeSet<PathBuf>,
    /// How many files of a name cannot be read.
    n_troubles: BTreeMap<PathBuf, usize>,
    orders: VecDeque<Turn>,
    notices: Vec<Notice>,
    dirty: BTreeSet<StreamId>,
    n_dirty_bytes: u64,
    rotated: BTreeMap<PathBuf, BTreeSet<StreamId>>,
}

/// A listing that the host is making.
#[derive(Debug)]
struct Ordered {
    scope: Scope,
    number: u64,
    /// The rules that it was ordered for.
    epoch: u64,
}

/// What a schedule begins with.
#[derive(Debug, Default)]
pub struct Start {
    /// The streams of an earlier life.
    pub streams: BTreeMap<StreamId, StreamRecord>,
    /// The patterns that were listed before.
    pub globs: BTreeSet<String>,
    /// The next stream's number.
    pub next_id: u64,
    /// Whether to go on from the end of every file.
    pub from_the_end: bool,
    /// Directories that are never followed: the agent's own.
    pub excluded: Vec<PathBuf>,
    /// Files that are never followed: the agent's own log.
    pub excluded_places: BTreeSet<Place>,
}

impl Schedule {
    /// Takes up the files of an earlier life. Everything is listed first.
    pub fn new(rules: Arc<RuleSet>, noticing: Noticing, start: Start, now: Moment) -> Self {
        let mut schedule = Self {
            keys: names::keys_of(&rules),
            rules,
            epoch: 0,
            matchers: BTreeMap::new(),
            noticing,
            excluded: start.excluded,
            excluded_places: start.excluded_places,
            streams: BTreeMap::new(),
            by_place: BTreeMap::new(),
            by_path: BTreeMap::new(),
            by_real: BTreeMap::new(),
            next_id: start.next_id,
            globs: start.globs,
            globs_changed: false,
            from_the_end: start.from_the_end,
            turns: VecDeque::new(),
            n_turns: 0,
            wanted: BTreeSet::from([Scope::All]),
            listing: None,
            n_listings: 0,
            next_listing: now,
            listed_for: None,
            unlistable: BTreeSet::new(),
            n_troubles: BTreeMap::new(),
            orders: VecDeque::new(),
            notices: Vec::new(),
            dirty: BTreeSet::new(),
            n_dirty_bytes: 0,
            rotated: BTreeMap::new(),
        };
        schedule.keep_known_globs();
        for (id, record) in start.streams {
            let rules = schedule.rules_of(&record.name);
            if rules.is_empty() {
                // Nobody follows it any more.
                schedule.dirty.insert(id);
                continue;
            }
            let matcher = schedule.matcher(&rules);
            let mut stream = Stream::restored(record, matcher);
            stream.rules = rules;
            schedule.by_place.insert(stream.place(), id);
            schedule.by_path.insert(stream.path.clone(), id);
            schedule.streams.insert(id, stream);
        }
        schedule
    }

    /// Whether everything was listed at least once.
    pub fn is_listed(&self) -> bool {
        self.listed_for.is_some()
    }

    /// The streams, for status and tests.
    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.values()
    }

    /// A stream.
    pub fn stream(&self, id: StreamId) -> Option<&Stream> {
        self.streams.get(&id)
    }

    /// Hurries after a hint.
    pub fn hint(&mut self, hint: Hint) {
        match hint {
            Hint::Lost => {
                self.wanted.insert(Scope::All);
                let ids: Vec<StreamId> = self.streams.keys().copied().collect();
                for id in ids {
                    self.wake(id);
                }
            }
            Hint::Written(path) => match self.named(&path) {
                Some(id) => self.wake(id),
                None if self.may_name(&path) => self.want_around(&path),
                None => {}
            },
            Hint::Renamed(path) => {
                if let Some(id) = self.named(&path) {
                    self.wake(id);
                    self.want_around(&path);
                } else if self.may_name(&path) {
                    self.want_around(&path);
                }
            }
        }
    }

    /// What has become due by now.
    pub fn tick(&mut self, now: Moment) {
        if self.next_listing <= now && self.listing.is_none() {
            self.wanted.insert(Scope::All);
        }
        let due: Vec<StreamId> = self
            .streams
            .values()
            .filter(|stream| stream.wakeup().is_some_and(|at| at <= now))
            .map(|stream| stream.id)
            .collect();
        for id in due {
            self.wake(id);
        }
    }

    /// When something becomes due.
    pub fn wakeup(&self) -> Option<Moment> {
        let listing = self.listing.is_none().then_some(self.next_listing);
        let streams = self
            .streams
            .values()
            .filter(|stream| stream.phase == Phase::Resting)
            .filter_map(Stream::wakeup)
            .min();
        [listing, streams].into_iter().flatten().min()
    }

    /// The next turn, if there is one and the host has room for it. Reads are only
    /// given where `may_read`: what is not read stays in the files.
    pub fn next_turn(&mut self, now: Moment, may_read: bool) -> Option<Turn> {
        if let Some(order) = self.orders.pop_front() {
            return Some(order);
        }
        if self.listing.is_none()
            && let Some(scope) = self.wanted.pop_first()
        {
            if scope == Scope::All {
                self.wanted.clear();
                self.next_listing = now.after(match self.noticing {
                    Noticing::Hinted => SLOW_LISTING,
                    Noticing::Polled => POLLED_LISTING,
                });
            }
            self.n_listings += 1;
            self.listing = Some(Ordered {
                scope: scope.clone(),
                number: self.n_listings,
                epoch: self.epoch,
            });
            return Some(Turn::List(scope));
        }
        if self.n_turns >= TURNS_MAX {
            return None;
        }
        // Until changed rules were listed for, a file may lack a rule that follows it
        // by another of its names.
        let may_read = may_read && self.listed_for == Some(self.epoch);
        for _ in 0..self.turns.len() {
            let id = self.turns.pop_front()?;
            let Some(stream) = self.streams.get_mut(&id) else {
                continue;
            };
            match stream.phase {
                Phase::WaitsToLook => {
                    if let Some(look) = self.look(id) {
                        self.n_turns += 1;
                        return Some(Turn::Look(look));
                    }
                }
                Phase::WaitsToRead if may_read => {
                    stream.phase = Phase::Reading;
                    self.n_turns += 1;
                    return Some(Turn::Read(Read {
                        stream: id,
                        path: stream.path.clone(),
                        place: stream.place(),
                        offset: stream.offset,
                        mark: stream.identity.mark_at(stream.offset),
                        head: stream.identity.head.last().copied(),
                        skipping: stream.skipping,
                        ending: stream.ending(now),
                        matcher: stream.matcher.clone(),
                        epoch: self.epoch,
                    }));
                }
                Phase::WaitsToRead => self.turns.push_back(id),
                Phase::Resting | Phase::Looking | Phase::Reading => {}
            }
        }
        None
    }

    /// Takes what a look found.
    pub fn looked(&mut self, now: Moment, id: StreamId, outcome: Result<Look, Fault>) {
        self.n_turns = self.n_turns.saturating_sub(1);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.phase = Phase::Resting;
        let look = match outcome {
            Ok(look) => look,
            Err(fault) => {
                // Better to read something twice than to wait for ever.
                stream.confirmed = true;
                self.wake_heirs(id);
                return self.fault(id, fault);
            }
        };
        let Some(facts) = look.opened else {
            return self.lose_name(id);
        };
        self.recovered(id);
        if self.inherit(id, &facts, &look.hashes) {
            return;
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let is_stranger = stream.identity.has_other_birth_than(&facts);
        let is_shorter = !is_stranger && stream.shrinks(&facts);
        let verdict = identity::judge(&stream.identity, stream.offset, &facts, &look.hashes);
        let verdict = match verdict {
            Verdict::GoOn if is_shorter && stream.identity.marks.is_empty() => Verdict::Rewritten,
            // The line that was taken unfinished is gone, and another stands there.
            Verdict::GoOn if !stream.still_has_taken(&look.hashes) => Verdict::CutInPlace {
                resume: stream.offset,
            },
            verdict => verdict,
        };
        match verdict {
            Verdict::GoOn if !stream.confirmed => {
                stream.confirmed = true;
                self.wake_heirs(id);
            }
            Verdict::GoOn => {}
            // A stranger stands where it was: it is gone. (Where the system does not
            // tell births, what looks like a stranger may be the file itself, written
            // anew: better to read it twice than never.)
            Verdict::Moved | Verdict::Reused if stream.naming != Naming::Here => {
                stream.naming = Naming::Nameless;
                self.orders.push_back(Turn::Close(id));
                self.wake_heirs(id);
                return self.lose_name(id);
            }
            Verdict::Moved => {
                stream.identity.place = facts.place;
                stream.identity.birth = facts.birth;
                stream.changed_after = self.n_listings;
                self.dirty.insert(id);
            }
            Verdict::CutInPlace { resume } => {
                let path = stream.path.clone();
                let offset = resume;
                self.notices.push(Notice::CutInPlace { path, offset });
                self.begin_anew(id, &facts, resume);
                return;
            }
            Verdict::Rewritten | Verdict::Reused | Verdict::Other => {
                let n_lost = stream.n_behind();
                let path = stream.path.clone();
                self.notices.push(Notice::Truncated { path, n_lost });
                self.begin_anew(id, &facts, 0);
                return;
            }
        }
        self.go_on(now, id, &facts, &look);
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
        let Some(stream) = self.streams.get_mut(&id) else {
            return Vec::new();
        };
        stream.phase = Phase::Resting;
        let counts = epoch == self.epoch && !std::mem::take(&mut stream.outdated);
        let (scanned, at_end) = match outcome {
            Ok(ReadDone::Scanned { scanned, at_end }) if counts => (scanned, at_end),
            // Other bytes than those that were expected, or searched for rules
            // that are no more: look again.
            Ok(ReadDone::Scanned { .. } | ReadDone::Changed) => {
                self.wake(id);
                return Vec::new();
            }
            Err(fault) => {
                self.fault(id, fault);
                return Vec::new();
            }
        };
        let before = (stream.offset, stream.taken.clone());
        if scanned.n_cut > 0 {
            self.notices.push(Notice::LinesCut {
                path: stream.path.clone(),
                n_lines: scanned.n_cut,
            });
        }
        let rules = stream.rules.clone();
        let keys: Vec<RuleKey> = rules.iter().map(|&idx| self.keys[idx].clone()).collect();
        let mut hits = stream.advance(now, ending, scanned, &keys);
        for hit in &mut hits {
            hit.rule = rules[hit.rule];
        }
        if (stream.offset, &stream.taken) != (before.0, &before.1) {
            self.n_dirty_bytes += stream.offset.saturating_sub(before.0);
            self.dirty.insert(id);
        }
        self.recovered(id);
        let Some(stream) = self.streams.get_mut(&id) else {
            return hits;
        };
        if !at_end {
            stream.phase = Phase::WaitsToRead;
            self.turns.push_back(id);
        } else if stream.again || stream.naming != Naming::Here {
            self.wake(id);
        }
        hits
    }

    /// What people should hear of since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Whether positions changed.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || self.globs_changed
    }

    /// Bytes searched since positions were taken last.
    pub fn n_dirty_bytes(&self) -> u64 {
        self.n_dirty_bytes
    }

    /// The streams that changed since the last call, and those that are gone.
    pub fn take_dirty(&mut self) -> (Vec<StreamRecord>, Vec<StreamId>) {
        let mut changed = Vec::new();
        let mut gone = Vec::new();
        for id in std::mem::take(&mut self.dirty) {
            match self.streams.get(&id) {
                Some(stream) => changed.push(stream.record()),
                None => gone.push(id),
            }
        }
        self.n_dirty_bytes = 0;
        (changed, gone)
    }

    /// Takes back what [`take_dirty`](Self::take_dirty) gave: it was not committed.
    pub fn mark_dirty(&mut self, streams: impl IntoIterator<Item = StreamId>) {
        self.dirty.extend(streams);
    }

    /// All patterns that were listed, if that changed since the last call.
    pub fn take_globs(&mut self) -> Option<BTreeSet<String>> {
        std::mem::take(&mut self.globs_changed).then(|| self.globs.clone())
    }

    /// Takes back what [`take_globs`](Self::take_globs) gave: it was not committed.
    pub fn mark_globs(&mut self) {
        self.globs_changed = true;
    }

    /// The next stream's number.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Whether the host has no look, read or listing of ours.
    pub fn is_quiet(&self) -> bool {
        self.n_turns == 0 && self.listing.is_none()
    }

    fn wake(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        match stream.phase {
            Phase::Resting => {
                stream.again = false;
                stream.phase = Phase::WaitsToLook;
                self.turns.push_back(id);
            }
            Phase::Looking | Phase::Reading => stream.again = true,
            Phase::WaitsToLook | Phase::WaitsToRead => {}
        }
    }

    /// A look at a file, with the evidence that it is to be held against. None
    /// while it is not known whether it took the place of another.
    fn look(&mut self, id: StreamId) -> Option<LookAt> {
        let heirship = self.heirship(id);
        let inherited = match heirship {
            Heirship::Own => None,
            Heirship::Of(old) => self.streams.get(&old).map(|old| old.identity.probes()),
            Heirship::Unsettled => {
                // It is woken when the other is found.
                self.streams.get_mut(&id)?.phase = Phase::Resting;
                return None;
            }
        };
        let stream = self.streams.get_mut(&id)?;
        if heirship == Heirship::Own && stream.heir_of.take().is_some() {
            self.dirty.insert(id);
        }
        stream.asked_of = match heirship {
            Heirship::Of(old) => Some(old),
            Heirship::Own | Heirship::Unsettled => None,
        };
        stream.asked = inherited.clone().unwrap_or_default();
        let marks = inherited.unwrap_or_else(|| stream.identity.probes());
        let mut stretches: Vec<(u64, u64)> =
            marks.iter().map(|mark| (mark.start, mark.end)).collect();
        if heirship == Heirship::Own {
            stretches.extend(missing_heads(stream).map(|end| (0, end)));
            // The line that was taken comes last.
            let taken = stream.taken.as_ref().and_then(|taken| taken.mark);
            stretches.extend(taken.map(|mark| (mark.start, mark.end)));
        }
        stream.phase = Phase::Looking;
        stream.again = false;
        Some(LookAt {
            stream: id,
            path: stream.path.clone(),
            place: stream.place(),
            stretches,
        })
    }

    /// After a look at the file that is still itself.
    fn go_on(&mut self, now: Moment, id: StreamId, facts: &Facts, look: &Look) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let heads: Vec<u64> = missing_heads(stream).collect();
        let n_probes = stream.identity.probes().len();
        for (end, hash) in heads
            .iter()
            .zip(look.hashes.get(n_probes..).unwrap_or_default())
        {
            if let Some(hash) = hash {
                stream.learn_head(Mark {
                    start: 0,
                    end: *end,
                    hash: *hash,
                });
            }
        }
        stream.identity.birth = stream.identity.birth.or(facts.birth);
        stream.size = facts.size;
        stream.modified = facts.modified;
        let lost_its_name = stream.naming == Naming::Here && look.named != Some(stream.place());
        let unread = !stream.is_read() || stream.ending(now) == Ending::Take;
        if unread {
            stream.deleted = None;
            stream.phase = Phase::WaitsToRead;
            self.turns.push_back(id);
        } else {
            self.rest(now, id, facts);
        }
        if lost_its_name {
            self.lose_name(id);
        }
    }

    /// A file that was read to its end rests; one that nobody can write to any
    /// more is let go.
    fn rest(&mut self, now: Moment, id: StreamId, facts: &Facts) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let waits = stream.unfinished.is_some_and(|line| !line.taken);
        if facts.links == 0 && !waits {
            let since = *stream.deleted.get_or_insert(now);
            if since.after(DELETED) > now {
                return;
            }
            if self.may_be_continued(id) {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.deleted = Some(now);
                }
                return;
            }
            return self.forget(id);
        }
        if stream.again {
            return self.wake(id);
        }
        if stream.leaving {
            return self.forget(id);
        }
        if matches!(stream.naming, Naming::Rotated | Naming::Nameless) && !waits {
            let name = stream.name.clone();
            self.rotated.entry(name.clone()).or_default().insert(id);
            self.let_oldest_go(&name);
        }
    }

    /// Of the files that had a name, only so many are kept open. The oldest goes,
    /// by its number and not by when it came to rest; and not without a last look,
    /// for nobody may have hinted at its last lines.
    fn let_oldest_go(&mut self, name: &Path) {
        let Some(kept) = self.rotated.get(name) else {
            return;
        };
        let oldest = kept.first().filter(|_| kept.len() > ROTATED_KEPT).copied();
        if let Some(oldest) = oldest
            && let Some(stream) = self.streams.get_mut(&oldest)
        {
            stream.leaving = true;
            self.wake(oldest);
        }
    }
}

/// The heads that are not remembered yet although the file reaches them.
fn missing_heads(stream: &Stream) -> impl Iterator<Item = u64> {
    let known: BTreeSet<u64> = (stream.identity.head.iter()).map(|mark| mark.end).collect();
    let offset = stream.offset;
    HEAD_BYTES
        .into_iter()
        .filter(move |end| *end <= offset && !known.contains(end))
}
