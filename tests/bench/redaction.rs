//! What hiding secrets costs: nothing on lines that no rule selects, and little on
//! those that one does.
//!
//! `cargo bench --bench redaction` prints the time per line of a matcher on lines
//! that are no hits and on hits, and the time of the redactor alone.

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;

use logcrier::rules::pattern::{Matcher, Pattern, Patterns};
use logcrier::secrets::Redactor;

/// How many lines of a kind are searched in one go.
const N_LINES: usize = 20_000;

/// How often; the fastest counts.
const N_ROUNDS: usize = 15;

const KINDS: [(&str, &str); 5] = [
    (
        "no hit, password in it",
        "Nov 22 10:00:00 web sshd[1]: Accepted password=x token=y for bob from 192.0.2.7 port 4022",
    ),
    (
        "hit without a secret",
        "Nov 22 10:00:00 web app[1]: ERROR cannot open /var/lib/app/data/17.db: no such file, retry 3",
    ),
    (
        "hit that speaks of passwords",
        "Nov 22 10:00:00 web sshd[1]: ERROR Failed password for root from 192.0.2.7 port 4022 ssh2",
    ),
    (
        "hit with one secret",
        "Nov 22 10:00:00 web app[1]: ERROR login failed user=bob password=hunter2 ip=192.0.2.7 try=3",
    ),
    (
        "hit with four secrets",
        "ERROR token=a1b2c3 https://u:p@db/x Authorization: Basic dXNlcjpwYXNz ghp_16C7e42F292c6912",
    ),
];

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let regex = regex::bytes::Regex::new("ERROR (?<what>.*)").expect("it is constant");
    let rule = Patterns {
        matches: vec![Arc::new(Pattern::of(&regex))],
        excepts: Vec::new(),
    };
    let matcher = Matcher::new(&[&rule], 16 << 10);
    let redactor = Redactor::default();
    writeln!(
        out,
        "{:32} {:>16} {:>16}",
        "", "search, ns/line", "redact, ns/text"
    )?;
    for (kind, line) in KINDS {
        let region = format!("{line}\n").repeat(N_LINES);
        let searched = fastest(|| {
            let mut n_hits = 0;
            matcher.search(region.as_bytes(), &mut |found| {
                black_box(found);
                n_hits += 1;
            });
            black_box(n_hits);
        });
        let redacted = fastest(|| {
            for _ in 0..N_LINES {
                black_box(redactor.redact(black_box(line)));
            }
        });
        writeln!(out, "{kind:32} {searched:>16.0} {redacted:>16.0}")?;
    }
    Ok(())
}

/// Nanoseconds per line of the fastest round.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn fastest(mut work: impl FnMut()) -> f64 {
    let rounds = (0..N_ROUNDS).map(|_| {
        let began = std::time::Instant::now();
        work();
        began.elapsed().as_secs_f64() * 1e9 / N_LINES as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}
