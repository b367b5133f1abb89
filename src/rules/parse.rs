//! YAML text to values that remember where they stood.
//!
//! The values are a plain tree: texts, lists and maps, each with its place, with
//! duplicate keys kept. What a value means is decided later, so nothing is lost
//! on the way: `host: 1.10` stays `1.10`, and every mistake can be shown.
//!
//! The YAML library is used here and nowhere else, and only for its events: they
//! carry exact places, and a tree made of them is bounded by us. Aliases are
//! copied, so a bomb of them is stopped where it would grow.

use std::collections::BTreeMap;

use serde_yaml::granit_parser::{
    ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span as YamlSpan, Tag,
};

use crate::diagnostic::{FileId, Report, Span};
pub use tree::{Entry, Node, Scalar, Value};

mod syntax;

mod tree;

/// How many values a file may hold, aliases spelt out.
const NODES_MAX: usize = 200_000;

/// How many bytes of text a file may hold, aliases spelt out.
const TEXT_BYTES_MAX: usize = 8 << 20;

/// How deep lists and maps may be nested, aliases spelt out.
const DEPTH_MAX: usize = 64;

/// Parses a file. Nothing is returned for an empty file, and for one that is
/// not YAML; that is then in the report.
pub fn parse(file: FileId, text: &str, report: &mut Report) -> Option<Node> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = DEPTH_MAX;
    options.block_nesting_limit = DEPTH_MAX;
    let mut builder = Builder {
        file,
        text,
        report,
        open: Vec::new(),
        anchors: BTreeMap::new(),
        n_nodes: 0,
        n_text_bytes: 0,
        root: None,
        n_documents: 0,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let taken = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => {
                builder.refuse(&error);
                Err(Stopped)
            }
        };
        if taken.is_err() {
            return None;
        }
    }
    builder.root
}

/// The rest of the file cannot be understood; the report says why.
struct Stopped;

struct Builder<'a> {
    file: FileId,
    text: &'a str,
    report: &'a mut Report,
    /// The lists and maps that are not closed yet, the innermost last.
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    n_nodes: usize,
    n_text_bytes: usize,
    root: Option<Node>,
    n_documents: usize,
}

struct Open {
    at: Span,
    anchor: usize,
    kind: OpenKind,
    /// What had been counted before it was opened.
    n_nodes: usize,
    n_text_bytes: usize,
    height: usize,
}

enum OpenKind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// The key whose value comes next; none for a key that was refused.
        key: Option<Option<(String, Span)>>,
    },
}

/// What the tag of a value says.
enum Tagged {
    No,
    AsText,
    Wrongly,
}

struct Anchored {
    node: Node,
    n_nodes: usize,
    n_text_bytes: usize,
    height: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: YamlSpan) -> Result<(), Stopped> {
        let at = self.span(span);
        match event {
            Event::DocumentStart(..) => {
                self.n_documents += 1;
                if self.n_documents > 1 {
                    self.report.several_documents(self.first_line(at));
                    return Err(Stopped);
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tagged = self.check_tag(tag.as_deref(), span);
                let node = self.scalar(&text, style, at, tagged);
                self.count(1, text.len(), at)?;
                self.add(node, anchor, 1, text.len(), 1)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                self.open(at, anchor, OpenKind::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                let kind = OpenKind::Map {
                    entries: Vec::new(),
                    key: None,
                };
                self.open(at, anchor, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => {
                let Some(anchored) = self.anchors.get(&id) else {
                    // An alias inside of what it stands for.
                    self.report.alias_within_itself(at);
                    return Err(Stopped);
                };
                let (n_nodes, n_text_bytes) = (anchored.n_nodes, anchored.n_text_bytes);
                let height = anchored.height;
                if self.open.len() + height > DEPTH_MAX {
                    self.report.too_deep(at, DEPTH_MAX);
                    return Err(Stopped);
                }
                // Counted before it is copied: this is where a bomb would grow.
                self.count(n_nodes, n_text_bytes, at)?;
                let mut node = self.anchors[&id].node.clone();
                node.at = at;
                if let Value::Scalar(scalar) = &mut node.value {
                    scalar.verbatim_at = None;
                }
                self.add(node, 0, n_nodes, n_text_bytes, height)
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, n_nodes: usize, n_text_bytes: usize, at: Span) -> Result<(), Stopped> {
        self.n_nodes += n_nodes;
        self.n_text_bytes += n_text_bytes;
        if self.n_nodes > NODES_MAX || self.n_text_bytes > TEXT_BYTES_MAX {
            self.report.too_much_yaml(at, NODES_MAX);
            return Err(Stopped);
        }
        Ok(())
    }

    fn open(&mut self, at: Span, anchor: usize, kind: OpenKind) -> Result<(), Stopped> {
        if self.open.len() >= DEPTH_MAX {
            self.report.too_deep(at, DEPTH_MAX);
            return Err(Stopped);
        }
        let (n_nodes, n_text_bytes) = (self.n_nodes, self.n_text_bytes);
        self.count(1, 0, at)?;
        self.open.push(Open {
            at,
            anchor,
            kind,
            n_nodes,
            n_text_bytes,
            height: 1,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stopped> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let (at, value) = match open.kind {
            OpenKind::List(nodes) => (self.first_line(open.at), Value::List(nodes)),
            OpenKind::Map { entries, .. } => {
                // A map is where its first key is.
                let at = entries.first().map(|entry| entry.at).unwrap_or(open.at);
                (at, Value::Map(self.merge(entries)))
            }
        };
        let n_nodes = self.n_nodes - open.n_nodes;
        let n_text_bytes = self.n_text_bytes - open.n_text_bytes;
        let node = Node { at, value };
        self.add(node, open.anchor, n_nodes, n_text_bytes, open.height)
    }

    /// Puts a finished value where it belongs.
    fn add(
        &mut self,
        node: Node,
        anchor: usize,
        n_nodes: usize,
        n_text_bytes: usize,
        height: usize,
    ) -> Result<(), Stopped> {
        if anchor != 0 {
            let node = node.clone();
            // The copy that waits for its aliases takes room as well.
            self.count(n_nodes, n_text_bytes, node.at)?;
            self.anchors.insert(
                anchor,
                Anchored {
                    node,
                    n_nodes,
                    n_text_bytes,
                    height,
                },
            );
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        parent.height = parent.height.max(height + 1);
        match &mut parent.kind {
            OpenKind::List(nodes) => nodes.push(node),
            OpenKind::Map { entries, key } => match key.take() {
                None => {
                    *key = Some(match node.value {
                        Value::Scalar(scalar) => Some((scalar.text, node.at)),
                        Value::List(_) | Value::Map(_) => {
                            self.report.key_not_text(node.at);
                            None
                        }
                    });
                }
                Some(Some((key, at))) => entries.push(Entry { key, at, node }),
                Some(None) => {}
            },
        }
        Ok(())
    }

    /// Spells out `<<: *other`: what the other map has and this one has not.
    fn merge(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        if entries.iter().all(|entry| entry.key != "<<") {
            return entries;
        }
        let (merged, mut own): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.key == "<<");
        let mut sources = Vec::new();
        for entry in merged {
            match entry.node.value {
                Value::Map(entries) => sources.push(entries),
                Value::List(nodes) => {
                    for node in nodes {
                        match node.value {
                            Value::Map(entries) => sources.push(entries),
                            Value::Scalar(_) | Value::List(_) => {
                                self.report.merge_not_a_map(node.at);
                            }
                        }
                    }
                }
                Value::Scalar(_) => self.report.merge_not_a_map(entry.node.at),
            }
        }
        for source in sources {
            let known: Vec<String> = own.iter().map(|entry| entry.key.clone()).collect();
            own.extend(
                source
                    .into_iter()
                    .filter(|entry| !known.contains(&entry.key)),
            );
        }
        own
    }

    fn scalar(&self, text: &str, style: ScalarStyle, at: Span, tagged: Tagged) -> Node {
        let source = self.text.get(at.start..at.end).unwrap_or_default();
        let is_plain = matches!(style, ScalarStyle::Plain);
        let verbatim_at = match style {
            ScalarStyle::Plain if source == text => Some(at.start),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => source
                .get(1..source.len().saturating_sub(1))
                .filter(|inner| *inner == text)
                .map(|_| at.start + 1),
            _ => None,
        };
        Node {
            at: self.first_line(at),
            value: Value::Scalar(Scalar {
                text: text.to_owned(),
                written: None,
                is_plain: is_plain && matches!(tagged, Tagged::No),
                is_unknown: matches!(tagged, Tagged::Wrongly),
                verbatim_at,
            }),
        }
    }

    /// Reports a tag that means nothing here.
    fn check_tag(&mut self, tag: Option<&Tag>, span: YamlSpan) -> Tagged {
        let Some(tag) = tag else {
            return Tagged::No;
        };
        if tag.is_yaml_core_schema_tag("str") {
            return Tagged::AsText;
        }
        if tag.is_yaml_core_schema_tag("seq") || tag.is_yaml_core_schema_tag("map") {
            return Tagged::No;
        }
        let at = span
            .tag_span()
            .map_or_else(|| self.span(span), |at| self.span(at));
        self.report.tag(at);
        Tagged::Wrongly
    }

    fn span(&self, span: YamlSpan) -> Span {
        let range = span.byte_range().unwrap_or_default();
        let start = range.start.min(self.text.len());
        Span {
            file: self.file,
            start,
            end: range.end.clamp(start, self.text.len()),
        }
    }

    /// Returns the part of a span on its first line.
    fn first_line(&self, at: Span) -> Span {
        let text = self.text.get(at.start..at.end).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default().trim_end();
        at.within(0..line.len())
    }

    /// Tells whether only spaces stand before a byte on its line.
    fn begins_its_line(&self, offset: usize) -> bool {
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        line.trim().is_empty()
    }

    /// Returns the tab that an error before or behind it is about.
    fn tab_near(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let from = match self.begins_its_line(offset) {
            true => line_start,
            false => offset,
        };
        let rest = self.text.get(from..).unwrap_or_default();
        rest.find('\t').map_or(offset, |tab| from + tab)
    }

    fn refuse(&mut self, error: &ScanError) {
        let kind = error.kind();
        let mut start = error.marker().byte_offset().unwrap_or(self.text.len());
        if syntax::is_about_a_tab(kind) {
            start = self.tab_near(start);
        }
        let at = Span {
            file: self.file,
            start: start.min(self.text.len()),
            end: start.saturating_add(1).min(self.text.len()),
        };
        if matches!(kind, ErrorKind::RecursionLimitExceeded) {
            self.report.too_deep(at, DEPTH_MAX);
            return;
        }
        let rest = self.text.get(at.start..).unwrap_or_default();
        let begins_its_line = self.begins_its_line(at.start);
        let (reason, hint) = syntax::words_for(kind, rest.chars().next(), begins_its_line);
        self.report.not_yaml(at, &reason, hint);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::Paint;

    fn read(text: &str) -> (Option<Node>, Report) {
        let mut report = Report::new();
        let file = report.add_file("x.yaml", text);
        let node = parse(file, text, &mut report);
        (node, report)
    }

    /// Writes a tree on one line.
    fn dump(node: &Node) -> String {
        match &node.value {
            Value::Scalar(scalar) => scalar.text.clone(),
            Value::List(nodes) => {
                let nodes: Vec<String> = nodes.iter().map(dump).collect();
                format!("[{}]", nodes.join(", "))
            }
            Value::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|entry| format!("{}={}", entry.key, dump(&entry.node)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    #[test]
    fn keeps_texts_as_they_stand() {
        for (text, expected) in [
            ("host: 1.10", "{host=1.10}"),
            ("a: yes\nb: 0x1F\nc: ~\nd: ''", "{a=yes, b=0x1F, c=~, d=}"),
            ("a: [1, {b: 'c'}]", "{a=[1, {b=c}]}"),
            ("a: 1\na: 2", "{a=1, a=2}"),
            ("a: &x [1]\nb: *x", "{a=[1], b=[1]}"),
            (
                "a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}",
                "{a={k=1, l=2}, b={l=3, k=1}}",
            ),
            (
                "a: |\n  one\n  two\nb: >-\n  three\n  four",
                "{a=one\ntwo\n, b=three four}",
            ),
            ("# only a comment\nx", "x"),
            ("a: !!str 5", "{a=5}"),
            ("---\na: 1\n...\n", "{a=1}"),
        ] {
            let (node, report) = read(text);
            assert_eq!(report.render(Paint::Plain), "", "{text}");
            assert_eq!(dump(&node.unwrap()), expected, "{text}");
        }
        assert!(read("").0.is_none());
        assert!(read("# nothing\n").0.is_none());
    }

    #[test]
    fn knows_where_everything_stands() {
        let text = "a: 'b(c'\nd:\n  - e\n  - \"f\\x41\"\n";
        let (node, report) = read(text);
        let Value::Map(entries) = node.unwrap().value else {
            panic!("a map");
        };
        assert_eq!(report.text_of(entries[0].at), "a");
        assert_eq!(report.text_of(entries[0].node.at), "'b(c'");
        assert_eq!(report.text_of(entries[0].node.at_part(1..2)), "(");
        let Value::List(nodes) = &entries[1].node.value else {
            panic!("a list");
        };
        assert_eq!(report.position_of(nodes[0].at), "x.yaml:3:5");
        assert_eq!(report.text_of(nodes[1].at_part(0..1)), "\"f\\x41\"");
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..30 {
            let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        let (node, report) = read(&bomb);
        assert!(node.is_none());
        assert!(report.render(Paint::Plain).contains("spelt out"));
        let long = format!(
            "a: &a {}\nb: [{}]",
            "x".repeat(100_000),
            vec!["*a"; 1000].join(", ")
        );
        assert!(read(&long).0.is_none());
        let mut deep = String::from("a0: &a0 [x]\n");
        for level in 1..200 {
            deep += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
        }
        assert!(read(&deep).0.is_none());
        for opener in ["[", "{a: ", "- ", "? ", "a:\n "] {
            let (_, report) = read(&opener.repeat(100_000));
            assert!(report.has_errors(), "{opener}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = read(&text).1.render(Paint::Plain);
        }

        #[test]
        fn no_yaml_makes_it_panic(parts in prop::collection::vec(prop::sample::select(vec![
            "a", ":", " ", "\n", "  ", "- ", "[", "]", "{", "}", "&x ", "*x", "'", "\"", "\\", "|",
            ">", "#", "!", "!!str ", "---\n", "...\n", "\t", "é", "\u{feff}", "<<: ", "? ", "%", ",",
            "~", "\r\n",
        ]), 0..40)) {
            let _ = read(&parts.concat()).1.render(Paint::Colours);
        }
    }
}
