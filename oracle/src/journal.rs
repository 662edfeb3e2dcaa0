//! What must survive a power cut, written before it is acted on.
//!
//! The rule that matters: [`Journal::sign_once`] stores an epoch's report before it is signed, and never another.

mod leases;
mod openings;

use std::path::Path;

use millrace::constants::REPORT_RING;
use millrace_agreement::LeafSet;
use millrace_core::merkle::TreeNode;
use millrace_core::proof::Commit;
use millrace_daemon::common::JOURNAL_WRITE_SECONDS;
pub use millrace_journal::JournalError;
use millrace_journal::{Fault, Migration};
use millrace_wire::messages::{Figures, Report};
use rusqlite::{params, OptionalExtension, Transaction};

pub use leases::StoredLease;
pub use openings::{StoredOpening, StoredTally};

use crate::decide::report::{from_wire, to_wire};
use crate::decide::{AuditKey, AuditRecord, AuditState};
use crate::tasks::openings::GIVE_UP_EPOCHS;

/// Epochs of accepted reports kept: those whose leaves the program still takes, and one for who asks late.
const KEPT_ACCEPTED: u64 = REPORT_RING as u64 + 1;

/// Epochs of what was seen, opened and signed kept. Signed is only what ended an epoch ago; openings are judged two epochs
/// later, or once the report they are judged by is found or given up.
const KEPT_VOTES: u64 = GIVE_UP_EPOCHS + 2;

/// What became of a wish to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// This report, now or before: sign it.
    Sign,
    /// Another report of the epoch was stored before: sign nothing else.
    Taken(TreeNode),
}

/// An audit as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredAudit {
    /// The audit.
    pub record: AuditRecord,
    /// Whether an accepted report has its finding.
    pub is_reported: bool,
}

/// The journal. Its methods block for a disk write: call them off the async threads.
pub struct Journal {
    file: millrace_journal::Journal,
}

/// From an empty file to the layout of today. Never change one: add another.
fn migrations() -> Vec<Migration<'static>> {
    let memory = "SELECT 1 FROM pragma_table_info('audits') WHERE name = 'vram_mib'";
    vec![
        // Files from before layouts had versions have these tables, some with the column that comes next.
        Migration::up(
            "CREATE TABLE IF NOT EXISTS signed (epoch INTEGER PRIMARY KEY, root BLOB NOT NULL, report TEXT NOT NULL);
             CREATE TABLE IF NOT EXISTS accepted (epoch INTEGER PRIMARY KEY, root BLOB NOT NULL, report TEXT NOT NULL);
             CREATE TABLE IF NOT EXISTS observations (epoch INTEGER PRIMARY KEY, salt BLOB NOT NULL, report TEXT NOT NULL);
             CREATE TABLE IF NOT EXISTS leases (
                 lease BLOB PRIMARY KEY, live_millis INTEGER NOT NULL, blind_millis INTEGER NOT NULL,
                 blind_until INTEGER NOT NULL, accepted_secs INTEGER NOT NULL, watched_until_millis INTEGER NOT NULL,
                 status INTEGER NOT NULL, exit_code INTEGER NOT NULL, result_root BLOB NOT NULL, decided_at INTEGER NOT NULL);
             CREATE TABLE IF NOT EXISTS audits (
                 node BLOB NOT NULL, epoch INTEGER NOT NULL, gpu_index INTEGER NOT NULL, commit_bytes BLOB NOT NULL,
                 elapsed_nanos INTEGER NOT NULL, gpu_count INTEGER NOT NULL, claimed_gops INTEGER NOT NULL,
                 state INTEGER NOT NULL, bandwidth_mbps INTEGER NOT NULL, is_reported INTEGER NOT NULL,
                 PRIMARY KEY (node, epoch, gpu_index));",
        ),
        Migration::up_with_hook("", move |db: &Transaction<'_>| {
            if db.query_row(memory, [], |_| Ok(())).optional()?.is_none() {
                db.execute_batch("ALTER TABLE audits ADD COLUMN vram_mib INTEGER NOT NULL DEFAULT 0")?;
            }
            Ok(())
        }),
        Migration::up(
            "CREATE TABLE IF NOT EXISTS commitments (
                 epoch INTEGER, oracle BLOB, hash BLOB NOT NULL, PRIMARY KEY (epoch, oracle));
             CREATE TABLE IF NOT EXISTS openings (
                 epoch INTEGER, oracle BLOB, salt BLOB NOT NULL, report TEXT NOT NULL, PRIMARY KEY (epoch, oracle));
             CREATE TABLE IF NOT EXISTS tallies (
                 oracle BLOB PRIMARY KEY, opened INTEGER NOT NULL, unknown INTEGER NOT NULL, counted INTEGER NOT NULL);",
        ),
        // By the chain's clock: this machine's may jump.
        Migration::up(
            "ALTER TABLE leases RENAME COLUMN watched_until_millis TO watched_until;
             UPDATE leases SET watched_until = watched_until / 1000;",
        ),
        // From here on the leaves of a report are base64: a program from before would take that for damage.
        Migration::up("-- No table is changed."),
    ]
}

impl Journal {
    fn write<T>(&self, write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        let _timed = JOURNAL_WRITE_SECONDS.time();
        self.file.write(write)
    }

    /// Opens or creates the journal at `path`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self { file: millrace_journal::Journal::open(path, migrations())? })
    }

    /// Opens the journal at `path`; a damaged one is moved aside, and a new one begun. An oracle can start blind: it signs
    /// nothing of epochs that ended before, and takes leases over from accepted reports.
    ///
    /// # Errors
    /// [`JournalError`], when it is not damaged but cannot be used.
    pub fn open_or_begin(path: &Path) -> Result<Self, JournalError> {
        match Self::open(path) {
            Err(JournalError { fault: Fault::Damaged(what), .. }) => {
                let other = |error: std::io::Error| JournalError {
                    path: path.display().to_string(),
                    fault: Fault::Other(error.to_string()),
                };
                let aside = millrace_journal::set_aside(path).map_err(other)?;
                tracing::error!(kept = %aside.display(), "the journal is damaged ({what}): starting without it");
                Self::open(path)
            }
            opened => opened,
        }
    }

    fn read_report(&self, text: &str) -> Result<LeafSet, JournalError> {
        let report: Report = serde_json::from_str(text).map_err(|_| self.file.damaged("a report"))?;
        from_wire(&report).map_err(|_| self.file.damaged("a report"))
    }

    /// Stores `set` as the one report this oracle signs for its epoch, unless another is stored. Returns only once it
    /// is on disk.
    ///
    /// # Errors
    /// [`JournalError`]: then nothing may be signed.
    pub fn sign_once(&self, set: &LeafSet) -> Result<Signing, JournalError> {
        let root = set.root();
        let text = report_text(set);
        let stored: [u8; 24] = self.write(|db| {
            db.execute(
                "INSERT INTO signed (epoch, root, report) VALUES (?1, ?2, ?3) ON CONFLICT (epoch) DO NOTHING",
                params![set.epoch() as i64, root, text],
            )?;
            forget(db, set.epoch())?;
            db.query_row("SELECT root FROM signed WHERE epoch = ?1", [set.epoch() as i64], |row| row.get(0))
        })?;
        Ok(if stored == root { Signing::Sign } else { Signing::Taken(stored) })
    }

    /// The report stored for signing in `epoch`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn signed(&self, epoch: u64) -> Result<Option<LeafSet>, JournalError> {
        self.report_in("signed", epoch)
    }

    /// The accepted report of `epoch`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn accepted(&self, epoch: u64) -> Result<Option<LeafSet>, JournalError> {
        self.report_in("accepted", epoch)
    }

    /// The same as the JSON of a [`Report`].
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn accepted_text(&self, epoch: u64) -> Result<Option<String>, JournalError> {
        self.text_in("accepted", epoch)
    }

    fn report_in(&self, table: &'static str, epoch: u64) -> Result<Option<LeafSet>, JournalError> {
        self.text_in(table, epoch)?.map(|text| self.read_report(&text)).transpose()
    }

    fn text_in(&self, table: &'static str, epoch: u64) -> Result<Option<String>, JournalError> {
        let query = format!("SELECT report FROM {table} WHERE epoch = ?1");
        self.file.read(|db| db.query_row(&query, [epoch as i64], |row| row.get(0)).optional())
    }

    /// Stores the leaves of an accepted root, marks the findings in it reported, and forgets what is too old.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn accept(&self, set: &LeafSet) -> Result<(), JournalError> {
        let text = report_text(set);
        self.write(|transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO accepted (epoch, root, report) VALUES (?1, ?2, ?3)",
                params![set.epoch() as i64, set.root(), text],
            )?;
            for leaf in set.nodes() {
                transaction.execute(
                    "UPDATE audits SET is_reported = 1 WHERE node = ?1 AND epoch = ?2",
                    params![leaf.node, leaf.audit_epoch as i64],
                )?;
            }
            let newest: i64 = transaction.query_row("SELECT max(epoch) FROM accepted", [], |row| row.get(0))?;
            forget(transaction, newest as u64)
        })
    }

    /// The salt of the observations committed to in `epoch`, storing `salt` and `set` if it is the first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn observe_once(&self, set: &LeafSet, salt: [u8; 16]) -> Result<([u8; 16], LeafSet), JournalError> {
        let text = report_text(set);
        let (salt, text): ([u8; 16], String) = self.write(|db| {
            db.execute(
                "INSERT INTO observations (epoch, salt, report) VALUES (?1, ?2, ?3) ON CONFLICT (epoch) DO NOTHING",
                params![set.epoch() as i64, salt, text],
            )?;
            let query = "SELECT salt, report FROM observations WHERE epoch = ?1";
            db.query_row(query, [set.epoch() as i64], |row| Ok((row.get(0)?, row.get(1)?)))
        })?;
        Ok((salt, self.read_report(&text)?))
    }

    /// Stores an audit, new or advanced.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn save_audit(&self, record: &AuditRecord) -> Result<(), JournalError> {
        let AuditKey { node, epoch, gpu_index } = record.key();
        let (state, Figures { vram_mib, bandwidth_mbps }) = state_code(record.state);
        self.write(|db| {
            db.execute(
                "INSERT INTO audits VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10)
                 ON CONFLICT (node, epoch, gpu_index)
                 DO UPDATE SET state = ?8, bandwidth_mbps = ?9, vram_mib = ?10",
                params![
                    node,
                    epoch as i64,
                    gpu_index,
                    record.commit.to_bytes().to_vec(),
                    record.elapsed_nanos as i64,
                    record.gpu_count,
                    record.claimed_gops as i64,
                    state,
                    bandwidth_mbps,
                    vram_mib
                ],
            )
        })?;
        Ok(())
    }

    /// All audits stored.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn audits(&self) -> Result<Vec<StoredAudit>, JournalError> {
        type Row = (Vec<u8>, i64, u16, i64, u8, bool, Figures);
        let rows: Vec<Row> = self.file.read(|db| {
            let mut statement = db.prepare(
                "SELECT commit_bytes, elapsed_nanos, gpu_count, claimed_gops, state, bandwidth_mbps, is_reported,
                 vram_mib FROM audits",
            )?;
            let rows = statement.query_map([], |row| {
                let figures = Figures { vram_mib: row.get(7)?, bandwidth_mbps: row.get(5)? };
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(6)?, figures))
            })?;
            rows.collect()
        })?;
        rows.into_iter()
            .map(|(commit, elapsed_nanos, gpu_count, claimed_gops, state, is_reported, figures)| {
                let commit = Commit::from_bytes(&commit).map_err(|_| self.file.damaged("a commit"))?;
                let state = state_of(state, figures).ok_or_else(|| self.file.damaged("an audit's state"))?;
                let (elapsed_nanos, claimed_gops) = (elapsed_nanos as u64, claimed_gops as u64);
                let record = AuditRecord { commit, elapsed_nanos, gpu_count, claimed_gops, state };
                Ok(StoredAudit { record, is_reported })
            })
            .collect()
    }
}

/// Forgets what is too old for anything in `epoch`.
fn forget(transaction: &Transaction<'_>, epoch: u64) -> rusqlite::Result<()> {
    let kept = [
        ("accepted", KEPT_ACCEPTED),
        ("audits", KEPT_ACCEPTED),
        ("signed", KEPT_VOTES),
        ("observations", KEPT_VOTES),
        ("commitments", KEPT_VOTES),
        ("openings", KEPT_VOTES),
    ];
    for (table, epochs) in kept {
        transaction.execute(&format!("DELETE FROM {table} WHERE epoch < ?1"), [epoch.saturating_sub(epochs) as i64])?;
    }
    Ok(())
}

fn report_text(set: &LeafSet) -> String {
    serde_json::json!(to_wire(set)).to_string()
}

fn state_code(state: AuditState) -> (u8, Figures) {
    let code = match state {
        AuditState::Pending => 0,
        AuditState::Passed { figures } => return (1, figures),
        AuditState::Refused => 2,
        AuditState::Withheld => 3,
        AuditState::Void => 4,
    };
    (code, Figures::default())
}

fn state_of(code: u8, figures: Figures) -> Option<AuditState> {
    Some(match code {
        0 => AuditState::Pending,
        1 => AuditState::Passed { figures },
        2 => AuditState::Refused,
        3 => AuditState::Withheld,
        4 => AuditState::Void,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_agreement::testing::{lease, node};

    fn set(epoch: u64, live_secs: u64) -> LeafSet {
        LeafSet::new(epoch, vec![lease(1, live_secs, 50)], vec![node(2, 9, 50)])
    }

    fn journal() -> (tempfile::TempDir, Journal) {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal.db")).unwrap();
        (dir, journal)
    }

    fn audit(gpu_index: u32, state: AuditState) -> AuditRecord {
        let commit = Commit {
            deployment_id: [3; 32],
            node: [2; 32],
            gpu_index,
            epoch: 4,
            beacon: [5; 32],
            nonce: [6; 32],
            n: 256,
            rounds: 1,
            super_root: [7; 24],
        };
        AuditRecord { commit, elapsed_nanos: u64::MAX / 3, gpu_count: 2, claimed_gops: u64::MAX, state }
    }

    #[test]
    fn an_epoch_is_signed_once_even_across_restarts() {
        let (dir, journal) = journal();
        assert_eq!(journal.sign_once(&set(7, 10)).unwrap(), Signing::Sign);
        assert_eq!(journal.sign_once(&set(7, 10)).unwrap(), Signing::Sign, "the same again is the same signature");
        assert_eq!(journal.sign_once(&set(7, 11)).unwrap(), Signing::Taken(set(7, 10).root()));
        drop(journal);
        let journal = Journal::open(&dir.path().join("journal.db")).unwrap();
        assert_eq!(journal.sign_once(&set(7, 11)).unwrap(), Signing::Taken(set(7, 10).root()));
        assert_eq!(journal.signed(7).unwrap(), Some(set(7, 10)));
        assert_eq!(journal.sign_once(&set(8, 11)).unwrap(), Signing::Sign);
    }

    #[test]
    fn a_process_killed_right_after_storing_finds_what_it_stored() {
        // The writer neither closes nor checkpoints: its WAL is read by the next, as after kill -9.
        let (dir, journal) = journal();
        assert_eq!(journal.sign_once(&set(7, 10)).unwrap(), Signing::Sign);
        std::mem::forget(journal);
        let next = Journal::open(&dir.path().join("journal.db")).unwrap();
        assert_eq!(next.sign_once(&set(7, 11)).unwrap(), Signing::Taken(set(7, 10).root()));
    }

    #[test]
    fn audits_come_back_as_they_stood_and_know_when_they_were_reported() {
        let (_dir, journal) = journal();
        let states = [
            AuditState::Pending,
            AuditState::Passed { figures: Figures { vram_mib: 7, bandwidth_mbps: 42 } },
            AuditState::Refused,
            AuditState::Withheld,
            AuditState::Void,
        ];
        for state in states {
            journal.save_audit(&audit(0, state)).unwrap();
            assert_eq!(journal.audits().unwrap(), [StoredAudit { record: audit(0, state), is_reported: false }]);
        }
        journal.accept(&set(5, 1)).unwrap();
        assert!(journal.audits().unwrap()[0].is_reported);
        assert_eq!(journal.accepted(5).unwrap(), Some(set(5, 1)));
    }

    #[test]
    fn old_reports_are_forgotten() {
        let (_dir, journal) = journal();
        journal.accept(&set(5, 1)).unwrap();
        journal.sign_once(&set(5, 1)).unwrap();
        journal.observe_once(&set(5, 1), [1; 16]).unwrap();
        journal.accept(&set(5 + KEPT_ACCEPTED, 1)).unwrap();
        assert_eq!(journal.accepted(5).unwrap(), Some(set(5, 1)), "the program still takes its leaves");
        assert_eq!((journal.signed(5).unwrap(), journal.observed(5).unwrap()), (None, None));
        journal.accept(&set(5 + KEPT_ACCEPTED + 1, 1)).unwrap();
        assert_eq!(journal.accepted(5).unwrap(), None);
    }

    #[test]
    fn the_disk_is_bounded_while_no_report_is_accepted() {
        let (_dir, journal) = journal();
        (0..40).for_each(|epoch| {
            journal.sign_once(&set(epoch, 1)).unwrap();
        });
        assert_eq!(journal.signed(39 - KEPT_VOTES - 1).unwrap(), None);
        assert_eq!(journal.signed(39 - KEPT_VOTES).unwrap(), Some(set(39 - KEPT_VOTES, 1)));
    }

    #[test]
    fn observations_are_committed_once_an_epoch() {
        let (_dir, journal) = journal();
        assert_eq!(journal.observe_once(&set(5, 1), [1; 16]).unwrap(), ([1; 16], set(5, 1)));
        assert_eq!(journal.observe_once(&set(5, 2), [2; 16]).unwrap(), ([1; 16], set(5, 1)));
    }

    /// The tables of the first release, before layouts had versions, with a lease and a report in them.
    const FIRST_RELEASE: &str = "
        CREATE TABLE signed (epoch INTEGER PRIMARY KEY, root BLOB NOT NULL, report TEXT NOT NULL);
        CREATE TABLE leases (
            lease BLOB PRIMARY KEY, live_millis INTEGER NOT NULL, blind_millis INTEGER NOT NULL,
            blind_until INTEGER NOT NULL, accepted_secs INTEGER NOT NULL, watched_until_millis INTEGER NOT NULL,
            status INTEGER NOT NULL, exit_code INTEGER NOT NULL, result_root BLOB NOT NULL, decided_at INTEGER NOT NULL);
        INSERT INTO signed VALUES (7, zeroblob(24), '{\"epoch\":7,\"lease_leaves\":[],\"node_leaves\":[]}');
        INSERT INTO leases VALUES (zeroblob(32), 5000, 0, 0, 4, 1700000000999, 0, 0, zeroblob(32), 0);";

    #[test]
    fn a_journal_of_every_earlier_layout_goes_on() {
        let audits = "CREATE TABLE audits (
            node BLOB NOT NULL, epoch INTEGER NOT NULL, gpu_index INTEGER NOT NULL, commit_bytes BLOB NOT NULL,
            elapsed_nanos INTEGER NOT NULL, gpu_count INTEGER NOT NULL, claimed_gops INTEGER NOT NULL,
            state INTEGER NOT NULL, bandwidth_mbps INTEGER NOT NULL, is_reported INTEGER NOT NULL";
        for memory in ["", ", vram_mib INTEGER NOT NULL DEFAULT 0"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("journal.db");
            let db = rusqlite::Connection::open(&path).unwrap();
            db.execute_batch(FIRST_RELEASE).unwrap();
            db.execute_batch(&format!("{audits}{memory}, PRIMARY KEY (node, epoch, gpu_index));")).unwrap();
            drop(db);
            let journal = Journal::open(&path).unwrap();
            assert_eq!(journal.signed(7).unwrap(), Some(LeafSet::new(7, vec![], vec![])));
            assert_eq!(journal.leases().unwrap()[0].watched_until, 1_700_000_000);
            journal.save_audit(&audit(0, AuditState::Refused)).unwrap();
            assert_eq!((journal.audits().unwrap().len(), journal.tallies().unwrap()), (1, (vec![], None)));
        }
        let (dir, journal) = journal();
        let version = "SELECT user_version FROM pragma_user_version";
        let version = journal.file.read(|db| db.query_row(version, [], |row| row.get::<_, usize>(0)));
        assert_eq!(version.unwrap(), migrations().len());
        drop(dir);
    }

    #[test]
    fn a_damaged_journal_is_moved_aside_and_another_begun() {
        let (dir, journal) = journal();
        journal.sign_once(&set(7, 10)).unwrap();
        drop(journal);
        let path = dir.path().join("journal.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.len() - 4_096;
        bytes[end..].fill(0xA5);
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError { fault: Fault::Damaged(_), .. })));
        let journal = Journal::open_or_begin(&path).unwrap();
        assert_eq!(journal.signed(7).unwrap(), None);
        assert!(dir.path().join("journal.db.damaged-1").exists());
    }
}
