//! What `logcrier exec` leaves for the agent while none is there.
//!
//! One file for each result, named by its time, so that they are taken up in the
//! order in which they came about. Of the good results of a key only the newest is
//! kept: it says all that the others said.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::engine::checks::finding::Ran;
use crate::engine::time::Wall;

/// The directory in the state directory.
const DIRECTORY: &str = "spool";

/// Results that are kept at most; what comes then finds no room.
const FILES_MAX: usize = 1_000;

/// The bytes of one result.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Results that are taken up at once.
const BATCH: usize = 100;

/// What a command under `logcrier exec` came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Drawn at random: the same result is never taken for two.
    pub id: u128,
    /// The rule's key.
    pub key: String,
    /// When it ended.
    pub at: Wall,
    /// What came of it.
    pub ran: Ran,
    /// The map of exit statuses as it stood on the command line.
    pub status: Option<String>,
    /// Whether the message was posted already.
    pub is_said: bool,
}

/// Leaves a result for the agent.
pub fn leave(state_dir: &Path, told: &Told, is_fine: bool) -> io::Result<()> {
    let directory = state_dir.join(DIRECTORY);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)?;
    let name = match is_fine {
        true => format!("{}.fine.json", told.key),
        false => format!("{:020}-{:032x}.json", told.at.0.max(0), told.id),
    };
    let path = directory.join(name);
    if !path.exists() && std::fs::read_dir(&directory)?.count() >= FILES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::StorageFull,
            format!("{FILES_MAX} results wait for the agent already"),
        ));
    }
    let temporary = directory.join(format!(".{:032x}", told.id));
    let text = serde_json::to_vec(told).map_err(io::Error::other)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    let written = (file.write_all(&text))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&temporary, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// The results that wait, oldest first, and the files they stand in. What cannot be
/// read is set aside.
pub(super) fn waiting(state_dir: &Path, is_known: impl Fn(&Path) -> bool) -> Vec<(PathBuf, Told)> {
    // Nobody ever left anything, or nobody may look: either way there is nothing.
    let Ok(entries) = std::fs::read_dir(state_dir.join(DIRECTORY)) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = (entries.flatten())
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .filter(|path| !is_known(path))
        .collect();
    paths.sort();
    paths.truncate(BATCH);
    let mut found = Vec::new();
    for path in paths {
        match read(&path) {
            Ok(told) => found.push((path, told)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                warn!(path = %path.display(), %error, "a result that nobody can read, set aside");
                let _ = std::fs::rename(&path, path.with_extension("bad"));
            }
        }
    }
    found.sort_by_key(|(_, told)| told.at);
    found
}

/// Takes a result away that the agent has on its own disk now.
pub(super) fn remove(path: &Path, id: u128) {
    // A newer one may have taken its place.
    if read(path).is_ok_and(|told| told.id == id) {
        // What cannot be removed is told once more, and known again by its id.
        let _ = std::fs::remove_file(path);
    }
}

fn read(path: &Path) -> io::Result<Told> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(key: &str, at: i64) -> Told {
        Told {
            id: u128::from(at.unsigned_abs()),
            key: key.to_owned(),
            at: Wall(at),
            ran: Ran::exited(1, "no"),
            status: None,
            is_said: false,
        }
    }

    #[test]
    fn results_wait_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let state_dir = directory.path();
        assert_eq!(waiting(state_dir, |_| false), []);
        for (key, at, is_fine) in [
            ("b", 30, false),
            ("a", 5, true),
            ("a", 20, true),
            ("a", 10, false),
        ] {
            leave(state_dir, &told(key, at), is_fine).unwrap();
        }
        std::fs::write(state_dir.join("spool/broken.json"), "{").unwrap();
        std::fs::write(state_dir.join("spool/.half"), "{").unwrap();
        let found = waiting(state_dir, |_| false);
        let found: Vec<(String, i64)> = (found.into_iter())
            .map(|(_, told)| (told.key, told.at.0))
            .collect();
        let expected = [("a", 10), ("a", 20), ("b", 30)];
        assert_eq!(found, expected.map(|(key, at)| (key.to_owned(), at)));
        assert!(state_dir.join("spool/broken.bad").exists());
        let is_known = |path: &Path| path.ends_with("a.fine.json");
        assert_eq!(waiting(state_dir, is_known).len(), 2);
    }
}
