//! `logcrier probe`: a look at this machine, answered as Nagios plugins do.

use std::io::{self, Write};

use super::Outcome;
use super::args::probe::{
    CertArgs, FileSystemArgs, LoadArgs, MemoryArgs, ProbeCommand, SystemdArgs, TimeArgs,
};
use crate::host::{clock, probing};
use crate::probe::disk::{Resource, Wanted};
use crate::probe::limits::{Level, Levels, Limits, never_a_warning};
use crate::probe::{Report, Status, cert, disk, load, memory, systemd, time};

/// Looks, and says in one line what is there. Arguments that make no sense end as
/// *unknown*: whoever reads the exit status must not take them for a problem of the
/// machine.
pub fn run(
    command: &ProbeCommand,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    match look(command) {
        Ok(report) => {
            // The status says it to whoever does not read.
            let _ = writeln!(out, "{}", report.line()).and_then(|()| out.flush());
            Ok(Outcome::Status(report.status().code()))
        }
        Err(mistake) => {
            writeln!(err, "error: {mistake}")?;
            Ok(Outcome::Status(Status::Unknown.code()))
        }
    }
}

fn look(command: &ProbeCommand) -> Result<Report, String> {
    match command {
        ProbeCommand::Disk(args) => {
            let levels = Levels::new(args.warn, args.crit)?;
            Ok(file_systems(Resource::Space, &args.which, &levels))
        }
        ProbeCommand::Inodes(args) => {
            let levels = Levels::new(Level::Used(args.warn), Level::Used(args.crit))?;
            Ok(file_systems(Resource::Inodes, &args.which, &levels))
        }
        ProbeCommand::Memory(args) => memory(args),
        ProbeCommand::Load(args) => load(args),
        ProbeCommand::Cert(args) => cert(args),
        ProbeCommand::Time(args) => time(args),
        ProbeCommand::Systemd(args) => Ok(systemd(args)),
    }
}

fn file_systems(resource: Resource, which: &FileSystemArgs, levels: &Levels) -> Report {
    let wanted = Wanted {
        exclude: which.exclude.clone(),
        is_local: which.local,
    };
    match probing::disk::ask(resource, &which.paths, &wanted, which.timeout) {
        Ok(asked) => disk::report(resource, &asked, levels, !which.paths.is_empty()),
        Err(why) => disk::of_nothing(resource, why),
    }
}

fn memory(args: &MemoryArgs) -> Result<Report, String> {
    let levels = Levels::new(args.warn, args.crit)?;
    let (machine, container) = (
        probing::machine::memory(),
        probing::machine::container_memory(),
    );
    Ok(memory::report(machine, container, &levels))
}

fn load(args: &LoadArgs) -> Result<Report, String> {
    let limits = Limits::new(args.warn, args.crit)?;
    let (averages, cores) = (probing::machine::load(), probing::machine::cores());
    Ok(load::report(averages, cores, &limits))
}

fn cert(args: &CertArgs) -> Result<Report, String> {
    let (warn, crit) = (args.warn, args.crit);
    if warn < crit {
        return Err(never_a_warning(&shown(warn), &shown(crit)));
    }
    let roots = probing::cert::Roots::load(args.ca_file.as_deref());
    let roots = roots.map_err(|why| {
        let path = args.ca_file.as_deref().unwrap_or("".as_ref());
        format!("{} {why}", path.display())
    })?;
    let name = args.name.as_deref();
    let seen = probing::cert::look(&args.targets, name, &roots, args.timeout);
    let now = clock::now().wall.0 / 1_000_000;
    Ok(cert::report(&seen, &cert::Remaining { warn, crit }, now))
}

fn time(args: &TimeArgs) -> Result<Report, String> {
    let (warn, crit) = (args.warn, args.crit);
    let Some(server) = &args.server else {
        return Ok(time::of_kernel(probing::time::is_synchronized(
            args.timeout,
        )));
    };
    if warn > crit {
        return Err(never_a_warning(&shown(warn), &shown(crit)));
    }
    let (exchanges, why) = probing::time::ask(server, args.timeout);
    let distance = time::Distance { warn, crit };
    Ok(time::of_server(server, &exchanges, &why, &distance))
}

fn systemd(args: &SystemdArgs) -> Report {
    let asked = match args.units.is_empty() {
        true => probing::systemd::failed(args.timeout)
            .map(|units| systemd::of_failed(&units, &args.exclude)),
        false => probing::systemd::named(&args.units, args.timeout)
            .map(|units| systemd::of_named(&units)),
    };
    asked.unwrap_or_else(systemd::of_nobody)
}

/// A duration as it is written on the command line.
fn shown(duration: std::time::Duration) -> String {
    const UNITS: [(&str, u128); 4] = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ];
    let millis = duration.as_millis();
    let fits = |(_, size): &&(&str, u128)| millis >= *size && millis.is_multiple_of(*size);
    match UNITS.iter().find(fits) {
        Some((unit, size)) => format!("{}{unit}", millis / size),
        None => format!("{millis}ms"),
    }
}
