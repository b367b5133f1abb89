//! `logcrier send`: one message, to see that a webhook works.

use std::io::{self, Write};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::Outcome;
use super::args::{Common, SendArgs};
use crate::engine::answer::{Answer, Cause, classify};
use crate::engine::events::{EventId, Ids};
use crate::engine::ids::MessageId;
use crate::engine::message::{Surface, word_by_hand};
use crate::engine::outbox::Post;
use crate::host::{chat::Chat, clock, random};
use crate::rules::settings::Purpose;
use crate::rules::{Space, SpaceName, Surroundings};

/// How long all tries may take together.
const PATIENCE: Duration = Duration::from_secs(10);

/// Least time between two tries: the quota of a space.
const PAUSE: Duration = Duration::from_secs(1);

/// Posts one message and tells what came of it.
pub fn run(
    args: &SendArgs,
    surroundings: &dyn Surroundings,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let common = Common {
        config: args.config.clone(),
        rules: Vec::new(),
    };
    let Some(settings) = super::settings(&common, Purpose::Spaces, surroundings, err)? else {
        return Ok(Outcome::Failed);
    };
    let rules = &settings.rule_set;
    let name = match (&args.space, &rules.default_space) {
        (Some(name), _) => SpaceName::new(name),
        (None, Some(name)) => name.clone(),
        (None, None) => {
            writeln!(
                err,
                "error: several spaces and no default, say `--space NAME`"
            )?;
            return Ok(Outcome::Failed);
        }
    };
    let Some(space) = rules.spaces.get(&name) else {
        let known: Vec<&str> = rules.spaces.keys().map(SpaceName::as_str).collect();
        let known = known.join("`, `");
        writeln!(
            err,
            "error: no space `{name}` in the settings, there is `{known}`"
        )?;
        return Ok(Outcome::Failed);
    };
    let chat = match Chat::new(settings.ca_file.as_deref(), settings.proxy.as_ref()) {
        Ok(chat) => chat,
        Err(fault) => {
            writeln!(err, "error: ca_file: {fault}")?;
            return Ok(Outcome::Failed);
        }
    };
    let surface = Surface {
        host: rules.host.clone(),
        zone: TimeZone::UTC,
    };
    let post = Post {
        message: MessageId(0),
        request_id: Ids::new(random()).request(EventId(random()), name.as_str(), "by hand"),
        space: name.clone(),
        threaded: false,
        body: word_by_hand(&rules.redactor.redact(&args.text), &surface),
    };
    match super::runtime()?.block_on(try_to(&chat, space, &post)) {
        Ok(()) => {
            writeln!(out, "sent to `{name}`")?;
            Ok(Outcome::Fine)
        }
        Err(why) => {
            writeln!(err, "error: space `{name}`: {why}")?;
            Ok(Outcome::Failed)
        }
    }
}

/// Posts, and tries again while it makes sense and there is time.
pub(super) async fn try_to(chat: &Chat, space: &Space, post: &Post) -> Result<(), String> {
    let began = clock::now().moment;
    let left = || began.after(PATIENCE).from_now(clock::now().moment);
    loop {
        let sent = chat.post(&space.webhook, post, clock::now().wall);
        let Ok(reply) = tokio::time::timeout(left(), sent).await else {
            return Err("no answer within 10 s; the message may have arrived".to_owned());
        };
        let (wait, why) = match classify(&reply) {
            Answer::Delivered { .. } => return Ok(()),
            Answer::Refused { why } => return Err(format!("{why}: the message was refused")),
            Answer::SpaceRefused { certain: true, why } => {
                return Err(format!(
                    "{why}: the webhook was refused; was it deleted, or the address cut by the shell?"
                ));
            }
            Answer::SpaceRefused {
                certain: false,
                why,
            } => (None, why),
            Answer::Later { cause, wait, why } => {
                let why = match cause {
                    Cause::Quota => format!("{why}: the space's quota is used up"),
                    Cause::Trouble => why,
                    Cause::Unknown => format!("{why}; the message may have arrived"),
                };
                (wait, why)
            }
        };
        let wait = wait.unwrap_or(PAUSE).max(PAUSE);
        if wait >= left() {
            return Err(why);
        }
        let _ = tokio::time::timeout(wait, std::future::pending::<()>()).await;
    }
}
