//! Lists, looks, reads, seeks, closes. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, OFlags, StatxFlags};

use super::unpack::{self, Unpacked};
use super::watch::Watcher;
use crate::engine::Input;
use crate::engine::identity::{Facts, MARK_BYTES_MAX, Place, fingerprint};
use crate::engine::ids::StreamId;
use crate::engine::kinship::{self, Packing};
use crate::engine::scan::{REGION_BYTES_MAX, Region, is_hole, jumped, scan};
use crate::engine::schedule::{
    Entry, Fault, Found, Listing, Look, LookAt, Read, ReadDone, Scope, Turn,
};
use crate::rules::glob::Glob;

/// Descriptors that are left for everything but followed files.
const FILES_SPARED: u64 = 64;

/// Directories that one listing visits, at most.
const DIRECTORIES_MAX: usize = 100_000;

/// How deep below a pattern's root a listing goes.
const DEPTH_MAX: usize = 64;

/// The open files and the names that lead to them.
#[derive(Debug)]
pub struct Files {
    globs: Vec<Glob>,
    watcher: Option<Watcher>,
    open: BTreeMap<StreamId, Open>,
    n_open_max: usize,
    /// Rises with every use of a file: tells which was used least.
    clock: u64,
    buffer: Vec<u8>,
    archive: Option<(StreamId, Unpacked)>,
}

#[derive(Debug)]
struct Open {
    file: File,
    used: u64,
}

impl Files {
    /// Prepares to follow what the patterns name. Without a watcher, nobody tells
    /// when something changes.
    pub fn new(globs: Vec<Glob>, watcher: Option<Watcher>) -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let n_open_max = limit.map_or(u64::MAX, |limit| limit.saturating_sub(FILES_SPARED));
        Self {
            globs,
            watcher,
            open: BTreeMap::new(),
            n_open_max: usize::try_from(n_open_max.clamp(8, 1 << 20)).unwrap_or(1 << 20),
            clock: 0,
            buffer: Vec::new(),
            archive: None,
        }
    }

    /// Takes over changed patterns.
    pub fn meet(&mut self, globs: Vec<Glob>) {
        self.globs = globs;
    }

    /// Does what the engine asked for. `None` where it needs no answer.
    pub fn turn(&mut self, turn: Turn) -> Option<Input> {
        match turn {
            Turn::List(scope) => Some(Input::Listed(self.list(&scope))),
            Turn::Look(look) => {
                let stream = look.stream;
                Some(Input::Looked(stream, self.look(&look).map_err(fault)))
            }
            Turn::Read(read) => Some(Input::Read {
                stream: read.stream,
                ending: read.ending,
                epoch: read.epoch,
                outcome: self.read(&read).map_err(fault),
            }),
            Turn::Seek {
                stream,
                path,
                real,
                place,
                log,
            } => Some(Input::Found(
                stream,
                seek(&path, real.as_deref(), place, &log).map_err(fault),
            )),
            Turn::Close(stream) => {
                self.archive.take_if(|(of, _)| *of == stream);
                self.open.remove(&stream);
                None
            }
        }
    }

    /// Lists what the patterns name. Directories are watched before they are
    /// read, so that nothing falls between the two.
    fn list(&mut self, scope: &Scope) -> Listing {
        let mut walk = Walk {
            globs: &self.globs,
            watcher: self.watcher.as_mut(),
            entries: BTreeMap::new(),
            faults: Vec::new(),
            visited: BTreeSet::new(),
        };
        let (literal, wild): (Vec<&Glob>, Vec<&Glob>) =
            self.globs.iter().partition(|glob| glob.is_literal());
        match scope {
            Scope::All => {
                literal.iter().for_each(|glob| walk.named(glob.root()));
                let roots: BTreeSet<&Path> = wild.iter().map(|glob| glob.root()).collect();
                roots.iter().for_each(|root| walk.directory(root, 0));
            }
            Scope::Below(directory) => {
                let below = literal.iter().map(|glob| glob.root());
                below
                    .filter(|path| path.starts_with(directory))
                    .for_each(|path| walk.named(path));
                if wild.iter().any(|glob| glob.may_match_below(directory)) {
                    walk.directory(directory, 0);
                }
            }
        }
        let (entries, faults) = (walk.entries, walk.faults);
        Listing {
            entries: entries.into_values().collect(),
            faults,
        }
    }

    fn look(&mut self, look: &LookAt) -> io::Result<Look> {
        let named = facts_at(&look.path)?.map(|facts| facts.place);
        if let Some(packing) = look.packing {
            let archive = self.archive(look.stream, &look.path, look.place, packing)?;
            return unpack::look(archive, look, named);
        }
        let Some(file) = self.file(look.stream, &look.path, look.place)? else {
            return Ok(Look {
                opened: None,
                named,
                hashes: Vec::new(),
                is_later: false,
            });
        };
        let mut facts = facts_of(file)?;
        let mut hashes = Vec::with_capacity(look.stretches.len());
        let mut bytes = Vec::new();
        for &(start, end) in &look.stretches {
            let n_bytes = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
            bytes.resize(n_bytes, 0);
            let whole = read_full_at(file, &mut bytes, start)? == n_bytes;
            if whole {
                // Shared file systems may tell a size of some seconds ago.
                facts.size = facts.size.max(end);
            }
            hashes.push(whole.then(|| fingerprint(&bytes)));
        }
        Ok(Look {
            opened: Some(facts),
            named,
            hashes,
            is_later: false,
        })
    }

    fn read(&mut self, read: &Read) -> io::Result<ReadDone> {
        if let Some(packing) = read.packing {
            let archive = self.archive(read.stream, &read.path, read.place, packing)?;
            return unpack::read(archive, read);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(REGION_BYTES_MAX, 0);
        let outcome = match self.file(read.stream, &read.path, read.place)? {
            None => Ok(ReadDone::Changed),
            Some(file) => read_region(file, read, &mut buffer),
        };
        self.buffer = buffer;
        outcome
    }

    /// The open file of a stream; opened if it is not. None if its name leads to
    /// another file or to none.
    fn file(&mut self, stream: StreamId, path: &Path, place: Place) -> io::Result<Option<&File>> {
        self.clock += 1;
        if !self.open.contains_key(&stream) {
            self.make_room();
            let Some(file) = open_at(path, place)? else {
                return Ok(None);
            };
            self.open.insert(stream, Open { file, used: 0 });
        }
        let clock = self.clock;
        Ok(self.open.get_mut(&stream).map(|open| {
            open.used = clock;
            &open.file
        }))
    }

    /// The archive of a stream. One is open at a time: a decoder needs memory.
    fn archive(
        &mut self,
        stream: StreamId,
        path: &Path,
        place: Place,
        packing: Packing,
    ) -> io::Result<Option<&mut Unpacked>> {
        if self.archive.as_ref().is_none_or(|(of, _)| *of != stream) {
            self.archive = None;
            let Some(file) = open_at(path, place)? else {
                return Ok(None);
            };
            self.archive = Some((stream, Unpacked::new(file, packing)?));
        }
        Ok(self.archive.as_mut().map(|(_, archive)| archive))
    }

    /// Closes the file that was used least, if there are too many.
    fn make_room(&mut self) {
        while self.open.len() >= self.n_open_max {
            let oldest = (self.open.iter())
                .min_by_key(|(_, open)| open.used)
                .map(|(stream, _)| *stream);
            let Some(oldest) = oldest else {
                return;
            };
            self.open.remove(&oldest);
        }
    }
}

/// A walk through the directories that patterns name.
struct Walk<'a> {
    globs: &'a [Glob],
    watcher: Option<&'a mut Watcher>,
    entries: BTreeMap<PathBuf, Entry>,
    faults: Vec<(PathBuf, String)>,
    visited: BTreeSet<PathBuf>,
}

impl Walk<'_> {
    /// A file that is named without wildcards: it is found even where its
    /// directory cannot be listed.
    fn named(&mut self, path: &Path) {
        let parent = path.parent().unwrap_or(path);
        if let Some(watcher) = &mut self.watcher {
            watcher.watch_for(parent);
        }
        let is_link = path.is_symlink();
        self.file(path.to_owned(), is_link);
    }

    fn directory(&mut self, directory: &Path, depth: usize) {
        if depth > DEPTH_MAX
            || self.visited.len() >= DIRECTORIES_MAX
            || !self.visited.insert(directory.to_owned())
        {
            return;
        }
        if let Some(watcher) = &mut self.watcher {
            watcher.watch(directory);
        }
        let listed = match std::fs::read_dir(directory) {
            Ok(listed) => listed,
            Err(error) if is_absent(&error) => {
                // It may come: whoever makes it does so in its parent.
                if let (Some(watcher), Some(parent)) = (&mut self.watcher, directory.parent()) {
                    watcher.watch_for(parent);
                }
                return;
            }
            Err(error) => return self.fault(directory, &error),
        };
        for found in listed {
            let found = match found {
                Ok(found) => found,
                Err(error) => return self.fault(directory, &error),
            };
            let path = directory.join(found.file_name());
            let kind = found.file_type().ok();
            let is_link = kind.is_some_and(|kind| kind.is_symlink());
            if kind.is_some_and(|kind| kind.is_dir()) {
                if self.globs.iter().any(|glob| glob.may_match_below(&path)) {
                    self.directory(&path, depth + 1);
                }
                continue;
            }
            if self.globs.iter().any(|glob| glob.matches(&path)) {
                self.file(path, is_link);
            } else if is_link && self.globs.iter().any(|glob| names_link(glob, &path)) {
                // A link to a directory that a pattern names.
                self.directory(&path, depth + 1);
            }
        }
    }

    fn file(&mut self, path: PathBuf, is_link: bool) {
        match facts_at(&path) {
            Ok(Some(facts)) => {
                let real = is_link.then(|| std::fs::canonicalize(&path).ok()).flatten();
                if let (Some(watcher), Some(parent)) =
                    (&mut self.watcher, real.as_deref().and_then(Path::parent))
                {
                    watcher.watch(parent);
                }
                self.entries
                    .insert(path.clone(), Entry { path, real, facts });
            }
            // It went away meanwhile, or is no regular file.
            Ok(None) => {}
            Err(error) => self.fault(&path, &error),
        }
    }

    fn fault(&mut self, path: &Path, error: &io::Error) {
        self.faults.push((path.to_owned(), reason(error)));
    }
}

/// Whether a pattern names this very link, or something right through it. Below
/// `**` links are not followed.
fn names_link(glob: &Glob, link: &Path) -> bool {
    let before_stars = match glob.as_str().find("**") {
        Some(idx) => &glob.as_str()[..idx],
        None => glob.as_str(),
    };
    let n_named = Path::new(before_stars).components().count();
    link.components().count() <= n_named && glob.may_match_below(link)
}

/// Finds a file by its place, first at `real`, then under any name beside `path`, and
/// the files there that are rotated ones of `log` by their names.
fn seek(path: &Path, real: Option<&Path>, place: Place, log: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    if let Some(real) = real
        && facts_at(real)?.is_some_and(|facts| facts.place == place)
    {
        found.path = Some(real.to_owned());
        return Ok(found);
    }
    let directory = path.parent().unwrap_or(path);
    let descriptor = match rustix::fs::open(
        directory,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    ) {
        Ok(descriptor) => descriptor,
        Err(error) if is_absent(&error.into()) => return Ok(found),
        Err(error) => return Err(error.into()),
    };
    for entry in rustix::fs::Dir::read_from(&descriptor)? {
        let entry = entry?;
        if !matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown) {
            continue;
        }
        let path = directory.join(OsStr::from_bytes(entry.file_name().to_bytes()));
        let is_kin = kinship::rank(log, &path).is_some();
        if !is_kin && entry.ino() != place.inode {
            continue;
        }
        let Some(facts) = facts_at(&path)? else {
            continue;
        };
        if facts.place == place && found.path.is_none() {
            found.path = Some(path.clone());
        }
        if is_kin {
            let real = None;
            found.kin.push(Entry { path, real, facts });
        }
    }
    Ok(found)
}

/// Opens a regular file, without waiting for anything, if it is at its place.
fn open_at(path: &Path, place: Place) -> io::Result<Option<File>> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(path)
    {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => {
            // What cannot be opened may also be another file.
            return match facts_at(path)? {
                Some(facts) if facts.place == place => Err(error),
                _ => Ok(None),
            };
        }
    };
    let facts = facts_of(&file)?;
    Ok((facts.place == place).then_some(file))
}

fn read_region(file: &File, read: &Read, buffer: &mut [u8]) -> io::Result<ReadDone> {
    let n_before = read.mark.map_or_else(
        || read.offset.min(MARK_BYTES_MAX),
        |mark| mark.end - mark.start,
    );
    let begin = read.offset - n_before;
    let n_read = read_full_at(file, buffer, begin)?;
    let n_before = usize::try_from(n_before).unwrap_or(0);
    if n_read < n_before {
        return Ok(ReadDone::Changed);
    }
    let (before, bytes) = buffer[..n_read].split_at(n_before);
    if read
        .mark
        .is_some_and(|mark| fingerprint(before) != mark.hash)
    {
        return Ok(ReadDone::Changed);
    }
    let region = Region {
        bytes,
        offset: read.offset,
        before,
        skipping: read.skipping,
        ending: read.ending,
    };
    if is_hole(bytes) && !read.skipping {
        // Where the file system cannot tell, the hole is read like all else.
        let data = rustix::fs::seek(file, rustix::fs::SeekFrom::Data(begin + n_read as u64));
        if let Ok(data) = data {
            let scanned = jumped(&region, data);
            let at_end = false;
            return Ok(ReadDone::Scanned { scanned, at_end });
        }
    }
    Ok(ReadDone::Scanned {
        scanned: scan(region, &read.matcher),
        at_end: n_read < buffer.len(),
    })
}

/// Reads until the buffer is full or the file ends.
fn read_full_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut n_read = 0;
    while n_read < buffer.len() {
        match file.read_at(&mut buffer[n_read..], offset + n_read as u64) {
            Ok(0) => break,
            Ok(n) => n_read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_read)
}

/// What the system tells of the regular file that a path leads to.
fn facts_at(path: &Path) -> io::Result<Option<Facts>> {
    match rustix::fs::statx(CWD, path, AtFlags::empty(), wanted()) {
        Ok(statx) => Ok(is_regular(&statx).then(|| facts(&statx))),
        Err(error) if is_absent(&error.into()) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn facts_of(file: &File) -> io::Result<Facts> {
    let statx = rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, wanted())?;
    match is_regular(&statx) {
        true => Ok(facts(&statx)),
        false => Err(io::Error::other("not a regular file")),
    }
}

/// Where an open descriptor leads, if that is a regular file: the agent's own log.
pub fn place_of(descriptor: impl std::os::fd::AsFd) -> Option<Place> {
    let statx = rustix::fs::statx(descriptor, c"", AtFlags::EMPTY_PATH, wanted()).ok()?;
    is_regular(&statx).then(|| facts(&statx).place)
}

fn wanted() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME
}

fn is_regular(statx: &rustix::fs::Statx) -> bool {
    FileType::from_raw_mode(u32::from(statx.stx_mode)) == FileType::RegularFile
}

fn facts(statx: &rustix::fs::Statx) -> Facts {
    let nanos = |at: &rustix::fs::StatxTimestamp| {
        at.tv_sec
            .saturating_mul(1_000_000_000)
            .saturating_add(i64::from(at.tv_nsec))
    };
    let has_birth = statx.stx_mask & StatxFlags::BTIME.bits() != 0;
    Facts {
        place: Place {
            device: (u64::from(statx.stx_dev_major) << 32) | u64::from(statx.stx_dev_minor),
            inode: statx.stx_ino,
        },
        birth: has_birth.then(|| nanos(&statx.stx_btime)),
        size: statx.stx_size,
        modified: nanos(&statx.stx_mtime),
        links: u64::from(statx.stx_nlink),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn fault(error: io::Error) -> Fault {
    Fault {
        why: reason(&error),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "no permission; add the agent's user to the group that may read it".to_owned()
        }
        _ => error.to_string(),
    }
}
