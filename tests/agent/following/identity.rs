//! Situations A: whether it is still the same file.

use logcrier::rules::Debounce;

use super::{ONE_TWO_THREE, alpha, debounced};
use crate::world::script::{check, check_all};
use crate::world::told::Told;

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
