//! What must be true: a naive model made of the lines that were written, and the
//! invariants that every history is held against.
//!
//! A line must be spoken for once by every rule that it is an event of. It *may*
//! be missing where the world took it before the agent could have it:
//!
//! - its bytes were destroyed before the agent had read them, or after the agent
//!   had read them and died before they were on disk;
//! - its file lost its name before it was listed once, so nothing leads to it;
//! - it stood in a file before a rule that reads from the end was told and ready;
//! - its rule was taken away before it was read.
//!
//! It may be *doubled* only where a file was cut in its middle: what is left of it
//! proves nothing about where the cut was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::clock::Instant;
use super::files::LineId;
use super::told::{Said, UNNAMED};

/// How long it may take from what a look saw to what comes of it.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// What a history broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The name of the promise.
    pub(crate) promise: &'static str,
    pub(crate) how: String,
}

/// A written line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// The rules that it is an event of, and what it may count for.
    pub(crate) marks: Vec<Mark>,
    /// When its beginning was written.
    begun: Instant,
    /// When its end was written.
    pub(crate) written: Option<Instant>,
    /// In how many files it stands that the agent could find.
    pub(crate) n_copies: u64,
    /// Whether another copy is not known for one, unless the agent stays alive until it has
    /// said on disk what it has read.
    has_doubtful_copy: bool,
    /// When one of them went.
    copy_lost: Option<Instant>,
    /// Only parts of it are left: whoever has read one has not read the other.
    pub(crate) is_in_parts: bool,
    /// The times of files may lead to it once more.
    pub(crate) is_doubted: bool,
    /// The agent was handed its bytes in this life.
    handed: bool,
    /// … and has said on disk that it was.
    pub(crate) safe: bool,
}

/// What a line counts for with a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) rule: usize,
    pub(crate) k: u64,
    pub(crate) least: u64,
    pub(crate) most: u64,
}

/// The model.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) lines: Vec<Line>,
    /// Handed over, and not known to be on disk.
    unsafe_lines: Vec<LineId>,
    delivered: BTreeMap<Counted, u64>,
    /// Bodies by request id.
    bodies: BTreeMap<String, String>,
    spaces: BTreeMap<String, Pacing>,
    /// The newest message of each instance that was requested.
    newest: BTreeMap<Counted, u64>,
    /// The newest message of each instance that was requested anywhere.
    news: BTreeMap<Counted, u64>,
    spoken: BTreeMap<Counted, Spoken>,
    /// When windows were changed last by somebody.
    windows_since: Instant,
    answered: BTreeSet<String>,
    /// What was made where another space may come to stand in: without an answer it
    /// is said there once more.
    repeatable: Vec<(String, Counted, u64)>,
    troubles: BTreeSet<String>,
    /// Troubles that were over for some of those that had them.
    doubted: BTreeSet<String>,
    /// Messages that were given up.
    pub(crate) parked: BTreeSet<u64>,
    pub(crate) failure: Option<Failure>,
}

/// What is counted together: a space, a rule, a value.
pub(crate) type Counted = (String, String, String);

/// The requests of a real space.
#[derive(Debug, Default)]
struct Pacing {
    in_flight: Option<String>,
    answered: Option<Instant>,
    started: Vec<Instant>,
}

/// What an instance has said, for its quiet.
#[derive(Debug, Clone, Copy)]
struct Spoken {
    /// When the sample line of a first word was written.
    since: Instant,
    /// Messages after it.
    n_more: u32,
}

impl Oracle {
    /// Remembers the first promise that was broken.
    pub(crate) fn fail(&mut self, promise: &'static str, how: impl Into<String>) {
        let how = how.into();
        self.failure.get_or_insert(Failure { promise, how });
    }

    /// A line begins to be written.
    pub(crate) fn begins(&mut self, marks: Vec<Mark>, now: Instant) -> LineId {
        self.lines.push(Line {
            marks,
            begun: now,
            ..Line::default()
        });
        LineId(self.lines.len() - 1)
    }

    /// A line is whole.
    pub(crate) fn ends(&mut self, line: LineId, now: Instant) {
        let line = &mut self.lines[line.0];
        line.written = Some(now);
        line.n_copies = 1;
    }

    /// A line was copied into another file that the agent can find.
    pub(crate) fn copied(&mut self, line: LineId) {
        self.lines[line.0].n_copies += 1;
    }

    /// A line was copied before it was on disk that it had been read.
    pub(crate) fn copied_too_early(&mut self, line: LineId) {
        let line = &mut self.lines[line.0];
        line.has_doubtful_copy |= !line.safe;
    }

    /// A part of a line is left, as a line.
    pub(crate) fn cut(&mut self, id: LineId) {
        let line = &mut self.lines[id.0];
        line.n_copies = line.n_copies.max(1);
        line.is_in_parts = true;
        self.excuse(id);
        self.double(id);
    }

    /// One copy of a line is out of the agent's reach for ever.
    pub(crate) fn lost(&mut self, id: LineId, now: Instant) {
        let line = &mut self.lines[id.0];
        line.copy_lost = Some(now);
        line.n_copies = line.n_copies.saturating_sub(1);
        self.excuse_if_lost(id);
    }

    /// A line may be missing.
    pub(crate) fn excuse(&mut self, line: LineId) {
        for mark in &mut self.lines[line.0].marks {
            mark.least = 0;
        }
    }

    /// A line that stands somewhere still may be spoken for once more.
    pub(crate) fn double(&mut self, line: LineId) {
        if self.lines[line.0].n_copies == 0 {
            return;
        }
        for mark in &mut self.lines[line.0].marks {
            mark.most += 1;
        }
    }

    /// A rule begins or ends: what was not read by now may or may not count for it,
    /// however old it is, for a rule joins a file where that is being read.
    pub(crate) fn excuse_rule(&mut self, rule: usize) {
        for line in &mut self.lines {
            if line.handed || line.safe {
                continue;
            }
            for mark in line.marks.iter_mut().filter(|mark| mark.rule == rule) {
                mark.least = 0;
                mark.most = mark.most.max(1);
            }
        }
    }

    /// The agent was handed the bytes of a line.
    pub(crate) fn handed(&mut self, id: LineId) {
        let line = &mut self.lines[id.0];
        if !line.handed {
            line.handed = true;
            self.unsafe_lines.push(id);
        }
    }

    pub(crate) fn is_handed(&self, id: LineId) -> bool {
        let line = &self.lines[id.0];
        line.handed || line.safe
    }

    /// Whether a line must be spoken for, was not read, and stands nowhere else.
    pub(crate) fn is_last_chance(&self, id: LineId, now: Instant) -> bool {
        let line = &self.lines[id.0];
        let must = line.marks.iter().any(|mark| mark.least > 0);
        // What a look saw a moment ago may be gone by now: nobody can know.
        let had_another = (line.copy_lost).is_some_and(|lost| now.since(lost) < LOOK_MAX);
        must && !had_another && line.n_copies <= 1 && !self.is_handed(id)
    }

    /// What a commit that is made now makes safe.
    pub(crate) fn take_handed(&self) -> Vec<LineId> {
        self.unsafe_lines.clone()
    }

    /// A commit is durable.
    pub(crate) fn saved(&mut self, lines: &[LineId]) {
        for id in lines {
            self.lines[id.0].safe = true;
        }
        let lines_of = &self.lines;
        self.unsafe_lines.retain(|id| !lines_of[id.0].safe);
    }

    /// The agent died.
    pub(crate) fn died(&mut self) {
        for id in std::mem::take(&mut self.unsafe_lines) {
            let line = &mut self.lines[id.0];
            line.handed = false;
            if line.has_doubtful_copy {
                // Nothing proves that the copy is one: it is read as a new file, also for
                // rules that did not want what stood in the log before them.
                for mark in &mut line.marks {
                    mark.most = mark.most.max(1);
                }
            }
            self.excuse_if_lost(id);
        }
        for pacing in self.spaces.values_mut() {
            pacing.in_flight = None;
        }
        self.troubles.clear();
    }

    /// A request starts. `previous` tells whether it must keep its distance from
    /// the last answer as well as from the last start.
    pub(crate) fn starts(&mut self, now: Instant, start: &Start<'_>) {
        let pacing = self.spaces.entry(start.real_space.to_owned()).or_default();
        let mut broken = Vec::new();
        if let Some(other) = pacing.in_flight.replace(start.request_id.to_owned()) {
            broken.push(format!("{other} is still in flight"));
        }
        let before = [pacing.answered, pacing.started.last().copied()];
        if let Some(before) = before.into_iter().flatten().max()
            && now.since(before) < start.pace
            && start.is_clock_steady
        {
            broken.push(format!("only {:?} after the last one", now.since(before)));
        }
        pacing.started.push(now);
        let a_minute_ago = |at: &Instant| now.since(*at) < Duration::from_secs(60);
        let n_recent = pacing
            .started
            .iter()
            .rev()
            .take_while(|at| a_minute_ago(at))
            .count();
        if n_recent > 60 {
            broken.push(format!("{n_recent} in a minute"));
        }
        let body = (self.bodies)
            .entry(start.request_id.to_owned())
            .or_insert(start.body.into());
        if body != start.body {
            let how = format!(
                "{} has two bodies: {body} and {}",
                start.request_id, start.body
            );
            self.fail("said once", how);
        }
        if self.answered.contains(start.request_id) {
            self.fail(
                "said once",
                format!("{} again after its answer", start.request_id),
            );
        }
        for how in broken {
            self.fail("paced", format!("request {}: {how}", start.request_id));
        }
    }

    /// A request of an instance starts: nothing older may follow.
    pub(crate) fn in_order(&mut self, counted: &Counted, message: u64) {
        let before = self.newest.insert(counted.clone(), message);
        if before.is_some_and(|before| message < before) {
            self.fail(
                "in order",
                format!("{counted:?}: message {message} after a later one"),
            );
        }
    }

    /// Whether a message is requested for the first time, wherever it is to be read.
    pub(crate) fn is_news(&mut self, counted: &Counted, message: u64) -> bool {
        let before = self.news.get(counted).copied();
        let is_news = before.is_none_or(|before| message > before);
        if is_news {
            self.news.insert(counted.clone(), message);
        }
        is_news
    }

    /// An instance speaks. The next word must come a window after the sample line
    /// was written at the earliest.
    pub(crate) fn speaks(
        &mut self,
        now: Instant,
        counted: &Counted,
        said: &Said,
        window: Option<Duration>,
    ) {
        if !matches!(&*said.why, "first" | "summary" | "severity") {
            // The end of an incident is the end of its window, and so on.
            self.spoken.remove(counted);
            return;
        }
        if said.why == "severity" {
            // Worse news passes through an open window, and the window goes on.
            return;
        }
        if let (Some(spoken), Some(window)) = (self.spoken.get_mut(counted), window) {
            spoken.n_more += 1;
            // Each of them ended a window, or came after one.
            let least = window * spoken.n_more;
            let (since, n_more) = (now.since(spoken.since), spoken.n_more);
            if since < least {
                let how = format!("{counted:?}: {n_more} more words within {since:?}");
                self.fail("quiet within a window", format!("{how}, window {window:?}"));
            }
        }
        let sample = said.line.and_then(|line| Some(self.lines.get(line)?.begun));
        if said.why == "first" {
            self.spoken.remove(counted);
        }
        if let Some(since) = sample.filter(|sample| *sample >= self.windows_since)
            && said.why == "first"
        {
            let n_more = 0;
            self.spoken
                .insert(counted.clone(), Spoken { since, n_more });
        }
    }

    /// Windows are no longer what they were: the wall clock jumped, or rules changed.
    pub(crate) fn forget_windows(&mut self, now: Instant) {
        self.spoken.clear();
        self.windows_since = now;
    }

    /// The agent hears the answer of a request.
    pub(crate) fn answered(&mut self, now: Instant, real_space: &str, request_id: &str, ok: bool) {
        let pacing = self.spaces.entry(real_space.to_owned()).or_default();
        pacing.in_flight = None;
        pacing.answered = Some(now);
        if ok {
            self.answered.insert(request_id.to_owned());
        }
    }

    /// An answer was heard by an agent that died before it was on disk.
    pub(crate) fn unheard(&mut self, request_id: &str) {
        self.answered.remove(request_id);
    }

    /// A message is in the space.
    pub(crate) fn delivered(&mut self, counted: Counted, count: u64) {
        *self.delivered.entry(counted).or_default() += count;
    }

    /// A message is in a space for which another one may come to stand in.
    pub(crate) fn repeatable(&mut self, request_id: &str, counted: &Counted, count: u64) {
        let request_id = request_id.to_owned();
        self.repeatable.push((request_id, counted.clone(), count));
    }

    /// Somebody is told that something is wrong.
    pub(crate) fn troubled(&mut self, what: String) {
        if !self.troubles.insert(what.clone()) {
            self.fail("honest", format!("{what}: said twice"));
        }
    }

    /// Somebody is told that it is well again.
    pub(crate) fn recovered(&mut self, what: &str) {
        if !self.troubles.remove(what) && !self.doubted.remove(what) {
            self.fail(
                "honest",
                format!("{what}: its end is said, but not its beginning"),
            );
        }
    }

    /// Something is over for one of those that had the trouble. Others of the same
    /// name may have it still, and say so later or not.
    pub(crate) fn recovered_perhaps(&mut self, what: &str) {
        if self.troubles.remove(what) {
            self.doubted.insert(what.to_owned());
        }
    }

    /// What people still believe to be wrong.
    pub(crate) fn troubles(&self) -> &BTreeSet<String> {
        &self.troubles
    }

    /// What must have been delivered for each space, rule and value.
    pub(crate) fn expected(&self, names: &[(&str, Vec<&str>)]) -> BTreeMap<Counted, (u64, u64)> {
        let mut expected: BTreeMap<Counted, (u64, u64)> = BTreeMap::new();
        let marks =
            (self.lines.iter()).flat_map(|line| line.marks.iter().map(move |of| (line, of)));
        for (line, mark) in marks {
            let Some((rule, spaces)) = names.get(mark.rule) else {
                continue;
            };
            for space in spaces {
                let counted = (
                    (*space).to_owned(),
                    (*rule).to_owned(),
                    format!("k{}", mark.k),
                );
                let sum = expected.entry(counted).or_default();
                sum.0 += mark.least;
                sum.1 += mark.most + u64::from(line.is_doubted);
            }
        }
        expected
    }

    /// Whether all that must be delivered is. With `finally`, whether what was
    /// delivered is what may be, and it fails otherwise.
    pub(crate) fn weigh(&mut self, names: &[(&str, Vec<&str>)], parked: &[(Counted, u64)]) {
        let mut expected = self.expected(names);
        for (request_id, counted, count) in &self.repeatable {
            if let Some((_, most)) = expected.get_mut(counted)
                && !self.answered.contains(request_id)
            {
                *most += count;
            }
        }
        let mut delivered = self.delivered.clone();
        for (counted, count) in parked {
            *delivered.entry(counted.clone()).or_default() += count;
        }
        // What was counted without being named may be of any value of its rule.
        let mut unnamed: BTreeMap<(String, String), u64> = BTreeMap::new();
        delivered.retain(|(space, rule, k), count| {
            let is_named = k != UNNAMED;
            if !is_named {
                *unnamed.entry((space.clone(), rule.clone())).or_default() += *count;
            }
            is_named
        });
        let all: BTreeSet<&Counted> = expected.keys().chain(delivered.keys()).collect();
        let mut room: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (request_id, (space, rule, k), count) in &self.repeatable {
            if k == UNNAMED && !self.answered.contains(request_id) {
                *room.entry((space.clone(), rule.clone())).or_default() += count;
            }
        }
        for counted in all {
            let (least, most) = expected.get(counted).copied().unwrap_or_default();
            let count = delivered.get(counted).copied().unwrap_or(0);
            let (space, rule, k) = counted;
            let of_rule = (space.clone(), rule.clone());
            let missing = least.saturating_sub(count);
            let unnamed = unnamed.entry(of_rule.clone()).or_default();
            if missing > *unnamed {
                let how =
                    format!("{rule} {k} in {space}: {count} delivered, at least {least} written");
                let how = format!("{how} {}", self.account(names, counted));
                self.fail("nothing lost", how);
                return;
            }
            *unnamed -= missing;
            if count > most {
                let how =
                    format!("{rule} {k} in {space}: {count} delivered, at most {most} written");
                let how = format!("{how} {}", self.account(names, counted));
                self.fail("nothing invented", how);
                return;
            }
            *room.entry(of_rule).or_default() += most - count - missing;
        }
        for (of_rule, n_unnamed) in unnamed {
            if n_unnamed > room.get(&of_rule).copied().unwrap_or(0) {
                let (space, rule) = of_rule;
                let how = format!("{rule} in {space}: {n_unnamed} more than were written");
                self.fail("nothing invented", how);
                return;
            }
        }
    }

    /// The lines that count together, those that may be missing in brackets.
    fn account(&self, names: &[(&str, Vec<&str>)], counted: &Counted) -> String {
        let mut account = String::new();
        for (idx, line) in self.lines.iter().enumerate() {
            for mark in &line.marks {
                let is_rule = names
                    .get(mark.rule)
                    .is_some_and(|(rule, _)| *rule == counted.1);
                if is_rule && format!("k{}", mark.k) == counted.2 && mark.most > 0 {
                    account += &match (mark.least, mark.most) {
                        (1, 1) => format!(" {idx}"),
                        (0, 1) => format!(" ({idx})"),
                        (least, most) => format!(" {idx}×{least}–{most}"),
                    };
                }
            }
        }
        format!("[{account} ]")
    }

    fn excuse_if_lost(&mut self, id: LineId) {
        let line = &self.lines[id.0];
        if line.n_copies == 0 && !line.handed && !line.safe {
            self.excuse(id);
        }
    }
}

/// A request that starts.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) real_space: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) body: &'a str,
    pub(crate) pace: Duration,
    /// Whether the wall clock was left alone since the last request.
    pub(crate) is_clock_steady: bool,
}
