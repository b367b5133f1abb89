//! `logcrier replay`: what rules would have said of logs of the past.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use jiff::tz::TimeZone;
use serde_json::json;

mod chat;

mod page;

use super::args::ReplayArgs;
use super::words::{bytes, counted, grouped};
use super::{Outcome, rules_to_try};
use crate::diagnostic::harmless;
use crate::engine::kinship::{self, Packing};
use crate::engine::time::{Moment, Wall};
use crate::host::{clock, unpack};
use crate::rehearsal::history::{self, Chronicle, Log, Source};
use crate::rules::{Rule, RuleSet, STDIN, Surroundings};

/// Bytes that are asked of a file at once.
const READ_BYTES: usize = 256 << 10;

/// How often the progress is shown, in nanoseconds.
const PROGRESS_NANOS: u64 = 100_000_000;

/// Replays logs.
pub fn run(
    args: &ReplayArgs,
    surroundings: &dyn Surroundings,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let config = args.config.as_ref();
    let Some(rules) = rules_to_try(config, &args.rules, surroundings, err)? else {
        return Ok(Outcome::Failed);
    };
    for key in &args.rule {
        let rule = rules.rule(key);
        if rule.is_none_or(|rule| rule.check.is_some()) {
            writeln!(err, "error: no rule of lines has the key `{key}`")?;
            return Ok(Outcome::Failed);
        }
    }
    let mut inputs = Vec::new();
    for name in &args.files {
        match Opened::open(name) {
            Ok(input) => inputs.push(input),
            Err(why) => {
                writeln!(
                    err,
                    "error: {}: {why}",
                    harmless(&name.display().to_string())
                )?;
                return Ok(Outcome::Failed);
            }
        }
    }
    let logs = logs_of(&inputs, args, &rules, err)?;
    if logs.iter().all(|log| log.rules.is_empty()) {
        writeln!(err, "error: there is no rule of lines")?;
        return Ok(Outcome::Failed);
    }
    let zone = TimeZone::system();
    let mut reading = Reading {
        n_bytes_all: inputs.iter().map(|input| input.size).sum(),
        inputs,
        is_shown: io::stderr().is_terminal(),
        began: clock::now().moment,
        shown: clock::now().moment,
        n_bytes: 0,
    };
    let chronicle = history::replay(&rules, &zone, logs, &mut reading);
    reading.clear();
    for (path, why) in &chronicle.troubles {
        let path = harmless(&path.display().to_string());
        writeln!(err, "warning: {path}: {}", harmless(why))?;
    }
    if let Some(path) = &args.html {
        let page = page::page(&chronicle, &names(&args.files), &zone);
        if let Err(error) = fs::write(path, page) {
            writeln!(err, "error: {}: {error}", path.display())?;
            return Ok(Outcome::Failed);
        }
        writeln!(err, "the report is in {}", path.display())?;
    }
    match args.json {
        true => writeln!(out, "{:#}", as_json(&chronicle, &zone))?,
        false => show(&chronicle, &zone, out)?,
    }
    Ok(Outcome::Fine)
}

/// A log that is open.
struct Opened {
    path: PathBuf,
    modified: Wall,
    /// Bytes of the file, packed or not; zero where nobody knows.
    size: u64,
    /// Tells how far the file was read.
    raw: Option<File>,
    reader: Box<dyn Read + Send>,
}

impl Opened {
    fn open(name: &Path) -> Result<Self, String> {
        if name.as_os_str() == "-" {
            return Ok(Self {
                path: PathBuf::from(STDIN),
                modified: clock::now().wall,
                size: 0,
                raw: None,
                reader: Box::new(io::stdin()),
            });
        }
        let path = std::path::absolute(name).map_err(|error| error.to_string())?;
        let file = File::open(&path).map_err(|error| error.to_string())?;
        let facts = file.metadata().map_err(|error| error.to_string())?;
        if facts.is_dir() {
            return Err("a directory, not a file".to_owned());
        }
        let modified = (facts.modified().ok())
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_micros()).ok());
        let raw = file.try_clone().map_err(|error| error.to_string())?;
        let reader: Box<dyn Read + Send> = match Packing::of(&path) {
            Some(packing) => unpack::decoder(file, packing).map_err(|error| error.to_string())?,
            None => Box::new(file),
        };
        Ok(Self {
            path,
            modified: modified.map_or_else(|| clock::now().wall, Wall),
            size: facts.len(),
            raw: Some(raw),
            reader,
        })
    }
}

/// Tells which rules follow which logs: those whose patterns name it or the log that it
/// was rotated from, and all if there are none.
fn logs_of(
    inputs: &[Opened],
    args: &ReplayArgs,
    rules: &RuleSet,
    err: &mut dyn Write,
) -> io::Result<Vec<Log>> {
    let mut logs: Vec<Log> = Vec::new();
    let mut known: BTreeSet<&Path> = BTreeSet::new();
    for input in inputs {
        if !known.insert(&input.path) {
            writeln!(err, "error: {} is named twice", input.path.display())?;
            return Ok(Vec::new());
        }
        let of_lines = || rules.rules.iter().filter(|rule| rule.check.is_none());
        let keys = |rules: &mut dyn Iterator<Item = &Arc<Rule>>| -> Vec<_> {
            rules.map(|rule| rule.key.clone()).collect()
        };
        let mut followed = match args.rule.as_slice() {
            [] => keys(&mut of_lines().filter(|rule| follows(rule, &input.path))),
            picked => picked.to_vec(),
        };
        if followed.is_empty() {
            followed = keys(&mut of_lines());
            if input.path != Path::new(STDIN) && followed.len() > 1 {
                writeln!(
                    err,
                    "note: no rule follows {}, so all {} are tried",
                    input.path.display(),
                    followed.len()
                )?;
            }
        }
        // To the engine an archive is read already, and called by what it holds.
        let mut path = match Packing::of(&input.path) {
            Some(_) => input.path.with_extension(""),
            None => input.path.clone(),
        };
        while logs.iter().any(|log| log.path == path) {
            path.as_mut_os_string().push("~");
        }
        logs.push(Log {
            path,
            modified: input.modified,
            rules: followed,
        });
    }
    Ok(logs)
}

fn follows(rule: &Rule, path: &Path) -> bool {
    let excluded = rule.files.exclude.iter().any(|glob| glob.matches(path));
    let rotated_from = kinship::logs_of(path);
    let names = || std::iter::once(path).chain(rotated_from.iter().map(PathBuf::as_path));
    !excluded && (rule.files.include.iter()).any(|glob| names().any(|name| glob.matches(name)))
}

/// All logs, read one region after the other.
struct Reading {
    inputs: Vec<Opened>,
    n_bytes_all: u64,
    n_bytes: u64,
    is_shown: bool,
    began: Moment,
    shown: Moment,
}

impl Source for Reading {
    fn more(&mut self, log: usize, buffer: &mut Vec<u8>) -> Result<usize, String> {
        let start = buffer.len();
        buffer.resize(start + READ_BYTES, 0);
        let read = loop {
            match self.inputs[log].reader.read(&mut buffer[start..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        buffer.truncate(start + read.as_ref().map_or(0, |n_bytes| *n_bytes));
        self.n_bytes += (buffer.len() - start) as u64;
        self.show();
        read.map_err(|error| format!("cannot be read further: {error}"))
    }
}

impl Reading {
    /// Shows how far it is, on a terminal.
    fn show(&mut self) {
        if !self.is_shown {
            return;
        }
        let now = clock::now().moment;
        if now.0.saturating_sub(self.shown.0) < PROGRESS_NANOS {
            return;
        }
        self.shown = now;
        let positions = self.inputs.iter_mut().filter_map(|input| {
            let raw = input.raw.as_mut()?;
            raw.stream_position().ok()
        });
        let n_done: u64 = positions.sum();
        let secs = now.0.saturating_sub(self.began.0) as f64 / 1e9;
        let speed = bytes((self.n_bytes as f64 / secs.max(0.001)) as u64);
        let words = match n_done.min(self.n_bytes_all) * 100 / self.n_bytes_all.max(1) {
            _ if self.n_bytes_all == 0 => format!("{} read, {speed}/s", bytes(self.n_bytes)),
            percent => {
                let n_full = usize::try_from(percent * 30 / 100).unwrap_or(0);
                let bar = "█".repeat(n_full) + &"░".repeat(30 - n_full.min(30));
                format!(
                    "{bar} {percent:3} %  {} read, {speed}/s",
                    bytes(self.n_bytes)
                )
            }
        };
        // Who cannot see it misses nothing.
        let _ = write!(io::stderr(), "\r\x1b[K{words}");
    }

    fn clear(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Writes the outcome as tables.
fn show(chronicle: &Chronicle, zone: &TimeZone, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{} – {}: {}, {}\n",
        local(chronicle.began, zone),
        local(chronicle.ended, zone),
        counted(chronicle.n_lines, "line"),
        bytes(chronicle.n_bytes)
    )?;
    let mut rows = vec![
        [
            "rule",
            "hits",
            "events",
            "posts",
            "in a minute",
            "not posted",
        ]
        .map(str::to_owned),
    ];
    let loud = chronicle
        .rules
        .iter()
        .filter(|part| part.n_hits > 0 || part.n_posts > 0);
    for part in loud {
        rows.push([
            part.rule.key.to_string(),
            grouped(part.n_hits),
            grouped(part.n_events),
            grouped(part.n_posts),
            grouped(part.busiest),
            grouped(part.n_saved()),
        ]);
    }
    table(&rows, out)?;
    let quiet: Vec<&str> = (chronicle.rules.iter())
        .filter(|part| part.n_hits == 0 && part.n_posts == 0)
        .map(|part| part.rule.key.as_str())
        .collect();
    if !quiet.is_empty() {
        writeln!(out, "\nwithout a hit: {}", quiet.join(", "))?;
    }
    let mut rows = vec![["space", "posts", "in a minute", "quota of a minute"].map(str::to_owned)];
    for part in &chronicle.spaces {
        rows.push([
            part.name.to_string(),
            grouped(part.n_posts),
            grouped(part.busiest),
            grouped(part.quota),
        ]);
    }
    writeln!(out)?;
    table(&rows, out)?;
    if chronicle.n_timeless > 0 {
        let hits = match chronicle.n_timeless {
            1 => "1 hit has".to_owned(),
            n => format!("{} hits have", grouped(n)),
        };
        writeln!(
            out,
            "\n{hits} no time and happened when the record before did"
        )?;
    }
    if chronicle.n_held > 0 {
        writeln!(
            out,
            "\n{} events were still counted at the end",
            grouped(chronicle.n_held)
        )?;
    }
    Ok(())
}

/// Writes rows: the first column to the left, numbers to the right.
fn table<const N: usize>(rows: &[[String; N]], out: &mut dyn Write) -> io::Result<()> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        for (idx, (width, cell)) in widths.iter().zip(row).enumerate() {
            match idx {
                0 => write!(out, "{cell:<width$}")?,
                _ => write!(out, "  {cell:>width$}")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn as_json(chronicle: &Chronicle, zone: &TimeZone) -> serde_json::Value {
    let rules: Vec<serde_json::Value> = (chronicle.rules.iter())
        .map(|part| {
            json!({
                "key": part.rule.key,
                "hits": part.n_hits,
                "events": part.n_events,
                "posts": part.n_posts,
                "busiest_minute": part.busiest,
                "not_posted": part.n_saved(),
            })
        })
        .collect();
    let spaces: Vec<serde_json::Value> = (chronicle.spaces.iter())
        .map(|part| {
            json!({
                "name": part.name,
                "posts": part.n_posts,
                "busiest_minute": part.busiest,
                "quota_per_minute": part.quota,
            })
        })
        .collect();
    json!({
        "rules": rules,
        "spaces": spaces,
        "from": rfc3339(chronicle.began, zone),
        "to": rfc3339(chronicle.ended, zone),
        "lines": chronicle.n_lines,
        "bytes": chronicle.n_bytes,
        "hits_without_time": chronicle.n_timeless,
        "events_held": chronicle.n_held,
    })
}

fn names(files: &[PathBuf]) -> String {
    let name = |path: &PathBuf| match path.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    match files {
        [one] => name(one),
        [first, rest @ ..] => format!("{} and {} more", name(first), rest.len()),
        [] => String::new(),
    }
}

fn zoned(at: Wall, zone: &TimeZone) -> Option<jiff::Zoned> {
    let at = jiff::Timestamp::from_microsecond(at.0).ok()?;
    Some(at.to_zoned(zone.clone()))
}

/// A time where the machine is.
fn local(at: Wall, zone: &TimeZone) -> String {
    let shown = zoned(at, zone).map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string());
    shown.unwrap_or_default()
}

fn rfc3339(at: Wall, zone: &TimeZone) -> String {
    let shown = zoned(at, zone).map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string());
    shown.unwrap_or_default()
}

/// What stands at a tick of an axis whose ticks are so many seconds apart.
fn span_of(at: Wall, step_secs: i64, zone: &TimeZone) -> String {
    let Some(at) = zoned(at, zone) else {
        return String::new();
    };
    let is_midnight = at.time() == jiff::civil::Time::midnight();
    let form = match step_secs {
        86_400.. => "%b %-d",
        60.. if is_midnight => "%b %-d",
        60.. => "%H:%M",
        _ => "%H:%M:%S",
    };
    at.strftime(form).to_string()
}
