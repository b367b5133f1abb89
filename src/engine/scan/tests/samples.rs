//! What a message can show of a line, and how much of it there was more.

use super::*;

/// What is shown of the one line of a file, and the bytes that are not.
fn sample_in(searcher: &Searcher, line: &[u8]) -> (String, u64) {
    let file = [line, b"\n"].concat();
    let region = Region {
        bytes: &file,
        offset: 0,
        before: &[],
        skipping: false,
        ending: Ending::Leave,
        may_count: false,
    };
    let mut scanned = scan(region, searcher);
    assert_eq!(scanned.hits.len(), 1);
    let sample = scanned.hits.remove(0).sample;
    (sample.line.clone(), sample.n_more_bytes)
}

#[test]
fn what_is_not_shown_of_a_line_is_told_in_bytes() {
    let broken = b"\xe2\x82".repeat(999);
    for (line, n_more) in [
        ("x".repeat(1_000).as_bytes(), 0),
        ("x".repeat(1_001).as_bytes(), 1),
        (format!("{}\r", "x".repeat(1_001)).as_bytes(), 1),
        ("é".repeat(1_000).as_bytes(), 0),
        ("é".repeat(1_003).as_bytes(), 6),
        // What is no character is one that stands for it.
        (&b"\xff".repeat(1_000), 0),
        (&b"\xff".repeat(1_004), 4),
        (&[&broken, "é".as_bytes()].concat(), 0),
        (&[&broken, "éé".as_bytes()].concat(), 2),
        (&[&broken, b"\xff\xff\xff".as_slice()].concat(), 2),
    ] {
        let (shown, n_shown_less) = sample_in(&matcher("^"), line);
        assert_eq!(n_shown_less, n_more, "{shown}");
    }
}

#[test]
fn what_is_not_shown_of_a_line_with_a_secret_is_told_without_it() {
    let short = Reading {
        line_bytes_max: 2_000,
        ..Reading::default()
    };
    let searcher = searcher(short, r"^password=(?<what>\S+)", Context::default());
    let secret = "password=[redacted] ";
    for (n_bytes, ending, n_more) in [
        (0, "", 0),
        (1_000 - secret.len(), "", 0),
        (1_001 - secret.len(), "", 1),
        // Longer than is read of a line: the rest counts as well.
        (4_000, "", 4_000 + "password=hunter2 ".len() - 1_000),
        (4_000, "\r", 4_000 + "password=hunter2 ".len() - 1_000),
    ] {
        let line = format!("password=hunter2 {}{ending}", "x".repeat(n_bytes));
        let (shown, n_shown_less) = sample_in(&searcher, line.as_bytes());
        let shown_less = n_shown_less.abs_diff(n_more as u64);
        assert!(shown.starts_with(secret.trim_end()), "{shown}");
        // How long the secret was is not told.
        assert!(shown_less <= 3, "{n_bytes}: {n_shown_less}");
    }
}
