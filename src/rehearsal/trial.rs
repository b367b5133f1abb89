//! Puts a rule through the tests that it carries, in virtual time.
//!
//! A story begins on Monday, 5 January 2026, at noon UTC, with an empty log and an
//! agent that has never seen it. Each step begins when all that the one before it
//! caused is said; its posts are those of the time until the next step. Lines are
//! taken to happen when they are written, whatever time stands in them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::explain::{self, Seen};
use super::{Files, Said, Stage, search, space_of_paper};
use crate::diagnostic::Report;
use crate::engine::Input;
use crate::engine::checks::Told;
use crate::engine::checks::finding::{Captured, Ended, HEAD_BYTES_MAX, Ran, TAIL_BYTES_MAX};
use crate::engine::identity::{Facts, Place, fingerprint};
use crate::engine::message::Surface;
use crate::engine::records::region_bytes_max;
use crate::engine::scan::LOOK_BACK_BYTES;
use crate::engine::schedule::{Entry, Fault, Hint, Look, LookAt, Read, ReadDone};
use crate::engine::time::Wall;
use crate::rules::examples::{Examples, Happens, MustMatch, Pace, Step};
use crate::rules::glob::Glob;
use crate::rules::records::searcher::Searcher;
use crate::rules::{Files as Followed, From, Rule, RuleSet};

/// When every story begins: a working day, in the middle.
const BEGINS: Wall = Wall(1_767_614_400_000_000);

/// The pace of the space in a story. Quota is not what rules are tested for.
const PACE: Duration = Duration::from_millis(10);

/// How long what a step caused may take to be said.
const SETTLES: Duration = Duration::from_secs(30);

/// Posts that a failure shows.
const SHOWN_MAX: usize = 5;

/// Tries all tests of a rule; what fails goes to the report. `rules` is the set that
/// the rule belongs to.
pub fn run(rule: &Rule, examples: &Examples, rules: &RuleSet, report: &mut Report) {
    let searcher = explain::searcher_of(rule, rules);
    for example in &examples.matches {
        must_match(rule, example, &searcher, report);
    }
    for line in &examples.no_matches {
        let seen = explain::see(rule, &line.value, &searcher);
        if let Seen::Hit { .. } = seen {
            report.does_match(line.at, rule.key.as_str(), &seen.why(rule));
        }
    }
    if !examples.sequence.is_empty() {
        play(rule, &examples.sequence, rules, report);
    }
}

fn must_match(rule: &Rule, example: &MustMatch, searcher: &Searcher, report: &mut Report) {
    let line = &example.line;
    let seen = explain::see(rule, &line.value, searcher);
    let Seen::Hit { sample, .. } = seen else {
        report.does_not_match(line.at, rule.key.as_str(), &seen.why(rule));
        return;
    };
    for (name, expected) in &example.captures {
        match sample.capture(name) {
            Some(found) if found == expected.value => {}
            Some(found) => report.captures_other(expected.at, name, found, &expected.value),
            // One that did not take part is the empty text for whoever shows it.
            None if expected.value.is_empty() && rule.has_capture(name) => {}
            None => {
                let given: Vec<&str> = sample.captures.iter().map(|(name, _)| &**name).collect();
                report.captures_nothing(expected.at, name, &given);
            }
        }
    }
}

/// Plays a story, and holds every step against what it should cause.
fn play(rule: &Rule, sequence: &[Step], rules: &RuleSet, report: &mut Report) {
    let mut story = Story::begin(rule, rules);
    for step in sequence {
        let said = story.live(&step.happens);
        let expected = step.posts.as_ref();
        if let Some(expected) = expected.filter(|expected| expected.value != said.len() as u64) {
            let found = said.len() as u64;
            let n_held = story.stage.engine().instances().n_held();
            report.other_posts(expected.at, found, expected.value, n_held, shown(&said));
            // What comes after it would only fail for the same reason.
            return;
        }
        for text in &step.contains {
            if !said.iter().any(|said| said.words().contains(&text.value)) {
                report.says_other(text.at, &text.value, shown(&said));
                return;
            }
        }
    }
}

/// Posts as a failure shows them.
fn shown(said: &[Said]) -> Vec<String> {
    let mut notes: Vec<String> = (said.iter().take(SHOWN_MAX))
        .map(|said| {
            let after = said.at.since(BEGINS);
            format!(
                "posted {} after the beginning:\n{}",
                clock(after),
                said.text()
            )
        })
        .collect();
    if said.len() > SHOWN_MAX {
        notes.push(format!("and {} more", said.len() - SHOWN_MAX));
    }
    notes
}

/// A duration as a stopwatch shows it.
fn clock(duration: Duration) -> String {
    let secs = duration.as_secs();
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    match hours {
        0 => format!("{minutes}:{secs:02}"),
        _ => format!("{hours}:{minutes:02}:{secs:02}"),
    }
}

/// One rule, one log, one space.
pub(super) struct Story {
    stage: Stage,
    log: Log,
    rule: Arc<Rule>,
    n_results: u64,
}

impl Story {
    pub(super) fn begin(rule: &Rule, rules: &RuleSet) -> Self {
        let path = path_for(&rule.files.include);
        let mut rule = rule.clone();
        rule.from = From::Beginning;
        rule.spaces.truncate(1);
        // Whatever else it looks at, here it is told lines of a file.
        rule.journal = None;
        rule.files = Followed {
            include: match rule.check {
                None => vec![Glob::of_path(&path)],
                Some(_) => Vec::new(),
            },
            exclude: Vec::new(),
        };
        if let Some(check) = &mut rule.check {
            // Its results are told by the story.
            check.run = None;
        }
        let rule = Arc::new(rule);
        let spaces = (rule.spaces.iter())
            .map(|name| (name.clone(), space_of_paper(name, PACE)))
            .collect();
        let set = RuleSet {
            host: rules.host.clone(),
            spaces,
            default_space: None,
            rules: vec![rule.clone()],
            exec: None,
            own: Vec::new(),
            redactor: rules.redactor.clone(),
        };
        let surface = Surface {
            host: rules.host.clone(),
            zone: TimeZone::UTC,
        };
        let mut log = Log {
            path,
            bytes: Vec::new(),
        };
        Self {
            stage: Stage::new(Arc::new(set), surface, BEGINS, &mut log),
            log,
            rule,
            n_results: 0,
        }
    }

    /// Lets something happen, and returns what is said of it.
    pub(super) fn live(&mut self, happens: &Happens) -> Vec<Said> {
        match happens {
            Happens::Line { line, pace } => match pace.every.is_zero() {
                true => {
                    for _ in 0..pace.times {
                        self.log.write(line);
                    }
                    self.look();
                }
                false => self.repeat(*pace, |story| {
                    story.log.write(line);
                    story.look();
                }),
            },
            Happens::Advance(duration) => {
                let until = self.stage.now().after(*duration);
                self.stage.pass(until, &mut self.log);
            }
            Happens::Result {
                status,
                output,
                pace,
            } => self.repeat(*pace, |story| story.end_command(*status, output)),
        }
        self.stage.settle(SETTLES, &mut self.log);
        self.stage.take_said()
    }

    fn repeat(&mut self, pace: Pace, mut happen: impl FnMut(&mut Self)) {
        for n in 0..pace.times {
            if n > 0 {
                let until = self.stage.now().after(pace.every);
                self.stage.pass(until, &mut self.log);
            }
            happen(self);
        }
    }

    fn look(&mut self) {
        let hint = Hint::Written(self.log.path.clone());
        self.stage.hint(hint, &mut self.log);
    }

    fn end_command(&mut self, status: u8, output: &str) {
        self.n_results += 1;
        let told = Told {
            ticket: self.n_results,
            key: self.rule.key.clone(),
            id: self.n_results.into(),
            at: self.stage.now(),
            ran: Ran {
                ending: Ended::Exited(status.into()),
                stdout: captured(output),
                stderr: Captured::default(),
                took_ms: 0,
                leftovers: Vec::new(),
            },
            status: None,
            is_said: false,
        };
        self.stage.tell(Input::Told(told), &mut self.log);
    }
}

/// A path that the rule follows, for what names its source.
fn path_for(globs: &[Glob]) -> PathBuf {
    let Some(glob) = globs.first() else {
        return PathBuf::from("/example.log");
    };
    if glob.is_literal() {
        return glob.root().to_owned();
    }
    let likely = ["", "example"].map(|word| {
        let text = glob.as_str().replace("**", "example");
        PathBuf::from(text.replace('*', word))
    });
    let found = likely.into_iter().find(|path| glob.matches(path));
    found.unwrap_or_else(|| glob.root().join("example.log"))
}

/// Output as a pipe of a command keeps it.
fn captured(output: &str) -> Captured {
    let cut = |mut idx: usize| {
        while !output.is_char_boundary(idx) {
            idx -= 1;
        }
        idx
    };
    let head_end = cut(output.len().min(HEAD_BYTES_MAX));
    let tail_start = cut(output.len().saturating_sub(TAIL_BYTES_MAX)).max(head_end);
    Captured {
        head: output[..head_end].to_owned(),
        tail: output[tail_start..].to_owned(),
        n_cut: (tail_start - head_end) as u64,
    }
}

/// A log in memory.
struct Log {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Log {
    const PLACE: Place = Place {
        device: 1,
        inode: 1,
    };

    fn write(&mut self, line: &str) {
        self.bytes.extend_from_slice(line.as_bytes());
        self.bytes.push(b'\n');
    }

    fn facts(&self, now: Wall) -> Facts {
        Facts {
            place: Self::PLACE,
            birth: Some(1),
            size: self.bytes.len() as u64,
            modified: now.0.saturating_mul(1_000),
            links: 1,
        }
    }

    fn stretch(&self, start: u64, end: u64) -> Option<&[u8]> {
        let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
        self.bytes.get(start..end)
    }
}

impl Files for Log {
    fn entries(&self, now: Wall) -> Vec<Entry> {
        vec![Entry {
            path: self.path.as_path().into(),
            real: None,
            facts: self.facts(now),
            is_mounted: false,
        }]
    }

    fn look(&mut self, look: &LookAt, now: Wall) -> Look {
        let hash = |&(start, end): &(u64, u64)| self.stretch(start, end).map(fingerprint);
        Look {
            opened: Some(self.facts(now)),
            named: Some(Self::PLACE),
            hashes: look.stretches.iter().map(hash).collect(),
            is_later: false,
            then: None,
        }
    }

    fn read(&mut self, read: &Read) -> Result<ReadDone, Fault> {
        let size = self.bytes.len() as u64;
        let n_bytes = region_bytes_max(read.searcher.reading()) as u64;
        let end = size.min(read.offset.saturating_add(n_bytes));
        let before = read.offset.saturating_sub(LOOK_BACK_BYTES);
        let (Some(bytes), Some(before)) = (
            self.stretch(read.offset, end),
            self.stretch(before, read.offset),
        ) else {
            return Ok(ReadDone::Changed);
        };
        let region = read.region(bytes, before);
        let mut scanned = search(read, region);
        for hit in &mut scanned.hits {
            // It happens now, whatever time somebody copied into the test.
            hit.stamp = None;
        }
        Ok(ReadDone::Scanned {
            scanned,
            at_end: end == size,
        })
    }
}

impl Said {
    /// Everything in it that people can read, cards included.
    fn words(&self) -> String {
        fn gather(value: &serde_json::Value, out: &mut String) {
            match value {
                serde_json::Value::String(text) => {
                    out.push_str(text);
                    out.push('\n');
                }
                serde_json::Value::Array(values) => {
                    for value in values {
                        gather(value, out);
                    }
                }
                serde_json::Value::Object(values) => {
                    for value in values.values() {
                        gather(value, out);
                    }
                }
                serde_json::Value::Null
                | serde_json::Value::Bool(_)
                | serde_json::Value::Number(_) => {}
            }
        }
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        let mut words = String::new();
        gather(&body["text"], &mut words);
        gather(&body["cardsV2"], &mut words);
        words
    }
}

impl Rule {
    /// Whether its patterns have a group of this name.
    fn has_capture(&self, name: &str) -> bool {
        self.patterns
            .capture_names()
            .iter()
            .any(|known| **known == *name)
    }
}
