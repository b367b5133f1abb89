//! Hints that something may have changed, from the kernel's inotify.
//!
//! Directories are watched, not files: a directory's watch tells of writes to the
//! files in it and of names that come and go. Hints may be lost, doubled or late;
//! they are collected as a set, so that a storm of them costs no memory.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::engine::schedule::Hint;

/// Hints that are kept apart; beyond, everything is looked at.
const HINTS_MAX: usize = 4_096;

/// Watches directories.
#[derive(Debug)]
pub struct Watcher {
    inner: RecommendedWatcher,
    watched: BTreeMap<PathBuf, Birth>,
    shared: Arc<Shared>,
}

/// Tells a directory from another that took its name, and perhaps its inode.
type Birth = (u64, u64, Option<std::time::SystemTime>);

/// The hints that were not taken yet.
#[derive(Debug, Clone)]
pub struct Hints(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    hints: Mutex<BTreeSet<Hint>>,
    arrived: Notify,
    /// Directories that could not be watched, and why the first one could not.
    refused: Mutex<Option<String>>,
}

impl Watcher {
    /// Starts to watch nothing yet. Fails where the kernel gives no watcher.
    pub fn new() -> Result<(Self, Hints), String> {
        let shared = Arc::new(Shared::default());
        let sink = shared.clone();
        let config = notify::Config::default().with_follow_symlinks(false);
        let inner = RecommendedWatcher::new(move |event| sink.take(event), config)
            .map_err(|error| describe(&error))?;
        let watcher = Self {
            inner,
            watched: BTreeMap::new(),
            shared: shared.clone(),
        };
        Ok((watcher, Hints(shared)))
    }

    /// Watches a directory from now on. A watch belongs to a directory, not to its
    /// name: one that was made anew is watched anew.
    pub fn watch(&mut self, directory: &Path) {
        let Ok(birth) = birth_of(directory) else {
            return self.forget(directory);
        };
        match self.watched.get(directory) {
            Some(known) if *known == birth => return,
            Some(_) => self.forget(directory),
            None => {}
        }
        match self.inner.watch(directory, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.watched.insert(directory.to_owned(), birth);
            }
            Err(error) => match error.kind {
                notify::ErrorKind::PathNotFound => {}
                notify::ErrorKind::Io(ref error)
                    if error.kind() == std::io::ErrorKind::NotFound => {}
                _ => {
                    let mut refused = lock(&self.shared.refused);
                    refused.get_or_insert_with(|| {
                        format!("{}: {}", directory.display(), describe(&error))
                    });
                    drop(refused);
                    self.shared.arrived.notify_one();
                }
            },
        }
    }

    /// Watches the nearest directory that exists, for the sake of one that may come.
    pub fn watch_for(&mut self, directory: &Path) {
        for ancestor in directory.ancestors() {
            self.watch(ancestor);
            if self.watched.contains_key(ancestor) {
                return;
            }
        }
    }

    /// Forgets a directory that went away, and all below it.
    fn forget(&mut self, path: &Path) {
        let gone: Vec<PathBuf> = (self.watched.range(path.to_owned()..))
            .map(|(watched, _)| watched)
            .take_while(|watched| watched.starts_with(path))
            .cloned()
            .collect();
        for directory in gone {
            // The kernel may have dropped the watch by itself.
            let _ = self.inner.unwatch(&directory);
            self.watched.remove(&directory);
        }
    }
}

impl Hints {
    /// Waits until there is a hint.
    pub async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    /// Takes all hints.
    pub fn take(&self) -> BTreeSet<Hint> {
        std::mem::take(&mut *lock(&self.0.hints))
    }

    /// Takes the reason why a directory could not be watched.
    pub fn take_refused(&self) -> Option<String> {
        lock(&self.0.refused).take()
    }
}

impl Shared {
    fn take(&self, event: notify::Result<notify::Event>) {
        let mut hints = lock(&self.hints);
        match event {
            Err(_) => {
                hints.insert(Hint::Lost);
            }
            Ok(event) if event.need_rescan() => {
                hints.insert(Hint::Lost);
            }
            Ok(event) => {
                let hint: fn(PathBuf) -> Hint = match event.kind {
                    // A closed writer has written; all other accesses are ours.
                    EventKind::Access(AccessKind::Close(AccessMode::Write)) => Hint::Written,
                    EventKind::Access(_) => return,
                    EventKind::Modify(ModifyKind::Name(_)) => Hint::Renamed,
                    EventKind::Modify(_) => Hint::Written,
                    EventKind::Create(_)
                    | EventKind::Remove(_)
                    | EventKind::Any
                    | EventKind::Other => Hint::Renamed,
                };
                hints.extend(event.paths.into_iter().map(hint));
                if hints.len() > HINTS_MAX {
                    hints.clear();
                    hints.insert(Hint::Lost);
                }
            }
        }
        drop(hints);
        self.arrived.notify_one();
    }
}

fn birth_of(directory: &Path) -> std::io::Result<Birth> {
    let metadata = std::fs::metadata(directory)?;
    Ok((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

/// A panic while a set is being filled leaves a set behind, nothing worse.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn describe(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "no inotify watch left; raise fs.inotify.max_user_watches".to_owned()
        }
        notify::ErrorKind::Io(error) => error.to_string(),
        kind => format!("{kind:?}"),
    }
}
