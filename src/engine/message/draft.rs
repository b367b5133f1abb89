//! What a message says and why it exists, before it is worded.

use serde::{Deserialize, Serialize};

use super::tally::Tally;
use crate::engine::time::Wall;

/// What a message says, before it is worded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Why it exists.
    pub reason: Reason,
    /// The events it speaks for.
    pub tally: Tally,
    /// Events of the incident so far.
    pub total: u64,
    /// When the incident began.
    pub since: Wall,
    /// When it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Wall>,
}

/// Why a message exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The first event of an idle instance.
    First,
    /// A window ended in which something was counted.
    Summary,
    /// It is worse than what was said before.
    Severity,
    /// An incident is still open.
    Repeat,
    /// An incident is over.
    Resolved,
    /// An incident is over of which nothing was said.
    Brief,
    /// An instance opens and closes too often to say each time.
    Flapping,
    /// An instance that was flapping has not changed for a while.
    Steady,
    /// A check tells nothing.
    Broken,
    /// A check tells something again.
    Mended,
    /// The rule of an open incident is no more.
    Dropped,
    /// A sign of life did not come.
    Absent,
    /// Signs of life come again.
    Returned,
    /// A silence is over in which something was counted.
    SilenceEnd,
    /// The hours of a rule begin, and something was counted before.
    HoursBegin,
    /// Something bigger is over that kept an instance quiet.
    InhibitorEnd,
}

/// What a message says of the course of an incident, whatever called for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Course {
    /// Something happens, or goes on.
    Lasts,
    /// It is over.
    Over,
    /// It opens and closes too often to say each time.
    Flapping,
    /// After that it has not changed for a while.
    Steady,
    /// The check itself tells nothing.
    Broken,
    /// The check tells something again.
    Mended,
    /// Its rule is no more.
    Dropped,
}

impl Reason {
    /// The word that templates see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Summary => "summary",
            Self::Severity => "severity",
            Self::Repeat => "repeat",
            Self::Resolved | Self::Brief | Self::Mended | Self::Dropped | Self::Returned => {
                "resolved"
            }
            Self::Flapping => "flapping",
            Self::Steady => "summary",
            Self::Broken | Self::Absent => "first",
            Self::SilenceEnd | Self::HoursBegin | Self::InhibitorEnd => "silence_end",
        }
    }

    /// The word that tells apart the messages that are born with one event.
    pub fn birth_word(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Broken => "broken",
            Self::Mended => "mended",
            Self::HoursBegin => "hours_begin",
            Self::InhibitorEnd => "inhibitor_end",
            Self::SilenceEnd
            | Self::Absent
            | Self::Returned
            | Self::First
            | Self::Summary
            | Self::Severity
            | Self::Repeat
            | Self::Resolved
            | Self::Brief
            | Self::Flapping
            | Self::Dropped => self.as_str(),
        }
    }

    /// What such a message says of the course of its incident.
    pub(in crate::engine) fn course(self) -> Course {
        match self {
            Self::First
            | Self::Summary
            | Self::Severity
            | Self::Repeat
            | Self::Absent
            | Self::SilenceEnd
            | Self::HoursBegin
            | Self::InhibitorEnd => Course::Lasts,
            Self::Resolved | Self::Brief | Self::Returned => Course::Over,
            Self::Flapping => Course::Flapping,
            Self::Steady => Course::Steady,
            Self::Broken => Course::Broken,
            Self::Mended => Course::Mended,
            Self::Dropped => Course::Dropped,
        }
    }

    /// Whether something that kept the instance quiet is over.
    pub(in crate::engine) fn ends_quiet(self) -> bool {
        matches!(
            self,
            Self::SilenceEnd | Self::HoursBegin | Self::InhibitorEnd
        )
    }

    /// Whether a message that exists for it speaks for later events of its instance
    /// as well, until it is attempted.
    pub fn absorbs(self) -> bool {
        self.course() == Course::Lasts
    }
}
