//! The lines around a hit.
//!
//! Those before it are read back in the file, so they are there right after a start as
//! well. For those after it the position stays before the hit until they have come, or
//! for [`super::super::stream::AFTER`] at most: there is nothing to remember.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Ending, Hit, Lines, Region, records};
use crate::rules::records::reading::Reading;
use crate::rules::records::searcher::Searcher;

/// Bytes before a region in which lines before a hit are looked for.
pub const LOOK_BACK_BYTES: u64 = 16 << 10;

/// Characters of a line that are shown.
const LINE_CHARS_MAX: usize = 300;

/// Characters of all lines before a hit that are shown, and of those after it.
const CHARS_MAX: usize = 1_200;

/// The lines around a record, as text without secrets. Untrusted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Around {
    /// Those before it.
    pub before: String,
    /// Those after it.
    pub after: String,
}

/// Where the first hit begins for which lines that follow are to be waited for, with all
/// that stands behind it.
pub(super) fn first_to_wait(
    region: &Region<'_>,
    lines: &Lines,
    searcher: &Searcher,
    hits: &[Hit],
) -> Option<usize> {
    if region.ending != Ending::Leave {
        return None;
    }
    let is_full = region.bytes.len() >= records::region_bytes_full(searcher.reading());
    let wait = hits.iter().filter(|hit| !hit.unfinished).find(|hit| {
        let wanted = searcher.context(hit.rule).after;
        let end = index(region, hit.end).min(lines.whole);
        let following = &region.bytes[end..lines.whole];
        let n_following = lines_of(following, searcher.reading()).take(wanted).count();
        // What fills a region has no more of it to wait for.
        n_following < wanted && !(is_full && index(region, hit.start) == lines.begin)
    });
    wait.map(|hit| index(region, hit.start))
}

/// Adds the lines that rules want to their hits.
pub(super) fn fill(region: &Region<'_>, searcher: &Searcher, hits: &mut [Hit]) {
    for hit in hits {
        let context = searcher.context(hit.rule);
        if context.before + context.after == 0 {
            continue;
        }
        let reading = searcher.reading();
        let start = index(region, hit.start);
        let end = index(region, hit.end).min(region.bytes.len());
        let mut before = before(region, start, context.before, reading);
        let after: Vec<String> = lines_of(&region.bytes[end..], reading)
            .take(context.after)
            .map(|line| shown(line, reading))
            .collect();
        bound(&mut before.iter_mut().rev());
        let mut after = after;
        bound(&mut after.iter_mut());
        before.retain(|line| !line.is_empty());
        after.retain(|line| !line.is_empty());
        let (before, after) = (before.join("\n"), after.join("\n"));
        if before.is_empty() && after.is_empty() {
            continue;
        }
        // A secret may begin in one line and end in another.
        let record = shown(&region.bytes[start..end], reading);
        let all = format!("{before}\n{record}\n{after}");
        let secrets = searcher.redactor().secrets_in(&all);
        let around = Around {
            after: secrets.hide(&all, all.len() - after.len()..all.len()),
            before: secrets.hide(&all, 0..before.len()),
        };
        if let Some(sample) = Arc::get_mut(&mut hit.sample) {
            sample.around = Some(Arc::new(around));
        }
    }
}

/// The last lines before a place in a region.
fn before(region: &Region<'_>, start: usize, n_lines: usize, reading: &Reading) -> Vec<String> {
    if n_lines == 0 {
        return Vec::new();
    }
    let most = usize::try_from(LOOK_BACK_BYTES).unwrap_or(usize::MAX);
    let in_region = &region.bytes[start.saturating_sub(most)..start];
    let n_before = (most - in_region.len()).min(region.before.len());
    let mut bytes = region.before[region.before.len() - n_before..].to_vec();
    bytes.extend_from_slice(in_region);
    let is_all = region.offset as usize + start == bytes.len();
    let mut lines: Vec<&[u8]> = lines_of(&bytes, reading).collect();
    if !is_all && !lines.is_empty() {
        // Its beginning is not there.
        lines.remove(0);
    }
    let lines = lines.split_off(lines.len().saturating_sub(n_lines));
    lines.into_iter().map(|line| shown(line, reading)).collect()
}

/// Empties the lines behind those that fit.
fn bound(lines: &mut dyn Iterator<Item = &mut String>) {
    let mut n_left = CHARS_MAX;
    for line in lines {
        let n_chars = line.chars().count() + 1;
        if n_chars > n_left {
            n_left = 0;
            line.clear();
        }
        n_left = n_left.saturating_sub(n_chars);
    }
}

fn shown(line: &[u8], reading: &Reading) -> String {
    let line = records::shown_line(line, reading);
    match line.char_indices().nth(LINE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The lines of bytes, the last one perhaps without its ending.
fn lines_of<'b>(bytes: &'b [u8], reading: &Reading) -> impl Iterator<Item = &'b [u8]> {
    let (mut at, encoding) = (0, reading.encoding);
    std::iter::from_fn(move || {
        if at == bytes.len() {
            return None;
        }
        let line = &bytes[at..records::line_end(bytes, at, bytes.len(), encoding)];
        at += line.len();
        Some(line)
    })
}

fn index(region: &Region<'_>, at: u64) -> usize {
    usize::try_from(at.saturating_sub(region.offset)).unwrap_or(usize::MAX)
}
