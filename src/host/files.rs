//! Looks, reads, closes. Decides nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, OFlags, Statx, StatxFlags};

mod open;
mod stretches;

use open::OpenFiles;
use stretches::hashes_of;

use super::clock;
use super::sieve::Sieve;
use super::stdin::Copy;
use super::unpack::{self, Unpacked};
use super::worker::Work;
use crate::engine::Input;
use crate::engine::identity::{Facts, MARK_BYTES_MAX, Place, fingerprint};
use crate::engine::ids::StreamId;
use crate::engine::kinship::Packing;
use crate::engine::records::region_bytes_max;
use crate::engine::scan::{LOOK_BACK_BYTES, is_hole, jumped, scan};
use crate::engine::schedule::{Fault, Look, LookAt, Read, ReadDone};
use crate::engine::time::Moment;
use crate::rules::STDIN;

/// Descriptors that are left for everything but followed files.
const FILES_SPARED: u64 = 64;

/// What is asked of a file.
#[derive(Debug)]
pub(super) enum Job {
    /// To look at it.
    Look(LookAt),
    /// To read a region of it.
    Read(Read),
    /// To close it.
    Close(StreamId),
}

/// Open files.
#[derive(Debug)]
pub(super) struct Files {
    open: OpenFiles,
    buffer: Vec<u8>,
    archive: Option<(StreamId, Unpacked)>,
    /// What came by standard input.
    stdin: Arc<Copy>,
    /// Told where files are left; nobody, if there are no hints.
    sieve: Option<Arc<Sieve>>,
}

impl Work for Job {
    fn failed(&self, fault: Fault) -> Option<Input> {
        match self {
            Self::Look(look) => Some(Input::Looked {
                stream: look.stream,
                begun: Moment::default(),
                outcome: Err(fault),
            }),
            Self::Read(read) => Some(Input::Read {
                stream: read.stream,
                ending: read.ending,
                epoch: read.epoch,
                outcome: Err(fault),
            }),
            Self::Close(_) => None,
        }
    }
}

impl Files {
    /// As a part of `n_parts` that share the descriptors which the process may have.
    pub(super) fn new(n_parts: u64, stdin: Arc<Copy>, sieve: Option<Arc<Sieve>>) -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let n_open_max = limit.map_or(u64::MAX, |limit| limit.saturating_sub(FILES_SPARED));
        let n_open_max = (n_open_max / n_parts).clamp(4, 1 << 20);
        Self {
            open: OpenFiles::new(usize::try_from(n_open_max).unwrap_or(usize::MAX)),
            buffer: Vec::new(),
            archive: None,
            stdin,
            sieve,
        }
    }

    /// Does what is asked. `None` where it needs no answer.
    pub(super) fn work(&mut self, job: Job) -> Option<Input> {
        match job {
            Job::Look(look) => {
                let (stream, begun) = (look.stream, clock::now().moment);
                let outcome = self.unless_stale(stream, |files| files.look(&look));
                let outcome = outcome.map(|found| self.read_then(&look, found));
                Some(Input::Looked {
                    stream,
                    begun,
                    outcome: outcome.map_err(fault),
                })
            }
            Job::Read(read) => Some(Input::Read {
                stream: read.stream,
                ending: read.ending,
                epoch: read.epoch,
                outcome: (self.unless_stale(read.stream, |files| files.read(&read))).map_err(fault),
            }),
            Job::Close(stream) => {
                self.archive.take_if(|(of, _)| *of == stream);
                self.open.remove(stream);
                if let Some(sieve) = &self.sieve {
                    sieve.forget(stream);
                }
                None
            }
        }
    }

    /// A file on another machine may be replaced under an open descriptor
    /// (`ESTALE`): then it is opened anew, and is itself or not.
    fn unless_stale<T>(
        &mut self,
        stream: StreamId,
        work: impl Fn(&mut Self) -> io::Result<T>,
    ) -> io::Result<T> {
        match work(self) {
            Err(error) if error.kind() == io::ErrorKind::StaleNetworkFileHandle => {
                self.open.remove(stream);
                work(self)
            }
            outcome => outcome,
        }
    }

    fn look(&mut self, look: &LookAt) -> io::Result<Look> {
        if look.path == Path::new(STDIN) {
            return self.look_at_stdin(look);
        }
        let named = facts_at(&look.path)?.map(|facts| facts.place);
        if let Some(packing) = look.packing {
            let archive = self.archive(look.stream, &look.path, look.place, packing)?;
            return unpack::look(archive, look, named);
        }
        let nothing = Look {
            opened: None,
            named,
            hashes: Vec::new(),
            is_later: false,
            then: None,
        };
        let Some(file) = self.file(look.stream, &look.path, look.place)? else {
            return Ok(nothing);
        };
        let mut facts = facts_of(file)?;
        if facts.place != look.place {
            // Where a file system goes by names, a descriptor may turn to what stands
            // at the name now.
            self.open.remove(look.stream);
            return Ok(nothing);
        }
        let hashes = hashes_of(file, &look.stretches)?;
        for (&(_, end), hash) in look.stretches.iter().zip(&hashes) {
            if hash.is_some() {
                // Shared file systems may tell a size of some seconds ago.
                facts.size = facts.size.max(end);
            }
        }
        Ok(Look {
            opened: Some(facts),
            named,
            hashes,
            is_later: false,
            then: None,
        })
    }

    /// Reads what is to be read after a look. What fails is tried again, and told then.
    fn read_then(&mut self, look: &LookAt, mut found: Look) -> Look {
        if let (Some(then), Some(facts)) = (&look.then, &found.opened)
            && then.is_due(facts)
        {
            let done = self.read(&then.read).ok();
            found.then = done.map(|done| then.found(done));
        }
        found
    }

    fn look_at_stdin(&self, look: &LookAt) -> io::Result<Look> {
        let facts = self.stdin.look();
        let opened = facts.filter(|facts| facts.place == look.place);
        let hashes = match opened {
            Some(_) => hashes_of(&*self.stdin, &look.stretches)?,
            None => Vec::new(),
        };
        Ok(Look {
            opened,
            named: facts.map(|facts| facts.place),
            hashes,
            is_later: false,
            then: None,
        })
    }

    fn read(&mut self, read: &Read) -> io::Result<ReadDone> {
        if let Some(packing) = read.packing {
            let archive = self.archive(read.stream, &read.path, read.place, packing)?;
            return unpack::read(archive, read);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let n_back = usize::try_from(n_back(read)).unwrap_or(0);
        buffer.resize(n_back + region_bytes_max(read.searcher.reading()), 0);
        if read.path == Path::new(STDIN) {
            let outcome = read_stdin(&self.stdin, read, &mut buffer);
            self.buffer = buffer;
            return outcome;
        }
        let sieve = self.sieve.clone();
        let outcome = match self.file(read.stream, &read.path, read.place)? {
            None => Ok(ReadDone::Changed),
            Some(file) => {
                let outcome = read_region(file, read, &mut buffer);
                if let (
                    Some(sieve),
                    Ok(ReadDone::Scanned {
                        scanned,
                        at_end: true,
                    }),
                ) = (sieve, &outcome)
                {
                    sieve.was_left(read, file, scanned, clock::now().moment);
                }
                outcome
            }
        };
        self.buffer = buffer;
        outcome
    }

    /// The open file of a stream; opened if it is not. None if its name leads to
    /// another file or to none.
    fn file(&mut self, stream: StreamId, path: &Path, place: Place) -> io::Result<Option<&File>> {
        if self.open.get(stream).is_none() {
            self.open.make_room();
            let Some(file) = open_at(path, place)? else {
                return Ok(None);
            };
            self.open.insert(stream, file);
        }
        Ok(self.open.get(stream))
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
}

/// Opens a regular file, without waiting for anything, if it is at its place. To
/// open a pipe or a device may be felt at its other end: nothing is opened that was
/// not seen to be a regular file.
fn open_at(path: &Path, place: Place) -> io::Result<Option<File>> {
    if facts_at(path)?.is_none_or(|facts| facts.place != place) {
        return Ok(None);
    }
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

/// What can be read at any place.
trait At {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Where the next data is behind a hole; none if nobody can tell.
    fn data_from(&self, offset: u64) -> Option<u64>;
}

impl At for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn data_from(&self, offset: u64) -> Option<u64> {
        rustix::fs::seek(self, rustix::fs::SeekFrom::Data(offset)).ok()
    }
}

impl At for Copy {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_at(buffer, offset)
    }

    fn data_from(&self, _: u64) -> Option<u64> {
        None
    }
}

/// Reads what came by standard input, from where it is kept.
fn read_stdin(copy: &Copy, read: &Read, buffer: &mut [u8]) -> io::Result<ReadDone> {
    if copy.look().is_none_or(|facts| facts.place != read.place) {
        return Ok(ReadDone::Changed);
    }
    let begin = copy.begin();
    if read.offset < begin {
        let scanned = jumped(&read.region(&[], &[]), begin);
        let at_end = false;
        return Ok(ReadDone::Scanned { scanned, at_end });
    }
    read_region(copy, read, buffer)
}

fn read_region(file: &impl At, read: &Read, buffer: &mut [u8]) -> io::Result<ReadDone> {
    let n_before = n_back(read);
    let begin = read.offset - n_before;
    let n_read = read_full_at(file, buffer, begin)?;
    let n_before = usize::try_from(n_before).unwrap_or(0);
    if n_read < n_before {
        return Ok(ReadDone::Changed);
    }
    let (before, bytes) = buffer[..n_read].split_at(n_before);
    if !has_mark(read, before) || !has_head(file, read)? {
        return Ok(ReadDone::Changed);
    }
    let region = read.region(bytes, before);
    if is_hole(bytes, &read.searcher) && !read.skipping {
        // Where the file system cannot tell, the hole is read like all else.
        if let Some(data) = file.data_from(begin + n_read as u64) {
            let scanned = jumped(&region, data);
            let at_end = false;
            return Ok(ReadDone::Scanned { scanned, at_end });
        }
    }
    Ok(ReadDone::Scanned {
        scanned: scan(region, &read.searcher),
        at_end: n_read < buffer.len(),
    })
}

/// How many bytes are read that stand before a region: what proves it is there, and the
/// lines that may be shown.
pub(super) fn n_back(read: &Read) -> u64 {
    let mark = (read.mark).map_or(MARK_BYTES_MAX, |mark| mark.end - mark.start);
    let wanted = match read.searcher.looks_back() {
        true => LOOK_BACK_BYTES.max(mark),
        false => mark,
    };
    wanted.min(read.offset)
}

/// Whether what stands before a region is what must stand there.
pub(super) fn has_mark(read: &Read, before: &[u8]) -> bool {
    read.mark.is_none_or(|mark| {
        let n_marked = usize::try_from(mark.end - mark.start).unwrap_or(usize::MAX);
        let marked = before
            .len()
            .checked_sub(n_marked)
            .map(|start| &before[start..]);
        marked.map(fingerprint) == Some(mark.hash)
    })
}

/// Whether a file begins with what it must begin with.
fn has_head(file: &impl At, read: &Read) -> io::Result<bool> {
    let Some(head) = read.head else {
        return Ok(true);
    };
    let hashes = hashes_of(file, &[(head.start, head.end)])?;
    Ok(hashes == [Some(head.hash)])
}

/// Reads until the buffer is full or the file ends.
fn read_full_at(file: &impl At, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
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
pub(super) fn facts_at(path: &Path) -> io::Result<Option<Facts>> {
    let found = regular_at(CWD, path)?;
    Ok(found.map(|statx| facts(&statx)))
}

/// The regular file that a name in a directory leads to, if it does.
pub(super) fn regular_at(
    directory: impl AsFd,
    name: impl rustix::path::Arg,
) -> io::Result<Option<Statx>> {
    match rustix::fs::statx(directory, name, AtFlags::empty(), wanted()) {
        Ok(statx) => Ok(is_regular(&statx).then_some(statx)),
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
pub(super) fn place_of(descriptor: impl AsFd) -> Option<Place> {
    let statx = rustix::fs::statx(descriptor, c"", AtFlags::EMPTY_PATH, wanted()).ok()?;
    is_regular(&statx).then(|| facts(&statx).place)
}

/// Where an open directory is.
pub(super) fn place_of_directory(descriptor: impl AsFd) -> Option<Place> {
    let statx = rustix::fs::statx(descriptor, c"", AtFlags::EMPTY_PATH, wanted()).ok()?;
    Some(facts(&statx).place)
}

fn wanted() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME
}

fn is_regular(statx: &Statx) -> bool {
    FileType::from_raw_mode(u32::from(statx.stx_mode)) == FileType::RegularFile
}

pub(super) fn facts(statx: &Statx) -> Facts {
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

pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

pub(super) fn fault(error: io::Error) -> Fault {
    Fault {
        why: reason(&error),
    }
}

pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "no permission; add the agent's user to the group that may read it".to_owned()
        }
        _ => error.to_string(),
    }
}
