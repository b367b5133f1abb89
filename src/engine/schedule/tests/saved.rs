//! Logs that an editor saves, and that are saved again or rotated before anybody looks.

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

/// A look at what was saved takes long. Meanwhile it is written to and saved once more, and that
/// is rotated: what lies there is held against what was saved first when nothing is known of it.
#[test]
fn what_is_rotated_is_held_against_a_saved_log_again_when_that_is_known() {
    let mut life = Life::with_log();
    save(&mut life);
    let saved = life.directory.facts(life.directory.names[LOG]).place;
    let look = next_look_at(&mut life, saved);
    let found = life.directory.look(&look);
    life.directory.write();
    save(&mut life);
    life.directory.rename(LOG, KIN[0]);
    life.directory.make(LOG);
    life.schedule.ask_for_all();
    while let Some(turn) = next_turn(&mut life) {
        life.answer(&turn);
    }
    (life.schedule).looked(life.now, look.stream, life.now, Ok(found));
    life.rest(20);
    life.check();
}

/// An editor saves a log twice, and what it made last is rotated. While that is looked at for the
/// sake of what was saved first, it comes to light that this is gone: then it is held against the
/// log itself.
#[test]
fn what_is_rotated_is_held_against_the_log_when_what_was_saved_between_is_gone() {
    let mut life = Life::with_log();
    save(&mut life);
    let saved = life.directory.facts(life.directory.names[LOG]).place;
    let first = next_look_at(&mut life, saved);
    save(&mut life);
    life.directory.rename(LOG, KIN[0]);
    let found = life.directory.look(&first);
    life.directory.make(LOG);
    let rotated = life.directory.facts(life.directory.names[KIN[0]]).place;
    life.schedule.ask_for_all();
    let early = next_look_at(&mut life, rotated);
    life.answer(&Turn::Look(early));
    life.schedule
        .hint(life.now, Hint::Renamed(KIN[0].into()), life.now);
    let late = next_look_at(&mut life, rotated);
    (life.schedule).looked(life.now, first.stream, life.now, Ok(found));
    life.answer(&Turn::Look(late));
    life.rest(20);
    life.check();
}

/// An editor saves a log while nobody runs. A listing shows that, and before it is told what was
/// saved is rotated, and the log made anew gets the number that it had before it was saved.
#[test]
fn what_an_older_listing_shows_goes_on_where_the_log_before_the_new_one_was_left() {
    tell_of_saved_late(|life| {
        let made = life.directory.facts(life.directory.names[LOG]).place;
        let look = next_look_at(life, made);
        life.answer(&Turn::Look(look));
    });
}

/// The same, but what was rotated is found before the listing is told: the new log, which loses
/// its name to that for a moment, is read at once.
#[test]
fn what_loses_its_name_to_an_older_listing_is_not_taken_for_a_copy() {
    tell_of_saved_late(|life| {
        while let Some(turn) = next_turn(life) {
            life.answer(&turn);
        }
    });
}

fn tell_of_saved_late(go_on: impl Fn(&mut Life)) {
    let mut life = Life::with_log();
    let known = life.records();
    save(&mut life);
    life.directory.write();
    life.start(known);
    let turn = next_turn(&mut life);
    assert!(matches!(turn, Some(Turn::List(_))), "{turn:?}");
    let entries = life.directory.list(&[LOG]);
    life.directory.rename(LOG, KIN[0]);
    life.directory.make(LOG);
    let hint = Hint::Written(LOG.into());
    life.schedule.hint(life.now, hint, life.now);
    go_on(&mut life);
    let listing = Listing {
        entries,
        ..Listing::default()
    };
    life.schedule.listed(life.now, listing);
    life.rest(20);
    life.check();
}

/// The next look at a file: all turns before it are carried out.
fn next_look_at(life: &mut Life, place: Place) -> LookAt {
    loop {
        match next_turn(life) {
            Some(Turn::Look(look)) if look.place == place => return look,
            Some(turn) => life.answer(&turn),
            None => life.now = life.schedule.wakeup().expect("it is polled"),
        }
    }
}

fn next_turn(life: &mut Life) -> Option<Turn> {
    let may = May {
        read: true,
        list: true,
    };
    life.schedule.tick(life.now);
    life.schedule.next_turn(life.now, may)
}
