//! One POST, one reply.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;

use crate::engine::answer::Reply;
use crate::engine::outbox::Post;
use crate::engine::time::Wall;
use crate::rules::Webhook;
use crate::rules::settings::{Heartbeat, Proxy};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a whole request may take; then it is not known what became of it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// What certain causes mean for a person, by the words they are known by.
const WAYS_OUT: [(&str, &str); 5] = [
    (
        "UnknownIssuer",
        "no authority that this machine trusts has signed its certificate: where a proxy or \
         an authority of one's own stands in between, name that one's certificate in `ca_file`",
    ),
    (
        "certificate expired",
        "its certificate has expired, or the clock of this machine is wrong",
    ),
    (
        "certificate not valid yet",
        "its certificate is not valid yet, or the clock of this machine is wrong",
    ),
    (
        "certificate not valid for name",
        "somebody else answers under this name, or the address is not the one of the certificate",
    ),
    (
        "dns error",
        "the name cannot be looked up: is there a network, and a name server?",
    ),
];

/// Sends requests.
///
/// The client for the outside world is made at its first use: it opens every
/// root certificate of the system, and fails where there are none.
#[derive(Debug)]
pub struct Chat {
    extra_roots: Vec<reqwest::Certificate>,
    proxy: Option<Proxy>,
    plain: OnceLock<Result<reqwest::Client, String>>,
    loopback: OnceLock<Result<reqwest::Client, String>>,
    outside: OnceLock<Result<reqwest::Client, String>>,
}

/// A file of root certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct RootsFault {
    /// Which.
    path: PathBuf,
    /// Why.
    why: String,
}

impl Chat {
    /// Prepares to send. The certificates in `ca_file` (PEM) are trusted besides
    /// those of the system. Without a `proxy` the environment's is used; none is
    /// ever used for loopback.
    pub fn new(ca_file: Option<&Path>, proxy: Option<&Proxy>) -> Result<Self, RootsFault> {
        let extra_roots = match ca_file {
            None => Vec::new(),
            Some(path) => roots_of(path).map_err(|why| RootsFault {
                path: path.to_owned(),
                why,
            })?,
        };
        Ok(Self {
            extra_roots,
            proxy: proxy.cloned(),
            plain: OnceLock::new(),
            loopback: OnceLock::new(),
            outside: OnceLock::new(),
        })
    }

    /// Sends one request and returns what came back. Neither the reply nor any
    /// error in it holds the address.
    pub async fn post(&self, webhook: &Webhook, post: &Post, now: Wall) -> Reply {
        let unreached = |why| Reply::Unreached { why };
        let client = match self.client(webhook.is_encrypted(), webhook.is_loopback()) {
            Ok(client) => client,
            Err(why) => return unreached(why),
        };
        // Taken as it is: a token that is decoded and encoded again is another one.
        let mut url = webhook.expose().to_owned();
        if post.threaded {
            url.push_str("&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD");
        }
        url.push_str("&requestId=");
        url.push_str(&post.request_id);
        let request = client
            .post(url)
            .header("Content-Type", "application/json; charset=UTF-8")
            .body(post.body.clone());
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let never_sent = error.is_connect() || error.is_builder();
                let why = describe(error);
                return match never_sent {
                    true => Reply::Unreached { why },
                    false => Reply::Unanswered { why },
                };
            }
        };
        let status = response.status().as_u16();
        let retry_after = (response.headers())
            .get("Retry-After")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| wait_of(value, now));
        let mut body = Vec::new();
        while body.len() < ANSWER_BYTES_MAX {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                // Cut short: an error is told by its status alone, but what
                // should be a success is not known to be one.
                Err(error) if (200..300).contains(&status) => {
                    return Reply::Unanswered {
                        why: describe(error),
                    };
                }
                Err(_) => break,
            }
        }
        body.truncate(ANSWER_BYTES_MAX);
        Reply::Http {
            status,
            retry_after,
            body,
        }
    }

    /// Says to a dead-man service that the agent lives. The error is what a person
    /// should read; no part of the address is in it.
    pub async fn beat(&self, heartbeat: &Heartbeat) -> Result<(), String> {
        let client = self.client(heartbeat.is_encrypted(), heartbeat.is_loopback())?;
        let response = client.get(heartbeat.expose()).send().await;
        let status = response.map_err(describe)?.status();
        match status.is_success() {
            true => Ok(()),
            false => Err(format!("it answers {}", status.as_u16())),
        }
    }

    fn client(&self, is_encrypted: bool, is_loopback: bool) -> Result<&reqwest::Client, String> {
        let new = reqwest::Client::builder;
        let roots = || self.extra_roots.clone();
        let client = match (is_encrypted, is_loopback) {
            // Plain HTTP is for loopback only, where no root is needed.
            (false, _) => self
                .plain
                .get_or_init(|| build(new().no_proxy().tls_certs_only(std::iter::empty()))),
            (true, true) => {
                (self.loopback).get_or_init(|| build(new().no_proxy().tls_certs_merge(roots())))
            }
            (true, false) => (self.outside).get_or_init(|| {
                let new = new().tls_certs_merge(roots());
                match &self.proxy {
                    None => build(new),
                    Some(proxy) => build(new.proxy(proxy_of(proxy)?)),
                }
            }),
        };
        client.as_ref().map_err(Clone::clone)
    }
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    // A process has one; if it has one already, it is this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    builder
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .pool_max_idle_per_host(1)
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent(concat!("logcrier/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| {
            format!(
                "{}; are root certificates installed (package ca-certificates, or `ca_file`)?",
                describe(error)
            )
        })
}

/// The proxy for all that is not on `NO_PROXY`.
fn proxy_of(proxy: &Proxy) -> Result<reqwest::Proxy, String> {
    let proxy = reqwest::Proxy::all(proxy.expose()).map_err(describe)?;
    Ok(proxy.no_proxy(reqwest::NoProxy::from_env()))
}

fn roots_of(path: &Path) -> Result<Vec<reqwest::Certificate>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(describe)?;
    match roots.is_empty() {
        true => Err("holds no certificate in PEM form".to_owned()),
        false => Ok(roots),
    }
}

/// An error with its causes, without the address.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    if let Some((_, way_out)) = WAYS_OUT.iter().find(|(sign, _)| text.contains(sign)) {
        text.push_str("; ");
        text.push_str(way_out);
    }
    text
}

/// The wait that a `Retry-After` asks for: seconds, or an HTTP date (RFC 9110).
fn wait_of(value: &str, now: Wall) -> Option<Duration> {
    let value = value.trim();
    if let Ok(secs) = value.parse() {
        return Some(Duration::from_secs(secs));
    }
    let at = jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S GMT", value)
        .ok()?
        .to_datetime()
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()?;
    let at: Timestamp = at.timestamp();
    Some(Wall(at.as_microsecond()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits() {
        let now = Wall(
            "2026-11-21T08:49:00Z"
                .parse::<Timestamp>()
                .unwrap()
                .as_microsecond(),
        );
        for (value, secs) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sat, 21 Nov 2026 08:49:37 GMT", Some(37)),
            ("Sat, 21 Nov 2026 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-3", None),
        ] {
            assert_eq!(
                wait_of(value, now).map(|wait| wait.as_secs()),
                secs,
                "{value}"
            );
        }
    }
}
