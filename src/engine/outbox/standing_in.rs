//! While a space refuses messages, another one stands in for it.
//!
//! What waits for a refused space goes to its `fallback`, into the same thread and
//! with `[SPACE]` in front: as a new message with a new request id, for it is
//! another space that reads it. New messages go the same way, but for one now and
//! then, which is how it is noticed that the space takes messages again.
//!
//! What stands in may be refused there as well, and comes home then. Until it is
//! settled, nothing later of its instance is said at home: a problem must not come
//! after its end.

use std::collections::BTreeMap;

use super::Outbox;
use super::pacer::PROBE;
use super::queue::Firsts;
use crate::engine::commit::{MessageRecord, MessageState};
use crate::engine::ids::MessageId;
use crate::engine::time::{Moment, Now};
use crate::rules::{PacerKey, SpaceName, own};

/// The longest chain of spaces that stand in for each other. The settings hold no
/// loop; this bounds the walk whatever they hold.
const CHAIN_MAX: usize = 16;

impl Outbox {
    /// The space that a new message for `space` is sent to.
    pub(super) fn stand_in_for(&self, message: &MessageRecord, now: Moment) -> SpaceName {
        if !may_leave(message) {
            return message.space.clone();
        }
        let refuses = |space: &SpaceName| {
            let pacer = self.pacer_of(space);
            let probes = |key: &PacerKey| {
                let (spaces, fallbacks) = (&self.by_space, &self.fallbacks);
                let elsewhere = elsewhere(key, spaces, fallbacks, &self.messages);
                !elsewhere.hold_up(message)
            };
            pacer.is_some_and(|pacer| {
                let key = self.by_space.get(space);
                pacer.refused && !(pacer.wants_probe(now) && key.is_some_and(probes))
            })
        };
        self.walk(&message.space, refuses)
    }

    /// Hands on what waits for spaces that refuse messages.
    pub(super) fn hand_on(&mut self, key: &PacerKey, now: Now) {
        let Some(pacer) = self.pacers.get(key).filter(|pacer| pacer.refused) else {
            return;
        };
        let waiting: Vec<MessageId> = (pacer.queue.iter())
            .filter(|id| pacer.in_flight != Some(**id))
            .copied()
            .collect();
        for id in waiting {
            let message = self.messages.get(&id).filter(|message| may_leave(message));
            let Some(space) = message.map(|message| message.space.clone()) else {
                continue;
            };
            let refuses =
                |space: &SpaceName| self.pacer_of(space).is_some_and(|pacer| pacer.refused);
            let target = match self.walk(&space, refuses) {
                // Nobody else takes it: it waits in its line at home.
                here if here == space => message.map_or(here, |message| message.origin().clone()),
                elsewhere => elsewhere,
            };
            if target != space && self.by_space.get(&target) != Some(key) {
                self.send_elsewhere(id, &target, now);
                if let Some(pacer) = self.pacers.get_mut(key) {
                    pacer.next = pacer.next.max(now.moment.after(PROBE));
                }
            }
        }
    }

    /// A space takes messages again: those that wait where they are refused come
    /// back.
    pub(super) fn come_home(&mut self, key: &PacerKey, now: Now) {
        let is_home = |message: &&MessageRecord| {
            let space = message.meant_for.as_ref();
            let pacer = self.pacer_of(&message.space);
            !message.is_parked()
                && space.and_then(|space| self.by_space.get(space)) == Some(key)
                && pacer.is_some_and(|pacer| pacer.refused && pacer.in_flight != Some(message.id))
        };
        let homesick: Vec<MessageId> = (self.messages.values())
            .filter(is_home)
            .map(|message| message.id)
            .collect();
        self.bring_home(&homesick, now);
    }

    /// What waits for a space that is no longer in the settings comes back.
    pub(super) fn come_home_from_nowhere(&mut self, now: Now) {
        let is_homeless = |message: &&MessageRecord| {
            !message.is_parked()
                && !self.by_space.contains_key(&message.space)
                && (message.meant_for.as_ref())
                    .is_some_and(|space| self.by_space.contains_key(space))
        };
        let homesick: Vec<MessageId> = (self.messages.values())
            .filter(is_homeless)
            .map(|message| message.id)
            .collect();
        self.bring_home(&homesick, now);
    }

    fn bring_home(&mut self, homesick: &[MessageId], now: Now) {
        for id in homesick {
            let Some(message) = self.messages.get(id) else {
                continue;
            };
            let home = message.origin().clone();
            self.send_elsewhere(*id, &home, now);
        }
    }

    /// Follows the fallbacks from a space as long as it must be left and can be.
    fn walk(&self, space: &SpaceName, must_leave: impl Fn(&SpaceName) -> bool) -> SpaceName {
        let mut at = space;
        for _ in 0..CHAIN_MAX {
            match self.fallbacks.get(at).filter(|_| must_leave(at)) {
                Some(next) if self.by_space.contains_key(next) => at = next,
                // Where even the last one refuses, all wait at home.
                Some(_) | None if must_leave(at) => return space.clone(),
                Some(_) | None => return at.clone(),
            }
        }
        space.clone()
    }

    fn send_elsewhere(&mut self, id: MessageId, target: &SpaceName, now: Now) {
        let Some(mut message) = self.remove(id) else {
            return;
        };
        self.redirect(&mut message, target, now);
        message.state = MessageState::Waiting;
        self.put(message);
    }

    /// Makes a message one of another space.
    pub(super) fn redirect(&self, message: &mut MessageRecord, target: &SpaceName, now: Now) {
        let origin = message.origin().clone();
        let draft = &message.draft;
        // It may come here twice, and say more then: the time makes it another one.
        let kind = format!("{} for {origin} at {}", draft.reason.as_str(), now.wall.0);
        message.request_id = self.ids.request(draft.tally.birth, target.as_str(), &kind);
        message.meant_for = (origin != *target).then_some(origin);
        message.space = target.clone();
    }
}

/// What waits in other queues than that of `key`, of the messages that may be in several.
pub(super) fn elsewhere<'a>(
    key: &PacerKey,
    by_space: &BTreeMap<SpaceName, PacerKey>,
    fallbacks: &BTreeMap<SpaceName, SpaceName>,
    messages: &'a BTreeMap<MessageId, MessageRecord>,
) -> Firsts<'a> {
    let mut firsts = Firsts::default();
    for message in messages.values() {
        let has_left = message.meant_for.is_some();
        if message.is_parked() || !(has_left || fallbacks.contains_key(&message.space)) {
            continue;
        }
        if by_space.get(&message.space).is_some_and(|at| at != key) {
            firsts.add(message);
        }
    }
    firsts
}

/// Whether another space may read a message. What the agent says of itself stays
/// where it was meant to go: it may be about the very space that stands in.
fn may_leave(message: &MessageRecord) -> bool {
    !message
        .instances()
        .any(|id| id.rule.as_str().starts_with(own::PREFIX))
}
