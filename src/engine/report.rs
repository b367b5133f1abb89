//! What people should hear of.

use super::journal;
use super::outbox::Outcome;
use super::schedule::Notice;
use super::stdin;
use crate::rules::{RuleKey, SpaceName};

/// What people should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Of a file.
    File(Notice),
    /// Of the journal.
    Journal(journal::Notice),
    /// Of standard input.
    Stdin(stdin::News),
    /// Of a message or a space.
    Delivery(Outcome),
    /// A template could not be rendered; the built-in wording was used.
    TemplateFailed {
        /// Whose.
        rule: RuleKey,
        /// Why.
        why: String,
    },
    /// Messages wait for a space that is no longer in the settings.
    SpaceMissing {
        /// Which.
        space: SpaceName,
        /// How many.
        n_messages: u64,
    },
    /// The state cannot be written: reading pauses. Said once until it can.
    StateFailed {
        /// Why.
        why: String,
    },
    /// The state can be written again.
    StateRecovered,
    /// The outbox is full: the mildest and oldest messages become counts of their
    /// rules until messages are delivered.
    OutboxFull,
    /// All messages are kept apart again.
    OutboxDrained,
}
