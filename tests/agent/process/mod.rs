//! The real binary: real files, real signals, the sandbox on loopback.

mod files;

mod lives;

mod secrets;

mod spaces;

mod state;

mod stdin;

use crate::support::{Space, World};

#[test]
fn a_line_becomes_a_threaded_message() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "rules: [{key: disk-full, files: LOGS/*.log, match: 'no space left', severity: error}]",
    );
    let log = world.log("kern.log");
    world.start();
    log.line("kernel: no space left on device");
    let message = space.wait(1).remove(0);
    assert_eq!(message.thread_key.as_deref(), Some("disk-full"));
    assert!(
        message.text.contains("no space left on device"),
        "{}",
        message.text
    );
    assert!(message.text.contains("test-host"), "{}", message.text);
    assert!(world.stop().success());
    space.assert_clean();
}
