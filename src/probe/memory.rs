//! Memory: how much of it a program could still get.
//!
//! What caches hold can be had: available is what the kernel estimates
//! (`MemAvailable`, `proc(5)`). In a container it is what its limit leaves, if that
//! is less.

use super::limits::Levels;
use super::{Measure, Report, Status, bytes};

const NAME: &str = "MEMORY";

/// Memory of a machine or of a container, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// All there is.
    pub total: u64,
    /// What can still be had.
    pub available: u64,
}

/// The files of a control group that limit memory, as they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// `memory.max`, or `memory.limit_in_bytes` of version 1.
    pub limit: String,
    /// `memory.current`, or `memory.usage_in_bytes`.
    pub usage: String,
    /// `memory.stat`.
    pub stat: String,
}

/// Reads `/proc/meminfo`.
pub fn of_machine(meminfo: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1024)
    };
    Some(Memory {
        total: field("MemTotal:")?,
        available: field("MemAvailable:")?,
    })
}

/// What a control group leaves; nothing if it has no limit.
pub fn of_group(group: &Group) -> Option<Memory> {
    let total: u64 = group.limit.trim().parse().ok()?;
    let usage: u64 = group.usage.trim().parse().ok()?;
    let inactive = ["total_inactive_file ", "inactive_file "]
        .iter()
        .find_map(|name| group.stat.lines().find_map(|line| line.strip_prefix(name)))
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0);
    Some(Memory {
        total,
        // Pages of files that nobody looked at lately are given back first.
        available: total.saturating_sub(usage.saturating_sub(inactive)),
    })
}

/// Judges the memory of the machine, or of the container where that has less.
pub fn report(machine: Option<Memory>, group: Option<Memory>, levels: &Levels) -> Report {
    let Some(machine) = machine else {
        let why = "/proc/meminfo has no MemAvailable";
        return Report::new(NAME, Status::Unknown, why);
    };
    let (memory, of_what) = match group {
        Some(group) if group.total < machine.total && group.available < machine.available => {
            (group, " that the container may use")
        }
        Some(_) | None => (machine, ""),
    };
    let share = memory.available as f64 / memory.total.max(1) as f64;
    let used = (100.0 - share * 100.0).clamp(0.0, 100.0);
    let status = levels.status(used, memory.available);
    let text = format!(
        "{used:.0}% used, {} of {}{of_what} available",
        bytes(memory.available),
        bytes(memory.total)
    );
    let mut report = Report::new(NAME, status, text);
    let limits = levels.of_percent(memory.total);
    report.measures.push(Measure::percent("used", used, limits));
    report
}

#[cfg(test)]
mod tests {
    use super::super::limits::Level;
    use super::*;

    const MEMINFO: &str = "MemTotal:       24684092 kB\nMemFree:  20337644 kB\n\
                           MemAvailable:   21940652 kB\nBuffers:            3980 kB\n";

    #[test]
    fn reports() {
        let levels =
            Levels::new(Level::parse("90%").unwrap(), Level::parse("95%").unwrap()).unwrap();
        let group = |limit: &str, usage: &str, stat: &str| Group {
            limit: limit.to_owned(),
            usage: usage.to_owned(),
            stat: stat.to_owned(),
        };
        let machine_line =
            "MEMORY OK - 11% used, 21 GiB of 24 GiB available | used=11.114%;90;95;0;100";
        for (meminfo, group, expected) in [
            (MEMINFO, Group::default(), machine_line),
            (MEMINFO, group("max\n", "1000\n", ""), machine_line),
            // Version 1 writes a number that no machine has.
            (
                MEMINFO,
                group("9223372036854771712", "1000", ""),
                machine_line,
            ),
            (
                MEMINFO,
                group(
                    "33554432\n",
                    "33000000\n",
                    "anon 1\nfile 2\ninactive_file 1000000\n",
                ),
                "MEMORY CRITICAL - 95% used, 1.5 MiB of 32 MiB that the container may use \
                 available | used=95.367%;90;95;0;100",
            ),
            (
                MEMINFO,
                group(
                    "33554432",
                    "33000000",
                    "inactive_file 0\ntotal_inactive_file 30000000\n",
                ),
                "MEMORY OK - 9% used, 29 MiB of 32 MiB that the container may use available | \
                 used=8.941%;90;95;0;100",
            ),
            (
                "MemTotal: 1 kB\n",
                Group::default(),
                "MEMORY UNKNOWN - /proc/meminfo has no MemAvailable",
            ),
        ] {
            let report = report(of_machine(meminfo), of_group(&group), &levels);
            assert_eq!(report.line(), expected);
        }
    }
}
