use proptest::prelude::*;

use super::*;

fn live(text: &str) -> bool {
    text.split('<')
        .skip(1)
        .any(|rest| rest.starts_with(|c: char| !c.is_whitespace()))
}

/// Whether Chat could draw a part of a text otherwise than as it stands there.
fn is_styled(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let is_space = |c: Option<&char>| c.is_some_and(|c| c.is_whitespace());
    let is_word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric());
    let marks = chars.iter().enumerate().any(|(idx, c)| {
        let (before, next) = (
            idx.checked_sub(1).and_then(|idx| chars.get(idx)),
            chars.get(idx + 1),
        );
        match c {
            '*' | '~' => !(is_space(before) && is_space(next)),
            '_' => !(is_word(before) && is_word(next)),
            '`' => true,
            _ => false,
        }
    });
    let lower = text.to_lowercase();
    let links = ["http://", "https://", "ftp://"].map(|scheme| lower.contains(scheme));
    let begins = text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with('>') || line.starts_with("- ") || line.starts_with("* ")
    });
    marks || links.contains(&true) || begins
}

#[test]
fn values_of_one_line() {
    for (value, expected) in [
        ("all is well", "all is well"),
        ("<users/all> wake up", "< users/all> wake up"),
        ("ends with <", "ends with < "),
        (
            "<<https://evil|https://bank>",
            "< < hxxps://evil|hxxps://bank>",
        ),
        ("a\nb\r\nc\rd", "a⏎b⏎c⏎d"),
        ("```x``", "ˋˋˋxˋˋ"),
        ("\u{1b}[31mred\u{1b}[0m", "red"),
        ("\u{1b}]0;title\u{7}text", "text"),
        ("\u{202e}gnp.exe", "gnp.exe"),
        ("nul\0 bell\u{7}", "nul bell"),
        ("*bold* _italic_ ~gone~", "∗bold∗ ˍitalicˍ ∼gone∼"),
        ("SELECT * FROM a_table", "SELECT * FROM a_table"),
        ("* bullet", "∗ bullet"),
        ("> quote", "› quote"),
        ("  - bullet", "  – bullet"),
        ("-5 degrees, --flag", "-5 degrees, --flag"),
        ("__init__.py", "ˍˍinitˍˍ.py"),
        ("see HTTPS://evil.example", "see hxxps://evil.example"),
        ("postgres://db", "postgres://db"),
        (
            "z\u{341}\u{342}\u{343}\u{344}\u{345}\u{346}a",
            "z\u{341}\u{342}\u{343}\u{344}a",
        ),
        ("soft\u{ad}hyphen zero\u{200b}width", "softhyphen zerowidth"),
        ("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👧"),
    ] {
        assert_eq!(plain(value), expected);
    }
}

#[test]
fn values_of_several_lines() {
    assert_eq!(lines("a\n> b\n- c\n*d*"), "a\n› b\n– c\n∗d∗");
}

#[test]
fn code_keeps_what_is_only_looked_at() {
    assert_eq!(inline("a_b *c* https://x"), "`a_b *c* https://x`");
    assert_eq!(inline("x`<users/all>\ny"), "`xˋ< users/all>⏎y`");
    assert_eq!(inline(" "), "`–`");
    assert_eq!(block("a ```` b\n*c*"), "```\na `` `` b\n*c*\n```");
}

#[test]
fn cards_take_html() {
    for (value, expected) in [
        ("a & b", "a &amp; b"),
        (
            "<a href=\"https://evil\">bank</a>",
            "&lt; a href=&quot;https://evil&quot;&gt;bank&lt; /a&gt;",
        ),
        ("<font color='red'>", "&lt; font color=&#39;red&#39;&gt;"),
        ("a\nb", "a<br>b"),
        ("&lt;users/all&gt;", "&amp;lt;users/all&amp;gt;"),
        ("<users/all>", "&lt; users/all&gt;"),
    ] {
        assert_eq!(html(value), expected);
    }
    assert_eq!(bare("a\n <b>\t\u{202e}c"), "a < b> c");
    assert_eq!(bare("a <"), "a < ");
    assert_eq!(bare("``` a"), "ˋˋˋ a");
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
        (
            vec![
                literal("_by "),
                value("x_ *y*"),
                literal("_\n"),
                value("> z"),
            ],
            "_by xˍ ∗y∗_\n› z",
        ),
        (
            vec![literal("<https://x/"), value("a b\n*c*"), literal("|x>")],
            "<https://x/a%20b%0A%2Ac%2A|x>",
        ),
        // Behind a link, and behind a bracket that is none, is text again.
        (
            vec![literal("<https://x|x> "), value("a b *c*")],
            "<https://x|x> a b ∗c∗",
        ),
        (vec![literal("a <b\nc "), value("d e")], "a <b\nc d e"),
        (vec![literal("a < b "), value("c d")], "a < b c d"),
    ] {
        assert_eq!(assemble(&pieces, Room::Lines), expected);
    }
    let pieces = [value("a\nb")];
    assert_eq!(assemble(&pieces, Room::Lines), "a\nb");
    assert_eq!(assemble(&pieces, Room::Line), "a⏎b");
}

#[test]
fn escape_sequences_take_nothing_with_them() {
    for (text, expected) in [
        ("a\u{1b}[1;31mb", "ab"),
        ("a\u{1b}]0;title\u{7}b", "ab"),
        ("a\u{1b}(Bb", "ab"),
        ("a\u{1b}(\nb", "a\nb"),
        ("a\u{1b}#8b", "ab"),
        ("a\u{1b}", "a"),
    ] {
        assert_eq!(lines(text), expected, "{text:?}");
    }
    // A star or a tilde between blanks marks nothing.
    assert_eq!(plain("2 * 3 ~ 6 ~x"), "2 * 3 ~ 6 ∼x");
}

#[test]
fn cuts_no_character_in_two() {
    for (text, max, expected) in [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abe\u{301}d", 4, "ab…"),
        ("a👨\u{200d}👩\u{200d}👧b", 4, "a…"),
        ("ab🇩🇪🇫🇷", 4, "ab…"),
        ("ab👍🏽c", 4, "ab…"),
        ("see <https://wiki|wiki> now", 12, "see …"),
        ("say `code` now", 8, "say `co…`"),
        ("a\n```\nb\nc\nd\n```", 9, "a\n```\nb\n…"),
        ("a\n```\nb ` c\n```", 11, "a\n```\nb ` …"),
        ("", 0, ""),
        ("ab", 0, "…"),
    ] {
        assert_eq!(shorten(text, max), expected, "{text}");
    }
    // What never ends is cut all the same.
    let endless = format!("a{}", "\u{301}".repeat(500));
    assert_eq!(cut_at(&endless, 100), 1 + 99 * 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_is_live(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        text in any::<String>(),
        more in "[-<>`|\\\\a-z/:*_~ htps\n\t\u{1b}\\[\u{301}\u{202e}\u{200d}\u{fdd0}]{0,60}",
        max in 0_usize..50,
    ) {
        let bytes = String::from_utf8_lossy(&bytes).into_owned();
        for value in [text.clone(), more.clone(), format!("{more}{text}"), bytes] {
            for out in [plain(&value), lines(&value), inline(&value), block(&value), bare(&value)] {
                prop_assert!(!live(&out), "{out:?}");
                prop_assert!(!out.chars().any(is_unwanted));
                prop_assert!(!out.contains('\r'));
                prop_assert_eq!(out.matches("```").count() % 2, 0);
                let short = shorten(&out, max);
                prop_assert!(!live(&short), "{short:?}");
                // A closing backquote may come on top.
                prop_assert!(short.chars().count() <= max.max(1) + 1);
            }
            prop_assert!(!plain(&value).contains('\n'));
            prop_assert!(!is_styled(&plain(&value)), "{:?}", plain(&value));
            prop_assert!(!is_styled(&lines(&value)), "{:?}", lines(&value));
            prop_assert_eq!(inline(&value).matches('`').count(), 2);
            prop_assert!(!inline(&value).contains('\n'));
            prop_assert!(!html(&value).replace("<br>", "").contains(['<', '>', '"', '\'']));
            prop_assert!(!bare(&value).contains('\n'));
            for room in [Room::Line, Room::Lines] {
                let pieces = [Piece::Value(value.clone()), Piece::Value(value.clone())];
                let out = assemble(&pieces, room);
                prop_assert!(!live(&out));
                prop_assert!(!out.contains('`'));
                let pieces = [
                    Piece::Literal("see <https://wiki/".into()),
                    Piece::Value(value.clone()),
                    Piece::Literal("|page> *and* ".into()),
                    Piece::Value(value.clone()),
                ];
                let out = assemble(&pieces, room);
                let end = out.find("|page>").unwrap();
                let url = &out["see <https://wiki/".len()..end];
                prop_assert!(!url.contains(|c: char| c.is_whitespace() || "<>|`".contains(c)), "{url}");
                prop_assert!(!live(&out["see <".len()..]));
            }
        }
    }
}
