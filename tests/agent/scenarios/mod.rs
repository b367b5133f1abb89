//! Named histories in the simulated world, to be read.
//!
//! First stands what happens, then what people read: the time, the rule and the
//! value, why the message exists and for how many events it speaks. What must be true
//! of every drawn history is held against these as well. `world/script.rs` has the
//! words.

use std::time::Duration;

use logcrier::rules::{Debounce, Severity, ThreadMode};

mod windows;

mod files;

mod lives;

mod spaces;

mod crowds;

mod stdin;

use crate::world::told::Told;

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn alpha() -> Told {
    Told::new("alpha")
}

/// As `alpha`, with another debounce.
pub(crate) fn debounced(debounce: Debounce) -> Told {
    Told {
        debounce,
        ..alpha()
    }
}

/// Another rule, as bad as this.
fn beta(severity: Severity) -> Told {
    Told {
        severity,
        ..Told::new("beta")
    }
}

/// A storm of one rule with a thread for each value.
fn threaded(severity: Severity) -> Told {
    Told {
        severity,
        thread: ThreadMode::Instance,
        ..alpha()
    }
}
