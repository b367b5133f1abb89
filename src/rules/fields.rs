//! Reads single values out of a tree, and says what is wrong with them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::parse::{Entry, Node, Value};
use crate::diagnostic::{Report, Span};

/// The longest duration anybody may mean.
const DURATION_MAX: Duration = Duration::from_secs(3650 * 86_400);

/// The fields that a kind of map may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// What the map is, as in "unknown field of a rule".
    pub(super) what: &'static str,
    /// Its fields.
    pub(super) fields: &'static [&'static str],
}

/// A map whose keys are known and stand there once.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// Where a field that is missing is missed.
    pub(super) at: Span,
    entries: BTreeMap<&'a str, &'a Entry>,
}

impl<'a> Fields<'a> {
    /// Reads a map; what is not known or stands there twice goes to the report.
    pub(super) fn read(node: &'a Node, known: Known, report: &mut Report) -> Option<Self> {
        let entries = entries_of(node, known.what, report)?;
        for entry in entries.values() {
            if !known.fields.contains(&entry.key.as_str()) {
                report.unknown_field(entry.at, &entry.key, known.what, known.fields);
            }
        }
        Some(Self {
            at: node.at,
            entries,
        })
    }

    /// Returns a field if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&'a Entry> {
        self.entries.get(name).copied()
    }
}

/// Reads a map with any keys; those that stand there twice go to the report.
pub(super) fn entries_of<'a>(
    node: &'a Node,
    what: &str,
    report: &mut Report,
) -> Option<BTreeMap<&'a str, &'a Entry>> {
    let Value::Map(list) = &node.value else {
        report.wrong_kind(node.at, what, "a map", node.kind());
        return None;
    };
    let mut entries: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in list {
        match entries.get(entry.key.as_str()) {
            Some(first) => report.duplicate_field(entry.at, &entry.key, first.at),
            None => {
                entries.insert(&entry.key, entry);
            }
        }
    }
    Some(entries)
}

/// Reads a list.
pub(super) fn list<'a>(entry: &'a Entry, report: &mut Report) -> Option<&'a [Node]> {
    match &entry.node.value {
        Value::List(nodes) => Some(nodes),
        Value::Scalar(_) | Value::Map(_) => {
            let kind = entry.node.kind();
            report.wrong_kind(place_of(entry), &ticked(&entry.key), "a list", kind);
            None
        }
    }
}

/// Reads a text that is not empty.
pub(super) fn text<'a>(entry: &'a Entry, report: &mut Report) -> Option<&'a str> {
    match entry.node.as_scalar() {
        Some(scalar) if scalar.is_unknown => None,
        Some(scalar) if scalar.is_null() || scalar.text.is_empty() => {
            report.empty_value(place_of(entry), &entry.key);
            None
        }
        Some(scalar) => Some(&scalar.text),
        None => {
            let kind = entry.node.kind();
            report.wrong_kind(place_of(entry), &ticked(&entry.key), "a text", kind);
            None
        }
    }
}

/// Reads a text or a list of texts; neither the list nor a text may be empty.
pub(super) fn texts<'a>(entry: &'a Entry, report: &mut Report) -> Option<Vec<(&'a Node, &'a str)>> {
    let nodes = match &entry.node.value {
        Value::Scalar(_) | Value::Map(_) => std::slice::from_ref(&entry.node),
        Value::List(nodes) => nodes.as_slice(),
    };
    if nodes.is_empty() {
        report.empty_value(place_of(entry), &entry.key);
        return None;
    }
    let mut texts = Vec::new();
    for node in nodes {
        match node.as_scalar() {
            Some(scalar) if scalar.is_unknown => {}
            Some(scalar) if scalar.is_null() || scalar.text.is_empty() => {
                let at = if node.at.start < node.at.end {
                    node.at
                } else {
                    entry.at
                };
                report.empty_value(at, &entry.key);
            }
            Some(scalar) => texts.push((node, scalar.text.as_str())),
            None => {
                let expected = "a text or a list of texts";
                report.wrong_kind(node.at, &ticked(&entry.key), expected, node.kind());
            }
        }
    }
    // Half a list would make mistakes of what refers to the other half.
    (texts.len() == nodes.len()).then_some(texts)
}

/// Reads `true` or `false`.
pub(super) fn truth(entry: &Entry, report: &mut Report) -> Option<bool> {
    match given(entry, report)?.as_scalar() {
        Some(scalar) if scalar.text == "true" => Some(true),
        Some(scalar) if scalar.text == "false" => Some(false),
        Some(scalar) => {
            report.not_a_truth(place_of(entry), &entry.key, scalar.shown());
            None
        }
        None => {
            let kind = entry.node.kind();
            report.wrong_kind(
                place_of(entry),
                &ticked(&entry.key),
                "`true` or `false`",
                kind,
            );
            None
        }
    }
}

/// Reads one of several words.
pub(super) fn word<T: Copy>(
    entry: &Entry,
    words: &[(&'static str, T)],
    report: &mut Report,
) -> Option<T> {
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let Some(scalar) = given(entry, report)?.as_scalar() else {
        report.wrong_kind(
            place_of(entry),
            &ticked(&entry.key),
            &format!("one of {}", listed(&known)),
            entry.node.kind(),
        );
        return None;
    };
    let found = words.iter().find(|(word, _)| *word == scalar.text);
    if found.is_none() {
        report.unknown_word(place_of(entry), &entry.key, scalar.shown(), &known);
    }
    found.map(|(_, meaning)| *meaning)
}

/// Reads a duration such as `5m`.
pub(super) fn duration(entry: &Entry, report: &mut Report) -> Option<Duration> {
    let node = given(entry, report)?;
    duration_of(&entry.key, entry.at, node, report)
}

/// Reads a duration in a list; `key` and `at` are those of the list's field.
pub(super) fn duration_of(
    key: &str,
    at: Span,
    node: &Node,
    report: &mut Report,
) -> Option<Duration> {
    let at = match node.at.start < node.at.end {
        true => node.at,
        false => at,
    };
    let Some(scalar) = node.as_scalar() else {
        report.wrong_kind(at, &ticked(key), "a duration", node.kind());
        return None;
    };
    match parse_duration(&scalar.text) {
        Ok(duration) => Some(duration),
        Err(mistake) => {
            let hint = match &scalar.written {
                // A hint made of the value would show it.
                Some(_) => "write a duration such as `30s`, `5m` or `2h`".to_owned(),
                None => mistake.hint,
            };
            report.not_a_duration(at, scalar.shown(), mistake.reason, &hint);
            None
        }
    }
}

/// Returns the value of a field, unless it is nothing, or nobody knows what it is.
fn given<'a>(entry: &'a Entry, report: &mut Report) -> Option<&'a Node> {
    match entry.node.as_scalar() {
        Some(scalar) if scalar.is_unknown => None,
        Some(scalar) if scalar.is_null() => {
            report.empty_value(place_of(entry), &entry.key);
            None
        }
        Some(_) | None => Some(&entry.node),
    }
}

/// Returns a text as it was written, for reasons: what variables hold is not shown.
pub(super) fn shown(node: &Node) -> &str {
    node.as_scalar().map_or("", |scalar| scalar.shown())
}

/// Returns where the value of a field stands; if it is nothing, where the key does.
pub(super) fn place_of(entry: &Entry) -> Span {
    if entry.node.at.start < entry.node.at.end {
        entry.node.at
    } else {
        entry.at
    }
}

/// Lists words as they are written in a reason.
pub(super) fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| ticked(word)).collect();
    words.join(", ")
}

fn ticked(word: &str) -> String {
    format!("`{word}`")
}

/// Why a text is not a duration, and what could be.
#[derive(Debug, PartialEq, Eq)]
struct DurationMistake {
    reason: &'static str,
    hint: String,
}

/// The units people may write, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Reads a duration as it is written on a command line.
pub fn parse_duration_argument(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|mistake| format!("{}; {}", mistake.reason, mistake.hint))
}

fn parse_duration(text: &str) -> Result<Duration, DurationMistake> {
    let mistake = |reason, hint: String| Err(DurationMistake { reason, hint });
    let example = || "write a duration such as `30s`, `5m` or `2h`".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return mistake("it does not begin with a number", example());
    }
    if unit.is_empty() {
        return mistake(
            "it has no unit",
            format!("write `{number}s` or `{number}m`"),
        );
    }
    if unit.starts_with(['.', ',']) {
        let reason = "it is not a whole number";
        return mistake(
            reason,
            "take a smaller unit, such as `90m` for 1.5 h".to_owned(),
        );
    }
    let Some((_, millis)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let hint = match meant_unit(unit) {
            Some(meant) => format!("write `{number}{meant}`"),
            None if unit.bytes().any(|byte| byte.is_ascii_digit()) => {
                "write one number and one unit, such as `90m`".to_owned()
            }
            None => example(),
        };
        return mistake("its unit is none of `ms`, `s`, `m`, `h`, `d`", hint);
    };
    let duration = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*millis))
        .map(Duration::from_millis)
        .filter(|duration| *duration <= DURATION_MAX);
    match duration {
        Some(duration) => Ok(duration),
        None => mistake(
            "it is longer than ten years",
            "write `3650d` at most".to_owned(),
        ),
    }
}

/// Returns the unit that somebody meant who wrote it as elsewhere.
fn meant_unit(unit: &str) -> Option<&'static str> {
    match unit.trim().to_lowercase().as_str() {
        "ms" | "msec" | "msecs" | "millis" | "milliseconds" => Some("ms"),
        "s" | "sec" | "secs" | "second" | "seconds" => Some("s"),
        "m" | "min" | "mins" | "minute" | "minutes" => Some("m"),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some("h"),
        "d" | "day" | "days" => Some("d"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("0s", 0),
            ("3650d", 315_360_000_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for (text, hint) in [
            ("5", "write `5s` or `5m`"),
            ("5min", "write `5m`"),
            ("5 m", "write `5m`"),
            ("5M", "write `5m`"),
            ("1.5h", "take a smaller unit, such as `90m` for 1.5 h"),
            ("1h30m", "write one number and one unit, such as `90m`"),
            ("soon", "write a duration such as `30s`, `5m` or `2h`"),
            ("", "write a duration such as `30s`, `5m` or `2h`"),
            ("-5m", "write a duration such as `30s`, `5m` or `2h`"),
            ("5w", "write a duration such as `30s`, `5m` or `2h`"),
            ("3651d", "write `3650d` at most"),
            ("99999999999999999999s", "write `3650d` at most"),
            ("9223372036854775807d", "write `3650d` at most"),
        ] {
            assert_eq!(parse_duration(text).unwrap_err().hint, hint, "{text}");
        }
    }
}
