//! What waits to be said, by id, and what of it must reach the disk.

use super::crowd::Mode;
use super::{Absorbs, Outbox};
use crate::engine::commit::{Kind, MessageRecord, MessageState, SpaceRecord};
use crate::engine::ids::MessageId;
use crate::engine::time::{Now, millis};
use crate::rules::{Severity, SpaceName};

impl Outbox {
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
                    pace_ms: millis(pacer.pace),
                    next: now.wall_of(pacer.next),
                    refused: pacer.refused,
                    digests: (pacer.digests.iter())
                        .map(|(origin, due)| (origin.clone(), now.wall_of(*due)))
                        .collect(),
                })
            })
            .collect()
    }

    /// Takes back what [`take_dirty`](Self::take_dirty) gave: it was not committed.
    pub fn mark_dirty(&mut self, messages: impl IntoIterator<Item = MessageId>) {
        self.dirty_messages.extend(messages);
    }

    /// Takes back what [`take_dirty_spaces`](Self::take_dirty_spaces) gave.
    pub fn mark_dirty_spaces(&mut self, spaces: &[SpaceName]) {
        let keys = spaces.iter().filter_map(|space| self.by_space.get(space));
        self.dirty_pacers.extend(keys.cloned());
    }

    /// Takes a message in, new or changed.
    pub(super) fn put(&mut self, message: MessageRecord) {
        let id = message.id;
        self.load.add(&message);
        let absorbs = message.state == MessageState::Waiting
            && message.parts.is_empty()
            && message.kind != Kind::Folded
            && message.draft.reason.absorbs();
        if absorbs {
            let newest = self.open.entry(absorbs_of(&message)).or_insert(id);
            *newest = id.max(*newest);
        }
        let is_critical = message.draft.tally.worst == Severity::Critical;
        if let Some(pacer) = self.pacer_of_mut(&message.space)
            && !message.is_parked()
        {
            pacer.queue.insert(id);
            // While digests are sent, all but the worst waits for the next one.
            if pacer.mode != Mode::Digest || is_critical {
                pacer.hold = None;
            }
        }
        self.messages.insert(id, message);
        self.dirty_messages.insert(id);
    }

    pub(super) fn remove(&mut self, id: MessageId) -> Option<MessageRecord> {
        self.close(id);
        let message = self.messages.remove(&id)?;
        self.load.subtract(&message);
        self.dirty_messages.insert(id);
        if let Some(pacer) = self.pacer_of_mut(&message.space) {
            pacer.queue.remove(&id);
            pacer.suspects.remove(&id);
            pacer.convicts.remove(&id);
        }
        Some(message)
    }

    /// Changes a message where it is.
    pub(super) fn change<T>(
        &mut self,
        id: MessageId,
        change: impl FnOnce(&mut MessageRecord) -> T,
    ) -> Option<T> {
        let message = self.messages.get_mut(&id)?;
        self.load.subtract(message);
        let outcome = change(message);
        self.load.add(message);
        self.dirty_messages.insert(id);
        Some(outcome)
    }

    /// A message absorbs nothing any more.
    pub(super) fn close(&mut self, id: MessageId) {
        if let Some(message) = self.messages.get(&id) {
            let key = absorbs_of(message);
            if self.open.get(&key) == Some(&id) {
                self.open.remove(&key);
            }
        }
    }
}

pub(super) fn absorbs_of(message: &MessageRecord) -> Absorbs {
    let kind = match message.kind {
        Kind::CatchUp => Kind::CatchUp,
        Kind::Instance | Kind::State | Kind::Folded | Kind::Thread | Kind::Digest => Kind::Instance,
    };
    (message.origin().clone(), message.instance.clone(), kind)
}
