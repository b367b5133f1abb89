//! A file system of inodes and names, with the habits of real ones.
//!
//! An inode number is free again when no name and no descriptor leads to its file,
//! and is then given out again. Every file knows which lines of the oracle stand
//! in it, so that it can be told which of them a change destroyed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use logcrier::engine::identity::{Facts, Place};

/// The granularity of a kernel's modification times.
const TICK_NANOS: i64 = 4_000_000;

/// A file, for ever: unlike its inode number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) usize);

/// A line of the oracle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LineId(pub(crate) usize);

/// A line that stands whole in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) line: LineId,
}

/// A file.
#[derive(Debug, Default)]
pub(crate) struct Node {
    number: u64,
    birth: i64,
    modified: i64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) spans: Vec<Span>,
    /// Lines that stand in it as well, although nobody need know that it is a copy: if they
    /// are read here, they are read.
    pub(crate) doubtful: Vec<Span>,
    n_names: u64,
    n_open: u64,
    /// What the system told before the last write: some tell it still.
    stale: (u64, i64),
    pub(crate) trouble: Option<Trouble>,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It cannot be opened; who has it open may read.
    Forbidden,
    /// Nothing of it can be read.
    Broken,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    File(NodeId),
    Link(PathBuf),
}

/// What a watcher could tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happened {
    Written(PathBuf),
    Renamed(PathBuf),
}

/// All files.
#[derive(Debug, Default)]
pub(crate) struct Files {
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, Name>,
    free_numbers: Vec<u64>,
    n_numbers: u64,
    /// Whether the file system tells when a file was made.
    pub(crate) tells_birth: bool,
    /// Whether a freed inode number is given out again at once.
    pub(crate) reuses_numbers: bool,
    /// How often the file system was mounted anew.
    pub(crate) n_mounts: u64,
    /// Directories that cannot be listed for now.
    pub(crate) unlistable: BTreeSet<PathBuf>,
    /// Below which not everything is listed: there is too much.
    pub(crate) cut_off: BTreeSet<PathBuf>,
    happened: Vec<Happened>,
}

impl Files {
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0]
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// What a watcher could tell since the last call.
    pub(crate) fn take_happened(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.happened)
    }

    /// Makes an empty file with a name; what stood there loses that name.
    pub(crate) fn create(&mut self, path: &Path, wall_nanos: i64) -> NodeId {
        let number = match self.free_numbers.pop().filter(|_| self.reuses_numbers) {
            Some(number) => number,
            None => {
                self.n_numbers += 1;
                100 + self.n_numbers
            }
        };
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node {
            number,
            // No two files are made at one time, however coarse the clock.
            birth: wall_nanos + i64::try_from(id.0).unwrap_or(0),
            modified: wall_nanos / TICK_NANOS * TICK_NANOS,
            ..Node::default()
        });
        self.put(path, Name::File(id));
        self.happened.push(Happened::Renamed(path.to_owned()));
        id
    }

    /// Gives a file a second name.
    pub(crate) fn hard_link(&mut self, node: NodeId, path: &Path) {
        self.put(path, Name::File(node));
        self.happened.push(Happened::Renamed(path.to_owned()));
    }

    /// Makes a name that leads to another, or turns it there.
    pub(crate) fn link(&mut self, path: &Path, target: &Path) {
        self.put(path, Name::Link(target.to_owned()));
        self.happened.push(Happened::Renamed(path.to_owned()));
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) {
        let Some(name) = self.names.remove(from) else {
            return;
        };
        if let Name::File(node) = name {
            self.nodes[node.0].n_names -= 1;
        }
        self.put(to, name);
        self.happened.push(Happened::Renamed(from.to_owned()));
        self.happened.push(Happened::Renamed(to.to_owned()));
    }

    pub(crate) fn unlink(&mut self, path: &Path) {
        if let Some(name) = self.names.remove(path) {
            self.dropped(&name);
            self.happened.push(Happened::Renamed(path.to_owned()));
        }
    }

    /// Writes at the end of a file.
    pub(crate) fn append(&mut self, id: NodeId, bytes: &[u8], wall_nanos: i64) {
        let node = &mut self.nodes[id.0];
        node.stale = (node.bytes.len() as u64, node.modified);
        node.bytes.extend_from_slice(bytes);
        node.modified = wall_nanos / TICK_NANOS * TICK_NANOS;
        self.written(id);
    }

    /// Cuts a file. Returns the lines that were in what was cut.
    pub(crate) fn truncate(&mut self, id: NodeId, len: u64, wall_nanos: i64) -> Vec<LineId> {
        let node = &mut self.nodes[id.0];
        node.bytes
            .truncate(usize::try_from(len).unwrap_or(usize::MAX));
        node.modified = wall_nanos / TICK_NANOS * TICK_NANOS;
        node.stale = (len, node.modified);
        let gone = node.spans.iter().filter(|span| span.end > len);
        let gone = gone.map(|span| span.line).collect();
        node.spans.retain(|span| span.end <= len);
        node.doubtful.retain(|span| span.end <= len);
        self.written(id);
        gone
    }

    /// The file that a name leads to, and its own name if that is another.
    pub(crate) fn resolve(&self, path: &Path) -> Option<(NodeId, Option<&Path>)> {
        match self.names.get(path)? {
            Name::File(id) => Some((*id, None)),
            Name::Link(target) => match self.names.get(target)? {
                Name::File(id) => Some((*id, Some(target))),
                Name::Link(_) => None,
            },
        }
    }

    /// All names, with the files they lead to.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&Path, NodeId, Option<&Path>)> {
        self.names.keys().filter_map(|path| {
            let (node, real) = self.resolve(path)?;
            Some((path.as_path(), node, real))
        })
    }

    /// Whether any name leads to a file.
    pub(crate) fn is_named(&self, id: NodeId) -> bool {
        self.nodes[id.0].n_names > 0
    }

    pub(crate) fn open(&mut self, id: NodeId) {
        self.nodes[id.0].n_open += 1;
    }

    pub(crate) fn close(&mut self, id: NodeId) {
        self.nodes[id.0].n_open -= 1;
        self.free(id);
    }

    pub(crate) fn facts(&self, id: NodeId) -> Facts {
        let node = self.node(id);
        Facts {
            place: self.place(id),
            birth: self.tells_birth.then_some(node.birth),
            size: node.bytes.len() as u64,
            modified: node.modified,
            links: node.n_names,
        }
    }

    /// The same as it was before the last write.
    pub(crate) fn stale_facts(&self, id: NodeId) -> Facts {
        let (size, modified) = self.node(id).stale;
        Facts {
            size,
            modified,
            ..self.facts(id)
        }
    }

    /// What the system tells is true again.
    pub(crate) fn settle(&mut self) {
        for node in &mut self.nodes {
            node.stale = (node.bytes.len() as u64, node.modified);
        }
    }

    pub(crate) fn place(&self, id: NodeId) -> Place {
        Place {
            device: 1 + self.n_mounts,
            inode: self.node(id).number,
        }
    }

    fn put(&mut self, path: &Path, name: Name) {
        if let Name::File(id) = name {
            self.nodes[id.0].n_names += 1;
        }
        if let Some(old) = self.names.insert(path.to_owned(), name) {
            self.dropped(&old);
        }
    }

    fn dropped(&mut self, name: &Name) {
        if let Name::File(id) = name {
            self.nodes[id.0].n_names -= 1;
            self.free(*id);
        }
    }

    fn free(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.0];
        if node.n_names == 0 && node.n_open == 0 {
            self.free_numbers.push(node.number);
            node.bytes = Vec::new();
        }
    }

    fn written(&mut self, id: NodeId) {
        let path = self.names.iter().find_map(|(path, name)| match name {
            Name::File(node) if *node == id => Some(path.clone()),
            Name::File(_) | Name::Link(_) => None,
        });
        self.happened.extend(path.map(Happened::Written));
    }
}
