//! One line of a file, fit to be shown.
//!
//! The line may be long, may hold tabs and control characters, and may hold a
//! webhook address. It is cut around what is meant, and what could do harm on a
//! terminal or give a secret away is replaced, with the caret still in its place.

use std::ops::Range;

use crate::secrets::{REDACTED, Redactor};

/// How many columns of a line are shown, and how many of them before the caret.
const COLUMNS_MAX: usize = 110;
const COLUMNS_BEFORE: usize = 40;

/// How many bytes before and behind the caret are looked at.
const WINDOW_BYTES: usize = 1_000;

/// What stands for what was cut off.
const CUT: char = '…';

/// How wide a tab is shown.
const TAB: &str = "    ";

/// A line to show and where its carets go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) text: String,
    /// The column of the first caret, from zero.
    pub(super) column: usize,
    /// The number of carets, at least one.
    pub(super) width: usize,
}

impl Excerpt {
    /// Shows a line of which the bytes from `start` to `end` are meant. What lies
    /// beyond its end belongs to later lines and is left out.
    pub(super) fn of(line: &str, start: usize, end: usize) -> Self {
        let window = window_around(line, start);
        let is_cut = window.start > 0;
        let goes_on = window.end < line.len();
        let cells = cells_of(line, window);
        let column_of = |offset: usize| -> usize {
            let before = cells.iter().take_while(|cell| cell.offset < offset);
            before.map(|cell| cell.width).sum()
        };
        let first = column_of(start.min(line.len()));
        let last = column_of(end.min(line.trim_end().len())).max(first + 1);
        let total: usize = cells.iter().map(|cell| cell.width).sum();
        if total <= COLUMNS_MAX && !is_cut && !goes_on {
            return Self {
                text: cells.iter().map(|cell| cell.shown.as_str()).collect(),
                column: first,
                width: last - first,
            };
        }
        let from = first.saturating_sub(COLUMNS_BEFORE);
        let mut text = String::new();
        let mut column = 0;
        let mut dropped = 0;
        for cell in &cells {
            if column < from {
                dropped += cell.width;
            } else if column + cell.width <= from + COLUMNS_MAX {
                text.push_str(&cell.shown);
            }
            column += cell.width;
        }
        let mut caret = first - dropped;
        if dropped > 0 || is_cut {
            text.insert(0, CUT);
            caret += 1;
        }
        if total > from + COLUMNS_MAX || goes_on {
            text.push(CUT);
        }
        Self {
            text,
            column: caret,
            width: (last - first).min((COLUMNS_MAX + 1).saturating_sub(caret).max(1)),
        }
    }
}

/// Returns text in which nothing can do harm or give a secret away.
pub fn harmless(text: &str) -> String {
    cells_of(text, 0..text.len())
        .into_iter()
        .map(|cell| cell.shown)
        .collect()
}

/// A character as it is shown.
struct Cell {
    offset: usize,
    shown: String,
    width: usize,
}

/// Returns the part of a line that can be shown at all. A line may have a million
/// characters; what is shown of it are a hundred.
fn window_around(line: &str, offset: usize) -> Range<usize> {
    let boundary = |mut offset: usize| {
        while !line.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    };
    let start = boundary(offset.min(line.len()).saturating_sub(WINDOW_BYTES));
    let end = boundary((offset.saturating_add(WINDOW_BYTES)).min(line.len()));
    start..end.max(start)
}

fn cells_of(line: &str, window: Range<usize>) -> Vec<Cell> {
    // A secret may begin before the window.
    let mut secrets = secrets_in(line);
    secrets.retain(|secret| secret.start < window.end && window.start < secret.end);
    line[window.clone()]
        .char_indices()
        .map(|(idx, char)| {
            let offset = window.start + idx;
            let secret = secrets.iter().find(|secret| secret.contains(&offset));
            let shown = match secret {
                Some(secret) if secret.start.max(window.start) == offset => REDACTED.to_owned(),
                Some(_) => String::new(),
                None => shown(char),
            };
            Cell {
                offset,
                width: shown.chars().map(columns).sum(),
                shown,
            }
        })
        .collect()
}

fn shown(char: char) -> String {
    match char {
        '\t' => TAB.to_owned(),
        char if char.is_control() || is_invisible(char) => '\u{fffd}'.to_string(),
        char => char.to_string(),
    }
}

/// Tells whether a character changes how its neighbours are shown.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Returns the columns that a character takes on most terminals.
fn columns(char: char) -> usize {
    match char {
        '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Returns where a line holds the user or the query of an address, or the value of
/// `key=` or `token=`: that is what makes a webhook address a password. What is
/// secret in a log is secret here as well.
fn secrets_in(line: &str) -> Vec<Range<usize>> {
    // Only ASCII letters change, so that offsets stay true.
    let lower = line.to_ascii_lowercase();
    let mut secrets = Redactor::default().secrets_in(line).ranges().to_vec();
    for (scheme, _) in lower.match_indices("://") {
        let address = scheme..end_of_word(line, scheme);
        let host = scheme + "://".len();
        let host_end = line[host..address.end]
            .find(['/', '?'])
            .map_or(address.end, |end| host + end);
        if let Some(user_end) = line[host..host_end].rfind('@') {
            secrets.push(host..host + user_end);
        }
        if let Some(query) = line[address.clone()].find('?') {
            secrets.push(address.start + query + 1..address.end);
        }
        // A dead-man service knows its clients by the path.
        if lower[..scheme].contains("heartbeat_url") {
            secrets.push((host_end + 1).min(address.end)..address.end);
        }
    }
    for name in ["key=", "token="] {
        for (found, _) in lower.match_indices(name) {
            let value = found + name.len();
            let word_end = end_of_word(line, value);
            let end = line[value..word_end]
                .find(['&', '|'])
                .map_or(word_end, |end| value + end);
            secrets.push(value..end);
        }
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_by_key(|secret| (secret.start, std::cmp::Reverse(secret.end)));
    // What lies within another is already hidden by it.
    let mut kept: Vec<Range<usize>> = Vec::new();
    for secret in secrets {
        match kept.last_mut() {
            Some(last) if secret.start < last.end => last.end = last.end.max(secret.end),
            _ => kept.push(secret),
        }
    }
    kept
}

fn end_of_word(line: &str, from: usize) -> usize {
    line[from..]
        .find(|char: char| char.is_whitespace() || matches!(char, '"' | '\'' | '`' | '<' | '>'))
        .map_or(line.len(), |end| from + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_what_makes_an_address_a_password() {
        for (line, expected) in [
            (
                "webhook: https://chat.example/v1/spaces/A/messages?key=AIza&token=abc%3D # x",
                "webhook: https://chat.example/v1/spaces/A/messages?[redacted] # x",
            ),
            ("  &token=abc%3D\"", "  &token=[redacted]\""),
            ("KEY=one&token=two", "KEY=[redacted]&token=[redacted]"),
            ("https://a/?x=y,https://b/?z", "https://a/?[redacted]"),
            ("https://me:pass@a/b", "https://[redacted]@a/b"),
            ("key: value", "key: value"),
            ("a?b=c", "a?b=c"),
        ] {
            assert_eq!(harmless(line), expected);
        }
    }

    #[test]
    fn cannot_play_tricks_on_a_terminal() {
        assert_eq!(
            harmless("a\u{1b}[31mb\u{202e}c\u{7}\r\t."),
            "a\u{fffd}[31mb\u{fffd}c\u{fffd}\u{fffd}    ."
        );
    }

    #[test]
    fn is_cut_around_what_is_meant() {
        let line = format!("{}WRONG{}", "a".repeat(300), "b".repeat(300));
        let excerpt = Excerpt::of(&line, 300, 305);
        let meant: String = excerpt
            .text
            .chars()
            .skip(excerpt.column)
            .take(excerpt.width)
            .collect();
        assert_eq!(meant, "WRONG");
        assert!(excerpt.text.starts_with('…') && excerpt.text.ends_with('…'));
        assert!(excerpt.text.chars().count() <= COLUMNS_MAX + 2);
        let excerpt = Excerpt::of(&line, 0, 1);
        assert_eq!((excerpt.column, excerpt.width), (0, 1));
        let excerpt = Excerpt::of(&line, 0, 600);
        assert_eq!(excerpt.width, COLUMNS_MAX + 1);
    }

    #[test]
    fn is_aligned_behind_wide_characters_and_secrets() {
        let line = "日本: x";
        let excerpt = Excerpt::of(line, 8, 9);
        assert_eq!(excerpt.column, 6);
        let line = "https://a/?secret=1234567890 x";
        let excerpt = Excerpt::of(line, 29, 30);
        assert_eq!(&excerpt.text[excerpt.column..], "x");
    }
}
