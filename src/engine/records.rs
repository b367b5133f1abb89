//! Lines to records, where a record is more than a line of UTF-8 text.
//!
//! As with lines, nothing is kept between two reads: a record that may go on is left
//! where it stands, the position before it, and the next region begins there again. So
//! it may lie across reads, rotations and restarts, and is found as a whole or not yet.
//!
//! What containers write comes in two strands, standard output and standard error, each
//! with its own lines and records. There the position stays before the first record
//! that is open, and what lies behind it waits with it. An open record that does not
//! grow is ended for good, lest the other strand waits for ever.
//!
//! Three things end a record early: it has not grown for long enough ([`Ending`]), it
//! has [`RECORD_LINES_MAX`], or it fills half a region. A line that begins before that
//! goes on with it however long it is; one that is longer than the region does so with
//! its head, and ends it. So it does not matter whether the record was taken as it stood
//! while that line was short: it begins where it began, and is no second event.

use std::borrow::Cow;
use std::ops::Range;

use super::identity::MARK_BYTES_MAX;
use super::scan::{Ending, Region};
use crate::rules::pattern::record_in;
use crate::rules::records::parsed::{self, Piece};
use crate::rules::records::reading::{Encoding, Endian, Format, Multiline, Reading};
use crate::rules::records::searcher::Record;

/// Bytes of a record that are kept and searched, unless one line may have more.
pub const RECORD_BYTES_MAX: usize = 64 << 10;

/// Lines of a record.
pub const RECORD_LINES_MAX: usize = 1_000;

/// Records of a region, as far as they can be told.
#[derive(Debug, Default)]
pub(super) struct Cut<'a> {
    /// The records that are whole, in the order in which they begin.
    pub(super) whole: Vec<Assembled<'a>>,
    /// Where the first record stands that may go on.
    pub(super) open: Option<Range<usize>>,
    /// Where what is left begins, if a record may go on: no record that begins before it
    /// has a line behind it.
    pub(super) left: Option<usize>,
    /// The record that may go on as it stands, if it is to be taken.
    pub(super) unfinished: Option<Assembled<'a>>,
    /// Where lines begin that were cut because they were too long.
    pub(super) cut_lines: Vec<usize>,
    /// Whether the last line is longer than a region: its head is in a record, and what
    /// follows of it is to be skipped.
    pub(super) skips_rest: bool,
}

/// A record, put together.
#[derive(Debug)]
pub(super) struct Assembled<'a> {
    /// Where it begins and ends in the region, with its line endings. Another strand's
    /// lines may lie between.
    pub(super) range: Range<usize>,
    /// Bytes of it that were not kept.
    pub(super) n_more: usize,
    text: Cow<'a, [u8]>,
    first_line: Cow<'a, [u8]>,
    was_unwrapped: bool,
    n_lines: usize,
}

/// The records of one strand.
#[derive(Debug, Default)]
struct Strand<'a> {
    open: Option<Assembled<'a>>,
    /// Whether the last line of `open` goes on in the next piece.
    goes_on: bool,
}

/// A line, or a piece of one.
struct Line<'a> {
    record: Assembled<'a>,
    is_error: bool,
    goes_on: bool,
}

impl Strand<'_> {
    /// What stands between what is open and a line that goes on with it; nothing where
    /// the line begins another record.
    fn joint(&self, line: &Assembled<'_>, reading: &Reading) -> Option<&'static [u8]> {
        let open = self.open.as_ref()?;
        let continues = |multiline: &Multiline| multiline.continues(&line.text);
        let joint: &[u8] = match self.goes_on {
            true => b"",
            false if reading.multiline.as_ref().is_some_and(continues) => b"\n",
            false => return None,
        };
        // Only where the line begins counts: its length may not be known yet.
        let has_room = open.n_lines < RECORD_LINES_MAX
            && line.range.start - open.range.start <= region_bytes_max(reading) / 2;
        has_room.then_some(joint)
    }
}

impl<'a> Assembled<'a> {
    /// As it is searched.
    pub(super) fn record(&self) -> Record<'_> {
        Record {
            text: &self.text,
            first_line: &self.first_line,
            was_unwrapped: self.was_unwrapped,
        }
    }

    /// Takes what goes on with it, as far as there is room.
    fn grow(&mut self, between: &[u8], more: &Self, bytes_max: usize) {
        self.range.end = more.range.end;
        self.n_more += more.n_more;
        let room = bytes_max.saturating_sub(self.text.len() + between.len());
        if room == 0 {
            self.n_more += more.text.len();
            return;
        }
        let kept = record_in(&more.text, 0..more.text.len(), room).end;
        self.n_more += more.text.len() - kept;
        let text = self.text.to_mut();
        text.extend_from_slice(between);
        text.extend_from_slice(&more.text[..kept]);
    }
}

/// Cuts the lines from `begin` to `whole` into records; what stands behind them is a
/// line that is not finished.
pub(super) fn cut<'a>(
    region: &Region<'a>,
    begin: usize,
    whole: usize,
    reading: &Reading,
) -> Cut<'a> {
    let bytes = region.bytes;
    let mut cut = Cut::default();
    let mut strands = [Strand::default(), Strand::default()];
    let mut at = begin;
    while at < whole {
        let end = line_end(bytes, at, whole, reading.encoding);
        take_line(
            line_of(bytes, at..end, reading),
            reading,
            &mut strands,
            &mut cut,
        );
        at = end;
    }
    let open = strands.iter().filter_map(|strand| strand.open.as_ref());
    cut.open = (open.map(|open| open.range.clone())).min_by_key(|range| range.start);
    let is_waited_for = region.ending == Ending::Leave || !reading.format.is_wrapped();
    let fills_region = bytes.len() >= region_bytes_full(reading);
    cut.leave();
    let is_stuck = fills_region && cut.left == Some(begin);
    if whole < bytes.len() && fills_region {
        let line = line_of(bytes, whole..bytes.len(), reading);
        let strand = &strands[usize::from(line.is_error)];
        let of_first = (strand.open.as_ref()).is_some_and(|open| open.range.start == begin);
        // It fills a region by itself, or with the record that it goes on with.
        cut.skips_rest = bytes.len() - whole >= region_bytes_full(reading)
            || (is_stuck && of_first && strand.joint(&line.record, reading).is_some());
        if cut.skips_rest {
            take_line(line, reading, &mut strands, &mut cut);
            if cut.cut_lines.last() != Some(&whole) {
                cut.cut_lines.push(whole);
            }
        }
    }
    if !is_waited_for || cut.skips_rest || is_stuck {
        let open = strands.iter_mut().filter_map(|strand| strand.open.take());
        cut.whole.extend(open);
        (cut.open, cut.left) = (None, None);
    }
    if region.ending == Ending::Take && !cut.skips_rest {
        let n_whole = cut.whole.len();
        if whole < bytes.len() {
            let line = line_of(bytes, whole..bytes.len(), reading);
            let n_cut = cut.cut_lines.len();
            take_line(line, reading, &mut strands, &mut cut);
            cut.cut_lines.truncate(n_cut);
        }
        let mut tail = cut.whole.split_off(n_whole);
        tail.extend(strands.iter_mut().filter_map(|strand| strand.open.take()));
        cut.unfinished = tail.pop();
        // What the last line does not go on with is whole.
        if !tail.is_empty() {
            (cut.open, cut.left) = (None, None);
            cut.whole.extend(tail);
        }
    }
    cut.whole.sort_by_key(|record| record.range.start);
    cut
}

impl Cut<'_> {
    /// Leaves what is open, and every record that has a line behind its beginning.
    fn leave(&mut self) {
        let Some(open) = &self.open else {
            return;
        };
        let mut ranges: Vec<&Range<usize>> =
            self.whole.iter().map(|record| &record.range).collect();
        ranges.sort_by_key(|range| std::cmp::Reverse(range.end));
        let left = ranges.into_iter().fold(open.start, |left, range| {
            if range.end > left {
                left.min(range.start)
            } else {
                left
            }
        });
        self.left = Some(left);
    }
}

/// Takes a line: it goes on with a record, or begins one.
fn take_line<'a>(
    line: Line<'a>,
    reading: &Reading,
    strands: &mut [Strand<'a>; 2],
    cut: &mut Cut<'a>,
) {
    let Line {
        record,
        is_error,
        goes_on,
    } = line;
    if record.n_more > 0 {
        cut.cut_lines.push(record.range.start);
    }
    if reading.format.is_wrapped() && !record.was_unwrapped {
        cut.whole.push(record);
        return;
    }
    let strand = &mut strands[usize::from(is_error)];
    let bytes_max = RECORD_BYTES_MAX.max(reading.line_bytes_max);
    let joint = strand.joint(&record, reading);
    if let (Some(open), Some(joint)) = (&mut strand.open, joint) {
        open.n_lines += 1;
        open.grow(joint, &record, bytes_max);
        strand.goes_on = goes_on;
        if !goes_on && reading.multiline.is_none() {
            cut.whole.extend(strand.open.take());
        }
        return;
    }
    cut.whole.extend(strand.open.take());
    strand.goes_on = goes_on;
    match goes_on || reading.multiline.is_some() {
        true => strand.open = Some(record),
        false => cut.whole.push(record),
    }
}

/// Reads a line, whatever it was wrapped up in.
fn line_of<'a>(bytes: &'a [u8], range: Range<usize>, reading: &Reading) -> Line<'a> {
    match reading.encoding.decode(&bytes[range.clone()]) {
        Cow::Borrowed(text) => line_of_text(text, range, reading),
        Cow::Owned(text) => line_of_text(&text, range, reading).into_owned(),
    }
}

fn line_of_text<'t>(text: &'t [u8], range: Range<usize>, reading: &Reading) -> Line<'t> {
    let all = &text[record_in(text, 0..text.len(), usize::MAX)];
    let piece = match reading.format {
        Format::Text | Format::Json | Format::Logfmt | Format::Journal => None,
        Format::Cri => parsed::cri(all),
        Format::Docker => parsed::docker(all),
    };
    let was_unwrapped = piece.is_some();
    let piece = piece.unwrap_or(Piece {
        is_error: false,
        text: Cow::Borrowed(all),
        goes_on: false,
    });
    let n_all = piece.text.len();
    let kept = record_in(&piece.text, 0..n_all, reading.line_bytes_max);
    let text = match piece.text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[kept]),
        Cow::Owned(text) if kept == (0..n_all) => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text[kept].to_vec()),
    };
    Line {
        is_error: piece.is_error,
        goes_on: piece.goes_on,
        record: Assembled {
            range,
            n_more: n_all - text.len(),
            text,
            first_line: match was_unwrapped {
                true => Cow::Borrowed(all),
                false => Cow::Borrowed(&[]),
            },
            was_unwrapped,
            n_lines: 1,
        },
    }
}

impl Line<'_> {
    fn into_owned(self) -> Line<'static> {
        let Self {
            record,
            is_error,
            goes_on,
        } = self;
        Line {
            record: Assembled {
                text: Cow::Owned(record.text.into_owned()),
                first_line: Cow::Owned(record.first_line.into_owned()),
                ..record
            },
            is_error,
            goes_on,
        }
    }
}

/// What people see of a line: shown around a hit.
pub(super) fn shown_line(line: &[u8], reading: &Reading) -> String {
    let line = line_of(line, 0..line.len(), reading);
    String::from_utf8_lossy(&line.record.text).into_owned()
}

/// How much is read at once: at least two lines.
pub fn region_bytes_max(reading: &Reading) -> usize {
    super::scan::REGION_BYTES_MAX.max(reading.line_bytes_max * 2)
}

/// How much of that is read where there is more, but for what stands before it.
pub(super) fn region_bytes_full(reading: &Reading) -> usize {
    region_bytes_max(reading) - MARK_BYTES_MAX as usize
}

/// Where the line that begins at `at` ends, with its ending; `end` if that has none.
pub(super) fn line_end(bytes: &[u8], at: usize, end: usize, encoding: Encoding) -> usize {
    first_line_end(&bytes[at..end], encoding).map_or(end, |len| at + len)
}

/// The length of the first line, with its ending.
pub(super) fn first_line_end(bytes: &[u8], encoding: Encoding) -> Option<usize> {
    let Some(endian) = encoding.pairs() else {
        return memchr::memchr(b'\n', bytes).map(|idx| idx + 1);
    };
    memchr::memchr_iter(b'\n', bytes).find_map(|idx| pair_end(bytes, idx, endian))
}

/// Where the last line ends that is whole.
pub(super) fn last_line_end(bytes: &[u8], encoding: Encoding) -> Option<usize> {
    let Some(endian) = encoding.pairs() else {
        return memchr::memrchr(b'\n', bytes).map(|idx| idx + 1);
    };
    memchr::memrchr_iter(b'\n', bytes).find_map(|idx| pair_end(bytes, idx, endian))
}

/// The end of the pair that the byte `\n` at `idx` is one half of, if the pair is the
/// character.
fn pair_end(bytes: &[u8], idx: usize, endian: Endian) -> Option<usize> {
    let (start, pair) = match endian {
        Endian::Little => (idx, [b'\n', 0]),
        Endian::Big => (idx.checked_sub(1)?, [0, b'\n']),
    };
    (start % 2 == 0 && bytes.get(start..start + 2) == Some(&pair)).then_some(start + 2)
}
