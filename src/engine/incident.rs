//! What every incident with an end has in common: reminders, and quiet while it
//! keeps changing.
//!
//! ```text
//!             fewer than five changes in 30 min: each is said
//!   steady ─────────────────────────────────────────────────► steady
//!     │  the fifth: "flapping" is said in its place
//!     ▼
//!   flapping ── no change for 30 min: one summary ──► steady
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::{Moment, Now, Wall};

/// Openings and closings within this time are looked at together.
pub(super) const FLAPPING_WITHIN: Duration = Duration::from_secs(30 * 60);

/// So many of them are too many.
const FLAPPING_CHANGES: usize = 5;

/// The changes of an instance of late.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flapping {
    /// When each change ceases to count, the oldest first; few.
    expiries: Vec<Moment>,
    is_flapping: bool,
}

/// [`Flapping`] on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FlappingRecord {
    /// When each change ceases to count.
    pub expiries: Vec<Wall>,
    /// Whether changes are not said.
    pub is_flapping: bool,
}

/// What to do with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Say it.
    Say,
    /// Say instead that it flaps.
    Flaps,
    /// Say nothing.
    Hold,
}

impl Flapping {
    /// Takes up what is on disk.
    pub fn new(record: &FlappingRecord, now: Now) -> Self {
        Self {
            expiries: (record.expiries.iter())
                .map(|at| now.moment_of(*at, FLAPPING_WITHIN))
                .collect(),
            is_flapping: record.is_flapping,
        }
    }

    /// What goes to disk.
    pub fn record(&self, now: Now) -> FlappingRecord {
        FlappingRecord {
            expiries: self.expiries.iter().map(|at| now.wall_of(*at)).collect(),
            is_flapping: self.is_flapping,
        }
    }

    /// An incident opens or closes.
    pub fn change(&mut self, now: Moment) -> Change {
        self.expiries.retain(|at| *at > now);
        self.expiries.push(now.after(FLAPPING_WITHIN));
        if self.expiries.len() > FLAPPING_CHANGES {
            self.expiries.remove(0);
        }
        match (self.is_flapping, self.expiries.len()) {
            (true, _) => Change::Hold,
            (false, FLAPPING_CHANGES) => {
                self.is_flapping = true;
                Change::Flaps
            }
            (false, _) => Change::Say,
        }
    }

    /// Whether changes are not said.
    pub fn is_on(&self) -> bool {
        self.is_flapping
    }

    /// When it may be over; nothing while it is steady.
    pub fn ends(&self) -> Option<Moment> {
        match self.is_flapping {
            true => self.expiries.last().copied().or(Some(Moment(0))),
            false => None,
        }
    }

    /// Ends it if it is over. Returns whether it was.
    pub fn end(&mut self, now: Moment) -> bool {
        let is_over = self.ends().is_some_and(|at| at <= now);
        if is_over {
            *self = Self::default();
        }
        is_over
    }
}

/// When an open incident is spoken of again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminder {
    /// The next time.
    pub due: Moment,
    /// How many there were.
    pub n_said: usize,
}

/// [`Reminder`] on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReminderRecord {
    /// The next time.
    pub due: Wall,
    /// How many there were.
    pub n_said: usize,
}

impl Reminder {
    /// The reminder that follows `n_said` others, if any are wanted.
    pub fn after(now: Moment, n_said: usize, gaps: &[Duration]) -> Option<Self> {
        let gap = gaps.get(n_said).or(gaps.last())?;
        Some(Self {
            due: now.after(*gap),
            n_said,
        })
    }

    /// Takes up what is on disk; the gaps may have been changed.
    pub fn new(record: ReminderRecord, now: Now, gaps: &[Duration]) -> Option<Self> {
        let gap = gaps.get(record.n_said).or(gaps.last())?;
        Some(Self {
            due: now.moment_of(record.due, *gap),
            n_said: record.n_said,
        })
    }

    /// What goes to disk.
    pub fn record(self, now: Now) -> ReminderRecord {
        ReminderRecord {
            due: now.wall_of(self.due),
            n_said: self.n_said,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: u64) -> Moment {
        Moment(0).after(Duration::from_secs(60 * n))
    }

    #[test]
    fn five_changes_within_half_an_hour_flap() {
        let mut flapping = Flapping::default();
        let changes: Vec<Change> = [0, 10, 20, 29, 31, 32, 40]
            .map(|n| flapping.change(minute(n)))
            .into();
        use Change::{Flaps, Hold, Say};
        // The change at 0 does not count any more at 31: the fifth comes at 32.
        assert_eq!(changes, [Say, Say, Say, Say, Say, Flaps, Hold]);
        assert_eq!(flapping.ends(), Some(minute(70)));
        assert!(!flapping.end(minute(69)));
        assert!(flapping.end(minute(70)));
        assert_eq!(flapping.change(minute(71)), Say);
    }

    #[test]
    fn flapping_survives_the_disk() {
        let mut flapping = Flapping::default();
        let now = |n| Now {
            moment: minute(n),
            wall: Wall(0).after(Duration::from_secs(60 * n)),
        };
        for n in 1..=5 {
            let _ = flapping.change(minute(n));
        }
        let read = Flapping::new(&flapping.record(now(6)), now(6));
        assert_eq!(read, flapping);
    }

    #[test]
    fn the_last_gap_repeats() {
        let gaps = [1, 4].map(|n| Duration::from_secs(3600 * n));
        let due = |n_said| Reminder::after(minute(0), n_said, &gaps).map(|next| next.due);
        let hours = |n: u64| Some(minute(60 * n));
        assert_eq!([0, 1, 2, 9].map(due), [1, 4, 4, 4].map(hours));
        assert_eq!(Reminder::after(minute(0), 0, &[]), None);
    }
}
