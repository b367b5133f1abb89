//! Named histories of commands in the simulated world, to be read.
//!
//! First stands what a command finds from when on, then what people read: the time,
//! the state and how many bad results the message speaks for. The command runs once
//! a minute, at 30 s past it, and takes no time to speak of.

use std::time::Duration;

use logcrier::engine::Input;
use logcrier::engine::correlate::silences::Wish;
use logcrier::engine::schedule::Noticing;
use logcrier::rules::checks::{Streak, When};
use logcrier::rules::cron::Cron;
use logcrier::rules::{Debounce, PacerKey, RuleKey};

use crate::world::World;
use crate::world::chat::Weather;
use crate::world::clock::Instant;
use crate::world::commands::{SILENCED, ToldCheck, Truth};
use crate::world::told::{self, Told};

const MINUTE: Duration = Duration::from_secs(60);

fn ping() -> ToldCheck {
    ToldCheck::new("ping", MINUTE)
}

fn row(count: u32) -> Streak {
    Streak { count, of: count }
}

/// Lives through a script and compares what was read. All is well before and after.
fn check(told: ToldCheck, script: &str, expected: &str) {
    let world = live(told, script);
    let said: Vec<String> = (world.heard.iter())
        .map(|(at, said)| {
            let minutes = at.0 / 60_000_000_000;
            let (lead, count) = (&said.lead, said.count);
            format!("{minutes:02} {lead} {count}{}", said.brief())
        })
        .collect();
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    let expected: Vec<&str> = (expected.into_iter())
        .filter(|line| !line.is_empty())
        .collect();
    let story = || world.story.clone().unwrap_or_default().join("\n");
    assert_eq!(said, expected, "{}", story());
}

fn live(told: ToldCheck, script: &str) -> World {
    let mut world = World::new(7, vec![Told::new("alpha")], Noticing::Hinted);
    world.story = Some(Vec::new());
    world.habits.loads_every_commit = true;
    world.commands.told = vec![told.clone()];
    for line in (script.lines().map(str::trim)).filter(|line| !line.is_empty()) {
        let (at, what) = line.split_once(' ').expect("a time and what happens");
        let at = MINUTE * at.parse::<u32>().expect("a minute");
        world.advance(at.saturating_sub(world.clock.now().since(Instant::default())));
        perform(&mut world, &told, what.trim());
    }
    world.commands.truth.clear();
    world.advance(8 * 60 * MINUTE);
    if world.agent.is_some() {
        world.weigh_checks(std::slice::from_ref(&told));
    }
    let story = || world.story.clone().unwrap_or_default().join("\n");
    assert_eq!(world.oracle.failure, None, "{}", story());
    world
}

fn perform(world: &mut World, told: &ToldCheck, what: &str) {
    let mut finds = |truth| {
        world.commands.truth.insert("ping", truth);
    };
    let ops = PacerKey("ops".into());
    match what {
        "fine" => finds(Truth::Fine),
        "warning" => finds(Truth::Warning),
        "critical" => finds(Truth::Critical),
        "unknown" => finds(Truth::Unknown),
        "hangs" => finds(Truth::Hangs),
        "stuck" => finds(Truth::Stuck),
        "missing" => finds(Truth::Missing),
        "start" => world.start(),
        "kill" => world.kill(),
        "remove" | "add" => {
            let all = vec![told.clone()];
            world.tell_checks(if what == "add" { all } else { Vec::new() });
            let told = world.told.clone();
            world.reload(told);
        }
        "unreachable" => world
            .chat
            .set(&ops, Weather::Unreachable, Instant(u64::MAX)),
        "fair" => world.chat.set(&ops, Weather::Fair, Instant(u64::MAX)),
        // For half an hour.
        "silence" => world.tell(Input::Silence {
            ticket: SILENCED,
            wish: Wish::Add {
                rule: RuleKey::new("ping"),
                by: Default::default(),
                length: 30 * MINUTE,
                reason: "a test".into(),
                who: "nobody".into(),
            },
        }),
        "back a day" => world.clock.jump(-86_400_000_000),
        "ahead a day" => world.clock.jump(86_400_000_000),
        _ => panic!("what is {what:?}?"),
    }
}

#[test]
fn a_problem_and_its_end() {
    check(
        ping(),
        "
        00 start
        10 critical
        20 fine
        ",
        "
        10 critical 1
        20 resolved 9
        ",
    );
}

#[test]
fn one_bad_result_is_not_enough() {
    check(
        ToldCheck {
            fail_after: row(3),
            recover_after: row(2),
            ..ping()
        },
        "
        00 start
        10 critical
        12 fine
        20 critical
        30 fine
        31 critical
        32 fine
        ",
        "
        22 critical 3
        33 resolved 8
        ",
    );
}

#[test]
fn a_soft_state_is_looked_at_sooner() {
    check(
        ToldCheck {
            fail_after: row(3),
            retry_every: Some(Duration::from_secs(10)),
            ..ToldCheck::new("ping", 60 * MINUTE)
        },
        "
        00 start
        01 critical
        130 fine
        ",
        &{
            // Three runs within half a minute, not within three hours.
            let world = live(
                ToldCheck {
                    fail_after: row(3),
                    retry_every: Some(Duration::from_secs(10)),
                    ..ToldCheck::new("ping", 60 * MINUTE)
                },
                "00 start\n01 critical\n130 fine",
            );
            let first = world.heard.first().expect("it was said").0;
            assert!(first.since(Instant::default()) <= 61 * MINUTE, "{first:?}");
            let minutes = |idx: usize| world.heard[idx].0.0 / 60_000_000_000;
            format!("{:02} critical 3\n{:02} resolved 2", minutes(0), minutes(1))
        },
    );
}

#[test]
fn worse_is_said_at_once_and_once() {
    check(
        ping(),
        "
        00 start
        10 warning
        15 critical
        17 warning
        19 critical
        20 fine
        ",
        "
        10 warning 1
        15 critical 5
        20 resolved 4
        ",
    );
}

#[test]
fn unknown_neither_opens_nor_closes() {
    check(
        ping(),
        "
        00 start
        10 critical
        12 unknown
        15 critical
        17 fine
        30 hangs
        32 fine
        50 missing
        51 fine
        ",
        "
        10 critical 1
        12 unknown 1
        15 known again 2
        17 resolved 3
        30 unknown 1
        32 known again 1
        50 unknown 1
        51 known again 0
        ",
    );
}

#[test]
fn a_check_that_breaks_again_and_again_is_said_once_per_window() {
    check(
        ToldCheck {
            debounce: told::window(10 * MINUTE, 60 * MINUTE),
            ..ping()
        },
        "
        00 start
        10 unknown
        11 fine
        12 unknown
        13 fine
        14 unknown
        15 fine
        ",
        "
        10 unknown 1
        11 known again 0
        20 known again 2
        ",
    );
}

#[test]
fn without_debounce_every_break_is_said() {
    check(
        ToldCheck {
            debounce: Debounce::None,
            ..ping()
        },
        "
        00 start
        10 unknown
        11 fine
        12 unknown
        13 fine
        ",
        "
        10 unknown 1
        11 known again 0
        12 unknown 1
        13 known again 0
        ",
    );
}

#[test]
fn a_lasting_problem_is_spoken_of_again() {
    check(
        ToldCheck {
            repeat: vec![30 * MINUTE, 60 * MINUTE],
            ..ping()
        },
        "
        00 start
        10 critical
        180 fine
        ",
        "
        10 critical 1
        40 critical 29
        100 critical 61
        160 critical 59
        180 resolved 20
        ",
    );
}

#[test]
fn what_changes_too_often_is_quiet_until_it_does_not() {
    check(
        ping(),
        "
        00 start
        10 warning
        11 fine
        12 warning
        13 fine
        14 warning
        15 fine
        16 critical
        17 fine
        18 critical
        19 fine
        ",
        "
        10 warning 1
        11 resolved 0
        12 warning 1
        13 resolved 0
        14 flapping, warning 1
        16 critical 1
        49 steady, resolved 1
        ",
    );
}

#[test]
fn steady_and_still_a_problem() {
    check(
        ping(),
        "
        00 start
        10 warning
        11 fine
        12 warning
        13 fine
        14 warning
        80 fine
        ",
        "
        10 warning 1
        11 resolved 0
        12 warning 1
        13 resolved 0
        14 flapping, warning 1
        44 steady, warning 30
        80 resolved 35
        ",
    );
}

#[test]
fn what_failed_and_recovered_unheard_is_one_message() {
    check(
        ping(),
        "
        00 start
        10 unreachable
        10 critical
        20 fine
        40 fair
        ",
        // The first one was attempted and lost; it is said first, as it was.
        "
        40 critical 1
        40 resolved 9
        ",
    );
}

#[test]
fn what_fails_in_a_silence_and_lasts_is_said_at_its_end() {
    check(
        ping(),
        "
        00 start
        05 silence
        10 critical
        50 fine
        ",
        "
        35 critical 25
        50 resolved 15
        ",
    );
}

#[test]
fn what_failed_and_recovered_in_a_silence_is_summed_up_at_its_end() {
    check(
        ping(),
        "
        00 start
        05 silence
        10 critical
        20 fine
        ",
        "
        35 resolved 10
        ",
    );
}

#[test]
fn the_end_of_what_was_said_is_said_whatever_is_silenced() {
    check(
        ping(),
        "
        00 start
        10 critical
        15 silence
        20 fine
        30 warning
        40 fine
        ",
        "
        10 critical 1
        20 resolved 9
        45 resolved 10
        ",
    );
}

#[test]
fn a_silence_of_a_check_survives_a_restart() {
    check(
        ping(),
        "
        00 start
        05 silence
        10 warning
        12 kill
        15 start
        20 critical
        30 kill
        33 start
        50 fine
        ",
        "
        35 critical 21
        50 resolved 15
        ",
    );
}

#[test]
fn state_and_plan_survive_a_restart() {
    check(
        ToldCheck {
            fail_after: row(4),
            ..ping()
        },
        "
        00 start
        10 critical
        12 kill
        12 start
        20 kill
        25 start
        30 fine
        ",
        "
        13 critical 4
        30 resolved 12
        ",
    );
}

#[test]
fn hourly_checks_do_not_run_at_every_restart() {
    let script: String = (0..120).map(|n| format!("{n} start\n{n} kill\n")).collect();
    let world = live(
        ToldCheck::new("ping", 60 * MINUTE),
        &format!("{script}120 start\n120 kill"),
    );
    assert!(world.commands.n_runs <= 3, "{}", world.commands.n_runs);
}

#[test]
fn a_removed_rule_ends_its_problem() {
    check(
        ping(),
        "
        00 start
        10 critical
        15 remove
        20 add
        21 fine
        ",
        "
        10 critical 1
        15 no longer watched 4
        20 critical 1
        21 resolved 0
        ",
    );
}

#[test]
fn what_cannot_be_killed_is_not_started_twice() {
    // Held against by the world: nothing that runs or is stuck is started again.
    let world = live(ping(), "00 start\n10 stuck\n11 fine");
    let leads: Vec<&str> = (world.heard.iter())
        .map(|(_, said)| said.lead.as_str())
        .collect();
    assert_eq!(leads, ["unknown", "known again"]);
}

#[test]
fn by_the_clock_on_the_wall_whatever_is_done_to_it() {
    // Worlds begin at 12:00 UTC.
    let cron = |line: &str| ToldCheck {
        when: When::Cron(Cron::parse(line).expect("a line")),
        ..ping()
    };
    let n_runs = |line: &str, script: &str| live(cron(line), script).commands.n_runs;
    assert_eq!(n_runs("30 * * * *", "00 start\n59 kill"), 1);
    // 12:10, 12:20 …; down from 12:15 to 12:45: what was missed is not made up for.
    assert_eq!(
        n_runs("*/10 * * * *", "00 start\n15 kill\n45 start\n61 kill"),
        3
    );
    // A day is skipped, and a day comes again: once an hour all the same.
    assert_eq!(
        n_runs(
            "0 * * * *",
            "00 start\n30 ahead a day\n90 back a day\n150 kill"
        ),
        2
    );
}
