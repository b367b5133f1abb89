//! The fields that say when a hit is worth saying.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::hours::{self, Hours};
use super::{Absence, Conditions, FirstSeen, KEYS_DEFAULT, Resolve, Threshold};
use crate::diagnostic::Report;
use crate::rules::RuleKey;
use crate::rules::check::{Context, Layers, captures_of, optional};
use crate::rules::checks::read::Kind;
use crate::rules::cron::Cron;
use crate::rules::fields::{self, Fields, Known};
use crate::rules::parse::Entry;
use crate::rules::pattern::Patterns;
use crate::rules::records;
use crate::rules::regexes::{self, Breaks, Case, Purpose};
use crate::rules::vocabulary::Vocabulary;

/// The most hits that a threshold may ask for: they are all remembered.
const COUNT_MAX: u32 = 1_000;

/// The most instances that a rule may tell apart.
const KEYS_MAX: u32 = 10_000;

/// The most rules that may keep one quiet.
const INHIBITORS_MAX: usize = 100;

/// The shortest time without a hit that can be told from the agent being late.
const ABSENT_MIN: Duration = Duration::from_secs(1);

/// How long a value is remembered if it is not said.
const REMEMBER_DEFAULT: Duration = Duration::from_secs(30 * 86_400);

/// How long values are learnt if it is not said.
const LEARN_DEFAULT: Duration = Duration::from_secs(86_400);

/// How much later than a time of a crontab a hit may come if it is not said.
const GRACE_DEFAULT: Duration = Duration::from_secs(3_600);

const THRESHOLD: Known = Known {
    what: "`threshold`",
    fields: &["count", "distinct", "within"],
};

const RESOLVE: Known = Known {
    what: "`resolve`",
    fields: &["after", "match", "quiet", "where"],
};

const ABSENT: Known = Known {
    what: "`absent`",
    fields: &["cron", "for", "grace", "tz"],
};

const FIRST_SEEN: Known = Known {
    what: "`first_seen`",
    fields: &["learn", "remember"],
};

const ACTIVE: Known = Known {
    what: "`active`",
    fields: &["days", "hours", "tz"],
};

/// Reads the conditions of a rule; nothing if something is wrong. `captures` are
/// those of its records, if they are known.
pub(in crate::rules) fn conditions(
    kind: Option<Kind>,
    layers: Layers<'_>,
    names: Vocabulary<'_>,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Conditions> {
    let rule = layers.rule;
    let of_records = |name: &str| match kind {
        Some(Kind::Records) | None => rule.get(name),
        Some(Kind::Command | Kind::Exec) => None,
    };
    let threshold = optional(of_records("threshold"), |entry| {
        threshold(entry, names, report)
    });
    let case = match layers.get("ignore_case").and_then(|e| e.node.as_scalar()) {
        Some(scalar) if scalar.text == "true" => Case::Ignored,
        Some(_) | None => Case::Kept,
    };
    let resolve = optional(of_records("resolve"), |entry| {
        resolve(entry, case, names, report)
    });
    let absent = match kind {
        Some(Kind::Command) => None,
        Some(Kind::Records | Kind::Exec) | None => rule.get("absent"),
    };
    let absent = optional(absent, |entry| absence(entry, context, report));
    let first_seen = optional(of_records("first_seen"), |entry| first_seen(entry, report));
    let max_keys = match kind {
        Some(Kind::Records) | None => layers.get("max_keys"),
        Some(Kind::Command | Kind::Exec) => None,
    };
    let max_keys = optional(max_keys, |entry| max_keys_of(entry, report));
    let inhibited_by = optional(rule.get("inhibited_by"), |entry| inhibitors(entry, report));
    let active = optional(layers.get("active"), |entry| active(entry, context, report));
    let is_good = together(kind, layers, report);
    let conditions = Conditions {
        threshold: threshold?,
        resolve: resolve?,
        absent: absent?,
        first_seen: first_seen?,
        max_keys: max_keys?.unwrap_or(KEYS_DEFAULT),
        inhibited_by: inhibited_by?.unwrap_or_default(),
        active: active?,
    };
    is_good.then_some(conditions)
}

/// Checks the defaults that are conditions by themselves.
pub(in crate::rules) fn defaults(fields: &Fields<'_>, context: &Context<'_>, report: &mut Report) {
    let _ = (fields.get("max_keys")).map(|entry| max_keys_of(entry, report));
    let _ = (fields.get("active")).map(|entry| active(entry, context, report));
}

/// What goes together, and what does not.
fn together(kind: Option<Kind>, layers: Layers<'_>, report: &mut Report) -> bool {
    let rule = layers.rule;
    let mut is_good = true;
    let mut refuse = |first: &str, second: &str, why: &str, way_out: &str| {
        if let (Some(_), Some(entry)) = (rule.get(first), rule.get(second)) {
            report.conditions_clash(entry.at, first, second, why, way_out);
            is_good = false;
        }
    };
    for name in ["threshold", "first_seen", "resolve"] {
        let why = "its hits are good news, and the next one ends the incident";
        refuse("absent", name, why, "make a rule of each");
    }
    let why = "only the first hit of a value is new";
    refuse("first_seen", "threshold", why, "make a rule of each");
    if let (Some(entry), None) = (rule.get("first_seen"), rule.get("by")) {
        report.first_seen_of_nothing(entry.at);
        is_good = false;
    }
    let has_end = rule.get("resolve").is_some() || rule.get("absent").is_some();
    if let (Some(Kind::Records), false, Some(entry)) = (kind, has_end, rule.get("repeat")) {
        report.repeat_without_end(entry.at);
        is_good = false;
    }
    is_good
}

fn threshold(entry: &Entry, names: Vocabulary<'_>, report: &mut Report) -> Option<Threshold> {
    let fields = Fields::read(&entry.node, THRESHOLD, report)?;
    let mut required = |name: &str| {
        let found = fields.get(name);
        if found.is_none() {
            report.missing_field(fields.at, name, THRESHOLD.what);
        }
        found
    };
    let (count, within) = (required("count"), required("within"));
    let count = count.and_then(|entry| {
        let count = number(entry, COUNT_MAX, report)?;
        if count == 1 {
            report.threshold_of_one(fields::place_of(entry));
            return None;
        }
        Some(count)
    });
    let within = within.and_then(|entry| positive(entry, report));
    let distinct = optional(fields.get("distinct"), |entry| {
        let name = fields::text(entry, report)?;
        if !names.has(name) {
            let shown = fields::shown(&entry.node);
            report.unknown_capture(fields::place_of(entry), shown, &names.captures());
            return None;
        }
        Some(name.to_owned())
    });
    Some(Threshold {
        count: count?,
        within: within?,
        distinct: distinct?,
    })
}

fn resolve(
    entry: &Entry,
    case: Case,
    names: Vocabulary<'_>,
    report: &mut Report,
) -> Option<Resolve> {
    let fields = Fields::read(&entry.node, RESOLVE, report)?;
    let selects = fields.get("match").or_else(|| fields.get("where"));
    match (selects, fields.get("quiet")) {
        (Some(_), None) => {
            let patterns = optional(fields.get("match"), |entry| {
                let matches = regexes::read(entry, Purpose::Match, case, Breaks::May, report)?;
                Some(Patterns {
                    matches,
                    excepts: Vec::new(),
                })
            });
            let captures = match &patterns {
                Some(patterns) => patterns.as_ref().map_or_else(BTreeSet::new, captures_of),
                None => BTreeSet::new(),
            };
            let filter = optional(fields.get("where"), |entry| {
                if names.is_text() && fields.get("match").is_none() {
                    report.where_without_fields(entry.at);
                    return None;
                }
                let names = match patterns.is_some() {
                    true => names.with(&captures),
                    false => Vocabulary::Any,
                };
                records::read::conditions(entry, names, report)
            });
            let after = optional(fields.get("after"), |entry| fields::duration(entry, report));
            Some(Resolve::Record {
                patterns: patterns?.unwrap_or_default(),
                filter: filter?.unwrap_or_default(),
                after: after?.unwrap_or(Duration::ZERO),
            })
        }
        (None, Some(quiet)) => {
            if let Some(after) = fields.get("after") {
                report.after_of_quiet(after.at);
                return None;
            }
            positive(quiet, report).map(Resolve::Quiet)
        }
        (Some(_), Some(quiet)) => {
            report.match_and_quiet(quiet.at);
            None
        }
        (None, None) => {
            report.resolve_by_nothing(fields::place_of(entry));
            None
        }
    }
}

fn absence(entry: &Entry, context: &Context<'_>, report: &mut Report) -> Option<Absence> {
    let fields = Fields::read(&entry.node, ABSENT, report)?;
    let zone = optional(fields.get("tz"), |entry| zone(entry, context, report));
    let grace = optional(fields.get("grace"), |entry| fields::duration(entry, report));
    match (fields.get("for"), fields.get("cron")) {
        (Some(entry), None) => {
            for entry in ["tz", "grace"].iter().filter_map(|name| fields.get(name)) {
                report.belongs_to_cron(entry.at, &entry.key);
            }
            let longest = fields::duration(entry, report)?;
            if longest < ABSENT_MIN {
                report.too_short(fields::place_of(entry), &entry.key, "1s");
                return None;
            }
            let is_lone = fields.get("tz").is_none() && fields.get("grace").is_none();
            is_lone.then_some(Absence::For(longest))
        }
        (None, Some(entry)) => {
            let cron = Cron::parse(fields::text(entry, report)?);
            let cron = cron.map_err(|why| report.not_a_cron(fields::place_of(entry), &why));
            Some(Absence::Cron {
                cron: cron.ok()?.in_zone(zone?),
                grace: grace?.unwrap_or(GRACE_DEFAULT),
            })
        }
        (Some(_), Some(cron)) => {
            report.for_and_cron(cron.at);
            None
        }
        (None, None) => {
            report.absent_since_when(fields::place_of(entry));
            None
        }
    }
}

fn first_seen(entry: &Entry, report: &mut Report) -> Option<FirstSeen> {
    let fields = Fields::read(&entry.node, FIRST_SEEN, report)?;
    let remember = optional(fields.get("remember"), |entry| positive(entry, report));
    let learn = optional(fields.get("learn"), |entry| fields::duration(entry, report));
    Some(FirstSeen {
        remember: remember?.unwrap_or(REMEMBER_DEFAULT),
        learn: learn?.unwrap_or(LEARN_DEFAULT),
    })
}

fn max_keys_of(entry: &Entry, report: &mut Report) -> Option<usize> {
    usize::try_from(number(entry, KEYS_MAX, report)?).ok()
}

fn inhibitors(entry: &Entry, report: &mut Report) -> Option<Vec<RuleKey>> {
    let texts = fields::texts(entry, report)?;
    if texts.len() > INHIBITORS_MAX {
        report.too_many(fields::place_of(entry), &entry.key, INHIBITORS_MAX);
        return None;
    }
    let mut keys: Vec<RuleKey> = Vec::new();
    for (node, text) in texts {
        let key = RuleKey::new(text);
        if keys.contains(&key) {
            report.named_twice(node.at, fields::shown(node), &entry.key);
            return None;
        }
        keys.push(key);
    }
    Some(keys)
}

fn active(entry: &Entry, context: &Context<'_>, report: &mut Report) -> Option<Hours> {
    let fields = Fields::read(&entry.node, ACTIVE, report)?;
    if fields.get("days").is_none() && fields.get("hours").is_none() {
        report.active_always(fields::place_of(entry));
        return None;
    }
    let days = optional(fields.get("days"), |entry| {
        let mut days = [false; 7];
        let mut is_good = true;
        for (node, text) in fields::texts(entry, report)? {
            if !hours::add_days(text, &mut days) {
                report.not_a_day(node.at, fields::shown(node));
                is_good = false;
            }
        }
        is_good.then_some(days)
    });
    let span = optional(fields.get("hours"), |entry| {
        let span = hours::parse_hours(fields::text(entry, report)?);
        if span.is_none() {
            report.not_hours(fields::place_of(entry), fields::shown(&entry.node));
        }
        span
    });
    let zone = optional(fields.get("tz"), |entry| zone(entry, context, report));
    let (from, upto) = span?.unwrap_or((0, 1_440));
    Some(Hours {
        days: days?.unwrap_or([true; 7]),
        from,
        upto,
        zone: zone?,
    })
}

fn zone(entry: &Entry, context: &Context<'_>, report: &mut Report) -> Option<TimeZone> {
    let name = fields::text(entry, report)?;
    let zone = context.surroundings.zone(name);
    if zone.is_none() {
        report.unknown_zone(fields::place_of(entry), fields::shown(&entry.node));
    }
    zone
}

fn number(entry: &Entry, most: u32, report: &mut Report) -> Option<u32> {
    let number = fields::text(entry, report)?.parse::<u32>().ok();
    let number = number.filter(|number| (1..=most).contains(number));
    if number.is_none() {
        let at = fields::place_of(entry);
        report.not_a_number(at, &entry.key, fields::shown(&entry.node), most);
    }
    number
}

fn positive(entry: &Entry, report: &mut Report) -> Option<Duration> {
    let duration = fields::duration(entry, report)?;
    if duration.is_zero() {
        report.too_short(fields::place_of(entry), &entry.key, "1ms");
        return None;
    }
    Some(duration)
}
