//! What the schedule asks of the host, and what it hears.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::identity::{Facts, Mark, Place};
use crate::engine::ids::StreamId;
use crate::engine::kinship::Packing;
use crate::engine::scan::{Ending, Region, Scanned};
use crate::engine::stream::Stream;
use crate::rules::records::searcher::Searcher;

/// How files are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticing {
    /// The host tells hints; the slow listing is for safety.
    Hinted,
    /// Nobody tells: everything is listed often.
    Polled,
}

/// How the host goes about files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Means {
    /// How they are noticed.
    pub noticing: Noticing,
    /// How many looks and reads it takes at once, of files that are read alike.
    pub turns_max: usize,
}

/// Something that may have happened. Believed by nobody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// A file may have been written.
    Written(PathBuf),
    /// A name may have come, gone or changed.
    Renamed(PathBuf),
    /// Hints were lost.
    Lost,
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything that the patterns name.
    All,
    /// What they name at some paths or below them, whatever stands there.
    Below(BTreeSet<PathBuf>),
}

impl Scope {
    /// Whether a path is in it.
    pub fn holds(&self, path: &Path) -> bool {
        match self {
            Self::All => true,
            Self::Below(paths) => path.ancestors().any(|above| paths.contains(above)),
        }
    }
}

/// The outcome of a listing.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// The regular files that a pattern names, in name order.
    pub entries: Vec<Entry>,
    /// Directories that could not be listed, with the reason. What is below them
    /// is not known to be gone.
    pub faults: Vec<(PathBuf, String)>,
    /// Where no hint may come when something changes, there or below.
    pub untold: BTreeMap<PathBuf, Untold>,
    /// Where patterns begin below which not everything was listed, with the limit that was
    /// reached.
    pub cut_off: BTreeMap<PathBuf, String>,
    /// Directories that were passed over because they are the agent's own.
    pub own: Vec<PathBuf>,
    /// How long it took the host.
    pub took: Duration,
    /// How much of that it worked, and did not wait.
    pub worked: Duration,
}

/// Why no hint may come when something changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// Others may change the file system, which is of this kind.
    Shared(&'static str),
    /// It could not be watched, for this reason.
    Unwatched(String),
}

/// A file that a pattern names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub path: Arc<Path>,
    /// The file behind it, if the name or a part of it is a link.
    pub real: Option<Arc<Path>>,
    /// What the system tells of it.
    pub facts: Facts,
    /// Whether this very file is mounted here, and not the directory around it.
    pub is_mounted: bool,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The open file, if it is (still) at the expected place.
    pub opened: Option<Facts>,
    /// Where the name leads now.
    pub named: Option<Place>,
    /// The hashes of the stretches that were asked for.
    pub hashes: Vec<Option<u64>>,
    /// Whether the host has not come so far yet in what it decompresses: ask again.
    pub is_later: bool,
    /// What the read found that was to follow, if it was made and did not fail.
    pub then: Option<Box<ReadThen>>,
}

/// What a read found that followed a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadThen {
    /// Of which generation it was made.
    pub generation: StreamId,
    /// Where the region began.
    pub offset: u64,
    /// What was done with an unfinished line.
    pub ending: Ending,
    /// Which rule set was searched for.
    pub epoch: u64,
    /// What it found.
    pub done: ReadDone,
}

/// Where a file went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Its name now, if it has one.
    pub path: Option<PathBuf>,
    /// The rotated files of its log, by their names; itself may be among them.
    pub kin: Vec<Entry>,
}

/// A file whose name is not known.
#[derive(Debug, Clone)]
pub struct Sought {
    /// For the answer.
    pub stream: StreamId,
    /// Where it was.
    pub path: PathBuf,
    /// The file behind the name, if that was a link.
    pub real: Option<PathBuf>,
    /// What it is known by.
    pub place: Place,
    /// The name by which rules follow it.
    pub log: PathBuf,
}

/// A look at a file.
#[derive(Debug, Clone)]
pub struct LookAt {
    /// For the answer.
    pub stream: StreamId,
    /// Its name, to open it if it is not open.
    pub path: PathBuf,
    /// Where it must be; whatever else stands at the name is not opened.
    pub place: Place,
    /// How it is compressed. The stretches are those of what it holds.
    pub packing: Option<Packing>,
    /// The stretches whose hashes are wanted.
    pub stretches: Vec<(u64, u64)>,
    /// What to read then, if there is something: most files are found as they were
    /// expected. A host need not do it.
    pub then: Option<Box<Then>>,
}

/// A read that follows a look in the same turn.
#[derive(Debug, Clone)]
pub struct Then {
    /// The read.
    pub read: Read,
    /// Of which generation of the file.
    pub generation: StreamId,
    /// The size of the file up to which there is nothing new to be read.
    pub beyond: u64,
}

impl Then {
    /// Whether it is to be made of a file that was found so.
    pub fn is_due(&self, facts: &Facts) -> bool {
        facts.size > self.beyond || self.read.ending != Ending::Leave
    }

    /// What it found, for the answer.
    pub fn found(&self, done: ReadDone) -> Box<ReadThen> {
        Box::new(ReadThen {
            generation: self.generation,
            offset: self.read.offset,
            ending: self.read.ending,
            epoch: self.read.epoch,
            done,
        })
    }
}

/// A read of one region, to be searched where it was read.
#[derive(Debug, Clone)]
pub struct Read {
    /// For the answer.
    pub stream: StreamId,
    /// Its name, to open it if it is not open.
    pub path: PathBuf,
    /// Where it must be.
    pub place: Place,
    /// How it is compressed. Offsets are those of what it holds.
    pub packing: Option<Packing>,
    /// Where the region begins.
    pub offset: u64,
    /// What must stand before it, or nothing is read.
    pub mark: Option<Mark>,
    /// What the file must begin with, or nothing is read: lines of one kind often end
    /// alike, so what stands before the region may be the same in another content.
    pub head: Option<Mark>,
    /// Whether it begins inside a line whose head was taken.
    pub skipping: bool,
    /// What to do with an unfinished line.
    pub ending: Ending,
    /// Whether hits of which nothing but their number matters may be told by that.
    pub may_count: bool,
    /// How it is read, and what to search for.
    pub searcher: Arc<Searcher>,
    /// Which rule set `searcher` was made of.
    pub epoch: u64,
}

impl Read {
    /// The region that was read: its `bytes`, and those `before` it.
    pub fn region<'a>(&self, bytes: &'a [u8], before: &'a [u8]) -> Region<'a> {
        Region {
            bytes,
            offset: self.offset,
            before,
            skipping: self.skipping,
            ending: self.ending,
            may_count: self.may_count,
        }
    }
}

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadDone {
    /// The region was read and searched.
    Scanned {
        /// What it held.
        scanned: Scanned,
        /// Whether the file ended with it.
        at_end: bool,
    },
    /// The bytes before the region are not those that were seen there.
    Changed,
    /// The host has not come so far yet in what it decompresses: ask again.
    Later,
}

/// The system did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The cause, for people.
    pub why: String,
}

/// A turn that is given to the host.
#[derive(Debug, Clone)]
pub enum Turn {
    /// List.
    List(Scope),
    /// Look.
    Look(LookAt),
    /// Read.
    Read(Read),
    /// Find where a file went: first `real`, then any name in the directory of `path`;
    /// and which files in that directory are rotated ones of `log`, by their names.
    Seek(Sought),
    /// Close.
    Close(StreamId),
}

impl Stream {
    /// Asks where it went.
    pub(super) fn seek(&mut self) -> Turn {
        self.n_seeks += 1;
        Turn::Seek(Sought {
            stream: self.id,
            path: self.path.to_path_buf(),
            real: self.real.as_deref().map(Path::to_owned),
            place: self.place(),
            log: self.name.to_path_buf(),
        })
    }
}
