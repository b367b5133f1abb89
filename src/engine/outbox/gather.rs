//! Several waiting messages become one, and no count is lost on the way.

use std::collections::BTreeMap;

use super::Outbox;
use crate::engine::commit::{Kind, MessageRecord, Part};
use crate::engine::events::InstanceId;
use crate::engine::ids::MessageId;
use crate::engine::message::{Draft, Reason};
use crate::rules::RuleKey;

/// How the `by` values of several instances read.
pub const SEVERAL: &str = "(several)";

/// The rule that digests are filed under; no rule can have this key, for none of
/// its messages is ever one instance's.
pub const DIGEST: &str = "logcrier-digest";

/// The thread of what is said at a start of the time before.
const CATCH_UP: &str = "logcrier-catch-up";

impl MessageRecord {
    /// The instances that it speaks for.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceId> {
        self.places().map(|(instance, _)| instance)
    }

    /// Its place in the line of each of them: the number of the newest message of the
    /// instance that it was made of.
    pub fn places(&self) -> impl Iterator<Item = (&InstanceId, MessageId)> {
        let own = self.parts.is_empty().then_some((&self.instance, self.id));
        own.into_iter()
            .chain(self.parts.iter().map(|part| (&part.instance, part.newest)))
    }

    /// What it says of each instance, and no more than that.
    pub fn shares(&self) -> Vec<Part> {
        if !self.parts.is_empty() {
            return self.parts.clone();
        }
        let tally = &self.draft.tally;
        vec![Part {
            instance: self.instance.clone(),
            count: tally.count,
            last: tally.last,
            worst: tally.worst,
            newest: self.id,
        }]
    }
}

impl Outbox {
    /// Makes one message of several that were never attempted, `ids` in the order
    /// of their birth. It is the newest of them, with its number and its request id;
    /// in the lines of the others it keeps their places.
    pub(super) fn gather(&mut self, ids: &[MessageId], kind: Kind) -> Option<MessageId> {
        let (newest, older) = ids.split_last()?;
        let mut all: Vec<MessageRecord> =
            (older.iter()).filter_map(|id| self.remove(*id)).collect();
        let mut carrier = self.remove(*newest)?;
        all.push(carrier.clone());
        let first = all.first()?;
        let (mut draft, born) = (first.draft.clone(), first.born);
        let is_one = (all.iter()).all(|m| m.parts.is_empty() && m.instance == first.instance);
        for message in &all[1..] {
            merge(&mut draft, &message.draft, is_one);
            carrier.born = carrier.born.min(message.born);
        }
        carrier.born = carrier.born.min(born);
        carrier.draft = draft;
        if !(is_one && kind == Kind::Thread) {
            carrier.parts = parts_of(&all);
            carrier.kind = kind;
        }
        match kind {
            Kind::Digest => {
                carrier.instance = nobody(DIGEST);
                carrier.thread_key = Some(DIGEST.to_owned());
            }
            Kind::CatchUp => {
                carrier.instance = nobody(CATCH_UP);
                carrier.thread_key = Some(CATCH_UP.to_owned());
            }
            Kind::Thread | Kind::Folded if !is_one => {
                carrier.instance = several(&carrier.instance);
            }
            Kind::Instance | Kind::State | Kind::Thread | Kind::Folded => {}
        }
        self.put(carrier);
        Some(*newest)
    }
}

/// The shared name of several instances of a rule.
pub(super) fn several(instance: &InstanceId) -> InstanceId {
    InstanceId {
        rule: instance.rule.clone(),
        by: instance.by.iter().map(|_| SEVERAL.to_owned()).collect(),
    }
}

/// Lets a draft speak for the events of a later one as well.
pub(super) fn merge(draft: &mut Draft, later: &Draft, is_one_instance: bool) {
    draft.tally.merge(&later.tally);
    draft.since = draft.since.min(later.since);
    draft.total = match is_one_instance {
        true => draft.total.max(later.total),
        false => draft.total.saturating_add(later.total),
    };
    if draft.reason != later.reason {
        draft.reason = match is_one_instance {
            // The newest state is what matters now.
            true => later.reason,
            false => Reason::Summary,
        };
    }
}

fn nobody(name: &str) -> InstanceId {
    InstanceId {
        rule: RuleKey::new(name),
        by: [].into(),
    }
}

/// What all of them say of each instance.
fn parts_of(messages: &[MessageRecord]) -> Vec<Part> {
    let mut parts: BTreeMap<InstanceId, Part> = BTreeMap::new();
    for share in messages.iter().flat_map(MessageRecord::shares) {
        match parts.get_mut(&share.instance) {
            None => {
                parts.insert(share.instance.clone(), share);
            }
            Some(part) => {
                part.count += share.count;
                part.last = part.last.max(share.last);
                part.worst = part.worst.max(share.worst);
                part.newest = part.newest.max(share.newest);
            }
        }
    }
    parts.into_values().collect()
}
