//! What opens an incident, what is said of it, and what ends it.

use logcrier::rules::Severity;

use super::{alpha, check, resolved, three_a_minute};
use crate::world::script::check_said;
use crate::world::told::{Told, Wanted};

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
