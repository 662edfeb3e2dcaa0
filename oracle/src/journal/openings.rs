//! Commitments seen on chain, what was opened, and the counts of both.

use rusqlite::{params, OptionalExtension};

use super::{report_text, Journal, JournalError};
use millrace_agreement::{LeafSet, Tally};

/// An opening whose hash is the one on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOpening {
    /// Oracle account.
    pub oracle: [u8; 32],
    /// Its salt.
    pub salt: [u8; 16],
    /// What it had seen.
    pub seen: LeafSet,
}

/// The counts of one oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredTally {
    /// Oracle account.
    pub oracle: [u8; 32],
    /// The counts.
    pub tally: Tally,
}

impl Journal {
    /// Keeps the hash by which `oracle` committed to its observations of `epoch`: the first one seen.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn note_commitment(&self, epoch: u64, oracle: &[u8; 32], hash: &[u8; 32]) -> Result<(), JournalError> {
        let insert = "INSERT INTO commitments VALUES (?1, ?2, ?3) ON CONFLICT (epoch, oracle) DO NOTHING";
        self.write(|db| db.execute(insert, params![epoch as i64, oracle, hash]))?;
        Ok(())
    }

    /// The commitments to `epoch` seen on chain: oracle account and hash.
    ///
    /// # Errors
    /// [`JournalError`].
    #[allow(clippy::type_complexity)]
    pub fn commitments(&self, epoch: u64) -> Result<Vec<([u8; 32], [u8; 32])>, JournalError> {
        self.file.read(|db| {
            let mut statement = db.prepare("SELECT oracle, hash FROM commitments WHERE epoch = ?1 ORDER BY oracle")?;
            let rows = statement.query_map([epoch as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    /// Keeps an opening.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn keep_opening(&self, opening: &StoredOpening) -> Result<(), JournalError> {
        self.write(|db| {
            db.execute(
                "INSERT INTO openings VALUES (?1, ?2, ?3, ?4) ON CONFLICT (epoch, oracle) DO NOTHING",
                params![opening.seen.epoch() as i64, opening.oracle, opening.salt, report_text(&opening.seen)],
            )
        })?;
        Ok(())
    }

    /// Oracle accounts whose openings for `epoch` are kept.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn opened(&self, epoch: u64) -> Result<Vec<[u8; 32]>, JournalError> {
        self.file.read(|db| {
            let mut statement = db.prepare("SELECT oracle FROM openings WHERE epoch = ?1 ORDER BY oracle")?;
            let rows = statement.query_map([epoch as i64], |row| row.get(0))?;
            rows.collect()
        })
    }

    /// The opening of `oracle` for `epoch`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn opening(&self, epoch: u64, oracle: &[u8; 32]) -> Result<Option<StoredOpening>, JournalError> {
        let query = "SELECT salt, report FROM openings WHERE epoch = ?1 AND oracle = ?2";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let row: Option<([u8; 16], String)> =
            self.file.read(|db| db.query_row(query, params![epoch as i64, oracle], read).optional())?;
        let kept = |(salt, text): ([u8; 16], String)| {
            Ok(StoredOpening { oracle: *oracle, salt, seen: self.read_report(&text)? })
        };
        row.map(kept).transpose()
    }

    /// What this oracle committed to for `epoch`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn observed(&self, epoch: u64) -> Result<Option<([u8; 16], LeafSet)>, JournalError> {
        let query = "SELECT salt, report FROM observations WHERE epoch = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let row: Option<([u8; 16], String)> =
            self.file.read(|db| db.query_row(query, [epoch as i64], read).optional())?;
        row.map(|(salt, text)| Ok((salt, self.read_report(&text)?))).transpose()
    }

    /// Stores the counts as of `counted`, the last epoch judged.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn save_tallies(&self, tallies: &[StoredTally], counted: u64) -> Result<(), JournalError> {
        self.write(|transaction| {
            for StoredTally { oracle, tally } in tallies {
                transaction.execute(
                    "INSERT OR REPLACE INTO tallies VALUES (?1, ?2, ?3, ?4)",
                    params![oracle, tally.opened as i64, tally.unknown as i64, counted as i64],
                )?;
            }
            Ok(())
        })
    }

    /// The counts as last stored, and the last epoch judged.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn tallies(&self) -> Result<(Vec<StoredTally>, Option<u64>), JournalError> {
        self.file.read(|db| {
            let mut statement = db.prepare("SELECT oracle, opened, unknown FROM tallies ORDER BY oracle")?;
            let rows = statement.query_map([], |row| {
                let tally = Tally { opened: row.get::<_, i64>(1)? as u64, unknown: row.get::<_, i64>(2)? as u64 };
                Ok(StoredTally { oracle: row.get(0)?, tally })
            })?;
            let tallies = rows.collect::<Result<Vec<_>, _>>()?;
            let counted: Option<i64> = db.query_row("SELECT max(counted) FROM tallies", [], |row| row.get(0))?;
            Ok((tallies, counted.map(|epoch| epoch as u64)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_agreement::testing::lease;

    #[test]
    fn commitments_openings_and_counts_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal.db")).unwrap();
        journal.note_commitment(7, &[1; 32], &[2; 32]).unwrap();
        journal.note_commitment(7, &[1; 32], &[3; 32]).unwrap();
        assert_eq!(journal.commitments(7).unwrap(), [([1; 32], [2; 32])], "the first one stands");
        assert!(journal.commitments(8).unwrap().is_empty());

        let seen = LeafSet::new(7, vec![lease(1, 5, 9)], vec![]);
        let opening = StoredOpening { oracle: [1; 32], salt: [4; 16], seen: seen.clone() };
        journal.keep_opening(&opening).unwrap();
        assert_eq!((journal.opened(7).unwrap(), journal.opened(8).unwrap()), (vec![[1; 32]], vec![]));
        assert_eq!(journal.opening(7, &[1; 32]).unwrap(), Some(opening));
        assert_eq!(journal.opening(7, &[2; 32]).unwrap(), None);
        assert_eq!(journal.observed(7).unwrap(), None);
        journal.observe_once(&seen, [4; 16]).unwrap();
        assert_eq!(journal.observed(7).unwrap(), Some(([4; 16], seen)));

        assert_eq!(journal.tallies().unwrap(), (vec![], None));
        let tally = StoredTally { oracle: [1; 32], tally: Tally { opened: 3, unknown: 2 } };
        journal.save_tallies(&[tally], 7).unwrap();
        assert_eq!(journal.tallies().unwrap(), (vec![tally], Some(7)));
    }
}
