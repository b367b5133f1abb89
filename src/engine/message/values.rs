//! What the templates of a rule know of a message.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::phrases::{humane, zoned};
use super::samples::{main_sample, sample_line};
use super::{Surface, title_text};
use crate::engine::events::{InstanceId, OTHERS};
use crate::engine::scan::Sample;
use crate::rules::Rule;
use crate::rules::template::{Value, Values};

pub(super) fn values(
    rule: Option<&Rule>,
    instance: &InstanceId,
    draft: &Draft,
    surface: &Surface,
) -> Values {
    let tally = &draft.tally;
    let main = main_sample(tally, draft.reason);
    let mut captures: BTreeMap<String, String> = rule
        .map(|rule| rule.patterns.capture_names())
        .unwrap_or_default()
        .into_iter()
        .map(|name| (name.to_string(), String::new()))
        .collect();
    // What ends an incident need not say whose.
    let by = rule.map_or(&[][..], |rule| &rule.by);
    let by = by.iter().zip(instance.by.iter());
    captures.extend(by.map(|(name, value)| (name.clone(), value.clone())));
    let is_shared = instance.by.iter().any(|value| value == OTHERS);
    for (name, text) in &main.sample.captures {
        // The shared instance is none of those that share it.
        let is_by = is_shared && rule.is_some_and(|rule| rule.by.iter().any(|by| **by == **name));
        if !is_by {
            captures.insert(name.to_string(), text.clone());
        }
    }
    let mut values = BTreeMap::new();
    // Captures are also plain names, but never hide what is ours.
    for (name, text) in &captures {
        values.insert(name.clone(), Value::Text(text.clone()));
    }
    let labels = rule.map(|rule| rule.labels.clone()).unwrap_or_default();
    let lasted = draft.until.unwrap_or(tally.last).since(draft.since);
    let number = |n: u64| Value::Number(i64::try_from(n).unwrap_or(i64::MAX));
    let stamp = |wall| {
        zoned(wall, &surface.zone)
            .strftime("%Y-%m-%dT%H:%M:%S%.3f%:z")
            .to_string()
    };
    let title = title_text(instance, rule);
    for (name, value) in [
        ("key", Value::Text(instance.rule.as_str().to_owned())),
        ("title", Value::Text(title)),
        ("severity", Value::Text(tally.worst.to_string())),
        ("host", Value::Text(surface.host.clone())),
        ("source", Value::Text(main.source.to_string())),
        ("line", Value::Text(sample_line(main, 1_000))),
        ("fields", fields(rule, &main.sample, &captures)),
        ("captures", Value::Map(captures)),
        ("labels", Value::Map(labels)),
        ("count", number(tally.count)),
        ("total", number(draft.total)),
        ("first", Value::Text(stamp(tally.first))),
        ("last", Value::Text(stamp(tally.last))),
        ("reason", Value::Text(draft.reason.as_str().to_owned())),
        ("duration", Value::Text(humane(lasted))),
    ] {
        values.insert(name.to_owned(), value);
    }
    if let Some(finding) = &main.sample.finding {
        let status = match finding.exit_status {
            Some(status) => Value::Number(status.into()),
            None => Value::Text(String::new()),
        };
        let perf = finding.perf.iter();
        let perf = perf.map(|perf| (perf.name.clone(), perf.shown())).collect();
        values.insert("exit_status".to_owned(), status);
        values.insert("output".to_owned(), Value::Text(finding.output.clone()));
        values.insert("perf".to_owned(), Value::Map(perf));
    }
    Values(values)
}

/// The fields of a record, by their names with dots; those of a plain line are what was
/// captured of it.
fn fields(rule: Option<&Rule>, sample: &Sample, captures: &BTreeMap<String, String>) -> Value {
    let Some(rule) = rule.filter(|rule| rule.reading.format.is_structured()) else {
        return Value::Map(captures.clone());
    };
    // A field that is not there is empty.
    let mut fields: BTreeMap<String, String> = (rule.kept.names.iter())
        .map(|name| (name.to_string(), String::new()))
        .collect();
    for (name, text) in &sample.fields {
        fields.insert(name.to_string(), text.clone());
    }
    Value::Nested(fields)
}
