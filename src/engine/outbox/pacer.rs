//! When the next request to a real space may start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::crowd::Mode;
use crate::engine::answer::Cause;
use crate::engine::ids::MessageId;
use crate::engine::time::{Moment, Now, nanos};
use crate::rules::SpaceName;

/// The first wait after a fault; it doubles with each further one.
const BACKOFF: Duration = Duration::from_secs(1);

/// The longest wait after a fault.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// The slowest pace that a server's refusals for quota can lead to.
pub(super) const PACE_MAX: Duration = Duration::from_secs(30);

/// How long a space may be in trouble before people read of it elsewhere.
const LASTING: Duration = Duration::from_secs(300);

/// How often a refused space is tried with the next real message.
pub(super) const PROBE: Duration = Duration::from_secs(300);

/// One real space.
#[derive(Debug)]
pub(super) struct Pacer {
    /// The settings' names for it.
    pub(super) spaces: Vec<SpaceName>,
    /// The pace of the settings.
    pub(super) base: Duration,
    /// The pace as slowed down by the server.
    pub(super) pace: Duration,
    /// When the next request may start.
    pub(super) next: Moment,
    /// Until then nothing that waits may go, unless something else comes.
    pub(super) hold: Option<Moment>,
    pub(super) queue: BTreeSet<MessageId>,
    pub(super) in_flight: Option<MessageId>,
    /// How much is said in one message.
    pub(super) mode: Mode,
    /// When the next digest may go, by the space that its messages were meant for.
    pub(super) digests: BTreeMap<SpaceName, Moment>,
    /// Critical messages in a row.
    pub(super) n_criticals: u32,
    /// Faults in a row.
    pub(super) n_faults: u32,
    /// When the first of these was.
    pub(super) since: Moment,
    /// Uncertain refusals of the space in a row.
    pub(super) n_doubts: u32,
    /// Messages that were refused in a row.
    pub(super) refusals: Vec<MessageId>,
    pub(super) refused: bool,
    /// Messages whose refusals made the space count as refused. They wait until
    /// another one tells whether it was the space.
    pub(super) suspects: BTreeSet<MessageId>,
    /// The one of them that was tried last.
    pub(super) tried: Option<MessageId>,
    /// Former suspects, since the space took another message: it was not the space.
    pub(super) convicts: BTreeSet<MessageId>,
    /// What people were told in this life, and not yet the end of it.
    pub(super) told: Told,
    /// Why the last request failed, until one succeeds.
    pub(super) last_error: Option<String>,
}

/// What people were told of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    Well,
    Troubled,
    Lasting,
    Refused,
}

impl Pacer {
    pub(super) fn new(now: Now) -> Self {
        Self {
            spaces: Vec::new(),
            base: Duration::ZERO,
            pace: Duration::ZERO,
            next: now.moment,
            hold: None,
            queue: BTreeSet::new(),
            in_flight: None,
            mode: Mode::Calm,
            digests: BTreeMap::new(),
            n_criticals: 0,
            n_faults: 0,
            since: now.moment,
            n_doubts: 0,
            refusals: Vec::new(),
            refused: false,
            suspects: BTreeSet::new(),
            tried: None,
            convicts: BTreeSet::new(),
            told: Told::Well,
            last_error: None,
        }
    }

    /// Whether faults have lasted for so long that people should know.
    pub(super) fn lasts(&self, now: Moment) -> bool {
        self.n_faults > 0 && self.since.after(LASTING) <= now
    }

    /// When the next request may start, if anything waits for that.
    pub(super) fn wakeup(&self) -> Option<Moment> {
        let waits = self.in_flight.is_none() && !self.queue.is_empty();
        let at = self.hold.map_or(self.next, |hold| hold.max(self.next));
        Some(at).filter(|at| waits && *at < Moment(u64::MAX))
    }

    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.wakeup().is_some_and(|at| at <= now)
    }

    /// Whether a refused space should be tried with the next message that comes.
    pub(super) fn wants_probe(&self, now: Moment) -> bool {
        self.next <= now && self.queue.is_empty()
    }

    /// The suspect whose turn it is: one after the other, for one that is bad tells
    /// nothing about the space.
    pub(super) fn suspect(&self) -> Option<MessageId> {
        let mut waiting = self.suspects.intersection(&self.queue).copied();
        let first = waiting.next()?;
        let mut waiting = std::iter::once(first).chain(waiting);
        let next = waiting.find(|id| self.tried.is_none_or(|tried| tried < *id));
        next.or(Some(first))
    }

    pub(super) fn deliver(&mut self, now: Now) {
        self.forgive();
        self.refusals.clear();
        self.convicts.append(&mut self.suspects);
        self.pace = (self.pace - self.pace / 10).max(self.base);
        self.next = now.moment.after(self.pace);
    }

    /// The space is in no trouble any more.
    pub(super) fn forgive(&mut self) {
        self.n_faults = 0;
        self.n_doubts = 0;
        self.refused = false;
    }

    pub(super) fn back_off(
        &mut self,
        now: Now,
        cause: Cause,
        wait: Option<Duration>,
        rng: &mut fastrand::Rng,
    ) {
        match cause {
            Cause::Quota => {
                self.pace = (self.pace * 2).min(PACE_MAX).max(self.base);
            }
            Cause::Trouble | Cause::Unknown => {}
        }
        let doubled = BACKOFF.saturating_mul(1 << self.n_faults.min(10));
        let most = doubled.min(BACKOFF_MAX);
        // Quota is everyday life between apps that share a space: it slows us
        // down, and is no fault.
        if cause != Cause::Quota {
            if self.n_faults == 0 {
                self.since = now.moment;
            }
            self.n_faults = self.n_faults.saturating_add(1);
        }
        let mut chance = |most: Duration| {
            let most = nanos(most);
            Duration::from_nanos(rng.u64(0..=most))
        };
        let patience = match cause {
            // Paces are multiples of each other, and so are the habits of others who
            // post by the clock: without chance we would meet them every time.
            Cause::Quota => self.pace + chance(self.pace),
            Cause::Trouble | Cause::Unknown => chance(most).max(self.pace),
        };
        let wait = wait.unwrap_or_default().max(patience);
        self.next = now.moment.after(wait);
    }

    pub(super) fn refuse(&mut self, now: Now) {
        self.refused = true;
        self.next = now.moment.after(PROBE.max(self.pace));
    }
}
