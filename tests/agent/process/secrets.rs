//! What must stand nowhere.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Space, World, running, wait_for};

#[test]
fn nothing_that_is_written_holds_the_token() {
    let (space, mut world, mut log) = running();
    log.numbers(2);
    space.wait_events(2);
    space.fault("403");
    log.numbers(5);
    world.wait_said("refuses messages");
    assert!(world.stop().success());
    let url = space.handle.webhook_url("ops");
    let query = url.split('?').nth(1).unwrap();
    let secrets = query.split('&').map(|pair| pair.split('=').nth(1).unwrap());
    let written = [world.bytes_below("state"), world.stderr().into_bytes()].concat();
    for secret in secrets {
        let secret = secret.as_bytes();
        let found = written.windows(secret.len()).any(|part| part == secret);
        assert!(!found, "{}", String::from_utf8_lossy(secret));
    }
    for name in ["state/state.db", "state/lock"] {
        let mode = fs::metadata(world.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} can be read by others");
    }
}

/// What stands in a log and must stand nowhere else, and how it looks there.
const PLANTED: &[(&str, &str)] = &[
    (
        "hunter2pass",
        "HIT user=bob password=hunter2pass ip=192.0.2.7",
    ),
    (
        "jsonS3cret",
        r#"HIT {"user":"bob","client_secret":"jsonS3cret"}"#,
    ),
    ("querySecret9", "HIT GET /login?token=querySecret9&x=1"),
    ("dXNlcjpwYXNz", "HIT Authorization: Basic dXNlcjpwYXNz"),
    (
        "urlpass77",
        "HIT cannot reach postgres://app:urlpass77@db/x",
    ),
    (
        "ghp_0123456789abcdefghij",
        "HIT push with ghp_0123456789abcdefghij",
    ),
    (
        "MIIEvQIBADANBg",
        r"HIT -----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
    ),
    ("ref-4711", "HIT our own ref-4711"),
    ("capt0red", "HIT token=capt0red"),
];

#[test]
fn no_secret_of_a_log_is_stored_said_or_logged() {
    let space = Space::new();
    let settings = format!(
        "host: test-host\nstate_dir: state\nrule_files: [rules.yaml]\nredact: ['ref-\\d+']\n\
         spaces: {{ops: {{webhook: '{}', pace: 10ms}}}}\n",
        space.handle.webhook_url("ops")
    );
    let rules = "
rules:
  - key: secret
    files: [LOGS/*.log]
    match: 'HIT (?:token=(?<value>\\S+))?(?<rest>.*)'
    by: [value, rest]
    thread: instance
    debounce: {every: 1h, max: 1h}
    title: 'n={{ count }} {{ value }} {{ rest }}'
    text: '{{ line }} {{ captures.value|upper }}'
";
    let mut world = World::with_settings(&settings, rules);
    let log = world.log("app.log");
    world.start();
    for (_, line) in PLANTED {
        log.line(line);
    }
    space.wait_events(PLANTED.len() as u64);
    // Counted in open windows, whose samples are on disk, and waiting for a space
    // that is gone.
    let handle = space.go_away();
    for (_, line) in PLANTED {
        log.line(line);
        log.line(&line.replace("HIT", "HIT again"));
    }
    wait_for("the windows are on disk", || {
        let state = world.bytes_below("state");
        state.windows(5).any(|part| part == b"again").then_some(())
    });
    assert!(world.stop().success());
    let mut written = world.bytes_below("state");
    written.extend(world.stderr().into_bytes());
    for message in handle.delivered() {
        written.extend(message.text.bytes());
        written.extend(message.thread_key.iter().flat_map(|key| key.bytes()));
    }
    for (secret, line) in PLANTED {
        let found = written
            .windows(secret.len())
            .any(|part| part.eq_ignore_ascii_case(secret.as_bytes()));
        assert!(!found, "{secret} of {line}");
    }
    assert!(handle.delivered()[0].text.contains("password=[redacted]"));
}
