//! One search of a region for all rules.
//!
//! Nearly no line hits, so the work is in finding out that none does. Regions are
//! searched in blocks, and no line of a block is looked at unless something in it gives
//! reason to:
//!
//! 1. Most patterns hold words without which they are not found: `literals` finds them,
//!    `grams` looks for all of them at once, at few bytes of the block.
//! 2. For the others there is one automaton, without captures, that `walk` leads through
//!    the block. What it looks for is `generous`: of what looks around it keeps the least,
//!    and beyond ASCII one character is as good as another, or is looked for by itself
//!    (`beyond`).
//! 3. On a line that gives reason to, `witnesses` look for the other words of a pattern.
//! 4. If they are there, the regex decides, and gives the captures.
//!
//! The first three can be wrong in one direction only. `others` has the forms in which a
//! line must be searched besides its own.
//!
//! Rules see characters, but logs hold any bytes. A record that is not valid
//! UTF-8 is searched twice, as it is and with its bad bytes replaced by U+FFFD,
//! and a pattern is found in it when either search finds it. So `.` and `\S` hit
//! bad bytes, and `(?-u:\xFF)` still works.

use std::fmt;
use std::sync::{Arc, OnceLock};

use regex::bytes::Regex;
use regex_automata::meta;
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_syntax::hir::{Hir, HirKind};

mod beyond;
mod generous;
mod grams;
mod literals;
mod matcher;
mod others;
mod record;
mod size;
mod walk;
mod witnesses;

use generous::Generous;
pub use matcher::{Match, Matcher, Trial};
use record::Record;
pub use record::record_in;

/// The memory that the lazy automaton of one regex may use, each way.
const PATTERN_AUTOMATON_BYTES_MAX: usize = 128 << 10;

/// The patterns of one rule: any of `matches`, none of `excepts`.
#[derive(Debug, Clone, Default)]
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

/// What it costs to look for a rule in lines that are no hits, the cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Nearly nothing: it cannot be found without some word of three letters or more.
    Words,
    /// An automaton goes through every byte, together with others of its kind.
    EveryByte,
    /// The regex is tried on every line: it may be found in nothing.
    EveryLine,
}

impl Patterns {
    /// What it costs to look for the rule in every line: that of its costliest regex.
    pub fn cost(&self) -> Cost {
        let costs = self.matches.iter().map(|pattern| pattern.cost());
        costs.max().unwrap_or(Cost::Words)
    }

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

    /// Whether a record is left out, whatever else is found in it.
    pub fn excepts(&self, record: &[u8]) -> bool {
        !self.excepts.is_empty() && self.is_excepted(&Record::new(record))
    }
}

impl Pattern {
    /// Keeps a regex by its text. That it compiles is known by then.
    pub fn of(regex: &Regex) -> Self {
        let names = regex.capture_names().enumerate();
        let names = names.filter_map(|(idx, name)| Some((idx, Arc::from(name?))));
        Self::named(regex.as_str(), names.collect())
    }

    /// Keeps a regex by its text. None if it is no regex, or takes more than `bytes_max`
    /// when compiled.
    ///
    /// It is compiled for that only if it may be too big.
    pub fn new(text: &str, bytes_max: usize) -> Option<Self> {
        let hir = parsed(text)?;
        if size::bytes_at_most(&hir) > bytes_max {
            automaton(text, bytes_max)?;
        }
        let mut names = Vec::new();
        collect_names(&hir, &mut names);
        Some(Self::named(text, names))
    }

    fn named(text: &str, names: Vec<(usize, Arc<str>)>) -> Self {
        Self {
            text: text.to_owned(),
            names,
            compiled: OnceLock::new(),
        }
    }

    /// The regex as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it costs to look for it in every line.
    pub fn cost(&self) -> Cost {
        let Some(hir) = parsed(&self.text) else {
            return Cost::EveryLine;
        };
        if literals::required(&hir).is_some() {
            return Cost::Words;
        }
        match Generous::of(&hir) {
            Some(_) => Cost::EveryByte,
            None => Cost::EveryLine,
        }
    }

    fn regex(&self) -> &meta::Regex {
        self.compiled.get_or_init(|| {
            let config = meta::Config::new()
                .utf8_empty(false)
                .onepass(false)
                .dfa(false)
                .nfa_size_limit(None)
                .hybrid_cache_capacity(PATTERN_AUTOMATON_BYTES_MAX);
            meta::Builder::new()
                .configure(config)
                .syntax(syntax::Config::new().utf8(false))
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

/// Returns the parsed form of a regex. None if it is no regex.
fn parsed(text: &str) -> Option<Hir> {
    let mut builder = regex_syntax::ParserBuilder::new();
    builder.utf8(false).build().parse(text).ok()
}

/// Compiles a regex, without all else that a search needs. None if it takes more than
/// `bytes_max`.
fn automaton(text: &str, bytes_max: usize) -> Option<thompson::NFA> {
    let config = thompson::Config::new()
        .utf8(false)
        .nfa_size_limit(Some(bytes_max));
    let mut compiler = thompson::Compiler::new();
    compiler.syntax(syntax::Config::new().utf8(false));
    compiler.configure(config).build(text).ok()
}

/// Finds the names that captures have, by their numbers.
fn collect_names(hir: &Hir, names: &mut Vec<(usize, Arc<str>)>) {
    if let HirKind::Capture(capture) = hir.kind()
        && let Some(name) = &capture.name
    {
        names.push((capture.index as usize, Arc::from(name.as_ref())));
    }
    for sub in hir.kind().subs() {
        collect_names(sub, names);
    }
}

#[cfg(test)]
mod tests;
