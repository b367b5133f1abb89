//! The sandbox over real sockets: what a webhook's client meets.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use logcrier::sandbox::space::Quota;
use logcrier::sandbox::{Answer, Handle, Options, Sandbox};
use serde_json::Value;
use tokio::sync::oneshot;

/// A space on a thread of its own; it stops when dropped.
struct Space {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Space {
    fn start(quota: Quota) -> Self {
        let options = Options {
            quota,
            ..Options::default()
        };
        Self::serve(async { Sandbox::bind(options).await })
    }

    fn serve(bind: impl Future<Output = io::Result<Sandbox>> + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, is_started) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime needs nothing special");
            runtime.block_on(async {
                let sandbox = bind.await.expect("the port is free");
                started.send(sandbox.handle()).expect("the test waits");
                sandbox
                    .serve(async {
                        // A dropped sender stops it as well.
                        let _ = stopped.await;
                    })
                    .await;
            });
        });
        Self {
            handle: is_started.recv().expect("the thread has started"),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn fault(&self, written: &str) {
        assert!(self.handle.inject(written.parse().expect(written)));
    }

    /// Posts to the space `S`; `more` is added to the query.
    fn post(&self, more: &str, body: &str) -> io::Result<Reply> {
        let url = self.handle.webhook_url("S");
        self.post_to(&format!("{url}{more}"), "application/json", body)
    }

    fn post_to(&self, url: &str, content_type: &str, body: &str) -> io::Result<Reply> {
        let addr = self.handle.addr();
        let path = url
            .strip_prefix(&format!("http://{addr}"))
            .expect("an address of this space");
        request(addr, "POST", path, &addr.to_string(), content_type, body)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the space did not panic");
        }
    }
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("an answer in JSON")
    }

    /// Returns status code, status word and first violation or reason.
    fn error(&self) -> (u16, String, String) {
        let error = &self.json()["error"];
        assert_eq!(error["code"], self.status);
        let detail = &error["details"][0];
        let place = detail["fieldViolations"][0]["field"].as_str();
        (
            self.status,
            error["status"].as_str().unwrap_or_default().to_owned(),
            place
                .or(detail["reason"].as_str())
                .unwrap_or_default()
                .to_owned(),
        )
    }
}

/// One request on one connection; an error if no whole answer comes.
fn request(
    addr: SocketAddr,
    method: &str,
    path: &str,
    host: &str,
    content_type: &str,
    body: &str,
) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let promised = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse::<usize>().ok());
    if promised.is_some_and(|length| length > body.len()) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Reply {
        status: head[9..12].parse().expect("a status line"),
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

const HELLO: &str = r#"{"text":"hello"}"#;

#[test]
fn a_message_is_answered_with_its_names_only() {
    let space = Space::start(Quota::PerSecond);
    let reply = space
        .post(
            "&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD&requestId=r1",
            r#"{"text":"hello","thread":{"threadKey":"k"}}"#,
        )
        .expect("an answer");
    assert_eq!(reply.status, 200);
    let delivered = space.handle.delivered();
    let [message] = &delivered[..] else {
        panic!("one message was expected: {delivered:?}");
    };
    assert_eq!(
        reply.json(),
        serde_json::json!({
            "name": message.name,
            "thread": {"name": message.thread_name},
        })
    );
    assert_eq!(message.thread_key.as_deref(), Some("k"));
    assert_eq!(message.request_id.as_deref(), Some("r1"));
    assert_eq!(space.handle.breaches(), []);
}

#[test]
fn credentials_and_shapes_are_refused_as_chat_does() {
    let space = Space::start(Quota::None);
    let url = space.handle.webhook_url("S");
    let json = "application/json; charset=UTF-8";
    let cases = [
        (
            url.replace("key=", "nokey="),
            json,
            HELLO,
            (403, "PERMISSION_DENIED", ""),
        ),
        (
            url.replace("key=AIza", "key=AIzb"),
            json,
            HELLO,
            (400, "INVALID_ARGUMENT", "API_KEY_INVALID"),
        ),
        (
            url.replace("&token", "&amp;token"),
            json,
            HELLO,
            (403, "PERMISSION_DENIED", ""),
        ),
        (
            url.replace("%3D", "%253D"),
            json,
            HELLO,
            (403, "PERMISSION_DENIED", ""),
        ),
        (
            url.clone(),
            "text/plain",
            HELLO,
            (400, "INVALID_ARGUMENT", ""),
        ),
        (
            url.clone(),
            json,
            r#"{"text":"x","colour":1}"#,
            (400, "INVALID_ARGUMENT", "colour"),
        ),
        (
            format!("{url}&threadKey=k"),
            json,
            HELLO,
            (400, "INVALID_ARGUMENT", "threadKey"),
        ),
    ];
    for (url, content_type, body, (code, word, place)) in cases {
        let reply = space.post_to(&url, content_type, body).expect("an answer");
        assert_eq!(
            reply.error(),
            (code, word.to_owned(), place.to_owned()),
            "{url}"
        );
    }
    assert!(space.handle.delivered().is_empty());

    let wrong_path = url.replace("/v1/spaces/S/messages", "/v1/spaces/S");
    let reply = space.post_to(&wrong_path, json, HELLO).expect("an answer");
    assert_eq!(reply.status, 404);
    assert!(reply.head.contains("text/html"), "{}", reply.head);
}

#[test]
fn the_quota_is_the_spaces() {
    let space = Space::start(Quota::PerSecond);
    assert_eq!(space.post("", HELLO).expect("an answer").status, 200);
    let other = space.handle.other_webhook_url("S", "other");
    let refused = space
        .post_to(&other, "application/json", HELLO)
        .expect("an answer");
    assert_eq!(refused.error().1, "RESOURCE_EXHAUSTED");
    let elsewhere = space.handle.webhook_url("T");
    let taken = space
        .post_to(&elsewhere, "application/json", HELLO)
        .expect("an answer");
    assert_eq!(taken.status, 200);
    assert_eq!(space.handle.counters().n_over_quota, 1);
}

#[test]
fn faults_are_met_and_counted_down() {
    let space = Space::start(Quota::None);
    for (fault, status, header) in [
        ("429/7:1", 429, "retry-after: 7"),
        ("503:1", 503, "application/json"),
        ("portal:1", 200, "text/html"),
        ("502-html:1", 502, "text/html"),
        ("redirect:1", 302, "location: "),
    ] {
        space.fault(fault);
        let reply = space.post("", HELLO).expect(fault);
        assert_eq!(reply.status, status, "{fault}");
        assert!(reply.head.contains(header), "{fault}: {}", reply.head);
    }
    space.fault("close:1");
    space
        .post("", HELLO)
        .expect_err("the connection was closed");
    assert!(space.handle.delivered().is_empty());
    assert_eq!(space.post("", HELLO).expect("an answer").status, 200);
}

#[test]
fn accepted_but_unanswered_is_not_said_twice() {
    let space = Space::start(Quota::None);
    for (id, fault) in [("a", "lost:1"), ("b", "truncated:1")] {
        space.fault(fault);
        let more = format!("&requestId={id}");
        space.post(&more, HELLO).expect_err("no whole answer");
        let again = space.post(&more, HELLO).expect("an answer");
        assert_eq!(again.status, 200, "{fault}");
    }
    let delivered = space.handle.delivered();
    let seen: Vec<u32> = delivered.iter().map(|message| message.n_seen).collect();
    assert_eq!(seen, [2, 2]);
    let answers: Vec<Answer> = space.handle.requests().iter().map(|r| r.answer).collect();
    assert_eq!(
        answers,
        [
            Answer::Closed,
            Answer::Status(200),
            Answer::Truncated,
            Answer::Status(200)
        ]
    );
    let same_id = space
        .post("&requestId=a", r#"{"text":"other"}"#)
        .expect("an answer");
    assert_eq!(same_id.status, 200);
    assert_eq!(space.handle.delivered()[0].text, "hello");
    assert_eq!(space.handle.breaches().len(), 1);
}

#[test]
fn goes_down_with_its_connections_and_comes_back_with_its_memory() {
    let space = Space::start(Quota::None);
    space.fault("hang:1");
    let addr = space.handle.addr();
    let mut hanging = TcpStream::connect(addr).expect("it listens");
    let path = "/v1/spaces/S/messages";
    write!(
        hanging,
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    )
    .expect("it reads");
    space.post("", HELLO).expect("an answer");
    let handle = space.handle.clone();
    drop(space);
    let mut rest = Vec::new();
    // A reset and an end are both a closed connection.
    let _ = hanging.read_to_end(&mut rest);
    assert!(rest.is_empty());
    TcpStream::connect(addr).expect_err("nobody listens");

    let space = Space::serve(async move { Sandbox::bind_again(&handle).await });
    space.post("", HELLO).expect("an answer");
    assert_eq!(space.handle.delivered().len(), 2);
}

#[test]
fn page_and_controls_answer_to_this_machine_only() {
    let space = Space::start(Quota::None);
    let addr = space.handle.addr();
    let host = addr.to_string();
    let json = "application/json";
    let page = request(addr, "GET", "/", &host, json, "").expect("an answer");
    assert!(
        page.head
            .contains("content-security-policy: default-src 'none'")
    );
    assert!(!page.body.contains("NONCE"));
    for path in ["/", "/events", "/control/state"] {
        let reply = request(addr, "GET", path, "evil.example", json, "").expect("an answer");
        assert_eq!(reply.status, 403, "{path}");
    }

    let fault = r#"{"fault":"503","count":2}"#;
    let control = |content_type: &str, body: &str| {
        request(addr, "POST", "/control/faults", &host, content_type, body)
            .expect("an answer")
            .status
    };
    assert_eq!(control("text/plain", fault), 400);
    assert_eq!(control(json, r#"{"fault":"tea"}"#), 400);
    assert_eq!(control(json, fault), 200);
    assert_eq!(space.post("", HELLO).expect("an answer").status, 503);
    let healed = request(addr, "DELETE", "/control/faults", &host, json, "").expect("an answer");
    assert_eq!(healed.json(), serde_json::json!({"faults": []}));
    assert_eq!(space.post("", HELLO).expect("an answer").status, 200);

    let state = request(addr, "GET", "/control/state", &host, json, "")
        .expect("an answer")
        .json();
    assert_eq!(state["counters"]["n_delivered"], 1);
    assert_eq!(state["messages"][0]["text"], "hello");
    assert_eq!(state["requests"][0]["answer"]["status"], 503);
}

#[test]
fn the_stream_goes_on_where_it_was_left() {
    let space = Space::start(Quota::None);
    for text in ["one", "two"] {
        space
            .post("", &format!(r#"{{"text":"{text}"}}"#))
            .expect("an answer");
    }
    let first = events_until(&space, "", "two");
    let last_id = first
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .next_back()
        .expect("messages have ids")
        .to_owned();
    space.post("", r#"{"text":"three"}"#).expect("an answer");
    let rest = events_until(&space, &last_id, "three");
    assert!(!rest.contains("\"two\""), "{rest}");
}

/// Reads the page's stream until a word comes.
fn events_until(space: &Space, last_id: &str, word: &str) -> String {
    let addr = space.handle.addr();
    let mut stream = TcpStream::connect(addr).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a time");
    write!(
        stream,
        "GET /events HTTP/1.1\r\nHost: {addr}\r\nLast-Event-ID: {last_id}\r\n\r\n"
    )
    .expect("it reads");
    let mut all = String::new();
    let mut buffer = [0; 4096];
    while !all.contains(word) {
        let n_bytes = stream.read(&mut buffer).expect("events come");
        assert!(n_bytes > 0, "the stream ended: {all}");
        all.push_str(&String::from_utf8_lossy(&buffer[..n_bytes]));
    }
    all
}
