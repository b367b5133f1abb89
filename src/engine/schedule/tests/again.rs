//! Files of an earlier life.

use super::*;

/// A log is made anew while nobody runs, and gets the number of the one before, of which is
/// kept only what was known. Whose the number is must be known in the next life as well.
#[test]
fn a_number_that_two_files_had_is_that_of_the_second() {
    let mut life = Life::with_log();
    life.directory.tells_birth = false;
    let mut before = life.records();
    let gone = life.directory.names.remove(LOG);
    life.directory.unlink(gone);
    life.start(before.clone());
    life.may_read = false;
    life.rest(2);
    life.directory.make(LOG);
    life.directory.write_much();
    life.rest(2);
    before.values_mut().for_each(|record| record.rotated = true);
    let known: BTreeMap<_, _> = before.into_iter().chain(life.records()).collect();
    let places: BTreeSet<Place> = known.values().map(|known| known.identity.place).collect();
    assert_eq!((known.len(), places.len()), (2, 1), "{known:?}");
    life.start(known);
    life.may_read = true;
    life.rest(20);
    life.check();
}

/// A log is copied over its rotated file, and the agent ends before that is read.
#[test]
fn what_was_written_over_a_rotated_file_is_held_against_its_log_in_another_life() {
    let mut life = Life::with_log();
    life.directory.rename(LOG, KIN[0]);
    life.directory.make(LOG);
    life.directory.write_much();
    life.rest(5);
    life.directory.copy(KIN[0]);
    let rotated = life.directory.facts(life.directory.names[KIN[0]]).place;
    let is_anew = |stream: &Stream| stream.place() == rotated && stream.is_fresh();
    while !life.schedule.streams().any(is_anew) {
        life.go_on();
    }
    let known = life.records();
    life.start(known);
    life.rest(20);
    life.check();
}

/// The same, and the log was emptied: what is known of that and of the rotated file itself, from
/// before, is both remembered when the agent ends.
#[test]
fn what_was_written_over_a_rotated_file_is_not_held_against_what_that_was_before() {
    let mut life = Life::with_log();
    life.directory.rename(LOG, KIN[0]);
    life.directory.make(LOG);
    life.directory.write_much();
    life.rest(5);
    life.directory.copy(KIN[0]);
    life.directory.bytes(LOG).clear();
    let n_ghosts = |life: &Life| life.schedule.streams().filter(|one| one.is_ghost()).count();
    while n_ghosts(&life) < 2 {
        life.go_on();
    }
    let known = life.records();
    life.start(known);
    life.rest(20);
    life.check();
}
