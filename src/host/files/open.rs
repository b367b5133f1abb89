//! Files that are open, and which of them was used least.

use std::collections::BTreeMap;
use std::fs::File;

use crate::engine::ids::StreamId;

/// Open files by their streams.
#[derive(Debug)]
pub(super) struct OpenFiles {
    files: BTreeMap<StreamId, Open>,
    by_use: BTreeMap<u64, StreamId>,
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
            by_use: BTreeMap::new(),
            n_max,
            clock: 0,
        }
    }

    /// An open file, which is used now.
    pub(super) fn get(&mut self, stream: StreamId) -> Option<&File> {
        let open = self.files.get_mut(&stream)?;
        self.clock += 1;
        self.by_use.remove(&open.used);
        self.by_use.insert(self.clock, stream);
        open.used = self.clock;
        Some(&open.file)
    }

    /// Adds one, which is used now.
    pub(super) fn insert(&mut self, stream: StreamId, file: File) {
        self.remove(stream);
        self.clock += 1;
        let used = self.clock;
        self.by_use.insert(used, stream);
        self.files.insert(stream, Open { file, used });
    }

    /// Closes one.
    pub(super) fn remove(&mut self, stream: StreamId) {
        if let Some(open) = self.files.remove(&stream) {
            self.by_use.remove(&open.used);
        }
    }

    /// Closes the files that were used least, until one more may be opened.
    pub(super) fn make_room(&mut self) {
        while self.files.len() >= self.n_max
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.files.remove(&oldest);
        }
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
        assert_eq!(open.by_use.len(), 2);
    }
}
