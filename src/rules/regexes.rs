//! The regexes people write, and what is wrong with them.

use std::ops::Range;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ast;
use regex_syntax::hir::{Hir, HirKind};

use super::fields;
use super::parse::{Entry, Node};
use super::pattern::Pattern;
use crate::diagnostic::Report;

/// The size one regex may have when compiled.
const REGEX_BYTES_MAX: usize = 10 << 20;

/// How many regexes a field may list.
const REGEXES_MAX: usize = 1_000;

/// What a rule does with the records its regexes are found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// They are hits.
    Match,
    /// They are not.
    Except,
    /// What they match in a record is secret.
    Redact,
    /// They are lines that begin a record, or go on with one.
    Join,
}

/// Whether line breaks may stand in what is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaks {
    May,
    Never,
}

/// Whether letters of either case are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Kept,
    Ignored,
}

/// Reads a regex or a list of them.
pub(super) fn read(
    entry: &Entry,
    purpose: Purpose,
    case: Case,
    breaks: Breaks,
    report: &mut Report,
) -> Option<Vec<Arc<Pattern>>> {
    let texts = fields::texts(entry, report)?;
    if texts.len() > REGEXES_MAX {
        report.too_many(fields::place_of(entry), &entry.key, REGEXES_MAX);
        return None;
    }
    let regexes: Vec<Option<Arc<Pattern>>> = texts
        .into_iter()
        .map(|(node, text)| read_one(node, text, purpose, case, breaks, report))
        .map(|regex| regex.map(Arc::new))
        .collect();
    regexes.into_iter().collect()
}

/// Reads the regexes of what is secret.
pub(super) fn read_secrets(entry: &Entry, report: &mut Report) -> Option<Vec<Regex>> {
    let texts = fields::texts(entry, report)?;
    if texts.len() > REGEXES_MAX {
        report.too_many(fields::place_of(entry), &entry.key, REGEXES_MAX);
        return None;
    }
    let regexes: Vec<Option<Regex>> = texts
        .into_iter()
        .map(|(node, text)| {
            let (purpose, case, breaks) = (Purpose::Redact, Case::Kept, Breaks::Never);
            let pattern = read_one(node, text, purpose, case, breaks, report)?;
            let regex = RegexBuilder::new(pattern.as_str())
                .size_limit(REGEX_BYTES_MAX)
                .build();
            if regex.is_err() {
                report.regex_too_big(node.at, REGEX_BYTES_MAX >> 20);
            }
            regex.ok()
        })
        .collect();
    regexes.into_iter().collect()
}

fn read_one(
    node: &Node,
    text: &str,
    purpose: Purpose,
    case: Case,
    breaks: Breaks,
    report: &mut Report,
) -> Option<Pattern> {
    let parsed = regex_syntax::ParserBuilder::new()
        .utf8(false)
        .build()
        .parse(text);
    let hir = match parsed {
        Ok(hir) => hir,
        Err(error) => {
            refuse(node, text, &error, report);
            return None;
        }
    };
    if breaks == Breaks::Never && needs_newline(&hir) {
        report.never_matches(node.at);
    }
    // A flag in front holds for all that follows, alternatives included.
    let whole = match case {
        Case::Kept => text.to_owned(),
        Case::Ignored => format!("(?i){text}"),
    };
    let Some(pattern) = Pattern::new(&whole, REGEX_BYTES_MAX) else {
        // It was parsed above, so only its size can be wrong.
        report.regex_too_big(node.at, REGEX_BYTES_MAX >> 20);
        return None;
    };
    if hir.properties().minimum_len() == Some(0) && is_found_everywhere(&pattern) {
        match purpose {
            Purpose::Match => report.matches_everything(node.at),
            Purpose::Except => report.excepts_everything(node.at),
            Purpose::Redact => report.redacts_everything(node.at),
            Purpose::Join => report.joins_everything(node.at),
        }
        return None;
    }
    Some(pattern)
}

/// Tells whether a regex is found in every record. No record is like these three
/// but by not being asked for anything.
fn is_found_everywhere(pattern: &Pattern) -> bool {
    let long = [b"\x01 \x02".as_slice(); 700].concat();
    let records = [b"".as_slice(), b"\x01", &long];
    (records.iter()).all(|record| pattern.is_found_in(record))
}

/// Tells whether only a text with a line break can match; most records have none.
fn needs_newline(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&b'\n'),
        HirKind::Repetition(repetition) => repetition.min > 0 && needs_newline(&repetition.sub),
        HirKind::Capture(capture) => needs_newline(&capture.sub),
        HirKind::Concat(parts) => parts.iter().any(needs_newline),
        HirKind::Alternation(parts) => parts.iter().all(needs_newline),
    }
}

fn refuse(node: &Node, text: &str, error: &regex_syntax::Error, report: &mut Report) {
    let (kind, part, hint) = match error {
        regex_syntax::Error::Parse(error) => (
            error.kind().to_string(),
            range_of(error.span()),
            hint_for(error.kind()),
        ),
        regex_syntax::Error::Translate(error) => {
            (error.kind().to_string(), range_of(error.span()), None)
        }
        _ => (error.to_string(), 0..text.len(), None),
    };
    let before = text.get(..part.start).unwrap_or(text);
    let character_number = before.chars().count() + 1;
    report.not_a_regex(node.at_part(part), &kind, character_number, hint);
}

fn range_of(span: &ast::Span) -> Range<usize> {
    span.start.offset..span.end.offset.max(span.start.offset + 1)
}

fn hint_for(kind: &ast::ErrorKind) -> Option<&'static str> {
    match kind {
        ast::ErrorKind::UnsupportedLookAround => {
            Some("to leave records out, write what they hold under `except`")
        }
        ast::ErrorKind::UnsupportedBackreference => {
            Some("matching stays linear without them; to leave records out, use `except`")
        }
        ast::ErrorKind::GroupUnclosed | ast::ErrorKind::GroupUnopened => {
            Some(r"write `\(` or `\)` for the character itself")
        }
        ast::ErrorKind::ClassUnclosed => Some(r"write `\[` for the character itself"),
        ast::ErrorKind::RepetitionMissing => {
            Some(r"write `\*`, `\+` or `\?` for the character itself; `.*` for anything")
        }
        ast::ErrorKind::RepetitionCountUnclosed
        | ast::ErrorKind::RepetitionCountDecimalEmpty
        | ast::ErrorKind::DecimalEmpty
        | ast::ErrorKind::DecimalInvalid => Some(r"write `\{` for the character itself"),
        ast::ErrorKind::EscapeUnrecognized => {
            Some("Rust regex syntax: `$` is the end of a line, `^` its beginning")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_found_everywhere() {
        for (text, expected) in [
            ("", true),
            ("x*", true),
            (".*", true),
            ("^", true),
            ("a|", true),
            ("^$", false),
            ("^.{0,5}$", false),
            (".", false),
            (r"\b", false),
            ("a", false),
        ] {
            assert_eq!(
                is_found_everywhere(&Pattern::new(text, REGEX_BYTES_MAX).unwrap()),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn knows_what_a_record_cannot_hold() {
        for (text, expected) in [
            (r"a\nb", true),
            (r"(a\n)+", true),
            (r"a\n?b", false),
            (r"a(\n|$)", false),
            (r"a[\n]b", true),
            (r"\s", false),
        ] {
            assert_eq!(
                needs_newline(&regex_syntax::parse(text).unwrap()),
                expected,
                "{text}"
            );
        }
    }
}
