//! Makes untrusted text harmless.
//!
//! Chat documents no way to escape its markup, so nothing is escaped: what could
//! become markup is taken apart, or replaced by what looks like it. The one law that
//! holds for every message: no `<` is followed by a non-space unless we or the
//! author of the rule wrote the whole run. Then no mention and no labelled link can
//! come from a log, whatever stands around the value.
//!
//! Outside of code it is also kept from `*bold*`, `_italic_`, `~strike~`, from
//! quotes and bullets, and its addresses become `hxxps://…`, the usual spelling for
//! one that nobody should click: Chat would link them and fetch a preview.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

use crate::rules::template::Piece;

/// What stands for a value that is empty.
const EMPTY: &str = "–";

/// What stands for a line break where only one line has room.
const LINE_BREAK: char = '⏎';

/// Looks like a backquote and is none.
const NO_BACKQUOTE: char = 'ˋ';

/// Marks that may stand on one letter. No script needs more; hundreds of them cover
/// the lines above and below.
const MARKS_MAX: usize = 4;

/// How far a cut may move back so as not to part what is drawn as one.
const CLUSTER_CHARS_MAX: usize = 16;

/// Text of one line, without wrapping: for template values.
pub fn plain(text: &str) -> String {
    unstyled(&common(text), LINE_BREAK)
}

/// Text of several lines, without wrapping: for values of a body.
pub fn lines(text: &str) -> String {
    unstyled(&common(text), '\n')
}

/// Text of one line in inline code: for names and field values.
pub fn inline(text: &str) -> String {
    let text: String = common(text)
        .chars()
        .map(|c| match c {
            '\n' => LINE_BREAK,
            '\t' => ' ',
            '`' => NO_BACKQUOTE,
            c => c,
        })
        .collect();
    match text.trim().is_empty() {
        true => format!("`{EMPTY}`"),
        false => format!("`{text}`"),
    }
}

/// Lines in a code block, with the fences.
pub fn block(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    out.push_str("```\n");
    let mut n_backquotes = 0;
    for c in common(text).chars() {
        n_backquotes = if c == '`' { n_backquotes + 1 } else { 0 };
        if n_backquotes == 3 {
            out.push(' ');
            n_backquotes = 1;
        }
        out.push(c);
    }
    out.push_str("\n```");
    out
}

/// Text of one line where Chat shows text as it is: the header of a card, a label.
pub fn bare(text: &str) -> String {
    let text = common(text).replace('`', "\u{2cb}");
    let mut out = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if out.ends_with('<') {
        out.push(' ');
    }
    out
}

/// Text as the HTML that cards take, lines kept.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in common(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push_str("<br>"),
            c => out.push(c),
        }
    }
    out
}

/// How many lines a rendered template may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// One: line breaks of values are shown as a sign.
    Line,
    /// Several: line breaks of values are kept.
    Lines,
}

/// Puts a rendered template together: the author's own markup stays, values are
/// made harmless for the place they stand in.
pub fn assemble(pieces: &[Piece], room: Room) -> String {
    let mut out = String::new();
    // Whether the author has opened a `<…>` run that is not closed yet.
    let mut in_run = false;
    for piece in pieces {
        match piece {
            Piece::Literal(text) => {
                for c in text.chars().filter(|c| !is_unwanted(*c) && *c != '\r') {
                    match c {
                        '<' => in_run = true,
                        '>' | '\n' => in_run = false,
                        c if in_run && out.ends_with('<') && c.is_whitespace() => in_run = false,
                        _ => {}
                    }
                    out.push(c);
                }
            }
            Piece::Value(text) if text.is_empty() => {}
            Piece::Value(text) if out.ends_with('<') => {
                // The author meant a bracket, not a mention of whatever comes.
                in_run = false;
                out.push(' ');
                out.push_str(&plain(text));
            }
            Piece::Value(text) if in_run => push_in_link(text, &mut out),
            Piece::Value(text) => out.push_str(&match room {
                Room::Line => plain(text),
                Room::Lines => lines(text),
            }),
        }
    }
    close_fences(out)
}

/// A link of ours: `url` comes from the rule and is already safe between `<` and `|`.
pub fn link(url: &str, label: &str) -> String {
    format!("<{url}|{label}>")
}

/// The first characters, `max` of them with the ellipsis if there were more. What
/// is drawn as one character is not parted, a run of markup that would be cut in
/// two is left out whole, and inline code is closed.
pub fn shorten(text: &str, max: usize) -> String {
    if text.chars().nth(max).is_none() {
        return text.to_owned();
    }
    let mut kept = text[..cut_at(text, max.saturating_sub(1))].to_owned();
    if let Some(open) = kept.rfind('<')
        && !kept[open..].contains('>')
        && !kept[open..].starts_with("< ")
    {
        kept.truncate(open);
    }
    // A fence that was cut in two is none.
    kept.truncate(kept.trim_end_matches('`').len());
    kept.push('…');
    let is_in_block = kept.matches("```").count() % 2 == 1;
    let last_line = kept.rsplit('\n').next().unwrap_or_default();
    if !is_in_block && last_line.matches('`').count() % 2 == 1 {
        kept.push('`');
    }
    kept
}

/// Where to cut a text to keep at most so many characters: at its end if it has no
/// more, and never within what is drawn as one.
pub fn cut_at(text: &str, chars_max: usize) -> usize {
    let Some((hard, _)) = text.char_indices().nth(chars_max) else {
        return text.len();
    };
    let mut at = hard;
    for _ in 0..CLUSTER_CHARS_MAX {
        let Some(last) = text[..at].chars().next_back() else {
            return hard;
        };
        let next = text[at..].chars().next();
        if !next.is_some_and(|next| belongs_to(next, last)) {
            return at;
        }
        at -= last.len_utf8();
    }
    hard
}

/// Whether a character is drawn together with the one before it.
fn belongs_to(c: char, before: char) -> bool {
    const JOINER: char = '\u{200d}';
    let is_flag = |c: char| matches!(c, '\u{1f1e6}'..='\u{1f1ff}');
    before == JOINER
        || c == JOINER
        || is_mark(c)
        || matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
        || (is_flag(c) && is_flag(before))
}

/// Text without what no message may carry, and every `<` parted from what follows.
fn common(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut n_marks = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                skip_escape(&mut chars);
                continue;
            }
            '\r' => {
                // A bare carriage return would hide what stands before it.
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
                continue;
            }
            c if is_unwanted(c) => continue,
            c => {
                n_marks = if is_mark(c) { n_marks + 1 } else { 0 };
                if n_marks <= MARKS_MAX {
                    out.push(c);
                }
            }
        }
        if c == '<' {
            // Also at the very end: what is put behind the value could supply the rest.
            out.push(' ');
        }
    }
    out
}

/// Takes from clean text what would become bold, italic, struck out, code, a quote,
/// a bullet or a link.
fn unstyled(text: &str, line_break: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before: Option<char> = None;
    // Whether nothing but blanks stands before on this line.
    let mut is_first = true;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let is_apart = |c: Option<char>| c.is_some_and(char::is_whitespace);
        let is_in_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let alone = is_apart(before) && is_apart(next) && next != Some('\n') && !is_first;
        match c {
            '\n' => out.push(line_break),
            '\t' => out.push(' '),
            '`' => out.push(NO_BACKQUOTE),
            '*' if !alone => out.push('∗'),
            '~' if !alone => out.push('∼'),
            '_' if !(is_in_word(before) && is_in_word(next)) => out.push('ˍ'),
            '>' if is_first => out.push('›'),
            '-' if is_first && !next.is_some_and(|c| c.is_alphanumeric() || c == '-') => {
                out.push('–');
            }
            '/' if next == Some('/') && out.ends_with(':') => {
                disarm_scheme(&mut out);
                out.push('/');
            }
            c => out.push(c),
        }
        is_first = c == '\n' || (is_first && c.is_whitespace());
        before = Some(c);
    }
    out
}

/// Spells `http:` at the end of the text `hxxp:`, and its like.
fn disarm_scheme(out: &mut String) {
    for (scheme, harmless) in [("https:", "hxxps:"), ("http:", "hxxp:"), ("ftp:", "fxp:")] {
        let start = out.len().wrapping_sub(scheme.len());
        let is_this = out
            .get(start..)
            .is_some_and(|end| end.eq_ignore_ascii_case(scheme));
        if is_this {
            out.truncate(start);
            out.push_str(harmless);
            return;
        }
    }
}

/// Skips an ANSI escape sequence whose ESC was just taken.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            while let Some(&c) = chars.peek() {
                if !matches!(c, ' '..='?') {
                    if matches!(c, '@'..='~') {
                        chars.next();
                    }
                    return;
                }
                chars.next();
            }
        }
        Some(']') => {
            // A title or link: up to BEL or ESC, within reason, and never over a line.
            for _ in 0..256 {
                match chars.peek() {
                    None | Some('\n' | '\u{1b}') => return,
                    Some('\u{7}') => {
                        chars.next();
                        return;
                    }
                    Some(_) => {
                        chars.next();
                    }
                }
            }
        }
        Some('(' | ')' | '#') => {
            chars.next();
            chars.next_if(|c| !c.is_control());
        }
        _ => {}
    }
}

/// Controls but tab and line feed, bidirectional controls, line separators,
/// characters that show nothing, tags and non-characters.
fn is_unwanted(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        c if c.is_control() => true,
        '\u{200e}' | '\u{200f}' | '\u{061c}' => true,
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => true,
        // Joiners stay: scripts and families of emoji need them.
        '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{180e}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        '\u{fdd0}'..='\u{fdef}' => true,
        c => matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff),
    }
}

/// Whether a character is put on the one before it.
fn is_mark(c: char) -> bool {
    static MARKS: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
        let hir = regex_syntax::parse(r"\p{M}").expect("the class of marks is known");
        match hir.kind() {
            HirKind::Class(Class::Unicode(class)) => (class
                .ranges()
                .iter()
                .map(|range| (range.start(), range.end())))
            .collect(),
            _ => Vec::new(),
        }
    });
    // The first mark of all; nearly every text is below it.
    if c < '\u{300}' {
        return false;
    }
    let idx = MARKS.partition_point(|(_, end)| *end < c);
    MARKS.get(idx).is_some_and(|(start, _)| *start <= c)
}

/// A value inside a link of the author: it can be neither its end nor its label.
fn push_in_link(text: &str, out: &mut String) {
    for c in common(text).chars() {
        match c {
            c if c.is_whitespace() || "<>|`\"*_~".contains(c) => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(out, "%{byte:02X}");
                }
            }
            c => out.push(c),
        }
    }
}

/// Closes a code block that the author left open.
fn close_fences(mut text: String) -> String {
    if text.matches("```").count() % 2 == 1 {
        text.push_str("\n```");
    }
    text
}

#[cfg(test)]
mod tests;
