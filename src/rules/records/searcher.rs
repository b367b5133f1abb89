//! One search for all rules that read a file in the same way.
//!
//! Lines of plain text are searched as regions, by the matcher alone, and conditions
//! are held against what it captured. All else comes record by record. A line of JSON
//! or logfmt is taken apart only if one of its parts may be a hit: without escapes
//! every text within it stands there letter by letter, so a line that the matcher
//! rules out as a whole, and that has none of the texts that conditions need, is none.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

use super::super::Rule;
use super::super::journal::Entry;
use super::super::pattern::{Match, Matcher, Patterns, Trial};
use super::conditions::Where;
use super::parsed::{self, Fields};
use super::reading::{Format, Reading};
use crate::secrets::Redactor;

/// Characters of a field that are kept.
const FIELD_CHARS_MAX: usize = 1_000;

/// Fields that are kept where a rule speaks of all of them.
const FIELDS_MAX: usize = 32;

/// The size that the texts which conditions need may have when compiled.
const NEEDLES_BYTES_MAX: usize = 4 << 20;

/// What selects records, and what is kept of them.
#[derive(Debug, Clone)]
pub struct Selector {
    /// What is searched for in the message; nothing if only `conditions` select.
    pub patterns: Patterns,
    /// What has to hold for the fields.
    pub conditions: Where,
    /// The fields that are kept of what is selected.
    pub kept: Kept,
}

/// Fields of a record that a rule speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Their names.
    pub names: BTreeSet<Arc<str>>,
    /// Whether it speaks of all there are.
    pub all: bool,
}

/// Lines before and after a record that a message shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context {
    /// So many before it.
    pub before: usize,
    /// So many after it.
    pub after: usize,
}

/// Rules that read a file in the same way, made ready to search together.
#[derive(Debug)]
pub struct Searcher {
    reading: Reading,
    selectors: Vec<Selector>,
    contexts: Vec<Context>,
    /// Of which rules many hits are only counted.
    countable: Vec<bool>,
    /// Of the selectors that have patterns.
    matcher: Matcher,
    with_patterns: Vec<usize>,
    without_patterns: Vec<usize>,
    alone: Alone,
    redactor: Arc<Redactor>,
}

/// In which lines conditions may hold of which nothing else is asked.
#[derive(Debug)]
enum Alone {
    /// There are none.
    Nowhere,
    /// Where one of their texts stands.
    Where(Regex),
    /// In any.
    Anywhere,
}

/// A record as it was put together.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// What people see of it, without line endings.
    pub text: &'a [u8],
    /// Its first line as it stands in the file, but for its ending.
    pub first_line: &'a [u8],
    /// Whether that could be taken out of what it was wrapped up in, where the format
    /// wraps lines up.
    pub was_unwrapped: bool,
}

/// A record that a rule selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The rule's place in the list that the searcher was made of.
    pub rule: usize,
    /// The named captures that took part, without secrets.
    pub captures: Vec<(Arc<str>, String)>,
    /// The fields that the rule speaks of, without secrets.
    pub fields: Vec<(Arc<str>, String)>,
    /// The record as text without its secrets, if it has any.
    pub redacted: Option<Arc<str>>,
    /// What the record tells of its time.
    pub time: Time,
}

/// Where a record's time stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Time {
    /// In its text, if anywhere.
    InText,
    /// In one of these fields, the first that is a time.
    InFields(Vec<String>),
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It was searched, or could be ruled out as it stood.
    Searched,
    /// It is not of its format: it was searched as text.
    Unparsed,
}

impl Alone {
    fn of<'w>(conditions: impl Iterator<Item = &'w Where>) -> Self {
        let needles: Option<Vec<Vec<&str>>> = conditions.map(Where::needles).collect();
        let Some(needles) = needles.map(|lists| lists.concat()) else {
            return Self::Anywhere;
        };
        if needles.is_empty() {
            return Self::Nowhere;
        }
        let escaped: Vec<String> = needles.into_iter().map(regex::escape).collect();
        let regex = RegexBuilder::new(&escaped.join("|"))
            .size_limit(NEEDLES_BYTES_MAX)
            .build();
        regex.map_or(Self::Anywhere, Self::Where)
    }

    fn may_hold(&self, line: &[u8]) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Where(regex) => regex.is_match(line),
            Self::Anywhere => true,
        }
    }
}

impl Kept {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.all
    }
}

impl Searcher {
    /// Makes rules ready. All must read in the way of the first.
    pub fn new(rules: &[&Rule], redactor: &Arc<Redactor>) -> Self {
        let reading = rules.first().map(|rule| rule.reading.clone());
        let selectors = rules.iter().map(|rule| Selector {
            patterns: rule.patterns.clone(),
            conditions: rule.filter.clone(),
            kept: rule.kept.clone(),
        });
        let contexts = rules.iter().map(|rule| rule.context).collect();
        let searcher = Self::of(
            reading.unwrap_or_default(),
            selectors.collect(),
            contexts,
            redactor,
        );
        Self {
            countable: rules.iter().map(|rule| rule.is_countable()).collect(),
            ..searcher
        }
    }

    /// Makes ready what selects records; each selector may have its context.
    pub fn of(
        reading: Reading,
        selectors: Vec<Selector>,
        contexts: Vec<Context>,
        redactor: &Arc<Redactor>,
    ) -> Self {
        let has_patterns = |idx: &usize| !selectors[*idx].patterns.matches.is_empty();
        let (with_patterns, without_patterns): (Vec<usize>, Vec<usize>) =
            (0..selectors.len()).partition(has_patterns);
        let patterns: Vec<&Patterns> = (with_patterns.iter())
            .map(|&idx| &selectors[idx].patterns)
            .collect();
        let matcher = Matcher::new(&patterns, reading.line_bytes_max).hiding(redactor.clone());
        let alone = Alone::of(
            without_patterns
                .iter()
                .map(|&idx| &selectors[idx].conditions),
        );
        Self {
            reading,
            contexts,
            countable: Vec::new(),
            matcher,
            with_patterns,
            without_patterns,
            alone,
            redactor: redactor.clone(),
            selectors,
        }
    }

    /// How records are read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The lines around a hit of a rule that are wanted.
    pub fn context(&self, rule: usize) -> Context {
        self.contexts.get(rule).copied().unwrap_or_default()
    }

    /// Whether lines around a hit are wanted by any rule.
    pub fn looks_around(&self) -> bool {
        self.contexts
            .iter()
            .any(|wanted| *wanted != Context::default())
    }

    /// Whether lines before a hit are wanted by any rule.
    pub fn looks_back(&self) -> bool {
        self.contexts.iter().any(|context| context.before > 0)
    }

    /// What is secret.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Tells of every record that a rule may hit, in a region of whole lines of plain text
    /// (the last may lack its ending), in the order of lines.
    pub fn try_all(&self, region: &[u8], on_trial: &mut dyn FnMut(&Trial<'_>)) {
        self.matcher.try_all(region, on_trial);
    }

    /// The hit, if a record of plain text is one.
    pub fn hit(&self, trial: &Trial<'_>) -> Option<Match> {
        let rule = self.rule_of(trial);
        let conditions = &self.selectors[rule].conditions;
        let found = trial.hit()?;
        let holds = conditions.is_empty() || conditions.holds_for(&found.captures);
        holds.then_some(Match { rule, ..found })
    }

    /// A hit that is known for one, with all that is to be known of it: the line of a
    /// region, and the record in it.
    pub fn hit_again(
        &self,
        rule: usize,
        region: &[u8],
        line: Range<usize>,
        record: Range<usize>,
    ) -> Option<Match> {
        let nth = self.with_patterns.binary_search(&rule).ok()?;
        let found = self.matcher.hit_in(nth, region, line, record)?;
        Some(Match { rule, ..found })
    }

    /// The rule that may hit a record: its place in the list that this was made of.
    pub fn rule_of(&self, trial: &Trial<'_>) -> usize {
        self.with_patterns[trial.rule]
    }

    /// Whether hits of a rule that come close together may be counted, and nothing else
    /// be known of them than that they are hits, and when.
    pub fn may_count(&self, rule: usize) -> bool {
        self.countable.get(rule).copied().unwrap_or_default()
    }

    /// Finds every rule that selects a record.
    pub fn search_record(&self, record: Record<'_>, on_found: &mut dyn FnMut(Selected)) -> Became {
        match self.reading.format {
            Format::Text => {
                self.search_text(record.text, on_found);
                Became::Searched
            }
            Format::Cri | Format::Docker if !record.was_unwrapped => {
                self.search_unparsed(record.text, on_found);
                Became::Unparsed
            }
            Format::Json => {
                self.search_parsed(record.text, parsed::looks_like_json, parsed::json, on_found)
            }
            Format::Logfmt => self.search_parsed(
                record.text,
                parsed::looks_like_logfmt,
                parsed::logfmt,
                on_found,
            ),
            Format::Cri => self.search_wrapped(record, &parsed::cri_fields, on_found),
            Format::Docker => self.search_wrapped(
                record,
                &|line| parsed::json(line).unwrap_or_default(),
                on_found,
            ),
            Format::Journal => self.search_entry(record, on_found),
        }
    }

    fn search_text(&self, text: &[u8], on_found: &mut dyn FnMut(Selected)) {
        self.search_as_text(
            text,
            &|conditions, captures| conditions.holds_for(captures),
            on_found,
        );
    }

    /// Searches what should have fields and has none.
    fn search_unparsed(&self, text: &[u8], on_found: &mut dyn FnMut(Selected)) {
        self.search_as_text(
            text,
            &|conditions, captures| conditions.holds_in(&Fields::new(), captures),
            on_found,
        );
    }

    fn search_as_text(&self, text: &[u8], holds: &Holds<'_>, on_found: &mut dyn FnMut(Selected)) {
        self.matcher.search_record(text, &mut |found| {
            let rule = self.with_patterns[found.rule];
            if holds(&self.selectors[rule].conditions, &found.captures) {
                on_found(Selected {
                    rule,
                    captures: found.captures,
                    fields: Vec::new(),
                    redacted: found.redacted,
                    time: Time::InText,
                });
            }
        });
    }

    /// Searches a line that is of its format from end to end.
    fn search_parsed(
        &self,
        line: &[u8],
        may_be: fn(&[u8]) -> bool,
        parse: fn(&[u8]) -> Option<Fields>,
        on_found: &mut dyn FnMut(Selected),
    ) -> Became {
        let may_be = may_be(line);
        if !self.may_hit(line) {
            return match may_be {
                true => Became::Searched,
                false => Became::Unparsed,
            };
        }
        let shown = Shown::new(line, &self.redactor);
        let Some(fields) = may_be.then(|| parse(line)).flatten() else {
            self.search_unparsed(line, on_found);
            return Became::Unparsed;
        };
        let message = parsed::message_of(&fields).map_or(line, str::as_bytes);
        self.select(message, &shown, &mut || Cow::Borrowed(&fields), on_found);
        Became::Searched
    }

    /// Searches what somebody wrapped up.
    fn search_wrapped(
        &self,
        record: Record<'_>,
        fields_of: &dyn Fn(&[u8]) -> Fields,
        on_found: &mut dyn FnMut(Selected),
    ) -> Became {
        let shown = Shown::new(record.text, &self.redactor);
        let mut known: Option<Fields> = None;
        let mut fields = || {
            let fields = known.get_or_insert_with(|| {
                let mut fields = fields_of(record.first_line);
                let text = String::from_utf8_lossy(record.text);
                fields.insert("log".to_owned(), text.into());
                fields
            });
            Cow::Owned(fields.clone())
        };
        self.select(record.text, &shown, &mut fields, on_found);
        Became::Searched
    }

    /// Searches an entry of the journal: taken apart already, or as it is exported, or a
    /// line that has no fields.
    fn search_entry(&self, record: Record<'_>, on_found: &mut dyn FnMut(Selected)) -> Became {
        let exported = (!record.was_unwrapped).then(|| Entry::parse(record.text));
        let text = match exported.flatten() {
            Some(entry) => Cow::Owned(entry.record()),
            None => Cow::Borrowed(record.text),
        };
        let shown = Shown::new(&text, &self.redactor);
        let mut fields = || {
            let entry = Entry::parse(record.first_line);
            Cow::Owned(entry.map(Entry::into_fields).unwrap_or_default())
        };
        self.select(&text, &shown, &mut fields, on_found);
        Became::Searched
    }

    /// Finds the rules that select a message with its fields.
    fn select<'f>(
        &self,
        message: &[u8],
        shown: &Shown<'_>,
        fields: &mut dyn FnMut() -> Cow<'f, Fields>,
        on_found: &mut dyn FnMut(Selected),
    ) {
        let mut report = |rule: usize, captures, fields: &Fields| {
            on_found(Selected {
                rule,
                captures,
                fields: self.kept_of(rule, fields),
                redacted: shown.redacted(),
                time: Time::InFields(parsed::times_of(fields)),
            });
        };
        self.matcher.search_record(message, &mut |found| {
            let rule = self.with_patterns[found.rule];
            let fields = fields();
            let conditions = &self.selectors[rule].conditions;
            if conditions.holds_in(&fields, &found.captures) {
                report(rule, found.captures, &fields);
            }
        });
        if self.without_patterns.is_empty() {
            return;
        }
        let fields = fields();
        for &rule in &self.without_patterns {
            let selector = &self.selectors[rule];
            if selector.conditions.holds_in(&fields, &[]) && !selector.patterns.excepts(message) {
                report(rule, Vec::new(), &fields);
            }
        }
    }

    /// Whether a line may be a record that hits, as far as can be told without taking it
    /// apart.
    fn may_hit(&self, line: &[u8]) -> bool {
        memchr::memchr(b'\\', line).is_some()
            || self.alone.may_hold(line)
            || self.matcher.may_hit_within(line)
            || std::str::from_utf8(line).is_err()
    }

    fn kept_of(&self, rule: usize, fields: &Fields) -> Vec<(Arc<str>, String)> {
        let kept = &self.selectors[rule].kept;
        let mut found: Vec<(Arc<str>, String)> = Vec::new();
        let mut keep = |name: Arc<str>, value: &serde_json::Value| {
            let Some(text) = parsed::text_of(value) else {
                return;
            };
            let last = name.rsplit('.').next().unwrap_or(&name);
            let text = self.redactor.redact_field(last, &text);
            let end = text.char_indices().nth(FIELD_CHARS_MAX);
            let text = text[..end.map_or(text.len(), |(end, _)| end)].to_owned();
            found.push((name, text));
        };
        for name in &kept.names {
            if let Some(value) = parsed::field(fields, name) {
                keep(name.clone(), value);
            }
        }
        if kept.all {
            let others = fields
                .iter()
                .filter(|(name, _)| !kept.names.contains(name.as_str()));
            for (name, value) in others.take(FIELDS_MAX) {
                keep(name.as_str().into(), value);
            }
        }
        found
    }
}

/// Whether conditions hold for a text of which this was captured.
type Holds<'h> = dyn Fn(&Where, &[(Arc<str>, String)]) -> bool + 'h;

/// A record as people see it, without its secrets once that is asked for.
struct Shown<'a> {
    text: &'a [u8],
    redactor: &'a Redactor,
    redacted: std::cell::OnceCell<Option<Arc<str>>>,
}

impl<'a> Shown<'a> {
    fn new(text: &'a [u8], redactor: &'a Redactor) -> Self {
        Self {
            text,
            redactor,
            redacted: std::cell::OnceCell::new(),
        }
    }

    fn redacted(&self) -> Option<Arc<str>> {
        let redacted = self.redacted.get_or_init(|| {
            let text = String::from_utf8_lossy(self.text);
            match self.redactor.redact(&text) {
                Cow::Borrowed(_) => None,
                Cow::Owned(text) => Some(text.into()),
            }
        });
        redacted.clone()
    }
}
