//! Carries out what the engine asks for, and brings back what came of it.

use logcrier::engine::commit::Commit;
use logcrier::engine::outbox::Post;
use logcrier::engine::schedule::{Fault, Scope, Turn};
use logcrier::engine::{Action, Engine, Input};
use logcrier::rules::{PacerKey, SpaceName};

use super::agent::{self, Found, Job, Pledge};
use super::files::LineId;
use super::{World, commands, story, told};

impl World {
    /// Something that was under way happens.
    pub(super) fn happen(&mut self, life: u64, job: Job) {
        if let Job::Arrive(post) = job {
            return self.arrive(life, post);
        }
        let Some(agent) = self.agent.as_mut().filter(|agent| agent.life == life) else {
            return;
        };
        match job {
            Job::Turn(turn) => {
                let (makings, files) = (&self.makings, &mut self.files);
                let now = self.clock.seen_since(agent.born).moment;
                let answer = agent.carry_out(now, turn, makings, files, &mut self.chance);
                if let Some(answer) = answer {
                    if let Job::TellListing(_, _, nodes) = &answer {
                        // On its way: what becomes of its name now is too late.
                        self.listed.extend(nodes);
                    }
                    let delay = self.a_while();
                    self.enqueue(delay, life, answer);
                }
            }
            Job::Commit(commit, pledge) => self.commit(life, &commit, &pledge),
            Job::Tell(input) => {
                let is_wanted = match &input {
                    Input::Ran(run, ran) => self.ends_command(life, *run, ran),
                    Input::Gone(run) => {
                        self.commands.gone(*run);
                        true
                    }
                    _ => true,
                };
                if is_wanted {
                    self.tell(input);
                }
            }
            Job::TellListing(scope, listing, nodes) => {
                agent.lists_well |= scope == Scope::All && listing.faults.is_empty();
                self.known.extend(nodes);
                self.tell(Input::Listed(listing));
            }
            Job::TellRead(input, found) => {
                let is_known = agent.engine.schedule().stream(found.stream).is_some();
                if is_known && found.epoch == agent.n_reloads {
                    self.hand_over(found);
                }
                self.tell(input);
            }
            Job::TellLook(input, found) => {
                let before = agent.read_upto(found.stream);
                self.handle(input);
                let after = (self.agent.as_ref()).and_then(|agent| agent.read_upto(found.stream));
                let has_gone_on = before.zip(after).is_some_and(|(before, after)| {
                    before.generation == after.generation && before != after
                });
                // Or else it has not taken what was read.
                if has_gone_on {
                    self.hand_over(found);
                }
                self.pump();
            }
            Job::Answer(post, reply) => {
                let is_good = matches!(reply, logcrier::engine::answer::Reply::Http { status: 200, ref body, .. } if body.starts_with(b"{"));
                if is_good {
                    agent.unsaved_answers.push(post.request_id.clone());
                }
                let space = self.real_space(&post.space);
                let now = self.clock.now();
                self.oracle
                    .answered(now, &space.0, &post.request_id, is_good);
                self.tell(Input::Answered(post.message, reply));
            }
            Job::Arrive(_) => {}
        }
    }

    /// The agent has what a read found.
    fn hand_over(&mut self, found: Found) {
        let again = |line: &&LineId| self.oracle.is_handed(**line);
        let again: Vec<usize> = found.lines.iter().filter(again).map(|l| l.0).collect();
        if !again.is_empty() {
            self.note(format_args!("lines are read again: {again:?}"));
        }
        for line in found.lines {
            self.oracle.handed(line);
        }
        self.read.extend(found.node);
    }

    pub(super) fn commit(&mut self, life: u64, commit: &Commit, pledge: &Pledge) {
        let now = self.clock.now();
        let n_before = self.disk.n_commits;
        let is_told = self.disk.commit(now, commit, &mut self.chance);
        if self.disk.n_commits > n_before {
            self.oracle.saved(&pledge.lines);
            self.commands.saved(&pledge.checks);
            self.known_safe.extend(&pledge.nodes);
            self.proven.extend(&pledge.read);
            if let Some(agent) = &mut self.agent {
                agent.lists_safely |= pledge.lists_well;
                self.was_ready |= agent.is_ready && agent.lists_safely;
                agent
                    .unsaved_answers
                    .retain(|id| !pledge.answers.contains(id));
            }
            if self.habits.loads_every_commit {
                self.load();
            }
        }
        let outcome = match is_told {
            true => Ok(()),
            false => Err(Fault {
                why: "no space left on device".into(),
            }),
        };
        let [_, delay] = self.disk.delays(now, &mut self.chance);
        let answer = Job::Tell(Input::Committed(commit.id, outcome));
        self.enqueue(delay, life, answer);
    }

    /// Whether an engine can be made of what is on disk.
    pub(super) fn load(&mut self) {
        if let Err(why) = self.disk.reads_back() {
            self.oracle.fail("every commit loads", why);
        }
        let config = agent::config(self.rules(), self.makings.means, 1);
        let now = self.clock.seen_since(self.clock.now());
        let engine = Engine::new(config, self.disk.image.clone(), now);
        if engine.outbox().n_messages() < self.disk.image.messages.len() {
            self.oracle
                .fail("every commit loads", "a message is missing");
        }
    }

    /// A request arrives at the server.
    pub(super) fn arrive(&mut self, life: u64, post: Post) {
        let now = self.clock.now();
        let real_space = self.real_space(&post.space);
        let served = self.chat.serve(now, &real_space, &post, &mut self.chance);
        if served.is_new {
            let of_check = commands::read_back(&post.body);
            if let Some(said) = &of_check {
                self.note(format_args!("{} reads {said:?}", post.space));
                self.hears_of_check(post.space.as_str(), said);
                self.heard.push((now, said.clone()));
            }
            match told::read_back(&post.body) {
                _ if of_check.is_some() => {}
                Some(heard) => {
                    let space = post.space.as_str().to_owned();
                    self.note(format_args!("{space} reads {heard:?}"));
                    self.messages.push((now, heard.in_short(), space.clone()));
                    let origin = heard.meant_for.unwrap_or(space);
                    let unnamed = (heard.unnamed.into_iter()).map(|(rule, count)| told::Said {
                        rule,
                        k: told::UNNAMED.into(),
                        count,
                        why: "unnamed".into(),
                        line: None,
                    });
                    for said in heard.said.into_iter().chain(unnamed) {
                        let counted = (origin.clone(), said.rule.clone(), said.k.clone());
                        if self.habits.stands_in {
                            let id = &post.request_id;
                            self.oracle.repeatable(id, &counted, said.count);
                        }
                        match told::is_own(&said.rule) {
                            true => self.look_at_own(&said, &post.space),
                            false => self.oracle.delivered(counted, said.count),
                        }
                    }
                }
                None => {
                    let how = format!("unreadable body {}", post.body);
                    self.oracle.fail("nothing invented", how);
                }
            }
        }
        self.enqueue(served.delay, life, Job::Answer(post, served.reply));
    }

    pub(super) fn real_space(&self, name: &SpaceName) -> PacerKey {
        let key = match self.habits.shared_space {
            true => "spaces/one",
            false => name.as_str(),
        };
        PacerKey(key.into())
    }

    /// Carries out all that the engine asks for.
    pub(super) fn pump(&mut self) {
        while let Some(agent) = &mut self.agent {
            let now = self.clock.seen_since(agent.born);
            let Some(action) = agent.engine.next_action(now) else {
                return;
            };
            if agent.n_actions_left.as_mut().is_some_and(|n| {
                *n = n.saturating_sub(1);
                *n == 0
            }) {
                return self.kill();
            }
            if let Some(story) = &mut self.story {
                story.push(format!(
                    "{}  -> {}",
                    self.clock.now(),
                    story::action(&action)
                ));
            }
            let life = agent.life;
            self.n_minute_actions.1 += 1;
            match action {
                Action::Files(Turn::Close(stream)) => {
                    let node = agent.node_of(stream);
                    let close = Turn::Close(stream);
                    let (makings, files) = (&self.makings, &mut self.files);
                    let now = self.clock.seen_since(agent.born).moment;
                    agent.carry_out(now, close, makings, files, &mut self.chance);
                    if let Some(node) = node {
                        self.closed(node);
                    }
                }
                Action::Files(turn) => {
                    let delay = self.a_while();
                    self.enqueue(delay, life, Job::Turn(turn));
                }
                // What it caused is on disk: whatever is read again, nothing is lost.
                Action::Spent(_) => {}
                Action::Journal(_) => panic!("no rule of this world looks at the journal"),
                Action::Run(start) => self.run_command(life, start),
                Action::StopRun(run) => self.stop_command(run),
                Action::Answer(ticket, outcome) => self.told_of(ticket, outcome.map(drop)),
                Action::Commit(commit) => {
                    let pledge = Pledge {
                        lines: self.oracle.take_handed(),
                        nodes: self.known.iter().copied().collect(),
                        read: self.read.iter().copied().collect(),
                        answers: agent.unsaved_answers.clone(),
                        lists_well: agent.lists_well,
                        checks: self.commands.pledge(),
                    };
                    let [delay, _] = self.disk.delays(self.clock.now(), &mut self.chance);
                    self.enqueue(delay, life, Job::Commit(commit, pledge));
                }
                Action::Post(post) => self.post(life, post),
                Action::Ready => {
                    agent.is_ready = true;
                    self.was_ready |= agent.lists_safely;
                    self.disturb(self.clock.now());
                }
                Action::Report(report) => self.hear(report),
                Action::Stopped => {
                    agent.stopped = true;
                    if agent.stop_asked.is_none() && !agent.may_end {
                        self.oracle.fail("stops", "nobody asked it to");
                    }
                    return self.kill();
                }
            }
        }
    }
}
