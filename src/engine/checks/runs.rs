//! Which command is started when, as far as there is room.

use super::Checks;
use crate::engine::time::Moment;
use crate::rules::checks::{Command, Run};
use crate::rules::{Rule, RuleKey, RuleSet};

/// Commands that run at once.
pub const RUNNING_MAX: usize = 4;

/// Names a run; never used twice in one life of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// A command to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// For the answer.
    pub run: RunId,
    /// The rule, for the log.
    pub key: RuleKey,
    /// What to start.
    pub command: Command,
}

/// What the host shall do about commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Start one.
    Start(Start),
    /// End one, and all that it started.
    Stop(RunId),
}

impl Checks {
    /// A process that did not die is gone: its check may run again.
    pub fn gone(&mut self, run: RunId) {
        self.stuck.remove(&run);
    }

    /// Nothing is started any more, and what runs is ended.
    pub fn stop(&mut self) {
        self.is_stopped = true;
        self.queue.clear();
        let running = std::mem::take(&mut self.running);
        self.orders.extend(running.into_keys().map(Order::Stop));
    }

    /// Which check a run is of.
    pub fn key_of(&self, run: RunId) -> Option<&RuleKey> {
        self.running.get(&run)
    }

    /// What the host shall do now.
    pub fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    /// When something is to be done.
    pub fn wakeup(&self) -> Option<Moment> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The checks that have something to do by now.
    pub fn due(&self, now: Moment) -> Vec<RuleKey> {
        (self.deadlines.iter())
            .take_while(|(at, _)| *at <= now)
            .map(|(_, key)| key.clone())
            .collect()
    }

    /// Commands that run now.
    pub fn n_running(&self) -> usize {
        self.running.len()
    }

    /// Starts what is due, as far as there is room.
    pub(super) fn fill(&mut self, rules: &RuleSet) {
        while self.running.len() < RUNNING_MAX && !self.is_stopped {
            let Some(key) = self.queue.pop_front() else {
                return;
            };
            let Some(run) = rules.rule(&key).and_then(|rule| run_of(rule)) else {
                continue;
            };
            let id = RunId(self.n_runs);
            self.n_runs += 1;
            self.running.insert(id, key.clone());
            self.orders.push(Order::Start(Start {
                run: id,
                key,
                command: run.command.clone(),
            }));
        }
    }

    pub(super) fn is_busy(&self, key: &RuleKey) -> bool {
        self.queue.contains(key)
            || self.running.values().any(|busy| busy == key)
            || self.stuck.values().any(|busy| busy == key)
    }

    /// Puts a check where its deadline is.
    pub(super) fn index(&mut self, key: &RuleKey) {
        let Some(standing) = self.all.get_mut(key) else {
            return;
        };
        let deadline = standing.wakeup();
        if standing.deadline == deadline {
            return;
        }
        if let Some(at) = std::mem::replace(&mut standing.deadline, deadline) {
            self.deadlines.remove(&(at, key.clone()));
        }
        if let Some(at) = deadline {
            self.deadlines.insert((at, key.clone()));
        }
    }
}

pub(super) fn run_of(rule: &Rule) -> Option<&Run> {
    rule.check.as_ref().and_then(|check| check.run.as_ref())
}
