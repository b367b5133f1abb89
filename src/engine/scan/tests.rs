//! Bytes that real logs hold, read region by region as the agent does.

use regex::bytes::Regex;

use super::*;
use crate::rules::pattern::{Pattern, Patterns};
use crate::rules::records::conditions::Where;
use crate::rules::records::reading::LINE_BYTES_MAX;
use crate::rules::records::searcher::{Context, Kept, Selector};

mod around;
mod records;
mod samples;

fn matcher(pattern: &str) -> Searcher {
    searcher(Reading::default(), pattern, Context::default())
}

fn searcher(reading: Reading, pattern: &str, context: Context) -> Searcher {
    let regex = Regex::new(pattern).unwrap();
    let patterns = Patterns {
        matches: vec![Arc::new(Pattern::of(&regex))],
        excepts: Vec::new(),
    };
    let selector = Selector {
        patterns,
        conditions: Where::default(),
        kept: Kept::default(),
    };
    Searcher::of(reading, vec![selector], vec![context], &Arc::default())
}

/// The hits of a file as it is read when it grows: up to each of these lengths, and at
/// last with an ending. What is taken early is shown with a `~`.
fn hits_of(searcher: &Searcher, file: &[u8], lengths: &[(usize, Ending)]) -> Vec<String> {
    let (mut offset, mut skipping) = (0, false);
    let mut hits = Vec::new();
    for &(len, ending) in lengths {
        let region = Region {
            bytes: &file[offset..len],
            offset: offset as u64,
            before: &file[..offset],
            skipping,
            ending,
            may_count: false,
        };
        let scanned = scan(region, searcher);
        hits.extend(scanned.hits.iter().map(|hit| {
            let mark = if hit.unfinished { "~" } else { "" };
            format!("{mark}{} {}", hit.start, hit.sample.line)
        }));
        offset = usize::try_from(scanned.upto).unwrap();
        skipping = scanned.skipping;
    }
    hits
}

/// What is found in a file that is read in regions of `n_bytes`, from where it was
/// left, up to its end: where each hit begins, and what it shows.
fn found_in(file: &[u8], n_bytes: usize, pattern: &str) -> Vec<(u64, String)> {
    let matcher = matcher(pattern);
    let mut found = Vec::new();
    let (mut offset, mut skipping) = (0, false);
    loop {
        let end = file.len().min(offset + n_bytes);
        let region = Region {
            bytes: &file[offset..end],
            offset: offset as u64,
            before: &file[offset.saturating_sub(64)..offset],
            skipping,
            ending: Ending::Leave,
            may_count: false,
        };
        let scanned = scan(region, &matcher);
        found.extend((scanned.hits.iter()).map(|hit| (hit.start, hit.sample.line.clone())));
        if scanned.upto == offset as u64 {
            return found;
        }
        offset = usize::try_from(scanned.upto).unwrap();
        skipping = scanned.skipping;
    }
}

fn lines_of(file: &[u8], pattern: &str) -> Vec<String> {
    let found = found_in(file, REGION_BYTES_MAX, pattern);
    found.into_iter().map(|(_, line)| line).collect()
}

/// Situations D5 and D16: wherever a region ends, between `\r` and `\n` as well.
#[test]
fn d5_d16_line_ends_are_split_at_every_edge() {
    let file = b"one ERROR\r\n\r\n\n\r\ntwo ERROR\r\nthree\r\nfour ERROR\r\n";
    let whole = found_in(file, file.len(), "ERROR");
    let lines: Vec<&str> = whole.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(lines, ["one ERROR", "two ERROR", "four ERROR"]);
    for n_bytes in 12..file.len() {
        assert_eq!(found_in(file, n_bytes, "ERROR"), whole, "{n_bytes}");
    }
    for end in 0..file.len() {
        // Cut by the end of the file, and the rest comes later.
        let (head, matcher) = (&file[..end], matcher("ERROR"));
        let region = |bytes, offset| Region {
            bytes,
            offset,
            before: &[],
            skipping: false,
            ending: Ending::Leave,
            may_count: false,
        };
        let first = scan(region(head, 0), &matcher);
        let upto = usize::try_from(first.upto).unwrap();
        let second = scan(region(&file[upto..], first.upto), &matcher);
        let both = first.hits.iter().chain(&second.hits);
        let both: Vec<&str> = both.map(|hit| hit.sample.line.as_str()).collect();
        assert_eq!(both, lines, "{end}");
    }
}

/// Situation D6: a line of 100 MiB between short ones.
#[test]
fn d6_a_line_of_100_mib_is_one_event_and_its_neighbours_are_whole() {
    let mut file = b"before ERROR\n".to_vec();
    let start = file.len() as u64;
    file.extend_from_slice(b"long ERROR ");
    file.resize(100 << 20, b'y');
    file.extend_from_slice(b" ERROR\nafter ERROR\n");
    let found = found_in(&file, REGION_BYTES_MAX, "ERROR");
    let begin: Vec<(u64, &str)> = found.iter().map(|(at, line)| (*at, &line[..10])).collect();
    let after = file.len() as u64 - 12;
    assert_eq!(
        begin,
        [
            (0, "before ERR"),
            (start, "long ERROR"),
            (after, "after ERRO")
        ]
    );
}

/// Situation D7: the end of the file in the middle of it changes nothing.
#[test]
fn d7_an_over_long_line_goes_on_after_the_end_of_the_file() {
    let matcher = matcher("ERROR");
    let head = [b"ERROR ".as_slice(), &vec![b'y'; REGION_BYTES_MAX]].concat();
    let region = |bytes, offset, skipping| Region {
        bytes,
        offset,
        before: &[],
        skipping,
        ending: Ending::Take,
        may_count: false,
    };
    let first = scan(region(&head[..REGION_BYTES_MAX], 0, false), &matcher);
    assert!(first.skipping && first.hits.len() == 1 && first.n_cut == 1);
    let second = scan(region(b"still ERROR", first.upto, true), &matcher);
    assert!(second.skipping && second.hits.is_empty());
    let third = scan(region(b" ERROR\nnew ERROR\n", second.upto, true), &matcher);
    assert!(!third.skipping && third.hits.len() == 1);
    assert_eq!(third.hits[0].sample.line, "new ERROR");
}

/// Situation D8: bytes of another encoding between lines of text.
#[test]
fn d8_lines_that_are_no_utf8_hit_and_hide_nothing() {
    let file = b"caf\xe9 ERROR \xff\nplain ERROR\n";
    assert_eq!(
        lines_of(file, r"^\S+ ERROR"),
        ["caf\u{fffd} ERROR \u{fffd}", "plain ERROR"]
    );
}

/// Situation D10.
#[test]
fn d10_a_byte_order_mark_is_not_part_of_the_line() {
    assert_eq!(
        lines_of(b"\xef\xbb\xbfERROR one\n", "^ERROR"),
        ["ERROR one"]
    );
}

/// Situation D11, and NULs behind a line.
#[test]
fn d11_a_nul_in_a_line_is_kept_and_those_behind_it_are_not() {
    assert_eq!(lines_of(b"ERROR a\0b\n", "ERROR"), ["ERROR a\0b"]);
    assert_eq!(lines_of(b"ERROR end\0\0\0\n", "end$"), ["ERROR end"]);
}

/// Situation D15.
#[test]
fn d15_a_line_is_cut_between_characters() {
    for n_before in 0..4 {
        let mut file = vec![b'x'; n_before];
        file.extend("\u{1f600}".repeat(LINE_BYTES_MAX / 4 + 10).bytes());
        file.extend(b" ERROR\n");
        let region = Region {
            bytes: &file,
            offset: 0,
            before: &[],
            skipping: false,
            ending: Ending::Leave,
            may_count: false,
        };
        let scanned = scan(region, &matcher("\u{1f600}$"));
        assert_eq!((scanned.hits.len(), scanned.n_cut), (1, 1), "{n_before}");
        assert!(
            !scanned.hits[0].sample.line.contains('\u{fffd}'),
            "{n_before}"
        );
    }
}

/// Situation C5: a writer kept its position while the file was cut short.
#[test]
fn c5_a_hole_before_a_line_is_jumped_over() {
    for n_nuls in [
        1,
        100,
        REGION_BYTES_MAX - 3,
        REGION_BYTES_MAX,
        3 * REGION_BYTES_MAX + 5,
    ] {
        let mut file = vec![0; n_nuls];
        file.extend(b"ERROR one\nERROR two\n");
        assert_eq!(
            lines_of(&file, "^ERROR"),
            ["ERROR one", "ERROR two"],
            "{n_nuls}"
        );
    }
    // Room that is filled later is waited for.
    let region = Region {
        bytes: &[0; 100],
        offset: 0,
        before: &[],
        skipping: false,
        ending: Ending::Leave,
        may_count: false,
    };
    let scanned = scan(region, &matcher("ERROR"));
    assert_eq!((scanned.upto, scanned.n_unfinished), (0, 100));
}

/// Situation C5, where a character takes two bytes: a NUL may be the half of one.
#[test]
fn c5_a_hole_ends_before_a_whole_character() {
    let wide = |label| Reading {
        encoding: Encoding::of(label).unwrap(),
        ..Reading::default()
    };
    let full = crate::engine::records::region_bytes_full(&wide("utf-16le"));
    for (label, n_nuls, text, expected) in [
        ("utf-16le", 511, b"E\0".as_slice(), 0),
        ("utf-16le", 512, b"E\0", 512),
        ("utf-16le", 600, b"E\0", 600),
        ("utf-16be", 600, b"\0E", 600),
        ("utf-16be", 601, b"E", 600),
        ("utf-16le", full - 1, b"", 0),
        ("utf-16le", full, b"", full),
        ("utf-8", 1, b"E", 1),
    ] {
        let bytes = [vec![0; n_nuls].as_slice(), text].concat();
        assert_eq!(
            hole_before(&bytes, &wide(label)),
            expected,
            "{label} {n_nuls}"
        );
    }
}

/// Situation C5, where the file system tells where the hole ends: what proves the
/// position is the hole before it, and what proves the file is its beginning.
#[test]
fn c5_a_hole_that_is_jumped_over_leaves_its_marks() {
    let file = vec![0; REGION_BYTES_MAX];
    let region = Region {
        bytes: &file,
        offset: 0,
        before: &[],
        skipping: false,
        ending: Ending::Leave,
        may_count: false,
    };
    let scanned = jumped(&region, 5 << 30);
    assert_eq!(scanned.upto, 5 << 30);
    assert_eq!(scanned.head, head_marks(&region, file.len()));
    assert!(!scanned.head.is_empty());
    let hole = [0; MARK_BYTES_MAX as usize];
    assert_eq!(scanned.marks, [Mark::of(&hole, (5 << 30) - MARK_BYTES_MAX)]);
}

/// What is not finished may be cut off again, and the file is the same. Where nothing else stands,
/// nothing else tells whether it is.
#[test]
fn a_file_is_known_by_what_was_searched_of_it() {
    let head_of = |file: &[u8]| {
        let region = Region {
            bytes: file,
            offset: 0,
            before: &[],
            skipping: false,
            ending: Ending::Leave,
            may_count: false,
        };
        scan(region, &matcher("ERROR")).head
    };
    let file = [&[b'x'; 99], b"\n".as_slice(), &[b'y'; 900]].concat();
    assert_eq!(head_of(&file), [Mark::of(&file[..64], 0)]);
    let unfinished = [b'y'; 300];
    let all = [64, 256].map(|end| Mark::of(&unfinished[..end], 0));
    assert_eq!(head_of(&unfinished), all);
}

/// Situation D12.
#[test]
fn d12_what_begins_as_no_text_does_is_not_searched() {
    let elf = [
        b"\x7fELF\x02\x01\x01\0\0\0\0\0ERROR\n\0\0\0\x03\0>\0".as_slice(),
        &[1, 0, 0].repeat(300),
    ]
    .concat();
    assert!(is_binary(&elf));
    for text in [
        b"ERROR\n".as_slice(),
        b"ERROR a\0b\n",
        b"",
        &[0; 5_000],
        &[[0; 5_000].as_slice(), b"ERROR\n"].concat(),
        &[b"ERROR\n".as_slice(), &[0; 5_000], b"ERROR\n"].concat(),
        &[b"ERROR\n".as_slice(), &[0; 300], b"ERROR\n"].concat(),
    ] {
        assert!(!is_binary(text), "{:?}", &text[..text.len().min(20)]);
    }
}

/// Situation D12: some NULs among the letters are a slip, many are none.
#[test]
fn d12_a_text_may_hold_some_nuls() {
    // Each row of NULs stands before so many letters.
    let text = |n_rows: usize, n_nuls: usize, n_letters: usize| {
        let row = [vec![b'x'; n_letters], vec![0; n_nuls]].concat();
        [row.repeat(n_rows), b"x".to_vec()].concat()
    };
    for (n_rows, n_nuls, n_letters, expected) in [
        (4, 100, 1, false),
        (5, 100, 1, true),
        (8, 1, 1, false),
        (9, 1, 1, true),
        // The more letters, the more NULs.
        (5, 3, 64, true),
        (16, 1, 64, false),
        (16, 2, 64, true),
        // A long row is a hole.
        (9, HOLE_BYTES_MIN, 1, false),
        (9, HOLE_BYTES_MIN - 1, 1, true),
    ] {
        let bytes = text(n_rows, n_nuls, n_letters);
        let is_so = is_binary(&bytes);
        assert_eq!(is_so, expected, "{n_rows} of {n_nuls} by {n_letters}");
    }
}

/// Situation D17.
#[test]
fn d17_lines_that_end_in_carriage_returns_are_noticed() {
    assert!(has_bare_returns(&b"a line of an old Mac\r".repeat(300)));
    assert!(!has_bare_returns(
        &b"progress 1 %\rprogress 2 %\r".repeat(10)
    ));
    assert!(!has_bare_returns(&vec![b'y'; 10_000]));
}

/// Situation D18: nothing in here is smaller than a file can be.
#[test]
fn d18_offsets_beyond_4_gib() {
    let offset = (5 << 32) + 7;
    let region = Region {
        bytes: b"ERROR\nmore\nrest",
        offset,
        before: b"before\n",
        skipping: false,
        ending: Ending::Leave,
        may_count: false,
    };
    let scanned = scan(region, &matcher("ERROR"));
    assert_eq!(
        (scanned.hits[0].start, scanned.hits[0].end),
        (offset, offset + 6)
    );
    assert_eq!((scanned.upto, scanned.n_unfinished), (offset + 11, 4));
    assert_eq!(scanned.marks.last().map(|mark| mark.end), Some(offset + 11));
}

/// Whoever cut the end of a log off may write a line of the same kind there at once: only
/// its time tells it from the one that was read.
#[test]
fn what_proves_a_position_tells_lines_apart_that_end_alike() {
    let mark_of = |time: &str| {
        let message = "upstream timed out while it read the header of an answer, ".repeat(3);
        let line = format!("2026-02-01T{time} web error: {message}client 192.0.2.7\n");
        let region = Region {
            bytes: line.as_bytes(),
            offset: 0,
            before: &[],
            skipping: false,
            ending: Ending::Leave,
            may_count: false,
        };
        mark_before(&region, line.len())
    };
    assert_eq!(mark_of("10:00:00"), mark_of("10:00:00"));
    assert_ne!(mark_of("10:00:00"), mark_of("10:00:01"));
}
