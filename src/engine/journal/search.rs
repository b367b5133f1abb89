//! Entries of the journal to the hits of rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Position;
use crate::engine::correlate::Role;
use crate::engine::scan::{self, Sample};
use crate::engine::time::Wall;
use crate::rules::journal::{self, Entry, FIELDS, Selection};
use crate::rules::records::reading::{Format, Reading};
use crate::rules::records::searcher::{Record, Searcher, Selector};
use crate::rules::{Rule, RuleSet};

/// All rules of the journal, ready to search.
#[derive(Debug)]
pub struct Search {
    parts: Vec<Part>,
    /// The fields that must be there; nothing if it is all of them.
    fields: Option<BTreeSet<String>>,
}

/// The rules to which an entry is the same record.
#[derive(Debug)]
struct Part {
    searcher: Searcher,
    rules: Vec<Watching>,
}

#[derive(Debug)]
struct Watching {
    /// Its place in the rule set.
    rule: usize,
    role: Role,
    selection: Selection,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Up to where.
    pub upto: Position,
    /// The hits, in the order of their entries.
    pub found: Vec<Found>,
    /// How many entries there were.
    pub n_entries: u64,
    /// Whether entries behind the last one that was read are gone.
    pub has_gap: bool,
    /// Whether there was nothing behind that when it was read.
    pub is_end: bool,
}

/// An entry that a rule selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The rule's place in the rule set.
    pub rule: usize,
    /// What it is for that rule.
    pub role: Role,
    /// Names the entry for ever.
    pub cursor: Arc<str>,
    /// When it was written.
    pub at: Wall,
    /// Where it comes from, for people.
    pub source: Arc<str>,
    /// What a message can show of it.
    pub sample: Arc<Sample>,
}

impl Search {
    /// Makes the rules ready that look at the journal; nothing if none does.
    pub(super) fn of(rules: &RuleSet) -> Option<Self> {
        let mut parts = Vec::new();
        for format in [Format::Journal, Format::Json, Format::Logfmt] {
            let mut watching = Vec::new();
            let mut selectors = Vec::new();
            for (rule, of) in rules.rules.iter().enumerate() {
                let Some(selection) = of
                    .journal
                    .as_ref()
                    .filter(|_| of.reading.of_entries().format == format)
                else {
                    continue;
                };
                // What ends an incident is judged after what it is made of.
                let hits = (Role::Match, (**of).clone());
                let ends = of.ending().map(|ending| (Role::Resolve, ending));
                for (role, rule_of_role) in std::iter::once(hits).chain(ends) {
                    selectors.push(Selector {
                        patterns: rule_of_role.patterns,
                        conditions: rule_of_role.filter,
                        kept: rule_of_role.kept,
                    });
                    watching.push(Watching {
                        rule,
                        role,
                        selection: selection.clone(),
                    });
                }
            }
            if watching.is_empty() {
                continue;
            }
            let reading = Reading {
                format,
                ..Reading::default()
            };
            parts.push(Part {
                searcher: Searcher::of(reading, selectors, Vec::new(), &rules.redactor),
                rules: watching,
            });
        }
        let fields = fields_of(rules.rules.iter().map(|rule| &**rule));
        (!parts.is_empty()).then_some(Self { parts, fields })
    }

    /// The fields that entries must have when they are searched, besides those that
    /// every entry has; nothing if it is all of them.
    pub fn fields(&self) -> Option<&BTreeSet<String>> {
        self.fields.as_ref()
    }

    /// Searches entries as `journalctl --output=json` writes them, one a line. What
    /// cannot be understood is passed over. `after` is the position before them.
    /// If they should begin with the entry that was read last (`first`), that one
    /// does not count again; and if they do not, what lay between is gone.
    pub fn search(&self, lines: &[u8], after: &Position, first: Option<&str>) -> Done {
        let mut first = first;
        let mut done = Done {
            upto: after.clone(),
            found: Vec::new(),
            n_entries: 0,
            has_gap: false,
            is_end: false,
        };
        for line in lines.split(|byte| *byte == b'\n') {
            let Some(entry) = Entry::parse(line) else {
                continue;
            };
            if let Some(expected) = first.take() {
                if entry.cursor() == expected {
                    continue;
                }
                done.has_gap = true;
            }
            done.n_entries += 1;
            done.upto = Position {
                cursor: Some(entry.cursor().to_owned()),
                at: Wall(entry.written_micros()),
            };
            if !entry.is_own() {
                for part in &self.parts {
                    part.search(line, &entry, &mut done.found);
                }
            }
        }
        done
    }
}

impl Done {
    /// Nothing, for there is nothing behind a position.
    pub fn at_end(position: Position) -> Self {
        Self {
            upto: position,
            found: Vec::new(),
            n_entries: 0,
            has_gap: false,
            is_end: true,
        }
    }
}

impl Part {
    fn search(&self, line: &[u8], entry: &Entry, found: &mut Vec<Found>) {
        let is_whole = self.searcher.reading().format == Format::Journal;
        let text = match is_whole {
            true => entry.record(),
            false => entry.message(),
        };
        let kept = &text[..text.len().min(self.searcher.reading().line_bytes_max)];
        let record = Record {
            text: kept,
            first_line: if is_whole { line } else { kept },
            was_unwrapped: is_whole,
        };
        let n_more = text.len() - kept.len();
        let n_before = found.len();
        self.searcher.search_record(record, &mut |selected| {
            let watching = &self.rules[selected.rule];
            if watching.selection.selects(&entry.facts()) {
                found.push(Found {
                    rule: watching.rule,
                    role: watching.role,
                    cursor: entry.cursor().into(),
                    at: Wall(entry.written_micros()),
                    source: entry.source().into(),
                    sample: Arc::new(scan::sample_of(selected, kept, n_more)),
                });
            }
        });
        // Those without patterns are found last; what ends is judged last.
        found[n_before..].sort_by_key(|found| (found.role, found.rule));
    }
}

/// The fields that rules ask for, with those that are always needed.
fn fields_of<'r>(rules: impl Iterator<Item = &'r Rule>) -> Option<BTreeSet<String>> {
    let mut fields: BTreeSet<String> = FIELDS.iter().map(|name| (*name).to_owned()).collect();
    let of_journal = rules
        .filter(|rule| {
            rule.journal.is_some() && rule.reading.of_entries().format == Format::Journal
        })
        .flat_map(|rule| std::iter::once(rule.clone()).chain(rule.ending()));
    for rule in of_journal {
        if rule.kept.all {
            return None;
        }
        let asked = rule
            .filter
            .fields()
            .chain(rule.kept.names.iter().map(|name| &**name));
        let asked = asked.filter(|name| journal::is_field(name));
        fields.extend(asked.map(str::to_owned));
    }
    Some(fields)
}
