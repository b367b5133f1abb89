//! What changed rules mean for everything that is under way.

use std::sync::Arc;

use super::commit::Kind;
use super::instances::Scene;
use super::time::Now;
use super::{Engine, Report};
use crate::rules::{RuleSet, SpaceName};

impl Engine {
    pub(super) fn reload(&mut self, now: Now, rules: Arc<RuleSet>) {
        self.rules = rules.clone();
        self.surface.host = rules.host.clone();
        self.schedule.meet(&rules, now.moment);
        self.outbox.meet(&rules, now);
        self.meet_conditions(now);
        self.meet_checks(now);
        self.journal.meet(&rules, now.wall);
        self.counts.keep(|key| rules.rule(key).is_some());
        self.report_homeless();
    }

    pub(super) fn meet_conditions(&mut self, now: Now) {
        let rules = self.rules.clone();
        let (mut scene, correlate) = scene!(self, now);
        let births = correlate.meet(&mut scene, &rules);
        self.deliver(now, births, Kind::Instance);
    }

    pub(super) fn meet_checks(&mut self, now: Now) {
        let rules = self.rules.clone();
        let births = (self.checks).meet(now, &rules, &self.surface.zone, &self.ids);
        self.deliver(now, births, Kind::State);
    }

    pub(super) fn report_homeless(&mut self) {
        let mut counts: std::collections::BTreeMap<SpaceName, u64> = Default::default();
        for message in self.outbox.homeless() {
            *counts.entry(message.space.clone()).or_default() += 1;
        }
        for (space, n_messages) in counts {
            self.report(Report::SpaceMissing { space, n_messages });
        }
    }
}
