//! What came by standard input, on disk, as one file that only grows.
//!
//! It lies in segments, each named after the copy it belongs to and the place of its
//! first byte. Bytes are only ever added at the end, and whole segments removed at the
//! beginning once they are read and committed: positions in it never change, and a kill
//! at any moment leaves it as it was. Where it begins there is a hole, and what was
//! removed reads as one.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::identity::{Facts, HEAD_BYTES, Place};
use crate::engine::scan::LOOK_BACK_BYTES;
use crate::engine::stdin::Reach;

/// Bytes of a segment, about.
const SEGMENT_BYTES: u64 = 2 << 20;

/// Bytes on disk; from there on what comes waits in the pipe.
const COPY_BYTES_MAX: u64 = 16 << 20;

/// Bytes that are kept although they are read: the lines before a hit.
const KEPT_BYTES: u64 = 2 * LOOK_BACK_BYTES;

/// Where the first byte stands. The head of a file is what it is known by; of this one
/// it is the same for ever.
const BEGIN: u64 = HEAD_BYTES[HEAD_BYTES.len() - 1];

/// No device has this number.
const DEVICE: u64 = u64::MAX;

/// Where it lies in the state directory.
const DIRECTORY: &str = "stdin";

/// What remembers which pipe the last bytes came from.
const ORIGIN: &str = "origin";

/// What came by standard input.
#[derive(Debug)]
pub(in crate::host) struct Copy {
    directory: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_wanted: bool,
    /// Nothing while it is not wanted, or cannot be opened.
    segments: Option<Segments>,
    /// Whether nothing more comes.
    has_ended: bool,
    /// Whether somebody was told that there is more, and has not looked since.
    is_hinted: bool,
}

#[derive(Debug)]
struct Segments {
    /// Tells this copy from those before it.
    birth: u64,
    /// Never empty.
    all: VecDeque<Segment>,
    end: u64,
    /// When it grew last, in nanoseconds since 1970.
    modified: i64,
    /// Up to where it survives a power cut.
    synced: u64,
}

#[derive(Debug, Clone)]
struct Segment {
    base: u64,
    path: PathBuf,
    file: Arc<File>,
}

/// Where what comes next is to be put.
pub(super) enum Room {
    /// Here.
    At(Spot),
    /// Nowhere: no rule wants it.
    Nowhere,
}

/// A place at the end.
pub(super) struct Spot {
    pub(super) file: Arc<File>,
    /// In that file.
    pub(super) offset: u64,
    birth: u64,
}

impl Copy {
    /// Nothing is opened yet.
    pub(super) fn new(state_dir: &Path) -> Self {
        Self {
            directory: state_dir.join(DIRECTORY),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// A panic elsewhere leaves it whole: all of it is changed in one step.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rules begin or go on to look at it. It is opened now, or as soon as that is
    /// possible.
    pub(super) fn want(&self) -> io::Result<()> {
        let mut state = self.state();
        state.is_wanted = true;
        self.open(&mut state).map(drop)
    }

    /// No rule looks at it any more: nothing is kept.
    pub(super) fn discard(&self) {
        let mut state = self.state();
        state.is_wanted = false;
        state.segments = None;
        // What cannot be removed is of no copy that is opened later.
        let _ = fs::remove_dir_all(&self.directory);
        self.changed.notify_all();
    }

    fn open<'s>(&self, state: &'s mut State) -> io::Result<&'s mut Segments> {
        if state.segments.is_none() {
            state.segments = Some(Segments::open(&self.directory)?);
        }
        state
            .segments
            .as_mut()
            .ok_or_else(|| io::Error::other("no segments"))
    }

    /// Waits until there is room, and tells where.
    pub(super) fn room(&self) -> io::Result<Room> {
        let mut state = self.state();
        loop {
            if !state.is_wanted {
                return Ok(Room::Nowhere);
            }
            let segments = self.open(&mut state)?;
            if segments.n_bytes() < COPY_BYTES_MAX {
                return segments.spot(&self.directory).map(Room::At);
            }
            state = (self.changed.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits a while, for a disk that may have room by then.
    pub(super) fn wait(&self, patience: Duration) {
        let state = self.state();
        drop(self.changed.wait_timeout(state, patience));
    }

    /// Bytes were put at a spot.
    pub(super) fn grown(&self, spot: &Spot, n_bytes: u64, now: i64) {
        let mut state = self.state();
        // Meanwhile nobody may have wanted them.
        if let Some(segments) = &mut state.segments
            && segments.birth == spot.birth
        {
            segments.end += n_bytes;
            segments.modified = now;
        }
    }

    /// Whether somebody is to be told that there is more.
    pub(super) fn is_news(&self) -> bool {
        !std::mem::replace(&mut self.state().is_hinted, true)
    }

    /// Somebody looks now.
    pub(in crate::host) fn look(&self) -> Option<Facts> {
        let mut state = self.state();
        state.is_hinted = false;
        let segments = state.segments.as_ref()?;
        Some(Facts {
            place: segments.place(),
            birth: Some(segments.birth.cast_signed()),
            size: segments.end,
            modified: segments.modified,
            links: 1,
        })
    }

    /// Where what is kept begins.
    pub(in crate::host) fn begin(&self) -> u64 {
        let state = self.state();
        let first = (state.segments.as_ref()).and_then(|segments| segments.all.front());
        first.map_or(BEGIN, |first| first.base)
    }

    /// Reads what is there, as from a file: perhaps less than there is room for, and
    /// nothing at the end.
    pub(in crate::host) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (segment, upto) = {
            let state = self.state();
            let Some(segments) = &state.segments else {
                return Ok(0);
            };
            let idx = (segments.all).partition_point(|segment| segment.base <= offset);
            let next = segments.all.get(idx).map(|segment| segment.base);
            let segment = idx.checked_sub(1).and_then(|idx| segments.all.get(idx));
            (segment.cloned(), next.unwrap_or(segments.end))
        };
        let n_there = usize::try_from(upto.saturating_sub(offset)).unwrap_or(usize::MAX);
        let n_wanted = n_there.min(buffer.len());
        let buffer = &mut buffer[..n_wanted];
        let n_read = match &segment {
            Some(segment) => segment.file.read_at(buffer, offset - segment.base)?,
            None => 0,
        };
        if n_read == 0 {
            buffer.fill(0);
            return Ok(n_wanted);
        }
        Ok(n_read)
    }

    /// Makes all that was read so far survive a power cut.
    pub(in crate::host) fn sync(&self) -> io::Result<()> {
        let (end, unsynced) = {
            let state = self.state();
            let Some(segments) = &state.segments else {
                return Ok(());
            };
            (segments.end, segments.unsynced())
        };
        for file in unsynced {
            file.sync_data()?;
        }
        if let Some(segments) = &mut self.state().segments {
            segments.synced = segments.synced.max(end.min(segments.end));
        }
        Ok(())
    }

    /// What stands before is not needed any more.
    pub(super) fn spent(&self, reach: Reach) {
        let mut state = self.state();
        if let Some(segments) = &mut state.segments
            && segments.place() == reach.copy
        {
            segments.free(reach.upto.saturating_sub(KEPT_BYTES));
            self.changed.notify_all();
        }
    }

    /// What comes now goes on where the last bytes ended only if it comes from the same
    /// pipe; else a line that was not finished never will be.
    pub(super) fn begin_with(&self, origin: Option<&str>) -> io::Result<()> {
        if !self.state().is_wanted {
            return Ok(());
        }
        let path = self.directory.join(ORIGIN);
        let known = fs::read_to_string(&path).ok();
        let is_same = origin.is_some() && known.as_deref() == origin;
        if !is_same {
            self.finish_line()?;
        }
        match origin {
            Some(origin) => fs::write(path, origin),
            None if known.is_some() => fs::remove_file(path),
            None => Ok(()),
        }
    }

    /// Ends the last line, if that is not done.
    pub(super) fn finish_line(&self) -> io::Result<()> {
        let mut state = self.state();
        if !state.is_wanted {
            return Ok(());
        }
        let segments = self.open(&mut state)?;
        let Some(last) = segments.all.back() else {
            return Ok(());
        };
        let n_bytes = segments.end - last.base;
        let mut byte = [b'\n'];
        if n_bytes > 0 {
            last.file.read_exact_at(&mut byte, n_bytes - 1)?;
        }
        if byte != [b'\n'] {
            last.file.write_all_at(b"\n", n_bytes)?;
            segments.end += 1;
        }
        Ok(())
    }

    /// Nothing more comes.
    pub(super) fn end(&self) {
        self.state().has_ended = true;
    }

    /// Where it ended, if it has and somebody cares.
    pub(super) fn ended(&self) -> Option<Reach> {
        let state = self.state();
        let segments = state.segments.as_ref().filter(|_| state.has_ended)?;
        Some(Reach {
            copy: segments.place(),
            upto: segments.end,
        })
    }
}

impl Segments {
    /// Takes up the copy of an earlier life, or begins one.
    fn open(directory: &Path) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
            Ok(()) => sync_directory(directory.parent().unwrap_or(directory))?,
        }
        let mut found: Vec<(u64, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if let Some((birth, base)) = named(&path) {
                found.push((birth, base, path));
            }
        }
        found.sort();
        let Some(birth) = found.last().map(|(birth, ..)| *birth) else {
            // Half of it: a time of birth has a sign.
            let birth = (crate::host::random() as u64) >> 1;
            let first = Segment::create(directory, birth, BEGIN)?;
            return Ok(Self {
                birth,
                all: VecDeque::from([first]),
                end: BEGIN,
                modified: 0,
                synced: BEGIN,
            });
        };
        let mut all = VecDeque::new();
        for (of, base, path) in found {
            if of != birth {
                fs::remove_file(&path)?;
                continue;
            }
            let file = OpenOptions::new().read(true).write(true).open(&path)?;
            let file = Arc::new(file);
            all.push_back(Segment { base, path, file });
        }
        let last = all.back().ok_or_else(|| io::Error::other("no segments"))?;
        let facts = crate::host::files::facts_of(&last.file)?;
        let (end, modified) = (last.base + facts.size, facts.modified);
        Ok(Self {
            birth,
            end,
            modified,
            // Whatever an earlier life came to.
            synced: all.front().map_or(end, |first| first.base),
            all,
        })
    }

    fn place(&self) -> Place {
        Place {
            device: DEVICE,
            inode: self.birth,
        }
    }

    fn n_bytes(&self) -> u64 {
        self.end - self.all.front().map_or(self.end, |first| first.base)
    }

    /// The end, in a new segment if the last one is full.
    fn spot(&mut self, directory: &Path) -> io::Result<Spot> {
        let is_full = |last: &&Segment| self.end - last.base >= SEGMENT_BYTES;
        let last = match self.all.back().filter(|last| !is_full(last)) {
            Some(last) => last.clone(),
            None => {
                let next = Segment::create(directory, self.birth, self.end)?;
                self.all.push_back(next.clone());
                next
            }
        };
        Ok(Spot {
            offset: self.end - last.base,
            file: last.file,
            birth: self.birth,
        })
    }

    fn unsynced(&self) -> Vec<Arc<File>> {
        if self.synced >= self.end {
            return Vec::new();
        }
        let first = self.all.partition_point(|it| it.base <= self.synced);
        let unsynced = self.all.iter().skip(first.saturating_sub(1));
        unsynced.map(|segment| segment.file.clone()).collect()
    }

    /// Removes the segments that end there or before; never the last one.
    fn free(&mut self, upto: u64) {
        while let Some(next) = self.all.get(1)
            && next.base <= upto
        {
            if let Some(first) = self.all.pop_front() {
                // What stays needs room, and is removed with the copy.
                let _ = fs::remove_file(&first.path);
            }
        }
    }
}

impl Segment {
    fn create(directory: &Path, birth: u64, base: u64) -> io::Result<Self> {
        let path = directory.join(format!("{birth:016x}-{base:020}"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        sync_directory(directory)?;
        let file = Arc::new(file);
        Ok(Self { base, path, file })
    }
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The copy that a segment belongs to, and where it begins.
fn named(path: &Path) -> Option<(u64, u64)> {
    let (birth, base) = path.file_name()?.to_str()?.split_once('-')?;
    Some((u64::from_str_radix(birth, 16).ok()?, base.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(directory: &tempfile::TempDir) -> Copy {
        let copy = Copy::new(directory.path());
        copy.want().unwrap();
        copy
    }

    fn write(copy: &Copy, bytes: &[u8]) {
        let Room::At(spot) = copy.room().unwrap() else {
            panic!("it is wanted");
        };
        spot.file.write_all_at(bytes, spot.offset).unwrap();
        copy.grown(&spot, bytes.len() as u64, 7);
    }

    fn read(copy: &Copy, offset: u64) -> Vec<u8> {
        let end = copy.look().unwrap().size;
        let mut bytes = vec![1; (end - offset) as usize];
        let mut n_read = 0;
        while n_read < bytes.len() {
            let n = copy.read_at(&mut bytes[n_read..], offset + n_read as u64);
            n_read += n.unwrap();
        }
        assert_eq!(copy.read_at(&mut [0; 9], end).unwrap(), 0);
        bytes
    }

    fn spend(copy: &Copy, upto: u64) {
        let copy_of = copy.look().unwrap().place;
        let elsewhere = Place {
            inode: copy_of.inode ^ 1,
            ..copy_of
        };
        // A position in another one says nothing.
        let n_bytes = copy.begin();
        copy.spent(Reach {
            copy: elsewhere,
            upto: u64::MAX,
        });
        assert_eq!(copy.begin(), n_bytes);
        copy.spent(Reach {
            copy: copy_of,
            upto,
        });
    }

    fn n_files(directory: &tempfile::TempDir) -> usize {
        fs::read_dir(directory.path().join(DIRECTORY))
            .unwrap()
            .count()
    }

    #[test]
    fn what_came_is_there_in_the_next_life_at_the_same_place() {
        let directory = tempfile::tempdir().unwrap();
        let before = copy(&directory);
        write(&before, b"one\n");
        write(&before, b"two");
        let facts = before.look().unwrap();
        drop(before);
        let after = copy(&directory);
        let found = after.look().unwrap();
        assert_eq!((found.place, found.birth), (facts.place, facts.birth));
        assert_eq!(found.size, BEGIN + 7);
        assert_eq!(read(&after, BEGIN), b"one\ntwo");
        assert_eq!(read(&after, 0)[..BEGIN as usize], [0; BEGIN as usize]);
    }

    #[test]
    fn a_line_goes_on_only_with_what_comes_from_the_same_pipe() {
        for (before, after, expected) in [
            (Some("a"), Some("a"), "two"),
            (Some("a"), Some("b"), "two\n"),
            (Some("a"), None, "two\n"),
            (None, None, "two\n"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let first = copy(&directory);
            first.begin_with(before).unwrap();
            write(&first, b"two");
            let second = copy(&directory);
            second.begin_with(after).unwrap();
            let found = read(&second, BEGIN);
            assert_eq!(found, expected.as_bytes(), "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_line_that_is_finished_needs_no_end() {
        let directory = tempfile::tempdir().unwrap();
        let copy = copy(&directory);
        copy.finish_line().unwrap();
        write(&copy, b"one\n");
        copy.finish_line().unwrap();
        assert_eq!(read(&copy, BEGIN), b"one\n");
    }

    #[test]
    fn what_is_spent_goes_and_places_stay() {
        let directory = tempfile::tempdir().unwrap();
        let copy = copy(&directory);
        let segment: Vec<u8> = (0..SEGMENT_BYTES).map(|idx| idx as u8 | 1).collect();
        for _ in 0..3 {
            write(&copy, &segment);
        }
        write(&copy, b"last");
        assert_eq!(n_files(&directory), 4);
        let second = BEGIN + SEGMENT_BYTES;
        spend(&copy, second);
        assert_eq!((n_files(&directory), copy.begin()), (4, BEGIN));
        spend(&copy, second + KEPT_BYTES);
        assert_eq!((n_files(&directory), copy.begin()), (3, second));
        assert_eq!(read(&copy, second)[..9], segment[..9]);
        assert_eq!(read(&copy, second - 1)[..2], [0, segment[0]]);
        copy.sync().unwrap();
        spend(&copy, u64::MAX);
        assert_eq!(n_files(&directory), 1);
        assert_eq!(read(&copy, copy.begin()), b"last");
    }

    #[test]
    fn a_full_copy_waits_until_it_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let copy = Arc::new(copy(&directory));
        let segment = vec![b'x'; SEGMENT_BYTES as usize];
        for _ in 0..COPY_BYTES_MAX / SEGMENT_BYTES {
            write(&copy, &segment);
        }
        let writer = std::thread::spawn({
            let copy = copy.clone();
            move || write(&copy, b"more")
        });
        let end = copy.look().unwrap().size;
        assert_eq!(end, BEGIN + COPY_BYTES_MAX);
        spend(&copy, BEGIN + SEGMENT_BYTES + KEPT_BYTES);
        writer.join().unwrap();
        assert_eq!(read(&copy, end), b"more");
    }

    #[test]
    fn what_nobody_wants_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let copy = copy(&directory);
        let Ok(Room::At(spot)) = copy.room() else {
            panic!("it is wanted");
        };
        let before = copy.look().unwrap();
        copy.discard();
        assert!(matches!(copy.room(), Ok(Room::Nowhere)));
        assert_eq!(copy.look(), None);
        copy.want().unwrap();
        copy.grown(&spot, 5, 7);
        let found = copy.look().unwrap();
        assert_ne!(found.place, before.place);
        assert_eq!(found.size, BEGIN);
    }
}
