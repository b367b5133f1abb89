//! An instance on disk.

use serde::{Deserialize, Serialize};

use super::incident::{Incident, Resolving, Watch};
use super::instance::Instance;
use super::ring::Ring;
use super::{Case, watch_of};
use crate::engine::debounce::Window;
use crate::engine::events::InstanceId;
use crate::engine::incident::{Flapping, FlappingRecord, Reminder, ReminderRecord};
use crate::engine::message::{Shown, Tally};
use crate::engine::mute::Mute;
use crate::engine::time::{Now, Wall, millis};
use crate::rules::conditions::Resolve;
use crate::rules::{Rule, Severity, SpaceName};

use std::time::Duration;

use jiff::tz::TimeZone;

/// An instance that is not idle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// Which.
    pub id: InstanceId,
    /// Its open incident.
    #[serde(flatten)]
    pub incident: Option<IncidentRecord>,
    /// What is counted and not said yet, per space.
    pub held: Vec<(SpaceName, Tally)>,
    /// Hits that are not yet an event.
    #[serde(default, skip_serializing_if = "Ring::is_empty")]
    pub ring: Ring,
    /// When these are forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ring_until: Option<Wall>,
    /// Why it only counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    muted: Option<Mute>,
    #[serde(default, skip_serializing_if = "is_steady")]
    flapping: FlappingRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quiet_worst: Option<Severity>,
    /// When the last sign of life came, and when the next is missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watch: Option<(Wall, Option<Wall>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latest: Option<Shown>,
}

/// An open incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentRecord {
    /// When it began.
    pub opened: Wall,
    /// Its events so far.
    pub total: u64,
    /// When its window ends, if one is open.
    pub closes: Option<Wall>,
    /// How long the window is, in milliseconds.
    pub length_ms: u64,
    /// The worst severity that was said.
    pub worst: Option<Severity>,
    /// Its events since the window began.
    #[serde(default)]
    n_window: u64,
    /// Where it was said.
    #[serde(default)]
    spaces: Vec<SpaceName>,
    /// Whether its end is said.
    #[serde(default)]
    has_end: bool,
    /// When its last event came.
    #[serde(default)]
    last: Wall,
    /// What seems to have ended it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolving: Option<(Wall, Shown)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reminder: Option<ReminderRecord>,
}

fn is_steady(flapping: &FlappingRecord) -> bool {
    *flapping == FlappingRecord::default()
}

impl Instance {
    /// Goes on with an instance of an earlier life.
    pub(super) fn restored(
        record: InstanceRecord,
        rule: Option<&Rule>,
        now: Now,
        zone: &TimeZone,
    ) -> Self {
        let gaps = rule.map_or(&[][..], |rule| &rule.repeat);
        let resolve = rule.and_then(|rule| rule.conditions.resolve.as_ref());
        let absent = rule.and_then(|rule| rule.conditions.absent.as_ref());
        Self {
            ring: record.ring,
            ring_until: record.ring_until.map(|at| now.moment_of(at, Duration::MAX)),
            incident: record.incident.map(|record| {
                let length = Duration::from_millis(record.length_ms);
                Incident {
                    opened: record.opened,
                    total: record.total,
                    window: record.closes.map(|closes| Window {
                        closes: now.moment_of(closes, length),
                        length,
                        worst: record.worst.unwrap_or(Severity::Info),
                    }),
                    n_window: record.n_window,
                    said: record.worst,
                    spaces: record.spaces,
                    has_end: record.has_end,
                    last: record.last,
                    quiet_until: quiet_until(now, record.last, resolve),
                    resolving: (record.resolving)
                        .map(|(at, shown)| Resolving::new(now, at, shown, resolve)),
                    reminder: (record.reminder).and_then(|next| Reminder::new(next, now, gaps)),
                }
            }),
            held: record.held.into_iter().collect(),
            muted: record.muted,
            flapping: Flapping::new(&record.flapping, now),
            quiet_worst: record.quiet_worst,
            watch: record.watch.map(|(last, due)| Watch {
                last,
                due: due.and_then(|_| watch_of(now, last, absent?, zone)),
            }),
            latest: record.latest,
            deadline: None,
        }
    }

    /// What goes to disk.
    pub(super) fn record(&self, id: InstanceId, now: Now) -> InstanceRecord {
        InstanceRecord {
            id,
            incident: self.incident.as_ref().map(|incident| IncidentRecord {
                opened: incident.opened,
                total: incident.total,
                closes: incident.window.map(|window| now.wall_of(window.closes)),
                length_ms: incident.window.map_or(0, |window| millis(window.length)),
                worst: incident.said,
                n_window: incident.n_window,
                spaces: incident.spaces.clone(),
                has_end: incident.has_end,
                last: incident.last,
                resolving: (incident.resolving.as_ref()).map(|it| (it.at, it.shown.clone())),
                reminder: incident.reminder.map(|reminder| reminder.record(now)),
            }),
            held: (self.held.iter())
                .map(|(space, tally)| (space.clone(), tally.clone()))
                .collect(),
            ring: self.ring.clone(),
            ring_until: self.ring_until.map(|at| now.wall_of(at)),
            muted: self.muted,
            flapping: self.flapping.record(now),
            quiet_worst: self.quiet_worst,
            watch: (self.watch.as_ref())
                .map(|watch| (watch.last, watch.due.map(|due| now.wall_of(due)))),
            latest: self.latest.clone(),
        }
    }

    /// Takes over a changed rule: what is due is reckoned anew.
    pub(super) fn meet(&mut self, case: &Case<'_>, is_changed: bool) {
        let conditions = &case.rule.conditions;
        if is_changed || conditions.threshold.is_none() {
            self.ring = Ring::default();
            self.ring_until = None;
        }
        let has_end = case.has_end();
        if let Some(incident) = &mut self.incident {
            incident.has_end = has_end;
            incident.quiet_until =
                quiet_until(case.now, incident.last, conditions.resolve.as_ref());
            incident.resolving = (incident.resolving.take())
                .filter(|_| conditions.resolving().is_some())
                .map(|it| Resolving::new(case.now, it.at, it.shown, conditions.resolve.as_ref()));
            incident.reminder = match (incident.reminder, case.rule.repeat.is_empty()) {
                (_, true) => None,
                (Some(next), false) => {
                    Reminder::new(next.record(case.now), case.now, &case.rule.repeat)
                }
                (None, false) => Reminder::after(case.now.moment, 0, &case.rule.repeat),
            };
            incident.fit_window(case);
        }
        self.watch = match (&conditions.absent, self.watch.take()) {
            (Some(absent), Some(watch)) => Some(Watch {
                due: (watch.due).and_then(|_| watch_of(case.now, watch.last, absent, case.zone)),
                last: watch.last,
            }),
            (Some(_) | None, _) => None,
        };
    }
}

/// When an incident has been quiet for long enough.
fn quiet_until(
    now: Now,
    last: Wall,
    resolve: Option<&Resolve>,
) -> Option<crate::engine::time::Moment> {
    match resolve? {
        Resolve::Quiet(quiet) => Some(now.moment_of(last.after(*quiet), *quiet)),
        Resolve::Record { .. } => None,
    }
}
