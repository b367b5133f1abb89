//! What all connections share: the spaces, the faults, and the record of what came.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{broadcast, watch};

use super::clock::{Clock, Now};
use super::faults::Faults;
use super::space::{Delivered, Outcome, Quota, Spaces, Write};

/// Requests that are remembered.
pub(super) const REQUESTS_MAX: usize = 5_000;
/// Breaches of the contract that are remembered; the first ones tell the most.
pub(super) const BREACHES_MAX: usize = 1_000;
/// News a slow page may be behind before it has to ask again.
const NEWS_MAX: usize = 1_024;

/// A request to a webhook and what became of it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its place among all requests, from 1.
    pub number: u64,
    /// When it came, since the start of the sandbox.
    pub at: Duration,
    /// When it came.
    pub wall: Timestamp,
    /// The space it was for.
    pub space: String,
    /// Its query parameters without `key` and `token`.
    pub query: Vec<(String, String)>,
    /// Its body, if that was read, is JSON and no larger than a message may be.
    pub body: Option<Arc<Value>>,
    /// What it was told.
    pub answer: Answer,
    /// The resource name of the message it made or met.
    pub message: Option<String>,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// With this status code.
    Status(u16),
    /// The connection was closed without a word.
    Closed,
    /// Not at all; the client has to give up.
    Nothing,
    /// With an answer that ends in its middle.
    Truncated,
}

/// Something that was sent against the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// The number of the request.
    pub request: u64,
    /// What was wrong, with its place.
    pub what: String,
}

/// How much came and what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests to webhooks.
    pub n_requests: u64,
    /// Messages that were accepted, each once.
    pub n_delivered: u64,
    /// Requests whose id was known.
    pub n_repeated: u64,
    /// Answers with 429.
    pub n_over_quota: u64,
    /// Other answers that were no success, or none at all.
    pub n_failed: u64,
}

/// What pages are told.
#[derive(Debug, Clone)]
pub(super) enum News {
    Message(Arc<Delivered>),
    Counters(Counters),
}

#[derive(Debug)]
pub(super) struct Shared {
    pub addr: SocketAddr,
    /// Tells this run from an earlier one at the same address.
    pub run: u64,
    clock: Clock,
    state: Mutex<State>,
    news: broadcast::Sender<News>,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
pub(super) struct State {
    pub faults: Faults,
    spaces: Spaces,
    requests: VecDeque<Seen>,
    breaches: Vec<Breach>,
    counters: Counters,
}

impl Shared {
    pub(super) fn new(addr: SocketAddr, quota: Quota) -> Self {
        let clock = Clock::start();
        let run = clock.now().wall.as_microsecond().unsigned_abs();
        Self {
            addr,
            run,
            clock,
            state: Mutex::new(State {
                faults: Faults::default(),
                spaces: Spaces::new(quota, run),
                requests: VecDeque::new(),
                breaches: Vec::new(),
                counters: Counters::default(),
            }),
            news: broadcast::Sender::new(NEWS_MAX),
            changes: watch::Sender::new(0),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing that holds the lock can panic")
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Carries out a write and tells the pages.
    pub(super) fn write(&self, write: Write<'_>) -> Outcome {
        let mut state = self.lock();
        // Inside the lock, so that writes are in the order of their times.
        let now = self.now();
        let outcome = state.spaces.write(now, write);
        match &outcome {
            Outcome::Created(message) => {
                state.counters.n_delivered += 1;
                // Nobody may be looking.
                let _ = self.news.send(News::Message(Arc::clone(message)));
            }
            Outcome::Known(_) => state.counters.n_repeated += 1,
            Outcome::OverQuota | Outcome::NotFound | Outcome::IdTaken => {}
        }
        outcome
    }

    pub(super) fn stranger_writes(&self, space: &str) -> bool {
        let now = self.now();
        self.lock().spaces.stranger_writes(now, space)
    }

    /// Remembers a request and how it was answered.
    pub(super) fn record(&self, mut seen: Seen, breaches: Vec<String>) {
        let mut state = self.lock();
        state.counters.n_requests += 1;
        match seen.answer {
            Answer::Status(200..=299) => {}
            Answer::Status(429) => state.counters.n_over_quota += 1,
            Answer::Status(_) | Answer::Closed | Answer::Nothing | Answer::Truncated => {
                state.counters.n_failed += 1;
            }
        }
        seen.number = state.counters.n_requests;
        for what in breaches {
            if state.breaches.len() < BREACHES_MAX {
                let request = seen.number;
                state.breaches.push(Breach { request, what });
            }
        }
        state.requests.push_back(seen);
        if state.requests.len() > REQUESTS_MAX {
            state.requests.pop_front();
        }
        // Nobody may be looking.
        let _ = self.news.send(News::Counters(state.counters));
        self.changes.send_replace(state.counters.n_requests);
    }

    /// Returns the messages after a number, and everything that comes from now on.
    pub(super) fn follow(
        &self,
        number: u64,
    ) -> (Vec<Arc<Delivered>>, Counters, broadcast::Receiver<News>) {
        let state = self.lock();
        let receiver = self.news.subscribe();
        (
            state.spaces.messages_after(number),
            state.counters,
            receiver,
        )
    }

    pub(super) fn messages_after(&self, number: u64) -> Vec<Arc<Delivered>> {
        self.lock().spaces.messages_after(number)
    }
}

impl State {
    pub(super) fn requests(&self) -> Vec<Seen> {
        self.requests.iter().cloned().collect()
    }

    pub(super) fn breaches(&self) -> Vec<Breach> {
        self.breaches.clone()
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }
}
