//! Named histories of followed files, to be read: situations that real users met.
//!
//! Each carries the number of its situation in its name or its comment. As in
//! `scenarios`, first stands what happens, then what people read.

use logcrier::rules::Debounce;

mod rotation;

mod identity;

mod truncation;

use crate::scenarios::{alpha, debounced};
use crate::world::told::Told;

/// What says of three lines, one after the other, that each was heard of once.
const ONE_TWO_THREE: &str = "
    00:05 alpha k1 first 1
    01:00 alpha k2 first 1
    02:00 alpha k3 first 1
";

/// A rule that follows rotated files as well, and says each of its events.
fn rotated_too() -> Told {
    Told {
        glob: "/logs/app.log*".into(),
        ..debounced(Debounce::None)
    }
}
