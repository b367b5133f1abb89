//! The real binary and much at once: files written anew faster than it looks, many of
//! them rotated together, large ones, with inotify and with polling. Named after
//! `situation`, as the field met them.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::time::Duration;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::process::Signal;

use crate::support::{COUNTED, Log, Space, World, wait_within};
use crate::watching::wait_until_closed;
use crate::ways::{Way, both_ways};

const SAFETY_LOOK: Duration = Duration::from_secs(30);

both_ways! {
    a6_the_same_beginning_after_a_copy,
    copied_over_the_last_copy,
    the_same_beginning_over_the_last_copy,
    c2_cut_and_written_longer_between_two_looks,
    b14_a_thousand_files_rotated_together,
    b17_b25_rotated_and_deleted_while_nobody_listens,
    b3_b24_a_large_file_is_rotated_with_all_of_it_unread,
    c5_a_hole_before_the_first_line,
    c13_a_hole_where_it_was_read,
    b23_a_file_beyond_eight_gib_goes,
}

/// A6: copied and truncated, and the first thousand bytes are those of before.
fn a6_the_same_beginning_after_a_copy(way: Way) {
    let banner = "# one and the same banner\n".repeat(40);
    copied_and_truncated(way, &banner, |round| format!("logs/app.log.{round}"));
}

/// The same by a script that copies over the copy of last time.
fn copied_over_the_last_copy(way: Way) {
    copied_and_truncated(way, "", |_| "logs/app.log.1".to_owned());
}

/// Both at once.
fn the_same_beginning_over_the_last_copy(way: Way) {
    let banner = "# one and the same banner\n".repeat(40);
    copied_and_truncated(way, &banner, |_| "logs/app.log.1".to_owned());
}

fn copied_and_truncated(way: Way, banner: &str, name: impl Fn(u64) -> String) {
    let (space, mut world, mut log) = way.running();
    log.raw(banner.as_bytes());
    log.numbers(5);
    space.wait_events(5);
    for round in 2..=4 {
        fs::copy(&log.path, world.path(&name(round))).unwrap();
        let file = fs::File::options().write(true).open(&log.path).unwrap();
        file.set_len(0).unwrap();
        log.raw(banner.as_bytes());
        log.numbers(5 * round);
        space.wait_events((1..=round).sum::<u64>() * 5);
    }
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 50);
    space.assert_clean();
}

/// C2: cut and written beyond its old size, with nobody looking in between.
fn c2_cut_and_written_longer_between_two_looks(way: Way) {
    let (space, mut world, mut log) = way.running();
    log.numbers(10);
    space.wait_events(10);
    world.signal(Signal::STOP);
    let file = fs::File::options().write(true).open(&log.path).unwrap();
    file.set_len(0).unwrap();
    log.numbers(30);
    world.signal(Signal::CONT);
    space.wait_events(40);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 40);
}

/// B14: all of many files are rotated in one go, and written to at once.
fn b14_a_thousand_files_rotated_together(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, COUNTED);
    let mut logs: Vec<Log> = (0..1_000).map(|n| world.log(&format!("{n}.log"))).collect();
    world.start();
    for log in &mut logs {
        fs::rename(&log.path, log.path.with_extension("log.1")).unwrap();
        fs::write(&log.path, "").unwrap();
        log.numbers(1);
    }
    space.wait_events(1_000);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 1_000);
}

/// B17, B25: the space does not answer while files are rotated twice and deleted: they
/// are read all the same, and let go.
fn b17_b25_rotated_and_deleted_while_nobody_listens(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, COUNTED);
    let mut logs: Vec<Log> = (0..50).map(|n| world.log(&format!("{n}.log"))).collect();
    world.start();
    space.fault("503:2");
    for generation in 1..=3 {
        for log in &mut logs {
            log.numbers(2);
            if generation < 3 {
                let aside = log.path.with_extension(format!("log.{}", 3 - generation));
                fs::rename(&log.path, aside).unwrap();
                fs::write(&log.path, "").unwrap();
            }
        }
    }
    // One that nobody saw under its own name is met by the safety look.
    wait_within(SAFETY_LOOK * 2, "all is read", || {
        let status = world.run(&["status", "--json", "--config", "logcrier.yaml"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).ok()?;
        (status["rules"][0]["events"] == 300).then_some(())
    });
    for log in &logs {
        for aside in ["log.1", "log.2"] {
            fs::remove_file(log.path.with_extension(aside)).unwrap();
        }
    }
    wait_until_closed(&world, ".log.");
    space.wait_events(300);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 300);
}

/// B3, B24: much is written and rotated before the agent gets to it: all of it is read,
/// and none of it is held in memory.
fn b3_b24_a_large_file_is_rotated_with_all_of_it_unread(way: Way) {
    let (space, world, mut log) = way.running();
    log.numbers(1);
    space.wait_events(1);
    world.signal(Signal::STOP);
    let filler = "nothing to see in this line, nor in those around it\n".repeat(1 << 14);
    for _ in 0..120 {
        log.raw(filler.as_bytes());
        log.numbers(1);
    }
    fs::rename(&log.path, world.path("logs/app.log.1")).unwrap();
    fs::write(&log.path, "").unwrap();
    log.numbers(3);
    world.signal(Signal::CONT);
    space.wait_events(124);
    assert_small(&world);
}

/// C5: a writer that keeps its offset leaves a hole where the file was cut.
fn c5_a_hole_before_the_first_line(way: Way) {
    let (space, world, log) = way.running();
    let mut writer = fs::File::options().write(true).open(&log.path).unwrap();
    writer.write_all(b"SEQ=0 before\n").unwrap();
    space.wait_events(1);
    writer.seek(SeekFrom::Start(500 << 20)).unwrap();
    writer.set_len(0).unwrap();
    writer.write_all(b"SEQ=1 after the hole\nSEQ=2\n").unwrap();
    space.wait_events(3);
    assert_small(&world);
}

/// C13: what was read is punched out of the file.
fn c13_a_hole_where_it_was_read(way: Way) {
    let (space, mut world, mut log) = way.running();
    log.numbers(2_000);
    space.wait_events(2_000);
    let file = fs::File::options().write(true).open(&log.path).unwrap();
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(&file, flags, 0, 8192).unwrap();
    log.numbers(3);
    space.wait_events(2_003);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 2_003);
}

/// B23: a file of more than eight GiB is rotated and removed.
fn b23_a_file_beyond_eight_gib_goes(way: Way) {
    let (space, world, mut log) = way.running();
    log.numbers(1);
    space.wait_events(1);
    let file = fs::File::options().write(true).open(&log.path).unwrap();
    file.set_len(9 << 30).unwrap();
    log.raw(b"\n");
    log.numbers(1);
    space.wait_events(2);
    let aside = world.path("logs/app.log.1");
    fs::rename(&log.path, &aside).unwrap();
    fs::write(&log.path, "").unwrap();
    log.numbers(1);
    space.wait_events(3);
    fs::remove_file(&aside).unwrap();
    wait_until_closed(&world, "app.log.1");
    log.numbers(1);
    space.wait_events(4);
    assert_small(&world);
}

/// The agent never took much memory.
fn assert_small(world: &World) {
    const PEAK_MAX: u64 = 96 << 10;
    let status = fs::read_to_string(format!("/proc/{}/status", world.pid())).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    let kib = peak.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    assert!(kib.is_some_and(|kib: u64| kib < PEAK_MAX), "{peak:?}");
}
