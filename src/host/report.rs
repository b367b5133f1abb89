//! What people should hear, as log lines.

use tracing::{debug, error, info, warn};

use crate::engine::Report;
use crate::engine::journal;
use crate::engine::outbox::Outcome;
use crate::engine::schedule::Notice;
use crate::engine::stdin::News;

/// Logs one report. `error` needs a person, `warn` may, `info` marks a life event.
pub(super) fn tell(report: &Report) {
    match report {
        Report::File(notice) => file(notice),
        Report::Journal(notice) => journal(notice),
        Report::Stdin(news) => stdin(news),
        Report::Delivery(outcome) => delivery(outcome),
        Report::TemplateFailed { rule, why } => {
            warn!(%rule, why, "a template failed, the built-in wording was used");
        }
        Report::SpaceMissing { space, n_messages } => {
            warn!(%space, n_messages, "messages wait for a space that is not in the settings");
        }
        Report::StateFailed { why } => {
            error!(
                why,
                "the state cannot be written; reading pauses, nothing is lost"
            );
        }
        Report::StateRecovered => info!("the state can be written again"),
        Report::OutboxFull => {
            warn!(
                "the outbox is full; the mildest and oldest messages become counts of their rules"
            );
        }
        Report::OutboxDrained => info!("the outbox has room again"),
    }
}

fn journal(notice: &journal::Notice) {
    match notice {
        journal::Notice::Unreadable { why } => {
            warn!(why, "the journal cannot be read, will be tried again");
        }
        journal::Notice::StaysUnreadable { why } => {
            warn!(why, "the journal still cannot be read");
        }
        journal::Notice::Readable => info!("the journal can be read again"),
        journal::Notice::Gap { since } => {
            let since = since.rfc3339();
            warn!(since, "the journal lost entries that were not read yet");
        }
    }
}

fn stdin(news: &News) {
    match news {
        News::Ended(_) => info!("standard input has ended"),
        News::Unreadable { why } => warn!(why, "standard input cannot be read"),
        News::Uncopied { why } => {
            warn!(
                why,
                "what comes by standard input cannot be written to the state directory, will be \
                 tried again; whoever writes there waits"
            );
        }
        News::Copied => info!("what comes by standard input can be written again"),
    }
}

fn file(notice: &Notice) {
    match notice {
        Notice::Follows { path, offset } => {
            debug!(path = %path.display(), offset, "following");
        }
        Notice::Rotated { path } => debug!(path = %path.display(), "rotated"),
        Notice::Truncated { path, n_lost: 0 } => {
            debug!(path = %path.display(), "cut short, reading from its start");
        }
        Notice::Truncated { path, n_lost } => {
            warn!(path = %path.display(), n_lost, "cut short before it was read to its end");
        }
        Notice::CutInPlace { path, offset } => {
            info!(path = %path.display(), offset, "edited in place, going on where it is still the same");
        }
        Notice::Lost { path, n_lost } => {
            warn!(path = %path.display(), n_lost, "gone before it was read to its end");
        }
        Notice::Binary { path } => {
            warn!(path = %path.display(), "is no text and is not read");
        }
        Notice::BareReturns { path } => {
            warn!(path = %path.display(), "its lines end in carriage returns only, which is not supported");
        }
        Notice::ArchiveBroken { path, why } => {
            warn!(path = %path.display(), why, "cannot be decompressed to its end; what it held up to there was read");
        }
        Notice::ArchiveSkipped { path } => {
            warn!(path = %path.display(), "a compressed file of which nothing was followed is not read");
        }
        Notice::Unreadable { path, why } => {
            warn!(path = %path.display(), why, "cannot be read, will be tried again");
        }
        Notice::StaysUnreadable { path, why } => {
            warn!(path = %path.display(), why, "still cannot be read");
        }
        Notice::StaysAway { path } => warn!(path = %path.display(), "was followed and is gone"),
        Notice::NeverCame { path } => {
            warn!(path = %path.display(), "a rule waits for its lines and it is not there");
        }
        Notice::Back { path } => info!(path = %path.display(), "is there now"),
        Notice::Readable { path } => info!(path = %path.display(), "can be read again"),
        Notice::HintsLost => warn!("inotify lost events; looking at everything instead"),
        Notice::HintsBack { n_times } => info!(n_times, "inotify loses no more events"),
        Notice::Unwatched { path, why } => {
            warn!(path = %path.display(), why, "cannot be watched, polling instead");
        }
        Notice::Watched => info!("everything is watched again"),
        Notice::Shared { path, kind } => {
            info!(path = %path.display(), kind, "others may change this file system unseen, polling as well");
        }
        Notice::MountedAlone { path } => {
            warn!(path = %path.display(), "this file is mounted alone: when it is rotated where it comes from, nothing of that is seen here; mount its directory");
        }
        Notice::CutOff { path, why } => {
            warn!(path = %path.display(), why, "not everything below it is followed");
        }
        Notice::Whole { path } => {
            info!(path = %path.display(), "everything below it is followed again");
        }
        Notice::Own { path } => {
            warn!(path = %path.display(), "a pattern names what is the agent's own; not followed");
        }
        Notice::LinesCut { path, n_lines } => {
            debug!(path = %path.display(), n_lines, "lines were cut at their longest");
        }
    }
}

fn delivery(outcome: &Outcome) {
    match outcome {
        Outcome::Delivered {
            message, instance, ..
        } => {
            debug!(number = message.0, rule = %instance.rule, "delivered");
        }
        Outcome::Troubled { space, why } => {
            warn!(%space, why, "cannot post, will be tried again; nothing is lost");
        }
        Outcome::Lasting { space, why } => {
            error!(%space, why, "cannot post for five minutes now; nothing is lost");
        }
        Outcome::Recovered { space } => info!(%space, "posting again"),
        Outcome::Refused { space, why } => {
            error!(%space, why, "the space refuses messages; they wait, and one is tried every 5 min");
        }
        Outcome::Parked {
            message,
            space,
            instance,
            count,
            why,
        } => {
            error!(number = message.0, %space, rule = %instance.rule, count, why, "a message was refused twice and is set aside");
        }
    }
}
