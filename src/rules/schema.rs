//! What editors are told of rules and settings: JSON Schema, draft 2020-12.
//!
//! Which fields there are comes from the very tables that the parser goes by, and so
//! do the words of fields that know only some. Here each field gets its shape and a
//! sentence; a field without is found by a test. A schema cannot say everything
//! (whether a regex compiles, whether a capture exists): that is for `logcrier check`.

use serde_json::{Map, Value, json};

use super::check;
use super::checks::MEANINGS;
use super::checks::read::{Kind, PARTICULAR, SOURCES};
use super::examples;
use super::fields::Known;
use super::journal;
use super::settings;

/// The dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What a duration looks like.
const DURATION: &str = "^[0-9]+(ms|s|m|h|d)$";

/// Returns the schema of a rule file.
pub fn of_rules() -> Value {
    let mut schema = object(&check::RULE_FILE, rule_file);
    head(&mut schema, "logcrier rule file");
    schema
}

/// Returns the schema of the settings.
pub fn of_settings() -> Value {
    let mut schema = object(&settings::SETTINGS, setting);
    allow_variables(&mut schema);
    head(&mut schema, "logcrier settings");
    schema
}

fn head(schema: &mut Value, title: &str) {
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!(title);
}

/// A map with the fields that the parser knows.
fn object(known: &Known, shape: fn(&str) -> Option<Value>) -> Value {
    let properties: Map<String, Value> = (known.fields.iter())
        // A field that has no shape here may be anything, rather than a mistake.
        .map(|name| ((*name).to_owned(), shape(name).unwrap_or(json!(true))))
        .collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn rule_file(field: &str) -> Option<Value> {
    Some(match field {
        "rules" => rules(),
        "defaults" => defaults(),
        _ => return None,
    })
}

fn setting(field: &str) -> Option<Value> {
    let path = || text();
    Some(match field {
        "rules" => rules(),
        "defaults" => defaults(),
        "rule_files" => says(
            texts(),
            "Rule files to load: paths or patterns, relative to this file.",
        ),
        "spaces" => says(
            json!({
                "type": "object",
                "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"},
                "additionalProperties": space_object(),
            }),
            "Google Chat spaces by name.",
        ),
        "host" => says(
            text(),
            "The name of this machine in messages. Default: its own.",
        ),
        "labels" => labels("Shown in every message and known to templates as `labels.NAME`."),
        "state_dir" => says(
            path(),
            "Where positions, windows and waiting messages are kept. Default: \
             $STATE_DIRECTORY, else the XDG state home.",
        ),
        "redact" => says(
            texts(),
            "Regexes of what must not be stored, shown or sent, besides the built-in ones.",
        ),
        "watch" => says(
            words(&settings::WATCHES),
            "How changes of files are noticed: `auto` by inotify where possible, `poll` by \
             looking.",
        ),
        "proxy" => says(
            text(),
            "The HTTP proxy on the way out. Default: HTTPS_PROXY and NO_PROXY.",
        ),
        "ca_file" => says(path(), "More certificates to trust, as PEM."),
        "heartbeat_url" => says(
            text(),
            "The address that a dead-man service waits for requests at: a password, so better \
             `${HEARTBEAT_URL}`.",
        ),
        "metrics" => says(
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {"listen": says(
                    text(), "Address and port of `/metrics` and `/healthz`: `127.0.0.1:9188`.")},
            }),
            "Prometheus metrics. Off unless set.",
        ),
        _ => return None,
    })
}

fn space_object() -> Value {
    let mut space = object(&settings::SPACE, space);
    space["oneOf"] = json!([{"required": ["webhook"]}, {"required": ["webhook_file"]}]);
    space
}

fn space(field: &str) -> Option<Value> {
    Some(match field {
        "webhook" => says(
            text(),
            "The whole webhook address: a password, so better `${OPS_WEBHOOK}`.",
        ),
        "webhook_file" => says(
            text(),
            "A file that holds the address; a bare name is looked up in \
             $CREDENTIALS_DIRECTORY first.",
        ),
        "pace" => says(
            duration(),
            "Least time between two posts. Default: `1s`, Chat's quota.",
        ),
        "fallback" => says(
            text(),
            "The space that gets its messages while this one refuses them.",
        ),
        _ => return None,
    })
}

fn defaults() -> Value {
    says(
        object(&check::DEFAULTS, rule),
        "For every rule that does not say otherwise.",
    )
}

fn rules() -> Value {
    let mut shape = object(&check::RULE, rule);
    // Files and the journal may stand for each other; of all else there is one.
    let mut sources: Vec<Value> = (SOURCES.iter())
        .filter(|(_, kind)| *kind != Kind::Records)
        .map(|(name, _)| json!({"required": [name]}))
        .collect();
    sources.push(json!({"anyOf": [{"required": ["files"]}, {"required": ["journal"]}]}));
    let mut all: Vec<Value> = Vec::new();
    for (source, kind) in SOURCES {
        let others = (PARTICULAR.iter()).filter(|(kinds, _)| !kinds.contains(&kind));
        let refused: Map<String, Value> = others
            .flat_map(|(_, names)| names.iter())
            .filter(|name| check::RULE.fields.contains(name))
            .map(|name| ((*name).to_owned(), json!(false)))
            .collect();
        if !refused.is_empty() {
            let then = json!({"properties": refused});
            all.push(json!({"if": {"required": [source]}, "then": then}));
        }
    }
    let wanted: Vec<Value> = (["match", "where"].iter())
        .filter(|name| check::RULE.fields.contains(name))
        .map(|name| json!({"required": [name]}))
        .collect();
    for source in ["files", "journal"] {
        let when = json!({"required": [source]});
        all.push(json!({"if": when, "then": {"anyOf": wanted}}));
    }
    for source in ["command", "shell"] {
        let when = json!({"oneOf": [{"required": ["every"]}, {"required": ["cron"]}]});
        all.push(json!({"if": {"required": [source]}, "then": when}));
    }
    shape["required"] = json!(["key"]);
    shape["oneOf"] = json!(sources);
    shape["allOf"] = json!(all);
    says(
        json!({"type": "array", "items": shape}),
        "The rules. Every rule sees every record of its sources, whatever their order.",
    )
}

/// The shape of a field of `journal`.
fn selection(field: &str) -> Option<Value> {
    let transport = json!({"enum": journal::TRANSPORTS});
    Some(match field {
        "unit" => says(texts(), "Units: `ssh`, `cron.timer`, `app@*.service`."),
        "identifier" => says(
            texts(),
            "What programs call themselves; nobody vouches for it.",
        ),
        "transport" => says(
            json!({"anyOf": [transport, {"type": "array", "items": transport, "minItems": 1}]}),
            "How entries come into the journal.",
        ),
        "priority" => says(words(&journal::PRIORITIES), "This and worse, as of syslog."),
        _ => return None,
    })
}

/// The shape of a field of a rule, or of `defaults`.
fn rule(field: &str) -> Option<Value> {
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
        "stdin" => says(truth(), "Standard input."),
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

fn test(field: &str) -> Option<Value> {
    let one_or_more = |item: Value| json!({"anyOf": [item.clone(), {"type": "array", "items": item, "minItems": 1}]});
    Some(match field {
        "match" => {
            let mut example = object(&examples::MATCH, |name| match name {
                "line" => Some(text()),
                "captures" => Some(labels("Captures with the texts that they must have.")),
                _ => None,
            });
            example["required"] = json!(["line"]);
            says(
                one_or_more(json!({"anyOf": [scalar(), example]})),
                "Lines that it must match.",
            )
        }
        "no_match" => says(one_or_more(scalar()), "Lines that it must not match."),
        "sequence" => {
            let mut step = object(&examples::STEP, step);
            step["oneOf"] = json!([
                {"required": ["line"]}, {"required": ["advance"]}, {"required": ["status"]},
            ]);
            says(
                one_or_more(step),
                "What happens one after the other in virtual time, and what is posted then.",
            )
        }
        _ => return None,
    })
}

fn step(field: &str) -> Option<Value> {
    Some(match field {
        "line" => says(scalar(), "This line is written."),
        "times" => says(count(1), "So many times. Default: 1."),
        "every" => says(duration(), "So far apart. Default: all at once."),
        "advance" => says(duration(), "Time passes and nothing is written."),
        "status" => says(
            number(0, Some(255)),
            "The command ends with this exit status.",
        ),
        "output" => says(scalar(), "What it wrote."),
        "posts" => says(count(0), "How many messages this step must cause."),
        "contains" => says(texts(), "What must stand in them."),
        _ => return None,
    })
}

/// A shape with a sentence about what it is for.
fn says(mut shape: Value, description: &str) -> Value {
    shape["description"] = json!(description);
    shape
}

/// A text: to the parser `1.10` is one as well.
fn scalar() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

/// A text that is not empty.
fn text() -> Value {
    json!({"type": ["string", "number", "boolean"], "minLength": 1})
}

fn texts() -> Value {
    json!({"anyOf": [text(), {"type": "array", "items": text(), "minItems": 1}]})
}

fn truth() -> Value {
    json!({"type": "boolean"})
}

fn duration() -> Value {
    json!({"type": "string", "pattern": DURATION, "examples": ["30s", "5m", "2h"]})
}

/// Bytes as a number or with a unit.
fn size() -> Value {
    json!({"type": ["integer", "string"], "pattern": "^[0-9]+ ?([KM]iB)?$"})
}

fn number(least: u64, most: Option<u64>) -> Value {
    let mut number =
        json!({"type": ["integer", "string"], "minimum": least, "pattern": "^[0-9]+$"});
    if let Some(most) = most {
        number["maximum"] = json!(most);
    }
    number
}

fn count(least: u64) -> Value {
    number(least, None)
}

/// One of the words that the parser knows.
fn words<T>(words: &[(&'static str, T)]) -> Value {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    json!({"enum": words})
}

fn labels(description: &str) -> Value {
    says(
        json!({"type": "object", "additionalProperties": scalar()}),
        description,
    )
}

fn streak() -> Value {
    let both = object(&super::checks::read::STREAK, |name| match name {
        "count" | "of" => Some(number(1, Some(100))),
        _ => None,
    });
    json!({"anyOf": [number(1, Some(100)), both]})
}

/// Conditions by field: a value, a list of them, or operators.
fn conditions() -> Value {
    let values = json!({"type": "array", "items": scalar(), "minItems": 1});
    let of = |shape: &Value| shape.clone();
    let operators = json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "properties": {
            "eq": of(&scalar()), "ne": of(&scalar()),
            "gt": of(&scalar()), "gte": of(&scalar()), "lt": of(&scalar()), "lte": of(&scalar()),
            "in": of(&values), "not_in": of(&values),
            "prefix": of(&texts()), "not_prefix": of(&texts()),
            "suffix": of(&texts()), "contains": of(&texts()), "matches": of(&texts()),
            "exists": truth(),
        },
    });
    json!({
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"anyOf": [scalar(), values, operators]},
    })
}

/// In the settings any value may be a variable.
fn allow_variables(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                // Names of fields are never variables.
                if name != "propertyNames" && name != "required" {
                    allow_variables(value);
                }
            }
            let is_scalar = map.contains_key("enum") || map.contains_key("pattern");
            let is_truth = map.get("type") == Some(&json!("boolean"));
            if is_scalar || is_truth {
                let mut bare = std::mem::take(map);
                let description = bare.remove("description");
                let variable = json!({"type": "string", "pattern": "\\$\\{"});
                map.insert("anyOf".to_owned(), json!([bare, variable]));
                map.extend(description.map(|text| ("description".to_owned(), text)));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(allow_variables),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Shape = fn(&str) -> Option<Value>;

    #[test]
    fn every_field_has_a_shape() {
        let tables: [(&Known, Shape); 7] = [
            (&check::RULE, rule),
            (&check::DEFAULTS, rule),
            (&check::RULE_FILE, rule_file),
            (&settings::SETTINGS, setting),
            (&settings::SPACE, space),
            (&examples::TESTS, test),
            (&examples::STEP, step),
        ];
        for (known, shape) in tables {
            for field in known.fields {
                let shape = shape(field).unwrap_or_else(|| {
                    panic!(
                        "`{field}` of {}: give it a shape and a sentence in src/rules/schema.rs",
                        known.what
                    )
                });
                assert!(shape["description"].is_string(), "{field}: what is it for?");
            }
        }
    }
}
