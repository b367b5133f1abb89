//! The tests that rules carry: how they are written, and how they fail.

use super::{hint, listed};
use crate::diagnostic::{Report, Span};

/// How they are written.
impl Report {
    /// Lines to match for a rule that looks at statuses only.
    pub fn no_lines_to_match(&mut self, at: Span, name: &str) {
        self.error(
            at,
            format!("`{name}` for a rule that matches no lines"),
            hint("write a `sequence` of `{status: 2, output: '…', posts: 1}`"),
        );
    }

    /// A step in which nothing happens.
    pub fn nothing_happens(&mut self, at: Span) {
        self.error(
            at,
            "a step in which nothing happens".into(),
            hint("add `line: …`, `advance: 5m`, or `status: 2` for a command"),
        );
    }

    /// A step in which two things happen.
    pub fn two_steps_in_one(&mut self, at: Span, first: &str, second: &str) {
        self.error(
            at,
            format!("a step with `{first}` and `{second}`"),
            hint("write two steps: they happen one after the other"),
        );
    }

    /// A field that means nothing in a step of its kind.
    pub fn not_in_this_step(&mut self, at: Span, name: &str, kind: &str) {
        self.error(
            at,
            format!("`{name}` in a step with `{kind}`"),
            hint("remove it"),
        );
    }

    /// A step that is for rules of another kind.
    pub fn step_of_others(&mut self, at: Span, name: &str, what: &str, example: &str) {
        self.error(
            at,
            format!("`{name}` for a rule that hears of it when {what}"),
            Some(format!("write `{example}`")),
        );
    }

    /// A distance between things of which there is one.
    pub fn every_without_times(&mut self, at: Span) {
        self.error(
            at,
            "`every` and nothing that happens more than once".into(),
            hint("add `times: 5`, or let time pass with `- {advance: 5m}`"),
        );
    }

    /// Something that should be an exit status.
    pub fn not_a_status(&mut self, at: Span, found: &str) {
        self.error(
            at,
            format!("`{found}` is not an exit status"),
            hint("write a number from 0 to 255"),
        );
    }

    /// Something that should be a count.
    pub fn not_a_count(&mut self, at: Span, name: &str, found: &str, least: u64, most: u64) {
        self.error(
            at,
            format!("`{name}` should be a number from {least} to {most}, and this is `{found}`"),
            None,
        );
    }

    /// A text in the messages of a step that must have none.
    pub fn contained_in_nothing(&mut self, at: Span) {
        self.error(
            at,
            "`contains` in a step without posts".into(),
            hint("write `posts: 1`, or remove `contains`"),
        );
    }

    /// A story that nobody would wait for.
    pub fn sequence_too_long(&mut self, at: Span, times_max: u64, days_max: u64) {
        self.error(
            at,
            format!(
                "the steps up to here write more than {times_max} lines or take longer \
                 than {days_max} days"
            ),
            hint("show it with less"),
        );
    }

    /// Rules without tests.
    pub fn no_tests(&mut self, at: Span, key: &str, n_others: usize) {
        let reason = match n_others {
            0 => format!("`{key}` has no `tests`: nobody knows whether it matches what is meant"),
            1 => format!("`{key}` and another rule have no `tests`"),
            _ => format!("`{key}` and {n_others} other rules have no `tests`"),
        };
        self.warning(
            at,
            reason,
            hint("add `tests: {match: ['a line that it must match'], no_match: ['one that it must not']}`"),
        );
    }
}

/// How they fail.
impl Report {
    /// A line that should match does not.
    pub fn does_not_match(&mut self, at: Span, key: &str, why: &str) {
        self.error(
            at,
            format!("`{key}` does not match this line: {why}"),
            hint("change the rule, or move the line to `no_match`"),
        );
    }

    /// A line that should not match does.
    pub fn does_match(&mut self, at: Span, key: &str, why: &str) {
        self.error(
            at,
            format!("`{key}` matches this line: {why}"),
            hint("add what tells it apart to `except`, or move the line to `match`"),
        );
    }

    /// A capture is not what it should be.
    pub fn captures_other(&mut self, at: Span, name: &str, found: &str, expected: &str) {
        self.error(
            at,
            format!("`{name}` captures `{found}`, and `{expected}` was expected"),
            None,
        );
    }

    /// A capture that the line does not give.
    pub fn captures_nothing(&mut self, at: Span, name: &str, given: &[&str]) {
        let way_out = match given {
            [] => "this line captures nothing".to_owned(),
            given => format!("this line captures {}", listed(given)),
        };
        self.error(at, format!("`{name}` captures nothing here"), Some(way_out));
    }

    /// A step posts more or less than it should. `n_held` events are counted and not
    /// said; `said` is what came, as people would read it.
    pub fn other_posts(
        &mut self,
        at: Span,
        found: u64,
        expected: u64,
        n_held: u64,
        said: Vec<String>,
    ) {
        let word = |n: u64| match n {
            0 => "no post".to_owned(),
            1 => "1 post".to_owned(),
            _ => format!("{n} posts"),
        };
        let were = if expected == 1 { "was" } else { "were" };
        let reason = format!(
            "{} in this step, and {} {were} expected",
            word(found),
            match expected {
                0 => "none".to_owned(),
                _ => expected.to_string(),
            }
        );
        let events = match n_held {
            1 => "1 event is".to_owned(),
            _ => format!("{n_held} events are"),
        };
        let way_out = (found < expected && n_held > 0).then(|| {
            format!("{events} counted until the window of `debounce` ends: `advance` to its end")
        });
        self.error_with_notes(at, reason, way_out, said);
    }

    /// No message of a step says what it should.
    pub fn says_other(&mut self, at: Span, expected: &str, said: Vec<String>) {
        let reason = match said.is_empty() {
            true => format!("nothing is posted in this step, so nothing contains `{expected}`"),
            false => format!("no post of this step contains `{expected}`"),
        };
        self.error_with_notes(at, reason, None, said);
    }
}
