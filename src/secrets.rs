//! Finds secrets in text and hides them.
//!
//! Passwords and tokens end up in logs, and what a rule selects is stored, shown
//! and sent. So every record, capture and output passes here first, as soon as it
//! is known to be a hit: what was never kept can leak nowhere.
//!
//! Nearly no hit holds a secret, so one automaton looks for what could announce one
//! (`password`, `://`, `eyJ`), and only there a closer look is taken. Prose that
//! merely speaks of passwords stays: `Failed password for root` is the very thing
//! somebody waits for. In doubt a value is hidden and a word of prose is not.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;
use regex_automata::meta;

mod shapes;
mod values;

/// How many announcements of one text are looked at; behind them all is hidden, for
/// a line made of nothing else is made to take up time.
const ANNOUNCEMENTS_MAX: usize = 256;

/// What stands for a secret.
pub const REDACTED: &str = "[redacted]";

/// Tells what of a text is secret, given where its announcement stands.
type Look = fn(&str, Range<usize>) -> Option<Range<usize>>;

/// What announces a secret, and who takes the closer look. Where several begin at
/// one place, the first counts.
const ANNOUNCEMENTS: [(&str, Look); 10] = [
    (
        r"(?i-u)passw(?:or)?d|passphrase|pwd|secret(?:[_-]?key)?|token|(?:api|access|private)[_-]?key",
        values::of_key,
    ),
    (r"(?i-u)authorization", values::of_authorization),
    (r"(?i-u)bearer[ \t]", values::of_bearer),
    (r"(?-u)AKIA|ASIA", shapes::aws_key_id),
    ("-----BEGIN |-----END ", shapes::private_key),
    ("://", shapes::userinfo),
    ("eyJ", shapes::jwt),
    (
        r"(?-u)gh[oprsu]_|github_pat_|xox[a-z]-|[rs]k_live_",
        shapes::known_token,
    ),
    ("AIza", shapes::google_key),
    ("/v1/spaces/", shapes::webhook_query),
];

/// All announcements in one automaton.
static ANNOUNCED: LazyLock<meta::Regex> = LazyLock::new(|| {
    let patterns: Vec<&str> = ANNOUNCEMENTS.iter().map(|(pattern, _)| *pattern).collect();
    meta::Regex::new_many(&patterns).expect("the patterns are constant, and a test compiles them")
});

/// Knows what is secret: what is built in, and the patterns of the settings.
#[derive(Clone, Default)]
pub struct Redactor {
    own: Vec<Regex>,
}

/// Where the secrets of a text stand: in order, apart, on character borders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets(Vec<Range<usize>>);

impl Redactor {
    /// Knows further secrets than those that are built in: whatever one of these
    /// matches.
    pub fn new(own: Vec<Regex>) -> Self {
        Self { own }
    }

    /// Finds the secrets of a text. Lines that belong together should come
    /// together: a private key stretches over many.
    pub fn secrets_in(&self, text: &str) -> Secrets {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut hidden = 0..0;
        for (n_seen, announced) in ANNOUNCED.find_iter(text).enumerate() {
            if n_seen == ANNOUNCEMENTS_MAX {
                found.push(announced.start()..text.len());
                break;
            }
            // What lies within a secret needs no look of its own.
            if hidden.contains(&announced.start()) {
                continue;
            }
            let (_, look) = ANNOUNCEMENTS[announced.pattern().as_usize()];
            if let Some(secret) = look(text, announced.range()) {
                if secret.end > hidden.end {
                    hidden = secret.clone();
                }
                found.push(secret);
            }
        }
        for own in &self.own {
            let matches = own.find_iter(text.as_bytes());
            found.extend(matches.map(|found| on_borders(text, found.range())));
        }
        Secrets::of(found)
    }

    /// Returns a text without its secrets.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let secrets = self.secrets_in(text);
        match secrets.is_empty() {
            true => Cow::Borrowed(text),
            false => Cow::Owned(secrets.hide(text, 0..text.len())),
        }
    }

    /// Returns the value of a named field without its secrets: the name alone may
    /// tell that all of it is one.
    pub fn redact_field<'t>(&self, name: &str, value: &'t str) -> Cow<'t, str> {
        match values::is_secret_by_name(name) && !values::is_no_secret(value) {
            true => Cow::Borrowed(REDACTED),
            false => self.redact(value),
        }
    }
}

impl Secrets {
    fn of(mut found: Vec<Range<usize>>) -> Self {
        found.retain(|range| !range.is_empty());
        found.sort_by_key(|range| (range.start, range.end));
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match apart.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        Self(apart)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where they stand.
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.0
    }

    /// Returns a part of the text they were found in without what of them lies in
    /// it. A part may end within a secret; the rest of it is hidden all the same.
    pub fn hide(&self, text: &str, part: Range<usize>) -> String {
        let mut out = String::with_capacity(part.len());
        let mut at = part.start;
        for secret in &self.0 {
            let (start, end) = (secret.start.max(part.start), secret.end.min(part.end));
            if start >= end {
                continue;
            }
            out.push_str(text.get(at..start).unwrap_or_default());
            out.push_str(REDACTED);
            at = end;
        }
        out.push_str(text.get(at..part.end).unwrap_or_default());
        out
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redactor").field(&self.own.len()).finish()
    }
}

/// Patterns of people may look at bytes; what is hidden are characters.
fn on_borders(text: &str, range: Range<usize>) -> Range<usize> {
    text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end)
}

#[cfg(test)]
mod tests;
