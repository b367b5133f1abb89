//! Makes untrusted text harmless.
//!
//! Chat documents no way to escape its markup, so nothing is escaped: what could
//! become markup is taken apart. The one law that holds for every message: no `<`
//! is followed by a non-space unless we or the author of the rule wrote the whole
//! run. Then no mention and no labelled link can come from a log, whatever stands
//! around the value.

use crate::rules::template::Piece;

/// What stands for a value that is empty.
const EMPTY: &str = "–";

/// What stands for a line break where only one line has room.
const LINE_BREAK: char = '⏎';

/// Looks like a backquote and is none.
const NO_BACKQUOTE: char = 'ˋ';

/// Text of one line, without wrapping: for template values.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_common(text, &mut out, &mut |c, out| match c {
        '\n' => out.push(LINE_BREAK),
        '\t' => out.push(' '),
        '`' => out.push(NO_BACKQUOTE),
        c => out.push(c),
    });
    out
}

/// Text of one line in inline code: for names and field values.
pub fn inline(text: &str) -> String {
    let text = plain(text);
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
    push_common(text, &mut out, &mut |c, out| {
        n_backquotes = if c == '`' { n_backquotes + 1 } else { 0 };
        if n_backquotes == 3 {
            out.push(' ');
            n_backquotes = 1;
        }
        out.push(c);
    });
    out.push_str("\n```");
    out
}

/// Puts a rendered template together: the author's own markup stays, values are
/// made harmless for the place they stand in.
pub fn assemble(pieces: &[Piece]) -> String {
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
            Piece::Value(text) => out.push_str(&plain(text)),
        }
    }
    close_fences(out)
}

/// A link of ours: `url` comes from the rule and is already safe between `<` and `|`.
pub fn link(url: &str, label: &str) -> String {
    format!("<{url}|{label}>")
}

/// The first characters, `max` of them with the ellipsis if there were more. A
/// run of markup that would be cut in two is left out whole.
pub fn shorten(text: &str, max: usize) -> String {
    if text.chars().nth(max).is_none() {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(max.saturating_sub(1)).collect();
    if let Some(open) = kept.rfind('<')
        && !kept[open..].contains('>')
        && !kept[open..].starts_with("< ")
    {
        kept.truncate(open);
    }
    kept.push('…');
    kept
}

/// Drops what no message may carry and parts every `<` from what follows.
fn push_common(text: &str, out: &mut String, push: &mut dyn FnMut(char, &mut String)) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            skip_escape(&mut chars);
            continue;
        }
        if c == '\r' {
            // A bare carriage return would hide what stands before it.
            if chars.peek() != Some(&'\n') {
                push('\n', out);
            }
            continue;
        }
        if is_unwanted(c) {
            continue;
        }
        push(c, out);
        if c == '<' {
            // Also at the very end: what is put behind the value could supply the rest.
            out.push(' ');
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
/// invisible tags and non-characters.
fn is_unwanted(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        c if c.is_control() => true,
        '\u{200e}' | '\u{200f}' | '\u{061c}' => true,
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        c => matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff),
    }
}

/// A value inside a link of the author: it can be neither its end nor its label.
fn push_in_link(text: &str, out: &mut String) {
    for c in plain(text).chars() {
        match c {
            '<' | '>' | '|' | ' ' | '`' | '"' => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("%{byte:02X}"));
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn live(text: &str) -> bool {
        text.split('<')
            .skip(1)
            .any(|rest| rest.starts_with(|c: char| !c.is_whitespace()))
    }

    #[test]
    fn values_of_one_line() {
        for (value, expected) in [
            ("all is well", "all is well"),
            ("<users/all> wake up", "< users/all> wake up"),
            ("ends with <", "ends with < "),
            (
                "<<https://evil|https://bank>",
                "< < https://evil|https://bank>",
            ),
            ("a\nb\r\nc\rd", "a⏎b⏎c⏎d"),
            ("```x``", "ˋˋˋxˋˋ"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{202e}gnp.exe", "gnp.exe"),
            ("nul\0 bell\u{7}", "nul bell"),
        ] {
            assert_eq!(plain(value), expected);
        }
    }

    #[test]
    fn templates_keep_their_own_markup_only() {
        let literal = |text: &str| Piece::Literal(text.into());
        let value = |text: &str| Piece::Value(text.into());
        for (pieces, expected) in [
            (
                vec![
                    literal("see <https://wiki/"),
                    value("a|b>c"),
                    literal("|wiki>"),
                ],
                "see <https://wiki/a%7Cb%3Ec|wiki>",
            ),
            (
                vec![literal("<"), value("users/all"), literal(">")],
                "< users/all>",
            ),
            (
                vec![literal("*"), value("<users/all>"), literal("*")],
                "*< users/all>*",
            ),
            (vec![value("a<"), value("users/all>")], "a< users/all>"),
            (
                vec![literal("```\n"), value("x"), literal("\n")],
                "```\nx\n\n```",
            ),
            (vec![value("`"), value("``"), literal(" x")], "ˋˋˋ x"),
            (
                vec![literal("<"), value(""), literal("users/all>")],
                "<users/all>",
            ),
        ] {
            assert_eq!(assemble(&pieces), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_live(text in any::<String>(), more in "[<>`|\\\\a-z/\n\u{1b}\\[]{0,40}") {
            for value in [text.clone(), more.clone(), format!("{more}{text}")] {
                for out in [plain(&value), inline(&value), block(&value)] {
                    prop_assert!(!live(&out), "{out:?}");
                    prop_assert!(!out.chars().any(is_unwanted));
                    prop_assert!(!out.contains('\r'));
                    prop_assert_eq!(out.matches("```").count() % 2, 0);
                }
                prop_assert!(!plain(&value).contains(['\n', '`']));
                let pieces = [Piece::Value(value.clone()), Piece::Value(value)];
                let out = assemble(&pieces);
                prop_assert!(!live(&out));
                prop_assert!(!out.contains('`'));
            }
        }
    }
}
