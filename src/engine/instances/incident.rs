//! An open incident, what may end it, and the signs of life that are waited for.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Case;
use crate::engine::debounce::Window;
use crate::engine::incident::Reminder;
use crate::engine::message::Shown;
use crate::engine::time::{Moment, Now, Wall, nanos};
use crate::rules::conditions::{Absence, Resolve};
use crate::rules::{Debounce, Severity, SpaceName};

/// An open incident.
#[derive(Debug, Clone)]
pub(super) struct Incident {
    pub(super) opened: Wall,
    pub(super) total: u64,
    pub(super) window: Option<Window>,
    /// Events since the window began.
    pub(super) n_window: u64,
    /// The worst severity that was said; nothing if all was kept quiet.
    pub(super) said: Option<Severity>,
    /// Where it was said, and where its end is said.
    pub(super) spaces: Vec<SpaceName>,
    /// Whether its end is said.
    pub(super) has_end: bool,
    /// When its last event came, on the agent's clock.
    pub(super) last: Wall,
    /// When it has been quiet for long enough.
    pub(super) quiet_until: Option<Moment>,
    /// What seems to have ended it.
    pub(super) resolving: Option<Resolving>,
    pub(super) reminder: Option<Reminder>,
}

/// An incident that seems to be over.
#[derive(Debug, Clone)]
pub(super) struct Resolving {
    /// When it is.
    pub(super) due: Moment,
    /// Since when.
    pub(super) at: Wall,
    /// By which record.
    pub(super) shown: Shown,
}

/// Signs of life, and when the next one is missed.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    /// The last one, or when they were first waited for.
    pub(super) last: Wall,
    /// When it has been too long; nothing once it has.
    pub(super) due: Option<Moment>,
}

/// When a sign of life is missed after the last one.
pub fn watch_of(now: Now, last: Wall, absent: &Absence, zone: &TimeZone) -> Option<Moment> {
    let due = match absent {
        Absence::For(longest) => last.after(*longest),
        Absence::Cron { cron, grace } => {
            let after = Timestamp::from_microsecond(last.0).ok()?;
            Wall(cron.next(after, zone)?.as_microsecond()).after(*grace)
        }
    };
    Some(now.moment_of(due, due.since(last)))
}

impl Resolving {
    pub(super) fn new(now: Now, at: Wall, shown: Shown, resolve: Option<&Resolve>) -> Self {
        let after = match resolve {
            Some(Resolve::Record { after, .. }) => *after,
            Some(Resolve::Quiet(_)) | None => Duration::ZERO,
        };
        let due = now.moment_of(at.after(after), after);
        Self { due, at, shown }
    }
}

impl Incident {
    /// Keeps the window within what a changed rule wants.
    pub(super) fn fit_window(&mut self, case: &Case<'_>) {
        let Debounce::Window { every, max } = case.rule.debounce else {
            return;
        };
        match &mut self.window {
            Some(window) => {
                let length = window.length.clamp(every, max);
                let earlier = nanos(window.length.saturating_sub(length));
                let later = length.saturating_sub(window.length);
                window.closes = Moment(window.closes.after(later).0.saturating_sub(earlier));
                window.length = length;
            }
            // Without an end it must be closed by one.
            None if !self.has_end => {
                self.window = case.first_window(self.said.unwrap_or(Severity::Info));
            }
            None => {}
        }
    }
}
