//! Copies standard input to disk, where it is followed like a file.
//!
//! A pipe gives every byte once. So a byte goes from the pipe to the disk without a stop
//! in this process: a kill at any moment finds it in the one or in the other. Where the
//! copy is full because nobody reads it, what comes waits in the pipe.

use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};
use tokio::sync::mpsc::UnboundedSender;
use tracing::info;

mod copy;

pub(super) use copy::Copy;
use copy::{Room, Spot};

use super::{StartFault, clock};
use crate::engine::Input;
use crate::engine::schedule::Hint;
use crate::engine::stdin::{News, Reach};
use crate::rules::STDIN;

/// Bytes that are copied at once, at most.
const CHUNK_BYTES: usize = 256 << 10;

/// How long a disk that takes nothing is left alone before the next try.
const NEXT_TRY: Duration = Duration::from_secs(1);

/// `/dev/null`, by its number (`null(4)`).
const NULL: (u32, u32) = (1, 3);

/// Standard input, for rules that look at it.
pub(super) struct Stdin {
    copy: Arc<Copy>,
    inputs: UnboundedSender<Input>,
    has_begun: bool,
}

/// What standard input is.
enum Source {
    /// Nothing that lines could come from, in words.
    Nothing(&'static str),
    /// What gives every byte once, with a name that no other has.
    Pipe(String),
    /// Anything else that can be read.
    Other,
}

impl Stdin {
    /// Touches nothing yet.
    pub(super) fn new(state_dir: &Path, inputs: &UnboundedSender<Input>) -> Self {
        Self {
            copy: Arc::new(Copy::new(state_dir)),
            inputs: inputs.clone(),
            has_begun: false,
        }
    }

    /// What came, to be followed.
    pub(super) fn copy(&self) -> Arc<Copy> {
        self.copy.clone()
    }

    /// Begins, goes on or ends to copy, as rules want it. Where nobody wants any more
    /// what he once wanted, whoever writes there must not wait for ever: it is read and
    /// forgotten.
    pub(super) fn meet(&mut self, is_wanted: bool) -> Result<(), StartFault> {
        if !is_wanted {
            self.copy.discard();
            return Ok(());
        }
        // The thread tries again, and says why it cannot.
        let _ = self.copy.want();
        if let Some(reach) = self.copy.ended() {
            // Nobody listens any more when the agent ends.
            let _ = self.inputs.send(Input::Stdin(News::Ended(reach)));
        }
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        let system = |source| StartFault::System {
            what: "standard input",
            source,
        };
        let source = Source::find().map_err(system)?;
        if let Source::Nothing(what) = source {
            info!("standard input is {what}, rules that look at it have nothing to read");
            return Ok(());
        }
        let copier = Copier {
            input: io::stdin().as_fd().try_clone_to_owned().map_err(system)?,
            copy: self.copy.clone(),
            inputs: self.inputs.clone(),
            is_splicing: matches!(source, Source::Pipe(_)),
            pending: Vec::new(),
            is_failing: false,
        };
        std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || copier.run(&source))
            .map_err(|source| StartFault::System {
                what: "thread",
                source,
            })?;
        Ok(())
    }

    /// What stands before is not needed any more.
    pub(super) fn spent(&self, reach: Reach) {
        self.copy.spent(reach);
    }
}

impl Source {
    fn find() -> io::Result<Self> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            // To read from it would stop an agent in the background (`SIGTTIN`).
            return Ok(Self::Nothing("a terminal"));
        }
        let facts = fstat(stdin)?;
        let device = (
            rustix::fs::major(facts.st_rdev),
            rustix::fs::minor(facts.st_rdev),
        );
        Ok(match FileType::from_raw_mode(facts.st_mode) {
            FileType::CharacterDevice if device == NULL => Self::Nothing("/dev/null"),
            FileType::Fifo | FileType::Socket => {
                // Numbers begin anew when the machine does.
                let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
                let boot = boot.unwrap_or_default();
                let (device, inode) = (facts.st_dev, facts.st_ino);
                Self::Pipe(format!("{} {device} {inode}", boot.trim()))
            }
            _ => Self::Other,
        })
    }
}

/// Who copies.
struct Copier {
    input: OwnedFd,
    copy: Arc<Copy>,
    inputs: UnboundedSender<Input>,
    /// Whether the system moves the bytes, and none of them stops here.
    is_splicing: bool,
    /// Where they must stop: what was read and not written.
    pending: Vec<u8>,
    /// Whether people know that the copy cannot be written.
    is_failing: bool,
}

/// How a step ended.
enum Step {
    Copied,
    Ended,
    /// The copy cannot be written.
    Full(io::Error),
    /// The input cannot be read.
    Broken(io::Error),
}

impl Copier {
    fn run(mut self, source: &Source) {
        let origin = match source {
            Source::Pipe(origin) => Some(origin.as_str()),
            Source::Nothing(_) | Source::Other => None,
        };
        self.insist(|copy| copy.begin_with(origin));
        loop {
            match self.step() {
                Step::Copied => {
                    self.works();
                    if self.copy.is_news() {
                        self.tell_written();
                    }
                }
                Step::Full(error) => self.fails(&error),
                Step::Ended => break,
                Step::Broken(error) => {
                    let why = error.to_string();
                    self.insist(Copy::finish_line);
                    self.tell(Input::Stdin(News::Unreadable { why }));
                    return;
                }
            }
        }
        self.insist(Copy::finish_line);
        self.copy.end();
        if let Some(reach) = self.copy.ended() {
            self.tell_written();
            self.tell(Input::Stdin(News::Ended(reach)));
        }
    }

    /// Copies what is there next.
    fn step(&mut self) -> Step {
        if self.pending.is_empty() {
            // Here it waits, and not with a place that nobody may want by then.
            let mut ready = [PollFd::new(&self.input, PollFlags::IN)];
            match poll(&mut ready, None) {
                Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Step::Broken(error.into()),
            }
        }
        match self.copy.room() {
            Ok(Room::At(spot)) if self.is_splicing => self.splice(&spot),
            Ok(Room::At(spot)) => self.read_and_write(&spot),
            Ok(Room::Nowhere) => {
                self.pending.clear();
                let step = self.fill();
                self.pending.clear();
                step
            }
            Err(error) => Step::Full(error),
        }
    }

    fn splice(&mut self, spot: &Spot) -> Step {
        let mut offset = spot.offset;
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let into = Some(&mut offset);
        match splice(&self.input, None, &spot.file, into, CHUNK_BYTES, flags) {
            Ok(0) => Step::Ended,
            Ok(n_bytes) => self.grown(spot, n_bytes),
            Err(Errno::INTR | Errno::AGAIN) => Step::Copied,
            // Sockets on old systems, and file systems that cannot.
            Err(Errno::INVAL) => {
                self.is_splicing = false;
                self.read_and_write(spot)
            }
            Err(error) => Step::Full(error.into()),
        }
    }

    fn read_and_write(&mut self, spot: &Spot) -> Step {
        if self.pending.is_empty() {
            match self.fill() {
                Step::Copied => {}
                other => return other,
            }
        }
        if self.pending.is_empty() {
            return Step::Copied;
        }
        match spot.file.write_at(&self.pending, spot.offset) {
            Ok(n_bytes) => {
                self.pending.drain(..n_bytes);
                self.grown(spot, n_bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Step::Copied,
            Err(error) => Step::Full(error),
        }
    }

    /// Reads what is there.
    fn fill(&mut self) -> Step {
        let mut buffer = vec![0; CHUNK_BYTES];
        match rustix::io::read(&self.input, &mut buffer) {
            Ok(0) => Step::Ended,
            Ok(n_bytes) => {
                buffer.truncate(n_bytes);
                self.pending = buffer;
                Step::Copied
            }
            Err(Errno::INTR | Errno::AGAIN) => Step::Copied,
            Err(error) => Step::Broken(error.into()),
        }
    }

    fn grown(&self, spot: &Spot, n_bytes: usize) -> Step {
        let now = clock::now().wall.0.saturating_mul(1_000);
        self.copy.grown(spot, n_bytes as u64, now);
        Step::Copied
    }

    /// Does something to the copy until it succeeds.
    fn insist(&mut self, work: impl Fn(&Copy) -> io::Result<()>) {
        while let Err(error) = work(&self.copy) {
            self.fails(&error);
        }
        self.works();
    }

    fn fails(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_failing, true) {
            let why = error.to_string();
            self.tell(Input::Stdin(News::Uncopied { why }));
        }
        self.copy.wait(NEXT_TRY);
    }

    fn works(&mut self) {
        if std::mem::take(&mut self.is_failing) {
            self.tell(Input::Stdin(News::Copied));
        }
    }

    fn tell_written(&self) {
        let hint = Hint::Written(PathBuf::from(STDIN));
        let since = clock::now().moment;
        self.tell(Input::Hint { hint, since });
    }

    fn tell(&self, input: Input) {
        // Nobody listens any more when the agent ends; what came is on disk.
        let _ = self.inputs.send(input);
    }
}
