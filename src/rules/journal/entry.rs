//! An entry of the systemd journal, as `journalctl --output=json` writes it.
//!
//! Its record is `IDENTIFIER[PID]: MESSAGE`, as syslog writes it behind the time and
//! the host, so that one pattern finds a line in a file and its entry in the journal.

use serde_json::Value;

use super::Facts;
use crate::rules::records::parsed::{self, Fields};

/// The fields that are always needed (`systemd.journal-fields(7)`).
pub const FIELDS: [&str; 8] = [
    "MESSAGE",
    "PRIORITY",
    "SYSLOG_IDENTIFIER",
    "UNIT",
    "_COMM",
    "_PID",
    "_SYSTEMD_UNIT",
    "_TRANSPORT",
];

/// What the agent calls itself: its own entries would feed themselves.
const OWN_NAME: &str = "logcrier";

/// An entry. A field may stand there several times, and then is an array; bytes that
/// are no text were made text.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    fields: Fields,
}

/// Whether a name may be that of a field: capital letters, digits and `_`.
pub fn is_field(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.bytes().all(is_good) && name.bytes().any(|byte| byte.is_ascii_uppercase())
}

impl Entry {
    /// Reads an entry; nothing if it is none.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = parsed::json(line)?;
        fields.get("__CURSOR").filter(|cursor| cursor.is_string())?;
        for value in fields.values_mut() {
            let bytes = match &*value {
                Value::Array(values) => bytes_of(values),
                _ => None,
            };
            if let Some(bytes) = bytes {
                *value = String::from_utf8_lossy(&bytes).into_owned().into();
            }
        }
        Some(Self { fields })
    }

    /// Its fields.
    pub fn into_fields(self) -> Fields {
        self.fields
    }

    /// Its name, for ever.
    pub fn cursor(&self) -> &str {
        self.text("__CURSOR").unwrap_or_default()
    }

    /// When it was written, in microseconds since 1970.
    pub fn written_micros(&self) -> i64 {
        let text = self.text("__REALTIME_TIMESTAMP").unwrap_or_default();
        text.parse().unwrap_or_default()
    }

    /// What selections ask for.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            unit: self.text("_SYSTEMD_UNIT"),
            subject: self.text("UNIT"),
            pid: self.text("_PID"),
            identifier: self.text("SYSLOG_IDENTIFIER"),
            transport: self.text("_TRANSPORT"),
            priority: self.text("PRIORITY"),
        }
    }

    /// Whether the agent wrote it.
    pub fn is_own(&self) -> bool {
        let is_ours = |name| self.text(name) == Some(OWN_NAME);
        is_ours("SYSLOG_IDENTIFIER") && is_ours("_COMM")
    }

    /// Where it comes from, for people.
    pub fn source(&self) -> String {
        let name = self.text("_SYSTEMD_UNIT");
        match name.or_else(|| self.text("SYSLOG_IDENTIFIER")) {
            Some(name) => format!("journal: {name}"),
            None => "journal".to_owned(),
        }
    }

    /// The record: identifier, process and message in one line. What would break it is
    /// a space.
    pub fn record(&self) -> Vec<u8> {
        let mut record = Vec::new();
        let identifier = self.text("SYSLOG_IDENTIFIER");
        if let Some(identifier) = identifier.or_else(|| self.text("_COMM")) {
            record.extend_from_slice(identifier.as_bytes());
            let is_kernel = self.text("_TRANSPORT") == Some("kernel");
            if let Some(pid) = self.text("_PID").filter(|_| !is_kernel) {
                record.extend_from_slice(format!("[{pid}]").as_bytes());
            }
            record.extend_from_slice(b": ");
        }
        record.extend_from_slice(&self.message());
        for byte in &mut record {
            if matches!(byte, b'\n' | b'\r' | 0) {
                *byte = b' ';
            }
        }
        record
    }

    /// The message alone, as it was written.
    pub fn message(&self) -> Vec<u8> {
        match self.fields.get("MESSAGE") {
            Some(Value::String(message)) => message.as_bytes().to_vec(),
            Some(Value::Array(parts)) => {
                let parts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
                parts.join(" ").into_bytes()
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The text of a field; of several the first.
    fn text(&self, name: &str) -> Option<&str> {
        match self.fields.get(name)? {
            Value::String(text) => Some(text),
            Value::Array(values) => values.first().and_then(Value::as_str),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        }
    }
}

/// The bytes that stand there as numbers, if that is so.
fn bytes_of(values: &[Value]) -> Option<Vec<u8>> {
    let byte = |value: &Value| value.as_u64().and_then(|byte| u8::try_from(byte).ok());
    let bytes: Option<Vec<u8>> = values.iter().map(byte).collect();
    bytes.filter(|bytes| !bytes.is_empty())
}
