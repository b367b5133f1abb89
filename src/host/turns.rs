//! Which thread does what the engine asks of files.
//!
//! Names are gone through on one thread, and what files hold is read on others: who waits
//! for a directory keeps nobody from reading, and many files are read faster than by one.
//! A file stays with its reader, which does what is asked of it in that order.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::StartFault;
use super::files::{self, Files};
use super::names::{self, Names};
use super::sieve::Sieve;
use super::stdin::Copy;
use super::worker::Worker;
use crate::engine::Input;
use crate::engine::ids::StreamId;
use crate::engine::schedule::Turn;
use crate::rules::glob::Glob;

/// The threads that read.
const READERS: usize = 2;

/// Looks and reads that wait or are under way at once: while an answer is taken, its
/// reader has something to do.
pub(super) const TURNS_MAX: usize = 2 * READERS;

/// The threads that work on files.
pub(super) struct Turns {
    names: Worker<names::Job>,
    readers: [Worker<files::Job>; READERS],
}

impl Turns {
    /// Starts them. What they find goes to `inputs`, and where they leave files to the
    /// `sieve`, if there are hints.
    ///
    /// Fails where the system gives no thread.
    pub(super) fn new(
        names: Names,
        stdin: &Arc<Copy>,
        sieve: Option<&Arc<Sieve>>,
        inputs: &UnboundedSender<Input>,
    ) -> Result<Self, StartFault> {
        let reader = |what| {
            let files = Files::new(READERS as u64, stdin.clone(), sieve.cloned());
            Worker::new(what, files, inputs, Files::work)
        };
        Ok(Self {
            names: Worker::new("names", names, inputs, Names::work)?,
            readers: [reader("reader 1")?, reader("reader 2")?],
        })
    }

    /// Has a turn done.
    pub(super) fn give(&self, turn: Turn) {
        match turn {
            Turn::List(scope) => self.names.give(names::Job::List(scope)),
            Turn::Seek(sought) => self.names.give(names::Job::Seek(sought)),
            Turn::Look(look) => self.reader(look.stream).give(files::Job::Look(look)),
            Turn::Read(read) => self.reader(read.stream).give(files::Job::Read(read)),
            Turn::Close(stream) => self.reader(stream).give(files::Job::Close(stream)),
        }
    }

    /// Goes by other patterns from now on.
    pub(super) fn meet(&self, globs: Vec<Glob>) {
        self.names.give(names::Job::Meet(globs));
    }

    fn reader(&self, stream: StreamId) -> &Worker<files::Job> {
        let n = stream.0 % READERS as u64;
        &self.readers[usize::try_from(n).unwrap_or(0)]
    }
}
