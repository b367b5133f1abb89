//! Logs of the past, lived through on their own time.
//!
//! The engine follows the logs as if they were being written now: at the time that
//! stands in a record the file has grown by it. Between two records that matter to no
//! rule nothing has to happen, so whole regions are searched ahead at once, and the
//! clock goes from hit to hit; whatever falls due on the way (windows, reminders,
//! absences, the pace of a space) falls due at its time.
//!
//! A record without a time happens when the one before it did. Hits within a moment
//! come together, as they do when an agent reads what was written in a burst.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Files, Said, Stage, search, space_of_paper};
use crate::engine::Input;
use crate::engine::identity::{Facts, Place};
use crate::engine::ids::StreamId;
use crate::engine::message::Surface;
use crate::engine::scan::{Ending, Hit, Region, Scanned};
use crate::engine::schedule::{Entry, Fault, Hint, Look, LookAt, Read, ReadDone};
use crate::engine::stamp::Stamp;
use crate::engine::time::Wall;
use crate::rules::glob::Glob;
use crate::rules::{Files as Followed, From, Rule, RuleKey, RuleSet, SpaceName};

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

/// How long before the first record the agent begins.
const HEAD_START: Duration = Duration::from_secs(1);

/// How long after the last record what is still counted may take to be said.
const EPILOGUE_MAX: Duration = Duration::from_secs(7 * 86_400);

/// How long records without a year are unambiguous.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Messages that are kept to be shown; beyond it they are only counted.
pub const KEPT_MAX: usize = 5_000;

/// The quota of a space whose settings say nothing: one post a second.
const PACE_DEFAULT: Duration = Duration::from_secs(1);

/// One log, as it is told of.
#[derive(Debug, Clone)]
pub struct Log {
    /// Its name, absolute.
    pub path: PathBuf,
    /// When it was written last: tells the year of records that have none.
    pub modified: Wall,
    /// The rules that follow it here, whatever their `files` say.
    pub rules: Vec<RuleKey>,
}

/// Where the bytes of the logs come from.
pub trait Source {
    /// Appends the next bytes of a log, as many as are at hand. Returns how many; none
    /// at its end.
    fn more(&mut self, log: usize, buffer: &mut Vec<u8>) -> Result<usize, String>;
}

/// What was lived through.
#[derive(Debug)]
pub struct Chronicle {
    /// When it began: just before the first record that has a time.
    pub began: Wall,
    /// The last record's time.
    pub ended: Wall,
    /// Lines that were read.
    pub n_lines: u64,
    /// Bytes that were read, decompressed.
    pub n_bytes: u64,
    /// Hits that had no time of their own.
    pub n_timeless: u64,
    /// Logs that are no text, or could not be read further, and why.
    pub troubles: Vec<(PathBuf, String)>,
    /// What became of each rule, in the order of their keys.
    pub rules: Vec<RulePart>,
    /// What went to each space.
    pub spaces: Vec<SpacePart>,
    /// What was posted, in that order: the first [`KEPT_MAX`].
    pub said: Vec<Said>,
    /// Posts beyond these.
    pub n_unkept: u64,
    /// Events that were still counted and not said when it was over.
    pub n_held: u64,
}

/// What became of one rule.
#[derive(Debug, Clone)]
pub struct RulePart {
    /// Which.
    pub rule: Arc<Rule>,
    /// Records that it selected.
    pub n_hits: u64,
    /// Hits that passed its conditions.
    pub n_events: u64,
    /// Messages that speak of it.
    pub n_posts: u64,
    /// The most of them that fell into one minute.
    pub busiest: u64,
    /// Hits by minute, since 1970.
    pub hits_by_minute: BTreeMap<i64, u64>,
}

/// What went to one space.
#[derive(Debug, Clone)]
pub struct SpacePart {
    /// Which.
    pub name: SpaceName,
    /// Messages.
    pub n_posts: u64,
    /// The most of them that fell into one minute.
    pub busiest: u64,
    /// How many a minute its pace allows.
    pub quota: u64,
}

/// Lives through logs with the rules of a set that follow them.
pub fn replay(
    rules: &RuleSet,
    zone: &TimeZone,
    logs: Vec<Log>,
    source: &mut dyn Source,
) -> Chronicle {
    let set = Arc::new(staged(rules, &logs));
    let mut past = Past::new(logs, zone.clone(), source);
    let began = past.first_time().before(HEAD_START);
    past.now = began;
    for text in &mut past.texts {
        text.ended = text.ended.max(began);
    }
    let surface = Surface {
        host: rules.host.clone(),
        zone: zone.clone(),
    };
    let mut stage = Stage::new(set.clone(), surface, began, &mut past);
    let mut parts = Parts::new(&set);
    // Whether or not anything hits, all of every log is read.
    while let Some(at) = past.next_hit() {
        stage.pass(at, &mut past);
        let paths = past.burst(stage.now());
        for path in paths {
            stage.tell(Input::Hint(Hint::Written(path)), &mut past);
        }
        past.leave_behind();
        past.take_hits(&stage, &mut parts);
        parts.take(stage.take_said());
    }
    let ended = past.texts.iter().map(|text| text.ended).max();
    let ended = ended.unwrap_or(began).max(began);
    stage.pass(ended, &mut past);
    parts.take(stage.take_said());
    // What is counted would be said at the end of its window.
    let over = stage.now().after(EPILOGUE_MAX);
    while stage.now() < over {
        let is_over = stage.engine().outbox().n_messages() == 0;
        if is_over && stage.engine().instances().n_held() == 0 {
            break;
        }
        let until = stage.now().after(Duration::from_secs(60));
        stage.pass(until, &mut past);
        parts.take(stage.take_said());
    }
    Chronicle {
        began,
        ended,
        n_lines: past.n_lines,
        n_bytes: past.n_bytes,
        n_timeless: past.n_timeless,
        troubles: past.troubles,
        n_held: stage.engine().instances().n_held(),
        n_unkept: parts.n_unkept,
        rules: parts.rules,
        spaces: parts.spaces,
        said: parts.said,
    }
}

/// The rules as they go on stage: they follow these logs from their beginning.
fn staged(rules: &RuleSet, logs: &[Log]) -> RuleSet {
    let mut spaces = rules.spaces.clone();
    for space in spaces.values_mut() {
        space.fallback = None;
    }
    let staged = rules.rules.iter().filter_map(|rule| {
        let followed = logs.iter().filter(|log| log.rules.contains(&rule.key));
        let include: Vec<Glob> = followed.map(|log| Glob::of_path(&log.path)).collect();
        if include.is_empty() {
            return None;
        }
        let mut rule = Rule::clone(rule);
        rule.from = From::Beginning;
        rule.files = Followed {
            include,
            exclude: Vec::new(),
        };
        for name in &rule.spaces {
            let paper = || space_of_paper(name, PACE_DEFAULT);
            spaces.entry(name.clone()).or_insert_with(paper);
        }
        Some(Arc::new(rule))
    });
    // They are in the order of their keys, as they were.
    let staged: Vec<Arc<Rule>> = staged.collect();
    RuleSet {
        host: rules.host.clone(),
        spaces,
        default_space: None,
        rules: staged,
        exec: None,
        own: Vec::new(),
        redactor: rules.redactor.clone(),
    }
}

/// The logs, as far as they were written by now.
struct Past<'a> {
    source: &'a mut dyn Source,
    zone: TimeZone,
    texts: Vec<Text>,
    readers: BTreeMap<StreamId, Reader>,
    /// What time it is for the readers.
    now: Wall,
    /// Hits that were handed over and not counted yet.
    handed: Vec<(StreamId, usize, Wall)>,
    n_lines: u64,
    n_bytes: u64,
    n_timeless: u64,
    troubles: Vec<(PathBuf, String)>,
}

/// One log.
struct Text {
    log: Log,
    /// Bytes that were read and may be needed again.
    window: Vec<u8>,
    /// Where they begin.
    start: u64,
    /// Whether nothing follows them.
    is_whole: bool,
    /// The time of its last record that has one, as far as it was read.
    ended: Wall,
}

/// How far one stream has come in a log, ahead of the engine.
struct Reader {
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
    fn new(logs: Vec<Log>, zone: TimeZone, source: &'a mut dyn Source) -> Self {
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
    fn first_time(&mut self) -> Wall {
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
    fn next_hit(&mut self) -> Option<Wall> {
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
    fn burst(&mut self, now: Wall) -> Vec<PathBuf> {
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
    fn leave_behind(&mut self) {
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
    fn take_hits(&mut self, stage: &Stage, parts: &mut Parts) {
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
            };
            let scanned = search(&reader.read, region);
            self.n_lines += scanned.n_lines;
            reader.is_binary = scanned.is_binary;
            if !reader.is_binary {
                reader.is_done = is_last;
                let came_on = scanned.upto > reader.offset;
                self.n_timeless += reader.take(scanned, bytes, &self.zone);
                if is_last {
                    text.ended = text.ended.max(last_time(bytes, &reader, &self.zone));
                    // A last line without an end is as good as any other.
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
    fn take(&mut self, scanned: Scanned, bytes: &[u8], zone: &TimeZone) -> u64 {
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
                    path: text.log.path.clone(),
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

/// What is gathered while the logs are lived through.
struct Parts {
    rules: Vec<RulePart>,
    spaces: Vec<SpacePart>,
    rule_minutes: Vec<(i64, u64)>,
    space_minutes: Vec<(i64, u64)>,
    said: Vec<Said>,
    n_unkept: u64,
}

impl Parts {
    fn new(set: &RuleSet) -> Self {
        let rules: Vec<RulePart> = (set.rules.iter())
            .map(|rule| RulePart {
                rule: rule.clone(),
                n_hits: 0,
                n_events: 0,
                n_posts: 0,
                busiest: 0,
                hits_by_minute: BTreeMap::new(),
            })
            .collect();
        let is_used = |name: &SpaceName| rules.iter().any(|part| part.rule.spaces.contains(name));
        let spaces: Vec<SpacePart> = (set.spaces.iter())
            .filter(|(name, _)| is_used(name))
            .map(|(name, space)| SpacePart {
                name: name.clone(),
                n_posts: 0,
                busiest: 0,
                quota: u64::try_from(60_000 / space.pace.as_millis().max(1)).unwrap_or(u64::MAX),
            })
            .collect();
        Self {
            rule_minutes: vec![(i64::MIN, 0); rules.len()],
            space_minutes: vec![(i64::MIN, 0); spaces.len()],
            rules,
            spaces,
            said: Vec::new(),
            n_unkept: 0,
        }
    }

    fn take(&mut self, said: Vec<Said>) {
        for said in said {
            let minute = minute_of(said.at);
            let space = self.spaces.iter().position(|part| part.name == said.space);
            if let Some(idx) = space {
                let part = &mut self.spaces[idx];
                part.n_posts += 1;
                part.busiest = part
                    .busiest
                    .max(counted(&mut self.space_minutes[idx], minute));
            }
            let mut spoken: Vec<RuleKey> = Vec::new();
            for share in said.message.shares() {
                let key = share.instance.rule;
                let Ok(idx) = self.rules.binary_search_by(|part| part.rule.key.cmp(&key)) else {
                    continue;
                };
                let part = &mut self.rules[idx];
                // What goes to several spaces is counted once.
                if part.rule.spaces.first() == Some(&said.space) {
                    part.n_events += share.count;
                }
                if !spoken.contains(&key) {
                    part.n_posts += 1;
                    part.busiest = part
                        .busiest
                        .max(counted(&mut self.rule_minutes[idx], minute));
                    spoken.push(key);
                }
            }
            match self.said.len() < KEPT_MAX {
                true => self.said.push(said),
                false => self.n_unkept += 1,
            }
        }
    }
}

impl RulePart {
    /// Events that did not need a message of their own.
    pub fn n_saved(&self) -> u64 {
        self.n_events.saturating_sub(self.n_posts)
    }
}

/// Counts one more of a minute, and returns how many it has by now.
fn counted(count: &mut (i64, u64), minute: i64) -> u64 {
    if count.0 != minute {
        *count = (minute, 0);
    }
    count.1 += 1;
    count.1
}

/// The time of the last record of a log that has one.
fn last_time(bytes: &[u8], reader: &Reader, zone: &TimeZone) -> Wall {
    let lines = bytes.rsplit(|byte| *byte == b'\n').take(LINES_BACK_MAX);
    let stamp = lines.into_iter().find_map(Stamp::in_text);
    let at = stamp.and_then(|stamp| stamp.wall(reader.latest, zone));
    at.unwrap_or(reader.latest).max(reader.latest)
}

/// The minute of a time, since 1970.
pub fn minute_of(at: Wall) -> i64 {
    at.0.div_euclid(60_000_000)
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
