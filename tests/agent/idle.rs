//! What many files cost, most of which rest: the real binary, with inotify and with
//! polling. Named after `situation`, as the field met them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use logcrier::host::clock;
use rustix::process::Signal;

use crate::support::{COUNTED, Log, Space, World, wait_for, wait_within, wished};
use crate::ways::{Way, both_ways};

both_ways! {
    e2_e24_files_that_rest_wake_nobody,
    e9_a_busy_file_among_a_thousand_quiet_ones,
    e11_quiet_files_do_not_wait_for_a_busy_one,
}

/// What a process has done so far.
#[derive(Debug, Clone, Copy)]
struct Doings {
    /// How often one of its threads went to sleep of its own will: so often was it woken.
    n_wakes: u64,
    /// How often it has read.
    n_reads: u64,
    /// Processor time, in ticks of 10 ms.
    n_ticks: u64,
}

impl Doings {
    fn of(world: &World) -> Self {
        let directory = format!("/proc/{}", world.pid());
        let tasks = fs::read_dir(format!("{directory}/task")).unwrap();
        let n_wakes = tasks
            .filter_map(|task| fs::read_to_string(task.unwrap().path().join("status")).ok())
            .map(|status| number_behind(&status, "voluntary_ctxt_switches:"))
            .sum();
        let io = fs::read_to_string(format!("{directory}/io")).unwrap();
        let stat = fs::read_to_string(format!("{directory}/stat")).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let times = fields.split_whitespace().skip(11).take(2);
        Self {
            n_wakes,
            n_reads: number_behind(&io, "syscr:"),
            n_ticks: times.map(|time| time.parse::<u64>().unwrap()).sum(),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            n_wakes: self.n_wakes - before.n_wakes,
            n_reads: self.n_reads - before.n_reads,
            n_ticks: self.n_ticks - before.n_ticks,
        }
    }
}

/// The number in a line of these files of the kernel's.
fn number_behind(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// Lets real time pass: what does not happen can only be waited for.
fn pass(length: Duration) {
    let until = clock::now().wall.0 + i64::try_from(length.as_micros()).unwrap();
    wait_within(length * 10, "time passes", || {
        (clock::now().wall.0 >= until).then_some(())
    });
}

/// A world with so many files that somebody has written to, and an agent that follows
/// them.
fn among(way: Way, space: &Space, n_files: usize) -> World {
    let mut world = way.world(space, COUNTED);
    for n in 0..n_files {
        world.log(&format!("quiet{n}.log")).line("nothing to see");
    }
    world.start();
    world
}

/// E2, E24: nothing is read of a thousand files that rest, and the agent is woken for them
/// no more often than for a single one.
fn e2_e24_files_that_rest_wake_nobody(way: Way) {
    let space = Space::new();
    let worlds = [1, 1_000].map(|n_files| among(way, &space, n_files));
    // What a start leaves to be done is over.
    pass(Duration::from_millis(1_500));
    let before = worlds.each_ref().map(Doings::of);
    pass(Duration::from_secs(3));
    let [one, thousand] = [0, 1].map(|idx| Doings::of(&worlds[idx]).since(before[idx]));
    let told = format!("one file: {one:?}, a thousand: {thousand:?}");
    assert!(thousand.n_wakes <= one.n_wakes * 2 + 10, "{told}");
    assert!(thousand.n_reads <= one.n_reads * 2 + 10, "{told}");
    if way == Way::Inotify {
        assert!(thousand.n_wakes < 20, "{told}");
    }
}

/// The code that only the start goes through is no part of what an idle agent holds.
#[test]
fn what_only_the_start_needed_is_given_back() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    let path = format!("/proc/{}/status", world.pid());
    wait_for("the code of the start is given back", || {
        let status = fs::read_to_string(&path).unwrap();
        let [now, most] = ["VmRSS:", "VmHWM:"].map(|name| number_behind(&status, name));
        (now + 2_048 < most).then_some(())
    });
    log.numbers(1);
    space.wait_events(1);
}

/// Lines that no rule selects wake nobody who reads, but for once in a while; one that is
/// selected does.
#[test]
fn lines_that_no_rule_selects_are_read_together() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    let n_wakes = || -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", world.pid())).unwrap();
        let tasks = tasks.map(|task| task.unwrap().path());
        let is_reader = |task: &PathBuf| {
            let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
            name.starts_with("reader")
        };
        tasks
            .filter(is_reader)
            .filter_map(|task| fs::read_to_string(task.join("status")).ok())
            .map(|status| number_behind(&status, "voluntary_ctxt_switches:"))
            .sum()
    };
    let (before, begun) = (n_wakes(), clock::now().moment);
    for _ in 0..300 {
        log.raw("nothing to see\n".repeat(8).as_bytes());
        pass(Duration::from_millis(2));
    }
    let lasted = clock::now().moment.from_now(begun);
    let n_millis = u64::try_from(lasted.as_millis()).unwrap();
    let n_woken = n_wakes() - before;
    assert!(n_woken <= 10 + n_millis / 40, "{n_woken} in {n_millis} ms");
    log.numbers(1);
    space.wait_events(1);
}

/// E9: what is read of a busy file does not depend on how many others rest. It stands
/// still while it is written to: how often it meets a writer in the middle is chance. One
/// read of each of the others would be three times as many.
fn e9_a_busy_file_among_a_thousand_quiet_ones(way: Way) {
    let n_reads = |n_quiet: usize| {
        let space = Space::new();
        let world = among(way, &space, n_quiet);
        let mut log = world.log("app.log");
        log.numbers(1);
        space.wait_events(1);
        let filler = "nothing to see in this line, nor in those around it\n".repeat(1 << 14);
        let before = Doings::of(&world);
        for round in 2..=9 {
            world.signal(Signal::STOP);
            (0..8).for_each(|_| log.raw(filler.as_bytes()));
            log.numbers(1);
            world.signal(Signal::CONT);
            space.wait_events(round);
        }
        Doings::of(&world).since(before).n_reads
    };
    let (alone, among_many) = (n_reads(0), n_reads(1_000));
    assert!(among_many <= alone * 2, "{among_many} reads, alone {alone}");
}

/// E11: one file is far behind; a line of any other is heard of before that one is read.
fn e11_quiet_files_do_not_wait_for_a_busy_one(way: Way) {
    let space = Space::new();
    let rules = "
defaults: {debounce: none, title: 'n={{ count }} of {{ key }}'}
rules:
  - {key: quiet, files: LOGS/quiet*.log, match: 'SEQ='}
  - {key: busy, files: LOGS/busy.log, match: 'the end'}
";
    let mut world = way.world(&space, rules);
    let busy = world.log("busy.log");
    let mut quiet: Vec<Log> = (0..100)
        .map(|n| world.log(&format!("quiet{n}.log")))
        .collect();
    world.start();
    world.signal(Signal::STOP);
    let filler = "nothing to see in this line, nor in those around it\n".repeat(1 << 16);
    for _ in 0..64 {
        busy.raw(filler.as_bytes());
    }
    busy.line("the end");
    for log in &mut quiet {
        log.numbers(1);
    }
    world.signal(Signal::CONT);
    space.wait_events(101);
    let messages = space.messages();
    let is_busy: Vec<bool> = (messages.iter())
        .map(|message| message.text.contains("of busy"))
        .collect();
    assert_eq!(
        is_busy.iter().rposition(|busy| !busy),
        Some(is_busy.len() - 2)
    );
}

/// E2, E16: many files, of which one in a hundred is written to, and then none.
/// `FILES=100000` for so many.
#[test]
#[ignore = "slow"]
#[expect(clippy::print_stderr, reason = "its figures are what one runs it for")]
fn e2_e16_many_files_are_found_and_then_rest() {
    let n_files = wished("FILES").unwrap_or(10_000);
    let space = Space::new();
    let rules = COUNTED.replace("LOGS/*.log", "LOGS/*/*.log");
    let mut world = World::new(&space, &rules);
    for n in 0..n_files.div_ceil(1_000) {
        fs::create_dir(world.path(&format!("logs/{n}"))).unwrap();
    }
    let mut logs: Vec<Log> = (0..n_files)
        .map(|n| world.log(&format!("{}/{n}.log", n / 1_000)))
        .collect();
    logs.iter().for_each(|log| log.line("nothing to see"));
    let began = clock::now().wall.0;
    world.start();
    let started = clock::now().wall.0 - began;
    for log in logs.iter_mut().step_by(100) {
        log.numbers(1);
    }
    space.wait_events(n_files.div_ceil(100));
    pass(Duration::from_secs(5));
    let before = Doings::of(&world);
    pass(Duration::from_secs(30));
    let doings = Doings::of(&world).since(before);
    let status = fs::read_to_string(format!("/proc/{}/status", world.pid())).unwrap();
    let [now, most] = ["VmRSS:", "VmHWM:"].map(|name| number_behind(&status, name) >> 10);
    eprintln!(
        "{n_files} files: ready after {} ms; {now} MiB, {most} at most; 30 s of rest: {doings:?}",
        started / 1_000
    );
    let mib_max = 40 + n_files / 900;
    assert!(most < mib_max, "{most} MiB");
    // A twentieth of a core: looks at everything may fall into it, on a slow machine. What
    // goes through all files again and again takes most of one.
    assert!(doings.n_ticks <= 150, "{doings:?}");
    wait_for("it is ready in time", || {
        (started < 10_000_000).then_some(())
    });
}
