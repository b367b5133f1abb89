//! Any regexes, any bytes: the search of a region finds what they find on every line.
//!
//! The input is regexes, a line each, up to the first byte `1E`; the region is the rest.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use logcrier::rules::pattern::{Matcher, Pattern, Patterns, record_in};
use regex::bytes::{Regex, RegexBuilder};

/// Regexes of one input, at most, and how long each may be.
const REGEXES_MAX: usize = 8;
const REGEX_BYTES_MAX: usize = 80;

/// Larger ones are slow, not interesting.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Short enough for lines to be cut.
const LINE_BYTES_MAX: usize = 200;

fuzz_target!(|bytes: &[u8]| {
    let Some(end) = bytes.iter().position(|byte| *byte == 0x1e) else {
        return;
    };
    let Ok(regexes) = std::str::from_utf8(&bytes[..end]) else {
        return;
    };
    let region = &bytes[end + 1..];
    let compiled: Vec<Regex> = (regexes.lines())
        .filter(|text| text.len() <= REGEX_BYTES_MAX)
        .filter_map(|text| RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build().ok())
        .take(REGEXES_MAX)
        .collect();

    let mut expected = Vec::new();
    let mut at = 0;
    for line in region.split_inclusive(|byte| *byte == b'\n') {
        let record = &region[record_in(region, at..at + line.len(), LINE_BYTES_MAX)];
        let text = String::from_utf8_lossy(record);
        for (rule, regex) in compiled.iter().enumerate() {
            if regex.is_match(record) || regex.is_match(text.as_bytes()) {
                expected.push((at, rule));
            }
        }
        at += line.len();
    }

    let rules: Vec<Patterns> = (compiled.iter())
        .map(|regex| Patterns {
            matches: vec![Arc::new(Pattern::of(regex))],
            excepts: Vec::new(),
        })
        .collect();
    let rules: Vec<&Patterns> = rules.iter().collect();
    let mut found = Vec::new();
    Matcher::new(&rules, LINE_BYTES_MAX).search(region, &mut |hit| {
        found.push((hit.line.start, hit.rule));
    });
    assert_eq!(found, expected, "{compiled:?}");
});
