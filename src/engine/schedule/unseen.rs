//! What no hint tells of: where to look again and again, and when hints were lost.
//!
//! Looking costs, so its pace is bounded by what it costs: a listing is not made
//! again before twenty times as long has passed as the host worked for it, and the
//! safety look not before two thousand times; what was found is to be gone through
//! besides. However many files there are, polling takes about a twentieth of a core
//! and the safety look less than a thousandth. And a file system that answers slowly is
//! left alone for as long as it took to answer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Hint, Listing, Notice, Noticing, Schedule, Scope, Untold};
use crate::engine::kinship;
use crate::engine::time::Moment;

/// How often everything is listed where hints are told: the safety look.
pub const SLOW_LISTING: Duration = Duration::from_secs(30);

/// The longest time between two safety looks.
const SLOW_LISTING_MAX: Duration = Duration::from_secs(600);

/// How often is listed what no hints are told of.
pub const POLLED_LISTING: Duration = Duration::from_millis(200);

/// The longest time between two of these.
const POLLED_LISTING_MAX: Duration = Duration::from_secs(30);

/// How many times as long as the host worked for a listing it waits for the next.
const POLLED_REST: u32 = 20;

/// The same for the safety look.
const SLOW_REST: u32 = 2_000;

/// The least time between two full looks because hints were lost.
const FULL_LOOK: Duration = Duration::from_secs(1);

/// How long no hints must be lost until that is over.
const CALM: Duration = Duration::from_secs(60);

/// What is known of what hints do not tell.
#[derive(Debug)]
pub(super) struct Unseen {
    /// Where no hint may come, there or below.
    untold: BTreeMap<PathBuf, Untold>,
    next_poll: Moment,
    /// Hints were lost, and nobody looked since.
    is_lost: bool,
    next_full_look: Moment,
    losing: Option<Losing>,
    /// Whether it was said that something could not be watched.
    is_short: bool,
    /// The kinds of file systems of which it was said that they are polled.
    shared: BTreeSet<&'static str>,
    /// What it was said of that it is the agent's own.
    own: BTreeSet<PathBuf>,
    /// Files of which it was said that they are mounted alone.
    mounted: BTreeSet<PathBuf>,
}

/// Hints are being lost.
#[derive(Debug)]
struct Losing {
    n_times: u64,
    last: Moment,
}

impl Unseen {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            untold: BTreeMap::new(),
            next_poll: now,
            is_lost: false,
            next_full_look: now,
            losing: None,
            is_short: false,
            shared: BTreeSet::new(),
            own: BTreeSet::new(),
            mounted: BTreeSet::new(),
        }
    }

    /// When something becomes due.
    pub(super) fn wakeup(&self) -> Option<Moment> {
        let poll = (!self.untold.is_empty()).then_some(self.next_poll);
        let look = self.is_lost.then_some(self.next_full_look);
        [poll, look].into_iter().flatten().min()
    }
}

impl Schedule {
    /// Hurries after a hint of what had happened by `since`. What it names is looked
    /// at, and nothing else: a directory may be huge.
    pub fn hint(&mut self, now: Moment, hint: Hint, since: Moment) {
        match hint {
            Hint::Lost => self.lose_hints(now),
            Hint::Written(path) => match self.named(&path) {
                Some(id) => self.wake_since(id, since),
                None if self.may_name(&path) => self.want(&path),
                None => {}
            },
            Hint::Renamed(path) => {
                let named = self.named(&path);
                if named.is_some() || self.may_name(&path) {
                    self.want(&path);
                }
                if let Some(id) = named {
                    self.wake(id);
                }
                self.wake_rotated(&path);
            }
        }
    }

    /// A rotated name came or went: what is still open of its log may have been renamed
    /// once more, or deleted under a name that nobody told of.
    fn wake_rotated(&mut self, path: &Path) {
        for log in kinship::logs_of(path) {
            for id in self.streams.lost_from(&log) {
                if !self.streams.get(&id).is_none_or(|stream| stream.is_memory) {
                    self.wake(id);
                }
            }
        }
    }

    fn lose_hints(&mut self, now: Moment) {
        self.unseen.is_lost = true;
        let notices = &mut self.notices;
        let losing = self.unseen.losing.get_or_insert_with(|| {
            notices.push(Notice::HintsLost);
            Losing {
                n_times: 0,
                last: now,
            }
        });
        losing.n_times += 1;
        losing.last = now;
    }

    /// What has become due where no hints tell.
    pub(super) fn look_where_untold(&mut self, now: Moment) {
        if self.unseen.is_lost && self.unseen.next_full_look <= now {
            self.unseen.is_lost = false;
            self.unseen.next_full_look = now.after(FULL_LOOK);
            self.wants_all = true;
        }
        if !self.unseen.untold.is_empty() && self.unseen.next_poll <= now {
            self.unseen.next_poll = now.after(POLLED_LISTING);
            self.wanted.extend(self.unseen.untold.keys().cloned());
        }
        let losing = self.unseen.losing.as_ref();
        if let Some(losing) = losing.filter(|losing| losing.last.after(CALM) <= now) {
            let n_times = losing.n_times;
            self.notices.push(Notice::HintsBack { n_times });
            self.unseen.losing = None;
        }
    }

    /// When everything is listed next, at the earliest.
    pub(super) fn plan_listing(&mut self, now: Moment) {
        self.next_listing = now.after(match self.means.noticing {
            Noticing::Hinted => SLOW_LISTING,
            Noticing::Polled => POLLED_LISTING,
        });
    }

    /// A listing is done: the next ones wait for as long as it was dear, and what
    /// it could not watch is looked at again and again.
    pub(super) fn note_unseen(&mut self, now: Moment, scope: &Scope, listing: &Listing) {
        let rest = |times: u32, most: Duration| {
            let dear = listing.worked.saturating_mul(times).max(listing.took);
            now.after(dear.min(most))
        };
        let polled = rest(POLLED_REST, POLLED_LISTING_MAX);
        self.unseen.next_poll = self.unseen.next_poll.max(polled);
        if *scope == Scope::All {
            self.unseen.next_full_look = self.unseen.next_full_look.max(polled);
            self.next_listing = self.next_listing.max(match self.means.noticing {
                Noticing::Hinted => rest(SLOW_REST, SLOW_LISTING_MAX),
                Noticing::Polled => polled,
            });
        }
        let untold = &mut self.unseen.untold;
        untold.retain(|path, _| !scope.holds(path));
        untold.extend((listing.untold.iter()).map(|(path, why)| (path.clone(), why.clone())));
        self.tell_unseen(scope, listing);
    }

    /// Says what is new of what hints do not tell.
    fn tell_unseen(&mut self, scope: &Scope, listing: &Listing) {
        for (path, why) in &listing.untold {
            let path = path.clone();
            match why {
                Untold::Shared(kind) => {
                    if self.unseen.shared.insert(kind) {
                        self.notices.push(Notice::Shared { path, kind });
                    }
                }
                Untold::Unwatched(why) => {
                    if !std::mem::replace(&mut self.unseen.is_short, true) {
                        let why = why.clone();
                        self.notices.push(Notice::Unwatched { path, why });
                    }
                }
            }
        }
        let is_short = |why: &Untold| matches!(why, Untold::Unwatched(_));
        if self.unseen.is_short && !self.unseen.untold.values().any(is_short) {
            self.unseen.is_short = false;
            self.notices.push(Notice::Watched);
        }
        let mounted = (listing.entries.iter()).filter(|entry| entry.is_mounted);
        let mounted: BTreeSet<PathBuf> = mounted.map(|entry| entry.path.to_path_buf()).collect();
        if *scope == Scope::All {
            self.unseen.mounted.retain(|path| mounted.contains(path));
        }
        for path in mounted {
            if self.unseen.mounted.insert(path.clone()) {
                self.notices.push(Notice::MountedAlone { path });
            }
        }
        for path in &listing.own {
            self.pass_over(path);
        }
    }

    /// What stands at a path is the agent's own and not followed: said once.
    pub(super) fn pass_over(&mut self, path: &Path) {
        if self.unseen.own.insert(path.to_owned()) {
            let path = path.to_owned();
            self.notices.push(Notice::Own { path });
        }
    }
}
