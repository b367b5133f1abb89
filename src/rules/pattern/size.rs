//! How big a regex can be when compiled.
//!
//! To compile is a hundred times the work of parsing, nearly every regex is far from any
//! limit, and most are never needed: so it is only done when this cannot rule out that
//! one is too big.

use std::iter;

use regex_syntax::hir::{Class, Hir, HirKind};
use regex_syntax::utf8::{Utf8Sequence, Utf8Sequences};

/// A state takes this much by itself.
const STATE_BYTES: usize = 32;

/// A way out of a state, by a range of bytes.
const TRANSITION_BYTES: usize = 8;

/// A state with all that leads on from it that is not of a class: of that, each part of a
/// regex adds one or two ways.
const WHOLE_STATE_BYTES: usize = 100;

/// The states around the regex itself: its beginning anywhere, its whole, its end.
const STATES_AROUND: usize = 10;

/// Returns how many bytes the automaton of a regex takes at most.
pub(super) fn bytes_at_most(hir: &Hir) -> usize {
    n_bytes(hir).saturating_add(STATES_AROUND * WHOLE_STATE_BYTES)
}

fn n_bytes(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => WHOLE_STATE_BYTES,
        HirKind::Literal(literal) => (literal.0.len() + 1) * WHOLE_STATE_BYTES,
        HirKind::Class(Class::Bytes(class)) => of_class(class.ranges().len(), 0),
        HirKind::Class(Class::Unicode(class)) => of_sequences(
            (class.iter()).flat_map(|range| Utf8Sequences::new(range.start(), range.end())),
        ),
        HirKind::Capture(capture) => with_states(n_bytes(&capture.sub), 2),
        HirKind::Repetition(repetition) => {
            let n_copies = repetition.max.unwrap_or(repetition.min.max(1));
            let per_copy = with_states(n_bytes(&repetition.sub), 1);
            with_states(per_copy.saturating_mul(n_copies as usize), 3)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => (parts.iter())
            .map(|part| with_states(n_bytes(part), 1))
            .fold(2 * WHOLE_STATE_BYTES, usize::saturating_add),
    }
}

fn with_states(n_bytes: usize, n_states: usize) -> usize {
    n_bytes.saturating_add(n_states * WHOLE_STATE_BYTES)
}

/// What the characters take whose bytes are these. They come in order, so what begins
/// alike has the beginning in common. Many have their end in common as well, but which
/// do is the work that is saved here.
fn of_sequences(sequences: impl Iterator<Item = Utf8Sequence>) -> usize {
    let (mut n_transitions, mut n_states) = (0, 0);
    let mut last: Option<Utf8Sequence> = None;
    for sequence in sequences {
        let ranges = sequence.as_slice();
        let before = last.iter().flat_map(Utf8Sequence::as_slice);
        let n_alike = iter::zip(ranges, before)
            .take_while(|(range, before)| range == before)
            .count();
        let n_new = ranges.len() - n_alike;
        n_transitions += n_new;
        n_states += n_new.saturating_sub(1);
        last = Some(sequence);
    }
    of_class(n_transitions, n_states)
}

/// Besides those within, a class has states where it begins and ends.
fn of_class(n_transitions: usize, n_states_within: usize) -> usize {
    n_transitions * TRANSITION_BYTES + (n_states_within + 3) * STATE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pattern::{automaton, parsed};

    #[test]
    fn says_no_less_than_it_is_and_not_wildly_more() {
        let alternatives = (0..500)
            .map(|n| format!("{n}-is-its-own-word"))
            .collect::<Vec<_>>();
        let deep = format!("{}x{}", "(?:a|".repeat(60), ")?".repeat(60));
        for text in [
            "",
            "a",
            "(?:){1000}",
            "(?:a{0}){1000}",
            r"\w{50}",
            r"(?-u:\w){50}",
            ".{1,128}",
            "[^x]{2,500}?",
            r"(?i)straße|ﬀ",
            r"\pL+(?:\s\pL+)*",
            "(?:a*)*",
            "(?:(?:a|b)?){3,}",
            &alternatives.join("|"),
            &deep,
        ] {
            let size = bytes_at_most(&parsed(text).unwrap());
            assert!(automaton(text, size).is_some(), "{text}");
            assert!(automaton(text, size / 30).is_none(), "{text}: {size}");
        }
    }
}
