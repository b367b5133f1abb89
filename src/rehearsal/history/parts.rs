//! What is gathered while logs are lived through: by rule, and by space.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::time::Wall;
use crate::rehearsal::Said;
use crate::rules::{Rule, RuleKey, RuleSet, SpaceName};

/// Messages that are kept to be shown; beyond it they are only counted.
pub const KEPT_MAX: usize = 5_000;

/// What became of one rule.
#[derive(Debug, Clone)]
pub struct RulePart {
    /// Which.
    pub rule: Arc<Rule>,
    /// Records that it selected.
    pub n_hits: u64,
    /// Hits that passed its conditions.
    pub n_events: u64,
    /// Messages that speak of it.
    pub n_posts: u64,
    /// The most of them that fell into one minute.
    pub busiest: u64,
    /// Hits by minute, since 1970.
    pub hits_by_minute: BTreeMap<i64, u64>,
}

/// What went to one space.
#[derive(Debug, Clone)]
pub struct SpacePart {
    /// Which.
    pub name: SpaceName,
    /// Messages.
    pub n_posts: u64,
    /// The most of them that fell into one minute.
    pub busiest: u64,
    /// How many a minute its pace allows.
    pub quota: u64,
}

/// What is gathered while the logs are lived through.
pub(super) struct Parts {
    pub(super) rules: Vec<RulePart>,
    pub(super) spaces: Vec<SpacePart>,
    rule_minutes: Vec<(i64, u64)>,
    space_minutes: Vec<(i64, u64)>,
    pub(super) said: Vec<Said>,
    pub(super) n_unkept: u64,
}

impl Parts {
    pub(super) fn new(set: &RuleSet) -> Self {
        let rules: Vec<RulePart> = (set.rules.iter())
            .map(|rule| RulePart {
                rule: rule.clone(),
                n_hits: 0,
                n_events: 0,
                n_posts: 0,
                busiest: 0,
                hits_by_minute: BTreeMap::new(),
            })
            .collect();
        let is_used = |name: &SpaceName| rules.iter().any(|part| part.rule.spaces.contains(name));
        let spaces: Vec<SpacePart> = (set.spaces.iter())
            .filter(|(name, _)| is_used(name))
            .map(|(name, space)| SpacePart {
                name: name.clone(),
                n_posts: 0,
                busiest: 0,
                quota: u64::try_from(60_000 / space.pace.as_millis().max(1)).unwrap_or(u64::MAX),
            })
            .collect();
        Self {
            rule_minutes: vec![(i64::MIN, 0); rules.len()],
            space_minutes: vec![(i64::MIN, 0); spaces.len()],
            rules,
            spaces,
            said: Vec::new(),
            n_unkept: 0,
        }
    }

    pub(super) fn take(&mut self, said: Vec<Said>) {
        for said in said {
            let minute = minute_of(said.at);
            let space = self.spaces.iter().position(|part| part.name == said.space);
            if let Some(idx) = space {
                let part = &mut self.spaces[idx];
                part.n_posts += 1;
                part.busiest = part
                    .busiest
                    .max(counted(&mut self.space_minutes[idx], minute));
            }
            let mut spoken: Vec<RuleKey> = Vec::new();
            for share in said.message.shares() {
                let key = share.instance.rule;
                let Ok(idx) = self.rules.binary_search_by(|part| part.rule.key.cmp(&key)) else {
                    continue;
                };
                let part = &mut self.rules[idx];
                // What goes to several spaces is counted once.
                if part.rule.spaces.first() == Some(&said.space) {
                    part.n_events += share.count;
                }
                if !spoken.contains(&key) {
                    part.n_posts += 1;
                    part.busiest = part
                        .busiest
                        .max(counted(&mut self.rule_minutes[idx], minute));
                    spoken.push(key);
                }
            }
            match self.said.len() < KEPT_MAX {
                true => self.said.push(said),
                false => self.n_unkept += 1,
            }
        }
    }
}

impl RulePart {
    /// Events that did not need a message of their own.
    pub fn n_saved(&self) -> u64 {
        self.n_events.saturating_sub(self.n_posts)
    }
}

/// Counts one more of a minute, and returns how many it has by now.
fn counted(count: &mut (i64, u64), minute: i64) -> u64 {
    if count.0 != minute {
        *count = (minute, 0);
    }
    count.1 += 1;
    count.1
}

/// The minute of a time, since 1970.
pub fn minute_of(at: Wall) -> i64 {
    at.0.div_euclid(60_000_000)
}
