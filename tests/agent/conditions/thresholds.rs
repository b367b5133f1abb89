//! How many hits make an event, and of which values.

use logcrier::rules::Debounce;

use super::{alpha, check, three_a_minute};
use crate::world::script::check_said;
use crate::world::told::{Told, Wanted};

#[test]
fn enough_hits_within_the_time() {
    check(
        three_a_minute(),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        00:20 write alpha:k2
        00:40 write alpha:k1
        01:30 write alpha:k1
        01:35 write alpha:k1
        02:00 write alpha:k1
        ",
        "
        01:35 alpha k1 first 3
        06:35 alpha k1 summary 1
        ",
    );
}

#[test]
fn after_a_quiet_window_it_takes_enough_hits_again() {
    check(
        three_a_minute(),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1 x3
        10:00 write alpha:k1 x2
        20:00 write alpha:k1 x3
        ",
        "
        00:10 alpha k1 first 3
        20:00 alpha k1 first 3
        ",
    );
}

#[test]
fn counted_hits_survive_a_restart() {
    check(
        three_a_minute(),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1 x2
        00:15 kill
        00:20 start
        00:30 write alpha:k1
        ",
        "
        00:30 alpha k1 first 3
        ",
    );
}

#[test]
fn without_debounce_every_so_many_hits_are_a_message() {
    check_said(
        vec![Told {
            debounce: Debounce::None,
            ..alpha(three_a_minute())
        }],
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1 x3
        00:20 write alpha:k1 x4
        00:30 write alpha:k1 x2
        ",
        "
        00:10 alpha k1 first 3
        00:20 alpha k1 first 3
        00:30 alpha k1 first 3
        ",
    );
}

#[test]
fn values_are_new_once() {
    check(
        Wanted {
            first_seen: Some((7_200, 600)),
            ..Wanted::default()
        },
        "
        00:00 log app.log
        00:00 start
        05:00 write alpha:k1
        20:00 write alpha:k1
        21:00 write alpha:k2 x3
        22:00 kill
        23:00 start
        24:00 write alpha:k2
        4:00:00 write alpha:k1
        ",
        "
        21:00 alpha k2 first 1
        4:00:00 alpha k1 first 1
        ",
    );
}

/// Hits that are not yet an event take room only as long as they can become one.
#[test]
fn hits_that_are_too_old_make_room() {
    check(
        Wanted {
            max_keys: Some(2),
            ..three_a_minute()
        },
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1 x2
        00:20 write alpha:k2 x2
        00:30 write alpha:k3 x3
        02:00 write alpha:k4 x3
        ",
        "
        00:30 alpha (others) first 3
        02:00 alpha k4 first 3
        ",
    );
}

#[test]
fn values_beyond_the_room_share_one_instance() {
    check(
        Wanted {
            max_keys: Some(2),
            ..Wanted::default()
        },
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        00:20 write alpha:k2
        00:30 write alpha:k3
        00:40 write alpha:k4
        ",
        "
        00:10 alpha k1 first 1
        00:20 alpha k2 first 1
        00:30 alpha (others) first 1
        05:30 alpha (others) summary 1
        ",
    );
}
