//! The disk that the agent's state is on: an image, and the ways a disk fails.

use std::time::Duration;

use logcrier::engine::commit::{Commit, Image, StreamRecord};

use super::clock::Instant;
use super::entropy::Entropy;

/// The disk.
#[derive(Debug)]
pub(crate) struct Disk {
    /// What survives a crash.
    pub(crate) image: Image,
    pub(crate) mood: Mood,
    until: Instant,
    pub(crate) n_commits: u64,
}

/// How the disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Fine,
    /// Every commit takes seconds.
    Slow,
    /// No commit succeeds.
    Full,
    /// Commits fail at random, and some that failed are there nevertheless.
    Flaky,
}

impl Disk {
    pub(crate) fn new(incarnation: u128) -> Self {
        Self {
            image: Image::new(incarnation),
            mood: Mood::Fine,
            until: Instant::default(),
            n_commits: 0,
        }
    }

    pub(crate) fn set(&mut self, mood: Mood, until: Instant) {
        (self.mood, self.until) = (mood, until);
    }

    /// Until when its mood lasts.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// How the disk is now.
    pub(crate) fn mood(&mut self, now: Instant) -> Mood {
        if self.until <= now {
            self.mood = Mood::Fine;
        }
        self.mood
    }

    /// How long a commit takes until it is durable, and how long then until the
    /// agent hears of it.
    pub(crate) fn delays(&mut self, now: Instant, chance: &mut Entropy) -> [Duration; 2] {
        let most = match self.mood(now) {
            Mood::Slow => Duration::from_secs(8),
            Mood::Fine | Mood::Full | Mood::Flaky => Duration::from_millis(30),
        };
        [(); 2].map(|()| chance.duration(Duration::from_micros(50), most))
    }

    /// Carries out a commit. Returns whether the agent is told that it succeeded.
    pub(crate) fn commit(&mut self, now: Instant, commit: &Commit, chance: &mut Entropy) -> bool {
        let (is_durable, is_told) = match self.mood(now) {
            Mood::Fine | Mood::Slow => (true, true),
            Mood::Full => (false, false),
            Mood::Flaky => match chance.below(6) {
                0 | 1 => (true, true),
                2 => (true, false),
                _ => (false, false),
            },
        };
        if is_durable {
            self.image.apply(commit);
            self.n_commits += 1;
        }
        is_told && is_durable
    }

    /// Whether all records read back from the disk as they were written.
    pub(crate) fn reads_back(&self) -> Result<(), String> {
        fn read<T>(record: &T) -> Result<T, String>
        where
            T: serde::Serialize + serde::de::DeserializeOwned,
        {
            let text = serde_json::to_string(record).map_err(|error| error.to_string())?;
            serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))
        }
        fn same<'a, T>(records: impl Iterator<Item = &'a T>) -> Result<(), String>
        where
            T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug + 'a,
        {
            for record in records {
                (read(record)? == *record)
                    .then_some(())
                    .ok_or(format!("{record:?}"))?;
            }
            Ok(())
        }
        for record in self.image.streams.values() {
            let read = StreamRecord {
                // It is stored apart.
                path: record.path.clone(),
                ..read(record)?
            };
            (read == *record)
                .then_some(())
                .ok_or(format!("{record:?}"))?;
        }
        same(self.image.instances.values())?;
        same(self.image.rules.values())?;
        same(self.image.seen.values())?;
        same(self.image.silences.values())?;
        same(self.image.checks.values())?;
        same(self.image.messages.values())
    }
}
