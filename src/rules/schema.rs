//! What editors are told of rules and settings: JSON Schema, draft 2020-12.
//!
//! Which fields there are comes from the very tables that the parser goes by, and so
//! do the words of fields that know only some. Here each field gets its shape and a
//! sentence; a field without is found by a test. A schema cannot say everything
//! (whether a regex compiles, whether a capture exists): that is for `logcrier check`.

use serde_json::{Map, Value, json};

mod rule;

mod shapes;

use super::check;
use super::checks::read::{Kind, NOT_OF_STDIN, PARTICULAR, SOURCES};
use super::examples;
use super::fields::Known;
use super::journal;
use super::settings;
use rule::rule;
use shapes::{count, duration, labels, number, says, scalar, text, texts, words};

/// The dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

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
    sources.push(json!({"required": ["stdin"]}));
    let mut all: Vec<Value> = Vec::new();
    for (source, kind) in SOURCES {
        let others = (PARTICULAR.iter()).filter(|(kinds, _)| !kinds.contains(&kind));
        let of_source: &[&str] = match source {
            "stdin" => NOT_OF_STDIN,
            _ => &[],
        };
        let refused: Map<String, Value> = others
            .flat_map(|(_, names)| names.iter())
            .chain(of_source)
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
    for source in ["files", "journal", "stdin"] {
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
                        "`{field}` of {}: give it a shape and a sentence in src/rules/schema",
                        known.what
                    )
                });
                assert!(shape["description"].is_string(), "{field}: what is it for?");
            }
        }
    }
}
