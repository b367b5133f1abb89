//! Hits become events with an instance, a severity and a stable id.

use std::fmt;
use std::hash::Hasher as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::ids::StreamId;
use super::journal::Found;
use super::scan::{Hit, Sample};
use super::time::Wall;
use crate::rules::{Rule, RuleKey, Severity};

/// Characters of a `by` value that separate instances; longer ones are cut and
/// told apart by a hash.
const BY_CHARS_MAX: usize = 120;

/// How the shared instance's `by` values read.
pub const OTHERS: &str = "(others)";

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same line always gives the same id.
    pub id: EventId,
    /// What it is counted with.
    pub instance: InstanceId,
    /// How bad it is.
    pub severity: Severity,
    /// When it happened.
    pub at: Wall,
    /// What was found.
    pub sample: Arc<Sample>,
    /// Where it was found: a path, shown lossily.
    pub source: Arc<str>,
    /// Those before it that are only counted.
    pub besides: Option<Besides>,
}

/// Events that are counted with a later one of the same rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Besides {
    /// How many.
    pub count: u64,
    /// When the first happened.
    pub first: Wall,
    /// When the last happened.
    pub last: Wall,
}

/// Names an event for ever: hash of stream, position and rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub u128);

/// What is counted together: a rule's key and the values of its `by`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceId {
    /// The rule.
    pub rule: RuleKey,
    /// The values of the rule's `by`, in that order. Untrusted.
    pub by: Arc<[String]>,
}

/// Makes stable ids. Two installations never make the same one.
#[derive(Debug, Clone, Copy)]
pub struct Ids {
    incarnation: u128,
}

impl Ids {
    /// Makes ids for a state directory, whose `incarnation` was drawn at its birth.
    pub fn new(incarnation: u128) -> Self {
        Self { incarnation }
    }

    /// The id of the event that a rule makes of the line at `start`.
    pub fn event(&self, generation: StreamId, start: u64, rule: &RuleKey) -> EventId {
        EventId(self.hash(&[
            b"event",
            &generation.0.to_le_bytes(),
            &start.to_le_bytes(),
            rule.as_str().as_bytes(),
        ]))
    }

    /// The id of the event that a rule makes of an entry of the journal.
    pub fn entry(&self, cursor: &str, rule: &RuleKey) -> EventId {
        EventId(self.hash(&[b"entry", cursor.as_bytes(), rule.as_str().as_bytes()]))
    }

    /// The id of what an event causes for one instance among several.
    pub fn apart(&self, event: EventId, instance: &InstanceId) -> EventId {
        EventId(self.hash(&[
            b"apart",
            &event.0.to_le_bytes(),
            instance.by.join("\0").as_bytes(),
        ]))
    }

    /// The id of an event of the agent's own: one moment and one subject make one.
    pub fn own(&self, rule: &RuleKey, subject: &str, at: Wall) -> EventId {
        EventId(self.hash(&[
            b"own",
            rule.as_str().as_bytes(),
            subject.as_bytes(),
            &at.0.to_le_bytes(),
        ]))
    }

    /// The id of the `n`-th result of a life of the agent, at a time.
    pub fn result(&self, rule: &RuleKey, at: Wall, n: u64) -> EventId {
        EventId(self.hash(&[
            b"result",
            rule.as_str().as_bytes(),
            &at.0.to_le_bytes(),
            &n.to_le_bytes(),
        ]))
    }

    /// The request id of the message that is born with an event, as a UUID of
    /// version 8 (RFC 9562): the same message always has the same one.
    pub fn request(&self, event: EventId, space: &str, kind: &str) -> String {
        let hash = self.hash(&[
            b"request",
            &event.0.to_le_bytes(),
            space.as_bytes(),
            kind.as_bytes(),
        ]);
        let hex = format!("{hash:032x}");
        let variant = ["8", "9", "a", "b"][(hash >> 62 & 3) as usize];
        format!(
            "{}-{}-8{}-{variant}{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        )
    }

    fn hash(&self, parts: &[&[u8]]) -> u128 {
        let (low, high) = (self.incarnation as u64, (self.incarnation >> 64) as u64);
        let mut hasher = SipHasher13::new_with_keys(low, high);
        for part in parts {
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }
}

impl InstanceId {
    /// The instance of a rule that a hit belongs to.
    pub fn of(rule: &Rule, sample: &Sample) -> Self {
        Self {
            rule: rule.key.clone(),
            by: rule
                .by
                .iter()
                .map(|name| bounded(sample.value(name).unwrap_or_default()))
                .collect(),
        }
    }

    /// The instance that all share for whom a rule has no more room.
    pub fn others(rule: &Rule) -> Self {
        Self {
            rule: rule.key.clone(),
            by: rule.by.iter().map(|_| OTHERS.to_owned()).collect(),
        }
    }
}

impl Event {
    /// Makes the event of a hit.
    pub fn of_hit(
        ids: &Ids,
        generation: StreamId,
        rule: &Rule,
        hit: &Hit,
        source: &Arc<str>,
        at: Wall,
    ) -> Self {
        Self {
            id: ids.event(generation, hit.start, &rule.key),
            instance: InstanceId::of(rule, &hit.sample),
            severity: severity_of(rule, &hit.sample),
            at,
            sample: hit.sample.clone(),
            source: source.clone(),
            besides: None,
        }
    }

    /// For how many events it stands.
    pub fn count(&self) -> u64 {
        1 + self.besides.map_or(0, |besides| besides.count)
    }

    /// When the first of those happened.
    pub fn first(&self) -> Wall {
        (self.besides).map_or(self.at, |besides| besides.first.min(self.at))
    }

    /// When the last of those happened.
    pub fn last(&self) -> Wall {
        (self.besides).map_or(self.at, |besides| besides.last.max(self.at))
    }

    /// Counts one more event with it, or several that happened at the same time.
    pub fn count_besides(&mut self, count: u64, at: Wall) {
        let besides = self.besides.get_or_insert(Besides {
            count: 0,
            first: at,
            last: at,
        });
        besides.count += count;
        besides.first = besides.first.min(at);
        besides.last = besides.last.max(at);
    }

    /// Makes the event of an entry of the journal. Its time is believed up to now.
    pub fn of_entry(ids: &Ids, rule: &Rule, found: &Found, now: Wall) -> Self {
        Self {
            id: ids.entry(&found.cursor, &rule.key),
            instance: InstanceId::of(rule, &found.sample),
            severity: severity_of(rule, &found.sample),
            at: found.at.min(now),
            sample: found.sample.clone(),
            source: found.source.clone(),
            besides: None,
        }
    }
}

impl Sample {
    /// The text of a named capture that took part, else of a field that was kept.
    pub fn value(&self, name: &str) -> Option<&str> {
        let field = || self.fields.iter().find(|(found, _)| **found == *name);
        (self.capture(name)).or_else(|| field().map(|(_, text)| text.as_str()))
    }

    /// The text of a named capture, if it took part.
    pub fn capture(&self, name: &str) -> Option<&str> {
        self.captures
            .iter()
            .find(|(found, _)| &**found == name)
            .map(|(_, text)| text.as_str())
    }
}

/// How bad an event of a rule is, by what was found.
pub fn severity_of(rule: &Rule, sample: &Sample) -> Severity {
    let told = (rule.severity_of.as_ref()).and_then(|of| of.severity(sample.value(&of.from)));
    told.unwrap_or(rule.severity)
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A value of `by` as instances keep it.
pub(super) fn bounded(value: &str) -> String {
    match value.char_indices().nth(BY_CHARS_MAX) {
        None => value.to_owned(),
        Some((end, _)) => {
            let hash = super::identity::fingerprint(value.as_bytes());
            format!("{}…{:08x}", &value[..end], hash as u32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_differ() {
        let ids = Ids::new(7);
        let key = RuleKey::new("r");
        let id = ids.event(StreamId(1), 10, &key);
        assert_eq!(id, Ids::new(7).event(StreamId(1), 10, &key));
        for other in [
            ids.event(StreamId(2), 10, &key),
            ids.event(StreamId(1), 11, &key),
            ids.event(StreamId(1), 10, &RuleKey::new("s")),
            Ids::new(8).event(StreamId(1), 10, &key),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn request_ids_are_uuids() {
        for seed in 0..200 {
            let id = Ids::new(seed).request(EventId(3), "ops", "first");
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "8", "{id}");
            assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
        }
    }
}
