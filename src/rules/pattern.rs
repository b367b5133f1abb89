//! One search of a region for all rules.
//!
//! Nearly no line hits, so the work is in finding out that none does. Three
//! stages, each run on less than the one before:
//!
//! 1. `gate` runs over the whole region. It is all patterns in one and only finds
//!    the next line worth a look.
//! 2. `which` runs on that line and tells which patterns may have been found.
//! 3. The rule's own regexes decide, and give the captures.
//!
//! The first two are too generous: what looks around (`^`, `\b`) is left out, and
//! beyond ASCII one character is as good as another. So they stay small and fast,
//! and can be wrong in one direction only.
//!
//! Rules see characters, but logs hold any bytes. A record that is not valid
//! UTF-8 is searched twice, as it is and with its bad bytes replaced by U+FFFD,
//! and a pattern is found in it when either search finds it. So `.` and `\S` hit
//! bad bytes, and `(?-u:\xFF)` still works.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use regex::bytes::Regex;
use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::{Input, MatchKind, PatternID, PatternSet};
use regex_syntax::hir::{self, Hir, HirKind};

use crate::secrets::{REDACTED, Redactor, Secrets};

/// How many characters a class may have to be searched for as it is.
const CLASS_CHARS_SMALL: usize = 8;

/// How much of a captured text is kept.
const CAPTURE_CHARS_MAX: usize = 1_000;

/// The size up to which all patterns are compiled into one; beyond it each rule
/// is tried on its own, which is correct and slow.
const COMBINED_NFA_BYTES_MAX: usize = 128 << 20;

/// The memory a lazy automaton may use, and what each pattern adds to it.
const AUTOMATON_BYTES_MIN: usize = 2 << 20;
const AUTOMATON_BYTES_PER_PATTERN: usize = 32 << 10;
const AUTOMATON_BYTES_MAX: usize = 64 << 20;

/// The memory that the lazy automaton of one regex may use, each way.
const PATTERN_AUTOMATON_BYTES_MAX: usize = 128 << 10;

/// The patterns of one rule: any of `matches`, none of `excepts`.
#[derive(Debug, Clone)]
pub struct Patterns {
    /// Patterns of which one must be found in the record.
    pub matches: Vec<Arc<Pattern>>,
    /// Patterns of which none may be found in the record.
    pub excepts: Vec<Arc<Pattern>>,
}

/// One regex of a rule.
///
/// Most rules sleep for weeks, and a compiled regex takes up to a megabyte; so it
/// is compiled when a record first needs it.
pub struct Pattern {
    text: String,
    names: Vec<(usize, Arc<str>)>,
    compiled: OnceLock<meta::Regex>,
}

impl Patterns {
    /// The names of all captures, each once, in the order of the patterns.
    pub fn capture_names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for (_, name) in self.matches.iter().flat_map(|pattern| &pattern.names) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}

impl Pattern {
    /// Keeps a regex by its text. That it compiles is known by then.
    pub fn of(regex: &Regex) -> Self {
        Self {
            text: regex.as_str().to_owned(),
            names: regex
                .capture_names()
                .enumerate()
                .filter_map(|(idx, name)| Some((idx, Arc::from(name?))))
                .collect(),
            compiled: OnceLock::new(),
        }
    }

    /// The regex as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn regex(&self) -> &meta::Regex {
        self.compiled.get_or_init(|| {
            let config = meta::Config::new()
                .utf8_empty(false)
                .onepass(false)
                .dfa(false)
                .hybrid_cache_capacity(PATTERN_AUTOMATON_BYTES_MAX);
            meta::Builder::new()
                .configure(config)
                .syntax(regex_automata::util::syntax::Config::new().utf8(false))
                .build(&self.text)
                .expect("it compiled when the rules were checked")
        })
    }

    /// Whether it is found anywhere in these bytes.
    pub fn is_found_in(&self, bytes: &[u8]) -> bool {
        self.regex().is_match(bytes)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

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

/// A record as patterns see it.
struct Record<'a> {
    bytes: &'a [u8],
    /// The same with bad bytes replaced, if it has any.
    replaced: Option<String>,
    /// What of the text is secret: looked for when the record first is a hit.
    secrets: OnceCell<Secrets>,
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
        let mut redacted = None;
        let mut report = |rule: usize| {
            let Some(captures) = self.rules[rule].hit(&record, &self.redactor) else {
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
        let Some(which) = &self.which else {
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

impl Patterns {
    /// Returns the captures of the first pattern found, if the record is a hit.
    fn hit(&self, record: &Record<'_>, redactor: &Redactor) -> Option<Vec<(Arc<str>, String)>> {
        let pattern = self.matches.iter().find(|pattern| record.holds(pattern))?;
        if self.excepts.iter().any(|pattern| record.holds(pattern)) {
            return None;
        }
        if pattern.names.is_empty() {
            return Some(Vec::new());
        }
        // Captures are shown, so they come from the record as people see it.
        let replaced = record.replaced.as_ref().map(String::as_bytes);
        let mut captures = pattern.regex().create_captures();
        let texts = replaced.into_iter().chain([record.bytes]);
        for text in texts {
            pattern.regex().captures(text, &mut captures);
            if captures.is_match() {
                let taken = pattern.names.iter().filter_map(|(idx, name)| {
                    let range = captures.get_group(*idx)?.range();
                    let shown = record.shown(text, range, redactor);
                    Some((Arc::clone(name), shortened(shown)))
                });
                return Some(taken.collect());
            }
        }
        None
    }
}

impl<'a> Record<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let replaced = match String::from_utf8_lossy(bytes) {
            Cow::Borrowed(_) => None,
            Cow::Owned(text) => Some(text),
        };
        Self {
            bytes,
            replaced,
            secrets: OnceCell::new(),
        }
    }

    /// The record as text.
    fn text(&self) -> &str {
        match &self.replaced {
            Some(text) => text,
            None => std::str::from_utf8(self.bytes).unwrap_or_default(),
        }
    }

    fn secrets(&self, redactor: &Redactor) -> &Secrets {
        self.secrets
            .get_or_init(|| redactor.secrets_in(self.text()))
    }

    /// The record as text without its secrets, if it has any.
    fn redacted(&self, redactor: &Redactor) -> Option<Arc<str>> {
        let (secrets, text) = (self.secrets(redactor), self.text());
        (!secrets.is_empty()).then(|| secrets.hide(text, 0..text.len()).into())
    }

    /// A part of the searched bytes as text without secrets.
    fn shown<'t>(
        &self,
        searched: &'t [u8],
        part: Range<usize>,
        redactor: &Redactor,
    ) -> Cow<'t, str> {
        let shown = String::from_utf8_lossy(&searched[part.clone()]);
        let secrets = self.secrets(redactor);
        if secrets.is_empty() {
            return shown;
        }
        let text = self.text();
        if searched.len() == text.len()
            && text.is_char_boundary(part.start)
            && text.is_char_boundary(part.end)
        {
            return Cow::Owned(secrets.hide(text, part));
        }
        // The pattern looked at bytes that are no text. Where they stand in the text
        // is known to a few bytes, so what is near a secret is hidden whole.
        const NEAR: usize = 8;
        let len_before = |end: usize| String::from_utf8_lossy(&searched[..end]).len();
        let start = len_before(part.start).saturating_sub(NEAR);
        let end = len_before(part.end) + NEAR;
        let mut secrets = secrets.ranges().iter();
        match secrets.any(|secret| secret.start < end && start < secret.end) {
            true => Cow::Borrowed(REDACTED),
            false => shown,
        }
    }

    fn holds(&self, pattern: &Pattern) -> bool {
        pattern.is_found_in(self.bytes)
            || self
                .replaced
                .as_ref()
                .is_some_and(|text| pattern.is_found_in(text.as_bytes()))
    }
}

/// Returns what of a line is searched: no ending, no NULs after the text, no byte
/// order mark before it, and no more than `bytes_max`, cut between characters.
pub fn record_in(region: &[u8], line: Range<usize>, bytes_max: usize) -> Range<usize> {
    let Range { mut start, mut end } = line;
    let text = &region[start..end];
    if text.ends_with(b"\n") {
        end -= 1;
    }
    end = start + without_nuls(&region[start..end]);
    if region[start..end].ends_with(b"\r") {
        end = start + without_nuls(&region[start..end - 1]);
    }
    if region[start..end].starts_with("\u{feff}".as_bytes()) {
        start += '\u{feff}'.len_utf8();
    }
    if end - start > bytes_max {
        end = start + bytes_max;
        // A character of UTF-8 has at most three bytes that go on.
        for back in 0..=3.min(bytes_max) {
            if region[end - back] & 0b1100_0000 != 0b1000_0000 {
                end -= back;
                break;
            }
        }
    }
    start..end
}

fn without_nuls(text: &[u8]) -> usize {
    text.iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |idx| idx + 1)
}

/// Returns the start of the line that the byte at `idx` lies in, if the lines
/// begin at `from`.
fn line_start(region: &[u8], from: usize, idx: usize) -> usize {
    memchr::memrchr(b'\n', &region[from..idx]).map_or(from, |end| from + end + 1)
}

/// Returns the end of the line that the byte at `idx` lies in.
fn line_end(region: &[u8], idx: usize) -> usize {
    memchr::memchr(b'\n', &region[idx..]).map_or(region.len(), |end| idx + end + 1)
}

fn first_bad_byte(region: &[u8], from: usize) -> Option<usize> {
    std::str::from_utf8(&region[from..])
        .err()
        .map(|error| from + error.valid_up_to())
}

fn shortened(text: Cow<'_, str>) -> String {
    match text.char_indices().nth(CAPTURE_CHARS_MAX) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.into_owned(),
    }
}

/// Returns the parsed form of a regex that compiled.
fn hir_of(pattern: &Pattern) -> Option<Hir> {
    regex_syntax::ParserBuilder::new()
        .utf8(false)
        .build()
        .parse(pattern.as_str())
        .ok()
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

/// Returns a pattern that is found in every record in which this one is found, and
/// that never spans lines.
fn generous(hir: &Hir) -> Hir {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(matches: &[&str], excepts: &[&str]) -> Patterns {
        let compile = |list: &[&str]| {
            let compiled = list.iter().map(|text| Regex::new(text).unwrap());
            compiled
                .map(|regex| Arc::new(Pattern::of(&regex)))
                .collect()
        };
        Patterns {
            matches: compile(matches),
            excepts: compile(excepts),
        }
    }

    fn search(rules: &[&Patterns], region: &[u8], line_bytes_max: usize) -> Vec<Match> {
        let mut found = Vec::new();
        Matcher::new(rules, line_bytes_max).search(region, &mut |hit| found.push(hit));
        found
    }

    /// What `search` means, without any cleverness.
    fn search_naively(rules: &[&Patterns], region: &[u8], line_bytes_max: usize) -> Vec<Match> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < region.len() {
            let line = at..line_end(region, at);
            at = line.end;
            let record = record_in(region, line.clone(), line_bytes_max);
            for (rule, patterns) in rules.iter().enumerate() {
                let text = Record::new(&region[record.clone()]);
                if let Some(captures) = patterns.hit(&text, &Redactor::default()) {
                    found.push(Match {
                        rule,
                        line: line.clone(),
                        record: record.clone(),
                        redacted: text.redacted(&Redactor::default()),
                        captures,
                    });
                }
            }
        }
        found
    }

    fn check(rule: &Patterns, region: &[u8], records: &[&str]) {
        let found: Vec<String> = search(&[rule], region, 1000)
            .into_iter()
            .map(|hit| String::from_utf8_lossy(&region[hit.record]).into_owned())
            .collect();
        assert_eq!(found, records, "{rule:?}");
    }

    #[test]
    fn sees_records_and_nothing_else() {
        check(&patterns(&["^b$"], &[]), b"a\nb\nbb\n", &["b"]);
        check(
            &patterns(&["^b$"], &[]),
            b"b\r\nb\0\0\nb\0\r\nxb",
            &["b", "b", "b"],
        );
        check(&patterns(&["b$"], &[]), b"a\nxb", &["xb"]);
        check(&patterns(&["a\\sb"], &[]), b"a\nb\na b\n", &["a b"]);
        check(&patterns(&["a[^x]b"], &[]), b"a\nb\n", &[]);
        check(&patterns(&["(?s)a.b"], &[]), b"a\nb\n", &[]);
        check(&patterns(&["(?m)^b"], &[]), b"a\nb\n", &["b"]);
        check(&patterns(&["^$"], &[]), b"a\n\n\r\n", &["", ""]);
        check(&patterns(&["^a"], &[]), b"\xef\xbb\xbfa\n", &["a"]);
        check(
            &patterns(&[r"\berr\b"], &[]),
            b"xerr\nan err.\n\xc3\xa9err\n",
            &["an err."],
        );
    }

    #[test]
    fn any_match_and_no_exception() {
        let rule = patterns(&["error", "fail"], &["harmless", "test$"]);
        check(
            &rule,
            b"error\nharmless error\nfail\nfail test\nfine\n",
            &["error", "fail"],
        );
    }

    #[test]
    fn bad_bytes_are_characters_too() {
        check(&patterns(&["a.b"], &[]), b"a\xffb\nx\n", &["a\u{fffd}b"]);
        check(
            &patterns(&[r"^\S+$"], &[]),
            b"a\xff\xfeb\n",
            &["a\u{fffd}\u{fffd}b"],
        );
        check(
            &patterns(&[r"(?-u:\xff)"], &[]),
            b"a\xffb\n",
            &["a\u{fffd}b"],
        );
        check(&patterns(&["x"], &["a.b"]), b"x a\xffb\nx\n", &["x"]);
        let rule = patterns(&["user=(?<user>\\S+)"], &[]);
        let found = search(&[&rule], b"ok\nuser=a\xffb\nok\n", 1000);
        assert_eq!(found[0].captures, [("user".into(), "a\u{fffd}b".into())]);
    }

    #[test]
    fn the_first_pattern_found_gives_the_captures() {
        let rule = patterns(&["nothing (?<a>x)", "(?<b>b+)(?<c>c)?", "(?<d>.)"], &[]);
        let found = search(&[&rule], b"abbb\n", 1000);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].captures, [("b".into(), "bbb".into())]);
    }

    #[test]
    fn nothing_beyond_the_limit_is_seen() {
        let rule = patterns(&["b"], &[]);
        assert!(search(&[&rule], b"aaaab\n", 4).is_empty());
        let found = search(&[&rule], "baaé\nx\n".as_bytes(), 4);
        assert_eq!(found[0].record, 0..3);
        assert_eq!(found[0].line, 0..6);
        let rule = patterns(&["(?<long>a+)"], &[]);
        let found = search(&[&rule], &[b'a'; 5000], 4000);
        assert_eq!(found[0].captures[0].1.len(), CAPTURE_CHARS_MAX);
    }

    #[test]
    fn secrets_are_in_no_capture() {
        let rule = patterns(&[r"token=(?<token>\S+) by (?<who>\w+)"], &[]);
        let found = search(&[&rule], b"token=a1b2c3 by bob\ntoken=none by bob\n", 1000);
        let shown = [
            ("token".into(), "[redacted]".into()),
            ("who".into(), "bob".into()),
        ];
        assert_eq!(found[0].captures, shown);
        assert_eq!(
            found[0].redacted.as_deref(),
            Some("token=[redacted] by bob")
        );
        assert_eq!(found[1].captures[0].1, "none");
        assert_eq!(found[1].redacted, None);

        // A capture of a part of it, also beside bad bytes and by a pattern of bytes.
        for (pattern, line) in [
            ("(?<part>b2c)", b"token=a1b2c3".as_slice()),
            ("(?<part>b2c)", b"\xff token=a1b2c3"),
            (r"(?<part>(?-u:\xff)2c)", b"\xe9\xe9 token=a1\xff2c3"),
        ] {
            let found = search(&[&patterns(&[pattern], &[])], line, 1000);
            assert_eq!(found[0].captures, [("part".into(), "[redacted]".into())]);
        }

        let own = Redactor::new(vec![Regex::new("b.b").unwrap()]);
        let rule = patterns(&["(?<all>.+)"], &[]);
        let mut found = Vec::new();
        let matcher = Matcher::new(&[&rule], 1000).hiding(Arc::new(own));
        matcher.search(b"a bob\n", &mut |hit| found.push(hit));
        assert_eq!(found[0].captures[0].1, "a [redacted]");
    }

    #[test]
    fn no_rules_no_hits() {
        assert!(search(&[], b"a\nb\n", 10).is_empty());
        assert!(search(&[&patterns(&["a"], &[])], b"", 10).is_empty());
    }

    fn any_pattern() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "a",
            "b+c",
            "^a",
            "a$",
            "^$",
            r"\ba\b",
            ".",
            r"\S\S",
            "é",
            "(?i)É",
            "[^a]",
            r"a\s*b",
            r"(?-u:\xff)",
            "(?<x>a)(?<y>b)?",
            "a|bc|^c",
            "(?m)^b$",
            "x*",
            r"\w{3}",
            "\u{fffd}",
            "(?s)a.c",
            r"c\r?",
            r"\x00",
        ])
    }

    fn any_region() -> impl Strategy<Value = Vec<u8>> {
        let bytes = prop::sample::select(vec![
            b"a".as_slice(),
            b"b",
            b"c",
            b"\n",
            b"\r\n",
            b" ",
            b"\0",
            b"\xff",
            b"\xc3",
            "é".as_bytes(),
            "\u{feff}".as_bytes(),
            b"\xe2\x82",
            b"\n\n",
        ]);
        prop::collection::vec(bytes, 0..60).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn finds_what_every_rule_on_every_line_finds(
            rules in prop::collection::vec(
                (prop::collection::vec(any_pattern(), 1..3), prop::collection::vec(any_pattern(), 0..2)),
                1..4,
            ),
            region in any_region(),
            line_bytes_max in 1_usize..20,
        ) {
            let rules: Vec<Patterns> = rules
                .iter()
                .map(|(matches, excepts)| patterns(matches, excepts))
                .collect();
            let rules: Vec<&Patterns> = rules.iter().collect();
            prop_assert_eq!(
                search(&rules, &region, line_bytes_max),
                search_naively(&rules, &region, line_bytes_max)
            );
        }
    }
}
