use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::engine::correlate::Role;
use crate::rules::paper::rules_of;

fn start() -> Position {
    Position {
        cursor: None,
        at: Wall(1),
    }
}

/// An entry as `journalctl` writes it.
fn entry(cursor: &str, fields: &[(&str, Value)]) -> String {
    let mut entry: BTreeMap<&str, Value> = fields.iter().cloned().collect();
    entry.insert("__CURSOR", cursor.into());
    entry.insert("__REALTIME_TIMESTAMP", "1700000000000000".into());
    format!("{}\n", serde_json::to_string(&entry).unwrap())
}

fn of_sshd(cursor: &str, message: Value) -> String {
    entry(
        cursor,
        &[
            ("MESSAGE", message),
            ("SYSLOG_IDENTIFIER", "sshd".into()),
            ("_PID", "17".into()),
            ("_SYSTEMD_UNIT", "ssh.service".into()),
        ],
    )
}

fn search(yaml: &str, lines: &str) -> Done {
    let search = Search::of(&rules_of(yaml)).unwrap();
    search.search(lines.as_bytes(), &start(), None)
}

fn lines_of(done: &Done) -> Vec<&str> {
    (done.found.iter())
        .map(|found| found.sample.line.as_str())
        .collect()
}

#[test]
fn a_record_reads_as_syslog_writes_it() {
    let done = search(
        "- {key: a, journal: {unit: ssh}, match: '^sshd\\[\\d+\\]: Failed (?<how>\\w+)'}",
        &of_sshd("c1", "Failed password".into()),
    );
    let found = &done.found[0];
    assert_eq!(found.sample.line, "sshd[17]: Failed password");
    assert_eq!(found.sample.capture("how"), Some("password"));
    assert_eq!(&*found.source, "journal: ssh.service");
    assert_eq!(found.at, Wall(1_700_000_000_000_000));
    assert_eq!(done.upto.cursor.as_deref(), Some("c1"));
}

#[test]
fn one_entry_is_one_record() {
    let bytes: Vec<Value> = b"bad \xff byte".iter().map(|&byte| byte.into()).collect();
    let long = "x".repeat(70_000);
    for (message, line) in [
        (Value::from("two\nlines bad"), "sshd[17]: two lines bad"),
        (Value::from("nul\0 bad"), "sshd[17]: nul  bad"),
        (Value::Array(bytes), "sshd[17]: bad \u{fffd} byte"),
        (
            Value::Array(vec!["bad".into(), "again".into()]),
            "sshd[17]: bad again",
        ),
    ] {
        let lines = of_sshd("c1", message) + &of_sshd("c2", "good".into());
        let done = search("- {key: a, journal: {}, match: bad}", &lines);
        assert_eq!(lines_of(&done), [line], "{line}");
        assert_eq!(done.n_entries, 2);
    }
    let done = search(
        "- {key: a, journal: {}, match: xxx}",
        &of_sshd("c1", long.into()),
    );
    assert_eq!(done.found.len(), 1);
    let none = of_sshd("c1", Value::Null);
    assert_eq!(
        search("- {key: a, journal: {}, match: 'sshd'}", &none)
            .found
            .len(),
        1
    );
}

#[test]
fn every_rule_looks_at_its_own_entries() {
    let kernel = entry(
        "c2",
        &[
            ("MESSAGE", "Out of memory".into()),
            ("SYSLOG_IDENTIFIER", "kernel".into()),
            ("_TRANSPORT", "kernel".into()),
            ("PRIORITY", "3".into()),
        ],
    );
    let lines = of_sshd("c1", "Out of memory".into()) + &kernel;
    let yaml = "- {key: kernel, journal: {transport: kernel}, match: '^kernel: Out of'}\n\
                - {key: ssh, journal: {unit: ssh}, match: 'Out of'}\n\
                - {key: worse, journal: {priority: crit}, match: 'Out of'}\n";
    let done = search(yaml, &lines);
    let found: Vec<(usize, &str)> = (done.found.iter())
        .map(|found| (found.rule, &*found.cursor))
        .collect();
    assert_eq!(found, [(1, "c1"), (0, "c2")]);
}

#[test]
fn own_entries_are_not_fed_back() {
    let own = entry(
        "c1",
        &[
            ("MESSAGE", "cannot post: error".into()),
            ("SYSLOG_IDENTIFIER", "logcrier".into()),
            ("_COMM", "logcrier".into()),
        ],
    );
    let done = search("- {key: a, journal: {}, match: error}", &own);
    assert_eq!(done.found, []);
    assert_eq!(done.upto.cursor.as_deref(), Some("c1"));
}

#[test]
fn what_is_no_entry_is_passed_over() {
    let lines =
        "-- No entries --\n{\"MESSAGE\":\"bad\"}\n".to_owned() + &of_sshd("c1", "bad".into());
    let done = search("- {key: a, journal: {}, match: bad}", &lines);
    assert_eq!(done.found.len(), 1);
}

#[test]
fn the_last_entry_does_not_come_again_and_its_absence_is_a_gap() {
    let search = Search::of(&rules_of("- {key: a, journal: {}, match: bad}")).unwrap();
    let lines = of_sshd("c1", "bad".into()) + &of_sshd("c2", "bad".into());
    for (first, cursors, has_gap) in [
        (None, vec!["c1", "c2"], false),
        (Some("c1"), vec!["c2"], false),
        (Some("c0"), vec!["c1", "c2"], true),
    ] {
        let done = search.search(lines.as_bytes(), &start(), first);
        let found: Vec<&str> = done.found.iter().map(|found| &*found.cursor).collect();
        assert_eq!((found, done.has_gap), (cursors, has_gap), "{first:?}");
    }
}

#[test]
fn the_position_is_kept_as_long_as_a_rule_looks() {
    let with = rules_of("- {key: a, journal: {}, match: bad}");
    let without = rules_of("- {key: a, files: /var/log/a, match: bad}");
    let mut journal = Journal::new(None, &with, Wall(5));
    assert_eq!(
        journal.take_dirty(),
        Some(Some(Position {
            cursor: None,
            at: Wall(5)
        }))
    );
    let turn = journal.next_turn(Moment(0)).unwrap();
    assert!(journal.next_turn(Moment(0)).is_none(), "one at a time");
    let lines = of_sshd("c1", "bad".into());
    let done = turn.search.search(lines.as_bytes(), &turn.after, None);
    assert_eq!(journal.done(Moment(0), turn.epoch, Ok(done)).len(), 1);
    let position = journal.take_dirty().unwrap();
    assert_eq!(position.clone().unwrap().cursor.as_deref(), Some("c1"));
    // What could not be written is written with the next commit.
    assert_eq!(journal.take_dirty(), None);
    journal.mark_dirty();
    assert_eq!(journal.take_dirty().as_ref(), Some(&position));
    assert_eq!(journal.n_entries(), 1);

    // Another rule: it begins there. What was being read for the old ones is read again.
    let turn = journal.next_turn(Moment(0)).unwrap();
    journal.meet(&with, Wall(9));
    let late = turn
        .search
        .search(of_sshd("c2", "bad".into()).as_bytes(), &turn.after, None);
    assert!(journal.done(Moment(0), turn.epoch, Ok(late)).is_empty());
    assert_eq!(Some(journal.next_turn(Moment(0)).unwrap().after), position);

    journal.meet(&without, Wall(9));
    assert_eq!(journal.take_dirty(), Some(None));
    assert!(journal.next_turn(Moment(0)).is_none());
}

#[test]
fn a_fault_is_said_once_and_tried_ever_more_slowly() {
    let with = rules_of("- {key: a, journal: {}, match: bad}");
    let mut journal = Journal::new(None, &with, Wall(5));
    let mut now = Moment(0);
    let mut notices = Vec::new();
    for wait_secs in [1, 2, 4, 8, 16, 30, 30] {
        let turn = journal.next_turn(now).unwrap();
        let why = "no".to_owned();
        assert!(journal.done(now, turn.epoch, Err(Fault { why })).is_empty());
        notices.extend((journal.take_notices().into_iter()).map(|notice| (now, notice)));
        let next = now.after(Duration::from_secs(wait_secs));
        assert_eq!(journal.wakeup(), Some(next));
        assert!(journal.next_turn(Moment(next.0 - 1)).is_none());
        now = next;
    }
    let turn = journal.next_turn(now).unwrap();
    let done = turn.search.search(b"", &turn.after, None);
    journal.done(now, turn.epoch, Ok(done));
    notices.extend((journal.take_notices().into_iter()).map(|notice| (now, notice)));
    let why = || "no".to_owned();
    let secs = |secs| Moment(0).after(Duration::from_secs(secs));
    let expected = [
        (secs(0), Notice::Unreadable { why: why() }),
        (secs(15), Notice::StaysUnreadable { why: why() }),
        (secs(91), Notice::Readable),
    ];
    assert_eq!(notices, expected);
}

#[test]
fn it_is_read_to_its_end_until_it_cannot_be_read() {
    let with = rules_of("- {key: a, journal: {}, match: bad}");
    let mut journal = Journal::new(None, &with, Wall(5));
    assert!(!journal.has_read_all());
    let turn = journal.next_turn(Moment(0)).unwrap();
    // The answer comes too late for its rules; the end was reached all the same.
    journal.meet(&with, Wall(9));
    let end = Done::at_end(turn.after);
    assert!(journal.done(Moment(0), turn.epoch, Ok(end)).is_empty());
    assert!(journal.has_read_all());
    let turn = journal.next_turn(Moment(0)).unwrap();
    let why = "no".to_owned();
    journal.done(Moment(0), turn.epoch, Err(Fault { why }));
    assert!(!journal.has_read_all());
    journal.meet(
        &rules_of("- {key: a, files: /var/log/a, match: bad}"),
        Wall(9),
    );
    assert!(journal.has_read_all(), "nobody wants it");
}

#[test]
fn fields_of_entries_select() {
    let unit = |cursor: &str, message: &str, code: &str| {
        entry(
            cursor,
            &[
                ("MESSAGE", message.into()),
                ("SYSLOG_IDENTIFIER", "systemd".into()),
                ("_PID", "1".into()),
                ("EXIT_CODE", code.into()),
                ("UNIT", "app.service".into()),
            ],
        )
    };
    let lines = unit("c1", "app ended", "killed") + &unit("c2", "app ended", "exited");
    for (rule, cursors) in [
        ("where: {EXIT_CODE: killed}", vec!["c1"]),
        ("match: ended, where: {EXIT_CODE: {ne: killed}}", vec!["c2"]),
        (
            "match: '(?<what>\\w+) ended', where: {EXIT_CODE: {exists: true}, what: app}",
            vec!["c1", "c2"],
        ),
        ("where: {_PID: {gt: 1}}", vec![]),
        ("where: {EXIT_CODE: killed}, except: ended", vec![]),
    ] {
        let yaml = format!("- {{key: a, journal: {{unit: app}}, {rule}, by: EXIT_CODE}}");
        let search = Search::of(&rules_of(&yaml)).unwrap();
        assert!(search.fields().unwrap().contains("EXIT_CODE"), "{rule}");
        let done = search.search(lines.as_bytes(), &start(), None);
        let found: Vec<&str> = done.found.iter().map(|found| &*found.cursor).collect();
        assert_eq!(found, cursors, "{rule}");
        for found in &done.found {
            let kept: Vec<&str> = found
                .sample
                .fields
                .iter()
                .map(|(name, _)| &**name)
                .collect();
            assert_eq!(kept, ["EXIT_CODE"], "{rule}");
        }
    }
}

#[test]
fn all_fields_are_asked_for_where_a_message_shows_all() {
    let fields = |rule: &str| {
        let yaml = format!("- {{key: a, journal: {{}}, match: x, {rule}}}");
        Search::of(&rules_of(&yaml)).unwrap().fields().cloned()
    };
    assert_eq!(fields("text: '{{ fields }}'"), None);
    let one = fields("text: '{{ fields.CODE_FILE }}'").unwrap();
    assert!(
        one.contains("CODE_FILE") && one.contains("MESSAGE"),
        "{one:?}"
    );
    assert_eq!(fields("severity: error").unwrap().len(), 8);
}

#[test]
fn messages_may_have_fields_of_their_own() {
    let lines = of_sshd(
        "c1",
        r#"{"level":"error","msg":"pool empty","ms":1200}"#.into(),
    ) + &of_sshd("c2", r#"{"level":"info","msg":"pool empty"}"#.into())
        + &of_sshd("c3", "level=error msg=\"pool empty\"".into());
    for (rule, cursors) in [
        ("format: json, where: {level: error}", vec!["c1"]),
        ("format: json, match: '^pool'", vec!["c1", "c2"]),
        ("format: logfmt, where: {level: error}", vec!["c3"]),
        ("match: 'sshd.*pool'", vec!["c1", "c2", "c3"]),
    ] {
        let done = search(
            &format!("- {{key: a, journal: {{unit: ssh}}, {rule}}}"),
            &lines,
        );
        let found: Vec<&str> = done.found.iter().map(|found| &*found.cursor).collect();
        assert_eq!(found, cursors, "{rule}");
    }
}

#[test]
fn a_record_ends_an_incident_by_its_fields() {
    let lines = entry("c1", &[("MESSAGE", "x".into()), ("RESULT", "ok".into())]);
    let done = search(
        "- {key: a, journal: {}, where: {RESULT: bad}, resolve: {where: {RESULT: ok}}}",
        &lines,
    );
    let found: Vec<Role> = done.found.iter().map(|found| found.role).collect();
    assert_eq!(found, [Role::Resolve]);
}
