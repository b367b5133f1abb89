//! When a crontab line is due.
//!
//! The five fields are those of `crontab(5)`: minute, hour, day of the month,
//! month, day of the week; lists, ranges, steps, names, and `@daily` and its like.
//! Where both days are restricted, either is enough.
//!
//! Clocks that are changed twice a year: a job whose hour is fixed runs once on
//! both days, in the skipped hour just as much later; one that runs every hour or
//! minute follows the clock on the wall.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, ToSpan as _};

/// How many days ahead a day is looked for: 29 February comes after eight years
/// at the latest.
const DAYS_AHEAD: i32 = 8 * 366 + 1;

/// How far clocks are ever set at once.
const CHANGE_HOURS: i64 = 3;

/// A crontab line's times.
#[derive(Debug, Clone, PartialEq)]
pub struct Cron {
    source: String,
    minutes: u64,
    hours: u32,
    days: u32,
    months: u16,
    weekdays: u8,
    /// Whether a day must fit both of its fields, for one of them is `*`.
    needs_both_days: bool,
    /// Whether the hour is not fixed.
    is_hourly: bool,
    /// Where the clock hangs; the machine's where it is not said.
    zone: Option<TimeZone>,
}

/// A field: its name, its least and its greatest number, and words for them.
struct Field {
    name: &'static str,
    least: u8,
    most: u8,
    words: &'static [&'static str],
}

const MINUTE: Field = Field {
    name: "minute",
    least: 0,
    most: 59,
    words: &[],
};
const HOUR: Field = Field {
    name: "hour",
    least: 0,
    most: 23,
    words: &[],
};
const DAY: Field = Field {
    name: "day of the month",
    least: 1,
    most: 31,
    words: &[],
};
const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    words: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
/// Sunday is 0 and 7.
const WEEKDAY: Field = Field {
    name: "day of the week",
    least: 0,
    most: 7,
    words: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl Cron {
    /// Reads the five fields, or one of the words that stand for them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let spelt_out = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            word if word.starts_with('@') => {
                return Err(format!(
                    "`{word}` is none of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`"
                ));
            }
            fields => fields,
        };
        let fields: Vec<&str> = spelt_out.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(format!(
                "{} fields, and it takes five: minute, hour, day, month, day of the week",
                fields.len()
            ));
        };
        let weekdays = read(weekday, &WEEKDAY)?;
        let cron = Self {
            source: text.trim().to_owned(),
            minutes: read(minute, &MINUTE)?,
            hours: low(read(hour, &HOUR)?),
            days: low(read(day, &DAY)?),
            months: u16::try_from(read(month, &MONTH)?).unwrap_or(u16::MAX),
            // Sunday may be written as 7.
            weekdays: (weekdays & 0x7f | weekdays >> 7) as u8,
            needs_both_days: day.starts_with('*') || weekday.starts_with('*'),
            is_hourly: hour.starts_with('*'),
            zone: None,
        };
        // In UTC no time is skipped: what never comes there never comes.
        match cron.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC) {
            Some(_) => Ok(cron),
            None => Err("there is no such day in any year".to_owned()),
        }
    }

    /// The same times on another clock.
    pub fn in_zone(self, zone: Option<TimeZone>) -> Self {
        Self { zone, ..self }
    }

    /// The fields as they were written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The first time after `after`. `local` is the machine's time zone.
    pub fn next(&self, after: Timestamp, local: &TimeZone) -> Option<Timestamp> {
        let zone = self.zone.as_ref().unwrap_or(local);
        // Where the clock was just set back, times before this one are still to come.
        let change = Span::new().hours(CHANGE_HOURS);
        let start = zone.to_datetime(after).checked_sub(change).ok()?;
        let mut best: Option<(Timestamp, DateTime)> = None;
        let mut date = start.date();
        for _ in 0..DAYS_AHEAD {
            if self.is_day(date) {
                for time in self.times(date).filter(|time| *time >= start) {
                    // A time this much later cannot come earlier, whatever the clock does.
                    if let Some((found, civil)) = best
                        && time.checked_sub(change).ok()? > civil
                    {
                        return Some(found);
                    }
                    for at in self.instants(time, zone) {
                        let is_better = best.is_none_or(|(found, _)| at < found);
                        if at > after && is_better {
                            best = Some((at, time));
                        }
                    }
                }
            }
            date = date.tomorrow().ok()?;
            if let Some((found, civil)) = best
                && date > civil.date().checked_add(1.day()).ok()?
            {
                return Some(found);
            }
        }
        best.map(|(found, _)| found)
    }

    fn is_day(&self, date: Date) -> bool {
        let holds = |set: u32, idx: i8| set >> idx & 1 == 1;
        let by_day = holds(self.days, date.day());
        let by_weekday = holds(self.weekdays.into(), date.weekday().to_sunday_zero_offset());
        let is_day = match self.needs_both_days {
            true => by_day && by_weekday,
            false => by_day || by_weekday,
        };
        holds(self.months.into(), date.month()) && is_day
    }

    fn times(&self, date: Date) -> impl Iterator<Item = DateTime> {
        let hours = (0..24_i8).filter(|hour| self.hours >> hour & 1 == 1);
        hours.flat_map(move |hour| {
            (0..60_i8)
                .filter(|minute| self.minutes >> minute & 1 == 1)
                .map(move |minute| date.at(hour, minute, 0, 0))
        })
    }

    /// When the clock on the wall shows a time: once, never or twice.
    fn instants(&self, time: DateTime, zone: &TimeZone) -> Vec<Timestamp> {
        let ambiguous = zone.to_ambiguous_timestamp(time);
        let instants = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => vec![offset],
            // Later by what was skipped: the offset from before is still counted.
            AmbiguousOffset::Gap { before, .. } if !self.is_hourly => vec![before],
            AmbiguousOffset::Gap { .. } => Vec::new(),
            AmbiguousOffset::Fold { before, after } if self.is_hourly => vec![before, after],
            AmbiguousOffset::Fold { before, .. } => vec![before],
        };
        instants
            .into_iter()
            .filter_map(|offset| offset.to_timestamp(time).ok())
            .collect()
    }
}

fn low(set: u64) -> u32 {
    (set & u64::from(u32::MAX)) as u32
}

/// Reads a field to the set of its numbers.
fn read(text: &str, field: &Field) -> Result<u64, String> {
    let mut set = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                let step = step.parse::<u8>().ok().filter(|step| *step > 0);
                let wrong = || format!("`{part}` has no step behind its `/`");
                (range, step.ok_or_else(wrong)?)
            }
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            None if range == "*" => (field.least, field.most),
            Some((first, last)) => (number(first, field)?, number(last, field)?),
            None if part.contains('/') => (number(range, field)?, field.most),
            None => (number(range, field)?, number(range, field)?),
        };
        if first > last {
            return Err(format!("`{range}` ends before it begins"));
        }
        for number in (first..=last).step_by(step.into()) {
            set |= 1 << number;
        }
    }
    Ok(set)
}

fn number(text: &str, field: &Field) -> Result<u8, String> {
    let word = text.to_ascii_lowercase();
    if let Some(idx) = field.words.iter().position(|known| *known == word) {
        return Ok(field.least + u8::try_from(idx).unwrap_or(0));
    }
    let number = text.parse::<u8>().ok();
    let within = number.filter(|number| (field.least..=field.most).contains(number));
    within.ok_or_else(|| {
        format!(
            "`{text}` is no {}: it is {} to {}",
            field.name, field.least, field.most
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cron: &str, zone: &str, after: &str, expected: &[&str]) {
        let zone = TimeZone::get(zone).unwrap();
        let cron = Cron::parse(cron).unwrap().in_zone(Some(zone.clone()));
        let mut after: Timestamp = after.parse().unwrap();
        for expected in expected {
            let next = cron.next(after, &TimeZone::UTC).unwrap();
            let shown = next.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %:z");
            assert_eq!(shown.to_string(), *expected, "{}", cron.as_str());
            after = next;
        }
    }

    #[test]
    fn everyday_lines() {
        let noon = "2026-11-21T12:00:00Z";
        check(
            "*/15 * * * *",
            "UTC",
            noon,
            &["2026-11-21 12:15 +00:00", "2026-11-21 12:30 +00:00"],
        );
        check(
            "30 2 * * *",
            "UTC",
            noon,
            &["2026-11-22 02:30 +00:00", "2026-11-23 02:30 +00:00"],
        );
        check(
            "0 9-17/4 * * mon-fri",
            "UTC",
            noon,
            &["2026-11-23 09:00 +00:00", "2026-11-23 13:00 +00:00"],
        );
        check("0 0 29 2 *", "UTC", noon, &["2028-02-29 00:00 +00:00"]);
        // Either day is enough when both are restricted.
        check(
            "0 0 1 * 7",
            "UTC",
            noon,
            &[
                "2026-11-22 00:00 +00:00",
                "2026-11-29 00:00 +00:00",
                "2026-12-01 00:00 +00:00",
            ],
        );
        check(
            "@monthly",
            "Europe/Berlin",
            noon,
            &["2026-12-01 00:00 +01:00"],
        );
    }

    #[test]
    fn when_clocks_are_set() {
        // Forward on 2026-03-29 from 02:00 to 03:00.
        let before = "2026-03-28T12:00:00Z";
        check(
            "30 2 * * *",
            "Europe/Berlin",
            before,
            &["2026-03-29 03:30 +02:00", "2026-03-30 02:30 +02:00"],
        );
        check(
            "0 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:00:00Z",
            &["2026-03-29 03:00 +02:00", "2026-03-29 04:00 +02:00"],
        );
        // Back on 2026-10-25 from 03:00 to 02:00.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25 02:30 +02:00", "2026-10-26 02:30 +01:00"],
        );
        check(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T00:15:00Z",
            &[
                "2026-10-25 02:30 +02:00",
                "2026-10-25 02:00 +01:00",
                "2026-10-25 02:30 +01:00",
                "2026-10-25 03:00 +01:00",
            ],
        );
    }

    /// The next time is the first minute at which a naive look at the clock on the
    /// wall says so.
    #[test]
    fn agrees_with_looking_at_the_clock_every_minute() {
        let mut rng = fastrand::Rng::with_seed(3);
        let lines = [
            "*/7 * * * *",
            "5,35 */2 * * *",
            "0 1 * * *",
            "15 22 10-20 * mon",
            "59 23 31 12 *",
        ];
        for line in lines {
            let cron = Cron::parse(line).unwrap();
            for _ in 0..30 {
                let after = Timestamp::new(rng.i64(1_790_000_000..1_800_000_000), 0).unwrap();
                let next = cron.next(after, &TimeZone::UTC).unwrap();
                let mut naive = after.as_second() / 60 * 60 + 60;
                let shows = |second: i64| {
                    let at = Timestamp::new(second, 0).unwrap();
                    let time = TimeZone::UTC.to_datetime(at);
                    cron.is_day(time.date()) && cron.times(time.date()).any(|t| t == time)
                };
                while !shows(naive) {
                    naive += 60;
                }
                assert_eq!(next.as_second(), naive, "{line} after {after}");
            }
        }
    }

    #[test]
    fn lines_that_are_none() {
        for text in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *",
            "0 0 31 2 *",
            "@reboot",
            "x * * * *",
        ] {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
    }
}
