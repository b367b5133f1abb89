//! What the server's answer means for the message and for its space.
//!
//! Decided on the HTTP status and `google.rpc.Status` alone: Chat's documentation
//! says that error texts are no part of the API.

use std::time::Duration;

/// The longest wait that a `Retry-After` can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// What came back of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The server answered.
    Http {
        /// The HTTP status.
        status: u16,
        /// The value of `Retry-After`, if it was seconds or a date, as a wait.
        retry_after: Option<Duration>,
        /// The start of the body, 16 KiB at most.
        body: Vec<u8>,
    },
    /// The request certainly did not reach the server: name, connection, TLS.
    Unreached {
        /// The cause, for people; without the address.
        why: String,
    },
    /// The request went out and no whole answer came.
    Unanswered {
        /// The cause, for people; without the address.
        why: String,
    },
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is in the space.
    Delivered {
        /// `spaces/S/threads/T`, if the answer told.
        thread: Option<String>,
    },
    /// Not now: the whole space waits.
    Later {
        /// Why.
        cause: Cause,
        /// How long the server asks to wait.
        wait: Option<Duration>,
        /// For people; without the address.
        why: String,
    },
    /// The server will not have this message.
    Refused {
        /// For people.
        why: String,
    },
    /// The server will not have any message of ours.
    SpaceRefused {
        /// Whether it is only believed when it repeats.
        certain: bool,
        /// For people.
        why: String,
    },
}

/// Why a message has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The space's quota is used up, by us or by others.
    Quota,
    /// The server or the way to it is in trouble; the message did not arrive.
    Trouble,
    /// The message may have arrived: the same request must be made again.
    Unknown,
}

/// Tells what a reply means.
pub fn classify(reply: &Reply) -> Answer {
    let (status, retry_after, body) = match reply {
        Reply::Http {
            status,
            retry_after,
            body,
        } => (*status, *retry_after, body),
        Reply::Unreached { why } => return later(Cause::Trouble, None, why.clone()),
        Reply::Unanswered { why } => return later(Cause::Unknown, None, why.clone()),
    };
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let error = Error::of(json.as_ref());
    let why = error.describe(status);
    let wait = retry_after.map(|wait| wait.min(RETRY_AFTER_MAX));
    match status {
        200..=299 => match json.as_ref().and_then(|json| json["name"].as_str()) {
            Some(_) => Answer::Delivered {
                thread: json
                    .as_ref()
                    .and_then(|json| json["thread"]["name"].as_str())
                    .map(str::to_owned),
            },
            None => later(
                Cause::Unknown,
                wait,
                format!("HTTP {status}, but not from Chat: the answer names no message"),
            ),
        },
        300..=399 => Answer::SpaceRefused {
            certain: true,
            why: format!("HTTP {status}: redirected; a webhook is never followed elsewhere"),
        },
        400 if error.reason.as_deref() == Some("API_KEY_INVALID") => {
            Answer::SpaceRefused { certain: true, why }
        }
        401 => Answer::SpaceRefused {
            certain: false,
            why,
        },
        403 | 404 | 410 => Answer::SpaceRefused { certain: true, why },
        409 if error.status.as_deref() == Some("ALREADY_EXISTS") => {
            Answer::Delivered { thread: None }
        }
        429 => later(Cause::Quota, wait, why),
        408 | 409 | 499 => later(Cause::Unknown, wait, why),
        501 => Answer::Refused { why },
        500..=599 => later(Cause::Unknown, wait, why),
        _ => Answer::Refused { why },
    }
}

fn later(cause: Cause, wait: Option<Duration>, why: String) -> Answer {
    Answer::Later { cause, wait, why }
}

/// The parts of a `google.rpc.Status` that are worth showing.
struct Error {
    status: Option<String>,
    reason: Option<String>,
    fields: Vec<String>,
}

impl Error {
    fn of(json: Option<&serde_json::Value>) -> Self {
        let null = serde_json::Value::Null;
        let json = json.unwrap_or(&null);
        // Real answers are wrapped, the documentation prints only what is inside.
        let error = match &json["error"] {
            serde_json::Value::Object(_) => &json["error"],
            _ => json,
        };
        let word = |value: &serde_json::Value| {
            value.as_str().map(|text| {
                text.chars()
                    .filter(|c| c.is_ascii_alphanumeric() || "_.-[]".contains(*c))
                    .take(64)
                    .collect::<String>()
            })
        };
        let details = error["details"].as_array().map_or(&[][..], Vec::as_slice);
        Self {
            status: word(&error["status"]),
            reason: details.iter().find_map(|detail| word(&detail["reason"])),
            fields: details
                .iter()
                .filter_map(|detail| detail["fieldViolations"].as_array())
                .flatten()
                .filter_map(|violation| word(&violation["field"]))
                .take(4)
                .collect(),
        }
    }

    fn describe(&self, status: u16) -> String {
        let mut text = format!("HTTP {status}");
        for word in self.status.iter().chain(&self.reason) {
            text.push(' ');
            text.push_str(word);
        }
        if !self.fields.is_empty() {
            text.push_str(&format!(" (fields: {})", self.fields.join(", ")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16, body: &str) -> Answer {
        classify(&Reply::Http {
            status,
            retry_after: None,
            body: body.into(),
        })
    }

    fn error(code: u16, status: &str, details: &str) -> String {
        format!(
            r#"{{"error":{{"code":{code},"message":"x","status":"{status}","details":[{details}]}}}}"#
        )
    }

    #[test]
    fn every_row_of_the_contract() {
        let word = |answer: &Answer| match answer {
            Answer::Delivered { .. } => "delivered",
            Answer::Later { cause, .. } => match cause {
                Cause::Quota => "quota",
                Cause::Trouble => "trouble",
                Cause::Unknown => "unknown",
            },
            Answer::Refused { .. } => "refused",
            Answer::SpaceRefused { certain: true, .. } => "space refused",
            Answer::SpaceRefused { certain: false, .. } => "space perhaps refused",
        };
        for (status, body, expected) in [
            (
                200,
                r#"{"name":"spaces/S/messages/M"}"#.to_owned(),
                "delivered",
            ),
            (
                200,
                "<html>log in to the wireless</html>".to_owned(),
                "unknown",
            ),
            (200, "{}".to_owned(), "unknown"),
            (302, String::new(), "space refused"),
            (400, error(400, "INVALID_ARGUMENT", ""), "refused"),
            (
                400,
                error(400, "INVALID_ARGUMENT", r#"{"reason":"API_KEY_INVALID"}"#),
                "space refused",
            ),
            (
                401,
                error(401, "UNAUTHENTICATED", ""),
                "space perhaps refused",
            ),
            (403, error(403, "PERMISSION_DENIED", ""), "space refused"),
            (404, "<html>Not Found</html>".to_owned(), "space refused"),
            (408, String::new(), "unknown"),
            (409, error(409, "ABORTED", ""), "unknown"),
            (409, error(409, "ALREADY_EXISTS", ""), "delivered"),
            (410, String::new(), "space refused"),
            (413, String::new(), "refused"),
            (429, error(429, "RESOURCE_EXHAUSTED", ""), "quota"),
            (499, String::new(), "unknown"),
            (500, error(500, "INTERNAL", ""), "unknown"),
            (501, error(501, "UNIMPLEMENTED", ""), "refused"),
            (502, "<html>Bad Gateway</html>".to_owned(), "unknown"),
            (503, error(503, "UNAVAILABLE", ""), "unknown"),
            (504, error(504, "DEADLINE_EXCEEDED", ""), "unknown"),
        ] {
            assert_eq!(word(&http(status, &body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn tells_why_without_repeating_foreign_text() {
        let body = error(
            400,
            "INVALID_ARGUMENT",
            r#"{"fieldViolations":[{"field":"text","description":"<b>no</b>"}]}"#,
        );
        assert_eq!(
            http(400, &body),
            Answer::Refused {
                why: "HTTP 400 INVALID_ARGUMENT (fields: text)".into()
            }
        );
    }

    #[test]
    fn a_long_wait_is_capped() {
        let reply = Reply::Http {
            status: 429,
            retry_after: Some(Duration::from_secs(86_400)),
            body: Vec::new(),
        };
        assert!(matches!(
            classify(&reply),
            Answer::Later {
                wait: Some(wait),
                ..
            } if wait == Duration::from_secs(600)
        ));
    }
}
