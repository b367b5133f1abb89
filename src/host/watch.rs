//! Hints that something may have changed, from the kernel's `inotify(7)`.
//!
//! Directories are watched, not files: a directory's watch tells of writes to the
//! files in it and of names that come and go. Hints may be lost, doubled or late;
//! they are kept as a set, so that a storm of them costs no memory. That something
//! was only opened or read is no hint: it may have been the agent itself.
//!
//! | where | what is told, and what is done about the rest |
//! |---|---|
//! | ext4, xfs, btrfs, zfs, tmpfs | everything |
//! | file systems that others write to (see `file_systems`) | what is written here; polled besides |
//! | overlayfs | what goes through the mount; what changes beneath it is met by the look at everything |
//! | a directory that is mounted here | everything, by all its names |
//! | a file that is mounted alone, or has further hard links | writes by any name: the file itself is watched. That it is replaced outside is seen nowhere, and said |
//! | a write through a mapping | when it is closed; until then the look at everything |
//! | no watch or no instance left | nothing: polled, said once, and tried again with every listing |
//! | the kernel's queue ran over | that it did: everything is looked at, said once |
//! | a directory that may be searched and not read | nothing: files that are named without wildcards are looked at all the same |
//!
//! What becomes of the files themselves stands in [`schedule`](crate::engine::schedule).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::SystemTime;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

mod pace;

use pace::{Of, Pace};

use super::clock;
use super::files::is_absent;
use super::sieve::Sieve;
use super::until;
use crate::engine::schedule::Hint;
use crate::engine::time::Moment;

/// Hints that are kept apart; beyond, everything is looked at.
const HINTS_MAX: usize = 4_096;

/// How often a directory is tried whose parts come while it is looked for.
const TRIES_MAX: usize = 64;

/// Watches directories.
#[derive(Debug)]
pub(super) struct Watcher {
    /// None: the kernel gave no instance yet.
    inner: Option<RecommendedWatcher>,
    shared: Arc<Shared>,
    watched: BTreeMap<PathBuf, Watched>,
    /// By which of its names each watched directory is told of.
    told_as: BTreeMap<Birth, PathBuf>,
    /// Rises with every walk through everything: tells what was not met again.
    round: u64,
    /// Why nothing more is tried until the next listing.
    exhausted: Option<String>,
}

#[derive(Debug)]
struct Watched {
    birth: Birth,
    round: u64,
}

/// Tells a directory from another that took its name, and perhaps its inode.
type Birth = (u64, u64, Option<SystemTime>);

/// The hints that were not taken yet.
#[derive(Debug, Clone)]
pub(super) struct Hints(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// With when what they tell of had happened, at the latest.
    hints: Mutex<BTreeMap<Hint, Moment>>,
    names: Mutex<Names>,
    arrived: Notify,
    sieve: Arc<Sieve>,
    pace: Mutex<Pace>,
    /// How many wait for the thread that brings hints.
    n_waiting: Mutex<usize>,
    called: Condvar,
}

/// What the names that are told mean.
#[derive(Debug, Default)]
struct Names {
    /// All names of each watched directory, by the one that is told.
    all: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    /// Links, and what they are a part of: who turns one renames the other.
    through: BTreeMap<PathBuf, BTreeMap<PathBuf, u64>>,
    /// Directories that may have gone, and their watches with them.
    doubtful: BTreeSet<PathBuf>,
}

/// Prepares to watch. Where the kernel gives no instance, nothing can be watched
/// until it does.
pub(super) fn watcher(sieve: Arc<Sieve>) -> (Watcher, Hints) {
    let shared = Arc::new(Shared {
        hints: Mutex::default(),
        names: Mutex::default(),
        arrived: Notify::new(),
        sieve,
        pace: Mutex::new(Pace::new(clock::now().moment)),
        n_waiting: Mutex::default(),
        called: Condvar::new(),
    });
    let watcher = Watcher {
        inner: None,
        shared: shared.clone(),
        watched: BTreeMap::new(),
        told_as: BTreeMap::new(),
        round: 0,
        exhausted: None,
    };
    (watcher, Hints(shared))
}

impl Watcher {
    /// A listing begins: what was refused before is tried again.
    pub(super) fn begin(&mut self) {
        self.exhausted = None;
        if self.inner.is_some() {
            return;
        }
        let sink = self.shared.clone();
        let config = notify::Config::default().with_follow_symlinks(false);
        match RecommendedWatcher::new(move |event| sink.take(event), config) {
            Ok(inner) => self.inner = Some(inner),
            Err(error) => self.exhausted = Some(describe(&error)),
        }
    }

    /// A listing of everything begins.
    pub(super) fn begin_round(&mut self) {
        self.round += 1;
    }

    /// A listing of everything is over: what it did not meet is let go.
    pub(super) fn end_round(&mut self) {
        let round = self.round;
        let gone: Vec<PathBuf> = (self.watched.iter())
            .filter(|(_, watched)| watched.round < round)
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.forget(&path);
        }
        lock(&self.shared.names).through.retain(|_, whole| {
            whole.retain(|_, met| *met >= round);
            !whole.is_empty()
        });
    }

    /// Watches a directory from now on. A watch belongs to a directory, not to its
    /// name: one that was made anew is watched anew.
    ///
    /// Returns whether it is watched: not if it is absent. Fails where the kernel
    /// has no room for another watch.
    pub(super) fn watch(&mut self, directory: &Path) -> Result<bool, String> {
        match directory.is_dir() {
            true => self.add(directory),
            false => {
                self.forget(directory);
                Ok(false)
            }
        }
    }

    /// Watches a single file that is written by another name as well: the directory
    /// that is told of those writes is the one of that other name. Returns and fails
    /// as [`watch`](Self::watch) does.
    pub(super) fn watch_file(&mut self, file: &Path) -> Result<bool, String> {
        self.add(file)
    }

    fn add(&mut self, path: &Path) -> Result<bool, String> {
        if let Some(why) = &self.exhausted {
            return Err(why.clone());
        }
        for _ in 0..TRIES_MAX {
            let Some(birth) = birth_of(path) else {
                self.forget(path);
                return Ok(false);
            };
            self.drop_doubtful(path);
            let round = self.round;
            if let Some(known) = self.watched.get_mut(path)
                && known.birth == birth
            {
                known.round = round;
                return Ok(true);
            }
            self.forget(path);
            match self.tell_of(path, birth) {
                Ok(()) => {}
                Err(error) if is_gone(&error) => return Ok(false),
                Err(error) => {
                    let why = describe(&error);
                    // One that may not be read tells nothing of the others.
                    if !is_forbidden(&error) {
                        self.exhausted = Some(why.clone());
                    }
                    return Err(why);
                }
            }
            let watched = Watched { birth, round };
            self.watched.insert(path.to_owned(), watched);
            // Another may have taken its name before it was watched.
            if birth_of(path) == Some(birth) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Has the kernel tell of a directory by this name, or by one that it has already.
    fn tell_of(&mut self, path: &Path, birth: Birth) -> notify::Result<()> {
        let Some(inner) = &mut self.inner else {
            return Err(notify::Error::path_not_found());
        };
        let told = self.told_as.get(&birth).map_or(path, |told| told);
        // Before anything is told.
        let mut names = lock(&self.shared.names);
        let all = names.all.entry(told.to_owned()).or_default();
        all.insert(path.to_owned());
        drop(names);
        if told != path {
            return Ok(());
        }
        let outcome = (self.shared).call(|| inner.watch(path, RecursiveMode::NonRecursive));
        match outcome {
            Ok(()) => {
                self.told_as.insert(birth, path.to_owned());
            }
            Err(_) => {
                lock(&self.shared.names).all.remove(path);
            }
        }
        outcome
    }

    /// Watches the nearest directory that exists, for the sake of one that may
    /// come. Fails as [`watch`](Self::watch) does.
    pub(super) fn watch_for(&mut self, directory: &Path) -> Result<(), String> {
        for _ in 0..TRIES_MAX {
            let mut missing = None;
            for ancestor in directory.ancestors() {
                if self.watch(ancestor)? {
                    break;
                }
                missing = Some(ancestor);
            }
            // What was missing may have come before the watch.
            if missing.is_none_or(|missing| !missing.is_dir()) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whoever turns `link`, whose directory is watched, changes what `whole`
    /// leads to.
    pub(super) fn leads_through(&mut self, link: &Path, whole: &Path) {
        let mut names = lock(&self.shared.names);
        let wholes = names.through.entry(link.to_owned()).or_default();
        wholes.insert(whole.to_owned(), self.round);
    }

    /// Forgets all names of a directory whose watch may be gone.
    fn drop_doubtful(&mut self, path: &Path) {
        let Some(watched) = self.watched.get(path) else {
            return;
        };
        let Some(told) = self.told_as.get(&watched.birth).cloned() else {
            return;
        };
        let mut names = lock(&self.shared.names);
        if !names.doubtful.remove(&told) {
            return;
        }
        let all = names.all.get(&told).cloned().unwrap_or_default();
        drop(names);
        // The told one last: nothing is left then that would need another.
        for name in all.iter().filter(|name| **name != told) {
            self.forget(name);
        }
        self.forget(&told);
    }

    /// Forgets a name of a directory, and the watch if that was the last one.
    fn forget(&mut self, path: &Path) {
        let Some(Watched { birth, .. }) = self.watched.remove(path) else {
            return;
        };
        let Some(told) = self.told_as.get(&birth).cloned() else {
            return;
        };
        let mut names = lock(&self.shared.names);
        let mut all = names.all.get(&told).cloned().unwrap_or_default();
        all.remove(path);
        if told != path {
            names.all.insert(told, all);
            return;
        }
        names.all.remove(&told);
        names.doubtful.remove(&told);
        drop(names);
        self.told_as.remove(&birth);
        if let Some(inner) = &mut self.inner {
            // The kernel may have dropped the watch by itself.
            let _ = self.shared.call(|| inner.unwatch(&told));
        }
        // Its other names are to be watched by themselves.
        for name in all {
            self.watched.remove(&name);
            let since = clock::now().moment;
            self.shared.add([Hint::Renamed(name)], since);
        }
    }
}

impl Hints {
    /// Waits until there are hints, and takes them; those that are held back in time. Nothing is lost where the wait
    /// is given up.
    pub(super) async fn next(&self) -> BTreeMap<Hint, Moment> {
        loop {
            tokio::select! {
                () = self.0.arrived.notified() => {}
                () = until(self.0.sieve.due()) => self.0.let_go(),
            }
            let hints = std::mem::take(&mut *lock(&self.0.hints));
            if !hints.is_empty() {
                return hints;
            }
        }
    }
}

impl Shared {
    fn take(&self, event: notify::Result<notify::Event>) {
        let hint: fn(PathBuf) -> Hint = match &event {
            Err(_) => return self.add([Hint::Lost], clock::now().moment),
            Ok(event) if event.need_rescan() => return self.add([Hint::Lost], clock::now().moment),
            Ok(event) => match event.kind {
                // A closed writer has written, also where it wrote through a mapping, of
                // which nothing else tells. All other accesses may be ours.
                EventKind::Access(AccessKind::Close(AccessMode::Write)) => Hint::Written,
                EventKind::Access(_) => return,
                EventKind::Modify(ModifyKind::Name(_)) => Hint::Renamed,
                EventKind::Modify(_) => Hint::Written,
                EventKind::Create(_) | EventKind::Remove(_) | EventKind::Any | EventKind::Other => {
                    Hint::Renamed
                }
            },
        };
        let of = match hint(PathBuf::new()) {
            Hint::Written(_) => Of::Content,
            Hint::Renamed(_) | Hint::Lost => Of::Names,
        };
        let fetched = clock::now().moment;
        let until = lock(&self.pace).rest(fetched, of);
        if let Some(until) = until {
            self.rest(until);
        }
        let paths = event.map(|event| event.paths).unwrap_or_default();
        for path in paths {
            let mut hints = lock(&self.names).meant_by(&path, hint);
            if hints.is_empty() {
                hints.insert(hint(path));
            }
            hints.retain(|hint| !self.is_held_back(hint));
            if !hints.is_empty() {
                self.add(hints, fetched);
            }
        }
        lock(&self.pace).go_on(clock::now().moment);
    }

    fn is_held_back(&self, hint: &Hint) -> bool {
        match hint {
            Hint::Written(path) => self.sieve.holds_back(path, clock::now().moment),
            Hint::Renamed(_) | Hint::Lost => false,
        }
    }

    /// Tells what was held back for long enough.
    fn let_go(&self) {
        let now = clock::now().moment;
        let paths = self.sieve.let_go(now);
        if !paths.is_empty() {
            self.add(paths.into_iter().map(Hint::Written), now);
        }
    }

    /// Rests until a moment, or until somebody waits for this thread.
    fn rest(&self, until: Moment) {
        let mut n_waiting = lock(&self.n_waiting);
        loop {
            let left = until.from_now(clock::now().moment);
            if left.is_zero() || *n_waiting > 0 {
                return;
            }
            let waited = self.called.wait_timeout(n_waiting, left);
            n_waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Does what the thread that brings hints must answer.
    fn call<T>(&self, work: impl FnOnce() -> T) -> T {
        *lock(&self.n_waiting) += 1;
        self.called.notify_all();
        let outcome = work();
        *lock(&self.n_waiting) -= 1;
        outcome
    }

    /// Keeps hints of what had happened by `since`.
    fn add(&self, more: impl IntoIterator<Item = Hint>, since: Moment) {
        let mut hints = lock(&self.hints);
        hints.extend(more.into_iter().map(|hint| (hint, since)));
        if hints.len() > HINTS_MAX {
            hints.clear();
            hints.insert(Hint::Lost, since);
        }
        drop(hints);
        self.arrived.notify_one();
    }
}

impl Names {
    /// What is meant by a path that was told, by all its names.
    fn meant_by(&mut self, path: &Path, hint: fn(PathBuf) -> Hint) -> BTreeSet<Hint> {
        let mut hints = BTreeSet::new();
        let is_name = matches!(hint(PathBuf::new()), Hint::Renamed(_));
        if let Some(all) = self.all.get(path) {
            hints.extend(all.iter().cloned().map(hint));
            if is_name {
                self.doubtful.insert(path.to_owned());
            }
        }
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return hints;
        };
        for directory in self.all.get(directory).into_iter().flatten() {
            let path = directory.join(name);
            if is_name && let Some(wholes) = self.through.get(&path) {
                hints.extend(wholes.keys().cloned().map(Hint::Renamed));
            }
            hints.insert(hint(path));
        }
        hints
    }
}

fn birth_of(path: &Path) -> Option<Birth> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

/// A panic while a map is being filled leaves a map behind, nothing worse.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => is_absent(error),
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_)
        | notify::ErrorKind::MaxFilesWatch => false,
    }
}

fn is_forbidden(error: &notify::Error) -> bool {
    matches!(&error.kind, notify::ErrorKind::Io(error)
        if error.kind() == io::ErrorKind::PermissionDenied)
}

fn describe(error: &notify::Error) -> String {
    let no_instance = rustix::io::Errno::MFILE.raw_os_error();
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "no inotify watch left; raise fs.inotify.max_user_watches".to_owned()
        }
        notify::ErrorKind::Io(error) if error.raw_os_error() == Some(no_instance) => {
            "no inotify instance left; raise fs.inotify.max_user_instances".to_owned()
        }
        notify::ErrorKind::Io(error) => format!("inotify: {error}"),
        kind => format!("inotify: {kind:?}"),
    }
}
