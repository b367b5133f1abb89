//! Rules of any kind: keys, files, patterns, noise, wording.

use super::{hint, listed};
use crate::diagnostic::{Report, Span, did_you_mean};

impl Report {
    /// A text that cannot be the key of a rule.
    pub fn not_a_key(&mut self, at: Span, found: &str, near: &str) {
        self.error(
            at,
            format!("`{found}` is not a key: lower-case letters, digits, `.`, `_` and `-` only"),
            Some(format!("write `key: {near}`")),
        );
    }

    /// A key that is too long for a thread.
    pub fn key_too_long(&mut self, at: Span, bytes_max: usize) {
        self.error(
            at,
            format!("a key of more than {bytes_max} characters"),
            hint("shorten it; what it means can stand in `title`"),
        );
    }

    /// A key that belongs to the agent.
    pub fn reserved_key(&mut self, at: Span, found: &str) {
        self.error(
            at,
            format!("`{found}` is reserved: keys that begin with `logcrier.` are the agent's own"),
            hint("take another beginning"),
        );
    }

    /// Two rules of one key.
    pub fn duplicate_key(&mut self, at: Span, key: &str, first: Span) {
        let first = self.position_of(first);
        self.error(
            at,
            format!("the key `{key}` is already used at {first}"),
            Some(format!("rename one of them, such as `{key}-2`")),
        );
    }

    /// `~` at the beginning of a file name.
    pub fn tilde(&mut self, at: Span) {
        self.error(
            at,
            "`~` is not a home directory here".into(),
            hint("write the whole path, such as `/home/NAME/app.log`"),
        );
    }

    /// A pattern of files that is none.
    pub fn not_a_glob(&mut self, at: Span, why: &str) {
        let way_out = if why.ends_with("not files") {
            hint("add `*` or the name of a file behind the `/`")
        } else {
            hint(
                "`*`, `**`, `?`, `[a-z]` and `{a,b}` are known; write `\\` before one to mean itself",
            )
        };
        self.error(at, why.to_owned(), way_out);
    }

    /// A regex that cannot be read.
    pub fn not_a_regex(
        &mut self,
        at: Span,
        why: &str,
        character_number: usize,
        way_out: Option<&str>,
    ) {
        self.error(
            at,
            format!("not a regex at its character {character_number}: {why}"),
            way_out.map(str::to_owned),
        );
    }

    /// A regex that would need too much memory.
    pub fn regex_too_big(&mut self, at: Span, mib_max: usize) {
        self.error(
            at,
            format!("the regex is too big: more than {mib_max} MiB when compiled"),
            hint("use smaller repetitions, such as `.{0,64}`, and `[0-9]` for `\\d`"),
        );
    }

    /// A `match` that selects every record.
    pub fn matches_everything(&mut self, at: Span) {
        self.error(
            at,
            "this regex matches every line, also an empty one".into(),
            hint("name something that must be there; `.+` if every line really is meant"),
        );
    }

    /// An `except` that leaves no record.
    pub fn excepts_everything(&mut self, at: Span) {
        self.error(
            at,
            "this regex matches every line, so the rule would never hit".into(),
            hint("name something that must be there, or remove `except`"),
        );
    }

    /// A secret that is everywhere.
    pub fn redacts_everything(&mut self, at: Span) {
        self.error(
            at,
            "this regex matches in every text, also in an empty one".into(),
            hint("name something that must be there, such as `ref-\\d+`"),
        );
    }

    /// A regex that asks for a line break.
    pub fn never_matches(&mut self, at: Span) {
        self.warning(
            at,
            "this regex never matches: it asks for a line break, and a record has none".into(),
            hint("remove `\\n` from it, or make a rule of each line"),
        );
    }

    /// A name in `by` that no pattern captures.
    pub fn unknown_capture(&mut self, at: Span, found: &str, known: &[&str]) {
        let way_out = match did_you_mean(found, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => {
                format!("name a part of the regex: `(?<{}>…)`", group_name(found))
            }
            None => format!("`match` captures {}", listed(known)),
        };
        self.error(
            at,
            format!("no regex of `match` captures `{found}`"),
            Some(way_out),
        );
    }

    /// A capture with the name of a variable that all templates know.
    pub fn capture_hides_variable(&mut self, at: Span, name: &str) {
        self.warning(
            at,
            format!("the capture `{name}` has the name of a built-in variable"),
            Some(format!(
                "write `captures.{name}` in templates, or rename the capture"
            )),
        );
    }

    /// A window without length.
    pub fn zero_debounce(&mut self, at: Span) {
        self.error(
            at,
            "a window of no length".into(),
            hint("write `debounce: none` to post every event"),
        );
    }

    /// A longest window that is shorter than the first.
    pub fn max_below_every(&mut self, at: Span) {
        self.error(
            at,
            "`max` is below `every`".into(),
            hint("`every` is the first window and `max` the longest: swap them, or remove `max`"),
        );
    }

    /// A rule that posts nowhere.
    pub fn no_space(&mut self, at: Span, known: &[&str]) {
        let first = known.first().copied().unwrap_or("default");
        self.error(
            at,
            format!(
                "a rule without `space`, and there are several: {}",
                listed(known)
            ),
            Some(format!("add `space: {first}` here or to `defaults`")),
        );
    }

    /// A space that nobody knows.
    pub fn unknown_space(&mut self, at: Span, found: &str, meant: Option<&str>, known: &[&str]) {
        let way_out = match meant {
            Some(meant) => Some(format!("did you mean `{meant}`?")),
            None if known.is_empty() => None,
            None => Some(format!("the spaces are {}", listed(known))),
        };
        self.error(at, format!("unknown space `{found}`"), way_out);
    }

    /// A runbook that is not a link.
    pub fn not_a_link(&mut self, at: Span) {
        self.error(
            at,
            "`runbook` should be an absolute `https` link".into(),
            hint("write `runbook: https://…`"),
        );
    }

    /// Somebody who cannot be called.
    pub fn not_a_mention(&mut self, at: Span, found: &str) {
        self.error(
            at,
            format!(
                "`{found}` is nobody who can be called: an id is digits, and everybody is `all`"
            ),
            hint("write `mention: [all]`, or the number of a person such as `users/123456789012`"),
        );
    }

    /// A title or text that cannot be read.
    pub fn not_a_template(&mut self, at: Span, why: &str, line_number: usize) {
        let way_out = if why.starts_with("unknown filter") {
            "the filters are minijinja's, such as `upper`, `trim`, `default('-')`"
        } else {
            "write `{{ count }}` for a variable, `{{ '{{' }}` for the braces themselves"
        };
        let line = match line_number {
            0 | 1 => String::new(),
            number => format!(" in its line {number}"),
        };
        self.error(at, format!("not a template{line}: {why}"), hint(way_out));
    }

    /// A name in a template that stands for nothing.
    pub fn unknown_variable(&mut self, at: Span, found: &str, meant: Option<&str>, known: &[&str]) {
        let way_out = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "there is none of these".to_owned(),
            None => format!("the variables are {}", listed(known)),
        };
        self.error(at, format!("unknown variable `{found}`"), Some(way_out));
    }
}

/// Returns a name that a group may have.
fn group_name(text: &str) -> String {
    let name: String = text
        .chars()
        .filter(|char| char.is_ascii_alphanumeric() || *char == '_')
        .collect();
    match name.chars().next() {
        Some(first) if !first.is_ascii_digit() => name,
        _ => "name".to_owned(),
    }
}
