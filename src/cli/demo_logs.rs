//! Writes the sample logs of the demo: a busy server on a bad day.
//!
//! Lines look as sshd, the kernel, nginx and an application write them. A seed
//! decides what happens in each minute, and then the next minute begins; time is
//! handed in. All addresses are from the ranges kept for documentation.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

/// After this time the story begins again, with other names and numbers.
pub const CYCLE: Duration = Duration::from_secs(60);

/// The name of the machine in the lines.
const HOST: &str = "web-01";

/// One of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// `auth.log`, by sshd.
    Auth,
    /// `kern.log`, by the kernel.
    Kern,
    /// `nginx/access.log`.
    Access,
    /// `nginx/error.log`.
    Error,
    /// `app.log`, by an application.
    App,
}

/// All files; each is rotated in its turn.
pub const LOGS: [Log; 5] = [Log::App, Log::Access, Log::Auth, Log::Error, Log::Kern];

impl Log {
    /// Returns the name of the file under the directory.
    pub fn path(self) -> &'static str {
        match self {
            Self::Auth => "auth.log",
            Self::Kern => "kern.log",
            Self::Access => "nginx/access.log",
            Self::Error => "nginx/error.log",
            Self::App => "app.log",
        }
    }
}

/// What a step did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stepped {
    /// Lines it wrote.
    pub n_lines: usize,
    /// Files it rotated.
    pub rotated: Vec<Log>,
}

/// Something that is to happen.
#[derive(Debug)]
struct Planned {
    /// When, since the writer was made.
    at: Duration,
    what: What,
}

#[derive(Debug)]
enum What {
    Line(Log, String),
    Rotate(Log),
}

/// Appends the lines that are due.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    zone: TimeZone,
    rng: fastrand::Rng,
    /// What is still to happen in this cycle, the next last.
    planned: Vec<Planned>,
    n_cycles: u32,
}

impl Writer {
    /// Makes the directory and its empty files. Local times are written in `zone`.
    pub fn new(dir: &Path, seed: u64, zone: TimeZone) -> io::Result<Self> {
        fs::create_dir_all(dir.join("nginx"))?;
        for log in LOGS {
            File::create(dir.join(log.path()))?;
        }
        let mut writer = Self {
            dir: dir.to_owned(),
            zone,
            rng: fastrand::Rng::with_seed(seed),
            planned: Vec::new(),
            n_cycles: 0,
        };
        writer.plan();
        Ok(writer)
    }

    /// Returns when [`Writer::step`] has something to do again.
    pub fn next_due(&self) -> Duration {
        match self.planned.last() {
            Some(next) => next.at,
            None => CYCLE * self.n_cycles,
        }
    }

    /// Does everything that is due `elapsed` after the writer was made, which is
    /// now at `now`.
    pub fn step(&mut self, elapsed: Duration, now: Timestamp) -> io::Result<Stepped> {
        let mut stepped = Stepped::default();
        loop {
            if self.planned.is_empty() {
                if elapsed < CYCLE * self.n_cycles {
                    return Ok(stepped);
                }
                self.plan();
            }
            let Some(next) = self.planned.pop_if(|next| next.at <= elapsed) else {
                return Ok(stepped);
            };
            let ago = SignedDuration::try_from(elapsed.saturating_sub(next.at))
                .unwrap_or(SignedDuration::ZERO);
            let at = now.saturating_sub(ago).unwrap_or(now);
            match next.what {
                What::Line(log, text) => {
                    self.append(log, &text, at)?;
                    stepped.n_lines += 1;
                }
                What::Rotate(log) => {
                    let path = self.dir.join(log.path());
                    // One old generation is enough; the one before it goes.
                    fs::rename(&path, path.with_extension("log.1"))?;
                    File::create(&path)?;
                    stepped.rotated.push(log);
                }
            }
        }
    }

    fn append(&self, log: Log, text: &str, at: Timestamp) -> io::Result<()> {
        let line = stamped(log, text, &at.to_zoned(self.zone.clone()));
        // Opened each time, as after a rotation by somebody else.
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join(log.path()))?
            .write_all(line.as_bytes())
    }

    /// Plans the next cycle.
    fn plan(&mut self) {
        let mut story = Story {
            start: CYCLE * self.n_cycles,
            rng: &mut self.rng,
            planned: Vec::new(),
        };
        story.ordinary_traffic();
        story.brute_force(400, 14);
        story.crash_loop(8_000);
        story.upstream_timeouts(16_500);
        story.out_of_memory(25_000);
        let rotated = LOGS[self.n_cycles as usize % LOGS.len()];
        story.plan(37_000, What::Rotate(rotated));
        story.failing_disk(38_500);
        story.brute_force(44_000, 6);
        // And then it is quiet until the next cycle.
        self.planned = story.planned;
        self.planned.sort_by_key(|planned| planned.at);
        self.planned.reverse();
        self.n_cycles += 1;
    }
}

/// Puts a time before a line, as its producer does, and an end behind it.
fn stamped(log: Log, text: &str, at: &Zoned) -> String {
    match log {
        Log::Auth | Log::Kern => format!("{} {HOST} {text}\n", at.strftime("%b %e %H:%M:%S")),
        Log::Access => {
            let (client, rest) = text.split_once(' ').unwrap_or((text, ""));
            format!(
                "{client} - - [{}] {rest}\n",
                at.strftime("%d/%b/%Y:%H:%M:%S %z")
            )
        }
        Log::Error => format!("{} {text}\n", at.strftime("%Y/%m/%d %H:%M:%S")),
        Log::App => format!("{} {text}\n", at.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z")),
    }
}

/// A cycle while it is being planned; times are milliseconds into it.
struct Story<'a> {
    start: Duration,
    rng: &'a mut fastrand::Rng,
    planned: Vec<Planned>,
}

impl Story<'_> {
    fn plan(&mut self, at_ms: u64, what: What) {
        let at = self.start + Duration::from_millis(at_ms);
        self.planned.push(Planned { at, what });
    }

    fn line(&mut self, at_ms: u64, log: Log, text: String) {
        self.plan(at_ms, What::Line(log, text));
    }

    /// Customers, health checks and colleagues, all day long but for two pauses.
    fn ordinary_traffic(&mut self) {
        const PATHS: [&str; 5] = ["/", "/products", "/cart", "/api/items?page=2", "/healthz"];
        let mut at_ms = 100;
        while at_ms < 48_000 {
            let is_pause = (31_000..36_000).contains(&at_ms);
            if !is_pause {
                let path = PATHS[self.rng.usize(..PATHS.len())];
                let client = self.rng.u8(1..200);
                let size = self.rng.u32(300..40_000);
                self.line(
                    at_ms,
                    Log::Access,
                    format!("198.51.100.{client} \"GET {path} HTTP/1.1\" 200 {size} \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\""),
                );
                let (order, took_ms) = (self.rng.u32(10_000..99_999), self.rng.u32(8..90));
                self.line(
                    at_ms + 30,
                    Log::App,
                    format!("INFO  orders: order {order} stored in {took_ms} ms"),
                );
            }
            at_ms += self.rng.u64(400..1_600);
        }
        for at_ms in [6_500, 29_500, 42_000] {
            let (pid, port) = self.process();
            self.line(at_ms, Log::Auth, format!("sshd[{pid}]: Accepted publickey for deploy from 203.0.113.20 port {port} ssh2: ED25519 SHA256:8Fd3mT0vQ1sample"));
            self.line(at_ms + 20, Log::Auth, format!("sshd[{pid}]: pam_unix(sshd:session): session opened for user deploy(uid=1001) by (uid=0)"));
            self.line(
                at_ms + 1_900,
                Log::Auth,
                format!("sshd[{pid}]: Disconnected from user deploy 203.0.113.20 port {port}"),
            );
        }
    }

    /// Somebody tries passwords, from two addresses.
    fn brute_force(&mut self, at_ms: u64, n_tries: u64) {
        const NAMES: [&str; 6] = ["admin", "oracle", "test", "ubuntu", "git", "postgres"];
        let clients = [self.rng.u8(2..250), self.rng.u8(2..250)];
        for index in 0..n_tries {
            let at_ms = at_ms + index * 280;
            let client = clients[self.rng.usize(..2)];
            let name = NAMES[self.rng.usize(..NAMES.len())];
            let (pid, port) = self.process();
            if self.rng.bool() {
                self.line(at_ms, Log::Auth, format!("sshd[{pid}]: Failed password for root from 192.0.2.{client} port {port} ssh2"));
            } else {
                self.line(
                    at_ms,
                    Log::Auth,
                    format!("sshd[{pid}]: Invalid user {name} from 192.0.2.{client} port {port}"),
                );
                self.line(at_ms + 60, Log::Auth, format!("sshd[{pid}]: Failed password for invalid user {name} from 192.0.2.{client} port {port} ssh2"));
            }
        }
        let (pid, port) = self.process();
        let client = clients[0];
        self.line(at_ms + n_tries * 280, Log::Auth, format!("sshd[{pid}]: error: maximum authentication attempts exceeded for root from 192.0.2.{client} port {port} ssh2 [preauth]"));
    }

    /// The application starts, does not find what it needs, and starts again.
    fn crash_loop(&mut self, at_ms: u64) {
        for attempt in 1..=4 {
            let at_ms = at_ms + (attempt - 1) * 1_700;
            self.line(
                at_ms,
                Log::App,
                format!("INFO  orders: starting, version 4.2.1, attempt {attempt}"),
            );
            self.line(at_ms + 350, Log::App, "ERROR orders: cannot connect to database orders at 10.0.0.5:5432: connection refused".to_owned());
            self.line(
                at_ms + 360,
                Log::App,
                "thread 'main' panicked at src/main.rs:88:10:".to_owned(),
            );
            self.line(
                at_ms + 361,
                Log::App,
                "FATAL orders: no database after 3 tries, giving up (exit code 101)".to_owned(),
            );
        }
        self.line(
            at_ms + 7_000,
            Log::App,
            "INFO  orders: connected to database orders at 10.0.0.5:5432".to_owned(),
        );
    }

    /// The application is slow, and nginx gives up waiting.
    fn upstream_timeouts(&mut self, at_ms: u64) {
        for index in 0..22 {
            let at_ms = at_ms + index * 240;
            let client = self.rng.u8(1..200);
            let connection = self.rng.u32(9_000..99_000);
            self.line(at_ms, Log::Error, format!("[error] 812#812: *{connection} upstream timed out (110: Connection timed out) while reading response header from upstream, client: 198.51.100.{client}, server: shop.example.com, request: \"POST /checkout HTTP/1.1\", upstream: \"http://10.0.0.12:8080/checkout\", host: \"shop.example.com\""));
            self.line(at_ms + 2, Log::Access, format!("198.51.100.{client} \"POST /checkout HTTP/1.1\" 504 167 \"https://shop.example.com/cart\" \"Mozilla/5.0 (X11; Linux x86_64)\""));
        }
        self.line(at_ms + 5_600, Log::Error, "[error] 812#812: *99120 connect() failed (111: Connection refused) while connecting to upstream, client: 198.51.100.9, server: shop.example.com, request: \"GET /cart HTTP/1.1\", upstream: \"http://10.0.0.12:8080/cart\", host: \"shop.example.com\"".to_owned());
        self.line(
            at_ms + 5_602,
            Log::Access,
            "198.51.100.9 \"GET /cart HTTP/1.1\" 502 157 \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\""
                .to_owned(),
        );
    }

    /// Memory runs out, and the kernel picks the largest process.
    fn out_of_memory(&mut self, at_ms: u64) {
        let pid = self.rng.u32(2_000..32_000);
        let up = self.rng.u32(80_000..90_000);
        let lines = [
            format!(
                "kernel: [{up}.100412] nginx invoked oom-killer: gfp_mask=0x1100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0"
            ),
            format!("kernel: [{up}.100733] Mem-Info:"),
            format!(
                "kernel: [{up}.101902] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/system.slice/search.service,task=java,pid={pid},uid=998"
            ),
            format!(
                "kernel: [{up}.101950] Out of memory: Killed process {pid} (java) total-vm:9823412kB, anon-rss:7712340kB, file-rss:0kB, shmem-rss:0kB, UID:998 pgtables:15600kB oom_score_adj:0"
            ),
            format!(
                "kernel: [{up}.588210] oom_reaper: reaped process {pid} (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB"
            ),
        ];
        for (line, at_ms) in lines.into_iter().zip(at_ms..) {
            self.line(at_ms, Log::Kern, line);
        }
    }

    /// A disk begins to die.
    fn failing_disk(&mut self, at_ms: u64) {
        let up = self.rng.u32(90_000..99_000);
        for index in 0..5 {
            let at_ms = at_ms + index * 700;
            let sector = self.rng.u32(1_000_000..900_000_000);
            self.line(
                at_ms,
                Log::Kern,
                format!("kernel: [{up}.{index}01200] ata2.00: failed command: READ FPDMA QUEUED"),
            );
            self.line(at_ms + 1, Log::Kern, format!("kernel: [{up}.{index}01350] I/O error, dev sdb, sector {sector} op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2"));
        }
        self.line(at_ms + 3_600, Log::Kern, format!("kernel: [{up}.990112] EXT4-fs error (device sdb1): ext4_find_entry:1683: inode #131073: comm rsync: reading directory lblock 0"));
    }

    /// Returns a process id and a client's port.
    fn process(&mut self) -> (u32, u16) {
        (self.rng.u32(1_200..32_000), self.rng.u16(32_768..60_999))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().expect("a good time")
    }

    /// Runs for some seconds, in steps.
    fn run(dir: &Path, seed: u64, secs: u64, step_ms: usize) -> (usize, Vec<Log>) {
        let mut writer = Writer::new(dir, seed, TimeZone::UTC).expect("the directory is ours");
        let (mut n_lines, mut rotated) = (0, Vec::new());
        for at_ms in (0..=secs * 1_000).step_by(step_ms) {
            let elapsed = Duration::from_millis(at_ms);
            let stepped = writer
                .step(elapsed, start() + elapsed)
                .expect("the directory is ours");
            n_lines += stepped.n_lines;
            rotated.extend(stepped.rotated);
        }
        (n_lines, rotated)
    }

    fn read(dir: &Path, log: Log) -> String {
        fs::read_to_string(dir.join(log.path())).expect("the file is there")
    }

    #[test]
    fn something_happens_within_a_second() {
        let dir = tempfile::tempdir().expect("a directory");
        run(dir.path(), 1, 1, 100);
        assert!(read(dir.path(), Log::Auth).contains("Failed password"));
    }

    #[test]
    fn the_seed_decides_and_the_steps_do_not_matter() {
        let [a, b] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        assert_eq!(run(a.path(), 7, 130, 100), run(b.path(), 7, 130, 65_000));
        for log in LOGS {
            assert_eq!(read(a.path(), log), read(b.path(), log), "{log:?}");
        }
    }

    #[test]
    fn each_file_is_rotated_in_its_turn() {
        let dir = tempfile::tempdir().expect("a directory");
        let (n_lines, rotated) = run(dir.path(), 3, 300, 1_000);
        assert_eq!(rotated, LOGS);
        assert!(dir.path().join("nginx/access.log.1").exists());
        assert!(n_lines > 1_000, "{n_lines}");
    }

    #[test]
    fn lines_look_like_their_producers() {
        let dir = tempfile::tempdir().expect("a directory");
        run(dir.path(), 5, 36, 500);
        let first = |log| {
            read(dir.path(), log)
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        assert!(first(Log::Auth).starts_with("Nov 21 10:00:00 web-01 sshd["));
        assert!(first(Log::Kern).starts_with("Nov 21 10:00:25 web-01 kernel: ["));
        assert!(first(Log::Access).contains(" - - [21/Nov/2026:10:00:00 +0000] \"GET "));
        assert!(first(Log::Error).starts_with("2026/11/21 10:00:16 [error] 812#812: *"));
        assert!(first(Log::App).starts_with("2026-11-21T10:00:00.130+00:00 INFO  orders: "));
    }
}
