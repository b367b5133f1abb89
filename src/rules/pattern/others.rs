//! Lines that have to be searched in another form as well.
//!
//! What is searched for all rules at once is bytes. A record that is no valid UTF-8 is
//! also searched with its bad bytes replaced, and some characters beyond ASCII are
//! looked for by the letters of ASCII that they may stand for. Few lines of few logs
//! have either; their other forms are put one after the other and searched once more.

use super::literals;
use super::matcher::{line_end, line_start};
use super::record::record_in;

/// Bytes that are looked at together for any beyond ASCII.
const STEP_BYTES: usize = 256;

/// Other forms of some lines of a text.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// The forms, a line each.
    pub text: Vec<u8>,
    /// Where each ends, and where the line it belongs to begins.
    pub lines: Vec<(usize, usize)>,
}

impl Others {
    /// The other forms of the lines of a text that have one.
    pub(super) fn of(text: &[u8], line_bytes_max: usize) -> Self {
        let mut others = Self::default();
        let mut bad_byte = first_bad_byte(text, 0);
        let mut aside = first_aside(text, 0);
        while let Some(at) = earlier(bad_byte, aside) {
            let line = line_start(text, 0, at)..line_end(text, at);
            let record = &text[record_in(text, line.clone(), line_bytes_max)];
            others.add(String::from_utf8_lossy(record).as_bytes(), line.start);
            let is_passed = |at: &usize| *at < line.end;
            if bad_byte.as_ref().is_some_and(is_passed) {
                bad_byte = first_bad_byte(text, line.end);
            }
            if aside.as_ref().is_some_and(is_passed) {
                aside = first_aside(text, line.end);
            }
        }
        others
    }

    /// The other forms of a record, which is taken as it is.
    pub(super) fn of_record(record: &[u8]) -> Self {
        let mut others = Self::default();
        if first_bad_byte(record, 0)
            .or(first_aside(record, 0))
            .is_some()
        {
            others.add(String::from_utf8_lossy(record).as_bytes(), 0);
        }
        others
    }

    /// Where the line begins that has another form at this place.
    pub(super) fn line_of(&self, at: usize) -> usize {
        let nth = self.lines.partition_point(|(end, _)| *end <= at);
        self.lines.get(nth).map_or(0, |(_, line)| *line)
    }

    /// Adds valid text, as it is and, if that is different, written plainly.
    fn add(&mut self, text: &[u8], line: usize) {
        let mut at = 0;
        while let Some(aside) = first_aside(text, at) {
            let (plain, len) = literals::plain(&text[aside..]).unwrap_or((b' ', 1));
            self.text.extend_from_slice(&text[at..aside]);
            self.text.push(plain);
            at = aside + len;
        }
        self.text.extend_from_slice(&text[at..]);
        self.text.push(b'\n');
        if at > 0 {
            self.text.extend_from_slice(text);
            self.text.push(b'\n');
        }
        self.lines.push((self.text.len(), line));
    }
}

fn earlier(one: Option<usize>, other: Option<usize>) -> Option<usize> {
    one.into_iter().chain(other).min()
}

fn first_bad_byte(text: &[u8], from: usize) -> Option<usize> {
    std::str::from_utf8(&text[from..])
        .err()
        .map(|error| from + error.valid_up_to())
}

/// The first character from some place on that is left aside.
fn first_aside(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    for step in text[from..].chunks(STEP_BYTES) {
        if !step.is_ascii() {
            let found = (at..at + step.len())
                .find(|at| !text[*at].is_ascii() && literals::plain(&text[*at..]).is_some());
            if found.is_some() {
                return found;
            }
        }
        at += step.len();
    }
    None
}
