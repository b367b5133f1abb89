//! Rules of commands.

use super::hint;
use crate::diagnostic::{Report, Span};

impl Report {
    /// A rule that watches nothing.
    pub fn nothing_watched(&mut self, at: Span) {
        self.error(
            at,
            "a rule that watches nothing".into(),
            hint(
                "add `files: [/var/log/…]`, `journal: {unit: …}`, `stdin: true`, `command: [PROGRAM, …]`, \
                 `shell: LINE` or `exec: true`",
            ),
        );
    }

    /// A rule that watches several things.
    pub fn several_sources(&mut self, at: Span, first: &str, second: &str) {
        self.error(
            at,
            format!("`{first}` and `{second}` in one rule: it watches one thing"),
            hint("make a rule of each"),
        );
    }

    /// A field that the kind of its rule does not have.
    pub fn misplaced_field(&mut self, at: Span, name: &str, kind: &str, way_out: &str) {
        self.error(
            at,
            format!("`{name}` means nothing in {kind}"),
            hint(way_out),
        );
    }

    /// `exec: false`.
    pub fn exec_false(&mut self, at: Span) {
        self.error(
            at,
            "`exec` can only be `true`".into(),
            hint("remove the rule if nothing reports under its key"),
        );
    }

    /// `stdin: false`.
    pub fn stdin_false(&mut self, at: Span) {
        self.error(
            at,
            "`stdin` can only be `true`".into(),
            hint("say what else the rule watches, such as `files: [/var/log/…]`"),
        );
    }

    /// A command that looks like a line for a shell.
    pub fn command_as_line(&mut self, at: Span, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.error(
            at,
            "`command` takes a list, and no shell splits this text".into(),
            Some(format!(
                "write `command: [{}]`, or `shell:` instead of `command:`",
                words.join(", ")
            )),
        );
    }

    /// A time zone that nobody knows.
    pub fn unknown_zone(&mut self, at: Span, found: &str) {
        self.error(
            at,
            format!("no time zone `{found}` on this machine"),
            hint("write a name such as `Europe/Berlin` or `UTC`; the names come with the package tzdata"),
        );
    }

    /// A time zone for a distance.
    pub fn zone_without_cron(&mut self, at: Span) {
        self.error(
            at,
            "`tz` belongs to `cron`, and this rule has `every`".into(),
            hint("remove it"),
        );
    }

    /// Both ways to say when.
    pub fn every_and_cron(&mut self, at: Span) {
        self.error(
            at,
            "both `every` and `cron`".into(),
            hint("remove one of them"),
        );
    }

    /// A crontab line that is none.
    pub fn not_a_cron(&mut self, at: Span, why: &str) {
        self.error(
            at,
            format!("no times of a crontab: {why}"),
            hint("write minute, hour, day of the month, month, day of the week, such as `30 2 * * mon-fri`"),
        );
    }

    /// A duration that is too short for its field.
    pub fn too_short(&mut self, at: Span, name: &str, least: &str) {
        self.error(
            at,
            format!("`{name}` is shorter than {least}"),
            Some(format!("write `{least}` or more")),
        );
    }

    /// A number of results that is none.
    pub fn not_a_number(&mut self, at: Span, name: &str, found: &str, most: u32) {
        self.error(
            at,
            format!("`{name}` should be a number from 1 to {most}, and this is `{found}`"),
            None,
        );
    }

    /// More results wanted than are looked at.
    pub fn of_below_count(&mut self, at: Span) {
        self.error(
            at,
            "`of` is below `count`".into(),
            hint("`{count: 3, of: 5}` means three of the last five"),
        );
    }

    /// An entry of a status map that cannot be.
    pub fn bad_status(&mut self, at: Span, why: &str) {
        self.error(
            at,
            why.to_owned(),
            hint("a map looks like `{0: ok, 1-9: warning, '*': critical}`"),
        );
    }

    /// `except` of a command without a `match`.
    pub fn except_without_match(&mut self, at: Span) {
        self.error(
            at,
            "`except` without `match`: there is nothing to except from".into(),
            hint("add `match: 'REGEX'` for the lines of output that are bad"),
        );
    }

    /// A name that no variable of the environment can have.
    pub fn not_an_env_name(&mut self, at: Span) {
        self.error(
            at,
            "not a name for a variable of the environment".into(),
            hint("write `NAME: value`"),
        );
    }
}
