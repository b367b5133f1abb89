//! What is said at once, what is counted, and what is summed up.

use logcrier::rules::Debounce;

use super::{MINUTE, alpha, debounced};
use crate::world::script::check;
use crate::world::told;

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
