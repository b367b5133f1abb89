//! What every request and every report is held against.

use std::time::Duration;

use logcrier::engine::Report;
use logcrier::engine::commit::MessageState;
use logcrier::engine::ids::MessageId;
use logcrier::engine::outbox::{Outcome, Post};
use logcrier::engine::schedule::Notice;
use logcrier::rules::{PacerKey, SpaceName};

use super::agent::Job;
use super::oracle::Start;
use super::{ACTIONS_PER_MINUTE_MAX, STOPPING_MAX, STREAMS_MAX, World, told};

/// The trouble of a space that takes no message.
pub(crate) fn refusing(space: &PacerKey) -> String {
    format!("refusing space {}", space.0)
}

impl World {
    /// A request leaves: everything that must be true of it.
    pub(super) fn post(&mut self, life: u64, post: Post) {
        let now = self.clock.now();
        let real_space = self.real_space(&post.space);
        match self
            .disk
            .image
            .messages
            .get(&post.message)
            .map(|message| &message.state)
        {
            Some(MessageState::Frozen { body, plain, .. }) => {
                let is_whole = *body == post.body;
                let is_plain = plain.as_ref().is_some_and(|plain| plain.body == post.body);
                if !is_whole && !is_plain {
                    self.oracle
                        .fail("durable before said", "another body is on disk");
                }
            }
            state => {
                let how = format!("message {:?} is {state:?} on disk", post.message);
                self.oracle.fail("durable before said", how);
            }
        }
        let start = Start {
            real_space: &real_space.0,
            request_id: &post.request_id,
            body: &post.body,
            pace: self.habits.pace,
            is_clock_steady: self.is_clock_steady(),
        };
        self.oracle.starts(now, &start);
        self.requested = now;
        self.look_at_order(&post);
        let delay = self
            .chance
            .duration(Duration::from_millis(1), Duration::from_millis(200));
        self.enqueue(delay, life, Job::Arrive(post));
    }

    /// Order and quiet, for a request of which nothing was sent before.
    pub(super) fn look_at_order(&mut self, post: &Post) {
        let Some(heard) = told::read_back(&post.body) else {
            return;
        };
        if self.oracle.parked.contains(&post.message.0) {
            // It was given up, and is taken up again because the space was at fault.
            return;
        }
        let origin = heard.meant_for.as_deref().unwrap_or(post.space.as_str());
        let on_disk = self.disk.image.messages.get(&post.message);
        let shares = on_disk.map(|message| message.shares()).unwrap_or_default();
        for said in heard.said.iter().filter(|said| !said.k.is_empty()) {
            let told = self.told.iter().find(|told| told.key == said.rule);
            if told.is_some_and(|told| told.wanted.one_instance) {
                // What it names tells nothing apart.
                continue;
            }
            let counted = (origin.to_owned(), said.rule.clone(), said.k.clone());
            let share = shares.iter().find(|share| {
                let k = share.instance.by.first();
                share.instance.rule.as_str() == said.rule && k == Some(&said.k)
            });
            let Some(MessageId(message)) = share.map(|share| share.newest) else {
                let how = format!("{counted:?} is not what is on disk");
                self.oracle.fail("nothing invented", how);
                return;
            };
            // What another space was told while it stood in is read elsewhere.
            let read_in = format!("{origin} in {}", post.space);
            let ordered = (read_in, said.rule.clone(), said.k.clone());
            self.oracle.in_order(&ordered, message);
            let is_first = self.oracle.is_news(&counted, message);
            if is_first && !matches!(&*said.why, "plain" | "thread" | "digest" | "catch_up") {
                let window = told.and_then(|told| told::shortest(told.debounce));
                // Before it ends for good, nothing waits for the end of a window.
                let ends = self.agent.as_ref().is_some_and(|agent| agent.may_end);
                let window = window.filter(|_| self.is_clock_steady() && !ends);
                self.oracle.speaks(self.clock.now(), &counted, said, window);
            }
        }
    }

    /// Whether nobody has set the wall clock for so long that it can matter.
    pub(super) fn is_clock_steady(&self) -> bool {
        let jumped = self.clock.jumped();
        jumped.is_none_or(|at| self.clock.now().since(at) > Duration::from_secs(4 * 3600))
    }

    /// A message of the agent's own: it must speak of a trouble that was reported.
    pub(super) fn look_at_own(&mut self, said: &told::Said, read_in: &SpaceName) {
        let names = ["dev", "ops"].map(SpaceName::new);
        let at_fault = names.iter().find(|name| name.as_str() == said.k);
        if at_fault.is_some_and(|space| self.real_space(space) == self.real_space(read_in)) {
            let how = format!("{read_in} hears of its own faults");
            self.oracle.fail("honest", how);
        }
        if !said.k.is_empty() && said.k != told::UNNAMED && !self.reported.contains(&said.k) {
            self.oracle
                .fail("honest", format!("{said:?} was no trouble"));
        }
    }

    pub(super) fn hear(&mut self, report: Report) {
        if let Report::File(notice) = &report
            && let Some(trouble) = notice.trouble()
        {
            self.reported.insert(trouble.subject);
        }
        if let Report::Delivery(outcome) = &report
            && let Some(trouble) = outcome.trouble()
        {
            self.reported.insert(trouble.subject);
        }
        match report {
            Report::File(Notice::Unreadable { path, .. }) => {
                self.oracle.troubled(format!("file {}", path.display()));
            }
            Report::File(Notice::Readable { path }) => {
                self.oracle.recovered(&format!("file {}", path.display()));
            }
            Report::File(Notice::Lost { path, .. }) => {
                let what = format!("file {}", path.display());
                self.oracle.recovered_perhaps(&what);
            }
            Report::File(_)
            | Report::Journal(_)
            | Report::Stdin(_)
            | Report::SpaceMissing { .. } => {}
            Report::Delivery(Outcome::Troubled { space, .. }) => {
                let space = self.real_space(&space);
                self.oracle.troubled(format!("space {}", space.0));
            }
            Report::Delivery(Outcome::Refused { space, .. }) => {
                let space = self.real_space(&space);
                self.oracle.troubled(refusing(&space));
            }
            Report::Delivery(Outcome::Recovered { space }) => {
                let space = self.real_space(&space);
                let names = [format!("space {}", space.0), refusing(&space)];
                let said: Vec<_> = (names.iter())
                    .filter(|name| self.oracle.troubles().contains(*name))
                    .cloned()
                    .collect();
                if said.is_empty() {
                    self.oracle.recovered(&names[0]);
                }
                for name in said {
                    self.oracle.recovered(&name);
                }
            }
            Report::Delivery(Outcome::Parked { message, .. }) => {
                self.oracle.parked.insert(message.0);
            }
            Report::Delivery(Outcome::Lasting { space, .. }) => {
                let what = format!("space {}", self.real_space(&space).0);
                if !self.oracle.troubles().contains(&what) {
                    self.oracle
                        .fail("honest", format!("{what}: lasts, but never began"));
                }
            }
            Report::Delivery(Outcome::Delivered { .. }) => {}
            Report::TemplateFailed { rule, why } => {
                self.oracle.fail("worded", format!("{rule}: {why}"));
            }
            Report::StateFailed { .. } => {
                self.reported.insert("unwritable".into());
                self.oracle.troubled("state".into());
            }
            Report::StateRecovered => self.oracle.recovered("state"),
            Report::OutboxFull => self.oracle.troubled("outbox".into()),
            Report::OutboxDrained => self.oracle.recovered("outbox"),
        }
    }

    /// What must be true at every time.
    pub(super) fn look_after_it(&mut self) {
        let minute = self.clock.now().0 / 60_000_000_000;
        if self.n_minute_actions.0 != minute {
            self.n_minute_actions = (minute, 0);
        }
        if self.n_minute_actions.1 > ACTIONS_PER_MINUTE_MAX {
            self.oracle
                .fail("bounded", "spins: too many actions in a minute");
        }
        let Some(agent) = &self.agent else {
            return;
        };
        let n_streams = agent.engine.schedule().streams().count();
        if n_streams > STREAMS_MAX || agent.n_open_files() > STREAMS_MAX {
            self.oracle.fail("bounded", format!("{n_streams} streams"));
        }
        if let Some(asked) = agent.stop_asked
            && self.clock.now().since(asked) > STOPPING_MAX
        {
            self.oracle
                .fail("stops", format!("not {STOPPING_MAX:?} after it was asked"));
        }
    }
}
