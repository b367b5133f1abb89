//! What monitoring reads: `/metrics` for Prometheus, `/healthz` for supervisors.
//!
//! The format is Prometheus' text exposition format, version 0.0.4. Names of rules,
//! checks and spaces are all that it holds; no address, no line of a log.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::standing::Standing;
use crate::engine::status::{CheckState, SpaceState};

/// Connections that are served at once; the rest waits in the kernel.
const CONNECTIONS_MAX: usize = 16;

/// How long a client may take to say what it wants, and to hear the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait after the system could not accept a connection.
const ACCEPT_RETRY: Duration = Duration::from_secs(1);

/// Somebody who wants to know how things stand.
pub(super) type Wanted = oneshot::Sender<Standing>;

/// The listener, open.
#[derive(Debug)]
pub(super) struct Metrics {
    address: SocketAddr,
    wanted: mpsc::Receiver<Wanted>,
    tasks: JoinSet<()>,
}

impl Metrics {
    /// Opens the listener.
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let (sender, wanted) = mpsc::channel(CONNECTIONS_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, sender));
        Ok(Self {
            address,
            wanted,
            tasks,
        })
    }

    /// Whether this is where they are shown.
    pub(super) fn is_at(&self, address: SocketAddr) -> bool {
        self.address == address
    }

    /// Closes the listener; its port is free then.
    pub(super) async fn close(mut self) {
        self.tasks.shutdown().await;
    }

    /// Who wants to know next.
    pub(super) async fn next(&mut self) -> Wanted {
        match self.wanted.recv().await {
            Some(wanted) => wanted,
            None => std::future::pending().await,
        }
    }
}

async fn serve(listener: TcpListener, wanted: mpsc::Sender<Wanted>) {
    let mut clients = JoinSet::new();
    loop {
        while clients.len() >= CONNECTIONS_MAX {
            let _ = clients.join_next().await;
        }
        match listener.accept().await {
            Ok((client, _)) => {
                clients.spawn(serve_one(client, wanted.clone()));
            }
            Err(error) => {
                warn!(%error, "the listener of metrics");
                // No descriptors: one of the clients must end first.
                let _ = tokio::time::timeout(ACCEPT_RETRY, std::future::pending::<()>()).await;
            }
        }
        while clients.try_join_next().is_some() {}
    }
}

async fn serve_one(client: TcpStream, wanted: mpsc::Sender<Wanted>) {
    let service = service_fn(|request| answer(request, &wanted));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(client), service);
    match tokio::time::timeout(2 * PATIENCE, serving).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => debug!(%error, "a client of metrics"),
    }
}

async fn answer(
    request: Request<Incoming>,
    wanted: &mpsc::Sender<Wanted>,
) -> Result<Response<Body>, axum::http::Error> {
    let respond = |status: StatusCode, kind: &str, body: String| {
        Response::builder()
            .status(status)
            .header(CONTENT_TYPE, kind)
            .body(Body::from(body))
    };
    const TEXT: &str = "text/plain; charset=utf-8";
    let is_known = matches!(request.uri().path(), "/metrics" | "/healthz");
    if !is_known {
        let what = "there is /metrics and /healthz\n".to_owned();
        return respond(StatusCode::NOT_FOUND, TEXT, what);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Response::builder()
            .status(StatusCode::METHOD_NOT_ALLOWED)
            .header(ALLOW, "GET, HEAD")
            .body(Body::empty());
    }
    let (sender, standing) = oneshot::channel();
    // One that hangs or stops does not take it, or gives no answer.
    let asking = async {
        wanted.send(sender).await.ok()?;
        standing.await.ok()
    };
    let Ok(Some(standing)) = tokio::time::timeout(PATIENCE, asking).await else {
        let what = "the agent gives no answer\n".to_owned();
        return respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, what);
    };
    if request.uri().path() == "/metrics" {
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        return respond(StatusCode::OK, kind, text(&standing));
    }
    match ill(&standing) {
        None => respond(StatusCode::OK, TEXT, "ok\n".to_owned()),
        Some(why) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
    }
}

/// Why the agent does not do what it is there for. A space that takes nothing is no
/// reason: messages wait, and a restart would not help.
fn ill(standing: &Standing) -> Option<&'static str> {
    match (standing.engine.ready, standing.engine.state_writable) {
        (false, _) => Some("not ready yet"),
        (true, false) => Some("the state cannot be written"),
        (true, true) => None,
    }
}

/// The text for Prometheus.
fn text(standing: &Standing) -> String {
    let mut page = Page::default();
    let engine = &standing.engine;
    page.family("build_info", "gauge", "The version that runs.");
    page.labelled("build_info", &[("version", &standing.version)], 1);
    page.family(
        "ready",
        "gauge",
        "Whether every line that is written is seen.",
    );
    page.one("ready", u8::from(engine.ready));
    page.family("uptime_seconds", "gauge", "Time since the agent started.");
    page.one("uptime_seconds", standing.uptime_s);
    page.family(
        "state_writable",
        "gauge",
        "Whether positions and messages can be written to disk.",
    );
    page.one("state_writable", u8::from(engine.state_writable));
    page.family(
        "config_last_reload_successful",
        "gauge",
        "Whether the settings that were read last are in force.",
    );
    page.one(
        "config_last_reload_successful",
        u8::from(standing.reload_failed.is_none()),
    );

    type OfRule = fn(&crate::engine::status::RuleStatus) -> u64;
    let of_rules: [(&str, &str, &str, OfRule); 5] = [
        (
            "rule_hits_total",
            "counter",
            "Records that a rule selected.",
            |rule| rule.hits,
        ),
        (
            "rule_events_total",
            "counter",
            "Hits that passed the rule's conditions.",
            |rule| rule.events,
        ),
        (
            "rule_posts_total",
            "counter",
            "Messages that were delivered and spoke for a rule.",
            |rule| rule.posts,
        ),
        (
            "rule_suppressed_total",
            "counter",
            "Events that were counted and not said by themselves.",
            |rule| rule.suppressed,
        ),
        (
            "rule_pending",
            "gauge",
            "Events that no delivered message speaks for yet.",
            |rule| rule.pending,
        ),
    ];
    for (name, kind, help, value) in of_rules {
        page.family(name, kind, help);
        for rule in &engine.rules {
            page.labelled(name, &[("rule", &rule.key)], value(rule));
        }
    }

    page.family(
        "check_state",
        "gauge",
        "Where a check is: 0 ok, 1 bad but not yet a problem, 2 problem, 3 unknown.",
    );
    for check in &engine.checks {
        let state = match check.state {
            CheckState::Ok => 0,
            CheckState::Soft => 1,
            CheckState::Problem => 2,
            CheckState::Unknown => 3,
        };
        page.labelled("check_state", &[("rule", &check.key)], state);
    }
    page.family(
        "check_perf",
        "gauge",
        "What a check measured last, in the unit that it names.",
    );
    for check in &engine.checks {
        for perf in &check.perf {
            let labels = [
                ("rule", check.key.as_str()),
                ("name", &perf.name),
                ("unit", &perf.unit),
            ];
            page.labelled("check_perf", &labels, perf.value);
        }
    }

    let total = &engine.sources_total;
    for (name, kind, help, value) in [
        ("sources", "gauge", "Files that are followed.", total.files),
        (
            "sources_unreadable",
            "gauge",
            "Followed files that cannot be read.",
            total.unreadable,
        ),
        (
            "sources_behind_bytes",
            "gauge",
            "Bytes that are known to be in files and not yet read.",
            total.behind_bytes,
        ),
        (
            "sources_lost_bytes_total",
            "counter",
            "Bytes that were seen and gone before they could be read.",
            total.lost_bytes,
        ),
        (
            "sources_cut_lines_total",
            "counter",
            "Lines that were cut at their longest.",
            total.cut_lines,
        ),
        (
            "sources_rotations_total",
            "counter",
            "How often followed files were replaced.",
            total.rotations,
        ),
        (
            "sources_truncations_total",
            "counter",
            "How often followed files were cut short.",
            total.truncations,
        ),
    ] {
        page.family(name, kind, help);
        page.one(name, value);
    }

    page.family(
        "space_up",
        "gauge",
        "Whether a space takes messages: 1 yes, 0 in trouble or refused.",
    );
    for space in &engine.spaces {
        let is_up = space.state == SpaceState::Ok;
        page.labelled("space_up", &[("space", &space.name)], u8::from(is_up));
    }
    type OfSpace = fn(&crate::engine::status::SpaceStatus) -> f64;
    let of_spaces: [(&str, &str, OfSpace); 3] = [
        (
            "space_waiting",
            "Messages for a space that are not delivered.",
            |space| space.waiting as f64,
        ),
        (
            "space_parked",
            "Messages that a space refused for good.",
            |space| space.parked as f64,
        ),
        (
            "space_pace_seconds",
            "Least time between two requests to a space now.",
            |space| space.pace_ms as f64 / 1_000.0,
        ),
    ];
    for (name, help, value) in of_spaces {
        page.family(name, "gauge", help);
        for space in &engine.spaces {
            page.labelled(name, &[("space", &space.name)], value(space));
        }
    }
    page.family(
        "messages_delivered_total",
        "counter",
        "Messages that were delivered.",
    );
    page.one("messages_delivered_total", engine.outbox.delivered);
    page.family(
        "outbox_oldest_seconds",
        "gauge",
        "The age of the oldest message that waits.",
    );
    page.one("outbox_oldest_seconds", engine.outbox.oldest_s);
    page.text
}

/// A page in the making.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP logcrier_{name} {help}");
        let _ = writeln!(self.text, "# TYPE logcrier_{name} {kind}");
    }

    fn one(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.text, "logcrier_{name} {value}");
    }

    fn labelled(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> = (labels.iter())
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        let _ = writeln!(self.text, "logcrier_{name}{{{}}} {value}", labels.join(","));
    }
}

/// The value of a label, as the exposition format writes it.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }
}
