//! What the host tells the engine, and what the engine asks of the host: all there is
//! between the two.

use std::sync::Arc;

use super::answer::Reply;
use super::checks::finding::Ran;
use super::checks::{self, RunId, Told};
use super::commit::Commit;
use super::correlate::silences::{Silence, Wish};
use super::ids::{CommitId, MessageId, StreamId};
use super::outbox::Post;
use super::report::Report;
use super::scan::Ending;
use super::schedule::{Fault, Found, Hint, Listing, Look, ReadDone, Turn};
use super::time::Moment;
use super::{journal, stdin};
use crate::rules::RuleSet;

/// Everything that can happen to the agent.
#[derive(Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A source may have changed. Hurry, but believe nothing.
    Hint {
        /// What may have changed.
        hint: Hint,
        /// When that had happened, at the latest.
        since: Moment,
    },
    /// A listing is done.
    Listed(Listing),
    /// A look is done.
    Looked {
        /// At which stream.
        stream: StreamId,
        /// When it began: what had happened before, it has seen.
        begun: Moment,
        /// What came of it.
        outcome: Result<Look, Fault>,
    },
    /// A region was read and searched.
    Read {
        /// Of which stream.
        stream: StreamId,
        /// As it was asked for.
        ending: Ending,
        /// As it was asked for.
        epoch: u64,
        /// What came of it.
        outcome: Result<ReadDone, Fault>,
    },
    /// Where a file went, and what is kin of it.
    Found(StreamId, Result<Found, Fault>),
    /// A command ended, or could not be started.
    Ran(RunId, Ran),
    /// Entries of the journal were read and searched.
    Journal {
        /// As they were asked for.
        epoch: u64,
        /// What came of it.
        outcome: Result<journal::Done, Fault>,
    },
    /// Something about standard input, besides what came there.
    Stdin(stdin::News),
    /// A command that was said to be stuck is gone after all.
    Gone(RunId),
    /// `logcrier exec` tells what came of a command; answered by [`Action::Answer`].
    Told(Told),
    /// Somebody asks for something about silences; answered by [`Action::Answer`].
    Silence {
        /// For the answer.
        ticket: u64,
        /// What.
        wish: Wish,
    },
    /// A commit is on disk, or not.
    Committed(CommitId, Result<(), Fault>),
    /// The server answered, or did not.
    Answered(MessageId, Reply),
    /// The rules were changed.
    Reload(Arc<RuleSet>),
    /// The agent shall stop.
    Stop,
}

/// Everything the agent can do.
#[derive(Debug)]
pub enum Action {
    /// List, look, read, seek or close; answered by the input of that name, but
    /// for closing, which is not answered.
    Files(Turn),
    /// Read on in the journal, once there is something; answered by
    /// [`Input::Journal`], unless another turn comes first.
    Journal(journal::Turn),
    /// What came by standard input up to here is read, and on disk with all it caused:
    /// it need not be kept.
    Spent(stdin::Reach),
    /// Start a command; answered by [`Input::Ran`].
    Run(checks::Start),
    /// End a command and all that it started; its answer is not waited for.
    StopRun(RunId),
    /// Tell who told or asked for something that it is on disk, or why it is not done.
    Answer(u64, Result<Granted, String>),
    /// Write to disk; answered by [`Input::Committed`].
    Commit(Box<Commit>),
    /// Post; answered by [`Input::Answered`].
    Post(Post),
    /// Say that every line written from now on is seen.
    Ready,
    /// Tell people.
    Report(Report),
    /// All is on disk and nothing is under way: end.
    Stopped,
}

/// What was done for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granted {
    /// What they told is taken.
    Taken,
    /// The silences that began or ended, or that there are.
    Silences(Vec<Silence>),
}
