//! Webhook addresses: which are taken, and which space they mean.
//!
//! An address is a password. Nothing here puts any part of it into a reason.

use url::{Host, Url};

use super::{PacerKey, Webhook};

/// The host whose quota is known.
const CHAT_HOST: &str = "chat.googleapis.com";

/// Why an address is not taken, without a word of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WebhookMistake {
    pub(super) reason: &'static str,
    pub(super) hint: &'static str,
}

/// The way to a good one.
const EXAMPLE: &str =
    "copy the whole address from the menu of the space: Apps & integrations, Webhooks";

/// Tells whether posts to a webhook count against Google's quota.
pub(super) fn is_google_chat(webhook: &Webhook) -> bool {
    Url::parse(webhook.expose()).is_ok_and(|url| url.host_str() == Some(CHAT_HOST))
}

/// Tells whether the way to a webhook is encrypted.
pub(super) fn is_encrypted(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| url.scheme() == "https")
}

/// Tells whether a webhook is on this machine.
pub(super) fn is_on_this_machine(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| is_loopback(&url))
}

/// Makes a webhook of an address. The address itself stays as it was written.
pub(super) fn check(address: &str) -> Result<Webhook, WebhookMistake> {
    let mistake = |reason, hint| Err(WebhookMistake { reason, hint });
    let address = address.trim();
    if address.is_empty() {
        return mistake("the webhook is empty", EXAMPLE);
    }
    if address
        .chars()
        .any(|char| char.is_whitespace() || char.is_control())
    {
        return mistake("the webhook has spaces or line breaks in it", EXAMPLE);
    }
    let Ok(url) = Url::parse(address) else {
        return mistake("the webhook is not an absolute address", EXAMPLE);
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return mistake(
                "the webhook is not `https`: its token would travel in the clear",
                "write `https://`; `http://` is taken for loopback only",
            );
        }
        _ => return mistake("the webhook is not an `https` address", EXAMPLE),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return mistake(
            "the webhook has a user name or password before its host",
            EXAMPLE,
        );
    }
    if url.fragment().is_some() {
        return mistake("the webhook has a `#` in it", EXAMPLE);
    }
    let path: Vec<&str> = url.path().split('/').collect();
    let [.., "spaces", space, "messages"] = path.as_slice() else {
        return mistake(
            "the path of the webhook is not `…/spaces/ID/messages`",
            EXAMPLE,
        );
    };
    if space.is_empty() {
        return mistake(
            "the path of the webhook is not `…/spaces/ID/messages`",
            EXAMPLE,
        );
    }
    let has = |wanted: &str| {
        url.query_pairs()
            .any(|(name, value)| name == wanted && !value.is_empty())
    };
    match (has("key"), has("token")) {
        (true, true) => {}
        (true, false) => {
            return mistake(
                "the webhook has no `token`",
                "in a shell, put the whole address between single quotes: `&` ends a command",
            );
        }
        (false, true) => return mistake("the webhook has no `key`", EXAMPLE),
        (false, false) => return mistake("the webhook has neither `key` nor `token`", EXAMPLE),
    }
    // Checked above: these schemes have a host, and a known port.
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let path = path[..path.len() - 1].join("/");
    let pacer = PacerKey(format!("{host}:{port}{path}").into());
    Ok(Webhook::new(address.to_owned(), pacer))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_chat_gives_and_keeps_it() {
        for (address, pacer) in [
            (
                "https://chat.googleapis.com/v1/spaces/AAA/messages?key=k&token=t%3D",
                "chat.googleapis.com:443/v1/spaces/AAA",
            ),
            (
                "https://CHAT.googleapis.com:443/v1/spaces/AAA/messages?token=x&key=k&a=b",
                "chat.googleapis.com:443/v1/spaces/AAA",
            ),
            (
                "http://127.0.0.1:8080/v1/spaces/s/messages?key=k&token=t",
                "127.0.0.1:8080/v1/spaces/s",
            ),
            (
                "http://127.1.2.3/spaces/s/messages?key=k&token=t",
                "127.1.2.3:80/spaces/s",
            ),
            (
                "http://[::1]:1/v1/spaces/s/messages?key=k&token=t",
                "[::1]:1/v1/spaces/s",
            ),
            (
                "http://localhost:1/v1/spaces/s/messages?key=k&token=t",
                "localhost:1/v1/spaces/s",
            ),
        ] {
            let webhook = check(&format!(" {address}\n")).unwrap();
            assert_eq!(webhook.expose(), address);
            assert_eq!(&*webhook.pacer().0, pacer);
            assert!(!format!("{webhook:?}").contains("token"));
        }
    }

    #[test]
    fn refuses_without_giving_anything_away() {
        for (address, reason) in [
            ("", "is empty"),
            ("hello", "not an absolute address"),
            (
                "/v1/spaces/SECRET/messages?key=SECRET&token=SECRET",
                "not an absolute address",
            ),
            (
                "ftp://h/v1/spaces/s/messages?key=k&token=SECRET",
                "not an `https`",
            ),
            (
                "http://chat.googleapis.com/v1/spaces/s/messages?key=k&token=SECRET",
                "in the clear",
            ),
            (
                "http://127.0.0.1.example.com/spaces/s/messages?key=k&token=SECRET",
                "in the clear",
            ),
            (
                "http://localhost.example.com/spaces/s/messages?key=k&token=SECRET",
                "in the clear",
            ),
            (
                "http://127.0.0.1@example.com/spaces/s/messages?key=k&token=SECRET",
                "in the clear",
            ),
            (
                "http://128.0.0.1/spaces/s/messages?key=k&token=SECRET",
                "in the clear",
            ),
            (
                "https://u:SECRET@h/v1/spaces/s/messages?key=k&token=t",
                "user name",
            ),
            ("https://h/v1/spaces/s/messages?key=k&token=SECRET#x", "`#`"),
            ("https://h/v1/spaces/s?key=k&token=SECRET", "path"),
            ("https://h/v1/spaces//messages?key=k&token=SECRET", "path"),
            ("https://h/v1/spaces/s/messages/?key=k&token=SECRET", "path"),
            ("https://h/v1/spaces/s/messages?key=SECRET", "no `token`"),
            ("https://h/v1/spaces/s/messages?token=SECRET", "no `key`"),
            ("https://h/v1/spaces/s/messages", "neither"),
            (
                "https://h/v1/spaces/s/messages?key=&token=SECRET",
                "no `key`",
            ),
            (
                "https://h/v1/spaces/s/messages?key=a b&token=SECRET",
                "spaces",
            ),
        ] {
            let mistake = check(address).unwrap_err();
            assert!(mistake.reason.contains(reason), "{address}: {mistake:?}");
            assert!(!mistake.reason.contains("SECRET") && !mistake.hint.contains("SECRET"));
        }
    }
}
