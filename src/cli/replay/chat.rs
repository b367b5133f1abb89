//! A message of Google Chat as HTML: its markup drawn, everything else escaped.
//!
//! What is drawn is what Chat draws of the texts that logcrier writes: bold, italic,
//! struck out, code, blocks of code, links and mentions.

/// Escapes text for HTML, within an attribute as well.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // No character may turn around what follows it, or hide.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            char if char.is_control() && char != '\n' && char != '\t' => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
    out
}

/// Draws the text of a message.
pub(super) fn drawn(text: &str) -> String {
    let mut out = String::new();
    for (idx, part) in text.split("```").enumerate() {
        if idx % 2 == 1 {
            out.push_str("<pre>");
            out.push_str(&escaped(part.trim_matches('\n')));
            out.push_str("</pre>");
        } else {
            // The line breaks around a block are the block's.
            let part = if idx > 0 {
                part.trim_start_matches('\n')
            } else {
                part
            };
            inline(part.trim_end_matches('\n'), &mut out);
        }
    }
    out
}

fn inline(text: &str, out: &mut String) {
    let mut rest = text;
    let mut before = None;
    while let Some(char) = rest.chars().next() {
        let drawn = match char {
            '`' => between(rest, '`')
                .map(|(inner, len)| (format!("<code>{}</code>", escaped(inner)), len)),
            '<' => link(rest),
            '*' | '_' | '~' if begins_word(before) => emphasis(rest, char),
            _ => None,
        };
        match drawn {
            Some((html, len)) => {
                out.push_str(&html);
                before = rest[..len].chars().next_back();
                rest = &rest[len..];
            }
            None => {
                let mut bytes = [0; 4];
                out.push_str(&escaped(char.encode_utf8(&mut bytes)));
                before = Some(char);
                rest = &rest[char.len_utf8()..];
            }
        }
    }
}

fn begins_word(before: Option<char>) -> bool {
    before.is_none_or(|char| !char.is_alphanumeric())
}

/// What stands between a mark and its next occurrence on the line, and the length of
/// all of it.
fn between(text: &str, mark: char) -> Option<(&str, usize)> {
    let inner = &text[mark.len_utf8()..];
    let end = inner.find([mark, '\n'])?;
    let is_good = end > 0 && inner[end..].starts_with(mark);
    is_good.then(|| (&inner[..end], end + 2 * mark.len_utf8()))
}

fn emphasis(text: &str, mark: char) -> Option<(String, usize)> {
    let (inner, len) = between(text, mark)?;
    let is_good = !inner.starts_with(' ') && !inner.ends_with(' ');
    let ends_word = text[len..]
        .chars()
        .next()
        .is_none_or(|char| !char.is_alphanumeric());
    if !is_good || !ends_word {
        return None;
    }
    let tag = match mark {
        '*' => "b",
        '_' => "i",
        _ => "s",
    };
    let mut drawn = format!("<{tag}>");
    inline(inner, &mut drawn);
    drawn.push_str(&format!("</{tag}>"));
    Some((drawn, len))
}

/// `<https://…|words>`, or `<users/…>`.
fn link(text: &str) -> Option<(String, usize)> {
    let end = text.find(['>', '\n'])?;
    if !text[end..].starts_with('>') {
        return None;
    }
    let (inner, len) = (&text[1..end], end + 1);
    if let Some(user) = inner.strip_prefix("users/") {
        let name = format!("<span class=\"mention\">@{}</span>", escaped(user));
        return Some((name, len));
    }
    let (address, words) = inner.split_once('|').unwrap_or((inner, inner));
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    is_web.then(|| {
        let link = format!(
            "<a href=\"{}\" rel=\"noreferrer noopener\">{}</a>",
            escaped(address),
            escaped(words)
        );
        (link, len)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_what_chat_draws() {
        for (text, html) in [
            (
                "*warning* `ssh` `ip=1`",
                "<b>warning</b> <code>ssh</code> <code>ip=1</code>",
            ),
            ("a\n```\nx <b>\n```\nz", "a<pre>x &lt;b&gt;</pre>z"),
            ("<users/all>", "<span class=\"mention\">@all</span>"),
            (
                "<https://w/x?a=\"b|Run*book>",
                "<a href=\"https://w/x?a=&quot;b\" rel=\"noreferrer noopener\">Run*book</a>",
            ),
            ("_+4 more_ in 5 min", "<i>+4 more</i> in 5 min"),
            ("snake_case_name 2*3*4 * a *", "snake_case_name 2*3*4 * a *"),
            ("*bold _and italic_*", "<b>bold <i>and italic</i></b>"),
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;",
            ),
            ("<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"),
            ("`unclosed *and", "`unclosed *and"),
            ("\u{202e}x\u{1b}", "\u{fffd}x\u{fffd}"),
        ] {
            assert_eq!(drawn(text), html, "{text}");
        }
    }
}
