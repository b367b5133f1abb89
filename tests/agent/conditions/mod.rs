//! Thresholds, ends, absence, silences: what rules with conditions say, and when.

use std::time::Duration;

mod thresholds;

mod incidents;

mod silences;

mod absence;

mod changes;

use crate::world::script::check_said;
use crate::world::told::{Told, Wanted, window};

mod drawn;

const MINUTE: Duration = Duration::from_secs(60);

fn alpha(wanted: Wanted) -> Told {
    Told {
        debounce: window(5 * MINUTE, 60 * MINUTE),
        wanted,
        ..Told::new("alpha")
    }
}

fn check(wanted: Wanted, script: &str, expected: &str) {
    check_said(vec![alpha(wanted)], script, expected);
}

fn three_a_minute() -> Wanted {
    Wanted {
        threshold: Some((3, 60)),
        ..Wanted::default()
    }
}

/// Any record is a sign of life, and none may stay away for so many seconds.
fn missed_after(secs: u64) -> Wanted {
    Wanted {
        absent: Some(secs),
        one_instance: true,
        ..Wanted::default()
    }
}

fn resolved() -> Wanted {
    Wanted {
        resolve: Some(0),
        ..Wanted::default()
    }
}
