//! When a command runs next.
//!
//! Runs at a distance stand on a grid that begins at a time spread by host and
//! key, so that a fleet does not run at once; a run that could not take place on
//! time is left out, never made up for. Cron lines follow the clock on the wall,
//! which is looked at again and again, because people set it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::engine::identity::fingerprint;
use crate::engine::time::{Moment, Now, Wall, nanos};
use crate::rules::RuleKey;
use crate::rules::checks::When;

/// How often the clock on the wall is looked at, for what waits for it.
const LOOK_AT_THE_CLOCK: Duration = Duration::from_secs(30);

/// A time of the wall clock that is this far gone was missed: the machine slept,
/// or somebody set the clock.
const MISSED_AFTER: Duration = Duration::from_secs(60);

/// When a command runs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The next regular run.
    pub regular: Regular,
    /// A run before that, after a bad result.
    pub retry: Option<Moment>,
    /// Runs that did not take place, since the agent started.
    pub n_missed: u64,
}

/// The next regular run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regular {
    /// On the steady clock.
    At(Moment),
    /// When the wall clock shows this; looked at again at the moment.
    Wall(Wall, Moment),
    /// Never: no such time comes.
    Never,
}

/// Whether a run is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now,
    /// Later.
    Later,
}

impl Plan {
    /// A plan for a command that never ran here.
    pub fn new(when: &When, host: &str, key: &RuleKey, now: Now, zone: &TimeZone) -> Self {
        let regular = match when {
            When::Every(every) => Regular::At(now.moment.after(spread(*every, host, key))),
            When::Cron(_) => next_regular(when, Moment(0), now, zone),
        };
        Self {
            regular,
            retry: None,
            n_missed: 0,
        }
    }

    /// A plan for a command whose next run was planned in an earlier life. A run at
    /// a distance that was due meanwhile is due now; one by the wall clock is not
    /// made up for.
    pub fn planned(when: &When, due: Wall, now: Now, zone: &TimeZone) -> Self {
        let (regular, retry) = match when {
            When::Every(every) if due <= now.wall => {
                // Its place on the grid stays, and with it its distance to the others.
                let every = every.as_nanos().max(1);
                let gone = now.wall.since(due).as_nanos() % every;
                let left = u64::try_from(every - gone).unwrap_or(u64::MAX);
                let next = now.moment.after(Duration::from_nanos(left));
                (Regular::At(next), Some(now.moment))
            }
            When::Every(every) => (Regular::At(now.moment_of(due, *every)), None),
            When::Cron(_) => (next_regular(when, Moment(0), now, zone), None),
        };
        Self {
            regular,
            retry,
            n_missed: 0,
        }
    }

    /// When to look at it next.
    pub fn wakeup(&self) -> Option<Moment> {
        let regular = match self.regular {
            Regular::At(at) | Regular::Wall(_, at) => Some(at),
            Regular::Never => None,
        };
        regular.into_iter().chain(self.retry).min()
    }

    /// Tells whether a run is due, and plans the one after it if so. `is_running`
    /// tells that it cannot start now: a run that is due is then missed.
    pub fn look(&mut self, when: &When, is_running: bool, now: Now, zone: &TimeZone) -> Due {
        let mut due = Due::Later;
        match self.regular {
            Regular::At(at) if at <= now.moment => {
                due = Due::Now;
                self.regular = next_regular(when, at, now, zone);
            }
            Regular::Wall(at, look) => {
                let gone = now.wall.since(at);
                if at <= now.wall {
                    match gone < MISSED_AFTER {
                        true => due = Due::Now,
                        false => self.n_missed += 1,
                    }
                    self.regular = next_regular(when, look, now, zone);
                } else if look <= now.moment {
                    // The clock may have been set back: the next time may be nearer.
                    self.regular = next_regular(when, look, now, zone);
                }
            }
            Regular::At(_) | Regular::Never => {}
        }
        if self.retry.is_some_and(|at| at <= now.moment) {
            self.retry = None;
            due = Due::Now;
        }
        if due == Due::Now && is_running {
            self.n_missed += 1;
            return Due::Later;
        }
        due
    }

    /// When the next regular run is, for the disk.
    pub fn due(&self, now: Now) -> Option<Wall> {
        match self.regular {
            Regular::At(at) => Some(now.wall_of(at)),
            Regular::Wall(at, _) => Some(at),
            Regular::Never => None,
        }
    }
}

/// The regular run behind the one that was planned at `last`.
fn next_regular(when: &When, last: Moment, now: Now, zone: &TimeZone) -> Regular {
    match when {
        When::Every(every) => {
            let every = nanos(*every).max(1);
            let n_passed = now.moment.0.saturating_sub(last.0) / every + 1;
            let ahead = n_passed.saturating_mul(every);
            Regular::At(Moment(last.0.saturating_add(ahead)))
        }
        When::Cron(cron) => {
            let Ok(at) = Timestamp::from_microsecond(now.wall.0) else {
                return Regular::Never;
            };
            let Some(next) = cron.next(at, zone) else {
                return Regular::Never;
            };
            let next = Wall(next.as_microsecond());
            let wait = next.since(now.wall).min(LOOK_AT_THE_CLOCK);
            Regular::Wall(next, now.moment.after(wait))
        }
    }
}

/// Where on the grid a command stands.
fn spread(every: Duration, host: &str, key: &RuleKey) -> Duration {
    let hash = fingerprint(format!("{host}\0{key}").as_bytes());
    let every = nanos(every).max(1);
    Duration::from_nanos(hash % every)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cron::Cron;

    const MINUTE: Duration = Duration::from_secs(60);

    fn now(secs: u64) -> Now {
        Now {
            moment: Moment(0).after(Duration::from_secs(secs)),
            // Midnight UTC.
            wall: Wall(1_795_219_200_000_000).after(Duration::from_secs(secs)),
        }
    }

    fn planned(when: &When) -> Plan {
        Plan::new(when, "web-1", &RuleKey::new("a"), now(0), &TimeZone::UTC)
    }

    #[test]
    fn a_fleet_does_not_run_at_once() {
        let when = When::Every(MINUTE);
        let mut seconds: Vec<u64> = (0..60)
            .map(|n| {
                let key = RuleKey::new("a");
                let host = format!("web-{n}");
                let plan = Plan::new(&when, &host, &key, now(0), &TimeZone::UTC);
                plan.wakeup().unwrap().0 / 1_000_000_000
            })
            .collect();
        seconds.sort();
        seconds.dedup();
        assert!(seconds.len() > 25, "{seconds:?}");
        assert!(seconds.iter().all(|second| *second < 60), "{seconds:?}");
    }

    #[test]
    fn runs_stay_on_their_grid() {
        let when = When::Every(MINUTE);
        let mut plan = planned(&when);
        let first = plan.wakeup().unwrap().0;
        assert_eq!(plan.look(&when, false, now(60), &TimeZone::UTC), Due::Now);
        assert_eq!(plan.wakeup().unwrap().0, first + 60_000_000_000);
        // Late by several runs: they are left out.
        assert_eq!(plan.look(&when, false, now(600), &TimeZone::UTC), Due::Now);
        assert_eq!((plan.wakeup().unwrap().0 - first) % 60_000_000_000, 0);
        assert!(plan.wakeup().unwrap() > now(600).moment);
        assert_eq!(
            plan.look(&when, false, now(600), &TimeZone::UTC),
            Due::Later
        );
    }

    #[test]
    fn a_run_never_overlaps_itself() {
        let when = When::Every(MINUTE);
        let mut plan = planned(&when);
        assert_eq!(plan.look(&when, true, now(60), &TimeZone::UTC), Due::Later);
        assert_eq!(plan.n_missed, 1);
    }

    #[test]
    fn a_saved_plan_holds() {
        let when = When::Every(60 * MINUTE);
        let due = now(1_000).wall;
        let plan = Plan::planned(&when, due, now(100), &TimeZone::UTC);
        assert_eq!(plan.wakeup(), Some(now(1_000).moment));
        // The clock was set back for a year meanwhile: still within the hour.
        let plan = Plan::planned(
            &when,
            due.after(365 * 24 * 60 * MINUTE),
            now(0),
            &TimeZone::UTC,
        );
        assert_eq!(plan.wakeup(), Some(now(3_600).moment));
        // It was due two and a half hours ago: now, and then where it always was.
        let mut plan = Plan::planned(&when, now(0).wall, now(9_000), &TimeZone::UTC);
        assert_eq!(
            plan.look(&when, false, now(9_000), &TimeZone::UTC),
            Due::Now
        );
        assert_eq!(plan.wakeup(), Some(now(10_800).moment));
    }

    #[test]
    fn by_the_clock_on_the_wall() {
        let when = When::Cron(Cron::parse("0 1 * * *").unwrap());
        let zone = TimeZone::UTC;
        let mut plan = planned(&when);
        assert_eq!(plan.look(&when, false, now(3_599), &zone), Due::Later);
        assert_eq!(plan.look(&when, false, now(3_601), &zone), Due::Now);
        assert_eq!(plan.look(&when, false, now(3_602), &zone), Due::Later);
        // It slept through the next one.
        assert_eq!(plan.look(&when, false, now(95_000), &zone), Due::Later);
        assert_eq!(plan.n_missed, 1);
        // Somebody sets the clock back by an hour, before a run: it comes later.
        let mut plan = planned(&when);
        let mut set_back = now(3_600);
        set_back.wall = now(10).wall;
        assert_eq!(plan.look(&when, false, set_back, &zone), Due::Later);
        let mut later = now(7_190);
        later.wall = now(3_600).wall;
        assert_eq!(plan.look(&when, false, later, &zone), Due::Now);
    }

    #[test]
    fn is_looked_at_often_enough_to_see_the_clock_set() {
        let when = When::Cron(Cron::parse("@yearly").unwrap());
        let plan = planned(&when);
        let wait = plan.wakeup().unwrap().from_now(now(0).moment);
        assert_eq!(wait, LOOK_AT_THE_CLOCK);
    }
}
