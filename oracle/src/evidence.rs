//! Commits, signatures and bundles on disk, for watchers: who does not believe an oracle checks the computation itself,
//! and proves on chain what is wrong with it.

use std::path::Path;

use millrace_core::proof::Commit;
use millrace_journal::{Journal, JournalError, Migration};
use millrace_wire::messages::{Evidence, EvidenceSummary};
use rusqlite::{params, OptionalExtension};

/// Most lines listed.
const MAX_LISTED: i64 = 1_000;

/// Evidence, bounded in bytes: the oldest goes first. Methods block for a disk write.
pub struct EvidenceStore {
    file: Journal,
    max_bytes: u64,
}

/// From an empty file to the layout of today. Never change one: add another.
fn migrations() -> Vec<Migration<'static>> {
    // Files from before layouts had versions have this table.
    vec![Migration::up(
        "CREATE TABLE IF NOT EXISTS evidence (
             number INTEGER PRIMARY KEY AUTOINCREMENT, commit_id BLOB NOT NULL UNIQUE, node BLOB NOT NULL,
             epoch INTEGER NOT NULL, verdict TEXT NOT NULL, commit_bytes BLOB NOT NULL, signature BLOB NOT NULL,
             bundle BLOB NOT NULL);",
    )]
}

impl EvidenceStore {
    /// Opens or creates the store at `path`, to hold at most `max_bytes`. A damaged one is moved aside: other oracles have the
    /// same evidence.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, JournalError> {
        let (file, aside) = Journal::open_or_begin(path, migrations)?;
        if let Some(aside) = aside {
            tracing::error!(kept = %aside.display(), "the evidence is damaged: starting without it");
        }
        Ok(Self { file, max_bytes })
    }

    /// Keeps a commit and its signature; a commit already kept stays as it is.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn keep_commit(&self, commit: &Commit, signature: &[u8], verdict: &str) -> Result<(), JournalError> {
        let insert = "INSERT INTO evidence (commit_id, node, epoch, verdict, commit_bytes, signature, bundle)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, X'') ON CONFLICT (commit_id) DO NOTHING";
        let (epoch, bytes) = (commit.epoch as i64, commit.to_bytes().to_vec());
        let row = params![commit.id(), commit.node, epoch, verdict, bytes, signature];
        self.file.write("evidence", |db| db.execute(insert, row)).map(drop)
    }

    /// Adds the bundle and the verdict.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn keep_verdict(&self, commit_id: &[u8; 32], verdict: &str, bundle: Option<&[u8]>) -> Result<(), JournalError> {
        let max_bytes = i64::try_from(self.max_bytes).unwrap_or(i64::MAX);
        let whole = |db: &rusqlite::Transaction<'_>| {
            db.execute(
                "UPDATE evidence SET verdict = ?2, bundle = coalesce(?3, bundle) WHERE commit_id = ?1",
                params![commit_id, verdict, bundle],
            )?;
            // Newest first, keep while the running total fits.
            db.execute(
            "DELETE FROM evidence WHERE number IN (
                 SELECT number FROM (
                     SELECT number, sum(length(bundle) + length(commit_bytes) + 256) OVER (ORDER BY number DESC) AS total
                     FROM evidence)
                 WHERE total > ?1)",
                [max_bytes],
            )
        };
        self.file.write("verdict", whole).map(drop)
    }

    /// The newest evidence, newest first, at most 1,000 lines.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn list(&self) -> Result<Vec<EvidenceSummary>, JournalError> {
        let query = "SELECT commit_id, node, epoch, verdict FROM evidence ORDER BY number DESC LIMIT ?1";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(EvidenceSummary {
                commit_id: row.get(0)?,
                node: row.get(1)?,
                epoch: row.get::<_, i64>(2)? as u64,
                verdict: row.get(3)?,
            })
        };
        self.file.read(|db| db.prepare(query)?.query_map([MAX_LISTED], read)?.collect())
    }

    /// The evidence of one commit.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn get(&self, commit_id: &[u8; 32]) -> Result<Option<Evidence>, JournalError> {
        let query = "SELECT commit_bytes, signature, bundle FROM evidence WHERE commit_id = ?1";
        let read =
            |row: &rusqlite::Row<'_>| Ok(Evidence { commit: row.get(0)?, signature: row.get(1)?, bundle: row.get(2)? });
        self.file.read(|db| db.query_row(query, [commit_id], read).optional())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(epoch: u64) -> Commit {
        Commit {
            deployment_id: [3; 32],
            node: [2; 32],
            gpu_index: 0,
            epoch,
            beacon: [5; 32],
            nonce: [6; 32],
            n: 256,
            rounds: 1,
            super_root: [7; 24],
        }
    }

    fn store(max_bytes: u64) -> (tempfile::TempDir, EvidenceStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = EvidenceStore::open(&dir.path().join("evidence.db"), max_bytes).unwrap();
        (dir, store)
    }

    #[test]
    fn a_watcher_gets_what_the_operator_signed_and_sent() {
        let (_dir, store) = store(1 << 20);
        store.keep_commit(&commit(1), &[1; 64], "pending").unwrap();
        assert_eq!(store.get(&commit(1).id()).unwrap().unwrap().bundle, Vec::<u8>::new());
        store.keep_verdict(&commit(1).id(), "refused", Some(&[9; 100])).unwrap();
        let evidence = store.get(&commit(1).id()).unwrap().unwrap();
        assert_eq!(evidence.commit, commit(1).to_bytes());
        assert_eq!((evidence.signature, evidence.bundle), (vec![1; 64], vec![9; 100]));
        assert_eq!(store.list().unwrap()[0].verdict, "refused");
        assert_eq!(store.get(&[0; 32]).unwrap(), None);
    }

    #[test]
    fn damaged_evidence_is_moved_aside_and_that_of_an_older_version_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("evidence.db");
        std::fs::write(&path, [7; 8_192]).unwrap();
        EvidenceStore::open(&path, 1 << 20).unwrap().keep_commit(&commit(1), &[1; 64], "pending").unwrap();
        assert!(dir.path().join("evidence.db.damaged-1").exists());
        // As it was before layouts had versions.
        rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 0).unwrap();
        assert_eq!(EvidenceStore::open(&path, 1 << 20).unwrap().list().unwrap().len(), 1);
    }

    #[test]
    fn a_verdict_without_a_bundle_keeps_the_bundle() {
        let (_dir, store) = store(1 << 20);
        store.keep_commit(&commit(1), &[1; 64], "pending").unwrap();
        store.keep_verdict(&commit(1).id(), "pending", Some(&[9; 100])).unwrap();
        store.keep_verdict(&commit(1).id(), "passed", None).unwrap();
        assert_eq!(store.get(&commit(1).id()).unwrap().unwrap().bundle.len(), 100);
    }

    #[test]
    fn the_disk_is_bounded_and_the_oldest_goes_first() {
        let (_dir, store) = store(5_000);
        for epoch in 0..20 {
            store.keep_commit(&commit(epoch), &[1; 64], "pending").unwrap();
            store.keep_verdict(&commit(epoch).id(), "passed", Some(&[9; 1_000])).unwrap();
        }
        let epochs: Vec<u64> = store.list().unwrap().iter().map(|line| line.epoch).collect();
        assert_eq!(epochs, [19, 18, 17]);
    }
}
