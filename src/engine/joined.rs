//! From where in a file rules care for its lines, where that is not its beginning.
//!
//! Every file that is followed from its end has this until its first new line, and there
//! may be a hundred thousand of them: a sorted list takes a tenth of the memory of a map.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rules::RuleKey;

/// Rules that do not care for lines that end at or before a byte. On disk it is a map.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<RuleKey, u64>", into = "BTreeMap<RuleKey, u64>")]
pub struct Joined(Box<[(RuleKey, u64)]>);

impl Joined {
    /// Up to which byte a rule does not care.
    pub fn get(&self, rule: &RuleKey) -> Option<u64> {
        let found = self.0.binary_search_by(|(key, _)| key.cmp(rule));
        found.ok().map(|idx| self.0[idx].1)
    }

    /// Whether every rule cares for every line.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps the bounds that `keeps`. Returns whether others went.
    pub fn retain(&mut self, keeps: impl Fn(u64) -> bool) -> bool {
        if self.0.iter().all(|(_, upto)| keeps(*upto)) {
            return false;
        }
        let bounds = std::mem::take(&mut self.0).into_iter();
        self.0 = bounds.filter(|(_, upto)| keeps(*upto)).collect();
        true
    }
}

impl FromIterator<(RuleKey, u64)> for Joined {
    fn from_iter<I: IntoIterator<Item = (RuleKey, u64)>>(bounds: I) -> Self {
        bounds.into_iter().collect::<BTreeMap<_, _>>().into()
    }
}

impl From<BTreeMap<RuleKey, u64>> for Joined {
    fn from(bounds: BTreeMap<RuleKey, u64>) -> Self {
        Self(bounds.into_iter().collect())
    }
}

impl From<Joined> for BTreeMap<RuleKey, u64> {
    fn from(joined: Joined) -> Self {
        joined.0.into_iter().collect()
    }
}
