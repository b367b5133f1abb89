//! Files that are rotated, cut, made anew, torn and hidden.

use std::time::Duration;

use logcrier::engine::schedule::Noticing;
use logcrier::rules::{Debounce, From};

use super::{alpha, debounced};
use crate::world::World;
use crate::world::script::{check, check_counted};
use crate::world::told::{Dialect, Told};
use crate::world::writers::{Draft, Style};

#[test]
fn e19_f18_old_lines_do_not_count() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 old alpha:k1
        00:00 start
        00:05 write alpha:k2
        ",
        "00:05 alpha k2 first 1",
    );
}

#[test]
fn from_the_beginning_old_lines_count() {
    check(
        Told {
            from: From::Beginning,
            ..alpha()
        },
        "
        00:00 log app.log
        00:00 write alpha:k1 x3
        00:00 start
        ",
        "00:00 alpha k1 first 3",
    );
}

#[test]
fn f18_a_file_born_later_is_read_from_its_beginning() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 kill
        00:10 log new.log
        00:10 write alpha:k1 x2
        00:20 start
        ",
        "00:20 alpha k1 first 2",
    );
}

#[test]
fn b1_a_writer_keeps_the_old_descriptor_after_a_rotation() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 rotate
        00:10 write alpha:k1
        00:20 reopen
        00:25 write alpha:k2
        ",
        "
        00:10 alpha k1 first 1
        00:25 alpha k2 first 1
        ",
    );
}

#[test]
fn b5_rotated_twice_while_it_was_down() {
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
        00:25 rotate
        00:25 reopen
        00:30 write alpha:k3
        00:40 start
        ",
        "
        00:05 alpha k1 first 1
        00:40 alpha k2 first 1
        00:41 alpha k3 first 1
        ",
    );
}

#[test]
fn a_rotated_file_keeps_its_rules_over_a_restart() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 rotate
        00:12 kill
        00:15 write alpha:k2
        00:20 start
        00:25 reopen
        ",
        "
        00:05 alpha k1 first 1
        00:20 alpha k2 first 1
        ",
    );
}

#[test]
fn c8_truncated_and_written_anew() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 truncate
        00:10 write alpha:k2 x5
        ",
        "
        00:05 alpha k1 first 1
        00:10 alpha k2 first 5
        ",
    );
}

#[test]
fn copied_away_and_truncated() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 copytruncate
        00:15 write alpha:k2
        ",
        "
        00:05 alpha k1 first 1
        00:15 alpha k2 first 1
        ",
    );
}

/// A copy made by a tool that rotates and truncates stood among the rotated files under
/// a name of its own while nothing told that it was one. When the number of an older file
/// went to a new one, that older file's kin were asked for once more: the copy was taken
/// for a generation that nobody had read.
#[test]
fn copied_away_and_truncated_while_it_was_down_then_an_old_number_comes_back() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 births told
        00:00 numbers reused
        00:00 start
        00:05 write alpha:k1 x4
        00:10 rotate
        00:10 reopen
        00:15 write alpha:k2 x4
        00:20 rotate
        00:20 reopen
        00:25 write alpha:k3 x4
        00:30 kill
        00:35 copytruncate
        00:40 write alpha:k4
        00:45 rotate
        00:45 reopen
        00:50 rotate
        00:50 reopen
        00:55 start
        01:10 write alpha:k5
        ",
        "
        00:05 alpha k1 first 4
        00:15 alpha k2 first 4
        00:25 alpha k3 first 4
        00:55 alpha k4 first 1
        01:10 alpha k5 first 1
        ",
    );
}

/// What was written to the log before it was copied is read from the copy, wherever the
/// log itself was moved since.
#[test]
fn copied_away_and_truncated_while_it_was_down_then_rotated() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x4
        00:10 kill
        00:15 write alpha:k2 x4
        00:20 copytruncate
        00:25 write alpha:k3
        00:30 rotate
        00:30 reopen
        00:35 write alpha:k4
        00:40 start
        ",
        "
        00:05 alpha k1 first 4
        00:40 alpha k2 first 4
        00:41 alpha k3 first 1
        00:42 alpha k4 first 1
        ",
    );
}

/// A rotated file that was known, and not read to its end, is compressed while nobody
/// looks: its rest is read from the archive.
#[test]
fn compressed_while_it_was_down_after_it_was_seen_rotated() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x4
        00:10 rotate
        00:12 kill
        00:15 write alpha:k2 x4
        00:20 reopen
        00:25 pack 1
        00:30 write alpha:k3
        00:40 start
        ",
        "
        00:05 alpha k1 first 4
        00:40 alpha k2 first 4
        00:41 alpha k3 first 1
        ",
    );
}

#[test]
fn deleted_and_made_anew() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 recreate
        00:10 write alpha:k2
        ",
        "
        00:05 alpha k1 first 1
        00:10 alpha k2 first 1
        ",
    );
}

#[test]
fn a13_an_editor_saves_and_nothing_is_said_again() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x3
        00:10 save
        00:15 write alpha:k2
        01:00 kill
        01:05 save
        01:10 start
        01:15 write alpha:k3
        ",
        "
        00:05 alpha k1 first 3
        00:15 alpha k2 first 1
        01:15 alpha k3 first 1
        ",
    );
}

/// The only record of a file may go on, so the position is still before it. That it was
/// taken as it stood is known of the file as well.
#[test]
fn an_editor_saves_a_record_that_may_go_on() {
    let stacks = Told {
        dialect: Dialect::Stacks,
        ..debounced(Debounce::None)
    };
    check(
        stacks,
        "
        00:00 log app.log
        00:00 start
        00:05 long alpha:k1 300
        00:20 save
        00:30 write alpha:k2
        ",
        "
        00:06 alpha k1 first 1
        00:31 alpha k2 first 1
        ",
    );
}

#[test]
fn b13_a_link_is_turned_to_another_file() {
    check(
        debounced(Debounce::None),
        "
        00:00 link app.log
        00:00 start
        00:05 write alpha:k1
        00:10 rotate
        00:15 write alpha:k2
        ",
        "
        00:05 alpha k1 first 1
        00:15 alpha k2 first 1
        ",
    );
}

#[test]
fn a10_one_file_of_two_names_is_read_once() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 hardlink twin.log
        00:10 write alpha:k1
        01:00 write alpha:k1
        ",
        "
        00:10 alpha k1 first 1
        01:00 alpha k1 first 1
        ",
    );
}

#[test]
fn d2_d3_an_unfinished_line_is_taken_after_a_while_and_only_once() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:10 tear alpha:k1
        00:30 finish
        ",
        "00:15 alpha k1 first 1",
    );
}

#[test]
fn d3_d4_a_taken_line_is_not_taken_again_after_a_restart() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:10 tear alpha:k1
        00:20 kill
        00:25 start
        00:40 finish
        ",
        "00:15 alpha k1 first 1",
    );
}

#[test]
fn d6_a_line_longer_than_a_region_is_one_event() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 long alpha:k1 700000
        00:10 write alpha:k2
        ",
        "
        00:05 alpha k1 first 1
        00:10 alpha k2 first 1
        ",
    );
}

#[test]
fn lost_hints_make_it_slow_but_not_blind() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:01 hints lost
        00:05 write alpha:k1
        ",
        "00:30 alpha k1 first 1",
    );
}

#[test]
fn e8_an_unreadable_file_is_read_when_it_can_be() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 file forbidden
        00:00 start
        00:05 write alpha:k1
        05:05 file readable
        ",
        "
        00:13 logcrier.source /logs/app.log first 1
        05:29 alpha k1 first 1
        ",
    );
}

/// However it learns of changes, an hour of quiet makes it no slower.
#[test]
fn e10_the_first_line_after_an_hour_is_heard_of_at_once() {
    for noticing in [Noticing::Hinted, Noticing::Polled] {
        let mut world = World::new(7, vec![alpha()], noticing);
        let log = world.new_log("app.log", Style::Numbered);
        world.start();
        world.advance(Duration::from_secs(3_600));
        let written = world.clock.now();
        world.write(log, &line(1));
        world.advance(Duration::from_secs(5));
        let (said, _, _) = world.messages.first().expect("it is said");
        let took = said.since(written);
        let most = match noticing {
            Noticing::Hinted => Duration::from_millis(300),
            Noticing::Polled => Duration::from_millis(600),
        };
        assert!(took < most, "{took:?}, {noticing:?}");
        assert_eq!(world.oracle.failure, None);
    }
}

/// A line of one value.
fn line(k: u64) -> Draft {
    Draft {
        marks: vec![(0, k)],
        filler: 40,
        spice: "",
        percent_now: 100,
    }
}

#[test]
fn a_file_that_is_unreadable_for_a_moment_is_no_news() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 file forbidden
        00:05 write alpha:k1
        00:12 file readable
        ",
        "00:05 alpha k1 first 1",
    );
}

#[test]
fn a_file_that_somebody_named_is_missed_when_it_stays_away() {
    let named = Told {
        glob: "/logs/app.log".into(),
        ..alpha()
    };
    check(
        named,
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 rotate
        20:00 reopen
        20:05 write alpha:k2
        ",
        "
        00:05 alpha k1 first 1
        10:30 logcrier.source /logs/app.log first 1
        20:05 alpha k2 first 1
        ",
    );
}

#[test]
fn a_rotated_file_gets_a_last_look() {
    // The third rotation closed the file although its writer had just written.
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 rotate
        00:05 hints lost
        00:06 write alpha:k1
        00:07 reopen
        00:07 rotate
        00:07 reopen
        00:40 write alpha:k2
        ",
        "
        00:30 alpha k1 first 1
        01:00 alpha k2 first 1
        ",
    );
}

#[test]
fn a_copy_is_read_on_after_a_kill() {
    // What is known of the content that was cut is on disk until its copy is found.
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x3
        00:10 kill
        00:15 write alpha:k2
        00:20 copytruncate
        00:30 directory hidden
        00:30 start
        00:40 kill
        00:45 directory shown
        00:50 start
        ",
        "
        00:05 alpha k1 first 3
        00:50 alpha k2 first 1
        ",
    );
}

#[test]
fn a_copy_takes_the_place_of_an_older_one() {
    // The older copy is sought at the same number: it must not take away the newer.
    check(
        alpha(),
        "
        00:00 numbers reused
        00:00 births told
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x3
        00:10 copytruncate
        00:20 write alpha:k2 x3
        00:30 stop
        00:35 write alpha:k3
        00:40 copytruncate
        00:50 start
        ",
        "
        00:05 alpha k1 first 3
        00:20 alpha k2 first 3
        00:50 alpha k3 first 1
        ",
    );
}

#[test]
fn b19_rotated_again_at_any_moment() {
    // A generation comes and goes between two things that the agent asks.
    for (at, begin) in [("00:00", 7), ("00:10", 0)] {
        for (some, more) in (0..6).flat_map(|some| (0..8).map(move |more| (some, more))) {
            let (first, second) = (begin + some, begin + some + more);
            let script = format!(
                "
                00:00 births told
                00:00 log app.log
                00:00 crowd 12
                00:00 start
                {at}.{begin:03} write alpha:k1
                {at}.{first:03} rotate
                {at}.{first:03} reopen
                {at}.{first:03} write alpha:k2
                {at}.{second:03} rotate
                {at}.{second:03} reopen
                {at}.{second:03} write alpha:k3
                "
            );
            check_counted(debounced(Debounce::None), 3, &script);
        }
    }
}

#[test]
fn a_generation_comes_and_goes_while_it_was_down_after_the_log_was_away() {
    // What was found between is known in the next life, and so are those after it.
    check(
        debounced(Debounce::None),
        "
        00:00 births told
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x3
        00:10 rotate
        01:00 stop
        01:05 start
        01:09 stop
        01:10 reopen
        01:10 write alpha:k2 x3
        01:20 rotate
        02:00 start
        02:30 stop
        02:40 reopen
        02:45 write alpha:k3 x3
        02:50 rotate
        02:50 reopen
        02:50 write alpha:k4 x3
        03:00 start
        03:30 stop
        03:40 start
        ",
        "
        00:05 alpha k1 first 3
        02:00 alpha k2 first 3
        03:00 alpha k3 first 3
        03:01 alpha k4 first 3
        ",
    );
}

#[test]
fn a_log_is_copied_over_its_last_copy() {
    // The copy of last time is written anew: it holds what was read of the log.
    check(
        debounced(Debounce::None),
        "
        00:00 births told
        00:00 copies over
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:06 write alpha:k2
        00:10 copytruncate
        00:15 write alpha:k3
        00:16 write alpha:k4
        00:17 write alpha:k5
        00:20 copytruncate
        00:25 write alpha:k6
        00:30 kill
        00:35 write alpha:k7
        00:36 write alpha:k8
        00:40 copytruncate
        00:45 start
        00:50 write alpha:k9
        ",
        "
        00:05 alpha k1 first 1
        00:06 alpha k2 first 1
        00:15 alpha k3 first 1
        00:16 alpha k4 first 1
        00:17 alpha k5 first 1
        00:25 alpha k6 first 1
        00:45 alpha k7 first 1
        00:46 alpha k8 first 1
        00:50 alpha k9 first 1
        ",
    );
}
