//! When the thread that brings hints rests, so that those of a busy writer come together.
//!
//! To wake the agent costs more than to read a line. While files are written to without
//! a pause, what the kernel has to tell is therefore fetched every few milliseconds, and
//! the same told twice is one. After a pause nobody waits; nor while names come and go,
//! for a file that is rotated away quickly must be opened before it is gone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::engine::time::Moment;

/// How long is rested after a hint while files are written to without a pause.
const REST: Duration = Duration::from_millis(7);

/// A pause. Shorter than what it takes to say a line, so that whoever writes the next one
/// when the last one was said is never kept waiting.
const PAUSE: Duration = Duration::from_millis(2);

/// Hints of writes before anybody rests, of which every pause takes off half.
const BUSY: u32 = 16;

/// A hint that follows the one before so soon was fetched together with it, and so may
/// be the next one. Nobody rests between them, lest the last of many waits for long.
const TOGETHER: Duration = Duration::from_micros(50);

/// How long nobody rests after names came or went.
const RESTLESS: Duration = Duration::from_secs(1);

/// What a hint is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// What a file holds.
    Content,
    /// What names there are; or hints were lost.
    Names,
}

/// When hints came.
#[derive(Debug)]
pub(super) struct Pace {
    /// Since when the next one could come.
    free: Moment,
    /// Hints of writes, up to twice as many as count as busy; every pause takes off half.
    n_writes: u32,
    /// Of what the last one was.
    path: PathBuf,
    /// How many there were of that since there was one of another.
    n_same: u32,
    /// Until when nobody rests.
    restless: Moment,
}

impl Pace {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            free: now,
            n_writes: 0,
            path: PathBuf::new(),
            n_same: 0,
            restless: now,
        }
    }

    /// A hint came. Returns until when to rest when it is told, if at all.
    pub(super) fn rest(&mut self, now: Moment, of: Of, path: &Path) -> Option<Moment> {
        let since = now.from_now(self.free);
        if since >= PAUSE {
            self.n_writes /= 2;
        }
        match of {
            Of::Content => self.n_writes = (self.n_writes + 1).min(2 * BUSY),
            Of::Names => self.restless = now.after(RESTLESS),
        }
        match self.path == path {
            true => self.n_same = self.n_same.saturating_add(1),
            false => (self.path, self.n_same) = (path.to_owned(), 1),
        }
        let is_busy = self.n_writes > BUSY && self.restless <= now;
        // Nothing else was fetched together with it, as far as anybody knows.
        let is_alone = since >= TOGETHER || self.n_same > BUSY;
        (is_busy && is_alone).then(|| now.after(REST))
    }

    /// It was told, and rested after: the next one may come.
    pub(super) fn go_on(&mut self, now: Moment) {
        self.free = now;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What happens: when, in µs, of what, and to which file.
    type Event = (u64, Of, u8);

    const WRITE: Of = Of::Content;

    /// Lives through events as the kernel tells them: those that follow each other and are
    /// the same are one. Returns how long each file waited to be told of what had happened
    /// to it, at most, and how often somebody was woken for it. To tell takes longer than
    /// what counts as a gap between two hints.
    fn lived(events: &[Event]) -> (BTreeMap<u8, u64>, usize) {
        let at = |micros: u64| Moment(micros * 1_000);
        let mut pace = Pace::new(at(0));
        let mut longest = BTreeMap::new();
        let (mut free, mut n_woken) = (0, 0);
        let mut left = events;
        while let Some(&(came, of, file)) = left.first() {
            let now = came.max(free);
            let same = |event: &&Event| event.0 <= now && (event.1, event.2) == (of, file);
            left = &left[left.iter().take_while(same).count()..];
            let waited = longest.entry(file).or_insert(0);
            *waited = (now - came).max(*waited);
            let path = PathBuf::from(file.to_string());
            let until = pace.rest(at(now), of, &path);
            n_woken += usize::from(now > free || until.is_some());
            let told = now + 60;
            let rested = until.map_or(told, |until| told.max(until.0 / 1_000));
            pace.go_on(at(rested));
            free = rested + 5;
        }
        (longest, n_woken)
    }

    fn writes(times: impl IntoIterator<Item = u64>) -> Vec<Event> {
        times.into_iter().map(|at| (at, WRITE, 0)).collect()
    }

    #[test]
    fn a_busy_writer_is_heard_of_every_few_milliseconds() {
        let (longest, n_woken) = lived(&writes((1..=10_000).map(|n| n * 1_000)));
        assert!((1_300..1_500).contains(&n_woken), "{n_woken}");
        assert!(longest[&0] <= 7_100, "{longest:?}");
    }

    #[test]
    fn a_busy_writer_may_stop_for_a_moment() {
        let events = writes((1..=10_000).map(|n| n * 1_000 + n / 50 * 5_000));
        let (longest, n_woken) = lived(&events);
        assert!((1_300..2_000).contains(&n_woken), "{n_woken}");
        assert!(longest[&0] <= 7_100, "{longest:?}");
    }

    #[test]
    fn nobody_waits_after_a_pause() {
        let rare = writes((1..=1_000).map(|n| n * 2_100));
        let first = writes((1..=16).map(|n| n * 1_000));
        let after = writes((1..=50).map(|n| n * 1_000).chain([80_000]));
        assert_eq!(lived(&rare).0[&0], 0);
        assert_eq!(lived(&first).0[&0], 0);
        assert_eq!(lived(&after[50..]).0[&0], 0);
        assert!(lived(&after).0[&0] > 5_000);
    }

    #[test]
    fn nobody_rests_while_names_come_and_go() {
        let mut events = writes((100..=1_000).map(|n| n * 1_000));
        events.insert(0, (99_000, Of::Names, 1));
        assert_eq!(lived(&events).0[&0], 0);
        events.remove(0);
        assert!(lived(&events).0[&0] > 5_000);
    }

    #[test]
    fn many_files_are_told_of_without_a_rest_between_them() {
        let mut events = writes((1..=100).map(|n| n * 1_000));
        events.extend((1..=100).map(|file| (101_000, WRITE, file)));
        let (longest, _) = lived(&events);
        let waited = longest.values().max();
        assert!(waited <= Some(&(2 * 7_100 + 100 * 65)), "{longest:?}");
    }

    #[test]
    fn the_other_files_wait_for_two_rests_at_most() {
        for n_busy in 1..8 {
            let busy =
                |n: u64| (0..n_busy).map(move |file| (n * 1_000 + u64::from(file), WRITE, file));
            let mut events: Vec<Event> = (1..=3_000).flat_map(busy).collect();
            events.extend((1..=30).map(|n| (n * 97_003, WRITE, 9)));
            events.sort_unstable_by_key(|event| event.0);
            let (longest, n_woken) = lived(&events);
            let waited = longest.values().max();
            assert!(waited <= Some(&14_100), "{n_busy} are busy: {longest:?}");
            assert!(n_woken < 700, "{n_busy}: {n_woken}");
        }
    }
}
