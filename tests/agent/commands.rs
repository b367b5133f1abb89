//! Transcripts of the command line, as people see them.

use std::process::Output;

use crate::support::{Space, World};

/// A world with one good rule file and settings whose webhook is given.
fn world(settings: &str) -> World {
    World::with_settings(
        settings,
        "rules: [{key: r, files: /var/log/r.log, match: x, tests: {match: x}}]\n",
    )
}

const WEBHOOK: &str = "http://127.0.0.1:9/v1/spaces/S/messages?key=k&token=t";

fn check(world: &World, args: &[&str], code: i32, stdout: &str, stderr: &str) {
    let output = world.run(args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let directory = world.path("").display().to_string();
    let machine = rustix::system::uname();
    let machine = format!("`{}`", machine.nodename().to_string_lossy());
    let here = |bytes| {
        text(bytes)
            .replace(&directory, "")
            .replace(&machine, "`HOST`")
    };
    assert_eq!(
        (
            here(&output.stdout),
            here(&output.stderr),
            output.status.code()
        ),
        (stdout.to_owned(), stderr.to_owned(), Some(code)),
        "{args:?}"
    );
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn checks() {
    let world = world(&format!(
        "spaces: {{ops: {{webhook: '{WEBHOOK}'}}}}\nrule_files: rules.yaml\n"
    ));
    check(
        &world,
        &["check", "--config", "logcrier.yaml"],
        0,
        "",
        "fine: 1 rule, 1 space\n",
    );
    check(&world, &["check", "rules.yaml"], 0, "", "fine: 1 rule\n");
    world.write("typo.yaml", "rules: [{key: r, files: /x, mach: x}]\n");
    check(
        &world,
        &["check", "typo.yaml"],
        1,
        "",
        "\
typo.yaml:1:10: error: neither `match` nor `where`: nothing says which records are meant
  |
1 | rules: [{key: r, files: /x, mach: x}]
  |          ^^^
  = hint: write `match: 'REGEX'`, or `where: {FIELD: VALUE}` for records with fields

typo.yaml:1:29: error: unknown field `mach` in a rule
  |
1 | rules: [{key: r, files: /x, mach: x}]
  |                             ^^^^
  = hint: did you mean `match`?

2 mistakes
",
    );
    check(
        &world,
        &["check", "none.yaml"],
        1,
        "",
        "none.yaml: error: no such file\n\n1 mistake\n",
    );
}

#[test]
fn runs_only_what_is_whole() {
    let world = world("spaces: {ops: {webhook: '${OPS_WEBHOOK}'}}\nrule_files: rules.yaml\n");
    check(
        &world,
        &["run", "--config", "logcrier.yaml"],
        1,
        "",
        "\
logcrier.yaml:1:26: error: the environment has no variable `OPS_WEBHOOK`
  |
1 | spaces: {ops: {webhook: '${OPS_WEBHOOK}'}}
  |                          ^^^^^^^^^^^^^^
  = hint: set OPS_WEBHOOK, or write `${OPS_WEBHOOK:-fallback}`

1 mistake
",
    );
}

#[test]
fn sends_only_where_there_is_a_space() {
    let mut world = world(&format!("spaces: {{ops: {{webhook: '{WEBHOOK}'}}}}\n"));
    check(
        &world,
        &[
            "send",
            "--config",
            "logcrier.yaml",
            "--space",
            "opps",
            "hello",
        ],
        1,
        "",
        "error: no space `opps` in the settings, there is `ops`\n",
    );
    // As a sidecar: neither settings nor rules are needed.
    let space = Space::new();
    let url = space.handle.webhook_url("lone");
    world.environment.push(("LOGCRIER_WEBHOOK", url));
    check(&world, &["send", "hello"], 0, "sent to `default`\n", "");
    assert_eq!(space.wait(1)[0].space, "lone");
}

#[test]
fn explains() {
    let world = world("");
    world.write(
        "ssh.yaml",
        "rules:
  - key: ssh
    files: /var/log/auth.log
    match: 'Failed \\S+ for (?<user>\\w+) from (?<ip>[0-9.]+)'
    except: 'from 10\\.'
    by: [ip]
    space: ops
  - {key: other, files: /x, match: x+}
",
    );
    let explain = ["explain", "--rules", "ssh.yaml"];
    check(
        &world,
        &[
            &explain[..],
            &["Failed password for root from 192.0.2.7 port 22"],
        ]
        .concat(),
        0,
        "\
Failed password for root from 192.0.2.7 port 22

ssh: a hit
  match     Failed \\S+ for (?<user>\\w+) from (?<ip>[0-9.]+)
  captures  user=root ip=192.0.2.7
  instance  ip=192.0.2.7
  severity  warning
  space     ops
  thread    ssh
  now       posts at once:
            ⚠️ *warning* `ssh` `ip=192.0.2.7`
            `HOST` · `/var/log/auth.log` · 12:00:00
            ```
            Failed password for root from 192.0.2.7 port 22
            ```

other: no hit, `x+` is not found in it

",
        "",
    );
    check(
        &world,
        &[
            &explain[..],
            &["--rule", "ssh", "Failed password for root from 10.0.0.1"],
        ]
        .concat(),
        0,
        "\
Failed password for root from 10.0.0.1
ssh: no hit, `except` takes it out: `from 10\\.` is found in it

",
        "",
    );
    let json = [&explain[..], &["--json", "xxx"]].concat();
    let output = world.run(&json);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["line"], "xxx");
    assert_eq!(told["rules"][0]["key"], "other");
    assert_eq!(told["rules"][0]["hit"], true);
    assert_eq!(told["rules"][0]["posts"].as_array().unwrap().len(), 1);
    assert_eq!(told["rules"][1]["hit"], false);
}

#[test]
fn explains_what_is_only_counted() {
    let world = world("");
    world.write(
        "ssh.yaml",
        "rules:
  - key: ssh
    files: /var/log/auth.log
    match: 'Failed \\S+ for (?<user>\\w+)'
    threshold: {count: 5, within: 10m}
    space: ops
",
    );
    let explain = ["explain", "--rules", "ssh.yaml"];
    check(
        &world,
        &[&explain[..], &["Failed password for root"]].concat(),
        0,
        "\
Failed password for root

ssh: a hit
  match     Failed \\S+ for (?<user>\\w+)
  captures  user=root
  severity  warning
  space     ops
  now       1 of 5 within 10m: counted, nothing is posted yet

",
        "",
    );
    let json = [&explain[..], &["--json", "Failed password for root"]].concat();
    let told: serde_json::Value = serde_json::from_slice(&world.run(&json).stdout).unwrap();
    let rule = &told["rules"][0];
    assert_eq!(rule["posts"].as_array().unwrap().len(), 0);
    assert_eq!(
        rule["counted"],
        "1 of 5 within 10m: counted, nothing is posted yet"
    );
}

#[test]
fn shows_what_it_came_with() {
    let world = world("");
    let list = stdout(&world.run(&["rules", "list"]));
    assert!(list.contains("\n  kernel-oom "), "{list}");
    assert!(list.starts_with("error: Errors of any program"), "{list}");
    let pack = stdout(&world.run(&["rules", "show", "sshd"]));
    world.write("sshd.yaml", &pack);
    let rule = stdout(&world.run(&["rules", "show", "kernel-oom"]));
    world.write("oom.yaml", &rule);
    check(&world, &["check", "sshd.yaml"], 0, "", "fine: 8 rules\n");
    check(&world, &["check", "oom.yaml"], 0, "", "fine: 1 rule\n");
    check(
        &world,
        &["rules", "show", "kernel-om"],
        1,
        "",
        "error: no pack or rule `kernel-om` came with logcrier; did you mean `kernel-oom`?\n",
    );
    for shell in ["bash", "zsh", "fish"] {
        let output = stdout(&world.run(&["completions", shell]));
        assert!(output.contains("explain"), "{shell}");
    }
}

#[test]
fn tells_usage() {
    let world = world("");
    let help = world.run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for command in [
        "run",
        "check",
        "replay",
        "explain",
        "rules",
        "completions",
        "schema",
        "send",
        "sandbox",
        "demo",
    ] {
        assert!(
            stdout(&help).contains(&format!("\n  {command} ")),
            "{command}"
        );
        let help = world.run(&[command, "--help"]);
        assert_eq!(help.status.code(), Some(0));
        assert!(
            stdout(&help).contains("Example"),
            "{command} has no example"
        );
    }
    for wrong in [
        &["frobnicate"][..],
        &["run", "--frob"],
        &[],
        &["sandbox", "--listen", "0.0.0.0:1"],
    ] {
        let output = world.run(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(output.stdout.is_empty());
    }
}
