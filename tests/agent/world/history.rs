//! One drawn life of the world: chaos, then peace, then the reckoning.

use std::collections::BTreeSet;
use std::time::Duration;

use logcrier::engine::Input;
use logcrier::engine::commit::{MessageRecord, MessageState};
use logcrier::engine::schedule::Noticing;
use logcrier::rules::{PacerKey, Severity};

use super::World;
use super::chat::{BITTER, POISON, Weather};
use super::clock::Instant;
use super::commands::{self, ToldCheck, Truth};
use super::disk::Mood;
use super::entropy::Entropy;
use super::files::Trouble;
use super::oracle::Failure;
use super::promises::refusing;
use super::told::{self, Dialect, RULES, Told};
use super::writers::{Draft, Style};

/// Logs in a world, at most.
const LOGS_MAX: usize = 3;

/// How long peace may last until all is said.
const PEACE_MAX: Duration = Duration::from_secs(12 * 3600);

/// How long peace may last without a request while messages wait: the longest wait
/// after a refusal, and some.
const SILENCE_MAX: Duration = Duration::from_secs(400);

/// How soon the first word of a quiet instance must be on its way, when nothing is
/// in the way.
const FIRST_WORD_MAX: Duration = Duration::from_secs(3);

/// What can happen next, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Wait,
    WaitLong,
    Write,
    Burst,
    Storm,
    Tear,
    Finish,
    Reopen,
    Rotate,
    CopyTruncate,
    Empty,
    Regrow,
    Recreate,
    Save,
    CutBack,
    NewLog,
    Trouble,
    Untrouble,
    Weather,
    Mood,
    Kill,
    Stop,
    Reload,
    Jump,
    Suspend,
    Truth,
}

const STEPS: [(Step, u64); 26] = [
    (Step::Wait, 20),
    (Step::WaitLong, 4),
    (Step::Write, 40),
    (Step::Burst, 4),
    (Step::Storm, 1),
    (Step::Tear, 8),
    (Step::Finish, 6),
    (Step::Reopen, 6),
    (Step::Rotate, 5),
    (Step::CopyTruncate, 2),
    (Step::Empty, 2),
    (Step::Regrow, 2),
    (Step::Recreate, 2),
    (Step::Save, 2),
    (Step::CutBack, 1),
    (Step::NewLog, 1),
    (Step::Trouble, 3),
    (Step::Untrouble, 4),
    (Step::Weather, 4),
    (Step::Mood, 3),
    (Step::Kill, 5),
    (Step::Stop, 2),
    (Step::Reload, 3),
    (Step::Jump, 1),
    (Step::Suspend, 2),
    (Step::Truth, 12),
];

/// A life of the world.
#[derive(Debug)]
struct History {
    world: World,
    choices: Entropy,
    weights: Vec<u64>,
    longest_window: Duration,
    /// All rules there are in this life; some are not told at times.
    all: Vec<Told>,
    all_checks: Vec<ToldCheck>,
    /// Steps until the agent is started again, and how long that takes.
    down: Option<(u64, Duration)>,
    spice: [u64; 2],
}

/// What became of a life.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) failure: Option<Failure>,
    pub(crate) lived: Duration,
    pub(crate) story: Vec<String>,
    pub(crate) n_lines: usize,
    pub(crate) n_messages: usize,
}

/// Lives through the history of a seed, cut after `size` choices.
pub(crate) fn live(seed: u64, size: u64, listens: bool) -> Ending {
    let mut history = History::draw(seed, size, listens);
    history.world.start();
    history.chaos();
    if history.world.oracle.failure.is_none() {
        history.peace();
    }
    if history.world.oracle.failure.is_none() {
        history.reckoning();
    }
    let world = history.world;
    Ending {
        failure: world.oracle.failure,
        lived: world.clock.now().since(Instant::default()),
        n_lines: world.oracle.lines.len(),
        n_messages: world.messages.len(),
        story: world.story.unwrap_or_default(),
    }
}

impl History {
    /// Draws the makings of a world.
    fn draw(seed: u64, size: u64, listens: bool) -> Self {
        let mut chance = Entropy::endless(seed ^ 0xD1CE);
        let is_polled = chance.percent(8);
        let longest_window = match is_polled {
            true => Duration::from_secs(40),
            false => chance.duration(Duration::from_secs(20), Duration::from_secs(3600)),
        };
        let mut all = told::draw(&mut chance, longest_window);
        // Drawn apart, so that worlds of lines stay as they were.
        let dialect = match Entropy::endless(seed ^ 0x5EC0).below(8) {
            0 => Dialect::Json,
            1 | 2 => Dialect::Stacks,
            _ => Dialect::Lines,
        };
        for told in &mut all {
            told.dialect = dialect;
        }
        let noticing = match is_polled {
            true => Noticing::Polled,
            false => Noticing::Hinted,
        };
        let mut world = World::new(seed, all.clone(), noticing);
        world.story = listens.then(Vec::new);
        world.makings.tells_stale = chance.percent(15);
        world.files.tells_birth = chance.percent(60);
        world.files.reuses_numbers = chance.percent(70);
        world.habits.hints = match chance.below(3) {
            0 => [1, 0, 0, 0, 0],
            _ => [8, 1, 1, chance.below(6), chance.below(3)],
        };
        world.habits.lateness = match chance.below(4) {
            0 => Duration::from_secs(4),
            1 => Duration::from_millis(50),
            _ => Duration::ZERO,
        };
        world.habits.slowness = match chance.below(8) {
            0 => Duration::from_secs(2),
            1 | 2 => Duration::from_millis(100),
            _ => Duration::from_millis(3),
        };
        world.habits.shared_space = chance.percent(20);
        world.habits.stands_in = chance.percent(30);
        world.habits.loads_every_commit = chance.percent(8);
        // Drawn apart, so that other worlds stay as they were. A record of several lines
        // may come in parts there: its file is taken for rotated.
        let is_of_lines = dialect != Dialect::Stacks;
        world.makings.overlooks = is_of_lines && Entropy::endless(seed ^ 0x0E71).percent(10);
        // Those that were noted go on as they went.
        let is_noted = crate::simulation::SEEDS_NOTED.contains(&seed);
        world.makings.reads_then = !is_noted && Entropy::endless(seed ^ 0x7E4D).percent(70);
        world.makings.tells_since = !is_noted && Entropy::endless(seed ^ 0x51CE).percent(70);
        if !is_noted {
            let mut apart = Entropy::endless(seed ^ 0x7425);
            world.makings.means.turns_max = apart.one_of(&[1, 2, 4, 4, 8]);
        }
        world.habits.copies_over = Entropy::endless(seed ^ 0xC09E).percent(25);
        world.chat.tells_wait = chance.percent(50);
        world.chat.n_strangers = chance.one_of(&[0, 0, 5, 30]);
        // Drawn apart, so that worlds without commands stay as they were.
        let mut all_checks = commands::draw(&mut Entropy::endless(seed ^ 0xC4EC));
        if world.habits.stands_in {
            // There the same may be read in two spaces, and what people believe of a
            // check could not be told.
            all_checks.clear();
        }
        world.commands.told = all_checks.clone();
        let weights = (STEPS.iter())
            .map(|(step, weight)| match step {
                Step::Truth if all_checks.is_empty() => 0,
                Step::Wait | Step::Write => *weight,
                _ => weight * chance.one_of(&[0, 1, 1, 3]),
            })
            .collect();
        let spice = [chance.one_of(&[0, 0, 0, 1]), chance.one_of(&[0, 0, 2])];
        let mut history = Self {
            world,
            choices: Entropy::finite(seed, size),
            weights,
            longest_window,
            all,
            all_checks,
            down: None,
            spice,
        };
        for name in ["app.log", "db.log"] {
            history.new_log(&mut chance, name);
            for _ in 0..chance.below(4) {
                let draft = history.draft(&mut chance);
                let log = history.world.logs.len() - 1;
                let line = history.world.write(log, &draft);
                history.age(line);
            }
        }
        history
    }

    /// What was there before the agent ever ran counts only for the rules that
    /// want it.
    fn age(&mut self, line: super::files::LineId) {
        for mark in &mut self.world.oracle.lines[line.0].marks {
            let told = self.all.get(mark.rule);
            if told.is_none_or(|told| told.from == logcrier::rules::From::End) {
                (mark.least, mark.most) = (0, 0);
            }
        }
    }

    fn new_log(&mut self, chance: &mut Entropy, name: &str) {
        let style = chance.one_of(&[
            Style::Numbered,
            Style::Numbered,
            Style::InPattern,
            Style::Linked,
        ]);
        self.world.new_log(name, style);
    }

    fn draft(&self, chance: &mut Entropy) -> Draft {
        let mut marks = Vec::new();
        for (idx, _) in RULES.iter().enumerate().take(self.all.len()) {
            if chance.percent(60) {
                marks.push((idx, chance.below(3)));
            }
        }
        let filler = match chance.below(60) {
            0 => 20_000,
            1 => 300_000 * chance.below(2),
            2..=10 => 1_000,
            _ => 20 + chance.below(120),
        };
        let [poison, bitter] = self.spice;
        let spice = match chance.below(100) {
            n if n < poison => POISON,
            n if n < poison + bitter => BITTER,
            _ => "",
        };
        Draft {
            marks,
            filler: usize::try_from(filler).expect("a small number"),
            spice,
            percent_now: 100,
        }
    }

    /// Draws a line; one choice, however much there is to it.
    fn next_draft(&mut self) -> Draft {
        let mut chance = self.choices.fork();
        self.draft(&mut chance)
    }

    fn chaos(&mut self) {
        while !self.choices.is_spent() && self.world.oracle.failure.is_none() {
            let (step, _) = STEPS[self.choices.weighted(&self.weights)];
            self.step(step);
            self.world.doubt_times();
            if let Some((n_steps, downtime)) = self.down {
                match n_steps {
                    0 => self.rise(downtime),
                    n => self.down = Some((n - 1, downtime)),
                }
            } else if self.world.agent.is_none() {
                self.down = Some((self.choices.below(6), self.downtime()));
            }
        }
    }

    fn downtime(&mut self) -> Duration {
        match self.choices.below(8) {
            0..=3 => Duration::from_millis(10),
            4 | 5 => Duration::from_secs(4),
            6 => Duration::from_secs(1200),
            _ => Duration::from_secs(7 * 86_400),
        }
    }

    /// The agent is started again.
    fn rise(&mut self, downtime: Duration) {
        self.down = None;
        self.world.advance(downtime);
        if self.choices.percent(15) {
            self.reload();
        }
        self.world.start();
    }

    fn step(&mut self, step: Step) {
        let log = self.choices.index(self.world.logs.len());
        let now = self.world.clock.now();
        match step {
            Step::Wait => {}
            Step::WaitLong => {
                let least = Duration::from_secs(60);
                let most = (self.longest_window * 2).max(least * 10);
                let wait = self.choices.duration(least, most);
                self.world.advance(wait);
            }
            Step::Write => {
                let draft = self.next_draft();
                self.world.write(log, &draft);
                self.not_ready();
            }
            Step::Burst => {
                for _ in 0..self.choices.below(40) {
                    let draft = self.next_draft();
                    self.world.write(log, &draft);
                    self.not_ready();
                }
            }
            Step::Storm => {
                let mut choices = self.choices.fork();
                let n_values = 1 + choices.below(90);
                for _ in 0..40 + choices.below(160) {
                    let mut draft = self.draft(&mut choices);
                    draft.filler = draft.filler.min(100);
                    for (_, k) in &mut draft.marks {
                        *k = choices.below(n_values);
                    }
                    self.world.write(log, &draft);
                    self.not_ready();
                }
            }
            Step::Tear => {
                let percent_now = self.choices.below(100);
                let draft = Draft {
                    percent_now,
                    ..self.next_draft()
                };
                self.world.write(log, &draft);
                self.not_ready();
            }
            Step::Finish => self.world.finish(log),
            Step::Reopen => self.world.reopen(log),
            Step::Rotate => {
                self.world.rotate(log);
                if self.choices.percent(60) {
                    self.world.reopen(log);
                }
            }
            Step::CopyTruncate => match self.world.logs[log].style {
                Style::Numbered => self.world.copy_and_truncate(log),
                Style::InPattern | Style::Linked => {}
            },
            Step::Empty => self.world.truncate(log, 0),
            Step::Regrow => {
                self.world.truncate(log, 0);
                for _ in 0..1 + self.choices.below(30) {
                    let draft = self.next_draft();
                    self.world.write(log, &draft);
                    self.not_ready();
                }
            }
            Step::Recreate => self.world.recreate(log),
            Step::Save => self.world.save(log),
            Step::CutBack => {
                let len = self.world.log_len(log);
                let cut = self.choices.below(len.min(500));
                self.world.truncate(log, len - cut);
            }
            Step::NewLog => {
                if self.world.logs.len() < LOGS_MAX {
                    let mut choices = self.choices.fork();
                    self.new_log(&mut choices, "new.log");
                }
            }
            Step::Trouble => self.trouble(log),
            Step::Untrouble => self.untrouble(),
            Step::Weather => {
                let weather = self.choices.one_of(&Weather::BAD);
                let longest = Duration::from_secs(3600);
                let until = now.after(self.choices.duration(Duration::from_secs(1), longest));
                let name = self.choices.one_of(&["ops", "dev"]);
                self.world
                    .note(format_args!("{name} is {weather:?} until {until}"));
                self.set_weather(name, weather, until);
            }
            Step::Mood => {
                let mood = self.choices.one_of(&[Mood::Slow, Mood::Full, Mood::Flaky]);
                let longest = Duration::from_secs(600);
                let until = now.after(self.choices.duration(Duration::from_secs(1), longest));
                self.world
                    .note(format_args!("the disk is {mood:?} until {until}"));
                self.world.disk.set(mood, until);
                self.world.disturb(until.after(Duration::from_secs(60)));
            }
            Step::Kill => match self.choices.below(3) {
                0 => self.world.kill(),
                _ => {
                    let n = 1 + self.choices.below(12);
                    if let Some(agent) = &mut self.world.agent {
                        agent.n_actions_left = Some(n);
                    }
                }
            },
            Step::Stop => self.stop(),
            Step::Reload => self.reload(),
            Step::Jump => {
                let seconds = self
                    .choices
                    .duration(Duration::from_secs(1), Duration::from_secs(90_000));
                let micros = i64::try_from(seconds.as_micros()).expect("a day or so");
                let by = self.choices.one_of(&[micros, -micros]);
                self.world
                    .note(format_args!("the wall clock jumps by {by} µs"));
                self.world.clock.jump(by);
                self.world.oracle.forget_windows(now);
            }
            Step::Truth => {
                let told = self.choices.index(self.all_checks.len());
                let key = self.all_checks[told].key;
                let truth = self.choices.one_of(&[
                    Truth::Fine,
                    Truth::Critical,
                    Truth::Fine,
                    Truth::Warning,
                    Truth::Critical,
                    Truth::Unknown,
                    Truth::Hangs,
                    Truth::Stuck,
                    Truth::Missing,
                ]);
                self.world.note(format_args!("{key} is {truth:?}"));
                self.world.commands.truth.insert(key, truth);
            }
            Step::Suspend => {
                let length = self
                    .choices
                    .duration(Duration::from_secs(1), Duration::from_secs(90_000));
                self.world
                    .note(format_args!("the machine sleeps for {length:?}"));
                let wakes = now.after(length);
                self.world.clock.go_on(wakes);
                self.world.disturb(wakes);
                if let Some(agent) = &mut self.world.agent {
                    agent.stop_asked = agent.stop_asked.map(|_| wakes);
                }
            }
        }
        let pause = match self.choices.below(3) {
            0 => Duration::ZERO,
            1 => self
                .choices
                .duration(Duration::from_micros(10), Duration::from_millis(200)),
            _ => self
                .choices
                .duration(Duration::from_millis(100), Duration::from_secs(40)),
        };
        self.world.advance(pause);
    }

    /// What was written before the agent was ever ready may count or not.
    fn not_ready(&mut self) {
        if !self.world.was_ready() {
            let line = super::files::LineId(self.world.oracle.lines.len() - 1);
            self.world.oracle.excuse(line);
        }
    }

    fn trouble(&mut self, log: usize) {
        let trouble = match self.choices.below(3) {
            0 => {
                self.world.note(format_args!("/logs cannot be listed"));
                self.world.files.unlistable.insert("/logs".into());
                self.world.disturb(Instant(u64::MAX));
                return;
            }
            1 => Trouble::Forbidden,
            _ => Trouble::Broken,
        };
        let path = self.world.logs[log].path.clone();
        if let Some((node, _)) = self.world.files.resolve(&path) {
            self.world
                .note(format_args!("{} is {trouble:?}", path.display()));
            self.world.files.node_mut(node).trouble = Some(trouble);
        }
        self.world.disturb(Instant(u64::MAX));
    }

    fn untrouble(&mut self) {
        self.world.note(format_args!("files can be read"));
        self.world.files.unlistable.clear();
        for node in self.world.files.nodes() {
            self.world.files.node_mut(node).trouble = None;
        }
        self.world.calm();
    }

    fn set_weather(&mut self, name: &str, weather: Weather, until: Instant) {
        let key = match self.world.habits.shared_space {
            true => "spaces/one",
            false => name,
        };
        self.world.chat.set(&PacerKey(key.into()), weather, until);
    }

    fn stop(&mut self) {
        let now = self.world.clock.now();
        if let Some(agent) = &mut self.world.agent
            && agent.stop_asked.is_none()
        {
            agent.stop_asked = Some(now);
            self.world.tell(Input::Stop);
        }
    }

    /// Draws other rules; the first one always stays.
    fn reload(&mut self) {
        let mut told = Vec::new();
        for (idx, rule) in self.all.iter_mut().enumerate() {
            match self.choices.below(4) {
                0 => {
                    rule.debounce = told::draw_debounce(&mut self.choices, self.longest_window);
                }
                1 => rule.severity = self.choices.one_of(&Severity::ALL),
                2 if idx > 0 => continue,
                _ => {}
            }
            told.push(rule.clone());
        }
        let keys: Vec<&str> = told.iter().map(|told| told.key).collect();
        self.world.note(format_args!("the rules are now {keys:?}"));
        let mut checks = self.all_checks.clone();
        checks.retain(|_| !self.choices.percent(15));
        self.world.tell_checks(checks);
        self.world.reload(told);
    }

    /// The world is healed, and must come to rest.
    fn peace(&mut self) {
        self.untrouble();
        let world = &mut self.world;
        world.note(format_args!("peace"));
        world.chat.heal();
        world.commands.truth.clear();
        world.disk.set(Mood::Fine, Instant::default());
        world.habits.lateness = Duration::ZERO;
        world.habits.slowness = Duration::from_millis(3);
        world.habits.hints = [1, 0, 0, 0, 0];
        world.makings.tells_stale = false;
        world.makings.overlooks = false;
        for log in 0..world.logs.len() {
            world.reopen(log);
            world.finish(log);
        }
        if let Some(agent) = &mut world.agent {
            agent.n_actions_left = None;
            if agent.stop_asked.is_some() {
                world.advance(super::STOPPING_MAX);
            }
        }
        if self.world.agent.is_none() {
            self.world.advance(Duration::from_secs(2));
            self.world.start();
        }
        self.world.advance(Duration::from_secs(75));
        self.rest();
    }

    /// Lets time pass until all is said.
    fn rest(&mut self) {
        let began = self.world.clock.now();
        let mut all_said = began;
        while !self.world.is_at_rest() && self.world.oracle.failure.is_none() {
            self.world.advance(Duration::from_secs(20));
            let now = self.world.clock.now();
            if self.world.is_all_said() {
                all_said = now;
            }
            if now.since(all_said.max(self.world.requested)) > SILENCE_MAX && all_said < now {
                let how = format!("no request for {SILENCE_MAX:?} though messages wait");
                self.world.oracle.fail("recovers", how);
            }
            if now.since(began) > PEACE_MAX {
                let how = format!("not at rest after {PEACE_MAX:?} of peace");
                self.world.oracle.fail("recovers", how);
            }
        }
    }

    fn reckoning(&mut self) {
        // A line is heard of at once, now that nothing is in the way, and the last
        // request was longer ago than any wait, even one stretched by a clock set back.
        self.world.advance(Duration::from_secs(310));
        let log = self.choices.index(self.world.logs.len());
        let n_before = self.world.messages.len();
        let draft = Draft {
            marks: vec![(0, 9)],
            filler: 40,
            spice: "",
            percent_now: 100,
        };
        let written = self.world.clock.now();
        self.world.write(log, &draft);
        self.world.advance(FIRST_WORD_MAX);
        // A record that was taken unfinished ends with this line, and a rule that came since
        // has it now: where the space refuses that, this one waits for its pace.
        let is_in_the_way = self.world.requested > written;
        let is_doubted = is_in_the_way || !self.world.oracle.troubles().is_empty();
        if self.world.messages.len() == n_before && !is_doubted {
            let how = format!("a line was not heard of within {FIRST_WORD_MAX:?}");
            self.world.oracle.fail("first word at once", how);
        }
        self.rest();
        let messages = self.world.disk.image.messages.values();
        let given_up: BTreeSet<String> = messages
            .filter(|message| self.world.is_given_up(message))
            .map(|message| refusing(&self.world.real_space(&message.space)))
            .collect();
        // Where another space stands in, only a message for one that was in trouble
        // tells that it is well.
        let stood_in_for = |what: &str| self.world.habits.stands_in && what.contains("space ");
        let troubles: Vec<&String> = (self.world.oracle.troubles().difference(&given_up))
            .filter(|what| !stood_in_for(what))
            .collect();
        if !troubles.is_empty() {
            let how = format!("still said to be in trouble: {troubles:?}");
            self.world.oracle.fail("honest", how);
        }
        let parked = self.world.parked();
        let names = self.world.names(&self.all);
        self.world.oracle.weigh(&names, &parked);
        self.world.weigh_checks(&self.all_checks);
    }
}

impl World {
    /// Whether all is read and said, and no window is open.
    pub(crate) fn is_at_rest(&self) -> bool {
        let agent = self.agent.as_ref();
        agent.is_some_and(|agent| agent.engine.instances().n_open() == 0)
            && self.are_checks_at_rest()
            && self.is_all_said()
    }

    /// Whether no message waits.
    fn is_all_said(&self) -> bool {
        let Some(agent) = &self.agent else {
            return false;
        };
        let messages = self.disk.image.messages.values();
        let n_parked = messages
            .filter(|message| match &message.state {
                MessageState::Parked { .. } => true,
                MessageState::Frozen { .. } => self.is_given_up(message),
                MessageState::Waiting => false,
            })
            .count();
        agent.engine.outbox().n_messages() == n_parked
    }

    /// Whether a message is bad, and its space refuses all since several were:
    /// until there is a good one nobody can tell that the space is well.
    pub(crate) fn is_given_up(&self, message: &MessageRecord) -> bool {
        let space = self.real_space(&message.space);
        let is_bad = match &message.state {
            MessageState::Frozen { body, .. } => body.contains(POISON),
            MessageState::Waiting | MessageState::Parked { .. } => false,
        };
        is_bad && self.oracle.troubles().contains(&refusing(&space))
    }
}
