//! Certificates: how long they are valid, and whether anybody would trust them.
//!
//! Of a server, what a client would see: the certificate is valid, for this name,
//! and signed by an authority of this machine, and how long all of that goes on. Of
//! a file, only the dates: the first of its certificates that ends counts.

use core::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use super::limits::{Limits, Range};
use super::{Finding, Measure, Report, Status};

const DAY_SECS: i64 = 86_400;

/// How much of its life must be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// Less is a warning.
    pub warn: Duration,
    /// Less is critical.
    pub crit: Duration,
}

/// Where a certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// In a file.
    File(PathBuf),
    /// At a server that speaks TLS from the first byte on.
    Server {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
    },
}

/// What was found at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The server or file, as it was asked for.
    pub target: String,
    /// What is there.
    pub result: Result<Certificate, Trouble>,
}

/// A certificate with its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The first second at which it is valid, since 1970.
    pub not_before: i64,
    /// The last second at which it is valid.
    pub not_after: i64,
    /// The last second at which its chain is valid, where that is earlier.
    pub chain_ends: Option<i64>,
    /// Why nobody would trust it, whatever its dates.
    pub distrust: Option<String>,
    /// Of how many it is the first that ends.
    pub n_together: usize,
}

/// Why there is no certificate to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server does not answer as it should.
    Server(String),
    /// The probe cannot look.
    Probe(String),
}

/// Judges certificates at a time, in seconds since 1970.
pub fn report(seen: &[Seen], remaining: &Remaining, now: i64) -> Report {
    let mut findings = Vec::new();
    let mut measures = Vec::new();
    for seen in seen {
        let (ends, status, text) = match &seen.result {
            Ok(certificate) => {
                let ends = certificate.ends();
                measures.push(days_left(&seen.target, ends - now, remaining));
                let (status, text) = judge(certificate, remaining, now);
                (ends, status, text)
            }
            Err(Trouble::Server(why)) => (i64::MIN, Status::Critical, why.clone()),
            Err(Trouble::Probe(why)) => (i64::MIN, Status::Unknown, why.clone()),
        };
        let text = format!("{} {text}", seen.target);
        findings.push((ends, Finding { status, text }));
    }
    findings.sort_by_key(|(ends, _)| *ends);
    Report {
        name: "CERT",
        findings: findings.into_iter().map(|(_, finding)| finding).collect(),
        measures,
    }
}

impl Target {
    /// The port of HTTPS.
    const PORT: u16 = 443;

    /// Reads `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`, or a path, which has a `/`.
    ///
    /// The error is a reason that a person can read.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some((_, behind)) = text.split_once("://") {
            let host = behind.split('/').next().unwrap_or_default();
            return Err(format!("write it without the scheme: `{host}`"));
        }
        if text.contains('/') {
            return Ok(Self::File(text.into()));
        }
        let server = |host: &str, port: u16| {
            let host = host.to_owned();
            Ok(Self::Server { host, port })
        };
        if text.parse::<Ipv6Addr>().is_ok() {
            return server(text, Self::PORT);
        }
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, behind)) => (host, Some(behind.strip_prefix(':').unwrap_or(behind))),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err("it has no host".to_owned());
        }
        match port {
            None => server(host, Self::PORT),
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => Err(format!("`{port}` is no port, which is 1 to 65535")),
                Ok(port) => server(host, port),
            },
        }
    }
}

impl Certificate {
    /// When it, or what it rests on, ends.
    fn ends(&self) -> i64 {
        let chain = self.chain_ends.unwrap_or(i64::MAX);
        self.not_after.min(chain)
    }
}

fn judge(certificate: &Certificate, remaining: &Remaining, now: i64) -> (Status, String) {
    let secs = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let left = certificate.ends() - now;
    let is_chain = certificate.chain_ends.is_some();
    let whose = if is_chain {
        "the certificate of its authority "
    } else {
        ""
    };
    let date = match certificate.n_together {
        0 | 1 => date(certificate.ends()),
        n => format!("{}, the first of {n}", date(certificate.ends())),
    };
    if now > certificate.not_after {
        let text = format!("expired {} ago ({date})", days(-left));
        return (Status::Critical, text);
    }
    if now < certificate.not_before {
        let text = format!("is not valid before {}", self::date(certificate.not_before));
        return (Status::Critical, text);
    }
    if let Some(why) = &certificate.distrust {
        return (Status::Critical, format!("{why} (valid until {date})"));
    }
    let text = format!("{whose}expires in {} ({date})", days(left));
    match left {
        left if left < secs(remaining.crit) => (Status::Critical, text),
        left if left < secs(remaining.warn) => (Status::Warning, text),
        _ if is_chain => (Status::Ok, text),
        left => (Status::Ok, format!("valid for {} ({date})", days(left))),
    }
}

fn days_left(target: &str, left_secs: i64, remaining: &Remaining) -> Measure {
    let days = |secs: f64| secs / DAY_SECS as f64;
    let at_least = |duration: Duration| Some(Range::at_least(days(duration.as_secs_f64())));
    Measure {
        label: target.to_owned(),
        value: days(left_secs as f64).floor(),
        unit: "",
        limits: Limits {
            warn: at_least(remaining.warn),
            crit: at_least(remaining.crit),
        },
        bounds: (None, None),
    }
}

/// Whole days, or hours where they are few.
fn days(secs: i64) -> String {
    match (secs / DAY_SECS, secs / 3_600) {
        (0, 1) => "1 hour".to_owned(),
        (0, hours) => format!("{hours} hours"),
        (1, hours) => format!("{hours} hours"),
        (days, _) => format!("{days} days"),
    }
}

/// The day, as everybody on earth calls it.
fn date(secs: i64) -> String {
    match jiff::Timestamp::from_second(secs) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => "a day that no calendar has".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 07:00 UTC.
    const NOW: i64 = 1_795_330_800;

    fn at(days: i64) -> i64 {
        NOW + days * DAY_SECS
    }

    #[test]
    fn targets() {
        let server = |host: &str, port| {
            let host = host.to_owned();
            Ok(Target::Server { host, port })
        };
        for (text, expected) in [
            ("example.org", server("example.org", 443)),
            ("example.org:8443", server("example.org", 8443)),
            ("192.0.2.7:993", server("192.0.2.7", 993)),
            ("2001:db8::7", server("2001:db8::7", 443)),
            ("[2001:db8::7]", server("2001:db8::7", 443)),
            ("[2001:db8::7]:25", server("2001:db8::7", 25)),
            ("./a.pem", Ok(Target::File("./a.pem".into()))),
            (
                "https://example.org/x",
                Err("write it without the scheme: `example.org`".to_owned()),
            ),
            (
                "example.org:",
                Err("`` is no port, which is 1 to 65535".to_owned()),
            ),
            (
                "example.org:0",
                Err("`0` is no port, which is 1 to 65535".to_owned()),
            ),
            (":443", Err("it has no host".to_owned())),
            ("", Err("it has no host".to_owned())),
        ] {
            assert_eq!(Target::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn reports() {
        let remaining = Remaining {
            warn: Duration::from_secs(21 * 86_400),
            crit: Duration::from_secs(7 * 86_400),
        };
        let certificate = |not_after| Certificate {
            not_before: at(-30),
            not_after,
            chain_ends: None,
            distrust: None,
            n_together: 1,
        };
        let perf = |days: &str| format!(" | 'a:443'={days};21:;7:");
        for (result, expected, days) in [
            (
                Ok(certificate(at(60))),
                "CERT OK - a:443 valid for 60 days (2027-01-21 07:00 UTC)",
                Some("60"),
            ),
            (
                Ok(certificate(at(20))),
                "CERT WARNING - a:443 expires in 20 days (2026-12-12 07:00 UTC)",
                Some("20"),
            ),
            (
                Ok(certificate(NOW + 30 * 3_600)),
                "CERT CRITICAL - a:443 expires in 30 hours (2026-11-23 13:00 UTC)",
                Some("1"),
            ),
            (
                Ok(certificate(NOW - 3_600)),
                "CERT CRITICAL - a:443 expired 1 hour ago (2026-11-22 06:00 UTC)",
                Some("-1"),
            ),
            (
                Ok(Certificate {
                    not_before: at(1),
                    ..certificate(at(60))
                }),
                "CERT CRITICAL - a:443 is not valid before 2026-11-23 07:00 UTC",
                Some("60"),
            ),
            (
                Ok(Certificate {
                    distrust: Some("is for `b`, not for `a`".to_owned()),
                    ..certificate(at(60))
                }),
                "CERT CRITICAL - a:443 is for `b`, not for `a` (valid until 2027-01-21 07:00 UTC)",
                Some("60"),
            ),
            (
                Ok(Certificate {
                    chain_ends: Some(at(10)),
                    ..certificate(at(60))
                }),
                "CERT WARNING - a:443 the certificate of its authority expires in 10 days (2026-12-02 07:00 UTC)",
                Some("10"),
            ),
            (
                Ok(Certificate {
                    n_together: 3,
                    ..certificate(at(60))
                }),
                "CERT OK - a:443 valid for 60 days (2027-01-21 07:00 UTC, the first of 3)",
                Some("60"),
            ),
            (
                Err(Trouble::Server("connection refused".to_owned())),
                "CERT CRITICAL - a:443 connection refused",
                None,
            ),
            (
                Err(Trouble::Probe("no such file".to_owned())),
                "CERT UNKNOWN - a:443 no such file",
                None,
            ),
        ] {
            let target = "a:443".to_owned();
            let report = report(&[Seen { target, result }], &remaining, NOW);
            let perf = days.map_or(String::new(), perf);
            assert_eq!(report.line(), format!("{expected}{perf}"));
        }
    }
}
