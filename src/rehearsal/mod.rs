//! The real engine on a stage: no disk, no network, and time that passes when told.
//!
//! A [`Stage`] is a host like any other. It carries out what the engine asks for, but
//! its files are whatever [`Files`] says they are, every commit is on disk at once, and
//! the chat takes every message. So what is seen here is what the agent would do.
//!
//! Plays that are given on it: [`trial`] puts a rule through the tests that it
//! carries, [`explain`] tells what becomes of one line, and [`history`] lives through
//! logs of the past on their own time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub mod explain;

pub mod trial;

pub mod history;

use crate::engine::answer::Reply;
use crate::engine::commit::{Image, MessageRecord};
use crate::engine::ids::MessageId;
use crate::engine::message::Surface;
use crate::engine::outbox::Post;
use crate::engine::scan::{self, Region, Scanned};
use crate::engine::schedule::{
    Entry, Fault, Found, Hint, Listing, Look, LookAt, Means, Noticing, Read, ReadDone, Sought, Turn,
};
use crate::engine::time::{Moment, Now, Wall};
use crate::engine::{Action, Config, Engine, Input};
use crate::rules::{PacerKey, RuleSet, Space, SpaceName, Webhook};

/// The work that a listing is said to have taken. The safety look keeps a distance of
/// so many times that: on a stage nothing happens behind the agent's back.
const LISTING_WORKED: Duration = Duration::from_secs(1);

/// How often the engine may want to come back at one moment without doing anything
/// before time is pushed on.
const IDLE_MAX: u32 = 1_000;

/// The files on a stage.
pub trait Files {
    /// All of them, in the order of their names.
    fn entries(&self, now: Wall) -> Vec<Entry>;
    /// Looks at one.
    fn look(&mut self, look: &LookAt, now: Wall) -> Look;
    /// Reads a region of one.
    fn read(&mut self, read: &Read) -> Result<ReadDone, Fault>;
}

/// A message that was posted.
#[derive(Debug, Clone)]
pub struct Said {
    /// When.
    pub at: Wall,
    /// To which space.
    pub space: SpaceName,
    /// What it was made of.
    pub message: MessageRecord,
    /// Its JSON.
    pub body: String,
}

/// An engine, and a host that carries out its actions.
#[derive(Debug)]
pub struct Stage {
    engine: Engine,
    began: Wall,
    now: Now,
    /// The messages that are on disk.
    messages: BTreeMap<MessageId, MessageRecord>,
    said: Vec<Said>,
}

impl Stage {
    /// Raises the curtain at a time.
    pub fn new(rules: Arc<RuleSet>, surface: Surface, began: Wall, files: &mut dyn Files) -> Self {
        let now = Now {
            moment: Moment(0),
            wall: began,
        };
        let config = Config {
            rules,
            surface,
            means: Means {
                noticing: Noticing::Hinted,
                turns_max: 2,
            },
            excluded: Vec::new(),
            excluded_places: Default::default(),
            seed: 0,
        };
        let mut stage = Self {
            engine: Engine::new(config, Image::default(), now),
            began,
            now,
            messages: BTreeMap::new(),
            said: Vec::new(),
        };
        stage.tell(Input::Tick, files);
        stage
    }

    /// What time it is.
    pub fn now(&self) -> Wall {
        self.now.wall
    }

    /// The agent.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What was posted since the last call.
    pub fn take_said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }

    /// Lets something happen, and the agent act until it rests.
    pub fn tell(&mut self, input: Input, files: &mut dyn Files) {
        self.engine.handle(self.now, input);
        self.act(files);
    }

    /// Hints at what has just happened.
    pub fn hint(&mut self, hint: Hint, files: &mut dyn Files) {
        let since = self.now.moment;
        self.tell(Input::Hint { hint, since }, files);
    }

    /// Lets time pass. What falls due on the way happens at its time.
    pub fn pass(&mut self, until: Wall, files: &mut dyn Files) {
        let until = self.moment_of(until);
        let mut n_idle = 0;
        while let Some(at) = self.engine.wakeup(self.now).filter(|at| *at <= until) {
            n_idle = match at <= self.now.moment {
                true => n_idle + 1,
                false => 0,
            };
            let at = match n_idle > IDLE_MAX {
                true => self.now.moment.after(Duration::from_millis(1)),
                false => at,
            };
            self.set(at);
            self.tell(Input::Tick, files);
        }
        self.set(until);
    }

    /// Lets as much time pass as it takes to say all that is to be said now, but no
    /// more than this.
    pub fn settle(&mut self, at_most: Duration, files: &mut dyn Files) {
        let until = self.now.wall.after(at_most);
        loop {
            // What was decided is on disk a moment later, and is said after that.
            let grace = self.now.wall.after(Duration::from_millis(50)).min(until);
            self.pass(grace, files);
            if self.engine.outbox().n_messages() == 0 || until <= self.now.wall {
                return;
            }
        }
    }

    fn set(&mut self, moment: Moment) {
        self.now.moment = self.now.moment.max(moment);
        let since = Duration::from_nanos(self.now.moment.0);
        self.now.wall = self.began.after(since);
    }

    /// The first moment at which the clock on the wall shows a time.
    fn moment_of(&self, wall: Wall) -> Moment {
        Moment(0).after(wall.since(self.began))
    }

    fn act(&mut self, files: &mut dyn Files) {
        while let Some(action) = self.engine.next_action(self.now) {
            let input = match action {
                Action::Files(turn) => self.carry_out(turn, files),
                Action::Commit(commit) => {
                    for message in commit.messages {
                        self.messages.insert(message.id, message);
                    }
                    for id in commit.messages_gone {
                        self.messages.remove(&id);
                    }
                    Some(Input::Committed(commit.id, Ok(())))
                }
                Action::Post(post) => {
                    let id = post.message;
                    self.said.extend(self.said_in(post));
                    Some(Input::Answered(id, delivered()))
                }
                // There are no commands, no journal and no pipe on this stage, and nobody who
                // waits for an answer; what people should hear of is not what they are posted.
                Action::Run(_)
                | Action::Journal(_)
                | Action::Spent(_)
                | Action::StopRun(_)
                | Action::Answer(..)
                | Action::Ready
                | Action::Report(_)
                | Action::Stopped => None,
            };
            if let Some(input) = input {
                self.engine.handle(self.now, input);
            }
        }
    }

    fn carry_out(&mut self, turn: Turn, files: &mut dyn Files) -> Option<Input> {
        Some(match turn {
            Turn::List(_) => Input::Listed(Listing {
                entries: files.entries(self.now.wall),
                worked: LISTING_WORKED,
                ..Listing::default()
            }),
            Turn::Look(look) => {
                let found = files.look(&look, self.now.wall);
                Input::Looked {
                    stream: look.stream,
                    begun: self.now.moment,
                    outcome: Ok(found),
                }
            }
            Turn::Read(read) => Input::Read {
                stream: read.stream,
                ending: read.ending,
                epoch: read.epoch,
                outcome: files.read(&read),
            },
            // Files on a stage stay where they are.
            Turn::Seek(Sought { stream, path, .. }) => Input::Found(
                stream,
                Ok(Found {
                    path: Some(path),
                    kin: Vec::new(),
                }),
            ),
            Turn::Close(_) => return None,
        })
    }

    fn said_in(&self, post: Post) -> Option<Said> {
        let message = self.messages.get(&post.message)?.clone();
        Some(Said {
            at: self.now.wall,
            space: post.space,
            message,
            body: post.body,
        })
    }
}

impl Said {
    /// The words that people read.
    pub fn text(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["text"].as_str().unwrap_or_default().to_owned()
    }
}

/// Searches a region as the engine asks for it, but tells of every hit by itself.
fn search(read: &Read, region: Region<'_>) -> Scanned {
    let region = Region {
        may_count: false,
        ..region
    };
    scan::scan(region, &read.searcher)
}

/// A space that nothing is ever sent to.
fn space_of_paper(name: &SpaceName, pace: Duration) -> Space {
    Space {
        webhook: Webhook::new(String::new(), PacerKey(format!("paper/{name}").into())),
        pace,
        fallback: None,
    }
}

fn delivered() -> Reply {
    Reply::Http {
        status: 200,
        retry_after: None,
        body: br#"{"name":"spaces/S/messages/M","thread":{"name":"spaces/S/threads/T"}}"#.into(),
    }
}
