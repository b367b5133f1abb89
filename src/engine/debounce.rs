//! Speaks at once, then counts, then sums up.
//!
//! ```text
//!            event: say                 due, nothing held
//!   idle ──────────────────► window ───────────────────────► idle
//!                            │    ▲
//!      event: hold,          └────┘ due, something held: sum up,
//!      or say if it is worse        and the next window is twice as long
//! ```
//!
//! The window is fixed. Events never extend it, so a fault that does not end
//! cannot silence itself.

use std::time::Duration;

use super::time::Moment;
use crate::rules::{Debounce, Severity};

/// How long an instance only counts, and what it has said so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When it ends.
    pub closes: Moment,
    /// How long it is.
    pub length: Duration,
    /// The worst severity that was said in this incident.
    pub worst: Severity,
}

/// What to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Say it: the instance was idle.
    Open,
    /// Say it, with all that is held: it is worse than anything said.
    Worse,
    /// Only count it.
    Hold,
}

/// What to do with a window that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// Nothing was held: the instance is idle again.
    Idle,
    /// Say how many there were, and count on for this long.
    SumUp {
        /// The length of the next window.
        next: Duration,
    },
}

/// Tells what to do with an event, given the window of its instance. A window
/// that is due must have been closed before.
pub fn decide(severity: Severity, window: Option<&Window>) -> Verdict {
    match window {
        None => Verdict::Open,
        Some(window) if window.worst < severity => Verdict::Worse,
        Some(_) => Verdict::Hold,
    }
}

/// Tells what follows the end of a window.
pub fn close(window: &Window, debounce: Debounce, n_held: u64) -> Close {
    match debounce {
        Debounce::Window { every, max } if n_held > 0 => Close::SumUp {
            next: window.length.saturating_mul(2).clamp(every, max),
        },
        // The rule was changed while the window was open: say what is held, then
        // leave the window behind at once.
        Debounce::None if n_held > 0 => Close::SumUp {
            next: Duration::ZERO,
        },
        Debounce::Window { .. } | Debounce::None => Close::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn decisions() {
        let window = |worst| Window {
            closes: Moment(9),
            length: SECOND,
            worst,
        };
        let warned = window(Severity::Warning);
        for (severity, window, expected) in [
            (Severity::Info, None, Verdict::Open),
            (Severity::Info, Some(&warned), Verdict::Hold),
            (Severity::Warning, Some(&warned), Verdict::Hold),
            (Severity::Error, Some(&warned), Verdict::Worse),
        ] {
            assert_eq!(decide(severity, window), expected);
        }
    }

    #[test]
    fn windows_double_up_to_the_longest() {
        let debounce = Debounce::Window {
            every: SECOND,
            max: SECOND * 8,
        };
        let mut window = Window {
            closes: Moment(0),
            length: SECOND,
            worst: Severity::Info,
        };
        let mut lengths = Vec::new();
        for _ in 0..5 {
            let Close::SumUp { next } = close(&window, debounce, 3) else {
                panic!("something was held");
            };
            lengths.push(next.as_secs());
            window.length = next;
        }
        assert_eq!(lengths, [2, 4, 8, 8, 8]);
        assert_eq!(close(&window, debounce, 0), Close::Idle);
    }
}
