//! How many more there were and when, and why the message exists.

use jiff::tz::TimeZone;

use super::draft::{Draft, Reason};
use super::is_of_absence;
use super::phrases::{clock, group, when, within};
use super::tally::Tally;
use crate::engine::time::Wall;
use crate::engine::{course, verdict};

/// `+37 more in 5 min, 10:02:11–10:06:58`, and why the message exists.
pub(super) fn more_line(draft: &Draft, now: Wall, zone: &TimeZone) -> Option<String> {
    let tally = &draft.tally;
    if let Some(finding) = &tally.latest.sample.finding
        && !is_of_absence(draft.reason)
    {
        return Some(verdict::line(draft, finding, now, zone));
    }
    if let Some(line) = course::line(draft, now, zone) {
        return Some(line);
    }
    let n_more = match draft.reason {
        Reason::First | Reason::Severity => tally.count.saturating_sub(1),
        Reason::Absent
        | Reason::Returned
        | Reason::SilenceEnd
        | Reason::HoursBegin
        | Reason::InhibitorEnd
        | Reason::Summary
        | Reason::Repeat
        | Reason::Resolved
        | Reason::Brief
        | Reason::Flapping
        | Reason::Steady
        | Reason::Broken
        | Reason::Mended
        | Reason::Dropped => tally.count,
    };
    let mut parts = Vec::new();
    if draft.reason == Reason::Severity {
        parts.push(format!("it got worse: now {}", tally.worst));
    }
    if n_more > 0 {
        parts.push(counted_in(n_more, tally, now, zone));
    }
    if draft.reason != Reason::First && draft.total > tally.count {
        let since = clock(draft.since, now, zone);
        parts.push(format!("{} since {since}", group(draft.total)));
    }
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// `+37 more in 5 min, 10:02:11–10:06:58`.
pub(in crate::engine) fn counted_in(
    n_more: u64,
    tally: &Tally,
    now: Wall,
    zone: &TimeZone,
) -> String {
    format!(
        "*+{} more* {}, {}",
        group(n_more),
        within(tally.last.since(tally.first)),
        when(tally, now, zone),
    )
}
