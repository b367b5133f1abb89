//! What a rule makes of a command: when it runs, and what its results mean.

use std::path::PathBuf;
use std::time::Duration;

use super::Severity;
use super::cron::Cron;

pub(super) mod read;

/// A rule's view of the results of a command.
#[derive(Debug, Clone)]
pub struct Check {
    /// What is run, and when; `None` where `logcrier exec` tells the results.
    pub run: Option<Run>,
    /// What an exit status means.
    pub status: StatusMap,
    /// How many bad results make a problem.
    pub fail_after: Streak,
    /// How many good ones end it.
    pub recover_after: Streak,
}

/// A command that the agent runs by itself.
#[derive(Debug, Clone)]
pub struct Run {
    /// What is run and how.
    pub command: Command,
    /// When.
    pub when: When,
    /// How soon after a bad result the next run follows, while the problem is not
    /// yet one.
    pub retry_every: Option<Duration>,
}

/// A command as it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program.
    pub program: Program,
    /// How long it may take; then it is ended.
    pub timeout: Duration,
    /// Its environment besides `PATH` and `LANG`, which these may replace.
    pub env: Vec<(String, String)>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// As whom; a name or a number.
    pub user: Option<String>,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A program and its arguments; never empty.
    Words(Vec<String>),
    /// A line for `/bin/sh -c`.
    Shell(String),
}

/// When a command runs.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// At a fixed distance, beginning at a time spread by host and key.
    Every(Duration),
    /// When the wall clock says so.
    Cron(Cron),
}

/// How many results of a kind change the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streak {
    /// This many …
    pub count: u32,
    /// … of the last so many; as many as `count` if they must follow each other.
    pub of: u32,
}

/// What exit statuses mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusMap {
    /// 0 is fine, everything else as bad as the rule says.
    Exit,
    /// As Nagios plugins do: 0 ok, 1 warning, 2 critical, 3 unknown.
    Nagios,
    /// As listed; the ranges do not overlap.
    Listed(Vec<Listed>),
}

/// One entry of a status map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The first and last status that it is about; `None` for all others.
    pub range: Option<(u8, u8)>,
    /// What they mean.
    pub meaning: Meaning,
}

/// What an exit status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// All is well.
    Fine,
    /// It is not, this much.
    Bad(Severity),
    /// The check itself is broken: nobody knows.
    Unknown,
}

/// The statuses with which a shell says that it could not run a command: they
/// tell of the check, not of what it looks at.
const NOT_RUN: [i32; 2] = [126, 127];

impl StatusMap {
    /// Tells what an exit status means, for a rule of this severity. What the map
    /// does not list is unknown; 126 and 127 are so too, unless they are listed by
    /// number.
    pub fn meaning(&self, status: i32, severity: Severity) -> Meaning {
        match self {
            Self::Exit if status == 0 => Meaning::Fine,
            Self::Exit if NOT_RUN.contains(&status) => Meaning::Unknown,
            Self::Exit => Meaning::Bad(severity),
            Self::Nagios => match status {
                0 => Meaning::Fine,
                1 => Meaning::Bad(Severity::Warning),
                2 => Meaning::Bad(Severity::Critical),
                _ => Meaning::Unknown,
            },
            Self::Listed(entries) => {
                let holds = |entry: &&Listed| {
                    entry
                        .range
                        .is_some_and(|(first, last)| (first.into()..=last.into()).contains(&status))
                };
                if let Some(entry) = entries.iter().find(holds) {
                    return entry.meaning;
                }
                let others = entries.iter().find(|entry| entry.range.is_none());
                match others {
                    Some(entry) if !NOT_RUN.contains(&status) => entry.meaning,
                    Some(_) | None => Meaning::Unknown,
                }
            }
        }
    }

    /// Reads a map as it is written on a command line: `exit`, `nagios`, or entries
    /// such as `0=ok,1-9=warning,*=critical`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "exit" => return Ok(Self::Exit),
            "nagios" => return Ok(Self::Nagios),
            _ => {}
        }
        let mut entries: Vec<Listed> = Vec::new();
        for part in text.split(',') {
            let Some((range, meaning)) = part.split_once(['=', ':']) else {
                return Err(format!(
                    "`{part}` is no entry of a map, write it as `1-9=warning`"
                ));
            };
            let range = parse_range(range.trim())?;
            let meaning = parse_meaning(meaning.trim())?;
            let entry = Listed { range, meaning };
            if entries.iter().any(|known| overlap(known, &entry)) {
                return Err(format!("`{part}` overlaps an entry before it"));
            }
            entries.push(entry);
        }
        Ok(Self::Listed(entries))
    }
}

/// The words for meanings.
pub(super) const MEANINGS: [(&str, Meaning); 6] = [
    ("ok", Meaning::Fine),
    ("info", Meaning::Bad(Severity::Info)),
    ("warning", Meaning::Bad(Severity::Warning)),
    ("error", Meaning::Bad(Severity::Error)),
    ("critical", Meaning::Bad(Severity::Critical)),
    ("unknown", Meaning::Unknown),
];

fn parse_meaning(text: &str) -> Result<Meaning, String> {
    let found = MEANINGS.iter().find(|(word, _)| *word == text);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<&str> = MEANINGS.iter().map(|(word, _)| *word).collect();
        format!("`{text}` is none of `{}`", words.join("`, `"))
    })
}

/// Reads `0`, `1-9` or `*`.
fn parse_range(text: &str) -> Result<Option<(u8, u8)>, String> {
    if text == "*" {
        return Ok(None);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(Some((first, last))),
        _ => Err(format!(
            "`{text}` is no exit status: write `0`, a range such as `1-9`, or `*` for all others"
        )),
    }
}

fn overlap(one: &Listed, other: &Listed) -> bool {
    match (one.range, other.range) {
        (None, None) => true,
        (Some(one), Some(other)) => one.0 <= other.1 && other.0 <= one.1,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

impl Streak {
    /// One result is enough.
    pub const ONCE: Self = Self { count: 1, of: 1 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meanings() {
        let bad = Meaning::Bad;
        let listed = StatusMap::parse("0=ok,2=unknown,1-9=warning,*=critical");
        assert!(listed.is_err(), "2 stands in 1-9");
        let listed = StatusMap::parse("0=ok, 1-9=warning, *=critical").unwrap();
        let partial = StatusMap::parse("0=ok,120-127=error").unwrap();
        for (map, status, expected) in [
            (&StatusMap::Exit, 0, Meaning::Fine),
            (&StatusMap::Exit, 1, bad(Severity::Error)),
            (&StatusMap::Exit, 255, bad(Severity::Error)),
            (&StatusMap::Exit, 126, Meaning::Unknown),
            (&StatusMap::Exit, 127, Meaning::Unknown),
            (&StatusMap::Nagios, 0, Meaning::Fine),
            (&StatusMap::Nagios, 1, bad(Severity::Warning)),
            (&StatusMap::Nagios, 2, bad(Severity::Critical)),
            (&StatusMap::Nagios, 3, Meaning::Unknown),
            (&StatusMap::Nagios, 4, Meaning::Unknown),
            (&listed, 0, Meaning::Fine),
            (&listed, 9, bad(Severity::Warning)),
            (&listed, 10, bad(Severity::Critical)),
            (&listed, 127, Meaning::Unknown),
            (&partial, 127, bad(Severity::Error)),
            (&partial, 1, Meaning::Unknown),
        ] {
            assert_eq!(map.meaning(status, Severity::Error), expected, "{status}");
        }
    }

    #[test]
    fn maps_that_are_none() {
        for text in [
            "",
            "0",
            "0=fine",
            "x=ok",
            "9-1=ok",
            "256=ok",
            "-1=ok",
            "*=ok,*=ok",
        ] {
            assert!(StatusMap::parse(text).is_err(), "{text}");
        }
    }
}
