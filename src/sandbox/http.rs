//! Answers requests: the webhook itself, and the way to the page and the controls.

use std::fmt;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use siphasher::sip::SipHasher13;
use tokio::net::TcpStream;
use tokio_stream::StreamExt as _;

use super::clock::pause;
use super::contract;
use super::faults::FaultKind;
use super::proto::Violation;
use super::space::{Delivered, Outcome, Write};
use super::state::{Answer, Seen, Shared};
use super::{KEY, control, page};

/// Bytes of a body that are read at all.
const READ_BYTES_MAX: usize = 1024 * 1024;
/// How long a truncated answer waits before it breaks off, so that its first half
/// is on its way.
const TRUNCATE_AFTER: Duration = Duration::from_millis(20);

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(super) struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hung up on purpose")
    }
}

impl std::error::Error for HangUp {}

/// An answer, or none.
pub(super) type Reply = Result<Response<Body>, HangUp>;

/// Serves one connection until either side closes it.
pub(super) async fn serve_connection(shared: Arc<Shared>, stream: TcpStream) {
    // An answer must not wait for a fuller packet.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| route(Arc::clone(&shared), request));
    // Why a connection ended is the client's business: it broke off, or it was
    // hung up on.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn route(shared: Arc<Shared>, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    if let Some(space) = space_of(&path) {
        return match *request.method() {
            Method::POST => create_message(&shared, space.to_owned(), request).await,
            _ => Ok(not_allowed("POST")),
        };
    }
    match path.as_str() {
        "/" | "/events" | "/control/state" | "/control/faults" => {}
        _ => return Ok(not_found()),
    }
    // A page elsewhere may resolve its own name to this address; the browser then
    // takes us for that page's server. The name in `Host` gives it away.
    if !page::is_own_host(shared.addr, request.headers()) {
        return Ok(error(
            StatusCode::FORBIDDEN,
            "the sandbox answers to its loopback address only",
        ));
    }
    Ok(match (path.as_str(), request.method()) {
        ("/", &Method::GET) => page::page(),
        ("/events", &Method::GET) => page::events(&shared, request.headers()),
        ("/control/state", &Method::GET) => control::state(&shared),
        ("/control/faults", &Method::DELETE) => control::heal(&shared),
        ("/control/faults", &Method::POST) => {
            let is_json = is_json(request.headers().get(CONTENT_TYPE));
            match read_body(request).await {
                Some(body) if is_json => control::inject(&shared, &body),
                _ => error(StatusCode::BAD_REQUEST, "a small body of JSON is expected"),
            }
        }
        ("/control/faults", _) => not_allowed("POST, DELETE"),
        _ => not_allowed("GET"),
    })
}

/// Returns the space of a webhook's path.
fn space_of(path: &str) -> Option<&str> {
    let id = path
        .strip_prefix("/v1/spaces/")?
        .strip_suffix("/messages")?;
    let is_id = !id.is_empty() && id.bytes().all(contract::is_id_byte);
    is_id.then_some(id)
}

/// What a webhook's request came to, before faults touch the answer.
struct Done {
    response: Response<Body>,
    message: Option<Arc<Delivered>>,
    body: Option<Arc<Value>>,
    breaches: Vec<String>,
}

impl Done {
    fn refused(response: Response<Body>) -> Self {
        Self {
            response,
            message: None,
            body: None,
            breaches: Vec::new(),
        }
    }
}

async fn create_message(shared: &Shared, space: String, request: Request<Incoming>) -> Reply {
    let now = shared.now();
    let fault = shared.lock().faults.next(&space);
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let mut seen = Seen {
        number: 0,
        at: now.since_start,
        wall: now.wall,
        space,
        query: query.rest.clone(),
        body: None,
        answer: Answer::Closed,
        message: None,
    };
    if fault == Some(FaultKind::Close) {
        shared.record(seen, Vec::new());
        return Err(HangUp);
    }
    if fault == Some(FaultKind::Hang) {
        seen.answer = Answer::Nothing;
        shared.record(seen, Vec::new());
        return std::future::pending().await;
    }
    let is_json = is_json(request.headers().get(CONTENT_TYPE));
    let Some(body) = read_body(request).await else {
        let refusal = error(StatusCode::BAD_REQUEST, "the request body cannot be read");
        seen.answer = Answer::Status(refusal.status().as_u16());
        shared.record(seen, vec!["a body that cannot be read".to_owned()]);
        return Ok(refusal);
    };
    if fault == Some(FaultKind::Stranger) {
        shared.stranger_writes(&seen.space);
    }
    let done = match fault.and_then(answer_of) {
        Some(response) => Done {
            body: remembered(&body),
            ..Done::refused(response)
        },
        None => write(shared, &seen.space, &query, is_json, &body),
    };
    seen.body = done.body;
    seen.message = done.message.as_ref().map(|message| message.name.clone());
    seen.answer = match (fault, &done.message) {
        (Some(FaultKind::Lost), Some(_)) => Answer::Closed,
        (Some(FaultKind::Truncated), Some(_)) => Answer::Truncated,
        _ => Answer::Status(done.response.status().as_u16()),
    };
    let answer = seen.answer;
    shared.record(seen, done.breaches);
    // After the write: a client that gives up cannot know that it was heard.
    if let Some(delay) = fault.and_then(FaultKind::delay) {
        pause(delay).await;
    }
    match (answer, done.message) {
        (Answer::Closed, _) => Err(HangUp),
        (Answer::Truncated, Some(message)) => Ok(truncated(&message)),
        _ => Ok(done.response),
    }
}

/// Checks a request and carries it out.
fn write(shared: &Shared, space: &str, query: &Query, is_json: bool, body: &Bytes) -> Done {
    let token = match query.credentials() {
        Ok(token) => token,
        Err(refusal) => return Done::refused(*refusal),
    };
    if !is_json {
        let what = "Content-Type is not application/json";
        return Done {
            breaches: vec![what.to_owned()],
            ..Done::refused(error(StatusCode::BAD_REQUEST, what))
        };
    }
    let accepted = match contract::check(space, &query.rest, body) {
        Ok(accepted) => accepted,
        Err(violations) => {
            return Done {
                body: remembered(body),
                breaches: violations
                    .iter()
                    .map(|violation| format!("{}: {}", violation.field, violation.description))
                    .collect(),
                ..Done::refused(bad_request(&violations))
            };
        }
    };
    let mut breaches: Vec<String> = contract::breaches(&accepted)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let sent = Arc::new(Value::Object(accepted.body.clone()));
    let outcome = shared.write(Write {
        space,
        token,
        accepted,
        body_hash: hash(body),
    });
    let (response, message) = match outcome {
        Outcome::Created(message) => (success(&message), Some(message)),
        Outcome::Known(message) => {
            if message.bodies_differed {
                breaches.push("a request id came again with another body".to_owned());
            }
            (success(&message), Some(message))
        }
        Outcome::OverQuota => (
            error(
                StatusCode::TOO_MANY_REQUESTS,
                "Resource has been exhausted (e.g. check quota).",
            ),
            None,
        ),
        Outcome::NotFound => (
            error(StatusCode::NOT_FOUND, "The thread or space was not found."),
            None,
        ),
        Outcome::IdTaken => (
            envelope(
                StatusCode::CONFLICT,
                "ALREADY_EXISTS",
                "A message with this id exists.",
                &Value::Null,
            ),
            None,
        ),
    };
    Done {
        response,
        message,
        body: Some(sent),
        breaches,
    }
}

/// The query of a webhook's request.
struct Query {
    key: Option<String>,
    token: Option<String>,
    /// The parameters that are not secret, in their order.
    rest: Vec<(String, String)>,
}

impl Query {
    fn parse(query: &str) -> Self {
        let mut parsed = Self {
            key: None,
            token: None,
            rest: Vec::new(),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            match name.as_str() {
                "key" if parsed.key.is_none() => parsed.key = Some(value),
                "token" if parsed.token.is_none() => parsed.token = Some(value),
                _ => parsed.rest.push((name, value)),
            }
        }
        parsed
    }

    /// Returns the token if the request may post, else what to answer.
    fn credentials(&self) -> Result<&str, Box<Response<Body>>> {
        let Some(key) = self.key.as_deref().filter(|key| !key.is_empty()) else {
            return Err(Box::new(error(
                StatusCode::FORBIDDEN,
                "Method doesn't allow unregistered callers. Use an API key.",
            )));
        };
        if key != KEY {
            let details = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
            }]);
            return Err(Box::new(envelope(
                StatusCode::BAD_REQUEST,
                "INVALID_ARGUMENT",
                "The API key is not valid.",
                &details,
            )));
        }
        let token = self.token.as_deref().unwrap_or_default();
        let name = token
            .strip_prefix("sandbox-")
            .and_then(|rest| rest.strip_suffix('='));
        if name.is_none_or(|name| name.is_empty() || !name.bytes().all(contract::is_id_byte)) {
            return Err(Box::new(error(
                StatusCode::FORBIDDEN,
                "The request is missing a valid token.",
            )));
        }
        Ok(token)
    }
}

/// Returns the answer of a fault that is one.
fn answer_of(fault: FaultKind) -> Option<Response<Body>> {
    const PORTAL: &str =
        "<!doctype html><title>Welcome</title><h1>Please log in to this network</h1>";
    const BAD_GATEWAY: &str = "<!doctype html><title>502</title><h1>Bad gateway</h1>";
    match fault {
        FaultKind::Status {
            code,
            retry_after_secs,
        } => {
            let status = StatusCode::from_u16(code).expect("only known codes can be asked for");
            let mut response = error(status, "This was asked for.");
            if let Some(secs) = retry_after_secs {
                response.headers_mut().insert(RETRY_AFTER, secs.into());
            }
            Some(response)
        }
        FaultKind::Portal => Some(html(StatusCode::OK, PORTAL)),
        FaultKind::BadGateway => Some(html(StatusCode::BAD_GATEWAY, BAD_GATEWAY)),
        FaultKind::Redirect => {
            let mut response = html(StatusCode::FOUND, "<!doctype html><title>Moved</title>");
            // Nobody is there: whoever follows it does not get far.
            let nowhere = HeaderValue::from_static("http://127.0.0.1:9/");
            response.headers_mut().insert(LOCATION, nowhere);
            Some(response)
        }
        FaultKind::Slow { .. }
        | FaultKind::Hang
        | FaultKind::Close
        | FaultKind::Lost
        | FaultKind::Truncated
        | FaultKind::Stranger => None,
    }
}

/// The answer a webhook gives: the names, and nothing else.
fn success_body(message: &Delivered) -> String {
    pretty(&json!({
        "name": message.name,
        "thread": {"name": message.thread_name},
    }))
}

fn success(message: &Delivered) -> Response<Body> {
    json_response(StatusCode::OK, success_body(message))
}

/// The first half of an answer that promises all of it.
fn truncated(message: &Delivered) -> Response<Body> {
    let whole = success_body(message);
    let half = Bytes::copy_from_slice(&whole.as_bytes()[..whole.len() / 2]);
    let halves = tokio_stream::iter([Ok(half), Err(HangUp)]);
    let mut response = json_response(StatusCode::OK, String::new());
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, whole.len().into());
    *response.body_mut() = Body::from_stream(halves.throttle(TRUNCATE_AFTER));
    response
}

/// Refuses a request for what is wrong with it.
fn bad_request(violations: &[Violation]) -> Response<Body> {
    let fields: Vec<Value> = violations
        .iter()
        .map(|violation| json!({"field": violation.field, "description": violation.description}))
        .collect();
    let message = violations
        .first()
        .map_or("Invalid request.", |first| first.description.as_str());
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": fields,
    }]);
    envelope(
        StatusCode::BAD_REQUEST,
        "INVALID_ARGUMENT",
        message,
        &details,
    )
}

/// An error without details, with the word that goes with its code.
pub(super) fn error(status: StatusCode, message: &str) -> Response<Body> {
    let word = match status.as_u16() {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        _ => "UNKNOWN",
    };
    envelope(status, word, message, &Value::Null)
}

fn envelope(status: StatusCode, word: &str, message: &str, details: &Value) -> Response<Body> {
    let mut body = json!({
        "error": {"code": status.as_u16(), "message": message, "status": word},
    });
    if !details.is_null() {
        body["error"]["details"] = details.clone();
    }
    json_response(status, pretty(&body))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

pub(super) fn json_response(status: StatusCode, body: String) -> Response<Body> {
    typed(status, "application/json; charset=UTF-8", body)
}

fn html(status: StatusCode, body: &'static str) -> Response<Body> {
    typed(status, "text/html; charset=UTF-8", body)
}

fn typed(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Paths that nobody knows are answered in HTML, not in JSON.
fn not_found() -> Response<Body> {
    const NOT_FOUND: &str = "<!doctype html><html lang=en><title>Error 404 (Not Found)</title>\
        <p><b>404.</b> That\u{2019}s an error.<p>The requested URL was not found on this server.";
    html(StatusCode::NOT_FOUND, NOT_FOUND)
}

fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = html(
        StatusCode::METHOD_NOT_ALLOWED,
        "<!doctype html><title>Error 405 (Method Not Allowed)</title>",
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn is_json(content_type: Option<&HeaderValue>) -> bool {
    let Some(written) = content_type.and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = written.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

async fn read_body(request: Request<Incoming>) -> Option<Bytes> {
    axum::body::to_bytes(Body::new(request.into_body()), READ_BYTES_MAX)
        .await
        .ok()
}

/// Returns what is remembered of a body that was not accepted: nothing if it is
/// larger than any message.
fn remembered(body: &[u8]) -> Option<Arc<Value>> {
    if body.len() > contract::BODY_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(body).ok().map(Arc::new)
}

fn hash(body: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(body);
    hasher.finish()
}
