//! Hints that come while a file is being looked at.

use super::*;

/// When the look begins.
const BEGUN: Moment = Moment(1_000_000_000_000);

/// Whether a file is looked at once more if hints come while it is, of what had happened
/// by these moments, and the look does or does not fail.
fn is_looked_at_again(hinted: &[Moment], has_failed: bool) -> bool {
    let mut life = Life::with_log();
    life.now = BEGUN;
    let hint = || Hint::Written(LOG.into());
    life.schedule.hint(BEGUN, hint(), BEGUN);
    let look = next_look(&mut life).expect("it was hinted at");
    for since in hinted {
        life.schedule.hint(BEGUN, hint(), *since);
    }
    let why = "input/output error".to_owned();
    let outcome = match has_failed {
        true => Err(Fault { why }),
        false => Ok(life.directory.look(&look)),
    };
    life.schedule.looked(life.now, look.stream, BEGUN, outcome);
    next_look(&mut life).is_some()
}

/// The next look that is wanted now.
fn next_look(life: &mut Life) -> Option<LookAt> {
    loop {
        let may = May {
            read: true,
            list: false,
        };
        match life.schedule.next_turn(life.now, may)? {
            Turn::Look(look) => return Some(look),
            turn => life.answer(&turn),
        }
    }
}

#[test]
fn what_had_happened_before_a_look_began_was_seen_by_it() {
    let [before, after] = [Moment(BEGUN.0 - 1), Moment(BEGUN.0 + 1)];
    for (hinted, has_failed, is_again) in [
        (&[][..], false, false),
        (&[before], false, false),
        (&[BEGUN], false, true),
        (&[after], false, true),
        (&[after, before], false, true),
        (&[before], true, false),
        (&[after], true, true),
    ] {
        let case = format!("{hinted:?}, failed: {has_failed}");
        assert_eq!(is_looked_at_again(hinted, has_failed), is_again, "{case}");
    }
}
