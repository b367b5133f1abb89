//! Files that cannot be read for a while.

use std::time::Duration;

use super::*;

/// What came and went between two listings cannot be read for long. The names of all others
/// went on meanwhile: what was seen last at its name is no newer one.
#[test]
fn what_came_and_went_and_cannot_be_read_for_long_is_read_when_it_can_be() {
    let mut life = Life::with_log();
    life.directory.rename(LOG, KIN[0]);
    life.rest(20);
    life.directory.make(LOG);
    life.rest(20);
    life.directory.rename(KIN[0], KIN[2]);
    life.directory.rename(LOG, KIN[1]);
    life.directory.make(LOG);
    life.directory.write_much();
    life.directory.rename(LOG, KIN[0]);
    let unreadable = life.directory.facts(life.directory.names[KIN[0]]).place;
    go_on_without(&mut life, unreadable, 200);
    life.rest(200);
    life.check();
}

/// A copy of a log that came to be while the log was deleted cannot be read for long: what is
/// known of the log already is not read of it.
#[test]
fn a_copy_that_cannot_be_read_for_long_is_read_on_when_it_can_be() {
    let mut life = Life::with_log();
    life.directory.copy(KIN[0]);
    let unreadable = life.directory.facts(life.directory.names[KIN[0]]).place;
    life.directory.rename(LOG, KIN[1]);
    life.directory.make(LOG);
    go_on_without(&mut life, unreadable, 200);
    life.rest(200);
    life.check();
}

/// What came and went unread is rotated once more before anybody could open it.
#[test]
fn what_could_not_be_read_is_looked_for_when_it_is_rotated_once_more() {
    let mut life = Life::with_log();
    life.directory.rename(LOG, KIN[0]);
    life.directory.make(LOG);
    life.directory.write_much();
    let unreadable = life.directory.facts(life.directory.names[LOG]).place;
    let rotate = |life: &mut Life| {
        for (from, to) in [(KIN[1], KIN[2]), (KIN[0], KIN[1]), (LOG, KIN[0])] {
            if life.directory.names.contains_key(from) {
                life.directory.rename(from, to);
            }
        }
        life.directory.make(LOG);
        go_on_without(life, unreadable, 5);
    };
    rotate(&mut life);
    rotate(&mut life);
    life.rest(200);
    life.check();
}

/// An editor saves a log that cannot be read, and what it made is rotated. That has all of it,
/// and is read.
#[test]
fn what_could_not_be_read_and_was_read_elsewhere_is_not_read_when_it_can_be() {
    let mut life = Life::with_log();
    life.directory.write();
    let unreadable = life.directory.facts(life.directory.names[LOG]).place;
    life.directory.copy(OTHER);
    life.directory.rename(OTHER, LOG);
    life.directory.rename(LOG, KIN[0]);
    life.directory.make(LOG);
    go_on_without(&mut life, unreadable, 5);
    life.rest(200);
    life.check();
}

/// A log that cannot be read is copied and emptied, written to and deleted: what was known of it
/// goes on in the copy, and what it holds itself is read when it can be.
#[test]
fn what_a_log_that_was_read_on_elsewhere_holds_itself_is_read_when_it_can_be() {
    let mut life = Life::with_log();
    life.directory.write();
    let unreadable = life.directory.facts(life.directory.names[LOG]).place;
    life.directory.copy(KIN[0]);
    life.directory.bytes(LOG).clear();
    life.directory.write_much();
    life.directory.make(LOG);
    go_on_without(&mut life, unreadable, 5);
    life.rest(200);
    life.check();
}

/// An editor saves a log while its last line is waited for, and saves what it made once more. That
/// cannot be read, and what takes its name waits for the log itself.
#[test]
fn what_goes_on_for_a_saved_log_that_cannot_be_read_waits_for_the_log_before_it() {
    let mut life = Life::with_log();
    (life.directory.bytes(LOG)).extend(b"ERROR unfinished");
    life.rest(2);
    life.directory.copy(OTHER);
    life.directory.rename(OTHER, LOG);
    life.directory.bytes(LOG).push(b'\n');
    life.directory.write();
    life.rest(2);
    let unreadable = life.directory.facts(life.directory.names[LOG]).place;
    life.directory.copy(OTHER);
    life.directory.rename(OTHER, LOG);
    go_on_without(&mut life, unreadable, 20);
    life.rest(60);
    assert_eq!(life.told.get("ERROR unfinished"), Some(&1));
    life.check();
}

/// Goes on for so many seconds in which a file cannot be read.
fn go_on_without(life: &mut Life, unreadable: Place, secs: u64) {
    let may = May {
        read: true,
        list: true,
    };
    let until = life.now.after(Duration::from_secs(secs));
    while life.now < until {
        life.schedule.tick(life.now);
        match life.schedule.next_turn(life.now, may) {
            Some(Turn::Look(look)) if look.place == unreadable => {
                let why = "permission denied".to_owned();
                let fault = Err(Fault { why });
                (life.schedule).looked(life.now, look.stream, life.now, fault);
            }
            Some(turn) => life.answer(&turn),
            None => life.now = (life.schedule.wakeup().expect("it is polled")).max(life.now),
        }
    }
}
