//! The real binary: real files, real signals, the sandbox on loopback.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use crate::support::{COUNTED, Space, Tls, World, n_of, wait_for, wished};

#[test]
fn a_line_becomes_a_threaded_message() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "rules: [{key: disk-full, files: LOGS/*.log, match: 'no space left', severity: error}]",
    );
    let log = world.log("kern.log");
    world.start();
    log.line("kernel: no space left on device");
    let message = space.wait(1).remove(0);
    assert_eq!(message.thread_key.as_deref(), Some("disk-full"));
    assert!(
        message.text.contains("no space left on device"),
        "{}",
        message.text
    );
    assert!(message.text.contains("test-host"), "{}", message.text);
    assert!(world.stop().success());
    space.assert_clean();
}

#[test]
fn rotated_while_running_with_a_writer_that_keeps_the_old_file() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    log.numbers(3);
    space.wait_events(3);
    let mut old = fs::OpenOptions::new().append(true).open(&log.path).unwrap();
    fs::rename(&log.path, world.path("logs/app.log.1")).unwrap();
    log.numbers(4);
    std::io::Write::write_all(&mut old, b"SEQ=100 late\nSEQ=101 later\n").unwrap();
    space.wait_events(9);
    assert!(world.stop().success());
    space.assert_clean();
}

#[test]
fn rotated_while_stopped() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    log.numbers(3);
    space.wait_events(3);
    assert!(world.stop().success());
    log.numbers(5);
    fs::rename(&log.path, world.path("logs/app.log.1")).unwrap();
    log.numbers(7);
    world.start();
    space.wait_events(15);
    assert!(world.stop().success());
    space.assert_clean();
}

#[test]
fn truncated_while_running() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    log.numbers(10);
    space.wait_events(10);
    fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&log.path)
        .unwrap();
    log.numbers(2);
    space.wait_events(12);
    space.assert_clean();
}

#[test]
fn a_directory_that_comes_later() {
    let space = Space::new();
    let mut world = World::new(&space, &COUNTED.replace("LOGS/*.log", "LOGS/a/b/**/*.log"));
    world.start();
    fs::create_dir_all(world.path("logs/a/b/c/d")).unwrap();
    let mut log = world.log("a/b/c/d/new.log");
    log.numbers(2);
    space.wait_events(2);
}

#[test]
fn polled_where_inotify_is_not_wanted() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    world
        .environment
        .push(("LOGCRIER_WATCH", "poll".to_owned()));
    let mut log = world.log("app.log");
    world.start();
    log.numbers(2);
    space.wait_events(2);
    fs::rename(&log.path, world.path("logs/app.log.1")).unwrap();
    log.numbers(2);
    space.wait_events(4);
}

#[test]
fn a_manager_with_a_watchdog_gets_signs_of_life() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let micros = ("WATCHDOG_USEC", "200000".to_owned());
    world.environment.push(micros);
    world.start();
    for _ in 0..3 {
        world.wait_told("WATCHDOG=1");
    }
    assert!(world.stop().success());
}

#[test]
fn the_journal_gets_importance_and_no_second_time() {
    use std::os::unix::fs::MetadataExt as _;
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let stderr = fs::File::create(world.path("stderr")).unwrap();
    let about = stderr.metadata().unwrap();
    let stream = format!("{}:{}", about.dev(), about.ino());
    world.environment.push(("JOURNAL_STREAM", stream));
    world.start();
    assert!(world.stop().success());
    let said = world.stderr();
    assert!(said.contains("<6>ready files=0 rules=1"), "{said}");
    assert!(!said.contains("INFO"), "{said}");
}

#[test]
fn links_lead_to_what_they_name_now() {
    let space = Space::new();
    let mut world = World::new(&space, &COUNTED.replace("LOGS/*.log", "LOGS/current"));
    let mut first = world.log("first");
    let mut second = world.log("second");
    let link = world.path("logs/current");
    std::os::unix::fs::symlink(&first.path, &link).unwrap();
    world.start();
    first.numbers(1);
    space.wait_events(1);
    let new = world.path("logs/new");
    std::os::unix::fs::symlink(&second.path, &new).unwrap();
    fs::rename(&new, &link).unwrap();
    second.numbers(2);
    space.wait_events(3);
}

#[test]
fn one_file_with_two_names_is_read_once_for_the_rules_of_both() {
    let space = Space::new();
    let other = COUNTED
        .replace("counted", "other")
        .replace("LOGS/*.log", "LOGS/z-link")
        .replace("rules:", "");
    let mut world = World::new(&space, &format!("{COUNTED}{other}"));
    let mut log = world.log("app.log");
    std::os::unix::fs::symlink(&log.path, world.path("logs/z-link")).unwrap();
    std::os::unix::fs::symlink(&log.path, world.path("logs/b.log")).unwrap();
    world.start();
    log.numbers(3);
    space.wait_events(6);
    world.signal(Signal::HUP);
    world.wait_told("with 2 rules");
    log.numbers(2);
    space.wait_events(10);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 10);
}

/// Whatever moment it is killed at, every line is counted once: what was said is
/// not said again, and what was not said comes.
#[test]
fn killed_at_any_moment_under_load() {
    let n_kills = wished("KILLS").unwrap_or(12);
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    let mut rng = fastrand::Rng::with_seed(7);
    for round in 0..n_kills {
        world.start();
        // From the middle of the first commit to long after the last answer.
        for _ in 0..rng.u32(1..6) {
            log.numbers(rng.u64(1..400));
            (0..rng.u32(0..3_000)).for_each(|_| std::thread::yield_now());
        }
        if round % 4 == 1 {
            let rotated = world.path("logs").join(format!("app.log.{round}"));
            fs::rename(&log.path, rotated).unwrap();
        }
        if round % 3 == 0 {
            let n_before = space.n_events();
            wait_for("something more is said", || {
                (space.n_events() > n_before).then_some(())
            });
        }
        world.kill();
    }
    world.start();
    space.wait_events(log.n_lines);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), log.n_lines);
    space.assert_clean();
}

#[test]
fn stopped_while_the_space_does_not_answer() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    space.fault("hang:1");
    log.numbers(1);
    wait_for("the request is in flight", || {
        (!space.handle.requests().is_empty()).then_some(())
    });
    assert_eq!(world.stop().code(), Some(0));
    // What became of the request is not known: the same one is made again.
    world.start();
    space.wait_events(1);
    space.assert_clean();
}

#[test]
fn a_second_wish_to_stop_is_granted_at_once() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    space.fault("hang");
    log.numbers(1);
    wait_for("the request is in flight", || {
        (!space.handle.requests().is_empty()).then_some(())
    });
    world.signal(Signal::TERM);
    world.wait_told("STOPPING=1");
    // The first ones after it are taken for the same wish.
    assert_eq!(world.insist().code(), Some(0));
    assert!(world.stderr().contains("told to stop twice"));
}

#[test]
fn answers_that_are_lost_lead_to_the_same_request() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    space.fault("lost:2");
    log.numbers(1);
    let message = wait_for("the message was asked for again", || {
        let messages = space.messages();
        messages.into_iter().find(|message| message.n_seen >= 2)
    });
    assert_eq!(n_of(&message.text), 1);
    log.numbers(1);
    space.wait_events(2);
    space.assert_clean();
}

#[test]
fn a_space_that_is_down_costs_nothing() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    let handle = space.go_away();
    log.numbers(500);
    wait_for("the trouble is told", || {
        world.stderr().contains("cannot post").then_some(())
    });
    world.kill();
    log.numbers(500);
    let space = Space::back(handle);
    world.start();
    space.wait_events(1_000);
    space.assert_clean();
}

#[test]
fn two_agents_on_one_state() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    world.start();
    let second = world.run(&["run", "--config", "logcrier.yaml"]);
    let stderr = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{stderr}");
    let state = world.path("state").display().to_string();
    assert!(
        stderr.contains("another logcrier") && stderr.contains(&state),
        "{stderr}"
    );
}

#[test]
fn damaged_state_is_set_aside_and_nothing_old_is_said() {
    let space = Space::new();
    let mut world = World::new(&space, &format!("{COUNTED}    from: beginning\n"));
    let mut log = world.log("app.log");
    world.start();
    log.numbers(3);
    space.wait_events(3);
    assert!(world.stop().success());
    for name in ["state/state.db-wal", "state/state.db-shm"] {
        let _ = fs::remove_file(world.path(name));
    }
    world.write("state/state.db", &"not a database ".repeat(1_000));
    log.numbers(1);
    world.start();
    log.numbers(2);
    space.wait_events(5);
    assert!(world.stderr().contains("set aside"), "{}", world.stderr());
    let kept = fs::read_dir(world.path("state")).unwrap();
    let kept = kept.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains("damaged")
    });
    assert_eq!(kept.count(), 1);
    // Said once: the next start is as any other.
    assert!(world.stop().success());
    world.start();
    log.numbers(1);
    space.wait_events(6);
}

#[test]
fn state_that_cannot_be_written_is_named() {
    let space = Space::new();
    let world = World::new(&space, COUNTED);
    world.write("state", "a file, not a directory");
    let ended = world.run(&["run", "--config", "logcrier.yaml"]);
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    let state = world.path("state").display().to_string();
    assert!(stderr.contains(&state), "{stderr}");
}

#[test]
fn rules_change_while_it_runs() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    log.numbers(2);
    space.wait_events(2);
    world.write_rules("rules: [{key: broken, mach: x}]");
    world.signal(Signal::HUP);
    world.wait_told("the old ones stay in force");
    log.numbers(2);
    space.wait_events(4);
    let more = "
  - key: more
    files: [LOGS/*.log]
    match: 'OTHER'
    title: 'n={{ count }}'
";
    world.write_rules(&format!("{COUNTED}{more}"));
    world.signal(Signal::HUP);
    world.wait_told("with 2 rules");
    log.line("SEQ=9 OTHER");
    space.wait_events(6);
    let key = |key: &str| {
        space
            .messages()
            .iter()
            .any(|message| message.thread_key.as_deref() == Some(key))
    };
    assert!(key("more") && key("counted"));
    assert!(
        world.stderr().contains("did you mean"),
        "{}",
        world.stderr()
    );
}

#[test]
fn an_unreadable_file_is_told_once_and_read_later() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    world.without_rights();
    let mut log = world.log("app.log");
    log.numbers(3);
    let path = log.path.clone();
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o000);
    world.start();
    let n_told = |world: &World| world.stderr().matches("cannot be read").count();
    wait_for("it is told", || (n_told(&world) > 0).then_some(()));
    log.numbers(1);
    mode(0o644);
    log.numbers(1);
    space.wait_events(2);
    assert_eq!(n_told(&world), 1, "{}", world.stderr());
    assert!(world.stderr().contains("can be read again"));
}

#[test]
fn a_directory_that_cannot_be_listed_hides_no_file_that_is_named() {
    let space = Space::new();
    let mut world = World::new(&space, &COUNTED.replace("LOGS/*.log", "LOGS/app.log"));
    world.without_rights();
    let mut log = world.log("app.log");
    let logs = world.path("logs");
    fs::set_permissions(logs, fs::Permissions::from_mode(0o711)).unwrap();
    world
        .environment
        .push(("LOGCRIER_WATCH", "poll".to_owned()));
    world.start();
    log.numbers(2);
    space.wait_events(2);
}

#[test]
fn nothing_that_is_written_holds_the_token() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    log.numbers(2);
    space.wait_events(2);
    space.fault("403");
    log.numbers(5);
    wait_for("the refusal is told", || {
        world.stderr().contains("refuses messages").then_some(())
    });
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

#[test]
fn sent_by_hand() {
    let space = Space::new();
    let world = World::new(&space, COUNTED);
    let sent = world.run(&[
        "send",
        "--config",
        "logcrier.yaml",
        "--space",
        "ops",
        "hello <users/all>",
    ]);
    assert!(
        sent.status.success(),
        "{}",
        String::from_utf8_lossy(&sent.stderr)
    );
    let message = space.wait(1).remove(0);
    assert!(
        message.text.contains("hello < users/all>"),
        "{}",
        message.text
    );
    space.assert_clean();
    space.fault("403");
    let refused = world.run(&[
        "send",
        "--config",
        "logcrier.yaml",
        "--space",
        "ops",
        "hello",
    ]);
    assert_eq!(refused.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(
        stderr.contains("403") && !stderr.contains("token"),
        "{stderr}"
    );
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    let space = Space::new();
    let tls = Tls::before(&space);
    let plain = space.handle.webhook_url("ops");
    let query = plain.split("/v1/").nth(1).unwrap();
    let settings = |ca_file: &str| {
        format!(
            "state_dir: state\nrule_files: [rules.yaml]\n{ca_file}\n\
             spaces: {{ops: {{webhook: 'https://localhost:{}/v1/{query}', pace: 10ms}}}}\n",
            tls.port
        )
    };
    let mut world = World::with_settings(&settings(""), COUNTED);
    let mut log = world.log("app.log");
    world.start();
    log.numbers(1);
    wait_for("the certificate is not trusted", || {
        world.stderr().contains("UnknownIssuer").then_some(())
    });
    assert!(world.stderr().contains("`ca_file`"), "{}", world.stderr());
    assert!(world.stop().success());
    world.write("ca.pem", &tls.authority);
    world.write("logcrier.yaml", &settings("ca_file: ca.pem"));
    world.start();
    space.wait_events(1);
    space.assert_clean();
    assert!(world.stop().success());
    world.write("ca.pem", "no certificate");
    let ended = world.run(&["run", "--config", "logcrier.yaml"]);
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("ca.pem"), "{stderr}");
}

/// Settings with two spaces of one sandbox.
fn two_spaces(space: &Space, more: &str) -> String {
    let [ops, sre] = ["ops", "sre"].map(|name| space.handle.webhook_url(name));
    format!(
        "state_dir: state\nrule_files: [rules.yaml]\ndefaults: {{space: ops}}\n\
         spaces: {{ops: {{webhook: '{ops}', pace: 10ms{more}}}, sre: {{webhook: '{sre}', pace: 10ms}}}}\n"
    )
}

#[test]
fn another_space_stands_in() {
    let space = Space::new();
    let mut world = World::with_settings(&two_spaces(&space, ", fallback: sre"), COUNTED);
    let mut log = world.log("app.log");
    space.fault("403@ops");
    world.start();
    log.numbers(2);
    space.wait_events(2);
    for message in space.messages() {
        assert_eq!(message.space, "sre");
        assert!(message.text.starts_with("[ops] "), "{}", message.text);
        assert_eq!(message.thread_key.as_deref(), Some("counted"));
    }
    assert!(world.stop().success());
    space.assert_clean();
}

#[test]
fn a_space_that_hangs_delays_no_other() {
    let space = Space::new();
    let rules = "
rules:
  - {key: one, files: LOGS/*.log, match: 'SEQ', space: ops}
  - {key: two, files: LOGS/*.log, match: 'SEQ', space: sre, debounce: none, title: 'n={{ count }}'}
";
    let mut world = World::with_settings(&two_spaces(&space, ""), rules);
    let mut log = world.log("app.log");
    space.fault("hang@ops");
    world.start();
    for n_events in 1..=3 {
        log.numbers(1);
        space.wait_events(n_events);
    }
    assert!(
        space
            .messages()
            .iter()
            .all(|message| message.space == "sre")
    );
}

#[test]
fn the_proxy_of_the_settings_is_asked() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = proxy.local_addr().unwrap().port();
    let settings = format!(
        "state_dir: state\nrule_files: [rules.yaml]\nproxy: 'http://me:swordfish@127.0.0.1:{port}'\n\
         spaces: {{ops: {{webhook: 'https://chat.example/v1/spaces/A/messages?key=k&token=t'}}}}\n"
    );
    let mut world = World::with_settings(&settings, COUNTED);
    let mut log = world.log("app.log");
    world.start();
    log.numbers(1);
    let (mut client, _) = proxy.accept().unwrap();
    let mut asked = [0; 4096];
    let n_bytes = std::io::Read::read(&mut client, &mut asked).unwrap();
    let asked = String::from_utf8_lossy(&asked[..n_bytes]).into_owned();
    assert!(asked.starts_with("CONNECT chat.example:443 "), "{asked}");
    assert!(
        asked.to_lowercase().contains("proxy-authorization: basic"),
        "{asked}"
    );
    drop(client);
    wait_for("it is told", || {
        world.stderr().contains("cannot post").then_some(())
    });
    assert!(!world.stderr().contains("swordfish"), "{}", world.stderr());
}
