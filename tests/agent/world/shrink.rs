//! Makes a failing history short.
//!
//! A history is a seed and a size. First the size is cut as long as the same
//! promise breaks; then other seeds are tried with smaller sizes still, because a
//! bug that shows in a long history mostly shows in some short one.

use super::history::{Ending, live};

/// Other seeds that are tried.
const OTHERS: u64 = 2_000;

/// Finds a small size and a seed that break the same promise.
pub(crate) fn shrink(seed: u64, size: u64, promise: &str) -> (u64, u64, Ending) {
    let breaks = |seed: u64, size: u64| {
        let ending = live(seed, size, false);
        ending
            .failure
            .is_some_and(|failure| failure.promise == promise)
    };
    let mut best = (seed, cut(seed, size, &breaks));
    for other in 0..OTHERS {
        let less = best.1 * 2 / 3;
        if less > 0 && breaks(other, less) {
            best = (other, cut(other, less, &breaks));
        }
    }
    (best.0, best.1, live(best.0, best.1, true))
}

/// The smallest size at which a seed still breaks a promise, as far as halving and
/// then counting down finds it.
fn cut(seed: u64, size: u64, breaks: &dyn Fn(u64, u64) -> bool) -> u64 {
    let mut size = size;
    let mut step = size / 2;
    while step > 0 {
        while size > step && breaks(seed, size - step) {
            size -= step;
        }
        step /= 2;
    }
    size
}
