//! When the thread that brings hints rests, so that those of a busy writer come together.
//!
//! To wake the agent costs more than to read a line. While files are written to without
//! a pause, what the kernel has to tell is therefore fetched every few milliseconds, and
//! the same told twice is one. After a pause nobody waits; nor while names come and go,
//! for a file that is rotated away quickly must be opened before it is gone.

use std::time::Duration;

use crate::engine::time::Moment;

/// Between two times that hints are told while files are written to without a pause.
const BETWEEN: Duration = Duration::from_millis(7);

/// A pause. Shorter than what it takes to say a line, so that whoever writes the next one
/// when the last one was said is never kept waiting.
const PAUSE: Duration = Duration::from_millis(2);

/// Hints of writes before anybody rests, of which every pause takes off half.
const BUSY: u32 = 16;

/// A hint that follows the one before so soon was fetched together with it. Nobody rests
/// between them: the kernel may have many more that are not the same.
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
    /// When the first one was told of those that were fetched together.
    told: Moment,
    /// Hints of writes, up to twice as many as count as busy; every pause takes off half.
    n_writes: u32,
    /// Until when nobody rests.
    restless: Moment,
}

impl Pace {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            free: now,
            told: now,
            n_writes: 0,
            restless: now,
        }
    }

    /// A hint comes. Returns until when to rest before it is told, if at all.
    pub(super) fn rest(&mut self, now: Moment, of: Of) -> Option<Moment> {
        let since = now.from_now(self.free);
        if since >= PAUSE {
            self.n_writes /= 2;
        }
        match of {
            Of::Content => self.n_writes = (self.n_writes + 1).min(2 * BUSY),
            Of::Names => self.restless = now.after(RESTLESS),
        }
        if since < TOGETHER {
            return None;
        }
        let is_busy = self.n_writes > BUSY && self.restless <= now;
        let until = self.told.after(BETWEEN);
        let until = (is_busy && until > now).then_some(until);
        self.told = until.unwrap_or(now);
        until
    }

    /// It was told: the next one may come.
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
            let until = pace.rest(at(now), of);
            let rested = until.map_or(now, |until| until.0 / 1_000);
            let waited = longest.entry(file).or_insert(0);
            *waited = (rested - came).max(*waited);
            n_woken += usize::from(rested > free);
            pace.go_on(at(rested + 60));
            free = rested + 65;
        }
        (longest, n_woken)
    }

    fn writes(times: impl IntoIterator<Item = u64>) -> Vec<Event> {
        times.into_iter().map(|at| (at, WRITE, 0)).collect()
    }

    #[test]
    fn a_busy_writer_is_heard_of_every_few_milliseconds() {
        let (longest, n_woken) = lived(&writes((1..=10_000).map(|n| n * 1_000)));
        assert!((1_400..1_600).contains(&n_woken), "{n_woken}");
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
        assert!(waited <= Some(&(7_100 + 100 * 65)), "{longest:?}");
    }

    #[test]
    fn who_opens_and_closes_a_file_for_every_line_is_not_left_behind() {
        // The kernel tells both, and no two that follow each other are the same.
        let both = |n: u64| [(n * 1_000, WRITE, 0), (n * 1_000 + 10, WRITE, 1)];
        let events: Vec<Event> = (1..=10_000).flat_map(both).collect();
        let (longest, n_woken) = lived(&events);
        assert!(
            longest.values().all(|waited| *waited <= 9_000),
            "{longest:?}"
        );
        assert!(n_woken < 2_000, "{n_woken}");
    }

    #[test]
    fn the_other_files_wait_no_longer() {
        for n_busy in 1..8 {
            let busy =
                |n: u64| (0..n_busy).map(move |file| (n * 1_000 + u64::from(file), WRITE, file));
            let mut events: Vec<Event> = (1..=3_000).flat_map(busy).collect();
            events.extend((1..=30).map(|n| (n * 97_003, WRITE, 9)));
            events.sort_unstable_by_key(|event| event.0);
            let (longest, n_woken) = lived(&events);
            let told = 7 * u64::from(n_busy) * 65;
            let waited = longest.values().max();
            assert!(waited <= Some(&(7_100 + told)), "{n_busy}: {longest:?}");
            assert!(n_woken < 700, "{n_busy}: {n_woken}");
        }
    }
}
