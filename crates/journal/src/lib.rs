//! A file in which a daemon writes down what it is about to do: SQLite in WAL mode with `synchronous = FULL`, so that what
//! a call has written is on disk when it returns.
//!
//! Opening checks every page, brings an older layout up to date and refuses a newer one. A file that is damaged, or was put back
//! from a backup, can have lost what was written last: SQLite drops a damaged end of the log in silence. So nothing may hang
//! on a journal remembering what a process before this one did; see `docs/adr/0035-what-a-journal-may-forget.md`.

pub mod crash;

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crash::When;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
pub use rusqlite_migration::M as Migration;
use rusqlite_migration::{MigrationDefinitionError, Migrations};

/// Longest another process may hold the file.
const BUSY_WITHIN: Duration = Duration::from_secs(10);

/// Why a journal cannot be used. Who gets this must not act on what it could not write.
#[derive(Debug, thiserror::Error)]
#[error("the journal {path}: {fault}")]
pub struct JournalError {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a journal, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The disk, a quota or the file is full.
    #[error("the disk is full; free some space and start again: nothing that was written is lost")]
    Full,
    /// A page or a row is not what was written.
    #[error("it is damaged ({0}); put back the whole folder from a backup, or move the file away to start without it")]
    Damaged(String),
    /// A later version of this program wrote it.
    #[error("a later version of this program wrote it; install that version, or a newer one")]
    Newer,
    /// Anything else.
    #[error("{0}; may this user write there, and is no other daemon running on this folder?")]
    Other(String),
}

impl Fault {
    fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

/// A journal. Calls wait for the disk: keep them off async threads.
pub struct Journal {
    path: PathBuf,
    db: Mutex<Connection>,
    is_new: bool,
}

impl Journal {
    /// Opens the journal at `path`, making it, readable by its owner only, where there is none. `migrations` lead from an
    /// empty file to the layout of today, one a released version; a migration is never changed.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path, migrations: Vec<Migration<'_>>) -> Result<Self, JournalError> {
        let wrap = |fault| JournalError { path: path.display().to_string(), fault };
        let is_new = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => return Err(wrap(Fault::Other(error.to_string()))),
        };
        let mut db = connect(path).map_err(|error| wrap(Fault::of(&error)))?;
        Migrations::new(migrations).to_latest(&mut db).map_err(|error| wrap(fault_of_migration(&error)))?;
        Ok(Self { path: path.to_owned(), db: Mutex::new(db), is_new })
    }

    /// The same, for what its owner can begin without: a damaged file is moved aside, and a new one begun. Returns besides
    /// where the damaged one is now.
    ///
    /// # Errors
    /// [`JournalError`], when it is not damaged but cannot be used.
    pub fn open_or_begin(
        path: &Path,
        migrations: fn() -> Vec<Migration<'static>>,
    ) -> Result<(Self, Option<PathBuf>), JournalError> {
        match Self::open(path, migrations()) {
            Err(JournalError { fault: Fault::Damaged(_), .. }) => {
                let other = |error: std::io::Error| JournalError {
                    path: path.display().to_string(),
                    fault: Fault::Other(error.to_string()),
                };
                let aside = set_aside(path).map_err(other)?;
                Ok((Self::open(path, migrations())?, Some(aside)))
            }
            opened => Ok((opened?, None)),
        }
    }

    /// Whether there was no such file before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrap(&self, fault: Fault) -> JournalError {
        JournalError { path: self.path.display().to_string(), fault }
    }

    /// Reads.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        read(&self.db()).map_err(|error| self.wrap(Fault::of(&error)))
    }

    /// Writes `what`, all of it or nothing. It is on disk when this returns.
    ///
    /// # Errors
    /// [`JournalError`]: then nothing was written.
    pub fn write<T>(
        &self,
        what: &'static str,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let mut db = self.db();
        let whole = || {
            // Takes the lock at once: another process cannot come between what is read and what is written.
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let written = write(&transaction)?;
            crash::point(When::Before, what);
            transaction.commit()?;
            crash::point(When::After, what);
            Ok(written)
        };
        whole().map_err(|error: rusqlite::Error| self.wrap(Fault::of(&error)))
    }

    /// The error of a row that reads back as nothing that was ever written.
    pub fn damaged(&self, what: &str) -> JournalError {
        self.wrap(Fault::Damaged(what.to_owned()))
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(BUSY_WITHIN)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match found.as_str() {
        "ok" => Ok(db),
        _ => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error { code: ErrorCode::DatabaseCorrupt, extended_code: rusqlite::ffi::SQLITE_CORRUPT },
            Some(found),
        )),
    }
}

fn fault_of_migration(error: &rusqlite_migration::Error) -> Fault {
    match error {
        rusqlite_migration::Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead) => Fault::Newer,
        rusqlite_migration::Error::RusqliteError { err, .. } => Fault::of(err),
        other => Fault::Other(other.to_string()),
    }
}

/// Claims a folder for this process until the file returned is dropped: two daemons on one would do everything twice.
///
/// # Errors
/// [`JournalError`] when another process has it.
pub fn claim(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join("lock");
    let wrap = |why: String| JournalError { path: path.display().to_string(), fault: Fault::Other(why) };
    let lock = File::create(&path).map_err(|error| wrap(error.to_string()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(_) => Err(wrap("another daemon holds this folder".to_owned())),
    }
}

/// Moves a damaged journal, and the log that goes with it, out of the way: to the same name with a number behind it. Returns
/// the new name.
///
/// # Errors
/// The file system's.
pub fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let named = |end: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let number = (1u32..).find(|number| !named(format!(".damaged-{number}")).exists()).unwrap_or(u32::MAX);
    for log in ["-wal", "-shm"] {
        let from = named(log.to_owned());
        if from.exists() {
            std::fs::rename(&from, named(format!(".damaged-{number}{log}")))?;
        }
    }
    let to = named(format!(".damaged-{number}"));
    std::fs::rename(path, &to)?;
    Ok(to)
}
