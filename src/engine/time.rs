//! Time is an argument: two clocks, handed in together.
//!
//! A [`Moment`] orders what happens inside one life of the agent: windows,
//! retries, pace. A [`Wall`] is for people and for the disk. Deadlines live as
//! moments and are saved as wall time; at a start they are turned back and clamped
//! to the length of their window, so that neither a restart nor a jump of the wall
//! clock makes a window endless.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on the clock that never goes back, in nanoseconds since some start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

/// A point in civil time, in microseconds since 1970-01-01 UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Wall(pub i64);

/// Both clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For deadlines.
    pub moment: Moment,
    /// For people and for the disk.
    pub wall: Wall,
}

impl Now {
    /// When moments began, in nanoseconds since 1970: the start of the machine.
    pub fn booted(self) -> i64 {
        let moment = i64::try_from(self.moment.0).unwrap_or(i64::MAX);
        self.wall.0.saturating_mul(1_000).saturating_sub(moment)
    }
}

impl Moment {
    /// The moment this much later; the end of time at the latest.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// How long until this moment, seen from `now`; zero when it has passed.
    pub fn from_now(self, now: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(now.0))
    }
}

impl Wall {
    /// The wall time this much later.
    pub fn after(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// The wall time this much earlier.
    pub fn before(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// The time as programs read it (RFC 3339 in UTC), to the second.
    pub fn rfc3339(self) -> String {
        // Clocks are never so wrong that they cannot be written.
        let at = jiff::Timestamp::from_microsecond(self.0).unwrap_or_default();
        format!("{at:.0}")
    }

    /// How long this is after an earlier time; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

impl Now {
    /// The wall time to save for a deadline.
    pub fn wall_of(self, deadline: Moment) -> Wall {
        self.wall.after(deadline.from_now(self.moment))
    }

    /// The deadline of a saved wall time: not before now, and never further away
    /// than `longest`, whatever the wall clock did meanwhile.
    pub fn moment_of(self, saved: Wall, longest: Duration) -> Moment {
        self.moment.after(saved.since(self.wall).min(longest))
    }
}

/// A duration in nanoseconds; the longest that fits, if it is longer.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A duration in milliseconds; the longest that fits, if it is longer.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn deadlines_survive_the_disk() {
        let before = Now {
            moment: Moment(5),
            wall: Wall(1_000_000),
        };
        let deadline = before.moment.after(MINUTE);
        let saved = before.wall_of(deadline);
        let restarted = Now {
            moment: Moment(99),
            wall: before.wall.after(Duration::from_secs(20)),
        };
        let left = restarted
            .moment_of(saved, MINUTE)
            .from_now(restarted.moment);
        assert_eq!(left, Duration::from_secs(40));
    }

    #[test]
    fn a_clock_set_back_makes_no_endless_window() {
        let saved = Wall(0).after(Duration::from_secs(1_000_000));
        let now = Now::default();
        assert_eq!(
            now.moment_of(saved, MINUTE).from_now(now.moment),
            MINUTE,
            "clamped to its length"
        );
    }

    #[test]
    fn a_deadline_long_past_is_now() {
        let now = Now {
            moment: Moment(7),
            wall: Wall(9_000_000_000),
        };
        assert_eq!(now.moment_of(Wall(5), MINUTE), now.moment);
    }
}
