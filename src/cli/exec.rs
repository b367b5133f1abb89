//! `logcrier exec`: runs a command once and tells what came of it.
//!
//! To whoever started it, it is the command: its input, output, signals and exit
//! status pass through. What came of it goes to the running agent; without one it
//! is posted from here; and where that fails too, it waits in the state directory.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use jiff::tz::TimeZone;
use rustix::process::{Pid, Signal};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Outcome;
use super::args::{Common, ExecArgs};
use crate::engine::checks::alone;
use crate::engine::checks::finding::{self, Captured, Ended, Ran};
use crate::engine::message::Surface;
use crate::engine::time::{Moment, millis};
use crate::host::capture::Capture;
use crate::host::chat::Chat;
use crate::host::socket::{self, AskFault, Request};
use crate::host::spool::{self, Told};
use crate::host::{clock, random};
use crate::rules::checks::{Meaning, StatusMap};
use crate::rules::settings::{self, Purpose, Settings};
use crate::rules::{Rule, RuleKey, Surroundings};

/// How long the agent may take to have it on disk.
const HAND_OVER_MAX: Duration = Duration::from_secs(5);

/// From SIGTERM to SIGKILL at the timeout.
const GRACE: Duration = Duration::from_secs(5);

/// How long output is waited for behind the command's end: what it started in the
/// background may hold the pipe for ever.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

/// The exit status at the timeout, as of `timeout(1)`.
const TIMED_OUT: u8 = 124;

/// What became of the command.
struct Done {
    ran: Ran,
    code: u8,
}

/// Runs the command and tells of it. The exit status is the command's own, whatever
/// becomes of the telling.
pub fn run(
    args: &ExecArgs,
    surroundings: &dyn Surroundings,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let runtime = super::runtime()?;
    let done = runtime.block_on(carry_out(args));
    if let Ended::NotStarted(why) = &done.ran.ending {
        writeln!(err, "logcrier: {why}")?;
    }
    let code = done.code;
    let told = Told {
        id: random(),
        key: args.key.as_str().to_owned(),
        at: clock::now().wall,
        ran: done.ran,
        status: args.status.clone(),
        is_said: false,
    };
    if let Err(why) = runtime.block_on(tell(told, args, surroundings)) {
        // The command did what it did: that nobody hears of it must be seen somewhere.
        let _ = writeln!(err, "logcrier: `{}` is told to nobody: {why}", args.key);
    }
    // Its last words are written by threads that may wait for ever.
    runtime.shutdown_background();
    Ok(Outcome::Status(code))
}

/// Starts the command and stays with it to its end.
async fn carry_out(args: &ExecArgs) -> Done {
    let began = clock::now().moment;
    let is_terminal = io::stdin().is_terminal();
    let mut command = Command::new(&args.command[0]);
    command
        .args(&args.command[1..])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if !is_terminal {
        // In a group of its own, all of it can be ended at the timeout. At a terminal
        // it must stay in ours to be allowed to read.
        command.process_group(0);
    }
    let signals = Signals::listen(is_terminal);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let code = match error.kind() {
                io::ErrorKind::NotFound => 127,
                _ => 126,
            };
            let why = format!("{}: {error}", args.command[0].to_string_lossy());
            return Done {
                ran: ran(Ended::NotStarted(why), Default::default(), began),
                code,
            };
        }
    };
    let target = Target {
        pid: Pid::from_child(&child),
        is_group: !is_terminal,
    };
    let output = Output::pass_on(&mut child);
    let (status, is_timed_out) = stay(child, target, args.timeout, signals).await;
    let captured = output.rest();
    let (ending, code) = match status {
        _ if is_timed_out => {
            let after = args.timeout.unwrap_or_default();
            let after_ms = millis(after);
            (Ended::TimedOut { after_ms }, TIMED_OUT)
        }
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => (Ended::Exited(code), low_byte(code)),
            (None, Some(signal)) => (Ended::Signalled(signal), low_byte(128 + signal)),
            (None, None) => (Ended::Exited(255), 255),
        },
        Err(error) => (Ended::NotStarted(error.to_string()), 126),
    };
    Done {
        ran: ran(ending, captured, began),
        code,
    }
}

fn ran(ending: Ended, [stdout, stderr]: [Captured; 2], began: Moment) -> Ran {
    let took = clock::now().moment.from_now(began);
    Ran {
        ending,
        stdout,
        stderr,
        took_ms: millis(took),
        leftovers: Vec::new(),
    }
}

fn low_byte(code: i32) -> u8 {
    u8::try_from(code & 0xff).unwrap_or(u8::MAX)
}

/// Whom signals are for.
#[derive(Debug, Clone, Copy)]
struct Target {
    pid: Pid,
    is_group: bool,
}

impl Target {
    fn signal(self, signal: Signal) {
        // One that has ended hears nothing, and that is all right.
        let _ = match self.is_group {
            true => rustix::process::kill_process_group(self.pid, signal),
            false => rustix::process::kill_process(self.pid, signal),
        };
    }
}

/// The signals that are passed on.
struct Signals(mpsc::UnboundedReceiver<Signal>);

impl Signals {
    /// Takes signals from now on. At a terminal the command hears what keys do by
    /// itself.
    fn listen(is_terminal: bool) -> Self {
        let (heard, hears) = mpsc::unbounded_channel();
        for (kind, passed, from_keys) in [
            (SignalKind::hangup(), Signal::HUP, false),
            (SignalKind::terminate(), Signal::TERM, false),
            (SignalKind::user_defined1(), Signal::USR1, false),
            (SignalKind::user_defined2(), Signal::USR2, false),
            (SignalKind::interrupt(), Signal::INT, true),
            (SignalKind::quit(), Signal::QUIT, true),
        ] {
            let Ok(mut listener) = signal(kind) else {
                continue;
            };
            let heard = heard.clone();
            let is_passed = !(is_terminal && from_keys);
            #[expect(
                clippy::disallowed_methods,
                reason = "it lives as long as this short program"
            )]
            tokio::spawn(async move {
                while listener.recv().await.is_some() {
                    if is_passed && heard.send(passed).is_err() {
                        return;
                    }
                }
            });
        }
        Self(hears)
    }
}

/// Waits for the end of the command, passes signals on, and ends it at its timeout.
async fn stay(
    mut child: Child,
    target: Target,
    timeout: Option<Duration>,
    mut signals: Signals,
) -> (io::Result<ExitStatus>, bool) {
    let (ended, mut end) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        // Whoever does not listen any more has gone with the whole program.
        let _ = ended.send(child.wait());
    });
    let mut deadline = timeout.map(|timeout| clock::now().moment.after(timeout));
    let mut is_timed_out = false;
    loop {
        tokio::select! {
            biased;
            Some(status) = end.recv() => return (status, is_timed_out),
            Some(passed) = signals.0.recv() => target.signal(passed),
            () = crate::host::until(deadline) => {
                target.signal(if is_timed_out { Signal::KILL } else { Signal::TERM });
                target.signal(Signal::CONT);
                is_timed_out = true;
                deadline = Some(clock::now().moment.after(GRACE));
            }
        }
    }
}

/// The output on its way through.
struct Output(std_mpsc::Receiver<(usize, Vec<u8>)>);

impl Output {
    /// Passes both pipes on, byte by byte as they come, and keeps a copy of each.
    fn pass_on(child: &mut Child) -> Self {
        let (copies, output) = std_mpsc::channel();
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        let ours = [
            io::stdout().as_fd().try_clone_to_owned(),
            io::stderr().as_fd().try_clone_to_owned(),
        ];
        for (idx, (from, to)) in [stdout, stderr].into_iter().zip(ours).enumerate() {
            let (Some(from), Ok(to)) = (from, to) else {
                continue;
            };
            let copies = copies.clone();
            std::thread::spawn(move || {
                let (mut from, mut to) = (File::from(from), File::from(to));
                let mut buffer = vec![0; 64 << 10];
                loop {
                    let n = match from.read(&mut buffer) {
                        Ok(0) | Err(_) => return,
                        Ok(n) => n,
                    };
                    // Where nobody reads ours, nobody reads the command's: it hears so
                    // by its own broken pipe.
                    if to.write_all(&buffer[..n]).is_err() {
                        return;
                    }
                    if copies.send((idx, buffer[..n].to_vec())).is_err() {
                        return;
                    }
                }
            });
        }
        Self(output)
    }

    /// What there was, once the command has ended.
    fn rest(self) -> [Captured; 2] {
        let mut captures: [Capture; 2] = Default::default();
        let until = clock::now().moment.after(LAST_OUTPUT);
        loop {
            let left = until.from_now(clock::now().moment);
            let Ok((idx, bytes)) = self.0.recv_timeout(left) else {
                return captures.map(Capture::captured);
            };
            captures[idx].take(&bytes);
        }
    }
}

/// Tells the agent, else the space, else the state directory.
async fn tell(
    mut told: Told,
    args: &ExecArgs,
    surroundings: &dyn Surroundings,
) -> Result<(), String> {
    let settings = settings_of(args, surroundings)?;
    let state_dir = super::state_dir(&settings, surroundings)?;
    let request = Request::Told(Box::new(told.clone()));
    let fault = match socket::ask(&state_dir, request, HAND_OVER_MAX).await {
        Ok(_) => return Ok(()),
        Err(AskFault::Refused(why)) => return Err(why),
        // It may have it: whoever takes it up later knows by its id.
        Err(AskFault::NoAnswer(_)) => {
            return leave(&state_dir, &told, false);
        }
        Err(fault @ AskFault::Nobody { .. }) => fault,
    };
    let key = RuleKey::new(&told.key);
    let rule = (settings.rule_set.reported(&key))
        .ok_or_else(|| format!("no rule and no space for it; and {fault}"))?;
    let map = match (&args.status, &rule.check) {
        (Some(text), _) => StatusMap::parse(text)?,
        (None, Some(check)) => check.status.clone(),
        (None, None) => StatusMap::Exit,
    };
    let judged = finding::judge(&rule, &map, &told.ran, &settings.rule_set.redactor);
    if judged.meaning == Meaning::Fine {
        return match state_dir.is_dir() {
            true => leave(&state_dir, &told, true),
            // No agent ever ran here: nobody believes anything else.
            false => Ok(()),
        };
    }
    let posted = post(&settings, &rule, &judged, &told).await;
    told.is_said = posted.is_ok();
    match (posted, leave(&state_dir, &told, false)) {
        (Ok(()), _) | (Err(_), Ok(())) => Ok(()),
        (Err(posting), Err(leaving)) => Err(format!("{posting}; and {leaving}")),
    }
}

fn leave(state_dir: &Path, told: &Told, is_fine: bool) -> Result<(), String> {
    spool::leave(state_dir, told, is_fine)
        .map_err(|error| format!("{}: {error}", state_dir.display()))
}

/// Settings and rules; if a rule is wrong, at least the spaces.
fn settings_of(args: &ExecArgs, surroundings: &dyn Surroundings) -> Result<Settings, String> {
    let common = Common {
        config: args.config.clone(),
        rules: args.rules.clone(),
    };
    for purpose in [Purpose::Agent, Purpose::Spaces] {
        let request = settings::Request {
            config: common.config.clone(),
            rules: common.rules.clone(),
            purpose,
            machine_name: super::machine_name(),
            directory: super::directory(),
        };
        if let Some(settings) = settings::load(&request, surroundings).settings {
            return Ok(settings);
        }
    }
    Err("the settings have mistakes, see `logcrier check`".to_owned())
}

/// Posts to every space of the rule.
async fn post(
    settings: &Settings,
    rule: &Rule,
    judged: &finding::Judged,
    told: &Told,
) -> Result<(), String> {
    let chat = Chat::new(settings.ca_file.as_deref(), settings.proxy.as_ref())
        .map_err(|fault| fault.to_string())?;
    let surface = Surface {
        host: settings.rule_set.host.clone(),
        zone: TimeZone::system(),
    };
    let mut failed = Vec::new();
    for post in alone::posts(
        rule,
        judged,
        told.id,
        told.at,
        &surface,
        &settings.rule_set.redactor,
    ) {
        let Some(space) = settings.rule_set.spaces.get(&post.space) else {
            failed.push(format!("no space `{}`", post.space));
            continue;
        };
        if let Err(why) = super::send::try_to(&chat, space, &post).await {
            failed.push(format!("space `{}`: {why}", post.space));
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed.join("; ")),
    }
}
