//! Files as a kernel has them: renamed, cut, linked, closed to us.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use crate::support::{COUNTED, Space, World, running, stopped_after, wait_for};

#[test]
fn b1_rotated_while_running_with_a_writer_that_keeps_the_old_file() {
    let (space, mut world, mut log) = running();
    log.numbers(3);
    space.wait_events(3);
    let mut old = fs::OpenOptions::new().append(true).open(&log.path).unwrap();
    fs::rename(&log.path, world.path("logs/app.log.1")).unwrap();
    log.numbers(4);
    std::io::Write::write_all(&mut old, b"SEQ=100 late\nSEQ=101 later\n").unwrap();
    space.wait_events(9);
    assert!(world.stop().success());
    space.assert_clean();
}

#[test]
fn b4_rotated_while_stopped() {
    let (space, mut world, mut log) = stopped_after(3);
    log.numbers(5);
    fs::rename(&log.path, world.path("logs/app.log.1")).unwrap();
    log.numbers(7);
    world.start();
    space.wait_events(15);
    assert!(world.stop().success());
    space.assert_clean();
}

#[test]
fn c1_truncated_while_running() {
    let (space, _world, mut log) = running();
    log.numbers(10);
    space.wait_events(10);
    fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&log.path)
        .unwrap();
    log.numbers(2);
    space.wait_events(12);
    space.assert_clean();
}

#[test]
fn a_directory_that_comes_later() {
    let space = Space::new();
    let mut world = World::new(&space, &COUNTED.replace("LOGS/*.log", "LOGS/a/b/**/*.log"));
    world.start();
    fs::create_dir_all(world.path("logs/a/b/c/d")).unwrap();
    let mut log = world.log("a/b/c/d/new.log");
    log.numbers(2);
    space.wait_events(2);
}

#[test]
fn polled_where_inotify_is_not_wanted() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    world
        .environment
        .push(("LOGCRIER_WATCH", "poll".to_owned()));
    let mut log = world.log("app.log");
    world.start();
    log.numbers(2);
    space.wait_events(2);
    fs::rename(&log.path, world.path("logs/app.log.1")).unwrap();
    log.numbers(2);
    space.wait_events(4);
}

#[test]
fn b13_links_lead_to_what_they_name_now() {
    let space = Space::new();
    let mut world = World::new(&space, &COUNTED.replace("LOGS/*.log", "LOGS/current"));
    let mut first = world.log("first");
    let mut second = world.log("second");
    let link = world.path("logs/current");
    std::os::unix::fs::symlink(&first.path, &link).unwrap();
    world.start();
    first.numbers(1);
    space.wait_events(1);
    let new = world.path("logs/new");
    std::os::unix::fs::symlink(&second.path, &new).unwrap();
    fs::rename(&new, &link).unwrap();
    second.numbers(2);
    space.wait_events(3);
}

#[test]
fn a10_one_file_with_two_names_is_read_once_for_the_rules_of_both() {
    let space = Space::new();
    let other = COUNTED
        .replace("counted", "other")
        .replace("LOGS/*.log", "LOGS/z-link")
        .replace("rules:", "");
    let mut world = World::new(&space, &format!("{COUNTED}{other}"));
    let mut log = world.log("app.log");
    std::os::unix::fs::symlink(&log.path, world.path("logs/z-link")).unwrap();
    std::os::unix::fs::symlink(&log.path, world.path("logs/b.log")).unwrap();
    world.start();
    log.numbers(3);
    space.wait_events(6);
    world.signal(Signal::HUP);
    world.wait_told("with 2 rules");
    log.numbers(2);
    space.wait_events(10);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 10);
}

#[test]
fn e8_an_unreadable_file_is_told_once_and_read_later() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    world.without_rights();
    let mut log = world.log("app.log");
    log.numbers(3);
    let path = log.path.clone();
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o000);
    world.start();
    let n_told = |world: &World| world.stderr().matches("cannot be read").count();
    wait_for("it is told", || (n_told(&world) > 0).then_some(()));
    log.numbers(1);
    mode(0o644);
    log.numbers(1);
    space.wait_events(2);
    assert_eq!(n_told(&world), 1, "{}", world.stderr());
    assert!(world.stderr().contains("can be read again"));
}

/// What is born beside a directory that nobody may look into is read from its beginning.
/// What stood in that directory is not new, also where it can be looked into only after a
/// restart.
#[test]
fn e8_a_closed_directory_makes_no_other_file_old() {
    let space = Space::new();
    let mut world = World::new(&space, &COUNTED.replace("LOGS/*.log", "LOGS/**/*.log"));
    world.without_rights();
    let logs = world.path("logs");
    fs::create_dir(logs.join("closed")).unwrap();
    let mut old = world.log("closed/old.log");
    old.numbers(3);
    let mode = |mode| {
        let closed = logs.join("closed");
        fs::set_permissions(closed, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o000);
    world.start();
    let born = |name: &str| {
        fs::write(logs.join("making"), "SEQ=7\nSEQ=8\n").unwrap();
        fs::rename(logs.join("making"), logs.join(name)).unwrap();
    };
    born("one.log");
    space.wait_events(2);
    assert!(world.stop().success());
    born("two.log");
    mode(0o755);
    world.start();
    space.wait_events(4);
    old.numbers(1);
    space.wait_events(5);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 5);
}

#[test]
fn a_directory_that_cannot_be_listed_hides_no_file_that_is_named() {
    let space = Space::new();
    let mut world = World::new(&space, &COUNTED.replace("LOGS/*.log", "LOGS/app.log"));
    world.without_rights();
    let mut log = world.log("app.log");
    let logs = world.path("logs");
    fs::set_permissions(logs, fs::Permissions::from_mode(0o711)).unwrap();
    world
        .environment
        .push(("LOGCRIER_WATCH", "poll".to_owned()));
    world.start();
    log.numbers(2);
    space.wait_events(2);
}
