//! What is said of a check that tells nothing.

use std::time::Duration;

use super::speech::{Speech, event_of, hold_with, spoken};
use super::{Broken, Standing, finding};
use crate::engine::debounce::{self, Close, Window};
use crate::engine::events::{Event, Ids};
use crate::engine::instances::Birth;
use crate::engine::message::{Reason, Shown};
use crate::engine::mute::Mute;
use crate::engine::time::Now;
use crate::rules::{Debounce, Rule};

impl Standing {
    /// The check tells nothing any more.
    pub(super) fn break_down(
        &mut self,
        now: Now,
        rule: &Rule,
        mute: Option<Mute>,
        event: Event,
    ) -> Vec<Birth> {
        let held = &mut self.held_unknown;
        let total = hold_with(&mut self.doubt, held, &rule.spaces, &event);
        self.broken = Some(Broken {
            since: event.at,
            is_said: self.window.is_none() && mute.is_none(),
            total,
            spaces: rule.spaces.clone(),
            latest: Shown::of(&event),
        });
        self.muted = mute.or(self.muted);
        if self.window.is_some() || mute.is_some() {
            return Vec::new();
        }
        if let Debounce::Window { every, .. } = rule.debounce {
            self.window = Some(Window {
                closes: now.moment.after(every),
                length: every,
                worst: finding::BROKEN,
            });
        }
        self.say_of_check(&Speech {
            spaces: &rule.spaces,
            reason: Reason::Broken,
            total,
            since: event.at,
            event: &event,
        })
    }

    /// The check tells something again.
    pub(super) fn work_again(&mut self, event: &Event) -> Vec<Birth> {
        let Some(broken) = self.broken.take().filter(|broken| broken.is_said) else {
            return Vec::new();
        };
        self.say_of_check(&Speech {
            spaces: &broken.spaces,
            reason: Reason::Mended,
            total: broken.total,
            since: broken.since,
            event: &Event {
                severity: finding::BROKEN,
                ..event.clone()
            },
        })
    }

    /// The window of unknown results ends.
    pub(super) fn close_window(
        &mut self,
        now: Now,
        rule: &Rule,
        mute: Option<Mute>,
        ids: &Ids,
    ) -> Vec<Birth> {
        let Some(window) = self.window.take() else {
            return Vec::new();
        };
        // What is said of it will carry what is counted.
        let is_said = self.broken.as_ref().is_some_and(|broken| broken.is_said);
        let n_held: u64 = self.held_unknown.values().map(|tally| tally.count).sum();
        if is_said || n_held == 0 {
            return Vec::new();
        }
        if mute.is_some() {
            self.muted = mute;
            return Vec::new();
        }
        self.sum_up_unknown(now, rule, window, ids)
    }

    /// Says what is counted of unknown results.
    pub(super) fn sum_up_unknown(
        &mut self,
        now: Now,
        rule: &Rule,
        window: Window,
        ids: &Ids,
    ) -> Vec<Birth> {
        let n_held: u64 = self.held_unknown.values().map(|tally| tally.count).sum();
        if let Close::SumUp { next } = debounce::close(&window, rule.debounce, n_held)
            && next > Duration::ZERO
        {
            self.window = Some(Window {
                closes: now.moment.after(next),
                length: next,
                worst: finding::BROKEN,
            });
        }
        let Some(tally) = self.held_unknown.values().next().cloned() else {
            return Vec::new();
        };
        let event = event_of(
            ids,
            &rule.key,
            now,
            &tally.latest,
            finding::BROKEN,
            "window",
        );
        let (reason, since, total) = match &mut self.broken {
            Some(broken) => {
                broken.is_said = true;
                (Reason::Broken, broken.since, broken.total)
            }
            None => (Reason::Mended, tally.first, tally.count),
        };
        self.say_of_check(&Speech {
            spaces: &rule.spaces,
            reason,
            total,
            since,
            event: &event,
        })
    }

    /// Says something of the check itself.
    pub(super) fn say_of_check(&mut self, speech: &Speech<'_>) -> Vec<Birth> {
        spoken(&mut self.held_unknown, speech)
    }
}
