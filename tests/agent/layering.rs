//! Who may import whom, and what the pure rooms must not know.
//!
//! The `use` lines and paths of every file are held against the table in the
//! crate's documentation.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms of this crate that it may know.
const TABLE: &[(&str, &[&str])] = &[
    ("secrets", &["secrets"]),
    ("diagnostic", &["diagnostic", "secrets"]),
    ("rules", &["rules", "diagnostic", "secrets"]),
    ("engine", &["engine", "rules", "diagnostic", "secrets"]),
    (
        "rehearsal",
        &["rehearsal", "engine", "rules", "diagnostic", "secrets"],
    ),
    ("probe", &["probe"]),
    (
        "host",
        &["host", "probe", "engine", "rules", "diagnostic", "secrets"],
    ),
    ("sandbox", &["sandbox"]),
    (
        "cli",
        &[
            "cli",
            "host",
            "rehearsal",
            "probe",
            "engine",
            "rules",
            "diagnostic",
            "secrets",
            "sandbox",
        ],
    ),
];

/// Rooms that know nothing of the world.
const PURE: &[&str] = &[
    "secrets",
    "diagnostic",
    "rules",
    "engine",
    "rehearsal",
    "probe",
];

/// What the pure rooms must not reach for.
const WORLD: &[&str] = &[
    "tokio",
    "reqwest",
    "notify",
    "rusqlite",
    "rustix",
    "axum",
    "tracing",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "std::os::fd",
    "std::os::unix::fs",
    "std::os::unix::net",
    "io::stdin",
    "io::stdout",
    "io::stderr",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "TimeZone::system",
    "HashMap",
    "HashSet",
    "fastrand::u",
    "thread_rng",
];

struct Source {
    room: String,
    path: PathBuf,
    /// The code without comments and without tests.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(sources.len() > 30, "the sources were not found");
    sources
}

fn collect(root: &Path, directory: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let relative = path.strip_prefix(root).unwrap();
            let room = relative.iter().next().unwrap().to_string_lossy();
            sources.push(Source {
                room: room.trim_end_matches(".rs").to_owned(),
                code: code_of(&text),
                path: path.clone(),
            });
        }
    }
}

fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn rooms_know_only_the_rooms_below() {
    for source in sources() {
        let Some((_, allowed)) = TABLE.iter().find(|(room, _)| *room == source.room) else {
            assert!(
                ["lib", "main"].contains(&source.room.as_str()),
                "{} is in no room of the table",
                source.path.display()
            );
            continue;
        };
        for (idx, _) in source.code.match_indices("crate::") {
            let path = &source.code[idx + "crate::".len()..];
            let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
            let room = &path[..end.unwrap_or(path.len())];
            assert!(
                allowed.contains(&room),
                "{}: `{}` may not know `{room}`",
                source.path.display(),
                source.room
            );
        }
    }
}

#[test]
fn pure_rooms_do_not_know_the_world() {
    for source in sources() {
        if !PURE.contains(&source.room.as_str()) {
            continue;
        }
        for word in WORLD {
            let found = source.code.match_indices(word).find(|(idx, _)| {
                let before = source.code[..*idx].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            });
            assert!(
                found.is_none(),
                "{}: the pure room `{}` reaches for `{word}`",
                source.path.display(),
                source.room
            );
        }
    }
}

#[test]
fn unsafe_code_is_in_one_place_that_says_why() {
    let sources = sources();
    let places: Vec<_> = (sources.iter())
        .flat_map(|source| source.code.matches("unsafe ").map(|_| &source.path))
        .collect();
    let [place] = places.as_slice() else {
        panic!("{places:?}");
    };
    assert!(place.ends_with("host/footprint.rs"), "{}", place.display());
    let text = fs::read_to_string(place).unwrap();
    assert_eq!(text.matches("// SAFETY: ").count(), 1);
}

#[test]
fn tests_do_not_sleep() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    let banned = ["thread", "::sleep"].concat();
    for source in sources {
        assert!(!source.code.contains(&banned), "{}", source.path.display());
    }
}
