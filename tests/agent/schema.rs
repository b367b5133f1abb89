//! The schema that editors get: it knows the fields that the parser knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use logcrier::rules::schema;
use serde_json::Value;

/// The fields of every map that the parser knows, by where its table stands.
fn tables() -> Vec<(String, BTreeSet<String>)> {
    let mut files = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/rules")];
    let mut tables = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for table in text.split(": Known = Known {").skip(1) {
            let table = table.split("};").next().unwrap();
            let quoted = |text: &str| -> Vec<String> {
                let parts = text.split('"').skip(1).step_by(2);
                parts.map(str::to_owned).collect()
            };
            let what = quoted(table.split("what:").nth(1).unwrap()).remove(0);
            let fields = table.split("fields: &[").nth(1).unwrap();
            let fields = fields.split(']').next().unwrap();
            tables.push((
                format!("{what} ({})", path.display()),
                quoted(fields).into_iter().collect(),
            ));
        }
    }
    tables
}

/// The fields of every map in a schema.
fn maps(schema: &Value, found: &mut Vec<BTreeSet<String>>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                found.push(properties.keys().cloned().collect());
            }
            map.values().for_each(|value| maps(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| maps(value, found)),
        _ => {}
    }
}

#[test]
fn knows_every_map_that_the_parser_knows() {
    let mut known = Vec::new();
    maps(&schema::of_rules(), &mut known);
    maps(&schema::of_settings(), &mut known);
    let tables = tables();
    assert!(tables.len() >= 8, "the tables were not found");
    for (what, fields) in tables {
        assert!(
            known.contains(&fields),
            "the schema has no map with the fields of {what}: {fields:?}; \
             add them in src/rules/schema"
        );
    }
}

#[test]
fn every_pack_names_it() {
    let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    for entry in fs::read_dir(packs).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text.lines().next(),
            Some("# yaml-language-server: $schema=/usr/share/logcrier/schema/rules.json"),
            "{}",
            path.display()
        );
    }
}
