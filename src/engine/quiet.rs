//! Who must only count for a while, and what is said when that is over.

use std::collections::BTreeMap;

use super::checks::{Told, instance_of};
use super::commit::Kind;
use super::correlate::silences::Wish;
use super::correlate::watched;
use super::events::Event;
use super::instances::Scene;
use super::mute::Mute;
use super::time::Now;
use super::{Action, Engine, Granted};
use crate::rules::checks::Meaning;
use crate::rules::{Rule, RuleKey};

impl Engine {
    /// Takes what was told of a command.
    pub(super) fn told(&mut self, now: Now, told: &Told) {
        let rules = self.rules.clone();
        let reported = rules.reported(&told.key);
        let mute = (reported.as_deref()).and_then(|rule| self.mute_of_check(now, rule));
        let (ids, outbox) = (&self.ids, &mut self.outbox);
        let outcome = (self.checks).told(now, told, &rules, mute, ids, outbox);
        self.count_results();
        match outcome {
            Ok(births) => {
                self.deliver(now, births, Kind::State);
                if let Some(rule) = reported {
                    self.note_success(now, &rule, told);
                }
                self.tickets.push((told.ticket, Granted::Taken));
            }
            Err(why) => self
                .actions
                .push_back(Action::Answer(told.ticket, Err(why))),
        }
    }

    /// A good result is a sign of life for a rule that misses them.
    fn note_success(&mut self, now: Now, rule: &Rule, told: &Told) {
        let rules = self.rules.clone();
        let Some(check) = (rule.check.as_ref()).filter(|_| rule.conditions.absent.is_some()) else {
            return;
        };
        let status = told.status.as_ref().unwrap_or(&check.status);
        let judged = super::checks::finding::judge(rule, status, &told.ran, &rules.redactor);
        if judged.meaning != Meaning::Fine {
            return;
        }
        let event = Event {
            id: super::events::EventId(told.id),
            instance: watched(rule),
            severity: rule.severity,
            at: told.at.min(now.wall),
            sample: judged.sample,
            source: "exec".into(),
            besides: None,
        };
        let (mut scene, correlate) = scene!(self, now);
        let births = correlate.alive(&mut scene, &rules, rule, event, &self.checks);
        self.deliver(now, births, Kind::State);
    }

    /// Does what somebody asks for about silences; the answer waits until it is on
    /// disk.
    pub(super) fn silence(&mut self, now: Now, ticket: u64, wish: Wish) {
        let rules = self.rules.clone();
        match self.correlate.silence(now, wish, &rules) {
            Ok(silences) => self.tickets.push((ticket, Granted::Silences(silences))),
            Err(why) => self.actions.push_back(Action::Answer(ticket, Err(why))),
        }
    }

    /// Why a check must only count, if it must.
    pub(super) fn mute_of_check(&mut self, now: Now, rule: &Rule) -> Option<Mute> {
        let rules = self.rules.clone();
        let (scene, correlate) = scene!(self, now);
        correlate.mute(&scene, &rules, rule, &instance_of(&rule.key), &self.checks)
    }

    /// The checks that have something to do and must only count.
    pub(super) fn mutes_of_due_checks(&mut self, now: Now) -> BTreeMap<RuleKey, Mute> {
        let rules = self.rules.clone();
        let due = self.checks.due(now.moment);
        let mutes = due.into_iter().filter_map(|key| {
            let rule = rules.rule(&key)?;
            let mute = self.mute_of_check(now, rule)?;
            Some((key, mute))
        });
        mutes.collect()
    }

    /// Lets those speak who were muted and are no more.
    pub(super) fn unmute(&mut self, now: Now) {
        if !self.correlate.is_to_ask(now.moment, &self.checks) {
            return;
        }
        let rules = self.rules.clone();
        let muted = self.checks.muted();
        let (mut scene, correlate) = scene!(self, now);
        let births = correlate.unmute(&mut scene, &rules, &self.checks, &muted);
        self.deliver(now, births, Kind::Instance);
        for key in muted {
            let Some(rule) = rules.rule(&key) else {
                continue;
            };
            if self.mute_of_check(now, rule).is_none() {
                let births = self.checks.unmute(now, rule, &self.ids);
                self.deliver(now, births, Kind::State);
            }
        }
    }
}
