//! `logcrier check`: every mistake in settings and rules, with its place.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::diagnostic::{Paint, Report};
use crate::rules::Surroundings;
use crate::rules::settings::{self, Purpose, Request, Settings};

/// What to check.
#[derive(Debug, Clone, Default)]
pub struct CheckArgs {
    /// The settings file, if one was named.
    pub config: Option<PathBuf>,
    /// Rule files to be checked with the settings.
    pub rules: Vec<PathBuf>,
    /// Rule files to be checked alone.
    pub files: Vec<PathBuf>,
}

/// Where the check takes place.
#[derive(Debug, Clone)]
pub struct Here {
    /// The name of this machine.
    pub machine_name: String,
    /// The current directory.
    pub directory: PathBuf,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wrong.
    Fine,
    /// Something must be mended first.
    Mistakes,
}

/// Checks settings and rules, and writes all mistakes and a summary.
pub fn run(
    args: &CheckArgs,
    here: &Here,
    surroundings: &dyn Surroundings,
    paint: Paint,
    err: &mut dyn Write,
) -> io::Result<Verdict> {
    let is_lone = !args.files.is_empty();
    let files = if is_lone { &args.files } else { &args.rules };
    let request = Request {
        config: args.config.clone(),
        rules: files.clone(),
        purpose: match is_lone {
            true => Purpose::LoneRules,
            false => Purpose::Agent,
        },
        machine_name: here.machine_name.clone(),
        directory: here.directory.clone(),
    };
    let loaded = settings::load(&request, surroundings);
    write!(err, "{}", loaded.report.render(paint))?;
    writeln!(err, "{}", summary(&loaded.report, loaded.settings.as_ref()))?;
    Ok(match loaded.settings {
        Some(_) => Verdict::Fine,
        None => Verdict::Mistakes,
    })
}

/// Returns one line about the whole.
pub fn summary(report: &Report, settings: Option<&Settings>) -> String {
    let mut parts = Vec::new();
    match settings {
        Some(settings) => {
            parts.push(counted(settings.rule_set.rules.len(), "rule"));
            if !settings.rule_set.spaces.is_empty() {
                parts.push(counted(settings.rule_set.spaces.len(), "space"));
            }
        }
        None => parts.push(counted(report.n_errors(), "mistake")),
    }
    if report.n_warnings() > 0 {
        parts.push(counted(report.n_warnings(), "warning"));
    }
    let lead = if settings.is_some() { "fine: " } else { "" };
    format!("{lead}{}", parts.join(", "))
}

pub(super) fn counted(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
