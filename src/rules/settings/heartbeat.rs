//! Where the agent says that it lives.

use std::fmt;

use url::Url;

use crate::rules::webhook;

/// The address that a dead-man service waits for requests at. Whoever has it can
/// pretend that the agent lives, so nothing can print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Heartbeat(String);

impl Heartbeat {
    /// Takes an `https` address, or an `http` one on loopback. The error is what a
    /// person should read; no part of the address is in it.
    pub(super) fn of(address: &str) -> Result<Self, &'static str> {
        let address = address.trim();
        let Ok(url) = Url::parse(address) else {
            return Err("not an absolute address");
        };
        match url.scheme() {
            "https" => {}
            "http" if webhook::is_on_this_machine(address) => {}
            "http" => return Err("`http` is taken for loopback only"),
            _ => return Err("not an `https` address"),
        }
        Ok(Self(address.to_owned()))
    }

    /// The address itself, for the one place that sends.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the way there is encrypted.
    pub fn is_encrypted(&self) -> bool {
        webhook::is_encrypted(&self.0)
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        webhook::is_on_this_machine(&self.0)
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heartbeat(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (address, is_good) in [
            ("https://hc.example.com/ping/1", true),
            (" https://hc.example.com ", true),
            ("http://127.0.0.1:8000/ping", true),
            ("http://localhost/ping", true),
            ("http://hc.example.com/ping", false),
            ("ftp://hc.example.com/ping", false),
            ("hc.example.com/ping", false),
        ] {
            assert_eq!(Heartbeat::of(address).is_ok(), is_good, "{address}");
        }
    }

    #[test]
    fn is_never_printed() {
        let heartbeat = Heartbeat::of("https://hc.example.com/ping/1").unwrap();
        assert_eq!(format!("{heartbeat:?}"), "Heartbeat(…)");
    }
}
