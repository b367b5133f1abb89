//! Hands commands to the keeper, and their results to the engine.
//!
//! The keeper is started with the first command, and again if it should ever die;
//! what ran then is told as not started.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::clock;
use super::keeper::{Reply, Request};
use super::users::Account;
use crate::engine::Input;
use crate::engine::checks::finding::Ran;
use crate::engine::checks::{RunId, Start};
use crate::engine::time::millis;
use crate::rules::checks::Program;

/// The word with which the binary becomes the keeper.
pub const KEEPER: &str = "keep-commands";

/// The bytes of a reply; two pipes' heads and tails, and what JSON adds.
const REPLY_BYTES_MAX: u64 = 1 << 20;

/// How long the keeper may take to end everything.
const END_MAX: Duration = Duration::from_millis(1_500);

/// The way to the commands.
#[derive(Debug)]
pub(super) struct Commands {
    /// `PATH` and `LANG` of every command.
    env: Vec<(String, String)>,
    keeper: Option<Keeper>,
    running: BTreeSet<RunId>,
    heard: mpsc::UnboundedSender<Heard>,
    hears: mpsc::UnboundedReceiver<Heard>,
    n_keepers: u64,
}

#[derive(Debug)]
struct Keeper {
    socket: UnixStream,
    process: Child,
    number: u64,
}

/// What the thread that listens to a keeper hears.
#[derive(Debug)]
pub(super) enum Heard {
    /// A reply.
    Reply(Reply),
    /// That keeper is gone.
    Silence(u64),
}

impl Commands {
    pub(super) fn new(env: Vec<(String, String)>) -> Self {
        let (heard, hears) = mpsc::unbounded_channel();
        Self {
            env,
            keeper: None,
            running: BTreeSet::new(),
            heard,
            hears,
            n_keepers: 0,
        }
    }

    /// Starts a command. If that is not possible, the answer is there at once.
    pub(super) fn start(&mut self, start: Start) -> Option<Input> {
        let run = start.run;
        match self.try_start(start) {
            Ok(()) => {
                self.running.insert(run);
                None
            }
            Err(why) => Some(not_started(run, why)),
        }
    }

    fn try_start(&mut self, start: Start) -> Result<(), String> {
        let account = match &start.command.user {
            Some(user) => Account::find(user)?,
            None => None,
        };
        let mut env = self.env.clone();
        env.extend(start.command.env);
        let request = Request::Start {
            run: start.run.0,
            words: match start.command.program {
                Program::Words(words) => words,
                Program::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line],
            },
            env,
            cwd: start.command.cwd,
            account,
            timeout_ms: millis(start.command.timeout),
        };
        debug!(rule = %start.key, run = start.run.0, "starting a command");
        let keeper = match &mut self.keeper {
            Some(keeper) => keeper,
            None => {
                self.n_keepers += 1;
                let keeper = Keeper::start(self.n_keepers, &self.heard)
                    .map_err(|error| format!("commands cannot be started: {error}"))?;
                self.keeper.insert(keeper)
            }
        };
        keeper
            .ask(&request)
            .map_err(|error| format!("the keeper of commands: {error}"))
    }

    /// Ends a command.
    pub(super) fn stop(&mut self, run: RunId) {
        self.running.remove(&run);
        if let Some(keeper) = &mut self.keeper {
            // A keeper that is gone has ended it already.
            let _ = keeper.ask(&Request::Stop { run: run.0 });
        }
    }

    /// What is heard next.
    pub(super) async fn hear(&mut self) -> Heard {
        match self.hears.recv().await {
            Some(heard) => heard,
            // One sender is ours: it never ends.
            None => std::future::pending().await,
        }
    }

    /// What it means to the engine.
    pub(super) fn take(&mut self, heard: Heard) -> Vec<Input> {
        match heard {
            Heard::Reply(Reply::Ran { run, ran }) => {
                let run = RunId(run);
                self.running.remove(&run);
                for note in &ran.leftovers {
                    debug!(run = run.0, note, "leftovers of a command");
                }
                vec![Input::Ran(run, ran)]
            }
            Heard::Reply(Reply::Gone { run }) => vec![Input::Gone(RunId(run))],
            Heard::Silence(number) => {
                if self
                    .keeper
                    .as_ref()
                    .is_some_and(|keeper| keeper.number == number)
                    && let Some(mut keeper) = self.keeper.take()
                {
                    warn!("the keeper of commands ended; it is started anew");
                    let _ = keeper.process.kill();
                    let _ = keeper.process.wait();
                    let why = "the keeper of commands ended".to_owned();
                    return std::mem::take(&mut self.running)
                        .into_iter()
                        .map(|run| not_started(run, why.clone()))
                        .collect();
                }
                Vec::new()
            }
        }
    }

    /// Ends everything: the keeper hears that by its socket.
    pub(super) fn end(&mut self) {
        let Some(mut keeper) = self.keeper.take() else {
            return;
        };
        let _ = keeper.socket.shutdown(std::net::Shutdown::Both);
        let began = clock::now().moment;
        while began.after(END_MAX) > clock::now().moment {
            if let Ok(Some(_)) = keeper.process.try_wait() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        // It goes on killing by itself, and ends when nothing is left.
        warn!("commands do not end");
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        self.end();
    }
}

impl Keeper {
    fn start(number: u64, heard: &mpsc::UnboundedSender<Heard>) -> std::io::Result<Self> {
        let (socket, its_end) = UnixStream::pair()?;
        // A request is small, and only few are ever open: waiting for room means that
        // it is dead.
        socket.set_write_timeout(Some(Duration::from_secs(1)))?;
        let process = Command::new("/proc/self/exe")
            .arg(KEEPER)
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(its_end))
            .stdout(Stdio::null())
            .spawn()?;
        let listening = socket.try_clone()?;
        let heard = heard.clone();
        std::thread::Builder::new()
            .name("commands".to_owned())
            .spawn(move || listen(number, listening, &heard))?;
        Ok(Self {
            socket,
            process,
            number,
        })
    }

    fn ask(&mut self, request: &Request) -> std::io::Result<()> {
        let mut line = serde_json::to_string(request).map_err(std::io::Error::other)?;
        line.push('\n');
        self.socket.write_all(line.as_bytes())
    }
}

/// Hears a keeper out.
fn listen(number: u64, socket: UnixStream, heard: &mpsc::UnboundedSender<Heard>) {
    let mut reader = BufReader::new(socket);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut reader).take(REPLY_BYTES_MAX);
        match bounded.read_until(b'\n', &mut line) {
            Ok(n) if n > 0 && line.ends_with(b"\n") => {}
            Ok(_) | Err(_) => break,
        }
        let Ok(reply) = serde_json::from_slice(&line) else {
            break;
        };
        if heard.send(Heard::Reply(reply)).is_err() {
            return;
        }
    }
    // Whoever does not listen any more does not need to know.
    let _ = heard.send(Heard::Silence(number));
}

fn not_started(run: RunId, why: String) -> Input {
    Input::Ran(run, Ran::not_started(why))
}
