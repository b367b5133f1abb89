//! `logcrier demo`: sandbox, sample logs and the agent together.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::DemoArgs;
use super::demo_logs::Writer;
use super::load::ThisMachine;
use super::{Outcome, sandbox};
use crate::engine::schedule::Noticing;
use crate::host::service::Manager;
use crate::host::{self, Setup, Wishes, clock, random};
use crate::rules::settings::{self, Purpose, Request};
use crate::sandbox::{Options, Sandbox};

/// The packs that come with the program.
pub const PACKS: [(&str, &str); 4] = [
    ("error.yaml", include_str!("../../rules/error.yaml")),
    ("kernel.yaml", include_str!("../../rules/kernel.yaml")),
    ("nginx.yaml", include_str!("../../rules/nginx.yaml")),
    ("sshd.yaml", include_str!("../../rules/sshd.yaml")),
];

/// The name of the machine in the demo.
const HOST: &str = "web-01";

/// Runs the demo until it is interrupted. Its files go with it.
pub fn run(args: &DemoArgs, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Outcome> {
    let directory = tempfile::Builder::new()
        .prefix("logcrier-demo-")
        .tempdir()?;
    let runtime = super::runtime()?;
    let outcome = runtime.block_on(play(args, directory.path(), out, err));
    drop(runtime);
    directory.close()?;
    outcome
}

async fn play(
    args: &DemoArgs,
    directory: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let sandbox = bind(args).await?;
    let logs = directory.join("log");
    let mut writer = Writer::new(&logs, random() as u64, TimeZone::system())?;
    let Some(setup) = setup(directory, &logs, &sandbox, err)? else {
        return Ok(Outcome::Failed);
    };
    writeln!(out, "The space's page:  {}", sandbox.page_url())?;
    writeln!(out, "The sample logs:   {}", logs.display())?;
    writeln!(
        out,
        "\nOpen the page and watch for a minute:\n\
         - a brute-force attack on sshd, one thread per rule, the first line at once\n\
         - an application in a crash loop: one message, then a summary with the count\n\
         - a kernel that kills a process and loses a disk, nginx whose upstream is gone\n\
         - log files that are rotated meanwhile; nothing is lost, nothing is said twice\n\
         \nWrite a line of your own:\n  \
         echo 'ERROR the fence is open' >> {}/app.log\n\
         \nCtrl-C ends it.",
        logs.display()
    )?;
    out.flush()?;
    super::log(super::args::LogFormat::Text, super::args::LogLevel::Warn);
    let (stop_sandbox, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        sandbox
            .serve(async move {
                let _ = stopped.await;
            })
            .await;
    });
    // The demo's settings never change.
    let mut reload = || None;
    let ended = tokio::select! {
        ended = host::run(setup, std::future::pending(), &mut reload) => ended,
        error = write_logs(&mut writer) => return Err(error),
    };
    let _ = stop_sandbox.send(());
    // Pages that are still open keep their connection; they need not be waited for.
    tasks.abort_all();
    match ended {
        Ok(_) => Ok(Outcome::Fine),
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(Outcome::Failed)
        }
    }
}

/// The usual port, or any that is free.
async fn bind(args: &DemoArgs) -> io::Result<Sandbox> {
    let at = |listen| Options {
        listen,
        ..Options::default()
    };
    match args.listen {
        Some(listen) => Sandbox::bind(at(listen))
            .await
            .map_err(|error| sandbox::cannot_listen(listen, &error)),
        None => match Sandbox::bind(at(sandbox::LISTEN)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                Sandbox::bind(Options::default()).await
            }
            bound => bound,
        },
    }
}

/// Settings as a person would write them, with the shipped packs turned to the
/// sample logs. None if they have mistakes, which were told then.
fn setup(
    directory: &Path,
    logs: &Path,
    sandbox: &Sandbox,
    err: &mut dyn Write,
) -> io::Result<Option<Setup>> {
    let rules = directory.join("rules.d");
    std::fs::create_dir(&rules)?;
    for (name, pack) in PACKS {
        let pack = pack.replace("/var/log/", &format!("{}/", logs.display()));
        std::fs::write(rules.join(name), pack)?;
    }
    let config = directory.join("logcrier.yaml");
    std::fs::write(
        &config,
        format!(
            "host: {HOST}\n\
             spaces: {{ops: {{webhook: '{}'}}}}\n\
             defaults: {{debounce: {{every: 10s, max: 1m}}}}\n\
             rule_files: ['rules.d/*.yaml']\n",
            sandbox.webhook_url("ops")
        ),
    )?;
    let request = Request {
        config: Some(config),
        rules: Vec::new(),
        purpose: Purpose::Agent,
        machine_name: HOST.to_owned(),
        directory: directory.to_owned(),
    };
    let loaded = settings::load(&request, &ThisMachine);
    write!(err, "{}", loaded.report.render(super::paint()))?;
    Ok(loaded.settings.map(|settings| Setup {
        wishes: Wishes {
            // Its logs are its own files, whatever journal this machine has.
            rules: std::sync::Arc::new(settings.rule_set.with_journal(false)),
            noticing: Noticing::Hinted,
            state_dir: directory.join("state"),
            ca_file: None,
            proxy: None,
            metrics: None,
            heartbeat: None,
        },
        command_env: Vec::new(),
        manager: Manager::default(),
    }))
}

/// Plays the sample logs for ever; returns only what went wrong.
async fn write_logs(writer: &mut Writer) -> io::Error {
    let began = clock::now().moment;
    // The agent lists its files first; what is there by then would be old.
    pause(Duration::from_millis(500)).await;
    loop {
        let now = clock::now();
        let elapsed = Duration::from_nanos(now.moment.0 - began.0);
        let wall = Timestamp::from_microsecond(now.wall.0).unwrap_or(Timestamp::UNIX_EPOCH);
        if let Err(error) = writer.step(elapsed, wall) {
            return error;
        }
        pause(
            writer
                .next_due()
                .saturating_sub(elapsed)
                .max(Duration::from_millis(10)),
        )
        .await;
    }
}

async fn pause(length: Duration) {
    let _ = tokio::time::timeout(length, std::future::pending::<()>()).await;
}
