//! Events that are spoken for together.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::events::{Event, EventId};
use crate::engine::scan::Sample;
use crate::engine::time::Wall;
use crate::rules::Severity;

/// Different samples that a message keeps.
pub(in crate::engine) const SAMPLES_MAX: usize = 3;

/// Events that are spoken for together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// The event that began it: names the message.
    pub birth: EventId,
    /// When the first happened.
    pub first: Wall,
    /// When the last happened.
    pub last: Wall,
    /// The worst of them.
    pub worst: Severity,
    /// The first three different ones.
    pub different: Vec<Shown>,
    /// The last one.
    pub latest: Shown,
}

/// A record as a message shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Shown {
    /// The record.
    pub sample: Arc<Sample>,
    /// Where it was found.
    pub source: Arc<str>,
}

impl Shown {
    /// The record of an event.
    pub fn of(event: &Event) -> Self {
        Self {
            sample: event.sample.clone(),
            source: event.source.clone(),
        }
    }
}

impl Tally {
    /// Begins to count.
    pub fn of(event: &Event) -> Self {
        let shown = Shown::of(event);
        Self {
            count: event.count(),
            birth: event.id,
            first: event.first(),
            last: event.last(),
            worst: event.severity,
            different: vec![shown.clone()],
            latest: shown,
        }
    }

    /// Counts one more, with those that it stands for.
    pub fn add(&mut self, event: &Event) {
        self.count += event.count();
        self.first = self.first.min(event.first());
        self.last = self.last.max(event.last());
        self.worst = self.worst.max(event.severity);
        self.latest = Shown::of(event);
        let is_new = self.different.len() < SAMPLES_MAX
            && (self.different.iter()).all(|shown| shown.sample.line != event.sample.line);
        if is_new {
            self.different.push(self.latest.clone());
        }
    }

    /// Counts an event that stands for what is `counted`.
    pub fn count_in(&mut self, event: &Event, counted: &Self) {
        match counted.count == event.count() {
            true => self.add(event),
            false => self.merge(counted),
        }
    }

    /// Counts what was counted elsewhere, later or of another instance.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        if self.last <= other.last {
            self.latest = other.latest.clone();
        }
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.worst = self.worst.max(other.worst);
        for shown in &other.different {
            let is_new = (self.different.iter()).all(|ours| ours.sample.line != shown.sample.line);
            if is_new && self.different.len() < SAMPLES_MAX {
                self.different.push(shown.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::events::InstanceId;
    use crate::rules::RuleKey;

    fn event(secs: i64, line: &str) -> Event {
        let sample = Sample {
            line: line.to_owned(),
            ..Sample::default()
        };
        Event {
            id: EventId(0),
            instance: InstanceId {
                rule: RuleKey::new("r"),
                by: Arc::new([]),
            },
            severity: Severity::Warning,
            at: Wall(secs * 1_000_000),
            sample: Arc::new(sample),
            source: "/a".into(),
            besides: None,
        }
    }

    /// The events of these lines, a second apart from `secs` on.
    fn tally(secs: i64, lines: &[&str]) -> Tally {
        let mut events = (secs..).zip(lines).map(|(secs, line)| event(secs, line));
        let mut tally = Tally::of(&events.next().unwrap());
        events.for_each(|event| tally.add(&event));
        tally
    }

    fn lines_of(tally: &Tally) -> (Vec<&str>, &str) {
        let different = tally.different.iter().map(|shown| &*shown.sample.line);
        (different.collect(), &tally.latest.sample.line)
    }

    #[test]
    fn what_is_counted_together_shows_the_last_and_a_few_different_ones() {
        for (ours, theirs, expected) in [
            // The later one is the last, whichever is counted in.
            (tally(10, &["a"]), tally(20, &["b"]), (vec!["a", "b"], "b")),
            (tally(20, &["a"]), tally(10, &["b"]), (vec!["a", "b"], "a")),
            (tally(10, &["a"]), tally(10, &["b"]), (vec!["a", "b"], "b")),
            (
                tally(10, &["a", "b"]),
                tally(20, &["b", "a", "c", "d"]),
                (vec!["a", "b", "c"], "d"),
            ),
            (
                tally(10, &["a", "b", "c"]),
                tally(20, &["d"]),
                (vec!["a", "b", "c"], "d"),
            ),
        ] {
            let mut both = ours.clone();
            both.merge(&theirs);
            assert_eq!(lines_of(&both), expected);
            assert_eq!(both.count, ours.count + theirs.count);
            assert_eq!(both.first, ours.first.min(theirs.first));
            assert_eq!(both.last, ours.last.max(theirs.last));
        }
    }
}
