//! Named histories of followed files, to be read: situations that real users met.
//!
//! Each carries the number of its situation in its name or its comment. As in
//! `scenarios`, first stands what happens, then what people read.

use logcrier::rules::Debounce;

use crate::world::script::check;
use crate::world::told::Told;

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
        00:33 alpha k5 first 1
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
        01:10 alpha k4 first 1
        01:11 alpha k3 first 1
        ",
    );
}
