//! Any text as a file of rules: mistakes, never a panic; and what is good can be tried.

#![no_main]

use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use logcrier::diagnostic::Paint;
use logcrier::rehearsal::{explain, trial};
use logcrier::rules::Surroundings;
use logcrier::rules::glob::Glob;
use logcrier::rules::settings::{Purpose, Request, load};

/// One file and nothing else.
struct Paper(String);

impl Surroundings for Paper {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        match path.ends_with("fuzz.yaml") {
            true => Ok(self.0.clone()),
            false => Err("no such file".to_owned()),
        }
    }

    fn matching(&self, _: &Glob) -> Vec<PathBuf> {
        Vec::new()
    }

    fn exists(&self, _: &Path) -> bool {
        false
    }

    fn is_exposed(&self, _: &Path) -> bool {
        false
    }

    fn zone(&self, _: &str) -> Option<jiff::tz::TimeZone> {
        None
    }
}

fuzz_target!(|text: &str| {
    let name = PathBuf::from("fuzz.yaml");
    for purpose in [Purpose::LoneRules, Purpose::Agent] {
        let (config, rules) = match purpose {
            Purpose::LoneRules => (None, vec![name.clone()]),
            Purpose::Agent | Purpose::Spaces => (Some(name.clone()), Vec::new()),
        };
        let request = Request {
            config,
            rules,
            purpose,
            machine_name: "fuzz".to_owned(),
            directory: "/".into(),
        };
        let mut loaded = load(&request, &Paper(text.to_owned()));
        // Either there are settings, or it says why not.
        assert!(loaded.settings.is_some() || loaded.report.has_errors());
        if let Some(settings) = &loaded.settings {
            for carried in &loaded.carried {
                let Some(rule) = settings.rule_set.rule(&carried.key) else {
                    continue;
                };
                if let Some(examples) = &carried.examples {
                    trial::run(rule, examples, &settings.rule_set, &mut loaded.report);
                }
                let matcher = explain::searcher_of(rule, &settings.rule_set);
                let _ = explain::see(rule, text, &matcher);
            }
        }
        // Whatever it says can be shown.
        let _ = loaded.report.render(Paint::Colours);
    }
});
