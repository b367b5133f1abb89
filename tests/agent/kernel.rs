//! What only a kernel does: inode numbers given out again, queues that run over, file
//! systems mounted and gone, watches that are used up. Needs root; `.ci/run` calls it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use crate::support::{COUNTED, Log, Space, World, wait_for, wished};
use crate::ways::{Way, both_ways};

both_ways! {
    #[ignore = "mounts"]
    a1_a4_an_inode_number_is_given_out_again,
    #[ignore = "mounts"]
    a2_a3_a4_an_inode_number_is_given_out_again_while_stopped,
    #[ignore = "mounts"]
    a9_e7_unmounted_and_mounted_again,
    #[ignore = "mounts"]
    e14_a_file_from_a_lower_layer_is_appended,
    #[ignore = "mounts"]
    b22_a_file_is_mounted_alone,
    #[ignore = "slow"]
    e4_directories_are_made_in_one_burst,
    #[ignore = "slow"]
    e5_written_while_watches_are_made,
    #[ignore = "needs strace"]
    e22_one_broken_file_holds_nobody_up,
    #[ignore = "needs strace"]
    e21_a_stale_handle_is_opened_again,
}

/// Something mounted, until the end of a test.
struct Mounted(PathBuf);

impl Mounted {
    fn new(args: &[&str], at: &Path) -> Self {
        let mut all = args.to_vec();
        let at_text = at.display().to_string();
        all.push(&at_text);
        run("mount", &all);
        Self(at.to_owned())
    }

    fn away(self) {
        drop(self);
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The agent may have files open there.
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(std::thread::panicking() || unmounted.unwrap().success());
    }
}

fn run(program: &str, args: &[&str]) {
    let ended = Command::new(program).args(args).output();
    let ended = ended.unwrap_or_else(|error| panic!("{program} is needed here: {error}"));
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{program} {args:?}: {stderr}");
}

/// An image with a file system of its own, mounted where the logs are. Small inodes
/// do not tell when a file was made.
fn ext4(world: &World, inode_bytes: &str) -> Mounted {
    let image = world.path("image");
    let text = image.display().to_string();
    run("truncate", &["-s", "64M", &text]);
    run("mkfs.ext4", &["-q", "-F", "-I", inode_bytes, &text]);
    Mounted::new(&["-o", "loop", &text], &world.path("logs"))
}

/// Deletes a file and puts another under its name, with the same inode number, as
/// soon as the agent has let go of the first one.
fn replace(world: &World, log: &Path, content: &[u8]) {
    let inode = fs::metadata(log).unwrap().ino();
    fs::remove_file(log).unwrap();
    let next = world.path("logs/next");
    wait_for("the inode number comes again", || {
        fs::write(&next, content).unwrap();
        let is_same = fs::metadata(&next).unwrap().ino() == inode;
        if !is_same {
            fs::remove_file(&next).unwrap();
        }
        is_same.then_some(())
    });
    fs::rename(&next, log).unwrap();
}

fn lines(n_lines: u64, what: &str) -> String {
    (0..n_lines)
        .map(|number| format!("SEQ={number} {what}\n"))
        .collect()
}

/// A1, A4: deleted and made again with the same inode number, with other content that
/// is shorter, as long, or longer.
fn a1_a4_an_inode_number_is_given_out_again(way: Way) {
    for inode_bytes in ["256", "128"] {
        let space = Space::new();
        let mut world = way.world(&space, COUNTED);
        let _mounted = ext4(&world, inode_bytes);
        let log = world.log("app.log");
        world.start();
        log.raw(lines(100, "first").as_bytes());
        space.wait_events(100);
        replace(&world, &log.path, lines(3, "third").as_bytes());
        space.wait_events(103);
        replace(&world, &log.path, lines(3, "forth").as_bytes());
        space.wait_events(106);
        replace(&world, &log.path, lines(200, "fifth").as_bytes());
        space.wait_events(306);
        assert!(world.stop().success());
        assert_eq!(space.n_events(), 306);
    }
}

/// A2, A3, A4: the same while the agent is stopped.
fn a2_a3_a4_an_inode_number_is_given_out_again_while_stopped(way: Way) {
    for (inode_bytes, n_lines) in [("256", 3), ("256", 100), ("256", 500), ("128", 3)] {
        let space = Space::new();
        let mut world = way.world(&space, COUNTED);
        let _mounted = ext4(&world, inode_bytes);
        let log = world.log("app.log");
        world.start();
        log.raw(lines(100, "older").as_bytes());
        space.wait_events(100);
        assert!(world.stop().success());
        replace(&world, &log.path, lines(n_lines, "newer").as_bytes());
        world.start();
        space.wait_events(100 + n_lines);
        assert!(world.stop().success());
        assert_eq!(space.n_events(), 100 + n_lines);
    }
}

/// E7, A9: the file system goes and comes back, also as another device.
fn a9_e7_unmounted_and_mounted_again(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, COUNTED);
    let mounted = ext4(&world, "256");
    let mut log = world.log("app.log");
    world.start();
    log.numbers(5);
    space.wait_events(5);
    mounted.away();
    let image = world.path("image").display().to_string();
    let mounted = Mounted::new(&["-o", "loop", &image], &world.path("logs"));
    log.numbers(5);
    space.wait_events(10);
    assert!(world.stop().success());
    let device = fs::metadata(&log.path).unwrap().dev();
    mounted.away();
    // The first free device is given out: until it is another, others take it. (Tests
    // beside this one take and leave devices as well.)
    let mut others = Vec::new();
    let _mounted = loop {
        let mounted = Mounted::new(&["-o", "loop", &image], &world.path("logs"));
        if fs::metadata(&log.path).unwrap().dev() != device {
            break mounted;
        }
        mounted.away();
        let n_others = others.len();
        assert!(n_others < 16, "always the same device");
        let other = world.path(&format!("other-{n_others}"));
        fs::copy(&image, &other).unwrap();
        let elsewhere = world.path(&format!("elsewhere-{n_others}"));
        fs::create_dir(&elsewhere).unwrap();
        let other = other.display().to_string();
        others.push(Mounted::new(&["-o", "loop", &other], &elsewhere));
    };
    log.numbers(5);
    world.start();
    space.wait_events(15);
    log.numbers(1);
    space.wait_events(16);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 16);
}

/// E14: a file of an image's layer is copied up when it is written.
fn e14_a_file_from_a_lower_layer_is_appended(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, COUNTED);
    for name in ["lower", "upper", "work"] {
        fs::create_dir(world.path(name)).unwrap();
    }
    let at = |name: &str| world.path(name).display().to_string();
    fs::write(world.path("lower/app.log"), lines(10, "in the image")).unwrap();
    let [lower, upper, work] = ["lower", "upper", "work"].map(at);
    let layers = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    let _mounted = Mounted::new(
        &["-t", "overlay", "none", "-o", &layers],
        &world.path("logs"),
    );
    let mut log = world.log("app.log");
    world.start();
    log.numbers(3);
    space.wait_events(3);
    fs::rename(&log.path, world.path("logs/app.log.1")).unwrap();
    log.numbers(4);
    space.wait_events(7);
    assert!(world.stop().success());
    log.numbers(2);
    world.start();
    space.wait_events(9);
}

/// B22: a single file is mounted, and rotated where it comes from.
fn b22_a_file_is_mounted_alone(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, COUNTED);
    fs::create_dir(world.path("outside")).unwrap();
    let outside = world.path("outside/app.log");
    fs::write(&outside, "").unwrap();
    let inside = world.log("app.log");
    let text = outside.display().to_string();
    let _mounted = Mounted::new(&["--bind", &text], &inside.path);
    world.start();
    let mut log = Log {
        path: outside.clone(),
        n_lines: 0,
    };
    log.numbers(2);
    space.wait_events(2);
    log.numbers(1);
    space.wait_events(3);
    log.path = world.path("outside/app.log.1");
    fs::rename(&outside, &log.path).unwrap();
    fs::write(&outside, "SEQ=1 nobody can see this from inside\n").unwrap();
    log.numbers(2);
    space.wait_events(5);
    // Deleted outside, its name inside still leads to it.
    fs::remove_file(&log.path).unwrap();
    let mut other = world.log("other.log");
    other.numbers(1);
    space.wait_events(6);
    world.signal(Signal::HUP);
    world.wait_told("READY=1");
    other.numbers(1);
    space.wait_events(7);
    let n_warned = world.stderr().matches("mounted alone").count();
    assert_eq!(n_warned, 1, "{}", world.stderr());
}

/// E4: a thousand nested directories, each made and filled in one burst.
fn e4_directories_are_made_in_one_burst(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, &COUNTED.replace("LOGS/*.log", "LOGS/**/*.log"));
    world.start();
    let logs = world.path("logs");
    for burst in 0..1_000 {
        let directory = logs.join(format!("{burst}/b/c/d"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("app.log"), "SEQ=1 x\n").unwrap();
    }
    space.wait_events(1_000);
    assert_eq!(space.n_events(), 1_000);
}

/// E5: lines come while the directories are being met.
fn e5_written_while_watches_are_made(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, &COUNTED.replace("LOGS/*.log", "LOGS/**/*.log"));
    world.start();
    for n in 0..100 {
        let directory = world.path(&format!("logs/{n}/inner"));
        fs::create_dir_all(&directory).unwrap();
        let mut log = Log {
            path: directory.join("app.log"),
            n_lines: 0,
        };
        for pause in 0..20 {
            log.numbers(1);
            (0..pause * 20).for_each(|_| std::hint::spin_loop());
        }
    }
    space.wait_events(2_000);
}

/// Starts the agent with reads of one file that fail.
fn with_failing_reads(world: &mut World, path: &Path, how: &str) {
    world.wrapper = format!(
        "strace -D -f -qq -o /dev/null -P {} -e trace=pread64 -e inject=pread64:{how}",
        path.display()
    );
}

/// E22: the others do not wait for a file that cannot be read.
fn e22_one_broken_file_holds_nobody_up(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, COUNTED);
    let mut bad = world.log("bad.log");
    let mut good = world.log("good.log");
    with_failing_reads(&mut world, &bad.path, "error=EIO:when=1..3");
    world.start();
    bad.numbers(3);
    world.wait_said("cannot be read");
    good.numbers(4);
    space.wait_events(4);
    space.wait_events(7);
    assert!(world.stderr().contains("can be read again"));
}

/// E21: a handle that went stale is opened again at once.
fn e21_a_stale_handle_is_opened_again(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, COUNTED);
    let mut log = world.log("app.log");
    with_failing_reads(&mut world, &log.path, "error=ESTALE:when=3+40");
    world.start();
    for round in 1..=5 {
        log.numbers(2);
        space.wait_events(2 * round);
    }
    assert!(
        !world.stderr().contains("cannot be read"),
        "{}",
        world.stderr()
    );
}

/// E1: more happened than the kernel's queue holds.
#[test]
#[ignore = "slow"]
fn e1_the_queue_of_events_runs_over() {
    let space = Space::new();
    let mut world = World::new(&space, &COUNTED.replace("LOGS/*.log", "LOGS/**/*.log"));
    let mut logs: Vec<Log> = (0..10).map(|n| world.log(&format!("{n}.log"))).collect();
    world.start();
    for round in 1..=2_u64 {
        world.signal(Signal::STOP);
        let mut files: Vec<fs::File> = (logs.iter())
            .map(|log| fs::File::options().append(true).open(&log.path).unwrap())
            .collect();
        for line in 0..20_000_u64 {
            // One event after the other that differs from the one before.
            let file = &mut files[usize::try_from(line % 10).unwrap()];
            writeln!(file, "SEQ={line} in the storm").unwrap();
        }
        for log in &mut logs {
            fs::rename(&log.path, log.path.with_extension(format!("log.{round}"))).unwrap();
            log.numbers(1);
        }
        fs::create_dir(world.path(&format!("logs/new{round}"))).unwrap();
        world.log(&format!("new{round}/it.log")).numbers(1);
        world.signal(Signal::CONT);
        space.wait_events(20_011 * round);
    }
    assert!(
        world.stderr().contains("inotify lost events"),
        "{}",
        world.stderr()
    );
    // Everything is watched as before.
    logs[3].numbers(2);
    space.wait_events(40_024);
}

/// E3: no watch is left, or no instance, for a while.
fn without_room(limit: &str, value: &str) {
    let space = Space::new();
    let mut world = World::new(&space, &COUNTED.replace("LOGS/*.log", "LOGS/**/*.log"));
    let script = format!("echo {value} > /proc/sys/user/{limit}\nexec \"$@\"\n");
    world.write("limited", &script);
    world.wrapper = format!(
        "unshare --user --map-root-user sh {}",
        world.path("limited").display()
    );
    for n in 0..20 {
        fs::create_dir(world.path(&format!("logs/{n}"))).unwrap();
    }
    let mut logs: Vec<Log> = (0..20)
        .map(|n| world.log(&format!("{n}/app.log")))
        .collect();
    world.start();
    for log in &mut logs {
        log.numbers(1);
    }
    space.wait_events(20);
    fs::create_dir(world.path("logs/later")).unwrap();
    let mut later = world.log("later/app.log");
    later.numbers(1);
    space.wait_events(21);
    assert!(
        !world.stderr().contains("watched again"),
        "{}",
        world.stderr()
    );
    let more = format!("echo 1000 > /proc/sys/user/{limit}");
    let pid = world.pid().to_string();
    run("nsenter", &["--user", "--target", &pid, "sh", "-c", &more]);
    world.wait_said("watched again");
    for log in &mut logs {
        log.numbers(1);
    }
    space.wait_events(41);
    let n_warned = world.stderr().matches("cannot be watched").count();
    assert_eq!(n_warned, 1, "{}", world.stderr());
}

#[test]
#[ignore = "needs user namespaces"]
fn e3_no_watch_is_left() {
    without_room("max_inotify_watches", "7");
}

#[test]
#[ignore = "needs user namespaces"]
fn e3_no_instance_is_left() {
    without_room("max_inotify_instances", "0");
}

/// E13: what others write unseen is polled by itself.
#[test]
#[ignore = "mounts"]
fn e13_a_file_system_that_others_write_to() {
    for seconds in ["0", "1"] {
        others_write_to(seconds);
    }
}

fn others_write_to(seconds: &str) {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    fs::create_dir(world.path("server")).unwrap();
    let [server, logs] = ["server", "logs"].map(|name| world.path(name).display().to_string());
    // Whether what is known of a file is asked for each time, or kept for a while.
    let options = format!("entry_timeout={seconds},attr_timeout={seconds}");
    run("bindfs", &["-o", &options, &server, &logs]);
    let _mounted = Mounted(world.path("logs"));
    world.start();
    let mut log = Log {
        path: world.path("server/app.log"),
        n_lines: 0,
    };
    log.numbers(2);
    space.wait_events(2);
    log.numbers(3);
    space.wait_events(5);
    fs::rename(&log.path, world.path("server/app.log.1")).unwrap();
    log.numbers(1);
    space.wait_events(6);
    let n_told = world
        .stderr()
        .matches("may change this file system unseen")
        .count();
    assert_eq!(n_told, 1, "{}", world.stderr());
    drop(world);
}

/// How logrotate is told to rotate, and whether it may lose by itself what is written
/// while it works.
const ROTATIONS: &[(&str, bool)] = &[
    ("create", false),
    ("create\ncompress\ndelaycompress", false),
    ("copytruncate", true),
    ("create\ncompress", true),
    ("create\ndateext\ndateformat -%Y%m%d-%s", false),
    ("copytruncate\ncompress", true),
];

/// The real logrotate. `ROTATIONS=34 ROTATION_PAUSE_MS=3000` is ten minutes of it.
#[test]
#[ignore = "needs logrotate"]
#[expect(clippy::print_stderr, reason = "its counts are what one runs it for")]
fn b1_b6_b21_rotated_by_logrotate() {
    let n_rotations = wished("ROTATIONS").unwrap_or(3);
    let pause = std::time::Duration::from_millis(wished("ROTATION_PAUSE_MS").unwrap_or(1_100));
    for (how, loses) in ROTATIONS {
        let space = Space::new();
        let mut world = World::new(&space, &COUNTED.replace("LOGS/*.log", "LOGS/app.log"));
        let log = world.log("app.log");
        fs::set_permissions(
            world.path("logs"),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        let settings = format!(
            "{} {{\nrotate 4\nmissingok\nnotifempty\nsu root root\n{how}\n}}\n",
            log.path.display()
        );
        world.write("rotate.conf", &settings);
        let [conf, state] = ["rotate.conf", "rotate.state"].map(|name| world.path(name));
        world.start();
        let stopped = AtomicBool::new(false);
        let quiet = std::sync::Mutex::new(());
        let n_written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut n_written = 0_u64;
                while !stopped.load(Ordering::Relaxed) {
                    let _quiet = loses.then(|| quiet.lock().unwrap());
                    // It keeps what it has open for some lines, whatever its name.
                    let mut file = fs::File::options()
                        .append(true)
                        .create(true)
                        .open(&log.path)
                        .unwrap();
                    for _ in 0..10 {
                        writeln!(file, "SEQ={n_written} of many lines").unwrap();
                        n_written += 1;
                        std::thread::park_timeout(std::time::Duration::from_millis(2));
                    }
                }
                n_written
            });
            for _ in 0..n_rotations {
                std::thread::park_timeout(pause);
                let _quiet = loses.then(|| quiet.lock().unwrap());
                let [state, conf] = [&state, &conf].map(|path| path.display().to_string());
                run("logrotate", &["-f", "-s", &state, &conf]);
            }
            stopped.store(true, Ordering::Relaxed);
            writer.join().unwrap()
        });
        space.wait_events(n_written);
        assert!(world.stop().success());
        assert_eq!(space.n_events(), n_written, "{how}");
        eprintln!(
            "{}: {n_written} lines, {n_rotations} rotations",
            how.replace('\n', " ")
        );
    }
}
