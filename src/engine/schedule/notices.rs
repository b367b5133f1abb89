//! What people should hear of followed files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::own::Trouble;
use crate::rules::own::Own;

/// Something that people or the rest of the engine should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A file is followed from now on.
    Follows {
        /// Which.
        path: Arc<Path>,
        /// From which byte.
        offset: u64,
    },
    /// A file was replaced by another of the same name.
    Rotated {
        /// Its name.
        path: PathBuf,
    },
    /// A file was cut short and begins anew.
    Truncated {
        /// Which.
        path: PathBuf,
        /// Bytes that were seen and can no longer be read.
        n_lost: u64,
    },
    /// The end of a file was cut or edited in place.
    CutInPlace {
        /// Which.
        path: PathBuf,
        /// Where reading goes on.
        offset: u64,
    },
    /// A file is gone before it was read to its end.
    Lost {
        /// Which.
        path: PathBuf,
        /// Bytes that were seen and can no longer be read.
        n_lost: u64,
    },
    /// An archive holds what was not read yet, and cannot be read to its end.
    ArchiveBroken {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// An archive that a pattern names and that belongs to no file that was followed.
    /// Said once.
    ArchiveSkipped {
        /// Which.
        path: PathBuf,
    },
    /// A file begins as no text does, and is not read.
    Binary {
        /// Which.
        path: PathBuf,
    },
    /// The lines of a file end in carriage returns only, as no system of today ends
    /// them: it has no lines for us.
    BareReturns {
        /// Which.
        path: PathBuf,
    },
    /// A file or directory cannot be read. Said once until it can.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It still cannot be read.
    StaysUnreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It can be read again.
    Readable {
        /// Which.
        path: PathBuf,
    },
    /// A file that a rule names without wildcards was followed, and nothing has stood
    /// at its name for long. Said once until something does.
    StaysAway {
        /// Its name.
        path: PathBuf,
    },
    /// A rule that tells of lines which do not come names a file without wildcards, and
    /// nothing has stood at that name for long. Said once until something does.
    NeverCame {
        /// Its name.
        path: PathBuf,
    },
    /// There is a file at a name of which one of these two was said.
    Back {
        /// The name.
        path: PathBuf,
    },
    /// Hints were lost: everything is looked at. Said once until none was lost for a
    /// while.
    HintsLost,
    /// No hints are lost any more.
    HintsBack {
        /// How often some were.
        n_times: u64,
    },
    /// Some directories cannot be watched and are looked at again and again. Said
    /// once until all can.
    Unwatched {
        /// One of them.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// All directories are watched again.
    Watched,
    /// Others may change a file system unseen: its directories are looked at again
    /// and again. Said once for each kind.
    Shared {
        /// One of the directories.
        path: PathBuf,
        /// The kind of the file system.
        kind: &'static str,
    },
    /// A file is mounted alone, without its directory: whoever replaces it where it
    /// comes from does so unseen.
    MountedAlone {
        /// Which.
        path: PathBuf,
    },
    /// What patterns name below a directory is more, or lies deeper, than a listing goes:
    /// the rest is not followed. Said once until it is.
    CutOff {
        /// Where the patterns begin.
        path: PathBuf,
        /// Which limit was reached.
        why: String,
    },
    /// All that patterns name there is followed again.
    Whole {
        /// Where the patterns begin.
        path: PathBuf,
    },
    /// A pattern names what is the agent's own: not followed.
    Own {
        /// A directory or a file.
        path: PathBuf,
    },
    /// Lines were longer than what is kept.
    LinesCut {
        /// Where.
        path: PathBuf,
        /// How many.
        n_lines: u64,
    },
}

impl Notice {
    /// The event that it is, if a person should hear of it at once.
    pub fn trouble(&self) -> Option<Trouble> {
        let (path, what): (&Path, String) = match self {
            Self::StaysUnreadable { path, why } => (path, format!("cannot be read: {why}")),
            Self::StaysAway { path } => (path, "was followed and is gone".to_owned()),
            Self::NeverCame { path } => (path, "is waited for and is not there".to_owned()),
            Self::CutOff { path, why } => (path, format!("is not followed as a whole: {why}")),
            Self::Follows { .. }
            | Self::Rotated { .. }
            | Self::Truncated { .. }
            | Self::CutInPlace { .. }
            | Self::Lost { .. }
            | Self::ArchiveBroken { .. }
            | Self::ArchiveSkipped { .. }
            | Self::Binary { .. }
            | Self::BareReturns { .. }
            | Self::Unreadable { .. }
            | Self::Readable { .. }
            | Self::Back { .. }
            | Self::HintsLost
            | Self::HintsBack { .. }
            | Self::Unwatched { .. }
            | Self::Watched
            | Self::Shared { .. }
            | Self::MountedAlone { .. }
            | Self::Whole { .. }
            | Self::Own { .. }
            | Self::LinesCut { .. } => return None,
        };
        Some(Trouble {
            own: Own::Source,
            subject: path.to_string_lossy().into_owned(),
            what: format!("{}: {what}", path.display()),
            at_fault: None,
        })
    }
}
