//! Surroundings that are one text, whatever is read.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use logcrier::rules::{Surroundings, glob::Glob};

/// One file of rules and nothing else.
pub(crate) struct Paper(pub(crate) String);

impl Surroundings for Paper {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, _: &Path) -> Result<String, String> {
        Ok(self.0.clone())
    }

    fn is_exposed(&self, _: &Path) -> bool {
        false
    }

    fn matching(&self, _: &Glob) -> Vec<PathBuf> {
        Vec::new()
    }

    fn exists(&self, _: &Path) -> bool {
        true
    }

    fn zone(&self, name: &str) -> Option<TimeZone> {
        TimeZone::get(name).ok()
    }
}
