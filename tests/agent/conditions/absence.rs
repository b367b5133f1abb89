//! What is said because nothing came.

use super::{alpha, check, missed_after};
use crate::world::script::check_said;
use crate::world::told::{Told, Wanted};

#[test]
fn silence_is_the_alarm() {
    check(
        missed_after(3_600),
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
        missed_after(3_600),
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
        missed_after(600),
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

/// A file that never was is told apart from its lines, which are missed all the same. Of
/// several names one is enough.
#[test]
fn a_file_that_is_waited_for_and_never_was_is_told() {
    let named = |glob: &str| {
        vec![Told {
            glob: glob.into(),
            ..alpha(missed_after(3_600))
        }]
    };
    check_said(
        named("/logs/app.log"),
        "
        00:00 start
        20:00 log app.log
        20:05 write alpha:k1
        30:00 kill
        30:10 start
        ",
        "
        10:00 logcrier.source /logs/app.log first 1
        1:20:05 alpha  first 1
        ",
    );
    check_said(
        named("/logs/app.log /logs/other.log"),
        "
        00:00 log other.log
        00:00 start
        ",
        "
        1:00:00 alpha  first 1
        ",
    );
}
