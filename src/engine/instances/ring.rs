//! Hits that are not yet an event: so many within a time make one.
//!
//! The window slides over the hits' own times, and hits that come late are sorted
//! in. A ring holds no more than twice the hits that are wanted; beyond that the
//! one that came first is forgotten, so that a backlog is judged as well as what is
//! written meanwhile.

use serde::{Deserialize, Serialize};

use crate::engine::events::Event;
use crate::engine::identity::fingerprint;
use crate::engine::message::{SAMPLES_MAX, Shown, Tally};
use crate::engine::time::Wall;
use crate::rules::conditions::Threshold;

/// Hits in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ring {
    hits: Vec<Hit>,
    /// A few different ones, as messages show them.
    samples: Vec<(Wall, Shown)>,
}

/// What is remembered of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Hit {
    at: Wall,
    /// The value that must differ, if one must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<u64>,
}

impl Ring {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }

    /// Takes a hit. Returns what is to be said if there are enough now; then they are
    /// forgotten.
    pub fn take(&mut self, threshold: &Threshold, event: &Event) -> Option<Tally> {
        let value = (threshold.distinct.as_deref()).map(|name| {
            let text = event.sample.capture(name).unwrap_or_default();
            fingerprint(text.as_bytes())
        });
        let mut at = event.at;
        if value.is_some() {
            // Only the last hit of a value counts.
            self.hits.retain(|hit| {
                let is_same = hit.value == value;
                at = if is_same { at.max(hit.at) } else { at };
                !is_same
            });
        }
        self.hits.push(Hit { at, value });
        self.show(threshold, event);
        let wanted = threshold.count as usize;
        let n_over = self.hits.len().saturating_sub(2 * wanted);
        self.hits.drain(..n_over);
        let mut times: Vec<Wall> = self.hits.iter().map(|hit| hit.at).collect();
        times.sort_unstable();
        let is_near = |times: &&[Wall]| times[wanted - 1].since(times[0]) <= threshold.within;
        let together = times.windows(wanted).rfind(is_near)?;
        let (first, last) = (together[0], together[wanted - 1]);
        let shown = |(_, shown): &(Wall, Shown)| shown.clone();
        let near = (self.samples.iter()).filter(|(at, _)| (first..=last).contains(at));
        let tally = Tally {
            count: u64::from(threshold.count),
            first,
            last,
            different: near.map(shown).collect(),
            ..Tally::of(event)
        };
        *self = Self::default();
        Some(tally)
    }

    fn show(&mut self, threshold: &Threshold, event: &Event) {
        let recent = event.at.before(threshold.within);
        self.samples.retain(|(at, _)| *at >= recent);
        let lines = |(_, shown): &(Wall, Shown)| shown.sample.line != event.sample.line;
        if self.samples.len() < SAMPLES_MAX && self.samples.iter().all(lines) {
            self.samples.push((event.at, Shown::of(event)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::engine::events::{EventId, InstanceId};
    use crate::engine::scan::Sample;
    use crate::rules::{RuleKey, Severity};

    fn event(secs: i64, user: &str) -> Event {
        let sample = Sample {
            line: format!("failed for {user}"),
            captures: vec![("user".into(), user.to_owned())],
            ..Sample::default()
        };
        Event {
            id: EventId(0),
            instance: InstanceId {
                rule: RuleKey::new("r"),
                by: Arc::new([]),
            },
            severity: Severity::Warning,
            at: Wall(secs * 1_000_000),
            sample: Arc::new(sample),
            source: "/a".into(),
            besides: None,
        }
    }

    fn threshold(count: u32, secs: u64, distinct: Option<&str>) -> Threshold {
        Threshold {
            count,
            within: Duration::from_secs(secs),
            distinct: distinct.map(str::to_owned),
        }
    }

    /// The places of the hits, written as `TIME` or `TIMEuser`, at which it fires.
    fn fires(threshold: &Threshold, hits: &str) -> Vec<usize> {
        let mut ring = Ring::default();
        let mut fired = Vec::new();
        for (idx, hit) in hits.split(' ').enumerate() {
            let n_digits = hit.bytes().take_while(u8::is_ascii_digit).count();
            let (secs, user) = hit.split_at(n_digits);
            if let Some(tally) = ring.take(threshold, &event(secs.parse().unwrap(), user)) {
                assert_eq!(tally.count, u64::from(threshold.count));
                assert!(tally.last.since(tally.first) <= threshold.within);
                assert!(ring.is_empty());
                fired.push(idx);
            }
        }
        fired
    }

    #[test]
    fn enough_within_the_time() {
        for (count, secs, hits, expected) in [
            (3, 10, "0 5 10", &[2][..]),
            (3, 10, "0 5 11", &[]),
            // It slides: the window is that of any three.
            (3, 10, "0 5 11 14", &[3]),
            // Then it begins anew.
            (3, 10, "0 1 2 3 4 5", &[2, 5]),
            (3, 10, "0 1 2 3 4", &[2]),
            // What comes late is sorted in.
            (3, 10, "100 0 5 3", &[3]),
            (3, 10, "0 20 10 5", &[3]),
            (2, 1, "5 5", &[1]),
        ] {
            assert_eq!(
                fires(&threshold(count, secs, None), hits),
                expected,
                "{hits}"
            );
        }
    }

    #[test]
    fn values_must_differ() {
        for (count, secs, hits, expected) in [
            (3, 10, "0a 1a 2a 3a", &[][..]),
            (3, 10, "0a 1b 2c", &[2]),
            (3, 10, "0a 1b 2a 3a 9c", &[4]),
            // The last one of a value counts.
            (3, 10, "0a 9a 12b 15c", &[3]),
            (3, 10, "0a 12b 15c", &[]),
        ] {
            let threshold = threshold(count, secs, Some("user"));
            assert_eq!(fires(&threshold, hits), expected, "{hits}");
        }
    }

    /// A few different records of those that made it, and when they happened: one that
    /// comes late is not the last of them.
    #[test]
    fn what_made_an_event_is_shown() {
        let threshold = threshold(5, 10, None);
        let mut ring = Ring::default();
        let hits = [(0, "old"), (20, "a"), (20, "a"), (26, "b"), (24, "c")];
        for (secs, user) in hits {
            assert_eq!(ring.take(&threshold, &event(secs, user)), None);
        }
        let tally = ring.take(&threshold, &event(22, "d")).unwrap();
        let shown: Vec<&str> = (tally.different.iter())
            .map(|shown| &*shown.sample.line)
            .collect();
        assert_eq!(shown, ["failed for a", "failed for b", "failed for c"]);
        assert_eq!(tally.latest.sample.line, "failed for d");
        assert_eq!((tally.first.0, tally.last.0), (20_000_000, 26_000_000));
    }

    /// By the definition: any so many of the hits since it fired last.
    fn naive(count: usize, within: i64, times: &[i64]) -> Vec<usize> {
        let mut since = 0;
        let mut fired = Vec::new();
        for idx in 0..times.len() {
            let mut seen = times[since..=idx].to_vec();
            seen.sort_unstable();
            if seen
                .windows(count)
                .any(|few| few[count - 1] - few[0] <= within)
            {
                fired.push(idx);
                since = idx + 1;
            }
        }
        fired
    }

    #[test]
    fn agrees_with_its_definition() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..3_000 {
            let (count, within) = (rng.u32(2..6), rng.u64(1..20));
            let mut at = 0;
            let times: Vec<i64> = (0..40)
                .map(|_| {
                    at += rng.i64(0..8);
                    at
                })
                .collect();
            let hits: Vec<String> = times.iter().map(i64::to_string).collect();
            let fired = fires(&threshold(count, within, None), &hits.join(" "));
            let expected = naive(count as usize, i64::try_from(within).unwrap(), &times);
            assert_eq!(fired, expected, "{count} {within} {times:?}");
        }
    }
}
