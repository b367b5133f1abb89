//! Talks to people: arguments in, words and an exit code out.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{CommandFactory as _, Parser as _};

pub mod args;

pub mod load;

mod journal;

pub mod check;

mod cost;

pub mod explain;

pub mod packs;

pub mod replay;

pub mod schema;

pub mod run;

pub mod send;

pub mod status;

mod table;

mod words;

pub mod exec;

pub mod probe;

pub mod silence;

pub mod sandbox;

pub mod demo;

pub mod demo_logs;

use crate::diagnostic::Paint;
use crate::rules::settings::{self, Loaded, Purpose, Request, Settings};
use crate::rules::{RuleSet, Surroundings};
use args::{Args, Command, Common};
use load::ThisMachine;

/// How a command ended. These are all exit codes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 0: it did what it was asked for.
    Fine,
    /// 1: there are mistakes, or it failed.
    Failed,
    /// 2: the command line cannot be understood.
    Usage,
    /// That of the command under `exec`, whatever it is, or of a probe.
    Status(u8),
}

impl Outcome {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Status(code) => code,
        }
    }
}

/// Runs the command line.
pub fn main(args: impl Iterator<Item = OsString>) -> Outcome {
    let args: Vec<OsString> = args.collect();
    let is_probe = args.get(1).is_some_and(|word| word == "probe");
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // What cannot be written has nobody to read it.
            let _ = error.print();
            return match error.use_stderr() {
                // To whoever runs probes, 2 would be a problem of the machine.
                true if is_probe => Outcome::Status(crate::probe::Status::Unknown.code()),
                true => Outcome::Usage,
                false => Outcome::Fine,
            };
        }
    };
    let mut err = anstream::stderr();
    match dispatch(args.command, &mut anstream::stdout(), &mut err) {
        Ok(outcome) => outcome,
        // The reader of our output went away: that is its right.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Fine,
        Err(error) => {
            let _ = writeln!(err, "error: {error}");
            Outcome::Failed
        }
    }
}

fn dispatch(command: Command, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Outcome> {
    let surroundings = ThisMachine;
    match command {
        Command::Run(args) => run::run(&args, &surroundings, err),
        Command::Check(args) => {
            let verdict = check::run(
                &check::CheckArgs {
                    config: args.common.config,
                    rules: args.common.rules,
                    files: args.files,
                    cost: args.cost,
                },
                &check::Here {
                    machine_name: machine_name(),
                    directory: directory(),
                },
                &surroundings,
                paint(),
                err,
            )?;
            Ok(match verdict {
                check::Verdict::Fine => Outcome::Fine,
                check::Verdict::Mistakes => Outcome::Failed,
            })
        }
        Command::Status(args) => status::run(&args, &surroundings, out, err),
        Command::Explain(args) => explain::run(&args, &surroundings, out, err),
        Command::Replay(args) => replay::run(&args, &surroundings, out, err),
        Command::Rules(args) => packs::run(&args.command, out, err),
        Command::Completions(args) => {
            clap_complete::generate(args.shell, &mut Args::command(), "logcrier", out);
            Ok(Outcome::Fine)
        }
        Command::Schema(args) => {
            schema::run(&args, out)?;
            Ok(Outcome::Fine)
        }
        Command::Send(args) => send::run(&args, &surroundings, out, err),
        Command::Exec(args) => exec::run(&args, &surroundings, err),
        Command::Probe(args) => probe::run(&args.command, out, err),
        Command::Silence(args) => silence::run(&args, &surroundings, out, err),
        Command::Sandbox(args) => {
            let options = crate::sandbox::Options {
                listen: args.listen,
                quota: match args.no_quota {
                    true => crate::sandbox::space::Quota::None,
                    false => crate::sandbox::space::Quota::PerSecond,
                },
                faults: args.fault,
            };
            runtime()?.block_on(sandbox::run(options, out, interrupted()))?;
            Ok(Outcome::Fine)
        }
        Command::KeepCommands => {
            runtime()?.block_on(crate::host::keeper::run())?;
            Ok(Outcome::Fine)
        }
        Command::Demo(args) => demo::run(&args, out, err),
    }
}

/// Reads settings and rules and tells all their mistakes. None if there are any.
fn settings(
    common: &Common,
    purpose: Purpose,
    surroundings: &dyn Surroundings,
    err: &mut dyn Write,
) -> io::Result<Option<Settings>> {
    let request = Request {
        config: common.config.clone(),
        rules: common.rules.clone(),
        purpose,
        machine_name: machine_name(),
        directory: directory(),
    };
    let loaded = settings::load(&request, surroundings);
    write!(err, "{}", loaded.report.render(paint()))?;
    if loaded.settings.is_none() {
        writeln!(err, "{}", check::summary(&loaded.report, None))?;
    }
    Ok(loaded.settings)
}

/// Reads as much of the settings as there is, for who wants to speak with the agent:
/// mistakes in them are no reason not to.
fn whatever_settings(config: Option<&PathBuf>, surroundings: &dyn Surroundings) -> Loaded {
    let request = Request {
        config: config.cloned(),
        rules: Vec::new(),
        purpose: Purpose::Spaces,
        machine_name: machine_name(),
        directory: directory(),
    };
    settings::load(&request, surroundings)
}

/// Reads rules for who only wants to try them: files of rules alone need no settings.
/// None if there are mistakes.
fn rules_to_try(
    config: Option<&PathBuf>,
    files: &[PathBuf],
    surroundings: &dyn Surroundings,
    err: &mut dyn Write,
) -> io::Result<Option<RuleSet>> {
    let common = Common {
        config: config.cloned(),
        rules: files.to_vec(),
    };
    let purpose = match (config, files) {
        (None, [_, ..]) => Purpose::LoneRules,
        (Some(_), _) | (None, []) => Purpose::Agent,
    };
    let settings = settings(&common, purpose, surroundings, err)?;
    Ok(settings.map(|settings| settings.rule_set))
}

/// The runtime: one thread is plenty, for all that takes time is elsewhere.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()
}

/// Ready when somebody wants the program to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        // Without them the signals end the program by themselves.
        _ => std::future::pending().await,
    }
}

fn paint() -> Paint {
    let wanted = ThisMachine
        .variable("NO_COLOR")
        .is_none_or(|value| value.is_empty());
    match wanted && io::stderr().is_terminal() {
        true => Paint::Colours,
        false => Paint::Plain,
    }
}

fn machine_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

fn directory() -> PathBuf {
    std::path::absolute(".").unwrap_or_else(|_| PathBuf::from("/"))
}

/// Where the state lives: as the settings say, else as the service manager says,
/// else in the XDG state home.
fn state_dir(settings: &Settings, surroundings: &dyn Surroundings) -> Result<PathBuf, String> {
    state_dir_of(settings.state_dir.as_deref(), surroundings)
}

/// The same where only the directory of the settings is known, if they name one.
fn state_dir_of(named: Option<&Path>, surroundings: &dyn Surroundings) -> Result<PathBuf, String> {
    let variable = |name: &str| {
        surroundings
            .variable(name)
            .filter(|value| !value.is_empty())
    };
    if let Some(directory) = named {
        return Ok(directory.to_owned());
    }
    if let Some(directories) = variable("STATE_DIRECTORY") {
        let first = directories.split(':').next().unwrap_or_default();
        return Ok(PathBuf::from(first));
    }
    if let Some(home) = variable("XDG_STATE_HOME") {
        return Ok(Path::new(&home).join("logcrier"));
    }
    if let Some(home) = variable("HOME") {
        return Ok(Path::new(&home).join(".local/state/logcrier"));
    }
    Err("no state directory: set `state_dir` in the settings, or STATE_DIRECTORY".to_owned())
}

/// Starts to log to stderr.
fn log(format: args::LogFormat, level: args::LogLevel) {
    let colored = matches!(paint(), Paint::Colours);
    let logger = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(tracing::Level::from(level))
        .with_target(false)
        // Whoever closed stderr does not want to hear that it is closed.
        .log_internal_errors(false);
    let stream = ThisMachine.variable("JOURNAL_STREAM");
    // A logger that is set already serves as well.
    let _ = match format {
        args::LogFormat::Text if journal::is_stderr(stream.as_deref()) => logger
            .with_writer(journal::Journal)
            .with_ansi(false)
            .with_level(false)
            .without_time()
            .try_init(),
        args::LogFormat::Text => logger.with_ansi(colored).try_init(),
        args::LogFormat::Json => logger
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
    };
}

/// The rules of settings, to be shared.
fn shared(settings: &Settings) -> Arc<crate::rules::RuleSet> {
    Arc::new(settings.rule_set.clone())
}
