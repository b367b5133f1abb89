//! The names that the fields of a rule may use for parts of its records.

use std::collections::BTreeSet;

use super::journal;

/// The names there are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Vocabulary<'a> {
    /// Any: records have fields of their own, or nobody knows.
    Any,
    /// Captures.
    Captures(&'a BTreeSet<String>),
    /// Captures, and what entries of the journal have.
    Entries(&'a BTreeSet<String>),
}

impl<'a> Vocabulary<'a> {
    /// Whether there may be such a name.
    pub(super) fn has(self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Captures(captures) => captures.contains(name),
            Self::Entries(captures) => captures.contains(name) || journal::is_field(name),
        }
    }

    /// Whether records have no fields but captures.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Captures(_))
    }

    /// The captures that a mistaken name may have meant.
    pub(super) fn captures(self) -> Vec<&'a str> {
        match self {
            Self::Any => Vec::new(),
            Self::Captures(captures) | Self::Entries(captures) => {
                captures.iter().map(String::as_str).collect()
            }
        }
    }

    /// The same kind of records, with other captures.
    pub(super) fn with<'b>(self, captures: &'b BTreeSet<String>) -> Vocabulary<'b> {
        match self {
            Self::Any => Vocabulary::Any,
            Self::Captures(_) => Vocabulary::Captures(captures),
            Self::Entries(_) => Vocabulary::Entries(captures),
        }
    }
}
