//! What is remembered of rules and values beyond any incident.
//!
//! When a rule was first loaded, so that its silence is measured from then on; which
//! records it selected, so that its counters begin anew when that changes; and which
//! values of `by` it has seen, so that new ones are known.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::events::InstanceId;
use crate::engine::identity::fingerprint;
use crate::engine::time::{Now, Wall};
use crate::rules::conditions::{Conditions, FirstSeen};
use crate::rules::pattern::Pattern;
use crate::rules::{Rule, RuleKey, RuleSet};

/// Values that a rule remembers. Beyond it the tenth that was not seen for the longest
/// time is forgotten, and is new when it comes back.
const VALUES_MAX: usize = 10_000;

/// When a value was seen last is written down again after this part of the time for
/// which it is remembered.
const STEPS: u32 = 64;

/// A rule as it was when it was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRecord {
    /// Which.
    pub key: RuleKey,
    /// When it was first loaded.
    pub since: Wall,
    /// A hash of what it selects.
    pub selects: u64,
}

/// A value that a rule has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRecord {
    /// By which rule.
    pub rule: RuleKey,
    /// A hash of it.
    pub value: u64,
    /// When it was seen last.
    pub last: Wall,
}

/// A value of a rule.
pub type SeenId = (RuleKey, u64);

/// All that is remembered.
#[derive(Debug, Default)]
pub struct Memory {
    rules: BTreeMap<RuleKey, RuleRecord>,
    seen: BTreeMap<SeenId, Wall>,
    n_seen: BTreeMap<RuleKey, usize>,
    dirty_rules: BTreeSet<RuleKey>,
    dirty_seen: BTreeSet<SeenId>,
}

/// What changed in the memory, and what was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Rules, new or changed.
    pub rules: Vec<RuleRecord>,
    /// Rules that are no more.
    pub rules_gone: Vec<RuleKey>,
    /// Values that were seen.
    pub seen: Vec<SeenRecord>,
    /// Values that are forgotten.
    pub seen_gone: Vec<SeenId>,
}

impl Memory {
    /// Takes up what is on disk.
    pub fn new(
        rules: impl IntoIterator<Item = RuleRecord>,
        seen: impl IntoIterator<Item = SeenRecord>,
    ) -> Self {
        let mut memory = Self::default();
        for record in rules {
            memory.rules.insert(record.key.clone(), record);
        }
        for record in seen {
            memory.remember((record.rule, record.value), record.last);
        }
        memory.dirty_seen.clear();
        memory
    }

    /// Takes over changed rules. Returns those that select other records than before.
    pub fn meet(&mut self, now: Now, rules: &RuleSet) -> BTreeSet<RuleKey> {
        let mut changed = BTreeSet::new();
        for rule in rules.rules.iter().filter(|rule| needs_memory(rule)) {
            let selects = selects(rule);
            match self.rules.get_mut(&rule.key) {
                Some(record) if record.selects == selects => continue,
                Some(record) => {
                    record.selects = selects;
                    changed.insert(rule.key.clone());
                }
                None => {
                    let record = RuleRecord {
                        key: rule.key.clone(),
                        since: now.wall,
                        selects,
                    };
                    self.rules.insert(rule.key.clone(), record);
                }
            }
            self.dirty_rules.insert(rule.key.clone());
        }
        let is_known = |key: &RuleKey| rules.rule(key).is_some_and(|rule| needs_memory(rule));
        let gone: Vec<RuleKey> = self
            .rules
            .keys()
            .filter(|key| !is_known(key))
            .cloned()
            .collect();
        for key in gone {
            self.rules.remove(&key);
            self.dirty_rules.insert(key);
        }
        let wants = |key: &RuleKey| {
            (rules.rule(key)).is_some_and(|rule| rule.conditions.first_seen.is_some())
        };
        let gone: Vec<SeenId> = (self.seen.keys())
            .filter(|(key, _)| !wants(key))
            .cloned()
            .collect();
        for id in gone {
            self.forget(&id);
        }
        changed
    }

    /// When a rule was first loaded.
    pub fn since(&self, rule: &RuleKey) -> Option<Wall> {
        self.rules.get(rule).map(|record| record.since)
    }

    /// Whether a value is worth saying: it was not seen for as long as it would be
    /// remembered, and the rule has learnt long enough. It is remembered from now on.
    pub fn is_new(&mut self, now: Now, id: &InstanceId, at: Wall, wanted: FirstSeen) -> bool {
        let value = fingerprint(id.by.join("\0").as_bytes());
        let seen = (id.rule.clone(), value);
        let before = self.seen.get(&seen).copied();
        let is_known = before.is_some_and(|last| at.since(last) <= wanted.remember);
        let is_stale = |last: Wall| at.since(last) > wanted.remember / STEPS;
        if !is_known || before.is_none_or(is_stale) {
            self.make_room(&id.rule, at.before(wanted.remember));
            self.remember(seen, before.map_or(at, |last| last.max(at)));
        }
        let learns = self
            .since(&id.rule)
            .is_some_and(|since| now.wall < since.after(wanted.learn));
        !is_known && !learns
    }

    /// Whether something must be committed.
    pub fn is_dirty(&self) -> bool {
        !self.dirty_rules.is_empty() || !self.dirty_seen.is_empty()
    }

    /// What changed since the last call.
    pub fn take_dirty(&mut self) -> Changes {
        let mut changes = Changes::default();
        for key in std::mem::take(&mut self.dirty_rules) {
            match self.rules.get(&key) {
                Some(record) => changes.rules.push(record.clone()),
                None => changes.rules_gone.push(key),
            }
        }
        for id in std::mem::take(&mut self.dirty_seen) {
            match self.seen.get(&id) {
                Some(last) => changes.seen.push(SeenRecord {
                    last: *last,
                    rule: id.0,
                    value: id.1,
                }),
                None => changes.seen_gone.push(id),
            }
        }
        changes
    }

    /// Takes back what [`take_dirty`](Self::take_dirty) gave: it was not committed.
    pub fn mark_dirty(&mut self, rules: Vec<RuleKey>, seen: Vec<SeenId>) {
        self.dirty_rules.extend(rules);
        self.dirty_seen.extend(seen);
    }

    fn make_room(&mut self, rule: &RuleKey, expired: Wall) {
        if self.n_seen.get(rule).is_none_or(|n| *n < VALUES_MAX) {
            return;
        }
        let first = (Bound::Included((rule.clone(), 0)), Bound::Unbounded);
        let mut known: Vec<(Wall, u64)> = (self.seen.range(first))
            .take_while(|((key, _), _)| key == rule)
            .map(|((_, value), last)| (*last, *value))
            .collect();
        known.sort_unstable();
        let n_expired = known.iter().take_while(|(last, _)| *last < expired).count();
        for (_, value) in &known[..n_expired.max(VALUES_MAX / 10)] {
            self.forget(&(rule.clone(), *value));
        }
    }

    fn remember(&mut self, id: SeenId, last: Wall) {
        self.dirty_seen.insert(id.clone());
        let rule = id.0.clone();
        if self.seen.insert(id, last).is_none() {
            *self.n_seen.entry(rule).or_default() += 1;
        }
    }

    fn forget(&mut self, id: &SeenId) {
        if self.seen.remove(id).is_some() {
            self.dirty_seen.insert(id.clone());
            if let Some(n) = self.n_seen.get_mut(&id.0) {
                *n -= 1;
            }
        }
    }
}

fn needs_memory(rule: &Rule) -> bool {
    let Conditions {
        threshold,
        absent,
        first_seen,
        ..
    } = &rule.conditions;
    threshold.is_some() || absent.is_some() || first_seen.is_some()
}

/// A hash of what makes a record a hit of a rule, and of which instance.
fn selects(rule: &Rule) -> u64 {
    let texts = |patterns: &[Arc<Pattern>]| -> Vec<String> {
        let texts = patterns.iter().map(|pattern| pattern.as_str().to_owned());
        texts.collect()
    };
    let (matches, excepts) = (&rule.patterns.matches, &rule.patterns.excepts);
    let mut selected = format!("{:?} {:?} {:?}", texts(matches), texts(excepts), rule.by);
    if !rule.filter.is_empty() {
        selected.push_str(&format!(" {:?}", rule.filter));
    }
    fingerprint(selected.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rules::paper::rules_of;

    const DAY: u64 = 86_400;

    fn now(secs: u64) -> Now {
        Now {
            wall: Wall(0).after(Duration::from_secs(secs)),
            ..Now::default()
        }
    }

    fn instance(value: &str) -> InstanceId {
        InstanceId {
            rule: RuleKey::new("r"),
            by: Arc::new([value.to_owned()]),
        }
    }

    fn wanted(remember: u64, learn: u64) -> FirstSeen {
        FirstSeen {
            remember: Duration::from_secs(remember),
            learn: Duration::from_secs(learn),
        }
    }

    /// A memory of one rule, loaded at the beginning.
    fn memory() -> Memory {
        let record = RuleRecord {
            key: RuleKey::new("r"),
            since: Wall(0),
            selects: 0,
        };
        Memory::new([record], [])
    }

    #[test]
    fn values_are_new_once() {
        let mut memory = memory();
        let wanted = wanted(30 * DAY, DAY);
        let mut is_new = |days: u64, value: &str| {
            let now = now(days * DAY);
            memory.is_new(now, &instance(value), now.wall, wanted)
        };
        let news: Vec<bool> = [
            // Learnt.
            (0, "a"),
            (2, "a"),
            (2, "b"),
            (3, "b"),
            // Seen again, and so remembered for longer.
            (32, "b"),
            (61, "b"),
            (92, "b"),
            (62, "a"),
        ]
        .map(|(days, value)| is_new(days, value))
        .into();
        assert_eq!(news, [false, false, true, false, false, false, true, true]);
    }

    #[test]
    fn it_survives_the_disk() {
        let mut before = memory();
        let at = now(5);
        assert!(before.is_new(at, &instance("a"), at.wall, wanted(DAY, 0)));
        let changes = before.take_dirty();
        assert!(!before.is_dirty());
        // What could not be written is written with the next commit.
        let ids = changes
            .seen
            .iter()
            .map(|seen| (seen.rule.clone(), seen.value));
        before.mark_dirty(vec![RuleKey::new("r")], ids.collect());
        assert!(before.is_dirty());
        let again = before.take_dirty();
        assert_eq!((again.rules.len(), &again.seen), (1, &changes.seen));
        let mut after = Memory::new(before.rules.into_values(), changes.seen);
        assert!(!after.is_new(at, &instance("a"), at.wall, wanted(DAY, 0)));
        assert!(after.is_new(at, &instance("b"), at.wall, wanted(DAY, 0)));
    }

    #[test]
    fn it_is_bounded() {
        let mut memory = memory();
        for n in 0..VALUES_MAX as u64 + 10 {
            let at = now(n);
            assert!(memory.is_new(at, &instance(&n.to_string()), at.wall, wanted(DAY, 0)));
        }
        assert!(memory.seen.len() <= VALUES_MAX);
        let at = now(VALUES_MAX as u64 + 10);
        // The oldest are forgotten, the newest are not.
        assert!(memory.is_new(at, &instance("0"), at.wall, wanted(DAY, 0)));
        assert!(!memory.is_new(at, &instance("9000"), at.wall, wanted(DAY, 0)));
    }

    #[test]
    fn what_is_too_old_makes_room_first() {
        let mut memory = memory();
        let half = VALUES_MAX as u64 / 2;
        let mut is_new = |secs: u64, value: u64| {
            let at = now(secs);
            let new = memory.is_new(at, &instance(&value.to_string()), at.wall, wanted(DAY, 0));
            (new, memory.seen.len())
        };
        for n in 0..2 * half {
            is_new(if n < half { 0 } else { DAY }, n);
        }
        assert_eq!(is_new(DAY + 1, 2 * half), (true, half as usize + 1));
        assert!(!is_new(DAY + 2, half).0);
    }

    /// What is counted or remembered of other records means nothing any more.
    #[test]
    fn a_rule_that_selects_other_records_is_another_one() {
        let selects_of = |fields: &str| {
            let rules = rules_of(&format!("- {{key: r, files: /a, format: json, {fields}}}"));
            selects(&rules.rules[0])
        };
        let all = [
            "match: x",
            "match: y",
            "match: x, except: y",
            "match: x, by: [host]",
            "match: x, where: {level: error}",
            "match: x, where: {level: warning}",
        ]
        .map(selects_of);
        let different: BTreeSet<u64> = all.into();
        assert_eq!(different.len(), all.len());
        assert_eq!(selects_of("match: x, severity: error"), all[0]);
    }
}
