//! When what has happened goes to disk, and what waits for that.
//!
//! A step that made a message commits at once, progress without consequences when
//! some has gathered. One commit is under way at a time; requests and answers that
//! belong to it leave when it is on disk, and everything of it is committed again if
//! it could not be.

use std::time::Duration;

use super::commit::{Commit, MessageRecord};
use super::correlate::memory::SeenId;
use super::events::InstanceId;
use super::ids::{CommitId, MessageId, StreamId};
use super::outbox::{Freshness, Post};
use super::own::Trouble;
use super::schedule::Fault;
use super::time::{Moment, Now};
use super::{Action, Engine, Granted, Report, Stopping, digest, stdin};
use crate::rules::{RuleKey, SpaceName};

/// The longest wait between two tries to commit.
const COMMIT_BACKOFF_MAX: Duration = Duration::from_secs(30);

/// A commit that the host is carrying out.
#[derive(Debug)]
pub(super) struct Committing {
    commit: CommitId,
    posts: Vec<Post>,
    streams: Vec<StreamId>,
    instances: Vec<InstanceId>,
    checks: Vec<RuleKey>,
    rules: Vec<RuleKey>,
    seen: Vec<SeenId>,
    silences: Vec<u64>,
    tickets: Vec<(u64, Granted)>,
    messages: Vec<MessageId>,
    spaces: Vec<SpaceName>,
    has_globs: bool,
    has_journal: bool,
    /// Up to where standard input is read in it.
    stdin: Option<stdin::Reach>,
    makes_ready: bool,
}

impl Engine {
    pub(super) fn may_read(&self) -> bool {
        self.n_commit_faults == 0
    }

    /// Makes the next commit, if one is due, and starts the requests that are due.
    pub(super) fn commit(&mut self, now: Now) {
        if self.committing.is_some() || self.stopping == Stopping::Done {
            return;
        }
        let is_stopping = self.stopping == Stopping::Asked;
        if self.commit_after > now.moment && !is_stopping {
            return;
        }
        self.start_requests(now);
        if self.awaits_last_answer() {
            return;
        }
        let becomes_ready = self.schedule.is_listed() && !self.is_ready;
        let is_dirty = self.outbox.is_dirty()
            || self.correlate.is_dirty()
            || self.checks.is_dirty()
            || self.journal.is_dirty()
            || self.schedule.is_dirty();
        let is_due = |due: Option<Moment>| due.is_some_and(|due| due <= now.moment);
        let is_wanted = !self.unsent.is_empty()
            || becomes_ready
            || is_stopping
            || is_due(self.consequences_due)
            || is_due(self.progress_due);
        match (is_dirty || !self.unsent.is_empty(), is_wanted) {
            (true, true) => self.begin_commit(now, becomes_ready),
            (false, _) => {
                let tickets = std::mem::take(&mut self.tickets);
                self.answer(tickets);
                self.consequences_due = None;
                self.progress_due = None;
                if becomes_ready {
                    self.say_ready();
                }
                if is_stopping {
                    self.say_stopped();
                }
            }
            (true, false) => {}
        }
    }

    /// When stopping, the last answer decides what is on disk.
    pub(super) fn awaits_last_answer(&self) -> bool {
        self.stopping == Stopping::Asked && self.outbox.is_busy() && self.unsent.is_empty()
    }

    fn start_requests(&mut self, now: Now) {
        if !self.outbox.is_due(now.moment) {
            return;
        }
        let (rules, surface) = (&self.rules, &self.surface);
        let mut faults = Vec::new();
        let mut word = |message: &MessageRecord| {
            let worded = digest::word(rules, message, now.wall, surface);
            if let Some(why) = worded.fault {
                faults.push((message.instance.rule.clone(), why));
            }
            worded.body
        };
        for (post, freshness) in self.outbox.start(now, &mut word) {
            match freshness {
                Freshness::First => self.unsent.push(post),
                Freshness::Again => self.actions.push_back(Action::Post(post)),
            }
        }
        for (rule, why) in faults {
            self.report(Report::TemplateFailed { rule, why });
        }
    }

    fn begin_commit(&mut self, now: Now, makes_ready: bool) {
        let id = CommitId(self.n_commits);
        self.n_commits += 1;
        let (streams, streams_gone) = self.schedule.take_dirty();
        let next_silence = self.correlate.silences().next_id();
        let (instances, memory, silences) = self.correlate.parts();
        let (instances, instances_gone) = instances.take_dirty(now);
        let memory = Box::new(memory.take_dirty());
        let (silences, silences_gone) = silences.take_dirty();
        let (checks, checks_gone) = self.checks.take_dirty(now);
        let (messages, messages_gone) = self.outbox.take_dirty();
        let spaces = self.outbox.take_dirty_spaces(now);
        let globs = self.schedule.take_globs();
        let journal = self.journal.take_dirty();
        self.consequences_due = None;
        self.progress_due = None;
        self.committing = Some(Committing {
            commit: id,
            posts: std::mem::take(&mut self.unsent),
            streams: (streams.iter().map(|record| record.id))
                .chain(streams_gone.iter().copied())
                .collect(),
            instances: (instances.iter().map(|record| &record.id))
                .chain(&instances_gone)
                .cloned()
                .collect(),
            rules: (memory.rules.iter().map(|record| &record.key))
                .chain(&memory.rules_gone)
                .cloned()
                .collect(),
            seen: (memory.seen.iter())
                .map(|record| (record.rule.clone(), record.value))
                .chain(memory.seen_gone.iter().cloned())
                .collect(),
            silences: (silences.iter().map(|silence| silence.id))
                .chain(silences_gone.iter().copied())
                .collect(),
            tickets: std::mem::take(&mut self.tickets),
            checks: (checks.iter().map(|record| &record.key))
                .chain(&checks_gone)
                .cloned()
                .collect(),
            messages: (messages.iter().map(|record| record.id))
                .chain(messages_gone.iter().copied())
                .collect(),
            spaces: (spaces.iter().map(|record| record.space.clone())).collect(),
            has_globs: globs.is_some(),
            has_journal: journal.is_some(),
            stdin: stdin::read_up_to(&self.schedule),
            makes_ready,
        });
        self.actions.push_back(Action::Commit(Box::new(Commit {
            id,
            streams,
            streams_gone,
            instances,
            instances_gone,
            memory,
            silences,
            silences_gone,
            checks,
            checks_gone,
            messages,
            messages_gone,
            spaces,
            globs,
            journal,
            next_stream: self.schedule.next_id(),
            next_message: self.next_message,
            next_silence,
        })));
    }

    pub(super) fn committed(&mut self, now: Now, id: CommitId, outcome: Result<(), Fault>) {
        let Some(done) = self
            .committing
            .take_if(|committing| committing.commit == id)
        else {
            return;
        };
        let Err(fault) = outcome else {
            if self.n_commit_faults > 0 {
                self.report(Report::StateRecovered);
            }
            self.n_commit_faults = 0;
            self.answer(done.tickets);
            if let Some(upto) = done.stdin.filter(|upto| self.stdin.spend(*upto)) {
                self.actions.push_back(Action::Spent(upto));
            }
            if done.makes_ready {
                self.say_ready();
            }
            for post in done.posts {
                match self.stopping {
                    Stopping::No => self.actions.push_back(Action::Post(post)),
                    // It is on disk and goes out in the next life.
                    Stopping::Asked | Stopping::Done => self.outbox.unsent(post.message),
                }
            }
            return;
        };
        self.schedule.mark_dirty(done.streams);
        let (instances, memory, silences) = self.correlate.parts();
        instances.mark_dirty(done.instances);
        memory.mark_dirty(done.rules, done.seen);
        silences.mark_dirty(done.silences);
        self.checks.mark_dirty(done.checks);
        self.tickets.extend(done.tickets);
        self.outbox.mark_dirty(done.messages);
        self.outbox.mark_dirty_spaces(&done.spaces);
        if done.has_journal {
            self.journal.mark_dirty();
        }
        if done.has_globs {
            self.schedule.mark_globs();
        }
        self.unsent = done.posts;
        if self.n_commit_faults == 0 {
            // Nothing is said before it is on disk: people read of it afterwards.
            let what = format!(
                "the state could not be written, reading paused: {}",
                fault.why
            );
            self.trouble(now, &Trouble::of_state("unwritable", what));
            self.report(Report::StateFailed { why: fault.why });
        }
        self.counts.n_commit_faults += 1;
        let backoff = Duration::from_secs(1 << self.n_commit_faults.min(5));
        self.n_commit_faults += 1;
        self.commit_after = now.moment.after(backoff.min(COMMIT_BACKOFF_MAX));
        self.consequences_due = Some(self.commit_after);
        if self.stopping == Stopping::Asked {
            // What is not on disk was not said either, and stays in the files.
            self.say_stopped();
        }
    }

    fn answer(&mut self, tickets: Vec<(u64, Granted)>) {
        let answers = tickets
            .into_iter()
            .map(|(ticket, granted)| Action::Answer(ticket, Ok(granted)));
        self.actions.extend(answers);
    }
}
