//! The only reader of the system's clocks.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::engine::time::{Moment, Now, Wall};

/// Reads both clocks.
///
/// Moments come from the boot-time clock (`clock_gettime(2)`, `CLOCK_BOOTTIME`):
/// it goes on while the machine is suspended, so that a window of five minutes is
/// over after a night with the lid closed.
pub fn now() -> Now {
    let boot = clock_gettime(ClockId::Boottime);
    let real = clock_gettime(ClockId::Realtime);
    let nanos = |spec: &rustix::time::Timespec| {
        i128::from(spec.tv_sec) * 1_000_000_000 + i128::from(spec.tv_nsec)
    };
    Now {
        moment: Moment(u64::try_from(nanos(&boot)).unwrap_or(0)),
        wall: Wall(i64::try_from(nanos(&real) / 1_000).unwrap_or(0)),
    }
}

/// Nanoseconds since 1970.
pub(super) fn wall_nanos() -> i128 {
    let spec = clock_gettime(ClockId::Realtime);
    i128::from(spec.tv_sec) * 1_000_000_000 + i128::from(spec.tv_nsec)
}

/// The clock that service managers compare reloads by (`CLOCK_MONOTONIC`), in
/// microseconds.
pub fn monotonic_micros() -> u64 {
    let spec = clock_gettime(ClockId::Monotonic);
    let micros = i128::from(spec.tv_sec) * 1_000_000 + i128::from(spec.tv_nsec) / 1_000;
    u64::try_from(micros).unwrap_or(0)
}

/// How long the calling thread has had a processor (`CLOCK_THREAD_CPUTIME_ID`).
pub fn worked() -> Duration {
    let spec = clock_gettime(ClockId::ThreadCPUTime);
    let secs = u64::try_from(spec.tv_sec).unwrap_or(0);
    Duration::new(secs, u32::try_from(spec.tv_nsec).unwrap_or(0))
}
