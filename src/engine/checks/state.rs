//! When results become a problem, and when a problem is over.
//!
//! ```text
//!          bad        `fail_after` bad          `recover_after` good
//!   fine ──────► soft ───────────────► problem ─────────────────────► fine
//!     ▲           │                      │ worse than said: say so
//!     └───────────┘                      └───────────────────────────
//!        good long enough
//!
//!   known ── `fail_after` unknown ──► broken ── any other result ──► known
//! ```
//!
//! Both run side by side: a check that is broken says nothing about what it looks
//! at, so it neither opens nor closes the problem.

use serde::{Deserialize, Serialize};

use crate::rules::Severity;
use crate::rules::checks::{Meaning, Streak};

/// How many results are remembered, whatever a rule asks for.
const RESULTS_MAX: usize = 100;

/// What the results of a check amount to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// Whether each of the last known results was bad, since the state changed.
    recent: Vec<bool>,
    /// Whether each of the last results was unknown, since it was last settled.
    unknown: Vec<bool>,
    /// The worst severity that was said of the problem, while there is one.
    problem: Option<Severity>,
    is_broken: bool,
}

/// What a result changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// All is well, as before.
    Fine,
    /// It is bad, and not yet a problem.
    Soft,
    /// It has become a problem.
    Opens,
    /// The problem goes on.
    Lasts,
    /// The problem is worse than it was said to be.
    Worsens,
    /// The problem goes on, but this result was good.
    Mends,
    /// The problem is over.
    Closes,
    /// Nobody knows, and that is not yet worth saying.
    Doubtful,
    /// The check has been broken for long enough to say so.
    Breaks,
    /// The check is still broken.
    Broken,
}

impl State {
    /// Takes a result. Returns what it changes, and whether a broken check works
    /// again by it.
    pub fn take(&mut self, meaning: Meaning, fail_after: Streak, recover_after: Streak) -> Taken {
        let Some(bad) = bad_of(meaning) else {
            remember(&mut self.unknown, true, fail_after);
            let turn = match (self.is_broken, holds(&self.unknown, true, fail_after)) {
                (true, _) => Turn::Broken,
                (false, true) => {
                    self.is_broken = true;
                    Turn::Breaks
                }
                (false, false) => Turn::Doubtful,
            };
            return Taken {
                turn,
                works_again: false,
            };
        };
        let works_again = self.is_broken;
        remember(&mut self.unknown, false, fail_after);
        if works_again || !self.unknown.contains(&true) {
            self.unknown.clear();
        }
        self.is_broken = false;
        let turn = match (self.problem, bad) {
            (None, Some(severity)) => {
                remember(&mut self.recent, true, fail_after);
                match holds(&self.recent, true, fail_after) {
                    true => {
                        self.recent.clear();
                        self.problem = Some(severity);
                        Turn::Opens
                    }
                    false => Turn::Soft,
                }
            }
            (None, None) => {
                remember(&mut self.recent, false, fail_after);
                if !self.recent.contains(&true) {
                    self.recent.clear();
                }
                Turn::Fine
            }
            (Some(said), Some(severity)) => {
                remember(&mut self.recent, true, recover_after);
                match severity > said {
                    true => {
                        self.problem = Some(severity);
                        Turn::Worsens
                    }
                    false => Turn::Lasts,
                }
            }
            (Some(_), None) => {
                remember(&mut self.recent, false, recover_after);
                match holds(&self.recent, false, recover_after) {
                    true => {
                        self.recent.clear();
                        self.problem = None;
                        Turn::Closes
                    }
                    false => Turn::Mends,
                }
            }
        };
        Taken { turn, works_again }
    }

    /// Whether there is a problem.
    pub fn is_problem(&self) -> bool {
        self.problem.is_some()
    }

    /// Whether the check is broken.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether the last result is bad and the next one matters: it may make a
    /// problem, or show that there is none.
    pub fn is_soft(&self) -> bool {
        let last = |results: &[bool]| results.last() == Some(&true);
        let is_soft = self.problem.is_none() && last(&self.recent);
        is_soft || !self.is_broken && last(&self.unknown)
    }

    /// Whether bad results wait to become a problem.
    pub fn has_soft(&self) -> bool {
        self.problem.is_none() && self.recent.contains(&true)
    }

    /// Whether unknown results wait to be worth saying.
    pub fn has_doubts(&self) -> bool {
        !self.is_broken && self.unknown.contains(&true)
    }

    /// Whether nothing needs to be remembered.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// What came of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// What it changes.
    pub turn: Turn,
    /// Whether a broken check works again.
    pub works_again: bool,
}

/// How bad a known result is, if it is.
fn bad_of(meaning: Meaning) -> Option<Option<Severity>> {
    match meaning {
        Meaning::Fine => Some(None),
        Meaning::Bad(severity) => Some(Some(severity)),
        Meaning::Unknown => None,
    }
}

fn remember(results: &mut Vec<bool>, result: bool, streak: Streak) {
    let most = (streak.of as usize).clamp(1, RESULTS_MAX);
    results.push(result);
    let n_over = results.len().saturating_sub(most);
    results.drain(..n_over);
}

/// Whether enough of the last results were so.
fn holds(results: &[bool], kind: bool, streak: Streak) -> bool {
    let most = streak.of as usize;
    let from = results.len().saturating_sub(most);
    let n = results[from..].iter().filter(|bad| **bad == kind).count();
    n >= streak.count as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes results written as letters: `.` good, `w` and `c` bad (warning,
    /// critical), `?` unknown. Returns what each changes, `*` behind those by which
    /// a broken check works again.
    fn turns(results: &str, fail_after: Streak, recover_after: Streak) -> String {
        let mut state = State::default();
        let mut told = String::new();
        for letter in results.chars() {
            let meaning = match letter {
                '.' => Meaning::Fine,
                'w' => Meaning::Bad(Severity::Warning),
                'c' => Meaning::Bad(Severity::Critical),
                _ => Meaning::Unknown,
            };
            let taken = state.take(meaning, fail_after, recover_after);
            told.push(match taken.turn {
                Turn::Fine => '.',
                Turn::Soft => 's',
                Turn::Opens => 'O',
                Turn::Lasts => 'l',
                Turn::Worsens => 'W',
                Turn::Mends => 'm',
                Turn::Closes => 'C',
                Turn::Doubtful => 'd',
                Turn::Breaks => 'B',
                Turn::Broken => 'b',
            });
            if taken.works_again {
                told.push('*');
            }
        }
        told
    }

    fn row(count: u32) -> Streak {
        Streak { count, of: count }
    }

    #[test]
    fn turns_of_the_state() {
        let three_of_five = Streak { count: 3, of: 5 };
        for (fail_after, recover_after, results, expected) in [
            (row(1), row(1), ".w.w", ".OCO"),
            (row(1), row(1), "wcwc.c", "OWllCO"),
            (row(2), row(1), "w.ww.", "s.sOC"),
            (row(3), row(2), "www.w..w", "ssOmlmCs"),
            // What is unknown neither opens nor closes, nor does it begin anew.
            (row(2), row(1), "w?w", "sdO"),
            (row(1), row(2), "w.?.", "OmBC*"),
            (row(2), row(1), "???.", "dBb.*"),
            (row(2), row(1), "?.?.", "d.d."),
            (row(1), row(1), "w??.", "OBbC*"),
            (three_of_five, row(1), "w.w.w.", "s.s.OC"),
            (three_of_five, row(1), "w..w.w", "s..s.s"),
            (row(1), three_of_five, "w.w.w.", "OmlmlC"),
        ] {
            let told = turns(results, fail_after, recover_after);
            assert_eq!(told, expected, "{results} {fail_after:?} {recover_after:?}");
        }
    }

    /// The state by its definition: look back at all results since the last change.
    fn naive(results: &[char], fail_after: Streak, recover_after: Streak) -> Vec<bool> {
        let mut is_problem = false;
        let mut since = 0;
        let mut states = Vec::new();
        let known: Vec<bool> = (results.iter().filter(|letter| **letter != '?'))
            .map(|letter| *letter != '.')
            .collect();
        let mut n_known = 0_usize;
        for letter in results {
            if *letter != '?' {
                n_known += 1;
                let streak = if is_problem {
                    recover_after
                } else {
                    fail_after
                };
                let window = n_known.saturating_sub(streak.of as usize).max(since);
                let n = known[window..n_known]
                    .iter()
                    .filter(|bad| **bad != is_problem);
                let changes = known[n_known - 1] != is_problem;
                if changes && n.count() >= streak.count as usize {
                    is_problem = !is_problem;
                    since = n_known;
                }
            }
            states.push(is_problem);
        }
        states
    }

    #[test]
    fn agrees_with_its_definition() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..4_000 {
            let mut streak = || {
                let of = rng.u32(1..6);
                Streak {
                    count: rng.u32(1..=of),
                    of,
                }
            };
            let (fail_after, recover_after) = (streak(), streak());
            let results: Vec<char> = (0..40)
                .map(|_| rng.choice(['.', 'w', 'w', '?']))
                .map(|c| c.unwrap())
                .collect();
            let mut state = State::default();
            let mut n_open = 0_i32;
            let states: Vec<bool> = (results.iter())
                .map(|letter| {
                    let meaning = match letter {
                        '.' => Meaning::Fine,
                        'w' => Meaning::Bad(Severity::Warning),
                        _ => Meaning::Unknown,
                    };
                    match state.take(meaning, fail_after, recover_after).turn {
                        Turn::Opens => n_open += 1,
                        Turn::Closes => n_open -= 1,
                        _ => {}
                    }
                    // Openings and closings take turns.
                    assert!((0..=1).contains(&n_open));
                    let text = serde_json::to_string(&state).unwrap();
                    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
                    state.is_problem()
                })
                .collect();
            let expected = naive(&results, fail_after, recover_after);
            assert_eq!(
                states, expected,
                "{results:?} {fail_after:?} {recover_after:?}"
            );
        }
    }
}
