//! What a listing shows, to be asked by place.

use std::path::Path;

use crate::engine::identity::Place;
use crate::engine::schedule::Entry;

/// The files of a listing. It is asked for every file that is followed, and to compare
/// names costs much more.
#[derive(Debug)]
pub(super) struct Seen<'a>(Vec<&'a Entry>);

impl<'a> Seen<'a> {
    /// Sorts what was listed.
    pub(super) fn of(entries: &'a [Entry]) -> Self {
        let mut entries: Vec<&Entry> = entries.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.facts.place);
        Self(entries)
    }

    /// Whether it shows the file of this place at this name.
    pub(super) fn shows(&self, path: &Path, place: Place) -> bool {
        let first = (self.0).partition_point(|entry| entry.facts.place < place);
        let there = (self.0[first..].iter()).take_while(|entry| entry.facts.place == place);
        there.into_iter().any(|entry| *entry.path == *path)
    }
}
