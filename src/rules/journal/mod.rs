//! Which entries of the systemd journal a rule looks at.

use globset::{GlobBuilder, GlobMatcher};

mod entry;

pub use entry::{Entry, FIELDS, is_field};

use super::check::optional;
use super::fields::{self, Fields, Known};
use super::parse::Entry as Written;
use crate::diagnostic::Report;

/// How many names a field may have.
const NAMES_MAX: usize = 100;

pub(super) const JOURNAL: Known = Known {
    what: "`journal`",
    fields: &["identifier", "priority", "transport", "unit"],
};

/// The priorities of syslog, the worst first, as `journalctl` names them.
pub(super) const PRIORITIES: [(&str, u8); 16] = [
    ("emerg", 0),
    ("alert", 1),
    ("crit", 2),
    ("err", 3),
    ("warning", 4),
    ("notice", 5),
    ("info", 6),
    ("debug", 7),
    ("0", 0),
    ("1", 1),
    ("2", 2),
    ("3", 3),
    ("4", 4),
    ("5", 5),
    ("6", 6),
    ("7", 7),
];

/// The priority of entries that have none.
const PRIORITY_DEFAULT: u8 = 6;

/// How entries come into the journal (`systemd.journal-fields(7)`).
pub(super) const TRANSPORTS: [&str; 6] =
    ["audit", "driver", "journal", "kernel", "stdout", "syslog"];

/// The process id of the service manager, which speaks of units in their stead.
const MANAGER: &str = "1";

/// The entries that a rule looks at. What is empty asks for nothing; of several
/// names of a field one is enough, and every field must agree.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    units: Vec<Name>,
    identifiers: Vec<Name>,
    transports: Vec<String>,
    priority: Option<u8>,
}

/// A name that may have `*` and `?` in it.
#[derive(Debug, Clone)]
struct Name(GlobMatcher);

/// What a selection asks of an entry; a field that it does not have is `None`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The unit that the process belongs to (`_SYSTEMD_UNIT`).
    pub unit: Option<&'a str>,
    /// The unit that is spoken of (`UNIT`), to be believed of the manager only.
    pub subject: Option<&'a str>,
    /// The process (`_PID`).
    pub pid: Option<&'a str>,
    /// What the program calls itself (`SYSLOG_IDENTIFIER`).
    pub identifier: Option<&'a str>,
    /// How the entry came (`_TRANSPORT`).
    pub transport: Option<&'a str>,
    /// How bad it is (`PRIORITY`).
    pub priority: Option<&'a str>,
}

impl Selection {
    /// Whether an entry is one of those.
    pub fn selects(&self, facts: &Facts<'_>) -> bool {
        let is_one = |names: &[Name], value: Option<&str>| {
            value.is_some_and(|value| names.iter().any(|name| name.0.is_match(value)))
        };
        let subject = facts.subject.filter(|_| facts.pid == Some(MANAGER));
        let unit = self.units.is_empty()
            || is_one(&self.units, facts.unit)
            || is_one(&self.units, subject);
        let identifier = self.identifiers.is_empty() || is_one(&self.identifiers, facts.identifier);
        let transport = self.transports.is_empty()
            || (facts.transport)
                .is_some_and(|transport| self.transports.iter().any(|known| known == transport));
        let priority = self.priority.is_none_or(|worst| {
            let own = facts.priority.and_then(|text| text.parse().ok());
            own.unwrap_or(PRIORITY_DEFAULT) <= worst
        });
        unit && identifier && transport && priority
    }
}

/// Reads the field `journal`.
pub(super) fn read(entry: &Written, report: &mut Report) -> Option<Selection> {
    let fields = Fields::read(&entry.node, JOURNAL, report)?;
    let units = optional(fields.get("unit"), |entry| names(entry, unit_name, report));
    let identifiers = optional(fields.get("identifier"), |entry| {
        names(entry, str::to_owned, report)
    });
    let transports = optional(fields.get("transport"), |entry| transports(entry, report));
    let priority = optional(fields.get("priority"), |entry| {
        fields::word(entry, &PRIORITIES, report)
    });
    Some(Selection {
        units: units?.unwrap_or_default(),
        identifiers: identifiers?.unwrap_or_default(),
        transports: transports?.unwrap_or_default(),
        priority: priority?,
    })
}

fn names(
    entry: &Written,
    whole: impl Fn(&str) -> String,
    report: &mut Report,
) -> Option<Vec<Name>> {
    let texts = fields::texts(entry, report)?;
    if texts.len() > NAMES_MAX {
        report.too_many(fields::place_of(entry), &entry.key, NAMES_MAX);
        return None;
    }
    let names: Vec<Option<Name>> = texts
        .into_iter()
        .map(|(node, text)| {
            let glob = GlobBuilder::new(&whole(text))
                .backslash_escape(true)
                .build();
            glob.map(|glob| Name(glob.compile_matcher()))
                .map_err(|error| report.not_a_glob(node.at, &error.kind().to_string()))
                .ok()
        })
        .collect();
    names.into_iter().collect()
}

/// The name of a unit as the journal has it: `ssh` is `ssh.service`.
fn unit_name(text: &str) -> String {
    const KINDS: [&str; 11] = [
        "service",
        "socket",
        "target",
        "device",
        "mount",
        "automount",
        "swap",
        "timer",
        "path",
        "slice",
        "scope",
    ];
    let is_whole = (text.rsplit_once('.')).is_some_and(|(_, kind)| KINDS.contains(&kind));
    match is_whole || text.ends_with('*') {
        true => text.to_owned(),
        false => format!("{text}.service"),
    }
}

fn transports(entry: &Written, report: &mut Report) -> Option<Vec<String>> {
    let mut transports = Vec::new();
    let mut is_good = true;
    for (node, text) in fields::texts(entry, report)? {
        if !TRANSPORTS.contains(&text) {
            report.unknown_word(node.at, &entry.key, fields::shown(node), &TRANSPORTS);
            is_good = false;
        }
        transports.push(text.to_owned());
    }
    is_good.then_some(transports)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(yaml: &str) -> Selection {
        let text = format!("journal: {yaml}");
        let mut report = Report::new();
        let file = report.add_file("test", &text);
        let root = super::super::parse::parse(file, &text, &mut report).unwrap();
        let super::super::parse::Value::Map(entries) = &root.value else {
            panic!("a map");
        };
        let selection = read(&entries[0], &mut report);
        assert!(!report.has_errors(), "{yaml}");
        selection.unwrap()
    }

    #[test]
    fn entries_are_selected() {
        let ssh = Facts {
            unit: Some("ssh.service"),
            pid: Some("17"),
            identifier: Some("sshd"),
            transport: Some("syslog"),
            priority: Some("4"),
            ..Facts::default()
        };
        let of_manager = Facts {
            unit: Some("init.scope"),
            subject: Some("ssh.service"),
            pid: Some("1"),
            ..Facts::default()
        };
        let pretender = Facts {
            pid: Some("4711"),
            ..of_manager
        };
        for (yaml, facts, expected) in [
            ("{}", ssh, true),
            ("{unit: ssh}", ssh, true),
            ("{unit: [cron, ssh.service]}", ssh, true),
            ("{unit: 'ss*'}", ssh, true),
            ("{unit: cron}", ssh, false),
            ("{unit: ssh}", of_manager, true),
            ("{unit: ssh}", pretender, false),
            ("{identifier: sshd}", ssh, true),
            ("{identifier: 'sshd-*'}", ssh, false),
            ("{identifier: sshd, unit: cron}", ssh, false),
            ("{transport: [kernel, syslog]}", ssh, true),
            ("{transport: kernel}", ssh, false),
            ("{priority: warning}", ssh, true),
            ("{priority: 4}", ssh, true),
            ("{priority: err}", ssh, false),
            ("{priority: info}", of_manager, true),
            ("{priority: notice}", of_manager, false),
        ] {
            assert_eq!(selection(yaml).selects(&facts), expected, "{yaml}");
        }
    }
}
