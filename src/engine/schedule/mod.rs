//! Which source is looked at next, and when.
//!
//! Three things make a stream's turn come: a hint that it may have changed, a
//! listing that shows it changed, and a line that has stood unfinished too long.
//! Hints are never believed, only hurried after; the slow listing makes the
//! promise that nothing is overlooked for long.
//!
//! Turns are short, a look or one region, and given in order: a file at full
//! speed delays the others by no more than a region. A look brings the region along
//! that is to be read if the file is found as it was left: what that read found counts
//! only if it is the one that would be made then.
//!
//! # What file systems and people do, and what comes of it
//!
//! | what happens | what comes of it |
//! |---|---|
//! | renamed and made anew, also several times between two looks | every generation is read, oldest first, while it lies in its directory under a rotated name (`.1`, `-20261121`, …) |
//! | rotated and compressed (`.gz`, `.zst`, `.bz2`, `.xz`) before it was read | the unread rest is read from the archive, once; one that is being made is waited for, one that is broken is reported |
//! | rotated under another name, or into another directory, before it was opened | not found: nothing but a name says who is kin |
//! | copied and truncated, also over the copy of last time | the copy is known by its bytes, and what was not read before is read from it. Lines written between the copying and the cutting are in neither file: the tool that rotates loses them |
//! | truncated and written anew, to any size | noticed by the bytes of the head and before the position |
//! | truncated and written with the same bytes again | cannot be told from a file that was left alone |
//! | its last lines removed in place | read on behind the newest mark that holds; cut to less than half, it is read anew |
//! | bytes in its middle changed behind our back | not noticed: what was read is not read again |
//! | deleted | read to its end through the open descriptor; of a file that was not open yet the rest is gone, and reported |
//! | its inode number given to another file | told by the time of birth where the file system has one, else by bytes; a file of which nothing was read gives no proof |
//! | device numbers that change with a mount | its content is proven by its bytes, from 64 of them on |
//! | hard links and links to one file | read once, for the rules of all its names |
//! | links turned to another file | both are read |
//! | holes, or NULs before a line | jumped over; NULs up to the end of the file are waited for, for they may be filled |
//! | no text | skipped with one warning, as are archives of which nothing was followed |
//! | lines that end in `\r` only | not supported: warned of once |
//! | a directory that cannot be listed | nothing below it is taken for gone |
//! | a file that cannot be read | tried again after 1 s, 2 s, and so on up to 30 s; the others go on |

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::commit::StreamRecord;
use super::identity::Place;
use super::ids::StreamId;
use super::stream::{Following, Phase, Stream};
use super::time::Moment;
use crate::rules::records::reading::ReadingKey;
use crate::rules::{RuleKey, RuleSet};

mod follow;
mod heirs;
mod kin;
mod looks;
mod names;
mod notices;
mod numbers;
mod reads;
mod roll;
mod troubles;
mod turns;
mod unseen;

use kin::Search;
pub use notices::Notice;
use roll::Roll;
use troubles::Lasting;
pub use turns::{
    Entry, Fault, Found, Hint, Listing, Look, LookAt, Means, Noticing, Read, ReadDone, ReadThen,
    Scope, Sought, Then, Turn, Untold,
};
use unseen::Unseen;
pub use unseen::{POLLED_LISTING, SLOW_LISTING};

/// Turns that are given to what has just happened before one is given to a file that
/// is far behind.
const TURNS_BEFORE_BACKLOG: usize = 16;

/// Paths that are listed one by one; beyond, everything is listed.
const WANTED_MAX: usize = 10_000;

/// All followed files of the rules that read in one way.
#[derive(Debug)]
pub struct Schedule {
    rules: Arc<RuleSet>,
    /// Which way that is.
    reading: ReadingKey,
    /// The rules that read so, by their place in the rule set.
    mine: Vec<usize>,
    /// Rises with every change of the rules.
    epoch: u64,
    keys: Vec<RuleKey>,
    followings: BTreeMap<Vec<usize>, Arc<Following>>,
    means: Means,
    excluded: Vec<PathBuf>,
    excluded_places: BTreeSet<Place>,
    streams: Roll,
    by_place: BTreeMap<Place, StreamId>,
    by_path: BTreeMap<Arc<Path>, StreamId>,
    by_real: BTreeMap<Arc<Path>, StreamId>,
    next_id: u64,
    globs: BTreeSet<String>,
    globs_changed: bool,
    from_the_end: bool,
    /// When the machine was started: what was written before may not have reached its disk.
    booted: i64,
    turns: VecDeque<StreamId>,
    /// Until when something had happened to files that are being looked at.
    hinted: BTreeMap<StreamId, Moment>,
    /// Files of which a region was read, and there is more.
    backlog: VecDeque<StreamId>,
    /// Turns that were given to others since one of the backlog had its turn.
    n_turns_before: usize,
    n_turns: usize,
    wants_all: bool,
    /// The paths that are to be listed, with what is below them.
    wanted: BTreeSet<PathBuf>,
    unseen: Unseen,
    listing: Option<Ordered>,
    n_listings: u64,
    /// The last listing of everything that is done.
    all_listed: u64,
    next_listing: Moment,
    /// The rules, by their epoch, for which everything was listed last.
    listed_for: Option<u64>,
    unlistable: BTreeMap<PathBuf, Lasting>,
    /// Where patterns begin below which not everything is listed.
    cut_off: BTreeSet<PathBuf>,
    /// Names of files that cannot be read.
    unreadable: BTreeMap<PathBuf, Lasting>,
    /// Names without wildcards whose files went away: since when, once that is known,
    /// and whether it was said.
    missing: BTreeMap<PathBuf, Option<Lasting>>,
    /// Names at which there never was a file, and whose lines a rule waits for.
    awaited: BTreeMap<PathBuf, Lasting>,
    orders: VecDeque<Turn>,
    notices: Vec<Notice>,
    dirty: BTreeSet<StreamId>,
    n_dirty_bytes: u64,
    /// Searches for what was rotated after files that lost their names.
    searches: BTreeMap<StreamId, Search>,
    /// Files whose search waits for another one to end.
    postponed: BTreeSet<StreamId>,
    /// The archive that is being decompressed: one after the other.
    unpacking: Option<StreamId>,
    /// Archives of which it was said that they are not read.
    skipped: BTreeSet<PathBuf>,
    rotated: BTreeMap<Arc<Path>, BTreeSet<StreamId>>,
}

/// A listing that the host is making.
#[derive(Debug)]
struct Ordered {
    scope: Scope,
    number: u64,
    /// The rules that it was ordered for, and their epoch.
    rules: Arc<RuleSet>,
    epoch: u64,
}

/// What turns may be given.
#[derive(Debug, Clone, Copy)]
pub(super) struct May {
    /// Whether there is room for what may come of a read.
    pub(super) read: bool,
    /// Whether nothing is being listed.
    pub(super) list: bool,
}

/// What a schedule begins with.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// The streams of an earlier life.
    pub streams: BTreeMap<StreamId, StreamRecord>,
    /// The patterns that were listed before.
    pub globs: BTreeSet<String>,
    /// The next stream's number.
    pub next_id: u64,
    /// Whether to go on from the end of every file.
    pub from_the_end: bool,
    /// When the machine was started, in nanoseconds since 1970.
    pub booted: i64,
    /// Directories that are never followed: the agent's own.
    pub excluded: Vec<PathBuf>,
    /// Files that are never followed: the agent's own log.
    pub excluded_places: BTreeSet<Place>,
}

impl Schedule {
    /// Takes up the files of an earlier life. Everything is listed first.
    pub(super) fn new(
        rules: Arc<RuleSet>,
        reading: ReadingKey,
        means: Means,
        start: Start,
        now: Moment,
    ) -> Self {
        let mut schedule = Self {
            keys: follow::keys_of(&rules),
            mine: follow::rules_that_read(&rules, &reading),
            reading,
            rules,
            epoch: 0,
            followings: BTreeMap::new(),
            means,
            excluded: start.excluded,
            excluded_places: start.excluded_places,
            streams: Roll::default(),
            by_place: BTreeMap::new(),
            by_path: BTreeMap::new(),
            by_real: BTreeMap::new(),
            next_id: start.next_id,
            globs: start.globs,
            globs_changed: false,
            from_the_end: start.from_the_end,
            booted: start.booted,
            turns: VecDeque::new(),
            hinted: BTreeMap::new(),
            backlog: VecDeque::new(),
            n_turns_before: 0,
            n_turns: 0,
            wants_all: true,
            wanted: BTreeSet::new(),
            unseen: Unseen::new(now),
            listing: None,
            n_listings: 0,
            all_listed: 0,
            next_listing: now,
            listed_for: None,
            unlistable: BTreeMap::new(),
            cut_off: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            missing: BTreeMap::new(),
            awaited: BTreeMap::new(),
            orders: VecDeque::new(),
            notices: Vec::new(),
            dirty: BTreeSet::new(),
            n_dirty_bytes: 0,
            searches: BTreeMap::new(),
            postponed: BTreeSet::new(),
            unpacking: None,
            skipped: BTreeSet::new(),
            rotated: BTreeMap::new(),
        };
        schedule.keep_known_globs();
        for (_, record) in start.streams {
            schedule.take_up(record);
        }
        schedule
    }

    /// Goes on with a file from an earlier life.
    fn take_up(&mut self, record: StreamRecord) {
        let id = record.id;
        let rules = self.rules_of(&record.name);
        if rules.is_empty() {
            // Nobody follows it any more.
            self.dirty.insert(id);
            return;
        }
        let following = self.following(&rules);
        let stream = Stream::restored(record, following);
        if stream.is_ghost() {
            return self.take_up_ghost(stream);
        }
        let other = self.by_place.insert(stream.place(), id);
        self.by_path.insert(stream.path.clone(), id);
        self.streams.insert(stream);
        if let Some(other) = other {
            self.tell_apart(other, id);
        }
    }

    /// Joins a file that other rules read in another way, where they are.
    pub(super) fn join(&mut self, record: StreamRecord) {
        let id = record.id;
        if record.overwritten || self.by_place.contains_key(&record.identity.place) {
            return;
        }
        self.dirty.insert(id);
        self.take_up(record);
        // Before everything was listed it waits with all others.
        if self.is_listed() {
            self.wake(id);
        }
    }

    /// Whether everything was listed at least once.
    pub fn is_listed(&self) -> bool {
        self.listed_for.is_some()
    }

    /// Whether all that was listed is read.
    pub fn is_drained(&self) -> bool {
        // This is asked after every look of a start: many thousands need not be gone
        // through while the turn of one is still to come.
        let is_idle = self.n_turns == 0 && self.turns.is_empty() && self.backlog.is_empty();
        let rests = |stream: &Stream| stream.phase == Phase::Resting && stream.is_read();
        self.is_listed() && is_idle && self.streams.values().all(rests)
    }

    /// Asks for a listing of everything. Returns its number: whoever waits for what
    /// was written by now waits for that one, and for all that it shows to be read.
    pub fn ask_for_all(&mut self) -> u64 {
        self.wants_all = true;
        self.n_listings + 1
    }

    /// Whether everything was listed by a number, and all that a rule follows is read
    /// as far as it can be: what is out of reach is another trouble.
    pub fn has_read_all(&self, rule: &RuleKey, listing: u64) -> bool {
        let is_of_rule = |stream: &&Stream| {
            let searched = &stream.following.searched;
            !stream.is_memory && searched.iter().any(|searched| searched.rule == *rule)
        };
        let rests = |stream: &Stream| {
            stream.phase == Phase::Resting && (stream.is_read() || stream.unread.is_some())
        };
        self.all_listed >= listing && self.streams.values().filter(is_of_rule).all(rests)
    }

    /// The streams, for status and tests.
    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.values()
    }

    /// A stream.
    pub fn stream(&self, id: StreamId) -> Option<&Stream> {
        self.streams.get(&id)
    }

    /// Names without wildcards whose files went away and stay away, or whose lines are
    /// waited for and whose files never came.
    pub fn missing(&self) -> impl Iterator<Item = &Path> {
        let went = self.missing.iter().filter(|(_, lasting)| lasting.is_some());
        let never_came = self.awaited.keys();
        went.map(|(path, _)| path)
            .chain(never_came)
            .map(PathBuf::as_path)
    }

    /// What has become due by now.
    pub fn tick(&mut self, now: Moment) {
        if self.next_listing <= now && self.listing.is_none() {
            self.wants_all = true;
        }
        for id in self.streams.due_by(now) {
            self.wake(id);
        }
    }

    /// When something becomes due.
    pub fn wakeup(&self) -> Option<Moment> {
        let is_idle = self.listing.is_none();
        let listing = is_idle.then_some(self.next_listing);
        let unseen = self.unseen.wakeup().filter(|_| is_idle);
        [listing, unseen, self.streams.first_due()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next turn, if there is one and the host has room for it. Reads are only
    /// given where `may_read`: what is not read stays in the files.
    pub(super) fn next_turn(&mut self, now: Moment, may: May) -> Option<Turn> {
        let may_read = may.read;
        self.streams.file();
        if let Some(order) = self.orders.pop_front() {
            return Some(order);
        }
        if self.listing.is_none()
            && may.list
            && let Some(scope) = self.next_scope(now)
        {
            self.order(scope.clone());
            return Some(Turn::List(scope));
        }
        if self.n_turns >= self.means.turns_max {
            return None;
        }
        // Until changed rules were listed for, a file may lack a rule that follows it
        // by another of its names.
        let may_read = may_read && self.listed_for == Some(self.epoch);
        for _ in 0..self.turns.len() + self.backlog.len() {
            let id = self.next_in_turn()?;
            let Some(stream) = self.streams.get(&id) else {
                continue;
            };
            let may_read = may_read && !self.waits_for_older(stream);
            if stream.packing.is_some() && !self.may_unpack(id) {
                self.backlog.push_back(id);
                continue;
            }
            let Some(stream) = self.streams.get_mut(&id) else {
                continue;
            };
            match stream.phase {
                // Nothing leads to it any more: there is nothing to be looked at.
                Phase::WaitsToLook if stream.is_memory => {
                    stream.phase = Phase::Resting;
                    self.lose_name(id);
                }
                Phase::WaitsToLook => {
                    if let Some(mut look) = self.look(id) {
                        look.then = may_read.then(|| self.then(now, id)).flatten();
                        self.n_turns += 1;
                        return Some(Turn::Look(look));
                    }
                }
                Phase::WaitsToRead if may_read => {
                    let region = stream.region(now, self.epoch);
                    self.begin_reading(id);
                    return Some(Turn::Read(region));
                }
                Phase::WaitsToRead => self.backlog.push_back(id),
                Phase::Resting | Phase::Looking | Phase::Reading => {}
            }
        }
        None
    }

    /// Takes part in a listing that was ordered for another reading.
    pub(super) fn listen(&mut self, scope: &Scope, now: Moment) {
        match scope {
            Scope::All => {
                self.wants_all = false;
                self.wanted.clear();
                self.plan_listing(now);
            }
            Scope::Below(paths) => self.wanted.retain(|path| !paths.contains(path)),
        }
        self.order(scope.clone());
    }

    fn order(&mut self, scope: Scope) {
        self.n_listings += 1;
        self.listing = Some(Ordered {
            scope,
            number: self.n_listings,
            rules: self.rules.clone(),
            epoch: self.epoch,
        });
    }

    /// What is listed next, if anything is to be.
    fn next_scope(&mut self, now: Moment) -> Option<Scope> {
        self.look_where_untold(now);
        if std::mem::take(&mut self.wants_all) || self.wanted.len() > WANTED_MAX {
            self.wanted.clear();
            self.plan_listing(now);
            return Some(Scope::All);
        }
        let wanted = std::mem::take(&mut self.wanted);
        (!wanted.is_empty()).then_some(Scope::Below(wanted))
    }

    /// Whose turn it is. What has just happened goes first, so that a line in a
    /// quiet file does not wait for those that are far behind; but they never wait
    /// for long.
    fn next_in_turn(&mut self) -> Option<StreamId> {
        if self.n_turns_before < TURNS_BEFORE_BACKLOG
            && let Some(id) = self.turns.pop_front()
        {
            self.n_turns_before += 1;
            return Some(id);
        }
        self.n_turns_before = 0;
        let id = self.backlog.pop_front();
        id.or_else(|| self.turns.pop_front())
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

    /// How many streams changed or are gone since they were taken last.
    pub(super) fn n_dirty(&self) -> usize {
        self.dirty.len()
    }

    /// Adds the streams that changed since the last call, and those that are gone.
    pub(super) fn take_dirty(&mut self, changed: &mut Vec<StreamRecord>, gone: &mut Vec<StreamId>) {
        for id in std::mem::take(&mut self.dirty) {
            match self.streams.get(&id) {
                // What is held is nothing yet.
                Some(stream) if stream.is_held && !stream.is_ghost() => gone.push(id),
                Some(stream) => changed.push(stream.record()),
                None => gone.push(id),
            }
        }
        self.n_dirty_bytes = 0;
    }

    /// Takes back what `take_dirty` gave: it was not committed.
    pub fn mark_dirty(&mut self, streams: impl IntoIterator<Item = StreamId>) {
        self.dirty.extend(streams);
    }

    /// Whether the patterns that were listed changed since the last call.
    pub(super) fn take_globs_changed(&mut self) -> bool {
        std::mem::take(&mut self.globs_changed)
    }

    /// All patterns that were listed.
    pub(super) fn globs(&self) -> &BTreeSet<String> {
        &self.globs
    }

    /// Takes back that the patterns were taken: they were not committed.
    pub fn mark_globs(&mut self) {
        self.globs_changed = true;
    }

    /// The next stream's number.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Numbers are drawn for all readings from one row.
    pub(super) fn set_next_id(&mut self, next_id: u64) {
        self.next_id = next_id;
    }

    /// Whether something is to be told to the host or the disk, or awaited from it.
    pub(super) fn is_busy(&self) -> bool {
        !self.is_quiet() || !self.orders.is_empty() || self.is_dirty()
    }

    /// Whether the host has no look, read or listing of ours.
    pub fn is_quiet(&self) -> bool {
        self.n_turns == 0 && self.listing.is_none()
    }

    /// Wakes a file because of what had happened to it by `since`. A look under way that
    /// began after that sees it.
    fn wake_since(&mut self, id: StreamId, since: Moment) {
        match self.streams.get(&id).map(|stream| stream.phase) {
            Some(Phase::Looking) => {
                let latest = self.hinted.entry(id).or_insert(since);
                *latest = since.max(*latest);
            }
            _ => self.wake(id),
        }
    }

    fn wake(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        match stream.phase {
            Phase::Resting => {
                stream.again = false;
                // An archive does not change: nothing is to be seen, only to be read.
                stream.phase = match stream.packing.is_some() && !stream.is_held {
                    true => Phase::WaitsToRead,
                    false => Phase::WaitsToLook,
                };
                self.turns.push_back(id);
            }
            Phase::Looking | Phase::Reading => stream.again = true,
            Phase::WaitsToLook | Phase::WaitsToRead => {}
        }
    }
}

#[cfg(test)]
mod tests;
