//! Rules that change while something is counted, open or waited for.

use super::{alpha, check, missed_after, resolved, three_a_minute};
use crate::world::script::check_said;
use crate::world::told::{Told, Wanted};

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
        missed_after(3_600),
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
