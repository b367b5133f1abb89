//! One generation of a followed file: what is known of it, what it needs next.
//!
//! ```text
//!             hint, slow look              something unread
//!   resting ───────────────────► looking ───────────────────► reading
//!      ▲                            │  nothing new               │
//!      └────────────────────────────┴────────────────────────────┘ end of file
//! ```

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::commit::{StreamRecord, Taken};
use super::correlate::Role;
use super::identity::{Facts, Identity, Mark, Place};
use super::ids::StreamId;
use super::joined::Joined;
use super::kinship::Packing;
use super::scan::{Ending, Hit, Scanned, Waits};
use super::schedule::Entry;
use super::time::Moment;
use crate::rules::records::searcher::Searcher;
use crate::rules::{RuleKey, source_name};

/// How long an unfinished last line may stand without growing before it is taken.
pub const UNFINISHED: Duration = Duration::from_secs(5);

/// How long the lines that are to be shown after a hit are waited for, at most.
pub const AFTER: Duration = Duration::from_secs(1);

/// How long a deleted file is kept open after its end was read: its writer may
/// have one more line.
pub const DELETED: Duration = Duration::from_secs(1);

/// How long a file that may be a copy in the making is waited for without growing.
pub const GROWING: Duration = Duration::from_secs(5);

/// A followed file.
#[derive(Debug)]
pub struct Stream {
    /// Its number.
    pub id: StreamId,
    /// Part of the ids of its events: another number whenever the bytes at a
    /// position are no longer those that stood there, or the lines of today would be
    /// taken for those of yesterday.
    pub generation: StreamId,
    /// Where it was seen last.
    pub path: Arc<Path>,
    /// The name by which the rules follow it, even after it was renamed.
    pub name: Arc<Path>,
    /// The file behind `path`, if that is a link.
    pub real: Option<Arc<Path>>,
    /// Whether its name is still its own.
    pub naming: Naming,
    /// How to know it again.
    pub identity: Identity,
    /// Everything before this byte was searched.
    pub offset: u64,
    /// Whether `offset` lies inside a line whose head was taken.
    pub skipping: bool,
    /// The largest size that was seen.
    pub size: u64,
    /// When it was last written, as far as it was seen.
    pub modified: i64,
    /// An unfinished line that was taken before its end came.
    pub taken: Option<Box<Taken>>,
    /// Rules that do not care for lines that end at or before a byte.
    pub joined: Joined,
    /// The rules that follow it.
    pub following: Arc<Following>,
    /// Whether the rules changed while it was being looked at or read: what comes of a
    /// read then does not count.
    pub outdated: bool,
    /// What it is doing.
    pub phase: Phase,
    /// Something happened while it was busy.
    pub again: bool,
    /// What is left at its end.
    pub unfinished: Option<Box<Unfinished>>,
    /// Records that were not of their format, since the start of the agent.
    pub n_unparsed: u64,
    /// The file that stood at its path before: it may have been copied from there.
    pub heir_of: Option<StreamId>,
    /// What the look under way asks of it for the sake of another file.
    pub asked: Option<Box<Asked>>,
    /// Whether neither a name nor an open descriptor leads to it: only what it was
    /// read up to is needed still.
    pub is_memory: bool,
    /// That it cannot be read, until it can.
    pub unread: Option<Box<Unread>>,
    /// When it was found deleted and read to its end.
    pub deleted: Option<Moment>,
    /// Whether it is let go when a look finds nothing new.
    pub leaving: bool,
    /// Whether a look has shown that it is what was found where it went to.
    pub confirmed: bool,
    /// How often it was asked where it went, without an answer yet: the last one counts.
    pub n_seeks: u32,
    /// Whether nobody could tell where it went: to be asked again.
    pub seek_failed: bool,
    /// The last listing that was ordered before a look found another file here, or a
    /// search this one among the rotated ones.
    pub changed_after: u64,
    /// The last listing that was ordered before it lost its name.
    pub lost_after: u64,
    /// Whether its name was listed since: what took its place is known.
    pub looked_for: bool,
    /// Whether its name was listed once more because a look showed what a listing had not.
    pub listed_again: bool,
    /// How it is compressed. Its offsets are those of what it holds.
    pub packing: Option<Packing>,
    /// Whether it is known what was rotated after it.
    pub kin: Kin,
    /// Whether the generations after it are known, whatever is asked about its kin: then
    /// only its own content may still be looked for among them.
    pub is_succeeded: bool,
    /// Its place in the order of the generations of a log: that of the last one before it,
    /// if it was only found after it was rotated.
    pub order: StreamId,
    /// A file that it may be a copy of, if it is not the continuation of another.
    pub copy_of: Option<StreamId>,
    /// Whether it begins as no text does: it is not read.
    pub is_binary: bool,
    /// Whether it was said that its lines end in carriage returns.
    pub has_bare_returns: bool,
    /// Whether `heir_of` may stand there still, and this is a copy of it.
    pub is_copy: bool,
    /// Its size, and since when it has not grown, while it may be a copy in the making.
    pub grows: Option<(u64, Moment)>,
    /// Whether nothing is read of it until it is known what it is.
    pub is_held: bool,
    /// The file that is to be read first: an older generation of the same log.
    pub follows: Option<StreamId>,
}

/// What is asked of a file that may have the content of another.
#[derive(Debug)]
pub struct Asked {
    /// The other file: the one that stood at its path before, or one that this was an
    /// heir of itself; or the one among whose kin it is looked at.
    pub of: StreamId,
    /// The other's marks.
    pub marks: Box<[Mark]>,
}

/// The rules that follow a file.
#[derive(Debug)]
pub struct Following {
    /// By their place in the rule set.
    pub rules: Vec<usize>,
    /// What is searched for, in the order of `matcher`: for which rule, and as what.
    pub searched: Vec<Searched>,
    /// Ready to search.
    pub searcher: Arc<Searcher>,
}

/// Records that are searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searched {
    /// The place of the rule in the rule set.
    pub idx: usize,
    /// The rule.
    pub rule: RuleKey,
    /// What they are for it.
    pub role: Role,
    /// By which name it is remembered that a line was found that is not finished: no
    /// rule has the key that stands for what ends incidents.
    pub taken_by: RuleKey,
}

/// Whether a name still belongs to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// It stands at its path.
    Here,
    /// Another file stands there, or none; where it went is asked.
    Sought,
    /// It was renamed out of the patterns: it is read on until it is deleted.
    Rotated,
    /// It has no name that we can find: only the open descriptor leads to it.
    Nameless,
}

/// Whether it is known what was rotated after a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kin {
    /// Nobody has asked.
    Unasked,
    /// It is being found out; what took the file's place waits.
    Asked,
    /// It takes long; what took the file's place does not wait.
    Slow,
    /// It is known.
    Known,
}

/// What a stream is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing until something happens.
    Resting,
    /// It waits for its turn to be looked at.
    WaitsToLook,
    /// It waits for its turn to be read.
    WaitsToRead,
    /// The host looks.
    Looking,
    /// The host reads.
    Reading,
}

/// A file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The name under which that was reported.
    pub path: Arc<Path>,
    /// How often it was tried.
    pub n_faults: u32,
    /// When it is tried again, if a name or an open descriptor leads to it.
    pub retry: Option<Moment>,
    /// Whether it is one of the files of its name that cannot be read, and not only an
    /// archive that may be in the making.
    pub counts: bool,
}

/// What is left at the end of a file: an unfinished line or record, or a hit whose
/// following lines are to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// All bytes that are left.
    pub n_bytes: u64,
    /// Those of what is waited for.
    pub n_own: u64,
    /// What is waited for.
    pub waits: Waits,
    /// When that last grew; for lines after a hit, when it was first seen.
    pub since: Moment,
    /// Whether it was taken as it stands.
    pub taken: bool,
}

impl Stream {
    /// Begins to follow a file.
    pub fn new(id: StreamId, path: Arc<Path>, facts: &Facts, following: Arc<Following>) -> Self {
        Self {
            id,
            generation: id,
            name: path.clone(),
            path,
            real: None,
            naming: Naming::Here,
            identity: Identity::of(facts),
            offset: 0,
            skipping: false,
            size: 0,
            modified: facts.modified,
            taken: None,
            joined: Joined::default(),
            following,
            outdated: false,
            phase: Phase::Resting,
            again: false,
            unfinished: None,
            n_unparsed: 0,
            heir_of: None,
            asked: None,
            is_memory: false,
            unread: None,
            deleted: None,
            leaving: false,
            confirmed: false,
            n_seeks: 0,
            seek_failed: false,
            changed_after: 0,
            lost_after: 0,
            looked_for: false,
            listed_again: false,
            packing: None,
            kin: Kin::Unasked,
            is_succeeded: false,
            order: id,
            copy_of: None,
            is_binary: false,
            has_bare_returns: false,
            is_copy: false,
            grows: None,
            is_held: false,
            follows: None,
        }
    }

    /// Goes on with a file from an earlier life.
    pub fn restored(record: StreamRecord, following: Arc<Following>) -> Self {
        let name = record.name;
        let facts = Facts {
            place: record.identity.place,
            ..Facts::default()
        };
        Self {
            // It may have been renamed again meanwhile: to be asked.
            naming: match (record.overwritten, record.rotated) {
                (true, _) => Naming::Nameless,
                (false, true) => Naming::Sought,
                (false, false) => Naming::Here,
            },
            seek_failed: record.rotated && !record.overwritten,
            is_memory: record.overwritten,
            is_held: record.overwritten,
            // What of it was not read may have been compressed meanwhile.
            kin: Kin::Unasked,
            is_succeeded: record.searched,
            order: record.order.unwrap_or(record.id),
            packing: record.packing,
            modified: record.modified,
            heir_of: record.heir_of,
            identity: record.identity,
            generation: record.generation,
            offset: record.offset,
            skipping: record.skipping,
            size: record.size,
            taken: record.taken,
            joined: record.joined,
            path: match record.path == name {
                true => name.clone(),
                false => record.path,
            },
            ..Self::new(record.id, name, &facts, following)
        }
    }

    /// What must be on disk to go on with it in another life.
    pub fn record(&self) -> StreamRecord {
        StreamRecord {
            id: self.id,
            generation: self.generation,
            path: self.path.clone(),
            name: self.name.clone(),
            reading: self.following.searcher.reading().key(),
            rotated: self.naming != Naming::Here,
            overwritten: self.is_ghost(),
            heir_of: self.heir_of,
            identity: self.identity.clone(),
            offset: self.offset,
            skipping: self.skipping,
            size: self.size,
            modified: self.modified,
            packing: self.packing,
            searched: self.is_succeeded,
            order: (self.order != self.id).then_some(self.order),
            taken: self.taken.clone(),
            joined: self.joined.clone(),
        }
    }

    /// What stands behind `from` is no longer what stood there.
    pub fn begin_anew(&mut self, generation: StreamId, facts: &Facts, from: u64) {
        self.generation = generation;
        if self.naming == Naming::Here {
            self.order = generation;
        }
        self.identity.place = facts.place;
        self.identity.birth = facts.birth;
        self.identity.cut(from);
        self.offset = from;
        self.size = from;
        self.modified = facts.modified;
        self.skipping = false;
        self.is_binary = false;
        self.has_bare_returns = false;
        self.taken = None;
        self.unfinished = None;
        // Nobody can tell old lines from new ones behind the cut.
        self.joined = Joined::default();
    }

    /// What it was read up to, when its content is about to be written anew: where a
    /// copy of it may be read on, and by which one is known.
    pub fn ghost(&self, id: StreamId) -> Self {
        let facts = Facts {
            place: self.place(),
            ..Facts::default()
        };
        Self {
            generation: self.generation,
            order: self.order,
            naming: Naming::Nameless,
            identity: self.identity.clone(),
            offset: self.offset,
            skipping: self.skipping,
            size: self.size,
            modified: self.modified,
            taken: self.taken.clone(),
            joined: self.joined.clone(),
            is_memory: true,
            is_held: true,
            name: self.name.clone(),
            ..Self::new(id, self.path.clone(), &facts, self.following.clone())
        }
    }

    /// Whether it is only what was known of a file before its content was written anew.
    pub fn is_ghost(&self) -> bool {
        self.is_memory && self.is_held
    }

    /// Goes on where another file was left whose content this one has.
    pub fn succeed(&mut self, old: StreamRecord) {
        self.offset = old.offset;
        self.skipping = old.skipping;
        self.identity.head = old.identity.head;
        self.identity.marks = old.identity.marks;
        self.taken = old.taken;
        self.joined = old.joined;
    }

    /// Gives it another name, by which the rules follow it.
    pub fn rename(&mut self, path: Arc<Path>) {
        self.path = path.clone();
        self.name = path;
    }

    /// How messages name it: where it was seen when rules last followed it there.
    pub fn source(&self) -> Arc<str> {
        source_name(&self.name).into()
    }

    /// Where it lives.
    pub fn place(&self) -> Place {
        self.identity.place
    }

    /// Bytes that were seen and not searched.
    pub fn n_behind(&self) -> u64 {
        self.size.saturating_sub(self.offset)
    }

    /// Whether there is nothing more to search for now.
    pub fn is_read(&self) -> bool {
        let n_left = (self.unfinished.as_deref()).map_or(0, |left| left.n_bytes);
        self.is_binary || self.n_behind() <= n_left
    }

    /// How the next read should treat an unfinished line.
    pub fn ending(&self, now: Moment) -> Ending {
        match self.unfinished.as_deref() {
            // What is compressed does not grow.
            Some(left) if !left.taken && self.packing.is_some() => self.ending_of(left.waits),
            Some(left) if self.patience_of(left).is_some_and(|until| until <= now) => {
                self.ending_of(left.waits)
            }
            _ => Ending::Leave,
        }
    }

    /// How to end what was waited for long enough.
    fn ending_of(&self, waits: Waits) -> Ending {
        let is_wrapped = self.following.searcher.reading().format.is_wrapped();
        match waits {
            Waits::After => Ending::Pass,
            Waits::Record if is_wrapped => Ending::Pass,
            Waits::Record | Waits::Line => Ending::Take,
        }
    }

    /// Until when what is left is waited for, if it is.
    fn patience_of(&self, left: &Unfinished) -> Option<Moment> {
        let patience = match left.waits {
            Waits::Line => UNFINISHED,
            Waits::Record => self.following.searcher.reading().timeout(),
            Waits::After => AFTER,
        };
        (!left.taken).then(|| left.since.after(patience))
    }

    /// Tells whether the file is shorter than it was. Then it forgets which old lines
    /// rules do not care for behind its end: what comes there now is new.
    pub fn shrinks(&mut self, facts: &Facts) -> bool {
        let had_more = self.joined.retain(|upto| upto <= facts.size);
        facts.size < self.size || had_more
    }

    /// Whether the unfinished line that was taken stands there still, if there is
    /// one: its hash is the last one of a look.
    pub fn still_has_taken(&self, hashes: &[Option<u64>]) -> bool {
        let mark = self.taken.as_ref().and_then(|taken| taken.mark);
        mark.is_none_or(|mark| hashes.last().copied().flatten() == Some(mark.hash))
    }

    /// Whether a listing tells nothing new of it.
    pub fn is_as_listed(&self, entry: &Entry) -> bool {
        let facts = &entry.facts;
        self.naming == Naming::Here
            && (self.size, self.modified) == (facts.size, facts.modified)
            && *self.path == *entry.path
            && self.real.as_deref() == entry.real.as_deref()
    }

    /// Whether nothing of it was read yet.
    pub fn is_fresh(&self) -> bool {
        self.offset == 0 && self.identity.marks.is_empty() && self.taken.is_none()
    }

    /// When it wants a look even if nothing happens.
    pub fn wakeup(&self) -> Option<Moment> {
        if self.is_memory {
            // There is nothing to be looked at.
            return None;
        }
        if let Some(unread) = &self.unread {
            return unread.retry;
        }
        let unfinished = (self.unfinished.as_deref())
            .filter(|_| self.packing.is_none())
            .and_then(|left| self.patience_of(left));
        let deleted = self.deleted.map(|since| since.after(DELETED));
        let grows = self.grows.map(|(_, since)| since.after(GROWING));
        [unfinished, deleted, grows].into_iter().flatten().min()
    }

    /// Takes what a region held: moves on, and returns the hits that count.
    pub fn advance(
        &mut self,
        now: Moment,
        ending: Ending,
        scanned: Scanned,
        searched: &[Searched],
    ) -> Vec<Hit> {
        let before = self.unfinished.take().filter(|left| {
            let is_as_it_was = left.waits == Waits::After || left.n_own == scanned.n_own;
            self.offset == scanned.upto && left.waits == scanned.waits && is_as_it_was
        });
        let mut hits = scanned.hits;
        hits.retain(|hit| {
            let Searched { rule, taken_by, .. } = &searched[hit.rule];
            let is_repeated = self
                .taken
                .as_ref()
                .is_some_and(|taken| taken.start == hit.start && taken.rules.contains(taken_by));
            let is_early = self.joined.get(rule).is_some_and(|from| hit.end <= from);
            !is_repeated && !is_early
        });
        // Those are nobody's, and may begin in the middle of one.
        let has_old_lines = !self.joined.is_empty();
        if self.offset == 0 {
            self.identity.head = scanned.head.into();
        }
        self.offset = scanned.upto;
        self.skipping = scanned.skipping;
        self.size = self.size.max(self.offset + scanned.n_unfinished);
        self.identity.climb(&scanned.marks);
        self.joined.retain(|from| from > scanned.upto);
        if (self.taken.as_ref()).is_some_and(|taken| taken.start < self.offset) {
            self.taken = None;
        }
        if ending == Ending::Take && scanned.n_unfinished > 0 {
            let offset = self.offset;
            let taken = self.taken.get_or_insert_with(|| {
                Box::new(Taken {
                    start: offset,
                    mark: None,
                    rules: BTreeSet::new(),
                })
            });
            taken.mark = scanned.rest;
            let unfinished = hits.iter().filter(|hit| hit.unfinished);
            taken
                .rules
                .extend(unfinished.map(|hit| searched[hit.rule].taken_by.clone()));
        }
        if !has_old_lines {
            self.n_unparsed += scanned.n_unparsed;
        }
        self.unfinished = (scanned.n_unfinished > 0).then(|| {
            Box::new(Unfinished {
                n_bytes: scanned.n_unfinished,
                n_own: scanned.n_own,
                waits: scanned.waits,
                since: before.as_ref().map_or(now, |left| left.since),
                taken: before.is_some_and(|left| left.taken || ending == Ending::Take),
            })
        });
        hits
    }
}
