//! Looks for characters beyond ASCII of which any would do.
//!
//! Whether a class of characters such as `\\d` takes any beyond ASCII is a question that
//! an automaton answers at the price of many states. Few logs have any of them at all.

use regex_syntax::hir::ClassUnicode;

/// Bytes that are looked at together for any beyond ASCII.
const STEP_BYTES: usize = 256;

/// Characters beyond ASCII, and the patterns that may be found where one stands.
#[derive(Debug)]
pub(super) struct Beyond {
    characters: ClassUnicode,
    patterns: Vec<u32>,
    /// By byte: whether one of the characters begins with it.
    begins: [bool; 256],
}

impl Beyond {
    /// Of what each pattern may hold. None if none of them may hold any.
    pub(super) fn new<'c>(patterns: impl Iterator<Item = (&'c ClassUnicode, u32)>) -> Option<Self> {
        let mut characters = ClassUnicode::empty();
        let mut numbers = Vec::new();
        for (its_own, number) in patterns {
            if !its_own.ranges().is_empty() {
                characters.union(its_own);
                numbers.push(number);
            }
        }
        let mut begins = [false; 256];
        let all = (characters.iter()).flat_map(|range| range.start()..=range.end());
        for character in all {
            let mut buffer = [0; 4];
            begins[usize::from(character.encode_utf8(&mut buffer).as_bytes()[0])] = true;
        }
        (!numbers.is_empty()).then_some(Self {
            characters,
            patterns: numbers,
            begins,
        })
    }

    /// Tells of every place in a text where one of the characters stands, and of each
    /// pattern.
    pub(super) fn find(&self, text: &[u8], on_hit: &mut impl FnMut(usize, u32)) {
        let mut at = 0;
        for step in text.chunks(STEP_BYTES) {
            if !step.is_ascii() {
                for (idx, byte) in step.iter().enumerate() {
                    if self.begins[usize::from(*byte)] && self.is_at(&text[at + idx..]) {
                        (self.patterns.iter()).for_each(|number| on_hit(at + idx, *number));
                    }
                }
            }
            at += step.len();
        }
    }

    /// Whether a text begins with one of them.
    fn is_at(&self, text: &[u8]) -> bool {
        let text = &text[..text.len().min(4)];
        let first = text.utf8_chunks().next();
        let first = first.and_then(|chunk| chunk.valid().chars().next());
        first.is_some_and(|character| {
            let ranges = self.characters.ranges();
            let nth = ranges.partition_point(|range| range.end() < character);
            ranges
                .get(nth)
                .is_some_and(|range| range.start() <= character)
        })
    }
}
