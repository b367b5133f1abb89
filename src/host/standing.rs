//! How things stand with the running agent: what `logcrier status` shows.

use serde::{Deserialize, Serialize};

use crate::engine::status::Status;

/// How things stand with the agent and all it does. The names of the fields are
/// those of the JSON, and other programs rely on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The version that runs.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// When rules and settings were taken up, RFC 3339 in UTC.
    pub settings_loaded: String,
    /// When it was last tried to reload them and mistakes were found, RFC 3339 in
    /// UTC: the older ones stay in force. None once they were reloaded.
    pub reload_failed: Option<String>,
    /// Settings that were changed by a reload and take effect at the next start.
    #[serde(default)]
    pub next_start: Vec<String>,
    /// The rest.
    #[serde(flatten)]
    pub engine: Status,
}
