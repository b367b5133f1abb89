//! Every mistake there is, by name.
//!
//! One method for each, so that all of them can be read in one place and keep one
//! tone: lower case, no full stop, what was found and what was expected, and then
//! something to type.
//!
//! By topic: `yaml`, `fields` of any kind, `rules`, those of `records` and of
//! `commands`, the `tests` that they carry, `settings`.

use super::{Diagnostic, Level, Place, Report, Span};

mod commands;
mod fields;
mod records;
mod rules;
mod settings;
mod tests;
mod yaml;

mod conditions;

impl From<Span> for Place {
    fn from(span: Span) -> Self {
        Self::At(span)
    }
}

/// What all of them are made with.
impl Report {
    fn error(&mut self, place: impl Into<Place>, reason: String, way_out: Option<String>) {
        self.error_with_notes(place, reason, way_out, Vec::new());
    }

    fn error_with_notes(
        &mut self,
        place: impl Into<Place>,
        reason: String,
        way_out: Option<String>,
        notes: Vec<String>,
    ) {
        self.add(Diagnostic {
            level: Level::Error,
            place: place.into(),
            reason,
            notes,
            hint: way_out,
        });
    }

    fn warning(&mut self, place: impl Into<Place>, reason: String, way_out: Option<String>) {
        self.add(Diagnostic {
            level: Level::Warning,
            place: place.into(),
            reason,
            notes: Vec::new(),
            hint: way_out,
        });
    }
}

fn hint(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
