//! What outlives a kill, a stop, a clock that is set back, and changed rules.

use logcrier::rules::{Debounce, Severity, ThreadMode};

use super::{alpha, beta, debounced};
use crate::world::script::{check, check_all};
use crate::world::told::Told;

#[test]
fn f1_killed_between_commit_and_post() {
    // Look, read and commit are asked for; the post would be the fourth.
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 kill-before-action 4
        00:05 write alpha:k1
        00:10 start
        ",
        "00:11 alpha k1 first 1",
    );
}

#[test]
fn f1_killed_between_read_and_commit() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 kill-before-action 3
        00:05 write alpha:k1
        00:10 start
        ",
        "00:10 alpha k1 first 1",
    );
}

#[test]
fn a_window_survives_a_restart() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        01:00 write alpha:k1
        02:00 kill
        02:10 start
        03:00 write alpha:k1
        ",
        "
        00:05 alpha k1 first 1
        05:05 alpha k1 summary 2
        ",
    );
}

#[test]
fn a_window_that_ended_while_it_was_down_is_summed_up_at_once() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        01:00 write alpha:k1
        02:00 kill
        30:00 start
        ",
        "
        00:05 alpha k1 first 1
        30:00 alpha k1 summary 1
        ",
    );
}

#[test]
fn e20_a_clock_set_back_while_it_was_down_makes_no_endless_window() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        01:00 write alpha:k1
        02:00 kill
        02:00 clock back
        03:00 start
        ",
        "
        00:05 alpha k1 first 1
        08:00 alpha k1 summary 1
        ",
    );
}

#[test]
fn e20_a_machine_that_sleeps_and_a_clock_that_is_set_stop_nothing() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        01:00 write alpha:k1
        02:00 sleep 86400
        24:02:05 write alpha:k2
        24:03:00 clock forth
        24:03:05 write alpha:k3
        24:10:00 clock back
        24:10:00 clock back
        24:10:05 write alpha:k4
        24:20:00 space fair
        ",
        "
        00:05 alpha k1 first 1
        24:02:00 alpha k1 summary 1
        24:02:05 alpha k2 first 1
        24:03:05 alpha k3 first 1
        24:10:05 alpha k4 first 1
        ",
    );
}

#[test]
fn stopped_and_started_nothing_is_missing() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 stop
        00:15 write alpha:k1 x2
        00:20 start
        ",
        "
        00:05 alpha k1 first 1
        00:20 alpha k1 first 2
        ",
    );
}

#[test]
fn f4_a_full_disk_delays_but_loses_nothing() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 disk full
        00:05 write alpha:k1
        01:00 write alpha:k1 x2
        02:00 disk fine
        ",
        "
        02:06 alpha k1 first 1
        02:07 logcrier.state unwritable first 1
        02:08 alpha k1 first 2
        ",
    );
}

#[test]
fn a_rule_that_joins_later_begins_where_the_file_is() {
    let beta = Told::new("beta");
    check_all(
        vec![alpha(), beta],
        "
        00:00 rules alpha
        00:00 log app.log
        00:00 start
        00:05 write beta:k1
        00:10 rules alpha,beta
        00:15 write beta:k2
        ",
        "00:15 beta k2 first 1",
    );
}

#[test]
fn a_rule_taken_away_says_what_it_held() {
    let beta = Told {
        thread: ThreadMode::Instance,
        ..Told::new("beta")
    };
    check_all(
        vec![alpha(), beta],
        "
        00:00 log app.log
        00:00 start
        00:05 write beta:k1
        00:10 write beta:k1 x2
        00:20 rules alpha
        ",
        "
        00:05 beta k1 first 1
        00:20 beta k1 summary 2
        ",
    );
}

#[test]
fn f19_what_happened_while_it_was_down_is_one_message() {
    check_all(
        vec![alpha(), beta(Severity::Critical)],
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 kill
        10:00 write alpha:k2 x3
        10:00 write alpha:k3
        10:00 write beta:k1
        2:00:00 start
        2:00:30 write alpha:k2
        ",
        "
        00:05 alpha k1 first 1
        2:00:00 beta k1 first 1
        2:00:01 alpha k2+k3 catch_up 4
        2:05:00 alpha k2 summary 1
        ",
    );
}
