//! A result that is told without an agent: one message, here and now.

use crate::engine::events::{Event, EventId, Ids};
use crate::engine::ids::MessageId;
use crate::engine::message::{self, Draft, Reason, Surface, Tally};
use crate::engine::outbox::Post;
use crate::engine::time::Wall;
use crate::rules::Rule;
use crate::rules::checks::Meaning;
use crate::secrets::Redactor;

use super::finding::{self, Judged};

/// The messages that a bad or unknown result asks for, one for each space of its
/// rule; none for a good one.
pub fn posts(
    rule: &Rule,
    judged: &Judged,
    id: u128,
    at: Wall,
    surface: &Surface,
    redactor: &Redactor,
) -> Vec<Post> {
    let (severity, reason) = match judged.meaning {
        Meaning::Fine => return Vec::new(),
        Meaning::Bad(severity) => (severity, Reason::First),
        Meaning::Unknown => (finding::BROKEN, Reason::Broken),
    };
    let instance = super::instance_of(&rule.key);
    let event = Event {
        id: EventId(id),
        instance: instance.clone(),
        severity,
        at,
        sample: judged.sample.clone(),
        source: (rule.check.as_ref())
            .map_or("exec".into(), |check| super::source_of(check, redactor)),
        besides: None,
    };
    let draft = Draft {
        reason,
        tally: Tally::of(&event),
        total: 1,
        since: at,
        until: None,
    };
    let thread_key = message::thread_key(rule, &instance, at, at, &surface.zone, reason);
    let worded = message::word(
        Some(rule),
        &instance,
        &draft,
        thread_key.as_deref(),
        at,
        surface,
    );
    (rule.spaces.iter())
        .map(|space| Post {
            message: MessageId(0),
            space: space.clone(),
            request_id: Ids::new(id).request(event.id, space.as_str(), reason.birth_word()),
            threaded: thread_key.is_some(),
            body: worded.body.clone(),
        })
        .collect()
}
