//! `logcrier check --cost`: what it costs to look for rules, measured on the spot.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use super::table::Table;
use super::words::counted;
use crate::host::clock;
use crate::rules::pattern::{Cost, Matcher, Patterns};
use crate::rules::{Rule, RuleSet};

/// Bytes of lines that rules are looked for in.
const BYTES: usize = 2 << 20;

/// How many times that is 1 GiB.
const TIMES: u32 = 512;

/// Lines as services write them; `#` becomes a digit.
const LINES: [&str; 6] = [
    "Nov 21 10:##:## web-0# sshd[####]: Accepted publickey for deploy from 192.0.2.## port #####",
    "Nov 21 10:##:## web-0# systemd[1]: session-####.scope: Deactivated successfully.",
    "192.0.2.## - - [21/Nov/2026:10:##:## +0000] \"GET /api/orders/##### HTTP/1.1\" 200 #### \"-\"",
    "2026-11-21T10:##:##.###Z  INFO [worker-#] order ###### of customer ##### stored in ## ms",
    "2026-11-21 10:##:##,### DEBUG cache: miss for key session:########, loading from replica #",
    "Nov 21 10:##:## db-0# postgres[####]: LOG:  checkpoint complete: wrote #### buffers",
];

/// Writes what the rules of records cost: those that no word leads to one by one, and
/// all together.
pub(super) fn write(rules: &RuleSet, out: &mut dyn Write) -> io::Result<()> {
    let rules: Vec<&Rule> = (rules.rules.iter())
        .map(AsRef::as_ref)
        .filter(|rule| rule.check.is_none() && !rule.patterns.matches.is_empty())
        .collect();
    if rules.is_empty() {
        return writeln!(out, "no rule is looked for by a regex");
    }
    let text = text();
    let mut table = Table::new(["RULE", "LOOKED FOR", ">CPU FOR 1 GIB"]);
    let mut n_wordless = 0;
    for rule in &rules {
        let looked_for = match rule.patterns.cost() {
            Cost::Words => continue,
            Cost::EveryByte => "in every byte",
            Cost::EveryLine => "on every line",
        };
        n_wordless += 1;
        let cost = seconds(cost(&[&rule.patterns], &text));
        table.row([rule.key.as_str().to_owned(), looked_for.to_owned(), cost]);
    }
    if n_wordless > 0 {
        write!(out, "{table}")?;
    }
    let all: Vec<&Patterns> = rules.iter().map(|rule| &rule.patterns).collect();
    let total = seconds(cost(&all, &text));
    let rules = counted(rules.len() as u64, "rule");
    writeln!(out, "{rules} together: {total} of CPU for 1 GiB of lines")?;
    if n_wordless > 0 {
        writeln!(
            out,
            "nearly free is a rule of which every match holds a word of three letters or more"
        )?;
    }
    Ok(())
}

/// The time it takes to look for patterns in 1 GiB of lines like these.
fn cost(patterns: &[&Patterns], text: &[u8]) -> Duration {
    let matcher = Matcher::new(patterns, crate::rules::records::reading::LINE_BYTES_MAX);
    // What is compiled when it is first needed is not what it costs for ever.
    matcher.search(text, &mut |_| {});
    let before = clock::worked();
    matcher.search(text, &mut |_| {});
    clock::worked().saturating_sub(before) * TIMES
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn text() -> Vec<u8> {
    let mut text = String::with_capacity(BYTES + 200);
    let mut random = fastrand::Rng::with_seed(1);
    for line in LINES.iter().cycle() {
        for char in line.chars() {
            match char {
                '#' => drop(write!(text, "{}", random.u8(0..10))),
                char => text.push(char),
            }
        }
        text.push('\n');
        if text.len() >= BYTES {
            break;
        }
    }
    text.into_bytes()
}
