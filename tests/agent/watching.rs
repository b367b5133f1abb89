//! The real binary on real directories: what may happen around followed files, with
//! inotify and with polling. Named after `situation`, as the field met them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use rustix::fs::OFlags;
use rustix::process::Signal;

use crate::support::{COUNTED, Log, Space, World, wait_for};
use crate::ways::{Way, both_ways};

both_ways! {
    a5_one_banner_for_two_files,
    a14_names_that_are_no_text,
    b11_renamed_over_another_and_aside_a_thousand_times,
    b12_a_directory_is_renamed_away,
    e6_a_directory_is_made_anew_again_and_again,
    b15_deleted_with_much_unread,
    b16_deleted_files_are_let_go,
    b21_a_copy_is_compressed_and_goes,
    c10_the_last_line_is_removed_in_place,
    c12_cut_again_and_again_while_it_is_read,
    d12_d17_what_has_no_lines_is_told_once,
    e12_f8_f9_many_files_and_few_descriptors,
    e17_pipes_sockets_and_devices_are_left_alone,
    e18_its_own_files_are_left_alone,
    files_that_a_rule_leaves_out,
    e8_permission_is_lost_and_regained,
    b13_links_are_turned_at_any_step,
    e15_two_writes_within_a_tick_and_a_time_that_goes_back,
}

/// A5: two files begin with the same two KiB, and so does the one that comes after one
/// of them.
fn a5_one_banner_for_two_files(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, COUNTED);
    let banner = "time,host,what,why\n".repeat(120);
    world.start();
    let mut one = world.log("one.log");
    let mut other = Log {
        n_lines: 1_000,
        ..world.log("other.log")
    };
    one.raw(banner.as_bytes());
    other.raw(banner.as_bytes());
    for round in 1..=2 {
        one.numbers(3);
        other.numbers(4);
        space.wait_events(round * 7);
    }
    assert!(world.stop().success());
    other.numbers(1);
    fs::rename(&one.path, world.path("logs/one.log.1")).unwrap();
    one.raw(banner.as_bytes());
    one.numbers(2);
    world.start();
    space.wait_events(17);
    other.numbers(1);
    space.wait_events(18);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 18);
}

/// A14: a byte that is no text, and a newline, in a name.
fn a14_names_that_are_no_text(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, COUNTED);
    world.start();
    for name in [
        &b"caf\xff.log"[..],
        b"two\nlines.log",
        b" .log",
        b"'\"$(x).log",
    ] {
        let mut log = Log {
            path: world.path("logs").join(OsStr::from_bytes(name)),
            n_lines: 0,
        };
        log.numbers(2);
    }
    space.wait_events(8);
    space.assert_clean();
}

/// B11: a file takes the name of another that is followed as well; then one is renamed
/// aside and made anew, again and again, and no watch is left of that.
fn b11_renamed_over_another_and_aside_a_thousand_times(way: Way) {
    let (space, mut world, mut log) = way.running();
    let mut other = world.log("other.log");
    log.numbers(2);
    other.numbers(3);
    space.wait_events(5);
    fs::rename(&log.path, &other.path).unwrap();
    log.numbers(1);
    other.numbers(2);
    space.wait_events(8);
    let n_watches = n_watches(&world);
    assert_eq!(n_watches > 0, way == Way::Inotify);
    for round in 1..=10 {
        for _ in 0..100 {
            fs::rename(&log.path, log.path.with_extension("log.1")).unwrap();
            log.raw(b"");
        }
        log.numbers(1);
        space.wait_events(8 + round);
    }
    assert_eq!(self::n_watches(&world), n_watches);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 18);
}

/// How many watches the agent has.
fn n_watches(world: &World) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{}/fdinfo", world.pid())).unwrap();
    let texts = descriptors.filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok());
    texts
        .map(|text| text.matches("inotify wd:").count())
        .sum::<usize>()
}

/// B12: the directory of the logs is renamed away and made anew.
fn b12_a_directory_is_renamed_away(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, &COUNTED.replace("LOGS/*.log", "LOGS/app/*.log"));
    fs::create_dir(world.path("logs/app")).unwrap();
    let mut old = world.log("app/a.log");
    world.start();
    for round in 1..=3 {
        let mut writer = fs::File::options().append(true).open(&old.path).unwrap();
        old.numbers(2);
        let aside = world.path(&format!("logs/app.{round}"));
        fs::rename(world.path("logs/app"), aside).unwrap();
        std::io::Write::write_all(&mut writer, b"SEQ=1 late\n").unwrap();
        drop(writer);
        fs::create_dir(world.path("logs/app")).unwrap();
        old = world.log("app/a.log");
        old.numbers(3);
        space.wait_events(round * 6);
    }
}

/// E6: a watched directory is deleted and made again, with files in it at once.
fn e6_a_directory_is_made_anew_again_and_again(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, &COUNTED.replace("LOGS/*.log", "LOGS/a/b/*.log"));
    world.start();
    for round in 1..=20 {
        fs::create_dir_all(world.path("logs/a/b")).unwrap();
        let mut log = world.log(&format!("a/b/{}.log", round % 3));
        log.numbers(1);
        space.wait_events(round * 2 - 1);
        log.numbers(1);
        space.wait_events(round * 2);
        fs::remove_dir_all(world.path("logs/a")).unwrap();
    }
}

/// B15: what is unread of a deleted file is read, and then it is closed.
fn b15_deleted_with_much_unread(way: Way) {
    let (space, world, mut log) = way.running();
    log.numbers(1);
    space.wait_events(1);
    world.signal(Signal::STOP);
    let filler = "nothing to see in this line, nor in those around it\n".repeat(1 << 14);
    for _ in 0..24 {
        log.raw(filler.as_bytes());
        log.numbers(10);
    }
    fs::remove_file(&log.path).unwrap();
    world.signal(Signal::CONT);
    space.wait_events(241);
    wait_until_closed(&world, "app.log");
    assert!(
        !world.stderr().contains("before it was read"),
        "{}",
        world.stderr()
    );
}

/// B16: a deleted file that was read to its end is closed.
fn b16_deleted_files_are_let_go(way: Way) {
    let (space, world, mut log) = way.running();
    log.numbers(1);
    space.wait_events(1);
    fs::remove_file(&log.path).unwrap();
    wait_until_closed(&world, "app.log");
}

/// B21: a copy appears under a dated name, is compressed, and goes: it is not read again,
/// and not held on to.
fn b21_a_copy_is_compressed_and_goes(way: Way) {
    let (space, mut world, mut log) = way.running();
    log.numbers(4);
    space.wait_events(4);
    for round in 1..=3 {
        let copy = world.path(&format!("logs/app.log-2026112{round}"));
        fs::copy(&log.path, &copy).unwrap();
        let file = fs::File::options().write(true).open(&log.path).unwrap();
        file.set_len(0).unwrap();
        log.numbers(2);
        let packed = copy.with_extension(format!("log-2026112{round}.gz"));
        let mut encoder = flate2::write::GzEncoder::new(
            fs::File::create(&packed).unwrap(),
            flate2::Compression::fast(),
        );
        std::io::Write::write_all(&mut encoder, &fs::read(&copy).unwrap()).unwrap();
        encoder.finish().unwrap();
        fs::remove_file(&copy).unwrap();
        space.wait_events(4 + 3 * round - 1);
        fs::remove_file(&packed).unwrap();
        log.numbers(1);
        space.wait_events(4 + 3 * round);
    }
    wait_until_closed(&world, "app.log-");
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 13);
}

/// C10: the last line is removed in place: what stands before it is not read again.
fn c10_the_last_line_is_removed_in_place(way: Way) {
    let (space, mut world, mut log) = way.running();
    for round in 1..=10 {
        log.numbers(10);
        space.wait_events(round * 10);
    }
    let text = fs::read(&log.path).unwrap();
    let end = text[..text.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n');
    let end = u64::try_from(end.unwrap() + 1).unwrap();
    let file = fs::File::options().write(true).open(&log.path).unwrap();
    file.set_len(end).unwrap();
    world.wait_said("edited in place");
    log.numbers(3);
    space.wait_events(103);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 103);
}

/// C12: cut to nothing as soon as it is read, and written at once.
fn c12_cut_again_and_again_while_it_is_read(way: Way) {
    let n_rounds = match way {
        Way::Inotify => 50,
        Way::Polling => 12,
    };
    let space = Space::new();
    let at_once = "debounce: none";
    let rules = COUNTED.replace("debounce: {every: 200ms, max: 400ms}", at_once);
    let mut world = way.world(&space, &rules);
    let mut log = world.log("app.log");
    world.start();
    let mut n_events = 0;
    for round in 0..n_rounds {
        // Longer and shorter than what was there.
        let n_lines = 1 + round * 37 % 90;
        log.numbers(n_lines);
        n_events += n_lines;
        space.wait_events(n_events);
        let file = fs::File::options().write(true).open(&log.path).unwrap();
        file.set_len(0).unwrap();
    }
    assert!(world.stop().success());
    assert_eq!(space.n_events(), n_events);
}

/// D12, D17: what is no text is not read, and what ends its lines by carriage returns has
/// none: each is said once.
fn d12_d17_what_has_no_lines_is_told_once(way: Way) {
    let (space, mut world, mut log) = way.running();
    let binary = world.log("binary.log");
    let mac = world.log("mac.log");
    for _ in 0..3 {
        binary.raw(&b"SEQ=1\n\x00\x01\x02\x00".repeat(2_000));
        mac.raw("a line of long ago\r".repeat(4_000).as_bytes());
        log.numbers(1);
        space.wait_events(log.n_lines);
    }
    world.wait_said("is no text and is not read");
    world.wait_said("carriage returns only");
    log.numbers(1);
    space.wait_events(log.n_lines);
    assert!(world.stop().success());
    for what in ["is no text", "carriage returns only"] {
        assert_eq!(
            world.stderr().matches(what).count(),
            1,
            "{}",
            world.stderr()
        );
    }
}

pub(crate) fn wait_until_closed(world: &World, name: &str) {
    let descriptors = format!("/proc/{}/fd", world.pid());
    wait_for("the descriptor is closed", || {
        let mut open = fs::read_dir(&descriptors)
            .unwrap()
            .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        let holds = open.any(|target| target.to_string_lossy().contains(name));
        (!holds).then_some(())
    });
}

/// E12, F8, F9: twice as many files as descriptors, all of them busy.
fn e12_f8_f9_many_files_and_few_descriptors(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, COUNTED);
    world.write("few", "ulimit -n 100\nexec \"$@\"\n");
    world.wrapper = format!("sh {}", world.path("few").display());
    let mut logs: Vec<Log> = (0..200).map(|n| world.log(&format!("{n}.log"))).collect();
    world.start();
    for round in 1..=4 {
        for log in &mut logs {
            log.numbers(2);
        }
        if round == 2 {
            // While the descriptors go round, names change as well.
            for log in logs.iter_mut().step_by(10) {
                let rotated = log.path.with_extension("log.1");
                fs::rename(&log.path, rotated).unwrap();
            }
        }
        if round > 2 {
            space.wait_events(400 * round);
        }
    }
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 1600);
    space.assert_clean();
}

/// E17: what is no regular file is not even opened.
fn e17_pipes_sockets_and_devices_are_left_alone(way: Way) {
    let space = Space::new();
    let mut world = way.world(&space, &COUNTED.replace("LOGS/*.log", "LOGS/*"));
    let logs = world.path("logs");
    let pipe = logs.join("pipe.log");
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(logs.join("socket.log")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", logs.join("zero.log")).unwrap();
    std::os::unix::fs::symlink(&pipe, logs.join("link.log")).unwrap();
    fs::create_dir(logs.join("directory.log")).unwrap();
    let mut log = world.log("app.log");
    world.start();
    log.numbers(2);
    space.wait_events(2);
    // A file turns into a pipe under the agent's hands.
    fs::remove_file(&log.path).unwrap();
    fs::rename(&pipe, &log.path).unwrap();
    let mut other = world.log("other.log");
    other.numbers(2);
    space.wait_events(4);
    assert!(fs::metadata(&log.path).unwrap().file_type().is_fifo());
    // Nobody reads from it: whoever opens it to write is told so.
    let flags = OFlags::WRONLY | OFlags::NONBLOCK;
    let opened = rustix::fs::open(&log.path, flags, rustix::fs::Mode::empty());
    assert_eq!(opened.err(), Some(rustix::io::Errno::NXIO));
}

/// Files that a rule names and leaves out again, there from the start and born later.
fn files_that_a_rule_leaves_out(way: Way) {
    let space = Space::new();
    let rules = COUNTED.replace(
        "match: 'SEQ=",
        "exclude_files: [LOGS/noisy-*.log]\n    ignore_case: true\n    match: 'seq=",
    );
    let mut world = way.world(&space, &rules);
    let (mut log, mut noisy) = (world.log("app.log"), world.log("noisy-1.log"));
    world.start();
    noisy.numbers(5);
    world.log("noisy-2.log").numbers(5);
    log.numbers(3);
    space.wait_events(3);
    // The last that was written is the last that would be read.
    noisy.numbers(5);
    log.numbers(1);
    space.wait_events(4);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 4);
    space.assert_clean();
}

/// E18: the state, and the log that it writes itself, stand where patterns look.
fn e18_its_own_files_are_left_alone(way: Way) {
    let space = Space::new();
    let settings = format!(
        "state_dir: logs/link/inner\nrule_files: [rules.yaml]\n\
         spaces: {{ops: {{webhook: '{}', pace: 10ms}}}}\n",
        space.handle.webhook_url("ops")
    );
    let everything = COUNTED
        .replace("LOGS/*.log", "LOGS/**")
        .replace("'SEQ=(?<seq>\\d+)'", "'.'");
    let mut world = World::with_settings(&settings, &everything);
    way.choose(&mut world);
    fs::create_dir(world.path("logs/state")).unwrap();
    // The state is named through a link: it is known by what it is.
    std::os::unix::fs::symlink(world.path("logs/state"), world.path("logs/link")).unwrap();
    world.write("redirected", "exec \"$@\" 2>>logs/agent.log\n");
    world.wrapper = format!("sh {}", world.path("redirected").display());
    world.environment.push(("LOGCRIER_LOG", "debug".to_owned()));
    let mut log = world.log("app.log");
    world.start();
    log.numbers(3);
    space.wait_events(3);
    log.numbers(1);
    space.wait_events(4);
    let told = fs::read_to_string(world.path("logs/agent.log")).unwrap();
    let n_warned = told.matches("is the agent's own").count();
    assert_eq!(n_warned, 2, "{told}");
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 4);
}

/// E8: without permission for a while, said once, then from the right place.
fn e8_permission_is_lost_and_regained(way: Way) {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    world.without_rights();
    way.choose(&mut world);
    let mut log = world.log("app.log");
    world.start();
    log.numbers(3);
    space.wait_events(3);
    assert!(world.stop().success());
    let mode = |mode| fs::set_permissions(&log.path, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o000);
    world.start();
    world.wait_said("cannot be read");
    log.raw(b"SEQ=3 while it is closed\nSEQ=4\n");
    mode(0o644);
    space.wait_events(5);
    let n_told = world.stderr().matches("cannot be read").count();
    assert_eq!(n_told, 1, "{}", world.stderr());
}

/// B13: links to links, each of which is turned, and one that dangles first.
fn b13_links_are_turned_at_any_step(way: Way) {
    let space = Space::new();
    let files = "[LOGS/current/app.log, LOGS/dangling.log]";
    let mut world = way.world(&space, &COUNTED.replace("[LOGS/*.log]", files));
    let logs = world.path("logs");
    let at = |name: &str| logs.join(name);
    let turn = |link: &str, to: &str| {
        std::os::unix::fs::symlink(to, at("new")).unwrap();
        fs::rename(at("new"), at(link)).unwrap();
    };
    let log = |name: &str| Log {
        path: at(name),
        n_lines: 0,
    };
    for name in ["2026-01", "2026-02", "2026-03"] {
        fs::create_dir(at(name)).unwrap();
    }
    turn("data", "2026-01");
    turn("current", "data");
    turn("dangling.log", "later/it.log");
    log("2026-01/app.log").raw(b"");
    world.start();
    log("2026-01/app.log").numbers(1);
    space.wait_events(1);
    log("2026-02/app.log").numbers(2);
    turn("data", "2026-02");
    space.wait_events(3);
    log("2026-02/app.log").numbers(1);
    space.wait_events(4);
    log("2026-03/app.log").numbers(3);
    turn("current", "2026-03");
    space.wait_events(7);
    fs::create_dir(at("later")).unwrap();
    log("later/it.log").numbers(1);
    space.wait_events(8);
}

/// E15: nobody can tell two writes apart by their times.
fn e15_two_writes_within_a_tick_and_a_time_that_goes_back(way: Way) {
    let (space, _world, mut log) = way.running();
    log.numbers(1);
    log.numbers(1);
    space.wait_events(2);
    log.numbers(1);
    let file = fs::File::options().append(true).open(&log.path).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    let before = written - std::time::Duration::from_secs(3);
    file.set_modified(before).unwrap();
    space.wait_events(3);
    log.numbers(1);
    file.set_modified(before).unwrap();
    space.wait_events(4);
}
