//! A check on disk.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::State;
use super::{Broken, Checks, Problem};
use crate::engine::incident::{FlappingRecord, ReminderRecord};
use crate::engine::message::{Shown, Tally};
use crate::engine::mute::Mute;
use crate::engine::time::{Now, Wall};
use crate::rules::checks::When;
use crate::rules::{RuleKey, Severity, SpaceName};

/// Runs that are closer than this are planned anew after a restart: their times
/// need no disk.
const PLANS_KEPT_FROM: Duration = Duration::from_secs(60);

/// A check on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// Whose.
    pub key: RuleKey,
    /// When it runs next, if that must outlive the agent.
    pub(super) due: Option<Wall>,
    pub(super) state: State,
    pub(super) soft: Option<Tally>,
    pub(super) doubt: Option<Tally>,
    pub(super) problem: Option<Problem>,
    pub(super) broken: Option<Broken>,
    /// The end of the window of unknown results and its length in milliseconds.
    pub(super) window: Option<(Wall, u64)>,
    pub(super) flapping: FlappingRecord,
    pub(super) quiet_worst: Option<Severity>,
    pub(super) reminder: Option<ReminderRecord>,
    pub(super) held: Vec<(SpaceName, Tally)>,
    pub(super) held_unknown: Vec<(SpaceName, Tally)>,
    pub(super) latest: Option<Shown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) muted: Option<Mute>,
    /// Whether no rule has its key.
    pub(super) is_ruleless: bool,
}

impl Checks {
    /// Whether something must be committed.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Whether what must be committed is more than plans.
    pub fn has_consequences(&self) -> bool {
        self.has_consequences
    }

    /// The checks that changed since the last call, and those of which nothing needs
    /// to be kept.
    pub fn take_dirty(&mut self, now: Now) -> (Vec<CheckRecord>, Vec<RuleKey>) {
        let mut changed = Vec::new();
        let mut plain = Vec::new();
        self.has_consequences = false;
        for key in std::mem::take(&mut self.dirty) {
            match self
                .all
                .get(&key)
                .and_then(|standing| standing.record(&key, now))
            {
                Some(record) => changed.push(record),
                None => plain.push(key),
            }
        }
        (changed, plain)
    }

    /// Takes back what [`take_dirty`](Self::take_dirty) gave: it was not committed.
    pub fn mark_dirty(&mut self, keys: impl IntoIterator<Item = RuleKey>) {
        self.dirty.extend(keys);
        self.has_consequences |= !self.dirty.is_empty();
    }
}

/// Whether the next run is so far away that it must outlive the agent.
pub(super) fn keeps_plan(when: &When) -> bool {
    match when {
        When::Every(every) => *every >= PLANS_KEPT_FROM,
        When::Cron(_) => false,
    }
}
