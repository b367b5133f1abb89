//! A process of its own that starts commands, reads them to their end and leaves
//! nothing of them behind.
//!
//! The agent does not start commands itself. It has a helper, the keeper: the same
//! binary, started once, in a session without a terminal. The keeper adopts
//! whatever its commands leave behind (`PR_SET_CHILD_SUBREAPER`), so a daemon that
//! left its process group, its session and its parent is still found; and when the
//! agent dies, however that happens, the keeper sees its socket close, kills
//! everything and ends. A child that is started from here is copied from a small
//! process, not from one that holds the state of an agent.
//!
//! It speaks with the agent in lines of JSON over a socket that is its standard
//! input, and decides nothing but when to kill.
//!
//! ```text
//!   running ── timeout ──► SIGTERM ── 5 s ──► SIGKILL ── 10 s ──► stuck (told)
//!      │                      │                  │                  │
//!      └──────── the leader ends ────────────────┘                  └─ ends: gone
//!                      │ what it left gets SIGTERM, 500 ms later SIGKILL
//!                      ▼
//!                    ran (told), after 1 s at the latest
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::capture::Capture;
use super::clock;
use super::users::Account;
use crate::engine::checks::finding::{Captured, Ended, Ran};
use crate::engine::time::Moment;

/// From SIGTERM to SIGKILL, for a command that took too long.
const GRACE: Duration = Duration::from_secs(5);

/// From SIGKILL until a process counts as one that cannot be killed.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// From SIGTERM to SIGKILL, for what a command left behind.
const LEFTOVER_GRACE: Duration = Duration::from_millis(500);

/// How long after its leader's end a run is told at the latest.
const LEFTOVER_MAX: Duration = Duration::from_secs(1);

/// How often leftovers are looked at.
const LEFTOVER_LOOK: Duration = Duration::from_millis(50);

/// A command that a signal ended is told this much later: the same signal may be
/// on its way to us, and then the machine is stopping and the command says nothing.
const SIGNALLED_PAUSE: Duration = Duration::from_millis(200);

/// The variable that marks what belongs to a run.
const MARK: &str = "LOGCRIER_RUN";

/// What the agent asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Start a command.
    Start {
        run: u64,
        words: Vec<String>,
        env: Vec<(String, String)>,
        cwd: PathBuf,
        account: Option<Account>,
        timeout_ms: u64,
    },
    /// End one, and everything that belongs to it.
    Stop { run: u64 },
}

/// What the keeper tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// What came of a run.
    Ran { run: u64, ran: Ran },
    /// A run that was stuck is gone.
    Gone { run: u64 },
}

/// A command that was started.
#[derive(Debug)]
struct Running {
    leader: Pid,
    began: Moment,
    timeout: Duration,
    stage: Stage,
    /// How the leader ended.
    ended: Option<Ended>,
    is_timed_out: bool,
    /// The agent does not want to hear of it.
    is_unwanted: bool,
    pipes: [Pipe; 2],
    n_killed: u64,
    /// What could not be killed, and why.
    refused: BTreeMap<i32, String>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It runs until its timeout.
    Runs,
    /// It was asked to end.
    Asked(Moment),
    /// It was killed.
    Killed(Moment),
    /// It was told to be stuck.
    Stuck,
    /// Its leader ended then.
    Over(Moment),
}

/// What was kept of a pipe.
#[derive(Debug, Default)]
struct Pipe {
    capture: Capture,
    is_closed: bool,
}

/// A process that lost its parent and was left to us.
#[derive(Debug)]
struct Orphan {
    /// The runs that it may belong to.
    runs: BTreeSet<u64>,
    /// When it was asked to end.
    asked: Option<Moment>,
}

/// A piece of output.
#[derive(Debug)]
struct Piece {
    run: u64,
    pipe: usize,
    /// Nothing when the pipe is closed.
    bytes: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Keeper {
    runs: BTreeMap<u64, Running>,
    orphans: BTreeMap<i32, Orphan>,
    is_stopping: bool,
}

/// Runs the keeper until the agent is gone. Its standard input is the socket.
pub async fn run() -> io::Result<()> {
    // Not being the leader of a group yet is what makes this possible.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // What our own parent left open is not for commands.
    close_fds::set_fds_cloexec(3, &[]);
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let socket = std::os::unix::net::UnixStream::from(stdin);
    socket.set_nonblocking(true)?;
    let (from_agent, mut to_agent) = UnixStream::from_std(socket)?.into_split();
    let mut lines = tokio::io::BufReader::new(from_agent).lines();
    let mut children = signal(SignalKind::child())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (pieces, mut output) = mpsc::channel::<Piece>(64);
    let mut readers = JoinSet::new();
    let mut keeper = Keeper::default();
    loop {
        let wake = keeper.wakeup();
        let mut replies = Vec::new();
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => {
                    // Both sides are the same binary: a line that cannot be read is none.
                    if let Ok(request) = serde_json::from_str(&line) {
                        replies.extend(keeper.request(request, &pieces, &mut readers));
                    }
                }
                Ok(None) | Err(_) => break,
            },
            Some(piece) = output.recv() => keeper.piece(piece),
            _ = children.recv() => keeper.reap(),
            // The agent is told as well, and decides when it is over.
            _ = terminate.recv() => keeper.is_stopping = true,
            _ = interrupt.recv() => keeper.is_stopping = true,
            _ = hangup.recv() => {}
            Some(_) = readers.join_next() => {}
            () = super::until(wake) => {}
        }
        replies.extend(keeper.look());
        for reply in replies {
            let Ok(mut line) = serde_json::to_string(&reply) else {
                continue;
            };
            line.push('\n');
            if to_agent.write_all(line.as_bytes()).await.is_err() {
                keeper.kill_everything();
                return Ok(());
            }
        }
    }
    keeper.kill_everything();
    Ok(())
}

impl Keeper {
    fn request(
        &mut self,
        request: Request,
        pieces: &mpsc::Sender<Piece>,
        readers: &mut JoinSet<()>,
    ) -> Option<Reply> {
        let (run, words, env, cwd, account, timeout_ms) = match request {
            Request::Stop { run } => {
                if let Some(running) = self.runs.get_mut(&run) {
                    running.is_unwanted = true;
                    if running.stage == Stage::Runs {
                        running.ask(clock::now().moment);
                    }
                }
                return None;
            }
            Request::Start {
                run,
                words,
                env,
                cwd,
                account,
                timeout_ms,
            } => (run, words, env, cwd, account, timeout_ms),
        };
        let started = start(run, &words, &env, &cwd, account.as_ref());
        let (leader, pipes) = match started {
            Ok(started) => started,
            Err(why) => {
                let ran = Ran {
                    ending: Ended::NotStarted(why),
                    stdout: Captured::default(),
                    stderr: Captured::default(),
                    took_ms: 0,
                    leftovers: Vec::new(),
                };
                return Some(Reply::Ran { run, ran });
            }
        };
        for (idx, fd) in pipes.into_iter().enumerate() {
            let pieces = pieces.clone();
            readers.spawn(async move { read(run, idx, fd, &pieces).await });
        }
        let running = Running {
            leader,
            began: clock::now().moment,
            timeout: Duration::from_millis(timeout_ms),
            stage: Stage::Runs,
            ended: None,
            is_timed_out: false,
            is_unwanted: false,
            pipes: Default::default(),
            n_killed: 0,
            refused: BTreeMap::new(),
        };
        self.runs.insert(run, running);
        None
    }

    /// Takes output.
    fn piece(&mut self, piece: Piece) {
        let Some(running) = self.runs.get_mut(&piece.run) else {
            return;
        };
        let pipe = &mut running.pipes[piece.pipe];
        match piece.bytes {
            Some(bytes) => pipe.capture.take(&bytes),
            None => pipe.is_closed = true,
        }
    }

    /// Takes the endings of children, ours and adopted ones.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            self.orphans.remove(&pid.as_raw_nonzero().get());
            let leader = (self.runs.iter_mut())
                .find(|(_, running)| running.leader == pid && running.ended.is_none());
            let Some((_, running)) = leader else {
                continue;
            };
            running.ended = Some(match (status.exit_status(), status.terminating_signal()) {
                (Some(status), _) => Ended::Exited(status),
                (None, Some(signal)) => Ended::Signalled(signal),
                (None, None) => Ended::Exited(255),
            });
            if running.stage != Stage::Stuck {
                running.stage = Stage::Over(clock::now().moment);
            }
        }
    }

    /// Does what is due.
    fn look(&mut self) -> Vec<Reply> {
        let now = clock::now().moment;
        let mut replies = Vec::new();
        for (run, running) in &mut self.runs {
            match running.stage {
                Stage::Runs if running.began.after(running.timeout) <= now => {
                    running.is_timed_out = true;
                    running.ask(now);
                }
                Stage::Asked(at) if at.after(GRACE) <= now => {
                    running.signal_group(Signal::KILL);
                    running.stage = Stage::Killed(now);
                }
                Stage::Killed(at) if at.after(STUCK_AFTER) <= now => {
                    running.stage = Stage::Stuck;
                    if !running.is_unwanted {
                        let ran = running.told_stuck(now);
                        replies.push(Reply::Ran { run: *run, ran });
                    }
                }
                Stage::Runs
                | Stage::Asked(_)
                | Stage::Killed(_)
                | Stage::Stuck
                | Stage::Over(_) => {}
            }
        }
        let is_any_over = self.runs.values().any(|running| running.ended.is_some());
        if is_any_over || !self.orphans.is_empty() {
            self.look_after_orphans(now);
        }
        let over: Vec<u64> = (self.runs.iter())
            .filter(|(run, running)| self.is_settled(**run, running, now))
            .map(|(run, _)| *run)
            .collect();
        for run in over {
            let Some(running) = self.runs.remove(&run) else {
                continue;
            };
            match running.stage {
                Stage::Stuck => replies.push(Reply::Gone { run }),
                _ if running.is_unwanted => {}
                // A dying child of a machine that stops says nothing of what it checks.
                _ if self.is_stopping && matches!(running.ended, Some(Ended::Signalled(_))) => {}
                _ => replies.push(Reply::Ran {
                    run,
                    ran: running.told(now),
                }),
            }
        }
        replies
    }

    /// Whether all of a run is over.
    fn is_settled(&self, run: u64, running: &Running, now: Moment) -> bool {
        let Some(ended) = &running.ended else {
            return false;
        };
        let Stage::Over(since) = running.stage else {
            return true;
        };
        if matches!(ended, Ended::Signalled(_))
            && !running.is_timed_out
            && since.after(SIGNALLED_PAUSE) > now
        {
            return false;
        }
        let is_closed = running.pipes.iter().all(|pipe| pipe.is_closed);
        let has_orphans = (self.orphans.values()).any(|orphan| orphan.runs.contains(&run));
        (is_closed && !has_orphans) || since.after(LEFTOVER_MAX) <= now
    }

    /// Ends what was left to us by runs that are over.
    fn look_after_orphans(&mut self, now: Moment) {
        let leaders: BTreeMap<i32, u64> = (self.runs.iter())
            .filter(|(_, running)| running.ended.is_none())
            .map(|(run, running)| (running.leader.as_raw_nonzero().get(), *run))
            .collect();
        let children = children();
        self.orphans.retain(|pid, _| children.contains(pid));
        for pid in children {
            if leaders.contains_key(&pid) {
                continue;
            }
            if !self.orphans.contains_key(&pid) {
                let runs = self.runs_of(pid);
                self.orphans.insert(pid, Orphan { runs, asked: None });
            }
            let Some(orphan) = self.orphans.get_mut(&pid) else {
                continue;
            };
            let is_alive = |run: &u64| {
                let running = self.runs.get(run);
                running.is_some_and(|running| running.ended.is_none())
            };
            if orphan.runs.iter().any(is_alive) {
                continue;
            }
            let signal = match orphan.asked {
                None => {
                    orphan.asked = Some(now);
                    Signal::TERM
                }
                Some(asked) if asked.after(LEFTOVER_GRACE) <= now => Signal::KILL,
                Some(_) => continue,
            };
            let killed = Pid::from_raw(pid).map(|pid| rustix::process::kill_process(pid, signal));
            for run in &orphan.runs {
                let Some(running) = self.runs.get_mut(run) else {
                    continue;
                };
                match killed {
                    Some(Err(error)) if error != rustix::io::Errno::SRCH => {
                        running.refused.insert(pid, error.to_string());
                    }
                    Some(Ok(())) if signal == Signal::TERM => running.n_killed += 1,
                    Some(_) | None => {}
                }
            }
        }
    }

    /// The runs that an orphan may belong to: by its process group, by its mark, else
    /// all that there are.
    fn runs_of(&self, pid: i32) -> BTreeSet<u64> {
        let group = Pid::from_raw(pid).and_then(|pid| rustix::process::getpgid(Some(pid)).ok());
        let by_group = (self.runs.iter())
            .find(|(_, running)| Some(running.leader) == group)
            .map(|(run, _)| *run);
        let run = by_group.or_else(|| mark_of(pid).filter(|run| self.runs.contains_key(run)));
        match run {
            Some(run) => [run].into(),
            None => self.runs.keys().copied().collect(),
        }
    }

    /// When something is due.
    fn wakeup(&self) -> Option<Moment> {
        let stages = self.runs.values().map(|running| match running.stage {
            Stage::Runs => Some(running.began.after(running.timeout)),
            Stage::Asked(at) => Some(at.after(GRACE)),
            Stage::Killed(at) => Some(at.after(STUCK_AFTER)),
            Stage::Stuck => None,
            Stage::Over(_) => Some(clock::now().moment.after(LEFTOVER_LOOK)),
        });
        let orphans = (!self.orphans.is_empty()).then(|| clock::now().moment.after(LEFTOVER_LOOK));
        stages.flatten().chain(orphans).min()
    }

    /// The agent is gone: so goes everything.
    fn kill_everything(&mut self) {
        for running in self.runs.values_mut() {
            running.signal_group(Signal::KILL);
        }
        // What is killed hands its own children on to us: until none is left, or
        // only what cannot be killed.
        for _ in 0..100 {
            self.reap();
            let children = children();
            if children.is_empty() {
                return;
            }
            for pid in children.into_iter().filter_map(Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Running {
    /// Asks it to end.
    fn ask(&mut self, now: Moment) {
        self.stage = Stage::Asked(now);
        self.signal_group(Signal::TERM);
        // A stopped process hears nothing until it goes on.
        let _ = rustix::process::kill_process_group(self.leader, Signal::CONT);
    }

    fn signal_group(&mut self, signal: Signal) {
        if self.ended.is_some() {
            // Its number may be somebody else's by now.
            return;
        }
        if let Err(error) = rustix::process::kill_process_group(self.leader, signal)
            && error != rustix::io::Errno::SRCH
        {
            self.refused
                .insert(self.leader.as_raw_nonzero().get(), error.to_string());
        }
    }

    fn told_stuck(&mut self, now: Moment) -> Ran {
        let pid = self.leader.as_raw_nonzero().get();
        let why = match (self.refused.get(&pid), state_of(pid)) {
            (Some(why), _) => why.clone(),
            (None, Some('D')) => "it waits in the kernel (state D)".to_owned(),
            (None, _) => "SIGKILL has no effect".to_owned(),
        };
        self.ran(Ended::Stuck { pid, why }, now)
    }

    fn told(mut self, now: Moment) -> Ran {
        let ending = match (self.is_timed_out, self.ended.take()) {
            (true, _) => Ended::TimedOut {
                after_ms: millis(self.timeout),
            },
            (false, Some(ended)) => ended,
            (false, None) => Ended::Exited(255),
        };
        self.ran(ending, now)
    }

    fn ran(&mut self, ending: Ended, now: Moment) -> Ran {
        let mut leftovers = Vec::new();
        match self.n_killed {
            0 => {}
            1 => leftovers.push("a process that it left behind was ended".to_owned()),
            n => leftovers.push(format!("{n} processes that it left behind were ended")),
        }
        for (pid, why) in &self.refused {
            leftovers.push(format!("process {pid} could not be ended: {why}"));
        }
        let ended = match self.stage {
            Stage::Over(at) => at,
            _ => now,
        };
        let [stdout, stderr] = std::mem::take(&mut self.pipes).map(|pipe| pipe.capture.captured());
        Ran {
            ending,
            stdout,
            stderr,
            took_ms: millis(ended.from_now(self.began)),
            leftovers,
        }
    }
}

/// Starts a command, the leader of a process group of its own.
fn start(
    run: u64,
    words: &[String],
    env: &[(String, String)],
    cwd: &std::path::Path,
    account: Option<&Account>,
) -> Result<(Pid, [OwnedFd; 2]), String> {
    let (program, arguments) = words.split_first().ok_or("nothing to start")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .env(MARK, run.to_string())
        .current_dir(cwd)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let spawned = match account {
        None => command.spawn(),
        Some(account) => {
            let account = account.clone();
            // Credentials belong to a thread: this one takes them over, starts the
            // command with them, and ends.
            std::thread::scope(|scope| {
                let starter = scope.spawn(|| {
                    account.become_it()?;
                    command.spawn()
                });
                starter
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("internal error")))
            })
        }
    };
    let mut child = spawned.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if !cwd.is_dir() => {
            format!("{}: no such directory", cwd.display())
        }
        io::ErrorKind::NotFound => format!("{program}: no such program"),
        io::ErrorKind::PermissionDenied => format!("{program}: no permission"),
        _ => format!("{program}: {error}"),
    })?;
    let leader = Pid::from_child(&child);
    match (child.stdout.take(), child.stderr.take()) {
        (Some(stdout), Some(stderr)) => Ok((leader, [stdout.into(), stderr.into()])),
        _ => Err("internal error: no pipes".to_owned()),
    }
}

/// Reads a pipe to its end.
async fn read(run: u64, pipe: usize, fd: OwnedFd, pieces: &mpsc::Sender<Piece>) {
    if let Ok(mut receiver) = pipe::Receiver::from_owned_fd(fd) {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(n) = receiver.read(&mut buffer).await {
            if n == 0 {
                break;
            }
            let bytes = Some(buffer[..n].to_vec());
            if pieces.send(Piece { run, pipe, bytes }).await.is_err() {
                return;
            }
        }
    }
    let end = Piece {
        run,
        pipe,
        bytes: None,
    };
    // Whoever does not listen any more does not need to know.
    let _ = pieces.send(end).await;
}

/// The processes whose parent we are (`proc(5)`, `/proc/PID/task/TID/children`).
fn children() -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let mut children = Vec::new();
    for task in tasks.flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(
            list.split_whitespace()
                .filter_map(|pid| pid.parse::<i32>().ok()),
        );
    }
    // Those that have ended wait to be reaped and need no killing.
    children.retain(|pid| state_of(*pid).is_some_and(|state| state != 'Z'));
    children
}

/// The state of a process, such as `R`, `S`, `D`, `Z`.
fn state_of(pid: i32) -> Option<char> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = stat.iter().rposition(|byte| *byte == b')')? + 2;
    stat.get(behind_name).map(|byte| char::from(*byte))
}

/// The run that a process was started for, if it has not cleared its environment.
fn mark_of(pid: i32) -> Option<u64> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variables = environ.split(|byte| *byte == 0);
    variables
        .map(OsStr::from_bytes)
        .filter_map(OsStr::to_str)
        .find_map(|variable| variable.strip_prefix(MARK)?.strip_prefix('=')?.parse().ok())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
