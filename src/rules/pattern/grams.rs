//! Looks for many strings at once, at few bytes of a text.
//!
//! A gram is a few bytes that stand beside each other. A string of seven bytes or more
//! covers, wherever it stands, a gram of four bytes that begins at a multiple of four.
//! So it is enough to look at every fourth byte whether the gram there is one of any
//! string: one bit of a table that fits the fastest cache. Shorter strings have to be
//! looked for at each byte, which the processor's vectors do best if they are few. If
//! they are many, their grams of three bytes are known by their two pairs of bytes.
//!
//! What that lets pass is looked up, and compared with the strings it may be part of.
//! Of each string only those grams are looked for that are rarest in logs.

use std::collections::BTreeMap;
use std::fmt;

use aho_corasick::{Span, packed};

use super::literals::Literal;

/// Bits of the table of grams, as a power of two.
const TABLE_BITS: u32 = 17;

/// Words of the table of grams.
const TABLE_WORDS: usize = 1 << (TABLE_BITS - 6);

/// Bits of the hash that choose a shelf, as a power of two.
const SHELF_BITS: u32 = 12;

/// Bytes that are looked at in one go.
const STEP_BYTES: usize = 32;

/// Bytes behind a step that its last gram may need.
const STEP_MORE_BYTES: usize = 4;

/// Makes a letter of either case the same, and some other bytes too.
const ANY_CASE: u32 = 0x2020_2020;

/// Bits of a pair, of which a gram has the same in both of its pairs.
const BUCKETS: usize = 8;

/// How long the grams of a few strings are, at most.
const FEW_GRAM_BYTES_MAX: usize = 4;

/// How many grams are few.
const FEW_GRAMS_MAX: usize = 64;

/// A step of a text, and what its last gram needs.
type Step = [u8; STEP_BYTES + STEP_MORE_BYTES];

/// Long strings, looked for at every fourth byte.
#[derive(Debug)]
pub(super) struct Fours {
    /// A bit for each hash: whether any string has such a gram.
    table: Table<u64, TABLE_WORDS>,
    /// The same with another hash, for what the first lets pass.
    table_aside: Table<u64, TABLE_WORDS>,
    /// Bits that are set before a gram is looked for.
    fold: u32,
    shelves: Shelves<4>,
}

/// Many shorter strings, looked for at each byte.
#[derive(Debug)]
pub(super) struct Threes {
    /// For each pair of bytes the buckets of which a gram begins with it, and above
    /// them those of which one ends with it.
    table: Table<u16, { 1 << 16 }>,
    shelves: Shelves<3>,
}

/// A few short strings, looked for with the processor's vectors.
#[derive(Debug)]
pub(super) struct Few {
    searcher: packed::Searcher,
    /// For each gram the strings that have it: where in them, and for whom.
    owners: Vec<Vec<(usize, Literal, u32)>>,
}

/// Strings by their grams of `GRAM` bytes.
#[derive(Debug)]
struct Shelves<const GRAM: usize> {
    /// Bits that are set before a gram is looked up.
    fold: u32,
    /// Where the grams of a shelf begin among all.
    begins: Vec<u32>,
    grams: Vec<Gram>,
    /// Each once.
    literals: Vec<Literal>,
    /// Who asks for them: where those of a string begin among all.
    askers_begin: Vec<u32>,
    askers: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Gram {
    shelf: u32,
    gram: u32,
    /// Where in the string it stands.
    at: u32,
    /// The string it is part of.
    literal: u32,
    head: Head,
}

/// What a string begins with: most strings that have a gram in common differ here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    bytes: u64,
    folds: u64,
    /// The bytes that the string has.
    mask: u64,
}

struct Table<T, const N: usize>(Box<[T; N]>);

impl Fours {
    /// The shortest string that covers a gram wherever it stands.
    pub(super) const LITERAL_BYTES_MIN: usize = 7;

    /// Makes strings ready to be looked for, each for one who asks. None if there are
    /// none.
    pub(super) fn new(literals: Vec<(Literal, u32)>) -> Option<Self> {
        let folds = literals.iter().any(|(literal, _)| literal.has_folds());
        let fold = if folds { ANY_CASE } else { 0 };
        let shelves = Shelves::new(literals, 4, fold)?;
        let mut table = Table::new();
        let mut table_aside = Table::new();
        for gram in &shelves.grams {
            let (word, bit) = place_of(hash(gram.gram));
            table.0[word] |= 1 << bit;
            let (word, bit) = place_of(hash_aside(gram.gram));
            table_aside.0[word] |= 1 << bit;
        }
        Some(Self {
            table,
            table_aside,
            fold,
            shelves,
        })
    }

    /// Tells of every string in a text: where, and for whom.
    #[inline(never)]
    pub(super) fn find(&self, text: &[u8], on_hit: &mut impl FnMut(usize, u32)) {
        let mut at = 0;
        while let Some(step) = step_at(text, at) {
            let mut any = 0;
            for idx in (0..STEP_BYTES).step_by(4) {
                any |= self.is_known(gram_at(step, idx) | self.fold);
            }
            if any & 1 != 0 {
                for idx in (0..STEP_BYTES).step_by(4) {
                    let gram = gram_at(step, idx) | self.fold;
                    if self.is_known(gram) & self.is_known_aside(gram) & 1 != 0 {
                        self.shelves.look_up(text, at + idx, on_hit);
                    }
                }
            }
            at += STEP_BYTES;
        }
        for at in (at..text.len()).step_by(4) {
            self.shelves.look_up(text, at, on_hit);
        }
    }

    /// Its lowest bit tells whether a string may have this gram.
    #[inline(always)]
    fn is_known(&self, gram: u32) -> u64 {
        let (word, bit) = place_of(hash(gram));
        self.table.0[word] >> bit
    }

    fn is_known_aside(&self, gram: u32) -> u64 {
        let (word, bit) = place_of(hash_aside(gram));
        self.table_aside.0[word] >> bit
    }
}

impl Few {
    /// None if there are none, if they are too many, or if the processor has no vectors
    /// to do it with.
    pub(super) fn new(literals: &[(Literal, u32)]) -> Option<Self> {
        let shortest = literals.iter().map(|(literal, _)| literal.len()).min()?;
        // All of one length: no two are found at the same place.
        let gram = shortest.min(FEW_GRAM_BYTES_MAX);
        let mut grams: BTreeMap<Vec<u8>, Vec<(usize, Literal, u32)>> = BTreeMap::new();
        for (literal, who) in literals {
            let at = rarest_window(literal, gram, 1);
            for variant in literal.variants(at..at + gram) {
                let owners = grams.entry(variant).or_default();
                owners.push((at, literal.clone(), *who));
            }
        }
        if grams.len() > FEW_GRAMS_MAX {
            return None;
        }
        let (grams, owners): (Vec<_>, Vec<_>) = grams.into_iter().unzip();
        let searcher = packed::Searcher::new(grams)?;
        Some(Self { searcher, owners })
    }

    /// Tells of every string in a text: where, and for whom.
    #[inline(never)]
    pub(super) fn find(&self, text: &[u8], on_hit: &mut impl FnMut(usize, u32)) {
        let mut span = Span::from(0..text.len());
        while let Some(found) = self.searcher.find_in(text, span) {
            span.start = found.start() + 1;
            for (at, literal, who) in &self.owners[found.pattern().as_usize()] {
                let Some(start) = found.start().checked_sub(*at) else {
                    continue;
                };
                if literal.begins(&text[start..]) {
                    on_hit(start, *who);
                }
            }
        }
    }
}

impl Threes {
    /// Makes strings of three bytes or more ready to be looked for, each for one who
    /// asks. None if there are none.
    pub(super) fn new(literals: Vec<(Literal, u32)>) -> Option<Self> {
        let shelves = Shelves::new(literals, 1, ANY_CASE)?;
        // What is alike shares a bucket.
        let n_literals = shelves.literals.len();
        let mut table = Table::new();
        for gram in &shelves.grams {
            let literal = &shelves.literals[gram.literal as usize];
            let bucket = 1 << (gram.literal as usize * BUCKETS / n_literals);
            let at = gram.at as usize;
            for variant in literal.variants(at..at + 3) {
                table.0[pair(variant[0], variant[1])] |= bucket;
                table.0[pair(variant[1], variant[2])] |= bucket << BUCKETS;
            }
        }
        Some(Self { table, shelves })
    }

    /// Tells of every string in a text: where, and for whom.
    #[inline(never)]
    pub(super) fn find(&self, text: &[u8], on_hit: &mut impl FnMut(usize, u32)) {
        let mut at = 0;
        while let Some(step) = step_at(text, at) {
            let mut pairs = [0; STEP_BYTES + 1];
            for (idx, known) in pairs.iter_mut().enumerate() {
                *known = self.table.0[pair(step[idx], step[idx + 1])];
            }
            // Not 0 where the first pair of a gram is followed by its second.
            let mut known = [0; STEP_BYTES];
            let mut any = 0;
            for idx in 0..STEP_BYTES {
                known[idx] = pairs[idx] & (pairs[idx + 1] >> BUCKETS);
                any |= known[idx];
            }
            if any != 0 {
                for (idx, known) in known.iter().enumerate() {
                    if *known != 0 {
                        self.shelves.look_up(text, at + idx, on_hit);
                    }
                }
            }
            at += STEP_BYTES;
        }
        for at in at..text.len() {
            self.shelves.look_up(text, at, on_hit);
        }
    }
}

impl<const GRAM: usize> Shelves<GRAM> {
    /// Strings that are looked for at every `stride`-th byte, each for one who asks; none
    /// if there are none.
    fn new(mut asked: Vec<(Literal, u32)>, stride: usize, fold: u32) -> Option<Self> {
        if asked.is_empty() {
            return None;
        }
        asked.sort();
        let mut literals = Vec::new();
        let mut askers_begin = Vec::new();
        for (idx, (literal, _)) in asked.iter().enumerate() {
            if literals.last() != Some(literal) {
                literals.push(literal.clone());
                askers_begin.push(idx as u32);
            }
        }
        askers_begin.push(asked.len() as u32);
        let mut grams = Vec::with_capacity(literals.len() * stride);
        for (idx, literal) in literals.iter().enumerate() {
            let window = rarest_window(literal, GRAM, stride);
            for at in window..window + stride {
                let gram = Self::gram_of(&literal.bytes()[at..]).map_or(0, |gram| gram | fold);
                grams.push(Gram {
                    shelf: shelf_of(gram),
                    gram,
                    at: at as u32,
                    literal: idx as u32,
                    head: Head::of(literal),
                });
            }
        }
        grams.sort();
        let begins = (0..=1 << SHELF_BITS)
            .map(|shelf| grams.partition_point(|gram| gram.shelf < shelf) as u32)
            .collect();
        Some(Self {
            fold,
            begins,
            grams,
            literals,
            askers_begin,
            askers: asked.into_iter().map(|(_, who)| who).collect(),
        })
    }

    /// Tells of the strings that have the gram which stands at a place of a text.
    #[inline(never)]
    fn look_up(&self, text: &[u8], at: usize, on_hit: &mut impl FnMut(usize, u32)) {
        let Some(gram) = Self::gram_of(&text[at..]) else {
            return;
        };
        let gram = gram | self.fold;
        let shelf = shelf_of(gram) as usize;
        for known in &self.grams[self.begins[shelf] as usize..self.begins[shelf + 1] as usize] {
            if known.gram != gram {
                continue;
            }
            let Some(start) = at.checked_sub(known.at as usize) else {
                continue;
            };
            let text = &text[start..];
            let literal = known.literal as usize;
            if known.head.may_begin(text) && self.literals[literal].begins(text) {
                let askers = self.askers_begin[literal]..self.askers_begin[literal + 1];
                for who in &self.askers[askers.start as usize..askers.end as usize] {
                    on_hit(start, *who);
                }
            }
        }
    }

    fn gram_of(text: &[u8]) -> Option<u32> {
        let mut bytes = [0; 4];
        bytes[..GRAM].copy_from_slice(text.get(..GRAM)?);
        Some(u32::from_le_bytes(bytes))
    }
}

impl Head {
    fn of(literal: &Literal) -> Self {
        let word = |bytes: &[u8]| {
            let mut word = [0; 8];
            let len = bytes.len().min(8);
            word[..len].copy_from_slice(&bytes[..len]);
            u64::from_le_bytes(word)
        };
        Self {
            bytes: word(literal.bytes()),
            folds: word(literal.folds()),
            mask: word(&[0xff; 8][..literal.len().min(8)]),
        }
    }

    /// Whether a text may begin with the string.
    fn may_begin(&self, text: &[u8]) -> bool {
        let Some(head) = text.first_chunk() else {
            return true;
        };
        (u64::from_le_bytes(*head) & self.mask | self.folds) == self.bytes
    }
}

impl<T: Copy + Default, const N: usize> Table<T, N> {
    fn new() -> Self {
        let rows = vec![T::default(); N].into_boxed_slice();
        Self(
            rows.try_into()
                .unwrap_or_else(|_| Box::new([T::default(); N])),
        )
    }
}

impl<T, const N: usize> fmt::Debug for Table<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({N})")
    }
}

fn step_at(text: &[u8], at: usize) -> Option<&Step> {
    text[at..].first_chunk()
}

#[inline(always)]
fn gram_at(step: &Step, idx: usize) -> u32 {
    u32::from_le_bytes([step[idx], step[idx + 1], step[idx + 2], step[idx + 3]])
}

#[inline(always)]
fn pair(first: u8, second: u8) -> usize {
    usize::from(u16::from_le_bytes([first, second]))
}

#[inline(always)]
fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9e37_79b1)
}

fn hash_aside(gram: u32) -> u32 {
    (gram ^ gram >> 15).wrapping_mul(0x85eb_ca6b)
}

#[inline(always)]
fn place_of(hash: u32) -> (usize, u32) {
    let bit = hash >> (u32::BITS - TABLE_BITS);
    ((bit >> 6) as usize, bit & 63)
}

fn shelf_of(gram: u32) -> u32 {
    hash(gram) >> (u32::BITS - SHELF_BITS)
}

/// Where in a string the grams begin that are rarest in logs.
fn rarest_window(literal: &Literal, gram: usize, stride: usize) -> usize {
    let met = |window: usize| -> f64 {
        let grams = window..window + stride;
        grams
            .map(|at| (-literal.rarity(at..at + gram)).exp2())
            .sum()
    };
    let windows = 0..=literal.len() - (gram + stride - 1);
    let rarest = windows.min_by(|one, other| met(*one).total_cmp(&met(*other)));
    rarest.unwrap_or(0)
}
