//! Every shipped pack parses, and every rule does what the tests beside it say.

use std::path::{Path, PathBuf};

use logcrier::diagnostic::Paint;
use logcrier::rehearsal::trial;
use logcrier::rules::glob::Glob;
use logcrier::rules::settings::{Purpose, Request, load};
use logcrier::rules::{RuleSet, Surroundings};

/// The files of the checkout and nothing else.
struct Checkout;

impl Surroundings for Checkout {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }

    fn is_exposed(&self, _: &Path) -> bool {
        false
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
fn every_rule_does_what_its_tests_say() {
    let request = Request {
        config: None,
        rules: packs(),
        purpose: Purpose::LoneRules,
        machine_name: "test".to_owned(),
        directory: PathBuf::from("/"),
    };
    let mut loaded = load(&request, &Checkout);
    let rules = loaded.settings.unwrap().rule_set;
    for carried in &loaded.carried {
        let key = &carried.key;
        let Some(examples) = &carried.examples else {
            panic!("{key} has no tests");
        };
        let rule = rules.rule(key).unwrap();
        // Of a command whose status alone tells there is nothing to match.
        if !rule.patterns.matches.is_empty() {
            assert!(!examples.matches.is_empty(), "{key}: what must match?");
            assert!(!examples.no_matches.is_empty(), "{key}: what must not?");
        }
        assert!(!examples.sequence.is_empty(), "{key}: what is posted when?");
        trial::run(rule, examples, &rules, &mut loaded.report);
    }
    assert_eq!(loaded.carried.len(), rules.rules.len());
    assert_eq!(loaded.report.render(Paint::Plain), "");
}
