//! What cannot be killed, and what does not answer: real processes that belong to
//! somebody else or wait in the kernel, and a file system whose server hangs. Needs
//! root, bindfs and mounts; `.ci/run` calls it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Space, World, wait_for, wait_within};

/// From the start of a command with a timeout of 1 s until it is told to be stuck:
/// SIGTERM, 5 s, SIGKILL, 10 s; and as much again for a busy machine.
const UNTIL_STUCK: Duration = Duration::from_secs(40);

/// A rule whose command notes each of its starts, and one that follows a log.
fn rules(line: &str) -> String {
    let line = line.replace('\'', "''");
    format!(
        "rules:
  - {{key: stubborn, shell: '{line}', every: 1s, timeout: 1s}}
  - {{key: log, files: LOGS/*.log, match: 'SEQ=(?<seq>\\d+)', by: seq, debounce: none}}
"
    )
}

/// The texts of a rule's messages.
fn texts(space: &Space, key: &str) -> Vec<String> {
    let messages = space.messages();
    let of_rule = (messages.iter()).filter(|message| message.thread_key.as_deref() == Some(key));
    of_rule.map(|message| message.text.clone()).collect()
}

fn n_starts(starts: &Path) -> usize {
    fs::read_to_string(starts)
        .unwrap_or_default()
        .lines()
        .count()
}

/// Waits until the command counts as stuck; then it has run once, and all else goes
/// on.
fn is_told_stuck(space: &Space, world: &World, starts: &Path, why: &str) {
    let text = wait_within(UNTIL_STUCK, "word of what is stuck", || {
        texts(space, "stubborn").first().cloned()
    });
    assert!(text.contains("unknown"), "{text}");
    assert!(text.contains("cannot be killed"), "{text}");
    assert!(text.contains(why), "{text}");
    let mut log = world.log("app.log");
    log.numbers(1);
    wait_for("the agent goes on", || {
        (!texts(space, "log").is_empty()).then_some(())
    });
    assert_eq!(n_starts(starts), 1, "it was started twice");
}

/// Waits until the command runs again, and is fine.
fn is_told_known_again(space: &Space, starts: &Path) {
    wait_within(UNTIL_STUCK, "word that it runs again", || {
        let texts = texts(space, "stubborn");
        texts
            .iter()
            .any(|text| text.contains("known again"))
            .then_some(())
    });
    assert!(n_starts(starts) > 1);
}

/// A command runs as whom, and where, its rule says.
#[test]
#[ignore = "needs root"]
fn a_command_of_another_account() {
    let space = Space::new();
    let mut world = World::new(
        &space,
        "rules: [{key: whose, shell: 'id -u; id -G; pwd; exit 1', every: 1s, user: nobody, cwd: /usr}]",
    );
    world.start();
    let text = space.wait(1)[0].text.clone();
    assert!(text.contains("65534\n65534\n/usr\n"), "{text}");
    assert!(world.stop().success());
}

/// The process became somebody whom the agent may not signal, as those of sudo do.
#[test]
#[ignore = "needs root"]
fn a_child_of_another_account() {
    let space = Space::new();
    let mut world = World::new(&space, "rules: []");
    world.without_rights();
    // What `sudo` and `su` are: a program that belongs to root and runs as root.
    let sudo = world.path("sudo");
    fs::copy("/usr/bin/setpriv", &sudo).unwrap();
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o4755)).unwrap();
    let (starts, done) = (world.path("logs/starts"), world.path("logs/done"));
    let [sudo, starts_text, done_text] =
        [&sudo, &starts, &done].map(|path| path.display().to_string());
    world.write_rules(&rules(&format!(
        "echo start >> {starts_text}; test -e {done_text} && exit 0; \
         exec {sudo} --reuid 12345 --regid 12345 --clear-groups sleep 1234567"
    )));
    world.start();
    is_told_stuck(&space, &world, &starts, "Operation not permitted");
    // It goes away by itself.
    fs::write(&done, "").unwrap();
    let pid = wait_for("the child", || pid_of("sleep\u{0}1234567"));
    kill_process(pid, Signal::KILL).unwrap();
    is_told_known_again(&space, &starts);
    assert!(world.stop().success());
    space.assert_clean();
}

/// The process waits in the kernel for a file system that is frozen: not even SIGKILL
/// wakes it up.
#[test]
#[ignore = "mounts"]
fn a_child_that_waits_in_the_kernel() {
    let space = Space::new();
    let mut world = World::new(&space, "rules: []");
    let [image, mounted] = ["image", "frozen"].map(|name| world.path(name));
    fs::create_dir(&mounted).unwrap();
    let (image, at) = (image.display().to_string(), mounted.display().to_string());
    run("truncate", &["-s", "16M", &image]);
    run("mkfs.ext4", &["-q", "-F", &image]);
    run("mount", &["-o", "loop", &image, &at]);
    let _unmounted = Undone(vec![vec!["umount".into(), "-l".into(), at.clone()]]);
    run("fsfreeze", &["--freeze", &at]);
    let thawed = Undone(vec![vec![
        "fsfreeze".into(),
        "--unfreeze".into(),
        at.clone(),
    ]]);
    let starts = world.path("logs/starts");
    world.write_rules(&rules(&format!(
        "echo start >> {}; echo written >> {at}/file",
        starts.display()
    )));
    world.start();
    is_told_stuck(&space, &world, &starts, "it waits in the kernel (state D)");
    drop(thawed);
    is_told_known_again(&space, &starts);
    assert!(world.stop().success());
    space.assert_clean();
}

/// A file system whose server hangs is named, in time, and the others are told of.
#[test]
#[ignore = "mounts"]
fn a_file_system_that_does_not_answer() {
    let space = Space::new();
    let world = World::new(&space, "rules: []");
    let [lies, mounted] = ["lies", "mounted"].map(|name| world.path(name));
    fs::create_dir(&lies).unwrap();
    fs::create_dir(&mounted).unwrap();
    let at = mounted.display().to_string();
    let mut server = serve(&lies, &at);
    let pid = Pid::from_child(&server);
    kill_process(pid, Signal::STOP).unwrap();
    let probed = |args: &[&str]| {
        let output = world.run(args);
        let line = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), line)
    };
    let named = probed(&["probe", "disk", "--timeout", "1s", "/", &at]);
    let all = probed(&["probe", "inodes", "--timeout", "1s"]);
    kill_process(pid, Signal::CONT).unwrap();
    let again = probed(&["probe", "disk", "--crit", "100%", &at]);
    kill_process(pid, Signal::KILL).unwrap();
    server.wait().unwrap();
    let dead = [&["probe", "disk"][..], &["probe", "disk", &at]].map(probed);
    run("umount", &["-l", &at]);
    let silent = format!("{at} does not answer within 1 s");
    for (code, line) in [named, all] {
        assert_eq!(code, Some(2), "{line}");
        assert!(line.contains(&silent), "{line}");
    }
    assert!(
        again.1.contains(&format!("{at} ")) && again.1.contains("% used"),
        "{again:?}"
    );
    let broken = format!("DISK CRITICAL - {at} is broken: ");
    for (code, line) in dead {
        assert!(line.starts_with(&broken) && code == Some(2), "{line}");
    }
}

/// Logs on a file system whose server hangs keep nobody from reading the others.
#[test]
#[ignore = "mounts"]
fn logs_whose_file_system_does_not_answer() {
    let space = Space::new();
    let rules = "rules:
  - {key: near, files: LOGS/*.log, match: 'SEQ=(?<seq>\\d+)', by: seq, debounce: none}
  - {key: far, files: LOGS/far/*.log, match: 'SEQ=(?<seq>\\d+)', by: seq, debounce: none}
";
    let mut world = World::new(&space, rules);
    let far = world.path("logs/far");
    let behind = world.path("behind");
    fs::create_dir(&far).unwrap();
    fs::create_dir(&behind).unwrap();
    let at = far.display().to_string();
    let mut server = serve(&behind, &at);
    let pid = Pid::from_child(&server);
    let number = server.id().to_string();
    let undone = [&["kill", "-CONT", &number][..], &["umount", "-l", &at]];
    let undone = undone.map(|words| words.iter().map(ToString::to_string).collect());
    let undone = Undone(undone.into());
    let mut near = world.log("near.log");
    world.start();
    let told = |key: &str, n: usize| {
        wait_for("word of a line", || {
            (texts(&space, key).len() == n).then_some(())
        });
    };
    let write_behind = |line: &str| fs::write(behind.join("far.log"), line).unwrap();
    write_behind("SEQ=1\n");
    near.numbers(1);
    told("far", 1);
    told("near", 1);
    kill_process(pid, Signal::STOP).unwrap();
    write_behind("SEQ=1\nSEQ=2\n");
    // Nobody tells of what happens there: it is asked for, and there is no answer.
    wait_for("somebody waits for it", || {
        is_waiting_for_an_answer(&world).then_some(())
    });
    near.numbers(3);
    told("near", 4);
    assert_eq!(texts(&space, "far").len(), 1);
    kill_process(pid, Signal::CONT).unwrap();
    told("far", 2);
    assert!(world.stop().success());
    drop(undone);
    server.wait().unwrap();
    space.assert_clean();
}

/// Mounts what is `behind`, by a server that caches nothing of what it is asked here.
fn serve(behind: &Path, at: &str) -> Child {
    let server = Command::new("bindfs")
        .args(["-f", &behind.display().to_string(), at])
        .spawn()
        .unwrap();
    wait_for("the mount", || {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        mounts.contains(at).then_some(())
    });
    server
}

/// Commands that put something back at the end of a test.
struct Undone(Vec<Vec<String>>);

impl Drop for Undone {
    fn drop(&mut self) {
        for words in &self.0 {
            let status = Command::new(&words[0]).args(&words[1..]).status();
            assert!(
                std::thread::panicking() || status.unwrap().success(),
                "{words:?}"
            );
        }
    }
}

fn run(program: &str, args: &[&str]) {
    let ended = Command::new(program).args(args).output();
    let ended = ended.unwrap_or_else(|error| panic!("{program} is needed here: {error}"));
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{program} {args:?}: {stderr}");
}

/// Whether a thread of the agent waits for what a server of files has to say.
fn is_waiting_for_an_answer(world: &World) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", world.pid())).unwrap();
    tasks.flatten().any(|task| {
        let stack = fs::read_to_string(task.path().join("stack")).unwrap_or_default();
        stack.contains("fuse_")
    })
}

/// The process whose arguments begin like that.
fn pid_of(arguments: &str) -> Option<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let found = processes
        .map(|process| process.path())
        .find(|path: &PathBuf| {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            line.starts_with(arguments.as_bytes())
        })?;
    let number = found.file_name()?.to_str()?.parse().ok()?;
    Pid::from_raw(number)
}
