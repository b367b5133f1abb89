//! Lists what the patterns name. Decides nothing.
//!
//! A directory is watched before it is read, so that nothing falls between the
//! two; and what stands on the way to a name, links included, is watched as well.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, OFlags, Statx, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use super::file_systems;
use super::files::{facts, is_absent, reason, regular_at};
use super::watch::Watcher;
use crate::engine::identity::Place;
use crate::engine::schedule::{Entry, Listing, Scope, Untold};
use crate::rules::glob::{Glob, Names};

/// How far a listing goes. What it does not reach is said.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Directories that it visits, at most.
    directories: usize,
    /// How many levels of directories below a pattern's root.
    depth: usize,
}

const LIMITS: Limits = Limits {
    directories: 100_000,
    depth: 64,
};

/// Links that one name may lead through, as in the kernel (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// How often a directory is tried that comes and goes while it is looked at.
const TRIES_MAX: usize = 8;

/// Lists what the patterns name within a scope. Directories in `own` are passed
/// over.
pub(super) fn list(
    globs: &[Glob],
    own: &BTreeSet<Place>,
    watcher: Option<&mut Watcher>,
    scope: &Scope,
) -> Listing {
    list_within(LIMITS, globs, own, watcher, scope)
}

fn list_within(
    limits: Limits,
    globs: &[Glob],
    own: &BTreeSet<Place>,
    mut watcher: Option<&mut Watcher>,
    scope: &Scope,
) -> Listing {
    if let Some(watcher) = &mut watcher {
        watcher.begin();
        if *scope == Scope::All {
            watcher.begin_round();
        }
    }
    let mut walk = Walk {
        globs,
        own,
        watcher,
        listing: Listing::default(),
        limits,
        root: Path::new("/"),
        visited: BTreeSet::new(),
        resolved: BTreeMap::new(),
    };
    match scope {
        Scope::All => globs.iter().for_each(|glob| walk.root(glob)),
        Scope::Below(paths) => paths.iter().for_each(|path| walk.below(path)),
    }
    let mut listing = walk.listing;
    if *scope == Scope::All
        && let Some(watcher) = walk.watcher
    {
        watcher.end_round();
    }
    // Several patterns may name one file.
    let entries = &mut listing.entries;
    entries.sort_unstable_by(|one, other| in_order(&one.path, &other.path));
    entries.dedup_by(|one, other| one.path == other.path);
    listing
}

/// The order of names: that of their bytes, for to compare the names of all directories on
/// the way takes most of the time of a listing.
pub(super) fn in_order(one: &Path, other: &Path) -> Ordering {
    one.as_os_str().cmp(other.as_os_str())
}

/// A walk through the directories that patterns name.
struct Walk<'a> {
    globs: &'a [Glob],
    own: &'a BTreeSet<Place>,
    watcher: Option<&'a mut Watcher>,
    listing: Listing,
    limits: Limits,
    /// Where the pattern begins that is walked for.
    root: &'a Path,
    visited: BTreeSet<PathBuf>,
    /// Where directories really are, as far as links were followed.
    resolved: BTreeMap<PathBuf, Option<PathBuf>>,
}

impl<'a> Walk<'a> {
    /// All that a pattern names.
    fn root(&mut self, glob: &'a Glob) {
        self.root = glob.root();
        match glob.is_literal() {
            true => self.named(glob.root()),
            false => {
                self.resolve(glob.root());
                self.directory(glob.root(), 0);
            }
        }
    }

    /// What stands at a path, or below it.
    fn below(&mut self, path: &Path) {
        let globs = self.globs;
        for glob in globs.iter().filter(|glob| glob.root().starts_with(path)) {
            self.root(glob);
        }
        let is_inside = |glob: &&Glob| path.starts_with(glob.root()) && path != glob.root();
        let Some(glob) = globs.iter().find(is_inside) else {
            return;
        };
        self.root = glob.root();
        let depth = path.components().count() - self.root.components().count();
        let mut above = path.ancestors().skip(1);
        if above.any(|above| self.is_own(CWD, above, AtFlags::empty())) {
            return;
        }
        let kind = match kind_of(CWD, path) {
            Ok(kind) => kind,
            Err(error) if is_absent(&error.into()) => return,
            // Nobody can tell what stands in that directory.
            Err(error) => return self.fault(path.parent().unwrap_or(path), &error.into()),
        };
        let is_named = globs.iter().any(|glob| glob.matches(path));
        self.found((path.to_owned(), is_named), kind, None, depth);
    }

    /// A file that is named without wildcards: it is found even where its
    /// directory cannot be listed.
    fn named(&mut self, path: &Path) {
        let parent = path.parent().unwrap_or(path);
        self.resolve(parent);
        self.watch_for(parent, path);
        let is_link = path.is_symlink();
        self.file(path.to_owned(), is_link, None);
    }

    fn directory(&mut self, directory: &Path, depth: usize) {
        if self.visited.contains(directory) {
            return;
        }
        if depth > self.limits.depth {
            let depth = self.limits.depth;
            return self.cut_off(format!("directories more than {depth} levels deep"));
        }
        if self.visited.len() >= self.limits.directories {
            let most = self.limits.directories;
            return self.cut_off(format!("more than {most} directories"));
        }
        self.visited.insert(directory.to_owned());
        let Some(descriptor) = self.open(directory) else {
            return;
        };
        let magic = rustix::fs::fstatfs(&descriptor).map(|known| known.f_type);
        // The kernel's numbers have 32 bits, whatever the type of the field.
        if let Some(name) = magic
            .ok()
            .and_then(|magic| file_systems::shared(magic as u32))
        {
            self.untold(directory, Untold::Shared(name));
        }
        let mut reader = match rustix::fs::Dir::read_from(&descriptor) {
            Ok(reader) => reader,
            Err(error) => return self.fault(directory, &error.into()),
        };
        let globs = self.globs;
        let names: Vec<Names<'_>> = globs.iter().map(|glob| glob.names_in(directory)).collect();
        while let Some(found) = reader.read() {
            let found = match found {
                Ok(found) => found,
                Err(error) => return self.fault(directory, &error.into()),
            };
            let name = found.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let name = OsStr::from_bytes(name);
            let at = Some((&descriptor, found.file_name()));
            let kind = match found.file_type() {
                FileType::Unknown => match kind_of(&descriptor, found.file_name()) {
                    Ok(kind) => kind,
                    // It went away meanwhile.
                    Err(_) => continue,
                },
                kind => kind,
            };
            let is_named = names.iter().any(|names| names.contains(name));
            if is_named || matches!(kind, FileType::Directory | FileType::Symlink) {
                self.found((directory.join(name), is_named), kind, at, depth + 1);
            }
        }
    }

    /// Opens a directory and watches it before anything is read from it. Where it is
    /// absent, whoever makes it does so in one above, which is watched instead.
    fn open(&mut self, directory: &Path) -> Option<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        for _ in 0..TRIES_MAX {
            match rustix::fs::open(directory, flags, rustix::fs::Mode::empty()) {
                Ok(descriptor) => {
                    if self.is_own(&descriptor, c"", AtFlags::EMPTY_PATH) {
                        self.listing.own.push(directory.to_owned());
                        return None;
                    }
                    let is_watched = self.watch(directory, directory);
                    if is_watched || self.watcher.is_none() || self.is_untold(directory) {
                        return Some(descriptor);
                    }
                    // It went in between.
                }
                Err(error) if is_absent(&error.into()) => {
                    let parent = directory.parent().filter(|_| self.watcher.is_some())?;
                    self.watch_for(parent, directory);
                    // It may have come before the watch.
                    if !directory.is_dir() {
                        return None;
                    }
                }
                Err(error) => {
                    self.fault(directory, &error.into());
                    return None;
                }
            }
        }
        None
    }

    /// Whether a directory is the agent's own.
    fn is_own(&self, at: impl AsFd, name: impl rustix::path::Arg, flags: AtFlags) -> bool {
        let known = rustix::fs::statx(at, name, flags, StatxFlags::INO);
        known.is_ok_and(|statx| self.own.contains(&facts(&statx).place))
    }

    /// A path in a directory, and whether a pattern names it.
    fn found(
        &mut self,
        (path, is_named): (PathBuf, bool),
        kind: FileType,
        at: Option<(&OwnedFd, &std::ffi::CStr)>,
        depth: usize,
    ) {
        match kind {
            FileType::Directory if self.globs.iter().any(|glob| glob.may_match_below(&path)) => {
                self.directory(&path, depth);
            }
            FileType::RegularFile if is_named => self.file(path, false, at),
            // A link to a directory that a pattern names.
            FileType::Symlink
                if path.is_dir() && self.globs.iter().any(|glob| names_link(glob, &path)) =>
            {
                self.resolve(&path);
                self.directory(&path, depth);
            }
            FileType::Symlink if is_named => self.file(path, true, None),
            // Pipes, sockets and devices are no logs.
            _ => {}
        }
    }

    fn file(&mut self, path: PathBuf, is_link: bool, at: Option<(&OwnedFd, &std::ffi::CStr)>) {
        let look = || match at {
            Some((directory, name)) => regular_at(directory, name),
            None => regular_at(CWD, &path),
        };
        match look() {
            // A name that is mounted here leads on to a file that was deleted where
            // it came from: nothing new comes to it.
            Ok(Some(statx)) if statx.stx_nlink == 0 => {}
            Ok(Some(mut statx)) => {
                let real = is_link.then(|| self.resolve(&path)).flatten();
                let real = real.filter(|real| *real != path);
                if let Some(parent) = real.as_deref().and_then(Path::parent) {
                    self.watch(parent, &path);
                }
                let mounted = StatxAttributes::MOUNT_ROOT;
                let is_mounted = statx.stx_attributes.contains(mounted);
                let has_names = is_mounted || statx.stx_nlink > 1;
                if has_names {
                    self.watch_file(&path);
                }
                if has_names || real.is_some() {
                    // What came before it was watched is told by nobody else.
                    statx = look().ok().flatten().unwrap_or(statx);
                }
                self.listing.entries.push(Entry {
                    path: path.into(),
                    real: real.map(Arc::from),
                    facts: facts(&statx),
                    is_mounted,
                });
            }
            // What it leads to may come: now, before the way there was watched, or later.
            Ok(None) if is_link && !self.resolved.contains_key(&path) => {
                self.resolve(&path);
                if matches!(regular_at(CWD, &path), Ok(Some(_))) {
                    self.resolved.remove(&path);
                    self.resolve(&path);
                    self.file(path, is_link, at);
                }
            }
            // It went away meanwhile, or is no regular file.
            Ok(None) => {}
            Err(error) => self.fault(&path, &error),
        }
    }

    /// Where a name really leads, all links followed. Every link on the way is
    /// watched: who turns it changes what the name stands for.
    fn resolve(&mut self, path: &Path) -> Option<PathBuf> {
        if let Some(known) = self.resolved.get(path) {
            return known.clone();
        }
        let real = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => {
                let parent = self.resolve(parent);
                parent.and_then(|parent| self.follow(&parent.join(name), path, &mut 0))
            }
            _ => Some(path.to_owned()),
        };
        // Files are asked for once; the directories on the way again and again.
        self.resolved.insert(path.to_owned(), real.clone());
        real
    }

    /// Follows the link at `here`, whose directory has no links in it, for the
    /// sake of `whole`.
    fn follow(&mut self, here: &Path, whole: &Path, n_links: &mut usize) -> Option<PathBuf> {
        let target = match rustix::fs::readlink(here, Vec::new()) {
            Ok(target) => target,
            Err(Errno::INVAL) => return Some(here.to_owned()),
            Err(_) => return None,
        };
        *n_links += 1;
        let parent = here.parent()?;
        self.watch(parent, whole);
        if let Some(watcher) = &mut self.watcher {
            watcher.leads_through(here, whole);
        }
        if *n_links > LINKS_MAX {
            return None;
        }
        let target = Path::new(OsStr::from_bytes(target.to_bytes()));
        let mut real = parent.to_owned();
        for component in target.components() {
            match component {
                Component::RootDir => real = PathBuf::from("/"),
                Component::ParentDir => {
                    real.pop();
                }
                Component::Normal(name) => {
                    let next = real.join(name);
                    match self.follow(&next, whole, n_links) {
                        Some(next) => real = next,
                        None => {
                            // What is missing may come.
                            self.watch_for(&real, whole);
                            if let Some(watcher) = &mut self.watcher {
                                watcher.leads_through(&next, whole);
                            }
                            return None;
                        }
                    }
                }
                Component::CurDir | Component::Prefix(_) => {}
            }
        }
        Some(real)
    }

    /// Watches a directory for the sake of `whole`. Returns whether it is watched.
    fn watch(&mut self, directory: &Path, whole: &Path) -> bool {
        let Some(watcher) = &mut self.watcher else {
            return false;
        };
        match watcher.watch(directory) {
            Ok(is_watched) => is_watched,
            Err(why) => {
                self.untold(whole, Untold::Unwatched(why));
                false
            }
        }
    }

    /// Watches a file that has other names.
    fn watch_file(&mut self, path: &Path) {
        if let Some(watcher) = &mut self.watcher
            && let Err(why) = watcher.watch_file(path)
        {
            self.untold(path, Untold::Unwatched(why));
        }
    }

    /// Watches the nearest directory that exists, for the sake of `whole`.
    fn watch_for(&mut self, directory: &Path, whole: &Path) {
        if let Some(watcher) = &mut self.watcher
            && let Err(why) = watcher.watch_for(directory)
        {
            self.untold(whole, Untold::Unwatched(why));
        }
    }

    fn untold(&mut self, path: &Path, why: Untold) {
        if !self.is_untold(path) {
            self.listing.untold.insert(path.to_owned(), why);
        }
    }

    /// Whether it is known already that not all is told of a path: what is below
    /// one that is looked at anyway needs no mention.
    fn is_untold(&self, path: &Path) -> bool {
        let untold = &self.listing.untold;
        !untold.is_empty() && path.ancestors().any(|above| untold.contains_key(above))
    }

    /// Not everything below the root is listed. Of the directories that are passed over,
    /// there may be very many, and others each time: the root stands for them.
    fn cut_off(&mut self, why: String) {
        let cut_off = &mut self.listing.cut_off;
        cut_off.entry(self.root.to_owned()).or_insert(why);
    }

    fn fault(&mut self, path: &Path, error: &io::Error) {
        self.listing.faults.push((path.to_owned(), reason(error)));
    }
}

/// Whether a pattern names this very link, or something right through it. Below
/// `**` links are not followed.
fn names_link(glob: &Glob, link: &Path) -> bool {
    let before_stars = match glob.as_str().find("**") {
        Some(idx) => &glob.as_str()[..idx],
        None => glob.as_str(),
    };
    let n_named = Path::new(before_stars).components().count();
    link.components().count() <= n_named && glob.may_match_below(link)
}

fn kind_of(directory: impl AsFd, name: impl rustix::path::Arg) -> rustix::io::Result<FileType> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let statx: Statx = rustix::fs::statx(directory, name, flags, StatxFlags::TYPE)?;
    Ok(FileType::from_raw_mode(u32::from(statx.stx_mode)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What is listed of a tree of four directories with a file in each, each in the one
    /// before it, and the limits that were reached.
    fn listed(limits: Limits, scope: &str) -> (Vec<usize>, Vec<String>) {
        let tree = tempfile::tempdir().unwrap();
        let deepest = tree.path().join("a/a/a");
        fs::create_dir_all(&deepest).unwrap();
        let root = tree.path();
        for directory in deepest.ancestors().take_while(|it| it.starts_with(root)) {
            fs::write(directory.join("x.log"), "").unwrap();
        }
        let globs = [Glob::parse("**/*.log", root).unwrap()];
        let scope = match scope {
            "" => Scope::All,
            below => Scope::Below(BTreeSet::from([root.join(below)])),
        };
        let listing = list_within(limits, &globs, &BTreeSet::new(), None, &scope);
        let depth = |path: &Path| path.components().count() - root.components().count() - 1;
        let depths = listing.entries.iter().map(|entry| depth(&entry.path));
        assert!(listing.cut_off.keys().all(|path| path == root));
        (depths.collect(), listing.cut_off.into_values().collect())
    }

    #[test]
    fn what_lies_too_deep_is_said() {
        let limits = |depth| Limits { depth, ..LIMITS };
        let deep = |depth| vec![format!("directories more than {depth} levels deep")];
        assert_eq!(listed(limits(3), ""), (vec![3, 2, 1, 0], vec![]));
        assert_eq!(listed(limits(2), ""), (vec![2, 1, 0], deep(2)));
        assert_eq!(listed(limits(2), "a/a"), (vec![2], deep(2)));
        assert_eq!(listed(limits(2), "a/a/a"), (vec![], deep(2)));
    }

    #[test]
    fn what_is_too_much_is_said() {
        let limits = |directories| Limits {
            directories,
            ..LIMITS
        };
        let much = |n| vec![format!("more than {n} directories")];
        assert_eq!(listed(limits(4), ""), (vec![3, 2, 1, 0], vec![]));
        assert_eq!(listed(limits(3), ""), (vec![2, 1, 0], much(3)));
    }
}
