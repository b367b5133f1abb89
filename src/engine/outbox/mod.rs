//! What is still to be said, in which order, when to try again, when to give up.
//!
//! ```text
//!   born ──► waiting ───────► frozen ──────► delivered
//!             absorbs         in flight,      (forgotten)
//!             later events,   tried again
//!             becomes one     │ refused: once more, plain; then ──► parked
//!             with others     │ its space refused: to the space that stands in
//! ```
//!
//! Every real space has one pacer: one request in flight, and the next one starts
//! `pace` after the last was answered. Within an instance messages go strictly
//! first in, first out; between instances the worst goes first, and one that waits
//! rises with time. In a crowd several messages become one, and in every mode the
//! counts of all messages of a rule sum up to the number of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

mod pacer;

mod crowd;

mod queue;

mod gather;

mod bounds;

mod verdict;

mod standing_in;

mod rows;

use super::commit::{Kind, MessageRecord, MessageState, SpaceRecord};
use super::events::{Event, Ids, InstanceId};
use super::ids::MessageId;
use super::message::{Reason, Tally};
use super::status::SpaceState;
use super::time::{Moment, Now, Wall};
use crate::rules::{PacerKey, RuleKey, RuleSet, Severity, SpaceName};
use bounds::Load;
pub use bounds::{MESSAGES_BYTES_MAX, MESSAGES_MAX};
use crowd::DIGEST_EVERY;
pub use crowd::Mode;
pub use gather::{DIGEST, SEVERAL};
use pacer::{PACE_MAX, PROBE, Pacer};
use queue::Choice;
use rows::absorbs_of;
pub use verdict::Outcome;

/// Records older than this at a start are told of in one message.
const LATE: Duration = Duration::from_secs(3600);

/// How long that message may wait for all such records to be read.
const CATCH_UP_MAX: Duration = Duration::from_secs(15);

/// All messages that are not delivered, and the pacers of the spaces.
#[derive(Debug)]
pub struct Outbox {
    ids: Ids,
    messages: BTreeMap<MessageId, MessageRecord>,
    load: Load,
    /// Unattempted messages by what they absorb.
    open: BTreeMap<Absorbs, MessageId>,
    pacers: BTreeMap<PacerKey, Pacer>,
    by_space: BTreeMap<SpaceName, PacerKey>,
    fallbacks: BTreeMap<SpaceName, SpaceName>,
    dirty_messages: BTreeSet<MessageId>,
    dirty_pacers: BTreeSet<PacerKey>,
    /// Events before this are of the time before this life.
    late_before: Wall,
    /// Whether all that was written before this life was read.
    has_caught_up: bool,
    /// While they are being read, until when they are waited for.
    catching_up: Option<Moment>,
    stopped: bool,
}

/// How it goes with a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether it takes messages.
    pub state: SpaceState,
    /// Least time between two requests now.
    pub pace: Duration,
    /// Why the last request failed, until one succeeds.
    pub last_error: Option<String>,
}

/// What a waiting message absorbs: later events of an instance that it was meant
/// for a space to read, of before this life or of now.
type Absorbs = (SpaceName, InstanceId, Kind);

/// A request that may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// For the answer.
    pub message: MessageId,
    /// Whose webhook to use.
    pub space: SpaceName,
    /// The idempotency key.
    pub request_id: String,
    /// Whether the body names a thread.
    pub threaded: bool,
    /// The JSON body.
    pub body: String,
}

impl Outbox {
    /// Takes up what was left to say.
    pub fn new(
        rules: &RuleSet,
        ids: Ids,
        messages: BTreeMap<MessageId, MessageRecord>,
        spaces: &BTreeMap<SpaceName, SpaceRecord>,
        now: Now,
    ) -> Self {
        let mut outbox = Self {
            ids,
            messages: BTreeMap::new(),
            load: Load::default(),
            open: BTreeMap::new(),
            pacers: BTreeMap::new(),
            by_space: BTreeMap::new(),
            fallbacks: BTreeMap::new(),
            dirty_messages: BTreeSet::new(),
            dirty_pacers: BTreeSet::new(),
            late_before: now.wall.before(LATE),
            has_caught_up: false,
            catching_up: Some(now.moment.after(CATCH_UP_MAX)),
            stopped: false,
        };
        outbox.meet(rules, now);
        for (space, record) in spaces {
            let Some(pacer) = outbox.by_space.get(space) else {
                continue;
            };
            let Some(pacer) = outbox.pacers.get_mut(pacer) else {
                continue;
            };
            pacer.pace = pacer
                .pace
                .max(Duration::from_millis(record.pace_ms))
                .min(PACE_MAX.max(pacer.base));
            pacer.next = pacer
                .next
                .max(now.moment_of(record.next, PROBE.max(pacer.pace)));
            pacer.refused |= record.refused;
            for (origin, due) in &record.digests {
                let due = now.moment_of(*due, DIGEST_EVERY);
                pacer.digests.insert(origin.clone(), due);
            }
        }
        for message in messages.into_values() {
            // A request may have been in flight when the agent died, or its answer
            // was heard and is not on disk: the space's quota was used, and nobody
            // knows when.
            if let MessageState::Frozen { .. } = &message.state
                && let Some(pacer) = outbox.pacer_of_mut(&message.space)
            {
                pacer.next = pacer.next.max(now.moment.after(pacer.pace));
            }
            outbox.put(message);
        }
        outbox.dirty_messages.clear();
        let refused: Vec<PacerKey> = (outbox.pacers.iter())
            .filter(|(_, pacer)| pacer.refused)
            .map(|(key, _)| key.clone())
            .collect();
        for key in refused {
            outbox.hand_on(&key, now);
        }
        outbox
    }

    /// Takes over changed settings; nothing that waits is lost.
    pub fn meet(&mut self, rules: &RuleSet, now: Now) {
        let mut old = std::mem::take(&mut self.pacers);
        self.by_space.clear();
        self.fallbacks.clear();
        for (name, space) in &rules.spaces {
            let key = space.webhook.pacer().clone();
            self.by_space.insert(name.clone(), key.clone());
            let fallback = space.fallback.clone();
            self.fallbacks
                .extend(fallback.map(|fallback| (name.clone(), fallback)));
            let pacer = self.pacers.entry(key.clone()).or_insert_with(|| {
                let mut pacer = old.remove(&key).unwrap_or_else(|| Pacer::new(now));
                pacer.spaces.clear();
                pacer.queue.clear();
                pacer.hold = None;
                pacer.base = Duration::ZERO;
                pacer
            });
            pacer.spaces.push(name.clone());
            pacer.base = pacer.base.max(space.pace);
            pacer.pace = pacer.pace.max(pacer.base);
        }
        for message in self.messages.values() {
            if let Some(pacer) = self.by_space.get(&message.space)
                && let Some(pacer) = self.pacers.get_mut(pacer)
                && !message.is_parked()
            {
                pacer.queue.insert(message.id);
            }
        }
        self.come_home_from_nowhere(now);
    }

    /// How many messages are not delivered, parked ones included.
    pub fn n_messages(&self) -> usize {
        self.messages.len()
    }

    /// The memory that the messages take, about.
    pub fn n_bytes(&self) -> usize {
        self.load.n_bytes
    }

    /// Whether messages had to become counts of their rules, and wait.
    pub fn is_folding(&self) -> bool {
        self.load.n_folds > 0
    }

    /// Whether a request is in flight.
    pub fn is_busy(&self) -> bool {
        self.pacers.values().any(|pacer| pacer.in_flight.is_some())
    }

    /// The messages whose space is not in the settings.
    pub fn homeless(&self) -> impl Iterator<Item = &MessageRecord> {
        self.messages
            .values()
            .filter(|message| !self.by_space.contains_key(&message.space))
    }

    /// Whether something may still be delivered without a person: what was refused for
    /// good, waits for a space that refuses everything, or for one that is not in the
    /// settings, may not.
    pub fn may_deliver(&self) -> bool {
        let may = |message: &&MessageRecord| {
            let pacer = self.pacer_of(&message.space);
            !message.is_parked() && pacer.is_some_and(|pacer| !pacer.refused)
        };
        self.messages.values().any(|message| may(&message))
    }

    /// Whether an event is of the time before this life, and mild enough to be told
    /// of together with others. What comes once all that was there was read is of this
    /// life, whatever time somebody wrote into it.
    pub fn is_late(&self, at: Wall, severity: Severity) -> bool {
        !self.has_caught_up && at < self.late_before && severity < Severity::Critical
    }

    /// Whether all that was written before this life was read.
    pub fn has_caught_up(&self) -> bool {
        self.has_caught_up
    }

    /// All that was written before this life was read.
    pub fn caught_up(&mut self) {
        self.has_caught_up = true;
        self.hold_nothing_back();
    }

    fn hold_nothing_back(&mut self) {
        if self.catching_up.take().is_some() {
            for pacer in self.pacers.values_mut() {
                pacer.hold = None;
            }
        }
    }

    /// Until when the time before this life is being read, at the longest.
    pub fn catching_up(&self) -> Option<Moment> {
        self.catching_up
    }

    /// Lets an unattempted message of the instance speak for one more event, which is
    /// `counted` as so many. Returns whether there was one.
    pub fn absorb(
        &mut self,
        space: &SpaceName,
        event: &Event,
        counted: &Tally,
        total: u64,
    ) -> bool {
        let kind = match self.is_late(event.at, event.severity) {
            true => Kind::CatchUp,
            false => Kind::Instance,
        };
        let key = (space.clone(), event.instance.clone(), kind);
        let Some(&id) = self.open.get(&key) else {
            return false;
        };
        let Some(message) = self.messages.get_mut(&id) else {
            return false;
        };
        let n_bytes = message.draft.tally.n_bytes();
        let is_worse = message.draft.tally.worst < event.severity;
        message.draft.tally.count_in(event, counted);
        message.draft.total = message.draft.total.max(total);
        self.load.n_bytes = self.load.n_bytes - n_bytes + message.draft.tally.n_bytes();
        self.dirty_messages.insert(id);
        if is_worse
            && let Some(pacer) = self.by_space.get(&message.space)
            && let Some(pacer) = self.pacers.get_mut(pacer)
        {
            pacer.hold = None;
        }
        true
    }

    /// Whether an instance has a message that would absorb its next event.
    pub fn absorbs(&self, space: &SpaceName, instance: &InstanceId) -> bool {
        let key = (space.clone(), instance.clone(), Kind::Instance);
        self.open.contains_key(&key)
    }

    /// Lets an unattempted message of the instance say as well that the incident is
    /// over, and what happened until then. Returns whether there was one.
    pub fn conclude(
        &mut self,
        space: &SpaceName,
        instance: &InstanceId,
        rest: &Tally,
        total: u64,
        until: Wall,
    ) -> bool {
        let mut kinds = [Kind::Instance, Kind::CatchUp].into_iter();
        let opened = kinds.find_map(|kind| {
            let key = (space.clone(), instance.clone(), kind);
            self.open.remove(&key)
        });
        let Some(id) = opened else {
            return false;
        };
        let concluded = self.change(id, |message| {
            let draft = &mut message.draft;
            draft.reason = match draft.reason {
                Reason::First => Reason::Brief,
                Reason::Absent => Reason::Returned,
                _ => Reason::Resolved,
            };
            draft.until = Some(until);
            if draft.reason == Reason::Resolved && message.kind == Kind::Instance {
                // Its problem was said: it must follow that, and not in a digest.
                message.kind = Kind::State;
            }
            draft.tally.merge(rest);
            draft.tally.latest = rest.latest.clone();
            draft.total = draft.total.max(total);
        });
        concluded.is_some()
    }

    /// Adds a message.
    pub fn push(&mut self, mut message: MessageRecord, now: Now) {
        let target = self.stand_in_for(&message, now.moment);
        if target != message.space {
            self.redirect(&mut message, &target, now);
        }
        if !message.draft.reason.absorbs() {
            // What came before it speaks for nothing that comes after it.
            self.open.remove(&absorbs_of(&message));
        }
        self.put(message);
        self.keep_bounds();
    }

    /// All messages that are not delivered, in the order of their birth.
    pub fn messages(&self) -> impl Iterator<Item = &MessageRecord> {
        self.messages.values()
    }

    /// The events that its messages speak for, by rule and by the space that was to
    /// be told of them. What was refused for good is not pending.
    pub fn n_pending(&self) -> BTreeMap<(RuleKey, SpaceName), u64> {
        let mut pending = BTreeMap::new();
        for message in self
            .messages
            .values()
            .filter(|message| !message.is_parked())
        {
            for share in message.shares() {
                let of = (share.instance.rule, message.origin().clone());
                *pending.entry(of).or_default() += share.count;
            }
        }
        pending
    }

    /// How it goes with a space.
    pub fn standing(&self, space: &SpaceName) -> Standing {
        let pacer = self.pacer_of(space);
        Standing {
            state: match pacer {
                Some(pacer) if pacer.refused => SpaceState::Refused,
                Some(pacer) if pacer.n_faults > 0 || pacer.n_doubts > 0 => SpaceState::Troubled,
                Some(_) | None => SpaceState::Ok,
            },
            pace: pacer.map_or(Duration::ZERO, |pacer| pacer.pace),
            last_error: pacer.and_then(|pacer| pacer.last_error.clone()),
        }
    }

    /// No further request is started.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether a request could start now.
    pub fn is_due(&self, now: Moment) -> bool {
        !self.stopped && self.pacers.values().any(|pacer| pacer.is_due(now))
    }

    /// When the next request may start, if any is waiting for that.
    pub fn wakeup(&self) -> Option<Moment> {
        let wakeups = self.pacers.values().filter_map(Pacer::wakeup);
        wakeups.min().filter(|_| !self.stopped)
    }

    /// Starts every request that may start. Messages that were never attempted are
    /// worded by `word`. What is not on disk must be committed before it is sent.
    pub fn start(
        &mut self,
        now: Now,
        word: &mut dyn FnMut(&MessageRecord) -> String,
    ) -> Vec<(Post, Freshness)> {
        let mut posts = Vec::new();
        if self.stopped {
            return posts;
        }
        if self.catching_up.is_some_and(|until| until <= now.moment) {
            self.hold_nothing_back();
        }
        let due: Vec<PacerKey> = (self.pacers.iter())
            .filter(|(_, pacer)| pacer.is_due(now.moment))
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            let elsewhere =
                standing_in::elsewhere(&key, &self.by_space, &self.fallbacks, &self.messages);
            let Some(pacer) = self.pacers.get_mut(&key) else {
                continue;
            };
            let choice = queue::choose(pacer, &self.messages, &elsewhere, now, self.catching_up);
            let id = match choice {
                Choice::One(id) => Some(id),
                Choice::Several(ids, kind) => {
                    self.dirty_pacers.insert(key.clone());
                    self.gather(&ids, kind)
                }
                Choice::Hold(until) => {
                    pacer.hold = Some(until);
                    None
                }
            };
            if let Some(id) = id
                && let Some(post) = self.attempt(id, now, word)
            {
                if let Some(pacer) = self.pacers.get_mut(&key) {
                    pacer.in_flight = Some(id);
                    pacer.hold = None;
                }
                posts.push(post);
            }
        }
        posts
    }

    /// Freezes a message, if it was never attempted, and makes a request of it.
    fn attempt(
        &mut self,
        id: MessageId,
        now: Now,
        word: &mut dyn FnMut(&MessageRecord) -> String,
    ) -> Option<(Post, Freshness)> {
        let message = self.messages.get_mut(&id)?;
        let freshness = match &mut message.state {
            MessageState::Waiting => {
                let body = word(message);
                self.close(id);
                self.change(id, |message| {
                    message.state = MessageState::Frozen {
                        body,
                        attempted: now.wall,
                        plain: None,
                    };
                });
                Freshness::First
            }
            MessageState::Frozen { attempted, .. } => {
                *attempted = now.wall;
                match self.dirty_messages.contains(&id) {
                    // Its plain form was made just now.
                    true => Freshness::First,
                    false => Freshness::Again,
                }
            }
            MessageState::Parked { .. } => return None,
        };
        Some((post_of(self.messages.get(&id)?)?, freshness))
    }

    /// A request was not sent after all: it goes out in the next life.
    pub fn unsent(&mut self, id: MessageId) {
        for pacer in self.pacers.values_mut() {
            pacer.in_flight.take_if(|in_flight| *in_flight == id);
        }
    }

    fn pacer_of(&self, space: &SpaceName) -> Option<&Pacer> {
        self.pacers.get(self.by_space.get(space)?)
    }

    fn pacer_of_mut(&mut self, space: &SpaceName) -> Option<&mut Pacer> {
        self.pacers.get_mut(self.by_space.get(space)?)
    }
}

/// Whether a message was attempted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Its body was made just now, and is not on disk yet.
    First,
    /// Its body is on disk.
    Again,
}

fn post_of(message: &MessageRecord) -> Option<Post> {
    let MessageState::Frozen { body, plain, .. } = &message.state else {
        return None;
    };
    let (request_id, body, threaded) = match plain {
        Some(plain) => (&plain.request_id, &plain.body, false),
        None => (&message.request_id, body, message.thread_key.is_some()),
    };
    Some(Post {
        message: message.id,
        space: message.space.clone(),
        request_id: request_id.clone(),
        threaded,
        body: body.clone(),
    })
}
