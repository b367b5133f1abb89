//! Standard input: a pipe, a file, nothing.

use std::fs;
use std::io::{PipeWriter, Write as _, pipe};

use rustix::process::Signal;

use crate::support::{COUNTED, Space, World, wait_for, wished};

fn world(space: &Space) -> World {
    World::new(
        space,
        &COUNTED.replace("files: [LOGS/*.log]", "stdin: true"),
    )
}

/// Writes lines with rising numbers.
fn numbers(pipe: &mut PipeWriter, range: std::ops::Range<u64>) {
    for number in range {
        writeln!(pipe, "SEQ={number} something happened").unwrap();
    }
}

#[test]
fn g6_all_that_is_piped_in_is_said_before_the_end() {
    let space = Space::new();
    let mut world = world(&space);
    let (reader, mut writer) = pipe().unwrap();
    world.stdin = Some(reader.into());
    world.start_unready();
    numbers(&mut writer, 0..2_000);
    writer
        .write_all(b"bytes \xff\0\x01 that are no text\n")
        .unwrap();
    writer.write_all(&vec![b'x'; 1 << 20]).unwrap();
    writer
        .write_all(b"\nSEQ=2000 and no end of the line")
        .unwrap();
    drop(writer);
    assert!(world.wait_end().success(), "{}", world.stderr());
    assert_eq!(space.n_events(), 2_001);
    space.assert_clean();
}

/// Whatever moment it is killed at, every line of the pipe is counted once: also one
/// of which a part was read.
#[test]
fn killed_while_a_pipe_is_read() {
    let n_kills = wished("KILLS").unwrap_or(8);
    let space = Space::new();
    let mut world = world(&space);
    let (reader, mut writer) = pipe().unwrap();
    let mut rng = fastrand::Rng::with_seed(11);
    let mut n_lines = 0;
    for round in 0..n_kills {
        world.stdin = Some(reader.try_clone().unwrap().into());
        world.start();
        let more = rng.u64(1..4_000);
        numbers(&mut writer, n_lines..n_lines + more);
        n_lines += more;
        if round % 2 == 0 {
            let n_before = space.n_events();
            wait_for("something more is said", || {
                (space.n_events() > n_before).then_some(())
            });
        }
        world.kill();
    }
    world.stdin = Some(reader.into());
    world.start_unready();
    drop(writer);
    assert!(world.wait_end().success(), "{}", world.stderr());
    assert_eq!(space.n_events(), n_lines);
    space.assert_clean();
}

/// As a service manager starts it: there is nothing to read, and no end. What an earlier
/// life left is read all the same.
#[test]
fn without_input_it_goes_on() {
    let space = Space::new();
    let mut world = world(&space);
    world.start();
    world.wait_said("standard input is /dev/null");
    world.kill();
    let copy = fs::read_dir(world.path("state/stdin")).unwrap().next();
    fs::write(copy.unwrap().unwrap().path(), "SEQ=1\nSEQ=2").unwrap();
    world.start();
    space.wait_events(2);
    assert!(!world.stderr().contains("WARN"), "{}", world.stderr());
    assert!(world.stop().success());
}

/// A person must help before anything can be said: nobody waits for that.
#[test]
fn a_space_that_refuses_everything_is_not_waited_for() {
    let space = Space::new();
    let mut world = world(&space);
    space.fault("404");
    world.write("input", "SEQ=1\n");
    world.stdin = Some(fs::File::open(world.path("input")).unwrap().into());
    world.start_unready();
    assert_eq!(world.wait_end().code(), Some(1), "{}", world.stderr());
    world.wait_said("error: 1 message not delivered");
}

#[test]
fn a_file_is_read_to_its_end() {
    let space = Space::new();
    let mut world = world(&space);
    let lines: String = (0..50_000)
        .map(|number| format!("SEQ={number}\n"))
        .collect();
    world.write("input", &lines);
    world.stdin = Some(fs::File::open(world.path("input")).unwrap().into());
    world.start_unready();
    assert!(world.wait_end().success(), "{}", world.stderr());
    assert_eq!(space.n_events(), 50_000);
    // The same again is not the same lines.
    world.write("input", "SEQ=1\nSEQ=2\n");
    for n_events in [50_002, 50_004] {
        world.stdin = Some(fs::File::open(world.path("input")).unwrap().into());
        world.start_unready();
        assert!(world.wait_end().success(), "{}", world.stderr());
        assert_eq!(space.n_events(), n_events);
    }
    assert!(!world.stderr().contains("WARN"), "{}", world.stderr());
}

/// The first rule of standard input comes with a reload, in two ways of reading, and
/// goes with another: whoever writes there never waits.
#[test]
fn rules_of_it_come_and_go() {
    let space = Space::new();
    let files = COUNTED.to_owned();
    let mut world = World::new(&space, &files);
    let log = world.log("app.log");
    let (reader, mut writer) = pipe().unwrap();
    world.stdin = Some(reader.into());
    world.start();
    numbers(&mut writer, 0..3);
    let rules = files.replace("files: [LOGS/*.log]", "stdin: true");
    let (_, json) = rules.split_once("rules:\n").unwrap();
    let json = json.replace("key: counted", "key: also\n    format: logfmt");
    world.write_rules(&format!("{rules}{json}"));
    world.signal(Signal::HUP);
    space.wait_events(6);
    numbers(&mut writer, 3..5);
    space.wait_events(10);
    world.write_rules(&files);
    world.signal(Signal::HUP);
    wait_for("its copy is gone", || {
        (!world.path("state/stdin").exists()).then_some(())
    });
    // More than a pipe holds.
    numbers(&mut writer, 0..20_000);
    log.line("SEQ=1");
    space.wait_events(11);
    drop(writer);
    log.line("SEQ=2");
    space.wait_events(12);
    assert!(world.stop().success());
    space.assert_clean();
}

#[test]
fn what_cannot_be_read_is_told() {
    let space = Space::new();
    let mut world = world(&space);
    world.stdin = Some(fs::File::create(world.path("input")).unwrap().into());
    world.start();
    let message = space.wait(1).remove(0);
    assert!(
        message.text.contains("standard input cannot be read"),
        "{}",
        message.text
    );
    assert!(world.stop().success());
}
