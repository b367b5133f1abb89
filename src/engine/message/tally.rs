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
