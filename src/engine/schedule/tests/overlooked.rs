//! Files that a listing lacks although they stand there: names changed while their directory
//! was read.

use super::*;

/// An editor saves a log, and what it made is not in the listing after that. It comes to light
/// with the safety look, when the log itself would long have been let go.
#[test]
fn what_an_editor_made_of_a_log_goes_on_though_a_listing_lacked_it() {
    let mut life = Life::with_log();
    life.schedule.means.noticing = Noticing::Hinted;
    life.schedule.ask_for_all();
    go_on_for_now(&mut life, true);
    life.directory.copy(OTHER);
    life.directory.rename(OTHER, LOG);
    let hint = Hint::Written(LOG.into());
    life.schedule.hint(life.now, hint, life.now);
    go_on_for_now(&mut life, false);
    let turn = next_turn(&mut life, true);
    assert!(matches!(turn, Some(Turn::List(_))), "{turn:?}");
    life.schedule.listed(life.now, Listing::default());
    life.directory.write();
    life.rest(20);
    life.check();
}

/// Gives all turns that there are now.
fn go_on_for_now(life: &mut Life, may_list: bool) {
    while let Some(turn) = next_turn(life, may_list) {
        life.answer(&turn);
    }
}

fn next_turn(life: &mut Life, may_list: bool) -> Option<Turn> {
    let may = May {
        read: true,
        list: may_list,
    };
    life.schedule.next_turn(life.now, may)
}
