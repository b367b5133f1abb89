//! The hours of a week at which a rule posts.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};

/// The days of the week as people write them, Monday first.
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Days that are looked ahead for the next beginning or end: a week, and the days
/// at its ends that reach over midnight.
const DAYS_AHEAD: i32 = 9;

/// Hours on some days of the week. Those that cross midnight belong to the day on
/// which they begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours {
    /// The days, Monday first; at least one.
    pub(super) days: [bool; 7],
    /// When they begin, in minutes after midnight.
    pub(super) from: u16,
    /// When they end: 1,440 is midnight, what is not after `from` is of the next day.
    pub(super) upto: u16,
    /// Where the clock hangs; the machine's where it is not said.
    pub(super) zone: Option<TimeZone>,
}

impl Hours {
    /// Whether it is that time. `local` is the machine's time zone.
    pub fn hold(&self, at: Timestamp, local: &TimeZone) -> bool {
        let zone = self.zone.as_ref().unwrap_or(local);
        let today = zone.to_datetime(at).date();
        [today.checked_sub(1.day()).ok(), Some(today)]
            .into_iter()
            .flatten()
            .any(|day| (self.shift(day, zone)).is_some_and(|(from, upto)| from <= at && at < upto))
    }

    /// The next time at which they begin or end.
    pub fn next_change(&self, after: Timestamp, local: &TimeZone) -> Option<Timestamp> {
        let zone = self.zone.as_ref().unwrap_or(local);
        let today = zone.to_datetime(after).date();
        let now = self.hold(after, local);
        let mut changes: Vec<Timestamp> = (-1..DAYS_AHEAD)
            .filter_map(|n| today.checked_add(n.days()).ok())
            .filter_map(|day| self.shift(day, zone))
            .flat_map(|(from, upto)| [from, upto])
            .filter(|at| *at > after)
            .collect();
        changes.sort_unstable();
        // Hours that follow each other without a gap are one.
        changes.into_iter().find(|at| self.hold(*at, local) != now)
    }

    /// The hours that begin on a day.
    fn shift(&self, day: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let weekday = day.weekday().to_monday_zero_offset();
        if !self.days[usize::try_from(weekday).ok()?] {
            return None;
        }
        let at = |day: Date, minutes: u16| -> Option<Timestamp> {
            let (hour, minute) = (minutes / 60, minutes % 60);
            let time =
                Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()?;
            let zoned: Zoned = day.to_datetime(time).to_zoned(zone.clone()).ok()?;
            Some(zoned.timestamp())
        };
        let next = day.checked_add(1.day()).ok()?;
        let upto = match self.upto {
            1_440 => at(next, 0),
            upto if upto <= self.from => at(next, upto),
            upto => at(day, upto),
        };
        Some((at(day, self.from)?, upto?))
    }
}

/// Reads `08:00-20:00`: minutes after midnight; nothing if it is none.
pub(super) fn parse_hours(text: &str) -> Option<(u16, u16)> {
    let (from, upto) = text.split_once('-')?;
    let minutes = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let is_number = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(hour) || !is_number(minute) {
            return None;
        }
        let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
        let minutes = hour * 60 + minute;
        (minute < 60 && minutes <= 1_440).then_some(minutes)
    };
    let (from, upto) = (minutes(from)?, minutes(upto)?);
    (from < 1_440 && from != upto).then_some((from, upto))
}

/// Reads a day or a range of days such as `mon-fri`; adds them to those there are.
pub(super) fn add_days(text: &str, days: &mut [bool; 7]) -> bool {
    let day = |text: &str| {
        let text = text.trim().to_lowercase();
        DAYS.iter().position(|day| *day == text)
    };
    let range = match text.split_once('-') {
        Some((from, upto)) => day(from).zip(day(upto)),
        None => day(text).zip(day(text)),
    };
    let Some((from, upto)) = range else {
        return false;
    };
    let mut idx = from;
    loop {
        days[idx] = true;
        if idx == upto {
            return true;
        }
        idx = (idx + 1) % 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(days: &str, hours: &str) -> Hours {
        let mut list = [false; 7];
        assert!(add_days(days, &mut list), "{days}");
        let (from, upto) = parse_hours(hours).unwrap();
        Hours {
            days: list,
            from,
            upto,
            zone: None,
        }
    }

    fn at(text: &str, zone: &TimeZone) -> Timestamp {
        let civil: jiff::civil::DateTime = text.parse().unwrap();
        civil.to_zoned(zone.clone()).unwrap().timestamp()
    }

    /// 2026-11-23 is a Monday.
    #[test]
    fn hours_hold_and_change() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (days, span, now, holds, change) in [
            (
                "mon-fri",
                "08:00-20:00",
                "2026-11-23T07:59",
                false,
                "2026-11-23T08:00",
            ),
            (
                "mon-fri",
                "08:00-20:00",
                "2026-11-23T08:00",
                true,
                "2026-11-23T20:00",
            ),
            (
                "mon-fri",
                "08:00-20:00",
                "2026-11-23T20:00",
                false,
                "2026-11-24T08:00",
            ),
            (
                "mon-fri",
                "08:00-20:00",
                "2026-11-28T12:00",
                false,
                "2026-11-30T08:00",
            ),
            // Over midnight: Friday's shift ends on Saturday.
            (
                "mon-fri",
                "22:00-06:00",
                "2026-11-28T03:00",
                true,
                "2026-11-28T06:00",
            ),
            (
                "mon-fri",
                "22:00-06:00",
                "2026-11-23T03:00",
                false,
                "2026-11-23T22:00",
            ),
            (
                "sat-sun",
                "00:00-24:00",
                "2026-11-27T10:00",
                false,
                "2026-11-28T00:00",
            ),
            // Two days without a gap between them change once.
            (
                "sat-sun",
                "00:00-24:00",
                "2026-11-28T10:00",
                true,
                "2026-11-30T00:00",
            ),
            (
                "fri-mon",
                "10:00-11:00",
                "2026-11-23T10:30",
                true,
                "2026-11-23T11:00",
            ),
            // The night in which clocks are set back.
            (
                "sun",
                "01:00-04:00",
                "2026-10-25T02:30",
                true,
                "2026-10-25T04:00",
            ),
        ] {
            let hours = hours(days, span);
            let now = at(now, &zone);
            assert_eq!(hours.hold(now, &zone), holds, "{days} {span}");
            let next = hours.next_change(now, &zone).unwrap();
            assert_eq!(next, at(change, &zone), "{days} {span}");
        }
    }

    #[test]
    fn always_never_changes() {
        let hours = hours("mon-sun", "00:00-24:00");
        let now = at("2026-11-23T07:59", &TimeZone::UTC);
        assert!(hours.hold(now, &TimeZone::UTC));
        assert_eq!(hours.next_change(now, &TimeZone::UTC), None);
    }

    #[test]
    fn hours_that_are_none() {
        for text in [
            "8-20",
            "08:00",
            "08:00-08:00",
            "24:00-06:00",
            "08:60-09:00",
            "08:00-24:01",
            "+8:00-09:00",
        ] {
            assert_eq!(parse_hours(text), None, "{text}");
        }
        let mut days = [false; 7];
        for text in ["weekdays", "mon-", "1-5", ""] {
            assert!(!add_days(text, &mut days), "{text}");
        }
    }
}
