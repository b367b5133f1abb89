//! Signs of life for a dead-man service.
//!
//! The service raises the alarm when requests stop coming, whatever the reason:
//! the machine is off, the network is gone, the agent hangs or cannot write its
//! state. So the agent only says that it lives while it does its work.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tracing::{info, warn};

use super::chat::Chat;
use super::{clock, until};
use crate::engine::time::Moment;
use crate::rules::settings::Heartbeat;

/// The time between two signs of life.
const EVERY: Duration = Duration::from_secs(60);

/// What beats.
#[derive(Debug)]
pub(super) struct Heart {
    heartbeat: Heartbeat,
    chat: Arc<Chat>,
    /// When the next sign of life is due; none before the agent does its work.
    due: Option<Moment>,
    beats: JoinSet<Result<(), String>>,
    is_failing: bool,
}

impl Heart {
    /// Prepares to beat.
    pub(super) fn new(heartbeat: Heartbeat, chat: Arc<Chat>) -> Self {
        Self {
            heartbeat,
            chat,
            due: None,
            beats: JoinSet::new(),
            is_failing: false,
        }
    }

    /// Whether this is where it says that it lives.
    pub(super) fn beats_at(&self, heartbeat: &Heartbeat) -> bool {
        self.heartbeat == *heartbeat
    }

    /// Beats by another way from now on.
    pub(super) fn go_by(&mut self, chat: Arc<Chat>) {
        self.chat = chat;
    }

    /// The agent does its work: the first sign of life is due.
    pub(super) fn begin(&mut self) {
        self.due.get_or_insert(clock::now().moment);
    }

    /// Waits until the next sign of life is due, and hears what came of the last.
    pub(super) async fn due(&mut self) {
        loop {
            tokio::select! {
                Some(ended) = self.beats.join_next() => {
                    let outcome = ended.unwrap_or_else(|error| Err(error.to_string()));
                    self.heard(outcome);
                }
                () = until(self.due) => return,
            }
        }
    }

    /// Says that the agent lives, if that is so.
    pub(super) fn beat(&mut self, is_alive: bool) {
        self.due = Some(clock::now().moment.after(EVERY));
        if is_alive && self.beats.is_empty() {
            let (chat, heartbeat) = (self.chat.clone(), self.heartbeat.clone());
            self.beats.spawn(async move { chat.beat(&heartbeat).await });
        }
    }

    fn heard(&mut self, outcome: Result<(), String>) {
        match (outcome, self.is_failing) {
            (Err(why), false) => {
                warn!(
                    why,
                    "the heartbeat does not arrive, will be tried every 60 s"
                );
                self.is_failing = true;
            }
            (Ok(()), true) => {
                info!("the heartbeat arrives again");
                self.is_failing = false;
            }
            (Err(_), true) | (Ok(()), false) => {}
        }
    }
}
