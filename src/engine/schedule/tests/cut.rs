//! Logs whose end is cut off, and that are written on.

use super::*;

/// The log is cut in place, written on, copied and emptied while nobody can look for copies.
/// The copy begins like what was known from before the first cut.
#[test]
fn a_copy_is_not_taken_for_one_from_before_its_end_was_cut() {
    let mut life = Life::with_log();
    life.directory.bytes(LOG).extend(b"an unfinished line");
    life.rest(60);
    life.directory.is_hidden = true;
    let bytes = life.directory.bytes(LOG);
    bytes.truncate(bytes.len() - b"an unfinished line".len());
    life.directory.write_much();
    life.rest(5);
    life.directory.copy(KIN[0]);
    life.directory.bytes(LOG).clear();
    life.rest(5);
    life.directory.is_hidden = false;
    life.rest(20);
    life.check();
}

/// What is cut off was not finished, so it was never searched: the lines before it are known.
#[test]
fn lines_before_an_unfinished_one_that_is_cut_off_are_not_read_again() {
    let mut life = Life::new(0);
    life.rest(1);
    life.directory.make(LOG);
    let bytes = life.directory.bytes(LOG);
    let n_bytes = bytes.len();
    bytes.extend([b'x'; 100]);
    life.rest(2);
    life.directory.bytes(LOG).truncate(n_bytes);
    life.directory.write_much();
    life.rest(20);
    life.check();
}

/// Of a file that is one unfinished line nothing is known but how it begins. It is cut and written
/// on while nobody may read.
#[test]
fn an_unfinished_line_that_is_cut_and_finished_is_read_once() {
    let mut life = with_unfinished(&[b'x'; 1100]);
    let bytes = life.directory.bytes(LOG);
    bytes.truncate(500);
    bytes.push(b'\n');
    life.directory.write_much();
    life.directory.bytes(LOG).extend([b'y'; 500]);
    life.may_read = true;
    life.rest(60);
    life.check();
}

/// The same, but it is emptied, and another one begins there.
#[test]
fn what_takes_the_place_of_an_unfinished_line_is_read_once() {
    let mut life = with_unfinished(&[b'x'; 100]);
    let line = format!("ERROR {}", "y".repeat(70));
    let bytes = life.directory.bytes(LOG);
    bytes.clear();
    bytes.extend(line.bytes());
    life.may_read = true;
    life.rest(60);
    assert_eq!(life.told.get(&line), Some(&1), "{:?}", life.told);
}

/// A life in which a log of one unfinished line is to be read, and may not be.
fn with_unfinished(line: &[u8]) -> Life {
    let mut life = Life::new(0);
    life.rest(1);
    life.directory.make(LOG);
    life.directory.n_lines = 0;
    let bytes = life.directory.bytes(LOG);
    bytes.clear();
    bytes.extend(line);
    life.rest(2);
    life.may_read = false;
    life.rest(60);
    life
}
