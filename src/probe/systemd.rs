//! Units of systemd: those that failed, or those that should be active.

use super::{Finding, Measure, Report, Status, limits};

const NAME: &str = "SYSTEMD";

/// A unit, as the manager describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    /// Its name, as it was asked for or as it is.
    pub name: String,
    /// Whether there is a file of it: `loaded`, `not-found`, `masked`, …
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating`, …
    pub active: String,
    /// More of that, of the kind of unit: `running`, `dead`, `exited`, …
    pub sub: String,
}

/// Reads `systemctl list-units --plain --no-legend`: name, load, active, sub and a
/// description.
pub fn listed(output: &str) -> Vec<Unit> {
    let unit = |line: &str| {
        let mut words = line.split_whitespace();
        let mut next = || words.next().map(str::to_owned);
        Some(Unit {
            name: next()?,
            load: next()?,
            active: next()?,
            sub: next()?,
        })
    };
    output.lines().filter_map(unit).collect()
}

/// Reads `systemctl show --property=Id,LoadState,ActiveState,SubState`: a block of
/// lines for each unit, in the order in which they were asked for.
pub fn shown(output: &str) -> Vec<Unit> {
    let blocks = output.split("\n\n");
    let blocks = blocks.filter(|block| !block.trim().is_empty());
    let unit = |block: &str| {
        let mut unit = Unit::default();
        for line in block.lines() {
            match line.split_once('=') {
                Some(("Id", value)) => unit.name = value.to_owned(),
                Some(("LoadState", value)) => unit.load = value.to_owned(),
                Some(("ActiveState", value)) => unit.active = value.to_owned(),
                Some(("SubState", value)) => unit.sub = value.to_owned(),
                Some(_) | None => {}
            }
        }
        unit
    };
    blocks.map(unit).collect()
}

/// Judges the units that failed, but for those that nobody wants to hear of; `*` in
/// their names stands for anything.
pub fn of_failed(units: &[Unit], exclude: &[String]) -> Report {
    let is_excluded = |unit: &&Unit| !exclude.iter().any(|name| is_like(name, &unit.name));
    let failed: Vec<&Unit> = units.iter().filter(is_excluded).collect();
    let mut report = match failed.is_empty() {
        true => Report::new(NAME, Status::Ok, "no unit has failed"),
        false => Report {
            name: NAME,
            findings: (failed.iter())
                .map(|unit| Finding {
                    status: Status::Critical,
                    text: format!("{} failed", unit.name),
                })
                .collect(),
            measures: Vec::new(),
        },
    };
    report.measures.push(count("failed", failed.len()));
    report
}

/// Judges units that should be active.
pub fn of_named(units: &[Unit]) -> Report {
    let finding = |unit: &Unit| {
        let (name, active, sub) = (&unit.name, &unit.active, &unit.sub);
        let (status, text) = match (active.as_str(), unit.load.as_str()) {
            ("active" | "reloading" | "refreshing", _) => {
                (Status::Ok, format!("{name} is {active} ({sub})"))
            }
            // It may become active, or not.
            ("activating", _) => (Status::Warning, format!("{name} is {active} ({sub})")),
            (_, "not-found") => (Status::Critical, format!("{name} does not exist")),
            (_, "loaded") => (Status::Critical, format!("{name} is {active} ({sub})")),
            (_, load) => (Status::Critical, format!("{name} is {active} ({load})")),
        };
        Finding { status, text }
    };
    let findings: Vec<Finding> = units.iter().map(finding).collect();
    let n_bad = (findings.iter())
        .filter(|finding| finding.status == Status::Critical)
        .count();
    Report {
        name: NAME,
        findings,
        measures: vec![count("inactive", n_bad)],
    }
}

/// There is nobody to ask.
pub fn of_nobody(why: String) -> Report {
    Report::new(NAME, Status::Unknown, why)
}

fn count(label: &str, n: usize) -> Measure {
    Measure {
        label: label.to_owned(),
        value: n as f64,
        unit: "",
        limits: limits::Limits::default(),
        bounds: (Some(0.0), None),
    }
}

/// Whether a name is like a pattern, in which `*` stands for anything. A pattern
/// without a kind means a service.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(part) = last.replace(part) {
            let Some(at) = rest.find(part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
    }
    match last {
        Some(last) => rest.ends_with(last),
        None => rest.is_empty() || rest == ".service" && !pattern.contains('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_units() {
        let output = "app.service   loaded failed failed The app\n\
                      mnt-x.mount   loaded failed failed /mnt/x\n\
                      user@1.service not-found failed failed user@1.service\n\n";
        let report = |exclude: &[&str]| {
            let exclude: Vec<String> = exclude.iter().map(|name| (*name).to_owned()).collect();
            of_failed(&listed(output), &exclude).line()
        };
        assert_eq!(
            report(&[]),
            "SYSTEMD CRITICAL - app.service failed; mnt-x.mount failed; user@1.service failed | \
             failed=3;;;0"
        );
        assert_eq!(
            report(&["app", "user@*"]),
            "SYSTEMD CRITICAL - mnt-x.mount failed | failed=1;;;0"
        );
        assert_eq!(
            report(&["*"]),
            "SYSTEMD OK - no unit has failed | failed=0;;;0"
        );
    }

    #[test]
    fn named_units() {
        let output = "Id=a.service\nLoadState=loaded\nActiveState=active\nSubState=running\n\n\
                      Id=b.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\n\n\
                      Id=c.timer\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n\n\
                      Id=d.service\nLoadState=masked\nActiveState=inactive\nSubState=dead\n\n\
                      Id=e.service\nLoadState=loaded\nActiveState=activating\nSubState=auto-restart\n";
        assert_eq!(
            of_named(&shown(output)).line(),
            "SYSTEMD CRITICAL - b.service is inactive (dead); c.timer does not exist; \
             d.service is inactive (masked); e.service is activating (auto-restart); \
             1 more is fine | inactive=3;;;0"
        );
        assert_eq!(
            of_named(&shown(output)[..1]).line(),
            "SYSTEMD OK - a.service is active (running) | inactive=0;;;0"
        );
    }

    #[test]
    fn names() {
        for (pattern, name, expected) in [
            ("a.service", "a.service", true),
            ("a", "a.service", true),
            ("a", "a.timer", false),
            ("a", "ab.service", false),
            ("a*", "ab.service", true),
            ("*.mount", "x.mount", true),
            ("*.mount", "x.mount.service", false),
            ("user@*.service", "user@1000.service", true),
            ("user@*.service", "user@1000.slice", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("a*a", "a", false),
            ("", "a.service", false),
        ] {
            assert_eq!(is_like(pattern, name), expected, "{pattern} {name}");
        }
    }
}
