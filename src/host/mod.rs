//! Does: waits, gathers what happened, asks the engine, carries out its actions.
//!
//! One task owns the engine; nothing locks it. Directories are listed on one thread,
//! files are read on others and commits are written on one more, so that neither a
//! slow disk nor a slow sync holds up the rest; requests are tasks of their own. What any of them brings
//! back enters the engine at the top.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

pub mod clock;

mod files;

pub(crate) mod unpack;

mod walk;

mod watch;

mod sieve;

mod names;

mod turns;

mod file_systems;

mod users;

mod footprint;

pub mod keeper;

pub mod commands;

mod journal;

mod stdin;

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

mod agent;

mod worker;

pub mod probing;

use crate::engine::message::Surface;
use crate::engine::schedule::{Means, Noticing};
use crate::engine::time::Moment;
use crate::engine::{Config, Engine};
use crate::rules::RuleSet;
use crate::rules::glob::Glob;
use crate::rules::settings::{Heartbeat, Proxy};
use agent::Agent;
use chat::Chat;
use commands::Commands;
use heart::Heart;
use journal::Journal;
use metrics::Metrics;
use names::Names;
use service::Manager;
use sieve::Sieve;
use socket::Room;
use stdin::Stdin;
use store::{Opened, Store};
use turns::Turns;
use worker::{Worker, write};

/// How long a state that cannot be opened for now is left alone before the next try.
const NEXT_OPENING: Duration = Duration::from_secs(1);

/// What an agent is made of.
#[derive(Debug)]
pub struct Setup {
    /// What the settings say.
    pub wishes: Wishes,
    /// The way to the service manager.
    pub manager: Manager,
    /// The environment of commands, before what their rules add.
    pub command_env: Vec<(String, String)>,
}

/// What the settings say: at the start, and at every reload.
#[derive(Debug)]
pub struct Wishes {
    /// What to watch for, and where to post.
    pub rules: Arc<RuleSet>,
    /// How files are noticed; a change of it waits for the next start.
    pub noticing: Noticing,
    /// Where the state lives; a change of it waits for the next start.
    pub state_dir: PathBuf,
    /// Root certificates besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// The proxy on the way out; without one the environment's is used.
    pub proxy: Option<Proxy>,
    /// Where metrics are shown, if they are.
    pub metrics: Option<SocketAddr>,
    /// Where the agent says that it lives, if it does.
    pub heartbeat: Option<Heartbeat>,
}

impl Wishes {
    /// The way out, as they want it. Everything it needs is read anew, so that
    /// certificates may be renewed under their name.
    fn chat(&self) -> Result<Arc<Chat>, chat::RootsFault> {
        Chat::new(self.ca_file.as_deref(), self.proxy.as_ref()).map(Arc::new)
    }
}

/// Reads the settings anew. `None`: they have mistakes, which it has told.
pub type Reload<'a> = dyn FnMut() -> Option<Wishes> + 'a;

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
    /// There was nothing more to watch, and so many messages wait for spaces that take
    /// none.
    Unsaid(usize),
    /// It was told twice, or took too long: what was not on disk is seen again.
    AtOnce,
}

/// Runs an agent until it is told to stop.
pub async fn run(
    setup: Setup,
    stop: impl Future<Output = ()>,
    reload: &mut Reload<'_>,
) -> Result<Ended, StartFault> {
    let wishes = setup.wishes;
    let chat = wishes.chat()?;
    // The journal's program takes as long to answer as all the rest of a start.
    let (rules, opened) = tokio::join!(
        resolved(&wishes.rules, &setup.command_env),
        open(&wishes.state_dir, &setup.manager)
    );
    let opened = opened?;
    if let Some(copy) = &opened.set_aside {
        error!(
            copy = %copy.display(),
            "the state was damaged and set aside; going on from the end of every file"
        );
    }
    let state_dir = wishes.state_dir;
    let (inputs, arrivals) = mpsc::unbounded_channel();
    let (watcher, hints, sieve) = match wishes.noticing {
        Noticing::Hinted => {
            let sieve = Arc::new(Sieve::default());
            let (watcher, hints) = watch::watcher(sieve.clone());
            (Some(watcher), Some(hints), Some(sieve))
        }
        Noticing::Polled => (None, None, None),
    };
    let own = own_directory(&state_dir).into_iter().collect();
    let mut stdin = Stdin::new(&state_dir, &inputs);
    stdin.meet(rules.has_stdin())?;
    let names = Names::new(globs_of(&rules), watcher, own, stdin.copy());
    let files = Turns::new(names, &stdin.copy(), sieve.as_ref(), &inputs)?;
    let store = Worker::new("store", (opened.store, stdin.copy()), &inputs, write)?;
    let seed = random() as u64;
    let config = Config {
        rules: rules.clone(),
        surface: Surface {
            host: rules.host.clone(),
            zone: TimeZone::system(),
        },
        means: Means {
            noticing: wishes.noticing,
            turns_max: turns::TURNS_MAX,
        },
        excluded: vec![std::path::absolute(&state_dir).unwrap_or_else(|_| state_dir.clone())],
        excluded_places: own_places(),
        seed,
    };
    let started = clock::now();
    let mut agent = Agent {
        heart: (wishes.heartbeat).map(|heartbeat| Heart::new(heartbeat, chat.clone())),
        metrics: wishes.metrics.and_then(open_metrics),
        started,
        is_ready: false,
        said: String::new(),
        settings_loaded: started.wall,
        reload_failed: None,
        noticing: wishes.noticing,
        next_start: Vec::new(),
        engine: Engine::new(config, opened.image, clock::now()),
        rules,
        manager: setup.manager,
        chat,
        files,
        journal: Journal::new(setup.command_env.clone()),
        stdin,
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
