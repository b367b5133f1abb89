//! The command line, and the words of its help.

pub mod probe;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::rules::RuleKey;
use crate::rules::checks::StatusMap;
use crate::sandbox::faults::Fault;

/// Watches log files against rules and posts what matters to Google Chat.
#[derive(Debug, Parser)]
#[command(
    name = "logcrier",
    version,
    about = "A town crier for servers: watches log files against rules and posts what matters to Google Chat",
    after_help = "Exit codes: 0 fine, 1 mistakes or failed, 2 usage.\n\
                  See it work without an account: logcrier demo",
    disable_help_subcommand = true
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch and post, until told to stop
    #[command(after_help = "Examples:\n  \
        logcrier run --config /etc/logcrier/logcrier.yaml\n  \
        LOGCRIER_WEBHOOK='https://chat.googleapis.com/v1/spaces/…' logcrier run --rules app.yaml\n  \
        kubectl logs -f deploy/api | logcrier run --rules api.yaml\n\n\
        Rules with `stdin: true` read standard input; at its end an agent that watches nothing \
        else says what is left to be said, and ends.\n\
        Signals: SIGTERM and SIGINT stop cleanly (a second one at once), SIGHUP reads the \
        settings anew (`state_dir` and `watch` wait for the next start).\n\
        Environment: LOGCRIER_WEBHOOK (the space `default`), LOGCRIER_WATCH=poll (no inotify), \
        STATE_DIRECTORY, CREDENTIALS_DIRECTORY, NOTIFY_SOCKET, HTTPS_PROXY, NO_PROXY, \
        SSL_CERT_FILE, NO_COLOR.")]
    Run(RunArgs),

    /// Show every mistake in settings and rules, with its place
    #[command(after_help = "Examples:\n  \
        logcrier check --config /etc/logcrier/logcrier.yaml\n  \
        logcrier check rules/sshd.yaml rules/nginx.yaml")]
    Check(CheckArgs),

    /// Show how things stand with the running agent
    #[command(after_help = "Examples:\n  \
        logcrier status\n  \
        logcrier status --json | jq '.sources[] | select(.behind_bytes > 0)'\n\n\
        Counters begin when the agent starts. Root, the agent's user and its group may ask. \
        Exit code 1: no agent answers.")]
    Status(StatusArgs),

    /// Tell what rules would have said of logs of the past
    #[command(after_help = "Examples:\n  \
        logcrier replay /var/log/auth.log /var/log/auth.log.*\n  \
        logcrier replay --rules app.yaml --html report.html app.log.gz\n  \
        journalctl -o short-iso | logcrier replay --rules sshd.yaml -\n\n\
        Logs are lived through on the time that stands in their records. Rules are those that \
        follow a log by its name, or all if none does. Nothing is posted.")]
    Replay(ReplayArgs),

    /// Tell why a line would be posted, or why not
    #[command(after_help = "Examples:\n  \
        logcrier explain 'Nov 21 10:02:11 web-01 sshd[4022]: Failed password for root …'\n  \
        logcrier explain --rules app.yaml --rule app-error 'level=error msg=…'\n  \
        tail -n 5 /var/log/app.log | logcrier explain --rules app.yaml\n\n\
        What would happen is told for an agent that has seen nothing before.")]
    Explain(ExplainArgs),

    /// The packs of rules that came with logcrier
    #[command(after_help = "Examples:\n  \
        logcrier rules list\n  \
        logcrier rules show sshd > /etc/logcrier/rules.d/sshd.yaml\n  \
        logcrier rules show kernel-oom")]
    Rules(RulesArgs),

    /// Print the completions of a shell
    #[command(after_help = "Example:\n  \
        logcrier completions bash > /etc/bash_completion.d/logcrier")]
    Completions(CompletionsArgs),

    /// Print the JSON Schema of rules or settings, for editors
    #[command(after_help = "Examples:\n  \
        logcrier schema > rules.schema.json\n  \
        logcrier schema settings\n\n\
        An editor with a YAML language server takes it from the first line of a file:\n  \
        # yaml-language-server: $schema=rules.schema.json")]
    Schema(SchemaArgs),

    /// Post one message, to see that a webhook works
    #[command(after_help = "Example:\n  logcrier send --space ops 'hello from web-03'")]
    Send(SendArgs),

    /// Run a command once and post when it fails, for cron
    #[command(after_help = "Examples:\n  \
        logcrier exec --key backup -- /usr/local/bin/backup\n  \
        logcrier exec --key db-dump --timeout 2h --status '0=ok,1-9=warning,*=critical' -- dump\n\n\
        Standard input, output, signals and the exit status are the command's own: 128+n for a \
        signal, 124 at the timeout, 126 and 127 if it cannot be started. What came of it goes to \
        the running agent; without one it is posted from here; where that fails too it waits in \
        the state directory. A rule with `exec: true` under the key says more about it.")]
    Exec(ExecArgs),

    /// Look at this machine, as plugins of Nagios do
    #[command(after_help = "Examples:\n  \
        logcrier probe disk --warn 80% --crit 90%\n  \
        logcrier probe cert www.example.com\n\n\
        One line tells what was found, measurements stand behind a `|`. Exit codes: 0 ok, \
        1 warning, 2 critical, 3 unknown or a mistake in the arguments. In a rule:\n\n  \
        - key: root-disk\n    \
        command: [logcrier, probe, disk, /]\n    \
        every: 1m\n    \
        status: nagios")]
    Probe(probe::ProbeArgs),

    /// Not to hear of a rule for a while: its events are counted, and summed up at the end
    #[command(after_help = "Examples:\n  \
        logcrier silence add --rule disk-full --for 2h --reason 'moving to new disks'\n  \
        logcrier silence add --rule ssh-bruteforce --by ip=192.0.2.7 --for 1d --reason pentest\n  \
        logcrier silence list --json\n  \
        logcrier silence end 3\n\n\
        The running agent keeps them, also when it is started anew. Problems that were posted \
        before are still said to be over.")]
    Silence(SilenceArgs),

    /// Be a Google Chat space on loopback, with a page that shows its threads
    #[command(after_help = "Examples:\n  \
        logcrier sandbox\n  \
        logcrier sandbox --listen 9000 --fault 503:3 --fault hang:1@ops\n\n\
        The first line it prints is a webhook address, the second the page.")]
    Sandbox(SandboxArgs),

    /// Start the commands of an agent
    #[command(name = crate::host::commands::KEEPER, hide = true)]
    KeepCommands,

    /// See it work: sandbox, sample logs and the agent together
    #[command(after_help = "Example:\n  logcrier demo")]
    Demo(DemoArgs),
}

/// Where settings and rules are.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Common {
    /// The settings file [default: /etc/logcrier/logcrier.yaml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Rule files, besides those that the settings name
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub rules: Vec<PathBuf>,
}

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Where settings and rules are.
    #[command(flatten)]
    pub common: Common,

    /// How log lines on stderr look
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// The least important log lines to show
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = LogLevel::Info)]
    pub log_level: LogLevel,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Needs a person.
    Error,
    /// May need a person.
    Warn,
    /// Life events.
    Info,
    /// For those who build it.
    Debug,
}

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Where settings and rules are.
    #[command(flatten)]
    pub common: Common,

    /// Also measure what it costs to look for the rules
    #[arg(long)]
    pub cost: bool,

    /// Rule files to check alone, without settings
    #[arg(value_name = "FILE", conflicts_with_all = ["config", "rules"])]
    pub files: Vec<PathBuf>,
}

/// The arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// The settings file [default: /etc/logcrier/logcrier.yaml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `replay`.
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// The settings file [default: /etc/logcrier/logcrier.yaml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// A rule file, besides those that the settings name; may be repeated
    #[arg(long, value_name = "FILE")]
    pub rules: Vec<PathBuf>,

    /// Take the rule of this key, whatever it follows; may be repeated
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    pub rule: Vec<RuleKey>,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,

    /// Draw a report into this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// The logs, also .gz, .zst, .bz2 and .xz; `-` is standard input
    #[arg(value_name = "LOG", required = true)]
    pub files: Vec<PathBuf>,
}

/// The arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// The settings file [default: /etc/logcrier/logcrier.yaml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// A rule file, besides those that the settings name; may be repeated
    #[arg(long, value_name = "FILE")]
    pub rules: Vec<PathBuf>,

    /// Ask only the rule of this key
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    pub rule: Option<RuleKey>,

    /// Answer in JSON, one object a line
    #[arg(long)]
    pub json: bool,

    /// The line; without one, each line of standard input
    #[arg(value_name = "LINE")]
    pub line: Option<String>,
}

/// The arguments of `rules`.
#[derive(Debug, clap::Args)]
pub struct RulesArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// What can be done with packs.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Tell which packs and rules there are
    #[command(after_help = "Example:\n  logcrier rules list")]
    List,

    /// Print a pack, or one rule
    #[command(
        after_help = "Examples:\n  logcrier rules show sshd\n  logcrier rules show kernel-oom"
    )]
    Show {
        /// The name of a pack or the key of a rule
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// The arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// Of which shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}

/// The arguments of `schema`.
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// Of what
    #[arg(value_name = "OF", value_enum, default_value_t = SchemaOf::Rules)]
    pub of: SchemaOf,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// A rule file.
    Rules,
    /// The settings file.
    Settings,
}

/// The arguments of `send`.
#[derive(Debug, clap::Args)]
pub struct SendArgs {
    /// The settings file [default: /etc/logcrier/logcrier.yaml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The space to post to [default: the default space of the settings]
    #[arg(long, value_name = "NAME")]
    pub space: Option<String>,

    /// What to say
    #[arg(value_name = "TEXT")]
    pub text: String,
}

/// The arguments of `exec`.
#[derive(Debug, clap::Args)]
pub struct ExecArgs {
    /// The key to report under: a rule's, or any other
    #[arg(long, value_name = "NAME", value_parser = parse_key)]
    pub key: RuleKey,

    /// End it after this long: SIGTERM, 5 s later SIGKILL
    #[arg(long, value_name = "DURATION", value_parser = crate::rules::parse_duration_argument)]
    pub timeout: Option<Duration>,

    /// What exit statuses mean: exit, nagios, or entries such as 0=ok,1-9=warning,*=critical
    #[arg(long, value_name = "MAP", value_parser = parse_status)]
    pub status: Option<String>,

    /// The settings file [default: /etc/logcrier/logcrier.yaml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// A rule file, besides those that the settings name; may be repeated
    #[arg(long, value_name = "FILE")]
    pub rules: Vec<PathBuf>,

    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, last = true)]
    pub command: Vec<OsString>,
}

fn parse_key(text: &str) -> Result<RuleKey, String> {
    RuleKey::parse(text).ok_or_else(|| {
        "lower-case letters, digits, `.`, `_` and `-` only, at most 63, and not the agent's own"
            .to_owned()
    })
}

fn parse_status(text: &str) -> Result<String, String> {
    StatusMap::parse(text).map(|_| text.to_owned())
}

/// The arguments of `silence`.
#[derive(Debug, clap::Args)]
pub struct SilenceArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SilenceCommand,

    /// The settings file [default: /etc/logcrier/logcrier.yaml, if it exists]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// The state directory of the agent, whatever the settings say
    #[arg(long, value_name = "DIRECTORY", global = true)]
    pub state_dir: Option<PathBuf>,
}

/// What can be done about silences.
#[derive(Debug, Subcommand)]
pub enum SilenceCommand {
    /// Begin a silence
    Add(SilenceAddArgs),
    /// Show the silences there are
    List(SilenceListArgs),
    /// End a silence before its time
    End(SilenceEndArgs),
}

/// The arguments of `silence add`.
#[derive(Debug, clap::Args)]
pub struct SilenceAddArgs {
    /// The rule
    #[arg(long, value_name = "KEY", value_parser = parse_any_key)]
    pub rule: RuleKey,

    /// Only where this value of the rule's `by` is so; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_by)]
    pub by: Vec<(String, String)>,

    /// How long, such as 30m, 2h or 1d
    #[arg(long = "for", value_name = "DURATION", value_parser = crate::rules::parse_duration_argument)]
    pub length: Duration,

    /// Why, for those who wonder
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// The arguments of `silence list`.
#[derive(Debug, clap::Args)]
pub struct SilenceListArgs {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `silence end`.
#[derive(Debug, clap::Args)]
pub struct SilenceEndArgs {
    /// Its number
    #[arg(value_name = "ID", required_unless_present = "rule")]
    pub id: Option<u64>,

    /// All of this rule
    #[arg(long, value_name = "KEY", value_parser = parse_any_key, conflicts_with = "id")]
    pub rule: Option<RuleKey>,
}

/// Reads a key; the agent's own rules can be silenced as well.
fn parse_any_key(text: &str) -> Result<RuleKey, String> {
    match text.starts_with(crate::rules::own::PREFIX) {
        true => Ok(RuleKey::new(text)),
        false => parse_key(text),
    }
}

fn parse_by(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("write it as NAME=VALUE, such as ip=192.0.2.7".to_owned()),
    }
}

/// The arguments of `sandbox`.
#[derive(Debug, clap::Args)]
pub struct SandboxArgs {
    /// Address and port on loopback, or a port alone
    #[arg(long, value_name = "ADDRESS", default_value_t = super::sandbox::LISTEN, value_parser = super::sandbox::parse_listen)]
    pub listen: SocketAddr,

    /// Take any number of messages in a second
    #[arg(long)]
    pub no_quota: bool,

    /// Go wrong in this way, such as 503, 503:3 or hang:1@ops; may be repeated
    #[arg(long, value_name = "FAULT", value_parser = super::sandbox::parse_fault)]
    pub fault: Vec<Fault>,
}

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Address and port of the page [default: 127.0.0.1:8088, or any free port]
    #[arg(long, value_name = "ADDRESS", value_parser = super::sandbox::parse_listen)]
    pub listen: Option<SocketAddr>,
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}
