//! In which order the files of a log are.

use crate::engine::ids::StreamId;
use crate::engine::kinship::{self, Rank};
use crate::engine::stream::{Naming, Stream};

impl Stream {
    /// The order of the generations of a log. Of those that were found at once after they
    /// were rotated, the older has the lower number.
    pub(in crate::engine::schedule) fn age(&self) -> (StreamId, StreamId) {
        (self.order, self.id)
    }

    /// Where it stands among the rotated ones, by the name that it was seen under.
    pub(super) fn rank(&self) -> Option<Rank> {
        let is_found = self.naming == Naming::Rotated;
        is_found.then(|| kinship::rank(&self.name, &self.path))?
    }

    /// The order of searches: what was overwritten first, for nothing else is waited for
    /// there; then the older before the newer, which may be its continuation.
    pub(super) fn place_in_order(&self) -> (bool, StreamId) {
        (!self.is_ghost(), self.id)
    }
}
