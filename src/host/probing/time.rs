//! Asks what time it is: a server, or the kernel's own account of its clock.

use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

use super::{ask_all, not_found, run};
use crate::host::{clock, random};
use crate::probe::time::{self, Exchange, PACKET_BYTES, Stamp};

/// The port of NTP.
const PORT: u16 = 123;

/// Questions to a server; answers may be lost or late.
const N_QUESTIONS: usize = 4;

/// What a server answered; the reason is for where there is nothing.
pub fn ask(server: &str, patience: Duration) -> (Vec<Exchange>, String) {
    let name = server.to_owned();
    let asking = move || exchanges(&name, patience);
    match ask_all(vec![asking], patience).pop().flatten() {
        Some(told) => told,
        None => (Vec::new(), silence(patience)),
    }
}

/// Whether something keeps the kernel's clock right. Asked through systemd, whose
/// service may ask the kernel: this process may be forbidden to (`ProtectClock=`).
pub fn is_synchronized(patience: Duration) -> Result<bool, String> {
    super::systemd::must_run()?;
    let args = ["show", "--property=NTPSynchronized", "--value"];
    let said = run("timedatectl", &args, patience)?;
    match time::is_synchronized(&said.stdout) {
        Some(answer) => Ok(answer),
        None if said.complaint.is_empty() => Err("timedatectl does not know".to_owned()),
        None => Err(format!("timedatectl: {}", said.complaint)),
    }
}

fn silence(patience: Duration) -> String {
    format!("does not answer within {} s", patience.as_secs())
}

fn exchanges(server: &str, patience: Duration) -> (Vec<Exchange>, String) {
    let addresses = match addresses(server) {
        Ok(addresses) => addresses,
        Err(error) => return (Vec::new(), not_found(&error)),
    };
    let mut exchanges = Vec::new();
    let mut why = "has no address".to_owned();
    // One that is lost leaves time for the others.
    let each = patience / (N_QUESTIONS as u32 + 1);
    for idx in 0..N_QUESTIONS {
        let Some(address) = addresses.get(idx % addresses.len().max(1)) else {
            break;
        };
        match exchange(*address, each) {
            Ok(Ok(exchange)) => exchanges.push(exchange),
            // Who refuses is not asked again.
            Ok(Err(reason)) => return (exchanges, reason),
            Err(error) if is_late(&error) => why = silence(patience),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                why = "has no time server".to_owned();
            }
            Err(error) => why = format!("cannot be asked: {error}"),
        }
    }
    (exchanges, why)
}

/// Reads `HOST` or `HOST:PORT`, and looks the host up.
fn addresses(server: &str) -> std::io::Result<Vec<SocketAddr>> {
    let is_address_of_v6 = server.parse::<std::net::Ipv6Addr>().is_ok();
    let is_without_port = is_address_of_v6 || !server.contains(':') || server.ends_with(']');
    let found = match is_without_port {
        true => {
            let host = server.trim_start_matches('[').trim_end_matches(']');
            (host, PORT).to_socket_addrs()?
        }
        false => server.to_socket_addrs()?,
    };
    Ok(found.collect())
}

fn exchange(server: SocketAddr, patience: Duration) -> std::io::Result<Result<Exchange, String>> {
    let ours: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(ours)?;
    // Only answers from there are heard.
    socket.connect(server)?;
    let mark = (random() >> 64) as u64;
    let left = now();
    socket.send(&time::question(mark))?;
    let until = clock::now().moment.after(patience);
    let mut packet = [0; 2 * PACKET_BYTES];
    loop {
        let remaining = until.from_now(clock::now().moment);
        if remaining.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(remaining))?;
        let n_bytes = socket.recv(&mut packet)?;
        if let Some(answer) = time::answer(&packet[..n_bytes], mark, left, now()) {
            return Ok(answer);
        }
    }
}

fn now() -> Stamp {
    Stamp::from_nanos(clock::wall_nanos())
}

fn is_late(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}
