//! Commands and their results: what runs when, what it means, what is said of it.
//!
//! A check is a rule of a command. Its results are judged one by one
//! ([`finding`]), a run of bad ones becomes a problem ([`state`]), and the problem
//! is an incident: it is said once, gets worse, is reminded of, and is over once.
//! Between those messages results only count.
//!
//! At most [`RUNNING_MAX`] commands run at once, none of them twice; what is due
//! and finds no room waits its turn.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub mod alone;

pub mod plan;

pub mod finding;

pub mod state;

mod standing;

mod unknown;

mod runs;

mod views;

mod record;

mod speech;

use super::counts;
use super::debounce::Window;
use super::events::{Event, EventId, Ids, InstanceId};
use super::incident::{Flapping, Reminder};
use super::instances::Birth;
use super::message::{Reason, Shown, Tally};
use super::mute::Mute;
use super::outbox::Outbox;
use super::time::{Moment, Now, Wall};
use crate::rules::checks::{Check, Meaning, Program, StatusMap, When};
use crate::rules::{Rule, RuleKey, RuleSet, Severity, SpaceName};
use crate::secrets::Redactor;
use finding::{Ended, Perf, Ran};
use plan::{Due, Plan};
pub use record::CheckRecord;
use record::keeps_plan;
use runs::run_of;
pub use runs::{Order, RUNNING_MAX, RunId, Start};
use state::State;

/// Keys without a rule whose problems are kept; beyond it none is taken.
const RULELESS_MAX: usize = 1_000;

/// Characters of a command that messages show as the source.
const SOURCE_CHARS_MAX: usize = 100;

/// A result that `logcrier exec` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// For the answer.
    pub ticket: u64,
    /// The rule's key, or that of none.
    pub key: RuleKey,
    /// Names the result: it is never taken for two.
    pub id: u128,
    /// When the command ended.
    pub at: Wall,
    /// What came of it.
    pub ran: Ran,
    /// What its exit status means, if somebody said so.
    pub status: Option<StatusMap>,
    /// Whether it was posted already.
    pub is_said: bool,
}

/// All checks.
#[derive(Debug, Default)]
pub struct Checks {
    all: BTreeMap<RuleKey, Standing>,
    running: BTreeMap<RunId, RuleKey>,
    /// Due, and waiting for room.
    queue: VecDeque<RuleKey>,
    /// What does not die: its check must not be started again.
    stuck: BTreeMap<RunId, RuleKey>,
    n_runs: u64,
    n_results: u64,
    orders: Vec<Order>,
    deadlines: BTreeSet<(Moment, RuleKey)>,
    is_stopped: bool,
    dirty: BTreeSet<RuleKey>,
    /// Whether one of them is more than a plan.
    has_consequences: bool,
    /// The rules of results that were bad or unknown, and what became of these.
    judged: Vec<(RuleKey, counts::Standing)>,
    /// Counts the problems that opened or closed, and the checks that were muted.
    n_changes: u64,
}

/// How things stand with one check.
#[derive(Debug, Clone, Default)]
struct Standing {
    plan: Option<(When, Plan)>,
    state: State,
    /// Bad results that are not yet a problem.
    soft: Option<Tally>,
    /// Unknown results that are not yet worth saying.
    doubt: Option<Tally>,
    problem: Option<Problem>,
    broken: Option<Broken>,
    /// Within it a check that is broken once more is not said.
    window: Option<Window>,
    flapping: Flapping,
    /// The worst that was said of a problem since it was last said to be over.
    quiet_worst: Option<Severity>,
    reminder: Option<Reminder>,
    /// Bad results that are counted and not said.
    held: Held,
    /// Unknown results that are counted and not said.
    held_unknown: Held,
    /// The last result that was bad or changed the state.
    latest: Option<Shown>,
    /// Why it only counts.
    muted: Option<Mute>,
    perf: Vec<Perf>,
    /// Whether no rule has its key: only `logcrier exec` speaks of it.
    is_ruleless: bool,
    /// When something is to be done, as it stands in the list of all.
    deadline: Option<Moment>,
}

/// What is counted and not said, per space.
type Held = BTreeMap<SpaceName, Tally>;

/// An open problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Problem {
    opened: Wall,
    total: u64,
    /// The worst severity that was said; nothing if all is kept quiet.
    said: Option<Severity>,
    /// Where it was said, and where its end is said.
    spaces: Vec<SpaceName>,
}

/// A check that tells nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Broken {
    since: Wall,
    is_said: bool,
    total: u64,
    spaces: Vec<SpaceName>,
    /// What broke it.
    latest: Shown,
}

impl Checks {
    /// Takes up what is on disk.
    pub fn new(records: impl IntoIterator<Item = CheckRecord>, rules: &RuleSet, now: Now) -> Self {
        let mut checks = Self::default();
        for record in records {
            let rule = rules.rule(&record.key);
            let gaps = rule.map_or(&[][..], |rule| &rule.repeat);
            let when = rule.and_then(|rule| run_of(rule)).map(|run| &run.when);
            let standing = Standing {
                plan: match (when, record.due) {
                    (Some(when @ When::Every(_)), Some(due)) => {
                        let plan = Plan::planned(when, due, now, &TimeZone::UTC);
                        Some((when.clone(), plan))
                    }
                    _ => None,
                },
                window: record.window.map(|(closes, length_ms)| {
                    let length = Duration::from_millis(length_ms);
                    Window {
                        closes: now.moment_of(closes, length),
                        length,
                        worst: finding::BROKEN,
                    }
                }),
                flapping: Flapping::new(&record.flapping, now),
                quiet_worst: record.quiet_worst,
                reminder: (record.reminder).and_then(|reminder| Reminder::new(reminder, now, gaps)),
                state: record.state,
                soft: record.soft,
                doubt: record.doubt,
                problem: record.problem,
                broken: record.broken,
                held: record.held.into_iter().collect(),
                held_unknown: record.held_unknown.into_iter().collect(),
                latest: record.latest,
                muted: record.muted,
                perf: Vec::new(),
                is_ruleless: record.is_ruleless,
                deadline: None,
            };
            checks.all.insert(record.key.clone(), standing);
            checks.index(&record.key);
        }
        checks
    }

    /// Takes over changed rules: plans what is new, and ends what is no more.
    pub fn meet(&mut self, now: Now, rules: &RuleSet, zone: &TimeZone, ids: &Ids) -> Vec<Birth> {
        let mut births = Vec::new();
        let stays = |key: &RuleKey, standing: &Standing| match rules.rule(key) {
            Some(rule) => rule.check.is_some(),
            None => standing.is_ruleless && rules.exec.is_some(),
        };
        let gone: Vec<RuleKey> = (self.all.iter())
            .filter(|(key, standing)| !stays(key, standing))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            births.extend(self.drop_check(now, &key, ids));
        }
        for rule in &rules.rules {
            let Some(run) = run_of(rule) else {
                continue;
            };
            let standing = self.all.entry(rule.key.clone()).or_default();
            let is_planned = (standing.plan.as_ref()).is_some_and(|(when, _)| *when == run.when);
            if !is_planned {
                let plan = Plan::new(&run.when, &rules.host, &rule.key, now, zone);
                standing.plan = Some((run.when.clone(), plan));
                if keeps_plan(&run.when) {
                    self.dirty.insert(rule.key.clone());
                }
            }
            self.index(&rule.key);
        }
        births
    }

    /// Does what is due: starts commands, reminds, sums up.
    pub fn tick(
        &mut self,
        now: Now,
        rules: &RuleSet,
        zone: &TimeZone,
        mute: &dyn Fn(&Rule) -> Option<Mute>,
        ids: &Ids,
        outbox: &Outbox,
    ) -> Vec<Birth> {
        let mut births = Vec::new();
        while let Some((_, key)) = (self.deadlines.first())
            .filter(|(at, _)| *at <= now.moment)
            .cloned()
        {
            births.extend(self.look(now, &key, rules, zone, mute, ids, outbox));
            self.index(&key);
        }
        self.fill(rules);
        births
    }

    /// Takes what came of a run.
    #[expect(clippy::too_many_arguments, reason = "each is another thing")]
    pub fn ran(
        &mut self,
        now: Now,
        run: RunId,
        ran: &Ran,
        rules: &RuleSet,
        mute: Option<Mute>,
        ids: &Ids,
        outbox: &mut Outbox,
    ) -> Vec<Birth> {
        let Some(key) = self.running.remove(&run) else {
            return Vec::new();
        };
        if let Ended::Stuck { .. } = ran.ending {
            self.stuck.insert(run, key.clone());
        }
        let Some((rule, check)) = check_of(rules, &key) else {
            return Vec::new();
        };
        let births = self.result(
            now,
            rule,
            check,
            &check.status,
            ran,
            &rules.redactor,
            None,
            mute,
            ids,
            outbox,
        );
        if let (Some(run), Some(standing)) = (&check.run, self.all.get_mut(&key)) {
            let retry = run.retry_every.filter(|_| standing.state.is_soft());
            if let (Some(retry), Some((_, plan))) = (retry, &mut standing.plan) {
                plan.retry = Some(now.moment.after(retry));
            }
            if keeps_plan(&run.when) {
                self.dirty.insert(key.clone());
            }
        }
        self.index(&key);
        births
    }

    /// Takes what `logcrier exec` tells. The error is what its user should read.
    pub fn told(
        &mut self,
        now: Now,
        told: &Told,
        rules: &RuleSet,
        mute: Option<Mute>,
        ids: &Ids,
        outbox: &mut Outbox,
    ) -> Result<Vec<Birth>, String> {
        let key = &told.key;
        let is_ruleless = rules.rule(key).is_none();
        let rule = rules.reported(key).ok_or_else(|| match is_ruleless {
            true => "several spaces and no default, so there is none for it".to_owned(),
            false => format!("the rule `{key}` is none of `exec`"),
        })?;
        let check = rule.check.as_ref().ok_or("a rule that checks nothing")?;
        let n_ruleless = (self.all.values()).filter(|standing| standing.is_ruleless);
        if is_ruleless && !self.all.contains_key(key) && n_ruleless.count() >= RULELESS_MAX {
            return Err(format!(
                "{RULELESS_MAX} keys without a rule have problems already"
            ));
        }
        let status = told.status.as_ref().unwrap_or(&check.status);
        let named = Some((EventId(told.id), told.at));
        let mut births = self.result(
            now,
            &rule,
            check,
            status,
            &told.ran,
            &rules.redactor,
            named,
            mute,
            ids,
            outbox,
        );
        if told.is_said {
            births.retain(|birth| {
                let reason = birth.draft.reason;
                !matches!(reason, Reason::First | Reason::Severity | Reason::Broken)
            });
        }
        if let Some(standing) = self.all.get_mut(key) {
            standing.is_ruleless = is_ruleless;
            if is_ruleless && standing.is_plain() {
                if let Some(at) = standing.deadline {
                    self.deadlines.remove(&(at, key.clone()));
                }
                self.all.remove(key);
            }
        }
        self.index(key);
        Ok(births)
    }

    /// A check may speak again: what it holds is said.
    pub fn unmute(&mut self, now: Now, rule: &Rule, ids: &Ids) -> Vec<Birth> {
        let Some(standing) = self.all.get_mut(&rule.key) else {
            return Vec::new();
        };
        let births = standing.unmute(now, rule, ids);
        self.dirty.insert(rule.key.clone());
        self.has_consequences = true;
        self.index(&rule.key);
        births
    }

    /// Looks at one check whose time has come.
    #[expect(clippy::too_many_arguments, reason = "each is another thing")]
    fn look(
        &mut self,
        now: Now,
        key: &RuleKey,
        rules: &RuleSet,
        zone: &TimeZone,
        mute: &dyn Fn(&Rule) -> Option<Mute>,
        ids: &Ids,
        outbox: &Outbox,
    ) -> Vec<Birth> {
        let is_busy = self.is_busy(key);
        let Some(standing) = self.all.get_mut(key) else {
            return Vec::new();
        };
        if let Some((when, plan)) = &mut standing.plan {
            let due = plan.look(when, is_busy, now, zone);
            if due == Due::Now && !self.is_stopped {
                self.queue.push_back(key.clone());
            }
        }
        let rule = (rules.rule(key).cloned()).or_else(|| rules.reported(key));
        let Some(rule) = rule.as_deref() else {
            return Vec::new();
        };
        let mute = mute(rule);
        let mut births = Vec::new();
        let n_before = standing.n_pending();
        let was_muted = standing.muted;
        if standing.flapping.end(now.moment) {
            births.extend(standing.be_steady(now, rule, mute, ids));
        }
        if standing.reminder.is_some_and(|next| next.due <= now.moment) {
            births.extend(standing.remind(now, rule, mute, ids, outbox));
        }
        if standing
            .window
            .is_some_and(|window| window.closes <= now.moment)
        {
            births.extend(standing.close_window(now, rule, mute, ids));
        }
        self.n_changes += u64::from(was_muted != standing.muted);
        if !births.is_empty() || standing.n_pending() != n_before {
            self.dirty.insert(key.clone());
            self.has_consequences = true;
        }
        births
    }

    /// Takes a result: what of it is said at once is returned.
    #[expect(clippy::too_many_arguments, reason = "each is another thing")]
    fn result(
        &mut self,
        now: Now,
        rule: &Rule,
        check: &Check,
        status: &StatusMap,
        ran: &Ran,
        redactor: &Arc<Redactor>,
        named: Option<(EventId, Wall)>,
        mute: Option<Mute>,
        ids: &Ids,
        outbox: &mut Outbox,
    ) -> Vec<Birth> {
        let judged = finding::judge(rule, status, ran, redactor);
        let standing = self.all.entry(rule.key.clone()).or_default();
        if let Some(finding) = &judged.sample.finding {
            standing.perf.clone_from(&finding.perf);
        }
        self.n_results += 1;
        let fresh = || (ids.result(&rule.key, now.wall, self.n_results), now.wall);
        let (id, at) = named.unwrap_or_else(fresh);
        let event = Event {
            id,
            instance: instance_of(&rule.key),
            severity: match judged.meaning {
                Meaning::Bad(severity) => severity,
                Meaning::Fine => Severity::Info,
                Meaning::Unknown => finding::BROKEN,
            },
            at,
            sample: judged.sample,
            source: source_of(check, redactor),
            besides: None,
        };
        let was_plain = standing.is_plain();
        let before = (standing.problem.is_some(), standing.muted);
        let taken = standing
            .state
            .take(judged.meaning, check.fail_after, check.recover_after);
        let mut births = Vec::new();
        if taken.works_again {
            births.extend(standing.work_again(&event));
        }
        births.extend(standing.turn(now, rule, (taken.turn, mute), event, outbox));
        if judged.meaning != Meaning::Fine {
            let became = match standing.soft.is_some() || standing.doubt.is_some() {
                true => counts::Standing::Below,
                false => counts::Standing::of_event(&births),
            };
            self.judged.push((rule.key.clone(), became));
        }
        let after = (standing.problem.is_some(), standing.muted);
        self.n_changes += u64::from(before != after);
        // What came to nothing is no event.
        standing.soft.take_if(|_| !standing.state.has_soft());
        standing.doubt.take_if(|_| !standing.state.has_doubts());
        if !was_plain || !standing.is_plain() {
            self.dirty.insert(rule.key.clone());
            self.has_consequences = true;
        }
        births
    }

    /// Ends a check whose rule is no more.
    fn drop_check(&mut self, now: Now, key: &RuleKey, ids: &Ids) -> Vec<Birth> {
        let Some(standing) = self.all.remove(key) else {
            return Vec::new();
        };
        if let Some(at) = standing.deadline {
            self.deadlines.remove(&(at, key.clone()));
        }
        self.queue.retain(|queued| queued != key);
        let runs = self.running.iter().filter(|(_, running)| *running == key);
        let runs: Vec<RunId> = runs.map(|(run, _)| *run).collect();
        for run in runs {
            self.running.remove(&run);
            self.orders.push(Order::Stop(run));
        }
        self.dirty.insert(key.clone());
        self.has_consequences = true;
        standing.be_dropped(now, key, ids)
    }
}

/// The one instance of a check.
pub fn instance_of(key: &RuleKey) -> InstanceId {
    InstanceId {
        rule: key.clone(),
        by: Arc::new([]),
    }
}

fn check_of<'r>(rules: &'r RuleSet, key: &RuleKey) -> Option<(&'r Rule, &'r Check)> {
    let rule = rules.rule(key)?;
    Some((rule, rule.check.as_ref()?))
}

/// What a message names as its source.
fn source_of(check: &Check, redactor: &Redactor) -> Arc<str> {
    let text = match check.run.as_ref().map(|run| &run.command.program) {
        Some(Program::Words(words)) => words.join(" "),
        Some(Program::Shell(line)) => line.clone(),
        None => "exec".to_owned(),
    };
    let text = redactor.redact(&text);
    match text.char_indices().nth(SOURCE_CHARS_MAX) {
        None => text.into_owned().into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}
