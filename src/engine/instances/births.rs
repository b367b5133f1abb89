//! The messages that an instance makes, and the events that are none of the world.

use std::path::Path;
use std::sync::Arc;

use super::{Birth, Case};
use crate::engine::events::{Event, EventId, InstanceId};
use crate::engine::message::{Draft, Reason, Shown, Tally};
use crate::engine::outbox::Outbox;
use crate::engine::scan::Sample;
use crate::engine::time::Wall;
use crate::rules::{Severity, SpaceName, source_name};

/// Without debounce every event is its own message, but for those that wait.
pub(super) fn said_alone(
    case: &Case<'_>,
    event: &Event,
    counted: &Tally,
    births: &mut Vec<Birth>,
    outbox: &mut Outbox,
) {
    for space in &case.rule.spaces {
        if !outbox.absorb(space, event, counted, 0) {
            let course = (counted.count, counted.first, None);
            births.push(birth(
                space,
                case.id,
                Reason::First,
                counted.clone(),
                course,
            ));
        }
    }
}

/// A message: the events of the incident so far, when it began, and when it ended.
pub(super) fn birth(
    space: &SpaceName,
    id: &InstanceId,
    reason: Reason,
    tally: Tally,
    course: (u64, Wall, Option<Wall>),
) -> Birth {
    let (total, since, until) = course;
    Birth {
        space: space.clone(),
        instance: id.clone(),
        draft: Draft {
            reason,
            tally,
            total,
            since,
            until,
        },
    }
}

/// What is held, with a record on top that is shown and not counted.
pub(super) fn about(held: Option<Tally>, latest: &Shown, what: (EventId, Wall, Severity)) -> Tally {
    let (birth, at, worst) = what;
    match held {
        Some(held) => Tally {
            birth,
            worst,
            latest: latest.clone(),
            ..held
        },
        None => Tally {
            count: 0,
            birth,
            first: at,
            last: at,
            worst,
            different: vec![latest.clone()],
            latest: latest.clone(),
        },
    }
}

/// The id of something of the engine's own making.
pub(super) fn own_id(case: &Case<'_>, what: &str) -> EventId {
    let subject = format!("{what} {}", case.id.by.join("\0"));
    case.ids.own(&case.rule.key, &subject, case.now.wall)
}

/// The event that is none: a sign of life did not come.
pub(super) fn missed(case: &Case<'_>) -> Event {
    let rule = case.rule;
    let values = rule.by.iter().zip(case.id.by.iter());
    let sample = Sample {
        captures: (values.clone())
            .map(|(name, value)| (Arc::from(name.as_str()), value.clone()))
            .collect(),
        ..Sample::default()
    };
    let source: Arc<str> = match rule.files.include.first() {
        Some(glob) => source_name(Path::new(glob.as_str())).into(),
        None => "exec".into(),
    };
    Event {
        id: own_id(case, "absent"),
        instance: case.id.clone(),
        severity: rule.severity,
        at: case.now.wall,
        sample: Arc::new(sample),
        source,
        besides: None,
    }
}
