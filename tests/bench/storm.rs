//! A million events into one space: how long the engine takes, what memory it
//! needs, whether the posts keep the pace, and when a critical line is said.
//!
//! The engine lives in virtual time; only its own work is measured. Lines are made
//! where they are read, so that memory is the engine's alone.
//!
//! `cargo bench --bench storm` goes through storms of one thread for all; of a thread
//! for each of 500 values; of one that posts without debounce; of a million values,
//! which is more than any outbox holds. Then it measures how long a full outbox takes to be
//! taken up.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logcrier::engine::answer::Reply;
use logcrier::engine::commit::{Commit, Image};
use logcrier::engine::identity::{Facts, Place, fingerprint};
use logcrier::engine::message::Surface;
use logcrier::engine::outbox::Post;
use logcrier::engine::scan::{REGION_BYTES_MAX, scan};
use logcrier::engine::schedule::{
    Entry, Found, Listing, Look, Means, Noticing, ReadDone, Sought, Turn,
};
use logcrier::engine::time::{Moment, Now, Wall};
use logcrier::engine::{Action, Config, Engine, Input};
use logcrier::host::clock;
use logcrier::host::store::Store;
use logcrier::rules::RuleSet;
use logcrier::rules::settings::{Purpose, Request, load};

#[path = "../agent/support/paper.rs"]
mod paper;

use paper::Paper;

/// Lines of a storm.
const LINES: u64 = 1_000_000;

/// Bytes of every line.
const LINE_BYTES: u64 = 64;

/// Which line is critical.
const CRITICAL: u64 = LINES / 2;

/// How long the space takes to answer.
const ANSWER: Duration = Duration::from_millis(80);

/// How long a region takes to be written and read: 20,000 lines a second.
const REGION: Duration = Duration::from_millis(200);

/// The rules that say what is told apart, and how.
const STORMS: [(&str, u64, &str); 4] = [
    ("one thread, 500 values", 500, "thread: rule"),
    ("500 threads", 500, "thread: instance"),
    ("one thread without debounce", 500, "debounce: none"),
    (
        "a million values",
        LINES,
        "thread: instance, debounce: none",
    ),
];

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for (name, n_values, how) in STORMS {
        let mut storm = Storm::new(n_values, how);
        storm.rage();
        storm.tell(&mut out, name)?;
    }
    full_outbox(&mut out)
}

fn rules(how: &str) -> Arc<RuleSet> {
    let paper = Paper(format!(
        "spaces: {{ops: {{webhook: 'https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t'}}}}
rules:
  - {{key: storm, files: /log, from: beginning, match: 'value=(?<value>\\d+)', by: value, {how}}}
  - {{key: worst, files: /log, from: beginning, match: 'PANIC', severity: critical}}
"
    ));
    let request = Request {
        config: Some("/logcrier.yaml".into()),
        rules: Vec::new(),
        purpose: Purpose::Agent,
        machine_name: "web-1".into(),
        directory: "/".into(),
    };
    Arc::new(load(&request, &paper).settings.unwrap().rule_set)
}

/// A storm, and what is measured of it.
struct Storm {
    engine: Engine,
    n_values: u64,
    now: Now,
    /// What happens when.
    coming: BTreeMap<(Moment, u64), Input>,
    n_coming: u64,
    /// The engine's own time.
    busy: Duration,
    image: Image,
    n_rows: u64,
    posts: Vec<(Moment, Post)>,
    answered: Vec<Moment>,
    /// When the critical line was read, and when it was said.
    critical: [Option<Moment>; 2],
    n_bytes_most: usize,
    n_messages_most: usize,
}

impl Storm {
    fn new(n_values: u64, how: &str) -> Self {
        let now = Now {
            moment: Moment(0),
            wall: Wall(1_795_000_000_000_000),
        };
        let image = Image::new(7);
        Self {
            engine: Engine::new(config(how), image.clone(), now),
            n_values,
            now,
            coming: BTreeMap::new(),
            n_coming: 0,
            busy: Duration::ZERO,
            image,
            n_rows: 0,
            posts: Vec::new(),
            answered: Vec::new(),
            critical: [None, None],
            n_bytes_most: 0,
            n_messages_most: 0,
        }
    }

    /// Lives until all is said.
    fn rage(&mut self) {
        loop {
            while let Some(action) = self.next_action() {
                self.carry_out(action);
            }
            self.n_bytes_most = self.n_bytes_most.max(self.engine.outbox().n_bytes());
            let n_messages = self.engine.outbox().n_messages();
            self.n_messages_most = self.n_messages_most.max(n_messages);
            let is_over = self.engine.schedule().is_drained()
                && self.engine.instances().n_open() == 0
                && n_messages == 0;
            if is_over {
                return;
            }
            let next = self.coming.first_key_value().map(|((at, _), _)| *at);
            let wake = self.engine.wakeup(self.now);
            let at = [next, wake].into_iter().flatten().min().unwrap();
            let passed = at.from_now(self.now.moment);
            self.now.moment = self.now.moment.after(passed);
            self.now.wall = self.now.wall.after(passed);
            let input = match next.filter(|next| *next <= at) {
                Some(_) => self.coming.pop_first().unwrap().1,
                None => Input::Tick,
            };
            if let Input::Answered(..) = input {
                self.answered.push(self.now.moment);
            }
            let began = cpu();
            self.engine.handle(self.now, input);
            self.busy += cpu() - began;
        }
    }

    fn next_action(&mut self) -> Option<Action> {
        let began = cpu();
        let action = self.engine.next_action(self.now);
        self.busy += cpu() - began;
        action
    }

    fn carry_out(&mut self, action: Action) {
        let (delay, input) = match action {
            Action::Files(turn) => match self.turn(turn) {
                Some(done) => done,
                None => return,
            },
            Action::Commit(commit) => {
                self.n_rows += (commit.messages.len() + commit.instances.len()) as u64;
                let input = Input::Committed(commit.id, Ok(()));
                self.image.apply(&commit);
                (Duration::from_millis(2), input)
            }
            Action::Post(post) => {
                if post.body.contains("PANIC") {
                    self.critical[1].get_or_insert(self.now.moment);
                }
                let input = Input::Answered(post.message, taken());
                self.posts.push((self.now.moment, post));
                (ANSWER, input)
            }
            Action::Ready
            | Action::Report(_)
            | Action::Spent(_)
            | Action::Run(_)
            | Action::Journal(_)
            | Action::StopRun(_)
            | Action::Answer(_, _)
            | Action::Stopped => return,
        };
        self.n_coming += 1;
        let at = self.now.moment.after(delay);
        self.coming.insert((at, self.n_coming), input);
    }

    /// The one file there is.
    fn turn(&mut self, turn: Turn) -> Option<(Duration, Input)> {
        let place = Place {
            device: 1,
            inode: 1,
        };
        let facts = Facts {
            place,
            birth: Some(1),
            size: LINES * LINE_BYTES,
            modified: self.now.wall.0 * 1_000,
            links: 1,
        };
        let input = match turn {
            Turn::List(_) => Input::Listed(Listing {
                entries: vec![Entry {
                    path: Path::new("/log").into(),
                    real: None,
                    facts,
                    is_mounted: false,
                }],
                ..Listing::default()
            }),
            Turn::Look(look) => {
                let hash = |&(start, end): &(u64, u64)| Some(fingerprint(&self.bytes(start, end)));
                let look_done = Look {
                    opened: Some(facts),
                    named: Some(place),
                    hashes: look.stretches.iter().map(hash).collect(),
                    is_later: false,
                    then: None,
                };
                Input::Looked {
                    stream: look.stream,
                    begun: self.now.moment,
                    outcome: Ok(look_done),
                }
            }
            Turn::Read(read) => {
                let end = facts.size.min(read.offset + REGION_BYTES_MAX as u64);
                if (read.offset..end).contains(&(CRITICAL * LINE_BYTES)) {
                    self.critical[0].get_or_insert(self.now.moment.after(REGION));
                }
                let bytes = self.bytes(read.offset, end);
                let before = self.bytes(read.offset.saturating_sub(64), read.offset);
                let began = cpu();
                let scanned = scan(read.region(&bytes, &before), &read.searcher);
                self.busy += cpu() - began;
                let at_end = end == facts.size;
                let input = Input::Read {
                    stream: read.stream,
                    ending: read.ending,
                    epoch: read.epoch,
                    outcome: Ok(ReadDone::Scanned { scanned, at_end }),
                };
                return Some((REGION, input));
            }
            Turn::Seek(Sought { stream, path, .. }) => {
                let found = Found {
                    path: Some(path),
                    kin: Vec::new(),
                };
                Input::Found(stream, Ok(found))
            }
            Turn::Close(_) => return None,
        };
        Some((Duration::from_millis(1), input))
    }

    /// A stretch of the file.
    fn bytes(&self, start: u64, end: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity((end - start + 2 * LINE_BYTES) as usize);
        let first = start / LINE_BYTES;
        for line in first..end.div_ceil(LINE_BYTES) {
            let value = line % self.n_values;
            let text = match line {
                CRITICAL => format!("{line:07} PANIC"),
                _ => format!("{line:07} something broke value={value}"),
            };
            let width = LINE_BYTES as usize - 1;
            writeln!(bytes, "{text:<width$}").unwrap();
        }
        let skip = (start - first * LINE_BYTES) as usize;
        bytes[skip..skip + (end - start) as usize].to_vec()
    }

    fn tell(&self, out: &mut impl std::io::Write, name: &str) -> std::io::Result<()> {
        let started: Vec<Moment> = self.posts.iter().map(|(at, _)| *at).collect();
        let gaps = started[1..].iter().zip(&self.answered);
        let gap = gaps.map(|(start, answer)| start.from_now(*answer)).min();
        let in_a_minute = |from: &Moment| {
            let until = from.after(Duration::from_secs(60));
            started
                .iter()
                .filter(|at| (*from..until).contains(*at))
                .count()
        };
        let n_most = started.iter().map(in_a_minute).max().unwrap_or(0);
        let n_events: u64 = self
            .posts
            .iter()
            .map(|(_, post)| n_events(&post.body))
            .sum();
        assert_eq!(n_events, LINES, "events of all messages");
        let [read, said] = self.critical;
        let delay = said.unwrap().from_now(read.unwrap());
        writeln!(out, "{name}: {LINES} lines")?;
        writeln!(
            out,
            "  engine             {:>8.2} s",
            self.busy.as_secs_f64()
        )?;
        writeln!(
            out,
            "  virtual time       {:>8.0} s",
            Duration::from_nanos(self.now.moment.0).as_secs_f64()
        )?;
        writeln!(out, "  posts              {:>8}", self.posts.len())?;
        writeln!(out, "  events told        {n_events:>8}")?;
        writeln!(
            out,
            "  smallest gap       {:>8.3} s",
            gap.unwrap().as_secs_f64()
        )?;
        writeln!(out, "  most in 60 s       {n_most:>8}")?;
        writeln!(out, "  critical said after{:>8.3} s", delay.as_secs_f64())?;
        writeln!(out, "  most messages      {:>8}", self.n_messages_most)?;
        writeln!(
            out,
            "  … and their memory {:>8.1} MB by the outbox's own count",
            self.n_bytes_most as f64 / 1e6
        )?;
        writeln!(out, "  rows committed     {:>8}", self.n_rows)?;
        writeln!(
            out,
            "  process, at most   {:>8.1} MB resident",
            resident_most()
        )
    }
}

fn config(how: &str) -> Config {
    Config {
        rules: rules(how),
        surface: Surface {
            host: "web-1".into(),
            zone: jiff::tz::TimeZone::UTC,
        },
        means: Means {
            noticing: Noticing::Hinted,
            turns_max: 2,
        },
        excluded: Vec::new(),
        excluded_places: Default::default(),
        seed: 1,
    }
}

fn taken() -> Reply {
    Reply::Http {
        status: 200,
        retry_after: None,
        body: br#"{"name":"spaces/A/messages/M"}"#.to_vec(),
    }
}

/// The events that a message speaks for, as a reader would count them.
fn n_events(body: &str) -> u64 {
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    let text = json["text"].as_str().unwrap();
    let number = |text: &str| {
        let digits = text.chars().take_while(|c| c.is_ascii_digit() || *c == ',');
        digits
            .filter(|c| *c != ',')
            .collect::<String>()
            .parse::<u64>()
            .unwrap()
    };
    if let Some((_, rest)) = text.split_once("*Digest: ") {
        return number(rest);
    }
    // The critical line is of a rule of its own, and is no line of the storm; but
    // one line of the storm it is not either: it takes the place of one.
    match text.split_once("*+") {
        Some((_, rest)) if text.contains(", last:") => number(rest),
        Some((_, rest)) => number(rest) + 1,
        None => 1,
    }
}

/// What this thread has used of the processor: others on the machine do not count.
fn cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(used.tv_sec).unwrap(),
        u32::try_from(used.tv_nsec).unwrap(),
    )
}

/// `VmHWM` of this process, in MB.
fn resident_most() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<f64>().unwrap() / 1_000.0
}

/// How long ten thousand waiting messages take to be taken up at a start.
fn full_outbox(out: &mut impl std::io::Write) -> std::io::Result<()> {
    let mut storm = Storm::new(LINES, "thread: instance, debounce: none");
    while storm.image.messages.len() < 9_000 {
        while let Some(action) = storm.next_action() {
            // The space never answers.
            if !matches!(action, Action::Post(_)) {
                storm.carry_out(action);
            }
        }
        let ((at, _), input) = storm.coming.pop_first().unwrap();
        let passed = at.from_now(storm.now.moment);
        storm.now.moment = storm.now.moment.after(passed);
        storm.now.wall = storm.now.wall.after(passed);
        storm.engine.handle(storm.now, input);
    }
    let image = storm.image;
    let commit = Commit {
        messages: image.messages.values().cloned().collect(),
        next_message: image.next_message,
        ..Commit::default()
    };
    let directory = tempfile::tempdir()?;
    let mut opened = Store::open(directory.path(), 7, storm.now.wall).unwrap();
    opened.store.commit(&commit).unwrap();
    drop(opened);
    let began = clock::now().moment;
    let opened = Store::open(directory.path(), 7, storm.now.wall).unwrap();
    let loaded = clock::now().moment;
    let config = config("thread: instance, debounce: none");
    let mut engine = Engine::new(config, opened.image, storm.now);
    let mut n_posts = 0;
    while let Some(action) = engine.next_action(storm.now) {
        n_posts += u64::from(matches!(action, Action::Commit(_)));
    }
    let taken_up = clock::now().moment;
    writeln!(out, "{} waiting messages, taken up", image.messages.len())?;
    writeln!(
        out,
        "  read from disk     {:>8.3} s",
        loaded.from_now(began).as_secs_f64()
    )?;
    writeln!(
        out,
        "  … to the first commit{:>6.3} s ({n_posts})",
        taken_up.from_now(loaded).as_secs_f64()
    )
}
