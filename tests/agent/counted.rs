//! Hits that are only counted, and those that are told one by one: people read the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use logcrier::engine::identity::{Facts, Place, fingerprint};
use logcrier::engine::message::Surface;
use logcrier::engine::scan::{self, LOOK_BACK_BYTES, Region};
use logcrier::engine::schedule::{Entry, Fault, Hint, Look, LookAt, Read, ReadDone};
use logcrier::engine::time::Wall;
use logcrier::rehearsal::{Files, Stage};
use logcrier::rules::{PacerKey, RuleSet, Space, Webhook};

use crate::support::rules_of;
use crate::world::entropy::Entropy;

/// One log that grows, read in pieces.
struct Growing {
    bytes: Vec<u8>,
    /// Bytes of a piece.
    piece: u64,
    /// Whether hits may be told by their number.
    may_count: bool,
    /// How many were.
    n_counted: u64,
}

const PLACE: Place = Place {
    device: 1,
    inode: 1,
};

impl Growing {
    fn facts(&self, now: Wall) -> Facts {
        Facts {
            place: PLACE,
            birth: Some(1),
            size: self.bytes.len() as u64,
            modified: now.0 * 1_000,
            links: 1,
        }
    }

    fn stretch(&self, start: u64, end: u64) -> Option<&[u8]> {
        self.bytes.get(start as usize..end as usize)
    }
}

impl Files for Growing {
    fn entries(&self, now: Wall) -> Vec<Entry> {
        vec![Entry {
            path: Path::new("/x").into(),
            real: None,
            facts: self.facts(now),
            is_mounted: false,
        }]
    }

    fn look(&mut self, look: &LookAt, now: Wall) -> Look {
        let hash = |&(start, end): &(u64, u64)| self.stretch(start, end).map(fingerprint);
        Look {
            opened: Some(self.facts(now)),
            named: Some(PLACE),
            hashes: look.stretches.iter().map(hash).collect(),
            is_later: false,
            then: None,
        }
    }

    fn read(&mut self, read: &Read) -> Result<ReadDone, Fault> {
        let size = self.bytes.len() as u64;
        let end = size.min(read.offset + self.piece);
        let before = read.offset.saturating_sub(LOOK_BACK_BYTES);
        let (Some(bytes), Some(before)) = (
            self.stretch(read.offset, end),
            self.stretch(before, read.offset),
        ) else {
            return Ok(ReadDone::Changed);
        };
        let region = Region {
            may_count: read.may_count && self.may_count,
            ..read.region(bytes, before)
        };
        let scanned = scan::scan(region, &read.searcher);
        let counted = scanned.hits.iter().flat_map(|hit| &hit.counted);
        self.n_counted += counted.map(|counted| counted.count).sum::<u64>();
        Ok(ReadDone::Scanned {
            scanned,
            at_end: end == size,
        })
    }
}

/// What was posted: when, what, and for how many.
type Posts = Vec<(Wall, String, u64)>;

/// What is written at a time.
type Script = Vec<(Wall, Vec<u8>)>;

/// The rules of a text, with a space that nothing is sent to.
fn posting(text: &str) -> Arc<RuleSet> {
    let mut rules = rules_of(text);
    let space = Space {
        webhook: Webhook::new("https://chat.example/x".into(), PacerKey("x".into())),
        pace: Duration::from_secs(1),
        fallback: None,
    };
    let names: Vec<_> = rules
        .rules
        .iter()
        .flat_map(|rule| &rule.spaces)
        .cloned()
        .collect();
    rules.spaces = names
        .into_iter()
        .map(|name| (name, space.clone()))
        .collect();
    Arc::new(rules)
}

/// What is posted of a log that is written like this, and how many hits were only counted.
fn lived(rules: &Arc<RuleSet>, script: &Script, piece: u64, may_count: bool) -> (Posts, u64) {
    let mut files = Growing {
        bytes: Vec::new(),
        piece,
        may_count,
        n_counted: 0,
    };
    let surface = Surface {
        host: "web-03".into(),
        zone: TimeZone::UTC,
    };
    let began = at("2026-11-21T10:00:00Z");
    let mut stage = Stage::new(rules.clone(), surface, began, &mut files);
    let mut ended = began;
    for (at, bytes) in script {
        stage.pass(*at, &mut files);
        files.bytes.extend_from_slice(bytes);
        stage.hint(Hint::Written("/x".into()), &mut files);
        ended = *at;
    }
    stage.pass(ended.after(Duration::from_secs(7_200)), &mut files);
    let posts = (stage.take_said().into_iter())
        .map(|said| (said.at, said.body, said.message.draft.tally.count))
        .collect();
    (posts, files.n_counted)
}

fn at(text: &str) -> Wall {
    Wall(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

fn stamp(at: Wall) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap();
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A log with a storm now and then. Its times are out of order, and go back by so much.
fn drawn(chance: &mut Entropy, back: Duration) -> Script {
    let mut now = at("2026-11-21T10:00:05Z");
    let mut script = Vec::new();
    for _ in 0..1 + chance.below(12) {
        let mut bytes = Vec::new();
        let n_different = 1 + chance.below(6);
        for _ in 0..chance.one_of(&[1, 5, 30, 120]) {
            let when = now.before(Duration::from_millis(chance.below(back.as_millis() as u64)));
            let what = chance.one_of(&["disk", "net", "token=abcdefghijklmnop", "\u{e9}", "\\xff"]);
            let nth = chance.below(n_different);
            let line = match chance.below(10) {
                0 => format!("ERROR {what} without a time {nth}"),
                1 => format!("{} ERROR fine after all {nth}", stamp(when)),
                2 => format!("{} nothing of the kind", stamp(when)),
                3 => format!("{} WARN {what} ERROR {nth}", stamp(when)),
                _ => format!("{} ERROR {what} {nth}", stamp(when)),
            };
            bytes.extend_from_slice(line.replace("\\xff", "X").as_bytes());
            if what == "\\xff" {
                bytes.push(0xff);
            }
            bytes.extend_from_slice(chance.one_of(&["\n", "\n", "\n", "\r\n"]).as_bytes());
        }
        if chance.percent(20) {
            // The last line is not finished: it is taken as it stands.
            bytes.pop();
        }
        script.push((now, bytes));
        now = now.after(Duration::from_secs(1 + chance.below(900)));
    }
    script
}

const RULES: &str = "rules:
  - {key: plain, files: /x, match: ERROR, except: fine, debounce: 2m}
  - {key: told, files: /x, match: ['ERROR (?<what>\\w+)', 'WARN (?<what>\\w+)'], debounce: 5m,
     title: '{{ count }} {{ what }} {{ line }}'}
  - {key: quiet, files: /x, match: 'ERROR (?<what>disk)', severity: critical,
     resolve: {quiet: 10m}, repeat: [20m]}
  - {key: each, files: /x, match: 'ERROR disk', debounce: none}
  - {key: split, files: /x, match: 'ERROR (?<what>\\w+)', by: [what]}
";

#[test]
fn people_read_the_same() {
    let rules = posting(RULES);
    let (mut n_counted, mut n_posts) = (0, 0);
    for seed in 0..150 {
        let mut chance = Entropy::endless(seed);
        let script = drawn(&mut chance, Duration::from_secs(40));
        let piece = chance.one_of(&[400, 3_000, 200_000]);
        let (expected, none) = lived(&rules, &script, piece, false);
        let (posts, n) = lived(&rules, &script, piece, true);
        assert_eq!(none, 0, "seed {seed}");
        for (idx, (post, expected)) in posts.iter().zip(&expected).enumerate() {
            assert_eq!(post, expected, "message {idx} of seed {seed}");
        }
        assert_eq!(posts.len(), expected.len(), "seed {seed}");
        n_counted += n;
        n_posts += posts.len();
    }
    assert!(
        n_counted > 1_000 && n_posts > 1_000,
        "{n_counted} {n_posts}"
    );
}

#[test]
fn what_came_late_is_counted_apart() {
    let rules = posting("rules: [{key: plain, files: /x, match: ERROR, debounce: 2m}]");
    let mut n_counted = 0;
    for seed in 0..100 {
        let mut chance = Entropy::endless(seed);
        let script = drawn(&mut chance, Duration::from_secs(7_200));
        let sum = |posts: &Posts| posts.iter().map(|(.., count)| count).sum::<u64>();
        let (expected, _) = lived(&rules, &script, 200_000, false);
        let (posts, n) = lived(&rules, &script, 200_000, true);
        assert_eq!(sum(&posts), sum(&expected), "seed {seed}");
        assert_eq!(posts.len(), expected.len(), "seed {seed}");
        n_counted += n;
    }
    assert!(n_counted > 1_000, "{n_counted} were only counted");
}
