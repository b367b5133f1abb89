//! Load: how many processes want a processor, or wait for a disk, per core.
//!
//! The mean of five minutes is judged: the one of a minute is nervous, the one of
//! fifteen is late.

use super::limits::Limits;
use super::{Measure, Report, Status};

const NAME: &str = "LOAD";

/// Reads the means of `/proc/loadavg` (`proc(5)`): over 1, 5 and 15 minutes.
pub fn averages(loadavg: &str) -> Option<[f64; 3]> {
    let mut numbers = loadavg.split_whitespace().map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

/// The cores that `/proc/stat` lists: those that are online.
pub fn cores(stat: &str) -> Option<u32> {
    let is_core = |line: &&str| {
        let number = line
            .strip_prefix("cpu")
            .and_then(|rest| rest.chars().next());
        number.is_some_and(|first| first.is_ascii_digit())
    };
    let n_cores = stat.lines().filter(is_core).count();
    u32::try_from(n_cores).ok().filter(|n_cores| *n_cores > 0)
}

/// Judges the load of a machine.
pub fn report(averages: Option<[f64; 3]>, cores: Option<u32>, limits: &Limits) -> Report {
    let (Some(averages), Some(n_cores)) = (averages, cores) else {
        let why = "/proc/loadavg and /proc/stat cannot be read";
        return Report::new(NAME, Status::Unknown, why);
    };
    let [one, five, fifteen] = averages;
    let per_core = five / f64::from(n_cores);
    let cores = match n_cores {
        1 => "1 core".to_owned(),
        n => format!("{n} cores"),
    };
    let text =
        format!("{per_core:.2} per core over 5 min ({one:.2}, {five:.2}, {fifteen:.2} on {cores})");
    let mut report = Report::new(NAME, limits.status(per_core), text);
    let measure = |label: &str, value, limits| Measure {
        label: label.to_owned(),
        value,
        unit: "",
        limits,
        bounds: (Some(0.0), None),
    };
    report.measures = vec![
        measure("load5_per_core", per_core, *limits),
        measure("load1", one, Limits::default()),
        measure("load5", five, Limits::default()),
        measure("load15", fifteen, Limits::default()),
    ];
    report
}

#[cfg(test)]
mod tests {
    use super::super::limits::Range;
    use super::*;

    #[test]
    fn reports() {
        let stat = "cpu  1 2 3\ncpu0 1 2\ncpu1 3 4\nintr 5\ncpufreq 1\n";
        let limits = Limits::new(Range::parse("2").unwrap(), Range::parse("4").unwrap()).unwrap();
        for (loadavg, stat, expected) in [
            (
                "0.14 1.92 2.03 5/130 17762\n",
                stat,
                "LOAD OK - 0.96 per core over 5 min (0.14, 1.92, 2.03 on 2 cores) | \
                 load5_per_core=0.96;2;4;0 load1=0.14;;;0 load5=1.92;;;0 load15=2.03;;;0",
            ),
            (
                "9 4.5 1 1/1 1",
                "cpu0 1",
                "LOAD CRITICAL - 4.50 per core over 5 min (9.00, 4.50, 1.00 on 1 core) | \
                 load5_per_core=4.5;2;4;0 load1=9;;;0 load5=4.5;;;0 load15=1;;;0",
            ),
            (
                "1 x",
                stat,
                "LOAD UNKNOWN - /proc/loadavg and /proc/stat cannot be read",
            ),
            (
                "1 1 1",
                "",
                "LOAD UNKNOWN - /proc/loadavg and /proc/stat cannot be read",
            ),
        ] {
            let report = report(averages(loadavg), cores(stat), &limits);
            assert_eq!(report.line(), expected);
        }
    }
}
