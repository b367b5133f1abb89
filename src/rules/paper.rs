//! Surroundings that are only text, for tests of what reads settings and rules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::glob::Glob;
use super::settings::{self, Purpose, Request};
use super::{RuleSet, Surroundings};

/// A world that is only text: `$NAME` is a variable, anything else a file.
#[derive(Default)]
pub(crate) struct Paper(BTreeMap<String, String>);

impl Paper {
    /// The same with one text more.
    pub(crate) fn with(mut self, name: &str, text: &str) -> Self {
        self.0.insert(name.to_owned(), text.to_owned());
        self
    }
}

impl Surroundings for Paper {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(&format!("${name}")).cloned()
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        let text = self.0.get(path.to_str().unwrap_or_default());
        text.cloned().ok_or_else(|| "no such file".to_owned())
    }

    fn is_exposed(&self, _: &Path) -> bool {
        false
    }

    fn matching(&self, pattern: &Glob) -> Vec<PathBuf> {
        let paths = self.0.keys().map(PathBuf::from);
        paths.filter(|path| pattern.matches(path)).collect()
    }

    fn exists(&self, path: &Path) -> bool {
        self.read(path).is_ok()
    }

    fn zone(&self, name: &str) -> Option<TimeZone> {
        TimeZone::get(name).ok()
    }
}

/// The rules of a list of them.
pub(crate) fn rules_of(yaml: &str) -> RuleSet {
    let request = Request {
        config: None,
        rules: vec!["r.yaml".into()],
        purpose: Purpose::LoneRules,
        machine_name: "test".into(),
        directory: "/".into(),
    };
    let paper = Paper::default().with("/r.yaml", &format!("rules:\n{yaml}"));
    let loaded = settings::load(&request, &paper);
    assert!(loaded.settings.is_some(), "{yaml}");
    loaded.settings.unwrap().rule_set
}
