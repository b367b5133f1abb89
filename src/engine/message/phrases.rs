//! Numbers, times and names in the words of people.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::tally::Tally;
use crate::engine::markup;
use crate::engine::time::Wall;
use crate::rules::Severity;

/// Characters of a name (host, path) in a message.
pub(super) const NAME_CHARS_MAX: usize = 120;

/// `10:02:11`, or `10:02:11–10:06:58`.
pub(super) fn when(tally: &Tally, now: Wall, zone: &TimeZone) -> String {
    let (first, last) = (clock(tally.first, now, zone), clock(tally.last, now, zone));
    match first == last {
        true => first,
        false => format!("{first}–{last}"),
    }
}

pub(in crate::engine) fn name(text: &str) -> String {
    markup::inline(&markup::shorten(text, NAME_CHARS_MAX))
}

pub(in crate::engine) fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "ℹ️",
        Severity::Warning => "⚠️",
        Severity::Error => "🔴",
        Severity::Critical => "🚨",
    }
}

/// A number with thousands separators.
pub fn group(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things, the plural of which ends in "s": `1 file`, `12,345 files`.
pub fn counted(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", group(number)),
    }
}

/// A duration as a person would say it.
pub fn humane(duration: Duration) -> String {
    let secs = duration.as_secs();
    match secs {
        0 => "under 1 s".to_owned(),
        1..=89 => format!("{secs} s"),
        90..=5_399 => format!("{} min", (secs + 30) / 60),
        5_400..=129_599 => format!("{} h", (secs + 1_800) / 3_600),
        _ => format!("{} days", (secs + 43_200) / 86_400),
    }
}

/// `in 5 min`, or `within a second`.
pub(super) fn within(duration: Duration) -> String {
    match duration.as_secs() {
        0 => "within a second".to_owned(),
        _ => format!("in {}", humane(duration)),
    }
}

/// `HH:MM:SS`, with the date when it is not today.
pub(in crate::engine) fn clock(wall: Wall, now: Wall, zone: &TimeZone) -> String {
    let (then, now) = (zoned(wall, zone), zoned(now, zone));
    match then.date() == now.date() {
        true => then.strftime("%H:%M:%S").to_string(),
        false => then.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

pub(super) fn zoned(wall: Wall, zone: &TimeZone) -> jiff::Zoned {
    Timestamp::from_microsecond(wall.0)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone())
}
