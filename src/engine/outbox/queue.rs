//! Which of the waiting messages of a space goes next, and which go with it.
//!
//! The messages of one instance form a line: none overtakes another, nor one that
//! another space took on while it stood in. A line is as
//! urgent as the worst message in it. Critical lines go first in every mode; what
//! was attempted before goes next, for until it is settled nobody knows what the
//! space has read; then the worst, a waiting one rising with time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::crowd::{Crowd, DIGEST_EVERY, Mode};
use super::pacer::Pacer;
use crate::engine::commit::{Kind, MessageRecord, MessageState};
use crate::engine::events::InstanceId;
use crate::engine::ids::MessageId;
use crate::engine::time::{Moment, Now, Wall};
use crate::rules::{RuleKey, Severity, SpaceName};

/// A waiting message gains a level of severity for each of these.
const AGEING: Duration = Duration::from_secs(300);

/// Critical messages in a row while others wait: even they must not starve all else.
const CRITICALS_IN_A_ROW: u32 = 10;

/// What a pacer does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// Sends a message.
    One(MessageId),
    /// Makes one message of several, and sends it.
    Several(Vec<MessageId>, Kind),
    /// Nothing before then, unless something else comes.
    Hold(Moment),
}

/// The waiting messages of an instance, in the order of their birth.
struct Line {
    ids: Vec<MessageId>,
    worst: Severity,
    born: Wall,
}

/// All that waits for a space.
struct Queue<'a> {
    messages: &'a BTreeMap<MessageId, MessageRecord>,
    /// Lines that nothing blocks.
    lines: BTreeMap<(&'a SpaceName, &'a InstanceId), Line>,
    /// What was attempted before, but for suspects.
    frozen: Vec<&'a MessageRecord>,
    suspect: Option<MessageId>,
    crowd: Crowd,
}

/// The place in the line of each instance that comes first of those of some messages.
///
/// What was made one message has a place in the line of every instance that it speaks
/// for, and no other than what it was made of had there: its own number is that of the
/// newest of all.
#[derive(Default)]
pub(super) struct Firsts<'a>(BTreeMap<(&'a SpaceName, &'a InstanceId), MessageId>);

impl<'a> Firsts<'a> {
    pub(super) fn add(&mut self, message: &'a MessageRecord) {
        for (instance, place) in message.places() {
            let first = self.0.entry((message.origin(), instance)).or_insert(place);
            *first = place.min(*first);
        }
    }

    /// Whether a message would overtake one of these.
    pub(super) fn hold_up(&self, message: &MessageRecord) -> bool {
        message.places().any(|(instance, place)| {
            let first = self.0.get(&(message.origin(), instance));
            first.is_some_and(|first| *first < place)
        })
    }
}

/// Chooses. What is `late` waits until that moment.
pub(super) fn choose(
    pacer: &mut Pacer,
    messages: &BTreeMap<MessageId, MessageRecord>,
    elsewhere: &Firsts<'_>,
    now: Now,
    late: Option<Moment>,
) -> Choice {
    let queue = Queue::of(pacer, messages, elsewhere, now);
    pacer.mode = pacer.mode.next(&queue.crowd);
    let critical = queue.critical(pacer.mode);
    let other = queue.other(pacer, now, late);
    let (choice, is_critical) = match (critical, other) {
        (Some(critical), other) if pacer.n_criticals < CRITICALS_IN_A_ROW || !other.goes() => {
            (critical, true)
        }
        (_, other) => (other, false),
    };
    pacer.n_criticals = match is_critical {
        true => pacer.n_criticals.saturating_add(1),
        false => 0,
    };
    if let Choice::Several(ids, Kind::Digest) = &choice
        && let Some(message) = ids.first().and_then(|id| messages.get(id))
    {
        let due = now.moment.after(DIGEST_EVERY);
        pacer.digests.insert(message.origin().clone(), due);
    }
    choice
}

impl Choice {
    fn goes(&self) -> bool {
        !matches!(self, Self::Hold(_))
    }

    /// One of these, as one message if they are several.
    fn of(mut ids: Vec<MessageId>, kind: Kind) -> Self {
        match ids.len() {
            1 => Self::One(ids.remove(0)),
            _ => Self::Several(ids, kind),
        }
    }
}

impl<'a> Queue<'a> {
    fn of(
        pacer: &Pacer,
        messages: &'a BTreeMap<MessageId, MessageRecord>,
        elsewhere: &Firsts<'_>,
        now: Now,
    ) -> Self {
        let mut waiting: Vec<&MessageRecord> = Vec::new();
        let mut blocked: BTreeSet<(&SpaceName, &InstanceId)> = BTreeSet::new();
        // What was made one message waits again where another space is to take it on.
        let (mut of_one, mut of_several) = (Firsts::default(), Firsts::default());
        let mut frozen = Vec::new();
        for message in pacer.queue.iter().filter_map(|id| messages.get(id)) {
            if message.state == MessageState::Waiting {
                waiting.push(message);
                match message.parts.is_empty() {
                    true => of_one.add(message),
                    false => of_several.add(message),
                }
                continue;
            }
            blocked.extend(message.instances().map(|id| (message.origin(), id)));
            // Others first: only they can tell whether the space or the message is bad.
            if !pacer.suspects.contains(&message.id) {
                frozen.push(message);
            }
        }
        let mut lines: BTreeMap<_, Line> = BTreeMap::new();
        let mut threads = BTreeSet::new();
        let mut crowd = Crowd {
            pace: pacer.pace,
            digest_is_due: pacer.digests.values().all(|due| *due <= now.moment),
            ..Crowd::default()
        };
        for message in waiting {
            let worst = message.draft.tally.worst;
            let is_state = message.kind == Kind::State;
            crowd.n_waiting += usize::from(!is_state);
            if worst < Severity::Critical && message.kind != Kind::CatchUp && !is_state {
                threads.insert(thread_of(message));
                crowd.waited = crowd.waited.max(now.wall.since(message.born));
            }
            let is_blocked = |id| blocked.contains(&(message.origin(), id));
            let is_behind = of_several.hold_up(message)
                || !message.parts.is_empty() && of_one.hold_up(message)
                || message.instances().any(is_blocked)
                || elsewhere.hold_up(message);
            if is_behind {
                continue;
            }
            let line = lines
                .entry((message.origin(), &message.instance))
                .or_insert(Line {
                    ids: Vec::new(),
                    worst,
                    born: message.born,
                });
            line.ids.push(message.id);
            line.worst = line.worst.max(worst);
            line.born = line.born.min(message.born);
        }
        crowd.n_threads = threads.len();
        Self {
            messages,
            lines,
            frozen,
            suspect: pacer.suspect(),
            crowd,
        }
    }

    /// The critical message that goes next.
    fn critical(&self, mode: Mode) -> Option<Choice> {
        let is_critical = |worst| worst == Severity::Critical;
        let mut frozen = self.frozen.iter();
        if let Some(frozen) = frozen.find(|message| is_critical(message.draft.tally.worst)) {
            return Some(Choice::One(frozen.id));
        }
        let lines = self.lines.values().filter(|line| is_critical(line.worst));
        let first = lines.min_by_key(|line| (line.born, line.ids[0]))?;
        Some(self.with_its_thread(first.ids[0], mode, is_critical))
    }

    /// What goes next of all that is not critical.
    fn other(&self, pacer: &Pacer, now: Now, late: Option<Moment>) -> Choice {
        if let Some(frozen) = self.frozen.first() {
            return Choice::One(frozen.id);
        }
        let mut hold = Moment(u64::MAX);
        let mut best: Option<((u64, std::cmp::Reverse<MessageId>), &MessageRecord)> = None;
        for line in self.lines.values() {
            let Some(head) = self.messages.get(&line.ids[0]) else {
                continue;
            };
            if line.worst == Severity::Critical {
                continue;
            }
            let held = match head.kind {
                Kind::CatchUp => late,
                Kind::Instance | Kind::Folded | Kind::Thread | Kind::Digest
                    if pacer.mode == Mode::Digest =>
                {
                    pacer.digests.get(head.origin()).copied()
                }
                Kind::Instance | Kind::State | Kind::Folded | Kind::Thread | Kind::Digest => None,
            };
            if let Some(held) = held.filter(|held| *held > now.moment) {
                hold = hold.min(held);
                continue;
            }
            let level = level(line.worst, now.wall.since(line.born));
            let rank = (level, std::cmp::Reverse(head.id));
            if best.is_none_or(|(highest, _)| rank > highest) {
                best = Some((rank, head));
            }
        }
        match (best, self.suspect) {
            (Some((_, head)), _) if head.kind == Kind::CatchUp => {
                let alike = |message: &MessageRecord| {
                    message.kind == Kind::CatchUp && message.origin() == head.origin()
                };
                Choice::of(self.heads(|_| true, alike), Kind::CatchUp)
            }
            (Some((_, head)), _) if head.kind == Kind::State => Choice::One(head.id),
            (Some((_, head)), _) if pacer.mode == Mode::Digest => {
                let mild = |worst| worst < Severity::Critical;
                let alike = |message: &MessageRecord| {
                    !matches!(message.kind, Kind::CatchUp | Kind::State)
                        && message.origin() == head.origin()
                };
                Choice::of(self.heads(mild, alike), Kind::Digest)
            }
            (Some((_, head)), _) => {
                self.with_its_thread(head.id, pacer.mode, |worst| worst < Severity::Critical)
            }
            (None, Some(suspect)) => Choice::One(suspect),
            (None, None) => Choice::Hold(hold),
        }
    }

    /// A message, and in a crowd all others of its thread that may go with it.
    fn with_its_thread(
        &self,
        id: MessageId,
        mode: Mode,
        is_of_class: impl Fn(Severity) -> bool,
    ) -> Choice {
        let Some(message) = self.messages.get(&id).filter(|_| mode > Mode::Calm) else {
            return Choice::One(id);
        };
        if message.kind == Kind::State {
            return Choice::One(id);
        }
        let thread = thread_of(message);
        let alike =
            |other: &MessageRecord| thread_of(other) == thread && other.kind == message.kind;
        Choice::of(self.heads(is_of_class, alike), Kind::Thread)
    }

    /// The messages at the heads of lines, as far into each as they are alike.
    fn heads(
        &self,
        is_of_class: impl Fn(Severity) -> bool,
        alike: impl Fn(&MessageRecord) -> bool,
    ) -> Vec<MessageId> {
        let lines = self.lines.values().filter(|line| is_of_class(line.worst));
        let alike = |id: &&MessageId| self.messages.get(id).is_some_and(&alike);
        let mut ids: Vec<MessageId> = lines
            .flat_map(|line| line.ids.iter().take_while(alike))
            .copied()
            .collect();
        ids.sort_unstable();
        ids
    }
}

/// What may become one message in a crowd: a thread, or without one the instance.
fn thread_of<'a>(message: &'a MessageRecord) -> (&'a SpaceName, &'a RuleKey, Thread<'a>) {
    let thread = match &message.thread_key {
        Some(key) => Thread::Key(key),
        None => Thread::Instance(&message.instance),
    };
    (message.origin(), &message.instance.rule, thread)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Thread<'a> {
    Key(&'a str),
    Instance(&'a InstanceId),
}

fn level(severity: Severity, waited: Duration) -> u64 {
    severity as u64 + waited.as_secs() / AGEING.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::commit::Part;
    use crate::engine::events::EventId;
    use crate::engine::message::{Draft, Reason, Shown, Tally};

    fn instance(by: &str) -> InstanceId {
        InstanceId {
            rule: RuleKey::new("r"),
            by: [by.to_owned()].into(),
        }
    }

    /// One of these instances, with these places in their lines.
    fn message(id: u64, places: &[(&str, u64)]) -> MessageRecord {
        let parts = places.iter().map(|(by, place)| Part {
            instance: instance(by),
            count: 1,
            last: Wall(0),
            worst: Severity::Warning,
            newest: MessageId(*place),
        });
        let is_gathered = places.len() > 1 || places[0].1 != id;
        let kind = match is_gathered {
            true => Kind::Digest,
            false => Kind::Instance,
        };
        MessageRecord {
            id: MessageId(id),
            space: SpaceName::new("ops"),
            meant_for: None,
            kind,
            instance: instance(if is_gathered { "" } else { places[0].0 }),
            thread_key: None,
            request_id: String::new(),
            born: Wall(0),
            draft: Draft {
                reason: Reason::First,
                tally: Tally {
                    count: 1,
                    birth: EventId(0),
                    first: Wall(0),
                    last: Wall(0),
                    worst: Severity::Warning,
                    different: Vec::new(),
                    latest: Shown::default(),
                },
                total: 1,
                since: Wall(0),
                until: None,
            },
            parts: parts.filter(|_| is_gathered).collect(),
            state: MessageState::Waiting,
        }
    }

    #[test]
    fn what_was_made_of_several_goes_where_each_of_them_would_have_gone() {
        for (waiting, expected) in [
            (
                vec![message(1, &[("x", 1)]), message(2, &[("x", 2)])],
                vec![1, 2],
            ),
            // Before what came later of one of them, though that has the lower number.
            (
                vec![
                    message(173, &[("x", 173)]),
                    message(174, &[("x", 165), ("y", 174)]),
                ],
                vec![174, 173],
            ),
            // Behind what came before one of them.
            (
                vec![
                    message(160, &[("x", 160)]),
                    message(174, &[("x", 165), ("y", 174)]),
                ],
                vec![160, 174],
            ),
            (
                vec![
                    message(160, &[("x", 160)]),
                    message(173, &[("x", 173)]),
                    message(174, &[("x", 165), ("y", 174)]),
                    message(175, &[("y", 175)]),
                ],
                vec![160, 174, 173, 175],
            ),
            // One before the other.
            (
                vec![
                    message(7, &[("x", 6), ("y", 7)]),
                    message(8, &[("x", 5), ("z", 8)]),
                ],
                vec![8, 7],
            ),
        ] {
            let now = Now {
                moment: Moment(0),
                wall: Wall(0),
            };
            let mut pacer = Pacer::new(now);
            pacer.queue = waiting.iter().map(|message| message.id).collect();
            let messages = waiting.into_iter().map(|message| (message.id, message));
            let messages: BTreeMap<MessageId, MessageRecord> = messages.collect();
            let mut order = Vec::new();
            while let Choice::One(id) = choose(&mut pacer, &messages, &Firsts::default(), now, None)
            {
                pacer.queue.remove(&id);
                order.push(id.0);
            }
            assert_eq!(order, expected);
        }
    }

    #[test]
    fn what_waits_elsewhere_holds_up_what_came_later() {
        let elsewhere = message(174, &[("x", 165), ("y", 174)]);
        let mut firsts = Firsts::default();
        firsts.add(&elsewhere);
        for (message, expected) in [
            (message(160, &[("x", 160)]), false),
            (message(170, &[("x", 170)]), true),
            (message(170, &[("y", 170)]), false),
            (message(175, &[("z", 175)]), false),
            (message(176, &[("x", 160), ("z", 176)]), false),
            (message(176, &[("x", 166), ("z", 176)]), true),
        ] {
            assert_eq!(firsts.hold_up(&message), expected, "{message:?}");
        }
    }
}
