//! Many messages at once: whose turn it is, and what becomes one.

use logcrier::rules::{Debounce, Severity};

use super::{alpha, beta, threaded};
use crate::world::script::{check, check_all};
use crate::world::told::Told;

#[test]
fn the_worst_goes_first() {
    check_all(
        vec![alpha(), beta(Severity::Critical)],
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:05 write alpha:k2
        00:05 write beta:k1
        ",
        "
        00:05 beta k1 first 1
        00:06 alpha k1 first 1
        00:07 alpha k2 first 1
        ",
    );
}

#[test]
fn one_thread_becomes_one_message_in_a_crowd() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k50
        00:06 storm alpha 40
        ",
        "
        00:05 alpha k50 first 1
        00:06 alpha 20 values and more thread 40
        ",
    );
}

#[test]
fn a_few_wait_their_turn() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 storm alpha 4
        ",
        "
        00:05 alpha k1 first 1
        00:06 alpha k2 first 1
        00:07 alpha k3 first 1
        00:08 alpha k4 first 1
        ",
    );
}

#[test]
fn f20_many_threads_become_one_digest_a_minute() {
    check_all(
        vec![threaded(Severity::Warning), beta(Severity::Critical)],
        "
        00:00 log app.log
        00:00 start
        00:05 storm alpha 60
        00:30 storm alpha 60
        00:40 write beta:k1
        01:30 write alpha:k99
        03:00 write alpha:k98
        ",
        "
        00:05 alpha 25 values and more digest 60
        00:40 beta k1 first 1
        01:30 alpha k99 first 1
        03:00 alpha k98 first 1
        05:05 alpha 25 values and more digest 60
        ",
    );
}

#[test]
fn a_storm_that_goes_on_is_told_once_a_minute() {
    check(
        threaded(Severity::Warning),
        "
        00:00 log app.log
        00:00 start
        00:01 space unreachable
        00:05 storm alpha 40
        00:06 space fair
        00:20 write alpha:k41
        00:21 write alpha:k42
        00:22 write alpha:k43
        00:23 write alpha:k44
        ",
        "
        00:06 alpha 25 values and more digest 40
        01:05 alpha k41 first 1
        01:06 alpha k42 first 1
        01:07 alpha k43 first 1
        01:09 alpha k44 first 1
        ",
    );
}

#[test]
fn killed_while_a_digest_is_on_its_way() {
    check(
        threaded(Severity::Warning),
        "
        00:00 log app.log
        00:00 start
        00:01 space mute
        00:05 storm alpha 60
        00:20 kill
        00:25 start
        00:30 space fair
        ",
        "00:05 alpha 25 values and more digest 60",
    );
}

#[test]
fn even_the_worst_does_not_starve_the_rest() {
    check_all(
        vec![threaded(Severity::Critical), beta(Severity::Info)],
        "
        00:00 log app.log
        00:00 start
        00:05 write beta:k1
        00:05 storm alpha 12
        ",
        "
        00:05 alpha k1 first 1
        00:06 alpha k2 first 1
        00:07 alpha k3 first 1
        00:08 alpha k4 first 1
        00:09 alpha k5 first 1
        00:10 alpha k6 first 1
        00:12 alpha k7 first 1
        00:13 alpha k8 first 1
        00:14 alpha k9 first 1
        00:15 alpha k10 first 1
        00:16 beta k1 first 1
        00:18 alpha k11 first 1
        00:19 alpha k12 first 1
        ",
    );
}

#[test]
fn f17_what_is_beyond_the_bounds_is_counted_by_rule() {
    let told = Told {
        debounce: Debounce::None,
        ..threaded(Severity::Warning)
    };
    check_all(
        vec![told, beta(Severity::Error)],
        "
        00:00 log app.log
        00:00 start
        00:01 space unreachable
        00:05 write beta:k1
        00:05 write beta:k2
        00:06 storm alpha 10500
        00:10 kill
        00:12 start
        00:20 space fair
        ",
        "
        00:21 beta k1 first 1
        00:22 alpha+beta 24 values and more digest 10501
        ",
    );
}
