//! Values that remember where they stood.

use std::ops::Range;

use crate::diagnostic::Span;

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where a person would look for it.
    pub at: Span,
    /// What it is.
    pub value: Value,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Value {
    /// A text, a number, a truth: what it means depends on who asks.
    Scalar(Scalar),
    /// Values in their order.
    List(Vec<Node>),
    /// Keys and values in their order; the same key may stand there twice.
    Map(Vec<Entry>),
}

/// A key of a map and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub at: Span,
    /// Its value.
    pub node: Node,
}

/// A text as it was meant, and as it was written.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// The text.
    pub text: String,
    /// The text before variables were replaced, if any were. Only this may be
    /// shown: the values of variables are nobody's business.
    pub written: Option<String>,
    /// Whether it was written without quotes.
    pub is_plain: bool,
    /// Whether what it should be could not be told, and was reported already.
    pub is_unknown: bool,
    /// Where its first byte stands, if it stands in the file letter by letter.
    pub verbatim_at: Option<usize>,
}

impl Scalar {
    /// Tells whether this is how YAML writes "nothing".
    pub fn is_null(&self) -> bool {
        self.is_plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// Returns what may be shown of it.
    pub fn shown(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.text)
    }
}

impl Node {
    /// Returns the text, if this is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Returns where a part of the text stands, or the whole value if that cannot
    /// be told.
    pub fn at_part(&self, part: Range<usize>) -> Span {
        match &self.value {
            Value::Scalar(Scalar {
                verbatim_at: Some(start),
                written: None,
                ..
            }) => Span {
                file: self.at.file,
                start: start + part.start,
                end: start + part.end,
            },
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => self.at,
        }
    }

    /// Returns the words for what this is.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) if scalar.is_null() => "nothing",
            Value::Scalar(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}
