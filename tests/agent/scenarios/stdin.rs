//! Standard input: read from its beginning, and an end.

use logcrier::rules::{From, STDIN};

use super::alpha;
use crate::world::script::{check, check_all};
use crate::world::told::{Dialect, Told};

fn piped() -> Told {
    Told {
        glob: STDIN.into(),
        from: From::Beginning,
        ..alpha()
    }
}

#[test]
fn g6_what_was_counted_is_said_at_the_end() {
    check(
        piped(),
        "
        00:00 log /dev/stdin
        00:00 write alpha:k1
        00:00 start
        00:05 write alpha:k1 x3
        00:06 write alpha:k2
        00:10 close
        ",
        "
        00:00 alpha k1 first 1
        00:06 alpha k2 first 1
        00:10 alpha k1 summary 3
        ",
    );
}

#[test]
fn the_end_waits_for_the_space() {
    check(
        piped(),
        "
        00:00 log /dev/stdin
        00:00 start
        00:01 space unreachable
        00:05 write alpha:k1 x2
        00:06 close
        01:00 space fair
        ",
        "01:27 alpha k1 first 2",
    );
}

#[test]
fn the_end_waits_for_a_record_that_may_go_on() {
    check(
        Told {
            dialect: Dialect::Stacks,
            ..piped()
        },
        "
        00:00 log /dev/stdin
        00:00 start
        00:05 write alpha:k1
        00:05 close
        ",
        "00:06 alpha k1 first 1",
    );
}

#[test]
fn an_agent_that_watches_more_goes_on() {
    let beta = Told::new("beta");
    check_all(
        vec![piped(), beta],
        "
        00:00 log /dev/stdin
        00:00 start
        00:05 write alpha:k1 x2
        00:06 ended
        00:08 log app.log
        00:10 write beta:k1
        ",
        "
        00:05 alpha k1 first 2
        00:10 beta k1 first 1
        ",
    );
}
