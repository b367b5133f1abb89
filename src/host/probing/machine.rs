//! Reads what the kernel tells of memory and load.

use std::fs::read_to_string;

use crate::probe::{load, memory};

/// The files of the control group that is the root of what this process sees. The
/// machine's own root has none of them, so what is there limits a container.
const GROUPS: [[&str; 3]; 2] = [
    [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory.current",
        "/sys/fs/cgroup/memory.stat",
    ],
    // Version 1.
    [
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ],
];

/// The memory of the machine.
pub fn memory() -> Option<memory::Memory> {
    memory::of_machine(&read_to_string("/proc/meminfo").ok()?)
}

/// What limits the container, if this is one.
pub fn container_memory() -> Option<memory::Memory> {
    GROUPS.iter().find_map(|[limit, usage, stat]| {
        memory::of_group(&memory::Group {
            limit: read_to_string(limit).ok()?,
            usage: read_to_string(usage).ok()?,
            stat: read_to_string(stat).unwrap_or_default(),
        })
    })
}

/// The load of the machine over 1, 5 and 15 minutes.
pub fn load() -> Option<[f64; 3]> {
    load::averages(&read_to_string("/proc/loadavg").ok()?)
}

/// The cores that are online.
pub fn cores() -> Option<u32> {
    load::cores(&read_to_string("/proc/stat").ok()?)
}
