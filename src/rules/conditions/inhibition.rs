//! Rules that keep others quiet: they exist, and never keep each other quiet.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Report, Span, did_you_mean};

/// A rule that wants to be kept quiet by another.
#[derive(Debug)]
pub(in crate::rules) struct Wish {
    /// Its key.
    pub(in crate::rules) key: String,
    /// The key of the other.
    pub(in crate::rules) by: String,
    /// As it was written.
    pub(in crate::rules) shown: String,
    /// Where.
    pub(in crate::rules) at: Span,
}

/// Reports wishes for rules that do not exist, and those that lead back. Where not
/// all rules are known, any key will do.
pub(in crate::rules) fn check(
    known: &BTreeMap<String, Span>,
    is_all: bool,
    wishes: &[Wish],
    report: &mut Report,
) {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for wish in wishes {
        if is_all && !known.contains_key(&wish.by) {
            let meant = did_you_mean(&wish.by, known.keys().map(String::as_str));
            report.unknown_rule(wish.at, &wish.shown, meant);
        }
        edges.entry(&wish.key).or_default().insert(&wish.by);
    }
    for wish in wishes {
        if reaches(&edges, &wish.by, &wish.key) {
            report.inhibits_itself(wish.at, &wish.key, &wish.shown);
        }
    }
}

/// Whether a wish of one rule leads to another in the end.
fn reaches(edges: &BTreeMap<&str, BTreeSet<&str>>, from: &str, goal: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut todo = vec![from];
    while let Some(key) = todo.pop() {
        if key == goal {
            return true;
        }
        if seen.insert(key) {
            todo.extend(edges.get(key).into_iter().flatten().copied());
        }
    }
    false
}
