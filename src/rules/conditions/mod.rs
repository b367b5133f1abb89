//! When a hit is worth saying: how many, how new, how long none, until when.

use std::time::Duration;

use super::RuleKey;
use super::cron::Cron;
use super::pattern::Patterns;
use super::records::conditions::Where;

pub mod hours;

pub(super) mod inhibition;

pub(super) mod read;

use hours::Hours;

/// Live instances of a rule that says nothing about it; what comes beyond shares one.
pub const KEYS_DEFAULT: usize = 500;

/// The conditions of a rule.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// How many hits make an event; one if it is not said.
    pub threshold: Option<Threshold>,
    /// What ends an incident; if it is not said, quiet does.
    pub resolve: Option<Resolve>,
    /// How long no hit is an event; then hits are none.
    pub absent: Option<Absence>,
    /// Whether only values of `by` that were not seen before make events.
    pub first_seen: Option<FirstSeen>,
    /// Live instances that are told apart.
    pub max_keys: usize,
    /// Rules whose open incidents make this one only count.
    pub inhibited_by: Vec<RuleKey>,
    /// When it posts; at other times it only counts.
    pub active: Option<Hours>,
}

/// So many hits within a time make an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// How many; at least two.
    pub count: u32,
    /// From the first to the last of them, at most; never zero.
    pub within: Duration,
    /// The capture of which so many different values are wanted, instead of hits.
    pub distinct: Option<String>,
}

/// What ends an incident.
#[derive(Debug, Clone)]
pub enum Resolve {
    /// A record.
    Record {
        /// Which: by its message …
        patterns: Patterns,
        /// … and by its fields.
        filter: Where,
        /// How long it must stay good.
        after: Duration,
    },
    /// No event for this long.
    Quiet(Duration),
}

/// When a hit is missed.
#[derive(Debug, Clone)]
pub enum Absence {
    /// This long after the last one.
    For(Duration),
    /// When none came by the first of these times after the last one, and so much
    /// later.
    Cron {
        /// The times.
        cron: Cron,
        /// How much later.
        grace: Duration,
    },
}

/// Which values are new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstSeen {
    /// How long a value is remembered after it was seen last.
    pub remember: Duration,
    /// How long after the rule was first loaded values are learnt without a word.
    pub learn: Duration,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            threshold: None,
            resolve: None,
            absent: None,
            first_seen: None,
            max_keys: KEYS_DEFAULT,
            inhibited_by: Vec::new(),
            active: None,
        }
    }
}

impl Conditions {
    /// Whether an incident has an end that is said.
    pub fn has_end(&self) -> bool {
        self.resolve.is_some() || self.absent.is_some()
    }

    /// What must be found for an incident to end, if a record ends it.
    pub fn resolving(&self) -> Option<(&Patterns, &Where)> {
        match &self.resolve {
            Some(Resolve::Record {
                patterns, filter, ..
            }) => Some((patterns, filter)),
            Some(Resolve::Quiet(_)) | None => None,
        }
    }
}
