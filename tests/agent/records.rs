//! Records that are more than lines of text: in the simulated world, and with the real
//! binary.

use std::fs;
use std::io::Write as _;

use crate::support::{Space, World};
use crate::world::script::check;
use crate::world::told::{Dialect, Told};

fn told(dialect: Dialect) -> Told {
    Told {
        dialect,
        ..Told::new("alpha")
    }
}

#[test]
fn a_record_ends_where_the_next_begins_or_when_nothing_comes() {
    check(
        told(Dialect::Stacks),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        00:10 write alpha:k2
        00:20 write alpha:k3
        ",
        "
        00:10 alpha k1 first 1
        00:11 alpha k2 first 1
        00:21 alpha k3 first 1
        ",
    );
}

/// Situations D2, D3 and D13: what was taken as it stood is no second event when the
/// rest comes, whoever died meanwhile.
#[test]
fn d2_d3_d13_a_record_that_was_taken_is_said_once() {
    check(
        told(Dialect::Stacks),
        "
        00:00 log app.log
        00:00 start
        00:10 tear alpha:k1
        00:20 kill
        00:30 start
        00:40 finish
        01:00 write alpha:k2
        ",
        "
        00:15 alpha k1 first 1
        01:01 alpha k2 first 1
        ",
    );
}

/// Situation B18.
#[test]
fn b18_a_record_that_rotation_parts_from_what_follows() {
    check(
        told(Dialect::Stacks),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        00:10 rotate
        00:11 reopen
        00:12 write alpha:k2
        00:13 write alpha:k3
        ",
        "
        00:11 alpha k1 first 1
        00:13 alpha k2 first 1
        00:14 alpha k3 first 1
        ",
    );
}

#[test]
fn objects_over_a_kill_and_a_rotation() {
    check(
        told(Dialect::Json),
        "
        00:00 log app.log
        00:00 start
        00:10 write alpha:k1
        00:20 kill
        00:21 write alpha:k2
        00:22 rotate
        00:23 reopen
        00:24 write alpha:k3
        00:30 start
        ",
        "
        00:10 alpha k1 first 1
        00:30 alpha k2 first 1
        00:31 alpha k3 first 1
        ",
    );
}

#[test]
fn fields_of_json_select_name_and_weigh() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "
rules:
  - key: api-5xx
    files: LOGS/*.json
    format: json
    where: {status: {gte: 500, lt: 600}, path: {not_prefix: /healthz}, http.method: [GET, POST]}
    by: [service]
    severity: {from: level, map: {WARN: warning, '*': error}}
    debounce: none
    title: 'n={{ count }} {{ fields.service }} {{ fields.http.status }} {{ severity }}'
  - key: refused
    files: LOGS/*.json
    format: json
    match: '^(?<peer>\\S+) refused'
    debounce: none
    title: 'n={{ count }} peer {{ peer }}'
",
    );
    let log = world.log("api.json");
    world.start();
    for line in [
        r#"{"service":"a","status":200,"http":{"method":"GET"},"path":"/x"}"#,
        r#"{"service":"a","status":503,"http":{"method":"GET"},"path":"/healthz"}"#,
        r#"{"service":"a","status":"503","http":{"method":"PUT"},"path":"/x"}"#,
        r#"{"service":"a","status":"503","http":{"method":"GET","status":7},"path":"/x","level":"WARN"}"#,
        r#"{"service":"b","status":5e2,"http":{"method":"POST"}}"#,
        r#"{"msg":"db\u002d1 refused","status":null}"#,
        r#"{"other":"db-2 was refused"}"#,
        "db-3 refused, and this is no JSON",
    ] {
        log.line(line);
    }
    space.wait_events(4);
    let mut said: Vec<String> = (space.messages().iter())
        .map(|message| message.text.lines().next().unwrap_or_default().to_owned())
        .collect();
    said.sort();
    let expected = ["a 7 warning", "b  error", "peer db-"];
    for expected in expected {
        assert!(
            said.iter().any(|said| said.contains(expected)),
            "{expected} in {said:#?}"
        );
    }
    assert!(world.stop().success());
    space.assert_clean();
}

/// Situations D13 and F14: its rules are read anew, and it is started anew.
#[test]
fn d13_f14_a_stack_trace_over_a_reload_and_a_restart() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "
rules:
  - key: trace
    files: LOGS/*.log
    multiline: {start: '^\\d', timeout: 1s}
    match: '(?s)ERROR.*at main'
    debounce: none
    title: 'n={{ count }}'
",
    );
    let log = world.log("app.log");
    world.start();
    log.line("1 ERROR it broke");
    log.line("  at inner");
    world.signal(rustix::process::Signal::HUP);
    world.wait_told("READY=1");
    assert!(world.stop().success());
    log.line("  at main");
    world.start();
    log.line("2 fine");
    space.wait_events(1);
    let text = space.messages()[0].text.clone();
    for line in ["1 ERROR it broke", "  at inner", "  at main"] {
        assert!(text.contains(line), "{text}");
    }
    // The last one ends because nothing follows.
    log.line("3 ERROR again\n  at main");
    space.wait_events(2);
    log.line("  at exit\n4 fine\n5 ERROR at main\n6 fine");
    space.wait_events(3);
    assert!(world.stop().success());
    space.assert_clean();
}

#[test]
fn one_file_that_is_read_in_three_ways() {
    let rules = "
defaults: {debounce: none, title: 'n={{ count }}'}
rules:
  - {key: lines, files: LOGS/*.log, match: 'SEQ='}
  - {key: wide, files: LOGS/*.log, match: 'SEQ=', line_max: MAX}
  - {key: parsed, files: LOGS/*.log, where: {msg: {prefix: SEQ}}, format: json}
";
    let space = Space::new();
    let mut world = World::new(&space, &rules.replace("MAX", "32KiB"));
    let log = world.log("app.log");
    world.start();
    log.line(r#"{"msg":"SEQ=1"}"#);
    space.wait_events(3);
    fs::rename(&log.path, world.path("logs/app.log.1")).unwrap();
    log.line(r#"{"msg":"SEQ=2"}"#);
    space.wait_events(6);
    assert!(world.stop().success());
    // Situation A12: read in another way, a rule goes on where it was.
    log.line(r#"{"msg":"SEQ=3"}"#);
    world.write_rules(&rules.replace("MAX", "64KiB"));
    world.start();
    space.wait_events(9);
    log.line(r#"{"msg":"SEQ=4"}"#);
    space.wait_events(12);
    assert!(world.stop().success());
    space.assert_clean();
}

/// Situation D9.
#[test]
fn d9_utf_16_and_a_restart() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "
rules:
  - {key: wide, files: LOGS/*.log, match: '^ERROR (?<n>\\w+)$', encoding: utf-16be, debounce: none,
     title: 'n={{ count }} {{ n }}'}
",
    );
    let path = world.path("logs/app.log");
    let write = |text: &str| {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut options = fs::OpenOptions::new();
        let mut file = options.append(true).create(true).open(&path).unwrap();
        file.write_all(&bytes).unwrap();
    };
    world.start();
    write("\u{feff}ERROR \u{0a0a}one\r\nERROR two\r\nERR");
    space.wait_events(2);
    assert!(world.stop().success());
    write("OR three\r\n");
    world.start();
    space.wait_events(3);
    let texts: Vec<String> = space
        .messages()
        .iter()
        .map(|said| said.text.clone())
        .collect();
    let texts = texts.join("\n");
    assert!(texts.contains(" three"), "{texts}");
    assert!(world.stop().success());
    space.assert_clean();
}

/// Situation D14 as the agent lives through it.
#[test]
fn d14_lines_that_a_container_runtime_has_split() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "
rules:
  - {key: pods, files: LOGS/*.log, format: cri, where: {stream: stderr}, match: '^big line$',
     debounce: none, title: 'n={{ count }} {{ fields.stream }}: {{ line }}'}
",
    );
    let log = world.log("0.log");
    world.start();
    log.line("2026-11-21T10:00:00.1Z stderr P big ");
    log.line("2026-11-21T10:00:00.2Z stdout F big line");
    log.line("2026-11-21T10:00:00.3Z stderr F line");
    space.wait_events(1);
    let text = space.messages()[0].text.clone();
    assert!(text.contains("stderr: big line"), "{text}");
    assert!(world.stop().success());
    space.assert_clean();
}

#[test]
fn lines_around_a_hit() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "
rules:
  - {key: oom, files: LOGS/*.log, match: 'out of memory', debounce: none,
     title: 'n={{ count }}', context: {before: 2, after: 1}}
",
    );
    let log = world.log("kern.log");
    log.line("too early\nold one\npassword=hunter2");
    world.start();
    log.line("out of memory 1");
    // Nothing follows: it is said all the same.
    space.wait_events(1);
    let text = space.messages()[0].text.clone();
    for part in [
        "  old one\n",
        "  password=[redacted]\n",
        "\nout of memory 1",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(!text.contains("too early"), "{text}");
    log.line("out of memory 2\nafterwards");
    space.wait_events(2);
    let text = space.messages()[1].text.clone();
    assert!(text.contains("out of memory 2\n  afterwards"), "{text}");
    assert!(world.stop().success());
    space.assert_clean();
}

/// After an outage what was written long ago is told together, by the records' own
/// time, and what is new is not.
#[test]
fn f19_catch_up_goes_by_the_time_of_records() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "rules: [{key: k, files: LOGS/*.log, match: 'ERROR', from: beginning, debounce: none}]",
    );
    let log = world.log("app.log");
    let now = logcrier::host::clock::now().wall;
    let now = jiff::Timestamp::from_microsecond(now.0).unwrap();
    let at = |hours: i64| now - jiff::SignedDuration::from_hours(hours);
    for n in 0..20 {
        log.line(&format!("{} ERROR old {n}", at(5)));
    }
    log.line(&format!("{} ERROR new", at(0)));
    world.start();
    let texts: Vec<String> = space.wait(2).iter().map(|said| said.text.clone()).collect();
    let is_old = |text: &&String| text.contains("while the agent was down");
    assert!(
        texts
            .iter()
            .find(is_old)
            .is_some_and(|text| text.contains("20 events")),
        "{texts:#?}"
    );
    assert!(
        texts.iter().any(|text| text.contains("ERROR new")),
        "{texts:#?}"
    );
    assert!(world.stop().success());
    space.assert_clean();
}
