//! `logcrier silence`: not to hear of something for a while.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::Outcome;
use super::args::{SilenceArgs, SilenceCommand};
use crate::engine::correlate::silences::Silence;
use crate::engine::message::humane;
use crate::engine::time::{Wall, millis};
use crate::host::socket::{self, AskFault, Request, SilenceRequest};
use crate::rules::Surroundings;

/// How long the agent may take: it answers when it is on disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the running agent, and tells what came of it.
pub fn run(
    args: &SilenceArgs,
    surroundings: &dyn Surroundings,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let Some(state_dir) = state_dir(args, surroundings, err)? else {
        return Ok(Outcome::Failed);
    };
    let request = match &args.command {
        SilenceCommand::Add(add) => SilenceRequest::Add {
            rule: add.rule.as_str().to_owned(),
            by: add.by.iter().cloned().collect(),
            millis: millis(add.length),
            reason: add.reason.clone(),
        },
        SilenceCommand::List(_) => SilenceRequest::List,
        SilenceCommand::End(end) => match (&end.rule, end.id) {
            (Some(rule), _) => SilenceRequest::EndOf(rule.as_str().to_owned()),
            (None, Some(id)) => SilenceRequest::End(id),
            // One of them is required.
            (None, None) => return Ok(Outcome::Usage),
        },
    };
    let asking = socket::ask(&state_dir, Request::Silence(request), PATIENCE);
    let answer = match super::runtime()?.block_on(asking) {
        Ok(answer) => answer,
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            if let AskFault::Nobody { .. } = fault {
                writeln!(
                    err,
                    "silences are kept by the running agent: start it, or name its directory with `--state-dir`"
                )?;
            }
            return Ok(Outcome::Failed);
        }
    };
    let silences: Vec<Silence> = serde_json::from_value(answer).map_err(io::Error::other)?;
    match &args.command {
        SilenceCommand::Add(_) => tell("silent", &silences, out)?,
        SilenceCommand::End(_) => tell("ended", &silences, out)?,
        SilenceCommand::List(list) if list.json => {
            let silences: Vec<_> = silences.iter().map(as_json).collect();
            writeln!(out, "{}", json!({ "silences": silences }))?;
        }
        SilenceCommand::List(_) if silences.is_empty() => writeln!(out, "no silences")?,
        SilenceCommand::List(_) => tell("", &silences, out)?,
    }
    Ok(Outcome::Fine)
}

fn state_dir(
    args: &SilenceArgs,
    surroundings: &dyn Surroundings,
    err: &mut dyn Write,
) -> io::Result<Option<PathBuf>> {
    if let Some(directory) = &args.state_dir {
        return Ok(Some(directory.clone()));
    }
    // Mistakes in the settings are no reason not to keep quiet.
    let loaded = super::whatever_settings(args.config.as_ref(), surroundings);
    match super::state_dir_of(loaded.state_dir.as_deref(), surroundings) {
        Ok(directory) => Ok(Some(directory)),
        Err(why) => {
            writeln!(err, "error: {why}")?;
            Ok(None)
        }
    }
}

/// One line for each.
fn tell(what: &str, silences: &[Silence], out: &mut dyn Write) -> io::Result<()> {
    for silence in silences {
        let by: Vec<String> = (silence.by.iter())
            .map(|(name, value)| format!(" {name}={value}"))
            .collect();
        let length = humane(silence.until.since(silence.since));
        let until = match what {
            "ended" => "ended".to_owned(),
            _ => format!("until {}, for {length}", shown(silence.until)),
        };
        writeln!(
            out,
            "{}  {}{}  {until}  by {}: {}",
            silence.id,
            silence.rule,
            by.concat(),
            printable(&silence.who),
            printable(&silence.reason)
        )?;
    }
    Ok(())
}

fn as_json(silence: &Silence) -> serde_json::Value {
    json!({
        "id": silence.id,
        "rule": silence.rule,
        "by": silence.by,
        "since": stamp(silence.since),
        "until": stamp(silence.until),
        "reason": silence.reason,
        "who": silence.who,
    })
}

fn stamp(wall: Wall) -> String {
    Timestamp::from_microsecond(wall.0)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

fn shown(wall: Wall) -> String {
    let at = Timestamp::from_microsecond(wall.0).unwrap_or(Timestamp::UNIX_EPOCH);
    let zoned = at.to_zoned(TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M").to_string()
}

/// What somebody else wrote must not steer the terminal.
fn printable(text: &str) -> String {
    (text.chars())
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}
