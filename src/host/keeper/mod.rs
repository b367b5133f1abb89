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
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

mod running;

mod proc;

use super::clock;
use super::users::Account;
use crate::engine::checks::finding::{Ended, Ran};
use crate::engine::time::Moment;
use proc::{children, mark_of};
use running::{Piece, Running, Stage, read, start};

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

/// A process that lost its parent and was left to us.
#[derive(Debug)]
struct Orphan {
    /// The runs that it may belong to.
    runs: BTreeSet<u64>,
    /// When it was asked to end.
    asked: Option<Moment>,
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
                let ran = Ran::not_started(why);
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
