//! Hints of lines that no rule selects are held back for a moment.
//!
//! To have lines read takes a turn of the engine, for which three threads are woken; that
//! costs more than to search them. Most lines of a log that is written to without a pause
//! are selected by no rule. So the thread that brings hints looks itself whether it is so,
//! from where a reader has left the file, and holds the hint back if it is: the turn that
//! comes then reads all of these lines at once.
//!
//! Nothing is decided here. What is selected is hinted at without delay, and so is all that
//! is not as expected; what was held back is hinted at soon; and whoever reads, reads from
//! where the engine says, as if nobody had looked before.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::file_systems;
use super::files::{facts_at, facts_of};
use crate::engine::ids::StreamId;
use crate::engine::scan::{Ending, Region, Scanned, Waits, scan};
use crate::engine::schedule::Read;
use crate::engine::time::Moment;
use crate::rules::records::searcher::Searcher;

/// How long a hint is held back, at most.
const HELD: Duration = Duration::from_millis(200);

/// Files that are looked at here: each costs a descriptor.
const FILES_MAX: usize = 16;

/// Lines of one read that tell of a busy writer. To hold back the hints of others saves
/// nothing.
const BUSY_LINES: u64 = 4;

/// Bytes that are searched here at once. More than that is worth a turn.
const BYTES_MAX: usize = 16 << 10;

/// What is told so soon after what was found tells of the same.
const TOGETHER: Duration = Duration::from_millis(1);

/// Files whose hints may be held back, by their names.
#[derive(Debug, Default)]
pub(super) struct Sieve(Mutex<Sifted>);

#[derive(Debug, Default)]
struct Sifted {
    files: BTreeMap<PathBuf, Left>,
    buffer: Vec<u8>,
}

/// Where a reader has left a file.
#[derive(Debug)]
struct Left {
    stream: StreamId,
    file: File,
    searcher: Arc<Searcher>,
    /// Up to there no rule selects anything.
    upto: u64,
    /// When something new was found last.
    grew: Moment,
    /// Until when its hints may be held back.
    until: Moment,
    holds_back: bool,
}

impl Sieve {
    /// A reader has read a file to its end: what comes next may be held back.
    pub(super) fn was_left(&self, read: &Read, file: &File, scanned: &Scanned, now: Moment) {
        let is_busy = scanned.n_lines >= BUSY_LINES && scanned.waits == Waits::Line;
        // Elsewhere one who looks may have to wait, and who brings hints must not.
        let is_plain = read.searcher.reading().is_plain() && !scanned.skipping;
        if !(is_busy && is_plain && is_at_hand(file)) {
            return;
        }
        let mut sifted = self.lock();
        if sifted.files.len() >= FILES_MAX && !sifted.files.contains_key(&read.path) {
            return;
        }
        let Ok(file) = file.try_clone() else {
            return;
        };
        let left = Left {
            stream: read.stream,
            file,
            searcher: read.searcher.clone(),
            upto: scanned.upto,
            grew: now,
            until: now.after(HELD),
            holds_back: false,
        };
        sifted.files.insert(read.path.clone(), left);
    }

    /// Whether a hint that a file was written to is held back.
    pub(super) fn holds_back(&self, path: &Path, now: Moment) -> bool {
        let sifted = &mut *self.lock();
        let Some(left) = sifted.files.get_mut(path) else {
            return false;
        };
        left.holds_back = left.until > now && left.is_dull(path, &mut sifted.buffer, now);
        let holds_back = left.holds_back;
        if !holds_back {
            sifted.files.remove(path);
        }
        holds_back
    }

    /// When something may be due that is held back.
    pub(super) fn due(&self) -> Option<Moment> {
        self.lock().files.values().map(|left| left.until).min()
    }

    /// The files whose hints were held back until now.
    pub(super) fn let_go(&self, now: Moment) -> Vec<PathBuf> {
        let due = |_: &PathBuf, left: &mut Left| left.until <= now;
        let due: BTreeMap<PathBuf, Left> = self.lock().files.extract_if(.., due).collect();
        let held = due.into_iter().filter(|(_, left)| left.holds_back);
        held.map(|(path, _)| path).collect()
    }

    /// A file is closed.
    pub(super) fn forget(&self, stream: StreamId) {
        self.lock().files.retain(|_, left| left.stream != stream);
    }

    /// A panic while a map is being filled leaves a map behind, nothing worse.
    fn lock(&self) -> MutexGuard<'_, Sifted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Left {
    /// Whether nothing came since but lines that no rule selects. What cannot be read is
    /// for a reader.
    fn is_dull(&mut self, path: &Path, buffer: &mut Vec<u8>, now: Moment) -> bool {
        buffer.resize(BYTES_MAX, 0);
        match self.file.read_at(buffer, self.upto) {
            // A hint of what was found just now.
            Ok(0) if now.from_now(self.grew) < TOGETHER => true,
            Ok(0) => self.is_as_it_was(path).unwrap_or(false),
            Ok(n_read) if n_read < BYTES_MAX => {
                let region = Region {
                    bytes: &buffer[..n_read],
                    offset: self.upto,
                    before: &[],
                    skipping: false,
                    ending: Ending::Leave,
                    may_count: false,
                };
                let scanned = scan(region, &self.searcher);
                self.upto = scanned.upto;
                self.grew = now;
                scanned.hits.is_empty() && !scanned.skipping && !scanned.is_binary
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// Whether the file was neither cut nor replaced.
    fn is_as_it_was(&self, path: &Path) -> io::Result<bool> {
        let facts = facts_of(&self.file)?;
        let is_named = facts_at(path)?.is_some_and(|named| named.place == facts.place);
        Ok(is_named && facts.size >= self.upto)
    }
}

/// Whether a file is on a file system of this machine.
fn is_at_hand(file: &File) -> bool {
    let magic = rustix::fs::fstatfs(file).map(|known| known.f_type as u32);
    magic.is_ok_and(|magic| file_systems::shared(magic).is_none())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use regex::bytes::Regex;

    use super::*;
    use crate::engine::identity::Place;
    use crate::rules::pattern::{Pattern, Patterns};
    use crate::rules::records::conditions::Where;
    use crate::rules::records::reading::Reading;
    use crate::rules::records::searcher::{Context, Kept, Selector};

    const STREAM: StreamId = StreamId(1);

    /// Lines, enough for a busy writer, of which none is selected.
    const LINES: &str = "one\ntwo\nthree\nfour\n";

    /// A log that a reader has left.
    struct World {
        sieve: Sieve,
        log: PathBuf,
        _directory: tempfile::TempDir,
    }

    impl World {
        fn new(text: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let world = Self {
                sieve: Sieve::default(),
                log: directory.path().join("app.log"),
                _directory: directory,
            };
            fs::write(&world.log, text).unwrap();
            world.read(0, at(0));
            world
        }

        fn read(&self, offset: u64, now: Moment) {
            let selector = Selector {
                patterns: Patterns {
                    matches: vec![Arc::new(Pattern::of(&Regex::new("trouble").unwrap()))],
                    excepts: Vec::new(),
                },
                conditions: Where::default(),
                kept: Kept::default(),
            };
            let selectors = vec![selector];
            let contexts = vec![Context::default()];
            let searcher = Searcher::of(Reading::default(), selectors, contexts, &Arc::default());
            let read = Read {
                stream: STREAM,
                path: self.log.clone(),
                place: Place::default(),
                packing: None,
                offset,
                mark: None,
                head: None,
                skipping: false,
                ending: Ending::Leave,
                may_count: false,
                searcher: Arc::new(searcher),
                epoch: 0,
            };
            let text = fs::read(&self.log).unwrap();
            let scanned = scan(read.region(&text[offset as usize..], &[]), &read.searcher);
            let file = File::open(&self.log).unwrap();
            self.sieve.was_left(&read, &file, &scanned, now);
        }

        fn write(&self, text: &str) {
            let mut log = fs::OpenOptions::new().append(true).open(&self.log).unwrap();
            log.write_all(text.as_bytes()).unwrap();
        }

        fn holds_back(&self, millis: u64) -> bool {
            self.sieve.holds_back(&self.log, at(millis))
        }
    }

    fn at(millis: u64) -> Moment {
        Moment(millis * 1_000_000)
    }

    #[test]
    fn a_hint_is_held_back_until_a_line_is_selected() {
        let world = World::new(LINES);
        world.write("five\nsi");
        assert!(world.holds_back(10));
        world.write("x\nseven tro");
        assert!(world.holds_back(20));
        world.write("uble");
        assert!(world.holds_back(30));
        world.write("\n");
        assert!(!world.holds_back(40));
        // Until it is read again.
        world.write("eight\n");
        assert!(!world.holds_back(50));
        assert_eq!(world.sieve.due(), None);
    }

    #[test]
    fn what_was_held_back_is_let_go() {
        let world = World::new(LINES);
        world.write("five\n");
        assert!(world.holds_back(199));
        assert_eq!(world.sieve.due(), Some(at(200)));
        assert!(world.sieve.let_go(at(199)).is_empty());
        assert!(world.sieve.let_go(at(200)).contains(&world.log));
        assert_eq!(world.sieve.due(), None);
        // Nothing came: nobody is woken.
        world.read(0, at(300));
        assert!(world.sieve.let_go(at(500)).is_empty());
        // Time is over when a hint comes.
        world.read(0, at(600));
        world.write("six\n");
        assert!(!world.holds_back(800));
    }

    #[test]
    fn what_is_not_as_expected_is_hinted_at() {
        type Change = fn(&World);
        let changes: [(&str, Change); 4] = [
            ("cut", |world| fs::write(&world.log, "").unwrap()),
            ("replaced", |world| {
                fs::rename(&world.log, world.log.with_extension("1")).unwrap();
                fs::write(&world.log, LINES).unwrap();
            }),
            ("gone", |world| fs::remove_file(&world.log).unwrap()),
            ("much", |world| world.write(&"x\n".repeat(BYTES_MAX))),
        ];
        for (name, change) in changes {
            let world = World::new(LINES);
            assert!(world.holds_back(10), "{name}");
            change(&world);
            assert!(!world.holds_back(20), "{name}");
        }
    }

    #[test]
    fn only_busy_plain_files_are_sifted() {
        for (text, expected) in [
            (LINES, true),
            ("one\ntwo\nthree\n", false),
            ("one\ntwo\nthree\nfour trouble\n", true),
            ("", false),
        ] {
            assert_eq!(World::new(text).sieve.due().is_some(), expected, "{text}");
        }
        let world = World::new(LINES);
        world.sieve.forget(STREAM);
        assert_eq!(world.sieve.due(), None);
    }
}
