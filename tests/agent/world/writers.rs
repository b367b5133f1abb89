//! Who writes the logs, and what is done to them meanwhile.

use std::path::{Path, PathBuf};

use super::World;
use super::files::{LineId, NodeId, Span};
use super::oracle::Mark;
use super::told::{self, Dialect};

/// Rotated generations that are kept.
const GENERATIONS: usize = 3;

/// Filler from which on a line is long.
const LONG: usize = 500;

/// A log and its writer.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    /// The file that the writer has open.
    node: NodeId,
    torn: Option<Torn>,
    pub(crate) style: Style,
    n_rotations: usize,
    /// Whether its file took the place of one with the same content.
    saved: bool,
    /// Whether its file was cut in its middle.
    cut: bool,
    /// Names of earlier generations, oldest first.
    old: Vec<PathBuf>,
}

/// A line of which only the beginning is written.
#[derive(Debug)]
struct Torn {
    line: LineId,
    /// Where it begins, if that part of it is still there.
    start: Option<u64>,
    rest: Vec<u8>,
}

/// How a log is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `app.log` becomes `app.log.1`, that one `app.log.2`, and so on.
    Numbered,
    /// `app.log` becomes `app-7.log`, which the pattern names as well.
    InPattern,
    /// `app.log` is a link that is turned to another file.
    Linked,
}

/// A line that is about to be written.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// Rules by number, with the value of `k`.
    pub(crate) marks: Vec<(usize, u64)>,
    /// Bytes of filler.
    pub(crate) filler: usize,
    /// A word that Chat does not like.
    pub(crate) spice: &'static str,
    /// How much of it is written now, in hundredths.
    pub(crate) percent_now: u64,
}

/// The least that must have been read of a file to know its content again, in bytes.
const PROOF: u64 = 128;

impl World {
    /// A new log.
    pub(crate) fn new_log(&mut self, name: &str, style: Style) -> usize {
        let path = Path::new("/logs").join(name);
        let node = match style {
            Style::Numbered | Style::InPattern => self.make(&path),
            Style::Linked => {
                let target = path.with_extension("0.dat");
                let node = self.make(&target);
                self.files.link(&path, &target);
                node
            }
        };
        self.files.open(node);
        self.note(format_args!("{} is made", path.display()));
        self.logs.push(Log {
            path,
            node,
            torn: None,
            style,
            n_rotations: 0,
            saved: false,
            cut: false,
            old: Vec::new(),
        });
        self.logs.len() - 1
    }

    /// Writes a line, or the beginning of one.
    pub(crate) fn write(&mut self, log: usize, draft: &Draft) -> LineId {
        self.finish(log);
        let is_told = |rule: usize| self.told.iter().any(|told| told.key == told::RULES[rule]);
        let marks = (draft.marks.iter()).map(|&(rule, k)| Mark {
            rule,
            k,
            least: u64::from(is_told(rule)),
            most: 1,
        });
        let line = self.oracle.begins(marks.collect(), self.clock.now());
        let mut text = format!("{:06} ", line.0);
        let words: Vec<String> = (draft.marks.iter())
            .map(|&(rule, k)| format!("{}:k{k}; ", told::RULES[rule]))
            .collect();
        // The marks stand at the beginning, or behind some of the filler.
        let n_before = if draft.filler.is_multiple_of(3) {
            draft.filler.min(80)
        } else {
            0
        };
        text.extend(std::iter::repeat_n('x', n_before));
        text.extend([" ", draft.spice]);
        let mut marked = words.concat();
        match draft.filler {
            // Short lines of one kind end alike; long ones are no desert.
            0..LONG => marked.extend(std::iter::repeat_n('y', draft.filler - n_before)),
            LONG.. => {
                let n_more = draft.filler - n_before;
                marked.extend(format!("y{}y", line.0).chars().cycle().take(n_more));
            }
        }
        let dialect = self
            .told
            .first()
            .map_or(Dialect::Lines, |told| told.dialect);
        let is_split = line.0.is_multiple_of(2);
        let text = dialect.written(&text, &marked, is_split);
        let node = self.logs[log].node;
        let start = self.files.node(node).bytes.len() as u64;
        let n_now = text.len() * usize::try_from(draft.percent_now).expect("percents") / 100;
        let rest = text.as_bytes()[n_now..].to_vec();
        let path = self.logs[log].path.clone();
        let n_bytes = text.len();
        let shown: String = text
            .replace(['x', 'y', '\n'], "")
            .chars()
            .take(80)
            .collect();
        let percent = draft.percent_now;
        self.note(format_args!(
            "{} gets {percent} % of {n_bytes}: {shown}",
            path.display()
        ));
        self.append(node, &text.as_bytes()[..n_now]);
        self.logs[log].torn = Some(Torn {
            line,
            start: Some(start),
            rest,
        });
        if draft.percent_now == 100 {
            self.finish(log);
        }
        line
    }

    /// Writes the rest of a torn line.
    pub(crate) fn finish(&mut self, log: usize) {
        let node = self.logs[log].node;
        let Some(torn) = self.logs[log].torn.take() else {
            return;
        };
        let rest_start = self.files.node(node).bytes.len() as u64;
        if !torn.rest.is_empty() {
            self.append(node, &torn.rest);
        }
        let now = self.clock.now();
        match torn.start {
            Some(start) => {
                let end = self.files.node(node).bytes.len() as u64;
                let line = torn.line;
                self.files
                    .node_mut(node)
                    .spans
                    .push(Span { start, end, line });
                self.oracle.ends(line, now);
                if self.is_unprovable(node) {
                    self.oracle.excuse(line);
                }
                if self.is_out_of_reach(node) {
                    self.oracle.lost(line, self.clock.now());
                }
            }
            // Its beginning is gone: the rest is a line of its own.
            None => self.leave_part(node, rest_start, torn.line),
        }
    }

    /// The length of the file that a log is written to.
    pub(crate) fn log_len(&self, log: usize) -> u64 {
        self.files.node(self.logs[log].node).bytes.len() as u64
    }

    /// The file gets another name; the writer goes on with it until it reopens.
    pub(crate) fn rotate(&mut self, log: usize) {
        self.reopen(log);
        let is_copy = self.logs[log].saved && !self.is_known_safe(self.logs[log].node);
        if is_copy && self.logs[log].style == Style::InPattern {
            // Two replacements between two looks: nothing tells a copy under a new
            // name from a new file.
            return;
        }
        self.logs[log].saved = false;
        let Log { path, style, .. } = &self.logs[log];
        let (path, style) = (path.clone(), *style);
        self.logs[log].n_rotations += 1;
        self.note(format_args!("{} is rotated", path.display()));
        let n = self.logs[log].n_rotations;
        match style {
            Style::Numbered => {
                let numbered = |n: usize| PathBuf::from(format!("{}.{n}", path.display()));
                self.remove(&numbered(GENERATIONS));
                for n in (1..GENERATIONS).rev() {
                    self.rename(&numbered(n), &numbered(n + 1));
                }
                self.rename(&path, &numbered(1));
            }
            Style::InPattern => {
                let stem = path.with_extension("");
                let name = PathBuf::from(format!("{}-{n}.log", stem.display()));
                self.rename(&path, &name);
                self.logs[log].old.push(name);
            }
            Style::Linked => {
                let target = path.with_extension(format!("{n}.dat"));
                self.finish(log);
                self.make(&target);
                let before = self.files.resolve(&path).map(|(node, _)| node);
                self.files.link(&path, &target);
                if let Some(before) = before {
                    self.lost_a_name(before);
                }
                self.logs[log]
                    .old
                    .push(path.with_extension(format!("{}.dat", n - 1)));
            }
        }
        while self.logs[log].old.len() > GENERATIONS {
            let oldest = self.logs[log].old.remove(0);
            self.remove(&oldest);
        }
        if style == Style::Linked {
            self.reopen(log);
        }
    }

    /// The writer opens its log by name, and makes it if it is not there.
    pub(crate) fn reopen(&mut self, log: usize) {
        let path = self.logs[log].path.clone();
        let found = self.files.resolve(&path).map(|(node, _)| node);
        if found == Some(self.logs[log].node) {
            return;
        }
        self.finish(log);
        let node = match found {
            Some(node) => node,
            None => self.make(&path),
        };
        self.files.open(node);
        let old = std::mem::replace(&mut self.logs[log].node, node);
        self.files.close(old);
        self.note(format_args!("{} is opened anew", path.display()));
    }

    /// The file is copied away and emptied.
    pub(crate) fn copy_and_truncate(&mut self, log: usize) {
        self.reopen(log);
        let path = self.logs[log].path.clone();
        let copy = PathBuf::from(format!("{}.1", path.display()));
        let last = self.files.resolve(&copy).map(|(node, _)| node);
        let last = last.filter(|_| self.habits.copies_over);
        let (copied, is_noticed) = match last {
            Some(last) => (last, self.overwrite(last)),
            None => {
                self.remove(&copy);
                (self.make(&copy), true)
            }
        };
        let node = self.files.node(self.logs[log].node);
        let (bytes, spans) = (node.bytes.clone(), node.spans.clone());
        let wall = self.wall_nanos();
        self.files.append(copied, &bytes, wall);
        if self.is_disguised(copied) {
            // Nothing tells that it is not the file that had its number, written anew.
            for span in &spans {
                self.oracle.double(span.line);
            }
        }
        // Where its time is older than that of others it is not looked for; and where the
        // log was saved anew as well, it is taken for what was read before that.
        let is_found = !self.logs[log].cut && !self.logs[log].saved && !self.clock.is_behind();
        if is_found && is_noticed && self.proven(&spans) >= PROOF {
            for span in &spans {
                self.oracle.copied(span.line);
            }
            self.files.node_mut(copied).spans = spans;
        } else {
            for span in &spans {
                // It is read for the bytes that it was known by before, and may be new; and
                // where nothing was read of the log, it is new, with what was old in that.
                if last.is_some() || !self.oracle.is_handed(span.line) {
                    self.oracle.double(span.line);
                } else {
                    self.oracle.copied_too_early(span.line);
                }
            }
            self.files.node_mut(copied).doubtful = spans;
        }
        self.note(format_args!("{} is copied and emptied", path.display()));
        self.truncate(log, 0);
    }

    /// What stood in a file is gone: another is about to be copied over it. Returns
    /// whether enough of it was known to notice.
    fn overwrite(&mut self, node: NodeId) -> bool {
        let wall = self.wall_nanos();
        let is_known = self.proven(&self.files.node(node).spans) >= PROOF;
        for line in self.files.truncate(node, 0, wall) {
            self.mourn(line);
        }
        self.lost_content(node, node);
        is_known
    }

    /// A rotated file is compressed: what it holds stands in another file then. Its
    /// bytes stay readable here, for the host that reads them decompresses.
    pub(crate) fn pack(&mut self, log: usize, number: usize) {
        let plain = PathBuf::from(format!("{}.{number}", self.logs[log].path.display()));
        let Some((node, _)) = self.files.resolve(&plain) else {
            return;
        };
        let packed = PathBuf::from(format!("{}.gz", plain.display()));
        let modified = self.files.facts(node).modified;
        let (bytes, spans) = (
            self.files.node(node).bytes.clone(),
            self.files.node(node).spans.clone(),
        );
        let new = self.make(&packed);
        self.files.append(new, &bytes, modified);
        for span in &spans {
            self.oracle.copied(span.line);
        }
        self.files.node_mut(new).spans = spans;
        self.note(format_args!("{} is compressed", plain.display()));
        self.remove(&plain);
    }

    /// The file is cut to a length.
    pub(crate) fn truncate(&mut self, log: usize, len: u64) {
        self.reopen(log);
        let node = self.logs[log].node;
        let wall = self.wall_nanos();
        let path = self.logs[log].path.clone();
        self.note(format_args!("{} is cut to {len}", path.display()));
        let spans = self.files.node(node).spans.clone();
        self.files.truncate(node, len, wall);
        self.lost_content(node, node);
        if len > 0 {
            self.lost_end(node, spans.last().map(|span| span.line));
        }
        self.logs[log].cut = len > 0;
        let torn = self.logs[log].torn.as_mut();
        let torn = torn.and_then(|torn| Some((torn.start.take()?, torn.line)));
        for span in spans {
            if span.end <= len {
                // What is left proves nothing about where the cut was.
                self.oracle.double(span.line);
            } else if span.start < len {
                self.leave_part(node, span.start, span.line);
            } else {
                self.mourn(span.line);
            }
        }
        if let Some((start, line)) = torn.filter(|(start, _)| *start < len) {
            self.leave_part(node, start, line);
        }
        self.end_line(node);
    }

    /// What a cut left of a line becomes a line of its own.
    fn leave_part(&mut self, node: NodeId, start: u64, line: LineId) {
        self.end_line(node);
        let end = self.files.node(node).bytes.len() as u64;
        self.files
            .node_mut(node)
            .spans
            .push(Span { start, end, line });
        self.oracle.cut(line);
    }

    fn end_line(&mut self, node: NodeId) {
        let bytes = &mut self.files.node_mut(node).bytes;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            bytes.push(b'\n');
        }
    }

    /// The file is deleted and another made in its place.
    pub(crate) fn recreate(&mut self, log: usize) {
        self.reopen(log);
        self.finish(log);
        let path = self.logs[log].path.clone();
        if self.logs[log].style == Style::Linked {
            return;
        }
        // The writer lets go first: so the inode number may be free at once.
        let node = self.logs[log].node;
        self.note(format_args!("{} is deleted and made anew", path.display()));
        self.files.close(node);
        self.remove(&path);
        let new = self.make(&path);
        self.files.open(new);
        self.logs[log].node = new;
    }

    /// The file is replaced by another with the same content and more, as editors
    /// do. Content that was hardly read proves no identity, and cut content proves
    /// little: then it is not done.
    pub(crate) fn save(&mut self, log: usize) {
        self.reopen(log);
        self.finish(log);
        let (path, node) = (self.logs[log].path.clone(), self.logs[log].node);
        let spans = self.files.node(node).spans.clone();
        if self.logs[log].cut
            || self.logs[log].style == Style::Linked
            || self.proven(&spans) < PROOF
        {
            return;
        }
        let wall = self.wall_nanos();
        let bytes = self.files.node(node).bytes.clone();
        let side = path.with_extension("log~");
        let new = self.make(&side);
        self.files.append(new, &bytes, wall);
        self.files.open(new);
        let is_disguised = self.is_disguised(new);
        for span in &spans {
            self.oracle.copied(span.line);
            if is_disguised {
                self.oracle.double(span.line);
            }
        }
        self.files.node_mut(new).spans = spans;
        self.note(format_args!("{} is saved by an editor", path.display()));
        self.files.rename(&side, &path);
        self.logs[log].node = new;
        self.logs[log].saved = true;
        self.files.close(node);
        self.lost_a_name(node);
    }

    /// While the clock is behind the times of files: where only these tell which of the
    /// rotated files are newer than one that nothing leads to, one that was read before
    /// may be taken for a new one.
    pub(crate) fn doubt_times(&mut self) {
        if !self.clock.is_behind() {
            return;
        }
        let nodes: Vec<NodeId> = self.files.nodes().collect();
        let spans = nodes.iter().flat_map(|node| &self.files.node(*node).spans);
        for span in spans {
            self.oracle.lines[span.line.0].is_doubted = true;
        }
    }

    /// How much of a file with these lines is on the agent's disk as read.
    fn proven(&self, spans: &[Span]) -> u64 {
        let line = |span: &Span| &self.oracle.lines[span.line.0];
        let is_safe = |span: &&Span| line(span).safe && !line(span).is_in_parts;
        let safe = spans.iter().filter(is_safe);
        safe.map(|span| span.end).max().unwrap_or(0)
    }

    /// Makes a file. Where the system tells no births, one that has the number of
    /// another may be taken for that one.
    pub(super) fn make(&mut self, path: &Path) -> NodeId {
        let wall = self.wall_nanos();
        let new = self.files.create(path, wall);
        if !self.is_disguised(new) {
            return new;
        }
        let nodes: Vec<NodeId> = self.files.nodes().filter(|node| *node != new).collect();
        for old in nodes {
            if self.files.place(old) == self.files.place(new) {
                self.lost_content(old, new);
                // Where its lines live on elsewhere, nothing tells that they moved.
                for span in self.files.node(old).spans.clone() {
                    self.oracle.double(span.line);
                }
            }
        }
        new
    }

    /// Whether a file can be taken for an earlier one.
    fn is_disguised(&self, new: NodeId) -> bool {
        let mut nodes = self.files.nodes().filter(|node| *node != new);
        !self.files.tells_birth && nodes.any(|node| self.files.place(node) == self.files.place(new))
    }

    fn append(&mut self, node: NodeId, bytes: &[u8]) {
        let wall = self.wall_nanos();
        self.files.append(node, bytes, wall);
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let node = self.files.resolve(from).map(|(node, _)| node);
        self.files.rename(from, to);
        if let Some(node) = node {
            self.lost_a_name(node);
        }
    }

    fn remove(&mut self, path: &Path) {
        let Some((node, _)) = self.files.resolve(path) else {
            return;
        };
        self.files.unlink(path);
        self.lost_a_name(node);
    }
}
