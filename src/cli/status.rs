//! `logcrier status`: how things stand with the running agent.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use super::args::StatusArgs;
use super::words::{bytes, counted, grouped};
use super::{Outcome, table::Table};
use crate::engine::status::{CheckState, SourceState, SpaceState};
use crate::host::socket::{self, Request};
use crate::host::standing::Standing;
use crate::rules::Surroundings;

/// How long the agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Files that are listed for people; what is not well goes first.
const SOURCES_SHOWN: usize = 30;

/// Asks the agent and shows what it answers.
pub fn run(
    args: &StatusArgs,
    surroundings: &dyn Surroundings,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let loaded = super::whatever_settings(args.config.as_ref(), surroundings);
    // Mistakes in the settings are no reason to hide how the agent is.
    if loaded.report.has_errors() {
        writeln!(
            err,
            "warning: the settings have {}, see `logcrier check`",
            counted(loaded.report.n_errors() as u64, "mistake")
        )?;
    }
    let state_dir = match super::state_dir_of(loaded.state_dir.as_deref(), surroundings) {
        Ok(state_dir) => state_dir,
        Err(why) => {
            writeln!(err, "error: {why}")?;
            return Ok(Outcome::Failed);
        }
    };
    let asking = socket::ask(&state_dir, Request::Status, PATIENCE);
    let answer = match super::runtime()?.block_on(asking) {
        Ok(answer) => answer,
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            return Ok(Outcome::Failed);
        }
    };
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &answer)?;
        writeln!(out)?;
        return Ok(Outcome::Fine);
    }
    match serde_json::from_value(answer) {
        Ok(standing) => write!(out, "{}", page(&standing))?,
        Err(error) => {
            writeln!(
                err,
                "error: the agent is of another release, try `--json`: {error}"
            )?;
            return Ok(Outcome::Failed);
        }
    }
    Ok(Outcome::Fine)
}

/// All of it, for people.
fn page(standing: &Standing) -> String {
    let mut page = String::new();
    let engine = &standing.engine;
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        "logcrier {} on {}, process {}, up {}, settings of {}",
        standing.version,
        engine.host,
        standing.pid,
        duration(standing.uptime_s),
        standing.settings_loaded
    );
    for trouble in troubles(standing) {
        let _ = writeln!(page, "! {trouble}");
    }
    let _ = writeln!(page, "\n{}", spaces(standing));
    let outbox = &engine.outbox;
    let _ = write!(
        page,
        "outbox: {} waiting, {} parked, {} delivered",
        grouped(outbox.waiting),
        grouped(outbox.parked),
        grouped(outbox.delivered)
    );
    let _ = match outbox.waiting {
        0 => writeln!(page),
        _ => writeln!(page, ", the oldest waits for {}", duration(outbox.oldest_s)),
    };
    let _ = writeln!(page, "\n{}", rules(standing));
    if !engine.silences.is_empty() {
        let _ = writeln!(page, "{}", silences(standing));
    }
    if !engine.checks.is_empty() {
        let _ = writeln!(page, "{}", checks(standing));
    }
    page.push_str(&sources(standing));
    page
}

/// What needs a person, worst first.
fn troubles(standing: &Standing) -> Vec<String> {
    let mut troubles = Vec::new();
    let engine = &standing.engine;
    if !engine.state_writable {
        troubles.push("the state cannot be written: reading pauses, see the log".to_owned());
    }
    if !engine.ready {
        troubles.push("not ready yet: files are being listed".to_owned());
    }
    if let Some(at) = &standing.reload_failed {
        troubles.push(format!(
            "the settings read at {at} have mistakes, older ones are in force: `logcrier check`"
        ));
    }
    if !standing.next_start.is_empty() {
        troubles.push(format!(
            "{} changed, which takes effect at the next start",
            match &standing.next_start[..] {
                [one] => format!("`{one}` was"),
                several => format!("`{}` were", several.join("` and `")),
            }
        ));
    }
    for space in &engine.spaces {
        let name = &space.name;
        let why = space.last_error.as_deref().unwrap_or("no reason is known");
        match space.state {
            SpaceState::Refused => troubles.push(format!("the space {name} refuses all: {why}")),
            SpaceState::Troubled => troubles.push(format!("cannot post to {name}: {why}")),
            SpaceState::Ok => {}
        }
    }
    if engine.outbox.parked > 0 {
        troubles.push(format!(
            "{} refused for good and set aside",
            counted(engine.outbox.parked, "message")
        ));
    }
    troubles
}

fn spaces(standing: &Standing) -> Table {
    let mut table = Table::new(["SPACE", "STATE", ">PACE", ">WAITING", ">PARKED"]);
    for space in &standing.engine.spaces {
        table.row([
            space.name.clone(),
            match space.state {
                SpaceState::Ok => "ok",
                SpaceState::Troubled => "troubled",
                SpaceState::Refused => "refused",
            }
            .to_owned(),
            format!("{} ms", grouped(space.pace_ms)),
            grouped(space.waiting),
            grouped(space.parked),
        ]);
    }
    table
}

fn rules(standing: &Standing) -> Table {
    let mut table = Table::new([
        "RULE",
        ">HITS",
        ">EVENTS",
        ">POSTS",
        ">SUPPRESSED",
        ">PENDING",
    ]);
    for rule in &standing.engine.rules {
        // The agent's own rules are of interest when they have something to say.
        if rule.hits == 0 && rule.key.starts_with(crate::rules::own::PREFIX) {
            continue;
        }
        table.row([
            rule.key.clone(),
            grouped(rule.hits),
            grouped(rule.events),
            grouped(rule.posts),
            grouped(rule.suppressed),
            grouped(rule.pending),
        ]);
    }
    table
}

fn silences(standing: &Standing) -> Table {
    let mut table = Table::new([">ID", "SILENCED", "UNTIL", "WHY"]);
    for silence in &standing.engine.silences {
        let by = silence.by.iter();
        let by: Vec<String> = by.map(|(name, value)| format!("{name}={value}")).collect();
        table.row([
            silence.id.to_string(),
            format!("{} {}", silence.rule, by.join(" "))
                .trim_end()
                .to_owned(),
            silence.until.clone(),
            silence.reason.clone(),
        ]);
    }
    table
}

fn checks(standing: &Standing) -> Table {
    let mut table = Table::new(["CHECK", "STATE", "LAST MEASURED"]);
    for check in &standing.engine.checks {
        let perf = check.perf.iter();
        let perf: Vec<String> = perf
            .map(|perf| format!("{}={}{}", perf.name, perf.value, perf.unit))
            .collect();
        table.row([
            check.key.clone(),
            match check.state {
                CheckState::Ok => "ok",
                CheckState::Soft => "soft",
                CheckState::Problem => "problem",
                CheckState::Unknown => "unknown",
            }
            .to_owned(),
            perf.join(" "),
        ]);
    }
    table
}

fn sources(standing: &Standing) -> String {
    let engine = &standing.engine;
    let total = &engine.sources_total;
    let mut shown: Vec<_> = engine.sources.iter().collect();
    shown.sort_by_key(|source| {
        let is_well = source.state == SourceState::Following && source.behind_bytes == 0;
        (is_well && source.lost_bytes == 0, &source.path)
    });
    let n_more = shown.len().saturating_sub(SOURCES_SHOWN);
    shown.truncate(SOURCES_SHOWN);
    let mut table = Table::new(["FILE", "STATE", ">BEHIND", ">LOST"]);
    for source in shown {
        table.row([
            source.path.clone(),
            match source.state {
                SourceState::Unreadable => "unreadable",
                SourceState::Missing => "missing",
                SourceState::Binary => "binary, not read",
                SourceState::Reading => "reading",
                SourceState::Rotated => "rotated",
                SourceState::Following => "following",
            }
            .to_owned(),
            bytes(source.behind_bytes),
            bytes(source.lost_bytes),
        ]);
    }
    let mut text = table.to_string();
    // Writing to a string cannot fail.
    if n_more > 0 {
        let _ = writeln!(text, "and {} more, see --json", grouped(n_more as u64));
    }
    let _ = writeln!(
        text,
        "{}, {} behind, {} lost",
        counted(total.files, "file"),
        bytes(total.behind_bytes),
        bytes(total.lost_bytes)
    );
    text
}

/// A time span by its two biggest units.
fn duration(secs: u64) -> String {
    let parts = [
        (secs / 86_400, "d"),
        (secs / 3_600 % 24, "h"),
        (secs / 60 % 60, "min"),
        (secs % 60, "s"),
    ];
    let first = parts.iter().position(|(number, _)| *number > 0);
    let shown = &parts[first.unwrap_or(parts.len() - 1)..];
    let shown: Vec<String> = (shown.iter().take(2))
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_for_people() {
        for (secs, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3_600, "1 h 0 min"),
            (200_000, "2 d 7 h"),
        ] {
            assert_eq!(duration(secs), text);
        }
    }
}
