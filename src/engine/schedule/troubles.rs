//! What cannot be read or listed: said once, and once when it can.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::names::in_scope;
use super::{Fault, Notice, Schedule, Scope};
use crate::engine::ids::StreamId;

impl Schedule {
    /// A file could not be read: said once, tried again with the next listing.
    pub(super) fn fault(&mut self, id: StreamId, fault: Fault) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.trouble.is_none() {
            let path = stream.name.clone();
            stream.trouble = Some(path.clone());
            let n = self.n_troubles.entry(path.clone()).or_default();
            *n += 1;
            if *n == 1 {
                let why = fault.why;
                self.notices.push(Notice::Unreadable { path, why });
            }
        }
    }

    /// A file could be read.
    pub(super) fn recovered(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if let Some(path) = stream.trouble.take()
            && self.ends_trouble(&path)
        {
            self.notices.push(Notice::Readable { path });
        }
    }

    /// One file of a name is out of trouble. Returns whether it was the last: the
    /// name may have been that of several, one after the other.
    pub(super) fn ends_trouble(&mut self, path: &Path) -> bool {
        let Some(n) = self.n_troubles.get_mut(path) else {
            return false;
        };
        *n -= 1;
        let is_last = *n == 0;
        if is_last {
            self.n_troubles.remove(path);
        }
        is_last
    }

    pub(super) fn note_faults(&mut self, scope: &Scope, faults: &[(PathBuf, String)]) {
        for (path, why) in faults {
            if self.unlistable.insert(path.clone()) {
                self.notices.push(Notice::Unreadable {
                    path: path.clone(),
                    why: why.clone(),
                });
            }
        }
        let faulty: BTreeSet<&Path> = faults.iter().map(|(path, _)| path.as_path()).collect();
        let notices = &mut self.notices;
        self.unlistable.retain(|path| {
            let still = faulty.contains(path.as_path()) || !in_scope(scope, path);
            if !still {
                notices.push(Notice::Readable { path: path.clone() });
            }
            still
        });
    }
}
