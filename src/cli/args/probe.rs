//! The arguments of `logcrier probe`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use crate::probe::cert::Target;
use crate::probe::limits::{Level, Range};

/// The shortest time for which an answer is waited for.
const TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// The arguments of `probe`.
#[derive(Debug, clap::Args)]
pub struct ProbeArgs {
    /// What to look at.
    #[command(subcommand)]
    pub command: ProbeCommand,
}

/// What can be looked at.
#[derive(Debug, Subcommand)]
pub enum ProbeCommand {
    /// How full file systems are
    #[command(after_help = "Examples:\n  \
        logcrier probe disk\n  \
        logcrier probe disk --warn 85% --crit 95% /var /srv\n  \
        logcrier probe disk --warn 20GiB --crit 5GiB /srv/archive\n\n\
        Limits: `80%` is more than that in use, as df counts (what only root may use is used \
        up); `20GiB` is less than that left; `10:80` and other ranges of Nagios are percent. \
        Without a path all file systems that hold data are looked at, each once; pseudo file \
        systems, read-only images and the layers of containers are passed over. One that does \
        not answer in time, or answers with an error, is critical and named.\n\
        Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown or a mistake in the arguments.")]
    Disk(DiskArgs),

    /// How many files file systems can still hold
    #[command(after_help = "Examples:\n  \
        logcrier probe inodes\n  \
        logcrier probe inodes --warn 90% --crit 98% /var/spool\n\n\
        Limits are percent in use: `80%` is more than that, `10:80` and the like are ranges of \
        Nagios. File systems that have no fixed number of inodes (btrfs, vfat) are passed over, \
        and fine where they are named.\n\
        Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown or a mistake in the arguments.")]
    Inodes(InodesArgs),

    /// How much memory is in use
    #[command(after_help = "Examples:\n  \
        logcrier probe memory\n  \
        logcrier probe memory --warn 2GiB --crit 512MiB\n\n\
        Limits: `90%` is more than that in use; `2GiB` is less than that available. Available \
        is what programs can still get without swapping (MemAvailable): caches count as free. \
        In a container with a limit of its own, what the limit leaves.\n\
        Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown or a mistake in the arguments.")]
    Memory(MemoryArgs),

    /// How many processes wait for a core, over five minutes
    #[command(after_help = "Example:\n  \
        logcrier probe load --warn 1.5 --crit 3\n\n\
        Limits are the load of five minutes per core that is online: `2` is more than two \
        processes for each core, all the time; ranges are those of Nagios.\n\
        Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown or a mistake in the arguments.")]
    Load(LoadArgs),

    /// How long certificates are valid, and whether they are trusted
    #[command(after_help = "Examples:\n  \
        logcrier probe cert www.example.com\n  \
        logcrier probe cert mail.example.com:993 /etc/ssl/private/ldap.pem\n  \
        logcrier probe cert 192.0.2.7:8443 --name www.example.com --ca-file corp-ca.pem\n\n\
        Limits: fewer days than that left, of the certificate or of one that it rests on. \
        Critical as well: a server that does not answer, or shows a certificate that has \
        expired, is for another name, or is signed by no authority that this machine trusts. \
        Servers must speak TLS from the first byte on (not STARTTLS). Of a file (PEM; its name \
        has a `/`) only dates are judged: the first certificate in it that ends.\n\
        Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown or a mistake in the arguments.\n\
        Environment: SSL_CERT_FILE, SSL_CERT_DIR.")]
    Cert(CertArgs),

    /// Whether the clock is right
    #[command(after_help = "Examples:\n  \
        logcrier probe time\n  \
        logcrier probe time --server pool.ntp.org --warn 100ms --crit 1s\n\n\
        Without a server: a warning if nothing keeps the clock synchronized, as systemd tells \
        (timedatectl). With one: asked by SNTP, up to four times; the limits are how far the \
        clock may be from its, ahead or behind; no answer is critical.\n\
        Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown or a mistake in the arguments.")]
    Time(TimeArgs),

    /// Whether units of systemd failed, or are not active
    #[command(after_help = "Examples:\n  \
        logcrier probe systemd\n  \
        logcrier probe systemd --exclude 'user@*'\n  \
        logcrier probe systemd nginx postgresql@16-main backup.timer\n\n\
        Without a unit, any that failed is critical (`systemctl reset-failed` forgets it). Named \
        units must be active: `activating` is a warning, everything else critical.\n\
        Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown (no systemd) or a mistake in the \
        arguments.")]
    Systemd(SystemdArgs),
}

/// Which file systems.
#[derive(Debug, clap::Args)]
pub struct FileSystemArgs {
    /// Paths on the file systems to look at [default: all that hold data]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Not the one that is mounted here; may be repeated
    #[arg(long, value_name = "PATH", conflicts_with = "paths")]
    pub exclude: Vec<PathBuf>,

    /// Only those of this machine
    #[arg(long, conflicts_with = "paths")]
    pub local: bool,

    /// How long an answer is waited for
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_timeout)]
    pub timeout: Duration,
}

/// The arguments of `probe disk`.
#[derive(Debug, clap::Args)]
pub struct DiskArgs {
    /// Which.
    #[command(flatten)]
    pub which: FileSystemArgs,

    /// A warning beyond this
    #[arg(long, value_name = "LIMIT", default_value = "80%", value_parser = Level::parse)]
    pub warn: Level,

    /// Critical beyond this
    #[arg(long, value_name = "LIMIT", default_value = "90%", value_parser = Level::parse)]
    pub crit: Level,
}

/// The arguments of `probe inodes`.
#[derive(Debug, clap::Args)]
pub struct InodesArgs {
    /// Which.
    #[command(flatten)]
    pub which: FileSystemArgs,

    /// A warning beyond this
    #[arg(long, value_name = "LIMIT", default_value = "80%", value_parser = Range::parse_percent)]
    pub warn: Range,

    /// Critical beyond this
    #[arg(long, value_name = "LIMIT", default_value = "90%", value_parser = Range::parse_percent)]
    pub crit: Range,
}

/// The arguments of `probe memory`.
#[derive(Debug, clap::Args)]
pub struct MemoryArgs {
    /// A warning beyond this
    #[arg(long, value_name = "LIMIT", default_value = "90%", value_parser = Level::parse)]
    pub warn: Level,

    /// Critical beyond this
    #[arg(long, value_name = "LIMIT", default_value = "95%", value_parser = Level::parse)]
    pub crit: Level,
}

/// The arguments of `probe load`.
#[derive(Debug, clap::Args)]
pub struct LoadArgs {
    /// A warning beyond this
    #[arg(long, value_name = "LIMIT", default_value = "2", value_parser = Range::parse)]
    pub warn: Range,

    /// Critical beyond this
    #[arg(long, value_name = "LIMIT", default_value = "4", value_parser = Range::parse)]
    pub crit: Range,
}

/// The arguments of `probe cert`.
#[derive(Debug, clap::Args)]
pub struct CertArgs {
    /// Servers, as HOST or HOST:PORT (443 if none is given), and PEM files
    #[arg(value_name = "TARGET", required = true, value_parser = parse_target)]
    pub targets: Vec<(String, Target)>,

    /// A warning if less is left
    #[arg(long, value_name = "DURATION", default_value = "21d", value_parser = crate::rules::parse_duration_argument)]
    pub warn: Duration,

    /// Critical if less is left
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = crate::rules::parse_duration_argument)]
    pub crit: Duration,

    /// The name to ask servers for [default: the host]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Certificates (PEM) of authorities to trust, besides the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// How long an answer is waited for
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_timeout)]
    pub timeout: Duration,
}

/// The arguments of `probe time`.
#[derive(Debug, clap::Args)]
pub struct TimeArgs {
    /// Ask this time server, as HOST or HOST:PORT
    #[arg(long, value_name = "HOST")]
    pub server: Option<String>,

    /// A warning if the clock is further from the server's
    #[arg(long, value_name = "DURATION", default_value = "500ms", requires = "server", value_parser = crate::rules::parse_duration_argument)]
    pub warn: Duration,

    /// Critical if the clock is further from the server's
    #[arg(long, value_name = "DURATION", default_value = "5s", requires = "server", value_parser = crate::rules::parse_duration_argument)]
    pub crit: Duration,

    /// How long an answer is waited for
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_timeout)]
    pub timeout: Duration,
}

/// The arguments of `probe systemd`.
#[derive(Debug, clap::Args)]
pub struct SystemdArgs {
    /// Units that should be active [default: any that failed]
    #[arg(value_name = "UNIT")]
    pub units: Vec<String>,

    /// Not this unit, if it failed; `*` stands for anything; may be repeated
    #[arg(long, value_name = "UNIT", conflicts_with = "units")]
    pub exclude: Vec<String>,

    /// How long an answer is waited for
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_timeout)]
    pub timeout: Duration,
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout = crate::rules::parse_duration_argument(text)?;
    match timeout < TIMEOUT_MIN {
        true => Err("nothing answers in less than 1s; write a longer one".to_owned()),
        false => Ok(timeout),
    }
}

fn parse_target(text: &str) -> Result<(String, Target), String> {
    Target::parse(text).map(|target| (text.to_owned(), target))
}
