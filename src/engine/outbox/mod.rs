//! What is still to be said, in which order, when to try again, when to give up.
//!
//! ```text
//!   born ──► waiting ──────► frozen ──────► delivered
//!             absorbs        in flight,      (forgotten)
//!             later events   tried again
//!                            │ refused: once more, plain; then ──► parked
//! ```
//!
//! Every real space has one pacer: one request in flight, and the next one starts
//! `pace` after the last was answered. Within an instance messages go strictly
//! first in, first out; between instances the worst goes first, and one that waits
//! rises with time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

mod pacer;

mod queue;

mod verdict;

use super::commit::{MessageRecord, MessageState, SpaceRecord};
use super::events::{Event, InstanceId};
use super::ids::MessageId;
use super::time::{Moment, Now};
use crate::rules::{PacerKey, RuleSet, SpaceName};
use pacer::{PACE_MAX, PROBE, Pacer};
use queue::next_of;
pub use verdict::Outcome;

/// Messages kept in all. When it is reached, no more is read until some are
/// delivered: what is not read stays in the files.
pub const MESSAGES_MAX: usize = 10_000;

/// All messages that are not delivered, and the pacers of the spaces.
#[derive(Debug)]
pub struct Outbox {
    messages: BTreeMap<MessageId, MessageRecord>,
    /// Unattempted messages by what they absorb.
    open: BTreeMap<(SpaceName, InstanceId), MessageId>,
    pacers: BTreeMap<PacerKey, Pacer>,
    by_space: BTreeMap<SpaceName, PacerKey>,
    dirty_messages: BTreeSet<MessageId>,
    dirty_pacers: BTreeSet<PacerKey>,
    stopped: bool,
}

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
        messages: BTreeMap<MessageId, MessageRecord>,
        spaces: &BTreeMap<SpaceName, SpaceRecord>,
        now: Now,
    ) -> Self {
        let mut outbox = Self {
            messages,
            open: BTreeMap::new(),
            pacers: BTreeMap::new(),
            by_space: BTreeMap::new(),
            dirty_messages: BTreeSet::new(),
            dirty_pacers: BTreeSet::new(),
            stopped: false,
        };
        for message in outbox.messages.values() {
            if message.state == MessageState::Waiting {
                outbox.open.insert(
                    (message.space.clone(), message.instance.clone()),
                    message.id,
                );
            }
        }
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
        }
        // A request may have been in flight when the agent died, or its answer was
        // heard and is not on disk: the space's quota was used, and nobody knows when.
        for message in outbox.messages.values() {
            let MessageState::Frozen { .. } = &message.state else {
                continue;
            };
            let pacer = outbox.by_space.get(&message.space);
            if let Some(pacer) = pacer.and_then(|key| outbox.pacers.get_mut(key)) {
                pacer.next = pacer.next.max(now.moment.after(pacer.pace));
            }
        }
        outbox
    }

    /// Takes over changed settings; nothing that waits is lost.
    pub fn meet(&mut self, rules: &RuleSet, now: Now) {
        let mut old = std::mem::take(&mut self.pacers);
        self.by_space.clear();
        for (name, space) in &rules.spaces {
            let key = space.webhook.pacer().clone();
            self.by_space.insert(name.clone(), key.clone());
            let pacer = self.pacers.entry(key.clone()).or_insert_with(|| {
                let mut pacer = old.remove(&key).unwrap_or_else(|| Pacer::new(now));
                pacer.spaces.clear();
                pacer.queue.clear();
                pacer.base = Duration::ZERO;
                pacer
            });
            pacer.spaces.push(name.clone());
            pacer.base = pacer.base.max(space.pace);
            pacer.pace = pacer.pace.max(pacer.base);
        }
        for message in self.messages.values() {
            if matches!(message.state, MessageState::Parked { .. }) {
                continue;
            }
            if let Some(pacer) = self.by_space.get(&message.space)
                && let Some(pacer) = self.pacers.get_mut(pacer)
            {
                pacer.queue.insert(message.id);
            }
        }
    }

    /// Whether there is no room for more messages.
    pub fn is_full(&self) -> bool {
        self.messages.len() >= MESSAGES_MAX
    }

    /// How many messages are not delivered, parked ones included.
    pub fn n_messages(&self) -> usize {
        self.messages.len()
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

    /// Lets an unattempted message of the instance speak for one more event.
    /// Returns whether there was one.
    pub fn absorb(&mut self, space: &SpaceName, event: &Event, total: u64) -> bool {
        let key = (space.clone(), event.instance.clone());
        let Some(id) = self.open.get(&key) else {
            return false;
        };
        let Some(message) = self.messages.get_mut(id) else {
            return false;
        };
        message.draft.tally.add(event);
        message.draft.total = message.draft.total.max(total);
        self.dirty_messages.insert(*id);
        true
    }

    /// Whether an instance has a message that would absorb its next event.
    pub fn absorbs(&self, space: &SpaceName, instance: &InstanceId) -> bool {
        self.open.contains_key(&(space.clone(), instance.clone()))
    }

    /// Adds a message.
    pub fn push(&mut self, message: MessageRecord) {
        let id = message.id;
        self.open
            .insert((message.space.clone(), message.instance.clone()), id);
        if let Some(pacer) = self.by_space.get(&message.space)
            && let Some(pacer) = self.pacers.get_mut(pacer)
        {
            pacer.queue.insert(id);
        }
        self.messages.insert(id, message);
        self.dirty_messages.insert(id);
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
        self.pacers
            .values()
            .filter(|pacer| !self.stopped && pacer.in_flight.is_none() && !pacer.queue.is_empty())
            .map(|pacer| pacer.next)
            .min()
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
        for pacer in self.pacers.values_mut() {
            if !pacer.is_due(now.moment) {
                continue;
            }
            let Some(id) = next_of(pacer, &self.messages, now.wall) else {
                continue;
            };
            let Some(message) = self.messages.get_mut(&id) else {
                continue;
            };
            pacer.in_flight = Some(id);
            let freshness = match &mut message.state {
                MessageState::Waiting => {
                    self.open
                        .remove(&(message.space.clone(), message.instance.clone()));
                    let body = word(message);
                    message.state = MessageState::Frozen {
                        body,
                        attempted: now.wall,
                        plain: None,
                    };
                    self.dirty_messages.insert(id);
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
                MessageState::Parked { .. } => continue,
            };
            if let Some(post) = post_of(message) {
                posts.push((post, freshness));
            }
        }
        posts
    }

    /// A request was not sent after all: it goes out in the next life.
    pub fn unsent(&mut self, id: MessageId) {
        for pacer in self.pacers.values_mut() {
            pacer.in_flight.take_if(|in_flight| *in_flight == id);
        }
    }

    /// Whether something must be committed.
    pub fn is_dirty(&self) -> bool {
        !self.dirty_messages.is_empty() || !self.dirty_pacers.is_empty()
    }

    /// The messages that changed since the last call, and those that are gone.
    pub fn take_dirty(&mut self) -> (Vec<MessageRecord>, Vec<MessageId>) {
        let mut changed = Vec::new();
        let mut gone = Vec::new();
        for id in std::mem::take(&mut self.dirty_messages) {
            match self.messages.get(&id) {
                Some(message) => changed.push(message.clone()),
                None => gone.push(id),
            }
        }
        (changed, gone)
    }

    /// The spaces whose pace changed since the last call.
    pub fn take_dirty_spaces(&mut self, now: Now) -> Vec<SpaceRecord> {
        std::mem::take(&mut self.dirty_pacers)
            .into_iter()
            .filter_map(|key| self.pacers.get(&key))
            .flat_map(|pacer| {
                pacer.spaces.iter().map(move |space| SpaceRecord {
                    space: space.clone(),
                    pace_ms: u64::try_from(pacer.pace.as_millis()).unwrap_or(u64::MAX),
                    next: now.wall_of(pacer.next),
                })
            })
            .collect()
    }

    /// Takes back what [`take_dirty`](Self::take_dirty) gave: it was not committed.
    pub fn mark_dirty(&mut self, messages: impl IntoIterator<Item = MessageId>) {
        self.dirty_messages.extend(messages);
    }

    fn remove(&mut self, id: MessageId) -> Option<MessageRecord> {
        let message = self.messages.remove(&id)?;
        self.dirty_messages.insert(id);
        if let Some(pacer) = self.by_space.get(&message.space)
            && let Some(pacer) = self.pacers.get_mut(pacer)
        {
            pacer.queue.remove(&id);
            pacer.suspects.remove(&id);
            pacer.convicts.remove(&id);
        }
        if message.state == MessageState::Waiting {
            self.open
                .remove(&(message.space.clone(), message.instance.clone()));
        }
        Some(message)
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
