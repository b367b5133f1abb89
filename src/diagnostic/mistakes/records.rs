//! Mistakes in how records are read and selected.

use super::{hint, listed};
use crate::diagnostic::{Report, Span, did_you_mean};

impl Report {
    /// A rule of files with neither `match` nor `where`.
    pub fn nothing_selected(&mut self, at: Span) {
        self.error(
            at,
            "neither `match` nor `where`: nothing says which records are meant".into(),
            hint("write `match: 'REGEX'`, or `where: {FIELD: VALUE}` for records with fields"),
        );
    }

    /// A format that no message in the journal has.
    pub fn unknown_format_of_journal(&mut self, at: Span, found: &str, known: &[&str]) {
        self.error(
            at,
            format!("no message in the journal is `{found}`: that wraps up lines of files"),
            Some(format!("write one of {}", listed(known))),
        );
    }

    /// `where` in a rule whose records have no fields.
    pub fn where_without_fields(&mut self, at: Span) {
        self.error(
            at,
            "`where` looks at fields, and plain text has none but the captures of `match`".into(),
            hint("add `format: json`, or a `match` that captures: `took (?<ms>\\d+) ms`"),
        );
    }

    /// A name in `where` or elsewhere that no pattern captures, where captures are the
    /// only fields.
    pub fn unknown_field_of_text(&mut self, at: Span, found: &str, known: &[&str]) {
        let way_out = match did_you_mean(found, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "add `format: json`, or capture it: `(?<name>…)`".into(),
            None => format!("`match` captures {}; or add `format: json`", listed(known)),
        };
        self.error(
            at,
            format!("no field `{found}`: in plain text the captures of `match` are the fields"),
            Some(way_out),
        );
    }

    /// An operator of `where` that nobody knows.
    pub fn unknown_operator(&mut self, at: Span, field: &str, found: &str, known: &[&str]) {
        let way_out = match did_you_mean(found, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "for a field within `{field}` write `{field}.{found}: …`; the operators are {}",
                listed(known)
            ),
        };
        let reason = format!("unknown operator `{found}` of the field `{field}`");
        self.error(at, reason, Some(way_out));
    }

    /// A comparison with something that is no number.
    pub fn not_comparable(&mut self, at: Span, operator: &str, found: &str) {
        self.error(
            at,
            format!("`{operator}` compares numbers, and `{found}` is none"),
            hint("write a number such as `500` or `1.5`"),
        );
    }

    /// A field of which nothing is asked.
    pub fn nothing_asked(&mut self, at: Span, field: &str) {
        self.error(
            at,
            format!("nothing is asked of the field `{field}`"),
            Some(format!(
                "write `{field}: VALUE`, or `{field}: {{exists: true}}`"
            )),
        );
    }

    /// `multiline` with several ways to tell which lines belong together, or none.
    pub fn multiline_choice(&mut self, at: Span) {
        self.error(
            at,
            "`multiline` takes one of `start`, `continue` and `indent`".into(),
            hint("write `start: '^\\d{4}-'` for the lines that begin a record"),
        );
    }

    /// A regex of `multiline` that is found in every line.
    pub fn joins_everything(&mut self, at: Span) {
        self.error(
            at,
            "this regex is found in every line, so it tells none from another".into(),
            hint("anchor it at what only some lines begin with: `^\\d{4}-`, `^\\s`"),
        );
    }

    /// A duration above its limit.
    pub fn too_long(&mut self, at: Span, name: &str, most: &str) {
        self.error(
            at,
            format!("`{name}` is longer than {most}"),
            Some(format!("write `{most}` or less")),
        );
    }

    /// `indent: false`.
    pub fn indent_false(&mut self, at: Span) {
        self.error(
            at,
            "`indent` is `true` or not there".into(),
            hint("remove `multiline` where each line is a record"),
        );
    }

    /// An encoding that nobody knows.
    pub fn unknown_encoding(&mut self, at: Span, found: &str) {
        self.error(
            at,
            format!("unknown encoding `{found}`"),
            hint("write a WHATWG name such as `utf-16le`, `windows-1252` or `shift_jis`"),
        );
    }

    /// A size that cannot be read.
    pub fn not_a_size(&mut self, at: Span, found: &str, why: &str) {
        self.error(
            at,
            format!("`{found}` is not a size: {why}"),
            hint("write bytes as a number, or `16KiB`, `1MiB`"),
        );
    }

    /// `context` without lines.
    pub fn empty_context(&mut self, at: Span) {
        self.error(
            at,
            "`context` of no lines".into(),
            hint("write `context: {before: 5}`, or remove it"),
        );
    }

    /// A word of a severity map that is none.
    pub fn empty_severity_map(&mut self, at: Span) {
        self.error(
            at,
            "a severity map without entries".into(),
            hint("write `map: {WARN: warning, ERROR: error, '*': info}`"),
        );
    }

    /// A severity map in a rule that has no records.
    pub fn severity_map_misplaced(&mut self, at: Span, kind: &str) {
        self.error(
            at,
            format!("a severity map means nothing in {kind}"),
            hint("write one of `info`, `warning`, `error`, `critical`; `status` maps exit codes"),
        );
    }
}
