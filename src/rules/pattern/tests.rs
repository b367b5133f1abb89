//! What a search finds, against what every rule finds on every line.

use std::sync::Arc;

use proptest::prelude::*;
use regex::bytes::{Regex, RegexSet};

use super::matcher::line_end;
use super::record::{CAPTURE_CHARS_MAX, Record};
use super::size::bytes_at_most;
use super::{Cost, Match, Matcher, Pattern, Patterns, automaton, parsed, record_in};
use crate::secrets::Redactor;

fn patterns<T: AsRef<str>, E: AsRef<str>>(matches: &[T], excepts: &[E]) -> Patterns {
    let compile = |text: &str| Arc::new(Pattern::of(&Regex::new(text).unwrap()));
    Patterns {
        matches: matches.iter().map(|text| compile(text.as_ref())).collect(),
        excepts: excepts.iter().map(|text| compile(text.as_ref())).collect(),
    }
}

/// A rule without exceptions.
fn matching(matches: &[&str]) -> Patterns {
    patterns::<_, &str>(matches, &[])
}

fn search(rules: &[&Patterns], region: &[u8], line_bytes_max: usize) -> Vec<Match> {
    let mut found = Vec::new();
    Matcher::new(rules, line_bytes_max).search(region, &mut |hit| found.push(hit));
    found
}

/// What `search` means, without any cleverness.
fn search_naively(rules: &[&Patterns], region: &[u8], line_bytes_max: usize) -> Vec<Match> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < region.len() {
        let line = at..line_end(region, at);
        at = line.end;
        let record = record_in(region, line.clone(), line_bytes_max);
        for (rule, patterns) in rules.iter().enumerate() {
            let text = Record::new(&region[record.clone()]);
            if let Some(captures) =
                patterns.hit(&text, 0..patterns.matches.len(), &Redactor::default())
            {
                found.push(Match {
                    rule,
                    line: line.clone(),
                    record: record.clone(),
                    redacted: text.redacted(&Redactor::default()),
                    captures,
                });
            }
        }
    }
    found
}

fn check(rule: &Patterns, region: &[u8], records: &[&str]) {
    let found: Vec<String> = search(&[rule], region, 1000)
        .into_iter()
        .map(|hit| String::from_utf8_lossy(&region[hit.record]).into_owned())
        .collect();
    assert_eq!(found, records, "{rule:?}");
}

#[test]
fn sees_records_and_nothing_else() {
    check(&matching(&["^b$"]), b"a\nb\nbb\n", &["b"]);
    check(
        &matching(&["^b$"]),
        b"b\r\nb\0\0\nb\0\r\nxb",
        &["b", "b", "b"],
    );
    check(&matching(&["b$"]), b"a\nxb", &["xb"]);
    check(&matching(&["a\\sb"]), b"a\nb\na b\n", &["a b"]);
    check(&matching(&["a[^x]b"]), b"a\nb\n", &[]);
    check(&matching(&["(?s)a.b"]), b"a\nb\n", &[]);
    check(&matching(&["(?m)^b"]), b"a\nb\n", &["b"]);
    check(&matching(&["^$"]), b"a\n\n\r\n", &["", ""]);
    check(&matching(&["^a"]), b"\xef\xbb\xbfa\n", &["a"]);
    check(
        &matching(&[r"\berr\b"]),
        b"xerr\nan err.\n\xc3\xa9err\n",
        &["an err."],
    );
}

#[test]
fn any_match_and_no_exception() {
    let rule = patterns(&["error", "fail"], &["harmless", "test$"]);
    check(
        &rule,
        b"error\nharmless error\nfail\nfail test\nfine\n",
        &["error", "fail"],
    );
}

#[test]
fn bad_bytes_are_characters_too() {
    check(&matching(&["a.b"]), b"a\xffb\nx\n", &["a\u{fffd}b"]);
    check(
        &matching(&[r"^\S+$"]),
        b"a\xff\xfeb\n",
        &["a\u{fffd}\u{fffd}b"],
    );
    check(&matching(&[r"(?-u:\xff)"]), b"a\xffb\n", &["a\u{fffd}b"]);
    check(&patterns(&["x"], &["a.b"]), b"x a\xffb\nx\n", &["x"]);
    let rule = matching(&["user=(?<user>\\S+)"]);
    let found = search(&[&rule], b"ok\nuser=a\xffb\nok\n", 1000);
    assert_eq!(found[0].captures, [("user".into(), "a\u{fffd}b".into())]);
}

#[test]
fn the_first_pattern_found_gives_the_captures() {
    let rule = matching(&["nothing (?<a>x)", "(?<b>b+)(?<c>c)?", "(?<d>.)"]);
    let found = search(&[&rule], b"abbb\n", 1000);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].captures, [("b".into(), "bbb".into())]);
}

#[test]
fn nothing_beyond_the_limit_is_seen() {
    let rule = matching(&["b"]);
    assert!(search(&[&rule], b"aaaab\n", 4).is_empty());
    let found = search(&[&rule], "baaé\nx\n".as_bytes(), 4);
    assert_eq!(found[0].record, 0..3);
    assert_eq!(found[0].line, 0..6);
    let rule = matching(&["(?<long>a+)"]);
    let found = search(&[&rule], &[b'a'; 5000], 4000);
    assert_eq!(found[0].captures[0].1.len(), CAPTURE_CHARS_MAX);
}

#[test]
fn secrets_are_in_no_capture() {
    let rule = matching(&[r"token=(?<token>\S+) by (?<who>\w+)"]);
    let found = search(&[&rule], b"token=a1b2c3 by bob\ntoken=none by bob\n", 1000);
    let shown = [
        ("token".into(), "[redacted]".into()),
        ("who".into(), "bob".into()),
    ];
    assert_eq!(found[0].captures, shown);
    assert_eq!(
        found[0].redacted.as_deref(),
        Some("token=[redacted] by bob")
    );
    assert_eq!(found[1].captures[0].1, "none");
    assert_eq!(found[1].redacted, None);

    // A capture of a part of it, also beside bad bytes and by a pattern of bytes.
    for (pattern, line) in [
        ("(?<part>b2c)", b"token=a1b2c3".as_slice()),
        ("(?<part>b2c)", b"\xff token=a1b2c3"),
        (r"(?<part>(?-u:\xff)2c)", b"\xe9\xe9 token=a1\xff2c3"),
    ] {
        let found = search(&[&matching(&[pattern])], line, 1000);
        assert_eq!(found[0].captures, [("part".into(), "[redacted]".into())]);
    }

    let own = Redactor::new(vec![Regex::new("b.b").unwrap()]);
    let rule = matching(&["(?<all>.+)"]);
    let mut found = Vec::new();
    let matcher = Matcher::new(&[&rule], 1000).hiding(Arc::new(own));
    matcher.search(b"a bob\n", &mut |hit| found.push(hit));
    assert_eq!(found[0].captures[0].1, "a [redacted]");
}

#[test]
fn no_line_is_looked_at_without_a_reason() {
    let rules = [
        matching(&["(?i)out of memory: killed process"]),
        matching(&[r"\bOOM\b", "I/O error"]),
        matching(&[r"\b[0-9a-f]{40}\b"]),
        matching(&[r"^\d+ FATAL", r#"" 5\d\d "#]),
        matching(&["(?i)kiosk is full"]),
    ];
    let matcher = Matcher::new(&rules.iter().collect::<Vec<_>>(), 1000);
    let tried = |region: &[u8]| {
        let mut tried = Vec::new();
        matcher.try_all(region, &mut |trial| {
            tried.push((trial.line.start, trial.rule));
        });
        tried
    };
    let quiet = "\
        Nov 22 10:00:00 web sshd[7]: Accepted publickey for bob from 192.0.2.7 port 4022 ssh2\n\
        192.0.2.9 - - [22/Nov/2026:10:00:00 +0000] \"GET /room/500 HTTP/1.1\" 200 500 \"-\"\n\
        2026-11-22T10:00:00Z INFO café: 9f86d081884c7d65 is out of stock\n"
        .repeat(1_000);
    assert_eq!(tried(quiet.as_bytes()), []);
    // Not even where its lines end is looked for.
    let mut hints = Vec::new();
    matcher.hints_in_lines(quiet.as_bytes(), &mut hints);
    assert_eq!(hints, []);
    let told = [
        quiet.as_str(),
        "sda1: I/O error\n",
        &quiet,
        "KIOſK is full\n",
    ]
    .concat();
    let second = quiet.len() + "sda1: I/O error\n".len() + quiet.len();
    assert_eq!(tried(told.as_bytes()), [(quiet.len(), 1), (second, 4)]);
}

#[test]
fn the_last_line_may_end_anywhere() {
    let rules = [matching(&[r"\s\d+\s?"]), matching(&["(?i)the last word"])];
    let matcher = Matcher::new(&rules.iter().collect::<Vec<_>>(), 1000);
    for n_bytes in 5_000..5_400 {
        let mut region = vec![b'x'; n_bytes];
        region.extend_from_slice(b"\n: the last word 7");
        let mut found = Vec::new();
        matcher.search(&region, &mut |hit| found.push((hit.line.start, hit.rule)));
        assert_eq!(found, [(n_bytes + 1, 0), (n_bytes + 1, 1)], "{n_bytes}");
    }
}

#[test]
fn no_regex_is_tried_without_all_its_words() {
    let rules = [
        matching(&[r"postgres\[\d+\]: .*\b(?:ERROR|FATAL)\b.*checkpoint"]),
        matching(&[r"(?i)\bcheckpoint (\S+) was fenced\b"]),
        matching(&[r"checkpoint-\d+ stalled on"]),
    ];
    let region = "\
        postgres[7]: LOG:  checkpoint complete: wrote 12 buffers\n\
        postgres[7]: FATAL:  no room for a checkpoint\n\
        Checkpoint 12 WAS FENCED\n\
        checkpoint 12 was fenced, as it ſtalled on\n\
        checkpoint-3 is stalled\n";
    let matcher = Matcher::new(&rules.iter().collect::<Vec<_>>(), 1000);
    let mut tried = Vec::new();
    matcher.try_all(region.as_bytes(), &mut |trial| {
        tried.push((region[..trial.line.start].lines().count(), trial.rule));
    });
    assert_eq!(tried, [(1, 0), (2, 1), (3, 1)]);

    // What folds with a letter of a word is that letter.
    let folded = matching(&["(?i)ksar: .*(?:disk|task) lost"]);
    check(
        &folded,
        "\u{212a}SAR: taſ\u{212a} loſt\nksar: task\n".as_bytes(),
        &["\u{212a}SAR: taſ\u{212a} loſt"],
    );
}

#[test]
fn no_regex_without_words_is_tried_where_it_ends_otherwise() {
    let rules = [
        matching(&[r"\b\d{4}-\d{2}\b"]),
        matching(&[r"\b[0-9a-f]{8} \d+$"]),
        matching(&[r"^\d+ [A-Z]{2,4}\b \S+"]),
    ];
    let matcher = Matcher::new(&rules.iter().collect::<Vec<_>>(), 40);
    let tried = |line: &str| {
        let mut tried = Vec::new();
        matcher.try_all(line.as_bytes(), &mut |trial| tried.push(trial.rule));
        tried
    };
    let nothing: [usize; 0] = [];
    assert_eq!(tried("1234-123 x1234-12 1234-12x\n"), nothing);
    assert_eq!(tried("deadbeef 12a\ndeadbeef 12 \n7 ABcDE x\n"), nothing);
    assert_eq!(tried("1234-12\n"), [0]);
    assert_eq!(tried("at 1234-12é\n"), [0]);
    assert_eq!(
        tried("deadbeef 12\r\ndeadbeef 12\0\ndeadbeef 12"),
        [1, 1, 1]
    );
    // Beyond ASCII there are other digits, which are looked for wherever they stand.
    assert_eq!(tried("naïve café of 123 日本語\n"), nothing);
    assert_eq!(tried("1٣34-12\n"), [0, 1, 2]);
    // A record that is cut ends where no line does.
    let long = format!("{:>35}1234-12345 deadbeef\n", "");
    assert_eq!(tried(&long), [0]);
}

#[test]
fn knows_what_a_rule_costs() {
    for (regexes, expected) in [
        (&["OOM", r"(?i)out of \w+"][..], Cost::Words),
        (&[r"\d{3}-\d{4}"], Cost::EveryByte),
        (&["OOM", r"^\d+$"], Cost::EveryByte),
        (&["OOM", "^$"], Cost::EveryLine),
        (&[], Cost::Words),
    ] {
        assert_eq!(matching(regexes).cost(), expected, "{regexes:?}");
    }
}

#[test]
fn no_rules_no_hits() {
    assert!(search(&[], b"a\nb\n", 10).is_empty());
    assert!(search(&[&matching(&["a"])], b"", 10).is_empty());
}

/// What regexes say of every line: its number, and the rules that it is a hit of.
fn hits_of_sets(rules: &[Regexes], region: &[u8], line_bytes_max: usize) -> Vec<(usize, usize)> {
    let set = |regexes: &[String]| RegexSet::new(regexes).unwrap();
    let sets: Vec<_> = (rules.iter())
        .map(|(matches, excepts)| (set(matches), set(excepts)))
        .collect();
    let mut hits = Vec::new();
    let mut at = 0;
    while at < region.len() {
        let line = at..line_end(region, at);
        let record = &region[record_in(region, line.clone(), line_bytes_max)];
        let text = String::from_utf8_lossy(record);
        let is_in = |set: &RegexSet| set.is_match(record) || set.is_match(text.as_bytes());
        for (rule, (matches, excepts)) in sets.iter().enumerate() {
            if is_in(matches) && !is_in(excepts) {
                hits.push((at, rule));
            }
        }
        at = line.end;
    }
    hits
}

/// The regexes of a rule: those it matches by, and its exceptions.
type Regexes = (Vec<String>, Vec<String>);

/// Words that patterns look for and that logs hold.
fn any_word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "b",
        "c",
        "err",
        "ERROR",
        "fail",
        "ok",
        "task",
        "Kiosk ",
        "connection refused",
        "out of memory",
        " is full",
        "é",
        "Straße",
        "ſ",
        "\u{212a}",
        "\u{a0}",
        "\u{3000}",
        "\u{fffd}",
        "日本",
        "12",
        "4321",
        "٣",
        "７",
        "7f:",
        ": ",
        " ",
        "-",
        "\t",
        "--------",
        "aaaaaaaa",
    ])
}

/// A regex, of all that people may write.
fn any_regex() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\S",
        r"\D",
        r"\W",
        "[^a]",
        "[a-f]",
        "[ks]",
        "[ſx]",
        r"\pL",
        r"\p{Greek}",
        "[0-9a-f]",
        "[[:upper:]]",
        r"(?-u:\xff)",
        "(?-u:[^a])",
        r"(?-u:\w)",
        r"(?-u:\xc3)",
        r"[^\n]",
        r"\x00",
        r"\r",
        r"\n",
        "^",
        "$",
        r"\b",
        r"\B",
        r"\A",
        r"\z",
        "(?m:^)",
        "(?m:$)",
        r"(?-u:\b)",
        "",
        "()",
        ".*",
        ".+",
        r"\S+",
        r"\d{1,3}",
        r"\s*",
        r"\b\d{4}\b",
        r"\d{2}-\d+$",
        r"\b[0-9a-f]{2}:[0-9a-f]{2}\b",
        r"\b(?-u:\d)+\s*$",
        r"[\d\xa0]{2}",
        r"\d{1,3}(?:\.\d{1,3}){3}",
        r"%\s",
    ]);
    let leaf = prop_oneof![
        any_word().prop_map(regex::escape),
        part.prop_map(str::to_owned)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let repeated = prop::sample::select(vec![
            "*", "+", "?", "{2}", "{1,3}", "{0}", "{0,2}", "{7}", "{2,}", "+?", "*?",
        ]);
        let grouped = prop::sample::select(vec![
            "(?i:", "(?s:", "(?m:", "(?x:", "(?U:", "(?-u:", "(", "(?:",
        ]);
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..5).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|parts| format!("(?:{})", parts.join("|"))),
            2 => (inner.clone(), repeated).prop_map(|(sub, times)| format!("(?:{sub}){times}")),
            1 => (grouped, inner).prop_map(|(group, sub)| format!("{group}{sub})")),
        ]
    })
    .prop_filter("it has to compile", |text| Regex::new(text).is_ok())
}

/// A regex without words: digests, addresses, numbers.
fn any_wordless_regex() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        r"\d{4}-\d{2}-\d{2}",
        r"\b(?:[0-9A-F]{2}:){5}[0-9A-F]{2}\b",
        r"[0-9a-f]{16,}",
        r"\b[0-9a-f]{40}\b",
        r"(?-u:\d){7}",
        r"\d{1,3}(?:\.\d{1,3}){3}",
        r"(?:9\d|100)%\s",
        r"~[a-f]",
        r"^\d+ [0-9a-f]{32}$",
        r"[A-Za-z0-9+/]{31,}={0,2}$",
        r"(?:\d{8}|[A-F]{8})",
    ]);
    let between = prop::sample::select(vec!["", r"\s+", ".*", r"\W", "$"]);
    prop::collection::vec((part, between), 1..3).prop_map(|parts| {
        (parts.iter())
            .flat_map(|(part, between)| [*part, *between])
            .collect()
    })
}

fn any_rules() -> impl Strategy<Value = Vec<Regexes>> {
    let any = (
        prop::collection::vec(any_regex(), 1..4),
        prop::collection::vec(any_regex(), 0..2),
    );
    let wordless = (
        prop::collection::vec(any_wordless_regex(), 1..3),
        prop::collection::vec(any_wordless_regex(), 0..2),
    );
    prop_oneof![
        3 => prop::collection::vec(any, 1..5),
        1 => prop::collection::vec(wordless, 1..5),
    ]
}

/// Lines of any bytes, some with words of the patterns, some long.
fn any_lines() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::sample::select(vec![
        b"\n".as_slice(),
        b"\n",
        b"\r\n",
        b"\0",
        b"\0\n",
        b"\xff",
        b"\xc3",
        b"\xc5",
        b"\xe2\x84",
        b"\xe2\x82",
        "\u{feff}".as_bytes(),
        "\n\u{feff}".as_bytes(),
        b"\n\n",
        b"KIOSK",
        "taſk".as_bytes(),
        b"Out Of Memory",
        b"1234567890",
        b"4321\n",
        b"12-4321\r\n",
        "12-4３2٣\n".as_bytes(),
        b"7f:7F:7f:",
        b"00:1A:2B:3C:4D:5E",
        b"2026-11-22",
        b"192.0.2.17",
        b"da39a3ee5e6b4b0d",
        b"3255bfef95601890",
        b"afd80709",
        b"AFD80709",
        b"100% ",
        b"~~f",
    ]);
    let word = any_word().prop_map(str::as_bytes);
    let part = prop_oneof![
        3 => bytes.prop_map(<[u8]>::to_vec),
        5 => word.prop_map(<[u8]>::to_vec),
        1 => (0..70_usize).prop_map(|n| vec![b'x'; n]),
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

fn any_region() -> impl Strategy<Value = Vec<u8>> {
    // Enough lines for several stretches, and for several blocks.
    (
        any_lines(),
        any_lines(),
        prop_oneof![9 => 0..3_usize, 1 => 3..400_usize],
    )
        .prop_map(|(front, back, n_more)| {
            let more = b"nothing of note, and a bit more of it\n".repeat(n_more * 7);
            [front, more, back].concat()
        })
}

/// What may stand for a letter of ASCII stands beside bytes that are no character.
#[test]
fn bad_bytes_beside_a_space_that_is_not_ascii() {
    let rule = matching(&["aaaaaaaa(?-u:\\xff)\\s"]);
    let matcher = Matcher::new(&[&rule], 100);
    for record in [&b"aaaaaaaa\xff\xc2\xa0"[..], b"aaaaaaaa\xff b"] {
        let mut n_found = 0;
        matcher.search_record(record, &mut |_| n_found += 1);
        let line = [b"one\n", record, b"\n"].concat();
        matcher.search(&line, &mut |_| n_found += 1);
        assert_eq!(n_found, 2, "{record:?}");
    }
}

proptest! {
    #[test]
    fn regexes_are_no_bigger_than_is_thought_and_name_their_captures(text in any_regex()) {
        let text = format!("(?<all>{text})|(?<times>(?:{text}){{9}})|(?<many>{text})*");
        let size = bytes_at_most(&parsed(&text).unwrap());
        prop_assert!(automaton(&text, size).is_some());
        let named = Pattern::of(&Regex::new(&text).unwrap()).names;
        prop_assert_eq!(Pattern::new(&text, 1 << 30).unwrap().names, named);
    }

    #[test]
    fn records_are_searched_as_a_whole(
        rules in any_rules(),
        (before, record, after) in (any_lines(), any_lines(), any_lines()),
    ) {
        let rules: Vec<Patterns> = rules
            .iter()
            .map(|(matches, excepts)| patterns(matches, excepts))
            .collect();
        let matcher = Matcher::new(&rules.iter().collect::<Vec<_>>(), 10);
        let mut found = Vec::new();
        matcher.search_record(&record, &mut |hit| found.push((hit.rule, hit.captures)));
        let text = Record::new(&record);
        let expected: Vec<_> = (rules.iter().enumerate())
            .filter_map(|(idx, rule)| {
                let all = 0..rule.matches.len();
                Some((idx, rule.hit(&text, all, &Redactor::default())?))
            })
            .collect();
        prop_assert_eq!(&found, &expected);
        if !found.is_empty() && !record.contains(&b'\n') {
            prop_assert!(matcher.may_hit_within(&[before, record, after].concat()));
        }
    }

    // `PROPTEST_CASES` tells how many.
    #[test]
    fn finds_what_every_rule_on_every_line_finds(
        rules in any_rules(),
        region in any_region(),
        line_bytes_max in prop_oneof![1 => 1_usize..20, 1 => 20_usize..1_000],
    ) {
        let expected = hits_of_sets(&rules, &region, line_bytes_max);
        let rules: Vec<Patterns> = rules
            .iter()
            .map(|(matches, excepts)| patterns(matches, excepts))
            .collect();
        let rules: Vec<&Patterns> = rules.iter().collect();
        let found = search(&rules, &region, line_bytes_max);
        let places: Vec<_> = found.iter().map(|hit| (hit.line.start, hit.rule)).collect();
        prop_assert_eq!(places, expected);
        prop_assert_eq!(found, search_naively(&rules, &region, line_bytes_max));
    }
}
