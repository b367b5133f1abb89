//! Histories that are written down: one line for each thing that happens.
//!
//! ```text
//! 00:05 write alpha:k1        a line that is an event of the rule `alpha`
//! 00:05 write alpha:k1 x3     three of them
//! 00:05 storm alpha 40        one of each of forty values
//! ```
//!
//! A log named [`STDIN`](logcrier::rules::STDIN) is what comes by standard input.

use std::path::Path;
use std::time::Duration;

use logcrier::engine::Input;
use logcrier::engine::correlate::silences::Wish;
use logcrier::engine::schedule::Noticing;
use logcrier::engine::stdin::{News, Reach};
use logcrier::rules::{PacerKey, RuleKey, STDIN, Severity};

use super::World;
use super::chat::{BITTER, POISON, Weather};
use super::clock::Instant;
use super::commands::SILENCED;
use super::disk::Mood;
use super::files::Trouble;
use super::told::{RULES, Told, window};
use super::writers::{Draft, Style};

/// Lives through `script` with one rule, `alpha`, and compares what was read.
pub(crate) fn check(told: Told, script: &str, expected: &str) {
    check_all(vec![told], script, expected);
}

pub(crate) fn check_all(told: Vec<Told>, script: &str, expected: &str) {
    weigh(live(&told, script, expected), &told);
}

/// Lives through `script` with one rule: all of so many lines are counted, each once,
/// whatever is said of them when.
pub(crate) fn check_counted(told: Told, n_lines: u64, script: &str) {
    let told = [told];
    let world = play(&told, script);
    let counted: u64 = world.messages.iter().map(|(_, said, _)| said.count).sum();
    let story = || world.story.clone().unwrap_or_default().join("\n");
    assert_eq!(counted, n_lines, "{}", story());
    weigh(world, &told);
}

fn weigh(mut world: World, told: &[Told]) {
    let parked = world.parked();
    let names = world.names(told);
    world.oracle.weigh(&names, &parked);
    let story = || world.story.clone().unwrap_or_default().join("\n");
    assert_eq!(world.oracle.failure, None, "{}", story());
}

/// As [`check_all`], for rules of which not every hit is an event.
pub(crate) fn check_said(told: Vec<Told>, script: &str, expected: &str) {
    let world = live(&told, script, expected);
    let story = || world.story.clone().unwrap_or_default().join("\n");
    assert_eq!(world.oracle.failure, None, "{}", story());
}

fn live(told: &[Told], script: &str, expected: &str) -> World {
    let world = play(told, script);
    let said: Vec<String> = (world.messages.iter())
        .map(|(at, said, space)| {
            let secs = at.0 / 1_000_000_000;
            let space = if space == "ops" { "" } else { " in dev" };
            let at = match secs / 3600 {
                0 => format!("{:02}:{:02}", secs / 60, secs % 60),
                hours => format!("{hours}:{:02}:{:02}", secs % 3600 / 60, secs % 60),
            };
            let said = format!("{} {} {} {}", said.rule, said.k, said.why, said.count);
            format!("{at} {said}{space}")
        })
        .collect();
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    let expected: Vec<&str> = expected
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect();
    let story = || world.story.clone().unwrap_or_default().join("\n");
    assert_eq!(said, expected, "{}", story());
    world
}

/// Lives through `script`, and eight hours at least.
pub(crate) fn play(told: &[Told], script: &str) -> World {
    let mut world = World::new(7, told.to_vec(), Noticing::Hinted);
    world.story = Some(Vec::new());
    world.habits.loads_every_commit = true;
    let mut end = Duration::ZERO;
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let (at, what) = line.split_once(' ').expect("a time and what happens");
        let at = time(at);
        world.advance(at.saturating_sub(world.clock.now().since(Instant::default())));
        perform(&mut world, told, what.trim());
        end = at;
    }
    world.advance(Duration::from_secs(8 * 3600).saturating_sub(end));
    world
}

/// `05:00`, `1:05:00`, or `05:00.007` for so many milliseconds later.
fn time(text: &str) -> Duration {
    let (text, millis) = text.split_once('.').unwrap_or((text, "0"));
    let number = |part: &str| part.parse::<u64>().expect("a number");
    let secs = text.split(':').fold(0, |sum, part| sum * 60 + number(part));
    Duration::from_millis(secs * 1_000 + number(millis))
}

/// Carries out one line of a script.
fn perform(world: &mut World, told: &[Told], what: &str) {
    let words: Vec<&str> = what.split(' ').collect();
    let forever = Instant(u64::MAX);
    let ops = PacerKey("ops".into());
    match words[..] {
        ["log", name] => drop(world.new_log(name, Style::Numbered)),
        // Other logs, listed before the one that is written to.
        ["crowd", n] => {
            for n in 0..n.parse::<u64>().expect("a number") {
                world.make(&Path::new("/logs").join(format!("a{n}.log")));
            }
        }
        ["link", name] => drop(world.new_log(name, Style::Linked)),
        ["start"] => world.start(),
        ["kill"] => world.kill(),
        ["stop"] => {
            let now = world.clock.now();
            if let Some(agent) = &mut world.agent {
                agent.stop_asked = Some(now);
            }
            world.tell(Input::Stop);
        }
        ["kill-before-action", n] => {
            let agent = world.agent.as_mut().expect("it runs");
            agent.n_actions_left = Some(n.parse().expect("a number"));
        }
        ["old", mark] => {
            let line = write(world, mark, 40, 100);
            for mark in &mut world.oracle.lines[line].marks {
                (mark.least, mark.most) = (0, 0);
            }
        }
        ["write", mark] => drop(write(world, mark, 40, 100)),
        ["poison", mark] => drop(write_spiced(world, mark, POISON)),
        ["bitter", mark] => drop(write_spiced(world, mark, BITTER)),
        ["long", mark, n] => drop(write(world, mark, n.parse().expect("a number"), 100)),
        ["write", mark, times] => {
            for _ in 0..times.trim_start_matches('x').parse().expect("a number") {
                write(world, mark, 40, 100);
            }
        }
        ["storm", rule, n] => {
            for k in 1..=n.parse::<u64>().expect("a number") {
                write(world, &format!("{rule}:k{k}"), 40, 100);
            }
        }
        ["dev-stands-in"] => world.habits.stands_in = true,
        ["slow-disk"] => world.disk.set(Mood::Slow, forever),
        // A line that ends what another began, of one value or of all.
        ["good", mark] => {
            let (rule, k) = mark.split_once(":k").unwrap_or((mark, ""));
            let spice = match k {
                "" => format!("{rule}-ok:"),
                k => format!("{rule}-ok:k{k};"),
            };
            write_good(world, spice.leak());
        }
        ["silence", rule, secs] => {
            let wish = Wish::Add {
                rule: RuleKey::new(rule),
                by: Default::default(),
                length: Duration::from_secs(secs.parse().expect("a number")),
                reason: "a test".into(),
                who: "nobody".into(),
            };
            world.tell(Input::Silence {
                ticket: SILENCED,
                wish,
            });
        }
        ["speak", rule] => {
            let wish = Wish::EndOf(RuleKey::new(rule));
            world.tell(Input::Silence {
                ticket: SILENCED,
                wish,
            });
        }
        // The other end of standard input is closed: nobody else tells it to stop.
        ["close"] => {
            let end = stdin_end(world);
            if let Some(agent) = &mut world.agent {
                agent.may_end = true;
            }
            world.tell(Input::Stdin(News::Ended(end)));
        }
        // The same for an agent that has more to watch.
        ["ended"] => {
            let end = stdin_end(world);
            world.tell(Input::Stdin(News::Ended(end)));
        }
        ["tear", mark] => drop(write(world, mark, 40, 60)),
        ["finish"] => world.finish(0),
        ["rotate"] => world.rotate(0),
        ["reopen"] => world.reopen(0),
        ["truncate"] => world.truncate(0, 0),
        ["copies", "over"] => world.habits.copies_over = true,
        ["copytruncate"] => world.copy_and_truncate(0),
        ["recreate"] => world.recreate(0),
        ["recreate", times] => {
            for _ in 0..times.trim_start_matches('x').parse().expect("a number") {
                world.recreate(0);
            }
        }
        ["numbers", "reused"] => world.files.reuses_numbers = true,
        ["births", "told"] => world.files.tells_birth = true,
        ["sizes", "stale"] => world.makings.tells_stale = true,
        ["sizes", "true"] => world.makings.tells_stale = false,
        ["remount"] => world.files.n_mounts += 1,
        ["cut", n] => {
            let n: u64 = n.parse().expect("a number");
            let len = world.log_len(0);
            world.truncate(0, len - n);
        }
        ["mv", from, to] => {
            let directory = Path::new("/logs");
            world
                .files
                .rename(&directory.join(from), &directory.join(to));
        }
        ["pack", n] => world.pack(0, n.parse().expect("a number")),
        ["remove", name] => {
            world.files.unlink(&Path::new("/logs").join(name));
        }
        ["save"] => world.save(0),
        ["hardlink", name] => {
            let path = Path::new("/logs").join(name);
            let node = world.files.resolve(&world.logs[0].path.clone());
            let (node, _) = node.expect("the log is there");
            world.files.hard_link(node, &path);
        }
        ["space", weather] => world.chat.set(&ops, weather_of(weather), forever),
        ["dev", weather] => {
            let dev = PacerKey("dev".into());
            world.chat.set(&dev, weather_of(weather), forever);
        }
        ["directory", "hidden"] => drop(world.files.unlistable.insert("/logs".into())),
        ["directory", "endless"] => drop(world.files.cut_off.insert("/logs".into())),
        ["directory", "small"] => world.files.cut_off.clear(),
        ["directory", "shown"] => world.files.unlistable.clear(),
        ["disk", "full"] => world.disk.set(Mood::Full, forever),
        ["disk", "fine"] => world.disk.set(Mood::Fine, forever),
        ["file", "forbidden"] => set_trouble(world, Some(Trouble::Forbidden)),
        ["file", "readable"] => set_trouble(world, None),
        ["hints", "lost"] => world.habits.hints = [0, 0, 0, 1, 0],
        ["clock", "back"] => world.clock.jump(-86_400_000_000),
        ["clock", "forth"] => world.clock.jump(86_400_000_000),
        // The machine sleeps: nothing happens until it wakes up.
        ["sleep", secs] => {
            let secs = Duration::from_secs(secs.parse().expect("a number"));
            let wakes = world.clock.now().after(secs);
            world.clock.go_on(wakes);
            world.disturb(wakes);
        }
        ["rules", keys] => {
            let keys: Vec<&str> = keys.split(',').collect();
            let mut told = told.to_vec();
            told.retain(|told| keys.contains(&told.key));
            world.reload(told);
        }
        ["wants", what, secs] => {
            let mut told = told.to_vec();
            let secs: u64 = secs.parse().expect("a number");
            let wanted = &mut told[0].wanted;
            match what {
                "match" => wanted.leaves_out = true,
                "quiet" => wanted.quiet = Some(secs),
                "absent" => wanted.absent = Some(secs),
                "debounce" => {
                    told[0].debounce = window(Duration::from_secs(secs), Duration::from_secs(secs));
                }
                _ => panic!("what is {what:?}?"),
            }
            world.reload(told);
        }
        ["worse"] => {
            let mut told = told.to_vec();
            told[0].severity = Severity::Critical;
            world.reload(told);
        }
        _ => panic!("what is {what:?}?"),
    }
}

/// Where standard input ends by now: the log that was made last, as the agent knows it.
fn stdin_end(world: &World) -> Reach {
    let agent = world.agent.as_ref().expect("it runs");
    let stream = agent.engine.schedule().named(Path::new(STDIN)).next();
    Reach {
        copy: stream.expect("it is followed").place(),
        upto: world.log_len(world.logs.len() - 1),
    }
}

fn write(world: &mut World, mark: &str, filler: usize, percent_now: u64) -> usize {
    let (rule, k) = mark.split_once(":k").expect("a rule and a value");
    let rule = RULES
        .iter()
        .position(|known| *known == rule)
        .expect("a rule");
    let log = world.logs.len() - 1;
    let draft = Draft {
        marks: vec![(rule, k.parse().expect("a number"))],
        filler,
        spice: "",
        percent_now,
    };
    world.write(log, &draft).0
}

/// Writes a line of which no message is taken.
fn write_spiced(world: &mut World, mark: &str, spice: &'static str) -> usize {
    let (rule, k) = mark.split_once(":k").expect("a rule and a value");
    let rule = RULES.iter().position(|known| *known == rule);
    let draft = Draft {
        marks: vec![(rule.expect("a rule"), k.parse().expect("a number"))],
        filler: 40,
        spice,
        percent_now: 100,
    };
    world.write(world.logs.len() - 1, &draft).0
}

/// Writes a line that is no event of any rule.
fn write_good(world: &mut World, spice: &'static str) {
    let draft = Draft {
        marks: Vec::new(),
        filler: 40,
        spice,
        percent_now: 100,
    };
    world.write(world.logs.len() - 1, &draft);
}

fn weather_of(word: &str) -> Weather {
    match word {
        "fair" => Weather::Fair,
        "crowded" => Weather::Crowded,
        "unreachable" => Weather::Unreachable,
        "mute" => Weather::Mute,
        "gone" => Weather::Gone,
        _ => panic!("what is {word:?}?"),
    }
}

fn set_trouble(world: &mut World, trouble: Option<Trouble>) {
    let path = world.logs[0].path.clone();
    let (node, _) = world.files.resolve(&path).expect("the log is there");
    world.files.node_mut(node).trouble = trouble;
}
