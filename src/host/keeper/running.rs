//! A command that was started, how far it is, and what it came to.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use super::proc::state_of;
use crate::engine::checks::finding::{Ended, Ran};
use crate::engine::time::{Moment, millis};
use crate::host::capture::Capture;
use crate::host::users::Account;

/// The variable that marks what belongs to a run.
pub(super) const MARK: &str = "LOGCRIER_RUN";

/// A command that was started.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) leader: Pid,
    pub(super) began: Moment,
    pub(super) timeout: Duration,
    pub(super) stage: Stage,
    /// How the leader ended.
    pub(super) ended: Option<Ended>,
    pub(super) is_timed_out: bool,
    /// The agent does not want to hear of it.
    pub(super) is_unwanted: bool,
    pub(super) pipes: [Pipe; 2],
    pub(super) n_killed: u64,
    /// What could not be killed, and why.
    pub(super) refused: BTreeMap<i32, String>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
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
pub(super) struct Pipe {
    pub(super) capture: Capture,
    pub(super) is_closed: bool,
}

/// A piece of output.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) run: u64,
    pub(super) pipe: usize,
    /// Nothing when the pipe is closed.
    pub(super) bytes: Option<Vec<u8>>,
}

impl Running {
    /// Asks it to end.
    pub(super) fn ask(&mut self, now: Moment) {
        self.stage = Stage::Asked(now);
        self.signal_group(Signal::TERM);
        // A stopped process hears nothing until it goes on.
        let _ = rustix::process::kill_process_group(self.leader, Signal::CONT);
    }

    pub(super) fn signal_group(&mut self, signal: Signal) {
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

    pub(super) fn told_stuck(&mut self, now: Moment) -> Ran {
        let pid = self.leader.as_raw_nonzero().get();
        let why = match (self.refused.get(&pid), state_of(pid)) {
            (Some(why), _) => why.clone(),
            (None, Some('D')) => "it waits in the kernel (state D)".to_owned(),
            (None, _) => "SIGKILL has no effect".to_owned(),
        };
        self.ran(Ended::Stuck { pid, why }, now)
    }

    pub(super) fn told(mut self, now: Moment) -> Ran {
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
pub(super) fn start(
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
pub(super) async fn read(run: u64, pipe: usize, fd: OwnedFd, pieces: &mpsc::Sender<Piece>) {
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
