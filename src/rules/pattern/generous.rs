//! Patterns that are found wherever others are, and cost less.

use regex_syntax::hir::{self, Hir, HirKind};

use super::Pattern;

/// How many characters a class may have to be searched for as it is.
const CLASS_CHARS_SMALL: usize = 8;

/// Returns the parsed form of a regex that compiled.
pub(super) fn hir_of(pattern: &Pattern) -> Option<Hir> {
    regex_syntax::ParserBuilder::new()
        .utf8(false)
        .build()
        .parse(pattern.as_str())
        .ok()
}

/// Returns a pattern that is found in every record in which this one is found, and
/// that never spans lines.
pub(super) fn generous(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(literal) if literal.0.contains(&b'\n') => Hir::fail(),
        HirKind::Literal(literal) => Hir::literal(literal.0.clone()),
        HirKind::Class(class) => generous_class(class),
        HirKind::Repetition(repetition) => {
            Hir::repetition(repetition.with(generous(&repetition.sub)))
        }
        HirKind::Capture(capture) => generous(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(generous).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(generous).collect()),
    }
}

/// Returns a class without the line feed, and without most of Unicode.
///
/// A class such as `\w` takes hundreds of states when it is spelt out, and a
/// thousand rules of them are too big for any automaton. So beyond ASCII every
/// character will do: two to four bytes of which none is ASCII.
fn generous_class(class: &hir::Class) -> Hir {
    match class {
        hir::Class::Unicode(class) => {
            let mut class = class.clone();
            class.difference(&hir::ClassUnicode::new([hir::ClassUnicodeRange::new(
                '\n', '\n',
            )]));
            if is_small(&class) {
                // Small classes are letters of either case: parts of words, by
                // which lines are found fast.
                return Hir::class(hir::Class::Unicode(class));
            }
            let mut ascii = class.clone();
            ascii.intersect(&hir::ClassUnicode::new([hir::ClassUnicodeRange::new(
                '\0', '\x7f',
            )]));
            let has_more = ascii != class;
            let ascii = Hir::class(hir::Class::Unicode(ascii));
            if !has_more {
                return ascii;
            }
            let byte = hir::ClassBytes::new([hir::ClassBytesRange::new(0x80, 0xff)]);
            let beyond = Hir::repetition(hir::Repetition {
                min: 2,
                max: Some(4),
                greedy: true,
                sub: Box::new(Hir::class(hir::Class::Bytes(byte))),
            });
            Hir::alternation(vec![ascii, beyond])
        }
        hir::Class::Bytes(class) => {
            let mut class = class.clone();
            class.difference(&hir::ClassBytes::new([hir::ClassBytesRange::new(
                b'\n', b'\n',
            )]));
            Hir::class(hir::Class::Bytes(class))
        }
    }
}

fn is_small(class: &hir::ClassUnicode) -> bool {
    let ranges = class.ranges();
    ranges.len() <= CLASS_CHARS_SMALL
        && ranges
            .iter()
            .map(hir::ClassUnicodeRange::len)
            .sum::<usize>()
            <= CLASS_CHARS_SMALL
}
