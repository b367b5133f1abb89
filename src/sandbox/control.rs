//! Looks into the space and makes it go wrong, over HTTP.
//!
//! The bodies are JSON with that content type, which a foreign web page cannot
//! send without asking first, and nobody would answer it.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{FAULTS_MAX, Fault, FaultKind};
use super::http::{error, json_response};
use super::space::Delivered;
use super::state::{Seen, Shared};

/// The body of `POST /control/faults`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// As on the command line, without count and space.
    fault: String,
    count: Option<u32>,
    space: Option<String>,
}

/// `POST /control/faults`: adds a fault.
pub(super) fn inject(shared: &Shared, body: &[u8]) -> Response<Body> {
    let wanted: Wanted = match serde_json::from_slice(body) {
        Ok(wanted) => wanted,
        Err(mistake) => return error(StatusCode::BAD_REQUEST, &mistake.to_string()),
    };
    if wanted.count == Some(0) {
        return error(StatusCode::BAD_REQUEST, "a count is 1 or more");
    }
    let kind: FaultKind = match wanted.fault.parse() {
        Ok(kind) => kind,
        Err(mistake) => return error(StatusCode::BAD_REQUEST, &mistake),
    };
    let mut state = shared.lock();
    let added = state.faults.add(Fault {
        kind,
        count: wanted.count,
        space: wanted.space,
    });
    if !added {
        let message = format!("{FAULTS_MAX} faults are waiting already");
        return error(StatusCode::BAD_REQUEST, &message);
    }
    faults(&state.faults.to_json())
}

/// `DELETE /control/faults`: takes all faults back.
pub(super) fn heal(shared: &Shared) -> Response<Body> {
    let mut state = shared.lock();
    state.faults.clear();
    faults(&state.faults.to_json())
}

fn faults(waiting: &Value) -> Response<Body> {
    json_response(StatusCode::OK, json!({"faults": waiting}).to_string())
}

/// `GET /control/state`: everything that happened.
pub(super) fn state(shared: &Shared) -> Response<Body> {
    let messages: Vec<Value> = shared
        .messages_after(0)
        .iter()
        .map(|message| message_json(message))
        .collect();
    let state = shared.lock();
    let requests: Vec<Value> = state.requests().iter().map(seen_json).collect();
    let body = json!({
        "counters": state.counters(),
        "faults": state.faults.to_json(),
        "breaches": state.breaches(),
        "messages": messages,
        "requests": requests,
    });
    json_response(StatusCode::OK, body.to_string())
}

/// What the page and `GET /control/state` are told of a message.
pub(super) fn message_json(message: &Delivered) -> Value {
    json!({
        "number": message.number,
        "space": message.space,
        "name": message.name,
        "thread": message.thread_name,
        "threadKey": message.thread_key,
        "isReply": message.is_reply,
        "text": message.text,
        "body": *message.body,
        "requestId": message.request_id,
        "timesSeen": message.n_seen,
        "bodiesDiffered": message.bodies_differed,
        "atMs": message.at.as_millis() as u64,
        "time": message.wall.to_string(),
    })
}

fn seen_json(seen: &Seen) -> Value {
    json!({
        "number": seen.number,
        "space": seen.space,
        "query": seen.query,
        "answer": seen.answer,
        "message": seen.message,
        "atMs": seen.at.as_millis() as u64,
        "time": seen.wall.to_string(),
    })
}
