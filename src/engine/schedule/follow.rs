//! Which rules follow which file, and from where.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Entry, Schedule, Scope};
use crate::engine::correlate::Role;
use crate::engine::ids::StreamId;
use crate::engine::stream::{Following, Naming, Phase, Searched, Stream};
use crate::engine::time::Moment;
use crate::rules::records::reading::ReadingKey;
use crate::rules::records::searcher::Searcher;
use crate::rules::{From, Rule, RuleKey, RuleSet};

/// How far before the end reading starts in a file whose old lines do not count,
/// to meet a last line that is not finished yet as a whole.
const LEAD_BYTES: u64 = 4 << 10;

/// Among the patterns that are known stand the paths that were hidden from them, behind
/// the pattern and this: no pattern of a line of YAML holds it.
const HIDDEN: char = '\n';

impl Schedule {
    /// Takes over changed rules; positions stay.
    pub fn meet(&mut self, rules: Arc<RuleSet>, now: Moment) {
        self.keys = keys_of(&rules);
        self.mine = rules_that_read(&rules, &self.reading);
        self.rules = rules;
        self.epoch += 1;
        self.followings.clear();
        self.keep_known_globs();
        let ids = self.streams.ids();
        for id in ids {
            let Some(stream) = self.streams.get(&id) else {
                continue;
            };
            let kept = match stream.naming {
                Naming::Here => self.rules_of(&stream.path),
                // Rules of a file that lost its name are found by the name it had.
                Naming::Sought | Naming::Rotated | Naming::Nameless => self.rules_of(&stream.name),
            };
            if kept.is_empty() {
                self.forget(id);
                continue;
            }
            let following = self.following(&kept);
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.following = following;
            }
        }
        self.wants_all = true;
        self.next_listing = now;
    }

    /// Whether a pattern may name this path, or something below it.
    pub(super) fn may_name(&self, path: &Path) -> bool {
        let globs = self.my_rules().flat_map(|(_, rule)| &rule.files.include);
        let mut globs = globs.filter(|glob| glob.matches(path) || glob.may_match_below(path));
        globs.next().is_some()
    }

    /// The rules that follow a path, by their place in the rule set.
    pub(super) fn rules_of(&self, path: &Path) -> Vec<usize> {
        let follows = |rule: &Rule| {
            rule.files.include.iter().any(|glob| glob.matches(path))
                && !rule.files.exclude.iter().any(|glob| glob.matches(path))
        };
        self.my_rules()
            .filter(|(_, rule)| follows(rule))
            .map(|(idx, _)| idx)
            .collect()
    }

    /// The rules that read in this way, with their places in the rule set.
    fn my_rules(&self) -> impl Iterator<Item = (usize, &Arc<Rule>)> {
        self.mine.iter().map(|&idx| (idx, &self.rules.rules[idx]))
    }

    /// Whether a pattern of these rules names a path.
    pub(in crate::engine) fn names(&self, path: &Path) -> bool {
        let mut globs = self.my_rules().flat_map(|(_, rule)| &rule.files.include);
        globs.any(|glob| glob.matches(path))
    }

    /// Some rules, ready to search.
    pub(super) fn following(&mut self, rules: &[usize]) -> Arc<Following> {
        if let Some(following) = self.followings.get(rules) {
            return following.clone();
        }
        let mut rules_searched: Vec<Arc<Rule>> = Vec::new();
        let mut searched = Vec::new();
        for &idx in rules {
            let rule = &self.rules.rules[idx];
            rules_searched.push(rule.clone());
            searched.push(Searched {
                idx,
                rule: rule.key.clone(),
                role: Role::Match,
                taken_by: rule.key.clone(),
            });
            // What ends an incident is judged after what it is made of.
            if let Some(ending) = rule.ending() {
                rules_searched.push(Arc::new(ending));
                searched.push(Searched {
                    idx,
                    rule: rule.key.clone(),
                    role: Role::Resolve,
                    taken_by: RuleKey::new(&format!("{} resolve", rule.key)),
                });
            }
        }
        let all: Vec<&Rule> = rules_searched.iter().map(|rule| &**rule).collect();
        let searcher = Arc::new(Searcher::new(&all, &self.rules.redactor));
        let rules = rules.to_vec();
        let following = Arc::new(Following {
            rules,
            searched,
            searcher,
        });
        let rules = following.rules.clone();
        self.followings.insert(rules, following.clone());
        following
    }

    /// Forgets patterns that no rule has any more: if they come back, their files
    /// are seen for the first time again.
    pub(super) fn keep_known_globs(&mut self) {
        let in_use: BTreeSet<String> = (self.my_rules())
            .flat_map(|(_, rule)| &rule.files.include)
            .map(|glob| glob.as_str().to_owned())
            .collect();
        let n_before = self.globs.len();
        self.globs.retain(|known| {
            let glob = known.split_once(HIDDEN).map_or(&**known, |(glob, _)| glob);
            in_use.contains(glob)
        });
        self.globs_changed |= self.globs.len() != n_before;
    }

    /// Adds the rules that follow a file by one more of its names.
    pub(super) fn add_rules(&mut self, id: StreamId, name: &Path) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        let mut all: BTreeSet<usize> = self.rules_of(name).into_iter().collect();
        all.extend(&stream.following.rules);
        if all.len() == stream.following.rules.len() {
            return;
        }
        let all: Vec<usize> = all.into_iter().collect();
        let following = self.following(&all);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.following = following;
            stream.outdated = matches!(stream.phase, Phase::Looking | Phase::Reading);
        }
    }

    /// Where reading begins. A file that a known pattern names only now was born
    /// since, and is read from its beginning. One that existed before its pattern
    /// was ever listed begins where each rule wants it.
    pub(super) fn place_at_start(&self, stream: &mut Stream, rules: &[usize], entry: &Entry) {
        let size = entry.facts.size;
        let wants = |rule: &Rule| {
            if self.from_the_end {
                return size;
            }
            let names = |glob: &&crate::rules::glob::Glob| glob.matches(&entry.path);
            let mut globs = rule.files.include.iter().filter(names);
            let is_born_since = globs.any(|glob| self.would_have_seen(glob.as_str(), &entry.path));
            match rule.from {
                From::End if !is_born_since => size,
                From::End | From::Beginning => 0,
            }
        };
        let starts: Vec<(RuleKey, u64)> = (rules.iter())
            .map(|&idx| &self.rules.rules[idx])
            .map(|rule| (rule.key.clone(), wants(rule)))
            .collect();
        let first = starts.iter().map(|(_, start)| *start).min().unwrap_or(0);
        // Even, for a character may take two bytes.
        stream.offset = first.saturating_sub(LEAD_BYTES) & !1;
        stream.joined = (starts.into_iter())
            .filter(|(_, start)| *start > stream.offset)
            .collect();
    }

    /// Remembers the patterns that were listed, of those that were asked for: what they
    /// name from now on was born since. What stood where nobody could look is not known
    /// to be: that is remembered with a pattern until somebody could.
    pub(super) fn know_globs(
        &mut self,
        scope: &Scope,
        faults: &[(PathBuf, String)],
        asked: &RuleSet,
    ) {
        let asked: BTreeSet<&str> = (asked.rules.iter())
            .flat_map(|rule| &rule.files.include)
            .map(|glob| glob.as_str())
            .collect();
        let rules = self.rules.clone();
        let globs = (self.mine.iter()).flat_map(|&idx| &rules.rules[idx].files.include);
        for glob in globs.filter(|glob| asked.contains(glob.as_str())) {
            let glob_text = glob.as_str();
            let is_known = self.globs.contains(glob_text);
            let before = self.hidden_from(glob_text);
            if (is_known && before.is_empty()) || !(is_known || scope.holds(glob.root())) {
                continue;
            }
            // What was seen before and is not now may be new when it is seen again.
            let may_be_old =
                |path: &Path| !is_known || before.iter().any(|hidden| path.starts_with(hidden));
            let mut hidden: BTreeSet<String> = (faults.iter())
                .map(|(path, _)| path)
                .filter(|path| glob.may_match_below(path) || glob.matches(path))
                .filter(|path| may_be_old(path))
                .map(|path| path.to_string_lossy().into_owned())
                .collect();
            let elsewhere = before.iter().filter(|path| !scope.holds(Path::new(path)));
            hidden.extend(elsewhere.cloned());
            if is_known && before == hidden {
                continue;
            }
            for path in &before {
                self.globs.remove(&format!("{glob_text}{HIDDEN}{path}"));
            }
            let hidden = hidden
                .iter()
                .map(|path| format!("{glob_text}{HIDDEN}{path}"));
            self.globs.extend(hidden);
            self.globs.insert(glob_text.to_owned());
            self.globs_changed = true;
        }
    }

    /// Whether what a pattern names at a path would have been seen before.
    fn would_have_seen(&self, glob: &str, path: &Path) -> bool {
        let hidden = self.hidden_from(glob);
        self.globs.contains(glob) && !hidden.iter().any(|hidden| path.starts_with(hidden))
    }

    /// Where nobody could look yet when a pattern was listed.
    fn hidden_from(&self, glob: &str) -> BTreeSet<String> {
        let first = format!("{glob}{HIDDEN}");
        let of_glob = self.globs.range(first.clone()..);
        let paths = of_glob.map_while(|known| known.strip_prefix(&first));
        paths.map(str::to_owned).collect()
    }
}

/// The rules that read in a way, by their places in the rule set.
pub(super) fn rules_that_read(rules: &RuleSet, reading: &ReadingKey) -> Vec<usize> {
    let reads_so = |rule: &Rule| rule.reading.key() == *reading;
    (rules.rules.iter().enumerate())
        .filter(|(_, rule)| reads_so(rule))
        .map(|(idx, _)| idx)
        .collect()
}

/// The keys of the rules, in the order of the rule set.
pub(super) fn keys_of(rules: &RuleSet) -> Vec<RuleKey> {
    rules.rules.iter().map(|rule| rule.key.clone()).collect()
}
