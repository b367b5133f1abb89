//! The fields there are, and the words that they know.

use crate::rules::fields::Known;
use crate::rules::{FormatAs, From, Severity, ThreadMode};

/// The fields of a rule.
pub(in crate::rules) const RULE: Known = Known {
    what: "a rule",
    fields: &[
        "absent",
        "active",
        "by",
        "command",
        "context",
        "cron",
        "cwd",
        "debounce",
        "encoding",
        "env",
        "every",
        "except",
        "exclude_files",
        "exec",
        "fail_after",
        "files",
        "first_seen",
        "format",
        "format_as",
        "from",
        "ignore_case",
        "inhibited_by",
        "journal",
        "key",
        "labels",
        "line_max",
        "match",
        "max_keys",
        "mention",
        "multiline",
        "recover_after",
        "repeat",
        "resolve",
        "retry_every",
        "runbook",
        "severity",
        "shell",
        "space",
        "status",
        "stdin",
        "tests",
        "text",
        "thread",
        "threshold",
        "timeout",
        "title",
        "tz",
        "user",
        "where",
    ],
};

/// The fields of `defaults`.
pub(in crate::rules) const DEFAULTS: Known = Known {
    what: "`defaults`",
    fields: &[
        "active",
        "context",
        "debounce",
        "encoding",
        "exclude_files",
        "fail_after",
        "format",
        "format_as",
        "from",
        "ignore_case",
        "labels",
        "line_max",
        "max_keys",
        "mention",
        "multiline",
        "recover_after",
        "repeat",
        "retry_every",
        "runbook",
        "severity",
        "space",
        "text",
        "thread",
        "timeout",
        "title",
    ],
};

/// The fields of a rule file.
pub(in crate::rules) const RULE_FILE: Known = Known {
    what: "a rule file",
    fields: &["defaults", "rules"],
};

/// The fields of `debounce` as a map.
pub(in crate::rules) const DEBOUNCE: Known = Known {
    what: "`debounce`",
    fields: &["every", "max"],
};

/// The words for how bad something is.
pub(in crate::rules) const SEVERITIES: [(&str, Severity); 4] = [
    ("info", Severity::Info),
    ("warning", Severity::Warning),
    ("error", Severity::Error),
    ("critical", Severity::Critical),
];

/// The words for threads.
pub(in crate::rules) const THREADS: [(&str, ThreadMode); 5] = [
    ("rule", ThreadMode::Rule),
    ("instance", ThreadMode::Instance),
    ("incident", ThreadMode::Incident),
    ("day", ThreadMode::Day),
    ("none", ThreadMode::None),
];

/// The words for what a message is made of.
pub(in crate::rules) const FORMATS: [(&str, FormatAs); 2] =
    [("text", FormatAs::Text), ("card", FormatAs::Card)];

/// The words for where reading starts.
pub(in crate::rules) const FROMS: [(&str, From); 2] =
    [("end", From::End), ("beginning", From::Beginning)];
