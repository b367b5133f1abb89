//! The agent's own troubles, as events of its own rules.
//!
//! Whoever finds that something lasts, a file that cannot be read, a space that
//! refuses, makes a [`Trouble`] of it; from there on it is an event like any other:
//! debounced, counted, worded, and on disk before it is said. One thing is special:
//! a space never hears of its own faults.

use std::sync::Arc;

use super::events::{Event, Ids, InstanceId};
use super::scan::Sample;
use super::time::Wall;
use crate::rules::own::Own;
use crate::rules::{Rule, RuleSet, SpaceName};

/// Something of the agent's own that lasts and that a person should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Whose business it is.
    pub own: Own,
    /// What is in trouble: a path, a space. Troubles of one subject count together.
    pub subject: String,
    /// What people read of it. Untrusted: it may hold what a server said.
    pub what: String,
    /// The space that is at fault, and must not be told.
    pub at_fault: Option<SpaceName>,
}

impl Trouble {
    /// Of the state on disk.
    pub fn of_state(subject: &str, what: String) -> Self {
        Self {
            own: Own::State,
            subject: subject.to_owned(),
            what,
            at_fault: None,
        }
    }

    /// The rule whose event it is; none if nobody can be told.
    pub fn rule<'a>(&self, rules: &'a RuleSet) -> Option<&'a Arc<Rule>> {
        let rule = rules.rule(&self.own.key())?;
        let real = |space: &SpaceName| rules.spaces.get(space).map(|space| space.webhook.pacer());
        let is_at_fault = |space: &SpaceName| match &self.at_fault {
            Some(fault) => space == fault || (real(space).is_some() && real(space) == real(fault)),
            None => false,
        };
        (!rule.spaces.iter().any(is_at_fault)).then_some(rule)
    }

    /// Its event.
    pub fn event(&self, ids: &Ids, rule: &Rule, at: Wall) -> Event {
        let sample = Sample {
            line: self.what.clone(),
            n_more_bytes: 0,
            captures: vec![(self.own.by().into(), self.subject.clone())],
            ..Sample::default()
        };
        Event {
            id: ids.own(&rule.key, &self.subject, at),
            instance: InstanceId::of(rule, &sample),
            severity: rule.severity,
            at,
            source: "logcrier".into(),
            sample: Arc::new(sample),
            besides: None,
        }
    }
}
