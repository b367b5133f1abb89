//! `${NAME}` in the settings.
//!
//! Variables are replaced in the texts of the parsed tree, so no value can become
//! YAML. What a variable holds is never shown: it may be a secret.

use std::ops::Range;

use super::Surroundings;
use super::parse::{Node, Value};
use crate::diagnostic::Report;

/// What is wrong with the variables of a text.
#[derive(Debug, PartialEq, Eq)]
enum Mistake {
    Missing(String),
    Unreadable,
}

/// Replaces `${NAME}`, `${NAME:-fallback}` and `$$` in all texts below a value.
pub(super) fn replace(node: &mut Node, surroundings: &dyn Surroundings, report: &mut Report) {
    match &mut node.value {
        Value::List(nodes) => {
            for node in nodes {
                replace(node, surroundings, report);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                replace(&mut entry.node, surroundings, report);
            }
        }
        Value::Scalar(scalar) => {
            let mut mistakes = Vec::new();
            let replaced = replaced(&scalar.text, surroundings, &mut mistakes);
            if replaced == scalar.text {
                return;
            }
            let written = std::mem::replace(&mut scalar.text, replaced);
            let is_unknown = !mistakes.is_empty();
            for (part, mistake) in mistakes {
                let at = node.at_part(part);
                match mistake {
                    Mistake::Missing(name) => report.missing_variable(at, &name),
                    Mistake::Unreadable => report.not_a_variable(at),
                }
            }
            if let Value::Scalar(scalar) = &mut node.value {
                scalar.written = Some(written);
                scalar.is_unknown |= is_unknown;
            }
        }
    }
}

fn replaced(
    text: &str,
    surroundings: &dyn Surroundings,
    mistakes: &mut Vec<(Range<usize>, Mistake)>,
) -> String {
    let mut output = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(dollar) = text[at..].find('$').map(|idx| at + idx) {
        output.push_str(&text[at..dollar]);
        let rest = &text[dollar + 1..];
        if rest.starts_with('$') {
            output.push('$');
            at = dollar + 2;
        } else if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}');
            let inner = &inner[..end.unwrap_or(inner.len())];
            at = dollar + 2 + inner.len() + usize::from(end.is_some());
            match variable(inner, surroundings) {
                Ok(value) if end.is_some() => output.push_str(&value),
                Err(mistake) if end.is_some() => mistakes.push((dollar..at, mistake)),
                Ok(_) | Err(_) => mistakes.push((dollar..at, Mistake::Unreadable)),
            }
        } else {
            output.push('$');
            at = dollar + 1;
        }
    }
    output.push_str(&text[at..]);
    output
}

fn variable(inner: &str, surroundings: &dyn Surroundings) -> Result<String, Mistake> {
    let (name, fallback) = match inner.split_once(":-") {
        Some((name, fallback)) => (name, Some(fallback)),
        None => (inner, None),
    };
    let is_name = name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '_');
    if !is_name {
        return Err(Mistake::Unreadable);
    }
    match (surroundings.variable(name), fallback) {
        // As in a shell, `:-` also stands in for an empty value.
        (Some(value), Some(fallback)) if value.is_empty() => Ok(fallback.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(fallback)) => Ok(fallback.to_owned()),
        (None, None) => Err(Mistake::Missing(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::paper::Paper;

    fn fixed() -> Paper {
        Paper::default()
            .with("$A", "one")
            .with("$EMPTY", "")
            .with("$TRICK", "${A}: [x]")
    }

    #[test]
    fn replaces_variables_and_nothing_else() {
        for (text, expected) in [
            ("${A}", "one"),
            ("x${A}${A}y", "xoneoney"),
            ("${NONE:-two}", "two"),
            ("${EMPTY:-two}", "two"),
            ("${EMPTY}", ""),
            ("${NONE:-}", ""),
            ("$$", "$"),
            ("$${A}", "${A}"),
            ("^a$", "^a$"),
            ("$A", "$A"),
            ("${TRICK}", "${A}: [x]"),
            ("é${A}é", "éoneé"),
        ] {
            let mut mistakes = Vec::new();
            assert_eq!(replaced(text, &fixed(), &mut mistakes), expected, "{text}");
            assert_eq!(mistakes, [], "{text}");
        }
    }

    #[test]
    fn tells_where_a_variable_is_wrong() {
        for (text, expected) in [
            ("x${NONE}y", (1..8, Mistake::Missing("NONE".into()))),
            ("${A", (0..3, Mistake::Unreadable)),
            ("${1}", (0..4, Mistake::Unreadable)),
            ("${}", (0..3, Mistake::Unreadable)),
            ("${A-x}", (0..6, Mistake::Unreadable)),
        ] {
            let mut mistakes = Vec::new();
            replaced(text, &fixed(), &mut mistakes);
            assert_eq!(mistakes, [expected], "{text}");
        }
    }
}
