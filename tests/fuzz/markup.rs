//! Any bytes as a value: no message may come alive by them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logcrier::engine::markup::{self, Room};
use logcrier::rules::template::{Piece, Template, Value, Values};

fn is_live(text: &str) -> bool {
    text.split('<')
        .skip(1)
        .any(|rest| rest.starts_with(|c: char| !c.is_whitespace()))
}

fuzz_target!(|bytes: &[u8]| {
    let value = String::from_utf8_lossy(bytes).into_owned();
    for out in [
        markup::plain(&value),
        markup::lines(&value),
        markup::inline(&value),
        markup::block(&value),
        markup::bare(&value),
    ] {
        assert!(!is_live(&out), "{out:?}");
        assert!(out.matches("```").count() % 2 == 0, "{out:?}");
        assert!(!out.contains(['\u{1b}', '\r', '\0', '\u{202e}']), "{out:?}");
        for max in [1, 7, 40] {
            let short = markup::shorten(&out, max);
            assert!(short.chars().count() <= max + 1 && !is_live(&short));
        }
    }
    assert!(!markup::plain(&value).contains(['`', '\n']));
    assert!(!markup::html(&value).replace("<br>", "").contains(['<', '>', '"']));

    // Through a template, in every place that a value can stand.
    let source = "*{{ v }}* `{{ v }}` <https://wiki/{{ v }}|page>\n{{ v|upper }}{{ v }}\n\
                  {% set x %}<{{ v }}{% endset %}{{ x }}> {{ '<' ~ v }}";
    let template = Template::parse(source).expect("it is constant");
    let values = Values([("v".to_owned(), Value::Text(value))].into());
    let Ok(pieces) = template.render(&values) else {
        return;
    };
    let literal: String = (pieces.iter())
        .filter_map(|piece| match piece {
            Piece::Literal(text) => Some(text.as_str()),
            Piece::Value(_) => None,
        })
        .collect();
    assert!(literal.starts_with('*') && literal.matches('<').count() == 1);
    for room in [Room::Line, Room::Lines] {
        let out = markup::assemble(&pieces, room);
        let rest = out.replacen("<https://wiki/", "", 1);
        assert!(!is_live(&rest), "{out:?}");
        assert!(out.matches("```").count() % 2 == 0, "{out:?}");
    }
});
