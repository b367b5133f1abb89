//! Does: waits, gathers what happened, asks the engine, carries out its actions.
//!
//! One task owns the engine; nothing locks it. Files are read on one thread and
//! commits are written on another, so that neither a slow disk nor a slow sync
//! holds up the rest; requests are tasks of their own. What any of them brings
//! back enters the engine at the top.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

pub mod clock;

pub mod files;

pub(crate) mod unpack;

mod walk;

mod watch;

mod file_systems;

mod users;

pub mod keeper;

pub mod commands;

mod journal;

pub mod capture;

pub mod socket;

pub mod spool;

pub mod store;

pub mod chat;

mod heart;

mod metrics;

pub mod standing;

mod report;

pub mod service;

use crate::engine::answer::Reply;
use crate::engine::checks::Told;
use crate::engine::commit::Commit;
use crate::engine::ids::{CommitId, MessageId};
use crate::engine::message::Surface;
use crate::engine::outbox::Post;
use crate::engine::schedule::{Fault, Hint, Noticing, Turn};
use crate::engine::time::{Moment, Now, Wall};
use crate::engine::{Action, Config, Engine, Granted, Input};
use crate::rules::checks::StatusMap;
use crate::rules::glob::Glob;
use crate::rules::settings::{Heartbeat, Proxy};
use crate::rules::{RuleKey, RuleSet};
use chat::Chat;
use commands::{Commands, Heard};
use files::Files;
use heart::Heart;
use journal::Journal;
use metrics::{Metrics, Wanted};
use service::Manager;
use socket::{Answer, Asked, Request, Room};
use standing::Standing;
use store::{Opened, Store};
use watch::Hints;

/// How often results that were left for us are looked for.
const SPOOL_LOOK: Duration = Duration::from_secs(30);

/// How long a request in flight is waited for after the agent was told to stop.
const LAST_ANSWER: Duration = Duration::from_secs(3);

/// How long everything may take after the agent was told to stop.
const LAST_COMMIT: Duration = Duration::from_millis(4_500);

/// How long a state that cannot be opened for now is left alone before the next try.
const NEXT_OPENING: Duration = Duration::from_secs(1);

/// Signals within this time of the first are the same wish to stop.
const SAME_WISH: Duration = Duration::from_millis(300);

/// What an agent is made of.
#[derive(Debug)]
pub struct Setup {
    /// What to watch for, and where to post.
    pub rules: Arc<RuleSet>,
    /// How files are noticed.
    pub noticing: Noticing,
    /// Where the state lives.
    pub state_dir: PathBuf,
    /// Root certificates besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// The proxy on the way out; without one the environment's is used.
    pub proxy: Option<Proxy>,
    /// The way to the service manager.
    pub manager: Manager,
    /// The environment of commands, before what their rules add.
    pub command_env: Vec<(String, String)>,
    /// Where metrics are shown, if they are.
    pub metrics: Option<SocketAddr>,
    /// Where the agent says that it lives, if it does.
    pub heartbeat: Option<Heartbeat>,
}

/// Reads the settings anew. `None`: they have mistakes, which it has told.
pub type Reload<'a> = dyn FnMut() -> Option<Arc<RuleSet>> + 'a;

/// Why an agent could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The state cannot be used.
    #[error(transparent)]
    Store(#[from] store::StoreFault),
    /// The root certificates cannot be used.
    #[error("ca_file: {0}")]
    Roots(#[from] chat::RootsFault),
    /// The system refuses what every program needs.
    #[error("the system gives no {what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// How an agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything is on disk.
    Cleanly,
    /// It was told twice, or took too long: what was not on disk is seen again.
    AtOnce,
}

/// Runs an agent until it is told to stop.
pub async fn run(
    setup: Setup,
    stop: impl Future<Output = ()>,
    reload: &mut Reload<'_>,
) -> Result<Ended, StartFault> {
    let chat = Arc::new(Chat::new(setup.ca_file.as_deref(), setup.proxy.as_ref())?);
    let opened = open(&setup.state_dir, &setup.manager).await?;
    if let Some(copy) = &opened.set_aside {
        error!(
            copy = %copy.display(),
            "the state was damaged and set aside; going on from the end of every file"
        );
    }
    let state_dir = setup.state_dir.clone();
    let (inputs, arrivals) = mpsc::unbounded_channel();
    let (watcher, hints) = match setup.noticing {
        Noticing::Hinted => {
            let (watcher, hints) = watch::watcher();
            (Some(watcher), Some(hints))
        }
        Noticing::Polled => (None, None),
    };
    let own = own_directory(&setup.state_dir).into_iter().collect();
    let rules = resolved(&setup.rules, &setup.command_env).await;
    let globs = globs_of(&rules);
    let files = Files::new(globs, watcher, own);
    let files = Worker::new("files", files, &inputs, turn)?;
    let store = Worker::new("store", opened.store, &inputs, write)?;
    let seed = random() as u64;
    let config = Config {
        rules: rules.clone(),
        surface: Surface {
            host: rules.host.clone(),
            zone: TimeZone::system(),
        },
        noticing: setup.noticing,
        excluded: vec![std::path::absolute(&setup.state_dir).unwrap_or(setup.state_dir)],
        excluded_places: own_places(),
        seed,
    };
    let started = clock::now();
    let mut agent = Agent {
        heart: (setup.heartbeat).map(|heartbeat| Heart::new(heartbeat, chat.clone())),
        metrics: setup.metrics.and_then(open_metrics),
        started,
        settings_loaded: started.wall,
        reload_failed: None,
        engine: Engine::new(config, opened.image, clock::now()),
        rules,
        manager: setup.manager,
        chat,
        files,
        journal: Journal::new(setup.command_env.clone()),
        command_env: setup.command_env.clone(),
        commands: Commands::new(setup.command_env),
        room: open_room(&state_dir),
        told: BTreeMap::new(),
        n_told: 0,
        spool_due: clock::now().moment,
        state_dir,
        store,
        requests: JoinSet::new(),
        in_flight: BTreeMap::new(),
        hints,
        arrivals,
        ended: None,
    };
    agent.run(stop, reload).await
}

/// Opens the state. A disk that is full for now is waited for: whoever started the
/// agent decides how long, and an agent that ended would see nothing of what the
/// next ones do. Everything else is for a person.
async fn open(state_dir: &std::path::Path, manager: &Manager) -> Result<Opened, StartFault> {
    let mut is_told = false;
    loop {
        let fault = match Store::open(state_dir, random(), clock::now().wall) {
            Ok(opened) => return Ok(opened),
            Err(fault) if fault.may_pass() => fault,
            Err(fault) => return Err(fault.into()),
        };
        if !is_told {
            error!("{fault}; trying again until it can be");
            manager.status(&format!("{fault}; trying again"));
            is_told = true;
        }
        until(Some(clock::now().moment.after(NEXT_OPENING))).await;
    }
}

/// The loop and all that it holds.
struct Agent {
    engine: Engine,
    rules: Arc<RuleSet>,
    manager: Manager,
    chat: Arc<Chat>,
    files: Worker<Job>,
    journal: Journal,
    command_env: Vec<(String, String)>,
    commands: Commands,
    /// Where other processes speak with us, if that is possible.
    room: Option<Room>,
    /// Who waits to hear that what was told is on disk.
    told: BTreeMap<u64, Teller>,
    n_told: u64,
    /// When the spool is looked at.
    spool_due: Moment,
    state_dir: PathBuf,
    store: Worker<Commit>,
    requests: JoinSet<(MessageId, Reply)>,
    /// Whose answer each request brings, also when it ends without one.
    in_flight: BTreeMap<tokio::task::Id, MessageId>,
    hints: Option<Hints>,
    arrivals: mpsc::UnboundedReceiver<Input>,
    ended: Option<Ended>,
    heart: Option<Heart>,
    /// Where monitoring asks, if that is wished and possible.
    metrics: Option<Metrics>,
    started: Now,
    settings_loaded: Wall,
    /// When a reload failed, if the last one did.
    reload_failed: Option<Wall>,
}

/// What ended a wait.
enum Woken {
    Input(Input),
    Heard(Heard),
    Asked(Asked),
    Wanted(Wanted),
    Beat,
    Spool,
    Hints(BTreeSet<Hint>),
    Ended(Result<(tokio::task::Id, (MessageId, Reply)), tokio::task::JoinError>),
    Told,
    Hangup,
    Pulse,
    Time,
}

impl Agent {
    async fn run(
        &mut self,
        stop: impl Future<Output = ()>,
        reload: &mut Reload<'_>,
    ) -> Result<Ended, StartFault> {
        let mut terminate = listen(SignalKind::terminate())?;
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut hangup = listen(SignalKind::hangup())?;
        let mut stop = std::pin::pin!(stop);
        let mut stop_is_over = false;
        let mut stopping: Option<Moment> = None;
        let pulse = self.manager.pulse();
        let mut pulse_due = pulse.map(|_| clock::now().moment);
        loop {
            // Here, and not where the wait for it ends: an agent that is busy lives too.
            if let (Some(pulse), Some(due)) = (pulse, pulse_due)
                && due <= clock::now().moment
            {
                self.manager.alive();
                pulse_due = Some(clock::now().moment.after(pulse));
            }
            self.act();
            if let Some(ended) = self.ended {
                return Ok(ended);
            }
            let deadline = match stopping {
                None => self.engine.wakeup(clock::now()),
                Some(since) => Some(self.patience(since)),
            };
            let woken = tokio::select! {
                biased;
                _ = terminate.recv() => Woken::Told,
                _ = interrupt.recv() => Woken::Told,
                () = &mut stop, if !stop_is_over => {
                    stop_is_over = true;
                    Woken::Told
                }
                _ = hangup.recv() => Woken::Hangup,
                Some(input) = self.arrivals.recv() => Woken::Input(input),
                Some(ended) = self.requests.join_next_with_id() => Woken::Ended(ended),
                input = self.journal.next() => Woken::Input(input),
                heard = self.commands.hear() => Woken::Heard(heard),
                asked = asked(self.room.as_mut()) => Woken::Asked(asked),
                wanted = wanted(self.metrics.as_mut()) => Woken::Wanted(wanted),
                () = beat(self.heart.as_mut()), if stopping.is_none() => Woken::Beat,
                () = until(Some(self.spool_due)), if stopping.is_none() => Woken::Spool,
                hints = hints_of(self.hints.as_ref()) => Woken::Hints(hints),
                () = until(pulse_due) => Woken::Pulse,
                () = until(deadline) => Woken::Time,
            };
            match woken {
                Woken::Input(input) => self.engine.handle(clock::now(), input),
                Woken::Heard(heard) => {
                    for input in self.commands.take(heard) {
                        self.engine.handle(clock::now(), input);
                    }
                }
                Woken::Asked(asked) => self.asked(asked),
                Woken::Wanted(wanted) => {
                    // Who does not listen any more does not need it.
                    let _ = wanted.send(self.standing());
                }
                Woken::Beat => self.beat(),
                Woken::Spool => self.look_at_spool(),
                Woken::Hints(hints) => {
                    let now = clock::now();
                    for hint in hints {
                        self.engine.handle(now, Input::Hint(hint));
                    }
                }
                Woken::Ended(ended) => self.answered(ended),
                Woken::Told if stopping.is_some_and(is_second_wish) => {
                    warn!("told to stop twice, ending at once");
                    return Ok(Ended::AtOnce);
                }
                Woken::Told if stopping.is_some() => {}
                Woken::Told => {
                    info!("stopping");
                    self.manager.stopping();
                    stopping = Some(clock::now().moment);
                    self.engine.handle(clock::now(), Input::Stop);
                }
                Woken::Hangup => self.reload(reload).await,
                Woken::Pulse => {}
                Woken::Time => match stopping {
                    None => self.engine.handle(clock::now(), Input::Tick),
                    Some(since) if since.after(LAST_COMMIT) <= clock::now().moment => {
                        warn!("the last commit takes too long, ending without it");
                        return Ok(Ended::AtOnce);
                    }
                    Some(_) => self.requests.abort_all(),
                },
            }
        }
    }

    /// Carries out everything that the engine wants.
    fn act(&mut self) {
        let now = clock::now();
        while let Some(action) = self.engine.next_action(now) {
            match action {
                Action::Files(turn) => self.files.give(Job::Turn(turn)),
                Action::Journal(turn) => self.journal.give(turn),
                Action::Run(start) => {
                    if let Some(input) = self.commands.start(start) {
                        self.engine.handle(now, input);
                    }
                }
                Action::StopRun(run) => self.commands.stop(run),
                Action::Answer(ticket, outcome) => self.answer(ticket, outcome),
                Action::Commit(commit) => self.store.give(*commit),
                Action::Post(post) => self.post(now, post),
                Action::Ready => self.say_ready(),
                Action::Report(report) => report::tell(&report),
                Action::Stopped => self.ended = Some(Ended::Cleanly),
            }
        }
    }

    fn post(&mut self, now: Now, post: Post) {
        let chat = self.chat.clone();
        let webhook = self
            .rules
            .spaces
            .get(&post.space)
            .map(|space| space.webhook.clone());
        let message = post.message;
        let task = self.requests.spawn(async move {
            let reply = match webhook {
                Some(webhook) => chat.post(&webhook, &post, now.wall).await,
                None => Reply::Unreached {
                    why: "its space is not in the settings".to_owned(),
                },
            };
            (post.message, reply)
        });
        self.in_flight.insert(task.id(), message);
    }

    fn answered(
        &mut self,
        ended: Result<(tokio::task::Id, (MessageId, Reply)), tokio::task::JoinError>,
    ) {
        let (message, reply) = match ended {
            Ok((task, answer)) => {
                self.in_flight.remove(&task);
                answer
            }
            Err(error) => {
                let Some(message) = self.in_flight.remove(&error.id()) else {
                    return;
                };
                let why = match error.is_panic() {
                    true => "internal error, please report it",
                    false => "given up on at the end",
                };
                let why = why.to_owned();
                (message, Reply::Unanswered { why })
            }
        };
        self.engine
            .handle(clock::now(), Input::Answered(message, reply));
    }

    /// Takes what another process asks for.
    fn asked(&mut self, asked: Asked) {
        match asked.request {
            Request::Told(told) => self.take_told(*told, Teller::Client(asked.answer)),
            Request::Silence(request) => {
                let ticket = self.n_told;
                self.n_told += 1;
                self.told.insert(ticket, Teller::Client(asked.answer));
                let wish = request.wish(users::Account::name_of(asked.uid));
                let input = Input::Silence { ticket, wish };
                self.engine.handle(clock::now(), input);
            }
            Request::Status => {
                let answer = match serde_json::to_value(self.standing()) {
                    Ok(standing) => Answer::Ok(standing),
                    Err(error) => Answer::Error(error.to_string()),
                };
                // Who does not listen any more does not need it.
                let _ = asked.answer.send(answer);
            }
        }
    }

    fn standing(&self) -> Standing {
        let now = clock::now();
        let uptime = now.moment.0.saturating_sub(self.started.moment.0);
        Standing {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: Duration::from_nanos(uptime).as_secs(),
            settings_loaded: self.settings_loaded.rfc3339(),
            reload_failed: self.reload_failed.map(Wall::rfc3339),
            engine: self.engine.status(now),
        }
    }

    /// Says that the agent lives, if it does its work.
    fn beat(&mut self) {
        let is_alive = self.engine.is_well();
        if let Some(heart) = &mut self.heart {
            heart.beat(is_alive);
        }
    }

    /// Takes up what was left for us.
    fn look_at_spool(&mut self) {
        self.spool_due = clock::now().moment.after(SPOOL_LOOK);
        let known: BTreeSet<PathBuf> = (self.told.values())
            .filter_map(|teller| match teller {
                Teller::File(path, _) => Some(path.clone()),
                Teller::Client(_) => None,
            })
            .collect();
        for (path, told) in spool::waiting(&self.state_dir, |path| known.contains(path)) {
            let id = told.id;
            self.take_told(told, Teller::File(path, id));
        }
    }

    fn take_told(&mut self, told: spool::Told, teller: Teller) {
        let ticket = self.n_told;
        self.n_told += 1;
        self.told.insert(ticket, teller);
        let key = RuleKey::parse(&told.key);
        let status = told.status.as_deref().map(StatusMap::parse).transpose();
        match (key, status) {
            (Some(key), Ok(status)) => {
                let told = Told {
                    ticket,
                    key,
                    id: told.id,
                    at: told.at,
                    ran: told.ran,
                    status,
                    is_said: told.is_said,
                };
                self.engine.handle(clock::now(), Input::Told(told));
            }
            (None, _) => self.answer(ticket, Err(format!("`{}` is no key", told.key))),
            (_, Err(why)) => self.answer(ticket, Err(why)),
        }
    }

    fn answer(&mut self, ticket: u64, outcome: Result<Granted, String>) {
        let Some(teller) = self.told.remove(&ticket) else {
            return;
        };
        match teller {
            Teller::Client(client) => {
                let answer = match outcome {
                    Ok(Granted::Taken) => Answer::Ok(serde_json::Value::Null),
                    Ok(Granted::Silences(silences)) => match serde_json::to_value(silences) {
                        Ok(silences) => Answer::Ok(silences),
                        Err(error) => Answer::Error(error.to_string()),
                    },
                    Err(why) => Answer::Error(why),
                };
                // Who does not listen any more finds it in the space.
                let _ = client.send(answer);
            }
            Teller::File(path, id) => {
                if let Err(why) = outcome {
                    warn!(path = %path.display(), why, "a result that `exec` left is not taken");
                }
                spool::remove(&path, id);
            }
        }
    }

    fn say_ready(&mut self) {
        if let Some(heart) = &mut self.heart {
            heart.begin();
        }
        let n_files = self.engine.schedule().streams().count();
        let status = format!(
            "following {} with {}",
            counted(n_files, "file"),
            counted(self.rules.rules.len(), "rule")
        );
        info!(
            files = n_files,
            rules = self.rules.rules.len(),
            waiting = self.engine.outbox().n_messages(),
            "ready"
        );
        self.manager.ready(&status);
    }

    async fn reload(&mut self, reload: &mut Reload<'_>) {
        self.manager.reloading();
        match reload() {
            Some(rules) => {
                let rules = resolved(&rules, &self.command_env).await;
                info!(rules = rules.rules.len(), "reloaded");
                self.settings_loaded = clock::now().wall;
                self.reload_failed = None;
                self.files.give(Job::Globs(globs_of(&rules)));
                self.rules = rules.clone();
                self.engine.handle(clock::now(), Input::Reload(rules));
                self.say_ready();
            }
            None => {
                warn!("the new settings have mistakes, the old ones stay in force");
                self.reload_failed = Some(clock::now().wall);
                self.manager
                    .ready("the new settings have mistakes, the old ones stay in force");
            }
        }
    }

    /// When to lose patience after the agent was told to stop.
    fn patience(&self, since: Moment) -> Moment {
        match self.requests.is_empty() {
            true => since.after(LAST_COMMIT),
            false => since.after(LAST_ANSWER),
        }
    }
}

/// Who told of a command.
enum Teller {
    Client(tokio::sync::oneshot::Sender<Answer>),
    File(PathBuf, u128),
}

fn counted(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// The rules as this machine can follow them: those that look at the journal or at
/// files look at the one that is there.
async fn resolved(rules: &Arc<RuleSet>, env: &[(String, String)]) -> Arc<RuleSet> {
    match rules.has_journal() {
        true => Arc::new(rules.with_journal(journal::is_readable(env).await)),
        false => rules.clone(),
    }
}

/// Opens the room; without it `exec` posts by itself.
fn open_room(state_dir: &std::path::Path) -> Option<Room> {
    Room::open(state_dir)
        .inspect_err(|error| warn!(%error, "no socket for other commands to speak with the agent"))
        .ok()
}

/// Opens the listener of metrics. What is watched is watched without it as well.
fn open_metrics(address: SocketAddr) -> Option<Metrics> {
    Metrics::open(address)
        .inspect(|_| info!(%address, "metrics at /metrics and /healthz"))
        .inspect_err(|error| error!(%address, %error, "cannot listen, there are no metrics"))
        .ok()
}

async fn wanted(metrics: Option<&mut Metrics>) -> Wanted {
    match metrics {
        Some(metrics) => metrics.next().await,
        None => std::future::pending().await,
    }
}

async fn beat(heart: Option<&mut Heart>) {
    match heart {
        Some(heart) => heart.due().await,
        None => std::future::pending().await,
    }
}

async fn asked(room: Option<&mut Room>) -> Asked {
    match room {
        Some(room) => room.next().await,
        None => std::future::pending().await,
    }
}

/// A thread that does one thing after the other.
struct Worker<T> {
    jobs: std_mpsc::Sender<T>,
}

/// Work for the thread of files.
#[derive(Debug)]
enum Job {
    Turn(Turn),
    Globs(Vec<Glob>),
}

impl<T: Send + 'static> Worker<T> {
    /// Starts a thread that owns `state`. Where `work` panics, its answer is
    /// the fault that [`Work::failed`] makes.
    fn new<S: Send + 'static>(
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
                    let failed = job.failed();
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

    fn give(&self, job: T) {
        // The thread ends only after this side: a panic inside it is caught there.
        let _ = self.jobs.send(job);
    }
}

/// A job whose failure has an answer.
trait Work {
    /// What the engine hears when the job panics.
    fn failed(&self) -> Option<Input>;
}

impl Work for Job {
    fn failed(&self) -> Option<Input> {
        let fault = Fault {
            why: "internal error, please report it".to_owned(),
        };
        match self {
            Self::Globs(_) | Self::Turn(Turn::Close(_)) => None,
            Self::Turn(Turn::List(_)) => Some(Input::Listed(crate::engine::schedule::Listing {
                faults: vec![(PathBuf::from("/"), fault.why)],
                ..crate::engine::schedule::Listing::default()
            })),
            Self::Turn(Turn::Look(look)) => Some(Input::Looked(look.stream, Err(fault))),
            Self::Turn(Turn::Read(read)) => Some(Input::Read {
                stream: read.stream,
                ending: read.ending,
                epoch: read.epoch,
                outcome: Err(fault),
            }),
            Self::Turn(Turn::Seek { stream, .. }) => Some(Input::Found(*stream, Err(fault))),
        }
    }
}

impl Work for Commit {
    fn failed(&self) -> Option<Input> {
        let why = "internal error, please report it".to_owned();
        Some(Input::Committed(self.id, Err(Fault { why })))
    }
}

fn turn(files: &mut Files, job: Job) -> Option<Input> {
    match job {
        Job::Turn(turn) => files.turn(turn),
        Job::Globs(globs) => {
            files.meet(globs);
            None
        }
    }
}

fn write(store: &mut Store, commit: Commit) -> Option<Input> {
    let id: CommitId = commit.id;
    let outcome = store.commit(&commit).map_err(|error| Fault {
        why: error.to_string(),
    });
    Some(Input::Committed(id, outcome))
}

/// Whether another signal is another wish: terminals and `timeout(1)` signal the
/// process and its group, which is one wish told twice.
fn is_second_wish(first: Moment) -> bool {
    first.after(SAME_WISH) <= clock::now().moment
}

fn listen(kind: SignalKind) -> Result<Signal, StartFault> {
    signal(kind).map_err(|source| StartFault::System {
        what: "signals",
        source,
    })
}

async fn hints_of(hints: Option<&Hints>) -> BTreeSet<Hint> {
    match hints {
        Some(hints) => hints.next().await,
        None => std::future::pending().await,
    }
}

pub(crate) async fn until(deadline: Option<Moment>) {
    match deadline {
        Some(deadline) => {
            let wait = deadline.from_now(clock::now().moment);
            // Timers have milliseconds: a wait that is cut short would be asked
            // for again at once.
            let wait = wait + Duration::from_micros(999);
            let _ = tokio::time::timeout(wait, std::future::pending::<()>()).await;
        }
        None => std::future::pending().await,
    }
}

fn globs_of(rules: &RuleSet) -> Vec<Glob> {
    let globs = rules.rules.iter().flat_map(|rule| &rule.files.include);
    let mut globs: Vec<Glob> = globs.cloned().collect();
    globs.sort();
    globs.dedup();
    globs
}

/// The files that the agent itself writes to: followed, they would feed themselves.
fn own_places() -> BTreeSet<crate::engine::identity::Place> {
    [
        files::place_of(std::io::stdout()),
        files::place_of(std::io::stderr()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The directory of the state: it exists since the store is open.
fn own_directory(state_dir: &std::path::Path) -> Option<crate::engine::identity::Place> {
    let directory = std::fs::File::open(state_dir).ok()?;
    files::place_of_directory(directory)
}

pub(crate) fn random() -> u128 {
    let mut bytes = [0; 16];
    let mut n_filled = 0;
    while n_filled < bytes.len() {
        let flags = rustix::rand::GetRandomFlags::empty();
        // `getrandom(2)` without flags fails only when interrupted.
        if let Ok(n) = rustix::rand::getrandom(&mut bytes[n_filled..], flags) {
            n_filled += n;
        }
    }
    u128::from_le_bytes(bytes)
}
