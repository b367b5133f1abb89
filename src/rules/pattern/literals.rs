//! Which strings a record must hold for a pattern to be found in it.
//!
//! Most patterns people write hold a word that is in every record they select:
//! `Out of memory: Kill(?:ed)? process (\d+)` is found in no record without one of
//! `Out of memory: Kill process ` and `Out of memory: Killed process `. Looking for
//! words is much cheaper than looking for patterns, so each pattern is taken apart
//! for the rarest such strings.
//!
//! A pattern is a row of parts, and a string grows along it, with all its variants,
//! until a part comes that may be anything. Small classes are spelt out. Letters
//! that may have either case are one letter that folds.
//!
//! Some characters that records hardly ever hold would multiply the variants of half
//! of all words: `k` folds with the Kelvin sign and `s` with the long s, and `\s` knows
//! nineteen kinds of space beyond ASCII. They are left aside: no string has one. What a
//! record holds of them is to be written plainly ([`plain`]) before strings are looked
//! for in it.

use std::ops::Range;

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind};

/// How many strings may stand for one pattern.
const LITERALS_MAX: usize = 48;

/// How many members a class may have to be spelt out.
const CLASS_MEMBERS_MAX: usize = 32;

/// The length from which on a string is not made longer.
const LITERAL_BYTES_MAX: usize = 32;

/// The length below which a string is in too many records to be looked for.
pub(super) const LITERAL_BYTES_MIN: usize = 3;

/// The length from which on a string is looked for at every fourth byte only.
pub(super) const LONG_BYTES_MIN: usize = 7;

/// How many rows may grow at once, each begun at another part.
const ROWS_MAX: usize = 6;

/// How often a repeated part is put into a row at most.
const REPEATED_MAX: u32 = 8;

/// How many parts of a pattern are looked at: repetitions of repetitions multiply them.
const PARTS_MAX: usize = 4_096;

/// How many lists of other strings are given with the rarest.
pub(super) const OTHERS_MAX: usize = 2;

/// How often other strings may be met, about, and what it costs to look for them: more
/// often, and lines are full of them.
const OTHERS_COST_MAX: f64 = 0.01;

/// All characters that are left aside.
pub(super) const ASIDE: [char; 21] = [
    '\u{17f}', '\u{212a}', '\u{85}', '\u{a0}', '\u{1680}', '\u{2000}', '\u{2001}', '\u{2002}',
    '\u{2003}', '\u{2004}', '\u{2005}', '\u{2006}', '\u{2007}', '\u{2008}', '\u{2009}', '\u{200a}',
    '\u{2028}', '\u{2029}', '\u{202f}', '\u{205f}', '\u{3000}',
];

/// Letters of either case differ in this bit.
const CASE_BIT: u8 = 0x20;

/// The bytes of logs, the commonest first; others are rarer than these.
const COMMONEST: &[u8] = b" e0ta1oi2nrs.3:-5dl4c6/u789mphbfg[]yvwk_=,()\"xSIEATCDRPjOqNLMFzBUH#GW@'*&;+%$?<>V{}|KYXJQZ!\\~^`\t";

/// Words of which logs are full: a part of one of them is commoner than its bytes.
const COMMON_WORDS: &str = "connection: error: server worker failed: failure timeout \
    http:// https:// info warning system.service localhost session password request \
    process authentication user= unknown time start exception thread status= from with \
    kernel root task block received manager container client network address message \
    value method response open read write close daemon application configuration \
    2025- 2026- 2027- 127.0.0.1 192.168. .com .org .java .log ... --- === ing the ";

/// What a part of a common word is commoner by, in bits.
const COMMON_BITS: f64 = 4.0;

/// A string, with letters of which the case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Literal {
    /// The bytes; letters that fold are lower case.
    bytes: Vec<u8>,
    /// For each byte the bit that does not matter, or 0.
    folds: Vec<u8>,
}

/// What is in every record that a pattern is found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Required {
    /// The rarest strings of which there is one. If there are none in the list, no record
    /// is ever found.
    pub rarest: Vec<Literal>,
    /// Others, of which there is one of each list: the rarest that tell anything.
    pub others: Vec<Vec<Literal>>,
}

/// Returns what every record holds that a pattern is found in; none if it can do without
/// any strings.
pub(super) fn required(hir: &Hir) -> Option<Required> {
    let mut stretches = Search::default().stretches(hir);
    stretches.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let mut stretches = stretches.into_iter();
    let (_, rarest) = stretches.next()?;
    let is_telling = |(cost, literals): &(f64, Vec<Literal>)| {
        let is_said = |other: &Literal| rarest.iter().any(|literal| literal.holds(other));
        *cost < OTHERS_COST_MAX && !literals.is_empty() && !literals.iter().any(is_said)
    };
    let others = stretches.filter(is_telling).take(OTHERS_MAX);
    let others = others.map(|(_, literals)| literals).collect();
    Some(Required { rarest, others })
}

/// The character of ASCII that a text begins with, if its first is one that is left
/// aside, and how many bytes that is.
pub(super) fn plain(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [0xc5, 0xbf, ..] => Some((b's', 2)),
        [0xe2, 0x84, 0xaa, ..] => Some((b'k', 3)),
        [0xc2, 0x85 | 0xa0, ..] => Some((b' ', 2)),
        [0xe1, 0x9a, 0x80, ..]
        | [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf, ..]
        | [0xe2, 0x81, 0x9f, ..]
        | [0xe3, 0x80, 0x80, ..] => Some((b' ', 3)),
        _ => None,
    }
}

impl Literal {
    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether a text begins with it.
    pub(super) fn begins(&self, text: &[u8]) -> bool {
        text.len() >= self.len()
            && (text.iter().zip(&self.bytes).zip(&self.folds))
                .all(|((byte, own), fold)| byte | fold == *own)
    }

    /// Whether another one is in every text that holds this one.
    fn holds(&self, other: &Self) -> bool {
        let is_as = |at: usize| {
            let folds = &self.folds[at..at + other.len()];
            (self.bytes[at..].iter().zip(folds))
                .zip(other.bytes.iter().zip(&other.folds))
                .all(|((byte, fold), (own, own_fold))| {
                    byte | own_fold == *own && fold & !own_fold == 0
                })
        };
        (other.len() <= self.len()) && (0..=self.len() - other.len()).any(is_as)
    }

    /// Its bytes, letters that fold in lower case.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// For each byte the bit that does not matter, or 0.
    pub(super) fn folds(&self) -> &[u8] {
        &self.folds
    }

    /// All that may stand for a part of it.
    pub(super) fn variants(&self, part: Range<usize>) -> Vec<Vec<u8>> {
        part.fold(vec![Vec::new()], |variants, idx| {
            let (byte, fold) = (self.bytes[idx], self.folds[idx]);
            let bytes = [Some(byte), (fold != 0).then_some(byte ^ fold)];
            let longer = |variant: &Vec<u8>| {
                let variant = variant.clone();
                (bytes.into_iter().flatten()).map(move |byte| [&variant[..], &[byte]].concat())
            };
            variants.iter().flat_map(longer).collect()
        })
    }

    /// Whether the case of a letter of it does not matter.
    pub(super) fn has_folds(&self) -> bool {
        self.folds.iter().any(|fold| *fold != 0)
    }

    /// How rare a part of it is, in bits. What stands beside each other in a text
    /// goes together, so bytes tell less than each tells alone.
    pub(super) fn rarity(&self, part: Range<usize>) -> f64 {
        let bits = |idx: usize| match self.folds[idx] {
            0 => rarity_of(self.bytes[idx]),
            _ => rarity_of(self.bytes[idx]).min(rarity_of(self.bytes[idx].to_ascii_uppercase())),
        };
        let bytes = &self.bytes[part.clone()];
        let is_common = memchr::memmem::find(COMMON_WORDS.as_bytes(), &bytes.to_ascii_lowercase());
        let common = is_common.map_or(0.0, |_| COMMON_BITS);
        part.map(bits).sum::<f64>() * 0.55 - common
    }

    fn of(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            folds: vec![0; bytes.len()],
        }
    }

    fn followed_by(&self, other: &Self) -> Self {
        Self {
            bytes: [self.bytes.as_slice(), &other.bytes].concat(),
            folds: [self.folds.as_slice(), &other.folds].concat(),
        }
    }

    /// How often it is met, about, and what it costs to look for it.
    fn cost(&self) -> f64 {
        let len = self.len();
        let looked_at = len.min(24);
        let rarest = (0..=len - looked_at)
            .map(|start| self.rarity(start..start + looked_at))
            .fold(0.0, f64::max);
        // Shorter strings need a look at more places of the text.
        let looks = match len {
            LONG_BYTES_MIN.. => 0.0,
            5.. => 0.003,
            _ => 0.006,
        };
        (-rarest).exp2() + looks
    }
}

/// In a text of bytes as common as the n-th of `COMMONEST`, one in so many, as bits.
fn rarity_of(byte: u8) -> f64 {
    let rank = COMMONEST.iter().position(|common| *common == byte);
    match rank {
        Some(rank) => ((rank + 4) as f64 * 3.0).log2(),
        None => 10.0,
    }
}

/// Looks for the rarest strings of a pattern.
#[derive(Debug, Default)]
struct Search {
    n_parts: usize,
}

/// Strings that stand beside each other in a pattern, while they grow.
#[derive(Debug, Default)]
struct Rows {
    /// Each with all its variants.
    growing: Vec<Vec<Literal>>,
    /// The rarest since the rows were begun.
    best: Option<(f64, Vec<Literal>)>,
    /// The rarest of rows that ended before.
    stretches: Vec<(f64, Vec<Literal>)>,
}

impl Search {
    /// The rarest strings of each stretch of a pattern, and what it costs to look for
    /// them. Of each stretch that has any, one is in every record.
    fn stretches(&mut self, hir: &Hir) -> Vec<(f64, Vec<Literal>)> {
        let mut rows = Rows::default();
        rows.begin();
        self.add(hir, &mut rows);
        rows.end();
        rows.stretches
    }

    fn rarest(&mut self, hir: &Hir) -> Option<Vec<Literal>> {
        let stretches = self.stretches(hir).into_iter();
        let rarest = stretches.min_by(|(one, _), (other, _)| one.total_cmp(other));
        rarest.map(|(_, literals)| literals)
    }

    /// Lets rows grow by what a pattern begins with, and leaves those that it ends
    /// with growing.
    fn add(&mut self, hir: &Hir, rows: &mut Rows) {
        self.n_parts += 1;
        if self.n_parts > PARTS_MAX {
            rows.restart();
            return;
        }
        if let Some(strings) = self.strings(hir) {
            rows.grow(&strings);
            return;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) if has_aside(&literal.0) => rows.restart(),
            HirKind::Literal(literal) => {
                for part in literal.0.chunks(LITERAL_BYTES_MAX) {
                    rows.grow(&[Literal::of(part)]);
                }
            }
            HirKind::Class(_) => rows.restart(),
            HirKind::Capture(capture) => self.add(&capture.sub, rows),
            HirKind::Concat(parts) => {
                for part in parts {
                    self.add(part, rows);
                }
            }
            HirKind::Repetition(repetition) => {
                for _ in 0..repetition.min.min(REPEATED_MAX) {
                    self.add(&repetition.sub, rows);
                }
                if repetition.max != Some(repetition.min) || repetition.min > REPEATED_MAX {
                    rows.restart();
                    if repetition.min > 0 {
                        self.add(&repetition.sub, rows);
                    }
                }
            }
            HirKind::Alternation(parts) => {
                let all: Option<Vec<_>> = parts.iter().map(|part| self.rarest(part)).collect();
                rows.restart();
                if let Some(all) = all {
                    rows.offer(&all.concat());
                    rows.restart();
                }
            }
        }
    }

    /// All strings that a pattern stands for, if they are few.
    fn strings(&mut self, hir: &Hir) -> Option<Vec<Literal>> {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Some(vec![Literal::default()]),
            HirKind::Literal(literal) => {
                let is_usable = literal.0.len() <= LITERAL_BYTES_MAX && !has_aside(&literal.0);
                is_usable.then(|| vec![Literal::of(&literal.0)])
            }
            HirKind::Class(class) => self.members(class),
            HirKind::Capture(capture) => self.strings(&capture.sub),
            HirKind::Repetition(repetition) => {
                let max = repetition.max.filter(|max| *max <= REPEATED_MAX)?;
                let once = self.strings(&repetition.sub)?;
                let mut row = vec![Literal::default()];
                let mut all = Vec::new();
                for times in 0..=max {
                    if times >= repetition.min {
                        all.extend_from_slice(&row);
                    }
                    row = product(&row, &once)?;
                }
                few(all)
            }
            HirKind::Concat(parts) => {
                let mut row = vec![Literal::default()];
                for part in parts {
                    row = product(&row, &self.strings(part)?)?;
                }
                Some(row)
            }
            HirKind::Alternation(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(self.strings(part)?);
                    if all.len() > LITERALS_MAX {
                        return None;
                    }
                }
                few(all)
            }
        }
    }

    /// The members of a class, if they are few, letters of either case as one.
    fn members(&mut self, class: &Class) -> Option<Vec<Literal>> {
        let members: Vec<Vec<u8>> = match class {
            Class::Unicode(class) => {
                if n_members(class) > CLASS_MEMBERS_MAX {
                    return None;
                }
                let members = class
                    .ranges()
                    .iter()
                    .flat_map(|range| range.start()..=range.end());
                let members = members.map(|member| member.to_string().into_bytes());
                let (aside, members): (Vec<_>, Vec<_>) =
                    members.partition(|member| plain(member).is_some());
                let is_known = |member: &Vec<u8>| {
                    plain(member).is_some_and(|(plain, _)| members.contains(&vec![plain]))
                };
                if !aside.iter().all(is_known) {
                    return None;
                }
                members
            }
            Class::Bytes(class) => {
                let n_members: usize = class.ranges().iter().map(|range| range.len()).sum();
                if n_members > CLASS_MEMBERS_MAX {
                    return None;
                }
                let members = class
                    .ranges()
                    .iter()
                    .flat_map(|range| range.start()..=range.end());
                members.map(|member| vec![member]).collect()
            }
        };
        let upper_of = |member: &[u8]| match member {
            [letter @ b'a'..=b'z'] => Some(letter.to_ascii_uppercase()),
            _ => None,
        };
        let uppers: Vec<u8> = (members.iter())
            .filter_map(|member| upper_of(member))
            .filter(|upper| members.contains(&vec![*upper]))
            .collect();
        let folded = members.iter().filter(|member| match member.as_slice() {
            [letter] => !uppers.contains(letter),
            _ => true,
        });
        let literal = |member: &Vec<u8>| {
            let mut literal = Literal::of(member);
            if upper_of(member).is_some_and(|upper| uppers.contains(&upper)) {
                literal.folds = vec![CASE_BIT];
            }
            literal
        };
        Some(folded.map(literal).collect())
    }
}

impl Rows {
    /// Begins a row.
    fn begin(&mut self) {
        if self.growing.len() >= ROWS_MAX {
            let oldest = self.growing.remove(0);
            self.offer(&oldest);
        }
        self.growing.push(vec![Literal::default()]);
    }

    /// Ends all rows.
    fn end(&mut self) {
        for row in std::mem::take(&mut self.growing) {
            self.offer(&row);
        }
        self.stretches.extend(self.best.take());
    }

    /// Ends all rows: what follows is not beside them.
    fn restart(&mut self) {
        self.end();
        self.begin();
    }

    /// Lets all rows grow by a part that stands for some strings.
    fn grow(&mut self, strings: &[Literal]) {
        for row in std::mem::take(&mut self.growing) {
            let is_long = row.iter().any(|literal| literal.len() >= LITERAL_BYTES_MAX);
            match product(&row, strings) {
                Some(grown) if !is_long => {
                    // With more variants a row may become worse: both are offered.
                    if strings.len() > 1 {
                        self.offer(&row);
                    }
                    self.growing.push(grown);
                }
                _ => self.offer(&row),
            }
        }
        if self.growing.is_empty() {
            self.growing.push(strings.to_vec());
        }
        if strings.len() != 1 {
            self.begin();
        }
    }

    /// Keeps strings if they are rarer than the rarest so far.
    fn offer(&mut self, literals: &[Literal]) {
        if literals.len() > LITERALS_MAX
            || literals
                .iter()
                .any(|literal| literal.len() < LITERAL_BYTES_MIN)
        {
            return;
        }
        let cost = literals.iter().map(Literal::cost).sum();
        if self.best.as_ref().is_none_or(|(best, _)| cost < *best) {
            self.best = Some((cost, literals.to_vec()));
        }
    }
}

/// Each string followed by each, if they are few.
fn product(row: &[Literal], strings: &[Literal]) -> Option<Vec<Literal>> {
    if row.len() * strings.len() > LITERALS_MAX {
        return None;
    }
    let longest = |list: &[Literal]| list.iter().map(Literal::len).max().unwrap_or(0);
    if longest(row) + longest(strings) > 2 * LITERAL_BYTES_MAX {
        return None;
    }
    let pairs = row
        .iter()
        .flat_map(|literal| strings.iter().map(move |next| literal.followed_by(next)));
    few(pairs.collect())
}

/// The strings, each once, if they are few.
fn few(mut literals: Vec<Literal>) -> Option<Vec<Literal>> {
    literals.sort();
    literals.dedup();
    (literals.len() <= LITERALS_MAX).then_some(literals)
}

/// Whether a text holds a character that is left aside.
pub(super) fn has_aside(text: &[u8]) -> bool {
    (0..text.len()).any(|at| plain(&text[at..]).is_some())
}

/// How many characters a class has.
pub(super) fn n_members(class: &ClassUnicode) -> usize {
    class.ranges().iter().map(|range| range.len()).sum()
}

#[cfg(test)]
mod tests;
