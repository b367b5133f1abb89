//! Any text: what is hidden stays within it, and a planted secret never shows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logcrier::secrets::Redactor;

/// Shapes that are secret wherever they stand apart.
const PLANTED: [&str; 3] = [
    "ghp_0123456789abcdefABCD",
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-0123456789-abcdef",
];

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let redactor = Redactor::default();
    let mut at = 0;
    for range in redactor.secrets_in(&text).ranges() {
        assert!(at <= range.start && range.start < range.end);
        assert!(text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
        at = range.end;
    }
    assert!(at <= text.len());
    let (before, after) = text.split_at(text.floor_char_boundary(text.len() / 2));
    for secret in PLANTED {
        let planted = format!("{before} {secret} {after}");
        let shown = redactor.redact(&planted).into_owned();
        // In the middle of a longer word it is none.
        assert!(!shown.contains(&format!(" {secret} ")), "{shown:?}");
    }
});
