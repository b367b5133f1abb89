//! Rotated files that were compressed before they were read, by the real tools.
//!
//! `.ci/run` installs the tools and runs these; elsewhere they are run with
//! `cargo test --test agent archives -- --ignored`.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{World, stopped_after, wait_for};

/// The tools and the endings of what they make.
const TOOLS: [(&str, &str); 4] = [
    ("gzip", "gz"),
    ("zstd", "zst"),
    ("bzip2", "bz2"),
    ("xz", "xz"),
];

/// Compresses a file in place, as logrotate does.
fn compress(world: &World, tool: &str, name: &str) {
    let mut command = Command::new(tool);
    if tool == "zstd" {
        command.args(["--rm", "-q"]);
    }
    let status = command.arg(world.path(name)).status();
    assert!(
        status
            .unwrap_or_else(|error| panic!("{tool}: {error}"))
            .success()
    );
}

/// Compresses bytes on the way.
fn compressed(tool: &str, bytes: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plain");
    fs::write(&path, bytes).unwrap();
    let mut command = Command::new(tool);
    command.arg("-c").stdin(fs::File::open(&path).unwrap());
    command.stdout(Stdio::piped()).output().unwrap().stdout
}

#[test]
#[ignore = "needs the compressors"]
fn b6_b7_the_unread_rest_is_in_an_archive() {
    for (tool, ending) in TOOLS {
        let (space, mut world, mut log) = stopped_after(3);
        log.numbers(2_000);
        fs::rename(&log.path, world.path("logs/app.log.2")).unwrap();
        log.numbers(500);
        fs::rename(&log.path, world.path("logs/app.log.1")).unwrap();
        log.numbers(5);
        compress(&world, tool, "logs/app.log.2");
        compress(&world, tool, "logs/app.log.1");
        assert!(fs::exists(world.path(&format!("logs/app.log.2.{ending}"))).unwrap());
        world.start();
        space.wait_events(2_508);
        assert!(world.stop().success());
        // Nothing is decompressed again.
        world.start();
        log.numbers(1);
        space.wait_events(2_509);
        assert!(world.stop().success());
        assert_eq!(space.n_events(), 2_509, "{tool}");
        space.assert_clean();
    }
}

#[test]
#[ignore = "needs the compressors"]
fn b7_members_behind_each_other_are_one_archive() {
    for (tool, ending) in TOOLS {
        let (space, mut world, mut log) = stopped_after(3);
        log.numbers(100);
        let text = fs::read(&log.path).unwrap();
        let (one, other) = text.split_at(text.len() / 2);
        let members = [compressed(tool, one), compressed(tool, other)].concat();
        fs::write(world.path(&format!("logs/app.log.1.{ending}")), members).unwrap();
        fs::remove_file(&log.path).unwrap();
        log.numbers(5);
        world.start();
        space.wait_events(108);
        assert!(world.stop().success());
        assert_eq!(space.n_events(), 108, "{tool}");
        space.assert_clean();
    }
}

#[test]
#[ignore = "needs the compressors"]
fn b7_an_archive_in_the_making_is_waited_for() {
    let (space, mut world, mut log) = stopped_after(3);
    log.numbers(20_000);
    let whole = compressed("gzip", &fs::read(&log.path).unwrap());
    let archive = world.path("logs/app.log.1.gz");
    fs::write(&archive, &whole[..whole.len() / 2]).unwrap();
    fs::remove_file(&log.path).unwrap();
    log.numbers(5);
    world.start();
    // The log itself does not wait for it.
    wait_for("the log itself", || (space.n_events() >= 8).then_some(()));
    fs::OpenOptions::new()
        .append(true)
        .open(&archive)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &whole[whole.len() / 2..]))
        .unwrap();
    space.wait_events(20_008);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 20_008);
    space.assert_clean();
}
