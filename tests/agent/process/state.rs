//! What becomes of state that is torn, damaged, closed to us, or of another release.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use logcrier::engine::commit::{Commit, Image};
use logcrier::engine::time::Wall;
use logcrier::host::store::Store;
use rusqlite::Connection;

use crate::support::{COUNTED, Space, World, stopped_after};

/// Commits that are made before the power goes.
const N_COMMITS: u64 = 40;

/// F2: of what was written last, a power cut keeps any part, and tears its last block.
/// What opens afterwards is the state after one of the commits, and the more is left the
/// later it is.
#[test]
fn f2_a_power_cut_goes_back_to_a_commit_and_no_further() {
    let directory = tempfile::tempdir().unwrap();
    let lived = directory.path().join("lived");
    let mut store = opened(&lived).0;
    let mut ends = Vec::new();
    for next_message in 1..=N_COMMITS {
        let globs = Some((0..next_message).map(|n| format!("/logs/{n}")).collect());
        let commit = Commit {
            next_message,
            globs,
            ..Commit::default()
        };
        store.commit(&commit).unwrap();
        ends.push(fs::metadata(lived.join("state.db-wal")).unwrap().len());
    }
    let [database, log] = ["state.db", "state.db-wal"].map(|name| fs::read(lived.join(name)));
    let (database, log) = (database.unwrap(), log.unwrap());
    assert!(ends.is_sorted() && ends.last() == Some(&(log.len() as u64)));
    for kept in (0..=log.len()).step_by(1 + log.len() / 60) {
        for tear in [0, 512] {
            let torn = directory.path().join(format!("torn-{kept}-{tear}"));
            fs::create_dir(&torn).unwrap();
            fs::write(torn.join("state.db"), &database).unwrap();
            let mut left = log[..kept].to_vec();
            let whole = kept.saturating_sub(tear);
            left[whole..].fill(0xa5);
            fs::write(torn.join("state.db-wal"), &left).unwrap();
            let (_, image) = opened(&torn);
            let safe = ends.iter().filter(|end| **end <= whole as u64).count() as u64;
            assert_eq!(
                image.next_message, safe,
                "{kept} bytes, {tear} of them torn"
            );
            assert_eq!(image.globs.len() as u64, safe);
        }
    }
}

/// A store whose state is sound, and what it holds.
fn opened(directory: &Path) -> (Store, Image) {
    let opened = Store::open(directory, 7, Wall(0)).unwrap();
    assert_eq!(opened.set_aside, None);
    (opened.store, opened.image)
}

/// F3: however state is damaged, a copy of it is kept, that is said, and nothing old is
/// told, not even where rules want it.
#[test]
fn f3_state_that_is_damaged_in_any_way() {
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let ways: [(&str, Damage); 5] = [
        ("empty", |_| Vec::new()),
        ("all NUL", |whole| vec![0; whole.len()]),
        ("cut", |whole| whole[..whole.len() / 2 + 100].to_vec()),
        ("random", |whole| {
            let mut rng = fastrand::Rng::with_seed(3);
            (0..whole.len()).map(|_| rng.u8(..)).collect()
        }),
        ("scribbled on", |mut whole| {
            let middle = 4_096 + 100;
            whole[middle..middle * 2].fill(0x5a);
            whole
        }),
    ];
    for (how, damage) in ways {
        let space = Space::new();
        let mut world = World::new(&space, &format!("{COUNTED}    from: beginning\n"));
        let mut log = world.log("app.log");
        world.start();
        log.numbers(3);
        space.wait_events(3);
        assert!(world.stop().success());
        let state = world.path("state/state.db");
        // All of it into one file.
        let connection = Connection::open(&state).unwrap();
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        drop(connection);
        let whole = fs::read(&state).unwrap();
        assert!(!world.path("state/state.db-wal").exists());
        fs::write(&state, damage(whole)).unwrap();
        world.start();
        assert!(
            world.stderr().contains("set aside"),
            "{how}: {}",
            world.stderr()
        );
        log.numbers(2);
        space.wait_events(5);
        assert!(world.stop().success());
        // The next start is as any other.
        log.numbers(1);
        world.start();
        space.wait_events(6);
        assert!(world.stop().success());
        assert_eq!(space.n_events(), 6, "{how}");
        assert_eq!(n_damaged(&world), 1, "{how}");
    }
}

/// How many damaged states were kept.
fn n_damaged(world: &World) -> usize {
    let names = fs::read_dir(world.path("state")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name());
    let databases = names.filter(|name| {
        let name = name.to_string_lossy();
        name.contains("damaged") && !name.ends_with("-wal") && !name.ends_with("-shm")
    });
    databases.count()
}

/// F5: a directory that is there and may not be written to.
#[test]
fn f5_a_state_directory_that_is_read_only_is_named() {
    let space = Space::new();
    let mut world = World::new(&space, COUNTED);
    world.without_rights();
    let state = world.path("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o555)).unwrap();
    let stderr = world.fail_to_run();
    assert!(stderr.contains(&state.display().to_string()), "{stderr}");
}

/// F7: state that may not be read or written is not taken for none: the agent does not
/// start, names it, and goes on from there when it may.
#[test]
fn f7_state_that_is_closed_to_us_is_named_and_kept() {
    for (name, mode, mode_before) in [
        ("state", 0o000, 0o700),
        ("state/state.db", 0o000, 0o600),
        ("state/state.db", 0o400, 0o600),
    ] {
        let space = Space::new();
        let mut world = World::new(&space, &format!("{COUNTED}    from: beginning\n"));
        world.without_rights();
        let mut log = world.log("app.log");
        world.start();
        log.numbers(3);
        space.wait_events(3);
        assert!(world.stop().success());
        let path = world.path(name);
        let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        set(mode);
        let stderr = world.fail_to_run();
        let state = world.path("state").display().to_string();
        assert!(stderr.contains(&state), "{name} {mode:o}: {stderr}");
        set(mode_before);
        log.numbers(2);
        world.start();
        space.wait_events(5);
        assert!(world.stop().success());
        assert_eq!(space.n_events(), 5, "{name} {mode:o}");
        assert_eq!(n_damaged(&world), 0, "{name} {mode:o}");
    }
}

/// F12: an old state is taken up by this release, and a later one is refused and left as it
/// is.
#[test]
fn f12_state_of_an_older_and_of_a_later_release() {
    let (space, mut world, mut log) = stopped_after(3);
    let state = world.path("state/state.db");
    let is_at = |version: i64| {
        let connection = Connection::open(&state).unwrap();
        let found = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        assert_eq!(found, Ok(version));
    };
    let sql = |sql: &str| {
        Connection::open(&state)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    };
    is_at(3);
    // What later versions added to the first, and to the second.
    for older in [
        "DROP TABLE checks; DROP TABLE rules; DROP TABLE seen; DROP TABLE silences;
         PRAGMA user_version = 1;",
        "DROP TABLE rules; DROP TABLE seen; DROP TABLE silences; PRAGMA user_version = 2;",
    ] {
        sql(older);
        log.numbers(2);
        world.start();
        space.wait_events(log.n_lines);
        assert!(world.stop().success());
        is_at(3);
    }
    sql("PRAGMA user_version = 99;");
    let stderr = world.fail_to_run();
    assert!(stderr.contains("a later release (schema 99"), "{stderr}");
    is_at(99);
    sql("PRAGMA user_version = 3;");
    log.numbers(2);
    world.start();
    space.wait_events(log.n_lines);
    assert!(world.stop().success());
    assert_eq!(space.n_events(), 9);
    assert_eq!(n_damaged(&world), 0);
}
