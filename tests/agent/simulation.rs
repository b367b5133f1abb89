//! Seeds through the simulated world.
//!
//! Every run lives through the same histories, and through some that nobody has lived
//! through before: `FRESH=1000` for as many of those, `FRESH=0` for none. `SEEDS=100000`
//! lives through as many in a row, from `FROM=…` on. `SEED=… SIZE=…` lives through one
//! again and tells its story; a failure prints both. `SURVEY=1` does not stop at the
//! first failure but tells how often each promise broke; `SHRINK=0` looks for no shorter
//! history.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::world::history::{Ending, live};
use crate::world::oracle::Failure;
use crate::world::shrink::shrink;

/// Histories of every test run, always the same.
const SEEDS_FIXED: u64 = 2_000;

/// Histories of every test run that nobody has lived through, unless told otherwise.
const SEEDS_FRESH: u64 = 10;

/// Histories beyond those that once broke a promise, and what came to light in them.
#[rustfmt::skip]
pub(crate) const SEEDS_NOTED: [u64; 27] = [
    // A name was back before anybody could look at the file again: it was left unread.
    2_548,
    // The only record of a file was taken as it stood, and the file saved by an editor.
    3_729,
    // A log was cut and then made anew before anybody could look at it.
    3_578,
    // What stood in for a space came home after a later message of its thread.
    40_936,
    // What a copy was held against was let go while the copy was looked at.
    823_431,
    // A listing that had been made before a rotation was told after it.
    842_735,
    // A log was copied and cut while nobody could list where it stood.
    862_679,
    // The number of an old generation went to another log.
    899_738,
    // A log was copied over an old copy while that was looked at.
    828_286,
    // A copy was met before the log that it was made of, which had been rotated.
    801_671,
    // A log was saved by an editor twice and rotated, between two looks.
    884_421,
    // A copy has the number of a file that was deleted while the agent was down.
    855_101,
    // A log was copied over an old copy, cut and rotated while the agent was down.
    904_868,
    // A log was saved by an editor, written to and rotated, between two looks.
    910_363,
    // The number of a rotated file went to a file of another log.
    828_984,
    // The number of a deleted log went to a rotated file of another one.
    817_854,
    // What a space had answered last was in a commit that failed.
    971_881,
    // Two safety looks in a row were told the size of yesterday.
    832_809,
    // A log was written anew and ended as before at the position, with another beginning.
    7_400,
    // The agent ended when a log had been cut, and its copy was not read yet.
    31_770,
    // What an editor saved was gone at once, and its number went to a file of another log.
    11_124,
    // The log had the number of a file that was rotated long ago, and was rotated as well.
    126_546,
    // A space was in trouble, and the only answer that it gave since was a refusal.
    121_611,
    // A record that had been taken unfinished ended with the last line, and was refused.
    102_380,
    // A log was copied and deleted before it was on disk that its old lines were read.
    142_173,
    // What a saved log waited for was forgotten with it when it was saved once more.
    123_262,
    // A log was cut, and copied when it held the rest of a line that had been read in part.
    121_386,
];

/// Choices in a history, at most.
const SIZE: u64 = 400;

/// One in so many histories is lived through twice.
const TWICE: u64 = 25;

/// Threads that live histories.
const WORKERS: usize = 2;

#[test]
fn histories() {
    if let Some(seed) = setting("SEED") {
        return again(seed, setting("SIZE").unwrap_or(size_of(seed)));
    }
    let fresh = fresh_seed();
    let n_fresh = setting("FRESH").unwrap_or(SEEDS_FRESH);
    let seeds: Vec<u64> = match setting("SEEDS") {
        Some(n_seeds) => (0..n_seeds)
            .map(|n| n + setting("FROM").unwrap_or(0))
            .collect(),
        None => (SEEDS_NOTED.into_iter().chain(0..SEEDS_FIXED))
            .chain((0..n_fresh).map(|n| n + fresh))
            .collect(),
    };
    let next = AtomicUsize::new(0);
    let [millis, lines, messages] = [(); 3].map(|()| AtomicU64::new(0));
    let failures = std::sync::Mutex::new(Vec::new());
    let is_survey = setting("SURVEY").is_some();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let is_over = failures.lock().is_ok_and(|all| !all.is_empty()) && !is_survey;
                    let seed = seeds.get(next.fetch_add(1, Ordering::Relaxed));
                    let Some(&seed) = seed.filter(|_| !is_over) else {
                        return;
                    };
                    let ending = live_once(seed);
                    let lived = u64::try_from(ending.lived.as_millis()).unwrap_or(u64::MAX);
                    millis.fetch_add(lived, Ordering::Relaxed);
                    lines.fetch_add(ending.n_lines as u64, Ordering::Relaxed);
                    messages.fetch_add(ending.n_messages as u64, Ordering::Relaxed);
                    if let Some(failure) = ending.failure {
                        failures
                            .lock()
                            .expect("nobody panics here")
                            .push((seed, failure));
                    }
                }
            });
        }
    });
    let lived = Duration::from_millis(millis.into_inner());
    say(&format!(
        "{} histories, {} simulated hours, {} lines, {} messages",
        seeds.len(),
        lived.as_secs() / 3600,
        lines.into_inner(),
        messages.into_inner(),
    ));
    let failures = failures.into_inner().expect("nobody panics here");
    if is_survey {
        survey(&failures);
    }
    if let Some((seed, failure)) = failures.first() {
        report(*seed, failure);
    }
}

/// Tells how often each promise broke, and in which short history.
fn survey(failures: &[(u64, Failure)]) {
    let mut promises: BTreeMap<&str, Vec<&(u64, Failure)>> = BTreeMap::new();
    for failure in failures {
        promises.entry(failure.1.promise).or_default().push(failure);
    }
    for (promise, mut failures) in promises {
        failures.sort_by_key(|(seed, _)| size_of(*seed));
        say(&format!("{promise}: {} times", failures.len()));
        for (seed, failure) in failures.iter().take(4) {
            say(&format!(
                "    SEED={seed} SIZE={}: {}",
                size_of(*seed),
                failure.how
            ));
        }
    }
}

/// Lives through a history; now and then twice, to see that it is the same.
fn live_once(seed: u64) -> Ending {
    let size = size_of(seed);
    let ending = carefully(seed, size, false);
    if seed.is_multiple_of(TWICE) && ending.failure.is_none() {
        let stories = [(); 2].map(|()| carefully(seed, size, true).story);
        if stories[0] != stories[1] {
            return Ending {
                failure: Some(Failure {
                    promise: "same seed, same log",
                    how: "two lives of one seed differ".into(),
                }),
                ..ending
            };
        }
    }
    ending
}

/// Lives through a history, and takes a panic for a failure.
fn carefully(seed: u64, size: u64, listens: bool) -> Ending {
    let outcome = catch_unwind(AssertUnwindSafe(|| live(seed, size, listens)));
    outcome.unwrap_or_else(|panic| {
        let how = (panic.downcast_ref::<String>().cloned())
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Ending {
            failure: Some(Failure {
                promise: "never panics",
                how: how.unwrap_or_default(),
            }),
            lived: Duration::ZERO,
            story: Vec::new(),
            n_lines: 0,
            n_messages: 0,
        }
    })
}

/// Tells one story.
fn again(seed: u64, size: u64) {
    let ending = carefully(seed, size, true);
    for line in &ending.story {
        say(line);
    }
    if let Some(failure) = ending.failure {
        panic!(
            "{}: {} (SEED={seed} SIZE={size})",
            failure.promise, failure.how
        );
    }
}

fn report(seed: u64, failure: &Failure) {
    let size = size_of(seed);
    say(&format!(
        "{}: {} (SEED={seed} SIZE={size})",
        failure.promise, failure.how
    ));
    let is_short_enough = setting("SHRINK") == Some(0);
    let is_panic = failure.promise == "never panics" || failure.promise == "same seed, same log";
    if is_short_enough || is_panic {
        panic!(
            "{}: {} (SEED={seed} SIZE={size})",
            failure.promise, failure.how
        );
    }
    let (seed, size, ending) = shrink(seed, size, failure.promise);
    for line in &ending.story {
        say(line);
    }
    let failure = ending.failure.as_ref().unwrap_or(failure);
    panic!(
        "{}: {} (shrunk to SEED={seed} SIZE={size})",
        failure.promise, failure.how
    );
}

/// Where seeds begin that nobody has lived through, as far as chance goes.
fn fresh_seed() -> u64 {
    let random = std::hash::RandomState::new().build_hasher().finish();
    (random >> 24).max(1 << 32)
}

/// Histories differ in length: short ones are quick, long ones see more.
fn size_of(seed: u64) -> u64 {
    20 + seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % SIZE
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests says which"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[expect(clippy::print_stderr, reason = "a failing history must be readable")]
fn say(text: &str) {
    eprintln!("{text}");
}
