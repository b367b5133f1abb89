//! Any line as JSON, logfmt or what containers write: what is ruled out at a glance is
//! none of it, and what was written by the rules is read back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logcrier::rules::records::parsed;

fuzz_target!(|line: &[u8]| {
    if parsed::json(line).is_some() {
        assert!(parsed::looks_like_json(line));
    }
    if let Some(fields) = parsed::logfmt(line) {
        assert!(parsed::looks_like_logfmt(line));
        assert!(fields.keys().all(|key| !key.is_empty()));
        let _ = (parsed::message_of(&fields), parsed::times_of(&fields));
    }
    if let Some(piece) = parsed::cri(line) {
        assert!(line.ends_with(&piece.text));
    }
    let text = String::from_utf8_lossy(line);
    let wrapped = serde_json::json!({ "log": format!("{text}\n"), "stream": "stderr" });
    let wrapped = wrapped.to_string();
    let piece = parsed::docker(wrapped.as_bytes()).expect("it is what docker writes");
    assert!(piece.is_error && !piece.goes_on);
    let expected = text.strip_suffix('\r').unwrap_or(&text);
    assert_eq!(piece.text, expected.as_bytes());
});
