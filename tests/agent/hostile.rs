//! Commands of the worst kind under the real agent: real processes, real signals.

use std::fs;
use std::path::Path;

use crate::support::{Space, World, wait_for};

/// A number that no other process sleeps for, to find ours again.
fn mark(n: u32) -> String {
    format!("{}", 700_000 + std::process::id() % 90_000 * 10 + n)
}

/// The processes whose arguments hold a word, but for those that have ended.
fn processes_with(word: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| {
            let line = fs::read(process.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (line.contains(word) && !line.contains("logcrier")).then_some(line)
        })
        .collect()
}

fn rules(commands: &[(&str, String)]) -> String {
    let mut rules = "rules:\n".to_owned();
    for (key, line) in commands {
        let line = line.replace('\'', "''");
        rules += &format!("  - {{key: {key}, shell: '{line}', every: 1s, timeout: 1s}}\n");
    }
    rules
}

/// Waits until the space has read of every rule, and returns what.
fn heard(space: &Space, key: &str) -> String {
    wait_for(&format!("word of {key}"), || {
        let messages = space.messages();
        let found = messages
            .iter()
            .find(|message| message.thread_key.as_deref() == Some(key));
        found.map(|message| message.text.clone())
    })
}

#[test]
fn what_commands_leave_behind_is_ended() {
    let mark = mark(1);
    let commands = [
        (
            "fork",
            format!("(sleep {mark} & sleep {mark} &) ; sleep {mark} & exit 1"),
            "exit status 1",
        ),
        (
            "daemon",
            format!("setsid sleep {mark} >/dev/null 2>&1 & exit 2"),
            "exit status 2",
        ),
        (
            "holds-pipe",
            format!("(setsid sh -c \"(trap '' TERM; sleep {mark}) &\" &); exit 3"),
            "exit status 3",
        ),
        (
            "no-mark",
            format!("setsid env -i sleep {mark} & exit 4"),
            "exit status 4",
        ),
        ("hangs", format!("sleep {mark}"), "timed out after 1 s"),
        (
            "stops",
            format!("sleep {mark} & kill -STOP $$; wait"),
            "timed out after 1 s",
        ),
        (
            "closes",
            "exec >&- 2>&-; exit 5".to_owned(),
            "exit status 5",
        ),
        (
            "floods",
            "head -c 50000000 /dev/zero | tr '\\0' x; exit 6".to_owned(),
            "exit status 6",
        ),
        (
            "bytes",
            "printf '\\377\\200bad\\n'; exit 7".to_owned(),
            "bad",
        ),
        ("dies", "kill -SEGV $$".to_owned(), "killed by SIGSEGV"),
        ("missing", "/no/such/thing".to_owned(), "command not found"),
    ];
    let space = Space::new();
    let lines: Vec<(&str, String)> = (commands.iter())
        .map(|(key, line, _)| (*key, line.clone()))
        .collect();
    let mut world = World::new(&space, &rules(&lines));
    world.start();
    for (key, _, expected) in &commands {
        let text = heard(&space, key);
        assert!(text.contains(expected), "{key}: {text}");
    }
    assert!(world.stop().success());
    wait_for("nothing is left", || {
        processes_with(&mark).is_empty().then_some(())
    });
    space.assert_clean();
}

#[test]
fn commands_die_with_the_agent() {
    let mark = mark(2);
    let line = format!("setsid sleep {mark} & exec sleep {mark}");
    let space = Space::new();
    let hangs = format!("rules: [{{key: hangs, shell: '{line}', every: 1s, timeout: 60s}}]");
    let mut world = World::new(&space, &hangs);
    world.start();
    wait_for("both run", || {
        let running = processes_with(&mark);
        let sleeps = running.iter().filter(|words| words.starts_with("sleep"));
        (sleeps.count() == 2).then_some(())
    });
    world.kill();
    wait_for("nothing is left", || {
        processes_with(&mark).is_empty().then_some(())
    });
}

#[test]
fn a_command_gets_nothing_of_ours() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "rules: [{key: env, shell: 'env; pwd; ls /proc/self/fd | tr \"\\n\" \" \"; cat; exit 1', every: 1s, env: {OWN: value}}]",
    );
    world
        .environment
        .push(("SECRET_OF_OURS", "hidden".to_owned()));
    world.start();
    let text = heard(&space, "env");
    assert!(
        text.contains("OWN=value") && text.contains("LANG="),
        "{text}"
    );
    assert!(!text.contains("SECRET_OF_OURS"), "{text}");
    assert!(text.contains("\n/\n"), "{text}");
    // The directory that `ls` reads is the one beyond the standard three.
    assert!(
        text.contains("0 1 2 3 \n") || text.contains("0 1 2 3\n"),
        "{text}"
    );
}

#[test]
fn a_cron_job_fails_and_recovers() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "rules: [{key: named, exec: true, status: {0: ok, '*': critical}}]",
    );
    let exec = |world: &World, key: &str, line: &str| {
        let args = [
            "exec",
            "--config",
            "logcrier.yaml",
            "--key",
            key,
            "--",
            "sh",
            "-c",
            line,
        ];
        let output = world.run(&args);
        let [out, err] = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
        (output.status.code(), out, err)
    };
    // Nobody is there: it is posted all the same, and once.
    let done = exec(&world, "backup", "echo out; echo err >&2; exit 7");
    assert_eq!(done, (Some(7), "out\n".to_owned(), "err\n".to_owned()));
    assert!(heard(&space, "backup").contains("exit status 7"));
    world.start();
    assert_eq!(exec(&world, "named", "exit 77").0, Some(77));
    assert!(heard(&space, "named").contains("*critical*"));
    assert_eq!(exec(&world, "sig", "kill -9 $$").0, Some(137));
    assert!(heard(&space, "sig").contains("killed by SIGKILL"));
    wait_for("what was left is taken up", || {
        let spool = fs::read_dir(world.path("state/spool")).unwrap();
        (spool.count() == 0).then_some(())
    });
    assert_eq!(exec(&world, "backup", "exit 0").0, Some(0));
    let threads = wait_for("the end of it", || {
        let messages = space.messages();
        let of_backup: Vec<_> = (messages.iter())
            .filter(|message| message.thread_key.as_deref() == Some("backup"))
            .cloned()
            .collect();
        (of_backup.len() > 1).then_some(of_backup)
    });
    assert_eq!(threads.len(), 2);
    assert!(
        threads[1].text.contains("*resolved*"),
        "{}",
        threads[1].text
    );
    assert!(world.stop().success());
    assert!(!Path::new(&world.path("state/agent.sock")).exists());
    space.assert_clean();
}
