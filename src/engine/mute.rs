//! Why an instance only counts for a while.

use serde::{Deserialize, Serialize};

use super::message::Reason;

/// Why an instance only counts: its events are held, and said in one summary when it
/// may speak again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mute {
    /// Somebody asked for silence.
    Silence,
    /// It is none of its hours.
    Hours,
    /// Something bigger is known.
    Inhibitor,
}

impl Mute {
    /// Why the message exists that is said when it is over.
    pub fn end(self) -> Reason {
        match self {
            Self::Silence => Reason::SilenceEnd,
            Self::Hours => Reason::HoursBegin,
            Self::Inhibitor => Reason::InhibitorEnd,
        }
    }
}
