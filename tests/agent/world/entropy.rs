//! Where chance comes from: seeded streams of choices, one of them finite.
//!
//! What happens in a history is drawn from a stream that ends, so a failing
//! history can be cut: the same seed with a smaller size is the same history with
//! an earlier end. A choice from a stream that has ended is the first one, which is
//! always the mildest.

use std::time::Duration;

/// A stream of choices.
#[derive(Debug, Clone)]
pub(crate) struct Entropy {
    rng: fastrand::Rng,
    n_left: Option<u64>,
}

impl Entropy {
    /// A stream of `size` choices.
    pub(crate) fn finite(seed: u64, size: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            n_left: Some(size),
        }
    }

    /// A stream that does not end: for what is no step of a history but the way of
    /// its world (delays, the makings of a run).
    pub(crate) fn endless(seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            n_left: None,
        }
    }

    /// Whether the stream has ended.
    pub(crate) fn is_spent(&self) -> bool {
        self.n_left == Some(0)
    }

    /// A stream of its own, for one choice of this one.
    pub(crate) fn fork(&mut self) -> Self {
        Self::endless(self.below(1 << 32))
    }

    /// A number below `n`; zero when the stream has ended.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        if let Some(n_left) = &mut self.n_left {
            if *n_left == 0 {
                return 0;
            }
            *n_left -= 1;
        }
        self.rng.u64(0..n.max(1))
    }

    /// A place in a list of `n`.
    pub(crate) fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).expect("below a usize")
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, n: u64) -> bool {
        // Counted from the top, so that a stream that has ended says no.
        self.below(100) >= 100 - n.min(100) && n > 0
    }

    /// One of a few.
    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// A place in a list of weights.
    pub(crate) fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut at = self.below(weights.iter().sum());
        for (idx, weight) in weights.iter().enumerate() {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => return idx,
            }
        }
        0
    }

    /// A duration; every order of magnitude is as likely as any other.
    pub(crate) fn duration(&mut self, least: Duration, most: Duration) -> Duration {
        const STEPS: u64 = 1 << 16;
        let at = self.below(STEPS) as f64 / STEPS as f64;
        let ratio = most.as_secs_f64() / least.as_secs_f64();
        least.mul_f64(ratio.powf(at))
    }
}
