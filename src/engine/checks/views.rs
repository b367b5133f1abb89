//! What others want to know of the checks.

use std::collections::BTreeSet;

use super::Checks;
use super::finding::Perf;
use crate::engine::counts;
use crate::engine::status::CheckState;
use crate::rules::{RuleKey, SpaceName};

impl Checks {
    /// Whether a check has an open problem.
    pub fn has_problem(&self, key: &RuleKey) -> bool {
        (self.all.get(key)).is_some_and(|standing| standing.problem.is_some())
    }

    /// How many problems opened or closed so far.
    pub fn n_changes(&self) -> u64 {
        self.n_changes
    }

    /// The checks that hold something back because they are muted.
    pub fn muted(&self) -> BTreeSet<RuleKey> {
        (self.all.iter())
            .filter(|(_, standing)| standing.muted.is_some())
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// The bad and unknown results since the last call, for the counters.
    pub(in crate::engine) fn take_judged(&mut self) -> Vec<(RuleKey, counts::Standing)> {
        std::mem::take(&mut self.judged)
    }

    /// Events that are counted and not said, by rule and space.
    pub fn held(&self) -> impl Iterator<Item = (&RuleKey, &SpaceName, u64)> {
        self.all.iter().flat_map(|(key, standing)| {
            (standing.held.iter())
                .chain(&standing.held_unknown)
                .map(move |(space, tally)| (key, space, tally.count))
        })
    }

    /// Where every check is.
    pub fn states(&self) -> impl Iterator<Item = (&RuleKey, CheckState)> {
        self.all.iter().map(|(key, standing)| {
            let state = match &standing.state {
                state if state.is_broken() => CheckState::Unknown,
                state if state.is_problem() => CheckState::Problem,
                state if state.has_soft() => CheckState::Soft,
                _ => CheckState::Ok,
            };
            (key, state)
        })
    }

    /// Problems that are open, and checks that tell nothing.
    pub fn n_open(&self) -> usize {
        self.all
            .values()
            .filter(|standing| standing.problem.is_some() || standing.broken.is_some())
            .count()
    }

    /// Whether some check keeps quiet for a while, and has something to say then.
    pub fn is_holding(&self) -> bool {
        self.all
            .values()
            .any(|standing| standing.flapping.is_on() || standing.window.is_some())
    }

    /// The measurements of a check's last result.
    pub fn perf(&self, key: &RuleKey) -> &[Perf] {
        self.all.get(key).map_or(&[], |standing| &standing.perf)
    }
}
