//! What the space does instead of answering properly, on demand.
//!
//! A fault is written `KIND[:COUNT][@SPACE]`: `503:3` fails the next three
//! requests, `hang@ops` all requests to the space `ops` until it is taken back.
//!
//! | kind | what a client meets |
//! |---|---|
//! | `400` `401` `403` `404` `409` `429` `500` `501` `503` | that status; `429/7s` adds a `Retry-After` of 7 s |
//! | `portal` | 200 with a page of HTML |
//! | `502-html` | 502 with a page of HTML |
//! | `redirect` | 302 to nowhere |
//! | `slow/3s` | the message accepted at once, the answer 3 s late |
//! | `hang` | no answer |
//! | `close` | the connection closed before the body was read |
//! | `lost` | the message accepted, the connection closed without an answer |
//! | `truncated` | the message accepted, the answer cut in its middle |
//! | `stranger` | the quota used up by somebody else a moment before |

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};

/// Faults that may wait at once.
pub const FAULTS_MAX: usize = 100;
/// The longest a slow answer may take.
pub const SLOW_SECS_MAX: u64 = 600;
/// How long a slow answer takes if nothing is said.
const SLOW_SECS: u64 = 5;

/// Something that goes wrong, how often, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// For how many requests; for all of them if it is not said.
    pub count: Option<u32>,
    /// In which space; in all of them if it is not said.
    pub space: Option<String>,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// An error answer with a status code, and perhaps a `Retry-After`.
    Status {
        /// One of [`STATUS_CODES`].
        code: u16,
        /// Seconds for the `Retry-After` header.
        retry_after_secs: Option<u32>,
    },
    /// A page of HTML with 200, as a captive portal sends it.
    Portal,
    /// A page of HTML with 502, as a proxy sends it.
    BadGateway,
    /// A redirect to somewhere else.
    Redirect,
    /// The message is accepted at once, and the answer comes late.
    Slow {
        /// How late.
        secs: u64,
    },
    /// No answer, ever.
    Hang,
    /// The connection is closed before the body was read.
    Close,
    /// The message is accepted, and the connection closed without an answer.
    Lost,
    /// The message is accepted, and the answer ends in its middle.
    Truncated,
    /// Somebody else has just used up the space's quota.
    Stranger,
}

/// The status codes that can be asked for.
pub const STATUS_CODES: [u16; 9] = [400, 401, 403, 404, 409, 429, 500, 501, 503];

/// The words for the kinds that are not a status code.
const WORDS: &str = "portal, 502-html, redirect, slow, hang, close, lost, truncated, stranger";

/// The faults that wait for a request.
#[derive(Debug, Default)]
pub(super) struct Faults(VecDeque<Fault>);

impl Faults {
    /// Adds a fault behind the others; `false` if there are too many.
    pub(super) fn add(&mut self, fault: Fault) -> bool {
        let fits = self.0.len() < FAULTS_MAX;
        if fits {
            self.0.push_back(fault);
        }
        fits
    }

    /// Takes all faults back.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns what happens to the next request to a space.
    pub(super) fn next(&mut self, space: &str) -> Option<FaultKind> {
        let index = self.0.iter().position(|fault| {
            let matches_space = fault.space.as_deref().is_none_or(|named| named == space);
            matches_space && fault.count != Some(0)
        })?;
        let fault = &mut self.0[index];
        let kind = fault.kind;
        if let Some(count) = &mut fault.count {
            *count -= 1;
            if *count == 0 {
                self.0.remove(index);
            }
        }
        Some(kind)
    }

    /// Returns the faults as they are written.
    pub(super) fn to_json(&self) -> Value {
        json!(self.0.iter().map(ToString::to_string).collect::<Vec<_>>())
    }
}

impl FaultKind {
    /// Returns how late the answer is.
    pub(super) fn delay(self) -> Option<Duration> {
        match self {
            Self::Slow { secs } => Some(Duration::from_secs(secs)),
            Self::Status { .. }
            | Self::Portal
            | Self::BadGateway
            | Self::Redirect
            | Self::Hang
            | Self::Close
            | Self::Lost
            | Self::Truncated
            | Self::Stranger => None,
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let (rest, space) = match written.split_once('@') {
            Some((_, "")) => return Err("the name of a space is missing after `@`".to_owned()),
            Some((rest, space)) => (rest, Some(space.to_owned())),
            None => (written, None),
        };
        let (kind, count) = match rest.split_once(':') {
            Some((kind, count)) => match count.parse() {
                Ok(0) | Err(_) => {
                    return Err(format!(
                        "`{count}` is not a number of requests, expected 1 or more"
                    ));
                }
                Ok(count) => (kind, Some(count)),
            },
            None => (rest, None),
        };
        Ok(Self {
            kind: kind.parse()?,
            count,
            space,
        })
    }
}

impl FromStr for FaultKind {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let (word, argument) = match written.split_once('/') {
            Some((word, argument)) => (word, Some(argument)),
            None => (written, None),
        };
        if let Ok(code) = word.parse::<u16>() {
            if !STATUS_CODES.contains(&code) {
                let known = STATUS_CODES.map(|code| code.to_string()).join(", ");
                return Err(format!(
                    "the status code {code} cannot be asked for, expected one of {known}"
                ));
            }
            let retry_after_secs = argument.map(parse_secs).transpose()?;
            return Ok(Self::Status {
                code,
                retry_after_secs,
            });
        }
        let kind = match word {
            "slow" => {
                let secs = match argument {
                    Some(argument) => u64::from(parse_secs(argument)?),
                    None => SLOW_SECS,
                };
                if secs > SLOW_SECS_MAX {
                    return Err(format!(
                        "{secs} seconds are too slow, expected at most {SLOW_SECS_MAX}"
                    ));
                }
                return Ok(Self::Slow { secs });
            }
            "portal" => Self::Portal,
            "502-html" => Self::BadGateway,
            "redirect" => Self::Redirect,
            "hang" => Self::Hang,
            "close" => Self::Close,
            "lost" => Self::Lost,
            "truncated" => Self::Truncated,
            "stranger" => Self::Stranger,
            _ => {
                return Err(format!(
                    "unknown fault `{word}`, expected a status code or one of {WORDS}"
                ));
            }
        };
        match argument {
            Some(argument) => Err(format!("`{word}` takes no argument, found `/{argument}`")),
            None => Ok(kind),
        }
    }
}

fn parse_secs(written: &str) -> Result<u32, String> {
    let digits = written.strip_suffix('s').unwrap_or(written);
    digits
        .parse()
        .map_err(|_| format!("`{written}` is not a number of seconds, expected such as `5s`"))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(count) = self.count {
            write!(f, ":{count}")?;
        }
        if let Some(space) = &self.space {
            write!(f, "@{space}")?;
        }
        Ok(())
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status {
                code,
                retry_after_secs: Some(secs),
            } => write!(f, "{code}/{secs}s"),
            Self::Status {
                code,
                retry_after_secs: None,
            } => write!(f, "{code}"),
            Self::Portal => f.write_str("portal"),
            Self::BadGateway => f.write_str("502-html"),
            Self::Redirect => f.write_str("redirect"),
            Self::Slow { secs } => write!(f, "slow/{secs}s"),
            Self::Hang => f.write_str("hang"),
            Self::Close => f.write_str("close"),
            Self::Lost => f.write_str("lost"),
            Self::Truncated => f.write_str("truncated"),
            Self::Stranger => f.write_str("stranger"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for written in [
            "503",
            "503:3",
            "429/7s:1@ops",
            "slow/2s",
            "hang@ops",
            "lost:1",
            "502-html",
            "portal",
            "redirect",
            "close",
            "truncated",
            "stranger:2",
        ] {
            let fault: Fault = written.parse().expect(written);
            assert_eq!(fault.to_string(), written);
        }
    }

    #[test]
    fn says_what_it_does_not_understand() {
        let cases = [
            (
                "418",
                "the status code 418 cannot be asked for, expected one of \
                 400, 401, 403, 404, 409, 429, 500, 501, 503",
            ),
            (
                "503:x",
                "`x` is not a number of requests, expected 1 or more",
            ),
            (
                "503:0",
                "`0` is not a number of requests, expected 1 or more",
            ),
            ("503@", "the name of a space is missing after `@`"),
            (
                "slow/soon",
                "`soon` is not a number of seconds, expected such as `5s`",
            ),
            ("slow/601", "601 seconds are too slow, expected at most 600"),
            ("hang/3", "`hang` takes no argument, found `/3`"),
            (
                "explode",
                "unknown fault `explode`, expected a status code or one of portal, 502-html, \
                 redirect, slow, hang, close, lost, truncated, stranger",
            ),
        ];
        for (written, message) in cases {
            assert_eq!(written.parse::<Fault>(), Err(message.to_owned()));
        }
    }

    #[test]
    fn counts_down_per_space() {
        let mut faults = Faults::default();
        for written in ["503:2@ops", "401:1"] {
            assert!(faults.add(written.parse().expect(written)));
        }
        let codes: Vec<String> = ["dev", "ops", "ops", "ops"]
            .iter()
            .map(|space| {
                faults
                    .next(space)
                    .map_or("fine".to_owned(), |kind| kind.to_string())
            })
            .collect();
        assert_eq!(codes, ["401", "503", "503", "fine"]);
    }
}
