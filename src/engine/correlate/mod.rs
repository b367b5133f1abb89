//! Thresholds, recovery, absence, what is new, and who must keep quiet.
//!
//! ```text
//!   hit ──► a sign of life? ──► new? ──► place ──► muted? ──► ring ──► event ──► said
//!           absent               first_    max_     silence,   thresh-            or held
//!                                seen      keys     hours,     old
//!                                                   inhibitor
//! ```
//!
//! What is muted is counted, and said in one summary when it may speak again. Who is
//! muted is asked again whenever something that matters for it has changed: an
//! incident opened or closed, a silence came or went, hours began.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

pub mod memory;

pub mod silences;

use super::checks::Checks;
use super::commit::Image;
use super::events::{Event, InstanceId};
use super::instances::{Birth, Instances, Scene, Sight};
use super::journal::Journal;
use super::mute::Mute;
use super::schedules::Schedules;
use super::time::{Moment, Now};
use crate::rules::{Rule, RuleKey, RuleSet};
use memory::Memory;
use silences::{Silence, Silences, Wish};

/// How often hours are looked at while somebody waits for them: people set clocks.
const LOOK_AT_THE_CLOCK: Duration = Duration::from_secs(900);

/// What a record is for a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A hit.
    Match,
    /// It ends incidents.
    Resolve,
}

/// All instances, and what is known about when they speak.
#[derive(Debug, Default)]
pub struct Correlate {
    instances: Instances,
    memory: Memory,
    silences: Silences,
    /// The incidents that had opened or closed when it was asked last who is muted.
    n_changes: (u64, u64),
    /// Whether something else changed since.
    is_to_ask: bool,
    /// When hours begin or end for somebody who is muted.
    hours_change: Option<Moment>,
}

impl Correlate {
    /// Takes up what is on disk.
    pub fn new(image: &mut Image, rules: &RuleSet, scene: &Scene<'_>) -> Self {
        let instances = std::mem::take(&mut image.instances).into_values();
        let silences = std::mem::take(&mut image.silences).into_values();
        Self {
            instances: Instances::new(instances, rules, scene.now, scene.zone),
            memory: Memory::new(
                std::mem::take(&mut image.rules).into_values(),
                std::mem::take(&mut image.seen).into_values(),
            ),
            silences: Silences::new(silences, image.next_silence, scene.now),
            n_changes: (0, 0),
            is_to_ask: true,
            hours_change: None,
        }
    }

    /// The instances.
    pub fn instances(&self) -> &Instances {
        &self.instances
    }

    /// The silences.
    pub fn silences(&self) -> &Silences {
        &self.silences
    }

    /// Takes a record of a rule. Returns what it makes it say, and for how many events
    /// it stands.
    pub fn hit(
        &mut self,
        scene: &mut Scene<'_>,
        rules: &RuleSet,
        rule: &Rule,
        (role, mut event): (Role, Event),
        checks: &Checks,
    ) -> (Vec<Birth>, u64) {
        match role {
            Role::Match if rule.conditions.absent.is_some() => {
                (self.alive(scene, rules, rule, event, checks), 0)
            }
            Role::Match => {
                if let Some(wanted) = rule.conditions.first_seen
                    && !self
                        .memory
                        .is_new(scene.now, &event.instance, event.at, wanted)
                {
                    return (Vec::new(), 0);
                }
                event.instance = self.instances.place(scene.now, rule, event.instance);
                let mute = self.mute(scene, rules, rule, &event.instance, checks);
                self.instances.event(scene, rule, &event, mute)
            }
            Role::Resolve => {
                let mut births = Vec::new();
                for id in self.instances.ended_by(rule, &event) {
                    let mute = self.mute(scene, rules, rule, &id, checks);
                    births.extend(self.instances.resolve(scene, rule, &id, &event, mute));
                }
                (births, 0)
            }
        }
    }

    /// Takes a sign of life of a rule that misses them.
    pub fn alive(
        &mut self,
        scene: &mut Scene<'_>,
        rules: &RuleSet,
        rule: &Rule,
        mut event: Event,
        checks: &Checks,
    ) -> Vec<Birth> {
        event.instance = self.instances.place(scene.now, rule, event.instance);
        let mute = self.mute(scene, rules, rule, &event.instance, checks);
        self.instances.alive(scene, rule, &event, mute)
    }

    /// Why an instance must only count, if it must.
    pub fn mute(
        &self,
        scene: &Scene<'_>,
        rules: &RuleSet,
        rule: &Rule,
        id: &InstanceId,
        checks: &Checks,
    ) -> Option<Mute> {
        if self.silences.cover(id, &rule.by) {
            return Some(Mute::Silence);
        }
        if let Some(hours) = &rule.conditions.active
            && Timestamp::from_microsecond(scene.now.wall.0)
                .is_ok_and(|now| !hours.hold(now, scene.zone))
        {
            return Some(Mute::Hours);
        }
        let is_inhibited = (rule.conditions.inhibited_by.iter())
            .any(|key| self.inhibits(key, rules, rule, id, checks));
        is_inhibited.then_some(Mute::Inhibitor)
    }

    /// Whether another rule has an open incident, with equal values of what both are
    /// told apart by.
    fn inhibits(
        &self,
        key: &RuleKey,
        rules: &RuleSet,
        rule: &Rule,
        id: &InstanceId,
        checks: &Checks,
    ) -> bool {
        let Some(other) = rules.rule(key) else {
            return false;
        };
        let fits = |found: &InstanceId| {
            let mut pairs = other.by.iter().zip(found.by.iter());
            pairs.all(|(name, theirs)| {
                let idx = rule.by.iter().position(|own| own == name);
                let ours = idx.and_then(|idx| id.by.get(idx));
                ours.is_none_or(|ours| ours == theirs)
            })
        };
        checks.has_problem(key) || self.instances.has_open(key, fits)
    }

    /// Does what is due.
    pub fn tick(
        &mut self,
        scene: &mut Scene<'_>,
        rules: &RuleSet,
        (schedules, journal): (&mut Schedules, &Journal),
        checks: &Checks,
    ) -> Vec<Birth> {
        let now = scene.now.moment;
        self.is_to_ask |= self.silences.tick(now);
        let mut births = Vec::new();
        while let Some(id) = self.instances.due(now) {
            let Some(rule) = rules.rule(&id.rule) else {
                // Rules that are no more took their instances with them.
                break;
            };
            let sight = match self.instances.is_judged(&id, now) {
                true => Sight::Behind(schedules.ask_for_all(rule)),
                false => Sight::Clear,
            };
            let mute = self.mute(scene, rules, rule, &id, checks);
            births.extend(self.instances.look(scene, rule, &id, mute, sight));
        }
        let overdue: Vec<InstanceId> = (self.instances.overdue())
            .filter(|(id, listing)| {
                let rule = rules.rule(&id.rule);
                rule.is_none_or(|rule| {
                    let is_in_journal = rule.journal.is_some() && !journal.has_read_all();
                    schedules.has_read_all(rule, *listing) && !is_in_journal
                })
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in overdue {
            if let Some(rule) = rules.rule(&id.rule) {
                let mute = self.mute(scene, rules, rule, &id, checks);
                births.extend(self.instances.look(scene, rule, &id, mute, Sight::Clear));
            }
        }
        births
    }

    /// Ends the windows in which something is counted.
    pub fn sum_up(&mut self, now: Moment) {
        self.instances.sum_up(now);
    }

    /// Whether somebody who was muted may speak again since this was asked last.
    pub fn is_to_ask(&mut self, now: Moment, checks: &Checks) -> bool {
        let n_changes = (self.instances.n_changes(), checks.n_changes());
        let is_changed = std::mem::replace(&mut self.n_changes, n_changes) != n_changes;
        let hours_changed = self.hours_change.is_some_and(|at| at <= now);
        std::mem::take(&mut self.is_to_ask) || is_changed || hours_changed
    }

    /// Lets those speak who were muted and are no more. `others` are rules that hold
    /// something back elsewhere.
    pub fn unmute(
        &mut self,
        scene: &mut Scene<'_>,
        rules: &RuleSet,
        checks: &Checks,
        others: &BTreeSet<RuleKey>,
    ) -> Vec<Birth> {
        let muted: Vec<InstanceId> = self.instances.muted().cloned().collect();
        let waiting: BTreeSet<&RuleKey> = muted.iter().map(|id| &id.rule).chain(others).collect();
        let changes = waiting.into_iter().filter_map(|key| {
            let hours = rules.rule(key)?.conditions.active.as_ref()?;
            let now = Timestamp::from_microsecond(scene.now.wall.0).ok()?;
            let change = hours.next_change(now, scene.zone)?;
            let wait = change.duration_since(now).unsigned_abs();
            Some(scene.now.moment.after(wait.min(LOOK_AT_THE_CLOCK)))
        });
        self.hours_change = changes.min();
        let mut births = Vec::new();
        for id in muted {
            if let Some(rule) = rules.rule(&id.rule)
                && self.mute(scene, rules, rule, &id, checks).is_none()
            {
                births.extend(self.instances.unmute(scene, rule, &id));
            }
        }
        births
    }

    /// Does what somebody asks for about silences.
    pub fn silence(
        &mut self,
        now: Now,
        wish: Wish,
        rules: &RuleSet,
    ) -> Result<Vec<Silence>, String> {
        self.is_to_ask = true;
        self.silences.grant(now, wish, rules)
    }

    /// Takes over changed rules.
    pub fn meet(&mut self, scene: &mut Scene<'_>, rules: &RuleSet) -> Vec<Birth> {
        self.is_to_ask = true;
        self.silences.meet(rules);
        let changed = self.memory.meet(scene.now, rules);
        let births = self.instances.meet(scene, rules, &changed);
        for rule in &rules.rules {
            // With `by` only values that were seen are missed.
            if rule.conditions.absent.is_some() && rule.by.is_empty() {
                let since = self.memory.since(&rule.key).unwrap_or(scene.now.wall);
                self.instances.watch(scene, rule, &watched(rule), since);
            }
        }
        births
    }

    /// When something is due.
    pub fn wakeup(&self) -> Option<Moment> {
        let instances = self.instances.wakeup();
        [instances, self.silences.wakeup(), self.hours_change]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether something must be committed.
    pub fn is_dirty(&self) -> bool {
        self.instances.is_dirty() || self.memory.is_dirty() || self.silences.is_dirty()
    }

    /// Whether what must be committed is more than counters.
    pub fn has_consequences(&self) -> bool {
        self.instances.has_consequences() || self.silences.is_dirty()
    }

    /// The parts, for a commit.
    pub(super) fn parts(&mut self) -> (&mut Instances, &mut Memory, &mut Silences) {
        (&mut self.instances, &mut self.memory, &mut self.silences)
    }
}

/// The instance of a rule without `by` that is missed. That of a command stands beside
/// what its results make of it.
pub fn watched(rule: &Rule) -> InstanceId {
    let by: &[&str] = match &rule.check {
        Some(_) => &["absent"],
        None => &[],
    };
    InstanceId {
        rule: rule.key.clone(),
        by: by.iter().map(|word| (*word).to_owned()).collect(),
    }
}
