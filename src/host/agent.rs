//! The loop: one task that owns the engine and all that it speaks with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::chat::Chat;
use super::commands::{Commands, Heard};
use super::footprint::give_back_code;
use super::heart::Heart;
use super::journal::Journal;
use super::metrics::{Metrics, Wanted};
use super::service::Manager;
use super::socket::{Answer, Asked, Request, Room};
use super::standing::Standing;
use super::stdin::Stdin;
use super::turns::Turns;
use super::watch::Hints;
use super::worker::Worker;
use super::{
    Ended, Reload, StartFault, Wishes, clock, globs_of, open_metrics, report, resolved, spool,
    until, users,
};
use crate::engine::answer::Reply;
use crate::engine::checks::Told;
use crate::engine::commit::Commit;
use crate::engine::ids::MessageId;
use crate::engine::message::counted;
use crate::engine::outbox::Post;
use crate::engine::schedule::{Hint, Noticing};
use crate::engine::time::{Moment, Now, Wall};
use crate::engine::{Action, Engine, Granted, Input};
use crate::rules::checks::StatusMap;
use crate::rules::{RuleKey, RuleSet};

/// How often results that were left for us are looked for.
const SPOOL_LOOK: Duration = Duration::from_secs(30);

/// How long a request in flight is waited for after the agent was told to stop.
const LAST_ANSWER: Duration = Duration::from_secs(3);

/// How long everything may take after the agent was told to stop.
const LAST_COMMIT: Duration = Duration::from_millis(4_500);

/// Signals within this time of the first are the same wish to stop.
const SAME_WISH: Duration = Duration::from_millis(300);

/// What is said of settings that have mistakes.
const OLD_SETTINGS: &str = "the new settings have mistakes, the old ones stay in force";

/// The loop and all that it holds.
pub(super) struct Agent {
    pub(super) engine: Engine,
    pub(super) rules: Arc<RuleSet>,
    pub(super) manager: Manager,
    pub(super) chat: Arc<Chat>,
    pub(super) files: Turns,
    pub(super) journal: Journal,
    pub(super) stdin: Stdin,
    pub(super) command_env: Vec<(String, String)>,
    pub(super) commands: Commands,
    /// Where other processes speak with us, if that is possible.
    pub(super) room: Option<Room>,
    /// Who waits to hear that what was told is on disk.
    pub(super) told: BTreeMap<u64, Teller>,
    pub(super) n_told: u64,
    /// When the spool is looked at.
    pub(super) spool_due: Moment,
    pub(super) state_dir: PathBuf,
    pub(super) store: Worker<Commit>,
    pub(super) requests: JoinSet<(MessageId, Reply)>,
    /// Whose answer each request brings, also when it ends without one.
    pub(super) in_flight: BTreeMap<tokio::task::Id, MessageId>,
    pub(super) hints: Option<Hints>,
    pub(super) arrivals: mpsc::UnboundedReceiver<Input>,
    pub(super) ended: Option<Ended>,
    pub(super) heart: Option<Heart>,
    /// Where monitoring asks, if that is wished and possible.
    pub(super) metrics: Option<Metrics>,
    pub(super) started: Now,
    /// Whether the engine said that it is.
    pub(super) is_ready: bool,
    /// What the service manager was last told of how it goes.
    pub(super) said: String,
    pub(super) settings_loaded: Wall,
    /// When a reload failed, if the last one did.
    pub(super) reload_failed: Option<Wall>,
    /// How files are noticed.
    pub(super) noticing: Noticing,
    /// Settings that were changed and take effect at the next start.
    pub(super) next_start: Vec<&'static str>,
}

/// What ended a wait.
enum Woken {
    Input(Input),
    Heard(Heard),
    Asked(Asked),
    Wanted(Wanted),
    Beat,
    Spool,
    Hints(BTreeMap<Hint, Moment>),
    Ended(Result<(tokio::task::Id, (MessageId, Reply)), tokio::task::JoinError>),
    Told,
    Hangup,
    Pulse,
    Time,
}

impl Agent {
    pub(super) async fn run(
        &mut self,
        stop: impl Future<Output = ()>,
        reload: &mut Reload<'_>,
    ) -> Result<Ended, StartFault> {
        let mut terminate = listen(SignalKind::terminate())?;
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut hangup = listen(SignalKind::hangup())?;
        let mut stop = std::pin::pin!(stop);
        let mut stop_is_over = false;
        let mut stopping: Option<Moment> = None;
        let pulse = self.manager.pulse();
        let mut pulse_due = pulse.map(|_| clock::now().moment);
        loop {
            // Here, and not where the wait for it ends: an agent that is busy lives too.
            if let (Some(pulse), Some(due)) = (pulse, pulse_due)
                && due <= clock::now().moment
            {
                self.manager.alive();
                pulse_due = Some(clock::now().moment.after(pulse));
            }
            self.act();
            if let Some(ended) = self.ended {
                return Ok(match stopping {
                    Some(_) => ended,
                    None => self.left_unsaid(),
                });
            }
            let deadline = match stopping {
                None => self.engine.wakeup(clock::now()),
                Some(since) => Some(self.patience(since)),
            };
            let woken = tokio::select! {
                biased;
                _ = terminate.recv() => Woken::Told,
                _ = interrupt.recv() => Woken::Told,
                () = &mut stop, if !stop_is_over => {
                    stop_is_over = true;
                    Woken::Told
                }
                _ = hangup.recv() => Woken::Hangup,
                Some(input) = self.arrivals.recv() => Woken::Input(input),
                Some(ended) = self.requests.join_next_with_id() => Woken::Ended(ended),
                input = self.journal.next() => Woken::Input(input),
                heard = self.commands.hear() => Woken::Heard(heard),
                asked = asked(self.room.as_mut()) => Woken::Asked(asked),
                wanted = wanted(self.metrics.as_mut()) => Woken::Wanted(wanted),
                () = beat(self.heart.as_mut()), if stopping.is_none() => Woken::Beat,
                () = until(Some(self.spool_due)), if stopping.is_none() => Woken::Spool,
                hints = hints_of(self.hints.as_ref()) => Woken::Hints(hints),
                () = until(pulse_due) => Woken::Pulse,
                () = until(deadline) => Woken::Time,
            };
            match woken {
                Woken::Input(input) => self.engine.handle(clock::now(), input),
                Woken::Heard(heard) => {
                    for input in self.commands.take(heard) {
                        self.engine.handle(clock::now(), input);
                    }
                }
                Woken::Asked(asked) => self.asked(asked),
                Woken::Wanted(wanted) => {
                    // Who does not listen any more does not need it.
                    let _ = wanted.send(self.standing());
                }
                Woken::Beat => self.beat(),
                Woken::Spool => {
                    self.look_at_spool();
                    self.say_how_it_goes();
                }
                Woken::Hints(hints) => {
                    let now = clock::now();
                    for (hint, since) in hints {
                        self.engine.handle(now, Input::Hint { hint, since });
                    }
                }
                Woken::Ended(ended) => self.answered(ended),
                Woken::Told if stopping.is_some_and(is_second_wish) => {
                    warn!("told to stop twice, ending at once");
                    return Ok(Ended::AtOnce);
                }
                Woken::Told if stopping.is_some() => {}
                Woken::Told => {
                    info!("stopping");
                    self.manager.stopping();
                    stopping = Some(clock::now().moment);
                    self.engine.handle(clock::now(), Input::Stop);
                }
                Woken::Hangup => self.reload(reload).await,
                Woken::Pulse => {}
                Woken::Time => match stopping {
                    None => self.engine.handle(clock::now(), Input::Tick),
                    Some(since) if since.after(LAST_COMMIT) <= clock::now().moment => {
                        warn!("the last commit takes too long, ending without it");
                        return Ok(Ended::AtOnce);
                    }
                    Some(_) => self.requests.abort_all(),
                },
            }
        }
    }

    /// Carries out everything that the engine wants.
    fn act(&mut self) {
        let now = clock::now();
        while let Some(action) = self.engine.next_action(now) {
            match action {
                Action::Files(turn) => self.files.give(turn),
                Action::Journal(turn) => self.journal.give(turn),
                Action::Spent(upto) => self.stdin.spent(upto),
                Action::Run(start) => {
                    if let Some(input) = self.commands.start(start) {
                        self.engine.handle(now, input);
                    }
                }
                Action::StopRun(run) => self.commands.stop(run),
                Action::Answer(ticket, outcome) => self.answer(ticket, outcome),
                Action::Commit(commit) => self.store.give(*commit),
                Action::Post(post) => self.post(now, post),
                Action::Ready => self.say_ready(),
                Action::Report(report) => report::tell(&report),
                Action::Stopped => self.ended = Some(Ended::Cleanly),
            }
        }
    }

    fn post(&mut self, now: Now, post: Post) {
        let chat = self.chat.clone();
        let webhook = self
            .rules
            .spaces
            .get(&post.space)
            .map(|space| space.webhook.clone());
        let message = post.message;
        let task = self.requests.spawn(async move {
            let reply = match webhook {
                Some(webhook) => chat.post(&webhook, &post, now.wall).await,
                None => Reply::Unreached {
                    why: "its space is not in the settings".to_owned(),
                },
            };
            (post.message, reply)
        });
        self.in_flight.insert(task.id(), message);
    }

    fn answered(
        &mut self,
        ended: Result<(tokio::task::Id, (MessageId, Reply)), tokio::task::JoinError>,
    ) {
        let (message, reply) = match ended {
            Ok((task, answer)) => {
                self.in_flight.remove(&task);
                answer
            }
            Err(error) => {
                let Some(message) = self.in_flight.remove(&error.id()) else {
                    return;
                };
                let why = match error.is_panic() {
                    true => "internal error, please report it",
                    false => "given up on at the end",
                };
                let why = why.to_owned();
                (message, Reply::Unanswered { why })
            }
        };
        self.engine
            .handle(clock::now(), Input::Answered(message, reply));
    }

    /// Takes what another process asks for.
    fn asked(&mut self, asked: Asked) {
        match asked.request {
            Request::Told(told) => self.take_told(*told, Teller::Client(asked.answer)),
            Request::Silence(request) => {
                let ticket = self.n_told;
                self.n_told += 1;
                self.told.insert(ticket, Teller::Client(asked.answer));
                let wish = request.wish(users::Account::name_of(asked.uid));
                let input = Input::Silence { ticket, wish };
                self.engine.handle(clock::now(), input);
            }
            Request::Status => {
                let answer = match serde_json::to_value(self.standing()) {
                    Ok(standing) => Answer::Ok(standing),
                    Err(error) => Answer::Error(error.to_string()),
                };
                // Who does not listen any more does not need it.
                let _ = asked.answer.send(answer);
            }
        }
    }

    fn standing(&self) -> Standing {
        let now = clock::now();
        let uptime = now.moment.0.saturating_sub(self.started.moment.0);
        Standing {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: Duration::from_nanos(uptime).as_secs(),
            settings_loaded: self.settings_loaded.rfc3339(),
            reload_failed: self.reload_failed.map(Wall::rfc3339),
            next_start: self
                .next_start
                .iter()
                .map(|&name| name.to_owned())
                .collect(),
            engine: self.engine.status(now),
        }
    }

    /// Says that the agent lives, if it does its work.
    fn beat(&mut self) {
        let is_alive = self.engine.is_well();
        if let Some(heart) = &mut self.heart {
            heart.beat(is_alive);
        }
    }

    /// Takes up what was left for us.
    fn look_at_spool(&mut self) {
        self.spool_due = clock::now().moment.after(SPOOL_LOOK);
        let known: BTreeSet<PathBuf> = (self.told.values())
            .filter_map(|teller| match teller {
                Teller::File(path, _) => Some(path.clone()),
                Teller::Client(_) => None,
            })
            .collect();
        for (path, told) in spool::waiting(&self.state_dir, |path| known.contains(path)) {
            let id = told.id;
            self.take_told(told, Teller::File(path, id));
        }
    }

    fn take_told(&mut self, told: spool::Told, teller: Teller) {
        let ticket = self.n_told;
        self.n_told += 1;
        self.told.insert(ticket, teller);
        let key = RuleKey::parse(&told.key);
        let status = told.status.as_deref().map(StatusMap::parse).transpose();
        match (key, status) {
            (Some(key), Ok(status)) => {
                let told = Told {
                    ticket,
                    key,
                    id: told.id,
                    at: told.at,
                    ran: told.ran,
                    status,
                    is_said: told.is_said,
                };
                self.engine.handle(clock::now(), Input::Told(told));
            }
            (None, _) => self.answer(ticket, Err(format!("`{}` is no key", told.key))),
            (_, Err(why)) => self.answer(ticket, Err(why)),
        }
    }

    fn answer(&mut self, ticket: u64, outcome: Result<Granted, String>) {
        let Some(teller) = self.told.remove(&ticket) else {
            return;
        };
        match teller {
            Teller::Client(client) => {
                let answer = match outcome {
                    Ok(Granted::Taken) => Answer::Ok(serde_json::Value::Null),
                    Ok(Granted::Silences(silences)) => match serde_json::to_value(silences) {
                        Ok(silences) => Answer::Ok(silences),
                        Err(error) => Answer::Error(error.to_string()),
                    },
                    Err(why) => Answer::Error(why),
                };
                // Who does not listen any more finds it in the space.
                let _ = client.send(answer);
            }
            Teller::File(path, id) => {
                if let Err(why) = outcome {
                    warn!(path = %path.display(), why, "a result that `exec` left is not taken");
                }
                spool::remove(&path, id);
            }
        }
    }

    fn say_ready(&mut self) {
        self.is_ready = true;
        info!(
            files = self.engine.n_files(),
            rules = self.rules.rules.len(),
            waiting = self.engine.outbox().n_messages(),
            "ready"
        );
        if let Some(heart) = &mut self.heart {
            heart.begin();
        }
        self.go_on_as_ready();
    }

    /// Says that what was to be set up is, and gives back what only that needed.
    fn go_on_as_ready(&mut self) {
        self.said = self.how_it_goes();
        self.manager.ready(&self.said);
        give_back_code();
    }

    /// How it goes in one line, as `systemctl status` shows it.
    fn how_it_goes(&self) -> String {
        if self.reload_failed.is_some() {
            return OLD_SETTINGS.to_owned();
        }
        format!(
            "following {} with {}",
            counted(self.engine.n_files() as u64, "file"),
            counted(self.rules.rules.len() as u64, "rule")
        )
    }

    /// Tells the service manager how it goes, if that has changed: files come and go,
    /// and those of new rules are listed after a reload.
    fn say_how_it_goes(&mut self) {
        let now = self.how_it_goes();
        if self.is_ready && self.said != now {
            self.manager.status(&now);
            self.said = now;
        }
    }

    async fn reload(&mut self, reload: &mut Reload<'_>) {
        if self.is_ready {
            self.manager.reloading();
        }
        match reload() {
            Some(wishes) => self.follow(wishes).await,
            None => self.keep_old_settings(),
        }
        // Before the files are listed for the first time there is nothing to come back to.
        if self.is_ready {
            self.go_on_as_ready();
        }
    }

    fn keep_old_settings(&mut self) {
        warn!("{OLD_SETTINGS}");
        self.reload_failed = Some(clock::now().wall);
    }

    /// Does as new settings say.
    async fn follow(&mut self, wishes: Wishes) {
        let chat = match wishes.chat() {
            Ok(chat) => chat,
            Err(fault) => {
                error!("ca_file: {fault}");
                return self.keep_old_settings();
            }
        };
        // Requests in flight end on the way that they took.
        self.chat = chat.clone();
        self.heart = match (self.heart.take(), wishes.heartbeat) {
            (Some(mut heart), Some(heartbeat)) if heart.beats_at(&heartbeat) => {
                heart.go_by(chat);
                Some(heart)
            }
            (_, Some(heartbeat)) => {
                let mut heart = Heart::new(heartbeat, chat);
                if self.is_ready {
                    heart.begin();
                }
                Some(heart)
            }
            (_, None) => None,
        };
        self.show_metrics(wishes.metrics).await;
        self.next_start.clear();
        if self.state_dir != wishes.state_dir {
            self.next_start.push("state_dir");
        }
        if self.noticing != wishes.noticing {
            self.next_start.push("watch");
        }
        for &setting in &self.next_start {
            warn!(setting, "was changed, which takes effect at the next start");
        }

        let rules = resolved(&wishes.rules, &self.command_env).await;
        self.settings_loaded = clock::now().wall;
        self.reload_failed = None;
        if let Err(fault) = self.stdin.meet(rules.has_stdin()) {
            error!(%fault, "standard input is not read");
        }
        self.files.meet(globs_of(&rules));
        self.rules = rules.clone();
        self.engine.handle(clock::now(), Input::Reload(rules));
        info!(
            rules = self.rules.rules.len(),
            waiting = self.engine.outbox().n_messages(),
            "reloaded"
        );
    }

    /// Shows metrics where they are wished for.
    async fn show_metrics(&mut self, wished: Option<SocketAddr>) {
        let old = self.metrics.take();
        self.metrics = match (old, wished) {
            (Some(old), Some(address)) if old.is_at(address) => Some(old),
            (old, wished) => {
                // It may listen at an address that the new one covers.
                if let Some(old) = old {
                    old.close().await;
                }
                wished.and_then(open_metrics)
            }
        };
    }

    /// How it ends if nobody told it to.
    fn left_unsaid(&self) -> Ended {
        self.manager.stopping();
        let messages = self.engine.outbox().messages();
        match messages.filter(|message| !message.is_parked()).count() {
            0 => Ended::Cleanly,
            n_messages => Ended::Unsaid(n_messages),
        }
    }

    /// When to lose patience after the agent was told to stop.
    fn patience(&self, since: Moment) -> Moment {
        match self.requests.is_empty() {
            true => since.after(LAST_COMMIT),
            false => since.after(LAST_ANSWER),
        }
    }
}

/// Who told of a command.
pub(super) enum Teller {
    Client(tokio::sync::oneshot::Sender<Answer>),
    File(PathBuf, u128),
}

async fn wanted(metrics: Option<&mut Metrics>) -> Wanted {
    match metrics {
        Some(metrics) => metrics.next().await,
        None => std::future::pending().await,
    }
}

async fn beat(heart: Option<&mut Heart>) {
    match heart {
        Some(heart) => heart.due().await,
        None => std::future::pending().await,
    }
}

async fn asked(room: Option<&mut Room>) -> Asked {
    match room {
        Some(room) => room.next().await,
        None => std::future::pending().await,
    }
}

/// Whether another signal is another wish: terminals and `timeout(1)` signal the
/// process and its group, which is one wish told twice.
fn is_second_wish(first: Moment) -> bool {
    first.after(SAME_WISH) <= clock::now().moment
}

fn listen(kind: SignalKind) -> Result<Signal, StartFault> {
    signal(kind).map_err(|source| StartFault::System {
        what: "signals",
        source,
    })
}

async fn hints_of(hints: Option<&Hints>) -> BTreeMap<Hint, Moment> {
    match hints {
        Some(hints) => hints.next().await,
        None => std::future::pending().await,
    }
}
