//! Which messages belong together in a space.

use jiff::tz::TimeZone;
use logcrier::engine::events::InstanceId;
use logcrier::engine::message::{self, Reason};

use crate::messages::{NOON, event, rule, seconds_after_noon};

#[test]
fn threads_are_as_the_rule_says() {
    let berlin = TimeZone::fixed(jiff::tz::offset(1));
    // Midnight has just struck there.
    let (opened, now) = (seconds_after_noon(0), seconds_after_noon(11 * 3_600));
    for (thread, expected) in [
        ("rule", Some("ssh")),
        ("instance", Some("ssh/192.0.2.7")),
        ("incident", Some("ssh@2026-11-22T13:00:00.000+01:00")),
        ("day", Some("ssh@2026-11-23")),
        ("none", None),
    ] {
        let rule = rule(&format!("thread: {thread}"));
        let first = event(&rule, "x", &[("ip", "192.0.2.7")], "/a", opened);
        let key = message::thread_key(&rule, &first.instance, opened, now, &berlin, Reason::First);
        assert_eq!(key.as_deref(), expected);
        let others = InstanceId {
            by: vec!["(others)".to_owned(); 2].into(),
            ..first.instance
        };
        let key = message::thread_key(&rule, &others, opened, now, &berlin, Reason::First);
        if thread == "instance" {
            assert_eq!(key.as_deref(), Some("ssh/(others)"));
        }
    }
}

#[test]
fn threads_of_instances_cannot_be_chosen_by_a_log() {
    let rule = rule("thread: instance");
    let two = InstanceId {
        rule: rule.key.clone(),
        by: vec![String::new(); 2].into(),
    };
    let key = |by: &[&str]| {
        let instance = InstanceId {
            by: by.iter().map(|value| (*value).to_owned()).collect(),
            ..two.clone()
        };
        message::thread_key(&rule, &instance, NOON, NOON, &TimeZone::UTC, Reason::First).unwrap()
    };
    assert_eq!(key(&["192.0.2.7"]), "ssh/192.0.2.7");
    assert_eq!(key(&["/var/log/a"]), "ssh//var/log/a");
    assert_eq!(key(&["a", "b"]), "ssh/a/b");
    assert_ne!(key(&["a/b", "c"]), key(&["a", "b/c"]));
    assert_ne!(key(&["a b", "c"]), key(&["a", "b c"]));
    assert_eq!(key(&["größe"]).len(), "ssh/".len() + 16);
    assert!(key(&["x".repeat(120).as_str(), "y".repeat(120).as_str()]).len() < 200);
    let longest = "x".repeat(196);
    assert_eq!(key(&[&longest]), format!("ssh/{longest}"));
    assert_eq!(key(&[&format!("{longest}x")]).len(), "ssh/".len() + 16);
    // Without values there is one thread.
    assert_eq!(key(&[]), "ssh");
}
