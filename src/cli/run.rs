//! `logcrier run`: the agent.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Outcome;
use super::args::RunArgs;
use super::words::counted;
use crate::engine::schedule::Noticing;
use crate::host::service::Manager;
use crate::host::{self, Ended, Setup, Wishes};
use crate::rules::Surroundings;
use crate::rules::settings::{Purpose, Settings, Watch};

/// Where programs are looked for if nobody says.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs the agent until it is told to stop.
pub fn run(
    args: &RunArgs,
    surroundings: &dyn Surroundings,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let Some(settings) = super::settings(&args.common, Purpose::Agent, surroundings, err)? else {
        return Ok(Outcome::Failed);
    };
    let setup = match setup(&settings, surroundings) {
        Ok(setup) => setup,
        Err(why) => {
            writeln!(err, "error: {why}")?;
            return Ok(Outcome::Failed);
        }
    };
    super::log(args.log_format, args.log_level);
    let mut reload = || -> Option<Wishes> {
        let mut err = anstream::stderr();
        let settings = super::settings(&args.common, Purpose::Agent, surroundings, &mut err);
        match wishes(&settings.ok().flatten()?, surroundings) {
            Ok(wishes) => Some(wishes),
            Err(why) => {
                // Whoever cannot read it finds in the status that the reload failed.
                let _ = writeln!(err, "error: {why}");
                None
            }
        }
    };
    let ended = super::runtime()?.block_on(host::run(setup, std::future::pending(), &mut reload));
    match ended {
        Ok(Ended::Cleanly | Ended::AtOnce) => Ok(Outcome::Fine),
        Ok(Ended::Unsaid(n_messages)) => {
            writeln!(
                err,
                "error: {} not delivered: they wait in the state directory for spaces that take none",
                counted(n_messages as u64, "message")
            )?;
            Ok(Outcome::Failed)
        }
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(Outcome::Failed)
        }
    }
}

/// What the agent is made of, from settings and surroundings.
fn setup(settings: &Settings, surroundings: &dyn Surroundings) -> Result<Setup, String> {
    let notify_socket = surroundings.variable("NOTIFY_SOCKET");
    Ok(Setup {
        wishes: wishes(settings, surroundings)?,
        command_env: command_env(surroundings, own_directory().as_deref()),
        manager: Manager::new(
            notify_socket.as_deref().map(std::ffi::OsStr::new),
            watchdog(surroundings, std::process::id()),
        ),
    })
}

/// What the settings say to the agent.
fn wishes(settings: &Settings, surroundings: &dyn Surroundings) -> Result<Wishes, String> {
    Ok(Wishes {
        rules: super::shared(settings),
        noticing: match settings.watch {
            Watch::Auto => Noticing::Hinted,
            Watch::Poll => Noticing::Polled,
        },
        state_dir: super::state_dir(settings, surroundings)?,
        ca_file: settings.ca_file.clone(),
        proxy: settings.proxy.clone(),
        metrics: settings.metrics,
        heartbeat: settings.heartbeat.clone(),
    })
}

/// How long the service manager waits for a sign of life, if it waits for one of
/// this process (`sd_watchdog_enabled(3)`).
fn watchdog(surroundings: &dyn Surroundings, own_pid: u32) -> Option<Duration> {
    let micros: u64 = surroundings.variable("WATCHDOG_USEC")?.parse().ok()?;
    let is_ours = match surroundings.variable("WATCHDOG_PID") {
        Some(pid) => pid.parse() == Ok(own_pid),
        None => true,
    };
    (micros > 0 && is_ours).then(|| Duration::from_micros(micros))
}

/// Where this program lies.
fn own_directory() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    program.parent().map(Path::to_owned)
}

/// What every command finds in its environment: nothing else of ours. Behind all
/// others stands the directory of this program, so that rules find `logcrier probe`
/// wherever it was put.
fn command_env(surroundings: &dyn Surroundings, own: Option<&Path>) -> Vec<(String, String)> {
    let variable = |name: &str, fallback: &str| {
        let value = surroundings
            .variable(name)
            .filter(|value| !value.is_empty());
        value.unwrap_or_else(|| fallback.to_owned())
    };
    let mut path = variable("PATH", PATH_DEFAULT);
    // A colon would make two of it, neither of which is ours.
    if let Some(own) = own.and_then(Path::to_str).filter(|own| !own.contains(':'))
        && !path.split(':').any(|known| known == own)
    {
        path.push(':');
        path.push_str(own);
    }
    vec![
        ("PATH".to_owned(), path),
        ("LANG".to_owned(), variable("LANG", "C.UTF-8")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::paper::Paper;

    #[test]
    fn commands_find_this_program_behind_all_others() {
        for (path, own, expected) in [
            ("/bin", Some("/opt/logcrier"), "/bin:/opt/logcrier"),
            ("/usr/bin:/bin", Some("/usr/bin"), "/usr/bin:/bin"),
            ("", Some("/"), &format!("{PATH_DEFAULT}:/")),
            ("/bin", Some("/a:b"), "/bin"),
            ("/bin", None, "/bin"),
        ] {
            let surroundings = Paper::default().with("$PATH", path);
            let env = command_env(&surroundings, own.map(Path::new));
            assert_eq!(env[0], ("PATH".to_owned(), expected.to_owned()));
        }
    }

    #[test]
    fn only_a_watchdog_that_waits_for_us_is_served() {
        for (variables, expected) in [
            (vec![], None),
            (vec![("WATCHDOG_USEC", "3000000")], Some(3)),
            (
                vec![("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "7")],
                Some(3),
            ),
            (
                vec![("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "8")],
                None,
            ),
            (vec![("WATCHDOG_USEC", "0")], None),
            (vec![("WATCHDOG_USEC", "soon")], None),
        ] {
            let environment = variables
                .iter()
                .fold(Paper::default(), |paper, (name, value)| {
                    paper.with(&format!("${name}"), value)
                });
            let patience = watchdog(&environment, 7);
            assert_eq!(patience, expected.map(Duration::from_secs));
        }
    }
}
