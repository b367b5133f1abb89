//! Rotated files that have another name by now.

use super::*;

/// Nobody looked where the older file went when the newer one was rotated as well, and nothing
/// stands at its name yet. By the name that it had before, it would be the newest of all, and
/// what comes and goes next would not be asked for.
#[test]
fn a_rotated_file_is_not_taken_for_a_newer_one_by_the_name_that_it_had() {
    let mut life = Life::with_log();
    life.directory.rename(LOG, KIN[0]);
    life.directory.make(LOG);
    life.directory.write_much();
    life.rest(20);
    life.directory.rename(KIN[0], KIN[2]);
    life.directory.rename(LOG, KIN[1]);
    life.rest(20);
    life.directory.make(LOG);
    life.directory.write_much();
    life.directory.rename(LOG, KIN[0]);
    life.directory.make(LOG);
    life.rest(20);
    life.check();
}
