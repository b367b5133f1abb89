//! Google Chat as its contract has it, and as it behaves on bad days.

use std::collections::BTreeMap;
use std::time::Duration;

use logcrier::engine::answer::Reply;
use logcrier::engine::outbox::Post;
use logcrier::rules::PacerKey;

use super::clock::Instant;
use super::entropy::Entropy;

/// Least time between two messages of a space, whoever writes them.
const QUOTA: Duration = Duration::from_secs(1);

/// When a client gives up waiting for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What makes a message be refused, but not its short plain form.
pub(crate) const BITTER: &str = "bitter";

/// What makes a message be refused in every form.
pub(crate) const POISON: &str = "poison";

/// All spaces.
#[derive(Debug, Default)]
pub(crate) struct Chat {
    spaces: BTreeMap<PacerKey, Space>,
    /// In so many of a hundred cases somebody else wrote to the space just before.
    pub(crate) n_strangers: u64,
    /// Whether a refusal for quota tells how long to wait.
    pub(crate) tells_wait: bool,
}

/// A real space.
#[derive(Debug, Default)]
struct Space {
    written: Option<Instant>,
    /// Bodies by request id: the same id never makes a second message.
    made: BTreeMap<String, String>,
    weather: Weather,
    until: Instant,
}

/// How a space is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Weather {
    /// It serves.
    #[default]
    Fair,
    /// Others use up the quota.
    Crowded,
    /// 5xx of all kinds.
    Broken,
    /// Nobody listens.
    Unreachable,
    /// Somebody else answers: a captive portal, a proxy's page.
    Captured,
    /// It takes its time, now and then more than the client has.
    Slow,
    /// It takes the message, and the answer gets lost.
    Mute,
    /// 401, at random.
    Forgetful,
    /// 403 or 404: the space is gone.
    Gone,
    /// Any of the above, with every request another.
    Wild,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    /// Whether it made a message.
    pub(crate) is_new: bool,
    pub(crate) reply: Reply,
    /// How long until the client knows.
    pub(crate) delay: Duration,
}

impl Weather {
    pub(crate) const BAD: [Self; 9] = [
        Self::Crowded,
        Self::Broken,
        Self::Unreachable,
        Self::Captured,
        Self::Slow,
        Self::Mute,
        Self::Forgetful,
        Self::Gone,
        Self::Wild,
    ];
}

impl Chat {
    /// Lets a space be in some way for a time.
    pub(crate) fn set(&mut self, space: &PacerKey, weather: Weather, until: Instant) {
        let space = self.spaces.entry(space.clone()).or_default();
        (space.weather, space.until) = (weather, until);
    }

    pub(crate) fn heal(&mut self) {
        self.n_strangers = 0;
        for space in self.spaces.values_mut() {
            space.weather = Weather::Fair;
        }
    }

    /// Takes a request that arrives now.
    pub(crate) fn serve(
        &mut self,
        now: Instant,
        key: &PacerKey,
        post: &Post,
        chance: &mut Entropy,
    ) -> Served {
        let is_crowded = chance.percent(self.n_strangers);
        let retry_after = match self.tells_wait {
            true => Some(Duration::from_secs(1 + chance.below(90))),
            false => None,
        };
        let space = self.spaces.entry(key.clone()).or_default();
        if space.until <= now {
            space.weather = Weather::Fair;
        }
        let weather = match space.weather {
            Weather::Wild => match chance.percent(30) {
                true => Weather::Fair,
                false => chance.one_of(&Weather::BAD[..8]),
            },
            weather => weather,
        };
        let quick = chance.duration(Duration::from_millis(5), Duration::from_millis(800));
        let answer = |status, body: &str, delay| Served {
            is_new: false,
            reply: Reply::Http {
                status,
                retry_after: None,
                body: body.into(),
            },
            delay,
        };
        let unanswered = |is_new| Served {
            is_new,
            reply: Reply::Unanswered {
                why: "no answer within 30 s".into(),
            },
            delay: PATIENCE,
        };
        match weather {
            Weather::Crowded => Served {
                is_new: false,
                reply: quota(retry_after),
                delay: quick,
            },
            Weather::Broken => {
                let status = chance.one_of(&[500, 502, 503, 504, 408, 409, 499]);
                answer(status, "<html><h1>Error</h1></html>", quick)
            }
            Weather::Unreachable => Served {
                is_new: false,
                reply: Reply::Unreached {
                    why: "connection refused".into(),
                },
                delay: quick,
            },
            Weather::Captured => answer(200, "<html>Please log in</html>", quick),
            Weather::Forgetful if chance.percent(60) => answer(
                401,
                r#"{"error":{"code":401,"status":"UNAUTHENTICATED"}}"#,
                quick,
            ),
            Weather::Gone => answer(
                chance.one_of(&[403, 404]),
                r#"{"error":{"code":403,"status":"PERMISSION_DENIED"}}"#,
                quick,
            ),
            Weather::Mute => unanswered(match chance.percent(70) && !is_refused(post) {
                true => space.make(now, post),
                false => false,
            }),
            Weather::Slow if chance.percent(20) && !is_refused(post) => {
                unanswered(space.make(now, post))
            }
            Weather::Slow => {
                let delay = chance.duration(Duration::from_secs(1), Duration::from_secs(29));
                Served {
                    delay,
                    ..space.take(now, post, is_crowded, retry_after)
                }
            }
            Weather::Fair | Weather::Forgetful | Weather::Wild => Served {
                delay: quick,
                ..space.take(now, post, is_crowded, retry_after)
            },
        }
    }
}

impl Space {
    /// Serves a request as the contract has it.
    fn take(
        &mut self,
        now: Instant,
        post: &Post,
        is_crowded: bool,
        retry_after: Option<Duration>,
    ) -> Served {
        let is_over = (self.written).is_some_and(|written| now.since(written) < QUOTA);
        let (is_new, reply) = if is_over || is_crowded {
            self.written = Some(now);
            (false, quota(retry_after))
        } else if is_refused(post) {
            self.written = Some(now);
            let body = r#"{"error":{"code":400,"status":"INVALID_ARGUMENT"}}"#;
            let reply = Reply::Http {
                status: 400,
                retry_after: None,
                body: body.into(),
            };
            (false, reply)
        } else {
            let body = r#"{"name":"spaces/S/messages/M","thread":{"name":"spaces/S/threads/T"}}"#;
            let reply = Reply::Http {
                status: 200,
                retry_after: None,
                body: body.into(),
            };
            (self.make(now, post), reply)
        };
        Served {
            is_new,
            reply,
            delay: Duration::ZERO,
        }
    }

    /// Makes a message, unless it was made before. Returns whether it is new.
    fn make(&mut self, now: Instant, post: &Post) -> bool {
        self.written = Some(now);
        if self.made.contains_key(&post.request_id) {
            return false;
        }
        self.made.insert(post.request_id.clone(), post.body.clone());
        true
    }
}

fn is_refused(post: &Post) -> bool {
    post.body.contains(POISON) || post.threaded && post.body.contains(BITTER)
}

fn quota(retry_after: Option<Duration>) -> Reply {
    Reply::Http {
        status: 429,
        retry_after,
        body: r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#.into(),
    }
}
