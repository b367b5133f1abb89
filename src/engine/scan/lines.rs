//! Hits in lines of plain text.
//!
//! What goes wrong goes wrong a thousand times, and of a thousand records debounce shows
//! the first ones and the last. To know what a record says takes longer than to know that
//! it is a hit. So where a rule only counts the others ([`Rule::is_countable`]), nothing
//! else is found out about them: their number, and when they happened.
//!
//! [`Rule::is_countable`]: crate::rules::Rule::is_countable

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::{Hit, Region, SAMPLE_CHARS_MAX, Sample, Scanned, first_chars};
use crate::engine::correlate::Role;
use crate::engine::message::SAMPLES_MAX;
use crate::engine::stamp::Stamp;
use crate::rules::pattern::{Match, Trial};
use crate::rules::records::searcher::Searcher;

/// Hits of a rule that are told of by themselves before others are only counted: the first
/// may have been taken before its line was finished, and the next may be said at once. What
/// is held back begins behind them, and shows [`SAMPLES_MAX`] different ones.
const ALONE_MAX: usize = 2;

/// Hits of a rule, one after the other, that have the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Where the line of the first one begins in the file.
    pub start: u64,
    /// When they happened.
    pub stamp: Stamp,
    /// How many there are.
    pub count: u64,
}

/// The hits of one rule so far.
#[derive(Default)]
struct Group {
    /// How many are told of by themselves.
    n_alone: usize,
    /// The different records that are shown besides.
    different: Vec<Range<usize>>,
    /// What is not.
    counted: Vec<Counted>,
    /// The line and the record of the last of those.
    last: Option<(Range<usize>, Range<usize>)>,
}

/// A search of some lines.
struct Search<'s> {
    searcher: &'s Searcher,
    /// The lines, and where they begin in the file.
    bytes: &'s [u8],
    at: u64,
    /// The line that was cut last.
    cut: Option<usize>,
    out: &'s mut Scanned,
}

/// Adds the hits in a part of the region. Where it may, it only counts hits of which
/// nothing else matters.
pub(super) fn search(
    region: &Region<'_>,
    part: Range<usize>,
    may_count: bool,
    searcher: &Searcher,
    out: &mut Scanned,
) {
    let n_before = out.hits.len();
    let bytes = &region.bytes[part.clone()];
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    let mut search = Search {
        searcher,
        bytes,
        at: region.offset + part.start as u64,
        cut: None,
        out,
    };
    searcher.try_all(bytes, &mut |trial| {
        let rule = searcher.rule_of(trial);
        if !may_count || !searcher.may_count(rule) {
            if let Some(found) = searcher.hit(trial) {
                search.show(found, Vec::new());
            }
            return;
        }
        let group = groups.entry(rule).or_default();
        match group.time_if_counted(bytes, &trial.record) {
            Some(stamp) if trial.is_hit() => search.count(group, stamp, trial),
            Some(_) => {}
            None => {
                if let Some(found) = searcher.hit(trial) {
                    group.show(bytes, &found.record);
                    search.show(found, Vec::new());
                }
            }
        }
    });
    let mut has_more = false;
    for (rule, group) in groups {
        if let Some((line, record)) = group.last
            && let Some(found) = searcher.hit_again(rule, bytes, line, record)
        {
            search.show_last(found, group.counted);
            has_more = true;
        }
    }
    if has_more {
        out.hits[n_before..].sort_by_key(|hit| (hit.start, hit.rule));
    }
}

impl Group {
    /// The time of a record of which nothing else needs to be known.
    fn time_if_counted(&self, bytes: &[u8], record: &Range<usize>) -> Option<Stamp> {
        let is_shown = self.n_alone >= ALONE_MAX
            && (self.different.len() >= SAMPLES_MAX || self.shows(bytes, record));
        // How late a record without a time is depends on where it stands.
        is_shown
            .then(|| Stamp::in_text(&bytes[record.clone()]))
            .flatten()
    }

    fn show(&mut self, bytes: &[u8], record: &Range<usize>) {
        if self.n_alone < ALONE_MAX {
            self.n_alone += 1;
        } else if self.different.len() < SAMPLES_MAX && !self.shows(bytes, record) {
            self.different.push(record.clone());
        }
    }

    fn shows(&self, bytes: &[u8], record: &Range<usize>) -> bool {
        let mut shown = self.different.iter().map(|shown| &bytes[shown.clone()]);
        shown.any(|shown| *shown == bytes[record.clone()])
    }
}

impl Search<'_> {
    /// Counts a hit with those before it.
    fn count(&mut self, group: &mut Group, stamp: Stamp, trial: &Trial<'_>) {
        self.note_cut(&trial.line);
        group.last = Some((trial.line.clone(), trial.record.clone()));
        match group.counted.last_mut() {
            Some(last) if last.stamp == stamp => last.count += 1,
            _ => group.counted.push(Counted {
                start: self.at + trial.line.start as u64,
                stamp,
                count: 1,
            }),
        }
    }

    /// Adds the last of many hits, with those that were only counted. It is one of them.
    fn show_last(&mut self, found: Match, mut counted: Vec<Counted>) {
        if let Some(last) = counted.last_mut() {
            last.count -= 1;
        }
        counted.retain(|counted| counted.count > 0);
        self.show(found, counted);
    }

    /// Adds a hit.
    fn show(&mut self, found: Match, counted: Vec<Counted>) {
        let line_bytes_max = self.searcher.reading().line_bytes_max;
        self.note_cut(&found.line);
        let line = text_of(self.bytes, &found.line);
        self.out.hits.push(Hit {
            rule: found.rule,
            role: Role::Match,
            start: self.at + found.line.start as u64,
            end: self.at + found.line.end as u64,
            unfinished: line.len() == found.line.len(),
            stamp: Stamp::in_text(&self.bytes[found.record.clone()]),
            sample: Arc::new(match found.redacted {
                Some(text) => {
                    let n_beyond = match found.record.len() < line_bytes_max - 3 {
                        true => 0,
                        false => n_beyond(line, found.record.len()),
                    };
                    redacted(&text, n_beyond, found.captures)
                }
                None => sample(line, &self.bytes[found.record], found.captures),
            }),
            counted,
        });
    }

    /// Counts a line that is longer than what is searched. Several rules may hit it.
    fn note_cut(&mut self, line: &Range<usize>) {
        let n_bytes = text_of(self.bytes, line).len();
        let is_long = n_bytes > self.searcher.reading().line_bytes_max;
        if is_long && self.cut != Some(line.start) {
            self.cut = Some(line.start);
            self.out.n_cut += 1;
        }
    }
}

/// A line without its line feed.
fn text_of<'b>(bytes: &'b [u8], line: &Range<usize>) -> &'b [u8] {
    let line = &bytes[line.clone()];
    line.strip_suffix(b"\n").unwrap_or(line)
}

fn sample(line: &[u8], record: &[u8], captures: Vec<(Arc<str>, String)>) -> Sample {
    // Four bytes are the longest character: no need to decode more than can be shown.
    let shown = &record[..record.len().min(SAMPLE_CHARS_MAX * 4 + 4)];
    // Most is valid, which is known sooner than what is not is found.
    let text = match std::str::from_utf8(shown) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(shown),
    };
    let kept = match text.char_indices().nth(SAMPLE_CHARS_MAX) {
        Some((idx, _)) => &text[..idx],
        None => &text,
    };
    let cut = kept.len() < text.len() || shown.len() < record.len() || record.len() < line.len();
    let n_shown = match cut {
        // Replacement characters stand for bytes of another length, so count anew.
        true => bytes_of_chars(record, SAMPLE_CHARS_MAX),
        false => record.len(),
    };
    let line_end = line
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | 0))
        .map_or(0, |idx| idx + 1);
    Sample {
        line: kept.to_owned(),
        n_more_bytes: line_end.saturating_sub(n_shown) as u64,
        captures,
        ..Sample::default()
    }
}

/// The sample of a record that had secrets. How long they were is not told.
fn redacted(text: &str, n_beyond: usize, captures: Vec<(Arc<str>, String)>) -> Sample {
    let (kept, rest) = first_chars(text);
    Sample {
        line: kept.to_owned(),
        n_more_bytes: (rest.len() + n_beyond) as u64,
        captures,
        ..Sample::default()
    }
}

/// The bytes of a line that are not in its record, but for its ending.
fn n_beyond(line: &[u8], n_record: usize) -> usize {
    let line_end = line.iter().rposition(|byte| !matches!(byte, b'\r' | 0));
    line_end.map_or(0, |idx| (idx + 1).saturating_sub(n_record))
}

/// How many bytes the first `n` characters take, a broken sequence being one.
fn bytes_of_chars(bytes: &[u8], n: usize) -> usize {
    let mut n_left = n;
    let mut n_bytes = 0;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if n_left == 0 {
                return n_bytes;
            }
            n_left -= 1;
            n_bytes += character.len_utf8();
        }
        if n_left == 0 {
            return n_bytes;
        }
        if !chunk.invalid().is_empty() {
            n_left -= 1;
            n_bytes += chunk.invalid().len();
        }
    }
    n_bytes
}
