//! Every mistake there is, by name.
//!
//! One method for each, so that all of them can be read in one place and keep one
//! tone: lower case, no full stop, what was found and what was expected, and then
//! something to type.

use super::{Diagnostic, Level, Place, Report, Span, did_you_mean};

impl From<Span> for Place {
    fn from(span: Span) -> Self {
        Self::At(span)
    }
}

/// Files and YAML.
impl Report {
    /// A file that was named cannot be read.
    pub fn unreadable(&mut self, place: impl Into<Place>, why: &str) {
        self.error(place, why.to_owned(), None);
    }

    /// A file that is named in another cannot be read.
    pub fn unreadable_here(&mut self, at: Span, path: &str, why: &str) {
        self.error(at, format!("`{path}` cannot be read: {why}"), None);
    }

    /// The text of a file is not YAML.
    pub fn not_yaml(&mut self, at: Span, reason: &str, hint: Option<&str>) {
        self.error(at, reason.to_owned(), hint.map(str::to_owned));
    }

    /// A file goes on after `---`.
    pub fn several_documents(&mut self, at: Span) {
        self.error(
            at,
            "a second document in one file".into(),
            hint("remove the `---`, or make two files of it"),
        );
    }

    /// An alias stands within what it stands for.
    pub fn alias_within_itself(&mut self, at: Span) {
        self.error(at, "an alias within what it stands for".into(), None);
    }

    /// A file is too big once its aliases are spelt out.
    pub fn too_much_yaml(&mut self, at: Span, n_max: usize) {
        self.error(
            at,
            format!("with its aliases spelt out the file holds more than {n_max} values or 8 MiB"),
            hint("make several files of it, or use fewer aliases"),
        );
    }

    /// Lists and maps are nested too deep.
    pub fn too_deep(&mut self, at: Span, depth_max: usize) {
        self.error(at, format!("nested deeper than {depth_max} levels"), None);
    }

    /// A tag such as `!thing`.
    pub fn tag(&mut self, at: Span) {
        self.error(
            at,
            "a tag, and tags mean nothing here".into(),
            hint("put a text that begins with `!` between single quotes"),
        );
    }

    /// The key of a map is a list or a map.
    pub fn key_not_text(&mut self, at: Span) {
        self.error(
            at,
            "a field whose name is not a text".into(),
            hint("put a text with brackets or braces in it between single quotes"),
        );
    }

    /// `<<` with something that is not a map.
    pub fn merge_not_a_map(&mut self, at: Span) {
        self.error(
            at,
            "`<<` takes the fields of a map, and this is none".into(),
            hint("write `<<: *name` for a map that has `&name`"),
        );
    }
}

/// Fields and values of any kind.
impl Report {
    /// A field that nobody knows.
    pub fn unknown_field(
        &mut self,
        at: Span,
        found: &str,
        what: &str,
        known: &[&str],
        later: &[&str],
    ) {
        let way_out = if later.contains(&found) {
            format!("`{found}` is not in this release; remove it")
        } else {
            match did_you_mean(found, known.iter().copied())
                .or_else(|| longer_by_a_unit(found, known))
            {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the fields are {}", listed(known)),
            }
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

/// Rules.
impl Report {
    /// A text that cannot be the key of a rule.
    pub fn not_a_key(&mut self, at: Span, found: &str, near: &str) {
        self.error(
            at,
            format!("`{found}` is not a key: lower-case letters, digits, `.`, `_` and `-` only"),
            Some(format!("write `key: {near}`")),
        );
    }

    /// A key that is too long for a thread.
    pub fn key_too_long(&mut self, at: Span, bytes_max: usize) {
        self.error(
            at,
            format!("a key of more than {bytes_max} characters"),
            hint("shorten it; what it means can stand in `title`"),
        );
    }

    /// A key that belongs to the agent.
    pub fn reserved_key(&mut self, at: Span, found: &str) {
        self.error(
            at,
            format!("`{found}` is reserved: keys that begin with `logcrier.` are the agent's own"),
            hint("take another beginning"),
        );
    }

    /// Two rules of one key.
    pub fn duplicate_key(&mut self, at: Span, key: &str, first: Span) {
        let first = self.position_of(first);
        self.error(
            at,
            format!("the key `{key}` is already used at {first}"),
            Some(format!("rename one of them, such as `{key}-2`")),
        );
    }

    /// `~` at the beginning of a file name.
    pub fn tilde(&mut self, at: Span) {
        self.error(
            at,
            "`~` is not a home directory here".into(),
            hint("write the whole path, such as `/home/NAME/app.log`"),
        );
    }

    /// A pattern of files that is none.
    pub fn not_a_glob(&mut self, at: Span, why: &str) {
        let way_out = if why.ends_with("not files") {
            hint("add `*` or the name of a file behind the `/`")
        } else {
            hint(
                "`*`, `**`, `?`, `[a-z]` and `{a,b}` are known; write `\\` before one to mean itself",
            )
        };
        self.error(at, why.to_owned(), way_out);
    }

    /// A regex that cannot be read.
    pub fn not_a_regex(
        &mut self,
        at: Span,
        why: &str,
        character_number: usize,
        way_out: Option<&str>,
    ) {
        self.error(
            at,
            format!("not a regex at its character {character_number}: {why}"),
            way_out.map(str::to_owned),
        );
    }

    /// A regex that would need too much memory.
    pub fn regex_too_big(&mut self, at: Span, mib_max: usize) {
        self.error(
            at,
            format!("the regex is too big: more than {mib_max} MiB when compiled"),
            hint("use smaller repetitions, such as `.{0,64}`, and `[0-9]` for `\\d`"),
        );
    }

    /// A `match` that selects every record.
    pub fn matches_everything(&mut self, at: Span) {
        self.error(
            at,
            "this regex matches every line, also an empty one".into(),
            hint("name something that must be there; `.+` if every line really is meant"),
        );
    }

    /// An `except` that leaves no record.
    pub fn excepts_everything(&mut self, at: Span) {
        self.error(
            at,
            "this regex matches every line, so the rule would never hit".into(),
            hint("name something that must be there, or remove `except`"),
        );
    }

    /// A secret that is everywhere.
    pub fn redacts_everything(&mut self, at: Span) {
        self.error(
            at,
            "this regex matches in every text, also in an empty one".into(),
            hint("name something that must be there, such as `ref-\\d+`"),
        );
    }

    /// A regex that asks for a line break.
    pub fn never_matches(&mut self, at: Span) {
        self.warning(
            at,
            "this regex never matches: it asks for a line break, and a record has none".into(),
            hint("remove `\\n` from it, or make a rule of each line"),
        );
    }

    /// A name in `by` that no pattern captures.
    pub fn unknown_capture(&mut self, at: Span, found: &str, known: &[&str]) {
        let way_out = match did_you_mean(found, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => {
                format!("name a part of the regex: `(?<{}>…)`", group_name(found))
            }
            None => format!("`match` captures {}", listed(known)),
        };
        self.error(
            at,
            format!("no regex of `match` captures `{found}`"),
            Some(way_out),
        );
    }

    /// A capture with the name of a variable that all templates know.
    pub fn capture_hides_variable(&mut self, at: Span, name: &str) {
        self.warning(
            at,
            format!("the capture `{name}` has the name of a built-in variable"),
            Some(format!(
                "write `captures.{name}` in templates, or rename the capture"
            )),
        );
    }

    /// The map form of `severity`.
    pub fn severity_by_map(&mut self, at: Span) {
        self.error(
            at,
            "`severity` by a map is not in this release".into(),
            hint("write one of `info`, `warning`, `error`, `critical`, or make a rule of each"),
        );
    }

    /// A window without length.
    pub fn zero_debounce(&mut self, at: Span) {
        self.error(
            at,
            "a window of no length".into(),
            hint("write `debounce: none` to post every event"),
        );
    }

    /// A longest window that is shorter than the first.
    pub fn max_below_every(&mut self, at: Span) {
        self.error(
            at,
            "`max` is below `every`".into(),
            hint("`every` is the first window and `max` the longest: swap them, or remove `max`"),
        );
    }

    /// A rule that posts nowhere.
    pub fn no_space(&mut self, at: Span, known: &[&str]) {
        let first = known.first().copied().unwrap_or("default");
        self.error(
            at,
            format!(
                "a rule without `space`, and there are several: {}",
                listed(known)
            ),
            Some(format!("add `space: {first}` here or to `defaults`")),
        );
    }

    /// A space that nobody knows.
    pub fn unknown_space(&mut self, at: Span, found: &str, meant: Option<&str>, known: &[&str]) {
        let way_out = match meant {
            Some(meant) => Some(format!("did you mean `{meant}`?")),
            None if known.is_empty() => None,
            None => Some(format!("the spaces are {}", listed(known))),
        };
        self.error(at, format!("unknown space `{found}`"), way_out);
    }

    /// A runbook that is not a link.
    pub fn not_a_link(&mut self, at: Span) {
        self.error(
            at,
            "`runbook` should be an absolute `https` link".into(),
            hint("write `runbook: https://…`"),
        );
    }

    /// Somebody who cannot be called.
    pub fn not_a_mention(&mut self, at: Span, found: &str) {
        self.error(
            at,
            format!(
                "`{found}` is nobody who can be called: an id is digits, and everybody is `all`"
            ),
            hint("write `mention: [all]`, or the number of a person such as `users/123456789012`"),
        );
    }

    /// A title or text that cannot be read.
    pub fn not_a_template(&mut self, at: Span, why: &str, line_number: usize) {
        let way_out = if why.starts_with("unknown filter") {
            "the filters are minijinja's, such as `upper`, `trim`, `default('-')`"
        } else {
            "write `{{ count }}` for a variable, `{{ '{{' }}` for the braces themselves"
        };
        let line = match line_number {
            0 | 1 => String::new(),
            number => format!(" in its line {number}"),
        };
        self.error(at, format!("not a template{line}: {why}"), hint(way_out));
    }

    /// A name in a template that stands for nothing.
    pub fn unknown_variable(&mut self, at: Span, found: &str, meant: Option<&str>, known: &[&str]) {
        let way_out = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "there is none of these".to_owned(),
            None => format!("the variables are {}", listed(known)),
        };
        self.error(at, format!("unknown variable `{found}`"), Some(way_out));
    }
}

/// Rules of commands.
impl Report {
    /// A rule that watches nothing.
    pub fn nothing_watched(&mut self, at: Span) {
        self.error(
            at,
            "a rule that watches nothing".into(),
            hint(
                "add `files: [/var/log/…]`, `command: [PROGRAM, …]`, `shell: LINE` or `exec: true`",
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

/// Settings.
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

    /// A space whose fallbacks lead back to it.
    pub fn fallback_loop(&mut self, at: Span, name: &str) {
        self.error(
            at,
            format!("this fallback leads back to `{name}`, which refuses messages at that time"),
            hint("name another real space, or leave `fallback` out: then messages wait"),
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

    fn error(&mut self, place: impl Into<Place>, reason: String, way_out: Option<String>) {
        self.add(Diagnostic {
            level: Level::Error,
            place: place.into(),
            reason,
            hint: way_out,
        });
    }

    fn warning(&mut self, place: impl Into<Place>, reason: String, way_out: Option<String>) {
        self.add(Diagnostic {
            level: Level::Warning,
            place: place.into(),
            reason,
            hint: way_out,
        });
    }
}

fn hint(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// Returns the field that was meant by one with a unit behind it, such as
/// `debounce_mins`, or in the plural.
fn longer_by_a_unit<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let (stem, _) = found.rsplit_once(['_', '-'])?;
    known.iter().find(|name| **name == stem).copied()
}

/// Returns a name that a group may have.
fn group_name(text: &str) -> String {
    let name: String = text
        .chars()
        .filter(|char| char.is_ascii_alphanumeric() || *char == '_')
        .collect();
    match name.chars().next() {
        Some(first) if !first.is_ascii_digit() => name,
        _ => "name".to_owned(),
    }
}
