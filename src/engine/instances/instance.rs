//! One instance: what an event, the end of an incident or a deadline makes it say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::births::{about, birth, missed, own_id, said_alone};
use super::incident::{Incident, Resolving, Watch, watch_of};
use super::ring::Ring;
use super::{Birth, Case, Sight};
use crate::engine::debounce::{self, Verdict};
use crate::engine::events::{Event, EventId};
use crate::engine::incident::{Change, Flapping, Reminder};
use crate::engine::message::{Reason, Shown, Tally};
use crate::engine::mute::Mute;
use crate::engine::outbox::Outbox;
use crate::engine::scan::Sample;
use crate::engine::time::{Moment, Wall};
use crate::rules::conditions::Resolve;
use crate::rules::{Debounce, Rule, Severity, SpaceName};

/// How long hits that are not yet an event are remembered beyond their time, for
/// those that come late.
const RING_GRACE: Duration = Duration::from_secs(3_600);

/// An instance that is not idle.
#[derive(Debug, Clone, Default)]
pub(super) struct Instance {
    pub(super) ring: Ring,
    /// When the hits in it are forgotten.
    pub(super) ring_until: Option<Moment>,
    pub(super) incident: Option<Incident>,
    /// What is counted and not said.
    pub(super) held: BTreeMap<SpaceName, Tally>,
    /// Why it only counts.
    pub(super) muted: Option<Mute>,
    pub(super) flapping: Flapping,
    /// The worst that was said since an end was said last.
    pub(super) quiet_worst: Option<Severity>,
    /// Whether signs of life are missed.
    pub(super) watch: Option<Watch>,
    /// The last record that opened, went on with or ended an incident.
    pub(super) latest: Option<Shown>,
    /// When something is due, as it stands in the list of all.
    pub(super) deadline: Option<Moment>,
}

/// What others need to know of an instance that may have changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StandingOf {
    pub(super) is_open: bool,
    n_held: u64,
    pub(super) muted: Option<Mute>,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Say(Reason),
    Hold,
}

impl Instance {
    pub(super) fn standing(&self) -> StandingOf {
        StandingOf {
            is_open: self.is_open(),
            n_held: self.n_held(),
            muted: self.muted,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.incident.is_some()
    }

    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watch.is_some()
    }

    pub(super) fn n_held(&self) -> u64 {
        self.held.values().map(|tally| tally.count).sum()
    }

    /// Whether nothing of it needs to be kept.
    pub(super) fn is_idle(&self) -> bool {
        self.ring.is_empty()
            && self.incident.is_none()
            && self.held.is_empty()
            && self.watch.is_none()
            && self.flapping == Flapping::default()
    }

    /// Whether another instance may take its room: it holds nothing but the memory of
    /// changes, or of hits that are too old to count.
    pub(super) fn is_forgettable(&self, now: Moment, rule: &Rule) -> bool {
        let within = (rule.conditions.threshold.as_ref()).map_or(Duration::ZERO, |t| t.within);
        let is_old = |until: Moment| until <= now.after(RING_GRACE) && within > Duration::ZERO;
        self.incident.is_none()
            && self.held.is_empty()
            && self.watch.is_none()
            && !self.flapping.is_on()
            && (self.ring.is_empty() || self.ring_until.is_none_or(is_old))
    }

    /// When something is due. What waits for all to be read has no time of its own.
    pub(super) fn wakeup(&self, is_overdue: bool) -> Option<Moment> {
        let incident = self.incident.as_ref();
        let window = incident
            .and_then(|it| it.window)
            .map(|window| window.closes);
        let reminder = incident.and_then(|it| it.reminder).map(|next| next.due);
        let judged = self.judged_at().filter(|_| !is_overdue);
        [
            window,
            reminder,
            self.flapping.ends(),
            self.ring_until,
            judged,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When something is due that only happens if nothing else does.
    fn judged_at(&self) -> Option<Moment> {
        let incident = self.incident.as_ref();
        let quiet = incident.and_then(|it| it.quiet_until);
        let resolving = incident
            .and_then(|it| it.resolving.as_ref())
            .map(|it| it.due);
        let watch = self.watch.as_ref().and_then(|watch| watch.due);
        [quiet, resolving, watch].into_iter().flatten().min()
    }

    /// Whether something of that kind is due.
    pub(super) fn is_judged_by(&self, now: Moment) -> bool {
        self.judged_at().is_some_and(|at| at <= now)
    }

    /// Takes a hit: one of several that are wanted, or an event. Returns for how many
    /// events it stands.
    pub(super) fn hit(
        &mut self,
        case: &Case<'_>,
        event: &Event,
        births: &mut Vec<Birth>,
        outbox: &mut Outbox,
    ) -> u64 {
        if case.mute.is_none() {
            births.extend(self.unmute(case));
        }
        let counted = match (&self.incident, &case.rule.conditions.threshold) {
            (None, Some(threshold)) => match self.ring.take(threshold, event) {
                Some(counted) => counted,
                None => {
                    let longest = threshold.within.saturating_add(RING_GRACE);
                    self.ring_until = Some(case.now.moment.after(longest));
                    return 0;
                }
            },
            (Some(_), _) | (None, None) => Tally::of(event),
        };
        self.ring_until = None;
        let since = counted.first;
        self.event(case, event, &counted, since, births, outbox);
        counted.count
    }

    /// Takes an event, which may stand for several hits.
    fn event(
        &mut self,
        case: &Case<'_>,
        event: &Event,
        counted: &Tally,
        since: Wall,
        births: &mut Vec<Birth>,
        outbox: &mut Outbox,
    ) {
        let (has_end, rule) = (case.has_end(), case.rule);
        let is_lone = rule.debounce == Debounce::None && !has_end;
        if is_lone && case.mute.is_none() {
            return said_alone(case, event, counted, births, outbox);
        }
        let opens = self.incident.is_none();
        let is_change = opens && has_end && case.mute.is_none();
        let change = match (is_change, self.flapping.is_on()) {
            (true, _) => self.flapping.change(case.now.moment),
            (false, true) => Change::Hold,
            (false, false) => Change::Say,
        };
        let incident = self.incident.get_or_insert_with(|| Incident {
            opened: since,
            total: 0,
            window: None,
            n_window: 0,
            said: None,
            spaces: rule.spaces.clone(),
            has_end,
            last: case.now.wall,
            quiet_until: None,
            resolving: None,
            reminder: None,
        });
        incident.total += counted.count;
        incident.n_window += counted.count;
        incident.last = case.now.wall;
        incident.resolving = None;
        if let Some(Resolve::Quiet(quiet)) = &rule.conditions.resolve {
            incident.quiet_until = Some(case.now.moment.after(*quiet));
        }
        self.latest = Some(Shown::of(event));
        let word = match (case.mute, change) {
            (Some(mute), _) => {
                self.muted = Some(mute);
                Word::Hold
            }
            (None, Change::Hold) if self.quiet_worst >= Some(event.severity) => Word::Hold,
            (None, Change::Hold) => Word::Say(Reason::Severity),
            (None, Change::Flaps) => Word::Say(Reason::Flapping),
            (None, Change::Say) => match (opens, incident.said, &incident.window) {
                (true, _, _) | (false, None, _) => Word::Say(match rule.conditions.absent {
                    Some(_) => Reason::Absent,
                    None => Reason::First,
                }),
                (false, Some(_), None) => Word::Say(Reason::Summary),
                (false, Some(_), window) => {
                    match debounce::decide(event.severity, window.as_ref()) {
                        Verdict::Hold => Word::Hold,
                        Verdict::Open | Verdict::Worse => Word::Say(Reason::Severity),
                    }
                }
            },
        };
        let (total, since) = (incident.total, incident.opened);
        for space in &rule.spaces {
            if word != Word::Say(Reason::Flapping) && outbox.absorb(space, event, counted, total) {
                continue;
            }
            // A summary that was born just now absorbs it as well.
            let alike = |birth: &&mut Birth| birth.space == *space && birth.draft.reason.absorbs();
            if let Some(birth) = births.iter_mut().find(alike) {
                birth.draft.tally.count_in(event, counted);
                birth.draft.total = total;
                continue;
            }
            match word {
                Word::Hold => match self.held.get_mut(space) {
                    Some(tally) => tally.count_in(event, counted),
                    None => drop(self.held.insert(space.clone(), counted.clone())),
                },
                Word::Say(reason) => {
                    let tally = match self.held.remove(space) {
                        Some(mut tally) => {
                            tally.count_in(event, counted);
                            tally
                        }
                        None => counted.clone(),
                    };
                    births.push(birth(space, case.id, reason, tally, (total, since, None)));
                }
            }
        }
        self.after_event(case, event, (opens, change, word));
    }

    /// Windows and reminders after an event.
    fn after_event(&mut self, case: &Case<'_>, event: &Event, what: (bool, Change, Word)) {
        let (opens, change, word) = what;
        let is_flapping = self.flapping.is_on();
        let Some(incident) = &mut self.incident else {
            return;
        };
        match word {
            Word::Say(_) => {
                incident.said = incident.said.max(Some(event.severity));
                self.quiet_worst = self.quiet_worst.max(Some(event.severity));
                if is_flapping {
                    // It is over when it has not changed for a while.
                    incident.window = None;
                } else if incident.window.is_none() {
                    incident.window = case.first_window(event.severity);
                    incident.n_window = 0;
                }
                if opens && change == Change::Say && incident.has_end {
                    incident.reminder = Reminder::after(case.now.moment, 0, &case.rule.repeat);
                }
            }
            Word::Hold if case.mute.is_some() && incident.window.is_none() => {
                incident.window = case.first_window(event.severity);
                incident.n_window = 0;
                if incident.window.is_none() && !incident.has_end {
                    self.incident = None;
                    return;
                }
            }
            Word::Hold => {}
        }
        if let Some(window) = &mut incident.window {
            window.worst = window.worst.max(event.severity);
        }
    }

    /// Does what is due. Without a `sight` only what has a time of its own: an event
    /// is about to come.
    pub(super) fn look(
        &mut self,
        case: &Case<'_>,
        sight: Option<Sight>,
        outbox: &mut Outbox,
    ) -> Vec<Birth> {
        let now = case.now.moment;
        let mut births = Vec::new();
        if self.flapping.end(now) {
            births.extend(self.be_steady(case));
        }
        if sight == Some(Sight::Clear) {
            births.extend(self.judge(case, outbox));
        }
        let incident = self.incident.as_ref();
        if incident
            .and_then(|it| it.window)
            .is_some_and(|window| window.closes <= now)
        {
            births.extend(self.close_window(case));
        }
        let reminder = self.incident.as_ref().and_then(|it| it.reminder);
        if reminder.is_some_and(|next| next.due <= now) {
            births.extend(self.remind(case, outbox));
        }
        if self.ring_until.is_some_and(|until| until <= now) {
            self.ring = Ring::default();
            self.ring_until = None;
        }
        births
    }

    /// Ends the window early, if there is one.
    pub(super) fn end_window(&mut self, now: Moment) {
        if let Some(window) = self.incident.as_mut().and_then(|it| it.window.as_mut()) {
            window.closes = window.closes.min(now);
        }
    }

    /// What happens because nothing else did.
    fn judge(&mut self, case: &Case<'_>, outbox: &mut Outbox) -> Vec<Birth> {
        let now = case.now.moment;
        let is_due = |due: Option<Moment>| due.is_some_and(|due| due <= now);
        let incident = self.incident.as_ref();
        if let Some(resolving) = incident.and_then(|it| it.resolving.clone())
            && resolving.due <= now
        {
            let id = own_id(case, "resolved");
            return self.end(case, resolving.at, resolving.shown, id, outbox);
        }
        if is_due(incident.and_then(|it| it.quiet_until)) {
            let id = own_id(case, "quiet");
            let shown = self.latest.clone().unwrap_or_default();
            return self.end(case, case.now.wall, shown, id, outbox);
        }
        let Some(watch) = self.watch.as_mut().filter(|watch| is_due(watch.due)) else {
            return Vec::new();
        };
        watch.due = None;
        let since = watch.last;
        let event = missed(case);
        let mut births = Vec::new();
        let counted = Tally::of(&event);
        self.event(case, &event, &counted, since, &mut births, outbox);
        births
    }

    /// A record ends the incident, at once or if it stays so.
    pub(super) fn resolved_by(
        &mut self,
        case: &Case<'_>,
        event: &Event,
        outbox: &mut Outbox,
    ) -> Vec<Birth> {
        let Some(incident) = &mut self.incident else {
            return Vec::new();
        };
        let Some(Resolve::Record { after, .. }) = &case.rule.conditions.resolve else {
            return Vec::new();
        };
        if after.is_zero() {
            let id = case.ids.apart(event.id, case.id);
            return self.end(case, event.at, Shown::of(event), id, outbox);
        }
        incident.resolving.get_or_insert_with(|| Resolving {
            due: case.now.moment.after(*after),
            at: event.at,
            shown: Shown::of(event),
        });
        Vec::new()
    }

    /// A sign of life: it was not too long ago, or it ends the absence.
    pub(super) fn alive(
        &mut self,
        case: &Case<'_>,
        event: &Event,
        outbox: &mut Outbox,
    ) -> Vec<Birth> {
        let last = self.watch.as_ref().map(|watch| watch.last);
        self.watch(case, last.unwrap_or(event.at).max(event.at));
        let is_back = (self.watch.as_ref().and_then(|watch| watch.due))
            .is_some_and(|due| due > case.now.moment);
        if self.incident.is_none() {
            return Vec::new();
        }
        if !is_back {
            // An old record: it is missed all the same.
            self.watch = self.watch.take().map(|watch| Watch { due: None, ..watch });
            return Vec::new();
        }
        let id = case.ids.apart(event.id, case.id);
        self.end(case, event.at, Shown::of(event), id, outbox)
    }

    /// Waits for signs of life from then on.
    pub(super) fn watch(&mut self, case: &Case<'_>, since: Wall) {
        let absent = case.rule.conditions.absent.as_ref();
        self.watch = absent.map(|absent| Watch {
            last: since,
            due: watch_of(case.now, since, absent, case.zone),
        });
    }

    /// The incident is over: that is said where it was said that it began.
    pub(super) fn end(
        &mut self,
        case: &Case<'_>,
        at: Wall,
        last: Shown,
        id: EventId,
        outbox: &mut Outbox,
    ) -> Vec<Birth> {
        let Some(incident) = self.incident.take() else {
            return Vec::new();
        };
        let last = self.with_captures(last);
        self.latest = Some(last.clone());
        let change = match case.mute {
            None => self.flapping.change(case.now.moment),
            Some(_) if self.flapping.is_on() => Change::Hold,
            Some(_) => Change::Say,
        };
        let Some(worst) = incident.said else {
            // What is held is said when it may be.
            return Vec::new();
        };
        let reason = match (change, &case.rule.conditions.absent) {
            (Change::Say, None) => Reason::Resolved,
            (Change::Say, Some(_)) => Reason::Returned,
            (Change::Flaps, _) => Reason::Flapping,
            (Change::Hold, _) => return Vec::new(),
        };
        self.quiet_worst = match change {
            Change::Flaps => Some(worst),
            Change::Say | Change::Hold => None,
        };
        self.muted = None;
        let mut spaces: BTreeSet<SpaceName> = incident.spaces.into_iter().collect();
        spaces.extend(self.held.keys().cloned());
        let mut births = Vec::new();
        for space in spaces {
            let tally = about(self.held.remove(&space), &last, (id, at, worst));
            let is_unseen = change == Change::Say
                && outbox.conclude(&space, case.id, &tally, incident.total, at);
            if !is_unseen {
                let course = (incident.total, incident.opened, Some(at));
                births.push(birth(&space, case.id, reason, tally, course));
            }
        }
        births
    }

    /// A record that ends an incident, with what the incident's own records captured
    /// where it captured nothing: a title names what is over.
    fn with_captures(&self, last: Shown) -> Shown {
        let Some(latest) = &self.latest else {
            return last;
        };
        let known = last.sample.captures.clone();
        let others = latest.sample.captures.iter();
        let others = others.filter(|(name, _)| !known.iter().any(|(known, _)| known == name));
        let sample = Sample {
            captures: known.iter().chain(others).cloned().collect(),
            ..Sample::clone(&last.sample)
        };
        Shown {
            sample: Arc::new(sample),
            source: last.source,
        }
    }
}
