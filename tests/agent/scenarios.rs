//! Named histories in the simulated world, to be read.
//!
//! First stands what happens, then what people read: the time, the rule and the
//! value, why the message exists and for how many events it speaks. What must be true
//! of every drawn history is held against these as well. `world/script.rs` has the
//! words.

use std::time::Duration;

use logcrier::rules::{Debounce, From, Severity, ThreadMode};

use crate::world::script::{check, check_all};
use crate::world::told::{self, Told};

const MINUTE: Duration = Duration::from_secs(60);

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

#[test]
fn speaks_at_once_then_counts_then_sums_up() {
    check(
        debounced(told::window(10 * MINUTE, 60 * MINUTE)),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        01:00 write alpha:k1
        09:00 write alpha:k1
        ",
        "
        00:05 alpha k1 first 1
        10:05 alpha k1 summary 2
        ",
    );
}

#[test]
fn windows_double_while_something_happens() {
    check(
        debounced(told::window(MINUTE, 4 * MINUTE)),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        00:30 write alpha:k1
        02:00 write alpha:k1
        04:00 write alpha:k1
        08:00 write alpha:k1
        20:00 write alpha:k1
        ",
        "
        00:10 alpha k1 first 1
        01:10 alpha k1 summary 1
        03:10 alpha k1 summary 1
        07:10 alpha k1 summary 1
        11:10 alpha k1 summary 1
        20:00 alpha k1 first 1
        ",
    );
}

#[test]
fn instances_do_not_silence_each_other() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 write alpha:k2
        00:15 write alpha:k1
        ",
        "
        00:05 alpha k1 first 1
        00:10 alpha k2 first 1
        05:05 alpha k1 summary 1
        ",
    );
}

#[test]
fn without_debounce_everything_is_said() {
    check(
        debounced(Debounce::None),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 write alpha:k1
        00:15 write alpha:k1 x50
        ",
        "
        00:05 alpha k1 first 1
        00:10 alpha k1 first 1
        00:15 alpha k1 first 50
        ",
    );
}

#[test]
fn worse_news_passes_an_open_window() {
    check(
        alpha(),
        "
        00:00 log app.log
        00:00 start
        00:05 write alpha:k1
        00:10 write alpha:k1
        01:00 worse
        01:05 write alpha:k1
        ",
        "
        00:05 alpha k1 first 1
        01:05 alpha k1 severity 2
        ",
    );
}

#[test]
fn old_lines_do_not_count() {
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
fn a_file_born_later_is_read_from_its_beginning() {
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
fn a_writer_keeps_the_old_descriptor_after_a_rotation() {
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
fn truncated_and_written_anew() {
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
fn an_editor_saves_and_nothing_is_said_again() {
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

#[test]
fn a_link_is_turned_to_another_file() {
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
fn one_file_of_two_names_is_read_once() {
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
fn an_unfinished_line_is_taken_after_a_while_and_only_once() {
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
fn a_taken_line_is_not_taken_again_after_a_restart() {
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
fn a_line_longer_than_a_region_is_one_event() {
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
fn an_unreadable_file_is_read_when_it_can_be() {
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
fn killed_between_commit_and_post() {
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
fn killed_between_read_and_commit() {
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
fn a_clock_set_back_while_it_was_down_makes_no_endless_window() {
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
fn a_message_whose_answer_was_lost_is_not_made_twice() {
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
fn a_full_disk_delays_but_loses_nothing() {
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
fn the_worst_goes_first() {
    let beta = Told {
        severity: Severity::Critical,
        ..Told::new("beta")
    };
    check_all(
        vec![alpha(), beta],
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

/// A storm of one rule with a thread for each value.
fn threaded(severity: Severity) -> Told {
    Told {
        severity,
        thread: ThreadMode::Instance,
        ..alpha()
    }
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
fn many_threads_become_one_digest_a_minute() {
    let beta = Told {
        severity: Severity::Critical,
        ..Told::new("beta")
    };
    check_all(
        vec![threaded(Severity::Warning), beta],
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
fn what_happened_while_it_was_down_is_one_message() {
    let beta = Told {
        severity: Severity::Critical,
        ..Told::new("beta")
    };
    check_all(
        vec![alpha(), beta],
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

#[test]
fn an_hour_without_the_space() {
    let beta = Told {
        severity: Severity::Critical,
        ..Told::new("beta")
    };
    check_all(
        vec![threaded(Severity::Warning), beta],
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

#[test]
fn even_the_worst_does_not_starve_the_rest() {
    let beta = Told {
        severity: Severity::Info,
        ..Told::new("beta")
    };
    check_all(
        vec![threaded(Severity::Critical), beta],
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
fn what_is_beyond_the_bounds_is_counted_by_rule() {
    let told = Told {
        debounce: Debounce::None,
        ..threaded(Severity::Warning)
    };
    let beta = Told {
        severity: Severity::Error,
        ..Told::new("beta")
    };
    check_all(
        vec![told, beta],
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
