//! What was found becomes events, and events become messages.
//!
//! Whatever an event comes from, it is counted, judged by the conditions of its rule, and
//! what these say is put into the outbox.

use std::sync::Arc;

use super::answer::{self, Reply};
use super::commit::{Kind, MessageRecord, MessageState, Plain};
use super::correlate::Role;
use super::counts::Standing;
use super::events::Event;
use super::ids::{MessageId, StreamId};
use super::instances::{Birth, Scene};
use super::message::{self, Reason};
use super::outbox::Outcome;
use super::own::Trouble;
use super::scan::{Ending, Hit};
use super::schedule::{Fault, ReadDone};
use super::time::{Now, Wall};
use super::{Engine, Report, digest, journal, stamp};
use crate::rules::Rule;

/// Where hits were found.
struct Origin {
    generation: StreamId,
    source: Arc<str>,
    /// When anything was written there last, as far as the size it had then.
    modified: Wall,
    size: u64,
}

impl Engine {
    /// Takes what a read found.
    pub(super) fn read_done(
        &mut self,
        now: Now,
        stream: StreamId,
        ending: Ending,
        epoch: u64,
        outcome: Result<ReadDone, Fault>,
    ) {
        let known = self.schedule.stream(stream);
        let origin = known.map(|stream| Origin {
            generation: stream.generation,
            source: stream.source(),
            modified: Wall(stream.modified / 1_000),
            size: stream.size,
        });
        let hits = self
            .schedule
            .read_done(now.moment, stream, ending, epoch, outcome);
        if let Some(origin) = origin {
            self.hits(now, &origin, &hits);
        }
    }

    /// Hits become events, events become messages or are counted.
    fn hits(&mut self, now: Now, origin: &Origin, hits: &[Hit]) {
        let rules = self.rules.clone();
        for hit in hits {
            let rule = &rules.rules[hit.rule];
            let Origin {
                generation,
                source,
                modified,
                size,
            } = origin;
            let written = (hit.stamp).and_then(|stamp| stamp.wall(now.wall, &self.surface.zone));
            let at = written.map_or(now.wall, |at| stamp::clamped(at, now.wall));
            let mut event = Event::of_hit(&self.ids, *generation, rule, hit, source, at);
            // A file that nobody has written to for so long holds nothing newer.
            let is_old = hit.start < *size && self.outbox.is_late(*modified, event.severity);
            if written.is_none() && is_old {
                event.at = event.at.min(*modified);
            }
            if let Some(earlier) = self.count_besides(now, origin, hit, &mut event) {
                self.take_hit(now, rule, hit.role, earlier);
            }
            self.take_hit(now, rule, hit.role, event);
        }
    }

    /// Lets an event stand for the hits that are counted with it. Returns an event for
    /// those of them that came late where it does not, or the other way round: they are
    /// said in another message.
    fn count_besides(
        &self,
        now: Now,
        origin: &Origin,
        hit: &Hit,
        event: &mut Event,
    ) -> Option<Event> {
        let is_late = self.outbox.is_late(event.at, event.severity);
        let mut earlier: Option<Event> = None;
        for counted in &hit.counted {
            let written = counted.stamp.wall(now.wall, &self.surface.zone);
            let at = written.map_or(now.wall, |at| stamp::clamped(at, now.wall));
            if self.outbox.is_late(at, event.severity) == is_late {
                event.count_besides(counted.count, at);
                continue;
            }
            match &mut earlier {
                Some(earlier) => earlier.count_besides(counted.count, at),
                None => {
                    let rule = &event.instance.rule;
                    let mut first = Event {
                        id: self.ids.event(origin.generation, counted.start, rule),
                        at,
                        besides: None,
                        ..event.clone()
                    };
                    if counted.count > 1 {
                        first.count_besides(counted.count - 1, at);
                    }
                    earlier = Some(first);
                }
            }
        }
        earlier
    }

    /// Takes the event of a hit.
    fn take_hit(&mut self, now: Now, rule: &Rule, role: Role, event: Event) {
        let kind = match self.outbox.is_late(event.at, event.severity) {
            true => Kind::CatchUp,
            false => Kind::Instance,
        };
        let rules = self.rules.clone();
        let n_hits = event.count();
        let (mut scene, correlate) = scene!(self, now);
        let (births, n_events) =
            correlate.hit(&mut scene, &rules, rule, (role, event), &self.checks);
        if role == Role::Match {
            let standing = Standing::of_event(&births);
            self.counts.hit(&rule.key, n_hits, n_events, standing);
        }
        self.deliver(now, births, kind);
    }

    /// What came of commands is counted as hits are.
    pub(super) fn count_results(&mut self) {
        for (rule, standing) in self.checks.take_judged() {
            self.counts.hit(&rule, 1, 1, standing);
        }
    }

    /// Entries of the journal that rules select become events as hits in files do.
    pub(super) fn entries(&mut self, now: Now, found: &[journal::Found]) {
        let rules = self.rules.clone();
        for found in found {
            let rule = &rules.rules[found.rule];
            let event = Event::of_entry(&self.ids, rule, found, now.wall);
            self.take_hit(now, rule, found.role, event);
        }
    }

    /// A trouble of the agent's own becomes an event like any other.
    pub(super) fn trouble(&mut self, now: Now, trouble: &Trouble) {
        let Some(rule) = trouble.rule(&self.rules).cloned() else {
            return;
        };
        let redactor = &self.rules.redactor;
        let trouble = Trouble {
            what: redactor.redact(&trouble.what).into_owned(),
            subject: redactor.redact(&trouble.subject).into_owned(),
            ..trouble.clone()
        };
        let event = trouble.event(&self.ids, &rule, now.wall);
        let rules = self.rules.clone();
        let (mut scene, correlate) = scene!(self, now);
        let what = (Role::Match, event);
        let (births, n_events) = correlate.hit(&mut scene, &rules, &rule, what, &self.checks);
        self.counts
            .hit(&rule.key, 1, n_events, Standing::of_event(&births));
        self.deliver(now, births, Kind::Instance);
    }

    /// Puts messages into the outbox.
    pub(super) fn deliver(&mut self, now: Now, births: Vec<Birth>, kind: Kind) {
        for birth in births {
            let id = MessageId(self.next_message);
            self.next_message += 1;
            let draft = birth.draft;
            let rule = self.rules.rule(&birth.instance.rule);
            let thread_key = match rule {
                Some(rule) => message::thread_key(
                    rule,
                    &birth.instance,
                    draft.since,
                    now.wall,
                    &self.surface.zone,
                    draft.reason,
                ),
                None => Some(birth.instance.rule.as_str().to_owned()),
            };
            let request_id = self.ids.request(
                draft.tally.birth,
                birth.space.as_str(),
                draft.reason.birth_word(),
            );
            let kind = match draft.reason {
                // The end of an incident is always said by itself.
                Reason::Resolved
                | Reason::Returned
                | Reason::Brief
                | Reason::Flapping
                | Reason::Steady
                | Reason::Dropped => Kind::State,
                // What was counted by now is of this life.
                Reason::Summary
                | Reason::Severity
                | Reason::SilenceEnd
                | Reason::HoursBegin
                | Reason::InhibitorEnd
                    if kind == Kind::CatchUp =>
                {
                    Kind::Instance
                }
                _ => kind,
            };
            let message = MessageRecord {
                id,
                space: birth.space,
                meant_for: None,
                kind,
                instance: birth.instance,
                thread_key,
                request_id,
                born: now.wall,
                draft,
                parts: Vec::new(),
                state: MessageState::Waiting,
            };
            self.outbox.push(message, now);
        }
    }

    pub(super) fn answered(&mut self, now: Now, message: MessageId, reply: &Reply) {
        let (ids, rules, surface) = (self.ids, &self.rules, &self.surface);
        let mut plain = |message: &MessageRecord| Plain {
            request_id: ids.request(
                message.draft.tally.birth,
                message.space.as_str(),
                &format!("plain for {}", message.request_id),
            ),
            body: digest::word_plain(rules, message, surface),
        };
        let outcomes = self.outbox.answered(
            now,
            message,
            answer::classify(reply),
            &mut self.rng,
            &mut plain,
        );
        for outcome in outcomes {
            if let Outcome::Delivered { rules, .. } = &outcome {
                self.counts.delivered(rules);
            }
            if let Some(trouble) = outcome.trouble() {
                self.trouble(now, &trouble);
            }
            self.report(Report::Delivery(outcome));
        }
        // What was delivered must be forgotten before anything can ask for it again.
        self.consequences_due = Some(now.moment);
    }
}
