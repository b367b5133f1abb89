//! What a run of a command found: its ending and its output, judged.
//!
//! The output is untrusted like any log line. Its first line is what a check says
//! of itself; behind a `|` stand measurements for machines (the format of Nagios
//! plugins, <https://nagios-plugins.org/doc/guidelines.html>), which no person
//! wants to read.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::message::humane;
use crate::engine::scan::{SAMPLE_CHARS_MAX, Sample};
use crate::rules::checks::{Meaning, StatusMap};
use crate::rules::pattern::Matcher;
use crate::rules::records::reading::LINE_BYTES_MAX;
use crate::rules::{Rule, Severity};
use crate::secrets::Redactor;

/// Bytes of a pipe's beginning that are kept.
pub const HEAD_BYTES_MAX: usize = 4 << 10;

/// Bytes of a pipe's end that are kept.
pub const TAIL_BYTES_MAX: usize = 12 << 10;

/// Lines of output in a message.
const OUTPUT_LINES_MAX: usize = 20;

/// Characters of a line of output in a message.
const OUTPUT_LINE_CHARS_MAX: usize = 500;

/// Characters of all output in a message.
const OUTPUT_CHARS_MAX: usize = 3_000;

/// Measurements that are kept of one run.
const PERF_MAX: usize = 50;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// How it ended.
    pub ending: Ended,
    /// What it wrote to its standard output.
    pub stdout: Captured,
    /// What it wrote to its standard error.
    pub stderr: Captured,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What became of the processes that it left behind, for people; mostly empty.
    pub leftovers: Vec<String>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// By itself, with a status.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
    /// It was ended for it took too long.
    TimedOut {
        /// How long it was let, in milliseconds.
        after_ms: u64,
    },
    /// It could not be started.
    NotStarted(String),
    /// It took too long and does not die, not even of SIGKILL.
    Stuck {
        /// Its process.
        pid: i32,
        /// Why, as far as that is known.
        why: String,
    },
}

/// The beginning and the end of what went through a pipe.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Captured {
    /// The first [`HEAD_BYTES_MAX`] bytes.
    pub head: String,
    /// The last [`TAIL_BYTES_MAX`] bytes behind them.
    pub tail: String,
    /// Bytes between both, which nobody kept.
    pub n_cut: u64,
}

/// What a run says about the world, kept with its sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether all is well.
    pub is_fine: bool,
    /// The exit status, if it had one.
    pub exit_status: Option<i32>,
    /// How it ended, in words.
    pub how: String,
    /// The lines of output that a message shows.
    pub output: String,
    /// The measurements.
    pub perf: Vec<Perf>,
}

/// A measurement of a Nagios plugin, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Perf {
    /// Its name.
    pub name: String,
    /// Its number; `U` where it could not be measured.
    pub value: String,
    /// Its unit, such as `s`, `%`, `MB`, `c`; often empty.
    pub unit: String,
}

/// A run, judged by the rule that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What it means.
    pub meaning: Meaning,
    /// What a message can show of it.
    pub sample: Arc<Sample>,
}

impl Ran {
    /// A run that came to nothing, and why.
    pub fn not_started(why: String) -> Self {
        Self {
            ending: Ended::NotStarted(why),
            stdout: Captured::default(),
            stderr: Captured::default(),
            took_ms: 0,
            leftovers: Vec::new(),
        }
    }
}

/// Judges a run. `status` stands for the map of the rule where somebody gave
/// another one. What is secret does not come through here.
pub fn judge(rule: &Rule, status: &StatusMap, ran: &Ran, redactor: &Arc<Redactor>) -> Judged {
    let is_nagios = *status == StatusMap::Nagios;
    let hit = hit_in(rule, ran, is_nagios, redactor);
    let (stdout, perf) = without_perf(&redactor.redact(&whole(&ran.stdout)), is_nagios);
    let stderr = whole(&ran.stderr);
    let stderr = redactor.redact(&stderr);
    let lines: Vec<&str> = (stdout.iter().map(String::as_str))
        .chain(stderr.lines())
        .filter(|line| !line.trim().is_empty())
        .collect();
    let meaning = match &ran.ending {
        Ended::Exited(exit_status) => status.meaning(*exit_status, rule.severity),
        Ended::Signalled(_)
        | Ended::TimedOut { .. }
        | Ended::NotStarted(_)
        | Ended::Stuck { .. } => Meaning::Unknown,
    };
    let meaning = match (meaning, &hit) {
        (Meaning::Fine, Some(_)) => Meaning::Bad(rule.severity),
        (Meaning::Bad(severity), Some(_)) => Meaning::Bad(severity.max(rule.severity)),
        (meaning, _) => meaning,
    };
    let (mut line, captures) = match hit {
        Some(hit) => (hit.line, hit.captures),
        None => (
            lines
                .first()
                .map_or(String::new(), |line| line.trim().to_owned()),
            Vec::new(),
        ),
    };
    let how = how(&ran.ending);
    if line.is_empty() {
        line = how.clone();
    }
    let n_more_bytes = match line.char_indices().nth(SAMPLE_CHARS_MAX) {
        None => 0,
        Some((end, _)) => {
            let n_more_bytes = (line.len() - end) as u64;
            line.truncate(end);
            n_more_bytes
        }
    };
    let mut shown: Vec<String> = last_lines(&lines);
    shown.extend(ran.leftovers.iter().map(|note| format!("({note})")));
    Judged {
        meaning,
        sample: Arc::new(Sample {
            line,
            n_more_bytes,
            captures,
            finding: Some(Arc::new(Finding {
                is_fine: meaning == Meaning::Fine,
                exit_status: match ran.ending {
                    Ended::Exited(status) => Some(status),
                    _ => None,
                },
                how,
                output: bounded(&shown),
                perf,
            })),
            ..Sample::default()
        }),
    }
}

/// How a run ended, in words.
fn how(ending: &Ended) -> String {
    match ending {
        Ended::Exited(status @ 126) => format!("exit status {status}: found but not executable"),
        Ended::Exited(status @ 127) => format!("exit status {status}: command not found"),
        Ended::Exited(status) => format!("exit status {status}"),
        Ended::Signalled(signal) => match signal_name(*signal) {
            Some(name) => format!("killed by {name}"),
            None => format!("killed by signal {signal}"),
        },
        Ended::TimedOut { after_ms } => {
            let after = Duration::from_millis(*after_ms);
            match after.as_secs() {
                0 => format!("timed out after {after_ms} ms"),
                _ => format!("timed out after {}", humane(after)),
            }
        }
        Ended::NotStarted(why) => format!("could not be started: {why}"),
        Ended::Stuck { pid, why } => {
            format!("timed out, and process {pid} cannot be killed: {why}")
        }
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// A line that the rule's patterns select, with its captures.
struct HitLine {
    line: String,
    captures: Vec<(Arc<str>, String)>,
}

fn hit_in(rule: &Rule, ran: &Ran, is_nagios: bool, redactor: &Arc<Redactor>) -> Option<HitLine> {
    if rule.patterns.matches.is_empty() {
        return None;
    }
    let (mut lines, _) = without_perf(&whole(&ran.stdout), is_nagios);
    lines.push(whole(&ran.stderr));
    let text = lines.join("\n");
    let mut hit = None;
    let matcher = Matcher::new(&[&rule.patterns], LINE_BYTES_MAX).hiding(redactor.clone());
    matcher.search(text.as_bytes(), &mut |found| {
        if hit.is_none() && rule.filter.holds_for(&found.captures) {
            let record = &text.as_bytes()[found.record.clone()];
            hit = Some(HitLine {
                line: match found.redacted {
                    Some(shown) => shown.to_string(),
                    None => String::from_utf8_lossy(record).into_owned(),
                },
                captures: found.captures,
            });
        }
    });
    hit
}

/// What was kept of a pipe, with a note where something was not.
fn whole(captured: &Captured) -> String {
    let mut whole = captured.head.clone();
    if captured.n_cut > 0 {
        if !whole.ends_with('\n') {
            whole.push('\n');
        }
        whole.push_str(&format!("… ({} bytes not kept)\n", captured.n_cut));
    }
    whole.push_str(&captured.tail);
    whole
}

/// The lines of standard output without measurements, and the measurements.
fn without_perf(text: &str, is_nagios: bool) -> (Vec<String>, Vec<Perf>) {
    let mut lines = Vec::new();
    let mut perf = Vec::new();
    // After a `|` behind the first line everything is a measurement.
    let mut only_perf = false;
    for (idx, line) in text.lines().enumerate() {
        if only_perf {
            perf.extend(parse_perf(line).unwrap_or_default());
            continue;
        }
        let Some((text, measured)) = line.split_once('|') else {
            lines.push(line.to_owned());
            continue;
        };
        match parse_perf(measured) {
            Some(found) if !found.is_empty() || is_nagios => perf.extend(found),
            None if is_nagios => {}
            Some(_) | None => {
                lines.push(line.to_owned());
                continue;
            }
        }
        only_perf = is_nagios && idx > 0;
        lines.push(text.trim_end().to_owned());
    }
    perf.truncate(PERF_MAX);
    (lines, perf)
}

/// Reads `'label'=value[unit][;…] …`; nothing if it is something else.
fn parse_perf(text: &str) -> Option<Vec<Perf>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, behind) = match rest.strip_prefix('\'') {
            Some(quoted) => {
                // A quote within is written twice.
                let mut end = 0;
                loop {
                    end += quoted[end..].find('\'')?;
                    if !quoted[end + 1..].starts_with('\'') {
                        break;
                    }
                    end += 2;
                }
                let behind = quoted[end + 1..].strip_prefix('=')?;
                (quoted[..end].replace("''", "'"), behind)
            }
            None => {
                let (name, behind) = rest.split_once('=')?;
                (name.to_owned(), behind)
            }
        };
        if name.is_empty() || name.contains(char::is_whitespace) && !rest.starts_with('\'') {
            return None;
        }
        let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
        let measured = behind[..end].split(';').next().unwrap_or_default();
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | ',');
        let n_digits = measured.find(|c| !is_number(c)).unwrap_or(measured.len());
        let (value, unit) = match measured {
            "U" => ("U", ""),
            _ if n_digits == 0 => return None,
            _ => measured.split_at(n_digits),
        };
        found.push(Perf {
            name,
            value: value.to_owned(),
            unit: unit.to_owned(),
        });
        rest = behind[end..].trim_start();
    }
    Some(found)
}

/// The last lines of the output, each of a length that a person can read.
fn last_lines(lines: &[&str]) -> Vec<String> {
    let n_left_out = lines.len().saturating_sub(OUTPUT_LINES_MAX);
    let shown = lines[n_left_out..].iter().map(|line| {
        match line.char_indices().nth(OUTPUT_LINE_CHARS_MAX) {
            None => (*line).to_owned(),
            Some((end, _)) => format!("{}… (+{} bytes)", &line[..end], line.len() - end),
        }
    });
    let left_out = (n_left_out > 0).then(|| format!("… ({n_left_out} lines before)"));
    left_out.into_iter().chain(shown).collect()
}

/// Lines as one text that fits; whole lines are dropped from its middle.
fn bounded(lines: &[String]) -> String {
    let n_chars = |line: &String| line.chars().count() + 1;
    let mut n_over = lines
        .iter()
        .map(n_chars)
        .sum::<usize>()
        .saturating_sub(OUTPUT_CHARS_MAX);
    if n_over == 0 {
        return lines.join("\n");
    }
    let middle = lines.len() / 2;
    let (mut from, mut to) = (middle, middle);
    // It ends: all lines together are longer than what is over.
    while n_over > 0 {
        // The end tells more than the beginning: it is kept longer.
        let idx = match from > 1 || to >= lines.len() {
            true => {
                from -= 1;
                from
            }
            false => {
                to += 1;
                to - 1
            }
        };
        n_over = n_over.saturating_sub(n_chars(&lines[idx]));
    }
    let dropped = format!("… ({} lines left out)", to - from);
    let kept = lines[..from].iter().chain([&dropped]).chain(&lines[to..]);
    kept.cloned().collect::<Vec<_>>().join("\n")
}

impl Perf {
    /// The number with its unit.
    pub fn shown(&self) -> String {
        format!("{}{}", self.value, self.unit)
    }
}

impl Ran {
    /// A run that ended by itself with a status and said something.
    pub fn exited(status: i32, stdout: &str) -> Self {
        Self {
            ending: Ended::Exited(status),
            stdout: Captured {
                head: stdout.to_owned(),
                ..Captured::default()
            },
            stderr: Captured::default(),
            took_ms: 0,
            leftovers: Vec::new(),
        }
    }
}

/// How bad a broken check is.
pub const BROKEN: Severity = Severity::Warning;

#[cfg(test)]
mod tests {
    use super::*;

    fn perf(text: &str) -> Option<Vec<String>> {
        let found = parse_perf(text)?;
        let shown = |perf: &Perf| format!("{} {} {}", perf.name, perf.value, perf.unit);
        Some(found.iter().map(shown).collect())
    }

    #[test]
    fn measurements() {
        let some = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect());
        for (text, expected) in [
            ("/=2643MB;5948;5958;0;5968", some(&["/ 2643 MB"])),
            (
                "load1=0.010;5.000;10.000;0; load5=0.060;4;6;0;",
                some(&["load1 0.010 ", "load5 0.060 "]),
            ),
            (
                "'it''s here'=-1.5%;;;; x=U",
                some(&["it's here -1.5 %", "x U "]),
            ),
            (" ", some(&[])),
            ("a table | of things", None),
            ("a=b", None),
            ("no number", None),
            ("'open=1", None),
            ("=1", None),
        ] {
            assert_eq!(perf(text), expected, "{text}");
        }
    }

    fn stdout(text: &str, is_nagios: bool) -> (Vec<String>, usize) {
        let (lines, perf) = without_perf(text, is_nagios);
        (lines, perf.len())
    }

    #[test]
    fn measurements_are_taken_out() {
        let lines = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        for (text, is_nagios, expected) in [
            ("OK - fine | a=1;2", true, (lines(&["OK - fine"]), 1)),
            (
                "OK|a=1\nmore\nlast | b=2\nc=3",
                true,
                (lines(&["OK", "more", "last"]), 3),
            ),
            ("OK | broken perf", true, (lines(&["OK"]), 0)),
            ("name | size", false, (lines(&["name | size"]), 0)),
            ("fine | a=1", false, (lines(&["fine"]), 1)),
        ] {
            assert_eq!(stdout(text, is_nagios), expected, "{text}");
        }
    }

    #[test]
    fn long_output_loses_its_middle() {
        let lines: Vec<String> = (0..20)
            .map(|n| format!("{n} {}", "x".repeat(400)))
            .collect();
        let text = bounded(&lines);
        assert!(text.chars().count() <= OUTPUT_CHARS_MAX + 40);
        assert!(text.starts_with("0 x"), "{text}");
        assert!(text.contains("lines left out)\n"), "{text}");
        assert!(text.contains("\n19 x"), "{text}");
        let short = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(bounded(&short), "a\nb");
        let long = "x".repeat(OUTPUT_CHARS_MAX);
        assert_eq!(bounded(&[long]), "… (1 lines left out)");
    }

    #[test]
    fn what_was_not_kept_of_a_pipe_is_told() {
        let captured = |head: &str, n_cut, tail: &str| Captured {
            head: head.to_owned(),
            tail: tail.to_owned(),
            n_cut,
        };
        for (captured, expected) in [
            (captured("all of ", 0, "it\n"), "all of it\n"),
            (
                captured("a beg", 7, "end\n"),
                "a beg\n… (7 bytes not kept)\nend\n",
            ),
            (
                captured("a line\n", 1, "end\n"),
                "a line\n… (1 bytes not kept)\nend\n",
            ),
        ] {
            assert_eq!(whole(&captured), expected);
        }
    }

    #[test]
    fn how_a_run_ended_reads_as_people_say_it() {
        let timed_out = |after_ms| Ended::TimedOut { after_ms };
        let signals = [
            (1, "SIGHUP"),
            (2, "SIGINT"),
            (3, "SIGQUIT"),
            (4, "SIGILL"),
            (6, "SIGABRT"),
            (7, "SIGBUS"),
            (8, "SIGFPE"),
            (9, "SIGKILL"),
            (11, "SIGSEGV"),
            (13, "SIGPIPE"),
            (15, "SIGTERM"),
            (34, "signal 34"),
        ];
        let killed = (signals.iter())
            .map(|(signal, name)| (Ended::Signalled(*signal), format!("killed by {name}")));
        let others = [
            (Ended::Exited(2), "exit status 2"),
            (
                Ended::Exited(126),
                "exit status 126: found but not executable",
            ),
            (Ended::Exited(127), "exit status 127: command not found"),
            (timed_out(999), "timed out after 999 ms"),
            (timed_out(60_000), "timed out after 60 s"),
            (
                Ended::NotStarted("no such directory".to_owned()),
                "could not be started: no such directory",
            ),
            (
                Ended::Stuck {
                    pid: 7,
                    why: "it waits for a disk".to_owned(),
                },
                "timed out, and process 7 cannot be killed: it waits for a disk",
            ),
        ];
        let others = others.map(|(ending, expected)| (ending, expected.to_owned()));
        for (ending, expected) in killed.chain(others) {
            assert_eq!(how(&ending), expected, "{ending:?}");
        }
    }

    #[test]
    fn the_last_lines_are_shown() {
        let lines: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let shown = last_lines(&lines);
        assert_eq!(shown.len(), 21);
        assert_eq!(shown[0], "… (80 lines before)");
        assert_eq!(shown[20], "99");
    }
}
