//! What was signed, on disk before it is sent.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use millrace_journal::{JournalError, Migration};
use rusqlite::{params, ErrorCode, OptionalExtension, Row};

use crate::{Signature, SubmitError};

/// How long settled rows are kept, seconds: a week, to look things up.
const KEPT_SECS: i64 = 7 * 86_400;

/// From an empty file to the layout of today. Never change one: add another.
fn migrations() -> Vec<Migration<'static>> {
    // Files from before layouts had versions have this table.
    vec![Migration::up(
        "CREATE TABLE IF NOT EXISTS transactions (
             id INTEGER PRIMARY KEY,
             label TEXT NOT NULL,
             deployment BLOB NOT NULL,
             intent BLOB NOT NULL,
             signature TEXT NOT NULL UNIQUE,
             wire BLOB NOT NULL,
             last_valid_block_height INTEGER NOT NULL,
             state TEXT NOT NULL CHECK (state IN ('pending', 'landed', 'failed', 'expired')),
             detail TEXT,
             created_at INTEGER NOT NULL,
             settled_at INTEGER
         ) STRICT;
         CREATE INDEX IF NOT EXISTS unsettled ON transactions (state) WHERE state = 'pending';",
    )]
}

/// Tells one chain from another: the `deployment_id` of its config, zeros before genesis. What was signed for one
/// is nothing to another: a new local network counts its blocks from zero.
pub(super) type Deployment = [u8; 32];

/// What became of a signed transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It did what it should.
    Landed,
    /// A block took it and it failed: it changed nothing.
    Failed,
    /// No block can take it any more: it changed nothing.
    Expired,
}

impl Settled {
    fn name(self) -> &'static str {
        match self {
            Self::Landed => "landed",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

/// A signed transaction whose end is not known.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub id: i64,
    pub label: String,
    pub intent: [u8; 32],
    pub signature: Signature,
    pub wire: Vec<u8>,
    pub last_valid_block_height: u64,
}

/// Whether a row could be written.
pub(super) enum Recorded {
    /// It is on disk.
    New(Pending),
    /// This very transaction is there already: same content, same blockhash.
    Twin,
}

/// The file. Calls run on the blocking pool: each waits for the disk.
#[derive(Clone)]
pub(super) struct Journal {
    file: Arc<millrace_journal::Journal>,
}

fn refuse(error: JournalError) -> SubmitError {
    SubmitError::Journal { path: error.path, reason: error.fault.to_string() }
}

impl Journal {
    pub fn open(path: &Path) -> Result<Self, SubmitError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| SubmitError::Journal {
                path: path.display().to_string(),
                reason: error.to_string(),
            })?;
        }
        let file = millrace_journal::Journal::open(path, migrations()).map_err(refuse)?;
        let oldest = now().saturating_sub(KEPT_SECS);
        let forget = "DELETE FROM transactions WHERE state <> 'pending' AND settled_at < ?1";
        file.write("forget transactions", |db| db.execute(forget, [oldest])).map_err(refuse)?;
        Ok(Self { file: Arc::new(file) })
    }

    /// The file, for messages.
    pub fn path(&self) -> String {
        self.file.path().display().to_string()
    }

    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&millrace_journal::Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, SubmitError> {
        let file = Arc::clone(&self.file);
        match tokio::task::spawn_blocking(move || work(&file)).await {
            Ok(done) => done.map_err(refuse),
            Err(error) => Err(SubmitError::Journal { path: self.path(), reason: error.to_string() }),
        }
    }

    /// Writes a signed transaction down. It is on disk when this returns.
    pub async fn record(
        &self,
        label: &str,
        deployment: Deployment,
        intent: [u8; 32],
        signature: Signature,
        wire: Vec<u8>,
        last_valid_block_height: u64,
    ) -> Result<Recorded, SubmitError> {
        let label = label.to_string();
        self.call(move |file| {
            let id = file.write("record transaction", |db| {
                let inserted = db.execute(
                    "INSERT INTO transactions
                     (label, deployment, intent, signature, wire, last_valid_block_height, state, created_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7)",
                    params![
                        label,
                        deployment,
                        intent,
                        signature.to_string(),
                        wire,
                        last_valid_block_height as i64,
                        now()
                    ],
                );
                match inserted {
                    Ok(_) => Ok(Some(db.last_insert_rowid())),
                    Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Ok(None),
                    Err(error) => Err(error),
                }
            })?;
            Ok(id.map_or(Recorded::Twin, |id| {
                Recorded::New(Pending { id, label, intent, signature, wire, last_valid_block_height })
            }))
        })
        .await
    }

    /// Writes down what became of it.
    pub async fn settle(&self, id: i64, settled: Settled, detail: Option<String>) -> Result<(), SubmitError> {
        let update =
            "UPDATE transactions SET state = ?2, detail = ?3, settled_at = ?4 WHERE id = ?1 AND state = 'pending'";
        self.call(move |file| {
            file.write("settle transaction", |db| db.execute(update, params![id, settled.name(), detail, now()]))
        })
        .await
        .map(drop)
    }

    /// The transactions signed for `deployment` whose end is not known, oldest first.
    pub async fn pending(&self, deployment: Deployment) -> Result<Vec<Pending>, SubmitError> {
        self.call(move |file| {
            file.read(|db| {
                let mut query = db.prepare(
                    "SELECT id, label, intent, signature, wire, last_valid_block_height FROM transactions
                     WHERE state = 'pending' AND deployment = ?1 ORDER BY id",
                )?;
                let rows = query.query_map([deployment], read_pending)?;
                rows.collect()
            })
        })
        .await
    }

    /// The signature that landed last under `label`, if any is kept.
    pub async fn landed(&self, label: &str) -> Result<Option<Signature>, SubmitError> {
        let label = label.to_string();
        let query = "SELECT signature FROM transactions WHERE label = ?1 AND state = 'landed' ORDER BY id DESC LIMIT 1";
        let found: Option<String> =
            self.call(move |file| file.read(|db| db.query_row(query, [label], |row| row.get(0)).optional())).await?;
        Ok(found.and_then(|signature| signature.parse().ok()))
    }
}

fn read_pending(row: &Row) -> rusqlite::Result<Pending> {
    let signature: String = row.get(3)?;
    let height: i64 = row.get(5)?;
    Ok(Pending {
        id: row.get(0)?,
        label: row.get(1)?,
        intent: row.get(2)?,
        signature: signature.parse().map_err(|_| rusqlite::Error::InvalidQuery)?,
        wire: row.get(4)?,
        last_valid_block_height: height as u64,
    })
}

/// Wall clock, Unix seconds. Only shown and used to forget old rows: nothing is decided by it.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
