//! The proxy on the way out.

use std::fmt;

use url::Url;

/// The address of an HTTP proxy. It may hold a password, so nothing can print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(String);

impl Proxy {
    /// Makes a proxy of an address: `http://` or `https://`, a host, and perhaps a
    /// name and a password before it. The error is what a person should read; no
    /// part of the address is in it.
    pub(super) fn of(address: &str) -> Result<Self, &'static str> {
        let Ok(url) = Url::parse(address.trim()) else {
            return Err("not an absolute address");
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err("a proxy is spoken to by `http` or `https`");
        }
        if url.path().len() > 1 || url.query().is_some() || url.fragment().is_some() {
            return Err("a proxy has a host and a port, and nothing behind them");
        }
        Ok(Self(address.trim().to_owned()))
    }

    /// Whether it holds a password.
    pub(super) fn has_password(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| url.password().is_some())
    }

    /// The address itself, for the one place that sends.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (address, is_good) in [
            ("http://proxy:3128", true),
            ("http://proxy:3128/", true),
            ("https://name:password@proxy.example", true),
            ("proxy:3128", false),
            ("socks5://proxy:1080", false),
            ("http://", false),
            ("http://proxy/path", false),
            ("http://proxy/?a=b", false),
        ] {
            assert_eq!(Proxy::of(address).is_ok(), is_good, "{address}");
        }
    }

    #[test]
    fn is_never_printed() {
        let proxy = Proxy::of("http://name:password@proxy").unwrap();
        assert_eq!(format!("{proxy:?}"), "Proxy(…)");
    }
}
