//! A Google Chat space on loopback.
//!
//! It accepts what Chat's incoming webhooks accept and refuses what they refuse,
//! keeps the quota, threads and request ids, goes wrong on demand, and shows on a
//! page what a person would see. Nothing leaves the machine.
//!
//! ```text
//! POST   /v1/spaces/ID/messages   the webhook
//! GET    /                        the page; GET /events is its stream
//! GET    /control/state           everything that happened, as JSON
//! POST   /control/faults          {"fault": "503", "count": 3, "space": "ops"}
//! DELETE /control/faults          takes all faults back
//! ```
//!
//! It is not Chat: where the documentation is silent it takes the stricter reading,
//! so that what passes here passes there.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub mod clock;
pub mod contract;
pub mod faults;
pub mod space;

mod cards;
mod control;
mod http;
mod page;
mod proto;
mod schema;
mod state;

use clock::pause;
use faults::Fault;
use space::{Delivered, Quota};
use state::Shared;
pub use state::{Answer, Breach, Counters, Seen};

/// The API key of every webhook here.
pub const KEY: &str = "AIzaSandboxOnly";
/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 256;
/// How long to wait after the system could not accept a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How the space behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; an address of this machine only.
    pub listen: SocketAddr,
    /// How many writes are allowed.
    pub quota: Quota,
    /// What goes wrong from the start.
    pub faults: Vec<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            quota: Quota::PerSecond,
            faults: Vec::new(),
        }
    }
}

/// A space that is bound to its address and can be served.
#[derive(Debug)]
pub struct Sandbox {
    listener: TcpListener,
    handle: Handle,
}

impl Sandbox {
    /// Binds the address. Addresses that other machines reach are refused: the
    /// sandbox keeps no secrets.
    pub async fn bind(options: Options) -> io::Result<Self> {
        if !options.listen.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} is not a loopback address", options.listen),
            ));
        }
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let handle = Handle {
            shared: Arc::new(Shared::new(addr, options.quota)),
        };
        for fault in options.faults {
            handle.inject(fault);
        }
        Ok(Self { listener, handle })
    }

    /// Binds the address again for a space that was stopped, with all it knew.
    pub async fn bind_again(handle: &Handle) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(handle.addr()).await?,
            handle: handle.clone(),
        })
    }

    /// Returns what tests and the demo hold on to.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Returns the address it is bound to.
    pub fn addr(&self) -> SocketAddr {
        self.handle.addr()
    }

    /// Returns the webhook of a space; see [`Handle::webhook_url`].
    pub fn webhook_url(&self, space: &str) -> String {
        self.handle.webhook_url(space)
    }

    /// Returns the address of the page.
    pub fn page_url(&self) -> String {
        self.handle.page_url()
    }

    /// Serves until `stop` is ready, then closes every connection.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let has_room = connections.len() < CONNECTIONS_MAX;
            tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept(), if has_room => match accepted {
                    Ok((stream, _)) => {
                        let shared = Arc::clone(&self.handle.shared);
                        connections.spawn(http::serve_connection(shared, stream));
                    }
                    // The system is out of descriptors, or the peer has gone already.
                    Err(_) => pause(ACCEPT_RETRY).await,
                },
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
        connections.shutdown().await;
    }
}

/// What tests and the demo hold on to: looks into the space and makes it go wrong.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// Returns the address the space is bound to.
    pub fn addr(&self) -> SocketAddr {
        self.shared.addr
    }

    /// Returns the webhook of a space. Spaces come into being when they are written to.
    pub fn webhook_url(&self, space: &str) -> String {
        self.other_webhook_url(space, "token")
    }

    /// Returns another webhook of a space: it shares its quota but not its threads.
    pub fn other_webhook_url(&self, space: &str, name: &str) -> String {
        webhook_url(self.shared.addr, space, name)
    }

    /// Returns the address of the page.
    pub fn page_url(&self) -> String {
        format!("http://{}/", self.shared.addr)
    }

    /// Returns the messages of all spaces in the order they came.
    pub fn delivered(&self) -> Vec<Arc<Delivered>> {
        self.shared.messages_after(0)
    }

    /// Returns the last requests, the answered and the unanswered.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.lock().requests()
    }

    /// Returns what was sent against the contract, refused or not.
    pub fn breaches(&self) -> Vec<Breach> {
        self.shared.lock().breaches()
    }

    /// Returns how much came and what became of it.
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters()
    }

    /// Returns a receiver that wakes whenever a request was dealt with.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes()
    }

    /// Makes something go wrong; tells if there was room for another fault.
    pub fn inject(&self, fault: Fault) -> bool {
        self.shared.lock().faults.add(fault)
    }

    /// Takes all faults back.
    pub fn heal(&self) {
        self.shared.lock().faults.clear();
    }

    /// Writes into a space as somebody else would; tells if the quota let it.
    pub fn stranger_writes(&self, space: &str) -> bool {
        self.shared.stranger_writes(space)
    }
}

fn webhook_url(addr: SocketAddr, space: &str, name: &str) -> String {
    // Real tokens end in `%3D`, too, and do not survive being encoded twice.
    format!("http://{addr}/v1/spaces/{space}/messages?key={KEY}&token=sandbox-{name}%3D")
}
