//! The fields of rules that say how records are read and selected.

use std::sync::Arc;
use std::time::Duration;

use super::super::check::{Layers, optional};
use super::super::fields::{self, Fields, Known};
use super::super::parse::{Entry, Node, Scalar, Value};
use super::super::regexes::{self, Breaks, Case, Purpose};
use super::super::vocabulary::Vocabulary;
use super::super::{Severity, SeverityOf};
use super::conditions::{Comparison, Condition, Literal, Test, Where, number};
use super::reading::{Encoding, Format, Joins, LINE_BYTES_MAX, Multiline, Reading, TIMEOUT};
use super::searcher::Context;
use crate::diagnostic::Report;

/// The most bytes of a line that may be kept: what is read at once holds two of them.
const LINE_MAX_MOST: usize = 1 << 20;

/// The least: a shorter one holds no record.
const LINE_MAX_LEAST: usize = 64;

/// The longest wait for the rest of a record.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// The shortest.
const TIMEOUT_MIN: Duration = Duration::from_millis(10);

/// Lines before or after a hit that may be asked for.
const CONTEXT_LINES_MAX: usize = 50;

/// How many fields `where` may ask for.
const CONDITIONS_MAX: usize = 100;

/// How many values an operator may list.
const VALUES_MAX: usize = 1_000;

const MULTILINE: Known = Known {
    what: "`multiline`",
    fields: &["continue", "indent", "start", "timeout"],
};

const CONTEXT: Known = Known {
    what: "`context`",
    fields: &["after", "before"],
};

const SEVERITY: Known = Known {
    what: "`severity`",
    fields: &["from", "map"],
};

/// The operators of `where`.
const OPERATORS: [&str; 14] = [
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "not_in",
    "prefix",
    "not_prefix",
    "suffix",
    "contains",
    "matches",
    "exists",
];

/// Reads how a rule reads its files; nothing if something is wrong.
pub(in crate::rules) fn reading(layers: Layers<'_>, report: &mut Report) -> Option<Reading> {
    let format = optional(layers.get("format"), |entry| {
        fields::word(entry, &Format::ALL, report)
    });
    let multiline = optional(layers.get("multiline"), |entry| multiline(entry, report));
    let encoding = optional(layers.get("encoding"), |entry| encoding(entry, report));
    let line_max = optional(layers.get("line_max"), |entry| line_max(entry, report));
    Some(Reading {
        format: format?.unwrap_or_default(),
        multiline: multiline?,
        encoding: encoding?.unwrap_or(Encoding::UTF_8),
        line_bytes_max: line_max?.unwrap_or(LINE_BYTES_MAX),
    })
}

/// Checks the defaults of records by themselves.
pub(in crate::rules) fn defaults(fields: &Fields<'_>, report: &mut Report) {
    let get = |name| fields.get(name);
    let _ = get("format").map(|entry| fields::word(entry, &Format::ALL, report));
    let _ = get("multiline").map(|entry| multiline(entry, report));
    let _ = get("encoding").map(|entry| encoding(entry, report));
    let _ = get("line_max").map(|entry| line_max(entry, report));
    let _ = get("context").map(|entry| context(entry, report));
}

fn multiline(entry: &Entry, report: &mut Report) -> Option<Multiline> {
    if let Value::Scalar(_) = entry.node.value {
        const WORDS: [(&str, ()); 1] = [("indent", ())];
        fields::word(entry, &WORDS, report)?;
        return Some(Multiline {
            joins: Joins::Indent,
            timeout: TIMEOUT,
        });
    }
    let fields = Fields::read(&entry.node, MULTILINE, report)?;
    let mut pattern = |name: &str| {
        let entry = fields.get(name)?;
        // One regex: several may be written as alternatives.
        fields::text(entry, report)?;
        let read = regexes::read(entry, Purpose::Join, Case::Kept, Breaks::Never, report);
        Some(read.and_then(|patterns| patterns.into_iter().next()))
    };
    let (start, continues) = (pattern("start"), pattern("continue"));
    let indent = fields.get("indent").map(|entry| {
        let wanted = fields::truth(entry, report);
        if wanted == Some(false) {
            report.indent_false(fields::place_of(entry));
        }
        wanted.filter(|wanted| *wanted)
    });
    let timeout = optional(fields.get("timeout"), |entry| {
        let timeout = fields::duration(entry, report)?;
        if timeout < TIMEOUT_MIN {
            report.too_short(fields::place_of(entry), &entry.key, "10ms");
            return None;
        }
        if timeout > TIMEOUT_MAX {
            report.too_long(fields::place_of(entry), &entry.key, "1m");
            return None;
        }
        Some(timeout)
    });
    let n_ways = ["start", "continue", "indent"]
        .iter()
        .filter(|name| fields.get(name).is_some())
        .count();
    if n_ways != 1 {
        report.multiline_choice(fields::place_of(entry));
        return None;
    }
    let joins = match (start, continues, indent) {
        (Some(pattern), ..) => Joins::Start(pattern?),
        (None, Some(pattern), _) => Joins::Continue(pattern?),
        (None, None, indent) => indent?.map(|_| Joins::Indent)?,
    };
    Some(Multiline {
        joins,
        timeout: timeout?.unwrap_or(TIMEOUT),
    })
}

fn encoding(entry: &Entry, report: &mut Report) -> Option<Encoding> {
    let found = Encoding::of(fields::text(entry, report)?);
    if found.is_none() {
        report.unknown_encoding(fields::place_of(entry), fields::shown(&entry.node));
    }
    found
}

fn line_max(entry: &Entry, report: &mut Report) -> Option<usize> {
    let bytes = size(entry, report)?;
    let at = fields::place_of(entry);
    let shown = fields::shown(&entry.node);
    if bytes < LINE_MAX_LEAST {
        let why = format!("`line_max` is {LINE_MAX_LEAST} bytes at least");
        report.not_a_size(at, shown, &why);
        return None;
    }
    if bytes > LINE_MAX_MOST {
        let why = format!("`line_max` is {}MiB at most", LINE_MAX_MOST >> 20);
        report.not_a_size(at, shown, &why);
        return None;
    }
    Some(bytes)
}

/// Reads bytes as a number, or with one of the units `KiB`, `MiB`, `GiB`.
fn size(entry: &Entry, report: &mut Report) -> Option<usize> {
    const UNITS: [(&str, usize); 4] = [
        ("", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    let text = fields::text(entry, report)?;
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(n_digits);
    let factor = UNITS.iter().find(|(name, _)| *name == unit.trim_start());
    let bytes = match (number.parse::<usize>(), factor) {
        (Ok(number), Some((_, factor))) => number.checked_mul(*factor).ok_or("it is too large"),
        (Ok(_), None) => Err("its unit is none of `KiB`, `MiB`, `GiB`"),
        (Err(_), _) => Err("it does not begin with a whole number"),
    };
    bytes
        .map_err(|why| {
            let shown = fields::shown(&entry.node);
            report.not_a_size(fields::place_of(entry), shown, why);
        })
        .ok()
}

/// Reads which lines around a hit are shown.
pub(in crate::rules) fn context(entry: &Entry, report: &mut Report) -> Option<Context> {
    let fields = Fields::read(&entry.node, CONTEXT, report)?;
    let mut lines = |name: &str| {
        optional(fields.get(name), |entry| {
            let text = fields::text(entry, report)?;
            let lines = text
                .parse()
                .ok()
                .filter(|lines| *lines <= CONTEXT_LINES_MAX);
            if lines.is_none() {
                let (at, shown) = (fields::place_of(entry), fields::shown(&entry.node));
                report.not_a_count(at, &entry.key, shown, 0, CONTEXT_LINES_MAX as u64);
            }
            lines
        })
    };
    let (before, after) = (lines("before"), lines("after"));
    let context = Context {
        before: before?.unwrap_or(0),
        after: after?.unwrap_or(0),
    };
    if context == Context::default() {
        report.empty_context(fields::place_of(entry));
        return None;
    }
    Some(context)
}

/// Reads conditions.
pub(in crate::rules) fn conditions(
    entry: &Entry,
    names: Vocabulary<'_>,
    report: &mut Report,
) -> Option<Where> {
    let entries = fields::entries_of(&entry.node, "`where`", report)?;
    if entries.is_empty() {
        report.empty_value(fields::place_of(entry), &entry.key);
        return None;
    }
    if entries.len() > CONDITIONS_MAX {
        report.too_many(fields::place_of(entry), &entry.key, CONDITIONS_MAX);
        return None;
    }
    let mut conditions = Vec::new();
    let mut is_good = true;
    for (name, entry) in entries {
        if !names.has(name) {
            report.unknown_field_of_text(entry.at, name, &names.captures());
            is_good = false;
        }
        match tests(entry, report) {
            Some(tests) => conditions.push(Condition {
                field: name.into(),
                tests,
            }),
            None => is_good = false,
        }
    }
    is_good.then_some(Where(conditions))
}

/// Reads what is asked of one field.
fn tests(entry: &Entry, report: &mut Report) -> Option<Vec<Test>> {
    match &entry.node.value {
        Value::Scalar(_) | Value::List(_) => Some(vec![Test::In(literals(entry, report)?)]),
        Value::Map(_) => {
            let operators = fields::entries_of(&entry.node, &format!("`{}`", entry.key), report)?;
            if operators.is_empty() {
                report.nothing_asked(fields::place_of(entry), &entry.key);
                return None;
            }
            let tests: Vec<Option<Test>> = (operators.values())
                .map(|operator| test(&entry.key, operator, report))
                .collect();
            tests.into_iter().collect()
        }
    }
}

fn test(field: &str, entry: &Entry, report: &mut Report) -> Option<Test> {
    let compare = |comparison, report: &mut Report| {
        let text = fields::text(entry, report)?;
        let with = number(text);
        if with.is_none() {
            let shown = fields::shown(&entry.node);
            report.not_comparable(fields::place_of(entry), &entry.key, shown);
        }
        Some(Test::Compare(comparison, with?))
    };
    let texts = |report: &mut Report| {
        let texts = fields::texts(entry, report)?;
        if texts.len() > VALUES_MAX {
            report.too_many(fields::place_of(entry), &entry.key, VALUES_MAX);
            return None;
        }
        Some(texts.into_iter().map(|(_, text)| text.to_owned()).collect())
    };
    match entry.key.as_str() {
        "eq" | "ne" => {
            // One value: a list has operators of its own.
            fields::text(entry, report)?;
            let literals = literals(entry, report)?;
            Some(match entry.key.as_str() {
                "eq" => Test::In(literals),
                _ => Test::NotIn(literals),
            })
        }
        "in" => Some(Test::In(literals(entry, report)?)),
        "not_in" => Some(Test::NotIn(literals(entry, report)?)),
        "gt" => compare(Comparison::Greater, report),
        "gte" => compare(Comparison::GreaterOrEqual, report),
        "lt" => compare(Comparison::Less, report),
        "lte" => compare(Comparison::LessOrEqual, report),
        "prefix" => texts(report).map(Test::Prefix),
        "not_prefix" => texts(report).map(Test::NotPrefix),
        "suffix" => texts(report).map(Test::Suffix),
        "contains" => texts(report).map(Test::Contains),
        "matches" => {
            regexes::read(entry, Purpose::Match, Case::Kept, Breaks::May, report).map(Test::Matches)
        }
        "exists" => fields::truth(entry, report).map(Test::Exists),
        other => {
            report.unknown_operator(entry.at, field, other, &OPERATORS);
            None
        }
    }
}

fn literals(entry: &Entry, report: &mut Report) -> Option<Vec<Literal>> {
    let texts = fields::texts(entry, report)?;
    if texts.len() > VALUES_MAX {
        report.too_many(fields::place_of(entry), &entry.key, VALUES_MAX);
        return None;
    }
    let literal = |(node, text): (&Node, &str)| Literal {
        text: text.to_owned(),
        number: number(text).filter(|_| {
            node.as_scalar()
                .is_some_and(|scalar: &Scalar| scalar.is_plain)
        }),
    };
    Some(texts.into_iter().map(literal).collect())
}

/// Reads a severity that depends on a field.
pub(in crate::rules) fn severity_of(
    entry: &Entry,
    words: &[(&'static str, Severity)],
    report: &mut Report,
) -> Option<SeverityOf> {
    let fields = Fields::read(&entry.node, SEVERITY, report)?;
    let mut required = |name: &str| {
        let found = fields.get(name);
        if found.is_none() {
            report.missing_field(fields.at, name, "`severity`");
        }
        found
    };
    let (from, map) = (required("from"), required("map"));
    let from = from.and_then(|entry| fields::text(entry, report));
    let map = map.and_then(|entry| {
        let entries = fields::entries_of(&entry.node, "`map`", report)?;
        if entries.is_empty() {
            report.empty_severity_map(fields::place_of(entry));
            return None;
        }
        let pairs: Vec<Option<(String, Severity)>> = (entries.into_iter())
            .map(|(value, entry)| Some((value.to_owned(), fields::word(entry, words, report)?)))
            .collect();
        pairs.into_iter().collect::<Option<Vec<_>>>()
    });
    let mut of = SeverityOf {
        from: Arc::from(from?),
        map: map?.into_iter().collect(),
        others: None,
    };
    of.others = of.map.remove("*");
    Some(of)
}
