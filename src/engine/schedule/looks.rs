//! Looks: what is asked of a file, and what the answer means for it.

use std::collections::BTreeSet;
use std::path::Path;

use super::heirs::Heirship;
use super::{Fault, Look, LookAt, Notice, ReadThen, Schedule, Turn};
use crate::engine::identity::{self, Facts, HEAD_BYTES, Mark, Place, Verdict};
use crate::engine::ids::StreamId;
use crate::engine::scan::Ending;
use crate::engine::stream::{Asked, DELETED, Naming, Phase, Stream};
use crate::engine::time::Moment;

/// Rotated files kept open per path after they were read to their end: their
/// writer may still hold them.
const ROTATED_KEPT: usize = 2;

impl Schedule {
    /// A look at a file, with the evidence that it is to be held against. None
    /// while it is not known whether it took the place of another.
    pub(super) fn look(&mut self, id: StreamId) -> Option<LookAt> {
        if self.streams.get(&id)?.is_held && !self.streams.get(&id)?.is_memory {
            return self.look_at_kin(id);
        }
        let mut heirship = self.heirship(id);
        let stream = self.streams.get_mut(&id)?;
        if heirship == Heirship::Own && stream.is_fresh() && stream.copy_of.is_some() {
            stream.heir_of = stream.copy_of.take();
            stream.is_copy = true;
            heirship = self.heirship(id);
        }
        let inherited = match heirship {
            Heirship::Own => None,
            Heirship::Of(old) => self.streams.get(&old).map(Stream::evidence),
            Heirship::Unsettled => {
                // It is woken when the other is found, and not before.
                let stream = self.streams.get_mut(&id)?;
                stream.phase = Phase::Resting;
                if let Some(unread) = &mut stream.unread {
                    unread.retry = None;
                }
                return None;
            }
        };
        let stream = self.streams.get_mut(&id)?;
        if heirship == Heirship::Own && stream.heir_of.take().is_some() {
            // What it may have been a copy of is gone.
            (stream.is_copy, stream.grows) = (false, None);
            self.dirty.insert(id);
        }
        stream.asked = match (heirship, &inherited) {
            (Heirship::Of(of), Some(marks)) => {
                let marks = marks.as_slice().into();
                Some(Box::new(Asked { of, marks }))
            }
            (Heirship::Of(_) | Heirship::Own | Heirship::Unsettled, _) => None,
        };
        let marks = inherited.unwrap_or_else(|| stream.identity.probes());
        let mut stretches: Vec<(u64, u64)> =
            marks.iter().map(|mark| (mark.start, mark.end)).collect();
        if heirship == Heirship::Own {
            stretches.extend(missing_heads(stream).map(|end| (0, end)));
            // The line that was taken comes last.
            let taken = stream.taken.as_ref().and_then(|taken| taken.mark);
            stretches.extend(taken.map(|mark| (mark.start, mark.end)));
        }
        stream.phase = Phase::Looking;
        stream.again = false;
        Some(LookAt {
            stream: id,
            path: stream.path.to_path_buf(),
            packing: None,
            place: stream.place(),
            stretches,
            then: None,
        })
    }

    /// Takes what a look found that began at `begun`. Returns what the read found that followed it, if that
    /// is the one that would be made now: to be taken as any other.
    pub fn looked(
        &mut self,
        now: Moment,
        id: StreamId,
        begun: Moment,
        mut outcome: Result<Look, Fault>,
    ) -> Option<ReadThen> {
        self.n_turns = self.n_turns.saturating_sub(1);
        let hinted = self.hinted.remove(&id);
        let then = outcome.as_mut().ok().and_then(|look| look.then.take());
        let stream = self.streams.get_mut(&id)?;
        stream.again |= hinted.is_some_and(|since| since >= begun);
        stream.phase = Phase::Resting;
        let is_outdated = std::mem::take(&mut stream.outdated);
        self.judge_look(now, id, outcome);
        let stream = self.streams.get(&id)?;
        let then = then.filter(|then| !is_outdated && self.still_wants(stream, then))?;
        self.turns.pop_back_if(|last| *last == id);
        self.begin_reading(id);
        Some(*then)
    }

    fn judge_look(&mut self, now: Moment, id: StreamId, outcome: Result<Look, Fault>) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.is_held {
            return self.looked_at_kin(now, id, outcome);
        }
        let look = match outcome {
            Ok(look) => look,
            Err(fault) => {
                let again = stream.again;
                // Better to read something twice than to wait for ever. But if news
                // came meanwhile, such as where the file went, it is looked at again.
                if !again {
                    stream.confirmed = true;
                    self.wake_heirs(id);
                    self.wake_copied(id);
                    self.go_on_searching(id);
                }
                self.fault(now, id, fault);
                if again {
                    self.wake(id);
                }
                return;
            }
        };
        self.list_overlooked(id, look.named);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let Some(facts) = look.opened else {
            if let Some(unread) = &mut stream.unread {
                unread.retry = None;
            }
            return self.lose_name(id);
        };
        self.recovered(id);
        if self.is_unproven(id, look.named) {
            if self.streams.get(&id).is_some_and(|stream| stream.again) {
                // It was nameless only after that look had begun.
                return self.wake(id);
            }
            self.orders.push_back(Turn::Close(id));
            return self.lose_name(id);
        }
        if self.is_of_a_stranger(id, &facts) {
            return self.let_go(id);
        }
        if self.inherit(now, id, &facts, &look.hashes) {
            return;
        }
        let is_of_another = self.is_of_another(id, &facts);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let is_stranger = stream.identity.has_other_birth_than(&facts);
        let joined = stream.joined.clone();
        let is_shorter = !is_stranger && stream.shrinks(&facts);
        let is_settled = stream.modified >= self.booted;
        let known = (&stream.identity, stream.offset);
        let verdict = identity::judge(known, is_settled, &facts, &look.hashes);
        let verdict = match verdict {
            Verdict::Reused if stream.has_moved_to(&facts, &stream.hashes_of_evidence(&look)) => {
                Verdict::Moved
            }
            Verdict::GoOn if is_shorter && stream.identity.marks.is_empty() => Verdict::Rewritten,
            // The line that was taken unfinished is gone, and another stands there.
            Verdict::GoOn if !stream.still_has_taken(&look.hashes) => Verdict::CutInPlace {
                resume: stream.offset,
            },
            verdict => verdict,
        };
        match verdict {
            Verdict::GoOn if !stream.confirmed => {
                stream.identity.relearn_head(&look.hashes);
                stream.confirmed = true;
                self.wake_heirs(id);
                self.wake_copied(id);
                self.go_on_searching(id);
            }
            Verdict::GoOn => stream.identity.relearn_head(&look.hashes),
            // What stands there now was met elsewhere before it came here.
            Verdict::Reused if is_of_another => {
                return self.leave_to_another(id);
            }
            Verdict::Moved => {
                stream.identity.place = facts.place;
                stream.identity.birth = facts.birth;
                stream.changed_after = self.n_listings;
                self.dirty.insert(id);
            }
            Verdict::CutInPlace { resume } => {
                let path = stream.path.to_path_buf();
                let offset = resume;
                self.notices.push(Notice::CutInPlace { path, offset });
                self.remember(id);
                self.begin_anew(id, &facts, resume);
                return;
            }
            Verdict::Rewritten | Verdict::Reused | Verdict::Other => {
                let n_lost = stream.n_behind();
                let path = stream.path.to_path_buf();
                // A copy has the old lines still, and rules care for them no more than
                // before.
                stream.joined = joined;
                if self.leave_to_its_log(id, &facts) {
                    return;
                }
                self.notices.push(Notice::Truncated { path, n_lost });
                let original = self.original_of_rewritten(id);
                self.remember(id);
                self.begin_anew(id, &facts, 0);
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.copy_of = original;
                }
                return;
            }
        }
        if self.is_to_be_held_against_its_log(id) {
            return self.wake(id);
        }
        self.go_on(now, id, &facts, &look);
    }

    /// A look shows another file at the name of one that has none any more. If nobody follows
    /// that yet, the listing lacked it, for names may change while a directory is read: it
    /// is listed once more, or what came of this one would be read from its start.
    fn list_overlooked(&mut self, id: StreamId, named: Option<Place>) {
        let Some(named) = named.filter(|named| !self.by_place.contains_key(named)) else {
            return;
        };
        let n_listings = self.n_listings;
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let is_lost = stream.naming == Naming::Nameless && stream.path == stream.name;
        let is_overlooked = is_lost && stream.looked_for && named != stream.place();
        if is_overlooked && !std::mem::replace(&mut stream.listed_again, true) {
            stream.looked_for = false;
            stream.lost_after = n_listings;
            let path = stream.path.clone();
            self.want(&path);
        }
    }

    /// After a look at the file that is still itself.
    fn go_on(&mut self, now: Moment, id: StreamId, facts: &Facts, look: &Look) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let heads: Vec<u64> = missing_heads(stream).collect();
        let n_probes = stream.identity.probes().len();
        for (end, hash) in heads
            .iter()
            .zip(look.hashes.get(n_probes..).unwrap_or_default())
        {
            if let Some(hash) = hash {
                stream.identity.learn_head(Mark {
                    start: 0,
                    end: *end,
                    hash: *hash,
                });
            }
        }
        stream.identity.birth = stream.identity.birth.or(facts.birth);
        stream.size = facts.size;
        stream.modified = facts.modified;
        let lost_its_name = stream.naming == Naming::Here && look.named != Some(stream.place());
        let unread = !stream.is_read() || stream.ending(now) != Ending::Leave;
        if unread {
            stream.deleted = None;
            stream.phase = Phase::WaitsToRead;
            self.turns.push_back(id);
        } else {
            self.rest(now, id, facts);
        }
        if lost_its_name {
            self.lose_name(id);
        }
    }

    /// A file that was read to its end rests; one that nobody can write to any
    /// more is let go.
    fn rest(&mut self, now: Moment, id: StreamId, facts: &Facts) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let waits = stream.unfinished.as_ref().is_some_and(|line| !line.taken);
        if facts.links == 0 && !waits {
            let since = *stream.deleted.get_or_insert(now);
            if since.after(DELETED) > now {
                return;
            }
            if self.may_be_continued(id) {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.deleted = Some(now);
                }
                return;
            }
            return self.forget(id);
        }
        if stream.again {
            return self.wake(id);
        }
        if stream.naming == Naming::Rotated {
            let path = stream.path.clone();
            if !self.rules_of(&path).is_empty() {
                // It went to a name that is followed: the next listing meets it there.
                return self.want(&path);
            }
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.leaving && !waits {
            return self.forget(id);
        }
        if matches!(stream.naming, Naming::Rotated | Naming::Nameless) && !waits {
            let name = stream.name.clone();
            self.rotated.entry(name.clone()).or_default().insert(id);
            self.let_oldest_go(&name);
        }
    }

    /// Of the files that had a name, only so many are kept open. The oldest go,
    /// and not the first that came to rest; and not without a last look, for nobody
    /// may have hinted at their last lines.
    fn let_oldest_go(&mut self, name: &Path) {
        let Some(kept) = self.rotated.get(name) else {
            return;
        };
        let streams = kept.iter().filter_map(|id| self.streams.get(id));
        let mut kept: Vec<&Stream> = streams.collect();
        kept.sort_by_key(|stream| stream.age());
        let n_leaving = kept.len().saturating_sub(ROTATED_KEPT);
        // Those that are leaving already have their last look before them: several may
        // have come to rest since the first of them was told to go.
        let leaving = kept[..n_leaving].iter().filter(|stream| !stream.leaving);
        let leaving: Vec<StreamId> = leaving.map(|stream| stream.id).collect();
        for id in leaving {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.leaving = true;
                self.wake(id);
            }
        }
    }
}

/// The heads that are not remembered yet although the file reaches them.
fn missing_heads(stream: &Stream) -> impl Iterator<Item = u64> {
    let known: BTreeSet<u64> = (stream.identity.head.iter()).map(|mark| mark.end).collect();
    let offset = stream.offset;
    HEAD_BYTES
        .into_iter()
        .filter(move |end| *end <= offset && !known.contains(end))
}
