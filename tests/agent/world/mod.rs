//! The simulated world: another host for the same engine, in virtual time.
//!
//! ```text
//!   history, scenario          what happens: lines, rotations, faults, kills
//!         │
//!       World ── clock         carries it out, and lets the agent live in it
//!         ├── files, writers   inodes and names, and who writes to them
//!         ├── commands       what they find, how they die
//!         ├── chat             the space, its quota, its bad days
//!         ├── disk             what survives a crash
//!         ├── agent            the engine, and what the host has under way
//!         └── oracle           what must be true, whatever happens
//! ```
//!
//! Nothing sleeps and nothing is real: a week passes in no time, and the same seed
//! is the same history to the last byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use logcrier::engine::Input;
use logcrier::engine::commit::MessageState;
use logcrier::engine::schedule::{Hint, Means, Noticing};
use logcrier::engine::time::Moment;

pub(crate) mod entropy;

pub(crate) mod clock;

pub(crate) mod files;

pub(crate) mod told;

pub(crate) mod writers;

pub(crate) mod commands;

pub(crate) mod chat;

pub(crate) mod disk;

pub(crate) mod agent;

pub(crate) mod hosting;

pub(crate) mod reach;

pub(crate) mod oracle;

pub(crate) mod promises;

pub(crate) mod story;

pub(crate) mod history;

pub(crate) mod script;

pub(crate) mod shrink;

use agent::{Agent, Job, Makings};
use chat::Chat;
use clock::{Clock, Instant};
use commands::Commands;
use disk::Disk;
use entropy::Entropy;
use files::{Files, NodeId};
use oracle::{Counted, Oracle};
use told::Told;
use writers::Log;

/// Actions in one minute, beyond which an agent spins.
const ACTIONS_PER_MINUTE_MAX: u64 = 20_000;

/// Streams, beyond which an agent hoards: all files of a world, twice.
const STREAMS_MAX: usize = 64;

/// How long an agent that was asked to stop may take.
const STOPPING_MAX: Duration = Duration::from_secs(90);

/// How long a line may stand unread while nothing is in the way.
const READING_MAX: Duration = Duration::from_secs(60);

/// How long a system tells of a file what was true before it was written. Where two safety
/// looks in a row were lied to, nobody could know that there is anything to be read.
const STALE_MAX: Duration = Duration::from_secs(10);

/// A world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) files: Files,
    pub(crate) logs: Vec<Log>,
    pub(crate) commands: Commands,
    pub(crate) chat: Chat,
    pub(crate) disk: Disk,
    pub(crate) agent: Option<Agent>,
    pub(crate) oracle: Oracle,
    pub(crate) told: Vec<Told>,
    pub(crate) habits: Habits,
    pub(crate) makings: Makings,
    pub(crate) chance: Entropy,
    /// What is said in this world, if anybody listens.
    pub(crate) story: Option<Vec<String>>,
    /// The messages that were made, for scenarios.
    pub(crate) messages: Vec<(Instant, told::Said, String)>,
    /// Those about checks.
    pub(crate) heard: Vec<(Instant, commands::SaidOfCheck)>,
    queue: BTreeMap<(Instant, u64), (u64, Job)>,
    n_queued: u64,
    n_lives: u64,
    /// Files that were listed in this life, those of which the agent has heard, and
    /// those of which the disk knows.
    listed: BTreeSet<NodeId>,
    known: BTreeSet<NodeId>,
    known_safe: BTreeSet<NodeId>,
    /// Files that nothing leads to.
    out_of_reach: BTreeSet<NodeId>,
    /// Files of whose content the disk knows something.
    proven: BTreeSet<NodeId>,
    read: BTreeSet<NodeId>,
    /// Files that were emptied, or made on an old number, before anything proved it.
    unprovable: BTreeSet<NodeId>,
    /// Files that were cut before the place was read where a rule begins in them.
    unplaced: BTreeSet<NodeId>,
    /// Until when something was in the way of reading.
    disturbed: Instant,
    /// When what the system tells was true last.
    settled: Instant,
    /// When a request was made last.
    requested: Instant,
    /// A minute, and the actions in it.
    n_minute_actions: (u64, u64),
    /// Troubles of its own that the agent has reported.
    reported: BTreeSet<String>,
    /// Whether the agent was ever ready, with all patterns listed.
    was_ready: bool,
}

/// How the world goes about things.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    /// How late the agent is woken, at most.
    pub(crate) lateness: Duration,
    /// What becomes of a hint: told, told late, told twice, never told, all lost.
    pub(crate) hints: [u64; 5],
    /// The pace of spaces.
    pub(crate) pace: Duration,
    /// Whether both spaces are one.
    pub(crate) shared_space: bool,
    /// Whether `dev` stands in for `ops`.
    pub(crate) stands_in: bool,
    /// Whether every commit is loaded by an engine of its own.
    pub(crate) loads_every_commit: bool,
    /// Whether a log is copied over its last copy, in place.
    pub(crate) copies_over: bool,
    /// How long things take on this machine, at most.
    pub(crate) slowness: Duration,
}

impl World {
    pub(crate) fn new(seed: u64, told: Vec<Told>, noticing: Noticing) -> Self {
        Self {
            clock: Clock::default(),
            files: Files::default(),
            logs: Vec::new(),
            commands: Commands::default(),
            chat: Chat::default(),
            disk: Disk::new(u128::from(seed) << 64 | 7),
            agent: None,
            oracle: Oracle::default(),
            told,
            habits: Habits {
                lateness: Duration::ZERO,
                hints: [1, 0, 0, 0, 0],
                pace: Duration::from_secs(1),
                shared_space: false,
                stands_in: false,
                loads_every_commit: false,
                copies_over: false,
                slowness: Duration::from_millis(3),
            },
            makings: Makings {
                means: Means {
                    noticing,
                    turns_max: 2,
                },
                tells_stale: false,
                overlooks: false,
                reads_then: false,
                tells_since: false,
            },
            chance: Entropy::endless(seed ^ 0x5EED),
            story: None,
            messages: Vec::new(),
            heard: Vec::new(),
            queue: BTreeMap::new(),
            n_queued: 0,
            n_lives: 0,
            listed: BTreeSet::new(),
            known: BTreeSet::new(),
            known_safe: BTreeSet::new(),
            out_of_reach: BTreeSet::new(),
            proven: BTreeSet::new(),
            read: BTreeSet::new(),
            unprovable: BTreeSet::new(),
            unplaced: BTreeSet::new(),
            disturbed: Instant::default(),
            settled: Instant::default(),
            requested: Instant::default(),
            n_minute_actions: (0, 0),
            reported: BTreeSet::new(),
            was_ready: false,
        }
    }

    /// Whether the agent has ever said that it is ready.
    pub(crate) fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// No file is in the way of reading from now on.
    pub(crate) fn calm(&mut self) {
        let disk = self.disk.until().after(Duration::from_secs(60));
        self.disturbed = self.clock.now().max(disk);
    }

    /// Starts the agent with the rules that are told.
    pub(crate) fn start(&mut self) {
        self.n_lives += 1;
        // Nothing stays stale for as long as a process takes to start.
        self.files.settle();
        self.note(format_args!("the agent starts"));
        self.commands.starts();
        let rules = self.rules();
        let image = self.disk.image.clone();
        let agent = Agent::start(self.n_lives, &self.makings, rules, image, &self.clock);
        self.agent = Some(agent);
        self.disturb(self.clock.now());
        self.pump();
    }

    /// The agent dies, now.
    pub(crate) fn kill(&mut self) {
        let Some(mut agent) = self.agent.take() else {
            return;
        };
        self.note(format_args!("the agent dies"));
        agent.close_all(&mut self.files);
        let under_way = std::mem::take(&mut self.queue);
        for (at, (life, job)) in under_way {
            // What is on the wire arrives, though nobody hears the answer.
            if matches!(job, Job::Arrive(_)) && self.chance.percent(50) {
                self.queue.insert(at, (life, job));
            }
        }
        self.oracle.died();
        self.commands.died();
        // What is to be read once more is read without the rules taken away meanwhile.
        for (idx, key) in told::RULES.iter().enumerate() {
            if !self.told.iter().any(|told| told.key == *key) {
                self.oracle.excuse_rule(idx);
            }
        }
        for request_id in &agent.unsaved_answers {
            self.oracle.unheard(request_id);
        }
        self.listed.append(&mut self.known);
        let listed = std::mem::take(&mut self.listed);
        let forgotten: Vec<NodeId> = listed.difference(&self.known_safe).copied().collect();
        self.known = self.known_safe.clone();
        self.read = self.proven.clone();
        for node in forgotten {
            if !self.is_followed_name(node) {
                self.put_out_of_reach(node);
            }
        }
        let nodes: Vec<NodeId> = self.files.nodes().collect();
        for node in nodes {
            if !self.files.is_named(node) {
                self.put_out_of_reach(node);
            }
        }
    }

    /// Hands an input to the engine, and carries out what it asks for.
    pub(crate) fn tell(&mut self, input: Input) {
        self.handle(input);
        self.pump();
    }

    /// Hands an input to the engine, and does not do yet what it wants.
    fn handle(&mut self, input: Input) {
        let Some(agent) = &mut self.agent else {
            return;
        };
        let now = self.clock.seen_since(agent.born);
        if let Some(story) = &mut self.story {
            story.push(format!("{}  <- {}", self.clock.now(), story::input(&input)));
        }
        agent.engine.handle(now, input);
    }

    /// Lets time pass, and everything happen that falls into it.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let until = self.clock.now().after(duration);
        let mut n_here = (self.clock.now(), 0_u32);
        while self.oracle.failure.is_none() {
            self.hurry_after();
            let lateness = self.habits.lateness;
            let chance = &mut self.chance;
            let late = || match lateness.is_zero() {
                true => Duration::ZERO,
                false => chance.duration(Duration::from_nanos(1), lateness),
            };
            let wake = (self.agent.as_mut()).and_then(|agent| agent.wake_at(&self.clock, late));
            let job = self.queue.keys().next().copied();
            let job_at = job.map(|(at, _)| at.max(self.clock.now()));
            let next = [wake, job_at].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            n_here = match n_here.0 == next {
                true => (next, n_here.1 + 1),
                false => (next, 0),
            };
            if n_here.1 > 5_000 {
                self.oracle.fail("bounded", format!("spins at {next}"));
                return;
            }
            self.clock.go_on(next);
            self.let_settle();
            match job.filter(|_| job_at == Some(next)) {
                Some(key) => {
                    let (life, job) = self.queue.remove(&key).expect("it was just seen");
                    self.happen(life, job);
                }
                None => {
                    if let Some(agent) = &mut self.agent {
                        agent.woken();
                    }
                    self.tell(Input::Tick);
                }
            }
            self.look_after_it();
        }
        if self.oracle.failure.is_none() {
            self.clock.go_on(until);
        }
    }

    fn let_settle(&mut self) {
        let now = self.clock.now();
        if now.since(self.settled) > STALE_MAX {
            self.settled = now;
            self.files.settle();
        }
    }

    /// Tells the agent of changed rules.
    pub(crate) fn reload(&mut self, told: Vec<Told>) {
        for idx in 0..told::RULES.len() {
            let key = told::RULES[idx];
            let is_told = |told: &[Told]| told.iter().any(|told| told.key == key);
            if is_told(&told) != is_told(&self.told) {
                self.oracle.excuse_rule(idx);
            }
        }
        self.told = told;
        self.oracle.forget_windows(self.clock.now());
        let rules = self.rules();
        if let Some(agent) = &mut self.agent {
            agent.rules = rules.clone();
            agent.n_reloads += 1;
            self.disturb(self.clock.now());
            self.tell(Input::Reload(rules));
        }
    }

    /// Something is in the way of reading until then.
    pub(crate) fn disturb(&mut self, until: Instant) {
        self.disturbed = self.disturbed.max(until);
    }

    pub(crate) fn wall_nanos(&self) -> i64 {
        self.clock.wall().0 * 1_000
    }

    /// What was refused for good, as the disk has it.
    pub(crate) fn parked(&self) -> Vec<(Counted, u64)> {
        let messages = self.disk.image.messages.values();
        let parked = messages.filter(|message| match message.state {
            MessageState::Parked { .. } => true,
            MessageState::Frozen { .. } | MessageState::Waiting => self.is_given_up(message),
        });
        parked
            .flat_map(|message| {
                let space = message.origin().as_str();
                let shares = message.shares().into_iter();
                let shares = shares.filter(|s| !told::is_own(s.instance.rule.as_str()));
                shares.map(move |share| {
                    let k = share.instance.by.first().cloned().unwrap_or_default();
                    let rule = share.instance.rule.as_str().to_owned();
                    ((space.to_owned(), rule, k), share.count)
                })
            })
            .collect()
    }

    /// Rules and their spaces, for the oracle.
    pub(crate) fn names<'a>(&self, told: &'a [Told]) -> Vec<(&'a str, Vec<&'a str>)> {
        told.iter()
            .map(|told| (told.key, told.spaces.clone()))
            .collect()
    }

    /// Says something in the story.
    pub(crate) fn note(&mut self, what: fmt::Arguments<'_>) {
        if let Some(story) = &mut self.story {
            story.push(format!("{}  {what}", self.clock.now()));
        }
    }

    fn rules(&self) -> std::sync::Arc<logcrier::rules::RuleSet> {
        let habits = &self.habits;
        told::rule_set(
            &self.told,
            &self.commands.told,
            habits.pace,
            habits.shared_space,
            habits.stands_in,
        )
    }

    /// What the watcher makes of what happened to the files.
    fn hurry_after(&mut self) {
        let happened = self.files.take_happened();
        let Some(agent) = &self.agent else {
            return;
        };
        if self.makings.means.noticing == Noticing::Polled {
            return;
        }
        let life = agent.life;
        let since = match self.makings.tells_since {
            true => self.clock.seen_since(agent.born).moment,
            false => Moment(u64::MAX),
        };
        for happened in happened {
            let hint = agent::hint_of(happened);
            let [soon, late] = [50, 20_000].map(|ms| {
                let most = Duration::from_millis(ms);
                self.chance.duration(Duration::from_micros(20), most)
            });
            let mut hints = Vec::new();
            match self.chance.weighted(&self.habits.hints) {
                0 => hints.push((soon, hint)),
                1 => hints.push((late, hint)),
                2 => hints.extend([(soon, hint.clone()), (late, hint)]),
                3 => {}
                _ => hints.push((soon, Hint::Lost)),
            }
            for (delay, hint) in hints {
                self.enqueue(delay, life, Job::Tell(Input::Hint { hint, since }));
            }
        }
    }

    fn enqueue(&mut self, delay: Duration, life: u64, job: Job) {
        let at = self.clock.now().after(delay);
        self.n_queued += 1;
        self.queue.insert((at, self.n_queued), (life, job));
    }

    /// How long something takes on this machine.
    fn a_while(&mut self) -> Duration {
        let most = self.habits.slowness;
        self.chance.duration(Duration::from_micros(5), most)
    }
}
