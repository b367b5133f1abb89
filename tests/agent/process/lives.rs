//! How it is watched, told, stopped and killed, and what its state does then.

use std::fs;

use rustix::process::Signal;

use crate::support::{COUNTED, Space, World, running, wait_for, wished};

#[test]
fn a_manager_with_a_watchdog_gets_signs_of_life() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let micros = ("WATCHDOG_USEC", "200000".to_owned());
    world.environment.push(micros);
    world.start();
    for _ in 0..3 {
        world.wait_told("WATCHDOG=1");
    }
    assert!(world.stop().success());
}

#[test]
fn the_journal_gets_importance_and_no_second_time() {
    use std::os::unix::fs::MetadataExt as _;
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let stderr = fs::File::create(world.path("stderr")).unwrap();
    let about = stderr.metadata().unwrap();
    let stream = format!("{}:{}", about.dev(), about.ino());
    world.environment.push(("JOURNAL_STREAM", stream));
    world.start();
    assert!(world.stop().success());
    let said = world.stderr();
    assert!(said.contains("<6>ready files=0 rules=1"), "{said}");
    assert!(!said.contains("INFO"), "{said}");
}

/// Whatever moment it is killed at, every line is counted once: what was said is
/// not said again, and what was not said comes.
#[test]
fn f1_killed_at_any_moment_under_load() {
    let n_kills = wished("KILLS").unwrap_or(12);
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    let mut rng = fastrand::Rng::with_seed(7);
    for round in 0..n_kills {
        world.start();
        let n_before = space.n_events();
        // From the middle of the first commit to long after the last answer.
        for _ in 0..rng.u32(1..6) {
            log.numbers(rng.u64(1..400));
            (0..rng.u32(0..3_000)).for_each(|_| std::thread::yield_now());
        }
        if round % 4 == 1 {
            let rotated = world.path("logs").join(format!("app.log.{round}"));
            fs::rename(&log.path, rotated).unwrap();
        }
        if round % 3 == 0 {
            wait_for("something more is said", || {
                (space.n_events() > n_before).then_some(())
            });
        }
        world.kill();
    }
    world.start();
    space.wait_events(log.n_lines);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), log.n_lines);
    space.assert_clean();
}

#[test]
fn f13_stopped_while_the_space_does_not_answer() {
    let (space, mut world, mut log) = running();
    space.fault("hang:1");
    log.numbers(1);
    space.wait_asked();
    assert_eq!(world.stop().code(), Some(0));
    // What became of the request is not known: the same one is made again.
    world.start();
    space.wait_events(1);
    space.assert_clean();
}

#[test]
fn f13_a_second_wish_to_stop_is_granted_at_once() {
    let (space, mut world, mut log) = running();
    space.fault("hang");
    log.numbers(1);
    space.wait_asked();
    world.signal(Signal::TERM);
    world.wait_told("STOPPING=1");
    // The first ones after it are taken for the same wish.
    assert_eq!(world.insist().code(), Some(0));
    assert!(world.stderr().contains("told to stop twice"));
}

#[test]
fn f6_two_agents_on_one_state() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    world.start();
    let stderr = world.fail_to_run();
    let state = world.path("state").display().to_string();
    assert!(
        stderr.contains("another logcrier") && stderr.contains(&state),
        "{stderr}"
    );
}

#[test]
fn f5_state_that_cannot_be_written_is_named() {
    let space = Space::new();
    let world = World::new(&space, COUNTED);
    world.write("state", "a file, not a directory");
    let stderr = world.fail_to_run();
    let state = world.path("state").display().to_string();
    assert!(stderr.contains(&state), "{stderr}");
}

#[test]
fn rules_change_while_it_runs() {
    let (space, mut world, mut log) = running();
    log.numbers(2);
    space.wait_events(2);
    world.write_rules("rules: [{key: broken, mach: x}]");
    world.signal(Signal::HUP);
    world.wait_told("the old ones stay in force");
    log.numbers(2);
    space.wait_events(4);
    let more = "
  - key: more
    files: [LOGS/*.log]
    match: 'OTHER'
    title: 'n={{ count }}'
";
    world.write_rules(&format!("{COUNTED}{more}"));
    world.signal(Signal::HUP);
    world.wait_told("with 2 rules");
    log.line("SEQ=9 OTHER");
    space.wait_events(6);
    let key = |key: &str| {
        space
            .messages()
            .iter()
            .any(|message| message.thread_key.as_deref() == Some(key))
    };
    assert!(key("more") && key("counted"));
    assert!(
        world.stderr().contains("did you mean"),
        "{}",
        world.stderr()
    );
}
