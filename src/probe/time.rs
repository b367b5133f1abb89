//! The clock: how far it is from a server's, or whether anything keeps it right.
//!
//! A server is asked by SNTP (RFC 5905, mode 3). The offset is that of the answer
//! that travelled shortest, for the way there and back is where the error is.

use std::time::Duration;

use super::limits::{Limits, Range};
use super::{Measure, Report, Status};

const NAME: &str = "TIME";

/// Bytes of a packet without extensions.
pub const PACKET_BYTES: usize = 48;

/// From 1900, where the time of NTP begins, to 1970.
const ERA_SECS: u64 = 2_208_988_800;

/// How far the clock may be from the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distance {
    /// More is a warning.
    pub warn: Duration,
    /// More is critical.
    pub crit: Duration,
}

/// One question and its answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exchange {
    /// How far the server's clock is ahead of ours, in seconds.
    pub offset_secs: f64,
    /// How long question and answer travelled, in seconds.
    pub delay_secs: f64,
    /// How far the server is from a clock: 1 to 15.
    pub stratum: u8,
}

/// A time of NTP: seconds since 1900 modulo 2³², and their 2³² parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(u64);

impl Stamp {
    /// From nanoseconds since 1970.
    pub fn from_nanos(nanos: i128) -> Self {
        let secs = nanos.div_euclid(1_000_000_000);
        let fraction = (nanos.rem_euclid(1_000_000_000) << 32) / 1_000_000_000;
        // Seconds run over in 2036: only differences count.
        let secs = secs.wrapping_add(i128::from(ERA_SECS)).rem_euclid(1 << 32);
        Self(u64::try_from((secs << 32) | fraction).unwrap_or(0))
    }

    /// From here to a later one, which may be earlier, in seconds. Right for all that
    /// are less than 68 years apart.
    fn until(self, later: Self) -> f64 {
        let difference = later.0.wrapping_sub(self.0).cast_signed();
        difference as f64 / (1_u64 << 32) as f64
    }
}

/// The packet that asks. `mark` comes back in the answer: so nobody who cannot see
/// the question can answer it.
pub fn question(mark: u64) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    // No warning, version 4, mode 3 (client).
    packet[0] = 0b00_100_011;
    packet[40..].copy_from_slice(&mark.to_be_bytes());
    packet
}

/// Understands an answer to the question with this mark, that left and came at these
/// times. An answer to something else is `None`; the error says why the server
/// cannot be used.
pub fn answer(
    packet: &[u8],
    mark: u64,
    left: Stamp,
    came: Stamp,
) -> Option<Result<Exchange, String>> {
    let packet: &[u8; PACKET_BYTES] = packet.get(..PACKET_BYTES)?.try_into().ok()?;
    let stamp = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&packet[at..at + 8]);
        Stamp(u64::from_be_bytes(bytes))
    };
    let (warning, mode, stratum) = (packet[0] >> 6, packet[0] & 0b111, packet[1]);
    if mode != 4 || stamp(24) != Stamp(mark) {
        return None;
    }
    let (received, sent) = (stamp(32), stamp(40));
    if stratum == 0 {
        let code: String = (packet[12..16].iter())
            .filter(|byte| byte.is_ascii_uppercase())
            .map(|byte| char::from(*byte))
            .collect();
        return Some(Err(format!("refuses to tell the time ({code})")));
    }
    if warning == 3 || stratum > 15 || sent == Stamp(0) {
        return Some(Err("does not know the time itself".to_owned()));
    }
    Some(Ok(Exchange {
        offset_secs: f64::midpoint(left.until(received), came.until(sent)),
        delay_secs: (left.until(came) - received.until(sent)).max(0.0),
        stratum,
    }))
}

/// Judges what a server said; `why` there is no answer.
pub fn of_server(server: &str, answers: &[Exchange], why: &str, distance: &Distance) -> Report {
    let shortest =
        (answers.iter()).min_by(|one, other| one.delay_secs.total_cmp(&other.delay_secs));
    let Some(best) = shortest else {
        return Report::new(NAME, Status::Critical, format!("{server} {why}"));
    };
    let range = |duration: Duration| Range::within(duration.as_secs_f64());
    let limits = Limits {
        warn: Some(range(distance.warn)),
        crit: Some(range(distance.crit)),
    };
    // Where the server's clock is ahead, ours is behind.
    let offset = best.offset_secs;
    let where_it_is = if offset < 0.0 { "ahead of" } else { "behind" };
    let text = format!(
        "{} {where_it_is} {server} (stratum {}, give or take {})",
        seconds(offset.abs()),
        best.stratum,
        seconds(best.delay_secs / 2.0)
    );
    let mut report = Report::new(NAME, limits.status(offset), text);
    report.measures.push(Measure {
        label: "offset".to_owned(),
        value: offset,
        unit: "s",
        limits,
        bounds: (None, None),
    });
    report
}

/// Judges what the kernel says of itself: whether something keeps its clock right.
pub fn of_kernel(synchronized: Result<bool, String>) -> Report {
    match synchronized {
        Ok(true) => Report::new(NAME, Status::Ok, "the clock is synchronized"),
        Ok(false) => Report::new(
            NAME,
            Status::Warning,
            "the clock is not synchronized: is chrony, ntpd or systemd-timesyncd running?",
        ),
        Err(why) => Report::new(
            NAME,
            Status::Unknown,
            format!("{why}; a time server can be named with `--server`"),
        ),
    }
}

/// Reads what `timedatectl show -p NTPSynchronized --value` writes.
pub fn is_synchronized(output: &str) -> Option<bool> {
    match output.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn seconds(secs: f64) -> String {
    match secs {
        secs if secs < 0.000_999_5 => format!("{:.0} µs", secs * 1e6),
        secs if secs < 0.999_5 => format!("{:.0} ms", secs * 1e3),
        secs if secs < 60.0 => format!("{secs:.1} s"),
        secs => format!("{secs:.0} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 07:00 UTC, in nanoseconds.
    const NOW: i128 = 1_795_330_800_000_000_000;

    const MILLI: i128 = 1_000_000;

    /// The answer of a server whose clock is `ahead` of ours: 10 ms there, 1 ms
    /// within, 30 ms back.
    fn packet(mark: u64, ahead: i128, changed: &[(usize, u8)]) -> Vec<u8> {
        let mut packet = vec![0; PACKET_BYTES];
        packet[0] = 0b00_100_100;
        packet[1] = 2;
        packet[24..32].copy_from_slice(&mark.to_be_bytes());
        let stamp = |nanos| Stamp::from_nanos(nanos).0.to_be_bytes();
        packet[32..40].copy_from_slice(&stamp(NOW + ahead + 10 * MILLI));
        packet[40..48].copy_from_slice(&stamp(NOW + ahead + 11 * MILLI));
        for (at, byte) in changed {
            packet[*at] = *byte;
        }
        packet
    }

    fn answered(packet: &[u8]) -> Option<Result<Exchange, String>> {
        let stamp = |nanos| Stamp::from_nanos(nanos);
        answer(packet, 17, stamp(NOW), stamp(NOW + 41 * MILLI))
    }

    #[test]
    fn a_question_asks() {
        let question = question(0x0102_0304_0506_0708);
        assert_eq!(question[0], 0x23);
        assert_eq!(question[40..], [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn answers() {
        for (ahead, expected) in [(0, -0.01), (5_000 * MILLI, 4.99), (-90_000 * MILLI, -90.01)] {
            let exchange = answered(&packet(17, ahead, &[])).unwrap().unwrap();
            assert!(
                (exchange.offset_secs - expected).abs() < 1e-6,
                "{exchange:?}"
            );
            assert!((exchange.delay_secs - 0.04).abs() < 1e-6, "{exchange:?}");
            assert_eq!(exchange.stratum, 2);
        }
        for not_ours in [
            packet(18, 0, &[]),
            // Another client's question.
            packet(17, 0, &[(0, 0b00_100_011)]),
            packet(17, 0, &[])[..47].to_vec(),
            Vec::new(),
        ] {
            assert_eq!(answered(&not_ours), None);
        }
        let kiss = [(1, 0), (12, b'R'), (13, b'A'), (14, b'T'), (15, b'E')];
        for (changed, expected) in [
            (&kiss[..], "refuses to tell the time (RATE)"),
            (&[(0, 0b11_100_100)], "does not know the time itself"),
            (&[(1, 16)], "does not know the time itself"),
        ] {
            let why = answered(&packet(17, 0, changed)).unwrap().unwrap_err();
            assert_eq!(why, expected);
        }
    }

    #[test]
    fn times_run_over_in_2036() {
        let before = Stamp::from_nanos(2_085_978_495_500_000_000);
        let after = Stamp::from_nanos(2_085_978_496_500_000_000);
        assert!(after.0 < before.0);
        assert_eq!(before.until(after), 1.0);
        assert_eq!(after.until(before), -1.0);
    }

    #[test]
    fn reports() {
        let distance = Distance {
            warn: Duration::from_millis(500),
            crit: Duration::from_secs(5),
        };
        let exchange = |offset_secs, delay_secs| Exchange {
            offset_secs,
            delay_secs,
            stratum: 2,
        };
        for (answers, expected) in [
            (
                vec![exchange(3.0, 0.5), exchange(0.0123, 0.04)],
                "TIME OK - 12 ms behind a (stratum 2, give or take 20 ms) | \
                 offset=0.012s;-0.5:0.5;-5:5",
            ),
            (
                vec![exchange(-0.75, 0.000_5)],
                "TIME WARNING - 750 ms ahead of a (stratum 2, give or take 250 µs) | \
                 offset=-0.75s;-0.5:0.5;-5:5",
            ),
            (
                vec![exchange(3_600.0, 0.04)],
                "TIME CRITICAL - 3600 s behind a (stratum 2, give or take 20 ms) | \
                 offset=3600s;-0.5:0.5;-5:5",
            ),
            (vec![], "TIME CRITICAL - a does not answer"),
        ] {
            let report = of_server("a", &answers, "does not answer", &distance);
            assert_eq!(report.line(), expected);
        }
        for (output, status) in [
            ("yes\n", Status::Ok),
            ("no\n", Status::Warning),
            ("", Status::Unknown),
        ] {
            let known = is_synchronized(output).ok_or_else(|| "what?".to_owned());
            assert_eq!(of_kernel(known).status(), status);
        }
    }
}
