//! Situations B: files that change their names, and archives of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use logcrier::engine::schedule::Noticing;
use logcrier::engine::status::SourceState;
use logcrier::rules::Debounce;

use super::{ONE_TWO_THREE, alpha, debounced, rotated_too};
use crate::world::World;
use crate::world::script::{check, play};
use crate::world::writers::{Draft, Style};

/// Situation B5: of the generation in the middle nobody knew.
#[test]
fn b5_a_generation_that_was_never_seen_is_read_between_the_others() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 kill
        00:15 write alpha:k2
        00:20 rotate
        00:20 reopen
        00:22 write alpha:k3
        00:25 rotate
        00:25 reopen
        00:30 write alpha:k4
        00:40 start
        ",
        "
        00:05 alpha k1 first 1
        00:40 alpha k2 first 1
        00:42 alpha k3 first 1
        00:43 alpha k4 first 1
        ",
    );
}

/// Situation B2: three rotations between two looks.
#[test]
fn b2_generations_that_come_and_go_between_two_looks() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 hints lost
        00:11 write alpha:k2
        00:11 rotate
        00:11 reopen
        00:11 write alpha:k3
        00:11 rotate
        00:11 reopen
        00:11 write alpha:k4
        00:11 rotate
        00:11 reopen
        00:11 write alpha:k5
        ",
        "
        00:05 alpha k1 first 1
        00:30 alpha k2 first 1
        00:31 alpha k3 first 1
        00:32 alpha k4 first 1
        00:34 alpha k5 first 1
        ",
    );
}

/// Situation B6, and that of a finished archive which is never read again.
#[test]
fn b6_b7_the_unread_rest_is_in_an_archive_and_is_read_once() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 kill
        00:15 write alpha:k2 x2
        00:20 rotate
        00:20 reopen
        00:22 write alpha:k3
        00:25 pack 1
        00:40 start
        01:00 kill
        01:10 start
        01:20 rotate
        01:20 reopen
        01:25 pack 1
        02:00 kill
        02:10 start
        ",
        "
        00:05 alpha k1 first 1
        00:40 alpha k2 first 2
        00:41 alpha k3 first 1
        ",
    );
}

/// Situation B5 with archives: oldest first, each once.
#[test]
fn b5_b6_two_archives_are_read_oldest_first() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 kill
        00:15 write alpha:k2
        00:20 rotate
        00:20 reopen
        00:22 write alpha:k3
        00:25 rotate
        00:25 reopen
        00:27 pack 2
        00:27 pack 1
        00:30 write alpha:k4
        00:40 start
        ",
        "
        00:05 alpha k1 first 1
        00:40 alpha k2 first 1
        00:41 alpha k3 first 1
        00:42 alpha k4 first 1
        ",
    );
}

/// Situation B8: the pattern names the rotated files as well.
// Both names are followed then: two files, which are read side by side.
#[test]
fn b8_a_renamed_file_that_the_pattern_names_is_not_read_again() {
    check(
        rotated_too(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x3
        00:10 rotate
        00:10 reopen
        00:15 write alpha:k2
        01:00 kill
        01:05 write alpha:k3
        01:06 rotate
        01:06 reopen
        01:08 write alpha:k4
        01:10 start
        02:00 kill
        02:10 start
        ",
        "
        00:05 alpha k1 first 3
        00:15 alpha k2 first 1
        01:10 alpha k4 first 1
        01:11 alpha k3 first 1
        ",
    );
}

/// Situation B9: two followed files change their names.
#[test]
fn b9_offsets_follow_the_file_and_not_the_name() {
    check(
        debounced(Debounce::None),
        "
        00:00 log out.log
        00:00 old alpha:k1
        00:00 log other.log
        00:00 old alpha:k2
        00:01 start
        00:10 kill
        00:11 mv out.log third.log
        00:11 mv other.log out.log
        00:11 mv third.log other.log
        00:20 start
        00:30 write alpha:k3
        ",
        "00:30 alpha k3 first 1",
    );
}

/// Situation B10: nothing stands at the name for a minute.
#[test]
fn b10_a_name_without_a_file_for_a_while() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 rotate
        01:10 reopen
        01:10 write alpha:k2
        ",
        "
        00:05 alpha k1 first 1
        01:10 alpha k2 first 1
        ",
    );
}

/// Situation B11: deleted and made anew, a thousand times.
#[test]
fn b11_made_anew_a_thousand_times() {
    check(
        alpha(),
        "
        00:00 numbers reused
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 recreate x1000
        00:59 write alpha:k2
        01:30 recreate x1000
        02:00 write alpha:k3
        ",
        "
        00:05 alpha k1 first 1
        00:59 alpha k2 first 1
        02:00 alpha k3 first 1
        ",
    );
}

/// Situation B20: a directory that cannot be listed is not an empty one.
#[test]
fn b20_a_file_that_cannot_be_read_for_half_a_minute() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:59 file forbidden
        01:00 write alpha:k2
        01:30 file readable
        02:00 write alpha:k3
        ",
        ONE_TWO_THREE,
    );
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:50 directory hidden
        01:00 write alpha:k2
        01:20 directory shown
        02:00 write alpha:k3
        ",
        ONE_TWO_THREE,
    );
}

/// More directories than a listing visits, or deeper ones: that is said when it begins, is
/// shown as long as it lasts, and keeps nothing else from being followed.
#[test]
fn what_a_listing_does_not_reach_is_said_and_shown() {
    let script = "
        00:00 log app.log
        00:00 start
        00:05 directory endless
        01:05 write alpha:k1
        01:10 rotate
        01:11 reopen
        01:20 write alpha:k2
        ";
    check(
        alpha(),
        script,
        "
        00:30 logcrier.source /logs first 1
        01:05 alpha k1 first 1
        01:20 alpha k2 first 1
        ",
    );
    let shows = |script: &str| {
        let world = play(&[alpha()], script);
        let agent = world.agent.as_ref().expect("it runs");
        let sources = agent
            .engine
            .status(world.clock.seen_since(agent.born))
            .sources;
        let mut roots = sources.iter().filter(|source| source.path == "/logs");
        roots.any(|source| source.state == SourceState::Unreadable)
    };
    assert!(shows(script));
    assert!(!shows(&format!("{script}\n02:00 directory small")));
}

/// Situation F11, in small: what is kept does not grow with the rotations.
#[test]
fn f11_state_stays_small_over_many_rotations() {
    rotate_often(2_000);
}

/// Situation F11.
#[test]
#[ignore = "takes minutes"]
fn f11_state_stays_small_over_100_000_rotations() {
    rotate_often(100_000);
}

fn rotate_often(n_rotations: u64) {
    let mut world = World::new(7, vec![alpha()], Noticing::Hinted);
    let log = world.new_log("app.log", Style::Numbered);
    world.start();
    for n in 0..n_rotations {
        world.advance(Duration::from_millis(700));
        world.rotate(log);
        world.reopen(log);
        let n_rows = world.disk.image.streams.len();
        assert!(n_rows < 12, "{n_rows} after {n} rotations");
    }
    assert_eq!(world.oracle.failure, None);
}

/// Situation B16: whatever became of its name meanwhile, and however many there were, a
/// deleted file that was read is closed within two seconds: the room on its disk is free.
#[test]
fn b16_what_is_deleted_after_a_storm_is_closed_soon() {
    for seed in 0..20 {
        let mut world = World::new(seed, vec![alpha()], Noticing::Hinted);
        world.files.tells_birth = seed % 2 == 0;
        let logs = ["a.log", "b.log", "c.log"].map(|name| world.new_log(name, Style::Numbered));
        world.start();
        world.advance(Duration::from_secs(2));
        for n in 0..25 {
            for log in logs {
                let draft = Draft {
                    marks: vec![(0, n)],
                    filler: 40,
                    spice: "",
                    percent_now: 100,
                };
                world.write(log, &draft);
                world.rotate(log);
                world.reopen(log);
            }
            let pause = 1 + (seed * 7 + n) % 19;
            world.advance(Duration::from_millis(pause * pause));
        }
        // A listing of everything would find them as well, but not so soon.
        world.advance(Duration::from_secs(5));
        let rotated = |path: &Path| path.extension().is_some_and(|ending| ending != "log");
        let names = world.files.names().map(|(name, _, _)| name.to_owned());
        let names: Vec<PathBuf> = names.filter(|name| rotated(name)).collect();
        names.iter().for_each(|name| world.files.unlink(name));
        world.advance(Duration::from_secs(2));
        let agent = world.agent.as_ref().expect("it runs");
        let streams = agent.engine.schedule().streams();
        let open = streams.filter_map(|stream| agent.node_of(stream.id));
        let n_deleted = open.filter(|node| !world.files.is_named(*node)).count();
        assert_eq!(n_deleted, 0, "seed {seed}");
        assert_eq!(world.oracle.failure, None, "seed {seed}");
    }
}

/// Situation B11: of generations that came and went faster than anybody could look, each
/// was kept for the sake of the next, and one of them was let go with every look at
/// everything: deleted files stayed open for minutes.
#[test]
fn b11_generations_that_come_and_go_are_let_go() {
    for seed in (0..20).chain([341]) {
        let mut world = World::new(seed, vec![alpha()], Noticing::Hinted);
        world.files.tells_birth = seed % 2 == 0;
        world.files.reuses_numbers = seed % 3 == 0;
        let log = world.new_log("app.log", Style::Numbered);
        world.start();
        world.advance(Duration::from_secs(2));
        for round in 0..6 {
            for n in 0..30 {
                world.rotate(log);
                world.reopen(log);
                if n % 4 == seed % 4 {
                    let pause = 700 * (1 + (seed * 7 + n) % 5);
                    world.advance(Duration::from_micros(pause));
                }
            }
            let draft = Draft {
                marks: vec![(0, round)],
                filler: 40,
                spice: "",
                percent_now: 100,
            };
            world.write(log, &draft);
            world.advance(Duration::from_millis(400));
        }
        // Two looks at everything.
        world.advance(Duration::from_secs(65));
        let agent = world.agent.as_ref().expect("it runs");
        let streams = agent.engine.schedule().streams();
        let open = streams.filter_map(|stream| agent.node_of(stream.id));
        let n_deleted = open.filter(|node| !world.files.is_named(*node)).count();
        assert_eq!(n_deleted, 0, "seed {seed}");
        assert_eq!(world.oracle.failure, None, "seed {seed}");
    }
}
