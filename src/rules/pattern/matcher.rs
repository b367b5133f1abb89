//! The search of a region for all rules.

use std::ops::Range;
use std::sync::Arc;

use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::{Input, MatchKind, PatternID, PatternSet};
use regex_syntax::hir::Hir;

use super::Patterns;
use super::generous::{generous, hir_of};
use super::record::{Record, record_in};
use crate::secrets::Redactor;

/// The size up to which all patterns are compiled into one; beyond it each rule
/// is tried on its own, which is correct and slow.
const COMBINED_NFA_BYTES_MAX: usize = 128 << 20;

/// The memory a lazy automaton may use, and what each pattern adds to it.
const AUTOMATON_BYTES_MIN: usize = 2 << 20;
const AUTOMATON_BYTES_PER_PATTERN: usize = 32 << 10;
const AUTOMATON_BYTES_MAX: usize = 64 << 20;

/// A set of rules, made ready to be searched for together.
#[derive(Debug)]
pub struct Matcher {
    rules: Vec<Patterns>,
    /// The rule of each pattern of `which`.
    owners: Vec<usize>,
    gate: Option<meta::Regex>,
    which: Option<meta::Regex>,
    line_bytes_max: usize,
    redactor: Arc<Redactor>,
}

/// One rule's hit on one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The rule's place in the list that the matcher was made of.
    pub rule: usize,
    /// The line in the region, with its ending.
    pub line: Range<usize>,
    /// The record: the line without its ending, and not beyond `line_max`.
    pub record: Range<usize>,
    /// The record as text without its secrets, if it has any.
    pub redacted: Option<Arc<str>>,
    /// The named captures that took part, as text without secrets, in the order of
    /// the pattern.
    pub captures: Vec<(Arc<str>, String)>,
}

impl Matcher {
    /// Makes the rules ready. Records are searched up to `line_bytes_max`.
    pub fn new(rules: &[&Patterns], line_bytes_max: usize) -> Self {
        let rules: Vec<Patterns> = rules.iter().copied().cloned().collect();
        let mut owners = Vec::new();
        let mut generous_patterns = Vec::new();
        for (idx, rule) in rules.iter().enumerate() {
            for regex in &rule.matches {
                owners.push(idx);
                generous_patterns.extend(hir_of(regex).as_ref().map(generous));
            }
        }
        // A pattern that cannot be taken apart stays out of the common stages, and
        // then they would miss it: without all of them there are none.
        let is_complete = generous_patterns.len() == owners.len() && !owners.is_empty();
        // One that may be empty is found everywhere, and would open the gate for all.
        let finds_something = generous_patterns
            .iter()
            .all(|hir| hir.properties().minimum_len() != Some(0));
        let (which, gate) = match (is_complete, finds_something) {
            (true, true) => (which_of(&generous_patterns), gate_of(generous_patterns)),
            (true, false) => (which_of(&generous_patterns), None),
            (false, _) => (None, None),
        };
        Self {
            gate,
            which,
            rules,
            owners,
            line_bytes_max: line_bytes_max.max(1),
            redactor: Arc::default(),
        }
    }

    /// Hides other secrets than those that are built in, too.
    pub fn hiding(mut self, redactor: Arc<Redactor>) -> Self {
        self.redactor = redactor;
        self
    }

    /// Finds every hit in a region of whole lines (the last may lack its ending),
    /// in the order of lines, then of rules.
    pub fn search(&self, region: &[u8], on_match: &mut dyn FnMut(Match)) {
        if self.rules.is_empty() {
            return;
        }
        let mut hits = PatternSet::new(self.owners.len());
        let mut bad_byte = first_bad_byte(region, 0);
        let mut at = 0;
        while at < region.len() {
            // Up to the line with the next bad byte all is text.
            let text_end = bad_byte.map_or(region.len(), |idx| line_start(region, at, idx));
            let line = if at < text_end {
                match self.next_candidate(region, at..text_end) {
                    Some(line) => line,
                    None => {
                        at = text_end;
                        continue;
                    }
                }
            } else {
                at..line_end(region, at)
            };
            at = line.end;
            self.search_line(region, line, &mut hits, on_match);
            if bad_byte.is_some_and(|idx| idx < at) {
                bad_byte = first_bad_byte(region, at);
            }
        }
    }

    /// Returns the next line of a stretch of lines that may hit.
    fn next_candidate(&self, region: &[u8], stretch: Range<usize>) -> Option<Range<usize>> {
        let Some(gate) = &self.gate else {
            return Some(stretch.start..line_end(region, stretch.start));
        };
        let input = Input::new(region).span(stretch.clone()).earliest(true);
        // No pattern of the gate is empty or crosses a line's end, so the byte
        // before the end of what it found lies in the line it found.
        let found = gate.search_half(&input)?.offset() - 1;
        Some(line_start(region, stretch.start, found)..line_end(region, found))
    }

    fn search_line(
        &self,
        region: &[u8],
        line: Range<usize>,
        hits: &mut PatternSet,
        on_match: &mut dyn FnMut(Match),
    ) {
        let range = record_in(region, line.clone(), self.line_bytes_max);
        let record = Record::new(&region[range.clone()]);
        self.search_in(&record, line, range, hits, on_match);
    }

    /// Finds every rule that hits one record, in the order of rules. Unlike a line of
    /// a region it may hold line feeds; it is searched as it is, whatever its length.
    pub fn search_record(&self, record: &[u8], on_match: &mut dyn FnMut(Match)) {
        let mut hits = PatternSet::new(self.owners.len());
        let (record, whole) = (Record::new(record), 0..record.len());
        self.search_in(&record, whole.clone(), whole, &mut hits, on_match);
    }

    /// Tells whether a line, or any part of it, may be a record that hits. The answer
    /// is wrong in one direction only.
    pub fn may_hit_within(&self, line: &[u8]) -> bool {
        let Some(gate) = &self.gate else {
            return !self.rules.is_empty();
        };
        gate.is_match(line) || std::str::from_utf8(line).is_err()
    }

    fn search_in(
        &self,
        record: &Record<'_>,
        line: Range<usize>,
        range: Range<usize>,
        hits: &mut PatternSet,
        on_match: &mut dyn FnMut(Match),
    ) {
        let mut redacted = None;
        let mut report = |rule: usize| {
            let Some(captures) = self.rules[rule].hit(record, &self.redactor) else {
                return;
            };
            if redacted.is_none() {
                redacted = record.redacted(&self.redactor);
            }
            on_match(Match {
                rule,
                line: line.clone(),
                record: range.clone(),
                redacted: redacted.clone(),
                captures,
            });
        };
        // Patterns are told apart as if nothing could match a line feed.
        let which = (self.which.as_ref()).filter(|_| !record.bytes.contains(&b'\n'));
        let Some(which) = which else {
            (0..self.rules.len()).for_each(report);
            return;
        };
        hits.clear();
        which.which_overlapping_matches(&Input::new(record.bytes), hits);
        if let Some(replaced) = &record.replaced {
            which.which_overlapping_matches(&Input::new(replaced), hits);
        }
        let mut last = None;
        for rule in hits.iter().map(|id: PatternID| self.owners[id.as_usize()]) {
            // The patterns of a rule stand together.
            if last != Some(rule) {
                last = Some(rule);
                report(rule);
            }
        }
    }
}

/// Returns the start of the line that the byte at `idx` lies in, if the lines
/// begin at `from`.
fn line_start(region: &[u8], from: usize, idx: usize) -> usize {
    memchr::memrchr(b'\n', &region[from..idx]).map_or(from, |end| from + end + 1)
}

/// Returns the end of the line that the byte at `idx` lies in.
pub(super) fn line_end(region: &[u8], idx: usize) -> usize {
    memchr::memchr(b'\n', &region[idx..]).map_or(region.len(), |end| idx + end + 1)
}

fn first_bad_byte(region: &[u8], from: usize) -> Option<usize> {
    std::str::from_utf8(&region[from..])
        .err()
        .map(|error| from + error.valid_up_to())
}

/// Compiles patterns into one that only tells where; nothing if it would be too big.
fn gate_of(patterns: Vec<Hir>) -> Option<meta::Regex> {
    let config = config_for(patterns.len());
    // One pattern of alternatives, not many patterns: what a regex keeps for each
    // pattern it keeps for each of its states too, and with a thousand patterns
    // that is gigabytes.
    meta::Builder::new()
        .configure(config.which_captures(WhichCaptures::Implicit))
        .build_from_hir(&Hir::alternation(patterns))
        .ok()
}

/// Compiles patterns into one that tells which; nothing if it would be too big.
fn which_of(patterns: &[Hir]) -> Option<meta::Regex> {
    let config = config_for(patterns.len()).match_kind(MatchKind::All);
    meta::Builder::new()
        .configure(config.which_captures(WhichCaptures::None))
        .build_many_from_hir(patterns)
        .ok()
}

fn config_for(n_patterns: usize) -> meta::Config {
    let automaton_bytes = AUTOMATON_BYTES_MIN + AUTOMATON_BYTES_PER_PATTERN * n_patterns;
    meta::Config::new()
        .utf8_empty(false)
        .nfa_size_limit(Some(COMBINED_NFA_BYTES_MAX))
        .hybrid_cache_capacity(automaton_bytes.min(AUTOMATON_BYTES_MAX))
}
