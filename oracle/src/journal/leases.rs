//! The tallies of leases under watch.

use millrace_core::leaves::LeaseStatus;
use rusqlite::params;

use super::{Journal, JournalError};
use crate::decide::lease::{Ending, LeaseTally};

/// A lease as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredLease {
    /// Lease account.
    pub lease: [u8; 32],
    /// Its tally.
    pub tally: LeaseTally,
    /// Until when it was watched, unix seconds by the chain's clock.
    pub watched_until: i64,
}

impl Journal {
    /// Stores the tallies of these leases, and forgets those of `gone`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn save_leases(&self, leases: &[StoredLease], gone: &[[u8; 32]]) -> Result<(), JournalError> {
        self.write(|transaction| {
            let mut delete = transaction.prepare_cached("DELETE FROM leases WHERE lease = ?1")?;
            for lease in gone {
                delete.execute([lease])?;
            }
            let mut insert = transaction
                .prepare_cached("INSERT OR REPLACE INTO leases VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
            for StoredLease { lease, tally, watched_until } in leases {
                let ending = tally.ending;
                insert.execute(params![
                    lease,
                    tally.live_millis as i64,
                    tally.blind_millis as i64,
                    tally.blind_until,
                    tally.accepted_secs as i64,
                    watched_until,
                    ending.map_or(LeaseStatus::Running, |ending| ending.status) as u8,
                    ending.map_or(0, |ending| ending.exit_code),
                    ending.map_or([0; 32], |ending| ending.result_root),
                    ending.map_or(0, |ending| ending.decided_at),
                ])?;
            }
            Ok(())
        })
    }

    /// The leases as last stored.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn leases(&self) -> Result<Vec<StoredLease>, JournalError> {
        self.file.read(|db| {
            let mut statement = db.prepare("SELECT * FROM leases")?;
            let rows = statement.query_map([], |row| {
                let status = LeaseStatus::try_from(row.get::<_, u8>(6)?).unwrap_or(LeaseStatus::Running);
                let ending =
                    Ending { status, exit_code: row.get(7)?, result_root: row.get(8)?, decided_at: row.get(9)? };
                let tally = LeaseTally {
                    live_millis: row.get::<_, i64>(1)? as u64,
                    blind_millis: row.get::<_, i64>(2)? as u64,
                    blind_until: row.get(3)?,
                    accepted_secs: row.get::<_, i64>(4)? as u64,
                    ending: status.is_final().then_some(ending),
                };
                Ok(StoredLease { lease: row.get(0)?, tally, watched_until: row.get(5)? })
            })?;
            rows.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_come_back_and_ended_leases_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal.db")).unwrap();
        let ending = Ending { status: LeaseStatus::JobFailed, exit_code: -3, result_root: [9; 32], decided_at: 77 };
        let running =
            LeaseTally { live_millis: 12_345, blind_millis: 6, blind_until: 8, accepted_secs: 7, ending: None };
        let stored = |byte, tally| StoredLease { lease: [byte; 32], tally, watched_until: 99 };
        let leases = [stored(1, running), stored(2, LeaseTally { ending: Some(ending), ..running })];
        journal.save_leases(&leases, &[]).unwrap();
        assert_eq!(journal.leases().unwrap(), leases);
        let later = stored(1, LeaseTally { live_millis: 13_000, ..running });
        journal.save_leases(&[later], &[[2; 32]]).unwrap();
        assert_eq!(journal.leases().unwrap(), [later], "the other is gone");
    }
}
