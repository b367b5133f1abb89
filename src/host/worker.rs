//! A thread that does one thing after the other.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, mpsc as std_mpsc};

use tokio::sync::mpsc;

use super::StartFault;
use super::stdin::Copy;
use super::store::Store;
use crate::engine::Input;
use crate::engine::commit::Commit;
use crate::engine::ids::CommitId;
use crate::engine::schedule::Fault;

/// A thread that does one thing after the other.
pub(super) struct Worker<T> {
    jobs: std_mpsc::Sender<T>,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts a thread that owns `state`. Where `work` panics, its answer is
    /// the fault that [`Work::failed`] makes.
    pub(super) fn new<S: Send + 'static>(
        what: &'static str,
        mut state: S,
        inputs: &mpsc::UnboundedSender<Input>,
        work: fn(&mut S, T) -> Option<Input>,
    ) -> Result<Self, StartFault>
    where
        T: Work,
    {
        let (jobs, todo) = std_mpsc::channel::<T>();
        let inputs = inputs.clone();
        std::thread::Builder::new()
            .name(what.to_owned())
            .spawn(move || {
                while let Ok(job) = todo.recv() {
                    let why = "internal error, please report it".to_owned();
                    let failed = job.failed(Fault { why });
                    let done = std::panic::catch_unwind(AssertUnwindSafe(|| work(&mut state, job)));
                    let input = match done {
                        Ok(input) => input,
                        Err(_) => failed,
                    };
                    if input.is_some_and(|input| inputs.send(input).is_err()) {
                        return;
                    }
                }
            })
            .map_err(|source| StartFault::System {
                what: "thread",
                source,
            })?;
        Ok(Self { jobs })
    }

    pub(super) fn give(&self, job: T) {
        // The thread ends only after this side: a panic inside it is caught there.
        let _ = self.jobs.send(job);
    }
}

/// A job whose failure has an answer.
pub(super) trait Work {
    /// What the engine hears when the job panics.
    fn failed(&self, fault: Fault) -> Option<Input>;
}

impl Work for Commit {
    fn failed(&self, fault: Fault) -> Option<Input> {
        Some(Input::Committed(self.id, Err(fault)))
    }
}

/// Writes a commit. What it says to be read of standard input must be on disk before.
pub(super) fn write((store, stdin): &mut (Store, Arc<Copy>), commit: Commit) -> Option<Input> {
    let id: CommitId = commit.id;
    let synced = stdin.sync().map_err(|error| error.to_string());
    let outcome = synced.and_then(|()| store.commit(&commit).map_err(|error| error.to_string()));
    Some(Input::Committed(id, outcome.map_err(|why| Fault { why })))
}
