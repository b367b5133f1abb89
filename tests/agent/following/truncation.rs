//! Situations C and D: files that are cut, copied and torn.

use logcrier::rules::Debounce;

use super::{ONE_TWO_THREE, alpha, debounced, rotated_too};
use crate::world::script::check;

/// Situations C6 and B21: the copy has a name that the rules follow.
#[test]
fn c6_b21_a_copy_that_the_pattern_names_is_not_read_again() {
    check(
        rotated_too(),
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

/// Situation C7: nothing of three generations is missing, and nothing is said again.
#[test]
fn c7_copied_and_truncated_twice_then_started_again() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1 x50
        00:10 copytruncate
        00:15 write alpha:k2 x50
        00:20 copytruncate
        00:25 write alpha:k3 x50
        00:30 kill
        00:35 start
        01:00 kill
        01:05 start
        ",
        "
        00:05 alpha k1 first 50
        00:15 alpha k2 first 50
        00:25 alpha k3 first 50
        ",
    );
}

/// Situations C1 and C4.
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
