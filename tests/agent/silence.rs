//! `logcrier silence` against the real agent: asked over its socket, kept over its death.

use super::support::{Space, World, wait_for};
use serde_json::Value;

const RULES: &str = "rules: [{key: disk-full, files: LOGS/*.log, match: '(?<disk>sd\\w) full', by: [disk], \
                     debounce: 1s, resolve: {match: '(?<disk>sd\\w) fine'}}]";

/// What the command says, and whether it was well.
fn silence(world: &World, args: &[&str]) -> (String, bool) {
    let words = [&["silence"], args, &["--config", "logcrier.yaml"]].concat();
    let output = world.run(&words);
    let said = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&said).into_owned(),
        output.status.success(),
    )
}

fn add<'a>(rule: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = [
        "add",
        "--rule",
        rule,
        "--for",
        "2h",
        "--reason",
        "new disks",
    ];
    [&words[..], more].concat()
}

fn list(world: &World) -> Vec<Value> {
    let (said, is_well) = silence(world, &["list", "--json"]);
    assert!(is_well, "{said}");
    let json: Value = serde_json::from_str(&said).unwrap();
    json["silences"].as_array().unwrap().clone()
}

#[test]
fn a_silence_outlives_the_agent_and_sums_up_at_its_end() {
    let space = Space::new();
    let mut world = World::new(&space, RULES);
    let log = world.log("kern.log");
    world.start();
    let (said, is_well) = silence(&world, &add("disk-full", &["--by", "disk=sda"]));
    assert!(is_well && said.contains("disk=sda"), "{said}");
    world.kill();
    log.line("sda full");
    log.line("sdb full");
    log.line("sda full");
    world.start();
    let silences = list(&world);
    assert_eq!(silences.len(), 1);
    assert_eq!(silences[0]["rule"], "disk-full");
    assert_eq!(silences[0]["by"]["disk"], "sda");
    assert_eq!(silences[0]["reason"], "new disks");
    let first = space.wait(1).remove(0);
    assert!(first.text.contains("sdb"), "{}", first.text);
    wait_for("both are counted", || {
        let output = world.run(&["status", "--json", "--config", "logcrier.yaml"]);
        let status: Value = serde_json::from_slice(&output.stdout).ok()?;
        (status["rules"][0]["pending"] == 2).then_some(())
    });
    assert_eq!(space.messages().len(), 1);
    let id = silences[0]["id"].to_string();
    let (said, is_well) = silence(&world, &["end", &id]);
    assert!(is_well && said.contains("ended"), "{said}");
    let summary = space.wait(2).remove(1);
    for part in ["sda", "the silence is over", "still open", "*+2 more*"] {
        assert!(summary.text.contains(part), "{}", summary.text);
    }
    log.line("sda fine");
    let resolved = space.wait(3).remove(2);
    assert!(resolved.text.contains("*resolved*"), "{}", resolved.text);
    assert_eq!(resolved.thread_key, summary.thread_key);
    assert!(list(&world).is_empty());
    assert!(world.stop().success());
    space.assert_clean();
}

#[test]
fn what_cannot_be_silenced_is_said() {
    let space = Space::new();
    let mut world = World::new(&space, RULES);
    let _ = world.log("kern.log");
    let (said, is_well) = silence(&world, &["list"]);
    assert!(!is_well && said.contains("no agent listens"), "{said}");
    world.start();
    for (args, part) in [
        (add("disk-ful", &[]), "did you mean `disk-full`?"),
        (add("disk-full", &["--by", "ip=::1"]), "no `ip` in its `by`"),
        (vec!["end", "7"], "no silence 7"),
        (
            vec!["end", "--rule", "disk-full"],
            "no silence of `disk-full`",
        ),
    ] {
        let (said, is_well) = silence(&world, &args);
        assert!(!is_well && said.contains(part), "{said}");
    }
    let (said, is_well) = silence(&world, &["list"]);
    assert!(is_well && said.contains("no silences"), "{said}");
    assert!(world.stop().success());
    space.assert_clean();
}
