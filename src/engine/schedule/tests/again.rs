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

/// A log is made anew while nobody runs, and gets the number of the one before. A look at that
/// would open the new one, and whoever is told apart is closed: it may be deleted by then.
#[test]
fn what_lost_its_number_does_not_open_the_file_that_has_it() {
    let mut life = Life::with_log();
    let known = life.records();
    let log = make_anew_with_its_number(&mut life);
    life.start(known);
    for _ in 0..20 {
        life.go_on();
        let n_open = (life.directory.open.values()).filter(|open| **open == log);
        assert!(n_open.count() <= 1, "{:?}", life.directory.open);
    }
    life.rest(20);
    life.check();
}

/// A log is made anew while its last line is not finished.
#[test]
fn nothing_is_waited_for_in_what_lost_its_number() {
    let mut life = Life::with_log();
    life.directory.bytes(LOG).extend(b"ERROR unfinished");
    let waits = |life: &Life| life.schedule.streams().find_map(Stream::wakeup);
    while waits(&life).is_none() {
        life.go_on();
    }
    life.directory.open.clear();
    make_anew_with_its_number(&mut life);
    while life.schedule.streams().count() < 2 {
        life.go_on();
    }
    assert_eq!(waits(&life), None);
    life.rest(20);
    life.check();
}

fn make_anew_with_its_number(life: &mut Life) -> usize {
    let before = life.directory.names[LOG];
    life.directory.make(LOG);
    let log = life.directory.names[LOG];
    life.directory.files[log].inode = life.directory.files[before].inode;
    log
}
