//! The records that a message shows, cut to their bounds.

use super::OTHER_SAMPLE_CHARS_MAX;
use super::draft::Reason;
use super::phrases::group;
use super::tally::{SAMPLES_MAX, Shown, Tally};
use crate::engine::{markup, verdict};

/// The record that a message is mainly about.
pub(super) fn main_sample(tally: &Tally, reason: Reason) -> &Shown {
    match reason {
        // What a command says last is how things are.
        _ if tally.latest.sample.finding.is_some() => &tally.latest,
        Reason::First => tally.different.first().unwrap_or(&tally.latest),
        Reason::Absent
        | Reason::Returned
        | Reason::SilenceEnd
        | Reason::HoursBegin
        | Reason::InhibitorEnd
        | Reason::Summary
        | Reason::Severity
        | Reason::Repeat
        | Reason::Resolved
        | Reason::Brief
        | Reason::Flapping
        | Reason::Steady
        | Reason::Broken
        | Reason::Mended
        | Reason::Dropped => &tally.latest,
    }
}

/// The samples of a message: the one it is mainly about, then other ones.
pub(super) fn samples(tally: &Tally, reason: Reason) -> Vec<String> {
    if reason == Reason::Absent {
        return Vec::new();
    }
    if let Some(finding) = &tally.latest.sample.finding {
        return verdict::samples(tally, finding);
    }
    let main = main_sample(tally, reason);
    let mut lines = vec![sample_line(main, 1_000)];
    for shown in tally.different.iter().chain(std::iter::once(&tally.latest)) {
        let line = sample_line(shown, OTHER_SAMPLE_CHARS_MAX);
        if shown.sample.line != main.sample.line && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.truncate(1 + SAMPLES_MAX);
    lines
}

/// A record between the lines around it, which are set back.
pub(super) fn surrounded(shown: &Shown) -> Option<String> {
    let around = shown.sample.around.as_ref()?;
    let set_back = |lines: &str| {
        let lines = lines.lines().map(|line| format!("  {line}"));
        lines.collect::<Vec<String>>().join("\n")
    };
    let record = sample_line(shown, 1_000);
    let parts = [set_back(&around.before), record, set_back(&around.after)];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Some(parts.join("\n"))
}

/// A record cut to a number of characters, saying how many bytes are not shown.
pub(super) fn sample_line(shown: &Shown, chars_max: usize) -> String {
    let line = &shown.sample.line;
    let kept = &line[..markup::cut_at(line, chars_max)];
    let n_cut = (line.len() - kept.len()) as u64;
    match n_cut + shown.sample.n_more_bytes {
        0 => kept.to_owned(),
        n_more => format!("{kept}… (+{} bytes)", group(n_more)),
    }
}
