//! Goes through names: lists what patterns name, and finds where a file went.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, OFlags};

use super::clock;
use super::files::{facts_at, fault, is_absent};
use super::stdin::Copy;
use super::walk;
use super::watch::Watcher;
use super::worker::Work;
use crate::engine::Input;
use crate::engine::identity::Place;
use crate::engine::kinship;
use crate::engine::schedule::{Entry, Fault, Found, Listing, Scope, Sought};
use crate::rules::STDIN;
use crate::rules::glob::Glob;

/// What is asked about names.
#[derive(Debug)]
pub(super) enum Job {
    /// What there is.
    List(Scope),
    /// Where a file went.
    Seek(Sought),
    /// To go by other patterns from now on.
    Meet(Vec<Glob>),
}

/// The names that patterns name.
#[derive(Debug)]
pub(super) struct Names {
    globs: Vec<Glob>,
    watcher: Option<Watcher>,
    own: BTreeSet<Place>,
    /// What came by standard input.
    stdin: Arc<Copy>,
}

impl Work for Job {
    fn failed(&self, fault: Fault) -> Option<Input> {
        match self {
            Self::List(_) => Some(Input::Listed(Listing {
                faults: vec![(PathBuf::from("/"), fault.why)],
                ..Listing::default()
            })),
            Self::Seek(sought) => Some(Input::Found(sought.stream, Err(fault))),
            Self::Meet(_) => None,
        }
    }
}

impl Names {
    /// Prepares to list what the patterns name. Without a watcher, nobody tells
    /// when something changes. Directories in `own` are never looked into.
    pub(super) fn new(
        globs: Vec<Glob>,
        watcher: Option<Watcher>,
        own: BTreeSet<Place>,
        stdin: Arc<Copy>,
    ) -> Self {
        Self {
            globs: of_files(globs),
            watcher,
            own,
            stdin,
        }
    }

    /// Does what is asked. `None` where it needs no answer.
    pub(super) fn work(&mut self, job: Job) -> Option<Input> {
        match job {
            Job::List(scope) => Some(Input::Listed(self.list(&scope))),
            Job::Seek(sought) => {
                let found = seek(&sought).map_err(fault);
                Some(Input::Found(sought.stream, found))
            }
            Job::Meet(globs) => {
                self.globs = of_files(globs);
                None
            }
        }
    }

    fn list(&mut self, scope: &Scope) -> Listing {
        let (begun, worked) = (clock::now().moment, clock::worked());
        let mut listing = walk::list(&self.globs, &self.own, self.watcher.as_mut(), scope);
        if scope.holds(Path::new(STDIN))
            && let Some(facts) = self.stdin.look()
        {
            listing.entries.push(Entry {
                path: Path::new(STDIN).into(),
                real: None,
                facts,
                is_mounted: false,
            });
            let entries = &mut listing.entries;
            entries.sort_unstable_by(|one, other| walk::in_order(&one.path, &other.path));
        }
        listing.took = clock::now().moment.from_now(begun);
        listing.worked = clock::worked().saturating_sub(worked);
        listing
    }
}

/// The patterns of files: standard input is none.
fn of_files(mut globs: Vec<Glob>) -> Vec<Glob> {
    globs.retain(|glob| glob.as_str() != STDIN);
    globs
}

/// Finds a file by its place, first where it was behind a link, then under any name
/// beside the one it had, and the files there that are rotated ones of its log by
/// their names.
fn seek(sought: &Sought) -> io::Result<Found> {
    let Sought {
        path,
        real,
        place,
        log,
        ..
    } = sought;
    let mut found = Found::default();
    if let Some(real) = real
        && facts_at(real)?.is_some_and(|facts| facts.place == *place)
    {
        found.path = Some(real.to_owned());
        return Ok(found);
    }
    let directory = path.parent().unwrap_or(path);
    let descriptor = match rustix::fs::open(
        directory,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    ) {
        Ok(descriptor) => descriptor,
        Err(error) if is_absent(&error.into()) => return Ok(found),
        Err(error) => return Err(error.into()),
    };
    for entry in rustix::fs::Dir::read_from(&descriptor)? {
        let entry = entry?;
        if !matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown) {
            continue;
        }
        let path = directory.join(OsStr::from_bytes(entry.file_name().to_bytes()));
        let is_kin = kinship::rank(log, &path).is_some();
        if !is_kin && entry.ino() != place.inode {
            continue;
        }
        let Some(facts) = facts_at(&path)? else {
            continue;
        };
        if facts.place == *place && found.path.is_none() {
            found.path = Some(path.clone());
        }
        if is_kin {
            let real = None;
            found.kin.push(Entry {
                path: path.into(),
                real,
                facts,
                is_mounted: false,
            });
        }
    }
    Ok(found)
}
