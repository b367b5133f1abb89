//! How much the outbox holds: beyond it the mildest and oldest messages become
//! counts per rule.
//!
//! What is folded loses its samples and the names of its instances, but no count:
//! the next digest reports it. It is done by halves, so that a storm without end
//! pays for it once in thousands of messages.

use std::collections::BTreeMap;
use std::mem::size_of;

use super::Outbox;
use super::gather::{merge, several};
use crate::engine::commit::{Kind, MessageRecord, MessageState};
use crate::engine::ids::MessageId;
use crate::engine::message::{Shown, Tally};

/// Messages that are kept apart.
pub const MESSAGES_MAX: usize = 10_000;

/// Bytes of memory that messages may take, about.
pub const MESSAGES_BYTES_MAX: usize = 64 << 20;

/// Messages kept of those that were refused for good.
const PARKED_MAX: usize = 1_000;

impl Outbox {
    /// Keeps to the bounds.
    pub(super) fn keep_bounds(&mut self) {
        if self.messages.len() - self.load.n_parked > MESSAGES_MAX
            || self.load.n_bytes > MESSAGES_BYTES_MAX
        {
            self.fold();
        }
        if self.load.n_parked > PARKED_MAX {
            self.fold_parked();
        }
    }

    /// Folds until half of the room is free, or nothing is left that may be folded.
    fn fold(&mut self) {
        let waiting = (self.messages.values())
            .filter(|message| message.state == MessageState::Waiting && is_foldable(message));
        let mut victims: Vec<_> = waiting
            .map(|message| (message.draft.tally.worst, message.born, message.id))
            .collect();
        victims.sort_unstable();
        let is_enough = |outbox: &Self| {
            outbox.messages.len() - outbox.load.n_parked <= MESSAGES_MAX / 2
                && outbox.load.n_bytes <= MESSAGES_BYTES_MAX / 2
        };
        let mut folds: BTreeMap<_, MessageId> = (self.messages.values())
            .filter(|message| is_fold(message))
            .map(|message| (home(message), message.id))
            .collect();
        for (_, _, id) in victims {
            if is_enough(self) {
                return;
            }
            let Some(victim) = self.remove(id) else {
                continue;
            };
            let fold = folds.entry(home(&victim)).or_insert(id);
            let folded = match self.remove(*fold) {
                Some(mut folded) => {
                    merge(&mut folded.draft, &victim.draft, false);
                    folded.born = folded.born.min(victim.born);
                    forget_samples(&mut folded.draft.tally);
                    folded
                }
                None => {
                    let mut folded = victim;
                    folded.kind = Kind::Folded;
                    folded.thread_key =
                        (folded.thread_key).map(|_| folded.instance.rule.as_str().to_owned());
                    folded.instance = several(&folded.instance);
                    folded.parts = Vec::new();
                    forget_samples(&mut folded.draft.tally);
                    folded
                }
            };
            self.put(folded);
        }
    }

    /// Of messages that were refused for good the oldest give up their bodies.
    fn fold_parked(&mut self) {
        let parked: Vec<MessageId> = (self.messages.values())
            .filter(|message| matches!(message.state, MessageState::Parked { .. }))
            .map(|message| message.id)
            .collect();
        let mut folds: BTreeMap<_, MessageRecord> = BTreeMap::new();
        for id in &parked[..parked.len() - PARKED_MAX / 2] {
            let Some(mut victim) = self.remove(*id) else {
                continue;
            };
            if let MessageState::Parked { body, .. } = &mut victim.state {
                body.clear();
            }
            forget_samples(&mut victim.draft.tally);
            match folds.get_mut(&home(&victim)) {
                Some(folded) => {
                    let parts = std::mem::take(&mut folded.parts);
                    merge(&mut folded.draft, &victim.draft, false);
                    folded.parts = parts;
                }
                None => {
                    victim.instance = several(&victim.instance);
                    victim.parts = Vec::new();
                    victim.kind = Kind::Folded;
                    folds.insert(home(&victim), victim);
                }
            }
        }
        for folded in folds.into_values() {
            self.put(folded);
        }
    }
}

/// Whether a waiting message may become a count of its rule. What speaks for
/// several rules may not.
fn is_foldable(message: &MessageRecord) -> bool {
    match message.kind {
        Kind::Instance | Kind::Thread => true,
        Kind::CatchUp => message.parts.is_empty(),
        Kind::State | Kind::Folded | Kind::Digest => false,
    }
}

type Home = (
    crate::rules::SpaceName,
    crate::rules::SpaceName,
    crate::rules::RuleKey,
);

/// Where and for which rule it counts.
fn home(message: &MessageRecord) -> Home {
    (
        message.space.clone(),
        message.origin().clone(),
        message.instance.rule.clone(),
    )
}

fn forget_samples(tally: &mut Tally) {
    tally.different.clear();
}

/// What the messages amount to.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// The memory they take, about.
    pub(super) n_bytes: usize,
    /// Those that were refused for good.
    pub(super) n_parked: usize,
    /// Those that are counts of their rules, and wait.
    pub(super) n_folds: usize,
}

impl Load {
    pub(super) fn add(&mut self, message: &MessageRecord) {
        self.n_bytes += weigh(message);
        self.n_parked += usize::from(message.is_parked());
        self.n_folds += usize::from(is_fold(message));
    }

    pub(super) fn subtract(&mut self, message: &MessageRecord) {
        self.n_bytes -= weigh(message);
        self.n_parked -= usize::from(message.is_parked());
        self.n_folds -= usize::from(is_fold(message));
    }
}

fn is_fold(message: &MessageRecord) -> bool {
    message.kind == Kind::Folded && message.state == MessageState::Waiting
}

impl Tally {
    /// The memory that its samples take, about.
    pub(super) fn n_bytes(&self) -> usize {
        let shown = |shown: &Shown| {
            let sample = &shown.sample;
            let values = sample.captures.iter().chain(&sample.fields);
            let values = values.map(|(_, text)| text.len() + 40);
            let around = sample.around.as_ref();
            let around = around.map_or(0, |around| around.before.len() + around.after.len());
            sample.line.len() + around + values.sum::<usize>() + size_of::<Shown>() + 80
        };
        shown(&self.latest) + self.different.iter().map(shown).sum::<usize>()
    }
}

/// The memory that a message takes, about.
fn weigh(message: &MessageRecord) -> usize {
    let body = match &message.state {
        MessageState::Waiting => 0,
        MessageState::Frozen { body, plain, .. } => {
            body.len() + plain.as_ref().map_or(0, |plain| plain.body.len())
        }
        MessageState::Parked { body, why } => body.len() + why.len(),
    };
    let by = |by: &[String]| by.iter().map(|value| value.len() + 24).sum::<usize>();
    let parts = (message.parts.iter()).map(|part| by(&part.instance.by) + 72);
    size_of::<MessageRecord>()
        + body
        + message.draft.tally.n_bytes()
        + by(&message.instance.by)
        + parts.sum::<usize>()
        + message.thread_key.as_ref().map_or(0, String::len)
        + message.request_id.len()
}
