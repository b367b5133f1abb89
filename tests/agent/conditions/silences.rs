//! What keeps a rule quiet, and what it says then.

use super::{alpha, check, resolved};
use crate::world::script::check_said;
use crate::world::told::{Told, Wanted};

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
