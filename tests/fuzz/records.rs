//! Any bytes as a file, read in any way and in any pieces: positions go forward, nothing
//! is found twice, and nothing that is whole is found in pieces only because of where a
//! read ended.

#![no_main]

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use logcrier::engine::scan::{Ending, Region, scan};
use logcrier::rules::pattern::{Pattern, Patterns};
use logcrier::rules::records::conditions::Where;
use logcrier::rules::records::reading::{Encoding, Format, Joins, Multiline, Reading};
use logcrier::rules::records::searcher::{Context, Kept, Searcher, Selector};

fn readings() -> Vec<Reading> {
    let start = regex::bytes::Regex::new("^[0-9]").expect("it is constant");
    let joined = |joins| {
        Some(Multiline {
            joins,
            timeout: Duration::from_secs(5),
        })
    };
    let mut readings = Vec::new();
    for (_, format) in Format::ALL {
        for multiline in [
            None,
            joined(Joins::Indent),
            joined(Joins::Start(Arc::new(Pattern::of(&start)))),
        ] {
            readings.push(Reading {
                format,
                multiline,
                line_bytes_max: 64,
                ..Reading::default()
            });
        }
    }
    for label in ["utf-16le", "utf-16be", "windows-1252", "shift_jis"] {
        readings.push(Reading {
            encoding: Encoding::of(label).expect("it is constant"),
            ..Reading::default()
        });
    }
    readings
}

fn searchers() -> &'static [Searcher] {
    static SEARCHERS: OnceLock<Vec<Searcher>> = OnceLock::new();
    SEARCHERS.get_or_init(|| {
        let anything = regex::bytes::Regex::new("(?s).").expect("it is constant");
        let selector = Selector {
            patterns: Patterns {
                matches: vec![Arc::new(Pattern::of(&anything))],
                excepts: Vec::new(),
            },
            conditions: Where::default(),
            kept: Kept {
                all: true,
                ..Kept::default()
            },
        };
        (readings().into_iter())
            .flat_map(|reading| {
                [Context::default(), Context { before: 2, after: 2 }].map(|context| {
                    let selectors = vec![selector.clone()];
                    Searcher::of(reading.clone(), selectors, vec![context], &Arc::default())
                })
            })
            .collect()
    })
}

/// The starts and ends of what is found in a file that grows to these lengths.
fn found(searcher: &Searcher, file: &[u8], lengths: &[usize]) -> Vec<(u64, u64)> {
    let (mut offset, mut skipping) = (0, false);
    let mut found = Vec::new();
    for &len in lengths {
        let region = Region {
            bytes: &file[offset..len],
            offset: offset as u64,
            before: &file[..offset],
            skipping,
            ending: Ending::Leave,
            may_count: false,
        };
        let scanned = scan(region, searcher);
        let upto = usize::try_from(scanned.upto).expect("files are small");
        assert!(offset <= upto && upto <= len);
        assert!(!scanned.is_binary);
        assert!(scanned.n_unfinished <= (len - offset) as u64);
        found.extend(scanned.hits.iter().map(|hit| (hit.start, hit.end)));
        (offset, skipping) = (upto, scanned.skipping);
        // What is taken as it stands is forgotten by nobody but this test.
        for ending in [Ending::Pass, Ending::Take] {
            let _ = scan(Region { ending, ..region }, searcher);
        }
    }
    found
}

fuzz_target!(|bytes: &[u8]| {
    let [which, cuts @ ..] = bytes else { return };
    if cuts.len() < 4 {
        return;
    }
    let (cuts, file) = cuts.split_at(3);
    let searchers = searchers();
    let searcher = &searchers[usize::from(*which) % searchers.len()];
    // NULs that a region begins with are a hole.
    if searcher.reading().encoding.pairs().is_none() && file.contains(&0) {
        return;
    }
    let mut lengths: Vec<usize> = (cuts.iter())
        .map(|cut| usize::from(*cut) * file.len() / 255)
        .collect();
    lengths.sort_unstable();
    lengths.push(file.len());
    let in_pieces = found(searcher, &file, &lengths);
    let mut starts: Vec<u64> = in_pieces.iter().map(|(start, _)| *start).collect();
    starts.sort_unstable();
    starts.dedup();
    assert_eq!(starts.len(), in_pieces.len(), "found twice");
    let mut in_pieces = in_pieces;
    in_pieces.sort_unstable();
    let mut at_once = found(searcher, &file, &[file.len()]);
    at_once.sort_unstable();
    assert_eq!(in_pieces, at_once);
});
