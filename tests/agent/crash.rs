//! The real binary, with the N-th operation on its state failing or killing it,
//! for every N.
//!
//! `strace` injects what a disk or a power cut would: run with `cargo test crash
//! -- --ignored` where it is installed.

use crate::support::{Space, World, wait_for};

const RULES: &str = "
rules:
  - key: counted
    files: [LOGS/*.log]
    match: 'SEQ='
    debounce: {every: 50ms, max: 100ms}
    title: 'n={{ count }}'
";

/// What a store does to its disk.
const OPERATIONS: &str = "pwrite64,fdatasync,fsync,ftruncate,unlink";

/// More than the operations from a start to the end of a few messages.
const N_OPERATIONS: u64 = 60;

/// Lines are written this many times, each after the last were said.
const N_WAVES: u64 = 3;

#[test]
#[ignore = "needs strace"]
fn f4_every_operation_may_fail() {
    let (told, _) = at_every_operation("error=ENOSPC");
    // Some strike while the state is opened, some while the agent runs.
    assert!(told.contains("the state cannot be opened"), "{told}");
    assert!(told.contains("the state cannot be written"), "{told}");
    assert!(told.contains("the state can be written again"), "{told}");
}

#[test]
#[ignore = "needs strace"]
fn f1_f2_every_operation_may_be_the_last() {
    let (_, n_killed) = at_every_operation("signal=KILL");
    assert!(n_killed > 20, "only {n_killed} were killed");
}

/// Returns what the agents told, and how many ended before their time.
fn at_every_operation(what: &str) -> (String, u64) {
    let space = Space::new();
    let mut world = World::new(&space, RULES);
    let mut log = world.log("app.log");
    // What stands here by the first start that succeeds is old.
    world.start();
    assert!(world.stop().success());
    let mut n_ended = 0;
    for nth in 1..=N_OPERATIONS {
        world.wrapper = format!(
            "strace -D -f -qq -o /dev/null -e trace={OPERATIONS} -e inject={OPERATIONS}:{what}:when={nth}"
        );
        world.start_unready();
        for _ in 0..N_WAVES {
            log.numbers(3);
            let all = log.n_lines;
            wait_for(&format!("all is said, or it ends, {what} at {nth}"), || {
                let is_said = space.n_events() >= all;
                (is_said || world.has_ended()).then_some(())
            });
        }
        n_ended += u64::from(world.has_ended());
        log.numbers(2);
        world.kill();
        world.wrapper.clear();
        world.start();
        space.wait_events(log.n_lines);
        assert!(world.stop().success(), "{what} at {nth}");
    }
    space.assert_clean();
    (world.stderr(), n_ended)
}
