//! Settings, and what they name.

use super::hint;
use crate::diagnostic::{Place, Report, Span};

impl Report {
    /// There is nothing to run.
    pub fn nothing_to_do(&mut self, path: &str) {
        self.error(
            Place::Nowhere,
            format!("neither settings nor rules: `{path}` does not exist and no rules were named"),
            Some(format!(
                "write `{path}`, or set LOGCRIER_WEBHOOK and name rules with `--rules FILE`"
            )),
        );
    }

    /// A rule file without `rules`.
    pub fn no_rules_in_file(&mut self, place: impl Into<Place>) {
        self.error(
            place,
            "no `rules:` in this file".into(),
            hint("begin with `rules:`, and below it `- key: NAME`"),
        );
    }

    /// No rule anywhere.
    pub fn no_rules(&mut self, place: impl Into<Place>) {
        self.error(
            place,
            "no rule at all, so nothing would ever be posted".into(),
            hint("add a rule to `rules`, or name files of rules in `rule_files` or with `--rules FILE`"),
        );
    }

    /// No space anywhere.
    pub fn no_spaces(&mut self, place: impl Into<Place>) {
        self.error(
            place,
            "no space to post to".into(),
            hint(
                "set LOGCRIER_WEBHOOK to the address of a webhook, or add `spaces` to the settings",
            ),
        );
    }

    /// A pattern of rule files that names none.
    pub fn matches_no_file(&mut self, at: Span, pattern: &str) {
        self.warning(at, format!("`{pattern}` matches no file"), None);
    }

    /// `${NAME}` for a variable that is not set.
    pub fn missing_variable(&mut self, at: Span, name: &str) {
        self.error(
            at,
            format!("the environment has no variable `{name}`"),
            Some(format!("set {name}, or write `${{{name}:-fallback}}`")),
        );
    }

    /// `${…}` with something that is not a name.
    pub fn not_a_variable(&mut self, at: Span) {
        self.error(
            at,
            "`${` without a name and `}`".into(),
            hint("write `${NAME}`, or `$$` for a dollar sign"),
        );
    }

    /// A text that cannot be the name of a space.
    pub fn not_a_space_name(&mut self, at: Span) {
        self.error(
            at,
            "not a name for a space: letters, digits, `.`, `_` and `-` only, at most 63".into(),
            hint("write a short name, and the address below it as `webhook: …`"),
        );
    }

    /// A space without an address, or with two.
    pub fn no_webhook(&mut self, at: Span, name: &str) {
        self.error(
            at,
            format!("the space `{name}` has neither `webhook` nor `webhook_file`"),
            hint("add `webhook: ${OPS_WEBHOOK}` to read it from the environment"),
        );
    }

    /// A space with two addresses.
    pub fn two_webhooks(&mut self, at: Span, name: &str) {
        self.error(
            at,
            format!("the space `{name}` has both `webhook` and `webhook_file`"),
            hint("remove one of them"),
        );
    }

    /// A webhook that is not taken.
    pub fn bad_webhook(&mut self, place: impl Into<Place>, reason: &str, way_out: &str) {
        self.error(place, reason.to_owned(), hint(way_out));
    }

    /// A pace that no server would bear.
    pub fn pace_too_small(&mut self, at: Span, millis_min: u128) {
        self.error(
            at,
            format!("a pace below {millis_min}ms"),
            hint("write `pace: 1s`, or leave it out"),
        );
    }

    /// A pace above the quota of Google Chat.
    pub fn pace_above_quota(&mut self, at: Span) {
        self.warning(
            at,
            "Google Chat takes one post per second and space, and this is faster".into(),
            hint("write `pace: 1s`, or leave it out"),
        );
    }

    /// A file with the address of a webhook that everybody may read.
    pub fn exposed_webhook(&mut self, at: Span, path: &str) {
        self.warning(
            at,
            format!("everybody on this machine may read the webhook in `{path}`"),
            Some(format!("whoever has it can post: `chmod o= {path}`")),
        );
    }

    /// The password of a proxy that everybody may read.
    pub fn exposed_proxy(&mut self, at: Span, path: &str) {
        self.warning(
            at,
            format!("everybody on this machine may read the password of the proxy in `{path}`"),
            Some(format!(
                "take it from the environment (`${{PROXY}}`), or `chmod o= {path}`"
            )),
        );
    }

    /// A space whose fallbacks lead back to it.
    pub fn fallback_loop(&mut self, at: Span, name: &str) {
        self.error(
            at,
            format!("this fallback leads back to `{name}`, which refuses messages at that time"),
            hint("name another real space, or leave `fallback` out: then messages wait"),
        );
    }

    /// Metrics without a place to show them.
    pub fn no_listen(&mut self, at: Span) {
        self.error(
            at,
            "`metrics` does not say where to listen".to_owned(),
            hint("write `metrics: {listen: 127.0.0.1:9188}`"),
        );
    }

    /// No address to listen at.
    pub fn not_a_listen(&mut self, at: Span) {
        self.error(
            at,
            "`listen` is not an IP address with a port".to_owned(),
            hint(
                "write `127.0.0.1:9188` for this machine only, `0.0.0.0:9188` or `[::]:9188` for all",
            ),
        );
    }

    /// An address for signs of life that is not taken.
    pub fn bad_heartbeat(&mut self, at: Span, why: &str) {
        self.error(
            at,
            format!("`heartbeat_url` is not taken: {why}"),
            hint("copy the address that the dead-man service shows for this check"),
        );
    }

    /// A proxy that is not taken.
    pub fn bad_proxy(&mut self, at: Span, why: &str) {
        self.error(
            at,
            format!("not the address of a proxy: {why}"),
            hint("write `proxy: http://HOST:PORT`"),
        );
    }

    /// The variable that says how files are watched says something else.
    pub fn bad_watch(&mut self, place: Place) {
        self.error(
            place,
            "neither `auto` nor `poll`".into(),
            hint("write `LOGCRIER_WATCH=poll`, or remove the variable"),
        );
    }

    /// A file that is needed and not there.
    pub fn no_such_file(&mut self, at: Span, name: &str) {
        self.error(at, format!("`{name}`: no such file"), None);
    }
}
