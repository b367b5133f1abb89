//! What the answers of a server lead to, for the message and for its space.

use super::Outbox;
use crate::engine::answer::{Answer, Cause};
use crate::engine::commit::{MessageRecord, MessageState, Plain};
use crate::engine::events::InstanceId;
use crate::engine::ids::MessageId;
use crate::engine::time::Now;
use crate::rules::{PacerKey, SpaceName};

/// Messages in a row whose refusal means that the space is at fault.
const REFUSALS_MAX: usize = 3;

/// Answers in a row of the uncertain kind that refuse the space.
const DOUBTS_MAX: u32 = 3;

/// What an answer led to, as far as somebody should hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The message is in the space.
    Delivered {
        /// Which.
        message: MessageId,
        /// What it spoke for.
        instance: InstanceId,
    },
    /// A space does not take messages for now. Said once until it recovers.
    Troubled {
        /// Which.
        space: SpaceName,
        /// Why.
        why: String,
    },
    /// A space takes messages again.
    Recovered {
        /// Which.
        space: SpaceName,
    },
    /// A space refuses all messages.
    Refused {
        /// Which.
        space: SpaceName,
        /// Why.
        why: String,
    },
    /// A message was refused for good.
    Parked {
        /// Which.
        message: MessageId,
        /// What it spoke for.
        instance: InstanceId,
        /// The events that it speaks for.
        count: u64,
        /// Why.
        why: String,
    },
}

impl Outbox {
    /// Takes what the server said of a message in flight.
    pub fn answered(
        &mut self,
        now: Now,
        id: MessageId,
        answer: Answer,
        rng: &mut fastrand::Rng,
        plain: &mut dyn FnMut(&MessageRecord) -> Plain,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let Some(key) = self
            .pacers
            .iter()
            .find(|(_, pacer)| pacer.in_flight == Some(id))
            .map(|(key, _)| key.clone())
        else {
            // Its space left the settings while it was in flight.
            if let (Answer::Delivered { .. }, Some(message)) = (&answer, self.remove(id)) {
                outcomes.push(Outcome::Delivered {
                    message: id,
                    instance: message.instance,
                });
            }
            return outcomes;
        };
        self.dirty_pacers.insert(key.clone());
        let Some(pacer) = self.pacers.get_mut(&key) else {
            return outcomes;
        };
        pacer.in_flight = None;
        let space = match self.messages.get(&id) {
            Some(message) => message.space.clone(),
            None => return outcomes,
        };
        match answer {
            Answer::Delivered { .. } => {
                let was_troubled = pacer.is_troubled();
                pacer.deliver(now);
                if was_troubled {
                    outcomes.push(Outcome::Recovered { space });
                }
                if let Some(message) = self.remove(id) {
                    outcomes.push(Outcome::Delivered {
                        message: id,
                        instance: message.instance,
                    });
                }
            }
            Answer::Later { cause, wait, why } => {
                if !pacer.is_troubled() && cause != Cause::Quota {
                    outcomes.push(Outcome::Troubled { space, why });
                }
                pacer.back_off(now, cause, wait, rng);
            }
            Answer::SpaceRefused { certain, why } => {
                pacer.n_doubts += 1;
                match certain || pacer.n_doubts >= DOUBTS_MAX {
                    true => {
                        if !pacer.refused {
                            outcomes.push(Outcome::Refused { space, why });
                        }
                        pacer.refuse(now);
                    }
                    false => {
                        if !pacer.is_troubled() {
                            outcomes.push(Outcome::Troubled { space, why });
                        }
                        pacer.back_off(now, Cause::Trouble, None, rng);
                    }
                }
            }
            Answer::Refused { why } => {
                outcomes.extend(self.refused(now, &key, id, why, plain));
            }
        }
        outcomes
    }

    /// One message was refused: once more, plain; then parked; and when it is not
    /// the only one, the space is at fault.
    fn refused(
        &mut self,
        now: Now,
        key: &PacerKey,
        id: MessageId,
        why: String,
        plain: &mut dyn FnMut(&MessageRecord) -> Plain,
    ) -> Option<Outcome> {
        let pacer = self.pacers.get_mut(key)?;
        let message = self.messages.get_mut(&id)?;
        pacer.next = now.moment.after(pacer.pace);
        self.dirty_messages.insert(id);
        if pacer.refused {
            pacer.suspects.insert(id);
            pacer.refuse(now);
            return None;
        }
        if !pacer.refusals.contains(&id) && !pacer.convicts.contains(&id) {
            pacer.refusals.push(id);
        }
        if pacer.refusals.len() >= REFUSALS_MAX {
            pacer.refuse(now);
            let space = message.space.clone();
            for id in std::mem::take(&mut pacer.refusals) {
                let Some(message) = self.messages.get_mut(&id) else {
                    continue;
                };
                let body = match &message.state {
                    MessageState::Frozen { body, .. } | MessageState::Parked { body, .. } => {
                        body.clone()
                    }
                    MessageState::Waiting => continue,
                };
                message.state = MessageState::Frozen {
                    body,
                    attempted: now.wall,
                    plain: None,
                };
                pacer.suspects.insert(id);
                pacer.queue.insert(id);
                self.dirty_messages.insert(id);
            }
            return Some(Outcome::Refused { space, why });
        }
        let short = plain(message);
        match &mut message.state {
            MessageState::Frozen {
                plain: form @ None, ..
            } => {
                *form = Some(short);
                None
            }
            MessageState::Frozen { body, .. } => {
                pacer.queue.remove(&id);
                pacer.convicts.remove(&id);
                message.state = MessageState::Parked {
                    body: std::mem::take(body),
                    why: why.clone(),
                };
                Some(Outcome::Parked {
                    message: id,
                    instance: message.instance.clone(),
                    count: message.draft.tally.count,
                    why,
                })
            }
            MessageState::Waiting | MessageState::Parked { .. } => None,
        }
    }
}
