//! The page that shows the space as a person would see it, and its stream.
//!
//! The page is one file without foreign parts. It is told of messages by
//! server-sent events; an event's id is `RUN-NUMBER`, so that a page that comes
//! back gets what it missed, and one from an earlier run starts afresh.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Response};
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use serde_json::json;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;

use super::control::message_json;
use super::space::Delivered;
use super::state::{News, Shared};

/// The page, with its one script and its one style.
const PAGE: &str = include_str!("page.html");
/// Messages a page is shown when it opens.
const BACKLOG_MAX: usize = 500;
/// How often a silent stream proves that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Stands in the page for the nonce that its own script and style carry.
const NONCE: &str = "NONCE";
/// Nothing from elsewhere, no script or style but the page's own, no frames around
/// it, no forms. Images stay away too: a card may name any address, and looking at
/// the card must not tell anybody.
const POLICY: &str = "default-src 'none'; script-src 'nonce-NONCE'; style-src 'nonce-NONCE'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`.
pub(super) fn page() -> Response<Body> {
    let nonce = format!("{:032x}", fastrand::u128(..));
    let policy = HeaderValue::from_str(&POLICY.replace(NONCE, &nonce))
        .expect("the policy and a hexadecimal number are visible ASCII");
    let mut response = Response::new(Body::from(PAGE.replace(NONCE, &nonce)));
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    let headers: [(HeaderName, &'static str); 4] = [
        (CONTENT_TYPE, "text/html; charset=UTF-8"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `GET /events`: what the page has not seen, then what comes.
pub(super) fn events(shared: &Shared, headers: &HeaderMap) -> Response<Body> {
    let run = shared.run;
    let known = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .and_then(|id| number_in(run, id));
    let (mut missed, counters, news) = shared.follow(known.unwrap_or(0));
    let n_skipped = missed.len().saturating_sub(BACKLOG_MAX);
    missed.drain(..n_skipped);

    let hello = Event::default().event("hello").data(
        json!({
            "fresh": known.is_none(),
            "webhook": super::webhook_url(shared.addr, "SPACE", "token"),
        })
        .to_string(),
    );
    let first = [hello, event_of(&News::Counters(counters), run)];
    let backlog: Vec<Event> = missed
        .iter()
        .map(|message| message_event(message, run))
        .collect();
    let ready = Event::default().event("ready").data("{}");
    // A page that fell behind loses its stream, and asks again from where it was.
    let live = BroadcastStream::new(news)
        .map_while(Result::ok)
        .map(move |news| event_of(&news, run));
    let stream = tokio_stream::iter(first)
        .chain(tokio_stream::iter(backlog))
        .chain(tokio_stream::once(ready))
        .chain(live)
        .map(Ok::<_, Infallible>);
    Sse::new(stream)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}

fn event_of(news: &News, run: u64) -> Event {
    match news {
        News::Message(message) => message_event(message, run),
        News::Counters(counters) => Event::default()
            .event("counters")
            .data(json!(counters).to_string()),
    }
}

fn message_event(message: &Delivered, run: u64) -> Event {
    Event::default()
        .event("message")
        .id(format!("{run}-{}", message.number))
        .data(message_json(message).to_string())
}

/// Returns the number in an event's id if it is of this run.
fn number_in(run: u64, id: &str) -> Option<u64> {
    let (of_run, number) = id.split_once('-')?;
    if of_run.parse() != Ok(run) {
        return None;
    }
    number.parse().ok()
}

/// Tells if a request names this machine's loopback, not a name that merely
/// resolves to it.
pub(super) fn is_own_host(addr: SocketAddr, headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else {
        return false;
    };
    if let Ok(named) = host.parse::<SocketAddr>() {
        return named.ip().is_loopback() && named.port() == addr.port();
    }
    if let Ok(named) = host.parse::<IpAddr>() {
        return named.is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse() == Ok(addr.port()) => name,
        Some(_) => return false,
        None => host,
    };
    name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_no_foreign_parts() {
        // Addresses in the page's own words are no parts of it; what loads is.
        for loading in [
            "src=", "href=", "url(", "@import", "import(", "fetch(", "<link", "<img",
        ] {
            for (at, _) in PAGE.match_indices(loading) {
                let rest: String = PAGE[at..].chars().take(80).collect();
                assert!(
                    !rest.contains("http:") && !rest.contains("https:") && !rest.contains("//"),
                    "{rest}"
                );
            }
        }
        assert!(!PAGE.contains("innerHTML") && !PAGE.contains("insertAdjacentHTML"));
        assert!(!PAGE.contains("http://") && !PAGE.contains("document.write"));
    }

    #[test]
    fn answers_to_its_loopback_names_only() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 8088));
        let cases = [
            ("127.0.0.1:8088", true),
            ("localhost:8088", true),
            ("LOCALHOST:8088", true),
            ("[::1]:8088", true),
            ("127.0.0.1:80", false),
            ("localhost.evil.example:8088", false),
            ("evil.example", false),
            ("192.0.2.1:8088", false),
            ("", false),
        ];
        for (host, is_own) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            assert_eq!(is_own_host(addr, &headers), is_own, "{host}");
        }
        assert!(!is_own_host(addr, &HeaderMap::new()));
    }

    #[test]
    fn an_id_of_another_run_starts_afresh() {
        assert_eq!(number_in(7, "7-12"), Some(12));
        assert_eq!(number_in(7, "8-12"), None);
        assert_eq!(number_in(7, "x"), None);
    }
}
