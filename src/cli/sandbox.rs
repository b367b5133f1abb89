//! `logcrier sandbox`: a Google Chat space on loopback, until stopped.

use std::future::Future;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::sandbox::faults::Fault;
use crate::sandbox::{Options, Sandbox};

/// Where it listens if nothing is said.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8088);
/// The space whose webhook is printed; any other name works as well.
pub const SPACE: &str = "sandbox";

/// Prints the webhook and the address of the page, one a line, then serves until
/// `stop` is ready.
pub async fn run(
    options: Options,
    out: &mut dyn Write,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let listen = options.listen;
    let sandbox = Sandbox::bind(options)
        .await
        .map_err(|error| cannot_listen(listen, &error))?;
    writeln!(out, "{}", sandbox.webhook_url(SPACE))?;
    writeln!(out, "{}", sandbox.page_url())?;
    out.flush()?;
    sandbox.serve(stop).await;
    Ok(())
}

/// Says where it cannot listen, and what to do about it.
pub(super) fn cannot_listen(listen: SocketAddr, error: &io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "; another port is given with `--listen`",
        _ => "",
    };
    io::Error::new(error.kind(), format!("{listen}: {error}{hint}"))
}

/// Reads `--listen`: an address with a port, or a port alone.
pub fn parse_listen(written: &str) -> Result<SocketAddr, String> {
    let addr = match written.parse::<u16>() {
        Ok(port) => SocketAddr::new(LISTEN.ip(), port),
        Err(_) => written.parse().map_err(|_| {
            format!("`{written}` is not an address with a port, expected such as `{LISTEN}`")
        })?,
    };
    if !addr.ip().is_loopback() {
        return Err(format!(
            "`{}` can be reached from other machines, expected a loopback address such as `{}`",
            addr.ip(),
            LISTEN.ip()
        ));
    }
    Ok(addr)
}

/// Reads `--fault`: `KIND[:COUNT][@SPACE]`.
pub fn parse_fault(written: &str) -> Result<Fault, String> {
    written.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_of_this_machine() {
        assert_eq!(parse_listen("127.0.0.1:8088"), Ok(LISTEN));
        assert_eq!(parse_listen("8088"), Ok(LISTEN));
        assert!(parse_listen("[::1]:0").is_ok());
        assert_eq!(
            parse_listen("0.0.0.0:80"),
            Err("`0.0.0.0` can be reached from other machines, \
                 expected a loopback address such as `127.0.0.1`"
                .to_owned())
        );
        assert_eq!(
            parse_listen("localhost"),
            Err(
                "`localhost` is not an address with a port, expected such as `127.0.0.1:8088`"
                    .to_owned()
            )
        );
    }

    #[test]
    fn prints_where_to_post_and_to_look() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime needs nothing special");
        let mut out = Vec::new();
        let stop = std::future::ready(());
        runtime
            .block_on(run(Options::default(), &mut out, stop))
            .expect("a free port can be bound");
        let out = String::from_utf8(out).expect("addresses are ASCII");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("/v1/spaces/sandbox/messages?key="));
        assert!(lines[1].starts_with("http://127.0.0.1:") && lines[1].ends_with('/'));
    }
}
