//! Conditions on the fields of a record: `where`.
//!
//! | operator | true when | of a missing field |
//! |---|---|---|
//! | `eq`, a plain value; `in`, a list | the text is equal, or both are numbers and equal | false |
//! | `gt` `gte` `lt` `lte` | it is a number, or a text that is one, and so compared | false |
//! | `prefix` `suffix` `contains` | the text has it | false |
//! | `matches` | the regex is found in the text | false |
//! | `ne` `not_in` `not_prefix` | its counterpart is false | true |
//! | `exists` | it is there, also as `null` | as asked |
//!
//! Of a list in a record one element is enough; what holds fields is no text. Several
//! operators and several fields all have to hold.

use std::sync::Arc;

use serde_json::Value;

use super::super::pattern::Pattern;
use super::parsed::{self, Fields};

/// Conditions that all have to hold. Without any, they do.
#[derive(Debug, Clone, Default)]
pub struct Where(pub(super) Vec<Condition>);

/// What is asked of one field.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// Its name, with dots where it lies within another.
    pub(super) field: Arc<str>,
    pub(super) tests: Vec<Test>,
}

#[derive(Debug, Clone)]
pub(super) enum Test {
    In(Vec<Literal>),
    NotIn(Vec<Literal>),
    Compare(Comparison, f64),
    Prefix(Vec<String>),
    NotPrefix(Vec<String>),
    Suffix(Vec<String>),
    Contains(Vec<String>),
    Matches(Vec<Arc<Pattern>>),
    Exists(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// A value as a person wrote it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Literal {
    pub(super) text: String,
    /// What it is as a number, if it was written as one, without quotes.
    pub(super) number: Option<f64>,
}

/// A field of a record, wherever it comes from.
#[derive(Debug, Clone, Copy)]
enum Found<'a> {
    Text(&'a str),
    Value(&'a Value),
}

impl Where {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields that are asked for.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|condition| &*condition.field)
    }

    /// Whether all conditions hold for the fields of a record, and for what was captured
    /// of it under names that no field has.
    pub fn holds_in(&self, fields: &Fields, captures: &[(Arc<str>, String)]) -> bool {
        self.holds(&|name| {
            let field = parsed::field(fields, name).map(Found::Value);
            field.or_else(|| captured(captures, name))
        })
    }

    /// Whether all conditions hold for what was captured of a record.
    pub fn holds_for(&self, captures: &[(Arc<str>, String)]) -> bool {
        self.holds(&|name| captured(captures, name))
    }

    fn holds<'a>(&self, find: &dyn Fn(&str) -> Option<Found<'a>>) -> bool {
        self.0.iter().all(|condition| {
            let found = find(&condition.field);
            condition.tests.iter().all(|test| test.holds(found))
        })
    }

    /// Texts of which one stands letter by letter in every line whose fields can hold,
    /// if the line has no escapes; nothing if there are no such texts.
    pub(super) fn needles(&self) -> Option<Vec<&str>> {
        let lists = self.0.iter().flat_map(|condition| &condition.tests);
        let lists = lists.filter_map(Test::needles);
        // The list whose shortest text is the longest says no most often.
        lists.max_by_key(|list| list.iter().map(|text| text.len()).min())
    }
}

fn captured<'a>(captures: &'a [(Arc<str>, String)], name: &str) -> Option<Found<'a>> {
    let found = captures.iter().find(|(known, _)| **known == *name);
    found.map(|(_, text)| Found::Text(text))
}

impl Test {
    fn holds(&self, found: Option<Found<'_>>) -> bool {
        match self {
            Self::Exists(wanted) => found.is_some() == *wanted,
            Self::NotIn(list) => !found.is_some_and(|found| is_in(list, found)),
            Self::NotPrefix(list) => !any_text(found, &|text| has_prefix(list, text)),
            Self::In(list) => found.is_some_and(|found| is_in(list, found)),
            Self::Prefix(list) => any_text(found, &|text| has_prefix(list, text)),
            Self::Suffix(list) => any_text(found, &|text| {
                list.iter().any(|suffix| text.ends_with(&**suffix))
            }),
            Self::Contains(list) => any_text(found, &|text| {
                list.iter().any(|part| text.contains(&**part))
            }),
            Self::Matches(list) => any_text(found, &|text| {
                (list.iter()).any(|pattern| pattern.is_found_in(text.as_bytes()))
            }),
            Self::Compare(comparison, with) => any_text(found, &|text| {
                number(text).is_some_and(|number| comparison.holds(number, *with))
            }),
        }
    }

    fn needles(&self) -> Option<Vec<&str>> {
        let texts: Vec<&str> = match self {
            Self::In(list) => list.iter().map(|literal| &*literal.text).collect(),
            Self::Prefix(list) | Self::Suffix(list) | Self::Contains(list) => {
                list.iter().map(String::as_str).collect()
            }
            Self::NotIn(_)
            | Self::NotPrefix(_)
            | Self::Compare(..)
            | Self::Matches(_)
            | Self::Exists(_) => return None,
        };
        // A number may be written in several ways, and what is true by its name alone.
        let is_verbatim = |text: &&str| {
            let of_number = |char: char| matches!(char, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
            text.len() >= 2 && *text != "true" && !text.chars().all(of_number)
        };
        texts.iter().all(is_verbatim).then_some(texts)
    }
}

impl Comparison {
    fn holds(self, number: f64, with: f64) -> bool {
        match self {
            Self::Greater => number > with,
            Self::GreaterOrEqual => number >= with,
            Self::Less => number < with,
            Self::LessOrEqual => number <= with,
        }
    }
}

fn is_in(list: &[Literal], found: Found<'_>) -> bool {
    any_text(Some(found), &|text| {
        list.iter().any(|literal| {
            literal.text == text
                || literal
                    .number
                    .is_some_and(|wanted| number(text) == Some(wanted))
        })
    })
}

fn has_prefix(list: &[String], text: &str) -> bool {
    list.iter().any(|prefix| text.starts_with(&**prefix))
}

/// Whether something is true of a value as text, or of an element of a list.
fn any_text(found: Option<Found<'_>>, is_true: &dyn Fn(&str) -> bool) -> bool {
    let of_value = |value: &Value| match value {
        Value::Array(_) | Value::Object(_) => false,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            parsed::text_of(value).is_some_and(|text| is_true(&text))
        }
    };
    match found {
        None => false,
        Some(Found::Text(text)) => is_true(text),
        Some(Found::Value(Value::Array(list))) => list.iter().any(of_value),
        Some(Found::Value(value)) => of_value(value),
    }
}

/// The number that a text is.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    // Rust also reads `inf` and `nan`.
    let begins = |char: char| char.is_ascii_digit() || matches!(char, '+' | '-' | '.');
    let number = text.starts_with(begins).then(|| text.parse::<f64>().ok());
    number.flatten().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn literal(text: &str) -> Literal {
        Literal {
            text: text.into(),
            number: number(text),
        }
    }

    fn texts(text: &str) -> Vec<String> {
        vec![text.to_owned()]
    }

    #[test]
    fn operators() {
        let record = json!({
            "status": 503, "code": "404", "path": "/api/x", "ok": true, "none": null,
            "tags": ["a", "b"], "big": 9007199254740993_u64, "map": {"a": 1}, "f": 1.5,
        });
        let fields = record.as_object().unwrap();
        let pattern = regex::bytes::Regex::new("^/api").unwrap();
        let pattern = vec![Arc::new(Pattern::of(&pattern))];
        let quoted = |text: &str| Literal {
            text: text.into(),
            number: None,
        };
        use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
        for (field, test, expected, of_missing) in [
            ("status", Test::In(vec![literal("503")]), true, false),
            ("status", Test::In(vec![literal("503.0")]), true, false),
            ("status", Test::In(vec![quoted("503")]), true, false),
            ("status", Test::In(vec![quoted("503.0")]), false, false),
            (
                "status",
                Test::In(vec![literal("1"), literal("503")]),
                true,
                false,
            ),
            ("status", Test::NotIn(vec![literal("503")]), false, true),
            ("status", Test::NotIn(vec![literal("1")]), true, true),
            ("status", Test::Compare(Greater, 503.0), false, false),
            ("status", Test::Compare(GreaterOrEqual, 503.0), true, false),
            ("status", Test::Compare(Less, 504.0), true, false),
            ("status", Test::Compare(LessOrEqual, 502.9), false, false),
            ("code", Test::Compare(Less, 405.0), true, false),
            ("code", Test::In(vec![literal("404")]), true, false),
            ("path", Test::Compare(Less, 405.0), false, false),
            ("path", Test::Prefix(texts("/api")), true, false),
            ("path", Test::Prefix(texts("api")), false, false),
            ("path", Test::NotPrefix(texts("/api")), false, true),
            ("path", Test::NotPrefix(texts("/healthz")), true, true),
            ("path", Test::Suffix(texts("/x")), true, false),
            ("path", Test::Contains(texts("pi")), true, false),
            ("path", Test::Matches(pattern.clone()), true, false),
            ("code", Test::Matches(pattern), false, false),
            ("ok", Test::In(vec![literal("true")]), true, false),
            ("none", Test::In(vec![literal("null")]), false, false),
            ("none", Test::NotIn(vec![literal("x")]), true, true),
            ("none", Test::Exists(true), true, false),
            ("none", Test::Exists(false), false, true),
            ("tags", Test::In(vec![literal("b")]), true, false),
            ("tags", Test::NotIn(vec![literal("b")]), false, true),
            ("tags", Test::In(vec![literal("c")]), false, false),
            (
                "big",
                Test::In(vec![quoted("9007199254740993")]),
                true,
                false,
            ),
            ("map", Test::Contains(texts("a")), false, false),
            ("map.a", Test::In(vec![literal("1")]), true, false),
            ("f", Test::In(vec![literal("1.50")]), true, false),
        ] {
            let shown = format!("{field}: {test:?}");
            let holds = |field: &str| {
                let condition = Condition {
                    field: field.into(),
                    tests: vec![test.clone()],
                };
                Where(vec![condition]).holds_in(fields, &[])
            };
            assert_eq!(holds(field), expected, "{shown}");
            assert_eq!(holds("missing"), of_missing, "missing {shown}");
        }
    }

    #[test]
    fn captures_are_fields_of_text() {
        let captures = [(Arc::from("ms"), "1500".to_owned())];
        let slow = |than| {
            Where(vec![Condition {
                field: "ms".into(),
                tests: vec![Test::Compare(Comparison::Greater, than)],
            }])
        };
        assert!(slow(1000.0).holds_for(&captures));
        assert!(!slow(2000.0).holds_for(&captures));
        assert!(!slow(1000.0).holds_for(&[]));
    }

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("1", Some(1.0)),
            (" -1.5 ", Some(-1.5)),
            ("1e3", Some(1000.0)),
            ("inf", None),
            ("nan", None),
            ("1e999", None),
            ("0x10", None),
            ("", None),
            ("12ms", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn what_must_stand_in_a_line() {
        let condition = |test| {
            Where(vec![Condition {
                field: "a".into(),
                tests: vec![test],
            }])
        };
        let needles = |test| {
            let conditions = condition(test);
            let found = conditions.needles();
            found.map(|list| list.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(
            needles(Test::In(vec![literal("error"), literal("fatal")])),
            Some(vec!["error".to_owned(), "fatal".to_owned()])
        );
        // `500` may be written `5e2`, and its absence is no sign.
        assert_eq!(
            needles(Test::In(vec![literal("error"), literal("500")])),
            None
        );
        assert_eq!(needles(Test::In(vec![literal("true")])), None);
        assert_eq!(needles(Test::NotIn(vec![literal("error")])), None);
        assert_eq!(needles(Test::Exists(true)), None);
    }
}
