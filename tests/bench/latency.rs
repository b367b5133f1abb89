//! From `write(2)` to the request's arrival: prints the distribution.
//!
//! The real binary follows a real file; the space takes every message at once. A
//! durable commit lies between the line and the request. `cargo bench --bench
//! latency -- 1000 500` measures among that many files that nobody writes to, and beside
//! that many checks that run every ten seconds.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]

#[path = "../agent/support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the tests use all of it, the benchmark only a part"
)]
mod support;

use std::io::Write as _;

use support::{Space, World, wait_for};

/// Lines that are measured.
const N_LINES: usize = 500;

fn main() -> std::io::Result<()> {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<usize>().ok());
    let n_idle_files = numbers.next().unwrap_or(0);
    let n_checks = numbers.next().unwrap_or(0);
    let space = Space::new();
    let mut rules = "rules:\n  \
        - {key: r, files: LOGS/*.log, match: 'SEQ=(?<seq>\\d+)', by: seq, debounce: none}\n"
        .to_owned();
    for idx in 0..n_checks {
        rules += &format!("  - {{key: check{idx}, command: [/bin/true], every: 10s}}\n");
    }
    let mut world = World::new(&space, &rules);
    for idx in 0..n_idle_files {
        world.log(&format!("idle{idx}.log")).line("nothing to see");
    }
    let mut log = world.log("app.log");
    world.start();
    let mut micros = Vec::with_capacity(N_LINES);
    for number in 0..N_LINES {
        let written = wall();
        log.numbers(1);
        let arrived = wait_for("the request", || {
            space.handle.requests().get(number).map(|seen| seen.wall)
        });
        micros.push(arrived.as_microsecond() - written);
        // The next line comes to a space that is idle again.
        let pace_is_over = wall() + 15_000;
        wait_for("the pace", || (wall() > pace_is_over).then_some(()));
    }
    micros.sort_unstable();
    let at = |percent: usize| micros[(micros.len() - 1) * percent / 100] as f64 / 1_000.0;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "write(2) to the request's arrival, {N_LINES} lines, {} files, {n_checks} checks, ms:",
        n_idle_files + 1
    )?;
    for percent in [0, 25, 50, 75, 90, 99, 100] {
        let bar = "▏".repeat((at(percent) * 10.0).min(60.0) as usize);
        writeln!(out, "  p{percent:<3} {:>8.2} {bar}", at(percent))?;
    }
    assert!(world.stop().success());
    Ok(())
}

/// Microseconds since 1970, as the space tells them.
fn wall() -> i64 {
    logcrier::host::clock::now().wall.0
}
