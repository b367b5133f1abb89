//! The names of rules.

use crate::diagnostic::Report;
use crate::rules::parse::Entry;
use crate::rules::{RuleKey, fields, own};

/// The bytes a key may have.
const KEY_BYTES_MAX: usize = 63;

pub(super) fn key(entry: &Entry, report: &mut Report) -> Option<RuleKey> {
    let text = fields::text(entry, report)?;
    let at = fields::place_of(entry);
    let first_is_good =
        text.starts_with(|char: char| char.is_ascii_lowercase() || char.is_ascii_digit());
    let all_are_good = text
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
    if text.len() > KEY_BYTES_MAX {
        report.key_too_long(at, KEY_BYTES_MAX);
        return None;
    }
    if !first_is_good || !all_are_good {
        let shown = fields::shown(&entry.node);
        report.not_a_key(at, shown, &near_key(shown));
        return None;
    }
    if text.starts_with(own::PREFIX) {
        report.reserved_key(at, fields::shown(&entry.node));
        return None;
    }
    Some(RuleKey::new(text))
}

/// Tells whether a text can be the key of a rule that a person makes.
pub(in crate::rules) fn is_key(text: &str) -> bool {
    let begins = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let is_good = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    text.len() <= KEY_BYTES_MAX
        && text.starts_with(begins)
        && text.bytes().all(is_good)
        && !text.starts_with(own::PREFIX)
}

/// Returns a key that is near to a text that is none.
fn near_key(text: &str) -> String {
    let dashed: String = text
        .to_lowercase()
        .chars()
        .map(|char| match char {
            'a'..='z' | '0'..='9' | '.' | '_' => char,
            _ => '-',
        })
        .collect();
    match dashed.trim_matches(['-', '.', '_']) {
        "" => "disk-full".to_owned(),
        near => near.to_owned(),
    }
}
