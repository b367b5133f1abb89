//! Files that are open, and which of them was used least.

use std::collections::BTreeMap;
use std::fs::File;

use crate::engine::ids::StreamId;

/// How much room is made at once, as a part of all open files: to find those that were
/// used least, all are gone through.
const ROOM_PART: usize = 64;

/// Open files by their streams.
#[derive(Debug)]
pub(super) struct OpenFiles {
    files: BTreeMap<StreamId, Open>,
    n_max: usize,
    /// Rises with every use of a file.
    clock: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    used: u64,
}

impl OpenFiles {
    /// At most so many.
    pub(super) fn new(n_max: usize) -> Self {
        Self {
            files: BTreeMap::new(),
            n_max,
            clock: 0,
        }
    }

    /// An open file, which is used now.
    pub(super) fn get(&mut self, stream: StreamId) -> Option<&File> {
        let open = self.files.get_mut(&stream)?;
        self.clock += 1;
        open.used = self.clock;
        Some(&open.file)
    }

    /// Adds one, which is used now.
    pub(super) fn insert(&mut self, stream: StreamId, file: File) {
        self.clock += 1;
        let used = self.clock;
        self.files.insert(stream, Open { file, used });
    }

    /// Closes one.
    pub(super) fn remove(&mut self, stream: StreamId) {
        self.files.remove(&stream);
    }

    /// Closes the files that were used least, if not one more may be opened.
    pub(super) fn make_room(&mut self) {
        if self.files.len() < self.n_max {
            return;
        }
        let mut used: Vec<u64> = self.files.values().map(|open| open.used).collect();
        let n_closed = (self.n_max / ROOM_PART).max(1);
        let (_, last_closed, _) = used.select_nth_unstable(n_closed - 1);
        self.files.retain(|_, open| open.used > *last_closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_used_least_makes_room() {
        let mut open = OpenFiles::new(2);
        let file = || File::open("/dev/null").unwrap();
        let [one, two, three] = [1, 2, 3].map(StreamId);
        for stream in [one, two] {
            open.make_room();
            open.insert(stream, file());
        }
        assert!(open.get(one).is_some());
        open.make_room();
        open.insert(three, file());
        assert!(open.get(two).is_none());
        assert!(open.get(one).is_some() && open.get(three).is_some());
        open.remove(one);
        open.make_room();
        open.insert(two, file());
        assert!(open.get(two).is_some() && open.get(three).is_some());
    }

    #[test]
    fn of_many_a_few_make_room_at_once() {
        let mut open = OpenFiles::new(256);
        for stream in (0..256).map(StreamId) {
            open.make_room();
            open.insert(stream, File::open("/dev/null").unwrap());
        }
        assert!(open.get(StreamId(1)).is_some());
        open.make_room();
        let closed = (0..256).filter(|&n| open.get(StreamId(n)).is_none());
        assert_eq!(closed.collect::<Vec<_>>(), [0, 2, 3, 4]);
    }
}
