//! The files that settings and rules are read from, each once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{CONFIG_DEFAULT, Loader, Purpose};
use crate::diagnostic::{FileId, Place};
use crate::rules::glob::Glob;
use crate::rules::parse::{self, Entry, Node, Value};
use crate::rules::{fields, variables};

/// A file that was read.
pub(super) struct Read {
    pub(super) file: FileId,
    /// Its content; nothing if it is empty.
    pub(super) root: Option<Node>,
}

impl Loader<'_> {
    /// Returns the settings file, if there is one.
    pub(super) fn config_path(&self) -> Option<PathBuf> {
        if self.request.purpose == Purpose::LoneRules {
            return None;
        }
        match &self.request.config {
            Some(path) => Some(self.request.directory.join(path)),
            None => {
                Some(PathBuf::from(CONFIG_DEFAULT)).filter(|path| self.surroundings.exists(path))
            }
        }
    }

    pub(super) fn read_settings(&mut self, path: &Path) -> Option<Read> {
        let text = self.content(path, None)?;
        let mut read = self.parse(path, &text)?;
        if let Some(root) = &mut read.root {
            variables::replace(root, self.surroundings, &mut self.report);
        }
        Some(read)
    }

    /// Reads a file; `named_by` is what names it in another file.
    pub(super) fn content(&mut self, path: &Path, named_by: Option<&Node>) -> Option<String> {
        match self.surroundings.read(path) {
            Ok(text) => Some(text),
            Err(why) => {
                match named_by {
                    Some(node) => {
                        let shown = self.shown_for(node, path);
                        self.report.unreadable_here(node.at, &shown, &why);
                    }
                    None => {
                        let place = Place::Named(self.shown(path));
                        self.report.unreadable(place, &why);
                    }
                }
                None
            }
        }
    }

    pub(super) fn parse(&mut self, path: &Path, text: &str) -> Option<Read> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let shown = self.shown(path);
        let file = self.report.add_file(&shown, text);
        let directory = path.parent().unwrap_or(Path::new("/"));
        self.directories.insert(file, directory.to_owned());
        let n_errors = self.report.n_errors();
        let root = parse::parse(file, text, &mut self.report);
        let is_yaml = root.is_some() || self.report.n_errors() == n_errors;
        is_yaml.then_some(Read { file, root })
    }

    /// Returns a path as the person who named it would.
    pub(super) fn shown(&self, path: &Path) -> String {
        let directory = &self.request.directory;
        let within = path.strip_prefix(directory).ok();
        // From the root everything is within, and nothing reads better for it.
        let within = within.filter(|_| directory.parent().is_some());
        within.unwrap_or(path).display().to_string()
    }

    /// Returns a path as it may be shown: if variables are part of it, as written.
    pub(super) fn shown_for(&self, node: &Node, path: &Path) -> String {
        match node.as_scalar().and_then(|scalar| scalar.written.as_ref()) {
            Some(written) => written.clone(),
            None => self.shown(path),
        }
    }

    /// Reads every rule file, in the order of their names, each once.
    pub(super) fn rule_files(&mut self, entry: Option<&Entry>) -> Vec<Read> {
        let mut named: BTreeMap<PathBuf, Option<&Node>> = BTreeMap::new();
        for path in &self.request.rules {
            named.insert(self.request.directory.join(path), None);
        }
        let patterns = entry.and_then(|entry| match &entry.node.value {
            // An empty list of files is as good as none.
            Value::List(nodes) if nodes.is_empty() => None,
            _ => fields::texts(entry, &mut self.report),
        });
        for (node, text) in patterns.unwrap_or_default() {
            if text.starts_with('~') {
                self.report.tilde(node.at);
                continue;
            }
            let directory = self.directories.get(&node.at.file).cloned();
            let glob = match Glob::parse(text, &directory.unwrap_or_default()) {
                Ok(glob) => glob,
                Err(reason) => {
                    self.report.not_a_glob(node.at, &reason);
                    continue;
                }
            };
            if glob.is_literal() {
                named.entry(glob.root().to_owned()).or_insert(Some(node));
                continue;
            }
            let paths = self.surroundings.matching(&glob);
            if paths.is_empty() {
                self.report.matches_no_file(node.at, fields::shown(node));
            }
            for path in paths {
                named.entry(path).or_insert(None);
            }
        }
        let files: Vec<Option<Read>> = named
            .iter()
            .map(|(path, named_by)| {
                let text = self.content(path, *named_by)?;
                self.parse(path, &text)
            })
            .collect();
        files.into_iter().flatten().collect()
    }
}
