//! The search of a region for all rules, and what each of its parts is good for.
//!
//! `cargo bench --bench matcher` measures bytes per second on lines as servers write
//! them: with 10, 100 and 1,000 rules, with a letter beyond ASCII in every 50th line,
//! with bad bytes, with a rule that hits every 12th line; with rules that can only be
//! searched in one of the ways; and by what nobody should need: one `RegexSet`, and each
//! regex by itself, on every line.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use logcrier::rules::pattern::{Matcher, Pattern, Patterns};
use regex::bytes::{Regex, RegexSet};

/// Bytes of a region.
const REGION_BYTES: usize = 256 << 10;

/// Bytes of the lines of a record that are searched.
const LINE_BYTES_MAX: usize = 16 << 10;

/// Patterns with long words, as most rules have.
const LONG: [&str; 10] = [
    r"Out of memory: Kill(?:ed)? process (\d+) \(([^)]+)\)",
    r"(?i)segfault at [0-9a-f]+ ip [0-9a-f]+",
    r"EXT4-fs error \(device (\w+)\)",
    r"upstream timed out \(\d+: Connection timed out\)",
    r"FATAL: +(?:remaining connection slots|the database system is)",
    r"\b(?:blk_update_request|end_request)\b.*\bI/O error\b",
    r"(?i)too many open files",
    r"No space left on device",
    r"Main process exited, code=(?:killed|dumped)",
    r"authentication failure.*user=root",
];

/// Patterns with short words only.
const SHORT: [&str; 5] = [
    r"\bOOM\b",
    r#"" 5\d\d "#,
    r"\bRST\b",
    r"E\d{4}: .* -> ",
    r"(?i)\bmce\b",
];

/// Patterns without a word.
const WORDLESS: [&str; 4] = [
    r"\b[0-9a-f]{40}\b\s+\S+",
    r"\b(?:[0-9A-F]{2}:){5}[0-9A-F]{2}\b",
    r"\s(?:9\d|100)%\s+/\w*\s*$",
    r"^\d{13} \d+$",
];

/// Lines as servers write them; `#` becomes a digit.
const LINES: [&str; 8] = [
    "Nov 22 1#:##:## web-## sshd[####]: Accepted publickey for deploy from 10.0.#.## port ##### ssh2",
    "Nov 22 1#:##:## web-## sshd[####]: Failed password for invalid user admin from 203.0.113.## port #####",
    r#"10.0.#.## - - [22/Nov/2026:1#:##:## +0000] "GET /api/v#/orders/##### HTTP/1.1" 200 #### "-" "curl/8.#.#""#,
    r#"10.0.#.## - - [22/Nov/2026:1#:##:## +0000] "POST /login HTTP/1.1" 302 ### "https://example.com/" "Mozilla/5.0 (X11; Linux x86_64)""#,
    "2026-11-22T1#:##:##.###Z INFO [worker-#] c.e.orders.OrderService - order ###### stored in ## ms",
    "2026-11-22T1#:##:##.###Z DEBUG [worker-#] c.e.cache.Cache - miss for key session:########, loading",
    "Nov 22 1#:##:## web-## systemd[1]: session-####.scope: Deactivated successfully.",
    "Nov 22 1#:##:## web-## kernel: [######.######] IN=eth0 OUT= SRC=198.51.100.## DST=10.0.#.## PROTO=TCP DPT=###",
];

/// What may become of every n-th line.
#[derive(Debug, Clone, Copy)]
enum Twist {
    None,
    /// A letter beyond ASCII in every 50th.
    Letter,
    /// A letter in Latin-1, which is no UTF-8, in every 50th.
    BadByte,
}

fn region(twist: Twist) -> Vec<u8> {
    let mut digits = (0_u64..).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) % 10);
    let mut region = Vec::with_capacity(REGION_BYTES + 200);
    for nth in 0_usize.. {
        if region.len() >= REGION_BYTES {
            break;
        }
        for byte in LINES[nth * 5 % LINES.len()].bytes() {
            region.push(match byte {
                b'#' => b'0' + digits.next().map_or(0, |digit| digit as u8),
                byte => byte,
            });
        }
        match twist {
            Twist::Letter if nth % 50 == 0 => region.extend_from_slice(" café".as_bytes()),
            Twist::BadByte if nth % 50 == 0 => region.extend_from_slice(b" caf\xe9"),
            Twist::None | Twist::Letter | Twist::BadByte => {}
        }
        region.push(b'\n');
    }
    region
}

/// So many patterns, of which three in a hundred have no word and five short ones only.
fn patterns(n_patterns: usize) -> Vec<String> {
    let what = [
        "replica", "shard", "quorum", "journal", "lease", "volume", "socket", "tunnel",
    ];
    let how = [
        "is corrupt",
        "was fenced",
        "has diverged from",
        "cannot be mounted",
        "lost its leader",
    ];
    let mut patterns: Vec<String> = LONG.map(str::to_owned).to_vec();
    if n_patterns > LONG.len() {
        patterns.extend(SHORT.map(str::to_owned));
        patterns.extend(WORDLESS.map(str::to_owned));
    }
    for nth in patterns.len()..n_patterns {
        let (what, how) = (what[nth % what.len()], how[nth % how.len()]);
        patterns.push(match nth % 4 {
            0 => format!(r"(?i)\b{what} (\S+) {how} {nth}"),
            1 => format!(r"daemon{nth}\[\d+\]: .*{how}"),
            2 => format!(r"{what}-{nth}\b.*(?:ERROR|FATAL)"),
            _ => format!(r"code=X{nth:04}: (?:{what}|node) {how}"),
        });
    }
    patterns
}

fn matcher(patterns: &[String]) -> Matcher {
    let rules: Vec<Patterns> = (patterns.iter())
        .map(|text| Patterns {
            matches: vec![Arc::new(Pattern::of(
                &Regex::new(text).expect("it is constant"),
            ))],
            excepts: Vec::new(),
        })
        .collect();
    Matcher::new(&rules.iter().collect::<Vec<_>>(), LINE_BYTES_MAX)
}

fn n_hits(matcher: &Matcher, region: &[u8]) -> usize {
    let mut n_hits = 0;
    matcher.search(region, &mut |found| {
        black_box(found);
        n_hits += 1;
    });
    n_hits
}

fn search(criterion: &mut Criterion) {
    let plain = region(Twist::None);
    let mut group = criterion.benchmark_group("search");
    group.throughput(Throughput::Bytes(plain.len() as u64));
    for n_rules in [10, 100, 1_000] {
        let matcher = matcher(&patterns(n_rules));
        for twist in [Twist::None, Twist::Letter, Twist::BadByte] {
            let region = region(twist);
            let name = BenchmarkId::new(format!("{twist:?}"), n_rules);
            group.bench_function(name, |bencher| {
                bencher.iter(|| n_hits(&matcher, black_box(&region)));
            });
        }
    }
    let mut hot = patterns(10);
    hot.push("Failed password for (invalid user )?(?<user>\\S+)".to_owned());
    let hot = matcher(&hot);
    group.bench_function("every 8th line hits", |bencher| {
        bencher.iter(|| n_hits(&hot, black_box(&plain)));
    });
    group.finish();
}

/// What each part costs by itself.
fn parts(criterion: &mut Criterion) {
    let region = region(Twist::None);
    let mut group = criterion.benchmark_group("parts");
    group.throughput(Throughput::Bytes(region.len() as u64));
    let owned = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (name, patterns) in [
        ("long words", owned(&LONG)),
        ("short words", owned(&SHORT)),
        ("without words", owned(&WORDLESS)),
    ] {
        let matcher = matcher(&patterns);
        group.bench_function(name, |bencher| {
            bencher.iter(|| n_hits(&matcher, black_box(&region)));
        });
    }
    group.finish();
}

/// What it would be without any of them.
fn per_line(criterion: &mut Criterion) {
    let region = region(Twist::None);
    let mut group = criterion.benchmark_group("per line");
    group.throughput(Throughput::Bytes(region.len() as u64));
    let lines = || region.split(|byte| *byte == b'\n');
    for n_rules in [10, 100, 1_000] {
        let patterns = patterns(n_rules);
        let set = regex::bytes::RegexSetBuilder::new(&patterns)
            .size_limit(1 << 30)
            .dfa_size_limit(64 << 20)
            .build();
        let set: RegexSet = set.expect("it is constant");
        group.bench_function(BenchmarkId::new("RegexSet", n_rules), |bencher| {
            bencher.iter(|| lines().filter(|line| set.is_match(line)).count());
        });
    }
    let each: Vec<Regex> = (patterns(10).iter())
        .map(|text| Regex::new(text).expect("it is constant"))
        .collect();
    group.bench_function(BenchmarkId::new("each regex", 10), |bencher| {
        bencher.iter(|| {
            lines()
                .filter(|line| each.iter().any(|regex| regex.is_match(line)))
                .count()
        });
    });
    group.finish();
}

/// Rules become ready to be searched for.
fn compile(criterion: &mut Criterion) {
    let patterns = patterns(1_000);
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    group.bench_function("1000 rules", |bencher| {
        bencher.iter(|| matcher(black_box(&patterns)));
    });
    group.finish();
}

criterion_group!(benches, search, parts, per_line, compile);
criterion_main!(benches);
