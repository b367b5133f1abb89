//! Which of the waiting messages of a space goes next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pacer::Pacer;
use crate::engine::commit::{MessageRecord, MessageState};
use crate::engine::ids::MessageId;
use crate::engine::time::Wall;
use crate::rules::Severity;

/// A waiting message gains a level of severity for each of these.
const AGEING: Duration = Duration::from_secs(300);

/// The message to send next: the worst first, a waiting one rising with time,
/// and none before an earlier one of its instance.
pub(super) fn next_of(
    pacer: &Pacer,
    messages: &BTreeMap<MessageId, MessageRecord>,
    now: Wall,
) -> Option<MessageId> {
    let mut seen = BTreeSet::new();
    let mut best: Option<(u64, MessageId)> = None;
    for id in &pacer.queue {
        let Some(message) = messages.get(id) else {
            continue;
        };
        // Others first: only they can tell whether the space or the message is bad.
        let is_suspect = pacer.suspects.contains(id);
        if !seen.insert((&message.space, &message.instance)) || is_suspect {
            continue;
        }
        // A message in doubt goes first: until it is settled, nothing may follow
        // that could be taken for its repetition.
        if matches!(message.state, MessageState::Frozen { .. }) {
            return Some(*id);
        }
        let level = level(message.draft.tally.worst, now.since(message.born));
        if best.is_none_or(|(highest, _)| level > highest) {
            best = Some((level, *id));
        }
    }
    let suspect = || pacer.suspects.intersection(&pacer.queue).next();
    best.map(|(_, id)| id).or_else(|| suspect().copied())
}

fn level(severity: Severity, waited: Duration) -> u64 {
    severity as u64 + waited.as_secs() / AGEING.as_secs()
}
