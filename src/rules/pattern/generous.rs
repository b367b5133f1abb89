//! Patterns that are found wherever others are, and cost less.

use regex_syntax::hir::{
    self, Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look,
};

use super::Pattern;

/// How many bytes of ASCII a class has at least, for a repetition of it to be a gap.
const GAP_MEMBERS_MIN: usize = 40;

/// How often a repeated part is spelt out at most.
const REPEATED_MAX: u32 = 64;

/// How many parts a pattern is taken apart into, at most.
const PARTS_MAX: usize = 1_024;

/// What words of ASCII are made of.
const WORD: [(u8, u8); 4] = [(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')];

/// Returns the parsed form of a regex that compiled.
pub(super) fn hir_of(pattern: &Pattern) -> Option<Hir> {
    regex_syntax::ParserBuilder::new()
        .utf8(false)
        .build()
        .parse(pattern.as_str())
        .ok()
}

/// A pattern that is found in every line with a record in which another one is found,
/// and that never spans lines.
///
/// Of what looks around only the beginning of the record is kept, and the beginning of
/// a word before a letter or digit of ASCII. What looks ahead would see what is behind a
/// record that was cut. Where a pattern allows for nearly anything in between (`.*`, `\S+`), one side of it must do: an
/// automaton that had to keep in mind what it saw before would have twice the states
/// for each such pattern.
#[derive(Debug)]
pub(super) struct Generous {
    /// Parts that stand beside each other.
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    hir: Hir,
    /// How many characters it takes, about.
    n_positions: usize,
    /// How rarely it is found, about, in bits.
    rarity: f64,
}

impl Generous {
    /// None if it would be found everywhere.
    pub(super) fn of(hir: &Hir) -> Option<Self> {
        let mut rows = Rows {
            rows: vec![Vec::new()],
            ..Rows::default()
        };
        rows.split(hir);
        let rows = rows.rows.into_iter().map(|parts| Self {
            parts: trimmed(parts),
        });
        let rarest = rows.max_by(|one, other| one.rarity().total_cmp(&other.rarity()))?;
        (rarest.shortened(usize::MAX).properties().minimum_len() != Some(0)).then_some(rarest)
    }

    /// Whether it is only found where a line begins.
    pub(super) fn is_anchored(&self) -> bool {
        (self.parts.iter()).any(|part| !part.hir.properties().look_set().is_empty())
    }

    fn rarity(&self) -> f64 {
        self.parts.iter().map(|part| part.rarity).sum()
    }

    /// The rarest row of its parts that takes no more than so many characters, if one
    /// part alone does not.
    pub(super) fn shortened(&self, n_positions_max: usize) -> Hir {
        let mut best = (f64::MIN, 0..0);
        for start in 0..self.parts.len() {
            let (mut n_positions, mut rarity) = (0_usize, 0.0);
            for (idx, part) in self.parts.iter().enumerate().skip(start) {
                n_positions = n_positions.saturating_add(part.n_positions);
                if n_positions > n_positions_max && idx > start {
                    break;
                }
                rarity += part.rarity;
                if rarity > best.0 {
                    best = (rarity, start..idx + 1);
                }
            }
        }
        Hir::concat(
            self.parts[best.1]
                .iter()
                .map(|part| part.hir.clone())
                .collect(),
        )
    }
}

/// Rows of parts, while a pattern is taken apart.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Vec<Part>>,
    n_parts: usize,
    /// Whether the next part begins or ends a word.
    is_at_boundary: bool,
}

/// Without what may be left out at both ends: a pattern is found without it, too.
fn trimmed(mut parts: Vec<Part>) -> Vec<Part> {
    let is_needed =
        |part: &Part| part.rarity > 0.0 || part.hir.properties().minimum_len() != Some(0);
    let Some(first) = parts.iter().position(is_needed) else {
        return Vec::new();
    };
    let last = parts.iter().rposition(is_needed).unwrap_or(first);
    parts.truncate(last + 1);
    parts.split_off(first)
}

impl Rows {
    /// Adds a pattern to the last row, and begins another row behind each gap.
    fn split(&mut self, hir: &Hir) {
        if self.n_parts > PARTS_MAX {
            self.begin();
            return;
        }
        match hir.kind() {
            HirKind::Concat(parts) => {
                for part in parts {
                    self.split(part);
                }
            }
            HirKind::Capture(capture) => self.split(&capture.sub),
            HirKind::Literal(literal) => {
                for byte in &literal.0 {
                    self.add(&Hir::literal([*byte]));
                }
            }
            HirKind::Repetition(repetition) => {
                let n_sure = repetition.min.min(REPEATED_MAX);
                for _ in 0..n_sure {
                    self.split(&repetition.sub);
                }
                if repetition.max == Some(n_sure) {
                    return;
                }
                if n_sure < repetition.min || is_wide(&repetition.sub) {
                    self.begin();
                    return;
                }
                let mut rest = repetition.with((*repetition.sub).clone());
                rest.min = 0;
                rest.max = repetition.max.map(|max| max - n_sure);
                self.add(&Hir::repetition(rest));
            }
            HirKind::Look(Look::WordUnicode) => self.is_at_boundary = true,
            HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) | HirKind::Alternation(_) => {
                self.add(hir);
            }
        }
    }

    fn begin(&mut self) {
        self.n_parts += 1;
        self.is_at_boundary = false;
        self.rows.push(Vec::new());
    }

    fn add(&mut self, hir: &Hir) {
        let generous = match self.is_at_boundary {
            true => at_boundary(hir),
            false => generous_part(hir),
        };
        if let Some(row) = self.rows.last_mut()
            && !matches!(generous.kind(), HirKind::Empty)
        {
            self.n_parts += 1;
            self.is_at_boundary = false;
            row.push(Part {
                n_positions: n_positions(hir),
                rarity: rarity(&generous),
                hir: generous,
            });
        }
    }
}

/// A part of a pattern at the boundary of a word. Where it begins with a letter or digit
/// of ASCII there is none before it, whatever Unicode says of others.
fn at_boundary(hir: &Hir) -> Hir {
    let begin = |hir: Hir| Hir::concat(vec![Hir::look(Look::WordAscii), hir]);
    match hir.kind() {
        HirKind::Literal(literal) if literal.0.first().is_some_and(is_word) => {
            begin(generous_part(hir))
        }
        HirKind::Class(class) => {
            let (mut word, mut rest) = (class.clone(), class.clone());
            match (&mut word, &mut rest) {
                (Class::Unicode(word), Class::Unicode(rest)) => {
                    let known =
                        WORD.map(|(from, to)| ClassUnicodeRange::new(from.into(), to.into()));
                    word.intersect(&ClassUnicode::new(known));
                    rest.difference(word);
                }
                (Class::Bytes(word), Class::Bytes(rest)) => {
                    let known = WORD.map(|(from, to)| ClassBytesRange::new(from, to));
                    word.intersect(&ClassBytes::new(known));
                    rest.difference(word);
                }
                (Class::Unicode(_), Class::Bytes(_)) | (Class::Bytes(_), Class::Unicode(_)) => {}
            }
            Hir::alternation(vec![begin(generous_class(&word)), generous_class(&rest)])
        }
        HirKind::Capture(capture) => at_boundary(&capture.sub),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(at_boundary).collect()),
        HirKind::Concat(parts) if parts[0].properties().minimum_len() != Some(0) => {
            let (first, rest) = (at_boundary(&parts[0]), parts[1..].iter().map(generous_part));
            Hir::concat([first].into_iter().chain(rest).collect())
        }
        HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Literal(_)
        | HirKind::Repetition(_)
        | HirKind::Concat(_) => generous_part(hir),
    }
}

fn is_word(byte: &u8) -> bool {
    WORD.iter().any(|(from, to)| (from..=to).contains(&byte))
}

fn is_wide(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(class) => n_ascii(class) >= GAP_MEMBERS_MIN,
        HirKind::Capture(capture) => is_wide(&capture.sub),
        HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Literal(_)
        | HirKind::Repetition(_)
        | HirKind::Concat(_)
        | HirKind::Alternation(_) => false,
    }
}

/// How rarely a pattern is found, about, in bits.
fn rarity(hir: &Hir) -> f64 {
    match hir.kind() {
        HirKind::Empty => 0.0,
        // An automaton that may not begin anywhere has few states.
        HirKind::Look(_) => 14.0,
        HirKind::Literal(literal) => 6.0 * literal.0.len() as f64,
        HirKind::Class(class) => (95.0 / n_ascii(class).clamp(1, 95) as f64).log2(),
        HirKind::Repetition(repetition) => {
            f64::from(repetition.min.min(REPEATED_MAX)) * rarity(&repetition.sub)
        }
        HirKind::Capture(capture) => rarity(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(rarity).sum(),
        HirKind::Alternation(parts) => parts.iter().map(rarity).fold(f64::MAX, f64::min),
    }
}

/// How many characters a pattern takes, about.
fn n_positions(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(_) => 1,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min + 1);
            n_positions(&repetition.sub).saturating_mul(times as usize)
        }
        HirKind::Capture(capture) => n_positions(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(n_positions).fold(0, usize::saturating_add)
        }
    }
}

fn generous_part(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Look(Look::Start | Look::StartLF) => Hir::concat(vec![
            Hir::look(Look::StartLF),
            // A byte order mark is not part of the record.
            Hir::repetition(hir::Repetition {
                min: 0,
                max: Some(1),
                greedy: true,
                sub: Box::new(Hir::literal("\u{feff}".as_bytes())),
            }),
        ]),
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(literal) if literal.0.contains(&b'\n') => Hir::fail(),
        HirKind::Literal(literal) => Hir::literal(literal.0.clone()),
        HirKind::Class(class) => generous_class(class),
        HirKind::Repetition(repetition) => {
            Hir::repetition(repetition.with(generous_part(&repetition.sub)))
        }
        HirKind::Capture(capture) => generous_part(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(generous_part).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(generous_part).collect()),
    }
}

/// Returns a class without the line feed, and without most of Unicode.
///
/// A class such as `\w` takes hundreds of states when it is spelt out. So beyond ASCII
/// every character will do: a byte that begins one, and bytes that go on.
fn generous_class(class: &Class) -> Hir {
    let bytes = |ranges: &[(u8, u8)]| {
        let ranges = ranges
            .iter()
            .map(|(from, to)| ClassBytesRange::new(*from, *to));
        ClassBytes::new(ranges)
    };
    let line_feed = bytes(&[(b'\n', b'\n')]);
    match class {
        Class::Unicode(class) => {
            let ascii = class.ranges().iter().filter_map(|range| {
                let from = u8::try_from(range.start()).ok().filter(u8::is_ascii)?;
                let to = u8::try_from(range.end()).unwrap_or(0x7f).min(0x7f);
                Some(ClassBytesRange::new(from, to))
            });
            let mut ascii = ClassBytes::new(ascii);
            ascii.difference(&line_feed);
            let ascii = Hir::class(Class::Bytes(ascii));
            if class
                .ranges()
                .last()
                .is_none_or(|range| range.end().is_ascii())
            {
                return ascii;
            }
            let go_on = Hir::repetition(hir::Repetition {
                min: 1,
                max: None,
                greedy: true,
                sub: Box::new(Hir::class(Class::Bytes(bytes(&[(0x80, 0xbf)])))),
            });
            let begin = Hir::class(Class::Bytes(bytes(&[(0xc2, 0xf4)])));
            Hir::alternation(vec![ascii, Hir::concat(vec![begin, go_on])])
        }
        Class::Bytes(class) => {
            let mut class = class.clone();
            class.difference(&line_feed);
            Hir::class(Class::Bytes(class))
        }
    }
}

/// How many bytes of ASCII a class has.
fn n_ascii(class: &Class) -> usize {
    let len = |from: u32, to: u32| (to.min(0x7f) + 1).saturating_sub(from) as usize;
    match class {
        Class::Unicode(class) => (class.ranges().iter())
            .map(|range| len(range.start().into(), range.end().into()))
            .sum(),
        Class::Bytes(class) => (class.ranges().iter())
            .map(|range| len(range.start().into(), range.end().into()))
            .sum(),
    }
}
