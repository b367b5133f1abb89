//! The time that is written in a record.
//!
//! Reading has two halves. [`Stamp::in_text`] and [`Stamp::in_value`] look at bytes
//! and know no clock, so they run wherever records are found. [`Stamp::wall`] makes
//! of it a point in time, and needs to be told what lies near and where the host is:
//! many logs write neither the year nor the zone.
//!
//! | form | example | lacks |
//! |---|---|---|
//! | RFC 3339, ISO 8601 | `2026-11-21T10:00:00.123Z`, `2026-11-21 10:00:00,123 +0100`, `2026/11/21 10:00:00` | perhaps the zone |
//! | syslog (RFC 3164) | `Nov 21 10:00:00` | year, zone |
//! | common log format | `[21/Nov/2026:10:00:00 +0100]` | |
//! | klog | `E1121 10:00:00.123456` | year, zone |
//! | seconds or milliseconds since 1970 | `1795255200`, `1795255200.123`, `1795255200123` | |

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use super::time::Wall;

/// Bytes of a record within which its time begins.
const TEXT_BYTES_MAX: usize = 64;

/// How far before it was read a record's time may lie.
const BACK_MAX: Duration = Duration::from_secs(24 * 3600);

/// How far after it was read a record's time may lie: clocks differ.
const AHEAD_MAX: Duration = Duration::from_secs(60);

/// What is nearer than this in its own year is farther away in any other.
const HALF_A_YEAR_MICROS: u64 = 182 * 24 * 3600 * 1_000_000;

/// The names of months as syslog and web servers write them.
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// A time as it is written in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// A point in time.
    Exact(Wall),
    /// A time where the host is.
    Local(DateTime),
    /// A time where the host is, in the year that makes it the nearest.
    Yearless {
        /// From one.
        month: i8,
        /// From one.
        day: i8,
        /// Of that day.
        time: Time,
    },
}

impl Stamp {
    /// The first time that begins within the first 64 bytes of a text.
    pub fn in_text(text: &[u8]) -> Option<Self> {
        (0..text.len().min(TEXT_BYTES_MAX))
            // A time does not begin within a word or a number.
            .filter(|&at| at == 0 || !text[at - 1].is_ascii_alphanumeric())
            .find_map(|at| Self::at(text, at))
    }

    /// The time that is all of a field's value, or its beginning.
    pub fn in_value(value: &str) -> Option<Self> {
        Self::at(value.trim_start().as_bytes(), 0)
    }

    /// The point in time that is meant by what was read about `near` by a host in
    /// `zone`. Nothing if no year has that day.
    pub fn wall(self, near: Wall, zone: &TimeZone) -> Option<Wall> {
        let local = |civil: DateTime| {
            let at = zone.to_timestamp(civil).ok()?;
            Some(Wall(at.as_microsecond()))
        };
        match self {
            Self::Exact(at) => Some(at),
            Self::Local(civil) => local(civil),
            Self::Yearless { month, day, time } => {
                let year = jiff::Timestamp::from_microsecond(near.0).ok()?;
                let year = zone.to_datetime(year).year();
                let in_year = |year| {
                    let date = jiff::civil::Date::new(year, month, day).ok()?;
                    local(date.to_datetime(time))
                };
                let is_nearest = |at: &Wall| at.0.abs_diff(near.0) < HALF_A_YEAR_MICROS;
                in_year(year).filter(is_nearest).or_else(|| {
                    (year.checked_sub(1)?..=year.checked_add(1)?)
                        .filter_map(in_year)
                        .min_by_key(|at| at.0.abs_diff(near.0))
                })
            }
        }
    }

    fn at(text: &[u8], at: usize) -> Option<Self> {
        let cursor = Cursor { text, at };
        match text.get(at)? {
            b'0'..=b'9' => iso(cursor)
                .or_else(|| clf(cursor))
                .or_else(|| epoch(cursor)),
            b'A'..=b'Z' => klog(cursor).or_else(|| syslog(cursor)),
            _ => None,
        }
    }
}

/// What counts as the time of a record that was read at `read` while it was being
/// written: at most a day before, at most a minute after.
pub fn clamped(at: Wall, read: Wall) -> Wall {
    at.max(read.before(BACK_MAX)).min(read.after(AHEAD_MAX))
}

/// A place in a text. Readers take it by value, so that one that fails has moved
/// nothing.
#[derive(Debug, Clone, Copy)]
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Takes one of these bytes.
    fn take(&mut self, bytes: &[u8]) -> Option<u8> {
        let found = self.peek().filter(|byte| bytes.contains(byte))?;
        self.at += 1;
        Some(found)
    }

    /// Takes so many digits.
    fn number<T: TryFrom<i64>>(&mut self, n_digits: usize) -> Option<T> {
        let digits = self.text.get(self.at..self.at + n_digits)?;
        let mut number: i64 = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
        }
        self.at += n_digits;
        T::try_from(number).ok()
    }

    /// Takes a month by its name.
    fn month(&mut self) -> Option<i8> {
        let name = self.text.get(self.at..self.at + 3)?;
        let month = MONTHS.iter().position(|month| *month == name)?;
        self.at += 3;
        i8::try_from(month + 1).ok()
    }

    /// Takes `hh:mm:ss` and a fraction, if there is one.
    fn time(&mut self) -> Option<Time> {
        let hour = self.number(2)?;
        self.take(b":")?;
        let minute = self.number(2)?;
        self.take(b":")?;
        // A leap second is the end of the one before it.
        let second: i8 = self.number(2)?;
        let second = if second == 60 { 59 } else { second };
        let micros = self.fraction();
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Time::new(hour, minute, second, micros * 1_000).ok()
    }

    /// Takes a fraction of a second, if there is one, in microseconds.
    fn fraction(&mut self) -> i32 {
        let before = self.at;
        if self.take(b".,").is_none() {
            return 0;
        }
        let digits = &self.text[self.at..];
        let n_digits = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if n_digits == 0 {
            // A full stop, not a point.
            self.at = before;
            return 0;
        }
        self.at += n_digits;
        let place = |idx: usize| digits[..n_digits].get(idx).map_or(0, |byte| byte - b'0');
        (0..6).fold(0, |micros, idx| micros * 10 + i32::from(place(idx)))
    }

    /// Takes a zone, if there is one.
    fn zone(&mut self) -> Option<Offset> {
        let before = self.at;
        let has_space = self.take(b" ").is_some();
        let zone = self.zone_here(has_space);
        if zone.is_none() {
            self.at = before;
        }
        zone
    }

    fn zone_here(&mut self, has_space: bool) -> Option<Offset> {
        for name in [b"Z".as_slice(), b"z", b"UTC", b"GMT"] {
            let rest = self.text.get(self.at..)?;
            let is_word = |rest: &[u8]| !rest.first().is_some_and(u8::is_ascii_alphanumeric);
            if rest.strip_prefix(name).is_some_and(is_word) {
                self.at += name.len();
                return Some(Offset::UTC);
            }
        }
        let sign = match self.take(b"+-")? {
            b'-' => -1,
            _ => 1,
        };
        let hours: i32 = self.number(2)?;
        let has_colon = self.take(b":").is_some();
        let minutes: i32 = match self.number(2) {
            Some(minutes) => minutes,
            // `+01`, but not after a space: that is rather a number.
            None if !has_colon && !has_space => 0,
            None => return None,
        };
        let is_over = !self.peek().is_some_and(|byte| byte.is_ascii_digit());
        let is_zone = is_over && hours <= 14 && minutes < 60 && minutes % 15 == 0;
        let seconds = sign * (hours * 3600 + minutes * 60);
        is_zone
            .then(|| Offset::from_seconds(seconds).ok())
            .flatten()
    }
}

fn iso(mut cursor: Cursor<'_>) -> Option<Stamp> {
    let year = cursor.number(4)?;
    let dash = cursor.take(b"-/")?;
    let month = cursor.number(2)?;
    cursor.take(&[dash])?;
    let day = cursor.number(2)?;
    cursor.take(b"Tt ")?;
    let time = cursor.time()?;
    let civil = jiff::civil::Date::new(year, month, day).ok()?;
    Some(zoned(civil.to_datetime(time), cursor.zone()))
}

fn clf(mut cursor: Cursor<'_>) -> Option<Stamp> {
    let day = cursor.number(2)?;
    cursor.take(b"/")?;
    let month = cursor.month()?;
    cursor.take(b"/")?;
    let year = cursor.number(4)?;
    cursor.take(b":")?;
    let time = cursor.time()?;
    let civil = jiff::civil::Date::new(year, month, day).ok()?;
    Some(zoned(civil.to_datetime(time), cursor.zone()))
}

fn zoned(civil: DateTime, zone: Option<Offset>) -> Stamp {
    let exact = zone.and_then(|offset| offset.to_timestamp(civil).ok());
    match exact {
        Some(at) => Stamp::Exact(Wall(at.as_microsecond())),
        None => Stamp::Local(civil),
    }
}

fn syslog(mut cursor: Cursor<'_>) -> Option<Stamp> {
    let month = cursor.month()?;
    cursor.take(b" ")?;
    let day = match cursor.take(b" ") {
        Some(_) => cursor.number(1)?,
        None => cursor.number(2).or_else(|| cursor.number(1))?,
    };
    cursor.take(b" ")?;
    yearless(month, day, cursor.time()?)
}

fn klog(mut cursor: Cursor<'_>) -> Option<Stamp> {
    if cursor.at != 0 {
        return None;
    }
    cursor.take(b"IWEF")?;
    let month = cursor.number(2)?;
    let day = cursor.number(2)?;
    cursor.take(b" ")?;
    yearless(month, day, cursor.time()?)
}

fn yearless(month: i8, day: i8, time: Time) -> Option<Stamp> {
    // A leap year has all days that there are.
    jiff::civil::Date::new(2000, month, day).ok()?;
    Some(Stamp::Yearless { month, day, time })
}

/// Seconds or milliseconds since 1970, from 2001 to 2065 and 2033: longer and
/// shorter numbers are many things. Within a text it stands first or in brackets.
fn epoch(mut cursor: Cursor<'_>) -> Option<Stamp> {
    if let Some(before) = cursor.at.checked_sub(1)
        && !matches!(cursor.text[before], b'[' | b'(')
    {
        return None;
    }
    let digits = cursor.text[cursor.at..].iter();
    let n_digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
    let micros = match (cursor.peek()?, n_digits) {
        (b'1' | b'2', 10) => {
            let seconds: i64 = cursor.number(10)?;
            seconds * 1_000_000 + i64::from(cursor.fraction())
        }
        (b'1', 13) => cursor.number::<i64>(13)? * 1_000,
        _ => return None,
    };
    let is_word = cursor
        .peek()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    (!is_word).then_some(Stamp::Exact(Wall(micros)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wall(text: &str) -> Wall {
        let at: jiff::Timestamp = text.parse().expect("a constant");
        Wall(at.as_microsecond())
    }

    /// What a text tells to a host two hours east of Greenwich in winter.
    fn read(text: &str) -> Option<String> {
        let near = wall("2026-01-02T03:04:05Z");
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let at = Stamp::in_text(text.as_bytes())?.wall(near, &zone)?;
        Some(jiff::Timestamp::from_microsecond(at.0).ok()?.to_string())
    }

    #[test]
    fn times_in_texts() {
        for (text, expected) in [
            // RFC 3339 and what looks like it.
            ("2026-11-21T10:00:00Z up", "2026-11-21T10:00:00Z"),
            ("2026-11-21t10:00:00z", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00.5Z", "2026-11-21T10:00:00.5Z"),
            (
                "2026-11-21T10:00:00.123456789Z",
                "2026-11-21T10:00:00.123456Z",
            ),
            ("2026-11-21T10:00:00+01:00 x", "2026-11-21T09:00:00Z"),
            ("2026-11-21T10:00:00-0330", "2026-11-21T13:30:00Z"),
            ("2026-11-21T10:00:00+05", "2026-11-21T05:00:00Z"),
            ("2026-11-21 10:00:00 x", "2026-11-21T08:00:00Z"),
            (
                "2026-11-21 10:00:00,123 ERROR x",
                "2026-11-21T08:00:00.123Z",
            ),
            (
                "2026-11-21 10:00:00,123 +0100 x",
                "2026-11-21T09:00:00.123Z",
            ),
            (
                "2026-11-21 10:00:00.123 UTC [7] x",
                "2026-11-21T10:00:00.123Z",
            ),
            ("2026-11-21 10:00:00 UTCX", "2026-11-21T08:00:00Z"),
            ("2026-11-21 10:00:00 -1 x", "2026-11-21T08:00:00Z"),
            ("2026-11-21 10:00:00 +01 x", "2026-11-21T08:00:00Z"),
            ("2026-11-21T10:00:00+01: x", "2026-11-21T08:00:00Z"),
            ("2026-11-21T10:00:00+01000", "2026-11-21T08:00:00Z"),
            ("2026-11-21T10:00:00+1400", "2026-11-20T20:00:00Z"),
            ("2026-11-21T10:00:00+1500", "2026-11-21T08:00:00Z"),
            ("2026-11-21T10:00:00+0160", "2026-11-21T08:00:00Z"),
            ("2026-11-21T10:00:00+0110", "2026-11-21T08:00:00Z"),
            ("2026-11-21 10:00:00 -1234 x", "2026-11-21T08:00:00Z"),
            ("2026-11-21 10:00:00. Then", "2026-11-21T08:00:00Z"),
            ("2026/11/21 10:00:00 [error] 7#7: x", "2026-11-21T08:00:00Z"),
            ("[2026-11-21T10:00:00Z] x", "2026-11-21T10:00:00Z"),
            (
                "web-03 app[7]: 2026-11-21T10:00:00Z x",
                "2026-11-21T10:00:00Z",
            ),
            ("2026-12-31T23:59:60Z", "2026-12-31T23:59:59Z"),
            (
                "time=\"2026-11-21T10:00:00Z\" level=info",
                "2026-11-21T10:00:00Z",
            ),
            // Syslog: the year is the one that is near.
            ("Jan  2 03:04:05 web-03 sshd[7]: x", "2026-01-02T01:04:05Z"),
            ("Jan 2 03:04:05 web-03 sshd[7]: x", "2026-01-02T01:04:05Z"),
            ("Dec 31 23:59:59 web-03 sshd[7]: x", "2025-12-31T21:59:59Z"),
            ("<34>Jan  2 03:04:05 web-03 su: x", "2026-01-02T01:04:05Z"),
            // Common log format.
            (
                "192.0.2.7 - - [10/Oct/2025:13:55:36 -0700] \"GET / HTTP/1.1\" 200",
                "2025-10-10T20:55:36Z",
            ),
            // klog.
            (
                "E0102 03:04:05.600000  7 file.go:12] x",
                "2026-01-02T01:04:05.6Z",
            ),
            // Since 1970.
            ("1767323045 x", "2026-01-02T03:04:05Z"),
            ("1767323045.250 x", "2026-01-02T03:04:05.25Z"),
            ("1767323045250 x", "2026-01-02T03:04:05.25Z"),
            ("[1767323045] SERVICE ALERT: x", "2026-01-02T03:04:05Z"),
            (
                "type=SYSCALL msg=audit(1767323045.250:7): x",
                "2026-01-02T03:04:05.25Z",
            ),
            // The first one counts.
            (
                "Jan  2 03:04:05 web-03 app: 2020-01-01T00:00:00Z x",
                "2026-01-02T01:04:05Z",
            ),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "out of memory",
            "2026-11-21",
            "2026-11-21 10:00",
            "2026-13-21T10:00:00Z",
            "2026-02-30T10:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:00:000",
            "12026-11-21T10:00:00Z",
            "x2026-11-21T10:00:00Z",
            "2026-11/21 10:00:00",
            "Foo 21 10:00:00 x",
            "Nov 31 10:00:00 x",
            "Feb 29 10:00:00 x",
            "klog E0102 03:04:05.6 x",
            "user 1767323045 logged in",
            "17673230450 x",
            "0767323045 x",
            "9767323045 x",
            "1767323045abc x",
            "10.0.0.1 up 10:00:00",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let far = format!("{}2026-11-21T10:00:00Z", " ".repeat(64));
        assert_eq!(read(&far), None);
        assert_eq!(read(&far[1..]).as_deref(), Some("2026-11-21T10:00:00Z"));
    }

    #[test]
    fn values_of_fields() {
        for (value, is_time) in [
            ("1767323045", true),
            ("1767323045250", true),
            ("1767323045.25", true),
            ("2026-11-21T10:00:00Z", true),
            (" 2026-11-21 10:00:00", true),
            ("at 2026-11-21 10:00:00", false),
            ("12", false),
        ] {
            assert_eq!(Stamp::in_value(value).is_some(), is_time, "{value}");
        }
    }

    #[test]
    fn a_leap_day_is_that_of_the_nearest_year_that_has_one() {
        let stamp = Stamp::in_text(b"Feb 29 10:00:00 x").unwrap();
        let at = stamp.wall(wall("2028-03-01T00:00:00Z"), &TimeZone::UTC);
        assert_eq!(at, Some(wall("2028-02-29T10:00:00Z")));
        assert_eq!(
            stamp.wall(wall("2030-03-01T00:00:00Z"), &TimeZone::UTC),
            None
        );
    }

    #[test]
    fn live_times_are_near_to_when_they_were_read() {
        let read = wall("2026-11-21T10:00:00Z");
        for (at, expected) in [
            ("2026-11-21T09:00:00Z", "2026-11-21T09:00:00Z"),
            ("2026-11-19T10:00:00Z", "2026-11-20T10:00:00Z"),
            ("2026-11-21T10:00:59Z", "2026-11-21T10:00:59Z"),
            ("2026-11-21T11:00:00Z", "2026-11-21T10:01:00Z"),
        ] {
            assert_eq!(clamped(wall(at), read), wall(expected), "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_harm(text in prop::collection::vec(any::<u8>(), 0..90), near: i64) {
            if let Some(stamp) = Stamp::in_text(&text) {
                let _ = stamp.wall(Wall(near), &TimeZone::UTC);
            }
        }

        #[test]
        fn what_is_written_is_read(seconds in 0_i64..4_000_000_000, micros in 0_i64..1_000_000) {
            let at = jiff::Timestamp::from_microsecond(seconds * 1_000_000 + micros).unwrap();
            let stamp = Stamp::in_text(format!("<{at}> up").as_bytes());
            prop_assert_eq!(stamp, Some(Stamp::Exact(Wall(at.as_microsecond()))));
        }
    }
}
