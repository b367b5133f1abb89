//! Drawn histories, held against a definition that goes through the lines one by one.
//!
//! All that happens stands on a grid of ten seconds, and all durations end in the
//! middle between two of its lines, so hardly anything depends on who is a little late.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::support::wished;
use crate::world::script::play;
use crate::world::told::{Said, Told, Wanted, window};

/// Histories that are drawn, unless `HISTORIES=…` wishes for more.
const HISTORIES: u64 = 120;

/// What happens, and when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Bad,
    Good,
}

/// A line of one value: when it is read, since when the agent was down then, and what
/// it is.
type Read = (u64, u64, Line);

/// A rule and its times, in seconds.
#[derive(Debug, Clone, Copy)]
struct Rule {
    threshold: Option<(u32, u64)>,
    resolve: Option<u64>,
    quiet: Option<u64>,
    every: u64,
    max: u64,
}

/// What must come of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    n_events: u64,
    n_resolved: u64,
    is_flapping: bool,
    /// Whether two things are due at once, so that nobody knows which comes first.
    is_tied: bool,
}

/// An open incident, as the definition has it.
#[derive(Debug, Clone, Copy)]
struct Open {
    window: Option<(u64, u64)>,
    in_window: u64,
    last: u64,
    good: Option<u64>,
    said_at: Option<u64>,
    is_said: bool,
}

/// The definition for one value.
struct Model<'a> {
    rule: Rule,
    silences: &'a [(u64, u64)],
    downs: &'a [(u64, u64)],
    ring: Vec<u64>,
    open: Option<Open>,
    held: u64,
    /// Since when something is held.
    held_since: u64,
    changes: Vec<u64>,
    expected: Expected,
}

impl Model<'_> {
    fn is_muted(&self, at: u64) -> bool {
        self.silences
            .iter()
            .any(|(from, upto)| (*from..*upto).contains(&at))
    }

    /// When what is due at a time is done: while nobody is there, once somebody is.
    fn served(&self, at: u64) -> u64 {
        let down = self
            .downs
            .iter()
            .find(|(from, upto)| (*from..*upto).contains(&at));
        down.map_or(at, |(_, upto)| *upto)
    }

    fn has_end(&self) -> bool {
        self.rule.resolve.is_some() || self.rule.quiet.is_some()
    }

    /// Everything that is due by then; what waits for all to be read, by `judged`.
    fn pass(&mut self, until: u64, judged: u64) {
        loop {
            let Some(open) = self.open else {
                let mut ends = self.silences.iter().map(|(_, upto)| *upto);
                if ends.any(|upto| upto > self.held_since && upto <= until) {
                    self.held = 0;
                }
                return;
            };
            let good = (open.good).map(|good| good + self.rule.resolve.unwrap_or(0));
            let quiet = self.rule.quiet.map(|quiet| open.last + quiet);
            let over = [good, quiet]
                .into_iter()
                .flatten()
                .filter(|at| *at <= judged);
            let window = open.window.map(|(ends, _)| ends).filter(|at| *at <= until);
            let silence = (self.silences.iter().map(|(_, upto)| *upto))
                .filter(|upto| self.held > 0 && *upto > self.held_since && *upto <= until)
                .min();
            let over = over.min();
            let first = [over, window, silence].into_iter().flatten().min();
            let all = [over, window, silence];
            let n_first = all.iter().filter(|at| **at == first).count();
            let is_tied = first.is_some() && n_first > 1 || first == Some(judged);
            self.expected.is_tied |= is_tied;
            match first {
                None => return,
                Some(at) if Some(at) == over => self.close(self.served(at)),
                Some(at) if Some(at) == silence => {
                    self.held = 0;
                    self.change(|open, rule| {
                        open.window = Some((at + rule.every, rule.every));
                        open.in_window = 0;
                        open.said_at = Some(at);
                        open.is_said = true;
                    });
                }
                Some(at) => self.end_window(self.served(at)),
            }
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Open, Rule)) {
        let rule = self.rule;
        if let Some(open) = &mut self.open {
            change(open, rule);
        }
    }

    fn end_window(&mut self, at: u64) {
        let (is_muted, has_end) = (self.is_muted(at), self.has_end());
        let Some(open) = &mut self.open else {
            return;
        };
        let in_window = open.in_window;
        let length = open.window.map_or(0, |(_, length)| length);
        let next = match is_muted {
            true => self.rule.every,
            false => (length * 2).min(self.rule.max),
        };
        match open.in_window {
            0 if has_end => open.window = None,
            0 => self.open = None,
            _ => {
                open.window = Some((at + next, next));
                open.said_at = (!is_muted).then_some(at);
            }
        }
        self.change(|open, _| open.in_window = 0);
        // What waited for the end of the window waits for the end of the silence.
        self.hold(at, if is_muted { in_window } else { 0 });
    }

    fn hold(&mut self, at: u64, n_events: u64) {
        if self.held == 0 {
            self.held_since = at;
        }
        self.held += n_events;
    }

    fn close(&mut self, at: u64) {
        let Some(open) = self.open.take() else {
            return;
        };
        if open.is_said {
            self.expected.n_resolved += 1;
            self.held = 0;
        }
        self.note_change(at);
    }

    fn note_change(&mut self, at: u64) {
        self.changes.retain(|before| before + 1_800 > at);
        self.changes.push(at);
        self.expected.is_flapping |= self.changes.len() >= 5 && self.has_end();
    }

    fn bad(&mut self, at: u64) {
        let is_muted = self.is_muted(at);
        if let Some(open) = &mut self.open {
            self.expected.n_events += 1;
            open.last = at;
            open.good = None;
            if is_muted || open.said_at != Some(at) {
                open.in_window += 1;
            }
            if open.window.is_none() {
                open.window = Some((at + self.rule.every, self.rule.every));
                open.in_window = 0;
                open.is_said |= !is_muted;
                open.said_at = (!is_muted).then_some(at);
            }
            self.hold(at, u64::from(is_muted));
            return;
        }
        self.ring.push(at);
        let (count, within) = self.rule.threshold.unwrap_or((1, 0));
        let mut times = self.ring.clone();
        times.sort_unstable();
        let few = count as usize;
        if !times
            .windows(few)
            .any(|few| few[few.len() - 1] - few[0] <= within)
        {
            return;
        }
        self.ring.clear();
        self.expected.n_events += u64::from(count);
        self.hold(at, u64::from(is_muted));
        self.note_change(at);
        self.open = Some(Open {
            window: Some((at + self.rule.every, self.rule.every)),
            in_window: 0,
            last: at,
            good: None,
            said_at: (!is_muted).then_some(at),
            is_said: !is_muted,
        });
    }

    fn good(&mut self, at: u64) {
        match (self.rule.resolve, &mut self.open) {
            (Some(0), Some(_)) => self.close(at),
            (Some(_), Some(open)) => drop(open.good.get_or_insert(at)),
            _ => {}
        }
    }
}

fn expected(rule: Rule, history: &History, lines: &[Read]) -> Expected {
    let mut model = Model {
        rule,
        silences: &history.silences,
        downs: &history.downs,
        ring: Vec::new(),
        open: None,
        held: 0,
        held_since: 0,
        changes: Vec::new(),
        expected: Expected::default(),
    };
    for &(at, down_since, line) in lines {
        model.pass(at, down_since);
        match line {
            Line::Bad => model.bad(at),
            Line::Good => model.good(at),
        }
    }
    let end = 1 << 40;
    model.pass(end, end);
    model.expected
}

/// A history: its script, and the lines of each value as they are read.
struct History {
    script: String,
    silences: Vec<(u64, u64)>,
    /// When the agent was killed, and when it was started again.
    downs: Vec<(u64, u64)>,
    lines: BTreeMap<String, Vec<Read>>,
}

fn draw(rng: &mut fastrand::Rng, rule: Rule) -> History {
    let mut script = "00:00 log app.log\n00:00 start\n".to_owned();
    let mut lines: BTreeMap<String, Vec<Read>> = BTreeMap::new();
    let mut pending: Vec<(String, Line)> = Vec::new();
    let mut silences: Vec<(u64, u64)> = Vec::new();
    let mut downs: Vec<(u64, u64)> = Vec::new();
    let mut down_since = None;
    let has_deaths = rng.bool();
    let mut at = 0;
    for _ in 0..rng.usize(10..70) {
        at += rng.choice([10, 10, 10, 20, 60, 310]).unwrap_or(10);
        let clock = |at: u64| format!("{}:{:02}", at / 60, at % 60);
        let is_silent = silences.last().is_some_and(|(_, upto)| *upto > at);
        match (down_since, rng.u32(0..12)) {
            (None, 0) if has_deaths => {
                down_since = Some(at - 3);
                let _ = writeln!(script, "{} kill", clock(at - 3));
            }
            (Some(since), 0..5) => {
                let _ = writeln!(script, "{} start", clock(at - 3));
                for (k, line) in pending.drain(..) {
                    lines.entry(k).or_default().push((at - 3, since, line));
                }
                downs.push((since, at - 3));
                down_since = None;
            }
            (None, 1) if !has_deaths && !is_silent => {
                // It ends when nothing else does.
                let length = 10 * rng.u64(1..60) + 1;
                silences.push((at - 7, at - 7 + length));
                let _ = writeln!(script, "{} silence alpha {length}", clock(at - 7));
            }
            _ => {}
        }
        for k in ["k1", "k2", "k3"] {
            let line = match rng.u32(0..10) {
                0..4 => Line::Bad,
                4 if rule.resolve.is_some() => Line::Good,
                _ => continue,
            };
            let word = match line {
                Line::Bad => "write",
                Line::Good => "good",
            };
            let _ = writeln!(script, "{} {word} alpha:{k}", clock(at));
            match down_since {
                Some(_) => pending.push((k.to_owned(), line)),
                None => lines.entry(k.to_owned()).or_default().push((at, at, line)),
            }
        }
    }
    if let Some(since) = down_since {
        let _ = writeln!(script, "{}:{:02} start", (at + 7) / 60, (at + 7) % 60);
        downs.push((since, at + 7));
        for (k, line) in pending {
            lines.entry(k).or_default().push((at + 7, since, line));
        }
    }
    History {
        script,
        silences,
        downs,
        lines,
    }
}

fn draw_rule(rng: &mut fastrand::Rng) -> Rule {
    let every = 10 * rng.u64(3..40) + 5;
    let (resolve, quiet) = match rng.u32(0..4) {
        0 => (Some(0), None),
        1 => (Some(10 * rng.u64(1..6) + 5), None),
        2 => (None, Some(10 * rng.u64(3..60) + 5)),
        _ => (None, None),
    };
    Rule {
        threshold: rng.bool().then(|| (rng.u32(2..5), 10 * rng.u64(1..12) + 5)),
        resolve,
        quiet,
        every,
        max: every * rng.u64(1..5),
    }
}

/// What holds for all that was said of one value.
fn hold(said: &[(u64, Said)], expected: &Expected, history: &History) -> Result<(), String> {
    if expected.is_tied {
        return Ok(());
    }
    let n_events: u64 = said.iter().map(|(_, said)| said.count).sum();
    if n_events != expected.n_events {
        return Err(format!(
            "{n_events} events told, {} are right",
            expected.n_events
        ));
    }
    let mut is_open = false;
    for (at, said) in said {
        match said.why.as_str() {
            "resolved" if said.count == 0 && !is_open => {
                return Err(format!("{at}: an end without a beginning"));
            }
            "resolved" => is_open = false,
            _ => is_open = true,
        }
        let is_silent = (history.silences.iter()).any(|(from, upto)| from + 5 < *at && at < upto);
        if is_silent && said.why != "resolved" {
            return Err(format!("{at}: {} in silence", said.why));
        }
    }
    let resolved = |(_, said): &&(u64, Said)| said.why == "resolved";
    let n_resolved = said.iter().filter(resolved).count() as u64;
    if n_resolved > expected.n_resolved {
        return Err(format!(
            "{n_resolved} ends, at most {}",
            expected.n_resolved
        ));
    }
    if n_resolved < expected.n_resolved && !expected.is_flapping {
        return Err(format!(
            "{n_resolved} ends, {} are right",
            expected.n_resolved
        ));
    }
    Ok(())
}

#[test]
fn drawn_histories_tell_every_event_once() {
    let (mut n_messages, mut n_resolved) = (0, 0);
    let mut failures: Vec<String> = Vec::new();
    for seed in 0..wished("HISTORIES").unwrap_or(HISTORIES) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let rule = draw_rule(&mut rng);
        let history = draw(&mut rng, rule);
        let told = Told {
            debounce: window(
                Duration::from_secs(rule.every),
                Duration::from_secs(rule.max),
            ),
            wanted: Wanted {
                threshold: rule.threshold,
                resolve: rule.resolve,
                quiet: rule.quiet,
                ..Wanted::default()
            },
            ..Told::new("alpha")
        };
        let world = play(&[told], &history.script);
        assert_eq!(
            world.oracle.failure, None,
            "seed {seed}\n{}",
            history.script
        );
        for (k, lines) in &history.lines {
            let expected = expected(rule, &history, lines);
            let said: Vec<(u64, Said)> = (world.messages.iter())
                .filter(|(_, said, _)| said.k == *k)
                .map(|(at, said, _)| (at.0 / 1_000_000_000, said.clone()))
                .collect();
            if let Err(why) = hold(&said, &expected, &history) {
                let script = &history.script;
                failures.push(format!(
                    "seed {seed} {k}: {why}\n{rule:?} {expected:?}\n{script}\n{said:?}"
                ));
            }
            n_messages += said.len();
            n_resolved += expected.n_resolved;
        }
    }
    failures.sort_by_key(String::len);
    let n_failures = failures.len();
    assert!(n_failures == 0, "{n_failures} failures, {}", failures[0]);
    // They are worth it.
    assert!(
        n_messages > 600 && n_resolved > 150,
        "{n_messages} {n_resolved}"
    );
}
