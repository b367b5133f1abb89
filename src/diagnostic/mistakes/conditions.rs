//! Mistakes in what makes a hit worth saying.

use super::{Report, Span, hint};

impl Report {
    /// Two conditions that exclude each other.
    pub fn conditions_clash(
        &mut self,
        at: Span,
        first: &str,
        second: &str,
        why: &str,
        way_out: &str,
    ) {
        self.error(
            at,
            format!("`{second}` in a rule with `{first}`: {why}"),
            hint(way_out),
        );
    }

    /// `first_seen` without `by`.
    pub fn first_seen_of_nothing(&mut self, at: Span) {
        self.error(
            at,
            "`first_seen` without `by`: there are no values to know again".into(),
            hint("add `by: [NAME]` with a capture of `match`"),
        );
    }

    /// `repeat` where no incident has an end.
    pub fn repeat_without_end(&mut self, at: Span) {
        self.error(
            at,
            "`repeat` in a rule whose incidents have no end to wait for".into(),
            hint("add `resolve: {match: 'REGEX'}` or `resolve: {quiet: 10m}`"),
        );
    }

    /// A threshold that every hit reaches.
    pub fn threshold_of_one(&mut self, at: Span) {
        self.error(
            at,
            "a threshold of one hit is none".into(),
            hint("write 2 or more, or remove `threshold`"),
        );
    }

    /// `resolve: {quiet, after}`.
    pub fn after_of_quiet(&mut self, at: Span) {
        self.error(
            at,
            "`after` belongs to `match`, and this is `quiet`".into(),
            hint("make `quiet` as long as it must be"),
        );
    }

    /// Both ways to end an incident.
    pub fn match_and_quiet(&mut self, at: Span) {
        self.error(
            at,
            "a record and `quiet`: one thing ends an incident".into(),
            hint("remove one of them"),
        );
    }

    /// `resolve: {}`.
    pub fn resolve_by_nothing(&mut self, at: Span) {
        self.error(
            at,
            "a `resolve` that nothing brings about".into(),
            hint(
                "write `{match: 'REGEX', after: 30s}`, `{where: {FIELD: VALUE}}` or `{quiet: 10m}`",
            ),
        );
    }

    /// A field of `absent` that only times of a crontab have.
    pub fn belongs_to_cron(&mut self, at: Span, name: &str) {
        self.error(
            at,
            format!("`{name}` belongs to `cron`, and this is `for`"),
            hint("remove it"),
        );
    }

    /// Both ways to say when a hit is missed.
    pub fn for_and_cron(&mut self, at: Span) {
        self.error(
            at,
            "both `for` and `cron`".into(),
            hint("remove one of them"),
        );
    }

    /// `absent: {}`.
    pub fn absent_since_when(&mut self, at: Span) {
        self.error(
            at,
            "an `absent` that does not say when".into(),
            hint("write `{for: 26h}` or `{cron: '30 2 * * *', grace: 1h}`"),
        );
    }

    /// `active: {}`.
    pub fn active_always(&mut self, at: Span) {
        self.error(
            at,
            "an `active` without days and hours is always".into(),
            hint("write `{days: [mon-fri], hours: '08:00-20:00'}`, or remove it"),
        );
    }

    /// A day that is none.
    pub fn not_a_day(&mut self, at: Span, found: &str) {
        self.error(
            at,
            format!("`{found}` is no day of the week"),
            hint("the days are `mon tue wed thu fri sat sun`, a range is `mon-fri`"),
        );
    }

    /// Hours that are none.
    pub fn not_hours(&mut self, at: Span, found: &str) {
        self.error(
            at,
            format!("`{found}` are no hours of a day"),
            hint("write `'08:00-20:00'`, or `'22:00-06:00'` across midnight"),
        );
    }

    /// A key that no rule has.
    pub fn unknown_rule(&mut self, at: Span, found: &str, meant: Option<&str>) {
        self.error(
            at,
            format!("no rule `{found}`"),
            match meant {
                Some(meant) => Some(format!("did you mean `{meant}`?")),
                None => hint("name the `key` of another rule"),
            },
        );
    }

    /// A rule that keeps itself quiet in the end.
    pub fn inhibits_itself(&mut self, at: Span, key: &str, by: &str) {
        let reason = match key == by {
            true => format!("`{key}` would keep itself quiet"),
            false => format!("`{key}` and `{by}` would keep each other quiet"),
        };
        self.error(
            at,
            reason,
            hint("let the bigger trouble inhibit the smaller"),
        );
    }
}
