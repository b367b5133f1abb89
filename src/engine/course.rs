//! How the course of an incident is worded: that it lasts, that it is over, why
//! nothing was said of it for a while.

use jiff::tz::TimeZone;

use super::incident::FLAPPING_WITHIN;
use super::message::{Draft, Reason, clock, counted_in, humane, mark};
use super::time::Wall;

/// The state in one word with its mark, where it is not the severity.
pub(super) fn lead(draft: &Draft) -> Option<String> {
    let mark = match draft.reason {
        Reason::First
        | Reason::Summary
        | Reason::Severity
        | Reason::Repeat
        | Reason::Absent
        | Reason::SilenceEnd
        | Reason::HoursBegin
        | Reason::InhibitorEnd
        | Reason::Broken
        | Reason::Mended => return None,
        Reason::Steady if draft.until.is_none() => mark(draft.tally.worst),
        Reason::Resolved | Reason::Brief | Reason::Returned | Reason::Steady => "✅",
        Reason::Flapping => "🔁",
        Reason::Dropped => "⏹️",
    };
    word(draft).map(|word| format!("{mark} *{word}* "))
}

/// That word, for a message that takes no other.
pub(super) fn word(draft: &Draft) -> Option<String> {
    let worst = draft.tally.worst;
    Some(match draft.reason {
        Reason::First
        | Reason::Summary
        | Reason::Severity
        | Reason::Repeat
        | Reason::SilenceEnd
        | Reason::HoursBegin
        | Reason::InhibitorEnd
        | Reason::Broken
        | Reason::Mended => return None,
        Reason::Absent => "nothing came".to_owned(),
        Reason::Resolved | Reason::Brief | Reason::Returned => "resolved".to_owned(),
        Reason::Flapping => format!("flapping, {worst}"),
        Reason::Steady if draft.until.is_some() => "steady, resolved".to_owned(),
        Reason::Steady => format!("steady, {worst}"),
        Reason::Dropped => "no longer watched".to_owned(),
    })
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
