//! Log lines as the journal of systemd wants them.
//!
//! It stamps every line itself and takes its importance from a `<N>` at its
//! beginning (`sd-daemon(3)`), so that `journalctl -p err` finds what it should.

use std::io;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Whether stderr goes to the journal. `stream` is what `JOURNAL_STREAM` says: the
/// device and the inode of the socket that does (`systemd.exec(5)`). Whoever
/// redirected stderr since then still has the variable.
pub(super) fn is_stderr(stream: Option<&str>) -> bool {
    let Ok(stat) = rustix::fs::fstat(io::stderr()) else {
        return false;
    };
    stream.is_some_and(|stream| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Makes writers to the journal.
#[derive(Debug)]
pub(super) struct Journal;

/// A writer of one line.
#[derive(Debug)]
pub(super) struct Line {
    /// As in `syslog(3)`.
    priority: u8,
}

impl MakeWriter<'_> for Journal {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line { priority: 6 }
    }

    fn make_writer_for(&self, about: &Metadata<'_>) -> Line {
        let priority = match *about.level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        Line { priority }
    }
}

impl io::Write for Line {
    /// Writes a whole line: one is never given in pieces.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut bytes = format!("<{}>", self.priority).into_bytes();
        bytes.extend_from_slice(line);
        io::Write::write_all(&mut io::stderr().lock(), &bytes)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
