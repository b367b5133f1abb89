//! Asks systemd for units.

use std::path::Path;
use std::time::Duration;

use super::{Said, run};
use crate::probe::systemd::{self, Unit};

const PROGRAM: &str = "systemctl";

/// The units that failed.
pub fn failed(patience: Duration) -> Result<Vec<Unit>, String> {
    let args = [
        "list-units",
        "--state=failed",
        "--all",
        "--plain",
        "--no-legend",
        "--no-pager",
        "--full",
    ];
    ask(&args, patience).map(|output| systemd::listed(&output))
}

/// These units, in this order.
pub fn named(names: &[String], patience: Duration) -> Result<Vec<Unit>, String> {
    let mut args = vec![
        "show",
        "--property=Id,LoadState,ActiveState,SubState",
        "--no-pager",
        "--",
    ];
    args.extend(names.iter().map(String::as_str));
    ask(&args, patience).map(|output| systemd::shown(&output))
}

/// Fails where systemd is not the manager, as `sd_booted(3)` finds out.
pub(super) fn must_run() -> Result<(), String> {
    match Path::new("/run/systemd/system").is_dir() {
        true => Ok(()),
        false => Err("systemd does not run this machine (or container)".to_owned()),
    }
}

fn ask(args: &[&str], patience: Duration) -> Result<String, String> {
    must_run()?;
    let Said {
        is_success,
        stdout,
        complaint,
    } = run(PROGRAM, args, patience)?;
    match is_success {
        true => Ok(stdout),
        false if complaint.contains("connect to bus") => Err(format!(
            "{complaint} (who is not root asks over D-Bus: is the package `dbus` installed?)"
        )),
        false => Err(format!("{PROGRAM}: {complaint}")),
    }
}
