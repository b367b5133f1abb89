//! What every instance has said, and what it holds back.
//!
//! ```text
//!        not enough hits           an event: say        its window ends, nothing held
//!   idle ───────────────► ring ───────────────► open ─────────────────────────────► idle
//!                                    ▲           │  or, where an end is said: it is resolved
//!                                    └───────────┘
//!                                 later events: count
//! ```
//!
//! What only happens if nothing else does (quiet, absence, something that must stay
//! good) is judged when all that was written by then is read, never in the middle
//! of a backlog.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use jiff::tz::TimeZone;

mod instance;

mod incident;

mod speech;

mod births;

mod record;

mod ring;

use super::debounce::Window;
use super::events::{Event, Ids, InstanceId};
use super::message::Draft;
use super::mute::Mute;
use super::outbox::Outbox;
use super::time::{Moment, Now};
use crate::rules::conditions::Resolve;
use crate::rules::{Rule, RuleKey, RuleSet, SpaceName};
pub use incident::watch_of;
use instance::Instance;
pub use record::{IncidentRecord, InstanceRecord};
pub use ring::Ring;

/// All instances that are not idle.
#[derive(Debug, Default)]
pub struct Instances {
    all: BTreeMap<InstanceId, Instance>,
    deadlines: BTreeSet<(Moment, InstanceId)>,
    /// What is due as soon as all that was written by then is read: with the listing
    /// that must have been made for that.
    overdue: BTreeMap<InstanceId, u64>,
    n_of: BTreeMap<RuleKey, usize>,
    /// Instances that hold something back because they are muted.
    muted: BTreeSet<InstanceId>,
    /// Counts the incidents that opened or closed, and the instances that were muted.
    n_changes: u64,
    dirty: BTreeSet<InstanceId>,
    /// Whether one of them is more than hits that are not yet an event.
    has_consequences: bool,
}

/// A message that an event or the end of a window gives birth to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Birth {
    /// Where it goes.
    pub space: SpaceName,
    /// What it speaks for.
    pub instance: InstanceId,
    /// What it says.
    pub draft: Draft,
}

/// An instance at a time: what its own functions need to know.
struct Case<'a> {
    now: Now,
    rule: &'a Rule,
    id: &'a InstanceId,
    ids: &'a Ids,
    zone: &'a TimeZone,
    mute: Option<Mute>,
}

/// What events and deadlines need of the rest of the engine.
#[derive(Debug)]
pub struct Scene<'a> {
    /// When it happens.
    pub now: Now,
    /// Names what is born.
    pub ids: &'a Ids,
    /// The machine's time zone.
    pub zone: &'a TimeZone,
    /// What waits may absorb it.
    pub outbox: &'a mut Outbox,
}

/// Whether what happens only if nothing else does may be judged now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// All that was written is read.
    Clear,
    /// Not all: it waits until this listing was made and all of it is read.
    Behind(u64),
}

impl Instances {
    /// Takes up the instances of an earlier life.
    pub fn new(
        records: impl IntoIterator<Item = InstanceRecord>,
        rules: &RuleSet,
        now: Now,
        zone: &TimeZone,
    ) -> Self {
        let mut instances = Self::default();
        for record in records {
            let id = record.id.clone();
            let rule = rules.rule(&id.rule).map(AsRef::as_ref);
            let instance = Instance::restored(record, rule, now, zone);
            instances.insert(id, instance);
        }
        instances.dirty.clear();
        instances.has_consequences = false;
        instances
    }

    /// The instance that an event counts for: its own while there is room for it,
    /// else the one that all share who find none.
    pub fn place(&mut self, now: Now, rule: &Rule, id: InstanceId) -> InstanceId {
        let n_live = self.n_of.get(&rule.key).copied().unwrap_or(0);
        if self.all.contains_key(&id) || n_live < rule.conditions.max_keys {
            return id;
        }
        let forgettable = (self.of_rule(&rule.key))
            .find(|(_, instance)| instance.is_forgettable(now.moment, rule))
            .map(|(id, _)| id.clone());
        match forgettable {
            Some(victim) => {
                self.remove(&victim);
                self.has_consequences = true;
                id
            }
            None => InstanceId::others(rule),
        }
    }

    /// Takes an event of an instance that has its place: what of it is said at once
    /// is returned, the rest is held or absorbed by what waits to be said. Returns as
    /// well for how many events it stands: none while not enough hits came.
    pub fn event(
        &mut self,
        scene: &mut Scene<'_>,
        rule: &Rule,
        event: &Event,
        mute: Option<Mute>,
    ) -> (Vec<Birth>, u64) {
        let id = &event.instance;
        let case = case(scene, rule, id, mute);
        let outbox = &mut *scene.outbox;
        self.change(id, |instance| {
            let mut births = instance.look(&case, None, outbox);
            let n_events = instance.hit(&case, event, &mut births, outbox);
            (births, n_events)
        })
    }

    /// A sign of life for a rule that misses them.
    pub fn alive(
        &mut self,
        scene: &mut Scene<'_>,
        rule: &Rule,
        event: &Event,
        mute: Option<Mute>,
    ) -> Vec<Birth> {
        let id = &event.instance;
        let case = case(scene, rule, id, mute);
        let outbox = &mut *scene.outbox;
        self.change(id, |instance| instance.alive(&case, event, outbox))
    }

    /// Begins to watch an instance that nothing was heard of, unless it is watched.
    pub fn watch(
        &mut self,
        scene: &Scene<'_>,
        rule: &Rule,
        id: &InstanceId,
        since: super::time::Wall,
    ) {
        let case = case(scene, rule, id, None);
        if self
            .all
            .get(id)
            .is_none_or(|instance| !instance.is_watched())
        {
            self.change(id, |instance| instance.watch(&case, since));
        }
    }

    /// Whether an instance is watched for signs of life.
    pub fn is_watched(&self, id: &InstanceId) -> bool {
        self.all.get(id).is_some_and(Instance::is_watched)
    }

    /// The open instances that a record ends: those with the values that it tells.
    pub fn ended_by(&self, rule: &Rule, event: &Event) -> Vec<InstanceId> {
        let told: Vec<Option<String>> = (rule.by.iter())
            .map(|name| event.sample.value(name).map(super::events::bounded))
            .collect();
        let fits = |id: &InstanceId| {
            let mut pairs = told.iter().zip(id.by.iter());
            pairs.all(|(told, by)| told.as_ref().is_none_or(|told| told == by))
        };
        (self.of_rule(&rule.key))
            .filter(|(id, instance)| instance.is_open() && fits(id))
            .filter(|(id, _)| is_ended_by_records(rule, id))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// A record ends an incident, or begins to.
    pub fn resolve(
        &mut self,
        scene: &mut Scene<'_>,
        rule: &Rule,
        id: &InstanceId,
        event: &Event,
        mute: Option<Mute>,
    ) -> Vec<Birth> {
        let case = case(scene, rule, id, mute);
        let outbox = &mut *scene.outbox;
        self.change(id, |instance| instance.resolved_by(&case, event, outbox))
    }

    /// The instances that are due. Those that wait for all to be read are told apart
    /// by [`overdue`](Self::overdue).
    pub fn due(&self, now: Moment) -> Option<InstanceId> {
        let (at, id) = self.deadlines.first()?;
        (*at <= now).then(|| id.clone())
    }

    /// The instances that wait for all to be read, and the listing each waits for.
    pub fn overdue(&self) -> impl Iterator<Item = (&InstanceId, u64)> {
        self.overdue.iter().map(|(id, listing)| (id, *listing))
    }

    /// Whether something of an instance is due that only happens if nothing else does.
    pub fn is_judged(&self, id: &InstanceId, now: Moment) -> bool {
        (self.all.get(id)).is_some_and(|instance| instance.is_judged_by(now))
    }

    /// Does what is due for an instance.
    pub fn look(
        &mut self,
        scene: &mut Scene<'_>,
        rule: &Rule,
        id: &InstanceId,
        mute: Option<Mute>,
        sight: Sight,
    ) -> Vec<Birth> {
        let case = case(scene, rule, id, mute);
        let outbox = &mut *scene.outbox;
        match sight {
            Sight::Behind(listing) => {
                self.overdue.entry(id.clone()).or_insert(listing);
            }
            Sight::Clear => drop(self.overdue.remove(id)),
        }
        self.change(id, |instance| instance.look(&case, Some(sight), outbox))
    }

    /// Ends the windows in which something is counted now: what is counted is due to be
    /// said.
    pub fn sum_up(&mut self, now: Moment) {
        let holds = |instance: &Instance| instance.is_holding() && instance.muted.is_none();
        let ids: Vec<InstanceId> = (self.all.iter())
            .filter(|(_, instance)| holds(instance))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            self.change(&id, |instance| instance.end_window(now));
        }
    }

    /// An instance may speak again: what it holds is said.
    pub fn unmute(&mut self, scene: &mut Scene<'_>, rule: &Rule, id: &InstanceId) -> Vec<Birth> {
        let case = case(scene, rule, id, None);
        self.change(id, |instance| instance.unmute(&case))
    }

    /// Instances that hold something back because they are muted.
    pub fn muted(&self) -> impl Iterator<Item = &InstanceId> {
        self.muted.iter()
    }

    /// Whether some instance of a rule has an open incident, of those that fit.
    pub fn has_open(&self, rule: &RuleKey, fits: impl Fn(&InstanceId) -> bool) -> bool {
        (self.of_rule(rule)).any(|(id, instance)| instance.is_open() && fits(id))
    }

    /// How many incidents opened or closed so far, and instances were muted.
    pub fn n_changes(&self) -> u64 {
        self.n_changes
    }

    /// Takes over changed rules: closes the incidents of those that are no more, and
    /// reckons anew when something is due. `changed` are rules that select other
    /// records than before: their counters begin anew.
    pub fn meet(
        &mut self,
        scene: &mut Scene<'_>,
        rules: &RuleSet,
        changed: &BTreeSet<RuleKey>,
    ) -> Vec<Birth> {
        let ids: Vec<InstanceId> = self.all.keys().cloned().collect();
        let mut births = Vec::new();
        for id in ids {
            // Other values make other instances.
            let is_of = |rule: &&Arc<Rule>| rule.check.is_some() || rule.by.len() == id.by.len();
            let Some(rule) = rules.rule(&id.rule).filter(is_of) else {
                if let Some(instance) = self.remove(&id) {
                    births.extend(instance.drop_rule(scene.now, &id, scene.ids));
                }
                self.has_consequences = true;
                continue;
            };
            let case = case(scene, rule, &id, None);
            let is_changed = changed.contains(&id.rule);
            self.change(&id, |instance| instance.meet(&case, is_changed));
        }
        births
    }

    /// When something is due.
    pub fn wakeup(&self) -> Option<Moment> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// How many instances have an open incident, or hold something back.
    pub fn n_open(&self) -> usize {
        let is_busy = |instance: &&Instance| instance.is_open() || instance.is_holding();
        self.all.values().filter(is_busy).count()
    }

    /// How many instances of a rule are remembered.
    pub fn n_live(&self, rule: &RuleKey) -> usize {
        self.n_of.get(rule).copied().unwrap_or(0)
    }

    /// Events that are counted and not said, summed over all spaces.
    pub fn n_held(&self) -> u64 {
        self.all.values().map(Instance::n_held).sum()
    }

    /// Events that are counted and not said, by rule and space.
    pub fn held(&self) -> impl Iterator<Item = (&RuleKey, &SpaceName, u64)> {
        self.all.iter().flat_map(|(id, instance)| {
            (instance.held.iter()).map(move |(space, tally)| (&id.rule, space, tally.count))
        })
    }

    /// Whether something must be committed.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Whether what must be committed is more than hits that are not yet an event.
    pub fn has_consequences(&self) -> bool {
        self.has_consequences
    }

    /// The instances that changed since the last call, and those that are idle.
    pub fn take_dirty(&mut self, now: Now) -> (Vec<InstanceRecord>, Vec<InstanceId>) {
        let mut changed = Vec::new();
        let mut idle = Vec::new();
        self.has_consequences = false;
        for id in std::mem::take(&mut self.dirty) {
            match self.all.get(&id) {
                Some(instance) => changed.push(instance.record(id, now)),
                None => idle.push(id),
            }
        }
        (changed, idle)
    }

    /// Takes back what [`take_dirty`](Self::take_dirty) gave: it was not committed.
    pub fn mark_dirty(&mut self, ids: impl IntoIterator<Item = InstanceId>) {
        self.dirty.extend(ids);
        self.has_consequences |= !self.dirty.is_empty();
    }

    fn of_rule(&self, rule: &RuleKey) -> impl Iterator<Item = (&InstanceId, &Instance)> {
        let first = InstanceId {
            rule: rule.clone(),
            by: Arc::new([]),
        };
        let rule = rule.clone();
        (self.all.range((Bound::Included(first), Bound::Unbounded)))
            .take_while(move |(id, _)| id.rule == rule)
    }

    /// Changes an instance, an idle one if there is none, and puts it where its
    /// deadline is.
    fn change<T>(&mut self, id: &InstanceId, change: impl FnOnce(&mut Instance) -> T) -> T {
        let instance = match self.all.entry(id.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                *self.n_of.entry(id.rule.clone()).or_default() += 1;
                unknown.insert(Instance::default())
            }
        };
        let before = instance.standing();
        let outcome = change(instance);
        let after = instance.standing();
        let is_changed = before.is_open != after.is_open || before.muted != after.muted;
        self.n_changes += u64::from(is_changed);
        self.has_consequences |= before != after || after.is_open;
        self.settle(id);
        outcome
    }

    fn insert(&mut self, id: InstanceId, instance: Instance) {
        *self.n_of.entry(id.rule.clone()).or_default() += 1;
        self.all.insert(id.clone(), instance);
        self.settle(&id);
    }

    /// Puts an instance that was changed where its deadline is, and drops it if it is idle.
    fn settle(&mut self, id: &InstanceId) {
        let Some(instance) = self.all.get_mut(id) else {
            return;
        };
        self.dirty.insert(id.clone());
        let deadline = instance.wakeup(self.overdue.contains_key(id));
        if let Some(at) = instance.deadline.take_if(|at| Some(*at) != deadline) {
            self.deadlines.remove(&(at, id.clone()));
        }
        if instance.is_idle() {
            if let Some(at) = instance.deadline {
                self.deadlines.remove(&(at, id.clone()));
            }
            self.all.remove(id);
            self.forget(id);
            return;
        }
        if let Some(at) = deadline.filter(|_| instance.deadline.is_none()) {
            self.deadlines.insert((at, id.clone()));
        }
        instance.deadline = deadline;
        match instance.muted.is_some() {
            true => drop(self.muted.insert(id.clone())),
            false => drop(self.muted.remove(id)),
        }
    }

    fn remove(&mut self, id: &InstanceId) -> Option<Instance> {
        let instance = self.all.remove(id)?;
        self.n_changes += u64::from(instance.is_open());
        if let Some(at) = instance.deadline {
            self.deadlines.remove(&(at, id.clone()));
        }
        self.dirty.insert(id.clone());
        self.forget(id);
        Some(instance)
    }

    /// What is left of an instance that is no more.
    fn forget(&mut self, id: &InstanceId) {
        self.muted.remove(id);
        self.overdue.remove(id);
        if let Some(n) = self.n_of.get_mut(&id.rule) {
            *n -= 1;
            if *n == 0 {
                self.n_of.remove(&id.rule);
            }
        }
    }
}

impl Case<'_> {
    /// Whether the end of an incident is said. The shared instance cannot know whose
    /// records end it: quiet does.
    fn has_end(&self) -> bool {
        let conditions = &self.rule.conditions;
        match conditions.resolve {
            Some(Resolve::Record { .. }) => is_ended_by_records(self.rule, self.id),
            Some(Resolve::Quiet(_)) => true,
            None => conditions.absent.is_some(),
        }
    }

    /// The window that an instance begins with, if there is any.
    fn first_window(&self, worst: crate::rules::Severity) -> Option<Window> {
        match self.rule.debounce {
            crate::rules::Debounce::Window { every, .. } => Some(Window {
                closes: self.now.moment.after(every),
                length: every,
                worst,
            }),
            crate::rules::Debounce::None => None,
        }
    }
}

fn case<'a>(scene: &Scene<'a>, rule: &'a Rule, id: &'a InstanceId, mute: Option<Mute>) -> Case<'a> {
    Case {
        now: scene.now,
        rule,
        id,
        ids: scene.ids,
        zone: scene.zone,
        mute,
    }
}

fn is_ended_by_records(rule: &Rule, id: &InstanceId) -> bool {
    let is_shared = !id.by.is_empty() && *id == InstanceId::others(rule);
    rule.conditions.resolving().is_some() && !is_shared
}
