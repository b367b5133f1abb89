//! Reads the systemd journal through `journalctl`, one child for all rules.
//!
//! The child writes one JSON object a line. It is started at the last entry that was
//! read, not behind it: when that entry comes first, nothing lies between. When another
//! comes, the journal has lost what was there, and the number in the cursor may have been
//! given out again: then a child is started at the time of that entry.
//!
//! At first a child reads what is there and ends: then the journal is read to its end.
//! From then on one follows.

use std::collections::BTreeSet;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::engine::Input;
use crate::engine::journal::{Done, Position, Turn};
use crate::engine::schedule::Fault;

/// The program, found by the `PATH`.
const PROGRAM: &str = "journalctl";

/// Where the machine's name stands that all its entries have (`machine-id(5)`).
const MACHINE_ID: &str = "/etc/machine-id";

/// Bytes of entries that are searched at once.
const BATCH_BYTES_MAX: usize = 256 << 10;

/// Bytes of an entry; a longer one is passed over.
const ENTRY_BYTES_MAX: usize = 4 << 20;

/// How long the journal may take to show its last entry.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// Bytes of what the child complains of that are kept.
const COMPLAINT_BYTES_MAX: u64 = 4 << 10;

/// The reader of the journal.
#[derive(Debug)]
pub(super) struct Journal {
    /// What the child finds in its environment, and nothing else of ours.
    env: Vec<(String, String)>,
    turn: Option<Turn>,
    following: Option<Following>,
    /// Whether the cursor is of no use to the next child: it is started by the time.
    is_by_time: bool,
    /// Whether all that was there has been read.
    has_caught_up: bool,
}

/// A child that reads the journal.
#[derive(Debug)]
struct Following {
    child: Child,
    stdout: ChildStdout,
    stderr: Option<ChildStderr>,
    /// What it wrote and was not taken yet.
    buffer: Vec<u8>,
    /// Whether the buffer holds the end of an entry that is passed over.
    is_skipping: bool,
    /// The position behind all that was taken.
    position: Position,
    /// The entry that must come first, while none came.
    first: Option<String>,
    /// Whether it was started by the time of that entry.
    is_by_time: bool,
    /// Whether it waits for more when it has shown all.
    goes_on: bool,
    /// The fields that it shows; nothing if it is all of them.
    fields: Option<BTreeSet<String>>,
}

/// Whether this machine has a journal that we may read.
pub(super) async fn is_readable(env: &[(String, String)]) -> bool {
    let looking = command(env)
        .args(["--lines=1", "--output=json"])
        .stderr(Stdio::null())
        .output();
    match tokio::time::timeout(LOOK_MAX, looking).await {
        Ok(Ok(output)) => output.status.success() && !output.stdout.is_empty(),
        Ok(Err(_)) | Err(_) => false,
    }
}

impl Journal {
    /// Prepares to read.
    pub(super) fn new(env: Vec<(String, String)>) -> Self {
        Self {
            env,
            turn: None,
            following: None,
            is_by_time: false,
            has_caught_up: false,
        }
    }

    /// Takes what is to be read next.
    pub(super) fn give(&mut self, turn: Turn) {
        self.turn = Some(turn);
    }

    /// Reads what was asked for, once there is something. May be dropped at any time
    /// and called again.
    pub(super) async fn next(&mut self) -> Input {
        let Some(turn) = self.turn.clone() else {
            return std::future::pending().await;
        };
        let outcome = self.read(&turn).await;
        if outcome.is_err() {
            self.following = None;
            self.has_caught_up = false;
        }
        self.turn = None;
        Input::Journal {
            epoch: turn.epoch,
            outcome: outcome.map_err(|error| Fault {
                why: error.to_string(),
            }),
        }
    }

    async fn read(&mut self, turn: &Turn) -> io::Result<Done> {
        let is_another = |following: &Following| {
            following.position != turn.after || following.fields.as_ref() != turn.search.fields()
        };
        if self.following.as_ref().is_some_and(is_another) {
            self.following = None;
        }
        loop {
            let following = match &mut self.following {
                Some(following) => following,
                None => {
                    let goes_on = self.has_caught_up;
                    let started = Following::start(turn, self.is_by_time, goes_on, &self.env)?;
                    self.following.insert(started)
                }
            };
            if let Some(lines) = following.take_lines() {
                let first = following.first.take();
                let done = turn.search.search(&lines, &turn.after, first.as_deref());
                if done.has_gap && !following.is_by_time {
                    self.go_by_time();
                    continue;
                }
                following.position = done.upto.clone();
                return Ok(done);
            }
            let n_bytes = following.stdout.read_buf(&mut following.buffer).await?;
            if n_bytes == 0 && !following.goes_on && following.has_ended_well().await {
                if following.first.is_some() && !following.is_by_time {
                    self.go_by_time();
                    continue;
                }
                self.has_caught_up = true;
                self.following = None;
                return Ok(Done::at_end(turn.after.clone()));
            }
            if n_bytes == 0 {
                let why = following.complaint().await;
                // A cursor of another machine or of a damaged journal.
                if why.contains("cursor") && turn.after.cursor.is_some() && !self.is_by_time {
                    self.go_by_time();
                    continue;
                }
                return Err(io::Error::other(why));
            }
            self.is_by_time = false;
        }
    }

    /// Starts anew at the time of the last entry that was read.
    fn go_by_time(&mut self) {
        self.is_by_time = true;
        self.following = None;
    }
}

impl Following {
    fn start(
        turn: &Turn,
        is_by_time: bool,
        goes_on: bool,
        env: &[(String, String)],
    ) -> io::Result<Self> {
        let after = &turn.after;
        let fields = turn.search.fields().cloned();
        let mut command = command(env);
        command.args(["--no-tail", "--all", "--output=json"]);
        if let Some(fields) = &fields {
            let names: Vec<&str> = fields.iter().map(String::as_str).collect();
            command.arg(format!("--output-fields={}", names.join(",")));
        }
        if goes_on {
            command.arg("--follow");
        }
        match after.cursor.as_ref().filter(|_| !is_by_time) {
            Some(cursor) => command.arg(format!("--cursor={cursor}")),
            None => {
                let micros = after.at.0;
                let (secs, micros) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
                command.arg(format!("--since=@{secs}.{micros:06}"))
            }
        };
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{PROGRAM}: {error}")))?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self {
            stderr: child.stderr.take(),
            child,
            stdout,
            buffer: Vec::with_capacity(64 << 10),
            is_skipping: false,
            position: after.clone(),
            first: after.cursor.clone(),
            is_by_time,
            goes_on,
            fields,
        })
    }

    /// The whole lines that were written, up to [`BATCH_BYTES_MAX`] of them.
    fn take_lines(&mut self) -> Option<Vec<u8>> {
        if self.is_skipping {
            match memchr::memchr(b'\n', &self.buffer) {
                Some(end) => {
                    self.buffer.drain(..=end);
                    self.is_skipping = false;
                }
                None => self.buffer.clear(),
            }
        }
        let window = self.buffer.len().min(BATCH_BYTES_MAX);
        let end = memchr::memrchr(b'\n', &self.buffer[..window])
            .or_else(|| memchr::memchr(b'\n', &self.buffer));
        match end {
            Some(end) => {
                let rest = self.buffer.split_off(end + 1);
                Some(std::mem::replace(&mut self.buffer, rest))
            }
            None if self.buffer.len() > ENTRY_BYTES_MAX => {
                self.buffer = Vec::new();
                self.is_skipping = true;
                None
            }
            None => None,
        }
    }

    /// Whether the child wrote all that is there. May be dropped at any time and called
    /// again.
    async fn has_ended_well(&mut self) -> bool {
        matches!(self.child.wait().await, Ok(status) if status.success())
    }

    /// Why the child ended, in its own words.
    async fn complaint(&mut self) -> String {
        let mut text = Vec::new();
        if let Some(stderr) = self.stderr.take() {
            // It has ended or closed its output: its last words are there, or never come.
            let mut stderr = stderr.take(COMPLAINT_BYTES_MAX);
            let reading = stderr.read_to_end(&mut text);
            let _ = tokio::time::timeout(LOOK_MAX, reading).await;
        }
        let status = tokio::time::timeout(LOOK_MAX, self.child.wait()).await;
        let text = String::from_utf8_lossy(&text);
        match (text.lines().last().map(str::trim), status) {
            (Some(last), _) if !last.is_empty() => format!("{PROGRAM}: {last}"),
            (_, Ok(Ok(status))) => format!("{PROGRAM} ended: {status}"),
            (_, Ok(Err(_)) | Err(_)) => format!("{PROGRAM} closed its output"),
        }
    }
}

/// Reads this machine's journal, of all its boots. To follow means this boot only unless
/// journals are merged, and in a service that sees another boot's id than the journal has
/// (in a container, behind `ProtectKernelTunables`) that is nothing at all. Merged are
/// journals of other machines as well, so this one is named.
fn command(env: &[(String, String)]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["--system", "--merge", "--quiet", "--no-pager"]);
    let text = std::fs::read_to_string(MACHINE_ID).unwrap_or_default();
    if let Some(id) = machine_id(&text) {
        command.arg(format!("_MACHINE_ID={id}"));
    }
    command
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

/// The machine's name as its file has it. In an image that never booted the file is empty
/// or says `uninitialized`, which no entry has.
fn machine_id(text: &str) -> Option<&str> {
    let id = text.trim();
    let is_one = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_asked_for_by_a_machine_that_has_a_name() {
        let id = "5497a3e4270f4e76b50e44ea3eb2705b";
        assert_eq!(machine_id(&format!("{id}\n")), Some(id));
        for text in ["", "\n", "uninitialized\n", "5497a3e4"] {
            assert_eq!(machine_id(text), None, "{text:?}");
        }
    }
}
