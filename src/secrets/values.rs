//! Values that are secret because of the name before them.
//!
//! A value ends where its quote ends. Without one it ends at a blank, or at a
//! delimiter behind which another name begins: a password may hold commas.

use std::ops::Range;

/// Words that follow `password:` or `token:` in prose. A secret that reads like
/// one of these is none.
const PROSE: &[&str] = &[
    "a",
    "absent",
    "accepted",
    "account",
    "all",
    "already",
    "an",
    "and",
    "at",
    "auth",
    "authentication",
    "authorization",
    "bad",
    "blank",
    "blocked",
    "but",
    "can",
    "cannot",
    "changed",
    "chauthtok",
    "check",
    "could",
    "couldn't",
    "denied",
    "detected",
    "did",
    "disabled",
    "does",
    "empty",
    "enabled",
    "end",
    "eof",
    "error",
    "exceeded",
    "expired",
    "fail",
    "failed",
    "failure",
    "field",
    "for",
    "found",
    "from",
    "got",
    "has",
    "ignored",
    "illegal",
    "in",
    "incorrect",
    "invalid",
    "is",
    "issued",
    "it",
    "locked",
    "login",
    "malformed",
    "may",
    "minimum",
    "mismatch",
    "missing",
    "must",
    "new",
    "no",
    "not",
    "of",
    "ok",
    "old",
    "on",
    "only",
    "or",
    "pam_unix",
    "parse",
    "permission",
    "please",
    "received",
    "refused",
    "rejected",
    "required",
    "reset",
    "revoked",
    "session",
    "set",
    "setcred",
    "should",
    "signature",
    "success",
    "that",
    "the",
    "this",
    "to",
    "token",
    "too",
    "type",
    "unable",
    "unauthorized",
    "undefined",
    "unexpected",
    "unknown",
    "unset",
    "updated",
    "user",
    "verification",
    "was",
    "weak",
    "will",
    "with",
    "wrong",
];

/// What stands where there is no secret, or where somebody has hidden it already.
const NOTHING: &[&str] = &[
    "",
    "-",
    "null",
    "nil",
    "none",
    "true",
    "false",
    "yes",
    "no",
    "undefined",
    "(null)",
    "<nil>",
    "<none>",
    "n/a",
    "redacted",
    "filtered",
    "hidden",
    "masked",
];

/// Schemes of `Authorization` with one word behind them.
const SCHEMES: &[&str] = &[
    "basic",
    "bearer",
    "token",
    "negotiate",
    "ntlm",
    "apikey",
    "api-key",
    "key",
    "dpop",
    "googlelogin",
    "sharedkey",
    "splunk",
    "bot",
];

/// Schemes with several, to the end of the line.
const LONG_SCHEMES: &[&str] = &[
    "digest",
    "aws4-hmac-sha256",
    "aws",
    "hawk",
    "oauth",
    "signature",
    "mutual",
    "hoba",
];

/// Names of fields whose values are secret, at their end and in lower case,
/// without `_` and `-`.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secretkey",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
];

/// The value of a name such as `password` or `api_key`.
pub(super) fn of_key(text: &str, key: Range<usize>) -> Option<Range<usize>> {
    let before = &text[..key.start];
    if ends_with_word(before, "no") || ends_with_word(before, "unexpected ") {
        // sudo's `NOPASSWD: ALL`; a parser that speaks of its own tokens.
        return None;
    }
    if let Some(value) = between_tags(text, &key) {
        return Some(value);
    }
    let at = behind_name(text, key.end);
    let Some((at, is_colon)) = behind_separator(text, at) else {
        return of_flag(text, key);
    };
    if is_colon && (is_in_path(before) || text[at..].starts_with(':')) {
        // `/etc/passwd: no such file`, `token::Kind`.
        return None;
    }
    let at = at + n_blanks(&text[at..]);
    let value = value_at(text, at)?;
    let shown = &text[value.clone()];
    let is_quoted = value.start > at;
    if is_no_secret(shown) || (is_colon && !is_quoted && is_prose(shown)) {
        return None;
    }
    // The shell's own variable, as sudo logs it.
    let is_directory = text[key].eq_ignore_ascii_case("pwd") && shown.starts_with(['/', '~']);
    (!is_directory).then_some(value)
}

/// All that stands behind `Authorization:`.
pub(super) fn of_authorization(text: &str, name: Range<usize>) -> Option<Range<usize>> {
    let at = behind_name(text, name.end);
    let (at, _) = behind_separator(text, at)?;
    let at = at + n_blanks(&text[at..]);
    let line_end = text[at..]
        .find(['\n', '\r'])
        .map_or(text.len(), |idx| at + idx);
    let value = value_at(text, at)?;
    if value.start > at {
        return (!is_no_secret(&text[value.clone()])).then_some(value);
    }
    // A whole header in quotes: `-H 'Authorization: Basic …' https://…`.
    let quote = text[..name.start].chars().next_back();
    let quote = quote.filter(|quote| matches!(quote, '"' | '\'' | '`'));
    let end = quote
        .and_then(|quote| text[at..line_end].find(quote))
        .map_or(line_end, |idx| at + idx);
    let words = words_in(text, at..end);
    let first = words.first()?.clone();
    let scheme = text[first.clone()].to_ascii_lowercase();
    let second = words.get(1).cloned();
    if LONG_SCHEMES.contains(&scheme.as_str()) && second.is_some() {
        return Some(at..end);
    }
    match second {
        Some(second) if SCHEMES.contains(&scheme.as_str()) => Some(first.start..second.end),
        Some(second) if is_random(&text[second.clone()]) => Some(first.start..second.end),
        _ => is_random(&text[first.clone()]).then_some(first),
    }
}

/// What stands behind `Bearer`, unless it is prose.
pub(super) fn of_bearer(text: &str, name: Range<usize>) -> Option<Range<usize>> {
    let at = name.end + n_blanks(&text[name.end..]);
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    let len = text[at..].find(|c| !is_token(c)).unwrap_or(text.len() - at);
    let word = &text[at..at + len];
    if text[at + len..].starts_with('"') && word.ends_with('=') {
        // A challenge, `Bearer realm="…"`, is no answer.
        return None;
    }
    let is_word = word.chars().all(|c| c.is_ascii_lowercase()) && len < 16;
    (len >= 4 && !is_word).then_some(at..at + len)
}

/// Whether a field's name says that its value is secret.
pub(super) fn is_secret_by_name(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    NAMES.iter().any(|secret| plain.ends_with(secret))
}

/// Whether a value is none, or was hidden by somebody else.
pub(super) fn is_no_secret(value: &str) -> bool {
    let bare = value.trim_matches(|c: char| "[]<>()\"'".contains(c));
    let is_in = |list: &[&str], word: &str| list.iter().any(|one| one.eq_ignore_ascii_case(word));
    is_in(NOTHING, value) || is_in(NOTHING, bare) || bare.chars().all(|c| matches!(c, '*' | 'x'))
}

fn is_prose(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    word.is_empty() || PROSE.iter().any(|one| one.eq_ignore_ascii_case(word))
}

/// Whether a word is one that nobody would say.
fn is_random(word: &str) -> bool {
    let has_digit = word.contains(|c: char| c.is_ascii_digit());
    word.len() >= 20 || (word.len() >= 8 && has_digit)
}

/// `<password>…</password>`.
fn between_tags(text: &str, key: &Range<usize>) -> Option<Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    let before = text[..key.start].trim_end_matches(is_name);
    if !before.ends_with('<') || !text[key.end..].starts_with('>') {
        return None;
    }
    let at = key.end + 1;
    let end = text[at..].find('<').map_or(text.len(), |idx| at + idx);
    Some(at..end)
}

/// `--password VALUE`.
fn of_flag(text: &str, key: Range<usize>) -> Option<Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name = text[..key.start].trim_end_matches(is_name).len();
    let n_blanks = n_blanks(&text[key.end..]);
    if !text[name..].starts_with("--") || n_blanks == 0 {
        return None;
    }
    let value = value_at(text, key.end + n_blanks)?;
    (!text[value.clone()].starts_with('-')).then_some(value)
}

/// Skips what may close a quoted or bracketed name: `"`, `\"`, `'`, `]`.
fn behind_name(text: &str, mut at: usize) -> usize {
    for _ in 0..4 {
        match text.as_bytes().get(at) {
            Some(b'"' | b'\'' | b'`' | b']') => at += 1,
            Some(b'\\') if text[at..].starts_with("\\\"") || text[at..].starts_with("\\\\") => {
                at += 1;
            }
            _ => break,
        }
    }
    at
}

/// Skips blanks and `=`, `:`, `=>`, `:=`, `==`; tells whether it was a lone colon.
fn behind_separator(text: &str, at: usize) -> Option<(usize, bool)> {
    let at = at + n_blanks(&text[at..]);
    let rest = &text[at..];
    for (separator, is_colon) in [
        ("=>", false),
        (":=", false),
        ("==", false),
        ("=", false),
        (":", true),
    ] {
        if rest.starts_with(separator) {
            return Some((at + separator.len(), is_colon));
        }
    }
    None
}

/// The value that begins here, without its quotes.
fn value_at(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    let n_escapes = rest.len() - rest.trim_start_matches('\\').len();
    let first = rest[n_escapes..].chars().next()?;
    if matches!(first, '"' | '\'' | '`') {
        let start = at + n_escapes + first.len_utf8();
        let end = quote_end(text, start, n_escapes, first);
        return (start < end).then_some(start..end);
    }
    match first {
        // A map has names of its own, and they tell what is secret in it.
        '{' => None,
        // A list of quoted values has none.
        '[' if rest[1..].trim_start().starts_with(['"', '\'']) => {
            let end = rest.find(']').unwrap_or(rest.len());
            Some(at + 1..at + end)
        }
        _ => bare_end(text, at).map(|end| at..end),
    }
}

/// Where a quoted value ends: before the same quote with as many escapes as the
/// opening one, or where the text was cut.
fn quote_end(text: &str, start: usize, n_escapes: usize, quote: char) -> usize {
    let mut n_slashes = 0;
    for (idx, c) in text[start..].char_indices() {
        match c {
            '\\' => n_slashes += 1,
            c if c == quote && n_slashes == n_escapes => return start + idx - n_slashes,
            // Without escapes an even number of slashes stands for itself.
            c if c == quote && n_escapes == 0 && n_slashes % 2 == 0 => return start + idx,
            '\n' if quote != '"' => return start + idx,
            _ => n_slashes = 0,
        }
    }
    text.len()
}

/// Where a value without quotes ends.
fn bare_end(text: &str, at: usize) -> Option<usize> {
    let mut end = text.len();
    for (idx, c) in text[at..].char_indices() {
        let next = &text[at + idx + c.len_utf8()..];
        let ends = match c {
            c if c.is_whitespace() || c.is_control() => true,
            '"' | '\'' | '`' => {
                next.is_empty()
                    || next.starts_with(|c: char| c.is_whitespace() || ",;:)}]>\\".contains(c))
            }
            '\\' => next.starts_with(['"', 'n', 'r', 't']),
            '&' | ',' | ';' | '|' => is_at_name(next),
            '<' => next.starts_with('/'),
            _ => false,
        };
        if ends {
            end = at + idx;
            break;
        }
    }
    // Punctuation of what stands around it.
    let value = &text[at..end];
    let trimmed = value.trim_end_matches([',', ';', ')', ']', '}', '>', '.']);
    let trimmed = if trimmed.is_empty() { value } else { trimmed };
    (!trimmed.is_empty()).then_some(at + trimmed.len())
}

/// Whether another name with a value begins here, or nothing.
fn is_at_name(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '"', '\'']);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.%[]".contains(c);
    let rest = text.trim_start_matches(is_name);
    rest.is_empty()
        || (rest.len() < text.len() && rest.trim_start_matches(['"', '\'']).starts_with(['=', ':']))
}

/// Whether a name is the end of a path, as in `/etc/passwd`.
fn is_in_path(before: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    before.trim_end_matches(is_name).ends_with('/')
}

fn ends_with_word(text: &str, word: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= word.len()
        && bytes[bytes.len() - word.len()..].eq_ignore_ascii_case(word.as_bytes())
}

fn n_blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

fn words_in(text: &str, part: Range<usize>) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = part.start;
    for word in text[part].split([' ', '\t']) {
        if !word.is_empty() {
            words.push(at..at + word.len());
        }
        at += word.len() + 1;
    }
    words
}
