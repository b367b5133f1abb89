//! Shows the real world to the checks: the environment and small files.
//!
//! This is the only place that reads the environment.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use crate::rules::Surroundings;
use crate::rules::glob::Glob;

/// The size of the biggest file of settings or rules.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// How many files a pattern of rule files may name; the rest is left out.
const FILES_MAX: usize = 10_000;

/// How deep directories are searched for rule files.
const DEPTH_MAX: usize = 32;

/// The environment and the files of this machine.
#[derive(Debug, Clone, Copy)]
pub struct ThisMachine;

impl Surroundings for ThisMachine {
    #[expect(
        clippy::disallowed_methods,
        reason = "the environment is read here and handed on"
    )]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| {
                let mut file = file.take(FILE_BYTES_MAX + 1);
                file.read_to_end(&mut bytes)
            })
            .map_err(|error| why(&error))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(format!("bigger than {} KiB", FILE_BYTES_MAX >> 10));
        }
        String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line_number = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
            format!("not UTF-8 text in line {line_number}")
        })
    }

    fn is_exposed(&self, path: &Path) -> bool {
        // A file that tells nothing is not read either.
        fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o004 != 0)
    }

    fn matching(&self, pattern: &Glob) -> Vec<PathBuf> {
        let mut found = Vec::new();
        if pattern.matches(pattern.root()) && pattern.root().is_file() {
            found.push(pattern.root().to_owned());
        }
        search(pattern, pattern.root(), DEPTH_MAX, &mut found);
        found.sort();
        found
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn zone(&self, name: &str) -> Option<TimeZone> {
        TimeZone::get(name).ok()
    }
}

/// Adds the files below a directory that a pattern names. A directory that cannot
/// be listed has none: the pattern is then reported as naming no file.
fn search(pattern: &Glob, directory: &Path, depth_left: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        if found.len() >= FILES_MAX {
            return;
        }
        let path = entry.path();
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        // A link to a directory may lead back up; `**` would go round for ever.
        let is_walk = is_link && pattern.as_str().contains("**");
        if path.is_dir() {
            if depth_left > 0 && !is_walk && pattern.may_match_below(&path) {
                search(pattern, &path, depth_left - 1, found);
            }
        } else if pattern.matches(&path) {
            found.push(path);
        }
    }
}

/// Returns what a person should read about a file that cannot be read.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".into(),
        io::ErrorKind::PermissionDenied => "no permission to read".into(),
        io::ErrorKind::IsADirectory => "a directory, not a file".into(),
        io::ErrorKind::NotADirectory => {
            "no such file: a part of its path is not a directory".into()
        }
        _ => format!("cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_why_a_file_cannot_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("good"), "text").unwrap();
        fs::write(path("latin"), b"one\ntw\xf6").unwrap();
        fs::write(path("big"), vec![b'x'; (1 << 20) + 1]).unwrap();
        for (name, expected) in [
            ("good", Ok("text".to_owned())),
            ("none", Err("no such file".to_owned())),
            (".", Err("a directory, not a file".to_owned())),
            ("latin", Err("not UTF-8 text in line 2".to_owned())),
            ("big", Err("bigger than 1024 KiB".to_owned())),
        ] {
            assert_eq!(ThisMachine.read(&path(name)), expected, "{name}");
        }
    }

    #[test]
    fn knows_what_everybody_may_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, expected) in [(0o600, false), (0o640, false), (0o644, true)] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(ThisMachine.is_exposed(file.path()), expected, "{mode:o}");
        }
        assert!(!ThisMachine.is_exposed(Path::new("/nowhere")));
    }

    #[test]
    fn finds_rule_files() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("rules.d/more")).unwrap();
        for name in ["b.yaml", "a.yaml", ".c.yaml", "d.txt", "more/e.yaml"] {
            fs::write(root.join("rules.d").join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("rules.d/loop")).unwrap();
        for (pattern, expected) in [
            ("rules.d/*.yaml", vec!["a.yaml", "b.yaml"]),
            ("rules.d/**/*.yaml", vec!["a.yaml", "b.yaml", "more/e.yaml"]),
            ("rules.d/{b,d}.*", vec!["b.yaml", "d.txt"]),
            ("nothing/*.yaml", vec![]),
        ] {
            let glob = Glob::parse(pattern, root).unwrap();
            let expected: Vec<PathBuf> = expected
                .into_iter()
                .map(|name| root.join("rules.d").join(name))
                .collect();
            assert_eq!(ThisMachine.matching(&glob), expected, "{pattern}");
        }
    }
}
