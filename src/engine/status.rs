//! How things stand, for people and programs: what `logcrier status` and metrics show.
//!
//! The names of the fields are those of the JSON, and other programs rely on them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::checks::finding::Perf;
use super::commit::MessageState;
use super::identity::Place;
use super::stream::{Naming, Phase, Stream};
use super::time::{Now, Wall, millis};
use crate::rules::{RuleKey, source_name};

/// Files that are listed one by one, those that are not well first; all of them are
/// in the sums.
pub const SOURCES_MAX: usize = 10_000;

/// How things stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The name of this machine in messages.
    pub host: String,
    /// Whether every line that is written now is seen.
    pub ready: bool,
    /// Whether positions and messages can be written to disk.
    pub state_writable: bool,
    /// The rules, in the order of their keys.
    pub rules: Vec<RuleStatus>,
    /// The commands, in the order of their rules' keys.
    pub checks: Vec<CheckStatus>,
    /// The files, at most [`SOURCES_MAX`].
    pub sources: Vec<SourceStatus>,
    /// Sums over all files.
    pub sources_total: SourcesTotal,
    /// The spaces, in the order of their names.
    pub spaces: Vec<SpaceStatus>,
    /// What is still to be said.
    pub outbox: OutboxStatus,
    /// What people asked not to hear of for a while.
    pub silences: Vec<SilenceStatus>,
}

/// How things stand with a rule. Counters begin when the agent starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStatus {
    /// Which.
    pub key: String,
    /// Records that it selected; results of a check that were bad or unknown.
    pub hits: u64,
    /// Of these, what passed its conditions.
    pub events: u64,
    /// Messages that were delivered and spoke for it.
    pub posts: u64,
    /// Events that were counted and not said by themselves.
    pub suppressed: u64,
    /// Events that no delivered message speaks for yet.
    pub pending: u64,
}

/// How things stand with a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckStatus {
    /// Its rule.
    pub key: String,
    /// Where it is.
    pub state: CheckState,
    /// What the last run measured.
    pub perf: Vec<PerfStatus>,
}

/// Where a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// Nothing bad is known.
    Ok,
    /// Bad, and not yet often enough to say so.
    Soft,
    /// A problem is open.
    Problem,
    /// The check itself does not work.
    Unknown,
}

/// A measurement of a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerfStatus {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit, as the check wrote it; empty if it has none.
    pub unit: String,
}

/// How things stand with a file. It is one however many ways rules read it in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Its name, as rules follow it.
    pub path: String,
    /// Where it is.
    pub state: SourceState,
    /// Bytes that are known to be there and not yet read; 0 for a compressed file.
    pub behind_bytes: u64,
    /// Bytes of files of this name that were seen and lost since the agent started.
    pub lost_bytes: u64,
    /// Lines in files of this name that were cut since the agent started.
    pub cut_lines: u64,
    /// Records of this file that were not of their format, and were searched as text,
    /// since the agent follows it.
    pub unparsed: u64,
}

/// Where a file is, what needs a person first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// It cannot be read, and is tried again; or a directory that cannot be listed, or
    /// not as a whole.
    Unreadable,
    /// A rule names it, it was there, and it stays away.
    Missing,
    /// It is no text, and is not read.
    Binary,
    /// It is being read and is not at its end.
    Reading,
    /// It was renamed and is read to its end.
    Rotated,
    /// It is read to its end, and what is written next is seen.
    Following,
}

/// Sums over all files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourcesTotal {
    /// Files that are followed.
    pub files: u64,
    /// Of these, those that cannot be read.
    pub unreadable: u64,
    /// Bytes that are known to be there and not yet read.
    pub behind_bytes: u64,
    /// Bytes that were seen and lost since the agent started.
    pub lost_bytes: u64,
    /// Lines that were cut since the agent started.
    pub cut_lines: u64,
    /// How often files were replaced since the agent started.
    pub rotations: u64,
    /// How often files were cut short since the agent started.
    pub truncations: u64,
}

/// How things stand with a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceStatus {
    /// Which. Never an address.
    pub name: String,
    /// Whether it takes messages.
    pub state: SpaceState,
    /// Least time between two requests now, in milliseconds.
    pub pace_ms: u64,
    /// Messages for it that are not delivered.
    pub waiting: u64,
    /// Messages that it refused for good.
    pub parked: u64,
    /// Why the last request to it failed, until one succeeds.
    pub last_error: Option<String>,
}

/// Whether a space takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpaceState {
    /// As far as is known it does.
    Ok,
    /// The last request failed; it is tried again.
    Troubled,
    /// It refuses all messages; one is tried every 5 min.
    Refused,
}

/// What is still to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutboxStatus {
    /// Messages that are not delivered.
    pub waiting: u64,
    /// Messages that were refused for good.
    pub parked: u64,
    /// The age of the oldest that waits, in seconds; 0 if none does.
    pub oldest_s: u64,
    /// Messages that were delivered since the agent started.
    pub delivered: u64,
}

/// What is not said for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceStatus {
    /// Its number, for `logcrier silence end`.
    pub id: u64,
    /// The rule.
    pub rule: String,
    /// The values of `by` that it is about; all instances if there are none.
    pub by: BTreeMap<String, String>,
    /// When it ends, RFC 3339 in UTC.
    pub until: String,
    /// Why, in the words of who asked for it.
    pub reason: String,
}

impl Engine {
    /// Tells how things stand.
    pub fn status(&self, now: Now) -> Status {
        Status {
            host: self.rules.host.clone(),
            ready: self.is_ready,
            state_writable: self.n_commit_faults == 0,
            rules: self.rules_status(),
            checks: self.checks_status(),
            sources: self.sources_status(),
            sources_total: self.sources_total(),
            spaces: self.spaces_status(),
            outbox: self.outbox_status(now.wall),
            silences: (self.silences().all())
                .map(|silence| SilenceStatus {
                    id: silence.id,
                    rule: silence.rule.as_str().to_owned(),
                    by: silence.by.clone(),
                    until: silence.until.rfc3339(),
                    reason: silence.reason.clone(),
                })
                .collect(),
        }
    }

    fn rules_status(&self) -> Vec<RuleStatus> {
        let mut pending = self.outbox.n_pending();
        for (rule, space, count) in self.instances().held().chain(self.checks.held()) {
            *pending.entry((rule.clone(), space.clone())).or_default() += count;
        }
        // Every space is told of every event: what the slowest lacks is pending.
        let mut slowest: BTreeMap<&RuleKey, u64> = BTreeMap::new();
        for ((rule, _), count) in &pending {
            let most = slowest.entry(rule).or_default();
            *most = count.max(most).to_owned();
        }
        (self.rules.rules.iter())
            .chain(&self.rules.own)
            .map(|rule| {
                let counts = self.counts.rule(&rule.key);
                RuleStatus {
                    key: rule.key.as_str().to_owned(),
                    hits: counts.n_hits,
                    events: counts.n_events,
                    posts: counts.n_posts,
                    suppressed: counts.n_suppressed,
                    pending: slowest.get(&rule.key).copied().unwrap_or_default(),
                }
            })
            .collect()
    }

    fn checks_status(&self) -> Vec<CheckStatus> {
        let states = self.checks.states();
        states
            .map(|(key, state)| CheckStatus {
                key: key.as_str().to_owned(),
                state,
                perf: self
                    .checks
                    .perf(key)
                    .iter()
                    .filter_map(PerfStatus::of)
                    .collect(),
            })
            .collect()
    }

    fn sources_status(&self) -> Vec<SourceStatus> {
        let mut sources: Vec<SourceStatus> = (self.files().into_iter())
            .map(|((_, name), file)| {
                let losses = self.counts.losses(name);
                SourceStatus {
                    path: source_name(name).into_owned(),
                    state: file.state,
                    behind_bytes: file.behind_bytes,
                    lost_bytes: losses.n_bytes,
                    cut_lines: losses.n_cut,
                    unparsed: file.n_unparsed,
                }
            })
            .chain(self.without_files())
            .collect();
        let is_well = |source: &SourceStatus| {
            source.state == SourceState::Following
                && source.behind_bytes == 0
                && source.lost_bytes == 0
        };
        if sources.len() > SOURCES_MAX {
            sources.sort_by_key(is_well);
            sources.truncate(SOURCES_MAX);
        }
        sources.sort_by(|a, b| (&a.path, a.state).cmp(&(&b.path, b.state)));
        sources
    }

    /// Names without a file, and directories of which not everything is looked at.
    fn without_files(&self) -> impl Iterator<Item = SourceStatus> {
        let missing = (self.schedule.missing()).map(|path| (path, SourceState::Missing));
        let unseen = self.schedule.out_of_reach().into_iter();
        let all = missing.chain(unseen.map(|path| (path, SourceState::Unreadable)));
        all.map(|(path, state)| {
            let losses = self.counts.losses(path);
            SourceStatus {
                path: path.display().to_string(),
                state,
                behind_bytes: 0,
                lost_bytes: losses.n_bytes,
                cut_lines: losses.n_cut,
                unparsed: 0,
            }
        })
    }

    /// How many files are followed.
    pub fn n_files(&self) -> usize {
        self.files().len()
    }

    fn sources_total(&self) -> SourcesTotal {
        let losses = self.counts.all_losses();
        let mut total = SourcesTotal {
            lost_bytes: losses.n_bytes,
            cut_lines: losses.n_cut,
            rotations: losses.n_rotations,
            truncations: losses.n_truncations,
            ..SourcesTotal::default()
        };
        for file in self.files().into_values() {
            total.files += 1;
            total.unreadable += u64::from(file.state == SourceState::Unreadable);
            total.behind_bytes += file.behind_bytes;
        }
        total
    }

    /// The files by their names and places. One that rules read in several ways is one
    /// file: as far behind as the slowest of them, and as well as the least well.
    fn files(&self) -> BTreeMap<(Place, &Path), File> {
        // Places first: to compare names takes much longer, and these are all of them.
        let mut files: BTreeMap<(Place, &Path), File> = BTreeMap::new();
        for stream in self.schedule.streams().filter(|stream| !stream.is_memory) {
            let found = File {
                state: SourceState::of(stream),
                behind_bytes: behind(stream),
                n_unparsed: stream.n_unparsed,
            };
            let file = files.entry((stream.place(), &*stream.name));
            let file = file.or_insert(found);
            file.state = file.state.min(found.state);
            file.behind_bytes = file.behind_bytes.max(found.behind_bytes);
            file.n_unparsed = file.n_unparsed.max(found.n_unparsed);
        }
        files
    }

    fn spaces_status(&self) -> Vec<SpaceStatus> {
        (self.rules.spaces.keys())
            .map(|space| {
                let standing = self.outbox.standing(space);
                let of_it = (self.outbox.messages()).filter(|message| message.space == *space);
                let (mut waiting, mut parked) = (0, 0);
                for message in of_it {
                    match message.state {
                        MessageState::Parked { .. } => parked += 1,
                        MessageState::Waiting | MessageState::Frozen { .. } => waiting += 1,
                    }
                }
                SpaceStatus {
                    name: space.as_str().to_owned(),
                    state: standing.state,
                    pace_ms: millis(standing.pace),
                    waiting,
                    parked,
                    last_error: standing.last_error,
                }
            })
            .collect()
    }

    fn outbox_status(&self, now: Wall) -> OutboxStatus {
        let mut status = OutboxStatus {
            delivered: self.counts.n_delivered,
            ..OutboxStatus::default()
        };
        for message in self.outbox.messages() {
            match message.state {
                MessageState::Parked { .. } => status.parked += 1,
                MessageState::Waiting | MessageState::Frozen { .. } => {
                    status.waiting += 1;
                    status.oldest_s = status.oldest_s.max(now.since(message.born).as_secs());
                }
            }
        }
        status
    }
}

/// A file, however many ways it is read in.
#[derive(Debug, Clone, Copy)]
struct File {
    state: SourceState,
    behind_bytes: u64,
    n_unparsed: u64,
}

impl SourceState {
    fn of(stream: &Stream) -> Self {
        if stream.unread.is_some() {
            return Self::Unreadable;
        }
        if stream.is_binary {
            return Self::Binary;
        }
        match (stream.naming, stream.phase) {
            (Naming::Rotated | Naming::Nameless, _) => Self::Rotated,
            (Naming::Here | Naming::Sought, _) if behind(stream) > 0 => Self::Reading,
            (Naming::Here | Naming::Sought, Phase::Reading) => Self::Reading,
            (
                Naming::Here | Naming::Sought,
                Phase::Resting | Phase::WaitsToLook | Phase::WaitsToRead | Phase::Looking,
            ) => Self::Following,
        }
    }
}

impl PerfStatus {
    /// None where it could not be measured.
    fn of(perf: &Perf) -> Option<Self> {
        Some(Self {
            name: perf.name.clone(),
            value: perf.value.parse().ok()?,
            unit: perf.unit.clone(),
        })
    }
}

/// What is known to be there and not read. The size of a compressed file says
/// nothing about what is in it.
fn behind(stream: &Stream) -> u64 {
    match stream.packing {
        Some(_) => 0,
        None if stream.is_binary => 0,
        None => stream.size.saturating_sub(stream.offset),
    }
}
