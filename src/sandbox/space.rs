//! What the spaces know: quota, threads, request ids, and the messages themselves.
//!
//! Pure: the moment is handed in, and so is the seed of the names it invents.
//! Everything is bounded; the oldest is forgotten first, with its request id and,
//! once nothing of it is left, its thread.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::clock::Now;
use super::contract::{Accepted, ReplyOption};

/// Messages of one space that are remembered.
pub const MESSAGES_MAX: usize = 5_000;
/// Spaces there may be; a message to one more is refused as not found.
pub const SPACES_MAX: usize = 50;
/// Time between two writes to one space.
pub const QUOTA_INTERVAL: Duration = Duration::from_secs(1);
/// How much too early a write may come: clocks and networks are not exact.
pub const QUOTA_TOLERANCE: Duration = Duration::from_millis(50);

/// How many writes a space allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quota {
    /// One per second and space, whoever writes.
    #[default]
    PerSecond,
    /// As many as come.
    None,
}

/// A message that stands in a space.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Its place among all messages of the sandbox, from 1.
    pub number: u64,
    /// The id of the space.
    pub space: String,
    /// Its resource name.
    pub name: String,
    /// The resource name of its thread.
    pub thread_name: String,
    /// The thread key it was sent with, even if that was ignored.
    pub thread_key: Option<String>,
    /// Whether its thread existed before it.
    pub is_reply: bool,
    /// Its text.
    pub text: String,
    /// The whole message, with JSON names.
    pub body: Arc<Value>,
    /// The id its request carried.
    pub request_id: Option<String>,
    /// How often a request with that id came.
    pub n_seen: u32,
    /// Whether one of them had another body, which the contract forbids.
    pub bodies_differed: bool,
    /// When it was accepted, since the start of the sandbox.
    pub at: Duration,
    /// When it was accepted.
    pub wall: Timestamp,
    /// To compare bodies.
    body_hash: u64,
}

/// What becomes of a request that satisfies the contract.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A new message.
    Created(Arc<Delivered>),
    /// The request id is known: this message stays as it is.
    Known(Arc<Delivered>),
    /// The quota of the space is used up.
    OverQuota,
    /// There is no such thread, or no room for another space.
    NotFound,
    /// The message id is taken.
    IdTaken,
}

/// Who writes what, and to where.
#[derive(Debug)]
pub(super) struct Write<'a> {
    pub space: &'a str,
    /// Tells webhooks apart: threads and request ids are theirs.
    pub token: &'a str,
    pub accepted: Accepted,
    pub body_hash: u64,
}

/// Where a message belongs.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    New,
    Thread(String),
    /// A thread was named that is not there, and nothing else will do.
    Missing,
}

/// All spaces.
#[derive(Debug)]
pub(super) struct Spaces {
    quota: Quota,
    names: fastrand::Rng,
    n_messages: u64,
    spaces: BTreeMap<String, Space>,
}

#[derive(Debug, Default)]
struct Space {
    last_write: Option<Duration>,
    /// By token and key.
    threads: BTreeMap<(String, String), String>,
    /// Messages there are of a thread, by its name.
    thread_sizes: BTreeMap<String, usize>,
    /// Numbers of messages by token and request id.
    request_ids: BTreeMap<(String, String), u64>,
    messages: VecDeque<Arc<Delivered>>,
}

impl Spaces {
    pub(super) fn new(quota: Quota, seed: u64) -> Self {
        Self {
            quota,
            names: fastrand::Rng::with_seed(seed),
            n_messages: 0,
            spaces: BTreeMap::new(),
        }
    }

    /// Carries out a write.
    pub(super) fn write(&mut self, now: Now, write: Write<'_>) -> Outcome {
        let quota = self.quota;
        if !self.spaces.contains_key(write.space) && self.spaces.len() >= SPACES_MAX {
            return Outcome::NotFound;
        }
        let space = self.spaces.entry(write.space.to_owned()).or_default();
        let accepted = write.accepted;
        if let Some(id) = &accepted.request_id
            && let Some(known) = space.repeat(write.token, id, write.body_hash)
        {
            return Outcome::Known(known);
        }
        if let Some(id) = &accepted.message_id {
            let name = message_name(write.space, id);
            if space.messages.iter().any(|message| message.name == name) {
                return Outcome::IdTaken;
            }
        }
        let target = space.find_thread(write.token, &accepted);
        if target == Target::Missing {
            return Outcome::NotFound;
        }
        if !space.take_quota(now.since_start, quota) {
            return Outcome::OverQuota;
        }
        self.n_messages += 1;
        let thread_name = match target {
            Target::Thread(name) => name,
            Target::New | Target::Missing => {
                let id = invent(&mut self.names);
                let name = format!("spaces/{}/threads/{id}", write.space);
                space.bind_thread(write.token, &accepted, &name);
                name
            }
        };
        let id = match &accepted.message_id {
            Some(id) => id.clone(),
            None => format!("{0}.{0}", invent(&mut self.names)),
        };
        let size = space.thread_sizes.entry(thread_name.clone()).or_insert(0);
        *size += 1;
        let message = Arc::new(Delivered {
            number: self.n_messages,
            space: write.space.to_owned(),
            name: message_name(write.space, &id),
            is_reply: *size > 1,
            thread_name,
            thread_key: accepted.thread_key,
            text: accepted.text,
            body: Arc::new(Value::Object(accepted.body)),
            n_seen: 1,
            bodies_differed: false,
            at: now.since_start,
            wall: now.wall,
            body_hash: write.body_hash,
            request_id: accepted.request_id,
        });
        space.keep(write.token, Arc::clone(&message));
        Outcome::Created(message)
    }

    /// Writes as somebody else would; tells if the quota let it.
    pub(super) fn stranger_writes(&mut self, now: Now, space: &str) -> bool {
        if !self.spaces.contains_key(space) && self.spaces.len() >= SPACES_MAX {
            return false;
        }
        let quota = self.quota;
        let space = self.spaces.entry(space.to_owned()).or_default();
        space.take_quota(now.since_start, quota)
    }

    /// Returns the messages after a number, of all spaces, in the order they came.
    pub(super) fn messages_after(&self, number: u64) -> Vec<Arc<Delivered>> {
        let mut messages: Vec<_> = self
            .spaces
            .values()
            .flat_map(|space| &space.messages)
            .filter(|message| message.number > number)
            .cloned()
            .collect();
        messages.sort_by_key(|message| message.number);
        messages
    }
}

impl Space {
    /// Notes that a request came again; returns its message if the id is known.
    fn repeat(&mut self, token: &str, id: &str, body_hash: u64) -> Option<Arc<Delivered>> {
        let number = *self.request_ids.get(&(token.to_owned(), id.to_owned()))?;
        let index = self
            .messages
            .binary_search_by_key(&number, |message| message.number)
            .ok()?;
        let message = Arc::make_mut(&mut self.messages[index]);
        message.n_seen += 1;
        message.bodies_differed |= message.body_hash != body_hash;
        Some(Arc::clone(&self.messages[index]))
    }

    /// Tells which thread a message goes to.
    fn find_thread(&self, token: &str, accepted: &Accepted) -> Target {
        if accepted.reply_option == ReplyOption::NewThread {
            return Target::New;
        }
        // A name says more than a key.
        if let Some(name) = &accepted.thread_name {
            return match (self.thread_sizes.contains_key(name), accepted.reply_option) {
                (true, _) => Target::Thread(name.clone()),
                (false, ReplyOption::OrFail) => Target::Missing,
                (false, ReplyOption::FallBack | ReplyOption::NewThread) => Target::New,
            };
        }
        // The reference says that a new key creates a thread even with "or fail".
        let key = accepted.thread_key.clone().unwrap_or_default();
        match self.threads.get(&(token.to_owned(), key)) {
            Some(name) => Target::Thread(name.clone()),
            None => Target::New,
        }
    }

    /// Remembers which thread a key stands for.
    fn bind_thread(&mut self, token: &str, accepted: &Accepted, name: &str) {
        if accepted.reply_option == ReplyOption::NewThread {
            return;
        }
        if let Some(key) = &accepted.thread_key {
            self.threads
                .insert((token.to_owned(), key.clone()), name.to_owned());
        }
    }

    /// Counts a write if the quota allows it.
    fn take_quota(&mut self, now: Duration, quota: Quota) -> bool {
        if quota == Quota::PerSecond
            && let Some(last) = self.last_write
            && now.saturating_sub(last) + QUOTA_TOLERANCE < QUOTA_INTERVAL
        {
            return false;
        }
        self.last_write = Some(now);
        true
    }

    fn keep(&mut self, token: &str, message: Arc<Delivered>) {
        if let Some(id) = &message.request_id {
            self.request_ids
                .insert((token.to_owned(), id.clone()), message.number);
        }
        self.messages.push_back(message);
        if self.messages.len() <= MESSAGES_MAX {
            return;
        }
        let Some(oldest) = self.messages.pop_front() else {
            return;
        };
        self.request_ids
            .retain(|_, number| *number != oldest.number);
        let Some(size) = self.thread_sizes.get_mut(&oldest.thread_name) else {
            return;
        };
        *size -= 1;
        if *size == 0 {
            self.thread_sizes.remove(&oldest.thread_name);
            self.threads.retain(|_, name| *name != oldest.thread_name);
        }
    }
}

fn message_name(space: &str, id: &str) -> String {
    format!("spaces/{space}/messages/{id}")
}

/// Returns an id as Chat makes them: eleven letters, digits, dashes.
fn invent(names: &mut fastrand::Rng) -> String {
    (0..11).map(|_| names.alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::contract;

    struct World {
        spaces: Spaces,
        millis: u64,
    }

    impl World {
        fn new(quota: Quota) -> Self {
            Self {
                spaces: Spaces::new(quota, 7),
                millis: 0,
            }
        }

        fn now(&self) -> Now {
            Now {
                since_start: Duration::from_millis(self.millis),
                wall: Timestamp::UNIX_EPOCH,
            }
        }

        fn write(&mut self, space: &str, token: &str, query: &str, body: &str) -> Outcome {
            let query: Vec<_> = form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect();
            let accepted = contract::check(space, &query, body.as_bytes()).expect("a good body");
            let write = Write {
                space,
                token,
                accepted,
                body_hash: body.len() as u64,
            };
            self.spaces.write(self.now(), write)
        }

        /// Returns the thread of a message with a key, named by its first letter.
        fn thread(&mut self, token: &str, option: &str, key: &str) -> String {
            let body = format!(r#"{{"text":"x","thread":{{"threadKey":"{key}"}}}}"#);
            let query = match option {
                "" => String::new(),
                option => format!("messageReplyOption={option}"),
            };
            match self.write("S", token, &query, &body) {
                Outcome::Created(message) => message.thread_name.clone(),
                other => panic!("expected a message, found {other:?}"),
            }
        }
    }

    const FALL_BACK: &str = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD";
    const OR_FAIL: &str = "REPLY_MESSAGE_OR_FAIL";

    #[test]
    fn one_write_per_second_and_space() {
        let mut world = World::new(Quota::PerSecond);
        let mut log = String::new();
        for (millis, space) in [
            (0, "S"),
            (500, "S"),
            (500, "T"),
            (949, "S"),
            (950, "S"),
            (1800, "S"),
            (1900, "S"),
        ] {
            world.millis = millis;
            let word = match world.write(space, "t", "", r#"{"text":"x"}"#) {
                Outcome::Created(_) => "yes",
                Outcome::OverQuota => "no",
                other => panic!("{other:?}"),
            };
            log.push_str(&format!("{millis}{space} {word}, "));
        }
        assert_eq!(
            log,
            "0S yes, 500S no, 500T yes, 949S no, 950S yes, 1800S no, 1900S yes, "
        );
    }

    #[test]
    fn a_stranger_uses_up_the_quota() {
        let mut world = World::new(Quota::PerSecond);
        assert!(world.spaces.stranger_writes(world.now(), "S"));
        assert!(matches!(
            world.write("S", "t", "", r#"{"text":"x"}"#),
            Outcome::OverQuota
        ));
    }

    #[test]
    fn threads_belong_to_a_webhook_and_a_key() {
        let mut world = World::new(Quota::None);
        let first = world.thread("t", FALL_BACK, "a");
        assert_eq!(world.thread("t", FALL_BACK, "a"), first);
        assert_eq!(world.thread("t", OR_FAIL, "a"), first);
        assert_ne!(world.thread("t", FALL_BACK, "b"), first);
        assert_ne!(world.thread("u", FALL_BACK, "a"), first);
        // Without the option the key is ignored, and not bound either.
        let loose = world.thread("t", "", "c");
        assert_ne!(world.thread("t", FALL_BACK, "c"), loose);
    }

    #[test]
    fn a_thread_name_must_exist_to_be_replied_to() {
        let mut world = World::new(Quota::None);
        let body = r#"{"text":"x","thread":{"name":"spaces/S/threads/none"}}"#;
        let or_fail = format!("messageReplyOption={OR_FAIL}");
        assert!(matches!(
            world.write("S", "t", &or_fail, body),
            Outcome::NotFound
        ));
        let fall_back = format!("messageReplyOption={FALL_BACK}");
        assert!(matches!(
            world.write("S", "t", &fall_back, body),
            Outcome::Created(_)
        ));

        let known = world.thread("t", FALL_BACK, "a");
        let body = format!(r#"{{"text":"x","thread":{{"name":"{known}"}}}}"#);
        let Outcome::Created(reply) = world.write("S", "t", &or_fail, &body) else {
            panic!("a reply was expected");
        };
        assert!(reply.is_reply && reply.thread_name == known);
    }

    #[test]
    fn a_request_id_makes_one_message() {
        let mut world = World::new(Quota::PerSecond);
        let first = world.write("S", "t", "requestId=r", r#"{"text":"x"}"#);
        let Outcome::Created(first) = first else {
            panic!("a message was expected");
        };
        // Within the second: a known id is no write.
        for (body, n_seen, differed) in
            [(r#"{"text":"x"}"#, 2, false), (r#"{"text":"xy"}"#, 3, true)]
        {
            let Outcome::Known(again) = world.write("S", "t", "requestId=r", body) else {
                panic!("the known message was expected");
            };
            assert_eq!(again.name, first.name);
            assert_eq!(again.text, "x");
            assert_eq!((again.n_seen, again.bodies_differed), (n_seen, differed));
        }
        world.millis = 1_000;
        assert!(matches!(
            world.write("S", "other", "requestId=r", r#"{"text":"x"}"#),
            Outcome::Created(_)
        ));
        assert_eq!(world.spaces.messages_after(0).len(), 2);
    }

    #[test]
    fn forgets_the_oldest() {
        let mut world = World::new(Quota::None);
        let first = world.thread("t", FALL_BACK, "old");
        for _ in 0..MESSAGES_MAX {
            world.thread("t", FALL_BACK, "new");
        }
        assert_eq!(world.spaces.messages_after(0).len(), MESSAGES_MAX);
        assert_ne!(world.thread("t", FALL_BACK, "old"), first);
    }
}
