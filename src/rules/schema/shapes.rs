//! Shapes that many fields share.

use serde_json::{Value, json};

use super::object;

/// What a duration looks like.
const DURATION: &str = "^[0-9]+(ms|s|m|h|d)$";

/// A shape with a sentence about what it is for.
pub(super) fn says(mut shape: Value, description: &str) -> Value {
    shape["description"] = json!(description);
    shape
}

/// A text: to the parser `1.10` is one as well.
pub(super) fn scalar() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

/// A text that is not empty.
pub(super) fn text() -> Value {
    json!({"type": ["string", "number", "boolean"], "minLength": 1})
}

pub(super) fn texts() -> Value {
    json!({"anyOf": [text(), {"type": "array", "items": text(), "minItems": 1}]})
}

pub(super) fn truth() -> Value {
    json!({"type": "boolean"})
}

pub(super) fn duration() -> Value {
    json!({"type": "string", "pattern": DURATION, "examples": ["30s", "5m", "2h"]})
}

/// Bytes as a number or with a unit.
pub(super) fn size() -> Value {
    json!({"type": ["integer", "string"], "pattern": "^[0-9]+ ?([KM]iB)?$"})
}

pub(super) fn number(least: u64, most: Option<u64>) -> Value {
    let mut number =
        json!({"type": ["integer", "string"], "minimum": least, "pattern": "^[0-9]+$"});
    if let Some(most) = most {
        number["maximum"] = json!(most);
    }
    number
}

pub(super) fn count(least: u64) -> Value {
    number(least, None)
}

/// One of the words that the parser knows.
pub(super) fn words<T>(words: &[(&'static str, T)]) -> Value {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    json!({"enum": words})
}

pub(super) fn labels(description: &str) -> Value {
    says(
        json!({"type": "object", "additionalProperties": scalar()}),
        description,
    )
}

pub(super) fn streak() -> Value {
    let both = object(&crate::rules::checks::read::STREAK, |name| match name {
        "count" | "of" => Some(number(1, Some(100))),
        _ => None,
    });
    json!({"anyOf": [number(1, Some(100)), both]})
}

/// Conditions by field: a value, a list of them, or operators.
pub(super) fn conditions() -> Value {
    let values = json!({"type": "array", "items": scalar(), "minItems": 1});
    let of = |shape: &Value| shape.clone();
    let operators = json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "properties": {
            "eq": of(&scalar()), "ne": of(&scalar()),
            "gt": of(&scalar()), "gte": of(&scalar()), "lt": of(&scalar()), "lte": of(&scalar()),
            "in": of(&values), "not_in": of(&values),
            "prefix": of(&texts()), "not_prefix": of(&texts()),
            "suffix": of(&texts()), "contains": of(&texts()), "matches": of(&texts()),
            "exists": truth(),
        },
    });
    json!({
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"anyOf": [scalar(), values, operators]},
    })
}
