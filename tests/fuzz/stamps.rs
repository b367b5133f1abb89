//! Any bytes as the beginning of a record, read anywhere at any time: what is a time is
//! one that exists, and what counts is near to when it was read.

#![no_main]

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use logcrier::engine::stamp::{self, Stamp};
use logcrier::engine::time::Wall;

fuzz_target!(|input: (i64, i8, &[u8])| {
    let (near, hours, text) = input;
    let zone = TimeZone::fixed(jiff::tz::offset(hours.clamp(-14, 14)));
    if let Some(found) = Stamp::in_text(text)
        && let Some(at) = found.wall(Wall(near), &zone)
    {
        assert!(jiff::Timestamp::from_microsecond(at.0).is_ok());
        let counted = stamp::clamped(at, Wall(near)).0;
        assert!(counted <= near.saturating_add(60_000_000));
        assert!(counted >= near.saturating_sub(86_400_000_000));
    }
    let _ = Stamp::in_value(&String::from_utf8_lossy(text));
});
