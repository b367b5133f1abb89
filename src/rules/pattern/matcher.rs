//! The search of a region for all rules.

use std::ops::Range;
use std::sync::Arc;

use regex_automata::Input;
use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::hir::Hir;

use super::beyond::Beyond;
use super::generous::Generous;
use super::grams::{Few, Fours, Threes};
use super::literals::{self, Literal};
use super::others::Others;
use super::record::{Record, record_in};
use super::walk::{Ends, Walk, walks_of};
use super::witnesses::{Hearing, Witnesses};
use super::{Patterns, parsed};
use crate::secrets::Redactor;

/// Bytes that go through all stages before the next ones do: so that the later stages
/// find them in a fast cache. A longer line is taken whole.
const BLOCK_BYTES: usize = 32 << 10;

/// The memory that the automaton of patterns may use that none could be made for in
/// advance.
const GATE_AUTOMATON_BYTES_MAX: usize = 16 << 20;

/// How many characters in a row of such a pattern are searched for, about.
const GATE_POSITIONS_MAX: usize = 64;

/// The size up to which such patterns are compiled into one.
const GATE_NFA_BYTES_MAX: usize = 32 << 20;

/// A set of rules, made ready to be searched for together.
#[derive(Debug)]
pub struct Matcher {
    rules: Vec<Patterns>,
    /// The patterns of all rules, one after the other: whose they are, and the how
    /// manieth there.
    owners: Vec<(usize, usize)>,
    /// Patterns with long strings.
    long: Option<Fours>,
    /// Patterns with short strings.
    short: Option<Short>,
    /// Patterns without strings, in the order of their numbers.
    wordless: Vec<u32>,
    /// Whether one of them is only looked for where a line begins.
    is_anchored: bool,
    /// What of them is not looked for with all others.
    beyond: Option<Beyond>,
    walks: Vec<Walk>,
    /// Patterns without strings that no automaton could be made for in advance.
    gated: Vec<u32>,
    gate: Option<meta::Regex>,
    /// Patterns that may be found in any line.
    everywhere: Vec<u32>,
    /// What else must be in a line for a pattern with strings to be found.
    witnesses: Witnesses,
    line_bytes_max: usize,
    redactor: Arc<Redactor>,
}

/// Patterns with short strings: what finds them fastest.
#[derive(Debug)]
enum Short {
    Few(Few),
    Many(Threes),
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

/// A record that one rule may hit: it looks as if, and its regexes were not tried yet.
#[derive(Debug)]
pub struct Trial<'t> {
    matcher: &'t Matcher,
    /// The rule's place in the list that the matcher was made of.
    pub rule: usize,
    /// The line in the region, with its ending.
    pub line: Range<usize>,
    /// The record: the line without its ending, and not beyond `line_max`.
    pub record: Range<usize>,
    searched: &'t Record<'t>,
    /// Which of the rule's patterns may be found in it.
    patterns: &'t [u32],
}

/// Where in a text a pattern may be found, and its number.
pub(super) type Hint = (usize, u32);

/// A line that patterns may be found in.
struct Candidate<'p> {
    line: Range<usize>,
    /// The record in it.
    range: Range<usize>,
    patterns: &'p [u32],
}

impl Matcher {
    /// Makes the rules ready. Records are searched up to `line_bytes_max`.
    pub fn new(rules: &[&Patterns], line_bytes_max: usize) -> Self {
        let rules: Vec<Patterns> = rules.iter().copied().cloned().collect();
        let mut owners = Vec::new();
        let mut literals: Vec<(Literal, u32)> = Vec::new();
        let mut without = Vec::new();
        let mut wordless = Vec::new();
        let mut everywhere = Vec::new();
        let mut witnesses = Witnesses::default();
        for (idx, rule) in rules.iter().enumerate() {
            for (nth, pattern) in rule.matches.iter().enumerate() {
                let number = owners.len() as u32;
                owners.push((idx, nth));
                let Some(hir) = parsed(pattern.as_str()) else {
                    wordless.push(number);
                    everywhere.push(number);
                    continue;
                };
                if let Some(required) = literals::required(&hir) {
                    let rarest = required.rarest.into_iter();
                    literals.extend(rarest.map(|literal| (literal, number)));
                    witnesses.add(number, required.others);
                    continue;
                }
                wordless.push(number);
                match Generous::of(&hir) {
                    Some(generous) => without.push((generous, number)),
                    None => everywhere.push(number),
                }
            }
        }
        let (long, short): (Vec<_>, Vec<_>) = (literals.into_iter())
            .partition(|(literal, _)| literal.len() >= Fours::LITERAL_BYTES_MIN);
        let is_anchored = without.iter().any(|(generous, _)| generous.is_anchored());
        let beyond = Beyond::new(
            without
                .iter()
                .map(|(generous, number)| (generous.beyond(), *number)),
        );
        let (walks, left_out) = walks_of(without);
        let (gate, mut gated) = gate_of(left_out);
        if gate.is_none() {
            everywhere.append(&mut gated);
        }
        Self {
            rules,
            owners,
            long: Fours::new(long),
            short: Short::new(short),
            wordless,
            is_anchored,
            beyond,
            walks,
            gated,
            gate,
            everywhere,
            witnesses,
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
        self.try_all(region, &mut |trial| {
            trial.hit().into_iter().for_each(&mut *on_match);
        });
    }

    /// Tells of every record that a rule may hit, in the order of lines, then of rules.
    /// What is not told of is no hit.
    pub fn try_all(&self, region: &[u8], on_trial: &mut dyn FnMut(&Trial<'_>)) {
        self.candidates(region, &mut |found| {
            let record = Record::new(&region[found.range.clone()]);
            self.try_in(&record, found.line, found.range, found.patterns, on_trial);
        });
    }

    /// The hit of one rule on a record of a region, if it is one, whatever words it holds.
    pub fn hit_in(
        &self,
        rule: usize,
        region: &[u8],
        line: Range<usize>,
        record: Range<usize>,
    ) -> Option<Match> {
        let patterns: Vec<u32> = (0..self.owners.len() as u32)
            .filter(|number| self.owners[*number as usize].0 == rule)
            .collect();
        let searched = Record::new(&region[record.clone()]);
        let mut hit = None;
        self.try_in(&searched, line, record, &patterns, &mut |trial| {
            hit = trial.hit();
        });
        hit
    }

    /// Finds the lines that patterns may be found in.
    fn candidates(&self, region: &[u8], on_line: &mut dyn FnMut(Candidate<'_>)) {
        if self.owners.is_empty() {
            return;
        }
        let mut hearing = Hearing::default();
        let mut on_line = |line: Range<usize>, patterns: &mut Vec<u32>| {
            let range = record_in(region, line.clone(), self.line_bytes_max);
            self.witnesses
                .hear(&region[range.clone()], patterns, &mut hearing);
            if !patterns.is_empty() {
                on_line(Candidate {
                    line,
                    range,
                    patterns,
                });
            }
        };
        let mut hints = Vec::new();
        let mut at = 0;
        while at < region.len() {
            let block = at..block_end(region, at);
            at = block.end;
            self.hints_in_lines(&region[block.clone()], &mut hints);
            if !hints.is_empty() {
                by_lines(&mut hints, region, block.start, &mut on_line);
            }
        }
    }

    /// Tells which patterns may be found in which lines.
    pub(super) fn hints_in_lines(&self, block: &[u8], hints: &mut Vec<Hint>) {
        hints.clear();
        let ends = match has_longer_line(block, self.line_bytes_max) {
            true => Ends::Anywhere,
            false => Ends::Lines,
        };
        self.hints_in(block, ends, hints);
        if !self.everywhere.is_empty() {
            let mut at = 0;
            while at < block.len() {
                hints.extend(self.everywhere.iter().map(|number| (at, *number)));
                at = line_end(block, at);
            }
        }
        if block.is_ascii() {
            return;
        }
        let others = Others::of(block, self.line_bytes_max);
        if !others.lines.is_empty() {
            let n_before = hints.len();
            self.hints_in(&others.text, Ends::Lines, hints);
            for (at, _) in &mut hints[n_before..] {
                *at = others.line_of(*at);
            }
        }
    }

    /// Tells which patterns may be found where in a text, by the words they hold.
    fn hints_in_words(&self, text: &[u8], hints: &mut Vec<Hint>) {
        let mut hint = |at, number| hints.push((at, number));
        if let Some(long) = &self.long {
            long.find(text, &mut hint);
        }
        match &self.short {
            None => {}
            Some(Short::Few(few)) => few.find(text, &mut hint),
            Some(Short::Many(threes)) => threes.find(text, &mut hint),
        }
    }

    /// Tells which patterns may be found where in lines of text.
    fn hints_in(&self, text: &[u8], ends: Ends, hints: &mut Vec<Hint>) {
        self.hints_in_words(text, hints);
        let mut hint = |at, number| hints.push((at, number));
        if let Some(beyond) = &self.beyond {
            beyond.find(text, &mut hint);
        }
        for walk in &self.walks {
            walk.find(text, ends, &mut hint);
        }
        if let Some(gate) = &self.gate {
            let mut at = 0;
            let input = Input::new(text).earliest(true);
            while let Some(found) = gate.search_half(&input.clone().span(at..text.len())) {
                // No pattern of the gate is empty or crosses a line's end, so the byte
                // before the end of what it found lies in the line it found.
                let found = found.offset() - 1;
                self.gated.iter().for_each(|number| hint(found, *number));
                at = line_end(text, found);
            }
        }
    }

    /// Finds every rule that hits one record, in the order of rules. Unlike a line of
    /// a region it may hold line feeds; it is searched as it is, whatever its length.
    pub fn search_record(&self, record: &[u8], on_match: &mut dyn FnMut(Match)) {
        let mut hints: Vec<Hint> = Vec::new();
        self.hints_in_words(record, &mut hints);
        let others = Others::of_record(record);
        self.hints_in_words(&others.text, &mut hints);
        let mut patterns: Vec<u32> = hints.iter().map(|(_, number)| *number).collect();
        patterns.sort_unstable();
        patterns.dedup();
        self.witnesses
            .hear(record, &mut patterns, &mut Hearing::default());
        // Patterns without words are looked for as if none could match a line feed.
        patterns.extend(&self.wordless);
        patterns.sort_unstable();
        let (record, whole) = (Record::new(record), 0..record.len());
        self.try_in(&record, whole.clone(), whole, &patterns, &mut |trial| {
            trial.hit().into_iter().for_each(&mut *on_match);
        });
    }

    /// Tells whether a line, or any part of it, may be a record that hits. The answer
    /// is wrong in one direction only.
    pub fn may_hit_within(&self, line: &[u8]) -> bool {
        // A part may begin where no line does.
        if !self.everywhere.is_empty() || self.is_anchored || std::str::from_utf8(line).is_err() {
            return true;
        }
        let mut hints = Vec::new();
        self.hints_in(line, Ends::Anywhere, &mut hints);
        if hints.is_empty() && !line.is_ascii() {
            self.hints_in(&Others::of_record(line).text, Ends::Anywhere, &mut hints);
        }
        !hints.is_empty()
    }

    fn try_in(
        &self,
        searched: &Record<'_>,
        line: Range<usize>,
        record: Range<usize>,
        patterns: &[u32],
        on_trial: &mut dyn FnMut(&Trial<'_>),
    ) {
        let rule_of = |number: u32| self.owners[number as usize].0;
        for patterns in patterns.chunk_by(|one, other| rule_of(*one) == rule_of(*other)) {
            on_trial(&Trial {
                matcher: self,
                rule: rule_of(patterns[0]),
                line: line.clone(),
                record: record.clone(),
                searched,
                patterns,
            });
        }
    }
}

impl Trial<'_> {
    /// Whether the rule hits the record.
    pub fn is_hit(&self) -> bool {
        self.rule().is_hit(self.searched, self.candidates())
    }

    /// The hit, if it is one, with what it captures.
    pub fn hit(&self) -> Option<Match> {
        let redactor = &self.matcher.redactor;
        let captures = (self.rule()).hit(self.searched, self.candidates(), redactor)?;
        Some(Match {
            rule: self.rule,
            line: self.line.clone(),
            record: self.record.clone(),
            redacted: self.searched.redacted(redactor),
            captures,
        })
    }

    fn rule(&self) -> &Patterns {
        &self.matcher.rules[self.rule]
    }

    /// The places of the rule's patterns that may be found.
    fn candidates(&self) -> impl Iterator<Item = usize> {
        let nth = |number: &u32| self.matcher.owners[*number as usize].1;
        self.patterns.iter().map(nth)
    }
}

/// Tells of each line of a block that there are hints for, with the patterns they are of.
fn by_lines(
    hints: &mut [Hint],
    region: &[u8],
    block_start: usize,
    on_line: &mut impl FnMut(Range<usize>, &mut Vec<u32>),
) {
    hints.sort_unstable();
    let mut patterns = Vec::new();
    let mut rest: &[Hint] = hints;
    let mut from = block_start;
    while let Some((at, _)) = rest.first() {
        let at = block_start + at;
        let line = line_start(region, from, at)..line_end(region, at);
        from = line.end;
        let n_here = rest.partition_point(|(at, _)| block_start + at < line.end);
        let (here, behind) = rest.split_at(n_here);
        rest = behind;
        patterns.clear();
        patterns.extend(here.iter().map(|(_, number)| *number));
        patterns.sort_unstable();
        patterns.dedup();
        on_line(line, &mut patterns);
    }
}

impl Short {
    fn new(literals: Vec<(Literal, u32)>) -> Option<Self> {
        match Few::new(&literals) {
            Some(few) => Some(Self::Few(few)),
            None => Threes::new(literals).map(Self::Many),
        }
    }
}

/// Returns the end of the lines that are searched at once.
fn block_end(region: &[u8], at: usize) -> usize {
    if region.len() - at <= BLOCK_BYTES {
        return region.len();
    }
    match memchr::memrchr(b'\n', &region[at..at + BLOCK_BYTES]) {
        Some(idx) => at + idx + 1,
        None => line_end(region, at),
    }
}

/// Whether any line of a text, without its ending, is longer than so many bytes.
fn has_longer_line(text: &[u8], bytes_max: usize) -> bool {
    let mut at = 0;
    while text.len() - at > bytes_max {
        match memchr::memrchr(b'\n', &text[at..=at + bytes_max]) {
            Some(idx) => at += idx + 1,
            None => return true,
        }
    }
    false
}

/// Returns the start of the line that the byte at `idx` lies in, if the lines
/// begin at `from`.
pub(super) fn line_start(region: &[u8], from: usize, idx: usize) -> usize {
    memchr::memrchr(b'\n', &region[from..idx]).map_or(from, |end| from + end + 1)
}

/// Returns the end of the line that the byte at `idx` lies in.
pub(super) fn line_end(region: &[u8], idx: usize) -> usize {
    memchr::memchr(b'\n', &region[idx..]).map_or(region.len(), |end| idx + end + 1)
}

/// Compiles patterns into one that only tells where; nothing if it would be too big.
fn gate_of(patterns: Vec<(Generous, u32)>) -> (Option<meta::Regex>, Vec<u32>) {
    let numbers: Vec<u32> = patterns.iter().map(|(_, number)| *number).collect();
    if patterns.is_empty() {
        return (None, numbers);
    }
    // One pattern of alternatives, not many patterns: what a regex keeps for each
    // pattern it keeps for each of its states too, and with a thousand patterns
    // that is gigabytes.
    let hirs = patterns
        .iter()
        .map(|(generous, _)| generous.shortened(GATE_POSITIONS_MAX).0);
    let config = meta::Config::new()
        .utf8_empty(false)
        .nfa_size_limit(Some(GATE_NFA_BYTES_MAX))
        .hybrid_cache_capacity(GATE_AUTOMATON_BYTES_MAX)
        .which_captures(WhichCaptures::Implicit);
    let gate = meta::Builder::new()
        .configure(config)
        .build_from_hir(&Hir::alternation(hirs.collect()));
    (gate.ok(), numbers)
}
