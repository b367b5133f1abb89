//! What every instance has said, and what it holds back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::commit::InstanceRecord;
use super::debounce::{self, Close, Verdict, Window};
use super::events::{Event, INSTANCES_MAX, InstanceId};
use super::message::{Draft, Reason, Tally};
use super::outbox::Outbox;
use super::time::{Moment, Now, Wall};
use crate::rules::{Debounce, Rule, RuleKey, RuleSet, SpaceName};

/// All instances that are not idle.
#[derive(Debug, Default)]
pub struct Instances {
    open: BTreeMap<InstanceId, Instance>,
    deadlines: BTreeSet<(Moment, InstanceId)>,
    n_open: BTreeMap<RuleKey, usize>,
    dirty: BTreeSet<InstanceId>,
}

/// An instance with an open window.
#[derive(Debug, Clone)]
struct Instance {
    opened: Wall,
    total: u64,
    window: Window,
    held: BTreeMap<SpaceName, Tally>,
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

impl Instances {
    /// Takes up the windows of an earlier life.
    pub fn new(records: impl IntoIterator<Item = InstanceRecord>, now: Now) -> Self {
        let mut instances = Self::default();
        for record in records {
            let length = Duration::from_millis(record.length_ms);
            let instance = Instance {
                opened: record.opened,
                total: record.total,
                window: Window {
                    closes: now.moment_of(record.closes, length),
                    length,
                    worst: record.worst,
                },
                held: record.held.into_iter().collect(),
            };
            instances.insert(record.id, instance);
        }
        instances.dirty.clear();
        instances
    }

    /// Takes an event: what of it is said at once is returned, the rest is held or
    /// absorbed by what waits to be said.
    pub fn event(
        &mut self,
        now: Now,
        rule: &Rule,
        mut event: Event,
        outbox: &mut Outbox,
    ) -> Vec<Birth> {
        let Debounce::Window { every, .. } = rule.debounce else {
            return said_alone(rule, &event, outbox);
        };
        let is_open = self.open.contains_key(&event.instance);
        if !is_open
            && self
                .n_open
                .get(&rule.key)
                .is_some_and(|&n| n >= INSTANCES_MAX)
        {
            event.instance = InstanceId::others(rule);
        }
        let mut births = match self.open.get(&event.instance) {
            Some(instance) if instance.window.closes <= now.moment => {
                self.close(now, &event.instance.clone(), rule.debounce)
            }
            Some(_) | None => Vec::new(),
        };
        let window = self.open.get(&event.instance).map(|open| open.window);
        let verdict = debounce::decide(event.severity, window.as_ref());
        if verdict == Verdict::Open {
            let window = Window {
                closes: now.moment.after(every),
                length: every,
                worst: event.severity,
            };
            let instance = Instance {
                opened: event.at,
                total: 0,
                window,
                held: BTreeMap::new(),
            };
            self.insert(event.instance.clone(), instance);
        }
        self.dirty.insert(event.instance.clone());
        let Some(instance) = self.open.get_mut(&event.instance) else {
            return births;
        };
        instance.total += 1;
        instance.window.worst = instance.window.worst.max(event.severity);
        for space in &rule.spaces {
            if outbox.absorb(space, &event, instance.total) {
                continue;
            }
            // A summary that was born just now absorbs it as well.
            if let Some(birth) = births.iter_mut().find(|birth| birth.space == *space) {
                birth.draft.tally.add(&event);
                birth.draft.total = instance.total;
                continue;
            }
            match verdict {
                Verdict::Hold => count(&mut instance.held, space, &event),
                Verdict::Open | Verdict::Worse => {
                    let mut held = instance.held.remove(space);
                    let tally = match &mut held {
                        Some(tally) => {
                            tally.add(&event);
                            tally.clone()
                        }
                        None => Tally::of(&event),
                    };
                    let reason = match verdict {
                        Verdict::Worse => Reason::Severity,
                        Verdict::Open | Verdict::Hold => Reason::First,
                    };
                    births.push(Birth {
                        space: space.clone(),
                        instance: event.instance.clone(),
                        draft: Draft {
                            reason,
                            tally,
                            total: instance.total,
                            since: instance.opened,
                        },
                    });
                }
            }
        }
        births
    }

    /// Closes the windows that are due, and returns what they sum up.
    pub fn tick(&mut self, now: Now, rules: &RuleSet) -> Vec<Birth> {
        let mut births = Vec::new();
        while let Some((_, id)) = self
            .deadlines
            .first()
            .filter(|(closes, _)| *closes <= now.moment)
            .cloned()
        {
            let debounce = rules.rule(&id.rule).map(|rule| rule.debounce);
            births.extend(self.close(now, &id, debounce.unwrap_or(Debounce::None)));
        }
        births
    }

    /// Closes the incidents of rules that are no more, and returns what they held.
    pub fn meet(&mut self, now: Now, rules: &RuleSet) -> Vec<Birth> {
        let gone: Vec<InstanceId> = (self.open.keys())
            .filter(|id| rules.rule(&id.rule).is_none())
            .cloned()
            .collect();
        (gone.iter())
            .flat_map(|id| self.close(now, id, Debounce::None))
            .collect()
    }

    /// When the next window ends.
    pub fn wakeup(&self) -> Option<Moment> {
        self.deadlines.first().map(|(closes, _)| *closes)
    }

    /// How many instances are not idle.
    pub fn n_open(&self) -> usize {
        self.open.len()
    }

    /// Events that are counted and not said, summed over all spaces.
    pub fn n_held(&self) -> u64 {
        self.open
            .values()
            .flat_map(|instance| instance.held.values())
            .map(|tally| tally.count)
            .sum()
    }

    /// Events that are counted and not said, by rule and space.
    pub fn held(&self) -> impl Iterator<Item = (&RuleKey, &SpaceName, u64)> {
        self.open.iter().flat_map(|(id, instance)| {
            (instance.held.iter()).map(move |(space, tally)| (&id.rule, space, tally.count))
        })
    }

    /// Whether something must be committed.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The instances that changed since the last call, and those that are idle.
    pub fn take_dirty(&mut self, now: Now) -> (Vec<InstanceRecord>, Vec<InstanceId>) {
        let mut changed = Vec::new();
        let mut idle = Vec::new();
        for id in std::mem::take(&mut self.dirty) {
            match self.open.get(&id) {
                Some(instance) => changed.push(instance.record(id, now)),
                None => idle.push(id),
            }
        }
        (changed, idle)
    }

    /// Takes back what [`take_dirty`](Self::take_dirty) gave: it was not committed.
    pub fn mark_dirty(&mut self, ids: impl IntoIterator<Item = InstanceId>) {
        self.dirty.extend(ids);
    }

    /// Ends a window: sums up what it held and opens the next one, or lets the
    /// instance fall idle.
    fn close(&mut self, now: Now, id: &InstanceId, debounce: Debounce) -> Vec<Birth> {
        let Some(mut instance) = self.remove(id) else {
            return Vec::new();
        };
        let n_held = instance.held.values().map(|tally| tally.count).sum();
        let next = match debounce::close(&instance.window, debounce, n_held) {
            Close::Idle => return Vec::new(),
            Close::SumUp { next } => next,
        };
        let births = std::mem::take(&mut instance.held)
            .into_iter()
            .map(|(space, tally)| Birth {
                space,
                instance: id.clone(),
                draft: Draft {
                    reason: Reason::Summary,
                    tally,
                    total: instance.total,
                    since: instance.opened,
                },
            })
            .collect();
        if next > Duration::ZERO {
            instance.window.length = next;
            instance.window.closes = now.moment.after(next);
            self.insert(id.clone(), instance);
        }
        births
    }

    fn insert(&mut self, id: InstanceId, instance: Instance) {
        self.deadlines.insert((instance.window.closes, id.clone()));
        *self.n_open.entry(id.rule.clone()).or_default() += 1;
        self.dirty.insert(id.clone());
        self.open.insert(id, instance);
    }

    fn remove(&mut self, id: &InstanceId) -> Option<Instance> {
        let instance = self.open.remove(id)?;
        self.deadlines.remove(&(instance.window.closes, id.clone()));
        if let Some(n) = self.n_open.get_mut(&id.rule) {
            *n -= 1;
        }
        self.dirty.insert(id.clone());
        Some(instance)
    }
}

impl Instance {
    fn record(&self, id: InstanceId, now: Now) -> InstanceRecord {
        InstanceRecord {
            id,
            opened: self.opened,
            total: self.total,
            closes: now.wall_of(self.window.closes),
            length_ms: u64::try_from(self.window.length.as_millis()).unwrap_or(u64::MAX),
            worst: self.window.worst,
            held: (self.held.iter())
                .map(|(space, tally)| (space.clone(), tally.clone()))
                .collect(),
        }
    }
}

/// Without debounce every event is its own message, but for those that wait.
fn said_alone(rule: &Rule, event: &Event, outbox: &mut Outbox) -> Vec<Birth> {
    let mut births = Vec::new();
    for space in &rule.spaces {
        if outbox.absorb(space, event, 0) {
            continue;
        }
        births.push(Birth {
            space: space.clone(),
            instance: event.instance.clone(),
            draft: Draft {
                reason: Reason::First,
                tally: Tally::of(event),
                total: 1,
                since: event.at,
            },
        });
    }
    births
}

fn count(held: &mut BTreeMap<SpaceName, Tally>, space: &SpaceName, event: &Event) {
    match held.get_mut(space) {
        Some(tally) => tally.add(event),
        None => {
            held.insert(space.clone(), Tally::of(event));
        }
    }
}
