//! What must be on disk before the world may see it.
//!
//! A [`Commit`] is one atomic change: read positions with all that was caused by
//! the bytes before them. It is made of whole records, taken from the engine at
//! one moment, so position and consequences can never disagree, and carrying out
//! a commit twice changes nothing.
//!
//! An [`Image`] is all that is on disk. Applying commits to it is pure; a store
//! does the same with files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checks::CheckRecord;
use super::correlate::memory::{Changes, RuleRecord, SeenId, SeenRecord};
use super::correlate::silences::Silence;
use super::events::InstanceId;
use super::identity::{Identity, Mark};
use super::ids::{CommitId, MessageId, StreamId};
pub use super::instances::InstanceRecord;
use super::joined::Joined;
use super::journal::Position;
use super::kinship::Packing;
use super::message::Draft;
use super::time::Wall;
use crate::rules::records::reading::ReadingKey;
use crate::rules::{RuleKey, Severity, SpaceName};

/// One atomic change of what is on disk.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Commit {
    /// Its number, for the answer.
    pub id: CommitId,
    /// Streams, new or changed.
    pub streams: Vec<StreamRecord>,
    /// Streams to forget.
    pub streams_gone: Vec<StreamId>,
    /// Instances, new or changed.
    pub instances: Vec<InstanceRecord>,
    /// Instances that are idle again.
    pub instances_gone: Vec<InstanceId>,
    /// What is remembered of rules and values.
    pub memory: Box<Changes>,
    /// Silences, new.
    pub silences: Vec<Silence>,
    /// Silences that are over.
    pub silences_gone: Vec<u64>,
    /// Checks, new or changed.
    pub checks: Vec<CheckRecord>,
    /// Checks of which nothing needs to be kept.
    pub checks_gone: Vec<RuleKey>,
    /// Messages, new or changed.
    pub messages: Vec<MessageRecord>,
    /// Messages that were delivered.
    pub messages_gone: Vec<MessageId>,
    /// The pace of spaces.
    pub spaces: Vec<SpaceRecord>,
    /// All file patterns that were listed, if that changed.
    pub globs: Option<BTreeSet<String>>,
    /// Up to where the journal was read, if that changed; within it, nothing if no
    /// rule looks at it any more.
    pub journal: Option<Option<Position>>,
    /// The next stream's number.
    pub next_stream: u64,
    /// The next message's number.
    pub next_message: u64,
    /// The next silence's number.
    pub next_silence: u64,
}

/// All that is on disk.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Image {
    /// Drawn at random when the state was made; part of every id.
    pub incarnation: u128,
    /// Whether the state before this one was damaged and set aside: then reading
    /// goes on from the end of every file, whatever the rules say.
    pub damaged: bool,
    /// Streams by number.
    pub streams: BTreeMap<StreamId, StreamRecord>,
    /// Instances that are not idle.
    pub instances: BTreeMap<InstanceId, InstanceRecord>,
    /// Rules as they were when they were loaded.
    pub rules: BTreeMap<RuleKey, RuleRecord>,
    /// Values that rules have seen.
    pub seen: BTreeMap<SeenId, SeenRecord>,
    /// Silences by number.
    pub silences: BTreeMap<u64, Silence>,
    /// Checks that are more than a rule.
    pub checks: BTreeMap<RuleKey, CheckRecord>,
    /// Messages that are not delivered.
    pub messages: BTreeMap<MessageId, MessageRecord>,
    /// The pace of spaces.
    pub spaces: BTreeMap<SpaceName, SpaceRecord>,
    /// File patterns that were listed before.
    pub globs: BTreeSet<String>,
    /// Up to where the journal was read.
    pub journal: Option<Position>,
    /// The next stream's number.
    pub next_stream: u64,
    /// The next message's number.
    pub next_message: u64,
    /// The next silence's number.
    pub next_silence: u64,
}

/// A stream on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// Its number.
    pub id: StreamId,
    /// Part of the ids of its events.
    pub generation: StreamId,
    /// Where it was seen last. Bytes: stored apart from the rest.
    #[serde(skip, default = "nowhere")]
    pub path: Arc<Path>,
    /// The name by which the rules follow it, even after it was renamed.
    #[serde(with = "name_bytes")]
    pub name: Arc<Path>,
    /// How it is read; the ordinary way if nothing is said.
    #[serde(default, skip_serializing_if = "ReadingKey::is_ordinary")]
    pub reading: ReadingKey,
    /// Whether another file stands at its path now.
    pub rotated: bool,
    /// Whether its content was written anew since: only a copy may hold what is known of
    /// it here, and no file is it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overwritten: bool,
    /// The file whose content it may have, while that is not settled.
    pub heir_of: Option<StreamId>,
    /// How to know it again.
    pub identity: Identity,
    /// Everything before this byte has had all its consequences.
    pub offset: u64,
    /// Whether `offset` lies inside a line whose head was taken.
    pub skipping: bool,
    /// The largest size that was seen.
    pub size: u64,
    /// When it was last written, as far as it was seen, in nanoseconds since 1970.
    #[serde(default)]
    pub modified: i64,
    /// How it is compressed.
    #[serde(default)]
    pub packing: Option<Packing>,
    /// Whether it is known what was rotated after it.
    #[serde(default)]
    pub searched: bool,
    /// Its place in the order of the generations of a log, if not by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<StreamId>,
    /// An unfinished line that was taken before its end came.
    pub taken: Option<Box<Taken>>,
    /// Rules that do not care for lines that end at or before a byte.
    pub joined: Joined,
}

/// An unfinished line that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Where the line begins.
    pub start: u64,
    /// Its last bytes, to know it again: another line may come to stand there.
    pub mark: Option<Mark>,
    /// The rules that made an event of it and must not make another.
    pub rules: BTreeSet<RuleKey>,
}

/// A message that is not delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageRecord {
    /// Its number.
    pub id: MessageId,
    /// Where it goes. Never an address.
    pub space: SpaceName,
    /// The space that it was meant for, where another one stands in for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meant_for: Option<SpaceName>,
    /// What kind of message it is.
    #[serde(default)]
    pub kind: Kind,
    /// What it speaks for.
    pub instance: InstanceId,
    /// The thread it belongs to, if any.
    pub thread_key: Option<String>,
    /// From its birth to its delivery the same.
    pub request_id: String,
    /// When it was born.
    pub born: Wall,
    /// What it says.
    pub draft: Draft,
    /// What it says of each instance, if it was made of several messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// How far it is.
    pub state: MessageState,
}

/// What a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Events of one instance.
    #[default]
    Instance,
    /// What became of an incident with an end: always said by itself, for only the
    /// whole row of its messages tells how things are.
    State,
    /// Waiting messages of one thread.
    Thread,
    /// Events of a rule whose instances are no longer told apart.
    Folded,
    /// Waiting messages of a space.
    Digest,
    /// Events of the time before this life, of one instance as long as it waits.
    CatchUp,
}

/// What a message says of one instance among others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which.
    pub instance: InstanceId,
    /// Its events that the message speaks for.
    pub count: u64,
    /// When the last happened.
    pub last: Wall,
    /// The worst of them.
    pub worst: Severity,
    /// The newest message of the instance that it was made of: what follows in the
    /// instance has a higher number.
    pub newest: MessageId,
}

/// How far a message is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// Never attempted: it still absorbs later events of its instance.
    Waiting,
    /// Attempted: its body never changes again.
    Frozen {
        /// The body of the request.
        body: String,
        /// When it was attempted last.
        attempted: Wall,
        /// The short form that was made after the body was refused.
        plain: Option<Plain>,
    },
    /// Refused for good: kept and counted.
    Parked {
        /// The body that was refused.
        body: String,
        /// What the server said.
        why: String,
    },
}

/// A refused message in short plain text, without a thread: a message of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plain {
    /// Its own request id.
    pub request_id: String,
    /// The body of the request.
    pub body: String,
}

/// The pace of a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceRecord {
    /// Which.
    pub space: SpaceName,
    /// Least time from an answer to the next request, as slowed down by the server.
    pub pace_ms: u64,
    /// When the next request may start.
    pub next: Wall,
    /// Whether it refuses all messages.
    #[serde(default)]
    pub refused: bool,
    /// When its next digest may go, by the space that the messages were meant for.
    #[serde(default)]
    pub digests: Vec<(SpaceName, Wall)>,
}

impl MessageRecord {
    /// The space that it was meant for.
    pub fn origin(&self) -> &SpaceName {
        self.meant_for.as_ref().unwrap_or(&self.space)
    }

    /// Whether it was refused for good.
    pub fn is_parked(&self) -> bool {
        matches!(self.state, MessageState::Parked { .. })
    }
}

fn nowhere() -> Arc<Path> {
    Path::new("").into()
}

/// Names are bytes, not text.
mod name_bytes {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(name: &Path, to: S) -> Result<S::Ok, S::Error> {
        name.as_os_str().as_bytes().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Path>, D::Error> {
        let bytes = Vec::<u8>::deserialize(from)?;
        Ok(Path::new(OsStr::from_bytes(&bytes)).into())
    }
}

impl Image {
    /// A new, empty state.
    pub fn new(incarnation: u128) -> Self {
        Self {
            incarnation,
            ..Self::default()
        }
    }

    /// Carries out a commit.
    pub fn apply(&mut self, commit: &Commit) {
        for id in &commit.streams_gone {
            self.streams.remove(id);
        }
        for record in &commit.streams {
            self.streams.insert(record.id, record.clone());
        }
        for id in &commit.instances_gone {
            self.instances.remove(id);
        }
        for record in &commit.instances {
            self.instances.insert(record.id.clone(), record.clone());
        }
        for key in &commit.memory.rules_gone {
            self.rules.remove(key);
        }
        for record in &commit.memory.rules {
            self.rules.insert(record.key.clone(), record.clone());
        }
        for id in &commit.memory.seen_gone {
            self.seen.remove(id);
        }
        for record in &commit.memory.seen {
            let id = (record.rule.clone(), record.value);
            self.seen.insert(id, record.clone());
        }
        for id in &commit.silences_gone {
            self.silences.remove(id);
        }
        for silence in &commit.silences {
            self.silences.insert(silence.id, silence.clone());
        }
        for key in &commit.checks_gone {
            self.checks.remove(key);
        }
        for record in &commit.checks {
            self.checks.insert(record.key.clone(), record.clone());
        }
        for id in &commit.messages_gone {
            self.messages.remove(id);
        }
        for record in &commit.messages {
            self.messages.insert(record.id, record.clone());
        }
        for record in &commit.spaces {
            self.spaces.insert(record.space.clone(), record.clone());
        }
        if let Some(position) = &commit.journal {
            self.journal = position.clone();
        }
        if let Some(globs) = &commit.globs {
            self.globs = globs.clone();
        }
        self.next_stream = commit.next_stream;
        self.next_message = commit.next_message;
        self.next_silence = commit.next_silence;
        self.damaged = false;
    }
}
