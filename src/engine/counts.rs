//! What has happened since the agent started, in numbers: for `status` and metrics.
//!
//! Nothing decides by these numbers and they are not on disk: after a restart they
//! begin at zero, as counters do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::instances::Birth;
use super::schedule::Notice;
use crate::rules::RuleKey;

/// Names of files whose losses are kept apart; those of further ones are in
/// [`Counts::losses_elsewhere`].
const PATHS_MAX: usize = 1_000;

/// All counters.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    rules: BTreeMap<RuleKey, OfRule>,
    losses: BTreeMap<PathBuf, Losses>,
    losses_elsewhere: Losses,
    /// Requests that a server took.
    pub n_delivered: u64,
    /// Commits that failed.
    pub n_commit_faults: u64,
    /// Watcher events that were lost; everything was looked at instead.
    pub n_hints_lost: u64,
}

/// The counters of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OfRule {
    /// Records that it selected; results of a check that were bad or unknown.
    pub n_hits: u64,
    /// Of these, what was worth knowing: see [`super::events`].
    pub n_events: u64,
    /// Messages that were delivered and spoke for it.
    pub n_posts: u64,
    /// Events that were counted and not said by themselves.
    pub n_suppressed: u64,
}

/// What of a file could not be read, or not in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Bytes that were seen and gone before they could be read.
    pub n_bytes: u64,
    /// Lines that were cut at their longest.
    pub n_cut: u64,
    /// How often it was replaced.
    pub n_rotations: u64,
    /// How often it was cut short.
    pub n_truncations: u64,
}

impl Losses {
    fn add(&mut self, other: Self) {
        self.n_bytes += other.n_bytes;
        self.n_cut += other.n_cut;
        self.n_rotations += other.n_rotations;
        self.n_truncations += other.n_truncations;
    }
}

impl Counts {
    /// The counters of a rule.
    pub fn rule(&self, key: &RuleKey) -> OfRule {
        self.rules.get(key).copied().unwrap_or_default()
    }

    /// The losses of the files that had this name.
    pub fn losses(&self, path: &Path) -> Losses {
        self.losses.get(path).copied().unwrap_or_default()
    }

    /// The losses of all files.
    pub fn all_losses(&self) -> Losses {
        let mut all = self.losses_elsewhere;
        for losses in self.losses.values() {
            all.add(*losses);
        }
        all
    }

    /// A record that a rule selected, and whether that was an event.
    pub(super) fn hit(&mut self, rule: &RuleKey, n_hits: u64, n_events: u64, standing: Standing) {
        let counts = self.of(rule);
        counts.n_hits += n_hits;
        match standing {
            Standing::Below => {}
            Standing::Counted => {
                counts.n_events += n_events;
                counts.n_suppressed += n_events;
            }
            Standing::Said => counts.n_events += n_events,
        }
    }

    /// A message was delivered that spoke for these rules.
    pub(super) fn delivered<'a>(&mut self, rules: impl IntoIterator<Item = &'a RuleKey>) {
        self.n_delivered += 1;
        for rule in rules {
            self.of(rule).n_posts += 1;
        }
    }

    /// What was noticed of files.
    pub(super) fn noticed(&mut self, notice: &Notice) {
        let none = Losses::default();
        let (path, losses) = match notice {
            Notice::Lost { path, n_lost } => {
                let n_bytes = *n_lost;
                (path, Losses { n_bytes, ..none })
            }
            Notice::Truncated { path, n_lost } => {
                let (n_bytes, n_truncations) = (*n_lost, 1);
                let losses = Losses {
                    n_bytes,
                    n_truncations,
                    ..none
                };
                (path, losses)
            }
            Notice::Rotated { path } => {
                let n_rotations = 1;
                (
                    path,
                    Losses {
                        n_rotations,
                        ..none
                    },
                )
            }
            Notice::LinesCut { path, n_lines } => {
                let n_cut = *n_lines;
                (path, Losses { n_cut, ..none })
            }
            Notice::HintsLost => {
                self.n_hints_lost += 1;
                return;
            }
            Notice::Follows { .. }
            | Notice::CutInPlace { .. }
            | Notice::ArchiveBroken { .. }
            | Notice::ArchiveSkipped { .. }
            | Notice::Binary { .. }
            | Notice::BareReturns { .. }
            | Notice::Unreadable { .. }
            | Notice::StaysUnreadable { .. }
            | Notice::Readable { .. }
            | Notice::StaysAway { .. }
            | Notice::NeverCame { .. }
            | Notice::Back { .. }
            | Notice::HintsBack { .. }
            | Notice::Unwatched { .. }
            | Notice::Watched
            | Notice::Shared { .. }
            | Notice::MountedAlone { .. }
            | Notice::CutOff { .. }
            | Notice::Whole { .. }
            | Notice::Own { .. } => return,
        };
        let is_known = self.losses.contains_key(path);
        match is_known || self.losses.len() < PATHS_MAX {
            true => self.losses.entry(path.clone()).or_default().add(losses),
            false => self.losses_elsewhere.add(losses),
        }
    }

    /// Forgets rules that are no more.
    pub(super) fn keep(&mut self, is_kept: impl Fn(&RuleKey) -> bool) {
        self.rules.retain(|key, _| is_kept(key));
    }

    fn of(&mut self, rule: &RuleKey) -> &mut OfRule {
        self.rules.entry(rule.clone()).or_default()
    }
}

/// What became of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It stays below what its rule asks for.
    Below,
    /// It is an event that something else speaks for.
    Counted,
    /// It is an event that is said.
    Said,
}

impl Standing {
    /// That of an event which gave birth to these messages.
    pub(super) fn of_event(births: &[Birth]) -> Self {
        match births.is_empty() {
            true => Self::Counted,
            false => Self::Said,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_told_apart() {
        let rule = RuleKey::new("r");
        let mut counts = Counts::default();
        for standing in [Standing::Below, Standing::Said, Standing::Counted] {
            counts.hit(&rule, 1, 1, standing);
        }
        counts.delivered([&rule]);
        let expected = OfRule {
            n_hits: 3,
            n_events: 2,
            n_posts: 1,
            n_suppressed: 1,
        };
        assert_eq!(counts.rule(&rule), expected);
        counts.keep(|_| false);
        assert_eq!(counts.rule(&rule), OfRule::default());
    }

    #[test]
    fn losses_beyond_the_bound_are_summed_up() {
        let mut counts = Counts::default();
        for n in 0..PATHS_MAX + 5 {
            let path = PathBuf::from(format!("/{n}"));
            counts.noticed(&Notice::Lost { path, n_lost: 2 });
        }
        assert_eq!(counts.losses.len(), PATHS_MAX);
        assert_eq!(counts.losses_elsewhere.n_bytes, 10);
        assert_eq!(counts.all_losses().n_bytes, 2 * (PATHS_MAX as u64 + 5));
    }
}
