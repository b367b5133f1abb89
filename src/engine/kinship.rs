//! What names tell of rotated files.
//!
//! ```text
//! app.log   app.log.1   app.log.2.gz   app.log-20261121   app-2026-11-21.log.zst
//! ```
//!
//! A rotated file carries the log's own name with a number or a date behind it, or
//! before its extension, and perhaps the ending of a compressor. A name only says
//! who *may* be kin, and in which order; bytes prove it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How a file is compressed, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
    /// `.bz2`
    Bzip2,
    /// `.xz`
    Xz,
}

/// Where a rotated file stands among those of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rank {
    /// A number: the higher, the older.
    Number(u64),
    /// A date and what follows it: the higher, the newer.
    Date(Vec<u64>),
    /// A word such as `old`: only its time of writing tells.
    Word,
}

/// Digits of a rotation's number, at most; more are a date.
const NUMBER_DIGITS_MAX: usize = 5;

/// Words that stand for a rotation.
const WORDS: [&[u8]; 4] = [b"old", b"bak", b"prev", b"last"];

const PACKINGS: [(&[u8], Packing); 4] = [
    (b".gz", Packing::Gzip),
    (b".zst", Packing::Zstd),
    (b".bz2", Packing::Bzip2),
    (b".xz", Packing::Xz),
];

impl Packing {
    /// How a file is compressed, as its name says.
    pub fn of(path: &Path) -> Option<Self> {
        unpacked(name_of(path)).1
    }
}

impl Rank {
    /// Whether a file of this rank was rotated later than one of another; nothing
    /// where names cannot tell.
    pub fn is_newer_than(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => Some(one < other),
            (Self::Date(one), Self::Date(other)) => Some(one > other),
            (Self::Number(_) | Self::Date(_) | Self::Word, _) => None,
        }
    }
}

/// Where a file stands among the rotated ones of a log, if its name says that it is
/// one of them.
pub fn rank(log: &Path, found: &Path) -> Option<Rank> {
    if log.parent() != found.parent() {
        return None;
    }
    let log = name_of(log);
    let (found, _) = unpacked(name_of(found));
    if let Some(behind) = found.strip_prefix(log) {
        return read_rank(behind);
    }
    let dot = log.iter().rposition(|byte| *byte == b'.')?;
    let (stem, extension) = log.split_at(dot);
    read_rank(found.strip_prefix(stem)?.strip_suffix(extension)?)
}

/// The logs that a file may be a rotated one of, by its name.
pub fn logs_of(found: &Path) -> Vec<PathBuf> {
    let (name, _) = unpacked(name_of(found));
    let mut logs = Vec::new();
    let separators = |(idx, byte): (usize, &u8)| matches!(byte, b'.' | b'-' | b'_').then_some(idx);
    for start in name.iter().enumerate().filter_map(separators) {
        for end in (start + 1..=name.len()).rev() {
            let is_end = end == name.len() || name[end] == b'.';
            if start > 0 && is_end && read_rank(&name[start..end]).is_some() {
                let log = [&name[..start], &name[end..]].concat();
                logs.push(found.with_file_name(OsStr::from_bytes(&log)));
            }
        }
    }
    logs
}

fn name_of(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_bytes()
}

/// A name without the ending of a compressor.
fn unpacked(name: &[u8]) -> (&[u8], Option<Packing>) {
    let found = PACKINGS
        .iter()
        .find_map(|(ending, packing)| Some((name.strip_suffix(*ending)?, Some(*packing))));
    found.unwrap_or((name, None))
}

fn read_rank(part: &[u8]) -> Option<Rank> {
    let rest = match part.first()? {
        b'.' | b'-' | b'_' => &part[1..],
        _ => return None,
    };
    if WORDS.contains(&rest) {
        return Some(Rank::Word);
    }
    let mut groups: Vec<(u64, usize)> = Vec::new();
    for group in rest.split(|byte| matches!(byte, b'.' | b'-' | b'_' | b':' | b'T')) {
        let text = std::str::from_utf8(group).ok()?;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        groups.push((text.parse().ok()?, text.len()));
    }
    match groups[..] {
        [(number, n_digits)] if n_digits <= NUMBER_DIGITS_MAX => Some(Rank::Number(number)),
        [(year, 4), (month, 2), (day, 2), ..] => {
            let more = groups[3..].iter().map(|(value, _)| *value);
            let day = (year * 100 + month) * 100 + day;
            Some(Rank::Date(std::iter::once(day).chain(more).collect()))
        }
        [(_, NUMBER_DIGITS_MAX..), ..] => {
            Some(Rank::Date(groups.iter().map(|(value, _)| *value).collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank_of(log: &str, found: &str) -> Option<Rank> {
        rank(&Path::new("/l").join(log), &Path::new("/l").join(found))
    }

    #[test]
    fn names_of_rotated_files() {
        use Rank::{Date, Number, Word};
        for (log, found, expected) in [
            ("app.log", "app.log.1", Some(Number(1))),
            ("app.log", "app.log.12.gz", Some(Number(12))),
            ("app.log", "app.1.log", Some(Number(1))),
            ("app.log", "app.log.old", Some(Word)),
            ("app.log", "app.log-20261121", Some(Date(vec![20_261_121]))),
            (
                "app.log",
                "app.log.20261121.xz",
                Some(Date(vec![20_261_121])),
            ),
            (
                "app.log",
                "app.log.2026-11-21",
                Some(Date(vec![20_261_121])),
            ),
            (
                "app.log",
                "app-2026-11-21.log",
                Some(Date(vec![20_261_121])),
            ),
            (
                "app.log",
                "app-20261121.log.zst",
                Some(Date(vec![20_261_121])),
            ),
            (
                "app.log",
                "app.log-20261121-1",
                Some(Date(vec![20_261_121, 1])),
            ),
            (
                "app.log",
                "app.log-2026-11-21-07.bz2",
                Some(Date(vec![20_261_121, 7])),
            ),
            (
                "app.log",
                "app.log-1763700000",
                Some(Date(vec![1_763_700_000])),
            ),
            ("syslog", "syslog.1", Some(Number(1))),
            ("app.log", "app.log", None),
            ("app.log", "app.log.gz", None),
            ("app.log", "app.log1", None),
            ("app.log", "apps.log.1", None),
            ("app.log", "app.log.tmp", None),
            ("app.log", "app-eu.log", None),
            ("app.log", "app.log.1.2", None),
            ("app.log", "app.log.", None),
        ] {
            assert_eq!(rank_of(log, found), expected, "{found}");
            if expected.is_some() {
                let logs = logs_of(&Path::new("/l").join(found));
                assert!(
                    logs.contains(&Path::new("/l").join(log)),
                    "{found} {logs:?}"
                );
            }
        }
        assert_eq!(rank(Path::new("/a/x"), Path::new("/b/x.1")), None);
    }

    #[test]
    fn newer_and_older() {
        let newer = |one, other| rank_of("a", one)?.is_newer_than(&rank_of("a", other)?);
        assert_eq!(newer("a.1", "a.2.gz"), Some(true));
        assert_eq!(newer("a.10", "a.9"), Some(false));
        assert_eq!(newer("a-20261121", "a-20261120.gz"), Some(true));
        assert_eq!(newer("a-20261121-1", "a-20261121"), Some(true));
        assert_eq!(newer("a.1", "a-20261121"), None);
        assert_eq!(newer("a.old", "a.1"), None);
    }
}
