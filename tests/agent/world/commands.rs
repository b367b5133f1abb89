//! The commands of the world: what they find, how they die, and a naive model of
//! what must be said of that.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use logcrier::engine::Input;
use logcrier::engine::checks::finding::{Captured, Ended, Ran};
use logcrier::engine::checks::{RUNNING_MAX, RunId, Start};
use logcrier::rules::checks::{Check, Command, Meaning, Program, Run, StatusMap, Streak, When};
use logcrier::rules::pattern::Patterns;
use logcrier::rules::records::conditions::Where;
use logcrier::rules::records::reading::Reading;
use logcrier::rules::records::searcher::{Context, Kept};
use logcrier::rules::template::Template;
use logcrier::rules::{
    Debounce, Files, FormatAs, From, Rule, RuleKey, Severity, SpaceName, ThreadMode,
};
use regex::Regex;

use super::World;
use super::agent::Job;
use super::entropy::Entropy;

/// The ticket of who asks for silence.
pub(crate) const SILENCED: u64 = u64::MAX;

/// The wording of checks.
const TITLE: &str = "c={{ count }} r={{ key }} why={{ reason }}";

/// The checks that there can be.
pub(crate) const CHECKS: [&str; 6] = ["ping", "disk", "load", "mail", "cert", "cron"];

/// A rule of a command, as far as it differs from others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ToldCheck {
    pub(crate) key: &'static str,
    pub(crate) when: When,
    pub(crate) fail_after: Streak,
    pub(crate) recover_after: Streak,
    pub(crate) retry_every: Option<Duration>,
    pub(crate) debounce: Debounce,
    pub(crate) repeat: Vec<Duration>,
    pub(crate) spaces: Vec<&'static str>,
}

/// The commands, and what is known of their results.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    pub(crate) told: Vec<ToldCheck>,
    /// What each check would find now.
    pub(crate) truth: BTreeMap<&'static str, Truth>,
    running: BTreeMap<RunId, &'static str>,
    stuck: BTreeMap<RunId, &'static str>,
    pub(crate) model: Model,
    /// The model as the disk has it.
    saved: Model,
    delivered: BTreeMap<Heard, u64>,
    believed: BTreeMap<Heard, Belief>,
    /// What people believe to be broken.
    broken: BTreeMap<Heard, bool>,
    pub(crate) n_runs: u64,
}

/// A space and a check.
type Heard = (String, String);

/// What a command would find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    Fine,
    Warning,
    Critical,
    Unknown,
    /// It does not end by itself.
    Hangs,
    /// … and not by being killed either, for a while.
    Stuck,
    Missing,
}

/// What people believe of a check, having read the space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Belief {
    #[default]
    Fine,
    Problem,
    /// They were told that it changes too often.
    Flapping,
}

/// What must be counted, by the definition of the language.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    checks: BTreeMap<&'static str, Naive>,
}

#[derive(Debug, Clone, Default)]
struct Naive {
    /// Known results since the last change, bad ones true.
    known: Vec<bool>,
    /// All results since the check was last broken, unknown ones true.
    unknown: Vec<bool>,
    is_problem: bool,
    is_broken: bool,
    /// Bad results of which nothing may have to be said.
    n_soft: u64,
    n_doubts: u64,
    n_counted: u64,
}

impl ToldCheck {
    pub(crate) fn new(key: &'static str, every: Duration) -> Self {
        Self {
            key,
            when: When::Every(every),
            fail_after: Streak::ONCE,
            recover_after: Streak::ONCE,
            retry_every: None,
            debounce: Debounce::Window {
                every: Duration::from_secs(300),
                max: Duration::from_secs(3600),
            },
            repeat: Vec::new(),
            spaces: vec!["ops"],
        }
    }

    pub(super) fn rule(&self) -> Arc<Rule> {
        Arc::new(Rule {
            key: RuleKey::new(self.key),
            journal: None,
            check: Some(Check {
                run: Some(Run {
                    command: Command {
                        program: Program::Words(vec![self.key.to_owned()]),
                        timeout: Duration::from_secs(20),
                        env: Vec::new(),
                        cwd: "/".into(),
                        user: None,
                    },
                    when: self.when.clone(),
                    retry_every: self.retry_every,
                }),
                status: StatusMap::Nagios,
                fail_after: self.fail_after,
                recover_after: self.recover_after,
            }),
            conditions: Default::default(),
            repeat: self.repeat.clone(),
            files: Files {
                include: Vec::new(),
                exclude: Vec::new(),
            },
            from: From::End,
            patterns: Patterns {
                matches: Vec::new(),
                excepts: Vec::new(),
            },
            reading: Reading::default(),
            filter: Where::default(),
            kept: Kept::default(),
            context: Context::default(),
            by: Vec::new(),
            severity: Severity::Error,
            severity_of: None,
            debounce: self.debounce,
            spaces: (self.spaces.iter())
                .map(|name| SpaceName::new(name))
                .collect(),
            thread: ThreadMode::Rule,
            title: Some(Template::parse(TITLE).expect("a template")),
            text: None,
            format_as: FormatAs::Text,
            mention: Vec::new(),
            runbook: None,
            labels: BTreeMap::new(),
        })
    }
}

/// Draws rules of commands; none in most worlds.
pub(crate) fn draw(chance: &mut Entropy) -> Vec<ToldCheck> {
    if !chance.percent(35) {
        return Vec::new();
    }
    let n_checks = 1 + chance.index(CHECKS.len());
    (CHECKS.iter().take(n_checks))
        .map(|key| {
            let every = chance.duration(Duration::from_secs(15), Duration::from_secs(3600));
            let mut streak = || {
                let of = 1 + chance.below(3) as u32;
                Streak {
                    count: 1 + chance.below(of.into()) as u32,
                    of,
                }
            };
            let (fail_after, recover_after) = (streak(), streak());
            let retry = chance.duration(Duration::from_secs(5), Duration::from_secs(60));
            ToldCheck {
                fail_after,
                recover_after,
                retry_every: chance.percent(40).then_some(retry),
                debounce: super::told::draw_debounce(chance, Duration::from_secs(1200)),
                repeat: match chance.below(3) {
                    0 => vec![Duration::from_secs(3600)],
                    _ => Vec::new(),
                },
                spaces: chance
                    .one_of(&[&["ops"][..], &["dev"], &["dev", "ops"]])
                    .to_vec(),
                ..ToldCheck::new(key, every)
            }
        })
        .collect()
}

/// What a message about a check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SaidOfCheck {
    pub(crate) rule: String,
    /// The state in one word.
    pub(crate) lead: String,
    pub(crate) why: String,
    pub(crate) count: u64,
    /// Whether it says of one and the same problem that it was, and is over.
    is_brief: bool,
}

/// Reads back what the body of a request says, if it is about a check.
pub(crate) fn read_back(body: &str) -> Option<SaidOfCheck> {
    static WORDED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\S+ \*([^*]+)\* c=(\d+) r=(\w+) why=(\w+)\n").expect("a regex")
    });
    // The wording where the rule is no more.
    static BUILT_IN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\S+ \*([^*]+)\* `(\w+)`[^\n]*\n[^\n]*\n([^\n]*)").expect("a regex")
    });
    static MORE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\*\+([\d,]+) more\*").expect("a regex"));
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    let text = json["text"].as_str()?;
    let is_brief = text.contains("failed and recovered within");
    let built_in = BUILT_IN.captures(text).filter(|_| !WORDED.is_match(text));
    if let Some(found) = built_in.filter(|found| CHECKS.contains(&&found[2])) {
        let why = match &found[3] {
            line if line.starts_with("it got worse") => "severity",
            line if line.starts_with("still so") => "repeat",
            line if line.starts_with("it changes") => "flapping",
            line if line.starts_with("no change") => "summary",
            _ if ["resolved", "known again", "no longer watched"].contains(&&found[1]) => {
                "resolved"
            }
            _ => "first",
        };
        let n_more = match MORE.captures(&found[3]) {
            Some(more) => more[1].replace(',', "").parse().ok()?,
            None => 0,
        };
        return Some(SaidOfCheck {
            rule: found[2].into(),
            lead: found[1].into(),
            why: why.into(),
            count: n_more + u64::from(["first", "severity"].contains(&why)),
            is_brief,
        });
    }
    let found = WORDED.captures(text)?;
    Some(SaidOfCheck {
        rule: found[3].into(),
        lead: found[1].into(),
        why: found[4].into(),
        count: found[2].parse().ok()?,
        is_brief,
    })
}

impl SaidOfCheck {
    /// A word for one that says both, for scripts.
    pub(crate) fn brief(&self) -> &'static str {
        match self.is_brief {
            true => " brief",
            false => "",
        }
    }
}

impl Model {
    /// Takes a result.
    fn take(&mut self, told: &ToldCheck, meaning: Meaning) {
        let check = self.checks.entry(told.key).or_default();
        let is_unknown = meaning == Meaning::Unknown;
        check.unknown.push(is_unknown);
        if is_unknown {
            let n = last(&check.unknown, told.fail_after, true);
            check.n_doubts += 1;
            if check.is_broken || n >= told.fail_after.count {
                check.is_broken = true;
                check.n_counted += std::mem::take(&mut check.n_doubts);
            }
            return;
        }
        if std::mem::take(&mut check.is_broken) {
            check.unknown.clear();
        }
        if last(&check.unknown, told.fail_after, true) == 0 {
            check.n_doubts = 0;
        }
        let is_bad = meaning != Meaning::Fine;
        check.known.push(is_bad);
        if check.is_problem {
            check.n_counted += u64::from(is_bad);
            let is_over = last(&check.known, told.recover_after, false) >= told.recover_after.count;
            if is_over && !is_bad {
                check.is_problem = false;
                check.known.clear();
            }
            return;
        }
        check.n_soft += u64::from(is_bad);
        if is_bad && last(&check.known, told.fail_after, true) >= told.fail_after.count {
            check.is_problem = true;
            check.known.clear();
            check.n_counted += std::mem::take(&mut check.n_soft);
        } else if last(&check.known, told.fail_after, true) == 0 {
            check.n_soft = 0;
        }
    }

    /// A rule is no more: what is to come of it begins anew.
    fn forget(&mut self, key: &'static str) {
        let n_counted = self.checks.get(key).map_or(0, |check| check.n_counted);
        let fresh = Naive {
            n_counted,
            ..Naive::default()
        };
        self.checks.insert(key, fresh);
    }
}

/// How many of the last results are so.
fn last(results: &[bool], streak: Streak, kind: bool) -> u32 {
    let n = (results.iter().rev().take(streak.of as usize)).filter(|result| **result == kind);
    u32::try_from(n.count()).expect("a few")
}

impl World {
    /// A command is to be started.
    pub(super) fn run_command(&mut self, life: u64, start: Start) {
        let Some(told) = (self.commands.told.iter()).find(|told| told.key == start.key.as_str())
        else {
            return self
                .oracle
                .fail("runs what is told", format!("{:?}", start.key));
        };
        let key = told.key;
        self.commands.n_runs += 1;
        let is_twice = self
            .commands
            .running
            .values()
            .any(|running| *running == key);
        let is_stuck = self.commands.stuck.values().any(|stuck| *stuck == key);
        if is_twice || is_stuck {
            self.oracle
                .fail("never twice", format!("{key} runs already"));
        }
        self.commands.running.insert(start.run, key);
        if self.commands.running.len() > RUNNING_MAX {
            self.oracle
                .fail("never too many", "more than four commands run");
        }
        let truth = *self.commands.truth.get(key).unwrap_or(&Truth::Fine);
        let least = Duration::from_millis(1);
        let (ending, text, took) = match truth {
            Truth::Fine => (Ended::Exited(0), "OK", Duration::from_secs(2)),
            Truth::Warning => (Ended::Exited(1), "WARNING", Duration::from_secs(8)),
            Truth::Critical => (Ended::Exited(2), "CRITICAL", Duration::from_secs(8)),
            Truth::Unknown => (Ended::Exited(3), "UNKNOWN", Duration::from_secs(2)),
            Truth::Missing => {
                let why = format!("{key}: no such program");
                (Ended::NotStarted(why), "", Duration::from_millis(2))
            }
            Truth::Hangs => {
                let after_ms = 20_000;
                (Ended::TimedOut { after_ms }, "…", Duration::from_secs(26))
            }
            Truth::Stuck => {
                let why = "it waits in the kernel (state D)".to_owned();
                (Ended::Stuck { pid: 7, why }, "", Duration::from_secs(40))
            }
        };
        let delay = match truth {
            Truth::Hangs | Truth::Stuck => took,
            _ => self.chance.duration(least, took),
        };
        let ran = Ran {
            ending,
            stdout: Captured {
                head: format!("{text} | a=1\n"),
                ..Captured::default()
            },
            stderr: Captured::default(),
            took_ms: 1,
            leftovers: Vec::new(),
        };
        self.enqueue(delay, life, Job::Tell(Input::Ran(start.run, ran)));
    }

    /// Nobody in this world tells of commands of their own.
    pub(super) fn told_of(&mut self, ticket: u64, outcome: Result<(), String>) {
        if (ticket, &outcome) == (SILENCED, &Ok(())) {
            return;
        }
        let how = format!("answer to nobody: {ticket} {outcome:?}");
        self.oracle.fail("nothing invented", how);
    }

    /// A command is to be ended.
    pub(super) fn stop_command(&mut self, run: RunId) {
        self.commands.running.remove(&run);
    }

    /// The result of a command is about to be told; returns whether anybody wants it.
    pub(super) fn ends_command(&mut self, life: u64, run: RunId, ran: &Ran) -> bool {
        let Some(key) = self.commands.running.remove(&run) else {
            return false;
        };
        if let Ended::Stuck { .. } = ran.ending {
            self.commands.stuck.insert(run, key);
            let delay = (self.chance).duration(Duration::from_secs(1), Duration::from_secs(3600));
            self.enqueue(delay, life, Job::Tell(Input::Gone(run)));
        }
        let meaning = match ran.ending {
            Ended::Exited(0) => Meaning::Fine,
            Ended::Exited(1) => Meaning::Bad(Severity::Warning),
            Ended::Exited(2) => Meaning::Bad(Severity::Critical),
            _ => Meaning::Unknown,
        };
        if let Some(told) = self.commands.told.iter().find(|told| told.key == key) {
            self.commands.model.take(told, meaning);
        }
        true
    }
}

impl Commands {
    /// A commit begins: what the disk will know.
    pub(super) fn pledge(&self) -> Model {
        self.model.clone()
    }

    /// A commit is durable.
    pub(super) fn saved(&mut self, model: &Model) {
        self.saved = model.clone();
    }

    /// The agent died, and all that it had started.
    pub(super) fn died(&mut self) {
        self.running.clear();
        self.stuck.clear();
        self.model = self.saved.clone();
    }

    /// The agent starts with these rules.
    pub(super) fn starts(&mut self) {
        for key in CHECKS {
            if self.told.iter().all(|told| told.key != key) {
                self.model.forget(key);
            }
        }
    }

    /// A process that was stuck is gone.
    pub(super) fn gone(&mut self, run: RunId) {
        self.stuck.remove(&run);
    }
}

impl World {
    /// Changes the rules of commands; the agent hears of it with the other rules.
    pub(crate) fn tell_checks(&mut self, told: Vec<ToldCheck>) {
        self.commands.told = told;
        if self.agent.is_some() {
            self.commands.starts();
        }
    }

    /// A message about a check is in the space: it must fit what people believe.
    pub(super) fn hears_of_check(&mut self, space: &str, said: &SaidOfCheck) {
        let heard = (space.to_owned(), said.rule.clone());
        *self.commands.delivered.entry(heard.clone()).or_default() += said.count;
        let is_broken = match said.lead.as_str() {
            "unknown" => Some(true),
            "known again" | "no longer watched" => Some(false),
            _ => None,
        };
        if let Some(is_broken) = is_broken {
            let before = self.commands.broken.insert(heard.clone(), is_broken);
            if is_broken && before == Some(true) {
                self.oracle
                    .fail("said once", format!("{heard:?}: unknown twice"));
            }
            if said.lead != "no longer watched" {
                return;
            }
        }
        let believed = self.commands.believed.entry(heard.clone()).or_default();
        let before = *believed;
        let fits = match (said.lead.as_str(), said.why.as_str(), before) {
            // What was counted in a silence, and is over by its end.
            ("resolved", "silence_end", Belief::Fine) => true,
            ("resolved", _, Belief::Fine) => said.is_brief,
            ("resolved", _, Belief::Problem) => !said.is_brief,
            ("resolved", _, Belief::Flapping) => false,
            (_, "first", before) => before == Belief::Fine,
            (_, "repeat", before) => before == Belief::Problem,
            (_, "severity", before) => before != Belief::Fine,
            (_, "flapping", before) => before != Belief::Flapping,
            (_, "summary", before) => before == Belief::Flapping,
            _ => true,
        };
        *believed = match (said.lead.as_str(), said.why.as_str()) {
            ("resolved" | "steady, resolved" | "no longer watched", _) => Belief::Fine,
            (_, "flapping") => Belief::Flapping,
            (_, "severity") => before,
            _ => Belief::Problem,
        };
        if !fits {
            let how = format!("{heard:?}: {said:?} to people who believe {before:?}");
            self.oracle.fail("said once", how);
        }
    }

    /// Whether nothing about checks is open or held back.
    pub(super) fn are_checks_at_rest(&self) -> bool {
        let agent = self.agent.as_ref();
        agent.is_some_and(|agent| {
            let checks = agent.engine.checks();
            checks.n_open() == 0 && !checks.is_holding()
        })
    }

    /// All is well and all is said: people must believe so, and have heard of every
    /// bad result once.
    pub(crate) fn weigh_checks(&mut self, all: &[ToldCheck]) {
        let mut failures = Vec::new();
        for told in all {
            for space in &told.spaces {
                let heard = ((*space).to_owned(), told.key.to_owned());
                let believed = self
                    .commands
                    .believed
                    .get(&heard)
                    .copied()
                    .unwrap_or_default();
                if believed != Belief::Fine {
                    failures.push(format!("{heard:?}: people believe {believed:?}"));
                }
                if self.commands.broken.get(&heard) == Some(&true) {
                    failures.push(format!("{heard:?}: people believe it to be broken"));
                }
                let n_counted =
                    (self.commands.model.checks.get(told.key)).map_or(0, |check| check.n_counted);
                let n_delivered = self.commands.delivered.get(&heard).copied().unwrap_or(0);
                if n_counted != n_delivered {
                    failures.push(format!("{heard:?}: {n_delivered} of {n_counted} delivered"));
                }
            }
        }
        for how in failures {
            self.oracle.fail("every bad result is told once", how);
        }
    }
}
