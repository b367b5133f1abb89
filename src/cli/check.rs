//! `logcrier check`: every mistake in settings and rules, with its place, and the tests
//! that rules carry.

use std::io::{self, Write};
use std::path::PathBuf;

use super::cost;
use super::words::counted;
use crate::diagnostic::{Paint, Report};
use crate::rehearsal::trial;
use crate::rules::settings::{self, Carried, Purpose, Request, Settings};
use crate::rules::{RuleSet, Surroundings};

/// What to check.
#[derive(Debug, Clone, Default)]
pub struct CheckArgs {
    /// The settings file, if one was named.
    pub config: Option<PathBuf>,
    /// Rule files to be checked with the settings.
    pub rules: Vec<PathBuf>,
    /// Rule files to be checked alone.
    pub files: Vec<PathBuf>,
    /// Whether to tell what the rules cost.
    pub cost: bool,
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
    let mut loaded = settings::load(&request, surroundings);
    if let Some(settings) = &loaded.settings {
        try_tests(&settings.rule_set, &loaded.carried, &mut loaded.report);
        warn_of_untested(&settings.rule_set, &loaded.carried, &mut loaded.report);
    }
    let settings = loaded.settings.filter(|_| !loaded.report.has_errors());
    write!(err, "{}", loaded.report.render(paint))?;
    writeln!(err, "{}", summary(&loaded.report, settings.as_ref()))?;
    if let Some(settings) = settings.as_ref().filter(|_| args.cost) {
        cost::write(&settings.rule_set, err)?;
    }
    Ok(match settings {
        Some(_) => Verdict::Fine,
        None => Verdict::Mistakes,
    })
}

/// Puts every rule through the tests that it carries.
fn try_tests(rules: &RuleSet, carried: &[Carried], report: &mut Report) {
    for carried in carried {
        if let (Some(rule), Some(examples)) = (rules.rule(&carried.key), &carried.examples) {
            trial::run(rule, examples, rules, report);
        }
    }
}

/// Tells of the rules without tests, all of them at once. What a command found needs
/// none: there is nothing to be matched.
fn warn_of_untested(rules: &RuleSet, carried: &[Carried], report: &mut Report) {
    let mut untested = carried.iter().filter(|carried| {
        let rule = rules.rule(&carried.key);
        carried.examples.is_none() && rule.is_some_and(|rule| rule.check.is_none())
    });
    if let Some(first) = untested.next() {
        report.no_tests(first.at, first.key.as_str(), untested.count());
    }
}

/// Returns one line about the whole.
pub fn summary(report: &Report, settings: Option<&Settings>) -> String {
    let mut parts = Vec::new();
    match settings {
        Some(settings) => {
            parts.push(counted(settings.rule_set.rules.len() as u64, "rule"));
            if !settings.rule_set.spaces.is_empty() {
                parts.push(counted(settings.rule_set.spaces.len() as u64, "space"));
            }
        }
        None => parts.push(counted(report.n_errors() as u64, "mistake")),
    }
    if report.n_warnings() > 0 {
        parts.push(counted(report.n_warnings() as u64, "warning"));
    }
    let lead = if settings.is_some() { "fine: " } else { "" };
    format!("{lead}{}", parts.join(", "))
}
