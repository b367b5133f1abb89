//! What an instance says when its time has come: it sums up, reminds, or may speak again.

use std::collections::BTreeSet;
use std::time::Duration;

use super::births::{about, birth, own_id};
use super::instance::Instance;
use super::{Birth, Case};
use crate::engine::debounce::{self, Close, Window};
use crate::engine::events::{Ids, InstanceId};
use crate::engine::incident::Reminder;
use crate::engine::message::Reason;
use crate::engine::outbox::Outbox;
use crate::engine::time::Now;
use crate::rules::{Severity, SpaceName};

impl Instance {
    /// Ends a window: sums up what it held and opens the next one, or lets the
    /// incident go on without one, or end.
    pub(super) fn close_window(&mut self, case: &Case<'_>) -> Vec<Birth> {
        let n_held = self.n_held();
        let Some(incident) = &mut self.incident else {
            return Vec::new();
        };
        let Some(window) = incident.window.take() else {
            return Vec::new();
        };
        let n_window = std::mem::take(&mut incident.n_window);
        if let Some(mute) = case.mute {
            if n_held > 0 {
                self.muted = Some(mute);
            }
            if n_window > 0 {
                incident.window = case.first_window(window.worst);
            }
            if incident.window.is_none() && !incident.has_end {
                self.incident = None;
            }
            return Vec::new();
        }
        let next = match debounce::close(&window, case.rule.debounce, n_held) {
            Close::Idle if incident.has_end => return Vec::new(),
            Close::Idle => {
                self.incident = None;
                return Vec::new();
            }
            Close::SumUp { next } => next,
        };
        let course = (incident.total, incident.opened, None);
        incident.said = incident.said.or(Some(window.worst));
        match next > Duration::ZERO {
            true => {
                incident.window = Some(Window {
                    length: next,
                    closes: case.now.moment.after(next),
                    worst: window.worst,
                });
            }
            false if incident.has_end => {}
            false => self.incident = None,
        }
        std::mem::take(&mut self.held)
            .into_iter()
            .map(|(space, tally)| birth(&space, case.id, Reason::Summary, tally, course))
            .collect()
    }

    /// The incident is spoken of again.
    pub(super) fn remind(&mut self, case: &Case<'_>, outbox: &Outbox) -> Vec<Birth> {
        let is_quiet = case.mute.is_some() || self.flapping.is_on();
        let latest = self.latest.clone().unwrap_or_default();
        let Some(incident) = &mut self.incident else {
            return Vec::new();
        };
        let n_said = incident.reminder.map_or(0, |next| next.n_said);
        let n_said = n_said + usize::from(!is_quiet);
        incident.reminder = Reminder::after(case.now.moment, n_said, &case.rule.repeat);
        let Some(worst) = incident.said.filter(|_| !is_quiet) else {
            return Vec::new();
        };
        let course = (incident.total, incident.opened, None);
        let mut births = Vec::new();
        for space in &incident.spaces {
            // Where the last word has not even left, it needs no reminder.
            if !outbox.absorbs(space, case.id) {
                let what = (own_id(case, "repeat"), case.now.wall, worst);
                let tally = about(self.held.remove(space), &latest, what);
                births.push(birth(space, case.id, Reason::Repeat, tally, course));
            }
        }
        births
    }

    /// It has not changed for long enough to speak again.
    pub(super) fn be_steady(&mut self, case: &Case<'_>) -> Vec<Birth> {
        let worst = self.quiet_worst.unwrap_or(Severity::Info);
        let course = match &mut self.incident {
            Some(incident) if case.mute.is_none() => {
                incident.said = Some(worst);
                incident.window = case.first_window(worst);
                incident.n_window = 0;
                incident.reminder = Reminder::after(case.now.moment, 0, &case.rule.repeat);
                (incident.total, incident.opened, None)
            }
            Some(_) => (0, case.now.wall, None),
            None => {
                self.quiet_worst = None;
                (0, case.now.wall, Some(case.now.wall))
            }
        };
        let Some(latest) = self.latest.clone() else {
            return Vec::new();
        };
        if let Some(mute) = case.mute {
            self.muted = (!self.held.is_empty()).then_some(mute);
            return Vec::new();
        }
        let what = (own_id(case, "steady"), case.now.wall, worst);
        (case.rule.spaces.iter())
            .map(|space| {
                let tally = about(self.held.remove(space), &latest, what);
                birth(space, case.id, Reason::Steady, tally, course)
            })
            .collect()
    }

    /// It may speak again: what it holds is said.
    pub(super) fn unmute(&mut self, case: &Case<'_>) -> Vec<Birth> {
        let Some(mute) = self.muted.take() else {
            return Vec::new();
        };
        if self.flapping.is_on() || self.held.is_empty() {
            return Vec::new();
        }
        let held = std::mem::take(&mut self.held);
        let worst = held.values().map(|tally| tally.worst).max();
        let course = self.incident.as_ref().map(|it| (it.total, it.opened, None));
        if let Some(incident) = &mut self.incident {
            incident.said = incident.said.max(worst);
            incident.spaces = held.keys().cloned().collect();
            incident.window = case.first_window(worst.unwrap_or(Severity::Info));
            incident.n_window = 0;
            incident.reminder = Reminder::after(case.now.moment, 0, &case.rule.repeat);
            if incident.window.is_none() && !incident.has_end {
                self.incident = None;
            }
        }
        self.quiet_worst = self.quiet_worst.max(worst);
        (held.into_iter())
            .map(|(space, tally)| {
                let course = course.unwrap_or((tally.count, tally.first, Some(tally.last)));
                birth(&space, case.id, mute.end(), tally, course)
            })
            .collect()
    }

    /// Its rule is no more: what is open is closed, what is counted is said.
    pub(super) fn drop_rule(mut self, now: Now, id: &InstanceId, ids: &Ids) -> Vec<Birth> {
        let Some(incident) = self.incident.filter(|it| it.has_end && it.said.is_some()) else {
            return std::mem::take(&mut self.held)
                .into_iter()
                .map(|(space, tally)| {
                    let course = (tally.count, tally.first, None);
                    birth(&space, id, Reason::Summary, tally, course)
                })
                .collect();
        };
        let (Some(latest), Some(worst)) = (self.latest, incident.said) else {
            return Vec::new();
        };
        let mut spaces: BTreeSet<SpaceName> = incident.spaces.into_iter().collect();
        spaces.extend(self.held.keys().cloned());
        let subject = format!("dropped {}", id.by.join("\0"));
        let what = (ids.own(&id.rule, &subject, now.wall), now.wall, worst);
        (spaces.iter())
            .map(|space| {
                let tally = about(self.held.remove(space), &latest, what);
                let course = (incident.total, incident.opened, Some(now.wall));
                birth(space, id, Reason::Dropped, tally, course)
            })
            .collect()
    }
}
