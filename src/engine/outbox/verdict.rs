//! What the answers of a server lead to, for the message and for its space.

use std::collections::BTreeSet;

use super::Outbox;
use super::pacer::Told;
use crate::engine::answer::{Answer, Cause};
use crate::engine::commit::{MessageRecord, MessageState, Plain};
use crate::engine::events::InstanceId;
use crate::engine::ids::MessageId;
use crate::engine::own::Trouble;
use crate::engine::time::{Now, Wall};
use crate::rules::own::Own;
use crate::rules::{PacerKey, RuleKey, SpaceName};

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
        /// The rules among that, each once.
        rules: BTreeSet<RuleKey>,
    },
    /// A space does not take messages for now. Said once until it recovers.
    Troubled {
        /// Which.
        space: SpaceName,
        /// Why.
        why: String,
    },
    /// A space has taken nothing for long. Said once until it recovers.
    Lasting {
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
        /// Which space refused it.
        space: SpaceName,
        /// What it spoke for.
        instance: InstanceId,
        /// The events that it speaks for.
        count: u64,
        /// Why.
        why: String,
    },
}

impl Outcome {
    /// The trouble that people should read of, wherever they can.
    pub fn trouble(&self) -> Option<Trouble> {
        let (space, what) = match self {
            Self::Lasting { space, why } => (
                space,
                format!("nothing can be posted to the space `{space}`, it all waits: {why}"),
            ),
            Self::Refused { space, why } => (
                space,
                format!("the space `{space}` refuses all messages, they wait: {why}"),
            ),
            Self::Parked {
                space,
                instance,
                count,
                why,
                ..
            } => (
                space,
                format!(
                    "a message of `{}` for {count} event(s) was refused twice by the space \
                     `{space}` and is set aside: {why}",
                    instance.rule
                ),
            ),
            Self::Delivered { .. } | Self::Troubled { .. } | Self::Recovered { .. } => return None,
        };
        Some(Trouble {
            own: Own::Delivery,
            subject: space.as_str().to_owned(),
            what,
            at_fault: Some(space.clone()),
        })
    }
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
                outcomes.push(delivered(message));
            }
            return outcomes;
        };
        self.dirty_pacers.insert(key.clone());
        let Some(pacer) = self.pacers.get_mut(&key) else {
            return outcomes;
        };
        pacer.in_flight = None;
        pacer.hold = None;
        let space = match self.messages.get(&id) {
            Some(message) => message.space.clone(),
            None => return outcomes,
        };
        pacer.last_error = match &answer {
            Answer::Delivered { .. } => None,
            Answer::Later { why, .. }
            | Answer::SpaceRefused { why, .. }
            | Answer::Refused { why } => Some(why.clone()),
        };
        match answer {
            Answer::Delivered { .. } => {
                let was_refused = pacer.refused;
                let suspects = pacer.suspects.clone();
                pacer.deliver(now);
                if pacer.told > Told::Well {
                    pacer.told = Told::Well;
                    outcomes.push(Outcome::Recovered { space });
                }
                if let Some(message) = self.remove(id) {
                    outcomes.push(delivered(message));
                }
                for suspect in suspects {
                    self.change(suspect, |message| message.state.try_anew(now.wall));
                }
                if was_refused {
                    self.come_home(&key, now);
                }
            }
            Answer::Later { cause, wait, why } => {
                if pacer.told == Told::Well && cause != Cause::Quota {
                    pacer.told = Told::Troubled;
                    let (space, why) = (space.clone(), why.clone());
                    outcomes.push(Outcome::Troubled { space, why });
                }
                pacer.back_off(now, cause, wait, rng);
                if pacer.told == Told::Troubled && pacer.lasts(now.moment) {
                    pacer.told = Told::Lasting;
                    outcomes.push(Outcome::Lasting { space, why });
                }
            }
            Answer::SpaceRefused { certain, why } => {
                pacer.n_doubts += 1;
                match certain || pacer.n_doubts >= DOUBTS_MAX {
                    true => outcomes.extend(self.refuse(now, &key, space, why)),
                    false => {
                        if pacer.told == Told::Well {
                            pacer.told = Told::Troubled;
                            outcomes.push(Outcome::Troubled { space, why });
                        }
                        pacer.back_off(now, Cause::Trouble, None, rng);
                    }
                }
            }
            Answer::Refused { why } => {
                // Who has an opinion of a message hears us again. Not so where such opinions
                // were what everything was refused for.
                if pacer.suspects.is_empty() || !pacer.refused {
                    let was_refused = pacer.refused;
                    pacer.forgive();
                    if pacer.told > Told::Well {
                        pacer.told = Told::Well;
                        outcomes.push(Outcome::Recovered { space });
                    }
                    if was_refused {
                        self.come_home(&key, now);
                    }
                }
                outcomes.extend(self.refused(now, &key, id, why, plain));
            }
        }
        self.hand_on(&key, now);
        if !self.fallbacks.is_empty() {
            // What follows it may wait for that in the queue of another space.
            for pacer in self.pacers.values_mut() {
                pacer.hold = None;
            }
        }
        outcomes
    }

    /// A space takes no message at all.
    fn refuse(
        &mut self,
        now: Now,
        key: &PacerKey,
        space: SpaceName,
        why: String,
    ) -> Option<Outcome> {
        let pacer = self.pacers.get_mut(key)?;
        pacer.refuse(now);
        let is_news = pacer.told < Told::Refused;
        pacer.told = Told::Refused;
        is_news.then_some(Outcome::Refused { space, why })
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
        pacer.next = now.moment.after(pacer.pace);
        if pacer.refused {
            pacer.suspects.insert(id);
            pacer.tried = Some(id);
            pacer.refuse(now);
            let short = plain(self.messages.get(&id)?);
            self.change(id, |message| message.state.try_otherwise(short, now.wall));
            return None;
        }
        if !pacer.refusals.contains(&id) && !pacer.convicts.contains(&id) {
            pacer.refusals.push(id);
        }
        if pacer.refusals.len() >= REFUSALS_MAX {
            let streak = std::mem::take(&mut pacer.refusals);
            pacer.suspects.extend(&streak);
            pacer.queue.extend(&streak);
            let space = self.messages.get(&id)?.space.clone();
            for id in streak {
                self.change(id, |message| message.state.try_anew(now.wall));
            }
            return self.refuse(now, key, space, why);
        }
        let short = plain(self.messages.get(&id)?);
        let parked = self.change(id, |message| match &mut message.state {
            MessageState::Frozen {
                plain: form @ None, ..
            } => {
                *form = Some(short);
                None
            }
            MessageState::Frozen { body, .. } => {
                message.state = MessageState::Parked {
                    body: std::mem::take(body),
                    why: why.clone(),
                };
                Some(Outcome::Parked {
                    message: id,
                    space: message.space.clone(),
                    instance: message.instance.clone(),
                    count: message.draft.tally.count,
                    why,
                })
            }
            MessageState::Waiting | MessageState::Parked { .. } => None,
        })?;
        if parked.is_some() {
            let pacer = self.pacers.get_mut(key)?;
            pacer.queue.remove(&id);
            pacer.convicts.remove(&id);
            self.keep_bounds();
        }
        parked
    }
}

fn delivered(message: MessageRecord) -> Outcome {
    Outcome::Delivered {
        message: message.id,
        rules: (message.instances())
            .map(|instance| instance.rule.clone())
            .collect(),
        instance: message.instance,
    }
}

impl MessageState {
    /// What was refused is to be tried again as it was.
    fn try_anew(&mut self, now: Wall) {
        if let Self::Frozen { body, .. } | Self::Parked { body, .. } = self {
            *self = Self::Frozen {
                body: std::mem::take(body),
                attempted: now,
                plain: None,
            };
        }
    }

    /// What was refused is to be tried in its other form: where only bad messages are
    /// left, it may be the one that tells that the space is well.
    fn try_otherwise(&mut self, short: Plain, now: Wall) {
        match self {
            Self::Frozen {
                plain: form @ None, ..
            } => *form = Some(short),
            Self::Frozen { .. } | Self::Parked { .. } => self.try_anew(now),
            Self::Waiting => {}
        }
    }
}
