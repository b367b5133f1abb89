//! What is wrong with a text that is not YAML, in the words of people who write rules.
//!
//! The library says what it did not find; most of the time the cause is a missing
//! pair of quotes.

use serde_yaml::granit_parser::ErrorKind;

/// Returns the reason and the way out for an error of the library: `first` is the
/// character it stopped at, and `begins_its_line` whether only spaces stand before.
pub(super) fn words_for(
    kind: &ErrorKind,
    first: Option<char>,
    begins_its_line: bool,
) -> (String, Option<&'static str>) {
    match kind {
        kind if is_about_a_tab(kind) => (
            "a tab where only spaces may indent".into(),
            Some("indent with spaces"),
        ),
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => (
            "a quote that is never closed".into(),
            Some("add the closing quote"),
        ),
        ErrorKind::InvalidQuotedScalarIndent => (
            "a quote that is not closed before this line".into(),
            Some("add the closing quote, or indent the lines of a quoted text"),
        ),
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape => (
            "an escape that double quotes do not know".into(),
            Some("write regexes between single quotes: there a backslash is a backslash"),
        ),
        ErrorKind::InvalidTrailingSingleQuotedScalar => (
            "text after the closing quote".into(),
            Some("write a single quote within single quotes twice: `''`"),
        ),
        ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "text after the closing quote".into(),
            Some("put the whole value between single quotes"),
        ),
        ErrorKind::UnexpectedCharacter { character } => (
            format!("a text that begins with `{character}` needs quotes"),
            Some("put it between single quotes"),
        ),
        ErrorKind::UnknownAnchor | ErrorKind::MissingAnchorOrAliasName if first != Some('&') => (
            "an alias to something that has no such name".into(),
            Some("put a text that begins with `*` between single quotes"),
        ),
        ErrorKind::MissingAnchorOrAliasName => (
            "an anchor without a name".into(),
            Some("put a text that begins with `&` between single quotes"),
        ),
        ErrorKind::UndeclaredTagHandle
        | ErrorKind::InvalidTagTerminator
        | ErrorKind::MissingTagUri
        | ErrorKind::ExpectedTagBang => (
            "a tag that cannot be read".into(),
            Some("put a text that begins with `!` between single quotes"),
        ),
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::InvalidMappingValueWhitespace => (
            "a `:` that cannot stand here".into(),
            Some("put a text with `: ` in it between single quotes, or mend the lines above"),
        ),
        ErrorKind::UnclosedFlowCollection { open } => (
            format!("a `{open}` that is never closed"),
            Some("close it, or put a text that begins with it between single quotes"),
        ),
        ErrorKind::UnexpectedEofFlowSequence | ErrorKind::ExpectedFlowSequenceSeparator => (
            "a list that lacks its `,` or `]`".into(),
            Some("put a text that begins with `[` between single quotes"),
        ),
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator => (
            "a map that lacks its `,` or `}`".into(),
            Some("put a text that begins with `{` between single quotes"),
        ),
        ErrorKind::MisplacedFlowCollectionEnd => (
            "a bracket that closes nothing".into(),
            Some("put a text with brackets in it between single quotes"),
        ),
        ErrorKind::InvalidSimpleKey | ErrorKind::SimpleKeyExpected => (
            "a line without `:`".into(),
            Some("write `name: value`, with a space after the colon"),
        ),
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidBlockScalarIndent => match begins_its_line {
            true => (
                "a line that does not fit the lines before it".into(),
                Some("indent what belongs together equally"),
            ),
            false => (
                "something that does not belong here".into(),
                Some("put the whole value between single quotes"),
            ),
        },
        other => (other.to_string(), None),
    }
}

/// Tells whether an error is about a tab in the indentation.
pub(super) fn is_about_a_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    )
}
