//! How crowded a space is, and so how much is said in one message.
//!
//! ```text
//!            more than 10 wait            more than 30 threads wait,
//!                                         or the wait passes 60 s
//!   calm ───────────────────► coalescing ──────────────────► digest
//!   one message each ◄─────── one a thread ◄──────────────── one a minute
//!            5 or fewer wait              when the next is due and half of that
//!                                         or less waits
//! ```
//!
//! Modes are left later than they are entered, so that a storm that breathes does
//! not make the space flicker between two ways of speaking.

use std::time::Duration;

/// Waiting messages beyond which those of one thread become one.
const COALESCE_ABOVE: usize = 10;

/// Waiting messages at which every message is on its own again.
const COALESCE_UNTIL: usize = 5;

/// Waiting threads beyond which there are digests.
const DIGEST_ABOVE_THREADS: usize = 30;

/// The wait beyond which there are digests.
const DIGEST_ABOVE_WAIT: Duration = Duration::from_secs(60);

/// Waiting threads below which a long wait alone makes no digest: what two threads
/// have to say is told better by themselves.
const DIGEST_THREADS_MIN: usize = 3;

/// Least time from one digest to the next.
pub(super) const DIGEST_EVERY: Duration = Duration::from_secs(60);

/// How much is said in one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Mode {
    /// Every message for itself.
    #[default]
    Calm,
    /// Waiting messages of one thread become one.
    Coalescing,
    /// One digest a minute; critical messages apart.
    Digest,
}

/// Who waits for a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Crowd {
    /// Messages that were never attempted.
    pub(super) n_waiting: usize,
    /// Their threads, but for critical ones.
    pub(super) n_threads: usize,
    /// How long the oldest of these has waited.
    pub(super) waited: Duration,
    /// From an answer to the next request.
    pub(super) pace: Duration,
    /// Whether the next digest may be sent.
    pub(super) digest_is_due: bool,
}

impl Crowd {
    /// How long the last one would wait if every thread got a message.
    fn wait(&self) -> Duration {
        let n_threads = u32::try_from(self.n_threads).unwrap_or(u32::MAX);
        self.pace.saturating_mul(n_threads)
    }

    fn needs_digest(&self) -> bool {
        let waits_long = self.waited.max(self.wait()) > DIGEST_ABOVE_WAIT;
        self.n_threads > DIGEST_ABOVE_THREADS || waits_long && self.n_threads >= DIGEST_THREADS_MIN
    }

    /// As [`needs_digest`](Self::needs_digest), for who already gets digests: their
    /// having waited for this one is no reason for another.
    fn still_needs_digest(&self) -> bool {
        self.n_threads > DIGEST_ABOVE_THREADS / 2
            || self.wait() > DIGEST_ABOVE_WAIT / 2 && self.n_threads >= DIGEST_THREADS_MIN
    }
}

impl Mode {
    /// The mode that follows.
    pub(super) fn next(self, crowd: &Crowd) -> Self {
        let stays = match self {
            Self::Calm | Self::Coalescing => crowd.needs_digest(),
            Self::Digest => !crowd.digest_is_due || crowd.still_needs_digest(),
        };
        let enough = match self {
            Self::Calm => COALESCE_ABOVE,
            Self::Coalescing | Self::Digest => COALESCE_UNTIL,
        };
        match (stays, crowd.n_waiting > enough) {
            (true, _) => Self::Digest,
            (false, true) => Self::Coalescing,
            (false, false) => Self::Calm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        use Mode::{Calm, Coalescing, Digest};
        let crowd = |n_waiting, n_threads, waited_secs| Crowd {
            n_waiting,
            n_threads,
            waited: Duration::from_secs(waited_secs),
            pace: Duration::from_secs(1),
            digest_is_due: true,
        };
        for (mode, crowd, expected) in [
            (Calm, crowd(10, 10, 0), Calm),
            (Calm, crowd(11, 1, 0), Coalescing),
            (Coalescing, crowd(6, 6, 0), Coalescing),
            (Coalescing, crowd(5, 5, 0), Calm),
            (Coalescing, crowd(2_000, 1, 59), Coalescing),
            (Calm, crowd(30, 30, 60), Coalescing),
            (Calm, crowd(31, 31, 0), Digest),
            (Calm, crowd(3, 3, 61), Digest),
            // Two threads may speak for themselves, however long they waited.
            (Calm, crowd(2, 2, 3_600), Calm),
            (Digest, crowd(16, 16, 0), Digest),
            (Digest, crowd(15, 15, 59), Coalescing),
            (Digest, crowd(1, 1, 59), Calm),
        ] {
            assert_eq!(mode.next(&crowd), expected, "{mode:?} {crowd:?}");
        }
    }

    #[test]
    fn a_slow_pace_is_a_long_wait() {
        let crowd = |n_threads, pace_secs, digest_is_due| Crowd {
            n_waiting: n_threads,
            n_threads,
            waited: Duration::ZERO,
            pace: Duration::from_secs(pace_secs),
            digest_is_due,
        };
        for (mode, crowd, expected) in [
            (Mode::Calm, crowd(3, 20, true), Mode::Calm),
            (Mode::Calm, crowd(3, 21, true), Mode::Digest),
            (Mode::Digest, crowd(3, 11, true), Mode::Digest),
            (Mode::Digest, crowd(3, 10, true), Mode::Calm),
            // Until the next one is due nothing is decided.
            (Mode::Digest, crowd(0, 1, false), Mode::Digest),
        ] {
            assert_eq!(mode.next(&crowd), expected, "{mode:?} {crowd:?}");
        }
    }
}
