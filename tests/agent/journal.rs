//! The systemd journal as a source, through a `journalctl` of our own: what the real
//! one does is tested where a systemd is booted.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use super::support::{Space, World, wait_for};

/// Shows the entries from a cursor on, or from a time on but for the first, and goes on
/// only if it is to follow. Where nothing has the cursor, it begins anywhere.
const JOURNALCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo $$ >child
from=2
follow=
for argument; do
  case $argument in
  --lines=1) exec tail -n 1 entries ;;
  --follow) follow=-f ;;
  --cursor=*)
    from=$(grep -n "\"__CURSOR\":\"${argument#--cursor=}\"" entries | cut -d: -f1)
    from=${from:-1}
    ;;
  --since=@1900*)
    since=$(echo "${argument#--since=@}" | tr -d .)
    from=$(awk -F'"' -v since="$since" '$8 < since' entries | wc -l)
    from=$((from + 1))
    ;;
  esac
done
exec tail -n "+$from" $follow entries
"#;

const RULES: &str = "
rules:
  - key: trouble
    journal: {unit: app}
    match: 'trouble (?<n>\\d+)'
    by: [n]
    title: 'n={{ count }} trouble {{ n }}'
    text: '{{ source }}: {{ line }}'
";

/// A world with a journal of its own.
struct Journal {
    world: World,
    n_entries: u64,
}

impl Journal {
    fn new(space: &Space, rules: &str) -> Self {
        let mut world = World::new(space, rules);
        fs::create_dir(world.path("bin")).unwrap();
        world.write("bin/journalctl", JOURNALCTL);
        let program = world.path("bin/journalctl");
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
        world.environment.push(("PATH", path));
        let mut journal = Self {
            world,
            n_entries: 0,
        };
        journal.entry("old trouble 99");
        journal
    }

    fn entry(&mut self, message: &str) {
        self.n_entries += 1;
        let n = self.n_entries;
        let path = self.world.path("bin/entries");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        let entry = format!(
            "{{\"__CURSOR\":\"c{n}\",\"__REALTIME_TIMESTAMP\":\"{}\",\"MESSAGE\":\"{message}\",\
             \"SYSLOG_IDENTIFIER\":\"app\",\"_PID\":\"7\",\"_SYSTEMD_UNIT\":\"app.service\"}}\n",
            1_900_000_000_000_000 + n
        );
        file.write_all(entry.as_bytes()).unwrap();
    }

    /// Ends the child that follows the journal.
    fn end_child(&self) {
        // What is read may be half written, or tell of the child before it.
        wait_for("the child is ended", || {
            let pid = fs::read_to_string(self.world.path("bin/child")).ok()?;
            let pid = rustix::process::Pid::from_raw(pid.trim().parse().ok()?)?;
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok()
        });
    }
}

#[test]
fn g1_entries_are_told_once_over_kills_and_restarts() {
    let space = Space::new();
    let mut journal = Journal::new(&space, RULES);
    journal.world.start();
    journal.entry("trouble 1");
    let messages = space.wait(1);
    assert!(
        messages[0].text.contains("n=1 trouble 1"),
        "{}",
        messages[0].text
    );
    assert!(
        messages[0]
            .text
            .contains("journal: app.service: app[7]: trouble 1"),
        "{}",
        messages[0].text
    );
    journal.world.kill();
    journal.entry("trouble 2");
    journal.world.start();
    space.wait(2);
    journal.entry("trouble 3");
    space.wait(3);
    assert!(journal.world.stop().success());
    let titles: Vec<String> = (space.messages().iter())
        .map(|message| message.text.lines().next().unwrap_or_default().to_owned())
        .collect();
    for n in 1..=3 {
        let of_it = titles
            .iter()
            .filter(|title| title.contains(&format!("trouble {n}")));
        assert_eq!(of_it.count(), 1, "{titles:?}");
    }
    space.assert_clean();
}

#[test]
fn g5_a_child_that_ends_is_started_again_behind_what_was_read() {
    let space = Space::new();
    let mut journal = Journal::new(&space, RULES);
    journal.world.start();
    journal.entry("trouble 1");
    space.wait(1);
    journal.end_child();
    journal.world.wait_said("the journal cannot be read");
    journal.entry("trouble 2");
    space.wait_events(2);
    journal.world.wait_said("can be read again");
}

#[test]
fn g2_entries_that_are_gone_are_reported() {
    let space = Space::new();
    let mut journal = Journal::new(&space, RULES);
    journal.world.start();
    journal.entry("trouble 1");
    space.wait(1);
    assert!(journal.world.stop().success());
    fs::remove_file(journal.world.path("bin/entries")).unwrap();
    journal.entry("trouble 2");
    journal.world.start();
    let messages = wait_for("the loss is told", || {
        let messages = space.messages();
        (messages.len() >= 3).then_some(messages)
    });
    let has = |what: &str| messages.iter().any(|message| message.text.contains(what));
    assert!(has("trouble 2"));
    assert!(has("the journal lost entries"));
}

/// A power cut took the last entries; their numbers are given out again.
#[test]
fn g2_a_cursor_that_leads_astray_is_not_followed() {
    let space = Space::new();
    let mut journal = Journal::new(&space, RULES);
    journal.world.start();
    for n in 1..=3 {
        journal.entry(&format!("trouble {n}"));
        space.wait_events(n);
    }
    assert!(journal.world.stop().success());
    let path = journal.world.path("bin/entries");
    let entries = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = entries.lines().take(2).collect();
    fs::write(&path, kept.join("\n") + "\n").unwrap();
    journal.world.start();
    journal.world.wait_said("ready");
    journal.entry("trouble 4");
    space.wait_events(4);
    let has = |what: &str| {
        space
            .messages()
            .iter()
            .any(|message| message.text.contains(what))
    };
    wait_for("the loss is told", || {
        has("the journal lost entries").then_some(())
    });
    assert!(journal.world.stop().success());
    assert_eq!(space.n_events(), 4);
    space.assert_clean();
}

#[test]
fn the_journal_stands_for_files_where_it_is_there() {
    let both = RULES.replace("journal:", "files: [LOGS/app.log]\n    journal:");
    for has_journal in [true, false] {
        let space = Space::new();
        let mut journal = Journal::new(&space, &both);
        if !has_journal {
            fs::remove_file(journal.world.path("bin/journalctl")).unwrap();
        }
        let log = journal.world.log("app.log");
        journal.world.start();
        log.line("trouble 1 in the file");
        journal.entry("trouble 2 in the journal");
        let messages = space.wait(1);
        assert_eq!(
            messages[0].text.contains("in the journal"),
            has_journal,
            "{}",
            messages[0].text
        );
        // What comes next shows that nothing else was said.
        log.line("trouble 3 in the file");
        journal.entry("trouble 4 in the journal");
        let messages = space.wait(2);
        assert_eq!(messages[1].text.contains("in the journal"), has_journal);
    }
}
