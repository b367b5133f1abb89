//! Commits to disk and back.
//!
//! One SQLite file in WAL mode with `synchronous=FULL`: when a commit returns, it
//! is durable. People can look inside with `sqlite3`; what they find are names of
//! spaces, never an address or a token.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::commit::{Commit, Image};
use crate::engine::time::Wall;

/// The version of the schema that this release writes.
const SCHEMA_VERSION: i64 = 3;

/// Marks the file as ours (`PRAGMA application_id`): "lgcr".
const APPLICATION_ID: i64 = 0x6c67_6372;

const FILE_NAME: &str = "state.db";

const SCHEMA: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE globs (pattern TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE streams (
        id INTEGER PRIMARY KEY,
        path BLOB NOT NULL,
        position INTEGER NOT NULL,
        detail TEXT NOT NULL
    );
    CREATE TABLE instances (
        rule TEXT NOT NULL,
        by_values TEXT NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (rule, by_values)
    ) WITHOUT ROWID;
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        space TEXT NOT NULL,
        rule TEXT NOT NULL,
        count INTEGER NOT NULL,
        detail TEXT NOT NULL
    );
    CREATE TABLE spaces (name TEXT PRIMARY KEY, detail TEXT NOT NULL) WITHOUT ROWID;
";

/// What the second version added.
const SCHEMA_CHECKS: &str =
    "CREATE TABLE checks (rule TEXT PRIMARY KEY, detail TEXT NOT NULL) WITHOUT ROWID;";

/// What the third version added. Windows of instances became parts of incidents,
/// which the same rows hold.
const SCHEMA_CONDITIONS: &str = "
    CREATE TABLE rules (rule TEXT PRIMARY KEY, detail TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE seen (
        rule TEXT NOT NULL,
        value INTEGER NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (rule, value)
    ) WITHOUT ROWID;
    CREATE TABLE silences (id INTEGER PRIMARY KEY, detail TEXT NOT NULL);
";

/// The state directory, held for one agent.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    /// Held until the end: a second agent must not write here.
    _lock: File,
}

/// The state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// The directory cannot be made or used.
    #[error("{directory}: the state directory cannot be used: {source}")]
    Directory {
        /// Which.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another agent uses it.
    #[error("{directory}: another logcrier uses this state directory")]
    Taken {
        /// Which.
        directory: PathBuf,
    },
    /// A later release wrote it.
    #[error(
        "{directory}: the state was written by a later release (schema {found}, this one knows \
         {SCHEMA_VERSION}); install that release or move the file {FILE_NAME} away"
    )]
    TooNew {
        /// Which.
        directory: PathBuf,
        /// Its schema's version.
        found: i64,
    },
    /// The database does not open.
    #[error("{directory}: the state cannot be opened: {source}")]
    Database {
        /// Which.
        directory: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

impl StoreFault {
    /// Whether it may be over in a while: a disk that is full, or fails. What only a
    /// person can change (rights, another agent, a later release) stays as it is.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Directory { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::OutOfMemory
            ),
            Self::Taken { .. } | Self::TooNew { .. } => false,
            Self::Database { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(
                    ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::OutOfMemory
                        | ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                )
            ),
        }
    }
}

/// What opening gave.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// All that it holds.
    pub image: Image,
    /// The copy of a damaged state that was set aside.
    pub set_aside: Option<PathBuf>,
}

/// Why a state that is there cannot be read.
enum Unreadable {
    Damaged,
    TooNew(i64),
    Other(rusqlite::Error),
}

impl Store {
    /// Opens the state in a directory, or makes it. `incarnation` is used for a
    /// state that is made. A damaged state is set aside, never overwritten.
    pub fn open(directory: &Path, incarnation: u128, now: Wall) -> Result<Opened, StoreFault> {
        let unusable = |source| StoreFault::Directory {
            directory: directory.to_owned(),
            source,
        };
        let broken = |source| StoreFault::Database {
            directory: directory.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(unusable)?;
        let lock = private_file(&directory.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreFault::Taken {
                    directory: directory.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let path = directory.join(FILE_NAME);
        if !path.try_exists().map_err(unusable)? {
            make(directory, incarnation)?;
        }
        let first = private_file(&path)
            .map_err(unusable)
            .map(drop)
            .and_then(|()| match open_and_load(&path) {
                Ok(loaded) => Ok(Some(loaded)),
                Err(Unreadable::Damaged) => Ok(None),
                Err(Unreadable::TooNew(found)) => Err(StoreFault::TooNew {
                    directory: directory.to_owned(),
                    found,
                }),
                Err(Unreadable::Other(source)) => Err(broken(source)),
            })?;
        if let Some((connection, image)) = first {
            return Ok(Opened {
                store: Self {
                    connection,
                    _lock: lock,
                },
                image,
                set_aside: None,
            });
        }
        let aside = set_aside(&path, now).map_err(unusable)?;
        make(directory, incarnation)?;
        let (connection, mut image) = match open_and_load(&path) {
            Ok(loaded) => loaded,
            Err(Unreadable::Other(source)) => return Err(broken(source)),
            Err(Unreadable::Damaged | Unreadable::TooNew(_)) => {
                return Err(broken(rusqlite::Error::InvalidQuery));
            }
        };
        image.damaged = true;
        Ok(Opened {
            store: Self {
                connection,
                _lock: lock,
            },
            image,
            set_aside: Some(aside),
        })
    }

    /// Makes a commit durable.
    pub fn commit(&mut self, commit: &Commit) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        write(&transaction, commit)?;
        transaction.commit()
    }
}

fn write(transaction: &Transaction<'_>, commit: &Commit) -> rusqlite::Result<()> {
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        transaction.prepare_cached(sql)?.execute(params).map(drop)
    };
    for id in &commit.streams_gone {
        run("DELETE FROM streams WHERE id = ?1", params![number(id.0)])?;
    }
    for record in &commit.streams {
        run(
            "INSERT OR REPLACE INTO streams (id, path, position, detail) VALUES (?1, ?2, ?3, ?4)",
            params![
                number(record.id.0),
                record.path.as_os_str().as_bytes(),
                number(record.offset),
                json(record)?
            ],
        )?;
    }
    for id in &commit.instances_gone {
        run(
            "DELETE FROM instances WHERE rule = ?1 AND by_values = ?2",
            params![id.rule.as_str(), json(&id.by)?],
        )?;
    }
    for record in &commit.instances {
        run(
            "INSERT OR REPLACE INTO instances (rule, by_values, detail) VALUES (?1, ?2, ?3)",
            params![record.id.rule.as_str(), json(&record.id.by)?, json(record)?],
        )?;
    }
    for key in &commit.memory.rules_gone {
        run("DELETE FROM rules WHERE rule = ?1", params![key.as_str()])?;
    }
    for record in &commit.memory.rules {
        run(
            "INSERT OR REPLACE INTO rules (rule, detail) VALUES (?1, ?2)",
            params![record.key.as_str(), json(record)?],
        )?;
    }
    for (rule, value) in &commit.memory.seen_gone {
        run(
            "DELETE FROM seen WHERE rule = ?1 AND value = ?2",
            params![rule.as_str(), value.cast_signed()],
        )?;
    }
    for record in &commit.memory.seen {
        run(
            "INSERT OR REPLACE INTO seen (rule, value, detail) VALUES (?1, ?2, ?3)",
            params![
                record.rule.as_str(),
                record.value.cast_signed(),
                json(record)?
            ],
        )?;
    }
    for id in &commit.silences_gone {
        run("DELETE FROM silences WHERE id = ?1", params![number(*id)])?;
    }
    for silence in &commit.silences {
        run(
            "INSERT OR REPLACE INTO silences (id, detail) VALUES (?1, ?2)",
            params![number(silence.id), json(silence)?],
        )?;
    }
    for key in &commit.checks_gone {
        run("DELETE FROM checks WHERE rule = ?1", params![key.as_str()])?;
    }
    for record in &commit.checks {
        run(
            "INSERT OR REPLACE INTO checks (rule, detail) VALUES (?1, ?2)",
            params![record.key.as_str(), json(record)?],
        )?;
    }
    for id in &commit.messages_gone {
        run("DELETE FROM messages WHERE id = ?1", params![number(id.0)])?;
    }
    for record in &commit.messages {
        run(
            "INSERT OR REPLACE INTO messages (id, space, rule, count, detail)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                number(record.id.0),
                record.space.as_str(),
                record.instance.rule.as_str(),
                number(record.draft.tally.count),
                json(record)?
            ],
        )?;
    }
    for record in &commit.spaces {
        run(
            "INSERT OR REPLACE INTO spaces (name, detail) VALUES (?1, ?2)",
            params![record.space.as_str(), json(record)?],
        )?;
    }
    if let Some(position) = &commit.journal {
        set_meta(transaction, "journal", &json(position)?)?;
    }
    if let Some(globs) = &commit.globs {
        run("DELETE FROM globs", params![])?;
        for glob in globs {
            run("INSERT INTO globs (pattern) VALUES (?1)", params![glob])?;
        }
    }
    for (name, value) in [
        ("next_stream", commit.next_stream),
        ("next_message", commit.next_message),
        ("next_silence", commit.next_silence),
    ] {
        set_meta(transaction, name, &value.to_string())?;
    }
    Ok(())
}

fn set_meta(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
        .execute(params![name, value])
        .map(drop)
}

fn open_and_load(path: &Path) -> Result<(Connection, Image), Unreadable> {
    // No state is ever made empty; SQLite would take it for a new one.
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0) {
        return Err(Unreadable::Damaged);
    }
    let mut connection = Connection::open(path)?;
    // Readers with `sqlite3` may look in at any time; nobody else writes.
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -1_024)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > SCHEMA_VERSION {
        return Err(Unreadable::TooNew(version));
    }
    if version == 0 {
        return Err(Unreadable::Damaged);
    }
    if (1..SCHEMA_VERSION).contains(&version) {
        let transaction = connection.transaction()?;
        if version == 1 {
            // Commands and their results were not known then.
            transaction.execute_batch(SCHEMA_CHECKS)?;
        }
        transaction.execute_batch(SCHEMA_CONDITIONS)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
    }
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(Unreadable::Damaged);
    }
    let image = load(&connection)?;
    Ok((connection, image))
}

/// Makes a state. It gets its name when it is whole and on disk: one that has the name
/// and is empty was emptied by something else.
fn make(directory: &Path, incarnation: u128) -> Result<(), StoreFault> {
    let path = directory.join("state.new");
    let unusable = |source| StoreFault::Directory {
        directory: directory.to_owned(),
        source,
    };
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
        // An earlier attempt may have left one.
        Ok(()) | Err(_) => {}
    }
    private_file(&path).map_err(unusable)?;
    lay_out(&path, incarnation).map_err(|source| StoreFault::Database {
        directory: directory.to_owned(),
        source,
    })?;
    std::fs::rename(&path, directory.join(FILE_NAME)).map_err(unusable)?;
    let directory = File::open(directory).map_err(unusable)?;
    directory.sync_all().map_err(unusable)
}

fn lay_out(path: &Path, incarnation: u128) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute_batch(SCHEMA_CHECKS)?;
    transaction.execute_batch(SCHEMA_CONDITIONS)?;
    set_meta(&transaction, "incarnation", &format!("{incarnation:032x}"))?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

fn load(connection: &Connection) -> Result<Image, Unreadable> {
    let meta = |name: &str| {
        connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| {
                row.get::<_, String>(0)
            })
            .optional()
    };
    let number = |name: &str| -> Result<u64, Unreadable> {
        match meta(name)? {
            None => Ok(0),
            Some(text) => text.parse().map_err(|_| Unreadable::Damaged),
        }
    };
    let incarnation = meta("incarnation")?
        .and_then(|text| u128::from_str_radix(&text, 16).ok())
        .ok_or(Unreadable::Damaged)?;
    let journal = match meta("journal")? {
        None => None,
        Some(text) => serde_json::from_str(&text).map_err(|_| Unreadable::Damaged)?,
    };
    let mut image = Image {
        journal,
        next_stream: number("next_stream")?,
        next_message: number("next_message")?,
        next_silence: number("next_silence")?,
        ..Image::new(incarnation)
    };
    let mut statement = connection.prepare("SELECT pattern FROM globs")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        image.globs.insert(row.get(0)?);
    }
    let mut statement = connection.prepare("SELECT detail, path FROM streams")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut record: crate::engine::commit::StreamRecord = parse(row)?;
        let path = (row.get_ref(1)?.as_blob()).map_err(|_| Unreadable::Damaged)?;
        let path = Path::new(OsStr::from_bytes(path));
        record.path = match *path == *record.name {
            true => record.name.clone(),
            false => path.into(),
        };
        image.streams.insert(record.id, record);
    }
    let mut statement = connection.prepare("SELECT detail FROM instances")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record: crate::engine::commit::InstanceRecord = parse(row)?;
        image.instances.insert(record.id.clone(), record);
    }
    let mut statement = connection.prepare("SELECT detail FROM rules")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record: crate::engine::correlate::memory::RuleRecord = parse(row)?;
        image.rules.insert(record.key.clone(), record);
    }
    let mut statement = connection.prepare("SELECT detail FROM seen")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record: crate::engine::correlate::memory::SeenRecord = parse(row)?;
        let id = (record.rule.clone(), record.value);
        image.seen.insert(id, record);
    }
    let mut statement = connection.prepare("SELECT detail FROM silences")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let silence: crate::engine::correlate::silences::Silence = parse(row)?;
        image.silences.insert(silence.id, silence);
    }
    let mut statement = connection.prepare("SELECT detail FROM checks")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record: crate::engine::checks::CheckRecord = parse(row)?;
        image.checks.insert(record.key.clone(), record);
    }
    let mut statement = connection.prepare("SELECT detail FROM messages")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record: crate::engine::commit::MessageRecord = parse(row)?;
        image.messages.insert(record.id, record);
    }
    let mut statement = connection.prepare("SELECT detail FROM spaces")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record: crate::engine::commit::SpaceRecord = parse(row)?;
        image.spaces.insert(record.space.clone(), record);
    }
    Ok(image)
}

fn parse<T: DeserializeOwned>(row: &rusqlite::Row<'_>) -> Result<T, Unreadable> {
    let detail = row.get_ref(0)?.as_str().map_err(|_| Unreadable::Damaged)?;
    serde_json::from_str(detail).map_err(|_| Unreadable::Damaged)
}

/// SQLite's integers have a sign; ours never come near it.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

impl From<rusqlite::Error> for Unreadable {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            // A column or table that should be there is not, or holds other things.
            Some(ErrorCode::Unknown | ErrorCode::TypeMismatch) => Self::Damaged,
            Some(_) => Self::Other(error),
            None => Self::Damaged,
        }
    }
}

/// Moves a damaged state out of the way and returns where to.
fn set_aside(path: &Path, now: Wall) -> io::Result<PathBuf> {
    let name = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = format!(".damaged-{}", now.0 / 1_000_000);
    for suffix in ["", "-wal", "-shm"] {
        match std::fs::rename(name(suffix), name(&format!("{aside}{suffix}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(name(&aside))
}

/// A file that only its owner can read.
fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
