//! Thresholds, ends, absence, silences: what rules with conditions say, and when.

use std::time::Duration;

use logcrier::rules::{Debounce, Severity};

use crate::world::script::check_said;
use crate::world::told::{Told, Wanted, window};

const MINUTE: Duration = Duration::from_secs(60);

fn alpha(wanted: Wanted) -> Told {
    Told {
        debounce: window(5 * MINUTE, 60 * MINUTE),
        wanted,
        ..Told::new("alpha")
    }
}

fn check(wanted: Wanted, script: &str, expected: &str) {
    check_said(vec![alpha(wanted)], script, expected);
}

fn three_a_minute() -> Wanted {
    Wanted {
        threshold: Some((3, 60)),
        ..Wanted::default()
    }
}

fn resolved() -> Wanted {
    Wanted {
        resolve: Some(0),
        ..Wanted::default()
    }
}

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
fn a_record_ends_an_incident() {
    check(
        resolved(),
        "
        00:00 log app.log
        00:00 start
        00:05 good alpha:k1
        00:10 write alpha:k1
        01:00 write alpha:k1 x2
        01:30 good alpha:k2
        02:00 good alpha:k1
        02:05 good alpha:k1
        03:00 write alpha:k1
        20:00 write alpha:k1
        40:00 good alpha
        ",
        "
        00:10 alpha k1 first 1
        02:00 alpha k1 resolved 2
        03:00 alpha k1 first 1
        20:00 alpha k1 summary 1
        40:00 alpha k1 resolved 0
        ",
    );
}

#[test]
fn one_record_may_end_all_of_a_rule() {
    check(
        resolved(),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        00:20 write alpha:k2
        01:00 good alpha
        ",
        "
        00:10 alpha k1 first 1
        00:20 alpha k2 first 1
        01:00 alpha k1 resolved 0
        01:01 alpha k2 resolved 0
        ",
    );
}

#[test]
fn what_was_not_said_yet_is_one_line() {
    check(
        resolved(),
        "
        00:00 log app.log
        00:00 start
        00:05 kill
        00:10 write alpha:k1
        00:18 good alpha:k1
        01:00 start
        ",
        "
        01:00 alpha k1 resolved 1
        ",
    );
}

#[test]
fn it_must_stay_good() {
    check(
        Wanted {
            resolve: Some(30),
            ..Wanted::default()
        },
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        01:00 good alpha:k1
        01:20 write alpha:k1
        02:00 good alpha:k1
        02:10 good alpha:k1
        ",
        "
        00:10 alpha k1 first 1
        02:30 alpha k1 resolved 1
        ",
    );
}

#[test]
fn quiet_ends_an_incident_with_what_is_held() {
    check(
        Wanted {
            quiet: Some(240),
            ..three_a_minute()
        },
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1 x3
        00:40 write alpha:k1 x2
        10:00 write alpha:k1 x2
        ",
        "
        00:10 alpha k1 first 3
        04:40 alpha k1 resolved 2
        ",
    );
}

#[test]
fn what_was_written_while_it_was_down_is_not_quiet() {
    check(
        Wanted {
            quiet: Some(600),
            ..Wanted::default()
        },
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        01:00 kill
        20:00 write alpha:k1
        30:00 start
        ",
        "
        00:10 alpha k1 first 1
        30:00 alpha k1 summary 1
        40:00 alpha k1 resolved 0
        ",
    );
}

#[test]
fn an_open_incident_is_spoken_of_again() {
    check(
        Wanted {
            repeat: vec![3_600, 7_200],
            ..resolved()
        },
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        30:00 write alpha:k1
        4:00:00 good alpha:k1
        ",
        "
        00:10 alpha k1 first 1
        30:00 alpha k1 summary 1
        1:00:10 alpha k1 repeat 0
        3:00:10 alpha k1 repeat 0
        4:00:00 alpha k1 resolved 0
        ",
    );
}

#[test]
fn what_opens_too_often_is_quiet_until_it_does_not() {
    check(
        resolved(),
        "
        00:00 log app.log
        00:00 start
        01:00 write alpha:k1
        02:00 good alpha:k1
        03:00 write alpha:k1
        04:00 good alpha:k1
        05:00 write alpha:k1
        06:00 good alpha:k1
        07:00 write alpha:k1
        08:00 good alpha:k1
        ",
        "
        01:00 alpha k1 first 1
        02:00 alpha k1 resolved 0
        03:00 alpha k1 first 1
        04:00 alpha k1 resolved 0
        05:00 alpha k1 flapping 1
        38:00 alpha k1 summary 1
        ",
    );
}

#[test]
fn a_silence_counts_and_sums_up() {
    check(
        Wanted::default(),
        "
        00:00 log app.log
        00:00 start
        00:10 silence alpha 1800
        01:00 write alpha:k1 x2
        02:00 write alpha:k2
        10:00 kill
        11:00 start
        12:00 write alpha:k1
        ",
        "
        30:10 alpha k1 silence_end 3
        30:11 alpha k2 silence_end 1
        ",
    );
}

#[test]
fn a_silence_may_end_early_and_an_open_incident_is_said() {
    check(
        resolved(),
        "
        00:00 log app.log
        00:00 start
        00:10 silence alpha 7200
        01:00 write alpha:k1
        02:00 write alpha:k2
        03:00 good alpha:k2
        40:00 speak alpha
        50:00 good alpha:k1
        ",
        "
        40:00 alpha k1 silence_end 1
        40:01 alpha k2 silence_end 1
        50:00 alpha k1 resolved 0
        ",
    );
}

#[test]
fn the_end_of_what_was_said_is_said_in_silence_too() {
    check(
        resolved(),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        01:00 silence alpha 7200
        02:00 write alpha:k1
        03:00 good alpha:k1
        04:00 write alpha:k1
        ",
        "
        00:10 alpha k1 first 1
        03:00 alpha k1 resolved 1
        2:01:00 alpha k1 silence_end 1
        ",
    );
}

#[test]
fn a_window_that_is_open_when_silence_comes_says_nothing() {
    check(
        Wanted::default(),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        01:00 write alpha:k1
        02:00 silence alpha 3600
        03:00 write alpha:k1
        ",
        "
        00:10 alpha k1 first 1
        1:02:00 alpha k1 silence_end 2
        ",
    );
}

#[test]
fn what_is_bigger_keeps_it_quiet() {
    let beta = Told {
        wanted: Wanted {
            inhibited_by: vec!["alpha"],
            ..Wanted::default()
        },
        ..Told::new("beta")
    };
    check_said(
        vec![alpha(resolved()), beta],
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        01:00 write beta:k1 x2
        01:10 write beta:k2
        02:00 good alpha:k1
        ",
        "
        00:10 alpha k1 first 1
        01:10 beta k2 first 1
        02:00 alpha k1 resolved 0
        02:01 beta k1 silence_end 2
        ",
    );
}

#[test]
fn silence_is_the_alarm() {
    check(
        Wanted {
            absent: Some(3_600),
            one_instance: true,
            ..Wanted::default()
        },
        "
        00:00 log app.log
        00:00 start
        10:00 write alpha:k1
        1:20:00 write alpha:k2
        ",
        "
        1:10:00 alpha  first 1
        1:20:00 alpha k2 resolved 0
        2:20:00 alpha  first 1
        ",
    );
}

#[test]
fn a_rule_is_missed_from_its_first_load_on() {
    check(
        Wanted {
            absent: Some(3_600),
            one_instance: true,
            ..Wanted::default()
        },
        "
        00:00 start
        10:00 kill
        30:00 start
        ",
        "
        1:00:00 alpha  first 1
        ",
    );
}

#[test]
fn what_came_while_it_was_down_is_not_missed() {
    check(
        Wanted {
            absent: Some(600),
            one_instance: true,
            ..Wanted::default()
        },
        "
        00:00 log app.log
        00:00 start
        01:00 write alpha:k1
        02:00 kill
        20:00 write alpha:k1
        21:00 start
        ",
        "
        31:00 alpha  first 1
        ",
    );
}

#[test]
fn each_value_is_missed_by_itself() {
    check(
        Wanted {
            absent: Some(3_600),
            ..Wanted::default()
        },
        "
        00:00 log app.log
        00:00 start
        10:00 write alpha:k1
        20:00 write alpha:k2
        50:00 write alpha:k1
        1:30:00 write alpha:k2
        1:40:00 write alpha:k1
        2:20:00 write alpha:k2
        2:30:00 write alpha:k1
        7:50:00 write alpha:k2
        ",
        "
        1:20:00 alpha k2 first 1
        1:30:00 alpha k2 resolved 0
        3:20:00 alpha k2 first 1
        3:30:00 alpha k1 first 1
        7:50:00 alpha k2 resolved 0
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

#[test]
fn a_rule_that_is_removed_closes_its_incidents() {
    check_said(
        vec![alpha(resolved()), Told::new("beta")],
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        01:00 write alpha:k1
        02:00 rules beta
        03:00 rules alpha,beta
        04:00 good alpha:k1
        05:00 write alpha:k1
        ",
        "
        00:10 alpha k1 first 1
        02:00 alpha k1 course 1
        05:00 alpha k1 first 1
        ",
    );
}

#[test]
fn worse_news_passes_an_open_window_with_what_is_held() {
    check_said(
        vec![Told {
            severity: Severity::Warning,
            ..alpha(resolved())
        }],
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        01:00 write alpha:k1 x2
        02:00 worse
        02:10 write alpha:k1
        03:00 good alpha:k1
        ",
        "
        00:10 alpha k1 first 1
        02:10 alpha k1 severity 3
        03:00 alpha k1 resolved 0
        ",
    );
}

#[test]
fn a_changed_match_clears_counters() {
    check(
        three_a_minute(),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1 x2
        00:20 wants match 0
        00:30 write alpha:k1 x2
        00:40 write alpha:k1
        ",
        "
        00:40 alpha k1 first 3
        ",
    );
}

#[test]
fn a_changed_match_keeps_the_incident() {
    check(
        resolved(),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        01:00 kill
        02:00 start
        02:10 wants match 0
        03:00 good alpha:k1
        ",
        "
        00:10 alpha k1 first 1
        03:00 alpha k1 resolved 0
        ",
    );
}

#[test]
fn a_changed_window_is_reckoned_anew() {
    check(
        Wanted::default(),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        01:00 write alpha:k1
        01:30 wants debounce 120
        ",
        "
        00:10 alpha k1 first 1
        02:10 alpha k1 summary 1
        ",
    );
}

#[test]
fn a_changed_quiet_is_reckoned_anew() {
    check(
        Wanted {
            quiet: Some(3_600),
            ..Wanted::default()
        },
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        01:00 write alpha:k1
        01:30 wants quiet 120
        ",
        "
        00:10 alpha k1 first 1
        03:00 alpha k1 resolved 1
        ",
    );
}

#[test]
fn a_changed_absence_is_reckoned_anew() {
    check(
        Wanted {
            absent: Some(3_600),
            one_instance: true,
            ..Wanted::default()
        },
        "
        00:00 log app.log
        00:00 start
        10:00 write alpha:k1
        20:00 wants absent 900
        ",
        "
        25:00 alpha  first 1
        ",
    );
}
