//! What must survive a crash, written before it is acted on.
//!
//! Two rules depend on it. No GPU of a node is ever committed twice in an epoch ([`Journal::commit_once`]): that is
//! slashed as fraud. And a job that ran when the agent died is never told as anything but failed.

use std::path::Path;

use millrace_client::Pubkey;
use millrace_core::proof::Commit;
use millrace_daemon::common::JOURNAL_WRITE_SECONDS;
use millrace_journal::{JournalError, Migration};
use millrace_wire::messages::{JobPhase, Share};
use rusqlite::{params, Transaction};
use serde::{Deserialize, Serialize};

/// Epochs a commit is remembered: the time in which it can be proven wrong.
const KEPT_EPOCHS: u64 = millrace_core::epoch::FRAUD_WINDOW_EPOCHS;

/// A commit with what its oracles need to take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCommit {
    /// The commit.
    pub commit: Commit,
    /// The shares its nonce is made of, in seat order.
    pub shares: Vec<Share>,
}

/// A lease this agent serves or served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// Key of the customer: who may send inputs, and read logs and results.
    pub customer: [u8; 32],
    /// What the inputs must hash to.
    pub manifest_hash: [u8; 32],
    /// Longest it may run, seconds.
    pub max_secs: u64,
    /// Instant of its award: an address may live twice, an award does not.
    pub started_at: i64,
    /// How far it is.
    pub phase: JobPhase,
    /// Exit code, once it exited.
    pub exit_code: i32,
    /// Name of the results, `millrace_jobs::content_hash`; zeros until it ended.
    pub result_root: [u8; 32],
    /// Their length, bytes. Records from before it was kept have none.
    #[serde(default)]
    pub result_bytes: u64,
    /// What went wrong, for a person.
    pub detail: String,
    /// When the lease's account was found closed, unix seconds by the chain; its files go some time after.
    pub closed_at: Option<i64>,
}

/// The journal.
pub struct Journal {
    file: millrace_journal::Journal,
}

/// From an empty file to the layout of today. Never change one: add another.
fn migrations() -> Vec<Migration<'static>> {
    // Files from before layouts had versions have these tables.
    vec![Migration::up(
        "CREATE TABLE IF NOT EXISTS commits (
             node BLOB NOT NULL, epoch INTEGER NOT NULL, gpu INTEGER NOT NULL,
             bytes BLOB NOT NULL, shares TEXT NOT NULL, answered INTEGER NOT NULL DEFAULT 0,
             PRIMARY KEY (node, epoch, gpu)
         ) STRICT;
         CREATE TABLE IF NOT EXISTS leases (lease BLOB PRIMARY KEY, record TEXT NOT NULL) STRICT;",
    )]
}

impl Journal {
    fn write<T>(
        &self,
        what: &'static str,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let _timed = JOURNAL_WRITE_SECONDS.time();
        self.file.write(what, write)
    }

    /// Opens the journal at `path`, making it where there is none.
    ///
    /// # Errors
    /// When it cannot be opened or made, or is damaged.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self { file: millrace_journal::Journal::open(path, migrations())? })
    }

    /// Whether there was none before: no process can have committed to anything, unless the whole folder was lost.
    pub fn is_new(&self) -> bool {
        self.file.is_new()
    }

    /// Writes a commit down, unless that GPU has one in that epoch. True when it may be signed and sent: it was
    /// written now, or is the one written before.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn commit_once(&self, signed: &SignedCommit) -> Result<bool, JournalError> {
        let SignedCommit { commit, shares } = signed;
        let shares = serde_json::json!(shares).to_string();
        let written: Vec<u8> = self.write("commit", |db| {
            let oldest = commit.epoch.saturating_sub(KEPT_EPOCHS);
            db.execute("DELETE FROM commits WHERE epoch < ?1", [oldest as i64])?;
            db.execute(
                "INSERT INTO commits (node, epoch, gpu, bytes, shares) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                params![commit.node, commit.epoch as i64, commit.gpu_index, commit.to_bytes(), shares],
            )?;
            db.query_row(
                "SELECT bytes FROM commits WHERE node = ?1 AND epoch = ?2 AND gpu = ?3",
                params![commit.node, commit.epoch as i64, commit.gpu_index],
                |row| row.get(0),
            )
        })?;
        Ok(written == commit.to_bytes())
    }

    /// Epoch of the last commit of a node.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn last_commit_epoch(&self, node: &Pubkey) -> Result<Option<u64>, JournalError> {
        let query = "SELECT max(epoch) FROM commits WHERE node = ?1";
        let epoch = self.file.read(|db| db.query_row(query, [node.to_bytes()], |row| row.get::<_, Option<i64>>(0)))?;
        Ok(epoch.map(|epoch| epoch as u64))
    }

    /// Writes down that every oracle that took a commit has its bundle.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn set_answered(&self, commit: &Commit) -> Result<(), JournalError> {
        let update = "UPDATE commits SET answered = 1 WHERE node = ?1 AND epoch = ?2 AND gpu = ?3";
        let key = params![commit.node, commit.epoch as i64, commit.gpu_index];
        self.write("answered", |db| db.execute(update, key)).map(drop)
    }

    /// Commits from `epoch` on that have not been answered.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn unanswered(&self, epoch: u64) -> Result<Vec<SignedCommit>, JournalError> {
        let rows: Vec<(Vec<u8>, String)> = self.file.read(|db| {
            let mut query = db.prepare("SELECT bytes, shares FROM commits WHERE epoch >= ?1 AND answered = 0")?;
            let rows = query.query_map([epoch as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })?;
        rows.into_iter()
            .map(|(bytes, shares)| {
                let commit = Commit::from_bytes(&bytes).map_err(|_| self.file.damaged("a commit"))?;
                let shares = serde_json::from_str(&shares).map_err(|_| self.file.damaged("the shares of a commit"))?;
                Ok(SignedCommit { commit, shares })
            })
            .collect()
    }

    /// Writes a lease down as it now is.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn save_lease(&self, lease: &Pubkey, record: &LeaseRecord) -> Result<(), JournalError> {
        let text = serde_json::json!(record).to_string();
        let insert = "INSERT INTO leases (lease, record) VALUES (?1, ?2) ON CONFLICT (lease) DO UPDATE SET record = ?2";
        self.write("lease", |db| db.execute(insert, params![lease.to_bytes(), text])).map(drop)
    }

    /// Forgets a lease.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn forget_lease(&self, lease: &Pubkey) -> Result<(), JournalError> {
        let delete = "DELETE FROM leases WHERE lease = ?1";
        self.write("forget lease", |db| db.execute(delete, [lease.to_bytes()])).map(drop)
    }

    /// All leases. A job that ran when the journal was last written ran in a sandbox that died with the agent: it is
    /// told as the node's failure from now on.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn leases_after_restart(&self) -> Result<Vec<(Pubkey, LeaseRecord)>, JournalError> {
        let rows: Vec<([u8; 32], String)> = self.file.read(|db| {
            let mut query = db.prepare("SELECT lease, record FROM leases")?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })?;
        let mut leases = Vec::new();
        for (lease, text) in rows {
            let lease = Pubkey::from(lease);
            let mut record: LeaseRecord = serde_json::from_str(&text).map_err(|_| self.file.damaged("a lease"))?;
            if record.phase == JobPhase::Running {
                record.phase = JobPhase::NodeFailed;
                record.detail = "the agent stopped while the job ran, and the sandbox with it".into();
                self.save_lease(&lease, &record)?;
            }
            leases.push((lease, record));
        }
        Ok(leases)
    }

    /// Whether the journal can be written at this moment.
    pub fn is_healthy(&self) -> bool {
        self.file.read(|db| db.query_row("SELECT 1", [], |_| Ok(()))).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(epoch: u64, super_root: u8) -> SignedCommit {
        let commit = Commit {
            deployment_id: [1; 32],
            node: [2; 32],
            gpu_index: 0,
            epoch,
            beacon: [3; 32],
            nonce: [4; 32],
            n: 256,
            rounds: 2,
            super_root: [super_root; 24],
        };
        SignedCommit { commit, shares: vec![Share { oracle: [5; 32], share: [6; 16] }] }
    }

    fn record(phase: JobPhase) -> LeaseRecord {
        LeaseRecord {
            customer: [1; 32],
            manifest_hash: [2; 32],
            max_secs: 60,
            started_at: 100,
            phase,
            exit_code: 0,
            result_root: [0; 32],
            result_bytes: 0,
            detail: String::new(),
            closed_at: None,
        }
    }

    #[test]
    fn a_gpu_is_never_committed_twice_in_an_epoch_not_even_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.db");
        let journal = Journal::open(&path).unwrap();
        assert!(journal.commit_once(&commit(7, 1)).unwrap());
        assert!(journal.commit_once(&commit(7, 1)).unwrap(), "the same commit may be sent again");
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert!(!journal.commit_once(&commit(7, 2)).unwrap());
        assert!(journal.commit_once(&commit(8, 2)).unwrap());
        assert_eq!(journal.last_commit_epoch(&Pubkey::from([2; 32])).unwrap(), Some(8));
        assert_eq!(journal.last_commit_epoch(&Pubkey::from([9; 32])).unwrap(), None);
    }

    #[test]
    fn a_commit_is_answered_for_even_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.db");
        let journal = Journal::open(&path).unwrap();
        for epoch in [5, 7, 8] {
            journal.commit_once(&commit(epoch, 1)).unwrap();
        }
        journal.set_answered(&commit(8, 1).commit).unwrap();
        drop(journal);
        assert_eq!(Journal::open(&path).unwrap().unanswered(6).unwrap(), [commit(7, 1)]);
    }

    #[test]
    fn a_job_that_ran_when_the_agent_died_failed_and_others_are_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.db");
        let journal = Journal::open(&path).unwrap();
        let phases = [JobPhase::AwaitingInputs, JobPhase::Running, JobPhase::Exited];
        for (byte, phase) in (1..).zip(phases) {
            journal.save_lease(&Pubkey::from([byte; 32]), &record(phase)).unwrap();
        }
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        let found: Vec<JobPhase> = journal.leases_after_restart().unwrap().iter().map(|(_, r)| r.phase).collect();
        assert_eq!(found, [JobPhase::AwaitingInputs, JobPhase::NodeFailed, JobPhase::Exited]);
        journal.forget_lease(&Pubkey::from([1; 32])).unwrap();
        assert_eq!(journal.leases_after_restart().unwrap().len(), 2);
        assert!(journal.is_healthy());
    }
}
