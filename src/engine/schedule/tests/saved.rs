//! Logs that an editor saves more than once between two looks.

use super::*;

/// An editor saves the log: what it wrote takes the name.
fn save(life: &mut Life) {
    life.directory.copy(OTHER);
    life.directory.rename(OTHER, LOG);
}

/// What was saved first is gone before anybody looks at it, and its number went to a file
/// that only its birth tells from it.
#[test]
fn what_has_the_number_of_a_saved_log_is_not_held_against_the_one_before() {
    let mut life = Life::with_log();
    life.may_read = false;
    life.directory.write();
    life.rest(2);
    save(&mut life);
    while !matches!(life.go_on(), Some(Turn::List(_))) {}
    save(&mut life);
    life.directory.make(OTHER);
    life.directory.n_lines -= 1;
    life.rest(10);
    life.may_read = true;
    life.rest(20);
    life.check();
}
