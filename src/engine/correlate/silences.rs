//! What people asked not to hear of for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::events::InstanceId;
use crate::engine::time::{Moment, Now, Wall};
use crate::rules::{RuleKey, RuleSet};

/// Silences at once.
const SILENCES_MAX: usize = 1_000;

/// The longest silence. Whoever wants more wants no rule.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Characters of a reason, and of the name of who asked.
const WORDS_CHARS_MAX: usize = 200;

/// A silence: matching events are counted, and said when it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its number; never used twice.
    pub id: u64,
    /// The rule.
    pub rule: RuleKey,
    /// The values of `by` that it is about; all instances if there are none.
    pub by: BTreeMap<String, String>,
    /// When it began.
    pub since: Wall,
    /// When it ends.
    pub until: Wall,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub who: String,
}

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A silence.
    Add {
        /// The rule.
        rule: RuleKey,
        /// The values of `by` that it is about.
        by: BTreeMap<String, String>,
        /// How long.
        length: Duration,
        /// Why.
        reason: String,
        /// Who.
        who: String,
    },
    /// To know of all there are.
    List,
    /// The end of one.
    End(u64),
    /// The end of all of a rule.
    EndOf(RuleKey),
}

/// All silences.
#[derive(Debug, Default)]
pub struct Silences {
    all: BTreeMap<u64, (Silence, Moment)>,
    next: u64,
    dirty: BTreeSet<u64>,
}

impl Silences {
    /// Takes up what is on disk; `next` is the number of the next one.
    pub fn new(records: impl IntoIterator<Item = Silence>, next: u64, now: Now) -> Self {
        let all = records.into_iter().map(|silence| {
            let longest = silence.until.since(silence.since);
            let ends = now.moment_of(silence.until, longest);
            (silence.id, (silence, ends))
        });
        Self {
            all: all.collect(),
            next: next.max(1),
            dirty: BTreeSet::new(),
        }
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Silence> {
        self.all.values().map(|(silence, _)| silence)
    }

    /// Does what somebody asks for. Returns the silences that it is about; the error
    /// is what they should read.
    pub fn grant(&mut self, now: Now, wish: Wish, rules: &RuleSet) -> Result<Vec<Silence>, String> {
        match wish {
            Wish::Add {
                rule,
                by,
                length,
                reason,
                who,
            } => {
                self.may_add(&rule, &by, length, rules)?;
                let silence = Silence {
                    id: self.next,
                    rule,
                    by,
                    since: now.wall,
                    until: now.wall.after(length),
                    reason: reason.chars().take(WORDS_CHARS_MAX).collect(),
                    who: who.chars().take(WORDS_CHARS_MAX).collect(),
                };
                self.next += 1;
                self.dirty.insert(silence.id);
                let ends = now.moment.after(length);
                self.all.insert(silence.id, (silence.clone(), ends));
                Ok(vec![silence])
            }
            Wish::List => Ok(self
                .all
                .values()
                .map(|(silence, _)| silence.clone())
                .collect()),
            Wish::End(id) => {
                let ended = self.remove(|silence| silence.id == id);
                match ended.is_empty() {
                    true => Err(format!("no silence {id}; see `logcrier silence list`")),
                    false => Ok(ended),
                }
            }
            Wish::EndOf(rule) => {
                let ended = self.remove(|silence| silence.rule == rule);
                match ended.is_empty() {
                    true => Err(format!(
                        "no silence of `{rule}`; see `logcrier silence list`"
                    )),
                    false => Ok(ended),
                }
            }
        }
    }

    fn may_add(
        &self,
        rule: &RuleKey,
        by: &BTreeMap<String, String>,
        length: Duration,
        rules: &RuleSet,
    ) -> Result<(), String> {
        let Some(known) = rules.rule(rule) else {
            let keys = rules.rules.iter().map(|rule| rule.key.as_str());
            return Err(match crate::diagnostic::did_you_mean(rule.as_str(), keys) {
                Some(meant) => format!("no rule `{rule}`; did you mean `{meant}`?"),
                None => format!("no rule `{rule}`"),
            });
        };
        if let Some(name) = by.keys().find(|name| !known.by.contains(name)) {
            return Err(match known.by.is_empty() {
                true => format!("the rule `{rule}` has no `by`"),
                false => format!(
                    "the rule `{rule}` has no `{name}` in its `by`, only `{}`",
                    known.by.join("`, `")
                ),
            });
        }
        if length.is_zero() || length > LONGEST {
            return Err("a silence lasts longer than nothing and at most 366 days".to_owned());
        }
        if self.all.len() >= SILENCES_MAX {
            return Err(format!("{SILENCES_MAX} silences already; end some"));
        }
        Ok(())
    }

    /// Whether somebody asked not to hear of an instance. `names` are those of its `by`.
    pub fn cover(&self, id: &InstanceId, names: &[String]) -> bool {
        self.all.values().any(|(silence, _)| {
            let is_told = |name: &String, value: &String| {
                let mut pairs = names.iter().zip(id.by.iter());
                pairs.any(|(known, found)| known == name && found == value)
            };
            silence.rule == id.rule && silence.by.iter().all(|(name, value)| is_told(name, value))
        })
    }

    /// Ends those that are over. Returns whether there were any.
    pub fn tick(&mut self, now: Moment) -> bool {
        let over: Vec<u64> = (self.all.iter())
            .filter(|(_, (_, ends))| *ends <= now)
            .map(|(id, _)| *id)
            .collect();
        !self.remove(|silence| over.contains(&silence.id)).is_empty()
    }

    /// Takes over changed rules: those of rules that are no more end. Returns whether
    /// there were any.
    pub fn meet(&mut self, rules: &RuleSet) -> bool {
        !self
            .remove(|silence| rules.rule(&silence.rule).is_none())
            .is_empty()
    }

    /// When the next one ends.
    pub fn wakeup(&self) -> Option<Moment> {
        self.all.values().map(|(_, ends)| *ends).min()
    }

    /// The number of the next one.
    pub fn next_id(&self) -> u64 {
        self.next
    }

    /// Whether something must be committed.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The silences that are new since the last call, and those that are over.
    pub fn take_dirty(&mut self) -> (Vec<Silence>, Vec<u64>) {
        let mut new = Vec::new();
        let mut over = Vec::new();
        for id in std::mem::take(&mut self.dirty) {
            match self.all.get(&id) {
                Some((silence, _)) => new.push(silence.clone()),
                None => over.push(id),
            }
        }
        (new, over)
    }

    /// Takes back what [`take_dirty`](Self::take_dirty) gave: it was not committed.
    pub fn mark_dirty(&mut self, ids: impl IntoIterator<Item = u64>) {
        self.dirty.extend(ids);
    }

    fn remove(&mut self, is_over: impl Fn(&Silence) -> bool) -> Vec<Silence> {
        let ids: Vec<u64> = (self.all.iter())
            .filter(|(_, (silence, _))| is_over(silence))
            .map(|(id, _)| *id)
            .collect();
        self.dirty.extend(&ids);
        let removed = ids.iter().filter_map(|id| self.all.remove(id));
        removed.map(|(silence, _)| silence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::paper::rules_of;

    const RULES: &str = "- {key: ssh, files: /a, match: '(?<ip>a) (?<user>b)', by: [ip, user]}\n\
                         - {key: disk, files: /b, match: b}";

    fn wish(rule: &str, by: &[(&str, &str)], length: Duration) -> Wish {
        let by = by.iter().copied();
        Wish::Add {
            rule: RuleKey::new(rule),
            by: by
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            length,
            reason: "r".repeat(300),
            who: "w".repeat(300),
        }
    }

    #[test]
    fn each_has_a_number_of_its_own_and_ends_by_it() {
        let rules = rules_of(RULES);
        let mut silences = Silences::new([], 0, Now::default());
        let mut add = |rule| {
            let wish = wish(rule, &[], Duration::from_secs(60));
            silences.grant(Now::default(), wish, &rules).unwrap()
        };
        let granted = [add("ssh"), add("disk"), add("ssh")].concat();
        let ids: Vec<u64> = granted.iter().map(|silence| silence.id).collect();
        assert_eq!(ids, [1, 2, 3]);
        assert_eq!((granted[0].reason.len(), granted[0].who.len()), (200, 200));
        let mut end = |wish| silences.grant(Now::default(), wish, &rules);
        assert_eq!(end(Wish::End(2)).unwrap()[0].rule, RuleKey::new("disk"));
        assert!(end(Wish::End(2)).is_err());
        assert_eq!(end(Wish::EndOf(RuleKey::new("ssh"))).unwrap().len(), 2);
        assert!(end(Wish::EndOf(RuleKey::new("ssh"))).is_err());
        assert_eq!(silences.next_id(), 4);
        // What could not be written is written with the next commit.
        assert_eq!(silences.take_dirty(), (vec![], vec![1, 2, 3]));
        assert!(!silences.is_dirty());
        silences.mark_dirty([2]);
        assert!(silences.is_dirty());
        assert_eq!(silences.take_dirty(), (vec![], vec![2]));
    }

    #[test]
    fn there_are_no_more_than_people_can_oversee() {
        let rules = rules_of(RULES);
        let mut silences = Silences::new([], 1, Now::default());
        let long = Duration::from_secs(366 * 86_400);
        for length in [Duration::ZERO, long + Duration::from_nanos(1)] {
            let refused = silences.grant(Now::default(), wish("ssh", &[], length), &rules);
            assert!(refused.is_err(), "{length:?}");
        }
        for _ in 0..SILENCES_MAX {
            let granted = silences.grant(Now::default(), wish("ssh", &[], long), &rules);
            assert!(granted.is_ok());
        }
        let refused = silences.grant(Now::default(), wish("ssh", &[], long), &rules);
        assert_eq!(refused.unwrap_err(), "1000 silences already; end some");
    }

    #[test]
    fn a_silence_covers_what_it_names() {
        let rules = rules_of(RULES);
        let names = &rules.rule(&RuleKey::new("ssh")).unwrap().by;
        let id = |rule: &str, ip: &str, user: &str| InstanceId {
            rule: RuleKey::new(rule),
            by: [ip.to_owned(), user.to_owned()].into(),
        };
        for (by, rule, ip, user, expected) in [
            (&[][..], "ssh", "1", "eve", true),
            (&[], "disk", "1", "eve", false),
            (&[("ip", "1")], "ssh", "1", "eve", true),
            (&[("ip", "1")], "ssh", "2", "eve", false),
            // Another name with that value is none.
            (&[("ip", "1")], "ssh", "2", "1", false),
            (&[("user", "1")], "ssh", "1", "eve", false),
            (&[("ip", "1"), ("user", "eve")], "ssh", "1", "eve", true),
            (&[("ip", "1"), ("user", "eve")], "ssh", "1", "bob", false),
        ] {
            let mut silences = Silences::new([], 1, Now::default());
            let wish = wish("ssh", by, Duration::from_secs(60));
            silences.grant(Now::default(), wish, &rules).unwrap();
            let covers = silences.cover(&id(rule, ip, user), names);
            assert_eq!(covers, expected, "{by:?} {rule} {ip} {user}");
        }
    }
}
