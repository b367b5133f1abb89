//! Logs of the past, lived through on their own time.
//!
//! The engine follows the logs as if they were being written now: at the time that
//! stands in a record the file has grown by it. Between two records that matter to no
//! rule nothing has to happen, so whole regions are searched ahead at once, and the
//! clock goes from hit to hit; whatever falls due on the way (windows, reminders,
//! absences, the pace of a space) falls due at its time.
//!
//! A record without a time happens when the one before it did. Hits within a moment
//! come together, as they do when an agent reads what was written in a burst.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

mod past;

mod parts;

use super::{Said, Stage, space_of_paper};
use crate::engine::message::Surface;
use crate::engine::schedule::Hint;
use crate::engine::time::Wall;
use crate::rules::glob::Glob;
use crate::rules::{Files as Followed, From, Rule, RuleKey, RuleSet};
use parts::Parts;
pub use parts::{KEPT_MAX, RulePart, SpacePart, minute_of};
use past::Past;
pub use past::Source;

/// How long before the first record the agent begins.
const HEAD_START: Duration = Duration::from_secs(1);

/// How long after the last record what is still counted may take to be said.
const EPILOGUE_MAX: Duration = Duration::from_secs(7 * 86_400);

/// The quota of a space whose settings say nothing: one post a second.
const PACE_DEFAULT: Duration = Duration::from_secs(1);

/// One log, as it is told of.
#[derive(Debug, Clone)]
pub struct Log {
    /// Its name, absolute.
    pub path: PathBuf,
    /// When it was written last: tells the year of records that have none.
    pub modified: Wall,
    /// The rules that follow it here, whatever their `files` say.
    pub rules: Vec<RuleKey>,
}

/// What was lived through.
#[derive(Debug)]
pub struct Chronicle {
    /// When it began: just before the first record that has a time.
    pub began: Wall,
    /// The last record's time.
    pub ended: Wall,
    /// Lines that were read.
    pub n_lines: u64,
    /// Bytes that were read, decompressed.
    pub n_bytes: u64,
    /// Hits that had no time of their own.
    pub n_timeless: u64,
    /// Logs that are no text, or could not be read further, and why.
    pub troubles: Vec<(PathBuf, String)>,
    /// What became of each rule, in the order of their keys.
    pub rules: Vec<RulePart>,
    /// What went to each space.
    pub spaces: Vec<SpacePart>,
    /// What was posted, in that order: the first [`KEPT_MAX`].
    pub said: Vec<Said>,
    /// Posts beyond these.
    pub n_unkept: u64,
    /// Events that were still counted and not said when it was over.
    pub n_held: u64,
}

/// Lives through logs with the rules of a set that follow them.
pub fn replay(
    rules: &RuleSet,
    zone: &TimeZone,
    logs: Vec<Log>,
    source: &mut dyn Source,
) -> Chronicle {
    let set = Arc::new(staged(rules, &logs));
    let mut past = Past::new(logs, zone.clone(), source);
    let began = past.first_time().before(HEAD_START);
    past.now = began;
    for text in &mut past.texts {
        text.ended = text.ended.max(began);
    }
    let surface = Surface {
        host: rules.host.clone(),
        zone: zone.clone(),
    };
    let mut stage = Stage::new(set.clone(), surface, began, &mut past);
    let mut parts = Parts::new(&set);
    // Whether or not anything hits, all of every log is read.
    while let Some(at) = past.next_hit() {
        stage.pass(at, &mut past);
        let paths = past.burst(stage.now());
        for path in paths {
            stage.hint(Hint::Written(path), &mut past);
        }
        past.leave_behind();
        past.take_hits(&stage, &mut parts);
        parts.take(stage.take_said());
    }
    let ended = past.texts.iter().map(|text| text.ended).max();
    let ended = ended.unwrap_or(began).max(began);
    stage.pass(ended, &mut past);
    parts.take(stage.take_said());
    // What is counted would be said at the end of its window.
    let over = stage.now().after(EPILOGUE_MAX);
    while stage.now() < over {
        let is_over = stage.engine().outbox().n_messages() == 0;
        if is_over && stage.engine().instances().n_held() == 0 {
            break;
        }
        let until = stage.now().after(Duration::from_secs(60));
        stage.pass(until, &mut past);
        parts.take(stage.take_said());
    }
    Chronicle {
        began,
        ended,
        n_lines: past.n_lines,
        n_bytes: past.n_bytes,
        n_timeless: past.n_timeless,
        troubles: past.troubles,
        n_held: stage.engine().instances().n_held(),
        n_unkept: parts.n_unkept,
        rules: parts.rules,
        spaces: parts.spaces,
        said: parts.said,
    }
}

/// The rules as they go on stage: they follow these logs from their beginning.
fn staged(rules: &RuleSet, logs: &[Log]) -> RuleSet {
    let mut spaces = rules.spaces.clone();
    for space in spaces.values_mut() {
        space.fallback = None;
    }
    let staged = rules.rules.iter().filter_map(|rule| {
        let followed = logs.iter().filter(|log| log.rules.contains(&rule.key));
        let include: Vec<Glob> = followed.map(|log| Glob::of_path(&log.path)).collect();
        if include.is_empty() {
            return None;
        }
        let mut rule = Rule::clone(rule);
        rule.from = From::Beginning;
        rule.files = Followed {
            include,
            exclude: Vec::new(),
        };
        for name in &rule.spaces {
            let paper = || space_of_paper(name, PACE_DEFAULT);
            spaces.entry(name.clone()).or_insert_with(paper);
        }
        Some(Arc::new(rule))
    });
    // They are in the order of their keys, as they were.
    let staged: Vec<Arc<Rule>> = staged.collect();
    RuleSet {
        host: rules.host.clone(),
        spaces,
        default_space: None,
        rules: staged,
        exec: None,
        own: Vec::new(),
        redactor: rules.redactor.clone(),
    }
}
