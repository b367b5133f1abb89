//! Lines taken apart into fields.
//!
//! Nothing here fails: what is not of its format is `None`, and then it is text.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The fields of a record.
pub type Fields = Map<String, Value>;

/// Where a record's message is looked for, the first one first.
const MESSAGE_FIELDS: [&str; 5] = ["message", "msg", "log", "event", "text"];

/// Where a record's time is looked for, the first one first.
const TIME_FIELDS: [&str; 4] = ["time", "ts", "timestamp", "@timestamp"];

/// A part of a line that was wrapped up by who runs containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Whether it was written to standard error.
    pub is_error: bool,
    /// The part.
    pub text: Cow<'a, [u8]>,
    /// Whether the line goes on in another piece.
    pub goes_on: bool,
}

/// What Docker's `json-file` writes.
#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
}

/// The fields of a JSON object.
pub fn json(line: &[u8]) -> Option<Fields> {
    if !looks_like_json(line) {
        return None;
    }
    match String::from_utf8_lossy(line) {
        Cow::Borrowed(text) => serde_json::from_str(text).ok(),
        Cow::Owned(text) => serde_json::from_str(&text).ok(),
    }
}

/// Whether a line may be a JSON object.
pub fn looks_like_json(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.starts_with(b"{") && line.ends_with(b"}")
}

/// The fields of `key=value` pairs. A word without a value is true; a line without
/// any pair is none of this format.
pub fn logfmt(line: &[u8]) -> Option<Fields> {
    let text = String::from_utf8_lossy(line);
    let mut fields = Fields::new();
    let mut has_pair = false;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let key_len = rest
            .find(|char: char| char == '=' || char == '"' || char.is_whitespace())
            .unwrap_or(rest.len());
        let (key, after) = rest.split_at(key_len);
        let value = match after.strip_prefix('=') {
            Some(after) => {
                has_pair |= !key.is_empty();
                let (value, after) = logfmt_value(after);
                rest = after;
                Value::String(value)
            }
            None => {
                rest = match after.strip_prefix('"') {
                    // A quote that no key stands before is of no use to anybody.
                    Some(_) => logfmt_value(after).1,
                    None => after,
                };
                Value::Bool(true)
            }
        };
        if !key.is_empty() {
            fields.insert(key.to_owned(), value);
        }
        rest = rest.trim_start();
    }
    has_pair.then_some(fields)
}

/// Whether a line may be of `key=value` pairs.
pub fn looks_like_logfmt(line: &[u8]) -> bool {
    memchr::memchr_iter(b'=', line)
        .any(|idx| idx > 0 && !line[idx - 1].is_ascii_whitespace() && line[idx - 1] != b'=')
}

/// A value, and what comes behind it.
fn logfmt_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut is_escaped = false;
    for (idx, char) in quoted.char_indices() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => {
                let with_quotes = &text[..idx + 2];
                let value = serde_json::from_str(with_quotes);
                let value = value.unwrap_or_else(|_| quoted[..idx].to_owned());
                return (value, &quoted[idx + 1..]);
            }
            _ => {}
        }
    }
    (quoted.to_owned(), "")
}

/// A line as container runtimes write it: `TIME stdout|stderr P|F[:TAG…] TEXT`.
pub fn cri(line: &[u8]) -> Option<Piece<'_>> {
    let (_, stream, tag, text) = cri_parts(line)?;
    Some(Piece {
        is_error: stream == "stderr",
        text: Cow::Borrowed(text),
        goes_on: tag == b'P',
    })
}

fn cri_parts(line: &[u8]) -> Option<(&str, &'static str, u8, &[u8])> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?;
    if !time.starts_with(|char: char| char.is_ascii_digit()) || !time.contains('T') {
        return None;
    }
    let stream = match parts.next()? {
        b"stdout" => "stdout",
        b"stderr" => "stderr",
        _ => return None,
    };
    let tags = parts.next()?;
    let tag = match tags.split(|byte| *byte == b':').next()? {
        b"P" => b'P',
        b"F" => b'F',
        _ => return None,
    };
    Some((time, stream, tag, parts.next().unwrap_or_default()))
}

/// A line as Docker's `json-file` writes it; one that goes on does not end in `\n`.
pub fn docker(line: &[u8]) -> Option<Piece<'_>> {
    let piece = |log: &str, stream: &str| {
        let is_error = match stream {
            "stdout" => false,
            "stderr" => true,
            _ => return None,
        };
        let whole = log.strip_suffix('\n');
        let text = whole.unwrap_or(log);
        let text = text
            .strip_suffix('\r')
            .filter(|_| whole.is_some())
            .unwrap_or(text);
        let goes_on = whole.is_none();
        Some((is_error, text.len(), goes_on))
    };
    if !looks_like_json(line) {
        return None;
    }
    let text = match String::from_utf8_lossy(line) {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => {
            let Wrapped { log, stream } = serde_json::from_str(&text).ok()?;
            let (is_error, len, goes_on) = piece(&log, &stream)?;
            let text = Cow::Owned(log[..len].as_bytes().to_vec());
            return Some(Piece {
                is_error,
                text,
                goes_on,
            });
        }
    };
    let Wrapped { log, stream } = serde_json::from_str(text).ok()?;
    let (is_error, len, goes_on) = piece(&log, &stream)?;
    let text = match log {
        Cow::Borrowed(log) => Cow::Borrowed(&log.as_bytes()[..len]),
        Cow::Owned(mut log) => {
            log.truncate(len);
            Cow::Owned(log.into_bytes())
        }
    };
    Some(Piece {
        is_error,
        text,
        goes_on,
    })
}

/// The fields of a record that was wrapped up, by its first line, but for the message.
pub fn cri_fields(line: &[u8]) -> Fields {
    let mut fields = Fields::new();
    if let Some((time, stream, ..)) = cri_parts(line) {
        fields.insert("time".into(), time.into());
        fields.insert("stream".into(), stream.into());
    }
    fields
}

/// The message of a record, as text: a field of its fields that is one.
pub fn message_of(fields: &Fields) -> Option<&str> {
    let mut found = MESSAGE_FIELDS.iter().filter_map(|name| fields.get(*name));
    found.find_map(Value::as_str)
}

/// What a record's fields tell of its time, each as it is written.
pub fn times_of(fields: &Fields) -> Vec<String> {
    let found = TIME_FIELDS.iter().filter_map(|name| fields.get(*name));
    found
        .filter(|value| value.is_string() || value.is_number())
        .filter_map(|value| Some(text_of(value)?.into_owned()))
        .collect()
}

/// A field by its name. `a.b` is `b` within `a`, else a field whose name has a dot.
pub fn field<'f>(fields: &'f Fields, name: &str) -> Option<&'f Value> {
    let within = name.match_indices('.').find_map(|(idx, _)| {
        let inner = fields.get(&name[..idx])?.as_object()?;
        field(inner, &name[idx + 1..])
    });
    within.or_else(|| fields.get(name))
}

/// A value as text: what was written between the quotes, or without them; nothing
/// for `null`.
pub fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::Bool(true) => Some("true".into()),
        Value::Bool(false) => Some("false".into()),
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Array(_) | Value::Object(_) => Some(value.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn logfmt_lines() {
        for (line, expected) in [
            ("a=1 b=two", json!({"a": "1", "b": "two"})),
            (
                r#"msg="it \"is\" down\n" x"#,
                json!({"msg": "it \"is\" down\n", "x": true}),
            ),
            ("a= b=2", json!({"a": "", "b": "2"})),
            (r#"a="open b=2"#, json!({"a": "open b=2"})),
            (r#"a="bad \q" b=2"#, json!({"a": r"bad \q", "b": "2"})),
            ("  level=info\t ok ", json!({"level": "info", "ok": true})),
            ("a=b=c", json!({"a": "b=c"})),
            (r#"a=1 "stray b=2" c=3"#, json!({"a": "1", "c": "3"})),
            ("é=ü", json!({"é": "ü"})),
        ] {
            let fields = logfmt(line.as_bytes()).map(Value::Object);
            assert_eq!(fields, Some(expected), "{line}");
            assert!(looks_like_logfmt(line.as_bytes()), "{line}");
        }
        for line in ["", "just words", "= =x", " =1"] {
            assert_eq!(logfmt(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn pieces_of_containers() {
        let piece = |line: &str| {
            let found = cri(line.as_bytes()).or_else(|| docker(line.as_bytes()))?;
            let text = String::from_utf8_lossy(&found.text).into_owned();
            Some((found.is_error, text, found.goes_on))
        };
        for (line, is_error, text, goes_on) in [
            ("2026-11-21T10:00:00.5Z stdout F a b", false, "a b", false),
            ("2026-11-21T10:00:00.5Z stderr P a ", true, "a ", true),
            ("2026-11-21T10:00:00.5+01:00 stdout F", false, "", false),
            ("2026-11-21T10:00:00.5Z stdout F:x a", false, "a", false),
            (
                r#"{"log":"a b\n","stream":"stdout","time":"x"}"#,
                false,
                "a b",
                false,
            ),
            (
                r#"{"log":"a\r\n","stream":"stderr","time":"x"}"#,
                true,
                "a",
                false,
            ),
            (r#"{"log":"a b","stream":"stdout"}"#, false, "a b", true),
            (
                r#"{"log":"\"a\"\tb\n","stream":"stdout"}"#,
                false,
                "\"a\"\tb",
                false,
            ),
        ] {
            assert_eq!(
                piece(line),
                Some((is_error, text.into(), goes_on)),
                "{line}"
            );
        }
        for line in [
            "",
            "2026-11-21T10:00:00.5Z stdout",
            "2026-11-21T10:00:00.5Z stdin F a",
            "2026-11-21T10:00:00.5Z stdout X a",
            "Nov 21 10:00:00 stdout F a",
            r#"{"log":1,"stream":"stdout"}"#,
            r#"{"log":"a\n"}"#,
            r#"{"log":"a\n","stream":"stdout""#,
        ] {
            assert_eq!(piece(line), None, "{line}");
        }
    }

    #[test]
    fn messages_and_times() {
        for (line, message, times) in [
            (r#"{"msg":"m","text":"t"}"#, Some("m"), vec![]),
            (
                r#"{"message":{"a":1},"log":"l","ts":1.5}"#,
                Some("l"),
                vec!["1.5"],
            ),
            (
                r#"{"time":null,"@timestamp":"z","timestamp":7}"#,
                None,
                vec!["7", "z"],
            ),
        ] {
            let fields = json(line.as_bytes()).unwrap();
            assert_eq!(message_of(&fields), message, "{line}");
            assert_eq!(times_of(&fields), times, "{line}");
        }
    }

    #[test]
    fn fields_with_dots() {
        let fields = json(br#"{"a":{"b":1,"c.d":2,"e":{"f":3}},"a.b":4,"g.h":5}"#).unwrap();
        for (name, expected) in [
            ("a.b", Some(1)),
            ("a.c.d", Some(2)),
            ("a.e.f", Some(3)),
            ("g.h", Some(5)),
            ("g", None),
            ("a.x", None),
            (".", None),
        ] {
            let found = field(&fields, name).and_then(Value::as_i64);
            assert_eq!(found, expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_harm(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = (json(&line), logfmt(&line), cri(&line), docker(&line));
        }

        #[test]
        fn what_may_be_ruled_out_is_none(line in r#"[a={}"\\ \n]{0,12}"#) {
            let line = line.as_bytes();
            prop_assert!(looks_like_json(line) || json(line).is_none());
            prop_assert!(looks_like_logfmt(line) || logfmt(line).is_none());
        }
    }
}
