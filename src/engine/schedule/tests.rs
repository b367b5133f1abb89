//! A directory that changes between all that is asked of it: names go from file to file
//! faster than anyone can list them, and few inode numbers go round.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::engine::identity::{Facts, fingerprint};
use crate::engine::scan;
use crate::rules::paper::rules_of;

mod again;

mod away;

mod cut;

mod elsewhere;

mod hints;

mod overlooked;

mod saved;

mod unreadable;

const LOG: &str = "/logs/app.log";
const KIN: [&str; 3] = ["/logs/app.log.1", "/logs/app.log.2", "/logs/app.log.3"];
const OTHER: &str = "/logs/app.log.new";

/// A file, with lines of its own.
#[derive(Debug)]
struct File {
    inode: u64,
    birth: i64,
    modified: i64,
    bytes: Vec<u8>,
    n_links: u64,
}

/// A directory, and who holds which of its files open.
#[derive(Debug)]
struct Directory {
    chance: fastrand::Rng,
    files: Vec<File>,
    names: BTreeMap<&'static str, usize>,
    open: BTreeMap<StreamId, usize>,
    n_lines: usize,
    n_writes: i64,
    n_changes_left: usize,
    /// Whether the file system tells when files were made.
    tells_birth: bool,
    /// Whether nobody may look where files went.
    is_hidden: bool,
}

impl Directory {
    fn new(seed: u64) -> Self {
        Self {
            chance: fastrand::Rng::with_seed(seed),
            files: Vec::new(),
            names: BTreeMap::new(),
            open: BTreeMap::new(),
            n_lines: 0,
            n_writes: 0,
            n_changes_left: 0,
            tells_birth: true,
            is_hidden: false,
        }
    }

    /// Lets time pass for the others: something happens, or nothing.
    fn pass(&mut self) {
        while self.n_changes_left > 0 && self.chance.u8(0..3) == 0 {
            self.n_changes_left -= 1;
            match self.chance.u8(0..7) {
                0 => self.rename(LOG, KIN[0]),
                1 => self.rename(KIN[0], KIN[1]),
                2 => self.rename(KIN[0], LOG),
                3 => self.rename(OTHER, LOG),
                4 => self.make(OTHER),
                5 => self.make(LOG),
                _ => self.write(),
            }
        }
    }

    fn rename(&mut self, from: &str, to: &'static str) {
        if let Some(idx) = self.names.remove(from) {
            let over = self.names.insert(to, idx);
            self.unlink(over);
        }
    }

    fn make(&mut self, name: &'static str) {
        let used = |inode: &u64| {
            let is_used = |(idx, file): (usize, &File)| {
                file.inode == *inode && (file.n_links > 0 || self.open.values().any(|o| *o == idx))
            };
            self.files.iter().enumerate().any(is_used)
        };
        let inode = (1..).find(|inode| !used(inode)).expect("there are many");
        let idx = self.files.len();
        self.n_lines += 1;
        self.n_writes += 1;
        self.files.push(File {
            inode,
            birth: 1 + idx as i64,
            modified: self.n_writes,
            bytes: format!("ERROR {}\n", self.n_lines).into(),
            n_links: 1,
        });
        let over = self.names.insert(name, idx);
        self.unlink(over);
    }

    fn unlink(&mut self, idx: Option<usize>) {
        if let Some(file) = idx.and_then(|idx| self.files.get_mut(idx)) {
            file.n_links = 0;
        }
    }

    fn write(&mut self) {
        if let Some(idx) = self.names.get(LOG) {
            self.n_lines += 1;
            let line = format!("ERROR {}\n", self.n_lines);
            self.n_writes += 1;
            self.files[*idx].modified = self.n_writes;
            self.files[*idx].bytes.extend(line.bytes());
        }
    }

    /// Writes more than is needed to know a file by.
    fn write_much(&mut self) {
        for _ in 0..20 {
            self.write();
        }
    }

    fn bytes(&mut self, name: &str) -> &mut Vec<u8> {
        let file = &mut self.files[self.names[name]];
        self.n_writes += 1;
        file.modified = self.n_writes;
        &mut file.bytes
    }

    /// Makes a copy of the log, or writes it over the one that is there.
    fn copy(&mut self, name: &'static str) {
        if !self.names.contains_key(name) {
            self.make(name);
            self.n_lines -= 1;
        }
        *self.bytes(name) = self.bytes(LOG).clone();
    }

    fn facts(&self, idx: usize) -> Facts {
        let file = &self.files[idx];
        Facts {
            place: Place {
                device: 1,
                inode: file.inode,
            },
            birth: self.tells_birth.then_some(file.birth),
            size: file.bytes.len() as u64,
            modified: file.modified,
            links: file.n_links,
        }
    }

    /// The files at some names, which may change while they are gone through.
    fn list(&mut self, names: &[&str]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for name in names {
            self.pass();
            if let Some(idx) = self.names.get(name) {
                entries.push(Entry {
                    path: Path::new(name).into(),
                    real: None,
                    facts: self.facts(*idx),
                    is_mounted: false,
                });
            }
        }
        entries
    }

    /// Where a file is, and what lies among the rotated ones.
    fn seek(&mut self, place: Place) -> Found {
        let mut path = None;
        for name in [LOG, KIN[0], KIN[1], KIN[2], OTHER] {
            self.pass();
            let idx = self.names.get(name);
            if idx.is_some_and(|idx| self.facts(*idx).place == place) {
                path = path.or(Some(PathBuf::from(name)));
            }
        }
        let kin = self.list(&KIN);
        Found { path, kin }
    }

    fn opened(&mut self, id: StreamId, path: &Path, place: Place) -> Option<usize> {
        let named = self.names.get(path.to_str()?);
        let named = named.copied().filter(|idx| self.facts(*idx).place == place);
        let idx = self.open.get(&id).copied().or(named)?;
        self.open.insert(id, idx);
        Some(idx)
    }

    fn look(&mut self, look: &LookAt) -> Look {
        let idx = self.opened(look.stream, &look.path, look.place);
        let bytes = idx.map_or(&[][..], |idx| &self.files[idx].bytes);
        let hash =
            |&(start, end): &(u64, u64)| bytes.get(start as usize..end as usize).map(fingerprint);
        let hashes = look.stretches.iter().map(hash).collect();
        let named = look.path.to_str().and_then(|path| self.names.get(path));
        Look {
            opened: idx.map(|idx| self.facts(idx)),
            named: named.map(|idx| self.facts(*idx).place),
            hashes,
            is_later: false,
            then: None,
        }
    }

    fn read(&mut self, read: &Read) -> ReadDone {
        let Some(idx) = self.opened(read.stream, &read.path, read.place) else {
            return ReadDone::Changed;
        };
        let bytes = &self.files[idx].bytes;
        let offset = read.offset as usize;
        let holds = read.mark.iter().chain(&read.head).all(|mark| {
            let stretch = bytes.get(mark.start as usize..mark.end as usize);
            stretch.map(fingerprint) == Some(mark.hash)
        });
        match bytes.get(offset..) {
            Some(rest) if holds => ReadDone::Scanned {
                scanned: scan::scan(read.region(rest, &bytes[..offset]), &read.searcher),
                at_end: true,
            },
            Some(_) | None => ReadDone::Changed,
        }
    }
}

/// A schedule that is asked for nothing but this directory.
#[derive(Debug)]
struct Life {
    directory: Directory,
    schedule: Schedule,
    now: Moment,
    may_read: bool,
    /// How often each line was told.
    told: BTreeMap<String, usize>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let now = Moment(0);
        Self {
            directory: Directory::new(seed),
            schedule: schedule(Start::default(), now),
            now,
            may_read: true,
            told: BTreeMap::new(),
        }
    }

    /// A life in which a log was read.
    fn with_log() -> Self {
        let mut life = Self::new(0);
        life.rest(1);
        life.directory.make(LOG);
        life.directory.write_much();
        life.rest(3);
        life
    }

    /// What is known of the files.
    fn records(&self) -> BTreeMap<StreamId, StreamRecord> {
        let streams = self.schedule.streams();
        let kept = streams.filter(|stream| !stream.is_held || stream.is_ghost());
        kept.map(|stream| (stream.id, stream.record())).collect()
    }

    /// Begins another life with what was known of the files.
    fn start(&mut self, streams: BTreeMap<StreamId, StreamRecord>) {
        let start = Start {
            streams,
            globs: self.schedule.globs().clone(),
            next_id: self.schedule.next_id(),
            ..Start::default()
        };
        self.schedule = schedule(start, self.now);
        self.directory.open.clear();
    }

    /// Every line that stands or stood in a file must have been told once.
    fn check(&self) {
        for n in 1..=self.directory.n_lines {
            let n_told = self.told.get(&format!("ERROR {n}"));
            assert_eq!(n_told, Some(&1), "{n}: {:?}", self.told);
        }
    }

    /// Gives one turn, or moves time to where there is one. Returns which it was.
    fn go_on(&mut self) -> Option<Turn> {
        let may = May {
            read: self.may_read,
            list: true,
        };
        self.schedule.tick(self.now);
        let turn = self.schedule.next_turn(self.now, may);
        match &turn {
            Some(turn) => self.answer(turn),
            None => self.now = (self.schedule.wakeup().expect("it is polled")).max(self.now),
        }
        turn
    }

    fn answer(&mut self, turn: &Turn) {
        let Self {
            directory,
            schedule,
            now,
            told,
            ..
        } = self;
        directory.pass();
        match turn {
            Turn::List(_) => {
                let entries = directory.list(&[LOG]);
                directory.pass();
                let listing = Listing {
                    entries,
                    ..Listing::default()
                };
                schedule.listed(*now, listing);
            }
            Turn::Look(look) => {
                let found = directory.look(look);
                directory.pass();
                schedule.looked(*now, look.stream, *now, Ok(found));
            }
            Turn::Read(read) => {
                let done = directory.read(read);
                directory.pass();
                let (ending, epoch) = (read.ending, read.epoch);
                let hits = schedule.read_done(*now, read.stream, ending, epoch, Ok(done));
                for hit in hits {
                    *told.entry(hit.sample.line.clone()).or_default() += 1;
                }
            }
            Turn::Seek(Sought { stream, place, .. }) => {
                let why = "permission denied".to_owned();
                let found = match directory.is_hidden {
                    true => Err(Fault { why }),
                    false => Ok(directory.seek(*place)),
                };
                directory.pass();
                schedule.found(*stream, found);
            }
            Turn::Close(id) => {
                directory.open.remove(id);
            }
        }
    }

    /// Goes on until it has come to rest `n_rests` times.
    fn rest(&mut self, mut n_rests: usize) {
        while n_rests > 0 {
            if self.go_on().is_none() {
                n_rests -= 1;
            }
        }
    }
}

fn schedule(start: Start, now: Moment) -> Schedule {
    let rules = rules_of("- {key: app, files: /logs/app.log, match: ERROR}");
    let reading = ReadingKey::default();
    let means = Means {
        noticing: Noticing::Polled,
        turns_max: 2,
    };
    Schedule::new(Arc::new(rules), reading, means, start, now)
}

#[test]
fn names_and_numbers_that_go_round_bring_no_line_twice() {
    for seed in 0..5_000 {
        let mut life = Life::new(seed);
        // What was there before anything was listed is of no account.
        life.rest(1);
        life.directory.n_changes_left = 40;
        life.rest(20);
        life.directory.n_changes_left = 0;
        life.rest(10);
        let twice = life.told.iter().find(|(_, n)| **n > 1);
        assert_eq!(twice, None, "seed {seed}");
        // What stands at the name when all is quiet is read to its end.
        let Some(idx) = life.directory.names.get(LOG) else {
            continue;
        };
        let text = String::from_utf8_lossy(&life.directory.files[*idx].bytes);
        for line in text.lines() {
            assert!(life.told.contains_key(line), "seed {seed}: {line}");
        }
    }
}

#[test]
fn a_rotated_file_that_comes_to_the_name_while_it_is_looked_for_is_followed_there() {
    let mut life = Life::new(0);
    life.rest(1);
    life.directory.make(LOG);
    life.rest(2);
    life.directory.rename(LOG, OTHER);
    life.directory.make(KIN[0]);
    while !matches!(life.go_on(), Some(Turn::Seek(_))) {}
    // The log itself comes back, and before that other file is looked at it takes its place.
    life.directory.rename(OTHER, LOG);
    while !matches!(life.go_on(), Some(Turn::List(_))) {}
    life.directory.rename(LOG, OTHER);
    life.directory.rename(KIN[0], LOG);
    life.directory.make(KIN[0]);
    life.schedule.ask_for_all();
    life.rest(5);
    assert_eq!(life.told.get("ERROR 2"), Some(&1), "{:?}", life.told);
}

/// An editor's file begins like the log as far as that was read, and lacks its last line.
#[test]
fn a_deleted_log_is_read_to_its_end_before_what_was_made_of_it_goes_on() {
    let mut life = Life::with_log();
    life.may_read = false;
    life.directory.make(OTHER);
    *life.directory.bytes(OTHER) = life.directory.bytes(LOG).clone();
    life.directory.write();
    life.rest(2);
    life.directory.rename(OTHER, LOG);
    life.directory.write();
    life.rest(10);
    life.may_read = true;
    life.rest(10);
    life.told.remove("ERROR 22");
    life.told.insert("ERROR 22".into(), 1);
    life.check();
}

/// What comes to a name must be opened at once, for it may be deleted soon.
#[test]
fn what_follows_a_rotated_log_is_opened_though_nothing_is_read() {
    let mut life = Life::with_log();
    life.may_read = false;
    life.directory.write();
    life.rest(2);
    life.directory.rename(LOG, KIN[0]);
    life.directory.make(LOG);
    life.rest(10);
    let log = life.directory.names[LOG];
    assert!(life.directory.open.values().any(|idx| *idx == log));
    life.may_read = true;
    life.rest(10);
    life.check();
}

/// A log is copied and emptied, and renamed before anybody looks at it: the copy lies among
/// its kin, and is held against it when it is found empty.
#[test]
fn a_log_that_was_emptied_while_its_kin_are_looked_at_has_its_copy_still() {
    let mut life = Life::with_log();
    life.directory.copy(KIN[0]);
    life.directory.bytes(LOG).clear();
    life.directory.rename(LOG, KIN[1]);
    life.directory.make(LOG);
    while !matches!(life.go_on(), Some(Turn::Seek(_))) {}
    life.directory.is_hidden = true;
    life.rest(5);
    life.directory.is_hidden = false;
    life.rest(20);
    life.check();
}

/// That it was known what came after a deleted log did not reach the disk; what came was
/// read, and copied.
#[test]
fn what_came_after_a_deleted_log_may_be_a_copy_of_what_was_read_since() {
    let mut life = Life::with_log();
    let before = life.records();
    life.directory.make(LOG);
    life.directory.write_much();
    life.rest(20);
    let mut known = life.records();
    known.extend(before);
    life.directory.copy(KIN[0]);
    life.start(known);
    life.rest(20);
    life.check();
}

/// A log is copied over its copy of last time, and made anew, while nobody looks.
#[test]
fn a_deleted_log_may_have_been_copied_over_its_copy() {
    for is_reused in [true, false] {
        let mut life = Life::with_log();
        life.directory.rename(LOG, KIN[0]);
        life.directory.make(LOG);
        life.directory.write_much();
        life.rest(20);
        life.directory.copy(KIN[0]);
        let known = life.records();
        let before = life.directory.names[LOG];
        life.directory.make(LOG);
        if is_reused {
            let log = life.directory.names[LOG];
            life.directory.files[log].inode = life.directory.files[before].inode;
        }
        life.start(known);
        life.rest(20);
        life.check();
    }
}

/// A log was cut and rotated twice while nobody looked. The copy from before it was cut is
/// kept longest, and does not ask in another life what came after it.
#[test]
fn what_came_after_a_copy_of_what_was_cut_is_known() {
    let mut life = Life::with_log();
    let known = life.records();
    life.directory.copy(KIN[2]);
    life.directory.bytes(LOG).clear();
    life.directory.write_much();
    life.directory.rename(LOG, KIN[1]);
    life.directory.make(LOG);
    life.directory.rename(LOG, KIN[0]);
    life.start(known);
    life.rest(20);
    life.start(life.records());
    life.rest(20);
    life.check();
}

/// A copy of a log that was deleted was written on, and so was the log: its last line is not
/// finished.
#[test]
fn what_stands_unfinished_in_a_deleted_log_is_taken_before_its_copy_goes_on() {
    let mut life = Life::with_log();
    life.directory.copy(KIN[0]);
    (life.directory.bytes(LOG)).extend(b"ERROR unfinished");
    (life.directory.bytes(KIN[0])).extend(b"ERROR of the copy, which is longer\n");
    life.directory.make(LOG);
    life.rest(60);
    for line in ["ERROR unfinished", "ERROR of the copy, which is longer"] {
        assert_eq!(life.told.get(line), Some(&1), "{:?}", life.told);
    }
    life.check();
}

/// An editor saves a log that is rotated at once. What the search for successors of the
/// generation before finds there is what the editor made.
#[test]
fn what_is_found_for_an_older_log_may_be_a_copy_of_one_that_is_sought_as_well() {
    let mut life = Life::with_log();
    life.directory.rename(LOG, KIN[0]);
    life.rest(20);
    life.directory.is_hidden = true;
    life.directory.make(LOG);
    life.directory.write_much();
    life.rest(20);
    life.directory.copy(OTHER);
    life.directory.rename(OTHER, LOG);
    life.directory.rename(KIN[0], KIN[1]);
    life.directory.rename(LOG, KIN[0]);
    life.directory.make(LOG);
    life.directory.is_hidden = false;
    life.rest(20);
    life.check();
}
