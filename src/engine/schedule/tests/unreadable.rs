//! Files that cannot be read for a while.

use std::time::Duration;

use super::*;

/// What came and went between two listings cannot be read for so long that it is given up. The
/// names of all others went on meanwhile: what was seen last at its name is no newer one.
#[test]
fn what_was_given_up_is_asked_for_again_when_the_next_log_comes() {
    let mut life = Life::with_log();
    life.directory.rename(LOG, KIN[0]);
    life.rest(20);
    life.directory.make(LOG);
    life.rest(20);
    life.directory.rename(KIN[0], KIN[2]);
    life.directory.rename(LOG, KIN[1]);
    life.directory.make(KIN[0]);
    let unreadable = life.directory.facts(life.directory.names[KIN[0]]).place;
    let until = life.now.after(Duration::from_secs(200));
    while life.now < until {
        go_on_without(&mut life, unreadable);
    }
    let mut streams = life.schedule.streams();
    assert!(streams.all(|stream| stream.place() != unreadable));
    drop(streams);
    life.directory.make(LOG);
    life.rest(20);
    life.check();
}

/// Goes on while a file cannot be read.
fn go_on_without(life: &mut Life, unreadable: Place) {
    let may = May {
        read: true,
        list: true,
    };
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
