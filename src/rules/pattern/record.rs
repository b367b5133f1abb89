//! A record as patterns see it, and what of it people see.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use super::{Pattern, Patterns};
use crate::secrets::{REDACTED, Redactor, Secrets};

/// How much of a captured text is kept.
pub(super) const CAPTURE_CHARS_MAX: usize = 1_000;

/// A record as patterns see it.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) bytes: &'a [u8],
    /// The same with bad bytes replaced, if it has any.
    pub(super) replaced: Option<String>,
    /// What of the text is secret: looked for when the record first is a hit.
    secrets: OnceCell<Secrets>,
    /// The text without them, if there are any: the same for all rules that it is a hit of.
    redacted: OnceCell<Option<Arc<str>>>,
}

impl Patterns {
    /// Returns the captures of the first pattern found, if the record is a hit. Of the
    /// patterns only some may be found in it: those at these places, in order.
    pub(super) fn hit(
        &self,
        record: &Record<'_>,
        candidates: impl IntoIterator<Item = usize>,
        redactor: &Redactor,
    ) -> Option<Vec<(Arc<str>, String)>> {
        let mut patterns = candidates.into_iter().map(|nth| &self.matches[nth]);
        let captures = patterns.find_map(|pattern| record.captures(pattern, redactor))?;
        (!self.is_excepted(record)).then_some(captures)
    }

    /// Whether the record is a hit, without looking for what it captures. Of the patterns
    /// only those at these places may be found in it.
    pub(super) fn is_hit(
        &self,
        record: &Record<'_>,
        candidates: impl IntoIterator<Item = usize>,
    ) -> bool {
        let mut patterns = candidates.into_iter().map(|nth| &self.matches[nth]);
        patterns.any(|pattern| record.holds(pattern)) && !self.is_excepted(record)
    }

    pub(super) fn is_excepted(&self, record: &Record<'_>) -> bool {
        self.excepts.iter().any(|pattern| record.holds(pattern))
    }
}

impl<'a> Record<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let replaced = match std::str::from_utf8(bytes) {
            Ok(_) => None,
            Err(_) => Some(String::from_utf8_lossy(bytes).into_owned()),
        };
        Self {
            bytes,
            replaced,
            secrets: OnceCell::new(),
            redacted: OnceCell::new(),
        }
    }

    /// The record as text.
    fn text(&self) -> &str {
        match &self.replaced {
            Some(text) => text,
            None => std::str::from_utf8(self.bytes).unwrap_or_default(),
        }
    }

    fn secrets(&self, redactor: &Redactor) -> &Secrets {
        self.secrets
            .get_or_init(|| redactor.secrets_in(self.text()))
    }

    /// The record as text without its secrets, if it has any.
    pub(super) fn redacted(&self, redactor: &Redactor) -> Option<Arc<str>> {
        let redacted = self.redacted.get_or_init(|| {
            let (secrets, text) = (self.secrets(redactor), self.text());
            (!secrets.is_empty()).then(|| secrets.hide(text, 0..text.len()).into())
        });
        redacted.clone()
    }

    /// A part of the searched bytes as text without secrets.
    fn shown<'t>(
        &self,
        searched: &'t [u8],
        part: Range<usize>,
        redactor: &Redactor,
    ) -> Cow<'t, str> {
        let shown = String::from_utf8_lossy(&searched[part.clone()]);
        let secrets = self.secrets(redactor);
        if secrets.is_empty() {
            return shown;
        }
        let text = self.text();
        if searched.len() == text.len()
            && text.is_char_boundary(part.start)
            && text.is_char_boundary(part.end)
        {
            return Cow::Owned(secrets.hide(text, part));
        }
        // The pattern looked at bytes that are no text. Where they stand in the text
        // is known to a few bytes, so what is near a secret is hidden whole.
        const NEAR: usize = 8;
        let len_before = |end: usize| String::from_utf8_lossy(&searched[..end]).len();
        let start = len_before(part.start).saturating_sub(NEAR);
        let end = len_before(part.end) + NEAR;
        let mut secrets = secrets.ranges().iter();
        match secrets.any(|secret| secret.start < end && start < secret.end) {
            true => Cow::Borrowed(REDACTED),
            false => shown,
        }
    }

    /// Returns the named captures of a pattern that took part, if it is found.
    fn captures(&self, pattern: &Pattern, redactor: &Redactor) -> Option<Vec<(Arc<str>, String)>> {
        if pattern.names.is_empty() {
            return self.holds(pattern).then(Vec::new);
        }
        // Captures are shown, so they come from the record as people see it.
        let replaced = self.replaced.as_ref().map(String::as_bytes);
        let mut captures = pattern.regex().create_captures();
        let text = (replaced.into_iter().chain([self.bytes])).find(|text| {
            pattern.regex().captures(*text, &mut captures);
            captures.is_match()
        })?;
        let taken = pattern.names.iter().filter_map(|(idx, name)| {
            let range = captures.get_group(*idx)?.range();
            let shown = self.shown(text, range, redactor);
            Some((Arc::clone(name), shortened(shown)))
        });
        Some(taken.collect())
    }

    pub(super) fn holds(&self, pattern: &Pattern) -> bool {
        pattern.is_found_in(self.bytes)
            || self
                .replaced
                .as_ref()
                .is_some_and(|text| pattern.is_found_in(text.as_bytes()))
    }
}

/// Returns what of a line is searched: no ending, no NULs after the text, no byte
/// order mark before it, and no more than `bytes_max`, cut between characters.
pub fn record_in(region: &[u8], line: Range<usize>, bytes_max: usize) -> Range<usize> {
    let Range { mut start, mut end } = line;
    let text = &region[start..end];
    if text.ends_with(b"\n") {
        end -= 1;
    }
    end = start + without_nuls(&region[start..end]);
    if region[start..end].ends_with(b"\r") {
        end = start + without_nuls(&region[start..end - 1]);
    }
    if region[start..end].starts_with("\u{feff}".as_bytes()) {
        start += '\u{feff}'.len_utf8();
    }
    if end - start > bytes_max {
        end = start + bytes_max;
        // A character of UTF-8 has at most three bytes that go on.
        for back in 0..=3.min(bytes_max) {
            if region[end - back] & 0b1100_0000 != 0b1000_0000 {
                end -= back;
                break;
            }
        }
    }
    start..end
}

fn without_nuls(text: &[u8]) -> usize {
    text.iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |idx| idx + 1)
}

fn shortened(text: Cow<'_, str>) -> String {
    match text.char_indices().nth(CAPTURE_CHARS_MAX) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.into_owned(),
    }
}
