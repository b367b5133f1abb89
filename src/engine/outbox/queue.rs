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

/// The oldest message of each instance that waits in the queue of another space.
pub(super) type Elsewhere<'a> = BTreeMap<(&'a SpaceName, &'a InstanceId), MessageId>;

/// Whether a message would overtake one that waits elsewhere.
pub(super) fn is_held_up(message: &MessageRecord, elsewhere: &Elsewhere<'_>) -> bool {
    message.instances().any(|id| {
        let oldest = elsewhere.get(&(message.origin(), id));
        oldest.is_some_and(|oldest| *oldest < message.id)
    })
}

/// Chooses. What is `late` waits until that moment.
pub(super) fn choose(
    pacer: &mut Pacer,
    messages: &BTreeMap<MessageId, MessageRecord>,
    elsewhere: &Elsewhere<'_>,
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
        elsewhere: &Elsewhere<'_>,
        now: Now,
    ) -> Self {
        let mut lines: BTreeMap<_, Line> = BTreeMap::new();
        let mut blocked: BTreeSet<(&SpaceName, &InstanceId)> = BTreeSet::new();
        // What was made one message waits again where another space is to take it on: it
        // stands in the lines of all that it speaks for.
        let mut gathered: BTreeSet<(&SpaceName, &InstanceId)> = BTreeSet::new();
        let mut threads = BTreeSet::new();
        let mut frozen = Vec::new();
        let mut crowd = Crowd {
            pace: pacer.pace,
            digest_is_due: pacer.digests.values().all(|due| *due <= now.moment),
            ..Crowd::default()
        };
        for message in pacer.queue.iter().filter_map(|id| messages.get(id)) {
            if message.state != MessageState::Waiting {
                blocked.extend(message.instances().map(|id| (message.origin(), id)));
                // Others first: only they can tell whether the space or the message
                // is bad.
                if !pacer.suspects.contains(&message.id) {
                    frozen.push(message);
                }
                continue;
            }
            let worst = message.draft.tally.worst;
            let is_state = message.kind == Kind::State;
            crowd.n_waiting += usize::from(!is_state);
            if worst < Severity::Critical && message.kind != Kind::CatchUp && !is_state {
                threads.insert(thread_of(message));
                crowd.waited = crowd.waited.max(now.wall.since(message.born));
            }
            let instances = || message.instances().map(|id| (message.origin(), id));
            let is_of_several = !message.parts.is_empty();
            let is_behind = instances().any(|of| gathered.contains(&of))
                || (is_of_several
                    && instances().any(|of| lines.contains_key(&of) || blocked.contains(&of)));
            if is_of_several || is_behind {
                gathered.extend(instances());
            }
            if is_behind || is_held_up(message, elsewhere) {
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
        for line in blocked {
            lines.remove(&line);
        }
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
