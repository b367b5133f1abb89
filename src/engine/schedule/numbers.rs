//! Whose an inode number is, when another file has got it.

use super::{Schedule, Turn};
use crate::engine::identity::Facts;
use crate::engine::ids::StreamId;
use crate::engine::kinship;
use crate::engine::stream::{Kin, Naming, Stream};

impl Schedule {
    /// The same file, other content behind `from`: a new generation that begins
    /// there. The file stays open, for no name may lead to it.
    pub(super) fn begin_anew(&mut self, id: StreamId, facts: &Facts, from: u64) {
        let generation = self.next_stream_id();
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.changed_after = self.n_listings;
            stream.begin_anew(generation, facts, from);
        }
        // The number is its own, and no longer that of another which had it for a moment.
        self.by_place.insert(facts.place, id);
        self.dirty.insert(id);
        self.wake(id);
    }

    /// A file that was found by its number and has other content is one of the log by whose
    /// rotated names it was found: it is followed for that one, and what had its number
    /// before is gone. Returns whether it is so.
    pub(super) fn leave_to_its_log(&mut self, id: StreamId, facts: &Facts) -> bool {
        let Some(stream) = self.streams.get(&id) else {
            return false;
        };
        let (name, path) = (stream.name.clone(), stream.path.clone());
        if stream.naming != Naming::Rotated || kinship::rank(&name, &path).is_some() {
            return false;
        }
        let logs = kinship::logs_of(&path).into_iter();
        let mut logs = logs.map(|log| (self.rules_of(&log), log));
        let Some((rules, log)) = logs.find(|(rules, _)| !rules.is_empty()) else {
            return false;
        };
        let following = self.following(&rules);
        let found = self.next_stream_id();
        let mut stream = Stream::new(found, path.clone(), facts, following);
        stream.name = log.into();
        stream.naming = Naming::Rotated;
        stream.looked_for = true;
        stream.kin = Kin::Known;
        stream.is_succeeded = true;
        stream.changed_after = self.n_listings;
        stream.copy_of = self.original_of(&path, None);
        self.add(stream);
        self.wake(found);
        self.let_go(id);
        true
    }

    /// What stands where a file was is another, and no name leads to the file itself.
    pub(super) fn let_go(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.naming = Naming::Nameless;
        }
        self.dirty.insert(id);
        self.orders.push_back(Turn::Close(id));
        self.wake_heirs(id);
        self.lose_name(id);
    }

    /// Two files of an earlier life had one number, one after the other. Of the first nothing
    /// is left but what is known of it: what is found by the number is the second.
    pub(super) fn tell_apart(&mut self, one: StreamId, other: StreamId) {
        let mut both = [one, other].map(|id| self.streams.get(&id));
        both.sort_by_key(|stream| stream.map(|stream| stream.generation));
        let [Some(first), Some(second)] = both else {
            return;
        };
        let (first, place) = (first.id, second.place());
        self.by_place.insert(place, second.id);
        if let Some(first) = self.streams.get_mut(&first)
            && first.packing.is_none()
        {
            first.naming = Naming::Nameless;
            first.is_memory = true;
        }
    }

    /// The inode number went to another file: what was here has no name, and nobody has it
    /// open, for then the number would be its own. Only its content may be there still.
    pub(super) fn lose_number(&mut self, id: StreamId) {
        self.give_up_searching(id);
        if let Some(stream) = self.streams.get_mut(&id) {
            // What took the place of one that had lost its name before is known already.
            if stream.naming == Naming::Here {
                stream.is_succeeded = false;
                stream.lost_after = self.n_listings;
                stream.looked_for = false;
            }
            stream.naming = Naming::Nameless;
            // A look would open the other file for it, and close that when it is told apart.
            stream.is_memory = true;
            stream.kin = Kin::Unasked;
            stream.seek_failed = false;
            let order = stream.seek();
            self.orders.push_back(order);
        }
        self.dirty.insert(id);
    }

    /// Whether what has the number of a file that lost its name is another: then that is
    /// gone, and nothing here tells whose continuation it was. (Where the system does not
    /// tell births, what looks like a stranger may be the file itself, written anew: better
    /// to read it twice than never.)
    pub(super) fn is_of_a_stranger(&self, id: StreamId, facts: &Facts) -> bool {
        self.streams.get(&id).is_some_and(|stream| {
            stream.naming != Naming::Here && stream.identity.has_other_birth_than(facts)
        })
    }

    /// Whether a file that was opened for one stream is another's already.
    pub(super) fn is_of_another(&self, id: StreamId, facts: &Facts) -> bool {
        let holder = self.by_place.get(&facts.place);
        let holder = holder.and_then(|holder| self.streams.get(holder));
        holder.is_some_and(|holder| {
            let is_it = holder.identity.birth.is_some() && holder.identity.birth == facts.birth;
            holder.id != id && holder.packing.is_none() && is_it
        })
    }

    /// What was opened for a stream is another's, which the next listing meets here: the
    /// stream's own file is gone.
    pub(super) fn leave_to_another(&mut self, id: StreamId) {
        self.orders.push_back(Turn::Close(id));
        self.lose_number(id);
        if let Some(stream) = self.streams.get(&id) {
            let path = stream.path.clone();
            self.want(&path);
        }
        self.wake_heirs(id);
        self.wake(id);
    }
}
