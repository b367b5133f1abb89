//! How the bytes of a file become records.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::pattern::Pattern;

/// Bytes of a line that are kept and searched, unless a rule says otherwise; the
/// rest is cut and marked.
pub const LINE_BYTES_MAX: usize = 16 << 10;

/// How long an unfinished record is waited for, unless a rule says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// How a rule reads its files.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What a line is.
    pub format: Format,
    /// Which lines form one record; each is one by itself where there is none.
    pub multiline: Option<Multiline>,
    /// How characters are written.
    pub encoding: Encoding,
    /// Bytes of a line that are kept and searched.
    pub line_bytes_max: usize,
}

/// Tells readings apart, also those of an earlier life: rules whose readings have
/// equal keys share a stream of a file. Empty for the ordinary one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReadingKey(pub Arc<str>);

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// `key=value` pairs.
    Logfmt,
    /// What container runtimes write: a time, a stream, a tag, a part of a line.
    Cri,
    /// What Docker's `json-file` writes: a JSON object around a part of a line.
    Docker,
    /// An entry of the journal with its fields. Not to be asked for: what a rule of the
    /// journal alone reads.
    Journal,
}

/// Which lines form one record.
#[derive(Debug, Clone)]
pub struct Multiline {
    /// How a line tells that it goes on with the record before it.
    pub joins: Joins,
    /// How long a record is waited for that may go on, without growth.
    pub timeout: Duration,
}

/// How a line tells that it goes on with the record before it.
#[derive(Debug, Clone)]
pub enum Joins {
    /// It is not found in it: it is found where a record begins.
    Start(Arc<Pattern>),
    /// It is found in it.
    Continue(Arc<Pattern>),
    /// It begins with a space or a tab.
    Indent,
}

/// How characters are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

/// Which byte of a pair comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// The low one.
    Little,
    /// The high one.
    Big,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            format: Format::Text,
            multiline: None,
            encoding: Encoding::UTF_8,
            line_bytes_max: LINE_BYTES_MAX,
        }
    }
}

impl Reading {
    /// Whether records are lines as they stand in the file: then a region is searched
    /// as a whole.
    pub fn is_plain(&self) -> bool {
        self.format == Format::Text && self.multiline.is_none() && self.encoding.is_utf8()
    }

    /// Whether there may be line breaks within a record, or within its message.
    pub fn may_hold_breaks(&self) -> bool {
        self.multiline.is_some()
            || !matches!(self.format, Format::Text | Format::Cri | Format::Journal)
    }

    /// The way to read what is in the journal: the fields of entries, if messages have
    /// none.
    pub fn of_entries(&self) -> Self {
        Self {
            format: match self.format {
                format @ (Format::Json | Format::Logfmt) => format,
                Format::Text | Format::Cri | Format::Docker | Format::Journal => Format::Journal,
            },
            ..Self::default()
        }
    }

    /// The same way to read, without the encoding that files may have.
    pub fn in_utf8(self) -> Self {
        Self {
            encoding: Self::default().encoding,
            ..self
        }
    }

    /// What tells it apart from others.
    pub fn key(&self) -> ReadingKey {
        if self.is_plain() && self.line_bytes_max == LINE_BYTES_MAX {
            return ReadingKey::default();
        }
        let multiline = match &self.multiline {
            None => String::new(),
            Some(Multiline { joins, timeout }) => {
                let joins = match joins {
                    Joins::Start(pattern) => format!("start {}", pattern.as_str()),
                    Joins::Continue(pattern) => format!("continue {}", pattern.as_str()),
                    Joins::Indent => "indent".to_owned(),
                };
                format!(" {} ms {joins}", timeout.as_millis())
            }
        };
        let (encoding, line_bytes_max) = (self.encoding.name(), self.line_bytes_max);
        let format = self.format.as_str();
        ReadingKey(format!("{format} {encoding} {line_bytes_max}{multiline}").into())
    }

    /// How long a record that may go on is waited for.
    pub fn timeout(&self) -> Duration {
        (self.multiline.as_ref()).map_or(TIMEOUT, |multiline| multiline.timeout)
    }
}

impl Default for ReadingKey {
    fn default() -> Self {
        Self("".into())
    }
}

impl ReadingKey {
    /// Whether it is that of the ordinary reading.
    pub fn is_ordinary(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for ReadingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Format {
    /// All of them, by the words people write.
    pub const ALL: [(&'static str, Self); 5] = [
        ("text", Self::Text),
        ("json", Self::Json),
        ("logfmt", Self::Logfmt),
        ("cri", Self::Cri),
        ("docker", Self::Docker),
    ];

    /// The word people write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Cri => "cri",
            Self::Docker => "docker",
            Self::Journal => "journal",
        }
    }

    /// Whether its records have fields of their own.
    pub fn is_structured(self) -> bool {
        self != Self::Text
    }

    /// Whether its lines are parts of lines that somebody wrapped up.
    pub fn is_wrapped(self) -> bool {
        matches!(self, Self::Cri | Self::Docker)
    }
}

impl Multiline {
    /// Whether a line goes on with the record before it.
    pub fn continues(&self, line: &[u8]) -> bool {
        match &self.joins {
            Joins::Start(pattern) => !pattern.is_found_in(line),
            Joins::Continue(pattern) => pattern.is_found_in(line),
            Joins::Indent => line.starts_with(b" ") || line.starts_with(b"\t"),
        }
    }
}

impl Encoding {
    /// The ordinary one. What is not valid in it is searched as bytes.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);

    /// The encoding of a WHATWG label, such as `utf-16le` or `latin1`, if there is one
    /// in which text can be written.
    pub fn of(label: &str) -> Option<Self> {
        let found = encoding_rs::Encoding::for_label(label.as_bytes())?;
        (found != encoding_rs::REPLACEMENT).then_some(Self(found))
    }

    /// Its WHATWG name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether it is UTF-8.
    pub fn is_utf8(self) -> bool {
        self.0 == encoding_rs::UTF_8
    }

    /// The order of bytes, where characters take pairs of them. In all other encodings
    /// a line ends where the byte `\n` stands.
    pub fn pairs(self) -> Option<Endian> {
        if self.0 == encoding_rs::UTF_16LE {
            Some(Endian::Little)
        } else if self.0 == encoding_rs::UTF_16BE {
            Some(Endian::Big)
        } else {
            None
        }
    }

    /// Bytes as UTF-8. What is UTF-8 already stays as it is, valid or not.
    pub fn decode<'b>(self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if self.is_utf8() {
            return Cow::Borrowed(bytes);
        }
        match self.0.decode_without_bom_handling(bytes).0 {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_told_apart() {
        let json = Reading {
            format: Format::Json,
            ..Reading::default()
        };
        let long = Reading {
            line_bytes_max: 1 << 20,
            ..Reading::default()
        };
        let regex = regex::bytes::Regex::new("^x").unwrap();
        let pattern = Arc::new(Pattern::of(&regex));
        let joined = |joins, secs| Reading {
            multiline: Some(Multiline {
                joins,
                timeout: Duration::from_secs(secs),
            }),
            ..Reading::default()
        };
        let readings = [
            Reading::default(),
            json,
            long,
            joined(Joins::Indent, 5),
            joined(Joins::Indent, 6),
            joined(Joins::Start(pattern.clone()), 5),
            joined(Joins::Continue(pattern), 5),
        ];
        let keys: std::collections::BTreeSet<ReadingKey> =
            readings.iter().map(Reading::key).collect();
        assert_eq!(keys.len(), readings.len());
        assert!(Reading::default().key().is_ordinary());
    }

    #[test]
    fn labels_of_encodings() {
        for (label, name) in [
            ("utf8", Some("UTF-8")),
            ("latin1", Some("windows-1252")),
            ("UTF-16", Some("UTF-16LE")),
            ("utf-16be", Some("UTF-16BE")),
            ("Shift_JIS", Some("Shift_JIS")),
            ("iso-2022-kr", None),
            ("klingon", None),
        ] {
            assert_eq!(Encoding::of(label).map(Encoding::name), name, "{label}");
        }
        let latin1 = Encoding::of("latin1").unwrap();
        assert_eq!(&*latin1.decode(b"caf\xe9"), "café".as_bytes());
        assert_eq!(&*Encoding::UTF_8.decode(b"caf\xe9"), b"caf\xe9");
    }
}
