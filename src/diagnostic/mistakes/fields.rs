//! Fields and values of any kind.

use super::{hint, listed};
use crate::diagnostic::{Report, Span, did_you_mean};

impl Report {
    /// A field that nobody knows.
    pub fn unknown_field(&mut self, at: Span, found: &str, what: &str, known: &[&str]) {
        let meant = did_you_mean(found, known.iter().copied());
        let way_out = match meant.or_else(|| longer_by_a_unit(found, known)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the fields are {}", listed(known)),
        };
        self.error(
            at,
            format!("unknown field `{found}` in {what}"),
            Some(way_out),
        );
    }

    /// The settings where a rule file should be.
    pub fn settings_as_rules(&mut self, at: Span, found: &str) {
        self.error(
            at,
            format!("unknown field `{found}` in a rule file"),
            hint("these look like settings: check them with `--config FILE`"),
        );
    }

    /// A field that stands in a map twice.
    pub fn duplicate_field(&mut self, at: Span, found: &str, first: Span) {
        let first = self.position_of(first);
        self.error(
            at,
            format!("duplicate field `{found}`"),
            Some(format!("it is already at {first}; remove one of them")),
        );
    }

    /// A field that must be there.
    pub fn missing_field(&mut self, at: Span, name: &str, what: &str) {
        let example = match name {
            "key" => "add `key: NAME`, such as `key: disk-full`",
            "files" => "add `files: [/var/log/…]`",
            "match" => "add `match: 'REGEX'`",
            "every" => "add `every: 5m`, or `cron: '30 2 * * *'`",
            "count" | "of" => "write `{count: 3, of: 5}`",
            _ => "add it",
        };
        self.error(at, format!("{what} without `{name}`"), hint(example));
    }

    /// A list where a text should be, and the like.
    pub fn wrong_kind(&mut self, at: Span, name: &str, expected: &str, found: &str) {
        let way_out = match expected {
            "a list" => hint("write each item on its own line after `- `"),
            "a map" => hint("write `name: value`, indented below it"),
            _ => None,
        };
        self.error(
            at,
            format!("{name} should be {expected}, and this is {found}"),
            way_out,
        );
    }

    /// A field without a value.
    pub fn empty_value(&mut self, at: Span, name: &str) {
        self.error(
            at,
            format!("`{name}` is empty"),
            Some(format!("give `{name}` a value, or remove it")),
        );
    }

    /// A list that is longer than anybody needs.
    pub fn too_many(&mut self, at: Span, name: &str, n_max: usize) {
        self.error(at, format!("`{name}` lists more than {n_max} items"), None);
    }

    /// Neither `true` nor `false`.
    pub fn not_a_truth(&mut self, at: Span, name: &str, found: &str) {
        let way_out = match found.to_lowercase().as_str() {
            "yes" | "on" | "y" | "1" | "true" => {
                "write `true`; in YAML 1.2 `yes` and `on` are texts"
            }
            "no" | "off" | "n" | "0" | "false" => {
                "write `false`; in YAML 1.2 `no` and `off` are texts"
            }
            _ => "write `true` or `false`",
        };
        self.error(
            at,
            format!("`{name}` should be `true` or `false`, and this is `{found}`"),
            hint(way_out),
        );
    }

    /// None of the words that a field knows.
    pub fn unknown_word(&mut self, at: Span, name: &str, found: &str, known: &[&str]) {
        let way_out = match did_you_mean(found, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write one of {}", listed(known)),
        };
        self.error(
            at,
            format!("`{name}` does not know `{found}`"),
            Some(way_out),
        );
    }

    /// Something that should be a duration.
    pub fn not_a_duration(&mut self, at: Span, found: &str, why: &str, way_out: &str) {
        self.error(
            at,
            format!("`{found}` is not a duration: {why}"),
            Some(way_out.to_owned()),
        );
    }

    /// The same name twice in one list.
    pub fn named_twice(&mut self, at: Span, name: &str, list: &str) {
        self.error(
            at,
            format!("`{name}` stands in `{list}` twice"),
            hint("remove one of them"),
        );
    }
}

/// Returns the field that was meant by one with a unit behind it, such as
/// `debounce_mins`, or in the plural.
fn longer_by_a_unit<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let (stem, _) = found.rsplit_once(['_', '-'])?;
    known.iter().find(|name| **name == stem).copied()
}
