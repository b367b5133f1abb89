//! Patterns that are found wherever others are, and cost less.

use std::sync::OnceLock;

use regex_syntax::hir::{
    self, Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look,
};

use super::literals::{self, n_members};

/// How many bytes of ASCII a class has at least, for a repetition of it to be a gap.
const GAP_MEMBERS_MIN: usize = 40;

/// How often a repeated part is spelt out at most.
const REPEATED_MAX: u32 = 64;

/// How many parts a pattern is taken apart into, at most.
const PARTS_MAX: usize = 1_024;

/// A part that is commoner does not make a pattern rarer.
const NEEDED_BITS_MIN: f64 = 0.1;

/// How many characters beyond ASCII are looked for apart, at most. About so many digits
/// there are.
const BEYOND_MAX: usize = 1_000;

/// What words of ASCII are made of.
const WORD: [(u8, u8); 4] = [(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')];

/// A pattern that is found in every line with a record in which another one is found,
/// and that never spans lines.
///
/// Of what looks around only the beginning of the record is kept, and the beginning of
/// a word before a letter or digit of ASCII. What looks ahead would see what is behind a
/// record that was cut: of that only what the pattern ends [`Before`] is told. Where a
/// pattern allows for nearly anything in between (`.*`, `\S+`), one side of it must do: an
/// automaton that had to keep in mind what it saw before would have twice the states
/// for each such pattern.
///
/// Beyond ASCII few characters are digits, and logs have none of them: so a pattern of
/// digits is looked for in ASCII, and those others by themselves.
#[derive(Debug, Clone)]
pub(super) struct Generous {
    /// Parts that stand beside each other.
    parts: Vec<Part>,
    /// What is behind the last.
    before: Before,
    /// Characters of which one may be in the record instead.
    beyond: ClassUnicode,
}

/// What a pattern ends before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Before {
    /// Anything.
    #[default]
    Anything,
    /// No letter or digit of ASCII: it ends as a word does.
    NoWord,
    /// The end of the record.
    End,
}

#[derive(Debug, Clone)]
struct Part {
    /// With any character beyond ASCII for those it may hold.
    hir: Hir,
    /// Without any, and those it may hold.
    apart: Option<(Hir, ClassUnicode)>,
    /// How many characters it takes, about.
    n_positions: usize,
    /// How rarely it is found, about, in bits.
    rarity: f64,
}

impl Generous {
    /// None if it would be found everywhere.
    pub(super) fn of(hir: &Hir) -> Option<Self> {
        let mut rows = Rows {
            rows: vec![Row::default()],
            ..Rows::default()
        };
        rows.split(hir);
        let rows = rows.rows.into_iter().map(Row::trimmed);
        let rarest = rows.max_by(|one, other| one.rarity().total_cmp(&other.rarity()))?;
        let (all, _) = rarest.shortened(usize::MAX);
        (all.properties().minimum_len() != Some(0)).then_some(rarest)
    }

    /// Whether it is only found where a line begins.
    pub(super) fn is_anchored(&self) -> bool {
        (self.parts.iter()).any(|part| !part.hir.properties().look_set().is_empty())
    }

    fn rarity(&self) -> f64 {
        self.parts.iter().map(|part| part.rarity).sum::<f64>() + self.before.rarity()
    }

    /// Characters of which one is in the record if a part of the pattern is not.
    pub(super) fn beyond(&self) -> &ClassUnicode {
        &self.beyond
    }

    /// The rarest row of its parts that takes no more than so many characters, if one
    /// part alone does not, and what that ends before.
    pub(super) fn shortened(&self, n_positions_max: usize) -> (Hir, Before) {
        let mut best = (f64::MIN, 0..0);
        for start in 0..self.parts.len() {
            let (mut n_positions, mut rarity) = (0_usize, 0.0);
            for (idx, part) in self.parts.iter().enumerate().skip(start) {
                n_positions = n_positions.saturating_add(part.n_positions);
                if n_positions > n_positions_max && idx > start {
                    break;
                }
                rarity += part.rarity;
                let is_last = idx + 1 == self.parts.len();
                let with_end = rarity + if is_last { self.before.rarity() } else { 0.0 };
                if with_end > best.0 {
                    best = (with_end, start..idx + 1);
                }
            }
        }
        let before = match best.1.end == self.parts.len() {
            true => self.before,
            false => Before::Anything,
        };
        let parts = self.parts[best.1].iter().map(|part| part.hir.clone());
        (Hir::concat(parts.collect()), before)
    }
}

impl Before {
    /// How rarely it is so, about, in bits.
    fn rarity(self) -> f64 {
        match self {
            Self::Anything => 0.0,
            Self::NoWord => 1.0,
            Self::End => 6.0,
        }
    }

    /// Whether a pattern may end before a byte, or the end of its line.
    pub(super) fn may_be(self, byte: u8) -> bool {
        match self {
            Self::Anything => true,
            Self::NoWord => !is_word(byte),
            // What may stand between a record and the end of its line.
            Self::End => matches!(byte, b'\n' | b'\r' | 0),
        }
    }
}

/// Rows of parts, while a pattern is taken apart.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Row>,
    n_parts: usize,
    /// Whether the next part begins or ends a word.
    is_at_boundary: bool,
}

/// Parts that stand beside each other, while there may come more.
#[derive(Debug, Default)]
struct Row {
    parts: Vec<Part>,
    before: Before,
    /// Whether the last character is one of a word.
    is_in_word: bool,
}

impl Row {
    /// Without what may be left out at both ends: a pattern is found without it, too.
    fn trimmed(self) -> Generous {
        let Self {
            mut parts, before, ..
        } = self;
        let is_needed = |part: &Part| part.rarity > NEEDED_BITS_MIN;
        let first = parts.iter().position(is_needed).unwrap_or(parts.len());
        if before == Before::Anything {
            let last = parts.iter().rposition(is_needed);
            parts.truncate(last.map_or(first, |last| last + 1));
        }
        let mut parts = parts.split_off(first);
        let mut beyond = ClassUnicode::empty();
        if parts.iter().all(|part| part.apart.is_some()) {
            for part in &mut parts {
                if let Some((hir, its_own)) = part.apart.take() {
                    part.hir = hir;
                    beyond.union(&its_own);
                }
            }
        }
        let before = match parts.is_empty() {
            true => Before::Anything,
            false => before,
        };
        Generous {
            parts,
            before,
            beyond,
        }
    }
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
                let n_bytes = literal.0.len();
                if literals::has_aside(&literal.0)
                    && let Some(row) = self.rows.last_mut()
                {
                    let parts = row.parts.iter_mut().rev().take(n_bytes);
                    parts.for_each(|part| part.apart = None);
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
                // To count how often would take a state each time.
                rest.max = repetition
                    .max
                    .map(|max| max - n_sure)
                    .filter(|max| *max == 1);
                self.add(&Hir::repetition(rest));
            }
            HirKind::Look(look) => {
                self.is_at_boundary |= *look == Look::WordUnicode;
                self.end_before(*look);
                self.add(hir);
            }
            HirKind::Empty | HirKind::Class(_) | HirKind::Alternation(_) => self.add(hir),
        }
    }

    /// Notes that what follows was looked at.
    fn end_before(&mut self, look: Look) {
        let Some(row) = self.rows.last_mut() else {
            return;
        };
        let before = match look {
            Look::End | Look::EndLF => Before::End,
            Look::WordUnicode if row.is_in_word => Before::NoWord,
            _ => Before::Anything,
        };
        row.before = row.before.max(before);
    }

    fn begin(&mut self) {
        self.n_parts += 1;
        self.is_at_boundary = false;
        self.rows.push(Row::default());
    }

    fn add(&mut self, hir: &Hir) {
        let generous = |beyond| match self.is_at_boundary {
            true => at_boundary(hir, beyond),
            false => generous_part(hir, beyond),
        };
        let apart = beyond_ascii(hir).map(|class| (generous(Beyond::Apart), class));
        let generous = generous(Beyond::Any);
        if let Some(row) = self.rows.last_mut()
            && !matches!(generous.kind(), HirKind::Empty)
        {
            self.n_parts += 1;
            self.is_at_boundary = false;
            row.before = Before::Anything;
            row.is_in_word = ends_in_word(hir, row.is_in_word);
            row.parts.push(Part {
                n_positions: n_positions(hir),
                rarity: rarity(&generous),
                hir: generous,
                apart,
            });
        }
    }
}

/// What becomes of the characters beyond ASCII that a pattern may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// Any will do.
    Any,
    /// They are looked for apart.
    Apart,
}

/// The characters beyond ASCII that a part may hold, but for those that are written
/// plainly in another form of the line, and then are part of it as well. None if they
/// are too many to be looked for apart, or bytes.
fn beyond_ascii(hir: &Hir) -> Option<ClassUnicode> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(ClassUnicode::empty()),
        HirKind::Literal(literal) => (!literals::has_aside(&literal.0)).then(ClassUnicode::empty),
        HirKind::Class(Class::Unicode(class)) => {
            let mut rest = class.clone();
            let ascii = ClassUnicodeRange::new('\0', '\x7f');
            rest.difference(&ClassUnicode::new([ascii]));
            for aside in literals::ASIDE {
                let its_own = ClassUnicode::new([ClassUnicodeRange::new(aside, aside)]);
                let n_before = n_members(&rest);
                rest.difference(&its_own);
                let mut buffer = [0; 4];
                let plain = literals::plain(aside.encode_utf8(&mut buffer).as_bytes());
                let is_known = plain.is_some_and(|(plain, _)| {
                    let plain = char::from(plain);
                    let mut ranges = class.ranges().iter();
                    ranges.any(|range| range.start() <= plain && plain <= range.end())
                });
                if n_members(&rest) < n_before && !is_known {
                    return None;
                }
            }
            (n_members(&rest) <= BEYOND_MAX).then_some(rest)
        }
        HirKind::Class(Class::Bytes(class)) => {
            let last = class.ranges().last();
            let is_ascii = last.is_none_or(|range| range.end().is_ascii());
            is_ascii.then(ClassUnicode::empty)
        }
        HirKind::Repetition(repetition) => beyond_ascii(&repetition.sub),
        HirKind::Capture(capture) => beyond_ascii(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            (parts.iter()).try_fold(ClassUnicode::empty(), |mut all, part| {
                all.union(&beyond_ascii(part)?);
                Some(all)
            })
        }
    }
}

/// A part of a pattern at the boundary of a word. Where it begins with a letter or digit
/// of ASCII there is none before it, whatever Unicode says of others.
fn at_boundary(hir: &Hir, beyond: Beyond) -> Hir {
    let begin = |hir: Hir| Hir::concat(vec![Hir::look(Look::WordAscii), hir]);
    match hir.kind() {
        HirKind::Literal(literal) if literal.0.first().copied().is_some_and(is_word) => {
            begin(generous_part(hir, beyond))
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
            let (word, rest) = (generous_class(&word, beyond), generous_class(&rest, beyond));
            Hir::alternation(vec![begin(word), rest])
        }
        HirKind::Capture(capture) => at_boundary(&capture.sub, beyond),
        HirKind::Alternation(parts) => {
            let parts = parts.iter().map(|part| at_boundary(part, beyond));
            Hir::alternation(parts.collect())
        }
        HirKind::Concat(parts) if parts[0].properties().minimum_len() != Some(0) => {
            let first = at_boundary(&parts[0], beyond);
            let rest = parts[1..].iter().map(|part| generous_part(part, beyond));
            Hir::concat([first].into_iter().chain(rest).collect())
        }
        HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Literal(_)
        | HirKind::Repetition(_)
        | HirKind::Concat(_) => generous_part(hir, beyond),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether the last character of a part is one of a word for sure, if the one before it
/// is or not.
fn ends_in_word(hir: &Hir, is_in_word: bool) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => is_in_word,
        HirKind::Literal(literal) => literal.0.last().copied().is_some_and(is_word),
        HirKind::Class(Class::Unicode(class)) => {
            let mut rest = class.clone();
            rest.difference(words());
            rest.ranges().is_empty()
        }
        HirKind::Class(Class::Bytes(_)) => false,
        HirKind::Repetition(repetition) => {
            (repetition.min > 0 || is_in_word) && ends_in_word(&repetition.sub, is_in_word)
        }
        HirKind::Capture(capture) => ends_in_word(&capture.sub, is_in_word),
        HirKind::Concat(parts) => (parts.iter()).fold(is_in_word, |is_in_word, part| {
            ends_in_word(part, is_in_word)
        }),
        HirKind::Alternation(parts) => parts.iter().all(|part| ends_in_word(part, is_in_word)),
    }
}

/// What words are made of, as Unicode has it.
fn words() -> &'static ClassUnicode {
    static WORDS: OnceLock<ClassUnicode> = OnceLock::new();
    WORDS.get_or_init(|| match regex_syntax::parse(r"\w").map(Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => class,
        _ => ClassUnicode::empty(),
    })
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

fn generous_part(hir: &Hir, beyond: Beyond) -> Hir {
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
        HirKind::Class(class) => generous_class(class, beyond),
        HirKind::Repetition(repetition) => {
            Hir::repetition(repetition.with(generous_part(&repetition.sub, beyond)))
        }
        HirKind::Capture(capture) => generous_part(&capture.sub, beyond),
        HirKind::Concat(parts) => {
            let parts = parts.iter().map(|part| generous_part(part, beyond));
            Hir::concat(parts.collect())
        }
        HirKind::Alternation(parts) => {
            let parts = parts.iter().map(|part| generous_part(part, beyond));
            Hir::alternation(parts.collect())
        }
    }
}

/// Returns a class without the line feed, and without most of Unicode.
///
/// A class such as `\w` takes hundreds of states when it is spelt out. So beyond ASCII
/// every character will do: a byte that begins one, and bytes that go on.
fn generous_class(class: &Class, beyond: Beyond) -> Hir {
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
            let last = class.ranges().last();
            if beyond == Beyond::Apart || last.is_none_or(|range| range.end().is_ascii()) {
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
