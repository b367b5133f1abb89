//! Every shipped pack parses, and every rule hits what it must.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use logcrier::diagnostic::Paint;
use logcrier::rules::glob::Glob;
use logcrier::rules::pattern::Matcher;
use logcrier::rules::settings::{Purpose, Request, load};
use logcrier::rules::{RuleSet, Surroundings};

use crate::pack_lines::PACK_LINES;

/// The files of the checkout and nothing else.
struct Checkout;

impl Surroundings for Checkout {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }

    fn matching(&self, _: &Glob) -> Vec<PathBuf> {
        Vec::new()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn zone(&self, name: &str) -> Option<jiff::tz::TimeZone> {
        jiff::tz::TimeZone::get(name).ok()
    }
}

fn packs() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let entries = std::fs::read_dir(directory).unwrap();
    let mut packs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    packs.sort();
    packs
}

fn rule_set(packs: Vec<PathBuf>) -> RuleSet {
    let request = Request {
        config: None,
        rules: packs,
        purpose: Purpose::LoneRules,
        machine_name: "test".to_owned(),
        directory: PathBuf::from("/"),
    };
    let loaded = load(&request, &Checkout);
    assert_eq!(loaded.report.render(Paint::Plain), "");
    loaded.settings.unwrap().rule_set
}

#[test]
fn packs_stand_together() {
    assert!(rule_set(packs()).rules.len() >= 20);
}

#[test]
fn every_rule_hits_what_it_must_and_nothing_else() {
    let mut sets: BTreeMap<&str, RuleSet> = BTreeMap::new();
    for lines in PACK_LINES {
        let set = sets.entry(lines.file).or_insert_with(|| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"));
            rule_set(vec![path.join("rules").join(lines.file)])
        });
        let rule = (set.rules.iter())
            .find(|rule| rule.key.as_str() == lines.key)
            .unwrap_or_else(|| panic!("no rule {} in {}", lines.key, lines.file));
        let matcher = Matcher::new(&[&rule.patterns], 16 << 10);
        let hits = |line: &str| {
            let mut n_hits = 0;
            matcher.search(line.as_bytes(), &mut |_| n_hits += 1);
            n_hits > 0
        };
        for line in lines.must {
            assert!(hits(line), "{} must hit {line:?}", lines.key);
        }
        for line in lines.must_not {
            assert!(!hits(line), "{} must not hit {line:?}", lines.key);
        }
    }
}
