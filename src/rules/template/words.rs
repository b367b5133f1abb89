//! Where the names of a template stand.
//!
//! The template library tells which names are looked up, and not where. This reads
//! just enough of the syntax to find them again: tags, strings, names.

use std::ops::Range;

/// A name such as `count` or `labels.env`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Where it stands.
    pub(super) range: Range<usize>,
    /// Whether it is a condition, or something stands in for it if it is missing.
    pub(super) is_asked_for: bool,
}

/// Finds all names of a template.
pub(super) fn names_in(source: &str) -> Vec<Name> {
    let mut names = Vec::new();
    let mut at = 0;
    let mut is_raw = false;
    while let Some(open) = source[at..].find("{").map(|idx| at + idx) {
        let closing = match source[open..].get(..2) {
            Some("{{") => "}}",
            Some("{%") => "%}",
            Some("{#") => "#}",
            _ => {
                at = open + 1;
                continue;
            }
        };
        let start = open + 2;
        let end = match closing {
            "#}" => source[start..].find("#}").map(|idx| start + idx),
            _ => end_of_tag(source, start, closing),
        };
        let Some(end) = end else {
            break;
        };
        at = end + 2;
        let tag = source[start..end].trim_matches(['-', '+']).trim();
        match (closing, tag) {
            ("%}", "raw") => is_raw = true,
            ("%}", "endraw") => is_raw = false,
            ("#}", _) => {}
            _ if is_raw => {}
            ("%}", tag) => {
                let is_condition = tag.starts_with("if") || tag.starts_with("elif");
                names_of_tag(source, start..end, is_condition, &mut names);
            }
            _ => names_of_tag(source, start..end, false, &mut names),
        }
    }
    names
}

/// Returns where a tag closes, not within a string.
fn end_of_tag(source: &str, start: usize, closing: &str) -> Option<usize> {
    let mut at = start;
    while at < source.len() {
        let rest = &source[at..];
        if rest.starts_with(closing) {
            return Some(at);
        }
        let char = rest.chars().next()?;
        at += match char {
            '"' | '\'' => string_len(rest),
            char => char.len_utf8(),
        };
    }
    None
}

fn names_of_tag(source: &str, tag: Range<usize>, is_condition: bool, names: &mut Vec<Name>) {
    let mut at = tag.start;
    let mut before = ' ';
    let mut asks_next = is_condition;
    while at < tag.end {
        let rest = &source[at..tag.end];
        let Some(char) = rest.chars().next() else {
            break;
        };
        if matches!(char, '"' | '\'') {
            at += string_len(rest);
        } else if char.is_alphabetic() || char == '_' {
            let len = path_len(rest);
            let word = &rest[..len];
            // What follows a dot is an attribute, what follows a bar a filter.
            if !matches!(before, '.' | '|') {
                // `a if b else c`: only `b` is asked for.
                match word {
                    "if" | "elif" => asks_next = true,
                    "else" => asks_next = is_condition,
                    _ => names.push(Name {
                        range: at..at + len,
                        is_asked_for: asks_next || is_stood_in_for(&rest[len..]),
                    }),
                }
            }
            at += len;
        } else if char.is_ascii_digit() {
            let is_number = |c: char| c.is_ascii_alphanumeric() || c == '_';
            at += rest.find(|c| !is_number(c)).unwrap_or(rest.len());
        } else {
            at += char.len_utf8();
        }
        if !char.is_whitespace() {
            before = char;
        }
    }
}

fn is_stood_in_for(rest: &str) -> bool {
    let rest = rest.trim_start();
    let words: Vec<&str> = rest.split_whitespace().take(3).collect();
    let filter = rest.strip_prefix('|').map(str::trim_start);
    filter.is_some_and(|filter| filter.starts_with("default") || filter.starts_with("d("))
        || words.starts_with(&["is", "defined"])
        || words.starts_with(&["is", "undefined"])
        || words.starts_with(&["is", "not", "defined"])
}

/// The length of a name with its attributes.
fn path_len(text: &str) -> usize {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut len = text.find(|c| !is_name(c)).unwrap_or(text.len());
    while let Some(rest) = text[len..].strip_prefix('.') {
        let next = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        if next == 0 {
            break;
        }
        len += 1 + next;
    }
    len
}

/// The length of a string with its quotes.
fn string_len(text: &str) -> usize {
    let mut chars = text.char_indices();
    let Some((_, quote)) = chars.next() else {
        return 0;
    };
    let mut is_escaped = false;
    for (idx, char) in chars {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            char if char == quote => return idx + 1,
            _ => {}
        }
    }
    text.len()
}
