//! Virtual time: one clock that only goes on, and a wall clock that people set.

use std::time::Duration;

use logcrier::engine::time::{Moment, Now, Wall};

/// 2026-11-21 12:00:00 UTC, where every world begins.
const BEGINNING: Wall = Wall(1_795_262_400_000_000);

/// The time of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Instant(pub(crate) u64);

/// Both clocks.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    now: Instant,
    skew_micros: i64,
    jumped: Option<Instant>,
    latest: Wall,
}

impl Instant {
    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// How long this is after an earlier instant; zero when it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Clock {
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Goes on to an instant. There is no way back.
    pub(crate) fn go_on(&mut self, to: Instant) {
        assert!(to >= self.now, "time goes on");
        self.now = to;
    }

    /// Sets the wall clock forward or back.
    pub(crate) fn jump(&mut self, by_micros: i64) {
        self.latest = self.latest.max(self.wall());
        self.skew_micros += by_micros;
        self.jumped = Some(self.now);
    }

    /// Whether the wall clock was set back, and there are files from its future.
    pub(crate) fn is_behind(&self) -> bool {
        self.wall() < self.latest
    }

    /// When the wall clock was set last.
    pub(crate) fn jumped(&self) -> Option<Instant> {
        self.jumped
    }

    pub(crate) fn wall(&self) -> Wall {
        let elapsed = i64::try_from(self.now.0 / 1_000).expect("a world ends before that");
        Wall(BEGINNING.0 + elapsed + self.skew_micros)
    }

    /// What the agent sees of it that was started at `born`: its steady clock
    /// begins anew with every life.
    pub(crate) fn seen_since(&self, born: Instant) -> Now {
        Now {
            moment: Moment(self.now.0 - born.0 + 1_000),
            wall: self.wall(),
        }
    }

    /// When a moment of that life is.
    pub(crate) fn instant_of(moment: Moment, born: Instant) -> Instant {
        Instant(moment.0.saturating_sub(1_000).saturating_add(born.0))
    }
}

/// `HH:MM:SS.mmm`, with the days before it if there are any.
impl std::fmt::Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.0 / 1_000_000;
        let (secs, millis) = (millis / 1_000, millis % 1_000);
        let (days, rest) = (secs / 86_400, secs % 86_400);
        if days > 0 {
            write!(f, "{days}d ")?;
        }
        let (hours, minutes) = (rest / 3_600, rest % 3_600 / 60);
        write!(f, "{hours:02}:{minutes:02}:{:02}.{millis:03}", rest % 60)
    }
}
