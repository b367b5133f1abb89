//! Spaces that are away, refuse, or do not answer.

use logcrier::rules::{Debounce, Severity};

use super::{alpha, beta, debounced, threaded};
use crate::world::script::{check, check_all, play};

#[test]
fn after_an_outage_little_is_said_for_much() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:01 space unreachable
        00:05 write alpha:k1
        10:00 write alpha:k1 x3
        30:00 space fair
        ",
        "
        30:08 alpha k1 first 1
        30:09 alpha k1 first 3
        ",
    );
}

#[test]
fn a_space_that_was_gone_hears_what_it_missed() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:01 space gone
        00:05 write alpha:k1
        00:10 write alpha:k2 x2
        02:00 space fair
        ",
        "
        05:05 alpha k1 first 1
        05:06 alpha k2 first 2
        ",
    );
}

#[test]
fn f16_a_message_whose_answer_was_lost_is_not_made_twice() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:01 space mute
        00:05 write alpha:k1
        03:00 space fair
        ",
        "00:05 alpha k1 first 1",
    );
}

#[test]
fn bad_messages_do_not_silence_a_good_space() {
    // Three in a row make the space count as refused; each probe began with one of
    // them, and nothing else was ever said again.
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 poison alpha:k1
        00:05 poison alpha:k2
        00:05 poison alpha:k3
        01:00 write alpha:k4
        10:00 write alpha:k5
        ",
        "
        05:09 alpha k4 first 1
        10:00 alpha k5 first 1
        ",
    );
}

#[test]
fn of_bad_messages_each_may_tell_that_the_space_is_well() {
    // The space was tried with the first of them for ever, in the form that it does not
    // take, although it takes the last one in plain words.
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 poison alpha:k1
        00:05 poison alpha:k2
        00:05 poison alpha:k3
        01:00 bitter alpha:k4
        40:00 write alpha:k5
        ",
        "
        25:10 alpha k4 plain 1
        40:00 alpha k5 first 1
        ",
    );
}

#[test]
fn a_bad_message_does_not_keep_a_space_gone() {
    // The space came back, but the only message to try it with was one that no
    // space takes: its refusal is an answer all the same.
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 space gone
        00:06 poison alpha:k1
        01:00 space fair
        05:10 write alpha:k2
        ",
        "
        05:10 alpha k2 first 1
        ",
    );
}

#[test]
fn a_space_that_refuses_a_message_is_in_trouble_no_more() {
    // It answered again, but only another message told people so.
    let script = "
        00:00 log app.log
        00:00 start
        00:05 space unreachable
        00:06 poison alpha:k1
        01:00 space fair
        ";
    let world = play(&[alpha()], script);
    assert!(world.oracle.troubles().is_empty());
    assert_eq!(world.oracle.parked.len(), 1);
}

#[test]
fn another_space_stands_in_for_one_that_refuses() {
    // Every five minutes one is tried at home.
    check(
        alpha(),
        "
        00:00 dev-stands-in
        00:00 log app.log
        00:00 start
        00:01 space gone
        00:05 write alpha:k1
        00:10 write alpha:k2
        05:30 write alpha:k3
        05:35 write alpha:k4
        06:00 space fair
        10:00 write alpha:k5
        10:40 write alpha:k6
        ",
        "
        00:05 alpha k1 first 1 in dev
        00:10 alpha k2 first 1 in dev
        05:30 alpha k3 first 1 in dev
        05:35 alpha k4 first 1 in dev
        10:00 alpha k5 first 1 in dev
        10:40 alpha k6 first 1
        ",
    );
}

#[test]
fn what_comes_home_was_not_overtaken_there() {
    // The space is well again while the one that stood in for it still owes an answer:
    // what follows of the same thread waits until that is settled.
    check(
        debounced(Debounce::None),
        "
        00:00 dev-stands-in
        00:00 log app.log
        00:00 start
        00:01 space gone
        00:02 dev unreachable
        00:05 write alpha:k1
        05:00 space fair
        05:30 write alpha:k2
        06:00 write alpha:k1
        07:00 dev gone
        ",
        "
        05:18 logcrier.delivery dev first 1
        05:30 alpha k2 first 1
        07:04 alpha k1 first 1
        07:05 alpha k1 first 1
        1:05:18 logcrier.delivery dev summary 1
        ",
    );
}

#[test]
fn f15_an_hour_of_429_and_every_line_once() {
    check_all(
        vec![debounced(Debounce::None), beta(Severity::Critical)],
        "
        00:00 log app.log
        00:00 start
        00:01 space crowded
        00:05 write alpha:k1
        05:00 write alpha:k1 x3
        20:00 write alpha:k2
        30:00 write beta:k1
        1:00:01 space fair
        1:20:00 write alpha:k2
        ",
        "
        1:00:18 beta k1 first 1
        1:00:45 alpha k1 first 1
        1:01:10 alpha k1 first 3
        1:01:32 alpha k2 first 1
        1:20:00 alpha k2 first 1
        ",
    );
}

#[test]
fn an_hour_without_the_space() {
    check_all(
        vec![threaded(Severity::Warning), beta(Severity::Critical)],
        "
        00:00 log app.log
        00:00 start
        00:01 space unreachable
        00:05 write alpha:k77
        05:00 storm alpha 200
        20:00 storm alpha 200
        30:00 write beta:k1
        40:00 storm alpha 200
        50:00 kill
        50:10 start
        1:00:01 space fair
        1:10:00 write alpha:k1
        ",
        "
        1:00:12 beta k1 first 1
        1:00:13 alpha k77 first 1
        1:00:14 alpha 25 values and more digest 600
        1:10:00 alpha k1 first 1
        ",
    );
}
