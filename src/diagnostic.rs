//! A mistake with a place: file, line, column, excerpt, reason, way out.
//!
//! A [`Report`] gathers the mistakes of all files, so that a person sees every
//! one of them at once, and renders them in this form:
//!
//! ```text
//! rules/auth.yaml:14:7: error: unknown field `debounce_mins`
//!    |
//! 14 |       debounce_mins: 5
//!    |       ^^^^^^^^^^^^^
//!    = hint: write `debounce`
//! ```
//!
//! Every mistake there is has its own method in [`mistakes`]. What is shown is
//! made harmless first: excerpts come from files that may hold a webhook address.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use anstyle::{AnsiColor, Style};

mod excerpt;
pub mod mistakes;

use excerpt::Excerpt;
pub use excerpt::harmless;

/// How many mistakes are kept; the rest is only counted.
const KEPT_MAX: usize = 1_000;

/// How many of them are shown.
const SHOWN_MAX: usize = 200;

/// A file that was added to a [`Report`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId(usize);

/// Some bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// Where a mistake was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nowhere in particular: something is missing altogether.
    Nowhere,
    /// In something that has a name but no text: a file that cannot be read, an
    /// environment variable.
    Named(String),
    /// In the text of a file.
    At(Span),
}

/// Whether anything works in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing starts before this is mended.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether anything works in spite of it.
    pub level: Level,
    /// Where it was made.
    pub place: Place,
    /// What was found and what was expected; lower case, no full stop.
    pub reason: String,
    /// What belongs to it and takes lines of its own, such as a message that came.
    pub notes: Vec<String>,
    /// The way out: something to type.
    pub hint: Option<String>,
}

/// Whether a rendering uses colours. They never carry a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Text and nothing else.
    Plain,
    /// With escape sequences for a terminal.
    Colours,
}

/// All mistakes that were found, and the files they were found in.
#[derive(Debug, Clone, Default)]
pub struct Report {
    files: Vec<File>,
    found: Vec<Diagnostic>,
    /// What was found when enough had been kept.
    n_more_errors: usize,
    n_more_warnings: usize,
}

#[derive(Debug, Clone)]
struct File {
    name: String,
    text: String,
}

impl Report {
    /// Returns a report without mistakes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file under the name that people know it by.
    pub fn add_file(&mut self, name: &str, text: &str) -> FileId {
        self.files.push(File {
            name: name.to_owned(),
            text: text.to_owned(),
        });
        FileId(self.files.len() - 1)
    }

    /// Adds a mistake, unless the same was found at the same place before: what
    /// stands in `defaults` is looked at once for each rule.
    pub fn add(&mut self, diagnostic: Diagnostic) {
        if self.is_full() {
            match diagnostic.level {
                Level::Error => self.n_more_errors += 1,
                Level::Warning => self.n_more_warnings += 1,
            }
        } else if !self.found.contains(&diagnostic) {
            self.found.push(diagnostic);
        }
    }

    /// Tells whether more mistakes are only counted.
    fn is_full(&self) -> bool {
        self.found.len() >= KEPT_MAX
    }

    /// Returns what was found, in the order it was found.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.found
    }

    /// Returns how many errors were found.
    pub fn n_errors(&self) -> usize {
        self.count(Level::Error) + self.n_more_errors
    }

    /// Returns how many warnings were found.
    pub fn n_warnings(&self) -> usize {
        self.count(Level::Warning) + self.n_more_warnings
    }

    fn count(&self, level: Level) -> usize {
        self.found.iter().filter(|one| one.level == level).count()
    }

    /// Tells whether anything was found that must be mended first.
    pub fn has_errors(&self) -> bool {
        self.n_errors() > 0
    }

    /// Returns the text of a span.
    pub fn text_of(&self, span: Span) -> &str {
        self.files[span.file.0]
            .text
            .get(span.start..span.end)
            .unwrap_or_default()
    }

    /// Returns the text from the start of a span to the end of its file.
    pub fn text_from(&self, span: Span) -> &str {
        let text = &self.files[span.file.0].text;
        text.get(span.start..).unwrap_or_default()
    }

    /// Returns `file:line:column` of a span, for a mistake that has two places.
    pub fn position_of(&self, span: Span) -> String {
        // Counting lines takes time, and nobody will read it.
        if self.is_full() {
            return String::new();
        }
        self.shown_position(span)
    }

    fn shown_position(&self, span: Span) -> String {
        let file = &self.files[span.file.0];
        let place = file.locate(span.start);
        format!(
            "{}:{}:{}",
            file.name, place.line_number, place.column_number
        )
    }

    /// Renders all that was found, by file and place, each followed by an empty line.
    pub fn render(&self, paint: Paint) -> String {
        let mut sorted: Vec<&Diagnostic> = self.found.iter().collect();
        sorted.sort_by(|one, other| self.compare_places(one, other));
        let mut output = String::new();
        for diagnostic in sorted.iter().take(SHOWN_MAX) {
            self.render_one(diagnostic, paint, &mut output);
            output.push('\n');
        }
        let n_all = self.n_errors() + self.n_warnings();
        if n_all > SHOWN_MAX {
            let n_more = n_all - SHOWN_MAX;
            let _ = writeln!(output, "and {n_more} more\n");
        }
        output
    }

    fn compare_places(&self, one: &Diagnostic, other: &Diagnostic) -> Ordering {
        let key = |diagnostic: &Diagnostic| match &diagnostic.place {
            Place::Nowhere => (String::new(), 0),
            Place::Named(name) => (name.clone(), 0),
            Place::At(span) => (self.files[span.file.0].name.clone(), span.start),
        };
        key(one)
            .cmp(&key(other))
            .then(one.level.cmp(&other.level))
            .then_with(|| one.reason.cmp(&other.reason))
    }

    fn render_one(&self, diagnostic: &Diagnostic, paint: Paint, output: &mut String) {
        let (word, colour) = match diagnostic.level {
            Level::Error => ("error", AnsiColor::Red),
            Level::Warning => ("warning", AnsiColor::Yellow),
        };
        let strong = paint.style(Style::new().bold());
        let marked = paint.style(Style::new().bold().fg_color(Some(colour.into())));
        let faint = paint.style(Style::new().dimmed());
        let reason = excerpt::harmless(&diagnostic.reason);
        let position = match &diagnostic.place {
            Place::Nowhere => String::new(),
            Place::Named(name) => format!("{}: ", excerpt::harmless(name)),
            Place::At(span) => format!("{}: ", excerpt::harmless(&self.shown_position(*span))),
        };
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            output,
            "{strong}{position}{strong:#}{marked}{word}{marked:#}: {strong}{reason}{strong:#}"
        );
        let mut margin = 2;
        if let Place::At(span) = &diagnostic.place {
            let file = &self.files[span.file.0];
            let place = file.locate(span.start);
            let number = place.line_number.to_string();
            let line = &file.text[place.line.clone()];
            let excerpt = Excerpt::of(
                line,
                span.start - place.line.start,
                span.end.saturating_sub(place.line.start),
            );
            margin = number.len();
            let carets = " ".repeat(excerpt.column) + &"^".repeat(excerpt.width);
            let _ = writeln!(output, "{faint}{:margin$} |{faint:#}", "");
            let text = match excerpt.text.trim_end() {
                "" => String::new(),
                text => format!(" {text}"),
            };
            let _ = writeln!(output, "{faint}{number} |{faint:#}{text}");
            let _ = writeln!(
                output,
                "{faint}{:margin$} |{faint:#} {marked}{carets}{marked:#}",
                ""
            );
        }
        for note in &diagnostic.notes {
            for (idx, line) in note.lines().enumerate() {
                let bullet = if idx == 0 { '=' } else { '|' };
                let line = excerpt::harmless(line);
                let _ = writeln!(output, "{:margin$} {faint}{bullet}{faint:#} {line}", "");
            }
        }
        if let Some(hint) = &diagnostic.hint {
            let hint = excerpt::harmless(hint);
            let _ = writeln!(output, "{:margin$} {faint}={faint:#} hint: {hint}", "");
        }
    }
}

impl Paint {
    fn style(self, style: Style) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Colours => style,
        }
    }
}

/// A place in a file as people count.
struct Located {
    line_number: usize,
    /// In characters, from one.
    column_number: usize,
    /// The line without its ending.
    line: Range<usize>,
}

impl File {
    fn locate(&self, offset: usize) -> Located {
        let text = &self.text;
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let start = text[..offset].rfind('\n').map_or(0, |end| end + 1);
        let end = text[offset..]
            .find('\n')
            .map_or(text.len(), |end| offset + end);
        let end = start + text[start..end].trim_end_matches('\r').len();
        Located {
            line_number: text[..offset].matches('\n').count() + 1,
            column_number: text[start..offset].chars().count() + 1,
            line: start..end,
        }
    }
}

impl Span {
    /// Returns the part of this span that lies `range` bytes after its start.
    pub fn within(self, range: Range<usize>) -> Self {
        Self {
            file: self.file,
            start: (self.start + range.start).min(self.end),
            end: (self.start + range.end).min(self.end),
        }
    }
}

/// Returns the known word that was probably meant.
pub fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let found_lower = found.to_lowercase();
    // `warn` for `warning` is far by letters and near by sense.
    let longer = known.iter().find(|word| {
        found.len() >= 3 && word.len() > found.len() && word.starts_with(&found_lower)
    });
    let distances: BTreeSet<(usize, &str)> = known
        .iter()
        .map(|word| {
            let distance = strsim::damerau_levenshtein(
                &found_lower.replace('-', "_"),
                &word.to_lowercase().replace('-', "_"),
            );
            (distance, *word)
        })
        .collect();
    let (distance, word) = distances.into_iter().next()?;
    let shorter = found.chars().count().min(word.chars().count());
    match distance <= shorter.div_ceil(3).min(3) {
        true => Some(word),
        false => longer.copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render_at(text: &str, range: Range<usize>) -> String {
        let mut report = Report::new();
        let file = report.add_file("rules/auth.yaml", text);
        report.add(Diagnostic {
            level: Level::Error,
            place: Place::At(Span {
                file,
                start: range.start,
                end: range.end,
            }),
            reason: "wrong".into(),
            notes: Vec::new(),
            hint: Some("write `right`".into()),
        });
        report.render(Paint::Plain)
    }

    #[test]
    fn looks_as_promised() {
        let text = "\n".repeat(13) + "      debounce_mins: 5\n";
        assert_eq!(
            render_at(&text, 19..32),
            "rules/auth.yaml:14:7: error: wrong
   |
14 |       debounce_mins: 5
   |       ^^^^^^^^^^^^^
   = hint: write `right`

"
        );
    }

    #[test]
    fn points_somewhere_whatever_the_span() {
        for text in ["", "a", "é: ü\r\nb", "\t\tx\u{7}\u{202e}y"] {
            for start in 0..12 {
                for end in 0..12 {
                    assert!(render_at(text, start..end).contains('^'));
                }
            }
        }
    }

    #[test]
    fn carets_stand_below_what_they_mean() {
        let found = render_at("\tkäy: wert", 7..9);
        assert!(
            found.contains("1 |     käy: wert\n  |          ^^"),
            "{found}"
        );
    }

    #[test]
    fn is_sorted_and_says_nothing_twice() {
        let mut report = Report::new();
        let one = report.add_file("b.yaml", "x\ny\n");
        let other = report.add_file("a.yaml", "x\n");
        for (file, start) in [(one, 2), (one, 0), (other, 0), (one, 2)] {
            report.add(Diagnostic {
                level: Level::Warning,
                place: Place::At(Span {
                    file,
                    start,
                    end: start + 1,
                }),
                reason: "odd".into(),
                notes: Vec::new(),
                hint: None,
            });
        }
        let rendered = report.render(Paint::Plain);
        let heads: Vec<&str> = rendered
            .lines()
            .filter(|line| line.contains("warning"))
            .collect();
        assert_eq!(
            heads,
            [
                "a.yaml:1:1: warning: odd",
                "b.yaml:1:1: warning: odd",
                "b.yaml:2:1: warning: odd",
            ]
        );
        assert_eq!((report.n_errors(), report.n_warnings()), (0, 3));
    }

    #[test]
    fn a_flood_of_mistakes_is_counted_and_cut() {
        let line = "key=SECRET ".repeat(3_000);
        let mut report = Report::new();
        let file = report.add_file("long.yaml", &line);
        for start in 0..3_000 {
            let at = Span {
                file,
                start: start * 11,
                end: start * 11 + 3,
            };
            report.unknown_field(at, "keys", "a rule", &["key"]);
        }
        assert_eq!(report.n_errors(), 3_000);
        let rendered = report.render(Paint::Plain);
        assert!(rendered.ends_with("and 2800 more\n\n"));
        assert!(!rendered.contains("SECRET"));
    }

    #[test]
    fn guesses_only_what_is_near() {
        let known = ["debounce", "severity", "space", "by"];
        assert_eq!(did_you_mean("debounse", known), Some("debounce"));
        assert_eq!(did_you_mean("severty", known), Some("severity"));
        assert_eq!(did_you_mean("Space", known), Some("space"));
        assert_eq!(did_you_mean("xy", known), Some("by"));
        assert_eq!(did_you_mean("sev", known), Some("severity"));
        assert_eq!(did_you_mean("elephant", known), None);
    }
}
