//! The way to the spaces: lost answers, proxies, authorities, and other spaces.

use std::process::Output;

use crate::support::{COUNTED, Space, Tls, World, n_of, running, wait_for};

#[test]
fn f16_answers_that_are_lost_lead_to_the_same_request() {
    let (space, _world, mut log) = running();
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
    let (space, mut world, mut log) = running();
    let handle = space.go_away();
    log.numbers(500);
    world.wait_said("cannot post");
    world.kill();
    log.numbers(500);
    let space = Space::back(handle);
    world.start();
    space.wait_events(1_000);
    space.assert_clean();
}

/// Sends a text to the space `ops`.
fn send(world: &World, text: &str) -> Output {
    let config = ["--config", "logcrier.yaml"];
    let args = [&["send"], &config[..], &["--space", "ops", text]];
    world.run(&args.concat())
}

#[test]
fn sent_by_hand() {
    let space = Space::new();
    let world = World::new(&space, COUNTED);
    let sent = send(&world, "hello <users/all>");
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
    let refused = send(&world, "hello");
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
    world.wait_said("UnknownIssuer");
    assert!(world.stderr().contains("`ca_file`"), "{}", world.stderr());
    world.write("ca.pem", &tls.authority);
    world.write("logcrier.yaml", &settings("ca_file: ca.pem"));
    world.signal(rustix::process::Signal::HUP);
    space.wait_events(1);
    assert!(world.stop().success());
    world.start();
    log.numbers(1);
    space.wait_events(2);
    space.assert_clean();
    assert!(world.stop().success());
    world.write("ca.pem", "no certificate");
    let stderr = world.fail_to_run();
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
    world.wait_said("cannot post");
    assert!(!world.stderr().contains("swordfish"), "{}", world.stderr());
}
