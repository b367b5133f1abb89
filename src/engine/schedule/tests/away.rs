//! Logs that were away: nothing stood at the name, and that was seen.

use super::*;

/// What comes to the name then may go again before it is listed.
#[test]
fn what_came_and_went_after_a_log_was_away_is_read() {
    let mut life = Life::with_log();
    life.directory.rename(LOG, KIN[0]);
    life.rest(20);
    life.directory.make(LOG);
    life.directory.write_much();
    life.directory.rename(KIN[0], KIN[1]);
    life.directory.rename(LOG, KIN[0]);
    life.directory.make(LOG);
    life.rest(20);
    life.check();
}
