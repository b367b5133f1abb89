//! What happened, in lines that a person can follow.

use logcrier::engine::answer::Reply;
use logcrier::engine::commit::{Commit, MessageState};
use logcrier::engine::identity::Facts;
use logcrier::engine::schedule::{Listing, Look, ReadDone, Sought, Turn};
use logcrier::engine::{Action, Input};

use super::told;

/// An input in one line.
pub(crate) fn input(input: &Input) -> String {
    match input {
        Input::Tick => "tick".into(),
        Input::Stdin(news) => format!("standard input: {news:?}"),
        Input::Journal { outcome, .. } => format!("read the journal: {outcome:?}"),
        Input::Hint { hint, .. } => format!("hint {hint:?}"),
        Input::Listed(listing) => listed(listing),
        Input::Looked {
            stream, outcome, ..
        } => match outcome {
            Ok(look) => format!("looked at #{}: {}", stream.0, looked(look)),
            Err(fault) => format!("looked at #{}: {}", stream.0, fault.why),
        },
        Input::Read {
            stream, outcome, ..
        } => match outcome {
            Ok(ReadDone::Scanned { scanned, at_end }) => format!(
                "read #{} up to {}, {} hits, {} unfinished{}",
                stream.0,
                scanned.upto,
                scanned.hits.len(),
                scanned.n_unfinished,
                if *at_end { ", at its end" } else { "" },
            ),
            Ok(ReadDone::Changed) => format!("read #{}: it changed", stream.0),
            Ok(ReadDone::Later) => format!("read #{}: not there yet", stream.0),
            Err(fault) => format!("read #{}: {}", stream.0, fault.why),
        },
        Input::Found(stream, found) => format!("found #{}: {found:?}", stream.0),
        Input::Ran(run, ran) => format!("run {} ended: {:?}", run.0, ran.ending),
        Input::Told(told) => format!("told of {}: {:?}", told.key, told.ran.ending),
        Input::Silence { wish, .. } => format!("asked for {wish:?}"),
        Input::Gone(run) => format!("run {} is gone", run.0),
        Input::Committed(id, Ok(())) => format!("committed {}", id.0),
        Input::Committed(id, Err(fault)) => format!("not committed {}: {}", id.0, fault.why),
        Input::Answered(message, reply) => match reply {
            Reply::Http {
                status,
                retry_after,
                body,
            } => format!(
                "answer to {}: {status}, {} bytes{}",
                message.0,
                body.len(),
                retry_after.map_or(String::new(), |wait| format!(", after {wait:?}")),
            ),
            Reply::Unreached { why } | Reply::Unanswered { why } => {
                format!("answer to {}: {why}", message.0)
            }
        },
        Input::Reload(rules) => format!("reload, {} rules", rules.rules.len()),
        Input::Stop => "stop".into(),
    }
}

/// An action in one line.
pub(crate) fn action(action: &Action) -> String {
    match action {
        Action::Files(Turn::List(scope)) => format!("list {scope:?}"),
        Action::Files(Turn::Look(look)) => format!(
            "look at #{} {:?} {:?}",
            look.stream.0, look.path, look.stretches
        ),
        Action::Files(Turn::Read(read)) => format!(
            "read #{} from {}, {:?}",
            read.stream.0, read.offset, read.ending
        ),
        Action::Files(Turn::Seek(Sought { stream, path, .. })) => {
            format!("seek #{} {path:?}", stream.0)
        }
        Action::Files(Turn::Close(stream)) => format!("close #{}", stream.0),
        Action::Journal(turn) => format!("read the journal behind {:?}", turn.after),
        Action::Spent(reach) => format!("standard input is spent up to {}", reach.upto),
        Action::Run(start) => format!("run {}: {}", start.run.0, start.key),
        Action::Answer(ticket, outcome) => format!("answer {ticket}: {outcome:?}"),
        Action::StopRun(run) => format!("stop run {}", run.0),
        Action::Commit(commit) => committing(commit),
        Action::Post(post) => format!(
            "post {} to {:?}: {}",
            post.message.0,
            post.space,
            match told::read_back(&post.body) {
                Some(said) => format!("{said:?}"),
                None => post.body.clone(),
            }
        ),
        Action::Ready => "ready".into(),
        Action::Report(report) => format!("report {report:?}"),
        Action::Stopped => "stopped".into(),
    }
}

fn listed(listing: &Listing) -> String {
    let mut text = "listed".to_owned();
    for entry in &listing.entries {
        let real = entry
            .real
            .as_ref()
            .map_or(String::new(), |real| format!(" -> {real:?}"));
        text += &format!(" {:?}{real} {};", entry.path, facts(&entry.facts));
    }
    for (path, why) in &listing.faults {
        text += &format!(" {path:?}: {why};");
    }
    text
}

fn looked(look: &Look) -> String {
    let named = look.named.map(|place| place.inode);
    match &look.opened {
        Some(found) => format!("{}, the name leads to {named:?}", facts(found)),
        None => format!("not there, the name leads to {named:?}"),
    }
}

fn facts(facts: &Facts) -> String {
    format!(
        "inode {} of {} bytes, {} names",
        facts.place.inode, facts.size, facts.links
    )
}

fn committing(commit: &Commit) -> String {
    let mut text = format!("commit {}:", commit.id.0);
    for stream in &commit.streams {
        text += &format!(" #{} at {};", stream.id.0, stream.offset);
    }
    for id in &commit.streams_gone {
        text += &format!(" #{} gone;", id.0);
    }
    for record in &commit.instances {
        let n_held: u64 = record.held.iter().map(|(_, tally)| tally.count).sum();
        text += &format!(" {} {:?} holds {n_held};", record.id.rule, record.id.by);
    }
    for id in &commit.instances_gone {
        text += &format!(" {} {:?} idle;", id.rule, id.by);
    }
    for record in &commit.checks {
        text += &format!(" check {};", record.key);
    }
    for message in &commit.messages {
        let state = match message.state {
            MessageState::Waiting => "waits",
            MessageState::Frozen { .. } => "frozen",
            MessageState::Parked { .. } => "parked",
        };
        text += &format!(" message {} {state};", message.id.0);
    }
    for id in &commit.messages_gone {
        text += &format!(" message {} gone;", id.0);
    }
    text
}
