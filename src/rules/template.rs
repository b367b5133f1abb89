//! The wording of a message, parsed once.
//!
//! A template mixes the words of the rule's author, who is trusted, with values
//! from log lines, which are not. So the result is not one text but pieces: every
//! value is bracketed while it is rendered, and the brackets tell later which
//! words were whose. Nothing a value contains can close its bracket.
//!
//! There is no loader, no include and no macro; fuel and a bounded output make
//! every template end.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::Range;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};

mod words;

/// The steps one rendering may take; then it is an error.
const FUEL: u64 = 20_000;

/// The bytes one rendering may produce; then it is an error.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// The depth of nesting that is rendered.
const RECURSION_MAX: usize = 50;

/// The name under which an environment knows its only template.
const NAME: &str = "message";

/// What stands before and after a value while it is rendered. Both are
/// noncharacters: text has no use for them, and they are taken out of values.
const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';

/// A title or text as a person wrote it.
#[derive(Clone)]
pub struct Template {
    source: String,
    environment: Environment<'static>,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateMistake {
    /// The line of the template, from one.
    pub line_number: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// What a template may speak of.
#[derive(Debug, Clone, Default)]
pub struct Values(pub BTreeMap<String, Value>);

/// One value.
#[derive(Debug, Clone)]
pub enum Value {
    /// Text from anywhere, also from an attacker.
    Text(String),
    /// A bare number.
    Number(i64),
    /// Named texts, as in `captures.ip`.
    Map(BTreeMap<String, String>),
    /// The same with names that have dots: `http.status` is `status` within `http`.
    Nested(BTreeMap<String, String>),
}

/// A piece of rendered text. Who wrote it decides how far it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Written by the author of the rule.
    Literal(String),
    /// The value of a variable: untrusted.
    Value(String),
}

impl Template {
    /// Parses a template.
    pub fn parse(source: &str) -> Result<Self, TemplateMistake> {
        let source: String = source.chars().filter(|&char| !is_bracket(char)).collect();
        let mut environment = Environment::new();
        environment.remove_global("debug");
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION_MAX);
        // An unknown name is a mistake that the check reports; while the agent
        // runs it must not cost a message.
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_formatter(|output, _, value| {
            let text: String = value
                .to_string()
                .chars()
                .filter(|&char| !is_bracket(char))
                .collect();
            if value.is_undefined() || value.is_none() || text.is_empty() {
                return Ok(());
            }
            write!(output, "{OPEN}{text}{CLOSE}").map_err(minijinja::Error::from)
        });
        environment
            .add_template_owned(NAME, source.clone())
            .map_err(|error| mistake_of(&error))?;
        Ok(Self {
            source,
            environment,
        })
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Returns the names the template looks up, attributes as in `captures.ip`.
    pub fn variables(&self) -> BTreeSet<String> {
        let Ok(template) = self.environment.get_template(NAME) else {
            return BTreeSet::new();
        };
        let globals: BTreeSet<&str> = self.environment.globals().map(|(name, _)| name).collect();
        template
            .undeclared_variables(true)
            .into_iter()
            .filter(|name| !globals.contains(name.as_str()))
            .collect()
    }

    /// Returns where a name stands in the template, if it stands there letter by
    /// letter.
    pub fn place_of(&self, name: &str) -> Option<Range<usize>> {
        let names = words::names_in(&self.source);
        let is_meant = |found: &str| {
            found == name
                || (found.strip_prefix(name)).is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        names
            .into_iter()
            .find(|found| is_meant(&self.source[found.range.clone()]))
            .map(|found| found.range)
    }

    /// Whether the template asks if a name is there, so that it may be missing.
    pub fn asks_for(&self, name: &str) -> bool {
        let names = words::names_in(&self.source);
        let mut asked = names.iter().filter(|found| found.is_asked_for);
        asked.any(|found| &self.source[found.range.clone()] == name)
    }

    /// Renders the template. The error says why it could not be rendered.
    pub fn render(&self, values: &Values) -> Result<Vec<Piece>, String> {
        let mut output = Bounded::default();
        match self.render_to(values, &mut output) {
            Ok(()) => {}
            Err(_) if output.is_full => {
                return Err(format!("longer than {OUTPUT_BYTES_MAX} bytes"));
            }
            Err(error) => return Err(reason_of(&error)),
        }
        // Every write was a whole `&str`, so the whole is text again.
        let text = String::from_utf8_lossy(&output.bytes);
        Ok(split(&text))
    }

    /// Renders with made-up values and tells what no values could make work: a
    /// filter, test, function or argument that does not exist, or an endless loop.
    pub fn try_out(&self, values: &Values) -> Result<(), TemplateMistake> {
        let mut output = Bounded::default();
        let Err(error) = self.render_to(values, &mut output) else {
            return Ok(());
        };
        match error.kind() {
            ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownMethod
            | ErrorKind::TooManyArguments
            | ErrorKind::MissingArgument
            | ErrorKind::OutOfFuel => Err(mistake_of(&error)),
            // The rest depends on the values, and these were not real.
            _ => Ok(()),
        }
    }

    fn render_to(&self, values: &Values, output: &mut Bounded) -> Result<(), minijinja::Error> {
        let context = minijinja::Value::from_pairs(
            values
                .0
                .iter()
                .map(|(name, value)| (name.as_str(), value.to_dynamic())),
        );
        self.environment
            .get_template(NAME)?
            .render_captured_to(context, output)
            .map(|_| ())
    }
}

impl Value {
    fn to_dynamic(&self) -> minijinja::Value {
        match self {
            Self::Text(text) => minijinja::Value::from(text.as_str()),
            Self::Number(number) => minijinja::Value::from(*number),
            Self::Map(map) => minijinja::Value::from_pairs(
                map.iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            ),
            Self::Nested(map) => {
                let names = map
                    .iter()
                    .map(|(name, text)| (name.as_str(), text.as_str()));
                nested(&names.collect::<Vec<_>>())
            }
        }
    }
}

/// A map of names in order, those with dots as maps within it.
fn nested(names: &[(&str, &str)]) -> minijinja::Value {
    let root = |name: &str| name.find('.').map_or(name.len(), |dot| dot);
    let groups = names.chunk_by(|(one, _), (other, _)| one[..root(one)] == other[..root(other)]);
    minijinja::Value::from_pairs(groups.map(|group| {
        let (first, text) = group[0];
        let end = root(first);
        let within: Vec<(&str, &str)> = (group.iter())
            .filter_map(|(name, text)| Some((name.get(end + 1..)?, *text)))
            .collect();
        match within.is_empty() {
            true => (&first[..end], minijinja::Value::from(text)),
            false => (&first[..end], nested(&within)),
        }
    }))
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.source)
    }
}

fn is_bracket(char: char) -> bool {
    matches!(char, OPEN | CLOSE)
}

fn mistake_of(error: &minijinja::Error) -> TemplateMistake {
    TemplateMistake {
        line_number: error.line().unwrap_or(1),
        reason: reason_of(error),
    }
}

fn reason_of(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) if error.kind() == ErrorKind::SyntaxError => detail.to_owned(),
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// Splits rendered text at the brackets around values.
fn split(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once(OPEN) {
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.replace(CLOSE, "")));
        }
        let (value, after) = after.split_once(CLOSE).unwrap_or((after, ""));
        pieces.push(Piece::Value(value.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.replace(CLOSE, "")));
    }
    pieces
}

/// A buffer that refuses to grow beyond its bound.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for &mut Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > OUTPUT_BYTES_MAX {
            self.is_full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let captures = BTreeMap::from([
            ("ip".to_owned(), "192.0.2.7".to_owned()),
            ("user".to_owned(), String::new()),
        ]);
        Values(BTreeMap::from([
            ("key".into(), Value::Text("ssh".into())),
            ("count".into(), Value::Number(4212)),
            ("line".into(), Value::Text("<b>*x*</b>".into())),
            (
                "bad".into(),
                Value::Text(format!("a{CLOSE}*trusted*{OPEN}b")),
            ),
            ("ip".into(), Value::Text("192.0.2.7".into())),
            ("captures".into(), Value::Map(captures)),
        ]))
    }

    fn check(source: &str, expected: &[(&str, &str)]) {
        let pieces: Vec<Piece> = expected
            .iter()
            .map(|(who, text)| match *who {
                "author" => Piece::Literal((*text).into()),
                _ => Piece::Value((*text).into()),
            })
            .collect();
        let template = Template::parse(source).unwrap();
        assert_eq!(template.render(&values()).unwrap(), pieces, "{source}");
    }

    #[test]
    fn tells_the_authors_words_from_values() {
        check("", &[]);
        check("just *words*", &[("author", "just *words*")]);
        check(
            "{{ count }} from {{ captures.ip }}!",
            &[
                ("value", "4212"),
                ("author", " from "),
                ("value", "192.0.2.7"),
                ("author", "!"),
            ],
        );
        check("{{ line|upper }}", &[("value", "<B>*X*</B>")]);
        check("{{ 'a' ~ line ~ 'b' }}", &[("value", "a<b>*x*</b>b")]);
        check("{{ bad }}", &[("value", "a*trusted*b")]);
        check(
            "{% set x %}<{{ line }}>{% endset %}{{ x }}",
            &[("value", "<<b>*x*</b>>")],
        );
        check(
            "{% filter upper %}<{{ line }}>{% endfilter %}",
            &[("value", "<<B>*X*</B>>")],
        );
        check("[{{ captures.user }}]", &[("author", "[]")]);
        check("[{{ captures['nobody'] }}]", &[("author", "[]")]);
        check(
            "{% if count > 1 %}many{% else %}one{% endif %}",
            &[("author", "many")],
        );
        check("{{ line|safe }}", &[("value", "<b>*x*</b>")]);
    }

    #[test]
    fn knows_what_it_speaks_of() {
        let template =
            Template::parse("{{ count }} {{ captures.ip }} {% for x in range(3) %}{{ x }}{% endfor %}{% set y = z %}{{ y }}")
                .unwrap();
        let names: Vec<String> = template.variables().into_iter().collect();
        assert_eq!(names, ["captures.ip", "count", "z"]);
    }

    #[test]
    fn knows_where_names_stand() {
        let source = "{{ 'cuont' }} a.cuont {{ a.cuont|cuont }} {# cuont #} {% if labels.env %}{{ cuont }}{% endif %}";
        let template = Template::parse(source).unwrap();
        let at = source.rfind("cuont").unwrap();
        assert_eq!(template.place_of("cuont"), Some(at..at + 5));
        assert_eq!(template.place_of("count"), None);
        for (source, expected) in [
            ("{% if labels.env %}{{ labels.env }}{% endif %}", true),
            ("{% if x %}{% elif not labels.env %}{% endif %}", true),
            ("{{ labels.env|default('-') }}", true),
            ("{{ labels.env if labels.env is defined }}", true),
            ("{{ 'x' if labels.env else 'y' }}", true),
            ("{{ labels.env }}", false),
            ("{{ labels.env|upper }}", false),
            ("{% if labels.envy %}{{ labels.env }}{% endif %}", false),
            ("{% if 'labels.env' %}{{ labels.env }}{% endif %}", false),
            (
                "{% raw %}{% if labels.env %}{% endraw %}{{ labels.env }}",
                false,
            ),
        ] {
            let template = Template::parse(source).unwrap();
            assert_eq!(template.asks_for("labels.env"), expected, "{source}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for (source, line_number) in [
            ("{{ count", 1),
            ("one\n{% if %}", 2),
            ("{% include 'x' %}", 1),
            ("{% extends 'x' %}", 1),
            ("{{ count }} }} {% endif %}", 1),
        ] {
            let mistake = Template::parse(source).unwrap_err();
            assert_eq!(mistake.line_number, line_number, "{source}: {mistake:?}");
            assert!(!mistake.reason.is_empty());
        }
    }

    #[test]
    fn finds_filters_that_do_not_exist() {
        let mistake = Template::parse("{{ line|uper }}")
            .unwrap()
            .try_out(&values())
            .unwrap_err();
        assert!(mistake.reason.contains("uper"), "{mistake:?}");
        let harmless = Template::parse("{{ line|int + 1 }}").unwrap();
        assert_eq!(harmless.try_out(&values()), Ok(()));
    }

    #[test]
    fn always_ends() {
        for source in [
            "{% for x in range(90000) %}{{ line }}{% endfor %}",
            "{% for x in range(10000) %}{% for y in range(10000) %}.{% endfor %}{% endfor %}",
            "{% for x in range(3000) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endfor %}",
            "{{ '.' * 4000000000 }}",
            "{{ line * (count * 1000000) }}",
        ] {
            assert!(Template::parse(source).unwrap().render(&values()).is_err());
        }
    }
}
