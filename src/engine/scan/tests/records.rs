//! Records that are more than lines of UTF-8, read as files grow.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::rules::records::reading::{Format, Joins, Multiline};

fn joining(joins: Joins) -> Reading {
    Reading {
        multiline: Some(Multiline {
            joins,
            timeout: Duration::from_secs(5),
        }),
        ..Reading::default()
    }
}

fn pattern(text: &str) -> Arc<Pattern> {
    Arc::new(Pattern::of(&Regex::new(text).unwrap()))
}

fn of_format(format: Format) -> Reading {
    Reading {
        format,
        ..Reading::default()
    }
}

fn encoded(label: &str) -> Reading {
    Reading {
        encoding: Encoding::of(label).unwrap(),
        ..Reading::default()
    }
}

/// All records of a file that is read at once and then taken as it stands.
fn records_of(reading: &Reading, file: &[u8]) -> Vec<String> {
    let all = searcher(reading.clone(), r"(?s)^.", Context::default());
    let len = file.len();
    hits_of(
        &all,
        file,
        &[
            (len, Ending::Leave),
            (len, Ending::Pass),
            (len, Ending::Take),
        ],
    )
}

#[test]
fn lines_that_form_one_record() {
    let file = b"1 a\n  b\n\tc\n2 d\n\n  e\n3 f\n";
    let indent = joining(Joins::Indent);
    assert_eq!(
        records_of(&indent, file),
        ["0 1 a\n  b\n\tc", "11 2 d", "15 \n  e", "~20 3 f"]
    );
    let start = joining(Joins::Start(pattern(r"^\d")));
    assert_eq!(
        records_of(&start, file),
        ["0 1 a\n  b\n\tc", "11 2 d\n\n  e", "~20 3 f"]
    );
    let continues = joining(Joins::Continue(pattern(r"^(\s|$)")));
    assert_eq!(records_of(&continues, file), records_of(&start, file));
}

#[test]
fn anchors_are_the_ends_of_a_record() {
    let reading = joining(Joins::Indent);
    let file = b"head\n  tail\nnext\n";
    let found = |regex: &str| {
        let searcher = searcher(reading.clone(), regex, Context::default());
        hits_of(&searcher, file, &[(17, Ending::Take)]).len()
    };
    for (regex, n_hits) in [
        ("^head", 1),
        ("tail$", 1),
        ("head$", 0),
        (r"^\s+tail", 0),
        (r"head\n\s+tail", 1),
        (r"head.+tail", 0),
        (r"(?s)head.+tail", 1),
        ("(?m)head$", 1),
        ("next$", 1),
    ] {
        assert_eq!(found(regex), n_hits, "{regex}");
    }
}

/// Situations D13 and B18: wherever a read ends, a record is found as a whole.
#[test]
fn d13_a_record_lies_across_reads() {
    let reading = joining(Joins::Indent);
    let file = b"1 ERROR\r\n  at a\r\n  at b\r\n2 fine\n  at c\n3 ERROR\n";
    let searcher = searcher(reading, "(?s)ERROR.*|at b", Context::default());
    let expected = ["0 1 ERROR\n  at a\n  at b", "~39 3 ERROR"];
    for first in 0..file.len() {
        for second in first..file.len() {
            let lengths = [
                (first, Ending::Leave),
                (second, Ending::Leave),
                (file.len(), Ending::Leave),
                (file.len(), Ending::Take),
            ];
            assert_eq!(
                hits_of(&searcher, file, &lengths),
                expected,
                "{first} {second}"
            );
        }
    }
}

/// The rest of a record comes after it was taken as it stood: it begins where it began.
#[test]
fn a_record_that_was_taken_is_matched_again_as_a_whole() {
    let searcher = searcher(joining(Joins::Indent), "(?s)ERROR.*", Context::default());
    let file = b"1 ERROR\n  at a\n  at b\n2 fine\n";
    assert_eq!(
        hits_of(
            &searcher,
            file,
            &[(8, Ending::Take), (17, Ending::Take), (29, Ending::Leave)]
        ),
        [
            "~0 1 ERROR",
            "~0 1 ERROR\n  at a\n  ",
            "0 1 ERROR\n  at a\n  at b"
        ]
    );
}

#[test]
fn a_line_that_begins_another_record_ends_the_one_before_it() {
    let searcher = searcher(joining(Joins::Indent), "ERROR", Context::default());
    assert_eq!(
        hits_of(&searcher, b"ERROR 1\n  x\nERROR 2", &[(19, Ending::Take)]),
        ["0 ERROR 1\n  x", "~12 ERROR 2"]
    );
}

#[test]
fn records_are_bounded() {
    let searcher = searcher(joining(Joins::Indent), "^HEAD", Context::default());
    for (line, n_lines) in [
        ("  x\n", 100_000),
        (&*format!("  {}\n", "y".repeat(9_000)), 200),
    ] {
        let file = format!("HEAD\n{}HEAD\n", line.repeat(n_lines)).into_bytes();
        let found = {
            let (mut offset, mut hits, mut skipping) = (0, Vec::new(), false);
            loop {
                let end = file.len().min(offset + REGION_BYTES_MAX);
                let region = Region {
                    bytes: &file[offset..end],
                    offset: offset as u64,
                    before: &file[offset.saturating_sub(64)..offset],
                    skipping,
                    ending: match end == file.len() {
                        true => Ending::Take,
                        false => Ending::Leave,
                    },
                    may_count: false,
                };
                let scanned = scan(region, &searcher);
                assert!(
                    end == file.len() || scanned.upto > offset as u64,
                    "it goes on"
                );
                hits.extend(
                    scanned
                        .hits
                        .iter()
                        .map(|hit| (hit.start, hit.sample.n_more_bytes)),
                );
                offset = usize::try_from(scanned.upto).unwrap();
                skipping = scanned.skipping;
                if end == file.len() {
                    break hits;
                }
            }
        };
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[1].0, file.len() as u64 - 5);
        assert!(found[0].1 < 300_000, "{found:?}");
    }
}

#[test]
fn what_is_not_kept_of_a_record_is_counted() {
    // What is longer than is kept of a line is missing of each line of a record.
    let short = Reading {
        line_bytes_max: 100,
        ..joining(Joins::Indent)
    };
    let long = format!("HEAD {}\n  {}\n", "x".repeat(150), "y".repeat(150));
    // 655 lines fit behind the first, and a piece of the next; a record has 1,000.
    let many = format!("HEAD\n{}", format!("  {}\n", "x".repeat(97)).repeat(1_200));
    let n_kept = crate::engine::records::RECORD_BYTES_MAX;
    let n_left = 99 - (n_kept - 4 - 655 * 100 - 1) + (999 - 656) * 99;
    for (reading, file, n_more) in [
        (short, long, 55 + 52),
        (joining(Joins::Indent), many, n_kept - 1_000 + n_left),
    ] {
        let searcher = searcher(reading, "^HEAD", Context::default());
        let region = Region {
            bytes: file.as_bytes(),
            offset: 0,
            before: &[],
            skipping: false,
            ending: Ending::Take,
            may_count: false,
        };
        let scanned = scan(region, &searcher);
        assert_eq!(scanned.hits[0].sample.n_more_bytes, n_more as u64);
    }
}

/// Situation D14: two strands, and one that is never ended.
#[test]
fn d14_what_containers_write_is_joined() {
    let line = |stream: &str, tag: &str, text: &str| {
        format!("2026-11-21T10:00:00.5Z {stream} {tag} {text}\n")
    };
    let file = [
        line("stdout", "P", "one "),
        line("stderr", "F", "two"),
        line("stdout", "P", "three "),
        line("stderr", "P", "four "),
        line("stdout", "F", "five"),
        line("stderr", "F", "six"),
        "not of this format\n".to_owned(),
        line("stdout", "P", "never ended"),
        line("stderr", "F", "seven"),
    ]
    .concat();
    let reading = of_format(Format::Cri);
    let texts = |hits: &[String]| -> Vec<String> {
        let text = |hit: &String| hit.split_once(' ').unwrap().1.to_owned();
        hits.iter().map(text).collect()
    };
    let all = [
        "one three five",
        "two",
        "four six",
        "not of this format",
        "never ended",
        "seven",
    ];
    assert_eq!(texts(&records_of(&reading, file.as_bytes())), all);
    let searcher = searcher(reading, "(?s)^.", Context::default());
    for cut in 0..file.len() {
        let lengths = [(cut, Ending::Leave), (file.len(), Ending::Leave)];
        let hits = hits_of(&searcher, file.as_bytes(), &lengths);
        // The one that is not ended holds back what follows.
        assert_eq!(texts(&hits), all[..4], "{cut}");
    }
}

/// Situation D19.
#[test]
fn d19_what_docker_splits_is_joined() {
    let file = br#"{"log":"one ","stream":"stdout","time":"2026-11-21T10:00:00Z"}
{"log":"two\n","stream":"stdout","time":"2026-11-21T10:00:00Z"}
{"log":"thr\u00e9\u00e9\r\n","stream":"stderr","time":"2026-11-21T10:00:00Z"}
"#;
    let records = records_of(&of_format(Format::Docker), file);
    assert_eq!(records, ["0 one two", "127 thréé"]);
}

#[test]
fn stack_traces_of_containers_are_joined_strand_by_strand() {
    let line = |stream: &str, text: &str| format!("2026-11-21T10:00:00Z {stream} F {text}\n");
    let file = [
        line("stderr", "ERROR"),
        line("stdout", "fine"),
        line("stderr", "  at a"),
        line("stdout", "  at b"),
    ]
    .concat();
    let reading = Reading {
        format: Format::Cri,
        ..joining(Joins::Indent)
    };
    let records = records_of(&reading, file.as_bytes());
    assert_eq!(records, ["0 ERROR\n  at a", "36 fine\n  at b"]);
}

#[test]
fn fields_of_json_and_logfmt() {
    for (format, file) in [
        (Format::Json, r#"{"msg":"it ERROR","ts":1767323045,"x":1}"#),
        (Format::Logfmt, r#"ts=1767323045 msg="it ERROR" x=1"#),
        (Format::Json, "no json: ERROR"),
        (Format::Logfmt, "no pairs: ERROR"),
    ] {
        let anchored = searcher(of_format(format), "ERROR$", Context::default());
        let file = format!("{file}\n");
        let region = Region {
            bytes: file.as_bytes(),
            offset: 0,
            before: &[],
            skipping: false,
            ending: Ending::Leave,
            may_count: false,
        };
        let scanned = scan(region, &anchored);
        assert_eq!(scanned.hits.len(), 1, "{file}");
        assert_eq!(scanned.hits[0].sample.line, file.trim_end());
        let is_parsed = file.contains("1767323045");
        assert_eq!(scanned.n_unparsed, u64::from(!is_parsed), "{file}");
        assert_eq!(scanned.hits[0].stamp.is_some(), is_parsed, "{file}");
    }
}

/// Situation D9: with and without a byte order mark, with line feeds as halves of other
/// characters, and read on from any line.
#[test]
fn d9_lines_of_pairs() {
    let text = "\u{feff}one\r\n\u{0a0a}two\u{0a00}\u{000a}\u{3130} ERROR\nlast";
    for (label, bytes) in [
        (
            "utf-16le",
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>(),
        ),
        (
            "utf-16be",
            text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ),
    ] {
        for bytes in [bytes.as_slice(), &bytes[2..]] {
            let reading = encoded(label);
            let all = searcher(reading.clone(), "(?s)^.", Context::default());
            let expected: Vec<String> = ["one", "\u{0a0a}two\u{0a00}", "\u{3130} ERROR"]
                .map(str::to_owned)
                .into();
            for cut in 0..=bytes.len() {
                let lengths = [(cut, Ending::Leave), (bytes.len(), Ending::Leave)];
                let hits = hits_of(&all, bytes, &lengths);
                let lines = hits
                    .iter()
                    .map(|hit| hit.split_once(' ').unwrap().1.to_owned());
                assert_eq!(lines.collect::<Vec<String>>(), expected, "{label} {cut}");
            }
            let last = records_of(&reading, bytes).pop();
            assert!(last.is_some_and(|hit| hit.starts_with('~') && hit.ends_with(" last")));
        }
    }
}

#[test]
fn other_encodings() {
    for (label, bytes, expected) in [
        ("latin1", b"caf\xe9 ERROR\n".as_slice(), "0 café ERROR"),
        ("shift_jis", b"\x83\x47\x83\x89\x81\x5b\n", "0 エラー"),
        ("gb18030", b"\xb4\xed\xce\xf3\n", "0 错误"),
    ] {
        assert_eq!(records_of(&encoded(label), bytes), [expected], "{label}");
    }
}

#[test]
fn lines_longer_than_is_kept() {
    let reading = Reading {
        line_bytes_max: 100,
        ..of_format(Format::Json)
    };
    let file = format!("{{\"msg\":\"{}\"}}\nshort\n", "x".repeat(200));
    let searcher = searcher(reading, "^.", Context::default());
    let region = Region {
        bytes: file.as_bytes(),
        offset: 0,
        before: &[],
        skipping: false,
        ending: Ending::Leave,
        may_count: false,
    };
    let scanned = scan(region, &searcher);
    assert_eq!((scanned.n_cut, scanned.hits.len()), (1, 2));
    assert_eq!(scanned.hits[0].sample.n_more_bytes, 110);
}

proptest! {
    /// Whatever the bytes and wherever they are cut: it ends, nothing is found twice,
    /// and positions go forward.
    #[test]
    fn any_bytes_in_any_pieces(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                b"\n".as_slice(), b"\0\n", b"\n\0", b"  x", b"ERROR", b"\xff", b"\r",
                b"{\"log\":\"a\",\"stream\":\"stdout\"}\n", b"2026-01-01T00:00:00Z stdout P a\n",
                b"2026-01-01T00:00:00Z stderr F b\n", b"a=\"", b"\\\"",
            ]),
            0..30,
        ),
        cuts in prop::collection::vec(0_usize..400, 0..6),
        which in 0_usize..6,
    ) {
        let file = parts.concat();
        let reading = [
            joining(Joins::Indent),
            of_format(Format::Cri),
            of_format(Format::Docker),
            of_format(Format::Logfmt),
            encoded("utf-16le"),
            encoded("utf-16be"),
        ][which].clone();
        let searcher = searcher(reading, "(?s)^.", Context { before: 1, after: 1 });
        let mut lengths: Vec<usize> = cuts.iter().map(|cut| (*cut).min(file.len())).collect();
        lengths.sort_unstable();
        lengths.extend([file.len(), file.len()]);
        let (mut offset, mut seen, mut skipping) = (0, std::collections::BTreeSet::new(), false);
        for (idx, len) in lengths.iter().enumerate() {
            let region = Region {
                bytes: &file[offset..*len],
                offset: offset as u64,
                before: &file[..offset],
                skipping,
                ending: match idx + 1 == lengths.len() {
                    true => Ending::Pass,
                    false => Ending::Leave,
                },
                may_count: false,
            };
            let scanned = scan(region, &searcher);
            prop_assert!(scanned.upto >= offset as u64 && scanned.upto <= *len as u64);
            for hit in &scanned.hits {
                prop_assert!(seen.insert(hit.start), "twice at {}", hit.start);
                prop_assert!(!hit.unfinished);
            }
            offset = usize::try_from(scanned.upto).unwrap();
            skipping = scanned.skipping;
        }
    }
}

/// Where the records that are found in a file begin that grows to these lengths, read as
/// far as it goes each time. What is taken early is shown with a `~`.
fn found_as_it_grows(searcher: &Searcher, file: &[u8], lengths: &[(usize, Ending)]) -> Vec<String> {
    let (mut offset, mut skipping) = (0, false);
    let mut found = Vec::new();
    for &(len, ending) in lengths {
        loop {
            let end = len.min(offset + REGION_BYTES_MAX);
            let region = Region {
                bytes: &file[offset..end],
                offset: offset as u64,
                before: &file[offset.saturating_sub(64)..offset],
                skipping,
                ending: match end == len {
                    true => ending,
                    false => Ending::Leave,
                },
                may_count: false,
            };
            let scanned = scan(region, searcher);
            found.extend(scanned.hits.iter().map(|hit| {
                let mark = if hit.unfinished { "~" } else { "" };
                format!("{mark}{}", hit.start)
            }));
            skipping = scanned.skipping;
            let before = std::mem::replace(&mut offset, usize::try_from(scanned.upto).unwrap());
            if end == len || offset == before {
                break;
            }
        }
    }
    found
}

/// Situation D6: wherever a record stands when one of its lines turns out to be longer
/// than a region, and however much of it was taken as it stood before that, the line's
/// head goes on with it and it begins where it began.
#[test]
fn d6_an_over_long_line_goes_on_with_its_record() {
    use Ending::{Leave, Take};
    let searcher = searcher(joining(Joins::Indent), "HEAD", Context::default());
    let region = REGION_BYTES_MAX;
    for n_head in [10, 60, 70, 1_000, region / 2 - 1] {
        for n_before in [0, 7, 100, region - 100] {
            let mut file = [vec![b'x'; n_before], b"\nHEAD ".to_vec()].concat();
            let start = n_before + 1;
            file.resize(start + n_head, b'y');
            let head = file.len() + 1;
            file.extend_from_slice(b"\n  HEAD ");
            let early = file.len();
            file.resize(head + region + 9_999, b'y');
            let end = file.len() + 1;
            file.extend_from_slice(b"\nHEAD\n");
            let all = file.len();
            for lengths in [
                vec![],
                vec![(head, Take)],
                vec![(early, Take)],
                vec![(head, Take), (early, Take)],
                vec![(head, Leave), (early, Leave)],
                vec![(early, Take), (head + region / 3, Take)],
            ] {
                let n_early = lengths.iter().filter(|(_, ending)| *ending == Take).count();
                let lengths = [lengths, vec![(all, Leave), (all, Take)]].concat();
                let found = found_as_it_grows(&searcher, &file, &lengths);
                let expected = [
                    vec![format!("~{start}"); n_early],
                    vec![format!("{start}"), format!("~{end}")],
                ]
                .concat();
                assert_eq!(found, expected, "{n_head} {n_before} {lengths:?}");
            }
        }
    }
}

/// A line that ends what is open is none of it, however long it is.
#[test]
fn an_over_long_line_that_is_not_set_back_is_a_record_of_its_own() {
    let searcher = searcher(joining(Joins::Indent), "HEAD", Context::default());
    for n_head in [8, 1_000] {
        let mut file = b"HEAD ".to_vec();
        file.resize(n_head, b'y');
        file.extend_from_slice(b"\nHEAD ");
        let second = n_head + 1;
        file.resize(second + REGION_BYTES_MAX + 5, b'y');
        let len = file.len();
        let found = found_as_it_grows(&searcher, &file, &[(len, Ending::Leave)]);
        assert_eq!(found, ["0".to_owned(), second.to_string()], "{n_head}");
    }
}
