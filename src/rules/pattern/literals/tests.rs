//! Tables of patterns, and of what records must hold for them.

use super::*;

/// Letters that fold are shown in a pair of angles.
fn shown(literal: &Literal) -> String {
    let pairs = literal.bytes.iter().zip(&literal.folds);
    let shown = pairs.flat_map(|(byte, fold)| match fold {
        0 => vec![*byte],
        _ => vec![b'<', *byte, b'>'],
    });
    String::from_utf8_lossy(&shown.collect::<Vec<_>>()).into_owned()
}

fn check(pattern: &str, expected: Option<&[&str]>) {
    let hir = regex_syntax::ParserBuilder::new()
        .utf8(false)
        .build()
        .parse(pattern)
        .unwrap();
    let rarest = required(&hir).map(|required| required.rarest);
    let found = rarest.map(|rarest| rarest.iter().map(shown).collect::<Vec<_>>());
    let expected = expected.map(|list| list.iter().map(ToString::to_string).collect());
    assert_eq!(found, expected, "{pattern}");
}

#[test]
fn finds_what_a_record_must_hold() {
    check("segfault at", Some(&["segfault at"]));
    check(
        "Kill(?:ed)? process",
        Some(&["Kill process", "Killed process"]),
    );
    check(r"\bOOM\b.*(\d+) is full", Some(&[" is full"]));
    check("(?i)sd1", Some(&["<s><d>1"]));
    check("(?i:k)iosk", Some(&["<k>iosk"]));
    check("[ab]cd", Some(&["acd", "bcd"]));
    check("(?:xyz)+", Some(&["xyz"]));
    check("(?:ab){3}", Some(&["ababab"]));
    check("foo|ba[rz]", Some(&["bar", "baz", "foo"]));
    check("a(?:bc|bd)?e", None);
    check("foo|.*", None);
    check("foo|", None);
    check(r"\d{8}", None);
    check("(?:foo)*", None);
    check("(?:foo)?", None);
    // What would be written plainly stands in no string.
    check("\u{17f}abc", None);
    check("[\u{17f}x]abc", Some(&["abc"]));
    check("[^\\x00-\\u{10FFFF}]", Some(&[]));
}

#[test]
fn knows_what_else_a_record_must_hold() {
    for (pattern, expected) in [
        ("postgres.*FATAL.*shard", &[&["FATAL"][..], &["shard"]][..]),
        (r"(?i)lease (\S+) was fenced", &[&["<l><e><a><s><e> "]]),
        ("kafka.*(?:ERROR|PANIC)", &[&["ERROR", "PANIC"]]),
        // What is said already, what may be missing, and what is in every line.
        ("was fenced.*fenced", &[]),
        ("shard (?:is )?(?:stalled)?", &[]),
        (r"\d+: shard", &[]),
    ] {
        let hir = regex_syntax::parse(pattern).unwrap();
        let others = required(&hir).unwrap().others;
        let mut shown: Vec<Vec<String>> = (others.iter())
            .map(|list| list.iter().map(shown).collect())
            .collect();
        shown.sort();
        let mut expected: Vec<Vec<String>> = (expected.iter())
            .map(|list| list.iter().map(ToString::to_string).collect())
            .collect();
        expected.sort();
        assert_eq!(shown, expected, "{pattern}");
    }
}

#[test]
fn writes_plainly_what_folds_or_is_space() {
    for (character, plainly) in [('\u{17f}', 's'), ('\u{212a}', 'k')] {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        assert_eq!(plain(bytes), Some((plainly as u8, bytes.len())));
    }
    // All that fold with ASCII, and all spaces, as the regex crate knows them.
    let known = regex::Regex::new(r"(?i)^(?:[a-z]|\s)$").unwrap();
    for character in
        ('\u{80}'..=char::MAX).filter(|character| known.is_match(&character.to_string()))
    {
        assert!(
            plain(character.to_string().as_bytes()).is_some(),
            "{character:?}"
        );
    }
    let aside = ('\u{80}'..=char::MAX)
        .filter(|character| plain(character.to_string().as_bytes()).is_some());
    let mut known = ASIDE;
    known.sort_unstable();
    assert_eq!(aside.collect::<Vec<_>>(), known);
    assert_eq!(plain("é".as_bytes()), None);
    assert_eq!(plain("s".as_bytes()), None);
}
