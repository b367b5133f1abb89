//! The fields of rules that watch commands.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Check, Command, Listed, Program, Run, StatusMap, Streak, When};
use crate::diagnostic::Report;
use crate::rules::check::{Context, Layers, optional};
use crate::rules::cron::Cron;
use crate::rules::fields::{self, Fields, Known};
use crate::rules::parse::{Entry, Value};

/// The timeout of a command that says nothing about it, unless `every` is shorter.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// The shortest distance of two runs.
const EVERY_MIN: Duration = Duration::from_secs(1);

/// How many results a state may ask for.
const STREAK_MAX: u32 = 100;

/// How many words a command may have.
const WORDS_MAX: usize = 1_000;

/// How many gaps `repeat` may list.
const GAPS_MAX: usize = 50;

/// The shortest gap between reminders.
const GAP_MIN: Duration = Duration::from_secs(60);

/// The fields of a number of results as a map.
pub(in crate::rules) const STREAK: Known = Known {
    what: "a number of results",
    fields: &["count", "of"],
};

/// What kind of rule it is, by what it watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rules) enum Kind {
    /// Records of files, of the journal or of standard input.
    Records,
    /// A command that the agent runs.
    Command,
    /// What `logcrier exec` tells.
    Exec,
}

/// The fields that say what a rule watches, and the kind that each makes.
pub(in crate::rules) const SOURCES: [(&str, Kind); 6] = [
    ("files", Kind::Records),
    ("journal", Kind::Records),
    ("stdin", Kind::Records),
    ("command", Kind::Command),
    ("shell", Kind::Command),
    ("exec", Kind::Exec),
];

/// Fields of records that only files have.
const OF_FILES: &[&str] = &["exclude_files", "from"];

/// Fields of records that standard input has no use for: it has one name, begins when
/// the agent does, and what programs write there is what terminals understand.
pub(in crate::rules) const NOT_OF_STDIN: &[&str] = &["encoding", "exclude_files", "from"];

/// Fields of records that the journal has no use for: its entries are whole.
const NOT_OF_JOURNAL: &[&str] = &["context", "encoding", "line_max", "multiline"];

/// What a message in the journal may be.
const FORMATS_OF_JOURNAL: [&str; 3] = ["text", "json", "logfmt"];

/// What it cannot be: lines that somebody wrapped up.
const FORMATS_OF_FILES: [&str; 2] = ["cri", "docker"];

/// Fields that only rules of some kinds have.
pub(in crate::rules) const PARTICULAR: &[(&[Kind], &[&str])] = &[
    (
        &[Kind::Records],
        &[
            "by",
            "context",
            "encoding",
            "exclude_files",
            "first_seen",
            "format",
            "from",
            "line_max",
            "max_keys",
            "multiline",
            "resolve",
            "threshold",
        ],
    ),
    (&[Kind::Records, Kind::Exec], &["absent"]),
    (
        &[Kind::Records, Kind::Command],
        &["except", "ignore_case", "match", "where"],
    ),
    (
        &[Kind::Command],
        &[
            "cron",
            "cwd",
            "env",
            "every",
            "retry_every",
            "timeout",
            "tz",
            "user",
        ],
    ),
    (
        &[Kind::Command, Kind::Exec],
        &["fail_after", "recover_after", "status"],
    ),
];

impl Kind {
    /// The words for a rule of this kind.
    pub(in crate::rules) fn words(self) -> &'static str {
        match self {
            Self::Records => "a rule of files",
            Self::Command => "a rule of a command",
            Self::Exec => "a rule of `exec`",
        }
    }

    /// The kind of a rule; nothing if it watches nothing, or several things.
    pub(in crate::rules) fn of(rule: &Fields<'_>, report: &mut Report) -> Option<Self> {
        let mut found = SOURCES
            .iter()
            .filter_map(|(name, kind)| Some((*kind, rule.get(name)?)));
        let Some((kind, first)) = found.next() else {
            report.nothing_watched(rule.at);
            return None;
        };
        // The journal and files may stand for each other.
        let mut found =
            found.filter(|(_, second)| (&*first.key, &*second.key) != ("files", "journal"));
        if let Some((_, second)) = found.next() {
            report.several_sources(second.at, &first.key, &second.key);
            return None;
        }
        Some(kind)
    }

    /// Reports the fields of a rule that mean nothing for its kind.
    pub(in crate::rules) fn refuse_others(self, rule: &Fields<'_>, report: &mut Report) {
        let words = match rule.get("stdin") {
            Some(_) => "a rule of standard input",
            None => self.words(),
        };
        if rule.get("journal").is_some() {
            let lists = match rule.get("files") {
                Some(_) => [NOT_OF_JOURNAL, &[]],
                None => [NOT_OF_JOURNAL, OF_FILES],
            };
            for entry in lists.concat().iter().filter_map(|name| rule.get(name)) {
                let words = "a rule of the journal";
                report.misplaced_field(entry.at, &entry.key, words, "remove it");
            }
            let is_wrapped = |entry: &&Entry| {
                let word = entry.node.as_scalar().map(|scalar| &*scalar.text);
                word.is_some_and(|word| FORMATS_OF_FILES.contains(&word))
            };
            if let Some(entry) = rule.get("format").filter(is_wrapped) {
                let (at, shown) = (fields::place_of(entry), fields::shown(&entry.node));
                report.unknown_format_of_journal(at, shown, &FORMATS_OF_JOURNAL);
            }
        }
        if rule.get("stdin").is_some() {
            for entry in NOT_OF_STDIN.iter().filter_map(|name| rule.get(name)) {
                report.misplaced_field(entry.at, &entry.key, words, "remove it");
            }
        }
        for (kinds, names) in PARTICULAR {
            if kinds.contains(&self) {
                continue;
            }
            for entry in names.iter().filter_map(|name| rule.get(name)) {
                let hint = match (self, entry.key.as_str()) {
                    (Self::Command, "absent") => {
                        "the agent runs it by itself: `every` says how often"
                    }
                    (Self::Command | Self::Exec, "resolve") => {
                        "remove it: a good result ends the problem, see `recover_after`"
                    }
                    (Self::Exec, "timeout") => "write `logcrier exec --timeout 5m …` instead",
                    (Self::Exec, "match" | "except" | "where") => {
                        "let the exit status tell: `status: {0: ok, '*': critical}`"
                    }
                    _ => "remove it",
                };
                report.misplaced_field(entry.at, &entry.key, words, hint);
            }
        }
    }
}

/// Reads what makes a rule a check: nothing if something is wrong.
pub(in crate::rules) fn check(
    kind: Kind,
    layers: Layers<'_>,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Option<Check>> {
    let run = match kind {
        Kind::Records => return Some(None),
        Kind::Command => run(layers, context, report).map(Some),
        Kind::Exec => {
            let entry = layers.rule.get("exec")?;
            let wanted = fields::truth(entry, report);
            if wanted == Some(false) {
                report.exec_false(fields::place_of(entry));
            }
            wanted.filter(|wanted| *wanted).map(|_| None)
        }
    };
    let status = optional(layers.get("status"), |entry| status(entry, report));
    let fail_after = optional(layers.get("fail_after"), |entry| streak(entry, report));
    let recover_after = optional(layers.get("recover_after"), |entry| streak(entry, report));
    Some(Some(Check {
        run: run?,
        status: status?.unwrap_or(StatusMap::Exit),
        fail_after: fail_after?.unwrap_or(Streak::ONCE),
        recover_after: recover_after?.unwrap_or(Streak::ONCE),
    }))
}

/// Checks the defaults of checks by themselves.
pub(in crate::rules) fn defaults(fields: &Fields<'_>, report: &mut Report) {
    let get = |name| fields.get(name);
    let _ = get("timeout").map(|entry| positive(entry, report));
    let _ = get("retry_every").map(|entry| distance(entry, report));
    let _ = get("fail_after").map(|entry| streak(entry, report));
    let _ = get("recover_after").map(|entry| streak(entry, report));
    let _ = get("repeat").map(|entry| repeat(entry, report));
}

fn run(layers: Layers<'_>, context: &Context<'_>, report: &mut Report) -> Option<Run> {
    let rule = layers.rule;
    let program = match (rule.get("command"), rule.get("shell")) {
        (Some(entry), _) => words(entry, context, report),
        (None, Some(entry)) => {
            fields::text(entry, report).map(|line| Program::Shell(line.to_owned()))
        }
        (None, None) => None,
    };
    let when = when(rule, context, report);
    let timeout = optional(layers.get("timeout"), |entry| positive(entry, report));
    let retry_every = optional(layers.get("retry_every"), |entry| distance(entry, report));
    let env = optional(rule.get("env"), |entry| env(entry, report));
    let cwd = optional(rule.get("cwd"), |entry| {
        fields::text(entry, report).map(|text| directory_of(entry, context).join(text))
    });
    let user = optional(rule.get("user"), |entry| {
        fields::text(entry, report).map(str::to_owned)
    });
    let when = when?;
    let longest = match &when {
        When::Every(every) => TIMEOUT_DEFAULT.min(*every),
        When::Cron(_) => TIMEOUT_DEFAULT,
    };
    Some(Run {
        command: Command {
            program: program?,
            timeout: timeout?.unwrap_or(longest),
            env: env?.unwrap_or_default(),
            cwd: cwd?.unwrap_or_else(|| PathBuf::from("/")),
            user: user?,
        },
        when,
        retry_every: retry_every?,
    })
}

/// Reads a program and its arguments. A program that is named by a path is looked
/// for where the file of rules stands.
fn words(entry: &Entry, context: &Context<'_>, report: &mut Report) -> Option<Program> {
    let texts = match &entry.node.value {
        Value::List(nodes) => {
            if nodes.len() > WORDS_MAX {
                report.too_many(fields::place_of(entry), &entry.key, WORDS_MAX);
                return None;
            }
            nodes
                .iter()
                .map(|node| match node.as_scalar() {
                    // An argument may be empty, but it must be there.
                    Some(scalar) if !scalar.is_null() => Some(scalar.text.clone()),
                    Some(_) => {
                        report.empty_value(entry.at, &entry.key);
                        None
                    }
                    None => {
                        report.wrong_kind(node.at, "an argument", "a text", node.kind());
                        None
                    }
                })
                .collect::<Option<Vec<String>>>()?
        }
        Value::Scalar(_) | Value::Map(_) => {
            let text = fields::text(entry, report)?;
            if text.contains(char::is_whitespace) {
                report.command_as_line(fields::place_of(entry), text);
                return None;
            }
            vec![text.to_owned()]
        }
    };
    let mut words = texts;
    match words.first_mut() {
        Some(program) if !program.is_empty() => {
            if program.contains('/') {
                let path = directory_of(entry, context).join(&*program);
                *program = path.to_string_lossy().into_owned();
            }
        }
        Some(_) | None => {
            report.empty_value(fields::place_of(entry), &entry.key);
            return None;
        }
    }
    Some(Program::Words(words))
}

fn directory_of<'c>(entry: &Entry, context: &'c Context<'_>) -> &'c Path {
    let directory = context.directories.get(&entry.at.file);
    directory.map_or(Path::new("/"), PathBuf::as_path)
}

fn when(rule: &Fields<'_>, context: &Context<'_>, report: &mut Report) -> Option<When> {
    let zone = optional(rule.get("tz"), |entry| {
        let name = fields::text(entry, report)?;
        let zone = context.surroundings.zone(name);
        if zone.is_none() {
            report.unknown_zone(fields::place_of(entry), fields::shown(&entry.node));
        }
        zone
    });
    match (rule.get("every"), rule.get("cron")) {
        (Some(every), None) => {
            if let Some(entry) = rule.get("tz") {
                report.zone_without_cron(entry.at);
                return None;
            }
            distance(every, report).map(When::Every)
        }
        (None, Some(entry)) => {
            let text = fields::text(entry, report)?;
            match Cron::parse(text) {
                Ok(cron) => Some(When::Cron(cron.in_zone(zone?))),
                Err(why) => {
                    report.not_a_cron(fields::place_of(entry), &why);
                    None
                }
            }
        }
        (Some(_), Some(cron)) => {
            report.every_and_cron(cron.at);
            None
        }
        (None, None) => {
            report.missing_field(rule.at, "every", "a rule of a command");
            None
        }
    }
}

fn positive(entry: &Entry, report: &mut Report) -> Option<Duration> {
    let duration = fields::duration(entry, report)?;
    if duration.is_zero() {
        report.too_short(fields::place_of(entry), &entry.key, "1s");
        return None;
    }
    Some(duration)
}

/// Reads a distance between runs.
fn distance(entry: &Entry, report: &mut Report) -> Option<Duration> {
    let duration = fields::duration(entry, report)?;
    if duration < EVERY_MIN {
        report.too_short(fields::place_of(entry), &entry.key, "1s");
        return None;
    }
    Some(duration)
}

/// Reads one gap or a list of them.
pub(in crate::rules) fn repeat(entry: &Entry, report: &mut Report) -> Option<Vec<Duration>> {
    let texts = fields::texts(entry, report)?;
    if texts.len() > GAPS_MAX {
        report.too_many(fields::place_of(entry), &entry.key, GAPS_MAX);
        return None;
    }
    let gaps: Vec<Option<Duration>> = texts
        .into_iter()
        .map(|(node, _)| {
            let gap = fields::duration_of(&entry.key, entry.at, node, report)?;
            if gap < GAP_MIN {
                report.too_short(node.at, &entry.key, "1m");
                return None;
            }
            Some(gap)
        })
        .collect();
    gaps.into_iter().collect()
}

fn env(entry: &Entry, report: &mut Report) -> Option<Vec<(String, String)>> {
    let entries = fields::entries_of(&entry.node, "`env`", report)?;
    let mut env = Vec::new();
    let mut is_good = true;
    for (name, entry) in entries {
        if name.is_empty() || name.contains(['=', '\0']) {
            report.not_an_env_name(entry.at);
            is_good = false;
            continue;
        }
        match entry.node.as_scalar() {
            // A variable may be empty.
            Some(scalar) if !scalar.is_null() || scalar.text.is_empty() => {
                env.push((name.to_owned(), scalar.text.clone()));
            }
            Some(_) | None => {
                let kind = entry.node.kind();
                let name = format!("`{name}`");
                report.wrong_kind(fields::place_of(entry), &name, "a text", kind);
                is_good = false;
            }
        }
    }
    is_good.then_some(env)
}

fn status(entry: &Entry, report: &mut Report) -> Option<StatusMap> {
    let Value::Map(_) = entry.node.value else {
        const NAMES: [(&str, bool); 2] = [("exit", false), ("nagios", true)];
        return Some(match fields::word(entry, &NAMES, report)? {
            true => StatusMap::Nagios,
            false => StatusMap::Exit,
        });
    };
    let entries = fields::entries_of(&entry.node, "`status`", report)?;
    let mut listed: Vec<Listed> = Vec::new();
    let mut is_good = true;
    for (range, entry) in entries {
        let meaning = fields::word(entry, &super::MEANINGS, report);
        let range = super::parse_range(range)
            .map_err(|why| report.bad_status(entry.at, &why))
            .ok();
        let (Some(meaning), Some(range)) = (meaning, range) else {
            is_good = false;
            continue;
        };
        let new = Listed { range, meaning };
        if listed.iter().any(|known| super::overlap(known, &new)) {
            let why = format!("`{}` overlaps another entry", entry.key);
            report.bad_status(entry.at, &why);
            is_good = false;
        }
        listed.push(new);
    }
    if listed.is_empty() && is_good {
        report.empty_value(fields::place_of(entry), &entry.key);
        return None;
    }
    is_good.then_some(StatusMap::Listed(listed))
}

/// Reads `3`, or `{count: 3, of: 5}`.
fn streak(entry: &Entry, report: &mut Report) -> Option<Streak> {
    let Value::Map(_) = entry.node.value else {
        let count = results(entry, report)?;
        return Some(Streak { count, of: count });
    };
    let fields = Fields::read(&entry.node, STREAK, report)?;
    let mut number = |name: &str| match fields.get(name) {
        Some(entry) => results(entry, report),
        None => {
            report.missing_field(fields.at, name, "a number of results");
            None
        }
    };
    let (count, of) = (number("count"), number("of"));
    let (count, of) = (count?, of?);
    if of < count {
        report.of_below_count(fields.get("of").map_or(fields.at, fields::place_of));
        return None;
    }
    Some(Streak { count, of })
}

fn results(entry: &Entry, report: &mut Report) -> Option<u32> {
    let text = fields::text(entry, report)?;
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=STREAK_MAX).contains(number));
    if number.is_none() {
        report.not_a_number(
            fields::place_of(entry),
            &entry.key,
            fields::shown(&entry.node),
            STREAK_MAX,
        );
    }
    number
}
