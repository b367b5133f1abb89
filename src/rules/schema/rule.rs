//! The shape of each field of a rule, or of `defaults`.

use serde_json::{Value, json};

use super::shapes::{
    conditions, count, duration, labels, says, size, streak, text, texts, truth, words,
};
use super::{object, selection, test};
use crate::rules::checks::MEANINGS;
use crate::rules::{check, examples, journal};

/// The shape of a field of a rule, or of `defaults`.
pub(super) fn rule(field: &str) -> Option<Value> {
    Some(match field {
        "key" => says(
            json!({"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$"}),
            "The rule's name, unique over all files, and the key of its thread.",
        ),
        // What is watched.
        "files" => says(
            texts(),
            "Files to follow: paths or patterns with `*`, `**`, `?`, `[]`, `{a,b}`.",
        ),
        "exclude_files" => says(texts(), "Files that `files` names and that are left alone."),
        "journal" => says(
            object(&journal::JOURNAL, selection),
            "Entries of the systemd journal; with `files` beside it, it is read where it can be.",
        ),
        "stdin" => says(
            json!({"const": true}),
            "What is written to the agent's standard input: `some-program | logcrier run`.",
        ),
        "command" => says(
            texts(),
            "A program and its arguments, run without a shell: `[check_disk, -w, '15%']`.",
        ),
        "shell" => says(text(), "A line for `/bin/sh -c`."),
        "exec" => says(
            json!({"const": true}),
            "Hears of what `logcrier exec --key KEY -- …` ran.",
        ),
        // Reading.
        "format" => says(
            json!({"enum": ["text", "json", "logfmt", "cri", "docker"]}),
            "How records are written. In all but `text`, `match` looks at the message and \
             `where` at all fields. Default: `text`.",
        ),
        "multiline" => says(
            json!({"anyOf": [
                {"const": "indent"},
                {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "start": says(text(), "Finds the first line of a record."),
                        "continue": says(text(), "Finds the lines that belong to the one before."),
                        "indent": says(truth(), "Indented lines belong to the one before."),
                        "timeout": says(duration(), "How long the rest of a record is waited for."),
                    },
                },
            ]}),
            "Lines that form one record. Default: each line is one.",
        ),
        "from" => says(
            words(&check::FROMS),
            "Where reading starts in files that existed before logcrier ever ran. Default: `end`.",
        ),
        "encoding" => says(
            text(),
            "A WHATWG name such as `utf-16le` or `windows-1252`. Default: `utf-8`.",
        ),
        "line_max" => says(
            size(),
            "Bytes of a line that are kept and searched. Default: `16KiB`.",
        ),
        // Matching.
        "match" => says(
            texts(),
            "Regexes of which one must be found in the record, in the syntax of Rust's `regex`.",
        ),
        "except" => says(texts(), "Regexes of which none may be found in the record."),
        "where" => says(
            conditions(),
            "Conditions on fields, all of which must hold: `{status: {gte: 500}, path: {not_prefix: /healthz}}`.",
        ),
        "ignore_case" => says(
            truth(),
            "Whether `match` and `except` take letters of either case for the same. Default: `false`.",
        ),
        // Grouping and conditions.
        "by" => says(
            texts(),
            "Captures or fields whose values separate instances: counted and held back each by itself.",
        ),
        "threshold" => says(
            json!({
                "type": "object",
                "additionalProperties": false,
                "required": ["count", "within"],
                "properties": {
                    "count": says(count(2), "How many hits …"),
                    "within": says(duration(), "… within which time make an event."),
                    "distinct": says(text(), "Count different values of this capture or field."),
                },
            }),
            "Speaks only when enough hits come together.",
        ),
        "absent" => says(
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "for": says(duration(), "How long nothing may match."),
                    "cron": says(text(), "When a match is due, as in a crontab."),
                    "tz": says(text(), "The time zone of `cron`."),
                    "grace": says(duration(), "How late it may come."),
                },
            }),
            "Speaks when nothing matched.",
        ),
        "first_seen" => says(
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "remember": says(duration(), "How long a value counts as known."),
                    "learn": says(duration(), "How long values are only learnt at first."),
                },
            }),
            "Speaks only of values of `by` that were not seen before.",
        ),
        "resolve" => says(
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "match": says(texts(), "Regexes of records that end the incident."),
                    "where": says(conditions(), "Conditions on the fields of such records."),
                    "after": says(duration(), "How long it must stay good."),
                    "quiet": says(duration(), "Ends after this long without an event."),
                },
            }),
            "What closes an incident.",
        ),
        "max_keys" => says(
            count(1),
            "Live instances of the rule; what comes beyond shares one. Default: 500.",
        ),
        // Noise.
        "debounce" => says(
            json!({"anyOf": [
                {"const": "none"},
                duration(),
                object(&check::DEBOUNCE, |name| match name {
                    "every" => Some(says(duration(), "The first window. Default: `5m`.")),
                    "max" => Some(says(duration(), "The longest one: each with something in it doubles the next. Default: `1h`.")),
                    _ => None,
                }),
            ]}),
            "How repeats are held back: the first event is posted at once, later ones are counted and summed up. Default: `{every: 5m, max: 1h}`.",
        ),
        "repeat" => says(
            json!({"anyOf": [duration(), {"type": "array", "items": duration(), "minItems": 1, "maxItems": 50}]}),
            "Gaps between reminders of an open incident; the last one repeats.",
        ),
        "active" => says(
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "days": says(texts(), "Days and ranges of days: `[mon-fri]`."),
                    "hours": says(texts(), "Hours: `'08:00-20:00'`; they may cross midnight."),
                    "tz": says(text(), "The time zone."),
                },
            }),
            "When it posts. At other times events are counted, and summed up when it begins.",
        ),
        "inhibited_by" => says(
            texts(),
            "Keys of rules. While one of them has an open incident, this one only counts.",
        ),
        // The message.
        "severity" => says(
            json!({"anyOf": [words(&check::SEVERITIES), {
                "type": "object",
                "required": ["from", "map"],
                "additionalProperties": false,
                "properties": {
                    "from": says(text(), "A capture or field."),
                    "map": says(
                        json!({"type": "object", "additionalProperties": words(&check::SEVERITIES)}),
                        "What its values mean; `'*'` stands for all others.",
                    ),
                },
            }]}),
            "How bad it is. Default: `warning`.",
        ),
        "space" => says(
            texts(),
            "Where it posts. Default: the space of `defaults`, or the only one.",
        ),
        "thread" => says(
            words(&check::THREADS),
            "Which messages share a thread. Default: `rule`.",
        ),
        "title" => says(
            text(),
            "The first line of a message: a template with captures and `count`, `host`, …",
        ),
        "text" => says(text(), "The body of a message: a template."),
        "format_as" => says(
            words(&check::FORMATS),
            "Text with Chat's markup, or a card. Default: `text`.",
        ),
        "context" => says(
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "before": says(count(0), "Lines before the hit."),
                    "after": says(count(0), "Lines after it."),
                },
            }),
            "Lines around the hit that the message shows.",
        ),
        "mention" => says(
            json!({"type": ["string", "integer", "array"], "items": {"type": ["string", "integer"]}}),
            "Whom the first message of an incident calls: `all`, or the digits of a person's id.",
        ),
        "runbook" => says(
            json!({"type": "string", "pattern": "^https://"}),
            "A link to what is to be done.",
        ),
        "labels" => labels("Added to the labels of the settings."),
        // Commands.
        "every" => says(duration(), "How often the command runs."),
        "cron" => says(
            text(),
            "When it runs, as in a crontab: `'30 2 * * *'`, `'@daily'`.",
        ),
        "tz" => says(
            text(),
            "The time zone of `cron`, such as `Europe/Berlin`. Default: the machine's.",
        ),
        "timeout" => says(
            duration(),
            "When it is ended. Default: `60s`, or `every` if that is shorter.",
        ),
        "status" => says(
            json!({"anyOf": [
                {"enum": ["exit", "nagios"]},
                {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": {"pattern": "^([0-9]{1,3}( *- *[0-9]{1,3})?|\\*)$"},
                    "additionalProperties": words(&MEANINGS),
                },
            ]}),
            "What exit statuses mean: `exit` (0 is fine), `nagios`, or a map such as `{0: ok, 1-9: warning, '*': critical}`. Default: `exit`.",
        ),
        "fail_after" => says(streak(), "How many bad results make a problem. Default: 1."),
        "recover_after" => says(streak(), "How many good results end it. Default: 1."),
        "retry_every" => says(
            duration(),
            "The distance of runs while results are bad and not yet a problem. Default: `every`.",
        ),
        "env" => labels("Its environment, besides PATH and LANG."),
        "cwd" => says(text(), "Where it runs. Default: `/`."),
        "user" => says(text(), "As whom it runs, if logcrier runs as root."),
        "tests" => says(
            object(&examples::TESTS, test),
            "What `logcrier check` holds the rule against.",
        ),
        _ => return None,
    })
}
