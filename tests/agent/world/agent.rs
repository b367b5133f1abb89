//! The agent in the world: an engine, and a host that carries out its actions.
//!
//! Everything takes time: an action is carried out a while after it was asked for,
//! and its answer comes a while later, so the world may change in between and
//! answers overtake each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logcrier::engine::answer::Reply;
use logcrier::engine::commit::{Commit, Image, Taken};
use logcrier::engine::identity::fingerprint;
use logcrier::engine::ids::StreamId;
use logcrier::engine::kinship;
use logcrier::engine::message::Surface;
use logcrier::engine::outbox::Post;
use logcrier::engine::records::region_bytes_max;
use logcrier::engine::scan::{self, Ending, LOOK_BACK_BYTES, Region};
use logcrier::engine::schedule::{
    Entry, Fault, Found as Whereabouts, Hint, Listing, Look, LookAt, Means, Read, ReadDone, Scope,
    Sought, Then, Turn,
};
use logcrier::engine::time::Moment;
use logcrier::engine::{Config, Engine, Input};
use logcrier::rules::RuleSet;

use super::clock::{Clock, Instant};
use super::entropy::Entropy;
use super::files::{Files, LineId, NodeId, Trouble};

/// A running agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) engine: Engine,
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) life: u64,
    pub(crate) born: Instant,
    open: BTreeMap<StreamId, NodeId>,
    /// How often the rules were changed in this life.
    pub(crate) n_reloads: u64,
    /// It is killed after so many actions.
    pub(crate) n_actions_left: Option<u64>,
    /// The wakeup it asked for, and when it gets it.
    wake: Option<(Moment, Instant)>,
    pub(crate) is_ready: bool,
    /// What the last listing lacked.
    overlooked: BTreeSet<PathBuf>,
    /// Whether a listing without faults was handed to it.
    pub(crate) lists_well: bool,
    /// Whether what came of it is on disk.
    pub(crate) lists_safely: bool,
    pub(crate) stop_asked: Option<Instant>,
    /// Whether it may end by itself, for its input did.
    pub(crate) may_end: bool,
    pub(crate) stopped: bool,
    /// Request ids whose good answers are not on disk yet.
    pub(crate) unsaved_answers: Vec<String>,
}

/// What the host has to do or to tell.
#[derive(Debug)]
pub(crate) enum Job {
    /// Carry out a turn.
    Turn(Turn),
    /// Make a commit durable.
    Commit(Box<Commit>, Pledge),
    /// Hand an input to the engine.
    Tell(Input),
    /// Hand over what a read found.
    TellRead(Input, Found),
    /// Hand over what a look found, and the read that followed it.
    TellLook(Input, Found),
    /// Hand over a listing.
    TellListing(Scope, Listing, Vec<NodeId>),
    /// A request arrives at the server.
    Arrive(Post),
    /// The answer to a request.
    Answer(Post, Reply),
}

/// The lines and files that a read touched.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) lines: Vec<LineId>,
    pub(crate) node: Option<NodeId>,
    /// The rules that it was searched for: how often they had been changed.
    pub(crate) epoch: u64,
    pub(crate) stream: StreamId,
}

/// Up to where a file was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReadUpto {
    pub(crate) generation: StreamId,
    pub(crate) offset: u64,
    /// The unfinished line that was taken behind it.
    pub(crate) taken: Option<Box<Taken>>,
}

/// What a commit makes safe, once it is durable.
#[derive(Debug, Clone)]
pub(crate) struct Pledge {
    pub(crate) lines: Vec<LineId>,
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) read: Vec<NodeId>,
    pub(crate) answers: Vec<String>,
    pub(crate) lists_well: bool,
    pub(crate) checks: super::commands::Model,
}

/// How agents are started in a world.
#[derive(Debug, Clone)]
pub(crate) struct Makings {
    pub(crate) means: Means,
    /// Whether listings may tell sizes from before the last write.
    pub(crate) tells_stale: bool,
    /// Whether listings now and then lack a file that is there: names changed while its
    /// directory was read. The next one has it.
    pub(crate) overlooks: bool,
    /// Whether a read may follow a look in the same turn.
    pub(crate) reads_then: bool,
    /// Whether hints tell when what they tell of had happened, and not only that.
    pub(crate) tells_since: bool,
}

impl Agent {
    pub(crate) fn start(
        life: u64,
        makings: &Makings,
        rules: Arc<RuleSet>,
        image: Image,
        clock: &Clock,
    ) -> Self {
        let born = clock.now();
        let config = config(rules.clone(), makings.means, life);
        Self {
            engine: Engine::new(config, image, clock.seen_since(born)),
            rules,
            life,
            born,
            open: BTreeMap::new(),
            n_reloads: 0,
            n_actions_left: None,
            wake: None,
            is_ready: false,
            overlooked: BTreeSet::new(),
            lists_well: false,
            lists_safely: false,
            stop_asked: None,
            may_end: false,
            stopped: false,
            unsaved_answers: Vec::new(),
        }
    }

    /// When it is woken next: never early, now and then late.
    pub(crate) fn wake_at(
        &mut self,
        clock: &Clock,
        late: impl FnOnce() -> std::time::Duration,
    ) -> Option<Instant> {
        let Some(wanted) = self.engine.wakeup(clock.seen_since(self.born)) else {
            self.wake = None;
            return None;
        };
        let at = match self.wake {
            Some((known, at)) if known == wanted => at,
            Some(_) | None => Clock::instant_of(wanted, self.born).after(late()),
        };
        self.wake = Some((wanted, at));
        Some(at.max(clock.now()))
    }

    /// It was woken.
    pub(crate) fn woken(&mut self) {
        self.wake = None;
    }

    /// Up to where a stream was read.
    pub(crate) fn read_upto(&self, stream: StreamId) -> Option<ReadUpto> {
        let stream = self.engine.schedule().stream(stream)?;
        Some(ReadUpto {
            generation: stream.generation,
            offset: stream.offset,
            taken: stream.taken.clone(),
        })
    }

    pub(crate) fn n_open_files(&self) -> usize {
        self.open.len()
    }

    /// The file that a stream has open.
    pub(crate) fn node_of(&self, stream: StreamId) -> Option<NodeId> {
        self.open.get(&stream).copied()
    }

    pub(crate) fn has_open(&self, node: NodeId) -> bool {
        self.open.values().any(|open| *open == node)
    }

    /// Lets all descriptors go.
    pub(crate) fn close_all(&mut self, files: &mut Files) {
        for node in std::mem::take(&mut self.open).into_values() {
            files.close(node);
        }
    }

    /// Carries out a turn.
    pub(crate) fn carry_out(
        &mut self,
        now: Moment,
        turn: Turn,
        makings: &Makings,
        files: &mut Files,
        chance: &mut Entropy,
    ) -> Option<Job> {
        Some(match turn {
            Turn::List(scope) => {
                let (listing, nodes) = self.list(&scope, makings, files, chance);
                Job::TellListing(scope, listing, nodes)
            }
            Turn::Look(look) => {
                let mut outcome = self.look(&look, files);
                let then = look.then.as_deref().filter(|_| makings.reads_then);
                let found = (then.zip(outcome.as_mut().ok()))
                    .and_then(|(then, found)| self.read_then(then, found, files));
                let input = Input::Looked {
                    stream: look.stream,
                    begun: now,
                    outcome,
                };
                match found {
                    Some(found) => Job::TellLook(input, found),
                    None => Job::Tell(input),
                }
            }
            Turn::Read(read) => {
                let (outcome, lines) = match self.read(&read, files) {
                    Ok((done, lines)) => (Ok(done), lines),
                    Err(fault) => (Err(fault), Vec::new()),
                };
                let found = self.found(&read, &outcome, lines);
                let input = Input::Read {
                    stream: read.stream,
                    ending: read.ending,
                    epoch: read.epoch,
                    outcome,
                };
                Job::TellRead(input, found)
            }
            Turn::Seek(sought) => {
                let Sought {
                    stream,
                    path,
                    real,
                    place,
                    log,
                } = sought;
                let at_place = |path: &Path| {
                    let found = files.resolve(path);
                    found.is_some_and(|(node, _)| files.place(node) == place)
                };
                let directory = path.parent().expect("files stand in directories");
                let found = match files.unlistable.contains(directory) {
                    true => Err(fault("the directory cannot be listed")),
                    false => {
                        let mut names = files.names().map(|(name, _, _)| name);
                        let beside = || {
                            let found = names
                                .find(|name| name.parent() == Some(directory) && at_place(name));
                            found.map(Path::to_owned)
                        };
                        Ok(Whereabouts {
                            path: real.filter(|real| at_place(real)).or_else(beside),
                            kin: kin_of(&log, files),
                        })
                    }
                };
                Job::Tell(Input::Found(stream, found))
            }
            Turn::Close(stream) => {
                if let Some(node) = self.open.remove(&stream) {
                    files.close(node);
                }
                return None;
            }
        })
    }

    fn list(
        &mut self,
        scope: &Scope,
        makings: &Makings,
        files: &Files,
        chance: &mut Entropy,
    ) -> (Listing, Vec<NodeId>) {
        let mut listing = Listing::default();
        let mut nodes = Vec::new();
        let in_scope = |path: &Path| match scope {
            Scope::All => true,
            Scope::Below(paths) => path.ancestors().any(|above| paths.contains(above)),
        };
        let overlooked = std::mem::take(&mut self.overlooked);
        for (path, node, real) in files.names().filter(|(path, _, _)| in_scope(path)) {
            let globs = self.rules.rules.iter().flat_map(|rule| &rule.files.include);
            let is_hidden = (files.unlistable.iter()).any(|directory| path.starts_with(directory));
            if is_hidden || !globs.clone().any(|glob| glob.matches(path)) {
                continue;
            }
            let is_news = self.is_ready && !overlooked.contains(path);
            if makings.overlooks && is_news && chance.percent(3) {
                self.overlooked.insert(path.to_owned());
                continue;
            }
            let facts = match makings.tells_stale && chance.percent(30) {
                true => files.stale_facts(node),
                false => files.facts(node),
            };
            nodes.push(node);
            listing.entries.push(Entry {
                path: path.into(),
                real: real.map(Arc::from),
                facts,
                is_mounted: false,
            });
        }
        let cut_off = files.cut_off.iter().filter(|root| in_scope(root));
        (listing.cut_off).extend(cut_off.map(|root| (root.clone(), "too much".to_owned())));
        for directory in &files.unlistable {
            let hides = match scope {
                Scope::All => true,
                Scope::Below(paths) => paths.iter().any(|path| path.starts_with(directory)),
            };
            if hides || in_scope(directory) {
                let why = "permission denied".to_owned();
                listing.faults.push((directory.clone(), why));
            }
        }
        (listing, nodes)
    }

    fn look(&mut self, look: &LookAt, files: &mut Files) -> Result<Look, Fault> {
        let named = files.resolve(&look.path).map(|(node, _)| files.place(node));
        let Some(node) = self.opened(look.stream, &look.path, look.place, files)? else {
            return Ok(Look {
                opened: None,
                named,
                hashes: Vec::new(),
                is_later: false,
                then: None,
            });
        };
        if files.node(node).trouble == Some(Trouble::Broken) {
            return Err(fault("input/output error"));
        }
        let bytes = &files.node(node).bytes;
        let hash = |&(start, end): &(u64, u64)| {
            let stretch = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
            bytes.get(stretch).map(fingerprint)
        };
        Ok(Look {
            opened: Some(files.facts(node)),
            named,
            hashes: look.stretches.iter().map(hash).collect(),
            is_later: false,
            then: None,
        })
    }

    /// Reads what is to be read after a look.
    fn read_then(&mut self, then: &Then, look: &mut Look, files: &mut Files) -> Option<Found> {
        let facts = look.opened.as_ref()?;
        if !then.is_due(facts) {
            return None;
        }
        let (done, lines) = self.read(&then.read, files).ok()?;
        look.then = Some(then.found(done.clone()));
        Some(self.found(&then.read, &Ok(done), lines))
    }

    fn found(&self, read: &Read, outcome: &Result<ReadDone, Fault>, lines: Vec<LineId>) -> Found {
        let has_read = matches!(outcome, Ok(ReadDone::Scanned { scanned, .. }) if scanned.upto > 0);
        let node = self.open.get(&read.stream).filter(|_| has_read);
        Found {
            node: node.copied(),
            lines,
            epoch: read.epoch,
            stream: read.stream,
        }
    }

    fn read(&mut self, read: &Read, files: &mut Files) -> Result<(ReadDone, Vec<LineId>), Fault> {
        let Some(node) = self.opened(read.stream, &read.path, read.place, files)? else {
            return Ok((ReadDone::Changed, Vec::new()));
        };
        let node = files.node(node);
        if node.trouble == Some(Trouble::Broken) {
            return Err(fault("input/output error"));
        }
        let bytes = node.bytes.as_slice();
        let offset = usize::try_from(read.offset).expect("files are small");
        let holds = read.mark.iter().chain(&read.head).all(|mark| {
            let stretch = mark.start as usize..mark.end as usize;
            bytes.get(stretch).map(fingerprint) == Some(mark.hash)
        });
        if bytes.len() < offset || !holds {
            return Ok((ReadDone::Changed, Vec::new()));
        }
        let end = bytes
            .len()
            .min(offset + region_bytes_max(read.searcher.reading()));
        let scanned = scan::scan(
            Region {
                bytes: &bytes[offset..end],
                offset: read.offset,
                before: &bytes[offset.saturating_sub(LOOK_BACK_BYTES as usize)..offset],
                skipping: read.skipping,
                ending: read.ending,
                may_count: read.may_count,
            },
            &read.searcher,
        );
        // A record that is taken as it stands is handed over, although it may go on.
        let upto = match read.ending {
            Ending::Take => end as u64,
            Ending::Leave | Ending::Pass => scanned.upto,
        };
        // A line longer than a region begins in an earlier one.
        let passed = |span: &&super::files::Span| read.offset < span.end && span.end <= upto;
        let lines = node
            .spans
            .iter()
            .chain(&node.doubtful)
            .filter(passed)
            .map(|span| span.line)
            .collect();
        let at_end = end == bytes.len();
        Ok((ReadDone::Scanned { scanned, at_end }, lines))
    }

    /// The open file of a stream; opened by its name if that still leads there.
    fn opened(
        &mut self,
        stream: StreamId,
        path: &Path,
        place: logcrier::engine::identity::Place,
        files: &mut Files,
    ) -> Result<Option<NodeId>, Fault> {
        if let Some(node) = self.open.get(&stream) {
            return Ok(Some(*node));
        }
        let Some((node, _)) = files.resolve(path) else {
            return Ok(None);
        };
        if files.place(node) != place {
            return Ok(None);
        }
        if files.node(node).trouble.is_some() {
            return Err(fault("permission denied"));
        }
        files.open(node);
        self.open.insert(stream, node);
        Ok(Some(node))
    }
}

/// What an engine of this world is made of.
pub(crate) fn config(rules: Arc<RuleSet>, means: Means, seed: u64) -> Config {
    Config {
        surface: Surface {
            host: rules.host.clone(),
            zone: jiff::tz::TimeZone::UTC,
        },
        rules,
        means,
        excluded: vec!["/state".into()],
        excluded_places: std::collections::BTreeSet::new(),
        seed,
    }
}

/// The rotated files of a log, by their names.
fn kin_of(log: &Path, files: &Files) -> Vec<Entry> {
    let kin = (files.names()).filter(|(path, _, _)| kinship::rank(log, path).is_some());
    let entry = |(path, node, _): (&Path, NodeId, Option<&Path>)| Entry {
        path: path.into(),
        real: None,
        facts: files.facts(node),
        is_mounted: false,
    };
    kin.map(entry).collect()
}

/// The hint that a watcher gives of what happened.
pub(crate) fn hint_of(happened: super::files::Happened) -> Hint {
    match happened {
        super::files::Happened::Written(path) => Hint::Written(path),
        super::files::Happened::Renamed(path) => Hint::Renamed(path),
    }
}

fn fault(why: &str) -> Fault {
    Fault { why: why.into() }
}
