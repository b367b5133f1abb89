//! What the service manager hears.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to the service manager, if there is one.
///
/// The protocol is that of `sd_notify(3)`: one datagram of `NAME=VALUE` lines.
/// Notifications never block: if the manager does not keep up, they are dropped.
#[derive(Debug, Default)]
pub struct Manager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    patience: Option<Duration>,
}

impl Manager {
    /// Uses the address in `NOTIFY_SOCKET`: a path, or an abstract name after `@`.
    /// `patience` is how long the manager waits for a sign of life before it takes
    /// the agent for dead (`sd_watchdog_enabled(3)`); without one it does not.
    pub fn new(address: Option<&std::ffi::OsStr>, patience: Option<Duration>) -> Self {
        let socket = address.and_then(|address| {
            let bytes = address.as_bytes();
            let address = match bytes.first()? {
                b'@' => SocketAddr::from_abstract_name(&bytes[1..]).ok()?,
                b'/' => SocketAddr::from_pathname(address).ok()?,
                _ => return None,
            };
            let socket = UnixDatagram::unbound().ok()?;
            socket.set_nonblocking(true).ok()?;
            Some((socket, address))
        });
        Self { socket, patience }
    }

    /// Says that the agent does what it is there for.
    pub fn ready(&self, status: &str) {
        self.notify(&format!("READY=1\nSTATUS={status}"));
    }

    /// Says that the settings are being read anew.
    pub fn reloading(&self) {
        let now = super::clock::monotonic_micros();
        self.notify(&format!("RELOADING=1\nMONOTONIC_USEC={now}"));
    }

    /// Says that the agent is about to end.
    pub fn stopping(&self) {
        self.notify("STOPPING=1\nSTATUS=stopping");
    }

    /// How often to give a sign of life: twice as often as is needed.
    pub fn pulse(&self) -> Option<Duration> {
        self.patience.map(|patience| patience / 2)
    }

    /// Gives a sign of life.
    pub fn alive(&self) {
        self.notify("WATCHDOG=1");
    }

    /// Says in one line how it goes.
    pub fn status(&self, status: &str) {
        self.notify(&format!("STATUS={status}"));
    }

    fn notify(&self, text: &str) {
        if let Some((socket, address)) = &self.socket {
            // A manager that does not listen is no reason to do anything else.
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}
