//! The messages that a check makes of what it holds.

use super::{Held, instance_of};
use crate::engine::events::{Event, Ids};
use crate::engine::instances::Birth;
use crate::engine::message::{Draft, Reason, Shown, Tally};
use crate::engine::time::{Now, Wall};
use crate::rules::{RuleKey, Severity, SpaceName};

/// What a change is said with.
pub(super) struct Speech<'a> {
    pub(super) spaces: &'a [SpaceName],
    pub(super) reason: Reason,
    pub(super) total: u64,
    pub(super) since: Wall,
    /// The result that it is about.
    pub(super) event: &'a Event,
}

/// An event of the engine's own making: it is about a result of before.
pub(super) fn event_of(
    ids: &Ids,
    key: &RuleKey,
    now: Now,
    latest: &Shown,
    severity: Severity,
    what: &str,
) -> Event {
    Event {
        id: ids.own(key, what, now.wall),
        instance: instance_of(key),
        severity,
        at: now.wall,
        sample: latest.sample.clone(),
        source: latest.source.clone(),
        besides: None,
    }
}

/// Makes a message for each space, with all that is held for it.
pub(super) fn spoken(held: &mut Held, speech: &Speech<'_>) -> Vec<Birth> {
    let event = speech.event;
    (speech.spaces.iter())
        .map(|space| {
            let mut tally = tally_about(held.remove(space).as_ref(), event, event.severity);
            tally.birth = event.id;
            Birth {
                space: space.clone(),
                instance: event.instance.clone(),
                draft: Draft {
                    reason: speech.reason,
                    tally,
                    total: speech.total,
                    since: speech.since,
                    until: None,
                },
            }
        })
        .collect()
}

/// What is held, with a result on top that is shown and not counted: it either is
/// counted already, or is none of what counts.
pub(super) fn tally_about(held: Option<&Tally>, event: &Event, worst: Severity) -> Tally {
    let mut tally = match held {
        Some(held) => held.clone(),
        None => Tally {
            count: 0,
            ..Tally::of(event)
        },
    };
    tally.birth = event.id;
    tally.worst = worst;
    tally.latest = Shown::of(event);
    tally
}

pub(super) fn add(tally: &mut Option<Tally>, event: &Event) {
    match tally {
        Some(tally) => tally.add(event),
        None => *tally = Some(Tally::of(event)),
    }
}

/// Holds a result together with those before it, which were not worth saying by
/// themselves. Returns how many they are.
pub(super) fn hold_with(
    before: &mut Option<Tally>,
    held: &mut Held,
    spaces: &[SpaceName],
    event: &Event,
) -> u64 {
    let counted = match before.take() {
        Some(mut tally) => {
            tally.add(event);
            tally
        }
        None => Tally::of(event),
    };
    for space in spaces {
        hold_all(held, space, &counted);
    }
    counted.count
}

pub(super) fn hold(held: &mut Held, space: &SpaceName, event: &Event) {
    hold_all(held, space, &Tally::of(event));
}

pub(super) fn hold_all(held: &mut Held, space: &SpaceName, counted: &Tally) {
    match held.get_mut(space) {
        Some(tally) => tally.merge(counted),
        None => drop(held.insert(space.clone(), counted.clone())),
    }
}
