//! Real things for tests: a space on loopback, log files, the binary itself.
//!
//! Nothing here sleeps: it waits for a condition, with a deadline.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use logcrier::diagnostic::Paint;
use logcrier::rules::RuleSet;
use logcrier::rules::settings::{Purpose, Request, load};

mod paper;

mod space;

mod tls;

use paper::Paper;
pub(crate) use space::{Space, n_of};
pub(crate) use tls::Tls;

/// How long anything may take that should take no time.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_logcrier");

/// Every event is in the sum of `n=`.
pub(crate) const COUNTED: &str = "
rules:
  - key: counted
    files: [LOGS/*.log]
    match: 'SEQ=(?<seq>\\d+)'
    debounce: {every: 200ms, max: 400ms}
    title: 'n={{ count }}'
    text: '{{ line }}'
";

/// An agent that runs by [`COUNTED`], its space, and the log that it follows.
pub(crate) fn running() -> (Space, World, Log) {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let log = world.log("app.log");
    world.start();
    (space, world, log)
}

/// The same after it counted so many lines and was stopped.
pub(crate) fn stopped_after(n_lines: u64) -> (Space, World, Log) {
    let (space, mut world, mut log) = running();
    log.numbers(n_lines);
    space.wait_events(n_lines);
    assert!(world.stop().success());
    (space, world, log)
}

/// The rules of a text.
pub(crate) fn rules_of(text: &str) -> RuleSet {
    let request = Request {
        config: None,
        rules: vec!["rules.yaml".into()],
        purpose: Purpose::LoneRules,
        machine_name: "web-03".into(),
        directory: "/".into(),
    };
    let loaded = load(&request, &Paper(text.to_owned()));
    let said = loaded.report.render(Paint::Plain);
    let settings = loaded.settings.unwrap_or_else(|| panic!("{said}"));
    settings.rule_set
}

/// Waits until `condition` gives something; fails with `what` when it takes too long.
pub(crate) fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_within(SOON, what, condition)
}

/// The same for what takes a while by itself.
pub(crate) fn wait_within<T>(
    limit: Duration,
    what: &str,
    mut condition: impl FnMut() -> Option<T>,
) -> T {
    let deadline = now() + limit;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(now() < deadline, "not within {limit:?}: {what}");
        std::thread::yield_now();
        // A short park instead of a busy loop; the deadline is what decides.
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

#[expect(clippy::disallowed_methods, reason = "deadlines of tests are real")]
fn now() -> Instant {
    Instant::now()
}

/// A number from the environment, for those who want more than the usual.
#[expect(clippy::disallowed_methods, reason = "wishes of who runs the tests")]
pub(crate) fn wished(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A log file, written as a daemon would: appended, whole lines.
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    pub(crate) n_lines: u64,
}

impl Log {
    /// Appends bytes.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path)
            .unwrap();
        file.write_all(bytes).unwrap();
    }

    /// Appends a line.
    pub(crate) fn line(&self, line: &str) {
        self.raw(format!("{line}\n").as_bytes());
    }

    /// Appends lines with rising numbers.
    pub(crate) fn numbers(&mut self, n_lines: u64) {
        let lines: String = (self.n_lines..self.n_lines + n_lines)
            .map(|number| format!("SEQ={number} something happened\n"))
            .collect();
        self.raw(lines.as_bytes());
        self.n_lines += n_lines;
    }
}

/// A directory with settings, rules, state and logs, and the agent that uses them.
pub(crate) struct World {
    directory: tempfile::TempDir,
    manager: UnixDatagram,
    agent: Option<Child>,
    /// Set for every process that is started.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// A command that starts the agent instead of the test itself.
    pub(crate) wrapper: String,
    /// What the next agent reads; nothing if nobody says.
    pub(crate) stdin: Option<Stdio>,
    binary: PathBuf,
}

impl World {
    /// A world whose rules are given in YAML; `LOGS` in them is the directory of
    /// the logs.
    pub(crate) fn new(space: &Space, rules: &str) -> Self {
        Self::with_settings(
            &format!(
                "host: test-host\nstate_dir: state\nrule_files: [rules.yaml]\n\
                 spaces: {{ops: {{webhook: '{}', pace: 10ms}}}}\n",
                space.handle.webhook_url("ops")
            ),
            rules,
        )
    }

    /// A world with settings of its own.
    pub(crate) fn with_settings(settings: &str, rules: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("logs")).unwrap();
        let manager = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        manager.set_nonblocking(true).unwrap();
        let world = Self {
            manager,
            agent: None,
            environment: Vec::new(),
            wrapper: String::new(),
            stdin: None,
            binary: BINARY.into(),
            directory,
        };
        world.write("logcrier.yaml", settings);
        world.write_rules(rules);
        world
    }

    /// From now on the agent runs as somebody without rights, also where the tests
    /// run as root, who may read everything.
    pub(crate) fn without_rights(&mut self) {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        // What the tests were built into may be closed to others.
        self.binary = self.path("logcrier");
        fs::copy(BINARY, &self.binary).unwrap();
        for name in ["", "logs", "notify", "stderr"] {
            let path = self.path(name);
            if name == "stderr" {
                fs::write(&path, "").unwrap();
            }
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        self.wrapper = "setpriv --reuid 65534 --regid 65534 --clear-groups".to_owned();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn write_rules(&self, rules: &str) {
        let logs = self.path("logs");
        self.write(
            "rules.yaml",
            &rules.replace("LOGS", &logs.display().to_string()),
        );
    }

    /// A log file, made if it is not there.
    pub(crate) fn log(&self, name: &str) -> Log {
        let log = Log {
            path: self.path("logs").join(name),
            n_lines: 0,
        };
        log.raw(b"");
        log
    }

    /// A command of the binary in this world.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let words = self.wrapper.split_whitespace().map(OsStr::new);
        let mut words = words.chain([self.binary.as_os_str()]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .args(args)
            .current_dir(self.directory.path())
            .env_clear()
            .env("TZ", "UTC")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.directory.path())
            .env("NOTIFY_SOCKET", self.path("notify"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts the agent and waits until it is ready.
    pub(crate) fn start(&mut self) {
        self.start_unready();
        self.wait_told("READY=1");
    }

    /// Starts the agent.
    pub(crate) fn start_unready(&mut self) {
        while self.told().is_some() {}
        let stderr = File::options()
            .append(true)
            .create(true)
            .open(self.path("stderr"))
            .unwrap();
        let agent = self
            .command(&["run", "--config", "logcrier.yaml"])
            .stdin(self.stdin.take().unwrap_or_else(Stdio::null))
            .stderr(stderr)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.agent = Some(agent);
    }

    /// What the service manager heard next.
    fn told(&self) -> Option<String> {
        let mut bytes = [0; 4096];
        let n_bytes = self.manager.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..n_bytes]).into_owned())
    }

    /// Waits until the service manager hears this.
    pub(crate) fn wait_told(&mut self, what: &str) {
        let deadline_note = format!("told {what}; stderr: {}", self.stderr());
        let mut agent = self.agent.take().unwrap();
        wait_for(&deadline_note, || {
            let ended = agent.try_wait().unwrap();
            assert!(ended.is_none(), "ended {ended:?}: {}", self.stderr());
            self.told()?.contains(what).then_some(())
        });
        self.agent = Some(agent);
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.agent.as_ref().unwrap().id()).unwrap()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Tells the agent to stop and waits for its end.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.wait_end()
    }

    /// Tells the agent to stop again and again, and waits for its end.
    pub(crate) fn insist(&mut self) -> ExitStatus {
        let mut agent = self.agent.take().unwrap();
        let pid = rustix::process::Pid::from_child(&agent);
        wait_for("the agent ends", || {
            let ended = agent.try_wait().unwrap();
            if ended.is_none() {
                rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            }
            ended
        })
    }

    /// Waits for the end of the agent.
    pub(crate) fn wait_end(&mut self) -> ExitStatus {
        let mut agent = self.agent.take().unwrap();
        wait_for("the agent ends", || agent.try_wait().unwrap())
    }

    /// Kills the agent as a power cut would, but for the disk.
    pub(crate) fn kill(&mut self) {
        let mut agent = self.agent.take().unwrap();
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    /// Whether the agent ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        let agent = self.agent.as_mut().unwrap();
        agent.try_wait().unwrap().is_some()
    }

    /// All that the agent logged.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    /// Waits until the agent logs this.
    pub(crate) fn wait_said(&self, what: &str) {
        wait_for(&format!("it says: {what}"), || {
            self.stderr().contains(what).then_some(())
        });
    }

    /// Starts an agent that cannot run, and returns what it says.
    pub(crate) fn fail_to_run(&self) -> String {
        let ended = self.run(&["run", "--config", "logcrier.yaml"]);
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{stderr}");
        stderr
    }

    /// The bytes of all files in a directory of this world.
    pub(crate) fn bytes_below(&self, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        collect(&self.path(name), &mut bytes);
        bytes
    }
}

fn collect(path: &Path, bytes: &mut Vec<u8>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), bytes);
        }
    } else if path.is_file() {
        File::open(path).unwrap().read_to_end(bytes).unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(agent) = &mut self.agent {
            let _ = agent.kill();
            let _ = agent.wait();
        }
        assert!(
            std::thread::panicking() || !self.stderr().contains("panicked at"),
            "{}",
            self.stderr()
        );
    }
}
