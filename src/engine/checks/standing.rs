//! What one check has said and holds: results become messages, or only count.

use std::collections::BTreeSet;
use std::time::Duration;

use super::finding;
use super::speech::{Speech, add, event_of, hold, hold_with, spoken, tally_about};
use super::state::Turn;
use super::{CheckRecord, Held, Problem, Standing, keeps_plan};
use crate::engine::debounce::Window;
use crate::engine::events::{Event, Ids};
use crate::engine::incident::{Change, Flapping, Reminder};
use crate::engine::instances::Birth;
use crate::engine::message::{Draft, Reason, Shown, Tally};
use crate::engine::mute::Mute;
use crate::engine::outbox::Outbox;
use crate::engine::time::{Moment, Now, millis};
use crate::rules::{Rule, RuleKey, Severity, SpaceName};

impl Standing {
    pub(super) fn wakeup(&self) -> Option<Moment> {
        let plan = self.plan.as_ref().and_then(|(_, plan)| plan.wakeup());
        let window = self.window.map(|window| window.closes);
        let reminder = self.reminder.map(|next| next.due);
        [plan, window, reminder, self.flapping.ends()]
            .into_iter()
            .flatten()
            .min()
    }

    /// What a result changes, said or counted.
    pub(super) fn turn(
        &mut self,
        now: Now,
        rule: &Rule,
        (turn, mute): (Turn, Option<Mute>),
        event: Event,
        outbox: &mut Outbox,
    ) -> Vec<Birth> {
        match turn {
            Turn::Fine => Vec::new(),
            Turn::Soft => {
                add(&mut self.soft, &event);
                Vec::new()
            }
            Turn::Opens => self.open(now, rule, mute, event),
            Turn::Lasts => {
                self.last(rule, &event, outbox);
                Vec::new()
            }
            Turn::Worsens if mute.is_some() => {
                self.muted = mute;
                self.last(rule, &event, outbox);
                Vec::new()
            }
            Turn::Worsens => self.worsen(now, rule, &event, outbox),
            Turn::Mends => Vec::new(),
            Turn::Closes => self.close(now, mute, &event, outbox),
            Turn::Doubtful => {
                add(&mut self.doubt, &event);
                Vec::new()
            }
            Turn::Breaks => self.break_down(now, rule, mute, event),
            Turn::Broken => {
                if let Some(broken) = &mut self.broken {
                    broken.total += 1;
                }
                for space in &rule.spaces {
                    hold(&mut self.held_unknown, space, &event);
                }
                Vec::new()
            }
        }
    }

    /// A problem opens.
    pub(super) fn open(
        &mut self,
        now: Now,
        rule: &Rule,
        mute: Option<Mute>,
        event: Event,
    ) -> Vec<Birth> {
        self.latest = Some(Shown::of(&event));
        let total = hold_with(&mut self.soft, &mut self.held, &rule.spaces, &event);
        let change = match mute {
            None => self.flapping.change(now.moment),
            Some(_) => Change::Hold,
        };
        let quiet =
            mute.is_some() || change == Change::Hold && self.quiet_worst >= Some(event.severity);
        self.muted = mute.or(self.muted);
        self.problem = Some(Problem {
            opened: event.at,
            total,
            said: (!quiet).then_some(event.severity),
            spaces: rule.spaces.clone(),
        });
        if quiet {
            return Vec::new();
        }
        let reason = match change {
            Change::Say => Reason::First,
            Change::Flaps => Reason::Flapping,
            Change::Hold => Reason::Severity,
        };
        self.quiet_worst = self.quiet_worst.max(Some(event.severity));
        self.reminder = match change {
            Change::Say => Reminder::after(now.moment, 0, &rule.repeat),
            Change::Flaps | Change::Hold => None,
        };
        self.say(&Speech {
            spaces: &rule.spaces,
            reason,
            total,
            since: event.at,
            event: &event,
        })
    }

    /// A problem goes on.
    pub(super) fn last(&mut self, rule: &Rule, event: &Event, outbox: &mut Outbox) {
        self.latest = Some(Shown::of(event));
        let total = self.count_problem();
        self.hold_unabsorbed(rule, event, total, outbox);
    }

    /// Holds a result for the spaces where no waiting message speaks for it as well.
    /// Returns these.
    fn hold_unabsorbed(
        &mut self,
        rule: &Rule,
        event: &Event,
        total: u64,
        outbox: &mut Outbox,
    ) -> Vec<SpaceName> {
        let mut unsaid = self.problem_spaces(rule);
        unsaid.retain(|space| !outbox.absorb(space, event, &Tally::of(event), total));
        for space in &unsaid {
            hold(&mut self.held, space, event);
        }
        unsaid
    }

    /// A problem gets worse.
    pub(super) fn worsen(
        &mut self,
        now: Now,
        rule: &Rule,
        event: &Event,
        outbox: &mut Outbox,
    ) -> Vec<Birth> {
        if self.flapping.is_on() && self.quiet_worst >= Some(event.severity) {
            self.last(rule, event, outbox);
            return Vec::new();
        }
        self.latest = Some(Shown::of(event));
        self.quiet_worst = self.quiet_worst.max(Some(event.severity));
        let total = self.count_problem();
        let since = self
            .problem
            .as_ref()
            .map_or(now.wall, |problem| problem.opened);
        if let Some(problem) = &mut self.problem {
            problem.said = problem.said.max(Some(event.severity));
        }
        let unsaid = self.hold_unabsorbed(rule, event, total, outbox);
        self.say(&Speech {
            spaces: &unsaid,
            reason: Reason::Severity,
            total,
            since,
            event,
        })
    }

    /// A problem is over.
    pub(super) fn close(
        &mut self,
        now: Now,
        mute: Option<Mute>,
        event: &Event,
        outbox: &mut Outbox,
    ) -> Vec<Birth> {
        self.latest = Some(Shown::of(event));
        self.reminder = None;
        let Some(problem) = self.problem.take() else {
            return Vec::new();
        };
        if problem.said.is_none() && self.muted.is_some() {
            // What is held is said when it may be.
            return Vec::new();
        }
        let change = match mute {
            Some(_) if !self.flapping.is_on() => Change::Say,
            Some(_) => Change::Hold,
            None => self.flapping.change(now.moment),
        };
        let reason = match change {
            Change::Say => Reason::Resolved,
            Change::Flaps => Reason::Flapping,
            Change::Hold => return Vec::new(),
        };
        self.quiet_worst = match change {
            Change::Flaps => problem.said,
            Change::Say | Change::Hold => None,
        };
        let worst = problem.said.unwrap_or(Severity::Info);
        let mut unsaid = Vec::new();
        for space in &problem.spaces {
            let mut tally = tally_about(self.held.get(space), event, worst);
            tally.latest = Shown::of(event);
            let is_unseen = reason == Reason::Resolved
                && outbox.conclude(space, &event.instance, &tally, problem.total, event.at);
            match is_unseen {
                true => drop(self.held.remove(space)),
                false => unsaid.push(space.clone()),
            }
        }
        let event = Event {
            severity: worst,
            ..event.clone()
        };
        self.say(&Speech {
            spaces: &unsaid,
            reason,
            total: problem.total,
            since: problem.opened,
            event: &event,
        })
    }

    /// It has not changed for long enough to speak again.
    pub(super) fn be_steady(
        &mut self,
        now: Now,
        rule: &Rule,
        mute: Option<Mute>,
        ids: &Ids,
    ) -> Vec<Birth> {
        if mute.is_some() {
            // What is held is said when it may be.
            self.muted = mute;
            return Vec::new();
        }
        let worst = self.quiet_worst.unwrap_or(Severity::Info);
        let Some(latest) = self.latest.clone() else {
            return Vec::new();
        };
        let (total, since) = match &mut self.problem {
            Some(problem) => {
                problem.said = Some(worst);
                (problem.total, problem.opened)
            }
            None => {
                self.quiet_worst = None;
                (0, now.wall)
            }
        };
        self.reminder = match &self.problem {
            Some(_) => Reminder::after(now.moment, 0, &rule.repeat),
            None => None,
        };
        let event = event_of(ids, &rule.key, now, &latest, worst, "steady");
        self.say(&Speech {
            spaces: &rule.spaces,
            reason: Reason::Steady,
            total,
            since,
            event: &event,
        })
    }

    /// The problem is spoken of again.
    pub(super) fn remind(
        &mut self,
        now: Now,
        rule: &Rule,
        mute: Option<Mute>,
        ids: &Ids,
        outbox: &Outbox,
    ) -> Vec<Birth> {
        let n_said = self.reminder.map_or(0, |next| next.n_said) + 1;
        self.reminder = Reminder::after(now.moment, n_said, &rule.repeat);
        let (Some(problem), Some(latest)) = (self.problem.clone(), self.latest.clone()) else {
            self.reminder = None;
            return Vec::new();
        };
        if self.flapping.is_on() || mute.is_some() {
            return Vec::new();
        }
        let severity = problem.said.unwrap_or(rule.severity);
        let event = event_of(ids, &rule.key, now, &latest, severity, "repeat");
        // Where the last word has not even left, it needs no reminder.
        let spaces: Vec<SpaceName> = (problem.spaces.iter())
            .filter(|space| !outbox.absorbs(space, &event.instance))
            .cloned()
            .collect();
        self.say(&Speech {
            spaces: &spaces,
            reason: Reason::Repeat,
            total: problem.total,
            since: problem.opened,
            event: &event,
        })
    }

    /// It may speak again: what it holds is said, and that a problem is still open.
    pub(super) fn unmute(&mut self, now: Now, rule: &Rule, ids: &Ids) -> Vec<Birth> {
        let Some(mute) = self.muted.take().filter(|_| !self.flapping.is_on()) else {
            return Vec::new();
        };
        let mut births = Vec::new();
        let worst = self.held.values().map(|tally| tally.worst).max();
        if let (Some(latest), Some(worst)) = (self.latest.clone(), worst) {
            let (total, since) = match &mut self.problem {
                Some(problem) => {
                    problem.said = problem.said.max(Some(worst));
                    self.reminder = Reminder::after(now.moment, 0, &rule.repeat);
                    (problem.total, problem.opened)
                }
                None => (0, now.wall),
            };
            self.quiet_worst = self.quiet_worst.max(Some(worst));
            let event = event_of(ids, &rule.key, now, &latest, worst, "unmuted");
            births = self.say(&Speech {
                spaces: &rule.spaces,
                reason: mute.end(),
                total,
                since,
                event: &event,
            });
        }
        if !self.held_unknown.is_empty() && self.window.is_none() {
            let window = Window {
                closes: now.moment,
                length: Duration::ZERO,
                worst: finding::BROKEN,
            };
            births.extend(self.sum_up_unknown(now, rule, window, ids));
        }
        births
    }

    /// Its rule is no more: what is open is closed, what is counted is said.
    pub(super) fn be_dropped(mut self, now: Now, key: &RuleKey, ids: &Ids) -> Vec<Birth> {
        let mut births = Vec::new();
        let problem = self.problem.take();
        let opened = problem.as_ref().map_or(now.wall, |problem| problem.opened);
        let total = problem.as_ref().map_or(0, |problem| problem.total);
        let mut spaces: BTreeSet<SpaceName> = self.held.keys().cloned().collect();
        spaces.extend(problem.iter().flat_map(|problem| problem.spaces.clone()));
        spaces.extend(self.held_unknown.keys().cloned());
        spaces.extend(self.broken.iter().flat_map(|broken| broken.spaces.clone()));
        let last = [&self.held, &self.held_unknown]
            .into_iter()
            .flat_map(|held| held.values().map(|tally| tally.latest.clone()))
            .next();
        let broken = self.broken.as_ref().map(|broken| broken.latest.clone());
        let Some(latest) = self.latest.clone().or(broken).or(last) else {
            return births;
        };
        let severity = problem.and_then(|problem| problem.said);
        let severity = severity.unwrap_or(finding::BROKEN);
        let event = event_of(ids, key, now, &latest, severity, "dropped");
        for space in spaces {
            let mut tally = tally_about(self.held.get(&space), &event, severity);
            if let Some(unknown) = self.held_unknown.get(&space) {
                tally.merge(unknown);
            }
            births.push(Birth {
                space,
                instance: event.instance.clone(),
                draft: Draft {
                    reason: Reason::Dropped,
                    tally,
                    total,
                    since: opened,
                    until: None,
                },
            });
        }
        births
    }

    /// Says something of what is checked, with all that is counted.
    pub(super) fn say(&mut self, speech: &Speech<'_>) -> Vec<Birth> {
        spoken(&mut self.held, speech)
    }

    pub(super) fn count_problem(&mut self) -> u64 {
        match &mut self.problem {
            Some(problem) => {
                problem.total += 1;
                problem.total
            }
            None => 0,
        }
    }

    fn problem_spaces(&self, rule: &Rule) -> Vec<SpaceName> {
        match &self.problem {
            Some(problem) => problem.spaces.clone(),
            None => rule.spaces.clone(),
        }
    }

    pub(super) fn n_pending(&self) -> (usize, bool) {
        (
            self.held.len() + self.held_unknown.len(),
            self.window.is_some(),
        )
    }

    /// Whether nothing of it needs to be kept but its plan.
    pub(super) fn is_plain(&self) -> bool {
        self.state.is_plain()
            && self.problem.is_none()
            && self.broken.is_none()
            && self.window.is_none()
            && self.flapping == Flapping::default()
            && self.muted.is_none()
            && self.held.is_empty()
            && self.held_unknown.is_empty()
    }

    pub(super) fn record(&self, key: &RuleKey, now: Now) -> Option<CheckRecord> {
        let due = match &self.plan {
            Some((when, plan)) if keeps_plan(when) => plan.due(now),
            Some(_) | None => None,
        };
        if self.is_plain() && due.is_none() {
            return None;
        }
        let list = |held: &Held| {
            (held.iter())
                .map(|(space, tally)| (space.clone(), tally.clone()))
                .collect()
        };
        Some(CheckRecord {
            key: key.clone(),
            due,
            state: self.state.clone(),
            soft: self.soft.clone(),
            doubt: self.doubt.clone(),
            problem: self.problem.clone(),
            broken: self.broken.clone(),
            window: (self.window).map(|window| (now.wall_of(window.closes), millis(window.length))),
            flapping: self.flapping.record(now),
            quiet_worst: self.quiet_worst,
            reminder: self.reminder.map(|reminder| reminder.record(now)),
            held: list(&self.held),
            held_unknown: list(&self.held_unknown),
            is_ruleless: self.is_ruleless,
            muted: self.muted,
            latest: match self.is_plain() {
                true => None,
                false => self.latest.clone(),
            },
        })
    }
}
