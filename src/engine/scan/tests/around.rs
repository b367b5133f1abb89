//! Lines around a hit.

use super::*;

fn wanting(before: usize, after: usize) -> Searcher {
    searcher(Reading::default(), "ERROR", Context { before, after })
}

/// What is shown around the hits of a file that is read from `offset` on.
fn around(
    searcher: &Searcher,
    file: &[u8],
    offset: usize,
    ending: Ending,
) -> Vec<(String, String)> {
    let region = Region {
        bytes: &file[offset..],
        offset: offset as u64,
        before: &file[..offset],
        skipping: false,
        ending,
        may_count: false,
    };
    let shown = |hit: &Hit| {
        let around = hit.sample.around.as_deref().cloned().unwrap_or_default();
        (around.before, around.after)
    };
    scan(region, searcher).hits.iter().map(shown).collect()
}

#[test]
fn lines_before_a_hit_are_read_back_in_the_file() {
    let file = b"one\r\ntwo\nthree\nERROR\nfour\n";
    let searcher = wanting(2, 0);
    let expected = [("two\nthree".to_owned(), String::new())];
    for offset in [0, 5, 9, 15] {
        assert_eq!(
            around(&searcher, file, offset, Ending::Leave),
            expected,
            "{offset}"
        );
    }
    let all = [("one\ntwo\nthree".to_owned(), String::new())];
    assert_eq!(around(&wanting(9, 0), file, 15, Ending::Leave), all);
}

#[test]
fn lines_after_a_hit_are_waited_for() {
    let searcher = wanting(0, 2);
    let file = b"x\nERROR\nthree\nfour\nfive\n";
    let hits = |len: usize, ending| around(&searcher, &file[..len], 0, ending);
    let after = |text: &str| vec![(String::new(), text.to_owned())];
    // Not one of them, one, and one and a half: the position stays before the hit.
    for len in [8, 14, 16] {
        assert_eq!(hits(len, Ending::Leave), []);
        let region = Region {
            bytes: &file[..len],
            offset: 0,
            before: &[],
            skipping: false,
            ending: Ending::Leave,
            may_count: false,
        };
        let scanned = scan(region, &searcher);
        assert_eq!((scanned.upto, scanned.waits), (2, Waits::After), "{len}");
        assert_eq!(scanned.n_unfinished, len as u64 - 2, "{len}");
    }
    assert_eq!(hits(19, Ending::Leave), after("three\nfour"));
    assert_eq!(hits(24, Ending::Leave), after("three\nfour"));
    // Long enough.
    assert_eq!(hits(8, Ending::Pass), after(""));
    assert_eq!(hits(16, Ending::Pass), after("three\nfo"));
}

#[test]
fn what_waits_holds_back_what_is_behind_it_and_nothing_before() {
    let searcher = wanting(0, 1);
    let file = b"ERROR 1\nERROR 2\n";
    assert_eq!(
        hits_of(&searcher, file, &[(16, Ending::Leave), (16, Ending::Pass)]),
        ["0 ERROR 1", "8 ERROR 2"]
    );
}

#[test]
fn secrets_around_a_hit_are_hidden() {
    let file = b"password=hunter2\nERROR\ntoken: abcdef0123456789\n";
    let shown = around(&wanting(1, 1), file, 0, Ending::Leave);
    assert_eq!(
        shown,
        [(
            "password=[redacted]".to_owned(),
            "token: [redacted]".to_owned()
        )]
    );
    let key = b"-----BEGIN PRIVATE KEY-----\nMIIEvQ ERROR\nabcdefgh\n-----END PRIVATE KEY-----\n";
    let shown = around(&wanting(1, 2), key, 0, Ending::Leave);
    assert!(!format!("{shown:?}").contains("abcdefgh"), "{shown:?}");
}

#[test]
fn what_is_shown_is_bounded() {
    let mut file = format!("{}\n", "é".repeat(1_000)).repeat(40).into_bytes();
    file.extend(b"ERROR\n");
    let (before, _) = around(&wanting(40, 0), &file, 0, Ending::Leave).remove(0);
    assert!(
        before.chars().count() <= 1_200,
        "{}",
        before.chars().count()
    );
    assert!(before.lines().all(|line| line.chars().count() == 301));
}
