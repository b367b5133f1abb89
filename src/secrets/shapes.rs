//! Secrets that are known by their shape, whatever stands before them.

use std::ops::Range;

/// The length of an AWS access key id.
const AWS_KEY_ID_CHARS: usize = 20;

/// The least length of base64 before the end of a key that lost its beginning.
const BASE64_CHARS_MIN: usize = 16;

/// `AKIA…` and `ASIA…` with sixteen more.
pub(super) fn aws_key_id(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let is_id = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let end = word_end(text, at.start, is_id);
    let is_alone = !text[..at.start].ends_with(|c: char| c.is_ascii_alphanumeric())
        && !text[end..].starts_with(|c: char| c.is_ascii_alphanumeric());
    (end - at.start == AWS_KEY_ID_CHARS && is_alone).then_some(at.start..end)
}

/// What stands between the lines of a PEM private key. Of one that was cut, what is
/// left: all behind its beginning, or the base64 before its end.
pub(super) fn private_key(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let label_len = text[at.end..].find("-----")?;
    let label = &text[at.end..at.end + label_len];
    if !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK") {
        return None;
    }
    if text[at.clone()].contains("BEGIN") {
        let start = at.end + label_len + "-----".len();
        let end = text[start..]
            .find("-----END ")
            .map_or(text.len(), |idx| start + idx);
        return (!text[start..end].trim().is_empty()).then_some(start..end);
    }
    let before = &text[..at.start];
    if before.rfind("-----BEGIN ").is_some() {
        return None;
    }
    let mut start = at.start;
    for line in before.split_inclusive('\n').rev() {
        let line_text = line.trim();
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        // The last line of a key may be short.
        let is_long = line_text.len() >= BASE64_CHARS_MIN || start == at.start;
        if !is_long || !line_text.chars().all(is_base64) {
            break;
        }
        start -= line.len();
    }
    (start < at.start).then_some(start..at.start)
}

/// `user:password` of an address.
pub(super) fn userinfo(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    if !text[..at.start].ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let is_end = |c: char| c.is_whitespace() || c.is_control() || "\"'`<>".contains(c);
    let end = word_end(text, at.end, |c| !is_end(c));
    let address = &text[at.end..end];
    let authority = address.find(['/', '?', '#']).unwrap_or(address.len());
    if let Some(len) = address[..authority].rfind('@') {
        return Some(at.end..at.end + len);
    }
    // A password with a slash that nobody escaped; a port is none.
    let (user, rest) = address[..authority].split_once(':')?;
    let is_port = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    let is_bare_port = rest.is_empty();
    if is_port || is_bare_port || user.is_empty() {
        return None;
    }
    let len = address.rfind('@')?;
    Some(at.end..at.end + len)
}

/// A JSON web token: three parts, of which the last may be cut off.
pub(super) fn jwt(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    if text[..at.start].ends_with(is_base64url) {
        return None;
    }
    let end = word_end(text, at.start, |c| is_base64url(c) || c == '.');
    let token = text[at.start..end].trim_end_matches('.');
    let (head, rest) = token.split_once('.')?;
    (head.len() >= 10 && rest.len() >= 4).then_some(at.start..at.start + token.len())
}

/// Tokens with a prefix of their own: GitHub, Slack, Stripe.
pub(super) fn known_token(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    if text[..at.start].ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let end = word_end(text, at.end, is_base64url);
    (end - at.end >= 4).then_some(at.start..end)
}

/// Keys of Google's APIs.
pub(super) fn google_key(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    if text[..at.start].ends_with(is_base64url) {
        return None;
    }
    let end = word_end(text, at.end, is_base64url);
    (end - at.end >= 10).then_some(at.start..end)
}

/// `key` and `token` of a Chat webhook: its whole query.
pub(super) fn webhook_query(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let is_end = |c: char| c.is_whitespace() || c.is_control() || "\"'`<>".contains(c);
    let end = word_end(text, at.end, |c| !is_end(c));
    let query = text[at.end..end].find("/messages?")? + "/messages?".len();
    Some(at.end + query..end)
}

fn is_base64url(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn word_end(text: &str, from: usize, belongs: impl Fn(char) -> bool) -> usize {
    text[from..]
        .find(|c| !belongs(c))
        .map_or(text.len(), |idx| from + idx)
}
