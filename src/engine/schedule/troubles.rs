//! What cannot be read, listed or found: said once, and once when it can.
//!
//! The log hears of it at once, people when it lasts ([`LASTING`]). What cannot be
//! read is tried again after a second, then after two, and so on up to
//! [`RETRY_MAX`], whatever else happens to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Fault, Notice, Schedule, Scope};
use crate::engine::ids::StreamId;
use crate::engine::stream::{Naming, Unread};
use crate::engine::time::Moment;
use crate::rules::STDIN;
use crate::rules::glob::Glob;

/// How long something is out of reach before people are told.
pub(super) const LASTING: Duration = Duration::from_secs(10);

/// How long nothing stands at a name without wildcards before people are told:
/// programs that make their file with the first line may take their time.
pub(super) const AWAY: Duration = Duration::from_secs(600);

/// The longest wait before a file that cannot be read is tried again.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// A trouble that goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lasting {
    since: Moment,
    is_told: bool,
    /// How many files of one name are in it.
    n_files: usize,
}

impl Lasting {
    fn new(since: Moment) -> Self {
        Self {
            since,
            is_told: false,
            n_files: 0,
        }
    }

    /// Whether it has lasted so long now that it is to be told; true only once.
    fn is_to_be_told(&mut self, now: Moment, after: Duration) -> bool {
        let is_due = !self.is_told && self.since.after(after) <= now;
        self.is_told |= is_due;
        is_due
    }
}

impl Schedule {
    /// A file could not be read: to be tried again later.
    pub(super) fn fault(&mut self, now: Moment, id: StreamId, fault: Fault) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let unread = stream.unread.get_or_insert_with(|| {
            Box::new(Unread {
                path: stream.name.clone(),
                n_faults: 0,
                retry: None,
                counts: false,
            })
        });
        let is_new = !std::mem::replace(&mut unread.counts, true);
        let wait = Duration::from_secs(1 << unread.n_faults.min(5));
        unread.n_faults += 1;
        unread.retry = Some(now.after(wait.min(RETRY_MAX)));
        let path = unread.path.to_path_buf();
        let lasting = self.unreadable.entry(path.clone());
        let lasting = lasting.or_insert_with(|| Lasting::new(now));
        lasting.n_files += usize::from(is_new);
        let why = fault.why;
        if is_new && lasting.n_files == 1 {
            self.notices.push(Notice::Unreadable { path, why });
        } else if lasting.is_to_be_told(now, LASTING) {
            self.notices.push(Notice::StaysUnreadable { path, why });
        }
    }

    /// A file could be read.
    pub(super) fn recovered(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if let Some(unread) = stream.unread.take()
            && self.ends_trouble(&unread)
        {
            let path = unread.path.to_path_buf();
            self.notices.push(Notice::Readable { path });
        }
    }

    /// One file of a name is out of trouble. Returns whether it was the last: the
    /// name may have been that of several, one after the other.
    pub(super) fn ends_trouble(&mut self, unread: &Unread) -> bool {
        let path = &*unread.path;
        let lasting = self.unreadable.get_mut(path).filter(|_| unread.counts);
        let Some(lasting) = lasting else {
            return false;
        };
        lasting.n_files -= 1;
        let is_last = lasting.n_files == 0;
        if is_last {
            self.unreadable.remove(path);
        }
        is_last
    }

    /// Remembers what could not be listed, and forgets what could.
    pub(super) fn note_faults(&mut self, now: Moment, scope: &Scope, faults: &[(PathBuf, String)]) {
        for (path, why) in faults {
            let (path, why) = (path.clone(), why.clone());
            match self.unlistable.get_mut(&path) {
                Some(lasting) => {
                    if lasting.is_to_be_told(now, LASTING) {
                        self.notices.push(Notice::StaysUnreadable { path, why });
                    }
                }
                None => {
                    self.unlistable.insert(path.clone(), Lasting::new(now));
                    self.notices.push(Notice::Unreadable { path, why });
                }
            }
        }
        let faulty: BTreeSet<&Path> = faults.iter().map(|(path, _)| path.as_path()).collect();
        let notices = &mut self.notices;
        self.unlistable.retain(|path, _| {
            let still = faulty.contains(path.as_path()) || !scope.holds(path);
            if !still {
                notices.push(Notice::Readable { path: path.clone() });
            }
            still
        });
    }

    /// Remembers below what not everything was listed, and says when that begins and ends.
    pub(super) fn note_limits(&mut self, scope: &Scope, cut_off: &BTreeMap<PathBuf, String>) {
        for (path, why) in cut_off {
            if self.cut_off.insert(path.clone()) {
                let (path, why) = (path.clone(), why.clone());
                self.notices.push(Notice::CutOff { path, why });
            }
        }
        let notices = &mut self.notices;
        self.cut_off.retain(|path| {
            let still = cut_off.contains_key(path) || !scope.holds(path);
            if !still {
                notices.push(Notice::Whole { path: path.clone() });
            }
            still
        });
    }

    /// Directories that cannot be listed, or below which not everything is.
    pub(in crate::engine) fn out_of_reach(&self) -> impl Iterator<Item = &Path> {
        let paths = self.unlistable.keys().chain(&self.cut_off);
        paths.map(PathBuf::as_path)
    }

    /// The file of a name went away. Names that wildcards make come and go; one that
    /// somebody wrote down is missed.
    pub(super) fn miss(&mut self, path: &Path) {
        if self.is_written_down(path) {
            self.missing.entry(path.to_owned()).or_default();
        }
    }

    /// After a listing of everything: which names are without a file, and how long.
    pub(super) fn note_missing(&mut self, now: Moment) {
        for (path, lasting) in std::mem::take(&mut self.missing) {
            let mut lasting = lasting.unwrap_or(Lasting::new(now));
            if self.stands(&path) {
                if lasting.is_told {
                    self.notices.push(Notice::Back { path });
                }
                continue;
            }
            if !self.is_written_down(&path) {
                continue;
            }
            if lasting.is_to_be_told(now, AWAY) {
                self.notices.push(Notice::StaysAway { path: path.clone() });
            }
            self.missing.insert(path, Some(lasting));
        }
        self.note_awaited(now);
    }

    /// The same for names at which there never was a file, where a rule tells of lines
    /// that do not come.
    fn note_awaited(&mut self, now: Moment) {
        let mut before = std::mem::take(&mut self.awaited);
        for path in self.names_waited_for() {
            let mut lasting = before.remove(&path).unwrap_or(Lasting::new(now));
            if lasting.is_to_be_told(now, AWAY) {
                self.notices.push(Notice::NeverCame { path: path.clone() });
            }
            self.awaited.insert(path, lasting);
        }
        before.retain(|path, lasting| lasting.is_told && self.stands(path));
        let back = before.into_keys().map(|path| Notice::Back { path });
        self.notices.extend(back);
    }

    /// Names without wildcards of rules that are of lines that do not come, and of whose
    /// files there is none. One of several is enough: who names the log of each
    /// distribution does not miss the others.
    fn names_waited_for(&self) -> BTreeSet<PathBuf> {
        let rules = self.mine.iter().map(|&idx| &self.rules.rules[idx]);
        let waiting = rules.filter(|rule| rule.conditions.absent.is_some());
        let globs = waiting.map(|rule| &rule.files.include);
        let is_without = |globs: &&Vec<Glob>| {
            let none = |glob: &Glob| glob.is_literal() && !self.stands(glob.root());
            globs.iter().all(none)
        };
        let names = globs.filter(is_without).flatten();
        let names = names.map(|glob| glob.root().to_owned());
        names
            .filter(|path| !self.missing.contains_key(path) && path != Path::new(STDIN))
            .collect()
    }

    /// Whether a file that is followed stands at a name.
    fn stands(&self, path: &Path) -> bool {
        let holder = self.by_path.get(path).and_then(|id| self.streams.get(id));
        holder.is_some_and(|holder| holder.naming == Naming::Here)
    }

    /// Whether a rule names this very path, without wildcards.
    fn is_written_down(&self, path: &Path) -> bool {
        let rules = self.rules_of(path);
        let mut globs = rules
            .iter()
            .flat_map(|&idx| &self.rules.rules[idx].files.include);
        globs.any(|glob| glob.is_literal() && glob.root() == path)
    }
}
