//! The room where other processes speak with the running agent.
//!
//! A Unix socket in the state directory. A client sends one line of JSON,
//! `{"version": 1, "request": {…}}`, and gets one line back, `{"ok": …}` or
//! `{"error": "…"}`; then the connection is over. Who may speak is decided by the
//! kernel's word on who is at the other end: root, the agent's own user, and its
//! group.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::spool::Told;
use crate::engine::correlate::silences::Wish;
use crate::rules::RuleKey;

/// The name of the socket in the state directory.
const NAME: &str = "agent.sock";

/// The version of what is spoken.
const VERSION: u64 = 1;

/// The bytes of a request: the output of a command, and what JSON adds.
const REQUEST_BYTES_MAX: u64 = 1 << 20;

/// The bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Clients that are served at once; the rest waits in the kernel.
const CLIENTS_MAX: usize = 16;

/// How long a client may take to say what it wants, and to hear the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What can be asked of the agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// A command under `logcrier exec` ended.
    Told(Box<Told>),
    /// How do things stand? Answered by a [`Standing`](super::standing::Standing).
    Status,
    /// Something about silences.
    Silence(SilenceRequest),
}

/// What can be asked about silences; answered by those that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SilenceRequest {
    /// A new one.
    Add {
        /// The rule's key.
        rule: String,
        /// The values of `by` that it is about.
        by: BTreeMap<String, String>,
        /// How long, in milliseconds.
        millis: u64,
        /// Why.
        reason: String,
    },
    /// All of them.
    List,
    /// The end of one, by its number.
    End(u64),
    /// The end of all of a rule.
    EndOf(String),
}

impl SilenceRequest {
    /// What it means, if `who` asks.
    pub(super) fn wish(self, who: String) -> Wish {
        match self {
            Self::Add {
                rule,
                by,
                millis,
                reason,
            } => Wish::Add {
                rule: RuleKey::new(&rule),
                by,
                length: Duration::from_millis(millis),
                reason,
                who,
            },
            Self::List => Wish::List,
            Self::End(id) => Wish::End(id),
            Self::EndOf(rule) => Wish::EndOf(RuleKey::new(&rule)),
        }
    }
}

/// The part of a request that every version has.
#[derive(Debug, Deserialize)]
struct Versioned {
    version: u64,
}

/// A request as it is sent.
#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    version: u64,
    request: Request,
}

/// What the agent answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done, and on disk; with what was asked for.
    Ok(serde_json::Value),
    /// It is not done.
    Error(String),
}

/// A request, and where its answer goes.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    /// The user who asks.
    pub(super) uid: u32,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// Why nobody could be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskFault {
    /// No agent runs here, or not for us: nothing was sent.
    #[error("no agent listens at {path}: {source}")]
    Nobody {
        /// Where it would listen.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was asked, and what came of it is not known.
    #[error("the agent gave no answer: {0}")]
    NoAnswer(io::Error),
    /// It was asked, and will not do it.
    #[error("{0}")]
    Refused(String),
}

/// The room, open.
#[derive(Debug)]
pub(super) struct Room {
    asked: mpsc::Receiver<Asked>,
    path: PathBuf,
    _tasks: JoinSet<()>,
}

impl Room {
    /// Opens the room. Only the holder of the state directory may do that: a socket
    /// that is there is left over.
    pub(super) fn open(state_dir: &Path) -> io::Result<Self> {
        let path = state_dir.join(NAME);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660))?;
        let (sender, asked) = mpsc::channel(CLIENTS_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, sender));
        Ok(Self {
            asked,
            path,
            _tasks: tasks,
        })
    }

    /// What is asked next.
    pub(super) async fn next(&mut self) -> Asked {
        match self.asked.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // The next agent would do it as well.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve(listener: UnixListener, asked: mpsc::Sender<Asked>) {
    let mut clients = JoinSet::new();
    loop {
        while clients.len() >= CLIENTS_MAX {
            let _ = clients.join_next().await;
        }
        match listener.accept().await {
            Ok((client, _)) => {
                let asked = asked.clone();
                clients.spawn(async move {
                    if let Err(error) = serve_one(client, &asked).await {
                        debug!(%error, "a client at the socket");
                    }
                });
            }
            Err(error) => {
                warn!(%error, "the agent's socket");
                // No descriptors: one of the clients must end first.
                let pause = std::future::pending::<()>();
                let _ = tokio::time::timeout(Duration::from_secs(1), pause).await;
            }
        }
        while clients.try_join_next().is_some() {}
    }
}

async fn serve_one(client: UnixStream, asked: &mpsc::Sender<Asked>) -> io::Result<()> {
    let peer = client.peer_cred()?;
    let own_user = rustix::process::geteuid().as_raw();
    let own_group = rustix::process::getegid().as_raw();
    let is_welcome = peer.uid() == 0 || peer.uid() == own_user || peer.gid() == own_group;
    let (reader, mut writer) = client.into_split();
    let answer = match is_welcome {
        false => Answer::Error("only root, the agent's user and its group may ask".to_owned()),
        true => {
            let read = read_line(reader, REQUEST_BYTES_MAX);
            let line = tokio::time::timeout(PATIENCE, read).await??;
            match parse(&line) {
                Ok(request) => {
                    let (answer, answered) = oneshot::channel();
                    let uid = peer.uid();
                    let question = Asked {
                        request,
                        uid,
                        answer,
                    };
                    if asked.send(question).await.is_err() {
                        return Ok(());
                    }
                    match answered.await {
                        Ok(answer) => answer,
                        // The agent stops: what came of it is not known.
                        Err(_) => return Ok(()),
                    }
                }
                Err(why) => Answer::Error(why),
            }
        }
    };
    let mut line = serde_json::to_vec(&answer).map_err(io::Error::other)?;
    line.push(b'\n');
    tokio::time::timeout(PATIENCE, writer.write_all(&line)).await?
}

fn parse(line: &[u8]) -> Result<Request, String> {
    let none = |error: serde_json::Error| format!("not a request: {error}");
    // What another version asks for need not be understood.
    let Versioned { version } = serde_json::from_slice(line).map_err(none)?;
    if version != VERSION {
        return Err(format!(
            "this agent speaks version {VERSION}, and was asked in {version}: \
             both should be of one release"
        ));
    }
    let envelope: Envelope = serde_json::from_slice(line).map_err(none)?;
    Ok(envelope.request)
}

async fn read_line(
    reader: impl tokio::io::AsyncRead + Unpin,
    bytes_max: u64,
) -> io::Result<Vec<u8>> {
    use tokio::io::AsyncBufReadExt as _;
    let mut line = Vec::new();
    let mut reader = tokio::io::BufReader::new(reader.take(bytes_max));
    reader.read_until(b'\n', &mut line).await?;
    match line.ends_with(b"\n") {
        true => Ok(line),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Asks the agent that uses a state directory, and waits this long at most.
pub async fn ask(
    state_dir: &Path,
    request: Request,
    patience: Duration,
) -> Result<serde_json::Value, AskFault> {
    let path = state_dir.join(NAME);
    let nobody = |source| AskFault::Nobody {
        path: path.clone(),
        source,
    };
    let connecting = tokio::time::timeout(patience, UnixStream::connect(&path));
    let client = match connecting.await {
        Ok(connected) => connected.map_err(nobody)?,
        Err(_) => return Err(nobody(io::ErrorKind::TimedOut.into())),
    };
    let asking = async {
        let (reader, mut writer) = client.into_split();
        let envelope = Envelope {
            version: VERSION,
            request,
        };
        let mut line = serde_json::to_vec(&envelope).map_err(io::Error::other)?;
        line.push(b'\n');
        writer.write_all(&line).await?;
        read_line(reader, ANSWER_BYTES_MAX).await
    };
    let line = match tokio::time::timeout(patience, asking).await {
        Ok(answered) => answered.map_err(AskFault::NoAnswer)?,
        Err(_) => return Err(AskFault::NoAnswer(io::ErrorKind::TimedOut.into())),
    };
    match serde_json::from_slice(&line) {
        Ok(Answer::Ok(value)) => Ok(value),
        Ok(Answer::Error(why)) => Err(AskFault::Refused(why)),
        Err(error) => Err(AskFault::NoAnswer(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_were_written() {
        let told = Told {
            id: u128::MAX,
            key: "backup".to_owned(),
            at: crate::engine::time::Wall(7),
            ran: crate::engine::checks::finding::Ran::exited(3, "no"),
            status: None,
            is_said: false,
        };
        let envelope = Envelope {
            version: VERSION,
            request: Request::Told(Box::new(told.clone())),
        };
        let line = serde_json::to_vec(&envelope).unwrap();
        let Request::Told(read) = parse(&line).unwrap() else {
            panic!("another request");
        };
        assert_eq!(*read, told);
    }

    #[test]
    fn requests_that_are_none() {
        for (line, why) in [
            ("", "not a request"),
            ("{}", "version"),
            (r#"{"version":2,"request":{}}"#, "in 2"),
            (r#"{"version":1,"request":{"dance":{}}}"#, "dance"),
        ] {
            let error = parse(line.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
