//! The logs, as far as they were written by now.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::Log;
use super::parts::{Parts, minute_of};
use crate::engine::identity::{Facts, Place};
use crate::engine::ids::StreamId;
use crate::engine::scan::{Ending, Hit, Region, Scanned};
use crate::engine::schedule::{Entry, Fault, Look, LookAt, Read, ReadDone};
use crate::engine::stamp::Stamp;
use crate::engine::time::Wall;
use crate::rehearsal::{Files, Stage, search};

/// Bytes that are searched at once.
const REGION_BYTES: usize = 1 << 20;

/// Bytes of one region, however long the record that it begins with.
const REGION_BYTES_MAX: usize = 8 << 20;

/// How long a burst is: hits within it are handed over together.
const BURST: Duration = Duration::from_millis(200);

/// Lines before a record that are looked through for a time if it has none.
const LINES_BACK_MAX: usize = 200;

/// Lines of a log's beginning that are looked through for the first time.
const LINES_AHEAD_MAX: usize = 1_000;

/// How long records without a year are unambiguous.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Where the bytes of the logs come from.
pub trait Source {
    /// Appends the next bytes of a log, as many as are at hand. Returns how many; none
    /// at its end.
    fn more(&mut self, log: usize, buffer: &mut Vec<u8>) -> Result<usize, String>;
}

/// The logs, as far as they were written by now.
pub(super) struct Past<'a> {
    source: &'a mut dyn Source,
    zone: TimeZone,
    pub(super) texts: Vec<Text>,
    readers: BTreeMap<StreamId, Reader>,
    /// What time it is for the readers.
    pub(super) now: Wall,
    /// Hits that were handed over and not counted yet.
    handed: Vec<(StreamId, usize, Wall)>,
    pub(super) n_lines: u64,
    pub(super) n_bytes: u64,
    pub(super) n_timeless: u64,
    pub(super) troubles: Vec<(PathBuf, String)>,
}

/// One log.
pub(super) struct Text {
    log: Log,
    /// Bytes that were read and may be needed again.
    window: Vec<u8>,
    /// Where they begin.
    start: u64,
    /// Whether nothing follows them.
    is_whole: bool,
    /// The time of its last record that has one, as far as it was read.
    pub(super) ended: Wall,
}

/// How far one stream has come in a log, ahead of the engine.
pub(super) struct Reader {
    text: usize,
    /// Up to here all is searched.
    offset: u64,
    skipping: bool,
    /// What was found and has not happened yet.
    waiting: VecDeque<(Wall, Hit)>,
    /// The time of the last record that had one.
    latest: Wall,
    /// As the engine asked for the first region: how this stream reads.
    read: Read,
    is_done: bool,
    is_binary: bool,
}

impl<'a> Past<'a> {
    pub(super) fn new(logs: Vec<Log>, zone: TimeZone, source: &'a mut dyn Source) -> Self {
        let texts = logs.into_iter().map(|log| Text {
            log,
            window: Vec::new(),
            start: 0,
            is_whole: false,
            ended: Wall(i64::MIN),
        });
        Self {
            source,
            zone,
            texts: texts.collect(),
            readers: BTreeMap::new(),
            now: Wall(0),
            handed: Vec::new(),
            n_lines: 0,
            n_bytes: 0,
            n_timeless: 0,
            troubles: Vec::new(),
        }
    }

    /// The earliest time that stands at the beginning of a log.
    pub(super) fn first_time(&mut self) -> Wall {
        let mut first: Option<Wall> = None;
        for idx in 0..self.texts.len() {
            self.fill(idx, REGION_BYTES);
            let text = &self.texts[idx];
            let lines = text
                .window
                .split(|byte| *byte == b'\n')
                .take(LINES_AHEAD_MAX);
            let mut stamps = lines.filter_map(Stamp::in_text);
            // A log whose records have no year begins within the year before its end.
            let near = text.log.modified.before(YEAR / 2);
            let stamp = stamps.find_map(|stamp| stamp.wall(near, &self.zone));
            let at = stamp.unwrap_or(text.log.modified);
            first = Some(first.map_or(at, |first| first.min(at)));
        }
        first.unwrap_or(Wall(0))
    }

    /// Reads on until the window holds so many bytes, or all that are left.
    fn fill(&mut self, idx: usize, wanted: usize) {
        let text = &mut self.texts[idx];
        while text.window.len() < wanted && !text.is_whole {
            match self.source.more(idx, &mut text.window) {
                Ok(0) => text.is_whole = true,
                Ok(n_bytes) => self.n_bytes += n_bytes as u64,
                Err(why) => {
                    text.is_whole = true;
                    self.troubles.push((text.log.path.clone(), why));
                }
            }
        }
    }

    /// When the next hit happens. All logs are searched up to their next one.
    pub(super) fn next_hit(&mut self) -> Option<Wall> {
        let ids: Vec<StreamId> = self.readers.keys().copied().collect();
        for id in ids {
            self.search_on(id);
        }
        self.let_go();
        let next = self
            .readers
            .values()
            .filter_map(|reader| reader.waiting.front());
        next.map(|(at, _)| *at).min()
    }

    /// Takes all hits of one burst as having happened, and returns the logs with any.
    pub(super) fn burst(&mut self, now: Wall) -> Vec<PathBuf> {
        self.now = now.after(BURST);
        let has_hits = |reader: &&Reader| {
            let front = reader.waiting.front();
            front.is_some_and(|(at, _)| *at <= self.now)
        };
        let found = self.readers.values().filter(has_hits);
        let mut paths: Vec<PathBuf> = found
            .map(|reader| self.texts[reader.text].log.path.clone())
            .collect();
        paths.dedup();
        paths
    }

    /// Gives up what the engine did not ask for although it has happened: it follows
    /// that log no longer, and would be waited for in vain.
    pub(super) fn leave_behind(&mut self) {
        if !self.handed.is_empty() {
            return;
        }
        for reader in self.readers.values_mut() {
            let n_before = reader.waiting.len();
            reader.waiting.retain(|(at, _)| *at > self.now);
            let n_left = n_before - reader.waiting.len();
            if n_left > 0 {
                let path = self.texts[reader.text].log.path.clone();
                let why = format!("{n_left} hits could not be lived through");
                self.troubles.push((path, why));
            }
        }
    }

    /// Counts what was handed over.
    pub(super) fn take_hits(&mut self, stage: &Stage, parts: &mut Parts) {
        for (stream, rule, at) in std::mem::take(&mut self.handed) {
            let stream = stage.engine().schedule().stream(stream);
            let idx = stream.and_then(|stream| stream.following.rules.get(rule));
            if let Some(part) = idx.and_then(|idx| parts.rules.get_mut(*idx)) {
                part.n_hits += 1;
                *part.hits_by_minute.entry(minute_of(at)).or_default() += 1;
            }
        }
    }

    /// Searches a log until something is found or it is over.
    fn search_on(&mut self, id: StreamId) {
        let Some(mut reader) = self.readers.remove(&id) else {
            return;
        };
        let mut wanted = REGION_BYTES;
        while reader.waiting.is_empty() && !reader.is_done {
            let skipped = self.texts[reader.text].start;
            let from = usize::try_from(reader.offset.saturating_sub(skipped)).unwrap_or(0);
            self.fill(reader.text, from + wanted);
            let text = &mut self.texts[reader.text];
            let bytes = text.window.get(from..).unwrap_or_default();
            let bytes = &bytes[..bytes.len().min(wanted)];
            let is_last = text.is_whole && from + bytes.len() == text.window.len();
            let region = Region {
                bytes,
                offset: reader.offset,
                before: &[],
                skipping: reader.skipping,
                ending: match is_last {
                    true => Ending::Take,
                    false => Ending::Leave,
                },
                may_count: false,
            };
            let scanned = search(&reader.read, region);
            // A last line without an end is as good as any other.
            let has_rest = is_last && scanned.n_unfinished > 0 && bytes.last() != Some(&b'\n');
            self.n_lines += scanned.n_lines + u64::from(has_rest);
            reader.is_binary = scanned.is_binary;
            if !reader.is_binary {
                reader.is_done = is_last;
                let came_on = scanned.upto > reader.offset;
                self.n_timeless += reader.take(scanned, bytes, &self.zone);
                if is_last {
                    text.ended = text.ended.max(last_time(bytes, &reader, &self.zone));
                    reader.offset = reader.offset.max(text.start + (from + bytes.len()) as u64);
                }
                text.ended = text.ended.max(reader.latest);
                // A record that is longer than a region, or not yet whole.
                wanted = match came_on {
                    true => REGION_BYTES,
                    false => (wanted * 2).min(REGION_BYTES_MAX),
                };
                if !came_on && !is_last && wanted == REGION_BYTES_MAX {
                    reader.is_done = true;
                }
            } else {
                reader.is_done = true;
                let path = text.log.path.clone();
                self.troubles.push((path, "not a text file".to_owned()));
            }
        }
        self.readers.insert(id, reader);
    }

    /// Forgets the bytes that nobody needs any more.
    fn let_go(&mut self) {
        for (idx, text) in self.texts.iter_mut().enumerate() {
            let readers = self.readers.values().filter(|reader| reader.text == idx);
            let Some(least) = readers.map(|reader| reader.offset).min() else {
                continue;
            };
            let n_bytes = usize::try_from(least.saturating_sub(text.start)).unwrap_or(0);
            if n_bytes >= REGION_BYTES / 2 {
                text.window.drain(..n_bytes.min(text.window.len()));
                text.start = least;
            }
        }
    }

    fn facts(&self, idx: usize, size: u64) -> Facts {
        Facts {
            place: place_of(idx),
            birth: Some(1),
            size,
            modified: self.now.0.saturating_mul(1_000),
            links: 1,
        }
    }
}

impl Reader {
    /// Takes what a region held. Returns how many hits had no time.
    pub(super) fn take(&mut self, scanned: Scanned, bytes: &[u8], zone: &TimeZone) -> u64 {
        let mut n_timeless = 0;
        let base = self.offset;
        for mut hit in scanned.hits {
            let stamp = hit.stamp.or_else(|| {
                n_timeless += 1;
                let start = usize::try_from(hit.start.saturating_sub(base)).ok()?;
                let before = bytes.get(..start)?;
                let lines = before.rsplit(|byte| *byte == b'\n').take(LINES_BACK_MAX);
                lines.into_iter().find_map(Stamp::in_text)
            });
            let at = stamp.and_then(|stamp| stamp.wall(self.latest, zone));
            // Time does not go back, whatever stands in a record.
            self.latest = at.unwrap_or(self.latest).max(self.latest);
            // For rules it happened when it says, or else when the one before it did.
            hit.stamp = hit.stamp.or(Some(Stamp::Exact(self.latest)));
            self.waiting.push_back((self.latest, hit));
        }
        self.offset = scanned.upto;
        self.skipping = scanned.skipping;
        n_timeless
    }

    /// How far the log was written by now, for this stream.
    fn written_by(&self, now: Wall) -> u64 {
        let waiting = (self.waiting.iter()).find(|(at, _)| *at > now);
        waiting.map_or(self.offset, |(_, hit)| hit.start)
    }
}

impl Files for Past<'_> {
    fn entries(&self, _now: Wall) -> Vec<Entry> {
        let mut entries: Vec<Entry> = (self.texts.iter().enumerate())
            .map(|(idx, text)| {
                let readers = self.readers.values().filter(|reader| reader.text == idx);
                let size = readers.map(|reader| reader.written_by(self.now)).max();
                Entry {
                    path: text.log.path.as_path().into(),
                    real: None,
                    facts: self.facts(idx, size.unwrap_or(1)),
                    is_mounted: false,
                }
            })
            .collect();
        // A listing is in the order of names, whatever the order people gave.
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        entries
    }

    fn look(&mut self, look: &LookAt, _now: Wall) -> Look {
        let idx = index_of(look.place);
        let size = match self.readers.get(&look.stream) {
            Some(reader) => reader.written_by(self.now),
            // It is not known yet how it is to be read.
            None => 1,
        };
        Look {
            opened: Some(self.facts(idx, size)),
            named: Some(look.place),
            // Its bytes are not held against anything: they do not change.
            hashes: look.stretches.iter().map(|_| None).collect(),
            is_later: false,
            then: None,
        }
    }

    fn read(&mut self, read: &Read) -> Result<ReadDone, Fault> {
        let text = index_of(read.place);
        if !self.readers.contains_key(&read.stream) {
            let reader = Reader {
                text,
                offset: 0,
                skipping: false,
                waiting: VecDeque::new(),
                latest: self.now,
                read: read.clone(),
                is_done: false,
                is_binary: false,
            };
            self.readers.insert(read.stream, reader);
            self.search_on(read.stream);
        }
        let now = self.now;
        let Some(reader) = self.readers.get_mut(&read.stream) else {
            return Ok(ReadDone::Later);
        };
        let upto = reader.written_by(now);
        let mut hits = Vec::new();
        while let Some((at, hit)) = reader.waiting.pop_front() {
            if at > now {
                reader.waiting.push_front((at, hit));
                break;
            }
            self.handed.push((read.stream, hit.rule, at));
            hits.push(hit);
        }
        Ok(ReadDone::Scanned {
            scanned: Scanned {
                upto: upto.max(read.offset),
                hits,
                is_binary: reader.is_binary,
                ..Scanned::default()
            },
            at_end: true,
        })
    }
}

/// The time of the last record of a log that has one.
fn last_time(bytes: &[u8], reader: &Reader, zone: &TimeZone) -> Wall {
    let lines = bytes.rsplit(|byte| *byte == b'\n').take(LINES_BACK_MAX);
    let stamp = lines.into_iter().find_map(Stamp::in_text);
    let at = stamp.and_then(|stamp| stamp.wall(reader.latest, zone));
    at.unwrap_or(reader.latest).max(reader.latest)
}

fn place_of(idx: usize) -> Place {
    Place {
        device: 1,
        inode: idx as u64 + 1,
    }
}

fn index_of(place: Place) -> usize {
    usize::try_from(place.inode.saturating_sub(1)).unwrap_or(0)
}
