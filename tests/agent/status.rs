//! How the running agent is: `logcrier status`, metrics and the heartbeat.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::process::Signal;
use serde_json::Value;

use super::support::{COUNTED, Space, World, wait_for};

/// A port that nobody listens at. Somebody else may take it before we do; then the
/// test fails loudly.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn settings(space: &Space, more: &str) -> String {
    format!(
        "host: test-host\nstate_dir: state\nrule_files: [rules.yaml]\n\
         spaces: {{ops: {{webhook: '{}', pace: 10ms}}}}\n{more}",
        space.handle.webhook_url("ops")
    )
}

fn status(world: &World) -> Value {
    let output = world.run(&["status", "--json", "--config", "logcrier.yaml"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until the status says what is wanted.
fn wait_status(world: &World, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || Some(status(world)).filter(|status| is_so(status)))
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn status_tells_what_was_seen_said_and_lost() {
    let space = Space::new();
    let mut world = World::with_settings(&settings(&space, ""), COUNTED);
    let mut log = world.log("app.log");
    world.start();
    log.numbers(5);
    space.wait_events(5);
    let status = wait_status(&world, "all is said", |status| {
        status["rules"][0]["pending"] == 0 && status["outbox"]["waiting"] == 0
    });
    let rule = &status["rules"][0];
    assert_eq!(rule["key"], "counted");
    assert_eq!(rule["hits"], 5);
    assert_eq!(rule["events"], 5);
    assert_eq!(rule["posts"], space.messages().len());
    assert_eq!(rule["suppressed"], 4);
    let source = &status["sources"][0];
    assert_eq!(source["path"], world.path("logs/app.log").to_str().unwrap());
    assert_eq!(source["state"], "following");
    assert_eq!(source["behind_bytes"], 0);
    assert_eq!(source["lost_bytes"], 0);
    let of_space = &status["spaces"][0];
    assert_eq!(of_space["name"], "ops");
    assert_eq!(of_space["state"], "ok");
    assert_eq!(of_space["pace_ms"], 10);
    assert_eq!(of_space["last_error"], Value::Null);
    assert_eq!(status["reload_failed"], Value::Null);

    // For people, the same; and no word of an address.
    let output = world.run(&["status", "--config", "logcrier.yaml"]);
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("counted     5       5"), "{page}");
    assert!(page.contains("following"), "{page}");
    assert!(!page.contains("token"), "{page}");
    assert!(!status.to_string().contains("token"), "{status}");
}

#[test]
fn a_file_that_is_read_in_two_ways_is_one() {
    let space = Space::new();
    let also = COUNTED.replace("key: counted", "key: also\n    format: json");
    let (_, also) = also.split_once("rules:\n").unwrap();
    let rules = format!("{COUNTED}{also}");
    let mut world = World::with_settings(&settings(&space, ""), &rules);
    let mut log = world.log("app.log");
    world.start();
    world.wait_said("ready files=1 rules=2");
    log.numbers(5);
    space.wait_events(10);
    let status = status(&world);
    let paths = status["sources"].as_array().unwrap();
    let paths: Vec<&str> = (paths.iter().map(|source| source["path"].as_str().unwrap())).collect();
    assert_eq!(paths, [world.path("logs/app.log").to_str().unwrap()]);
    assert_eq!(status["sources_total"]["files"], 1);
    // As text they are lines, and nothing else is to be known of them.
    assert_eq!(status["sources"][0]["unparsed"], 5);
}

#[test]
fn status_names_the_space_that_takes_nothing() {
    let space = Space::new();
    let mut world = World::with_settings(&settings(&space, ""), COUNTED);
    let mut log = world.log("app.log");
    space.fault("403");
    world.start();
    log.numbers(1);
    let status = wait_status(&world, "the space is refused", |status| {
        status["spaces"][0]["state"] == "refused"
    });
    assert_eq!(status["spaces"][0]["waiting"], 1);
    assert_eq!(status["rules"][0]["pending"], 1);
    let why = status["spaces"][0]["last_error"].as_str().unwrap();
    assert!(why.contains("403"), "{why}");
    let output = world.run(&["status", "--config", "logcrier.yaml"]);
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("! the space ops refuses all"), "{page}");
}

#[test]
fn status_says_that_a_reload_failed_and_works_with_broken_settings() {
    let space = Space::new();
    let mut world = World::with_settings(&settings(&space, ""), COUNTED);
    world.log("app.log");
    world.start();
    let good = settings(&space, "");
    world.write("logcrier.yaml", &format!("{good}nonsense: 1\n"));
    world.signal(Signal::HUP);
    world.wait_told("the old ones stay in force");
    let output = world.run(&["status", "--config", "logcrier.yaml"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("the settings have 1 mistake"), "{errors}");
    assert!(page.contains("older ones are in force"), "{page}");

    world.write("logcrier.yaml", &good);
    world.signal(Signal::HUP);
    wait_status(&world, "the good ones are in force", |status| {
        status["reload_failed"] == Value::Null
    });
}

#[test]
fn status_lists_silences() {
    let space = Space::new();
    let mut world = World::with_settings(&settings(&space, ""), COUNTED);
    world.log("app.log");
    world.start();
    let args = [
        "silence",
        "add",
        "--config",
        "logcrier.yaml",
        "--rule",
        "counted",
    ];
    let output = world.run(&[&args[..], &["--for", "1h", "--reason", "a move"]].concat());
    assert!(output.status.success());
    let silences = &status(&world)["silences"];
    assert_eq!(silences[0]["rule"], "counted");
    assert_eq!(silences[0]["reason"], "a move");
    let output = world.run(&["status", "--config", "logcrier.yaml"]);
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("a move"), "{page}");
}

#[test]
fn status_without_an_agent_fails() {
    let space = Space::new();
    let world = World::with_settings(&settings(&space, ""), COUNTED);
    let output = world.run(&["status", "--config", "logcrier.yaml"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("no agent listens at"), "{errors}");
}

#[test]
fn metrics_are_shown_where_the_settings_say() {
    let space = Space::new();
    let address = free_address();
    let more = format!("metrics: {{listen: '{address}'}}\n");
    let mut world = World::with_settings(&settings(&space, &more), COUNTED);
    let mut log = world.log("app.log");
    world.start();
    log.numbers(3);
    space.wait_events(3);
    let page = wait_for("the metrics have it", || {
        let page = get(address, "/metrics");
        page.contains("logcrier_rule_pending{rule=\"counted\"} 0")
            .then_some(page)
    });
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("text/plain; version=0.0.4"), "{page}");
    for line in [
        "logcrier_ready 1",
        "logcrier_state_writable 1",
        "logcrier_rule_hits_total{rule=\"counted\"} 3",
        "logcrier_space_up{space=\"ops\"} 1",
        "logcrier_sources 1",
        "logcrier_config_last_reload_successful 1",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "{line} in {page}");
    }
    assert!(!page.contains("token"), "{page}");
    assert!(get(address, "/healthz").ends_with("\r\n\r\nok\n"));
    assert!(get(address, "/").starts_with("HTTP/1.1 404"));
    assert!(world.stop().success());
}

#[test]
fn an_address_that_is_taken_costs_only_the_metrics() {
    let space = Space::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let more = format!("metrics: {{listen: '{}'}}\n", taken.local_addr().unwrap());
    let mut world = World::with_settings(&settings(&space, &more), COUNTED);
    let mut log = world.log("app.log");
    world.start();
    log.numbers(1);
    space.wait_events(1);
    assert!(world.stderr().contains("there are no metrics"));
}

#[test]
fn a_dead_man_service_hears_that_the_agent_lives() {
    let space = Space::new();
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let more = format!("heartbeat_url: 'http://127.0.0.1:{port}/ping/SECRET'\n");
    let mut world = World::with_settings(&settings(&space, &more), COUNTED);
    world.log("app.log");
    world.start();
    let (mut client, _) = service.accept().unwrap();
    let mut asked = [0; 4096];
    let n_bytes = client.read(&mut asked).unwrap();
    let asked = String::from_utf8_lossy(&asked[..n_bytes]).into_owned();
    assert!(asked.starts_with("GET /ping/SECRET "), "{asked}");
    client
        .write_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    wait_for("it is told", || {
        world
            .stderr()
            .contains("the heartbeat does not arrive")
            .then_some(())
    });
    assert!(!world.stderr().contains("SECRET"), "{}", world.stderr());
}

/// Monitoring reads the new address, and the old one is free again.
#[test]
fn metrics_and_the_heartbeat_move_with_a_reload() {
    let space = Space::new();
    let old = free_address();
    let world_settings = |address: SocketAddr, more: &str| {
        settings(&space, &format!("metrics: {{listen: '{address}'}}\n{more}"))
    };
    let mut world = World::with_settings(&world_settings(old, ""), COUNTED);
    world.log("app.log");
    world.start();
    assert!(get(old, "/healthz").ends_with("\r\n\r\nok\n"));

    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let ping = format!(
        "heartbeat_url: 'http://{}/ping'\n",
        service.local_addr().unwrap()
    );
    let new = free_address();
    world.write("logcrier.yaml", &world_settings(new, &ping));
    world.signal(Signal::HUP);
    let (mut client, _) = service.accept().unwrap();
    client
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    wait_for("the metrics have moved", || {
        let is_there = TcpStream::connect(new).is_ok();
        (is_there && TcpStream::connect(old).is_err()).then_some(())
    });
    assert!(get(new, "/metrics").contains("logcrier_ready 1"));

    // An address that covers the one that is in use.
    let wide = SocketAddr::from(([0, 0, 0, 0], new.port()));
    world.write("logcrier.yaml", &world_settings(wide, ""));
    world.signal(Signal::HUP);
    world.wait_said("address=0.0.0.0");
    assert!(get(new, "/metrics").contains("logcrier_ready 1"));
    assert!(
        !world.stderr().contains("cannot listen"),
        "{}",
        world.stderr()
    );
}

#[test]
fn what_a_reload_cannot_change_is_told() {
    let space = Space::new();
    let mut world = World::with_settings(&settings(&space, ""), COUNTED);
    let mut log = world.log("app.log");
    world.start();
    world.write("logcrier.yaml", &settings(&space, "watch: poll\n"));
    world.signal(Signal::HUP);
    let told = wait_status(&world, "it waits", |status| {
        status["next_start"][0] == "watch"
    });
    assert_eq!(told["reload_failed"], Value::Null);
    let output = world.run(&["status", "--config", "logcrier.yaml"]);
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(
        page.contains("! `watch` was changed, which takes effect at the next start"),
        "{page}"
    );
    world.wait_said("was changed, which takes effect at the next start setting=\"watch\"");

    // A word that was taken back waits no longer. Authorities that cannot be read are a
    // mistake like any other.
    world.write("ca.pem", "nothing");
    world.write("logcrier.yaml", &settings(&space, "ca_file: ca.pem\n"));
    world.signal(Signal::HUP);
    wait_status(&world, "it has failed", |status| {
        status["reload_failed"] != Value::Null
    });
    assert!(
        world.stderr().contains("holds no certificate"),
        "{}",
        world.stderr()
    );
    world.write("logcrier.yaml", &settings(&space, ""));
    world.signal(Signal::HUP);
    wait_status(&world, "all is as it was", |status| {
        status["reload_failed"] == Value::Null
            && status["next_start"].as_array().is_some_and(Vec::is_empty)
    });
    log.numbers(1);
    space.wait_events(1);
    let n_ready = world.stderr().matches("ready files=").count();
    assert_eq!(n_ready, 1, "{}", world.stderr());
}
