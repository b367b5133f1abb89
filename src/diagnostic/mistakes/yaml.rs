//! Files and YAML.

use super::hint;
use crate::diagnostic::{Place, Report, Span};

impl Report {
    /// A file that was named cannot be read.
    pub fn unreadable(&mut self, place: impl Into<Place>, why: &str) {
        self.error(place, why.to_owned(), None);
    }

    /// A file that is named in another cannot be read.
    pub fn unreadable_here(&mut self, at: Span, path: &str, why: &str) {
        self.error(at, format!("`{path}` cannot be read: {why}"), None);
    }

    /// The text of a file is not YAML.
    pub fn not_yaml(&mut self, at: Span, reason: &str, hint: Option<&str>) {
        self.error(at, reason.to_owned(), hint.map(str::to_owned));
    }

    /// A file goes on after `---`.
    pub fn several_documents(&mut self, at: Span) {
        self.error(
            at,
            "a second document in one file".into(),
            hint("remove the `---`, or make two files of it"),
        );
    }

    /// An alias stands within what it stands for.
    pub fn alias_within_itself(&mut self, at: Span) {
        self.error(at, "an alias within what it stands for".into(), None);
    }

    /// A file is too big once its aliases are spelt out.
    pub fn too_much_yaml(&mut self, at: Span, n_max: usize) {
        self.error(
            at,
            format!("with its aliases spelt out the file holds more than {n_max} values or 8 MiB"),
            hint("make several files of it, or use fewer aliases"),
        );
    }

    /// Lists and maps are nested too deep.
    pub fn too_deep(&mut self, at: Span, depth_max: usize) {
        self.error(at, format!("nested deeper than {depth_max} levels"), None);
    }

    /// A tag such as `!thing`.
    pub fn tag(&mut self, at: Span) {
        self.error(
            at,
            "a tag, and tags mean nothing here".into(),
            hint("put a text that begins with `!` between single quotes"),
        );
    }

    /// The key of a map is a list or a map.
    pub fn key_not_text(&mut self, at: Span) {
        self.error(
            at,
            "a field whose name is not a text".into(),
            hint("put a text with brackets or braces in it between single quotes"),
        );
    }

    /// `<<` with something that is not a map.
    pub fn merge_not_a_map(&mut self, at: Span) {
        self.error(
            at,
            "`<<` takes the fields of a map, and this is none".into(),
            hint("write `<<: *name` for a map that has `&name`"),
        );
    }
}
