//! All streams, and ways to find the few that matter without asking each one.
//!
//! A change is noted when a stream is handed out to be changed, and filed before
//! the next question: so nobody has to think of an index where a stream changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::engine::ids::StreamId;
use crate::engine::stream::{Naming, Phase, Stream};
use crate::engine::time::Moment;

/// All streams.
#[derive(Debug, Default)]
pub(super) struct Roll {
    streams: BTreeMap<StreamId, Box<Kept>>,
    /// Resting streams that want a look at a time.
    due: BTreeSet<(Moment, StreamId)>,
    /// Which streams may be the continuation, or a copy, of which.
    heirs: BTreeSet<(StreamId, StreamId)>,
    /// Streams that do not stand at the name by which rules follow them.
    lost: BTreeSet<(Arc<Path>, StreamId)>,
    /// Streams that were handed out and may have changed.
    touched: Vec<StreamId>,
}

/// A stream, and under what it is filed.
#[derive(Debug)]
struct Kept {
    stream: Stream,
    /// Nothing for most.
    filed: Option<Box<Filed>>,
    is_touched: bool,
}

/// What a stream is found by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Filed {
    due: Option<Moment>,
    heir_of: Option<StreamId>,
    copy_of: Option<StreamId>,
    lost: Option<Arc<Path>>,
}

impl Filed {
    fn of(stream: &Stream) -> Self {
        Self {
            due: due(stream),
            heir_of: stream.heir_of,
            copy_of: stream.copy_of,
            lost: (stream.naming != Naming::Here).then(|| stream.name.clone()),
        }
    }
}

fn due(stream: &Stream) -> Option<Moment> {
    match stream.phase {
        Phase::Resting => stream.wakeup(),
        Phase::WaitsToLook | Phase::WaitsToRead | Phase::Looking | Phase::Reading => None,
    }
}

impl Roll {
    /// A stream.
    pub(super) fn get(&self, id: &StreamId) -> Option<&Stream> {
        self.streams.get(id).map(|kept| &kept.stream)
    }

    /// A stream, to be changed.
    pub(super) fn get_mut(&mut self, id: &StreamId) -> Option<&mut Stream> {
        let kept = self.streams.get_mut(id)?;
        if !std::mem::replace(&mut kept.is_touched, true) {
            self.touched.push(*id);
        }
        Some(&mut kept.stream)
    }

    /// All streams, oldest first.
    pub(super) fn values(&self) -> impl Iterator<Item = &Stream> {
        self.streams.values().map(|kept| &kept.stream)
    }

    /// All numbers, oldest first.
    pub(super) fn ids(&self) -> Vec<StreamId> {
        self.streams.keys().copied().collect()
    }

    /// Adds a stream.
    pub(super) fn insert(&mut self, stream: Stream) {
        let id = stream.id;
        let kept = Kept {
            stream,
            filed: None,
            is_touched: true,
        };
        self.touched.push(id);
        self.streams.insert(id, Box::new(kept));
    }

    /// Takes a stream out.
    pub(super) fn remove(&mut self, id: &StreamId) -> Option<Stream> {
        let kept = self.streams.remove(id)?;
        if let Some(filed) = &kept.filed {
            self.unfile(*id, filed);
        }
        Some(kept.stream)
    }

    /// The streams that want a look by now.
    pub(super) fn due_by(&mut self, now: Moment) -> Vec<StreamId> {
        self.file();
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, id)| *id).collect()
    }

    /// When the first stream wants a look.
    pub(super) fn first_due(&self) -> Option<Moment> {
        // What is not filed yet may want one earlier, or none.
        let is_touched = |id: &StreamId| self.streams.get(id).is_some_and(|kept| kept.is_touched);
        let filed = self.due.iter().find(|(_, id)| !is_touched(id));
        let touched = self.touched.iter().filter_map(|id| due(self.get(id)?));
        touched.chain(filed.map(|(at, _)| *at)).min()
    }

    /// The streams that may be the continuation, or a copy, of another.
    pub(super) fn heirs_of(&mut self, id: StreamId) -> Vec<StreamId> {
        self.file();
        let heirs = self
            .heirs
            .range((id, StreamId(0))..=(id, StreamId(u64::MAX)));
        heirs.map(|(_, heir)| *heir).collect()
    }

    /// The streams that stood at a name and do not any more, oldest first.
    pub(super) fn lost_from(&mut self, name: &Path) -> Vec<StreamId> {
        self.file();
        let first = (Arc::from(name), StreamId(0));
        let lost = self.lost.range(first..);
        lost.take_while(|(lost, _)| **lost == *name)
            .map(|(_, id)| *id)
            .collect()
    }

    /// All streams that do not stand at the name by which rules follow them.
    pub(super) fn lost(&mut self) -> Vec<StreamId> {
        self.file();
        self.lost.iter().map(|(_, id)| *id).collect()
    }

    /// Files what was handed out.
    pub(super) fn file(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            let Some(kept) = self.streams.get_mut(&id) else {
                continue;
            };
            if !std::mem::replace(&mut kept.is_touched, false) {
                continue;
            }
            let filed = Filed::of(&kept.stream);
            if filed == kept.filed.as_deref().cloned().unwrap_or_default() {
                continue;
            }
            let kept_now = (filed != Filed::default()).then(|| Box::new(filed.clone()));
            if let Some(old) = std::mem::replace(&mut kept.filed, kept_now) {
                self.unfile(id, &old);
            }
            self.due.extend(filed.due.map(|at| (at, id)));
            let olds = filed.heir_of.into_iter().chain(filed.copy_of);
            self.heirs.extend(olds.map(|old| (old, id)));
            self.lost.extend(filed.lost.map(|name| (name, id)));
        }
    }

    fn unfile(&mut self, id: StreamId, filed: &Filed) {
        if let Some(at) = filed.due {
            self.due.remove(&(at, id));
        }
        for old in filed.heir_of.into_iter().chain(filed.copy_of) {
            self.heirs.remove(&(old, id));
        }
        if let Some(name) = &filed.lost {
            self.lost.remove(&(name.clone(), id));
        }
    }
}
