//! How the course of an incident is worded: that it lasts, that it is over, why
//! nothing was said of it for a while.

use jiff::tz::TimeZone;

use super::incident::FLAPPING_WITHIN;
use super::message::{Course, Draft, Reason, clock, counted_in, humane, mark};
use super::time::Wall;
use crate::rules::Severity;

/// The state as a mark and a word, where the course tells it and not the severity.
pub(super) fn state(
    course: Course,
    is_over: bool,
    worst: Severity,
) -> Option<(&'static str, String)> {
    Some(match course {
        Course::Lasts | Course::Broken | Course::Mended => return None,
        Course::Over => ("✅", "resolved".to_owned()),
        Course::Flapping => ("🔁", format!("flapping, {worst}")),
        Course::Steady if is_over => ("✅", "steady, resolved".to_owned()),
        Course::Steady => (mark(worst), format!("steady, {worst}")),
        Course::Dropped => ("⏹️", "no longer watched".to_owned()),
    })
}

fn state_of(draft: &Draft) -> Option<(&'static str, String)> {
    let is_over = draft.until.is_some();
    state(draft.reason.course(), is_over, draft.tally.worst)
}

/// The state in one word with its mark, where it is not the severity.
pub(super) fn lead(draft: &Draft) -> Option<String> {
    state_of(draft).map(|(mark, word)| format!("{mark} *{word}* "))
}

/// That word, for a message that takes no other.
pub(super) fn word(draft: &Draft) -> Option<String> {
    match draft.reason {
        Reason::Absent => Some("nothing came".to_owned()),
        _ => state_of(draft).map(|(_, word)| word),
    }
}

/// Why the message exists, and how it came to that; nothing if its events say it all.
pub(super) fn line(draft: &Draft, now: Wall, zone: &TimeZone) -> Option<String> {
    let tally = &draft.tally;
    let since = clock(draft.since, now, zone);
    let until = draft.until.unwrap_or(tally.last);
    let lasted = humane(until.max(draft.since).since(draft.since));
    let is_over = draft.until.is_some();
    let n_more = match draft.reason {
        Reason::Brief => tally.count.saturating_sub(1),
        // What did not come cannot be counted.
        Reason::Absent | Reason::Returned => 0,
        _ => tally.count,
    };
    let what = match draft.reason {
        Reason::First | Reason::Summary | Reason::Severity | Reason::Broken | Reason::Mended => {
            return None;
        }
        Reason::Repeat => format!("still so since {since}"),
        Reason::Resolved => format!("it was so since {since}, for {lasted}"),
        Reason::Brief => format!("failed and recovered within {lasted}"),
        Reason::Flapping => {
            let state = if is_over { "it is over" } else { "it is open" };
            let quiet = humane(FLAPPING_WITHIN);
            format!(
                "it opens and closes too often to say each time; now {state}. \
                 Quiet until it has not changed for {quiet}"
            )
        }
        Reason::Steady => {
            let state = if is_over { "it is over" } else { "it is open" };
            format!("no change for {}: {state}", humane(FLAPPING_WITHIN))
        }
        Reason::Dropped => "its rule was removed while it was open".to_owned(),
        Reason::Absent => format!("nothing came since {since}, for {lasted}"),
        Reason::Returned => format!("it came again, after {lasted} without since {since}"),
        Reason::SilenceEnd => after("the silence is over", is_over, &since),
        Reason::HoursBegin => after("its hours begin", is_over, &since),
        Reason::InhibitorEnd => after("what kept it quiet is over", is_over, &since),
    };
    Some(match n_more {
        0 => what,
        n => format!("{what} · {}", counted_in(n, tally, now, zone)),
    })
}

fn after(why: &str, is_over: bool, since: &str) -> String {
    match is_over {
        true => format!("{why}; meanwhile it was only counted"),
        false => format!("{why}, and it is still open since {since}; meanwhile only counted"),
    }
}
