//! Built-in checks: what was found is weighed against limits and said in one line.
//!
//! A probe answers as Nagios plugins do
//! (<https://nagios-plugins.org/doc/guidelines.html>): an exit status, one line for
//! people, and measurements behind a `|`. So the agent treats it like any other
//! command, and so does every other monitor. What the system shows is read by
//! `host::probing`; here it is understood and judged.
//!
//! As the guidelines want it, a server that does not answer is a problem of the
//! server (critical); *unknown* is what keeps the probe itself from looking.

pub mod limits;

pub mod disk;

pub mod memory;

pub mod load;

pub mod cert;

pub mod time;

pub mod systemd;

use limits::Limits;

/// Things that a line names where something is wrong; the others are counted.
const NAMED_MAX: usize = 5;

/// The same where all is well.
const NAMED_FINE_MAX: usize = 3;

/// How things stand, from good to bad: what is known to be bad is worse than what
/// is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All is well.
    Ok,
    /// The probe could not look.
    Unknown,
    /// Somebody should look.
    Warning,
    /// Somebody should look now.
    Critical,
}

impl Status {
    /// The exit status of a plugin.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What is said of one thing: a file system, a certificate, a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How it stands.
    pub status: Status,
    /// That in words, beginning with its name.
    pub text: String,
}

/// A measurement for machines.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// What was measured.
    pub label: String,
    /// How much it is.
    pub value: f64,
    /// `%`, `s`, or nothing for a bare number.
    pub unit: &'static str,
    /// The limits as far as they are limits of this number.
    pub limits: Limits,
    /// The least and the most that it can be.
    pub bounds: (Option<f64>, Option<f64>),
}

/// What a probe says.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The name of the probe, in capitals.
    pub name: &'static str,
    /// What was found, in the order in which it should be read where equally bad.
    pub findings: Vec<Finding>,
    /// What was measured.
    pub measures: Vec<Measure>,
}

impl Report {
    /// A report of one finding.
    pub fn new(name: &'static str, status: Status, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            name,
            findings: vec![Finding { status, text }],
            measures: Vec::new(),
        }
    }

    /// The worst of what was found.
    pub fn status(&self) -> Status {
        let worst = self.findings.iter().map(|finding| finding.status).max();
        worst.unwrap_or(Status::Unknown)
    }

    /// All of it in one line: the worst first.
    pub fn line(&self) -> String {
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.status));
        let status = self.status();
        let n_bad = (findings.iter())
            .filter(|finding| finding.status > Status::Ok)
            .count();
        // What is fine is only named where nothing is wrong.
        let n_named = match n_bad {
            0 => findings.len().min(NAMED_FINE_MAX),
            n_bad => n_bad.min(NAMED_MAX),
        };
        let mut texts: Vec<String> = (findings[..n_named].iter())
            .map(|finding| on_one_line(&finding.text))
            .collect();
        let n_bad_left = n_bad.saturating_sub(n_named);
        let n_fine_left = findings.len() - n_named - n_bad_left;
        if n_bad_left > 0 {
            texts.push(format!("{n_bad_left} more are not well"));
        }
        match n_fine_left {
            0 => {}
            1 => texts.push("1 more is fine".to_owned()),
            n => texts.push(format!("{n} more are fine")),
        }
        let mut line = format!("{} {} - {}", self.name, status.word(), texts.join("; "));
        let measures: Vec<String> = self.measures.iter().map(Measure::written).collect();
        if !measures.is_empty() {
            line.push_str(" | ");
            line.push_str(&measures.join(" "));
        }
        line
    }
}

impl Measure {
    /// A percentage.
    pub fn percent(label: impl Into<String>, value: f64, limits: Limits) -> Self {
        Self {
            label: label.into(),
            value,
            unit: "%",
            limits,
            bounds: (Some(0.0), Some(100.0)),
        }
    }

    /// `'label'=value[unit];[warn];[crit];[min];[max]`, without the empty end.
    fn written(&self) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        // The format has no way to write an equals sign in a label.
        let label = on_one_line(&self.label).replace('=', "_");
        let label = match label.chars().all(is_plain) {
            true => label,
            false => format!("'{}'", label.replace('\'', "''")),
        };
        let (warn, crit) = self.limits.written();
        let bound = |bound: Option<f64>| bound.map_or(String::new(), number);
        let (value, unit) = (number(self.value), self.unit);
        let (min, max) = (bound(self.bounds.0), bound(self.bounds.1));
        let text = format!("{label}={value}{unit};{warn};{crit};{min};{max}");
        text.trim_end_matches(';').to_owned()
    }
}

/// A number with as many decimals as it needs, three at most.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "-0" => "0".to_owned(),
        _ => text.to_owned(),
    }
}

/// Text that can neither end the line nor begin the measurements.
fn on_one_line(text: &str) -> String {
    let harmless = |c: char| match c {
        '|' => '/',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().map(harmless).collect()
}

/// Bytes for people.
fn bytes(n_bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = n_bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    match value < 9.95 {
        true => format!("{value:.1} {unit}"),
        false => format!("{value:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::limits::Range;
    use super::*;

    fn finding(status: Status, text: &str) -> Finding {
        let text = text.to_owned();
        Finding { status, text }
    }

    #[test]
    fn lines() {
        let measure = |label: &str, value| {
            let limits = Limits {
                warn: Range::parse("80").ok(),
                crit: Range::parse("10:90").ok(),
            };
            Measure::percent(label, value, limits)
        };
        let mut report = Report::new("DISK", Status::Ok, "/ 40% used");
        assert_eq!(report.line(), "DISK OK - / 40% used");
        report
            .findings
            .push(finding(Status::Warning, "/a|b\n85% used"));
        report
            .findings
            .push(finding(Status::Critical, "/c 95% used"));
        report.measures = vec![measure("/", 40.0), measure("it's a=b", 85.55555)];
        assert_eq!(
            report.line(),
            "DISK CRITICAL - /c 95% used; /a/b 85% used; 1 more is fine | \
             '/'=40%;80;10:90;0;100 'it''s a_b'=85.556%;80;10:90;0;100"
        );
        assert_eq!(report.status().code(), 2);
        report.measures.clear();
        for n in 0..10 {
            let text = format!("/d{n}");
            report.findings.push(finding(Status::Unknown, &text));
        }
        assert_eq!(
            report.line(),
            "DISK CRITICAL - /c 95% used; /a/b 85% used; /d0; /d1; /d2; 7 more are not well; \
             1 more is fine"
        );
    }

    #[test]
    fn sizes() {
        for (n_bytes, expected) in [
            (0, "0.0 KiB"),
            (1_023, "1.0 KiB"),
            (10_240, "10 KiB"),
            (5 << 20, "5.0 MiB"),
            (270_582_939_648, "252 GiB"),
            (3_500_000_000_000, "3.2 TiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(bytes(n_bytes), expected);
        }
    }

    #[test]
    fn numbers() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0001, "0"),
            (100.0, "100"),
            (-1.5, "-1.5"),
            (0.0125, "0.013"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
