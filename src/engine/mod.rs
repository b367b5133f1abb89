//! Decides: the whole flow on one page.
//!
//! [`Engine::handle`] takes one thing that happened and lets its consequences run
//! down the pipeline; [`Engine::next_action`] tells what the host should do next
//! and is asked until there is nothing left; [`Engine::wakeup`] tells when to come
//! back even if nothing happens. Reading [`Input`] and [`Action`] is reading all
//! that can ever happen and all that the agent can ever do.
//!
//! The engine pulls: it asks for the next read when it has room for what may come
//! of it. Back-pressure is the absence of a read; the file on disk is the buffer.
//!
//! Two laws hold between the disk and the world. A position is committed together
//! with everything that the bytes before it caused. And a request leaves only when
//! its body is on disk.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What conditions need of the rest of the engine, and the conditions.
macro_rules! scene {
    ($engine:ident, $now:expr) => {
        (
            Scene {
                now: $now,
                ids: &$engine.ids,
                zone: &$engine.surface.zone,
                outbox: &mut $engine.outbox,
            },
            &mut $engine.correlate,
        )
    };
}

pub mod time;

pub mod ids;

pub mod stream;

pub mod joined;

pub mod schedule;

pub mod schedules;

pub mod identity;

pub mod kinship;

pub mod stamp;

pub mod scan;

pub mod records;

pub mod events;

pub mod own;

pub mod debounce;

pub mod incident;

pub mod mute;

pub mod instances;

pub mod correlate;

pub mod checks;

pub mod journal;

pub mod stdin;

pub mod markup;

pub mod message;

pub mod card;

mod course;

mod verdict;

pub mod outbox;

pub mod digest;

pub mod answer;

pub mod commit;

pub mod counts;

pub mod status;

mod dialogue;

mod report;

mod intake;

mod reloading;

mod committing;

mod quiet;

use checks::{Checks, Order};
use commit::{Image, Kind};
use committing::Committing;
use correlate::Correlate;
use counts::Counts;
pub use dialogue::{Action, Granted, Input};
use events::Ids;
use identity::Place;
use instances::{Instances, Scene};
use journal::Journal;
use message::Surface;
use outbox::{Outbox, Post};
use own::Trouble;
pub use report::Report;
use schedule::{Means, Start};
use schedules::Schedules;
use stdin::Stdin;
use time::{Moment, Now};

use crate::rules::{Rule, RuleSet};

/// How long consequences that nobody waits for may be grouped into one commit.
const CONSEQUENCES: Duration = Duration::from_millis(20);

/// How long progress without consequences may go uncommitted.
const PROGRESS: Duration = Duration::from_secs(1);

/// How many bytes of such progress may go uncommitted.
const PROGRESS_BYTES_MAX: u64 = 64 << 20;

/// Room for actions that is kept while there are none.
const ACTIONS_KEPT: usize = 1 << 10;

/// What the engine is made of.
#[derive(Debug)]
pub struct Config {
    /// What to watch for.
    pub rules: Arc<RuleSet>,
    /// Where messages are worded.
    pub surface: Surface,
    /// How the host goes about files.
    pub means: Means,
    /// Directories that are never followed: the agent's own.
    pub excluded: Vec<PathBuf>,
    /// Files that are never followed: the agent's own log.
    pub excluded_places: BTreeSet<Place>,
    /// For jitter.
    pub seed: u64,
}

/// Decides what the agent does.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<RuleSet>,
    surface: Surface,
    ids: Ids,
    rng: fastrand::Rng,
    schedule: Schedules,
    correlate: Correlate,
    checks: Checks,
    journal: Journal,
    stdin: Stdin,
    /// What was told or asked for, and is answered once it is on disk.
    tickets: Vec<(u64, Granted)>,
    outbox: Outbox,
    next_message: u64,
    actions: std::collections::VecDeque<Action>,
    committing: Option<Committing>,
    n_commits: u64,
    /// Requests whose bodies go to disk with the next commit.
    unsent: Vec<Post>,
    consequences_due: Option<Moment>,
    progress_due: Option<Moment>,
    n_commit_faults: u32,
    commit_after: Moment,
    is_ready: bool,
    was_full: bool,
    stopping: Stopping,
    counts: Counts,
}

/// Whether the agent is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    No,
    Asked,
    Done,
}

impl Engine {
    /// Takes up what is on disk.
    pub fn new(config: Config, mut image: Image, now: Now) -> Self {
        let rules = config.rules;
        let ids = Ids::new(image.incarnation);
        let mut outbox = Outbox::new(
            &rules,
            ids,
            std::mem::take(&mut image.messages),
            &image.spaces,
            now,
        );
        let scene = Scene {
            now,
            ids: &ids,
            zone: &config.surface.zone,
            outbox: &mut outbox,
        };
        let correlate = Correlate::new(&mut image, &rules, &scene);
        let start = Start {
            streams: image.streams,
            globs: image.globs,
            next_id: image.next_stream,
            from_the_end: image.damaged,
            booted: now.booted(),
            excluded: config.excluded,
            excluded_places: config.excluded_places,
        };
        let mut engine = Self {
            ids,
            rng: fastrand::Rng::with_seed(config.seed),
            schedule: Schedules::new(&rules, config.means, start, now.moment),
            correlate,
            checks: Checks::new(image.checks.into_values(), &rules, now),
            journal: Journal::new(image.journal, &rules, now.wall),
            stdin: Stdin::default(),
            tickets: Vec::new(),
            outbox,
            next_message: image.next_message,
            actions: std::collections::VecDeque::new(),
            committing: None,
            n_commits: 0,
            unsent: Vec::new(),
            consequences_due: None,
            progress_due: None,
            n_commit_faults: 0,
            commit_after: now.moment,
            is_ready: false,
            was_full: false,
            stopping: Stopping::No,
            counts: Counts::default(),
            surface: config.surface,
            rules,
        };
        engine.report_homeless();
        if image.damaged {
            let what = "the state was damaged and set aside; going on from the end of every file";
            engine.trouble(now, &Trouble::of_state("damaged", what.to_owned()));
        }
        engine.meet_conditions(now);
        engine.meet_checks(now);
        engine.after(now);
        engine
    }

    /// Takes one thing that happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Tick => self.schedule.tick(now.moment),
            Input::Hint { hint, since } => self.schedule.hint(now.moment, &hint, since),
            Input::Listed(listing) => self.schedule.listed(now.moment, listing),
            Input::Looked {
                stream,
                begun,
                outcome,
            } => {
                let then = (self.schedule).looked(now.moment, stream, begun, outcome);
                if let Some(then) = then {
                    self.read_done(now, stream, then.ending, then.epoch, Ok(then.done));
                }
            }
            Input::Read {
                stream,
                ending,
                epoch,
                outcome,
            } => self.read_done(now, stream, ending, epoch, outcome),
            Input::Found(stream, found) => self.schedule.found(stream, found),
            Input::Ran(run, ran) => {
                let rules = self.rules.clone();
                let key = self.checks.key_of(run).cloned();
                let rule = key.and_then(|key| rules.rule(&key));
                let mute = rule.and_then(|rule| self.mute_of_check(now, rule));
                let (ids, outbox) = (&self.ids, &mut self.outbox);
                let births = self.checks.ran(now, run, &ran, &rules, mute, ids, outbox);
                self.count_results();
                self.deliver(now, births, Kind::State);
            }
            Input::Journal { epoch, outcome } => {
                let found = self.journal.done(now.moment, epoch, outcome);
                self.entries(now, &found);
            }
            Input::Stdin(news) => self.stdin_news(now, news),
            Input::Gone(run) => self.checks.gone(run),
            Input::Told(told) => {
                self.told(now, &told);
            }
            Input::Silence { ticket, wish } => self.silence(now, ticket, wish),
            Input::Committed(commit, outcome) => self.committed(now, commit, outcome),
            Input::Answered(message, reply) => self.answered(now, message, &reply),
            Input::Reload(rules) => self.reload(now, rules),
            Input::Stop => self.stop(),
        }
        self.after(now);
    }

    /// What to do next, until there is nothing left.
    pub fn next_action(&mut self, now: Now) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        if self.stopping == Stopping::No {
            let may_read = self.may_read();
            if let Some(turn) = self.schedule.next_turn(now.moment, may_read) {
                return Some(Action::Files(turn));
            }
            if may_read && let Some(turn) = self.journal.next_turn(now.moment) {
                return Some(Action::Journal(turn));
            }
        }
        self.commit(now);
        let action = self.actions.pop_front();
        if action.is_none() {
            // There may have been one for each of many files.
            self.actions.shrink_to(ACTIONS_KEPT);
        }
        action
    }

    /// When to come back even if nothing happens.
    pub fn wakeup(&self, now: Now) -> Option<Moment> {
        let commit = match self.committing {
            Some(_) => None,
            None if self.awaits_last_answer() => None,
            None => [
                self.outbox.wakeup(),
                self.consequences_due,
                self.progress_due,
            ]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(self.commit_after)),
        };
        let schedule = match self.stopping {
            Stopping::No => self.schedule.wakeup(),
            // No turn is given any more.
            Stopping::Asked | Stopping::Done => None,
        };
        let checks = match self.stopping {
            Stopping::No => self.checks.wakeup(),
            // Nothing is started or said any more.
            Stopping::Asked | Stopping::Done => None,
        };
        let journal = match self.stopping {
            Stopping::No => self.journal.wakeup(),
            Stopping::Asked | Stopping::Done => None,
        };
        [schedule, journal, self.correlate.wakeup(), checks, commit]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(now.moment))
    }

    /// The followed files.
    pub fn schedule(&self) -> &Schedules {
        &self.schedule
    }

    /// What is still to be said.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What is held back.
    pub fn instances(&self) -> &Instances {
        self.correlate.instances()
    }

    /// What people asked not to hear of.
    pub fn silences(&self) -> &correlate::silences::Silences {
        self.correlate.silences()
    }

    /// Whether it does its work: it follows, and can write what it does to disk.
    pub fn is_well(&self) -> bool {
        self.is_ready && self.n_commit_faults == 0
    }

    /// What has happened since the start.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The commands and what they found.
    pub fn checks(&self) -> &Checks {
        &self.checks
    }

    fn stop(&mut self) {
        if self.stopping == Stopping::No {
            self.stopping = Stopping::Asked;
            self.outbox.stop();
            self.checks.stop();
        }
    }

    /// What follows every input.
    fn after(&mut self, now: Now) {
        self.sum_up_stdin(now);
        let rules = self.rules.clone();
        let (mut scene, correlate) = scene!(self, now);
        let births = correlate.tick(
            &mut scene,
            &rules,
            (&mut self.schedule, &self.journal),
            &self.checks,
        );
        self.deliver(now, births, Kind::Instance);
        if self.stopping == Stopping::No {
            let mutes = self.mutes_of_due_checks(now);
            let mute = |rule: &Rule| mutes.get(&rule.key).copied();
            let (zone, outbox) = (&self.surface.zone, &self.outbox);
            let births = (self.checks).tick(now, &rules, zone, &mute, &self.ids, outbox);
            self.deliver(now, births, Kind::State);
        }
        self.unmute(now);
        for order in self.checks.take_orders() {
            self.actions.push_back(match order {
                Order::Start(start) => Action::Run(start),
                Order::Stop(run) => Action::StopRun(run),
            });
        }
        for notice in self.schedule.take_notices() {
            self.counts.noticed(&notice);
            if let Some(trouble) = notice.trouble() {
                self.trouble(now, &trouble);
            }
            self.report(Report::File(notice));
        }
        for notice in self.journal.take_notices() {
            if let Some(trouble) = notice.trouble() {
                self.trouble(now, &trouble);
            }
            self.report(Report::Journal(notice));
        }
        let is_drained = self.schedule.is_drained() && self.journal.has_read_all();
        if !self.outbox.has_caught_up() && is_drained {
            self.outbox.caught_up();
        }
        let is_full = self.outbox.is_folding();
        if is_full != self.was_full {
            self.was_full = is_full;
            self.report(match is_full {
                true => Report::OutboxFull,
                false => Report::OutboxDrained,
            });
        }
        let has_consequences = self.outbox.is_dirty()
            || self.correlate.has_consequences()
            || self.checks.has_consequences();
        if has_consequences {
            let due = now.moment.after(CONSEQUENCES);
            self.consequences_due.get_or_insert(due);
        }
        let is_dirty = self.schedule.is_dirty()
            || self.journal.is_dirty()
            || self.checks.is_dirty()
            || self.correlate.is_dirty();
        if is_dirty {
            let due = now.moment.after(PROGRESS);
            let due = self.progress_due.get_or_insert(due);
            let n_spent = self.stdin.n_spendable(&self.schedule);
            if self.schedule.n_dirty_bytes() >= PROGRESS_BYTES_MAX
                || n_spent >= stdin::PROGRESS_BYTES_MAX
            {
                *due = now.moment;
            }
        }
        self.end_with_stdin();
    }

    fn say_ready(&mut self) {
        self.is_ready = true;
        self.actions.push_back(Action::Ready);
    }

    fn say_stopped(&mut self) {
        self.stopping = Stopping::Done;
        self.actions.push_back(Action::Stopped);
    }

    fn report(&mut self, report: Report) {
        self.actions.push_back(Action::Report(report));
    }
}
