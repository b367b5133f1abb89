//! What `proc(5)` tells of processes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::running::MARK;

/// The processes whose parent we are (`proc(5)`, `/proc/PID/task/TID/children`).
pub(super) fn children() -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let mut children = Vec::new();
    for task in tasks.flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(
            list.split_whitespace()
                .filter_map(|pid| pid.parse::<i32>().ok()),
        );
    }
    // Those that have ended wait to be reaped and need no killing.
    children.retain(|pid| state_of(*pid).is_some_and(|state| state != 'Z'));
    children
}

/// The state of a process, such as `R`, `S`, `D`, `Z`.
pub(super) fn state_of(pid: i32) -> Option<char> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = stat.iter().rposition(|byte| *byte == b')')? + 2;
    stat.get(behind_name).map(|byte| char::from(*byte))
}

/// The run that a process was started for, if it has not cleared its environment.
pub(super) fn mark_of(pid: i32) -> Option<u64> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variables = environ.split(|byte| *byte == 0);
    variables
        .map(OsStr::from_bytes)
        .filter_map(OsStr::to_str)
        .find_map(|variable| variable.strip_prefix(MARK)?.strip_prefix('=')?.parse().ok())
}
