//! Limits as they are written on a command line, and whether a number is beyond
//! them.
//!
//! A range is that of the Nagios guidelines: `80` is 0 to 80, `10:` is 10 and more,
//! `~:80` is 80 and less, `10:80` is between, and what is outside alerts; with `@`
//! before it, what is inside does.

use std::fmt;

/// Numbers that are fine, or, inverted, those that are not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The first that is fine; minus infinity where there is none.
    start: f64,
    /// The last that is fine; infinity where there is none.
    end: f64,
    /// The range holds what alerts.
    is_inverted: bool,
}

/// From where on something is a warning, and from where on critical.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Beyond it is a warning.
    pub warn: Option<Range>,
    /// Beyond it is critical.
    pub crit: Option<Range>,
}

/// A limit of something that fills up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    /// A range of percent in use.
    Used(Range),
    /// So many bytes must be left.
    Left(u64),
}

impl Range {
    /// Reads a range.
    ///
    /// The error is a reason that a person can read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (is_inverted, range) = match text.strip_prefix('@') {
            Some(range) => (true, range),
            None => (false, text),
        };
        let (start, end) = match range.split_once(':') {
            Some((start, end)) => (start, end),
            None => ("", range),
        };
        let number = |text: &str| {
            let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
            value.ok_or_else(|| {
                format!(
                    "`{text}` is no number; write a limit such as `80`, or a range such as `10:80`"
                )
            })
        };
        let start = match start {
            "~" => f64::NEG_INFINITY,
            "" => 0.0,
            start => number(start)?,
        };
        let end = match end {
            "" if range.contains(':') => f64::INFINITY,
            end => number(end)?,
        };
        match start <= end {
            true => Ok(Self {
                start,
                end,
                is_inverted,
            }),
            false => Err("it ends before it begins".to_owned()),
        }
    }

    /// Reads a range of percent, with or without the signs.
    pub fn parse_percent(text: &str) -> Result<Self, String> {
        let range = Self::parse(&text.replace('%', ""))?;
        let is_percent = |end: f64| end.is_infinite() || (0.0..=100.0).contains(&end);
        match is_percent(range.start) && is_percent(range.end) {
            true => Ok(range),
            false => Err("percent are from 0 to 100".to_owned()),
        }
    }

    /// All numbers of at least this are fine.
    pub fn at_least(start: f64) -> Self {
        Self {
            start,
            end: f64::INFINITY,
            is_inverted: false,
        }
    }

    /// All numbers of at most this size, above or below zero, are fine.
    pub fn within(size: f64) -> Self {
        Self {
            start: -size,
            end: size,
            is_inverted: false,
        }
    }

    /// Whether this number is to be spoken of.
    pub fn alerts(&self, value: f64) -> bool {
        let is_inside = self.start <= value && value <= self.end;
        is_inside == self.is_inverted
    }

    /// Whether this alerts for less than the other, and for nothing else.
    fn is_hidden_by(&self, other: &Self) -> bool {
        let is_around = |outer: &Self, inner: &Self| {
            outer.start <= inner.start && inner.end <= outer.end && outer != inner
        };
        match (self.is_inverted, other.is_inverted) {
            (false, false) => is_around(self, other),
            (true, true) => is_around(other, self),
            (true, false) | (false, true) => false,
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inverted = if self.is_inverted { "@" } else { "" };
        let end = super::number(self.end);
        match (self.start, self.end) {
            (f64::NEG_INFINITY, f64::INFINITY) => write!(f, "{inverted}~:"),
            (f64::NEG_INFINITY, _) => write!(f, "{inverted}~:{end}"),
            (start, f64::INFINITY) => write!(f, "{inverted}{}:", super::number(start)),
            (0.0, _) => write!(f, "{inverted}{end}"),
            (start, _) => write!(f, "{inverted}{}:{end}", super::number(start)),
        }
    }
}

impl Limits {
    /// Both limits, unless the first could never be the one that speaks.
    pub fn new(warn: Range, crit: Range) -> Result<Self, String> {
        match warn.is_hidden_by(&crit) {
            true => Err(never_a_warning(&warn.to_string(), &crit.to_string())),
            false => Ok(Self {
                warn: Some(warn),
                crit: Some(crit),
            }),
        }
    }

    /// How a number stands.
    pub fn status(&self, value: f64) -> super::Status {
        let alerts = |range: Option<Range>| range.is_some_and(|range| range.alerts(value));
        match (alerts(self.warn), alerts(self.crit)) {
            (_, true) => super::Status::Critical,
            (true, false) => super::Status::Warning,
            (false, false) => super::Status::Ok,
        }
    }

    /// Both as they stand behind a measurement.
    pub(super) fn written(&self) -> (String, String) {
        let written = |range: Option<Range>| range.map_or(String::new(), |range| range.to_string());
        (written(self.warn), written(self.crit))
    }
}

/// Why two limits make no sense together.
pub fn never_a_warning(warn: &str, crit: &str) -> String {
    format!(
        "whatever is beyond `--warn {warn}` is beyond `--crit {crit}` as well, and nothing would \
         ever be a warning; give both, with the milder one as `--warn`"
    )
}

impl Level {
    /// Reads percent in use, such as `80%`, or a size that must be left, such as
    /// `20GiB`.
    pub fn parse(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
        for (unit, shift) in UNITS {
            let Some(number) = text.strip_suffix(unit) else {
                continue;
            };
            let value = number.parse::<u64>().ok();
            let n_bytes = value.and_then(|value| value.checked_mul(1 << shift));
            return n_bytes.map(Self::Left).ok_or_else(|| {
                format!("`{number}` is no whole number; write a size such as `20GiB`")
            });
        }
        let is_size = text.ends_with(['B', 'K', 'M', 'G', 'T', 'k', 'm', 'g', 't', 'b']);
        match Range::parse_percent(text) {
            Ok(range) => Ok(Self::Used(range)),
            Err(_) if is_size => {
                Err("sizes end in `KiB`, `MiB`, `GiB` or `TiB`; percent in `%`".to_owned())
            }
            Err(why) => Err(why),
        }
    }

    /// Whether so much in use, and so much left, is to be spoken of.
    pub fn alerts(&self, used_percent: f64, left_bytes: u64) -> bool {
        match self {
            Self::Used(range) => range.alerts(used_percent),
            Self::Left(least) => left_bytes < *least,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used(range) => write!(f, "{range}%"),
            Self::Left(least) => write!(f, "{}", super::bytes(*least).replace(' ', "")),
        }
    }
}

/// From where on a thing that fills up is a warning, and from where on critical.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    warn: Level,
    crit: Level,
}

impl Levels {
    /// Both levels, unless the first could never be the one that speaks.
    pub fn new(warn: Level, crit: Level) -> Result<Self, String> {
        let is_hidden = match (&warn, &crit) {
            (Level::Used(warn), Level::Used(crit)) => warn.is_hidden_by(crit),
            (Level::Left(warn), Level::Left(crit)) => warn < crit,
            (Level::Used(_), Level::Left(_)) | (Level::Left(_), Level::Used(_)) => false,
        };
        match is_hidden {
            true => Err(never_a_warning(&warn.to_string(), &crit.to_string())),
            false => Ok(Self { warn, crit }),
        }
    }

    /// How it stands.
    pub fn status(&self, used_percent: f64, left_bytes: u64) -> super::Status {
        match (
            self.warn.alerts(used_percent, left_bytes),
            self.crit.alerts(used_percent, left_bytes),
        ) {
            (_, true) => super::Status::Critical,
            (true, false) => super::Status::Warning,
            (false, false) => super::Status::Ok,
        }
    }

    /// As limits of the percentage in use of something of this size.
    pub fn of_percent(&self, total_bytes: u64) -> Limits {
        let range = |level: &Level| match level {
            Level::Used(range) => Some(*range),
            Level::Left(least) => {
                let left = *least as f64 / total_bytes.max(1) as f64;
                Range::parse(&format!("{:.3}", (100.0 - left * 100.0).max(0.0))).ok()
            }
        };
        Limits {
            warn: range(&self.warn),
            crit: range(&self.crit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Status;

    #[test]
    fn ranges() {
        // As the guidelines of the plugins have them.
        for (text, alerting, fine) in [
            ("10", [-0.1, 10.1], [0.0, 10.0]),
            ("10:", [-20.0, 9.9], [10.0, 1e9]),
            ("~:10", [10.1, 1e9], [-1e9, 10.0]),
            ("10:20", [9.9, 20.1], [10.0, 20.0]),
            ("@10:20", [10.0, 20.0], [9.9, 20.1]),
            ("-1.5:1.5", [-2.0, 2.0], [-1.5, 0.0]),
        ] {
            let range = Range::parse(text).unwrap();
            assert_eq!(range.to_string(), text);
            assert!(alerting.iter().all(|value| range.alerts(*value)), "{text}");
            assert!(!fine.iter().any(|value| range.alerts(*value)), "{text}");
        }
        assert!(!Range::parse("~:").unwrap().alerts(-1.0));
    }

    #[test]
    fn ranges_that_are_none() {
        for (text, reason) in [
            ("", "`` is no number"),
            ("x", "`x` is no number"),
            ("10:x", "`x` is no number"),
            ("nan", "`nan` is no number"),
            ("inf", "`inf` is no number"),
            ("20:10", "it ends before it begins"),
            ("-1", "it ends before it begins"),
            ("@", "`` is no number"),
        ] {
            let why = Range::parse(text).unwrap_err();
            assert!(why.starts_with(reason), "{text}: {why}");
        }
    }

    #[test]
    fn limits_of_which_one_never_speaks() {
        for (warn, crit, is_good) in [
            ("80", "90", true),
            ("90", "90", true),
            ("90", "80", false),
            ("20:", "10:", true),
            ("10:", "20:", false),
            ("10:90", "5:95", true),
            ("5:95", "10:90", false),
            // Each has something of its own.
            ("5:90", "10:95", true),
            ("@10:20", "@12:15", true),
            ("@12:15", "@10:20", false),
            ("@10:20", "90", true),
        ] {
            let range = |text| Range::parse(text).unwrap();
            let limits = Limits::new(range(warn), range(crit));
            assert_eq!(limits.is_ok(), is_good, "{warn} {crit}");
        }
        let why = Limits::new(Range::within(5.0), Range::within(1.0)).unwrap_err();
        assert_eq!(
            why,
            "whatever is beyond `--warn -5:5` is beyond `--crit -1:1` as well, and nothing would \
             ever be a warning; give both, with the milder one as `--warn`"
        );
    }

    #[test]
    fn levels() {
        let levels = |warn, crit| Levels::new(Level::parse(warn)?, Level::parse(crit)?);
        let gib = 1_u64 << 30;
        for (warn, crit, used, left, expected) in [
            ("80%", "90%", 80.0, gib, Status::Ok),
            ("80%", "90%", 80.1, gib, Status::Warning),
            ("80", "90", 90.1, gib, Status::Critical),
            ("20GiB", "5GiB", 99.0, 20 * gib, Status::Ok),
            ("20GiB", "5GiB", 1.0, 20 * gib - 1, Status::Warning),
            ("20GiB", "5GiB", 1.0, gib, Status::Critical),
            ("80%", "512MiB", 90.0, gib, Status::Warning),
            ("80%", "2GiB", 10.0, gib, Status::Critical),
        ] {
            let levels = levels(warn, crit).unwrap();
            assert_eq!(levels.status(used, left), expected, "{warn} {crit} {used}");
        }
        for (warn, crit, reason) in [
            (
                "95%",
                "90%",
                "whatever is beyond `--warn 95%` is beyond `--crit 90%`",
            ),
            ("5GiB", "20GiB", "whatever is beyond `--warn 5.0GiB`"),
            ("120%", "130%", "percent are from 0 to 100"),
            ("20GB", "5GB", "sizes end in `KiB`"),
            ("1.5GiB", "1GiB", "`1.5` is no whole number"),
            ("99999999999TiB", "1GiB", "`99999999999` is no whole number"),
            ("much", "more", "`much` is no number"),
        ] {
            let why = levels(warn, crit).unwrap_err();
            assert!(why.starts_with(reason), "{why}");
        }
        let of_percent = levels("20GiB", "5GiB").unwrap().of_percent(100 * gib);
        assert_eq!(of_percent.written(), ("80".into(), "95".into()));
        let of_percent = levels("20GiB", "90%").unwrap().of_percent(gib);
        assert_eq!(of_percent.written(), ("0".into(), "90".into()));
    }
}
