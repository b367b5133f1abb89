//! Which files the agent can still find, and what is lost with the others.

use logcrier::rules::From;

use super::files::{LineId, NodeId};
use super::{READING_MAX, World, told};

impl World {
    /// Whether a name that a pattern has leads to a file.
    pub(crate) fn is_followed_name(&self, node: NodeId) -> bool {
        let glob = logcrier::rules::glob::Glob::parse(told::GLOB, "/".as_ref());
        let glob = glob.expect("a glob");
        (self.files.names()).any(|(path, found, _)| found == node && glob.matches(path))
    }

    /// A file lost a name: if nothing leads to it any more, its lines are lost.
    pub(crate) fn lost_a_name(&mut self, node: NodeId) {
        let is_known = self.known.contains(&node) || self.listed.contains(&node);
        if !self.is_followed_name(node) && !is_known {
            self.put_out_of_reach(node);
        }
        let is_open = (self.agent.as_ref()).is_some_and(|agent| agent.has_open(node));
        if !self.files.is_named(node) && !is_open {
            self.put_out_of_reach(node);
        }
    }

    /// What stood in a file is gone. If nothing of it was on the agent's disk, and
    /// rules did not want its old lines, then nothing tells new lines from those.
    pub(crate) fn lost_content(&mut self, old: NodeId, new: NodeId) {
        if !self.proven.contains(&old) {
            self.unprovable.insert(new);
        }
    }

    /// The end of a file is cut off. Where a rule begins at what was its end, and another
    /// reads it from its beginning, only what stood there could tell that it is another end
    /// now, and that may not have been read yet.
    pub(crate) fn lost_end(&mut self, node: NodeId, last: Option<LineId>) {
        let is_read = last.is_none_or(|line| self.oracle.is_handed(line));
        let begins = |from: From| self.told.iter().any(|told| told.from == from);
        if !is_read && begins(From::End) && begins(From::Beginning) {
            self.unplaced.insert(node);
        }
    }

    /// Whether nothing tells new lines of a file from those that rules do not want.
    pub(crate) fn is_unprovable(&self, node: NodeId) -> bool {
        let is_new = self.unprovable.contains(&node) && !self.proven.contains(&node);
        is_new || self.unplaced.contains(&node)
    }

    /// Whether the disk knows of a file.
    pub(crate) fn is_known_safe(&self, node: NodeId) -> bool {
        self.known_safe.contains(&node)
    }

    pub(crate) fn is_out_of_reach(&self, node: NodeId) -> bool {
        self.out_of_reach.contains(&node)
    }

    /// A line whose bytes are about to go should have been read long ago, if
    /// nothing was in the way.
    pub(crate) fn mourn(&mut self, line: LineId) {
        let now = self.clock.now();
        if let Some(agent) = &self.agent
            && let Some(written) = self.oracle.lines[line.0].written
            && agent.is_ready
            && !self.oracle.is_handed(line)
            && self.oracle.lines[line.0]
                .marks
                .iter()
                .any(|mark| mark.least > 0)
        {
            let since = written.max(self.disturbed);
            if now.since(since) > READING_MAX {
                let how = format!("line {:06} was not read for {READING_MAX:?}", line.0);
                self.oracle.fail("nothing lost", how);
            }
        }
        self.oracle.lost(line, now);
    }

    /// The agent closed a file: if it has no name, that was the last chance.
    pub(super) fn closed(&mut self, node: NodeId) {
        let is_open = (self.agent.as_ref()).is_some_and(|agent| agent.has_open(node));
        if is_open || self.files.is_named(node) || !self.out_of_reach.insert(node) {
            return;
        }
        let now = self.clock.now();
        let lines: Vec<_> = self.files.node(node).spans.iter().map(|s| s.line).collect();
        for line in lines {
            if self.oracle.is_last_chance(line, now) {
                let how = format!("line {:06} was closed away unread", line.0);
                self.oracle.fail("nothing lost", how);
            }
            self.oracle.lost(line, now);
        }
    }

    pub(super) fn put_out_of_reach(&mut self, node: NodeId) {
        if self.out_of_reach.insert(node) {
            let lines: Vec<_> = self.files.node(node).spans.iter().map(|s| s.line).collect();
            for line in lines {
                self.mourn(line);
            }
        }
    }
}
