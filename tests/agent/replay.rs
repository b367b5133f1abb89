//! Logs of the past: lived through on their own time, and told of.

use std::io::Write as _;

use jiff::tz::TimeZone;
use logcrier::engine::time::Wall;
use logcrier::rehearsal::history::{Chronicle, Log, Source, replay};
use logcrier::rules::RuleSet;

use crate::support::{World, rules_of};

/// Logs in memory, given out in pieces.
struct Pieces {
    texts: Vec<Vec<u8>>,
    read: Vec<usize>,
    /// Bytes of a piece.
    size: usize,
}

impl Source for Pieces {
    fn more(&mut self, log: usize, buffer: &mut Vec<u8>) -> Result<usize, String> {
        let rest = &self.texts[log][self.read[log]..];
        let piece = &rest[..rest.len().min(self.size)];
        buffer.extend_from_slice(piece);
        self.read[log] += piece.len();
        Ok(piece.len())
    }
}

/// Lives through logs with all rules of a set.
fn lived(set: &RuleSet, texts: &[&str], size: usize) -> Chronicle {
    let logs = (0..texts.len()).map(|idx| Log {
        // Not in the order of their names.
        path: format!("/var/log/{}.log", texts.len() - idx).into(),
        modified: at("2026-11-21T12:00:00Z"),
        rules: set.rules.iter().map(|rule| rule.key.clone()).collect(),
    });
    let mut source = Pieces {
        texts: texts.iter().map(|text| text.as_bytes().to_vec()).collect(),
        read: vec![0; texts.len()],
        size,
    };
    replay(set, &TimeZone::UTC, logs.collect(), &mut source)
}

fn at(text: &str) -> Wall {
    Wall(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

/// When each message was posted, and its count.
fn posts(chronicle: &Chronicle) -> Vec<(String, u64)> {
    let said = chronicle.said.iter().map(|said| {
        let at = jiff::Timestamp::from_microsecond(said.at.0).unwrap();
        (
            at.strftime("%H:%M:%S").to_string(),
            said.message.draft.tally.count,
        )
    });
    said.collect()
}

fn owned(posts: &[(&str, u64)]) -> Vec<(String, u64)> {
    posts.iter().map(|(at, n)| ((*at).to_owned(), *n)).collect()
}

const RULES: &str = "rules: [{key: e, files: /x, match: 'ERROR (?<what>\\w+)', by: [what]}]";

#[test]
fn time_is_that_of_the_records() {
    let log = "\
2026-11-21T10:00:00Z INFO begin
2026-11-21T10:00:01Z ERROR disk
2026-11-21T10:00:02Z ERROR disk
2026-11-21T10:04:59Z ERROR disk
2026-11-21T10:30:00Z ERROR net
2026-11-21T11:00:00Z ERROR disk
2026-11-21T11:30:00Z INFO end
";
    let sizes = [1, 7, 64, 100_000].into_iter();
    // With the end of its last line, and without.
    for (size, log) in sizes.flat_map(|size| [(size, log), (size, log.trim_end())]) {
        let chronicle = lived(&rules_of(RULES), &[log], size);
        let expected = owned(&[
            ("10:00:01", 1),
            ("10:05:01", 2),
            ("10:30:00", 1),
            ("11:00:00", 1),
        ]);
        assert_eq!(posts(&chronicle), expected, "in pieces of {size}");
        let part = &chronicle.rules[0];
        assert_eq!((part.n_hits, part.n_events, part.n_posts), (5, 5, 4));
        assert_eq!((part.busiest, part.n_saved()), (1, 1));
        assert_eq!(chronicle.n_lines, 7);
        assert_eq!(chronicle.n_bytes, log.len() as u64);
        assert_eq!(chronicle.ended, at("2026-11-21T11:30:00Z"));
        assert_eq!(chronicle.n_held, 0);
    }
}

#[test]
fn several_logs_are_one_story() {
    let today = "2026-11-21T10:00:00Z ERROR disk\n2026-11-21T10:06:00Z ERROR disk\n";
    let yesterday = "2026-11-20T10:00:00Z ERROR disk\n2026-11-20T10:01:00Z ERROR disk\n";
    let chronicle = lived(&rules_of(RULES), &[today, yesterday], 50);
    assert_eq!(chronicle.began, at("2026-11-20T09:59:59Z"));
    let expected = owned(&[
        ("10:00:00", 1),
        ("10:05:00", 1),
        ("10:00:00", 1),
        ("10:06:00", 1),
    ]);
    assert_eq!(posts(&chronicle), expected);
}

#[test]
fn what_has_no_time_happens_when_the_record_before_did() {
    let log = "\
2026-11-21T10:00:00Z INFO begin
ERROR disk
2026-11-21T10:20:00Z INFO on
  and on
ERROR disk
";
    let chronicle = lived(&rules_of(RULES), &[log], 1_000);
    assert_eq!(
        posts(&chronicle),
        owned(&[("10:00:00", 1), ("10:20:00", 1)])
    );
    assert_eq!(chronicle.n_timeless, 2);
}

#[test]
fn a_storm_keeps_to_the_quota_and_loses_no_count() {
    let set = rules_of("rules: [{key: e, files: /x, match: ERROR, debounce: none}]");
    let mut log = String::new();
    for n in 0..5_000 {
        let secs = n / 50;
        log.push_str(&format!(
            "2026-11-21T10:{:02}:{:02}Z ERROR {n}\n",
            secs / 60,
            secs % 60
        ));
    }
    let chronicle = lived(&set, &[&log], 4_096);
    let part = &chronicle.rules[0];
    assert_eq!((part.n_hits, part.n_events), (5_000, 5_000));
    assert!((90..=120).contains(&part.n_posts), "{}", part.n_posts);
    let space = &chronicle.spaces[0];
    assert!(
        space.busiest <= space.quota,
        "{} of {}",
        space.busiest,
        space.quota
    );
}

#[test]
fn big_logs_and_endless_lines_are_read_through() {
    let mut log = "2026-11-21T10:00:00Z begin\n".to_owned();
    for _ in 0..60_000 {
        log.push_str("2026-11-21T10:00:01Z INFO nothing to see here, and quite a lot of it\n");
    }
    log.push_str(&"x".repeat(9 << 20));
    log.push_str("\n2026-11-21T10:30:00Z ERROR disk");
    let chronicle = lived(&rules_of(RULES), &[&log], 256 << 10);
    assert_eq!(posts(&chronicle), owned(&[("10:30:00", 1)]));
    let binary = "\0\u{1}\0\u{2}".repeat(5_000);
    let chronicle = lived(&rules_of(RULES), &[&binary, "ERROR disk\n"], 256 << 10);
    assert_eq!(chronicle.troubles.len(), 1);
    assert_eq!(chronicle.said.len(), 1);
}

/// A world with rules and logs whose text wants to break out.
fn world() -> World {
    let world = World::with_settings(
        "",
        "rules:\n  - {key: e, files: [app.log], match: 'ERROR (?<what>.*)', by: [what]}\n  \
         - {key: other, files: [other.log], match: x}\n",
    );
    world.write(
        "app.log",
        "2026-11-21T10:00:00Z ERROR </details><script>alert(1)</script>\n",
    );
    let old = "2026-11-20T10:00:00Z ERROR <users/all> '\"&\n".repeat(3);
    let file = std::fs::File::create(world.path("app.log.1.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    packed.write_all(old.as_bytes()).unwrap();
    packed.finish().unwrap();
    world
}

#[test]
fn tells_of_archives_in_json_and_as_a_page() {
    let world = world();
    let output = world.run(&[
        "replay",
        "--rules",
        "rules.yaml",
        "--json",
        "--html",
        "out.html",
        "app.log",
        "app.log.1.gz",
    ]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said, "the report is in out.html\n");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // The rule that follows neither of them is not asked.
    let rules = told["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 1, "{told}");
    assert_eq!(
        (&rules[0]["key"], &rules[0]["hits"]),
        (&"e".into(), &4.into())
    );
    assert_eq!(
        (&rules[0]["events"], &rules[0]["posts"]),
        (&4.into(), &2.into())
    );
    assert_eq!(told["spaces"][0]["posts"], 2);

    let page = std::fs::read_to_string(world.path("out.html")).unwrap();
    for wrong in [
        "<script",
        "</details><script",
        "src=",
        "url(",
        "@import",
        "<users",
    ] {
        assert!(!page.contains(wrong), "{wrong}");
    }
    for right in [
        "Content-Security-Policy",
        "&gt;alert(1)&lt;",
        "prefers-color-scheme: dark",
        "<rect ",
    ] {
        assert!(page.contains(right), "{right}");
    }
}

#[test]
fn takes_all_rules_for_a_log_that_none_follows() {
    let world = world();
    world.write("odd.txt", "2026-11-21T10:00:00Z ERROR x\n");
    let output = world.run(&["replay", "--rules", "rules.yaml", "odd.txt"]);
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(err.contains("so all 2 are tried"), "{err}");
    assert!(out.contains("\ne "), "{out}");
    assert!(out.contains("\nother "), "{out}");
    for (args, why) in [
        (
            ["--rule", "nothing", "odd.txt"],
            "no rule of lines has the key `nothing`",
        ),
        (["--rule", "e", "none.txt"], "none.txt"),
    ] {
        let output = world.run(&[&["replay", "--rules", "rules.yaml"], &args[..]].concat());
        assert_eq!(output.status.code(), Some(1));
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(err.contains(why), "{err}");
    }
}
