//! Second opinions on lines that a pattern may be found in.
//!
//! The word that a pattern is looked for by is the rarest it has, as far as one can tell
//! without the log: in a log that is full of it, its regex would be tried on line after
//! line. Most patterns hold other words, too. Whether a line has them all is known long
//! before a regex has made up its mind.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use aho_corasick::packed;
use memchr::memmem;

use super::literals::{Literal, OTHERS_MAX};
use super::others::Others;

/// How many strings may be looked for in a line, of which one must be there.
const STRINGS_MAX: usize = 16;

/// The witnesses of all patterns.
#[derive(Debug, Default)]
pub(super) struct Witnesses {
    /// By the strings: patterns of the same words share one.
    places: BTreeMap<Vec<Literal>, u32>,
    all: Vec<Witness>,
    /// Of each pattern those that must agree.
    of_patterns: Vec<[Option<u32>; OTHERS_MAX]>,
}

/// Some strings, of which one is in every record that a pattern is found in.
#[derive(Debug)]
struct Witness {
    literals: Vec<Literal>,
    /// Whether they are looked for in small letters.
    folds: bool,
    /// Made when a line first has to be looked at.
    finder: OnceLock<Finder>,
}

enum Finder {
    One(Box<memmem::Finder<'static>>),
    Few(packed::Searcher),
    /// This processor cannot look for several at once.
    Unable,
}

/// What was said of a line.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// By witness, in which line it was asked last, and what it said there.
    said: Vec<(usize, bool)>,
    n_lines: usize,
    small_letters: Vec<u8>,
}

/// A line that witnesses are asked about.
struct Heard<'t> {
    text: &'t [u8],
    /// Its other forms, if it has any.
    others: OnceCell<Vec<u8>>,
    has_small_letters: bool,
}

impl Witnesses {
    /// Adds those of a pattern: of each list one string must be there.
    pub(super) fn add(&mut self, number: u32, lists: Vec<Vec<Literal>>) {
        self.of_patterns
            .resize(number as usize + 1, [None; OTHERS_MAX]);
        let lists = lists.into_iter().filter(|list| list.len() <= STRINGS_MAX);
        for (own, literals) in self.of_patterns[number as usize].iter_mut().zip(lists) {
            let next = self.all.len() as u32;
            let place = *self.places.entry(literals.clone()).or_insert(next);
            if place == next {
                self.all.push(Witness {
                    folds: literals.iter().any(Literal::has_folds),
                    literals,
                    finder: OnceLock::new(),
                });
            }
            *own = Some(place);
        }
    }

    /// Leaves of the patterns, which have these numbers, those that may be found in a text.
    pub(super) fn hear(&self, text: &[u8], patterns: &mut Vec<u32>, hearing: &mut Hearing) {
        hearing.n_lines += 1;
        hearing.said.resize(self.all.len(), (0, false));
        let mut heard = Heard {
            text,
            others: OnceCell::new(),
            has_small_letters: false,
        };
        patterns.retain(|number| {
            let Some(own) = self.of_patterns.get(*number as usize) else {
                return true;
            };
            (own.iter()).all(|place| match place {
                Some(place) => self.agrees(*place as usize, &mut heard, hearing),
                None => true,
            })
        });
    }

    fn agrees(&self, place: usize, heard: &mut Heard<'_>, hearing: &mut Hearing) -> bool {
        let (line, said) = hearing.said[place];
        if line == hearing.n_lines {
            return said;
        }
        let said = self.all[place].agrees(heard, &mut hearing.small_letters);
        hearing.said[place] = (hearing.n_lines, said);
        said
    }
}

impl Witness {
    fn agrees(&self, heard: &mut Heard<'_>, small_letters: &mut Vec<u8>) -> bool {
        let finder = self.finder.get_or_init(|| self.finder());
        let own = match self.folds {
            false => heard.text,
            true => {
                if !heard.has_small_letters {
                    heard.has_small_letters = true;
                    small_letters.clear();
                    small_letters.extend_from_slice(heard.text);
                    small_letters.make_ascii_lowercase();
                }
                small_letters
            }
        };
        if finder.finds(own) {
            return true;
        }
        let others = heard.others.get_or_init(|| match heard.text.is_ascii() {
            true => Vec::new(),
            false => Others::of_record(heard.text).text,
        });
        match self.folds {
            _ if others.is_empty() => false,
            false => finder.finds(others),
            true => finder.finds(&others.to_ascii_lowercase()),
        }
    }

    fn finder(&self) -> Finder {
        let strings = self.literals.iter().map(|literal| match self.folds {
            true => literal.bytes().to_ascii_lowercase(),
            false => literal.bytes().to_vec(),
        });
        let strings: Vec<Vec<u8>> = strings.collect();
        match &strings[..] {
            [string] => Finder::One(Box::new(memmem::Finder::new(string).into_owned())),
            _ => packed::Searcher::new(strings).map_or(Finder::Unable, Finder::Few),
        }
    }
}

impl Finder {
    fn finds(&self, text: &[u8]) -> bool {
        match self {
            Self::One(finder) => finder.find(text).is_some(),
            Self::Few(searcher) => searcher.find(text).is_some(),
            Self::Unable => true,
        }
    }
}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One(_) => "One",
            Self::Few(_) => "Few",
            Self::Unable => "Unable",
        })
    }
}
