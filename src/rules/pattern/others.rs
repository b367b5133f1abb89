//! Lines that have to be searched in another form as well.
//!
//! What is searched for all rules at once is bytes. A record that is no valid UTF-8 is
//! also searched with its bad bytes replaced, and some characters beyond ASCII are
//! looked for by the letters of ASCII that they may stand for. Few lines of few logs
//! have either; their other forms are put one after the other and searched once more.

use std::borrow::Cow;

use super::literals;
use super::matcher::{line_end, line_start};
use super::record::record_in;

/// Bytes that are looked at together for any beyond ASCII.
const STEP_BYTES: usize = 128;

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
        let mut from = 0;
        while let Some(at) = first_beyond_ascii(text, from) {
            let line = line_start(text, from, at)..line_end(text, at);
            from = line.end;
            if is_its_only_form(&text[line.clone()]) {
                continue;
            }
            let record = &text[record_in(text, line.clone(), line_bytes_max)];
            others.add_forms(record, line.start);
        }
        others
    }

    /// The other forms of a record, which is taken as it is.
    pub(super) fn of_record(record: &[u8]) -> Self {
        let mut others = Self::default();
        if !is_its_only_form(record) {
            others.add_forms(record, 0);
        }
        others
    }

    /// Where the line begins that has another form at this place.
    pub(super) fn line_of(&self, at: usize) -> usize {
        let nth = self.lines.partition_point(|(end, _)| *end <= at);
        self.lines.get(nth).map_or(0, |(_, line)| *line)
    }

    /// Adds the forms of a record that has some.
    fn add_forms(&mut self, record: &[u8], line: usize) {
        let text = String::from_utf8_lossy(record);
        self.add(text.as_bytes(), line);
        let is_valid = matches!(text, Cow::Borrowed(_));
        if !is_valid && first_aside(record, 0).is_some() {
            // A pattern may name the bad bytes themselves, beside such a character.
            self.add(record, line);
        }
    }

    /// Adds a text as it is and, if that is different, written plainly.
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

fn is_its_only_form(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok() && first_aside(text, 0).is_none()
}

fn first_beyond_ascii(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    for step in text[from..].chunks(STEP_BYTES) {
        if !step.is_ascii() {
            return step
                .iter()
                .position(|byte| !byte.is_ascii())
                .map(|idx| at + idx);
        }
        at += step.len();
    }
    None
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
