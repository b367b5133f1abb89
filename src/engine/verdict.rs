//! How a check's findings are worded.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::checks::finding::Finding;
use super::course;
use super::markup;
use super::message::{Course, Draft, Reason, Tally, clock, group, humane, mark};
use super::time::Wall;
use crate::rules::Severity;

/// A plugin's state is one of so many first words.
const STATE_WORDS_MAX: usize = 3;

/// What a message begins with: a mark, and the state in one word.
pub(super) fn lead(draft: &Draft) -> String {
    let (mark, word) = state_of(draft);
    format!("{mark} *{word}* ")
}

/// The state, for a message that takes no other words.
pub(super) fn state_word(draft: &Draft) -> String {
    let (_, word) = state_of(draft);
    format!("{word}, ")
}

fn state_of(draft: &Draft) -> (&'static str, String) {
    let worst = draft.tally.worst;
    let is_fine = is_fine(draft);
    let course = draft.reason.course();
    if let Some(state) = course::state(course, is_fine, worst) {
        return state;
    }
    match course {
        Course::Broken => ("❔", "unknown".to_owned()),
        Course::Mended => ("✅", "known again".to_owned()),
        _ if is_fine && draft.reason.ends_quiet() => ("✅", "resolved".to_owned()),
        _ => (mark(worst), worst.to_string()),
    }
}

/// What a check says of itself. Plugins of Nagios begin with the service and its state
/// (`DISK CRITICAL - …`): where the message begins with the same state, it is left out.
pub(super) fn said(draft: &Draft, line: &str) -> String {
    let state = match draft.reason.course() {
        Course::Broken => "UNKNOWN",
        _ if is_fine(draft) => "OK",
        _ => match draft.tally.worst {
            Severity::Warning => "WARNING",
            Severity::Critical => "CRITICAL",
            Severity::Info | Severity::Error => return line.to_owned(),
        },
    };
    without_state(line, state)
}

/// A line without the word that stands in its beginning, if it does.
fn without_state(line: &str, state: &str) -> String {
    let begins = |idx: usize| {
        let (before, behind) = (&line[..idx], &line[idx + state.len()..]);
        let is_apart = before.is_empty() || before.ends_with(' ');
        let is_whole = behind.is_empty() || behind.starts_with([' ', ':', '-', ',']);
        is_apart && is_whole && before.split_whitespace().count() < STATE_WORDS_MAX
    };
    let found = line
        .match_indices(state)
        .map(|(idx, _)| idx)
        .find(|idx| begins(*idx));
    let Some(idx) = found else {
        return line.to_owned();
    };
    let (before, behind) = (line[..idx].trim_end(), &line[idx + state.len()..]);
    match before {
        "" => behind.trim_start_matches([' ', ':', '-', ',']).to_owned(),
        service => format!("{service}{behind}"),
    }
}

/// Why the message exists, and how it came to that.
pub(super) fn line(draft: &Draft, finding: &Finding, now: Wall, zone: &TimeZone) -> String {
    let tally = &draft.tally;
    let since = clock(draft.since, now, zone);
    let lasted = humane(tally.last.max(draft.since).since(draft.since));
    let how = markup::inline(&finding.how);
    let mut line = match draft.reason {
        Reason::First | Reason::Summary | Reason::Absent => how,
        Reason::SilenceEnd => format!("the silence is over: {}, {how}", state(draft)),
        Reason::HoursBegin => format!("its hours begin: {}, {how}", state(draft)),
        Reason::InhibitorEnd => format!("what kept it quiet is over: {}, {how}", state(draft)),
        Reason::Returned => format!("it was so since {since}"),
        Reason::Severity => format!("it got worse: now {}, {how}", tally.worst),
        Reason::Repeat => format!("still so since {since}, {how}"),
        Reason::Resolved => format!("it was so since {since}"),
        Reason::Brief => format!("failed and recovered within {lasted}"),
        Reason::Flapping => {
            let state = state(draft);
            format!(
                "it changes too often to say each time; now {state}. Quiet until it has not changed for 30 min"
            )
        }
        Reason::Steady => format!("no change for 30 min: {}", state(draft)),
        Reason::Broken => format!("the check itself is broken: {how}"),
        Reason::Mended => format!("the check told nothing since {since}"),
        Reason::Dropped => "its rule was removed while it was open".to_owned(),
    };
    let n_more = match draft.reason {
        Reason::First | Reason::Broken | Reason::Severity => tally.count.saturating_sub(1),
        Reason::Summary
        | Reason::Absent
        | Reason::Returned
        | Reason::SilenceEnd
        | Reason::HoursBegin
        | Reason::InhibitorEnd
        | Reason::Repeat
        | Reason::Resolved
        | Reason::Brief
        | Reason::Flapping
        | Reason::Steady
        | Reason::Mended
        | Reason::Dropped => tally.count,
    };
    if n_more > 0 {
        let results = match n_more {
            1 => "result",
            _ => "results",
        };
        let kind = match draft.reason {
            Reason::Broken | Reason::Mended => "",
            _ => " bad",
        };
        let _ = write!(
            line,
            ", *+{} more*{kind} {results}, {}–{}",
            group(n_more),
            clock(tally.first, now, zone),
            clock(tally.last, now, zone),
        );
    }
    line
}

fn is_fine(draft: &Draft) -> bool {
    let finding = draft.tally.latest.sample.finding.as_ref();
    finding.is_some_and(|finding| finding.is_fine)
}

fn state(draft: &Draft) -> &'static str {
    match is_fine(draft) {
        true => "all is well",
        false => "it is a problem",
    }
}

/// What is shown of the output: nothing where the title says it all.
pub(super) fn samples(tally: &Tally, finding: &Finding) -> Vec<String> {
    let output = &finding.output;
    let is_said_in_title = !output.contains('\n') && *output == tally.latest.sample.line;
    match output.is_empty() || is_said_in_title {
        true => Vec::new(),
        false => vec![output.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_not_said_twice() {
        for (line, expected) in [
            (
                "DISK CRITICAL - free space: / 7%",
                "DISK - free space: / 7%",
            ),
            ("HTTP CRITICAL: HTTP/1.1 503", "HTTP: HTTP/1.1 503"),
            ("CRITICAL - load is 17", "load is 17"),
            ("CRITICAL: load is 17", "load is 17"),
            ("CRITICAL load is 17", "load is 17"),
            ("Free Space CRITICAL - /", "Free Space - /"),
            ("PING CRITICAL", "PING"),
            ("CRITICAL", ""),
            // What says something else, or is no state.
            ("DISK WARNING - / 81%", "DISK WARNING - / 81%"),
            ("NONCRITICAL - fine", "NONCRITICAL - fine"),
            ("CRITICALITY 9", "CRITICALITY 9"),
            (
                "one two three CRITICAL - four",
                "one two three CRITICAL - four",
            ),
            ("critical mass", "critical mass"),
        ] {
            assert_eq!(without_state(line, "CRITICAL"), expected, "{line}");
        }
    }
}
