//! Named histories of followed files, to be read: situations that real users met.
//!
//! Each carries the number of its situation in its name or its comment. As in
//! `scenarios`, first stands what happens, then what people read.

use std::time::Duration;

use logcrier::engine::schedule::Noticing;
use logcrier::rules::Debounce;

use crate::world::World;
use crate::world::script::{check, check_all};
use crate::world::told::Told;
use crate::world::writers::Style;

/// What says of three lines, one after the other, that each was heard of once.
const ONE_TWO_THREE: &str = "
    00:05 alpha k1 first 1
    01:00 alpha k2 first 1
    02:00 alpha k3 first 1
";

fn alpha() -> Told {
    Told::new("alpha")
}

/// As `alpha`, with another debounce.
fn debounced(debounce: Debounce) -> Told {
    Told {
        debounce,
        ..alpha()
    }
}

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

/// Situations C6 and B21: the copy has a name that the rules follow.
#[test]
fn c6_b21_a_copy_that_the_pattern_names_is_not_read_again() {
    let all = Told {
        glob: "/logs/app.log*".into(),
        ..debounced(Debounce::None)
    };
    check(
        all,
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x3
        00:10 copytruncate
        00:15 write alpha:k2
        01:00 copytruncate
        01:05 write alpha:k3
        02:00 kill
        02:10 start
        ",
        "
        00:05 alpha k1 first 3
        00:15 alpha k2 first 1
        01:05 alpha k3 first 1
        ",
    );
}

/// Situation C7: what was not read before the first of two truncations is in a copy.
#[test]
fn c7_copied_and_truncated_unread() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x3
        00:10 kill
        00:15 write alpha:k2
        00:20 copytruncate
        00:25 write alpha:k3
        00:30 start
        ",
        "
        00:05 alpha k1 first 3
        00:30 alpha k3 first 1
        00:31 alpha k2 first 1
        ",
    );
}

/// Situation B8: the pattern names the rotated files as well.
#[test]
fn b8_a_renamed_file_that_the_pattern_names_is_not_read_again() {
    let all = Told {
        glob: "/logs/app.log*".into(),
        ..debounced(Debounce::None)
    };
    check(
        all,
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
        01:10 alpha k3 first 1
        01:11 alpha k4 first 1
        ",
    );
}

/// Situations A1 and A4: another file under the name and with the number of the old.
#[test]
fn a1_a4_made_anew_with_the_same_number() {
    check(
        alpha(),
        "
        00:00 births told
        00:00 numbers reused
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:59 recreate
        01:00 write alpha:k2
        01:59 recreate
        02:00 write alpha:k3
        ",
        ONE_TWO_THREE,
    );
}

/// Situations A2 and A3: the same while the agent is down, and the new file is larger.
#[test]
fn a2_a3_made_anew_and_grown_while_it_was_down() {
    check(
        debounced(Debounce::None),
        "
        00:00 births told
        00:00 numbers reused
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x2
        00:10 kill
        00:15 recreate
        00:15 write alpha:k2 x5
        00:20 start
        ",
        "
        00:05 alpha k1 first 2
        00:20 alpha k2 first 5
        ",
    );
}

/// Situations A6 and C8: the new content begins as the old one did, and is longer.
#[test]
fn a6_c8_truncated_and_written_longer_while_it_was_down() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x10
        00:10 kill
        00:15 truncate
        00:15 write alpha:k2 x100
        00:20 start
        ",
        "
        00:05 alpha k1 first 10
        00:20 alpha k2 first 100
        ",
    );
}

/// Situation A7: tracked from its first byte, however small it was.
#[test]
fn a7_a_file_that_begins_with_half_a_line() {
    check(
        debounced(Debounce::None),
        "
        00:00 start
        00:05 log app.log
        00:06 tear alpha:k1
        00:08 finish
        ",
        "00:08 alpha k1 first 1",
    );
}

/// Situations A8 and D4: a small file goes on after a restart, in the middle of a line.
#[test]
fn a8_d4_a_small_file_grows_while_it_was_down() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:08 tear alpha:k2
        00:09 kill
        00:15 finish
        00:16 write alpha:k3 x50
        00:20 start
        ",
        "
        00:05 alpha k1 first 1
        00:20 alpha k2 first 1
        00:21 alpha k3 first 50
        ",
    );
}

/// Situations A9 and E7: the device has another number after it was mounted anew.
#[test]
fn a9_e7_mounted_anew_nothing_is_read_again() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x3
        00:10 kill
        00:15 remount
        00:16 write alpha:k2
        00:20 start
        00:40 write alpha:k3
        ",
        "
        00:05 alpha k1 first 3
        00:20 alpha k2 first 1
        00:40 alpha k3 first 1
        ",
    );
}

/// Situation A11: each of two rules hears of each line, once.
#[test]
fn a11_two_rules_follow_one_file() {
    let beta = Told::new("beta");
    check_all(
        vec![alpha(), beta],
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 write beta:k1
        01:00 kill
        01:05 start
        01:10 write beta:k2
        ",
        "
        00:05 alpha k1 first 1
        00:10 beta k1 first 1
        01:10 beta k2 first 1
        ",
    );
}

/// Situation A12: other rules, the same positions.
#[test]
fn a12_positions_are_kept_when_rules_change() {
    let beta = Told::new("beta");
    check_all(
        vec![alpha(), beta],
        "
        00:00 rules alpha
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 kill
        00:12 write alpha:k2
        00:15 rules alpha,beta
        00:20 start
        00:30 write beta:k1
        ",
        "
        00:05 alpha k1 first 1
        00:20 alpha k2 first 1
        00:30 beta k1 first 1
        ",
    );
}

/// Situation A15: nothing old is said again, however often it starts.
#[test]
fn a15_started_again_and_again() {
    let mut script = String::from("00:00 log app.log\n00:00 start\n00:05 write alpha:k1\n");
    for n in 0..200 {
        let minute = 1 + n;
        script += &format!("{minute}:00 rotate\n{minute}:00 reopen\n");
        script += &format!("{minute}:10 kill\n{minute}:12 start\n");
    }
    check(alpha(), &script, "00:05 alpha k1 first 1");
}

/// Situation A16: two files are made at once.
#[test]
fn a16_two_files_made_in_one_moment() {
    check(
        debounced(Debounce::None),
        "
        00:00 start
        00:05 log app.log
        00:05 write alpha:k1 x40
        00:05 log db.log
        00:05 write alpha:k2
        00:10 kill
        00:15 write alpha:k3
        00:20 start
        ",
        "
        00:05 alpha k1 first 40
        00:06 alpha k2 first 1
        00:20 alpha k3 first 1
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

/// Situation B11: renamed aside and made anew, a thousand times.
#[test]
fn b11_c12_made_anew_a_thousand_times() {
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
}

/// Situations C1, C2 and C4.
#[test]
fn c1_c4_truncated_while_it_ran_and_while_it_was_down() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:59 truncate
        01:00 write alpha:k2
        01:30 kill
        01:35 truncate
        01:35 write alpha:k3
        01:36 write alpha:k3
        02:00 start
        ",
        "
        00:05 alpha k1 first 1
        01:00 alpha k2 first 1
        02:00 alpha k3 first 2
        ",
    );
}

/// Situation C3: the new content is as long as the old one.
#[test]
fn c3_rewritten_to_the_same_size() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        01:00 truncate
        01:00 write alpha:k2
        02:00 truncate
        02:00 write alpha:k3
        ",
        ONE_TWO_THREE,
    );
}

/// Situation C9: the system tells sizes of yesterday for a while.
#[test]
fn c9_a_size_that_is_told_too_small_is_no_truncation() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:06 sizes stale
        01:00 write alpha:k2
        01:40 sizes true
        02:00 write alpha:k3
        ",
        ONE_TWO_THREE,
    );
}

/// Situation C11: half a line is gone with the truncation.
#[test]
fn c11_half_a_line_is_not_glued_to_the_next() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 tear beta:k1
        00:07 truncate
        00:08 write alpha:k2
        ",
        "00:08 alpha k2 first 1",
    );
}

/// Situations D1, D2 and D3: a line in pieces is one event, also if its writer dies.
#[test]
fn d1_d2_d3_a_line_in_pieces_is_one_event() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 tear alpha:k1
        00:08 finish
        01:00 tear alpha:k2
        02:00 finish
        ",
        "
        00:08 alpha k1 first 1
        01:05 alpha k2 first 1
        ",
    );
}

/// Situation E22: one file has a fault, the others go on.
#[test]
fn e22_one_broken_file_does_not_stop_the_others() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 log db.log
        00:00 start
        00:04 file forbidden
        00:05 write alpha:k1
        01:00 write alpha:k2
        02:00 write alpha:k3
        ",
        ONE_TWO_THREE,
    );
}

/// Situations E23 and F10: a file is away for five minutes and comes back.
#[test]
fn e23_f10_a_file_that_comes_back_is_not_read_again() {
    check(
        debounced(Debounce::None),
        "
        00:00 births told
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x3
        01:00 mv app.log /elsewhere/app.log
        06:00 mv /elsewhere/app.log app.log
        06:10 write alpha:k2
        ",
        "
        00:05 alpha k1 first 3
        06:10 alpha k2 first 1
        ",
    );
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
