//! Reads JSON as protobuf's JSON mapping does: strictly, along a table of types.
//!
//! Both spellings of a name are accepted, `null` is absence, whole numbers may be
//! written as strings, as floats or with an exponent; anything unknown, mistyped
//! or given twice is a violation. The result carries JSON names and plain types
//! only, so that nobody behind it has to know the mapping.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::schema::{Holds, Kind};

/// Violations told at most; a body that is wrong everywhere needs no more.
const VIOLATIONS_MAX: usize = 20;

/// One thing that is wrong with a body, as in `google.rpc.BadRequest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// Where, as a path such as `cardsV2[0].card.header`.
    pub field: String,
    /// What.
    pub description: String,
}

/// The violations found so far.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<Violation>);

impl Violations {
    /// Notes one, unless there are too many already.
    pub(super) fn add(&mut self, field: &str, description: impl Into<String>) {
        if self.0.len() < VIOLATIONS_MAX {
            self.0.push(Violation {
                field: field.to_owned(),
                description: description.into(),
            });
        }
    }

    /// Returns one violation of the whole request.
    pub(super) fn only(description: impl Into<String>) -> Vec<Violation> {
        vec![Violation {
            field: String::new(),
            description: description.into(),
        }]
    }

    /// Returns what was checked if nothing was wrong with it.
    pub(super) fn or<T>(self, checked: T) -> Result<T, Vec<Violation>> {
        if self.0.is_empty() {
            return Ok(checked);
        }
        Err(self.0)
    }
}

/// Reads bytes as one JSON object in which no name stands twice.
pub(super) fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let Strict(value) = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match value {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err("the message is not a JSON object".to_owned())
        }
    }
}

/// Reads an object as a message of a type; `path` is where it stands.
pub(super) fn read_message(
    kind: &'static Kind,
    object: &Map<String, Value>,
    path: &str,
    violations: &mut Violations,
) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in object {
        let at = join(path, name);
        let Some(field) = kind
            .fields
            .iter()
            .find(|field| field.name == name || snake(field.name) == *name)
        else {
            violations.add(
                &at,
                format!(
                    "unknown name \"{name}\": cannot find field in {}",
                    kind.name
                ),
            );
            continue;
        };
        if value.is_null() {
            continue;
        }
        if out.contains_key(field.name) {
            violations.add(&at, "the field is given under both of its names");
            continue;
        }
        let read = read_field(field.holds, value, &at, violations);
        out.insert(field.name.to_owned(), read.unwrap_or(Value::Null));
    }
    for one_of in kind.one_ofs {
        let present: Vec<&str> = one_of
            .iter()
            .copied()
            .filter(|name| out.contains_key(*name))
            .collect();
        if let [first, second, ..] = present[..] {
            violations.add(
                path,
                format!("`{first}` and `{second}` are members of one one-of: only one may be set"),
            );
        }
    }
    out
}

/// Reads the value of a field; `None` if it is wrong, which was noted.
fn read_field(holds: Holds, value: &Value, at: &str, violations: &mut Violations) -> Option<Value> {
    match (holds, value) {
        (Holds::Refused(why), _) => {
            violations.add(
                at,
                format!("a webhook cannot set this field: {}", why.reason()),
            );
            None
        }
        (Holds::Text, Value::String(_)) | (Holds::Bool, Value::Bool(_)) => Some(value.clone()),
        (Holds::Int32, _) => match whole_number(value).and_then(|n| i32::try_from(n).ok()) {
            Some(number) => Some(Value::from(number)),
            None => mistyped(at, "a whole number of 32 bits", violations),
        },
        (Holds::Number, _) => match number(value) {
            Some(number) => Some(Value::Number(number)),
            None => mistyped(at, "a number", violations),
        },
        (Holds::Enum(names), Value::String(name)) if names.contains(&name.as_str()) => {
            Some(value.clone())
        }
        (Holds::Enum(names), Value::Number(_)) => {
            let name = whole_number(value)
                .and_then(|index| usize::try_from(index).ok())
                .and_then(|index| names.get(index));
            match name {
                Some(name) => Some(Value::from(*name)),
                None => mistyped(at, &format!("one of {}", names.join(", ")), violations),
            }
        }
        (Holds::Enum(names), _) => {
            mistyped(at, &format!("one of {}", names.join(", ")), violations)
        }
        (Holds::One(kind), Value::Object(object)) => {
            Some(Value::Object(read_message(kind, object, at, violations)))
        }
        (Holds::Many(kind), Value::Array(items)) => {
            let mut read = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let at = format!("{at}[{index}]");
                match item {
                    Value::Object(object) => {
                        read.push(Value::Object(read_message(kind, object, &at, violations)));
                    }
                    _ => {
                        mistyped(&at, &format!("a {}", kind.name), violations);
                    }
                }
            }
            Some(Value::Array(read))
        }
        (Holds::Text, _) => mistyped(at, "a string", violations),
        (Holds::Bool, _) => mistyped(at, "true or false", violations),
        (Holds::One(kind), _) => mistyped(at, &format!("a {}", kind.name), violations),
        (Holds::Many(kind), _) => mistyped(at, &format!("a list of {}", kind.name), violations),
    }
}

fn mistyped(at: &str, expected: &str, violations: &mut Violations) -> Option<Value> {
    violations.add(at, format!("invalid value: expected {expected}"));
    None
}

/// Returns a whole number in any of the spellings the mapping knows.
fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Some(whole),
            None => whole_float(number.as_f64()?),
        },
        Value::String(text) if is_number_text(text) => match text.parse() {
            Ok(whole) => Some(whole),
            Err(_) => whole_float(text.parse().ok()?),
        },
        _ => None,
    }
}

fn whole_float(float: f64) -> Option<i64> {
    // Within 2^53 every whole float is exact, and so is the cast.
    let is_whole = float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0;
    is_whole.then_some(float as i64)
}

/// Returns a number; the names of the numbers that JSON cannot write are known
/// to the mapping, but no field here has a use for them.
fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) if is_number_text(text) => Number::from_f64(text.parse().ok()?),
        _ => None,
    }
}

/// Tells if a string is written as JSON would write a number: no spaces, no plus,
/// no words.
fn is_number_text(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit())
}

/// Returns the field's name as the `.proto` file writes it.
fn snake(json_name: &str) -> String {
    let mut out = String::with_capacity(json_name.len() + 4);
    for c in json_name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        return name.to_owned();
    }
    format!("{path}.{name}")
}

/// A JSON value in which no object has a name twice; `serde_json` would silently
/// keep the last.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let Strict(value) = entries.next_value()?;
            if out.contains_key(&name) {
                return Err(A::Error::custom(format!("duplicate name \"{name}\"")));
            }
            out.insert(name, value);
        }
        Ok(Value::Object(out))
    }
}
