//! Bytes to lines to hits: keeps nothing, may run on any thread.
//!
//! A region is a stretch of a file that begins where a line begins. What lies
//! beyond the last line end is not taken: the position stays at the start of the
//! unfinished line and the next read begins there again. So there is no carry to
//! keep, to save or to forget to reset; the file itself is the buffer.
//!
//! Where a record is more than a line ([`super::records`]) the same holds of records,
//! and where lines after a hit are to be shown, of the hit and those lines.
//!
//! Two things end a line early. One that is longer than a whole region is taken
//! by its head, and what follows is skipped to the next line end. One that stands
//! unfinished at the end of the file is taken when the engine says so
//! ([`Ending::Take`]), without moving past it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checks::finding::Finding;
use super::correlate::Role;
use super::identity::{HEAD_BYTES, MARK_BYTES_MAX, Mark};
use super::records;
use super::stamp::Stamp;
use crate::rules::records::reading::{Encoding, Reading};
use crate::rules::records::searcher::{Became, Searcher, Selected, Time};

mod around;

mod lines;

pub use around::{Around, LOOK_BACK_BYTES};
pub use lines::Counted;
use lines::search;

/// Characters of a record that a message shows.
pub const SAMPLE_CHARS_MAX: usize = 1_000;

/// Bytes read at once, unless lines may be longer. A line longer than what is read at
/// once is skipped to its end.
pub const REGION_BYTES_MAX: usize = 256 << 10;

/// Bytes of a file's beginning that tell whether it is text.
const TELLING_BYTES: usize = 64 << 10;

/// NULs in a row that are a hole, not part of a text or of a binary format.
const HOLE_BYTES_MIN: usize = 512;

/// NULs of a short text, at most.
const NULS_OF_TEXT_MAX: usize = 8;

/// In text, of so many bytes at most one is NUL.
const BYTES_PER_NUL_MIN: usize = 64;

/// Rows of NULs that a text may have, however long: where the power failed, what was not
/// on disk yet is NULs up to the end of a block.
const ROWS_OF_TEXT_MAX: usize = 4;

/// Bytes without a line's end in which carriage returns are seen for what they are.
const RETURNS_BYTES_MIN: usize = 4 << 10;

/// A stretch of a file, read from `offset`.
#[derive(Debug, Clone, Copy)]
pub struct Region<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where they begin in the file.
    pub offset: u64,
    /// Bytes that stand right before them in the file: [`MARK_BYTES_MAX`], or
    /// [`LOOK_BACK_BYTES`] where lines before a hit are wanted, if there are so many.
    pub before: &'a [u8],
    /// Whether the beginning lies inside a line whose head was already taken.
    pub skipping: bool,
    /// What to do with an unfinished line at the end.
    pub ending: Ending,
    /// Whether hits of which nothing but their number matters may be told by that.
    pub may_count: bool,
}

/// What to do with an unfinished line at the end of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Leave it until the rest comes.
    Leave,
    /// Search it as it stands, but stay before it.
    Take,
    /// Leave it, but wait for nothing that may come behind what is whole: no lines that
    /// are to be shown after a hit, and no rest of what a container wrote.
    Pass,
}

/// What a stream waits for that did not move past all that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Waits {
    /// The rest of a line.
    #[default]
    Line,
    /// Lines that may go on with a record.
    Record,
    /// Lines that are to be shown after a hit.
    After,
}

/// What a region held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Where the next region begins.
    pub upto: u64,
    /// Whether `upto` lies inside a line whose head was taken.
    pub skipping: bool,
    /// Bytes behind `upto` that were seen and are left.
    pub n_unfinished: u64,
    /// What they are left for.
    pub waits: Waits,
    /// Bytes of what is waited for so far: those of a record, where the lines of another
    /// may lie between.
    pub n_own: u64,
    /// Whole lines that were passed.
    pub n_lines: u64,
    /// Lines that were cut because they were too long.
    pub n_cut: u64,
    /// Records that are not of their format, and were searched as text.
    pub n_unparsed: u64,
    /// The hits, in the order of their lines.
    pub hits: Vec<Hit>,
    /// Marks of the head, as far as it was searched: all that is to be remembered of it when a
    /// file is read from its start.
    pub head: Vec<Mark>,
    /// Marks before line starts near `upto`, the one before `upto` last.
    pub marks: Vec<Mark>,
    /// The mark of the unfinished line, if it was searched.
    pub rest: Option<Mark>,
    /// Whether the file begins as no text does: nothing of it was searched.
    pub is_binary: bool,
    /// Whether there are carriage returns where lines should end.
    pub has_bare_returns: bool,
}

/// A record that a rule selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The rule's place in the matcher's list.
    pub rule: usize,
    /// What it is for that rule; a scan knows only hits.
    pub role: Role,
    /// Where the line begins in the file.
    pub start: u64,
    /// Where the next line begins; for an unfinished line, where it ends so far.
    pub end: u64,
    /// Whether the line was not finished.
    pub unfinished: bool,
    /// When it happened, as far as it tells.
    pub stamp: Option<Stamp>,
    /// What was found.
    pub sample: Arc<Sample>,
    /// Hits of the same rule before it that are not told of by themselves, in their order.
    pub counted: Vec<Counted>,
}

/// What a message can show of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Its first [`SAMPLE_CHARS_MAX`] characters. Untrusted.
    pub line: String,
    /// The bytes behind them.
    pub n_more_bytes: u64,
    /// The captures that took part. Untrusted.
    pub captures: Vec<(Arc<str>, String)>,
    /// The fields of the record that its rule speaks of. Untrusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(Arc<str>, String)>,
    /// The lines around it, if its rule wants them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<Arc<Around>>,
    /// What a command found, if this is the result of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Arc<Finding>>,
}

/// Searches a region.
pub fn scan(region: Region<'_>, searcher: &Searcher) -> Scanned {
    let bytes = region.bytes;
    let reading = searcher.reading();
    let encoding = reading.encoding;
    let mut out = Scanned {
        upto: region.offset,
        skipping: region.skipping,
        ..Scanned::default()
    };
    // Half the bytes of text in pairs are NULs.
    let has_pairs = encoding.pairs().is_some();
    if region.offset == 0 && !has_pairs && is_binary(bytes) {
        out.is_binary = true;
        return out;
    }
    // The rest of a line whose head was taken belongs to nobody.
    let begin = match (region.skipping, records::first_line_end(bytes, encoding)) {
        (false, _) => hole_before(bytes, reading),
        (true, Some(line_end)) => {
            out.skipping = false;
            line_end
        }
        (true, None) => bytes.len(),
    };
    let whole = records::last_line_end(&bytes[begin..], encoding).map_or(begin, |len| begin + len);
    let rest = &bytes[whole..];
    out.has_bare_returns = !has_pairs && has_bare_returns(rest);
    let lines = Lines {
        begin,
        whole,
        rest: match (rest.len(), out.skipping) {
            (0, _) | (_, true) => Rest::None,
            (len, false) if len >= records::region_bytes_full(reading) => Rest::OverLong,
            (_, false) => Rest::Unfinished,
        },
    };
    let mut upto = match reading.is_plain() {
        true => scan_lines(&region, &lines, searcher, &mut out),
        false => scan_records(&region, &lines, searcher, &mut out),
    };
    if let Some(held) = around::first_to_wait(&region, &lines, searcher, &out.hits) {
        let start = region.offset + held as u64;
        out.hits.retain(|hit| hit.start < start);
        out.waits = Waits::After;
        out.skipping = false;
        out.rest = None;
        upto = held;
    }
    around::fill(&region, searcher, &mut out.hits);
    if lines.rest == Rest::Unfinished || upto < whole {
        out.n_unfinished = (bytes.len() - upto) as u64;
    }
    if out.waits != Waits::Record {
        out.n_own = out.n_unfinished;
    }
    out.n_lines = memchr::memchr_iter(b'\n', &bytes[begin..upto.min(whole)]).count() as u64;
    out.upto = region.offset + upto as u64;
    out.head = head_marks(&region, upto);
    out.marks = marks_before(&region, upto, encoding);
    out
}

/// What stands in a region.
struct Lines {
    /// Where the first line begins.
    begin: usize,
    /// Where the last line ends that is whole.
    whole: usize,
    /// What stands behind it.
    rest: Rest,
}

/// What stands behind the last whole line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nothing that anybody cares for.
    None,
    /// A line that is not finished.
    Unfinished,
    /// A line that is longer than a region.
    OverLong,
}

/// Searches lines of plain text as they stand. Returns where the next region begins.
fn scan_lines(region: &Region<'_>, lines: &Lines, searcher: &Searcher, out: &mut Scanned) -> usize {
    let end = region.bytes.len();
    let may_count = region.may_count && !searcher.looks_around();
    search(region, lines.begin..lines.whole, may_count, searcher, out);
    let n_cut = out.n_cut;
    match lines.rest {
        Rest::None => end,
        Rest::OverLong => {
            search(region, lines.whole..end, false, searcher, out);
            out.n_cut = n_cut + 1;
            out.skipping = true;
            end
        }
        Rest::Unfinished => {
            if region.ending == Ending::Take {
                search(region, lines.whole..end, false, searcher, out);
                out.rest = Some(mark_of_rest(region, lines.whole));
            }
            lines.whole
        }
    }
}

/// Searches records that are more than lines. Returns where the next region begins.
fn scan_records(
    region: &Region<'_>,
    lines: &Lines,
    searcher: &Searcher,
    out: &mut Scanned,
) -> usize {
    let reading = searcher.reading();
    let bytes = region.bytes;
    let cut = records::cut(region, lines.begin, lines.whole, reading);
    let mut upto = match lines.rest {
        Rest::None => bytes.len(),
        Rest::Unfinished | Rest::OverLong => lines.whole,
    };
    if cut.skips_rest {
        out.skipping = true;
        upto = bytes.len();
    }
    if let (Some(open), Some(left)) = (&cut.open, cut.left) {
        upto = left;
        if reading.format.is_wrapped() || lines.rest == Rest::None {
            out.waits = Waits::Record;
            out.n_own = (open.end - open.start) as u64;
        }
    }
    for record in cut.whole.iter().filter(|record| record.range.start < upto) {
        let became = search_one(region, record, false, searcher, out);
        out.n_unparsed += u64::from(became == Became::Unparsed);
    }
    out.n_cut = cut.cut_lines.iter().filter(|start| **start < upto).count() as u64;
    if let Some(record) = &cut.unfinished {
        search_one(region, record, true, searcher, out);
        out.rest = Some(mark_of_rest(region, upto));
    }
    upto
}

/// Adds the hits of one record.
fn search_one(
    region: &Region<'_>,
    record: &records::Assembled<'_>,
    unfinished: bool,
    searcher: &Searcher,
    out: &mut Scanned,
) -> Became {
    let text = record.record().text;
    searcher.search_record(record.record(), &mut |found| {
        let stamp = match &found.time {
            Time::InText => Stamp::in_text(text),
            Time::InFields(values) => values.iter().find_map(|value| Stamp::in_value(value)),
        };
        out.hits.push(Hit {
            rule: found.rule,
            role: Role::Match,
            start: region.offset + record.range.start as u64,
            end: region.offset + record.range.end as u64,
            unfinished,
            stamp,
            sample: Arc::new(sample_of(found, text, record.n_more)),
            counted: Vec::new(),
        });
    })
}

/// What a message can show of a record that was selected, of which `n_more` bytes were
/// not kept.
pub(super) fn sample_of(selected: Selected, text: &[u8], n_more: usize) -> Sample {
    let shown = match &selected.redacted {
        Some(text) => Cow::Borrowed(&**text),
        None => String::from_utf8_lossy(text),
    };
    let (kept, more) = first_chars(&shown);
    Sample {
        line: kept.to_owned(),
        n_more_bytes: (more.len() + n_more) as u64,
        captures: selected.captures,
        fields: selected.fields,
        around: None,
        finding: None,
    }
}

/// Splits a text behind what of it is shown.
fn first_chars(text: &str) -> (&str, &str) {
    match text.char_indices().nth(SAMPLE_CHARS_MAX) {
        Some((idx, _)) => text.split_at(idx),
        None => (text, ""),
    }
}

/// The mark of what is not finished: its last bytes.
fn mark_of_rest(region: &Region<'_>, start: usize) -> Mark {
    let rest = &region.bytes[start..];
    let n_shown = rest.len().min(MARK_BYTES_MAX as usize);
    let at = region.offset + (region.bytes.len() - n_shown) as u64;
    Mark::of(&rest[rest.len() - n_shown..], at)
}

/// The length of the hole that a region begins with. A writer that keeps its position
/// while the file is cut short leaves one before its next line. What reaches to the
/// end of the file may be room that is filled later: that is waited for.
fn hole_before(bytes: &[u8], reading: &Reading) -> usize {
    match bytes.iter().position(|byte| *byte != 0) {
        Some(n_nuls) if reading.encoding.pairs().is_none() => n_nuls,
        // A NUL may be the half of a character.
        Some(n_nuls) if n_nuls < HOLE_BYTES_MIN => 0,
        Some(n_nuls) => n_nuls - n_nuls % 2,
        None if bytes.len() >= records::region_bytes_full(reading) => bytes.len(),
        None => 0,
    }
}

/// Whether a whole region is a hole, so that the host may look for where it ends.
pub fn is_hole(bytes: &[u8], searcher: &Searcher) -> bool {
    !bytes.is_empty() && hole_before(bytes, searcher.reading()) == bytes.len()
}

/// What a region held that is a hole which reaches up to `data`.
pub fn jumped(region: &Region<'_>, data: u64) -> Scanned {
    let hole = [0; MARK_BYTES_MAX as usize];
    Scanned {
        upto: data,
        head: head_marks(region, region.bytes.len()),
        marks: vec![Mark::of(&hole, data - MARK_BYTES_MAX)],
        ..Scanned::default()
    }
}

/// Whether a file begins as no text does. One NUL among letters is a slip, and a long
/// row of them is a hole.
fn is_binary(bytes: &[u8]) -> bool {
    let hole = bytes.iter().position(|byte| *byte != 0);
    let hole = hole.unwrap_or(bytes.len());
    let bytes = &bytes[hole..];
    let bytes = &bytes[..bytes.len().min(TELLING_BYTES)];
    if memchr::memchr(0, bytes).is_none() {
        return false;
    }
    let (mut n_text, mut n_nuls, mut n_rows) = (0, 0, 0);
    for run in bytes.chunk_by(|one, other| (*one == 0) == (*other == 0)) {
        match run[0] {
            0 if run.len() < HOLE_BYTES_MIN => {
                n_nuls += run.len();
                n_rows += 1;
            }
            0 => {}
            _ => n_text += run.len(),
        }
    }
    n_rows > ROWS_OF_TEXT_MAX && n_nuls > NULS_OF_TEXT_MAX + n_text / BYTES_PER_NUL_MIN
}

/// Whether a stretch without a line's end has carriage returns where lines should end.
fn has_bare_returns(rest: &[u8]) -> bool {
    rest.len() >= RETURNS_BYTES_MIN && memchr::memchr_iter(b'\r', rest).take(3).count() == 3
}

/// Marks of the head before `upto`: what stands behind that may be cut off and written anew
/// before it is searched, and the file is the same. Where nothing was searched, nothing else
/// tells whether it is.
fn head_marks(region: &Region<'_>, upto: usize) -> Vec<Mark> {
    if region.offset != 0 {
        return Vec::new();
    }
    let head = match upto {
        0 => region.bytes,
        _ => &region.bytes[..upto],
    };
    HEAD_BYTES
        .iter()
        .filter_map(|&len| head.get(..usize::try_from(len).ok()?))
        .map(|bytes| Mark::of(bytes, 0))
        .collect()
}

/// Marks at `upto` and at a few line starts before it, each further away.
fn marks_before(region: &Region<'_>, upto: usize, encoding: Encoding) -> Vec<Mark> {
    const BACK: [usize; 6] = [65_536, 16_384, 4_096, 1_024, 256, 1];
    let mut ends: Vec<usize> = BACK
        .iter()
        .filter_map(|&back| {
            let limit = upto.checked_sub(back)?;
            records::last_line_end(&region.bytes[..limit], encoding)
        })
        .collect();
    ends.push(upto);
    ends.dedup();
    ends.iter()
        .filter_map(|&end| mark_before(region, end))
        .collect()
}

fn mark_before(region: &Region<'_>, end: usize) -> Option<Mark> {
    let want = MARK_BYTES_MAX as usize;
    let at = region.offset + end as u64;
    let bytes = match end >= want {
        true => region.bytes[end - want..end].to_vec(),
        false => {
            let n_before = (want - end).min(region.before.len());
            let mut bytes = region.before[region.before.len() - n_before..].to_vec();
            bytes.extend_from_slice(&region.bytes[..end]);
            bytes
        }
    };
    (!bytes.is_empty()).then(|| Mark::of(&bytes, at - bytes.len() as u64))
}

#[cfg(test)]
mod tests;
