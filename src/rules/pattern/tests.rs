//! What a search finds, against what every rule finds on every line.

use std::sync::Arc;

use proptest::prelude::*;
use regex::bytes::Regex;

use super::matcher::line_end;
use super::record::{CAPTURE_CHARS_MAX, Record};
use super::{Match, Matcher, Pattern, Patterns, record_in};
use crate::secrets::Redactor;

fn patterns(matches: &[&str], excepts: &[&str]) -> Patterns {
    let compile = |list: &[&str]| {
        let compiled = list.iter().map(|text| Regex::new(text).unwrap());
        compiled
            .map(|regex| Arc::new(Pattern::of(&regex)))
            .collect()
    };
    Patterns {
        matches: compile(matches),
        excepts: compile(excepts),
    }
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
            if let Some(captures) = patterns.hit(&text, &Redactor::default()) {
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
    check(&patterns(&["^b$"], &[]), b"a\nb\nbb\n", &["b"]);
    check(
        &patterns(&["^b$"], &[]),
        b"b\r\nb\0\0\nb\0\r\nxb",
        &["b", "b", "b"],
    );
    check(&patterns(&["b$"], &[]), b"a\nxb", &["xb"]);
    check(&patterns(&["a\\sb"], &[]), b"a\nb\na b\n", &["a b"]);
    check(&patterns(&["a[^x]b"], &[]), b"a\nb\n", &[]);
    check(&patterns(&["(?s)a.b"], &[]), b"a\nb\n", &[]);
    check(&patterns(&["(?m)^b"], &[]), b"a\nb\n", &["b"]);
    check(&patterns(&["^$"], &[]), b"a\n\n\r\n", &["", ""]);
    check(&patterns(&["^a"], &[]), b"\xef\xbb\xbfa\n", &["a"]);
    check(
        &patterns(&[r"\berr\b"], &[]),
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
    check(&patterns(&["a.b"], &[]), b"a\xffb\nx\n", &["a\u{fffd}b"]);
    check(
        &patterns(&[r"^\S+$"], &[]),
        b"a\xff\xfeb\n",
        &["a\u{fffd}\u{fffd}b"],
    );
    check(
        &patterns(&[r"(?-u:\xff)"], &[]),
        b"a\xffb\n",
        &["a\u{fffd}b"],
    );
    check(&patterns(&["x"], &["a.b"]), b"x a\xffb\nx\n", &["x"]);
    let rule = patterns(&["user=(?<user>\\S+)"], &[]);
    let found = search(&[&rule], b"ok\nuser=a\xffb\nok\n", 1000);
    assert_eq!(found[0].captures, [("user".into(), "a\u{fffd}b".into())]);
}

#[test]
fn the_first_pattern_found_gives_the_captures() {
    let rule = patterns(&["nothing (?<a>x)", "(?<b>b+)(?<c>c)?", "(?<d>.)"], &[]);
    let found = search(&[&rule], b"abbb\n", 1000);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].captures, [("b".into(), "bbb".into())]);
}

#[test]
fn nothing_beyond_the_limit_is_seen() {
    let rule = patterns(&["b"], &[]);
    assert!(search(&[&rule], b"aaaab\n", 4).is_empty());
    let found = search(&[&rule], "baaé\nx\n".as_bytes(), 4);
    assert_eq!(found[0].record, 0..3);
    assert_eq!(found[0].line, 0..6);
    let rule = patterns(&["(?<long>a+)"], &[]);
    let found = search(&[&rule], &[b'a'; 5000], 4000);
    assert_eq!(found[0].captures[0].1.len(), CAPTURE_CHARS_MAX);
}

#[test]
fn secrets_are_in_no_capture() {
    let rule = patterns(&[r"token=(?<token>\S+) by (?<who>\w+)"], &[]);
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
        let found = search(&[&patterns(&[pattern], &[])], line, 1000);
        assert_eq!(found[0].captures, [("part".into(), "[redacted]".into())]);
    }

    let own = Redactor::new(vec![Regex::new("b.b").unwrap()]);
    let rule = patterns(&["(?<all>.+)"], &[]);
    let mut found = Vec::new();
    let matcher = Matcher::new(&[&rule], 1000).hiding(Arc::new(own));
    matcher.search(b"a bob\n", &mut |hit| found.push(hit));
    assert_eq!(found[0].captures[0].1, "a [redacted]");
}

#[test]
fn no_rules_no_hits() {
    assert!(search(&[], b"a\nb\n", 10).is_empty());
    assert!(search(&[&patterns(&["a"], &[])], b"", 10).is_empty());
}

fn any_pattern() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "b+c",
        "^a",
        "a$",
        "^$",
        r"\ba\b",
        ".",
        r"\S\S",
        "é",
        "(?i)É",
        "[^a]",
        r"a\s*b",
        r"(?-u:\xff)",
        "(?<x>a)(?<y>b)?",
        "a|bc|^c",
        "(?m)^b$",
        "x*",
        r"\w{3}",
        "\u{fffd}",
        "(?s)a.c",
        r"c\r?",
        r"\x00",
    ])
}

fn any_region() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::sample::select(vec![
        b"a".as_slice(),
        b"b",
        b"c",
        b"\n",
        b"\r\n",
        b" ",
        b"\0",
        b"\xff",
        b"\xc3",
        "é".as_bytes(),
        "\u{feff}".as_bytes(),
        b"\xe2\x82",
        b"\n\n",
    ]);
    prop::collection::vec(bytes, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn records_are_searched_as_a_whole(
        rules in prop::collection::vec(
            (prop::collection::vec(any_pattern(), 1..3), prop::collection::vec(any_pattern(), 0..2)),
            1..4,
        ),
        (before, record, after) in (any_region(), any_region(), any_region()),
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
            .filter_map(|(idx, rule)| Some((idx, rule.hit(&text, &Redactor::default())?)))
            .collect();
        prop_assert_eq!(&found, &expected);
        if !found.is_empty() && !record.contains(&b'\n') {
            prop_assert!(matcher.may_hit_within(&[before, record, after].concat()));
        }
    }

    #[test]
    fn finds_what_every_rule_on_every_line_finds(
        rules in prop::collection::vec(
            (prop::collection::vec(any_pattern(), 1..3), prop::collection::vec(any_pattern(), 0..2)),
            1..4,
        ),
        region in any_region(),
        line_bytes_max in 1_usize..20,
    ) {
        let rules: Vec<Patterns> = rules
            .iter()
            .map(|(matches, excepts)| patterns(matches, excepts))
            .collect();
        let rules: Vec<&Patterns> = rules.iter().collect();
        prop_assert_eq!(
            search(&rules, &region, line_bytes_max),
            search_naively(&rules, &region, line_bytes_max)
        );
    }
}
