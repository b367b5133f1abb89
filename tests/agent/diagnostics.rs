//! The catalogue of mistakes, literally as people see them.
//!
//! `diagnostics.txt` holds cases: a title, files, and what is said about them.
//! When what is said changes, the catalogue as it would be now is written beside
//! the build, to be read and, if it reads better, taken over.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use logcrier::cli::check::{self, CheckArgs, Here};
use logcrier::diagnostic::Paint;
use logcrier::rules::Surroundings;
use logcrier::rules::glob::Glob;

const CATALOGUE: &str = include_str!("diagnostics.txt");

/// A world that is only text: `$NAME` is a variable, `everybody may read` holds the
/// names of files, anything else is a file.
#[derive(Default)]
struct Paper {
    files: BTreeMap<String, String>,
}

impl Surroundings for Paper {
    fn variable(&self, name: &str) -> Option<String> {
        let value = self.files.get(&format!("${name}"))?;
        Some(value.trim_end().to_owned())
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        let name = path.strip_prefix("/work").unwrap_or(path);
        let text = self.files.get(name.to_str().unwrap());
        text.cloned().ok_or_else(|| "no such file".to_owned())
    }

    fn is_exposed(&self, path: &Path) -> bool {
        let exposed = self.files.get("everybody may read");
        let mut names = exposed.into_iter().flat_map(|names| names.lines());
        names.any(|name| Path::new("/work").join(name) == path)
    }

    fn matching(&self, pattern: &Glob) -> Vec<PathBuf> {
        let paths = self.files.keys().map(|name| Path::new("/work").join(name));
        paths.filter(|path| pattern.matches(path)).collect()
    }

    fn exists(&self, path: &Path) -> bool {
        self.read(path).is_ok()
    }

    fn zone(&self, name: &str) -> Option<TimeZone> {
        TimeZone::get(name).ok()
    }
}

/// One case: a command line, files, and what is said.
struct Case {
    title: String,
    parts: Vec<(String, String)>,
}

fn cases() -> Vec<Case> {
    CATALOGUE
        .split("######## ")
        .skip(1)
        .map(|case| {
            let (title, rest) = case.split_once('\n').unwrap();
            let parts = rest.split("==== ").skip(1).map(|part| {
                let (name, text) = part.split_once('\n').unwrap();
                (name.to_owned(), text.to_owned())
            });
            Case {
                title: title.to_owned(),
                parts: parts.collect(),
            }
        })
        .collect()
}

/// What `logcrier check` says about a case. A file called `lone.yaml` is checked
/// alone, one called `logcrier.yaml` is the settings, `named.yaml` a rule file
/// that is named.
fn said(case: &Case) -> String {
    let mut paper = Paper::default();
    let mut args = CheckArgs::default();
    for (name, text) in &case.parts {
        match name.as_str() {
            "says" => continue,
            "logcrier.yaml" => args.config = Some(name.into()),
            "named.yaml" => args.rules.push(name.into()),
            "lone.yaml" => args.files.push(name.into()),
            "--rules missing.yaml" => {
                args.rules.push("missing.yaml".into());
                continue;
            }
            _ => {}
        }
        paper.files.insert(name.clone(), text.clone());
    }
    let here = Here {
        machine_name: "web-03".into(),
        directory: "/work".into(),
    };
    let mut err = Vec::new();
    check::run(&args, &here, &paper, Paint::Plain, &mut err).unwrap();
    String::from_utf8(err).unwrap()
}

#[test]
fn every_mistake_reads_as_promised() {
    let mut now =
        fs::File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("diagnostics.txt")).unwrap();
    write!(now, "{}", CATALOGUE.split("######## ").next().unwrap()).unwrap();
    let mut different = Vec::new();
    for case in cases() {
        writeln!(now, "######## {}", case.title).unwrap();
        for (name, text) in case.parts.iter().filter(|(name, _)| name != "says") {
            writeln!(now, "==== {name}\n{}", text.trim_end_matches('\n')).unwrap();
        }
        let said = said(&case);
        writeln!(now, "==== says\n{said}").unwrap();
        let expected = case.parts.iter().find(|(name, _)| name == "says");
        if expected.is_none_or(|(_, text)| text.trim_end() != said.trim_end()) {
            different.push(format!("{}\n{said}", case.title));
        }
        // Whatever the mistake, what makes an address a password is not shown.
        if said.contains("SECRET") {
            different.push(format!("GIVES A SECRET AWAY: {}\n{said}", case.title));
        }
    }
    assert!(
        different.is_empty(),
        "{}\n\nThe catalogue as it would be is in {}/diagnostics.txt",
        different.join("\n"),
        env!("CARGO_TARGET_TMPDIR")
    );
}

#[test]
fn the_catalogue_is_long_enough_to_be_worth_it() {
    assert!(cases().len() > 60);
}
