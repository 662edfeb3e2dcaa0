//! A committed computation under accusation. Affects no one before its first proven entry.

use anchor_lang::prelude::*;
use millrace_core::proof::COMMIT_LEN;

/// Bytes a commit takes in the account, padded to eight.
pub const COMMIT_SPACE: usize = COMMIT_LEN.div_ceil(8) * 8;

/// Wrong entries that make a fraud; no two share a row or a column.
pub const ENTRIES_FOR_FRAUD: usize = 3;

/// A wrong entry the program recomputed.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct ProvenEntry {
    /// Round of the computation.
    pub round: u32,
    /// Row of C.
    pub row: u32,
    /// Column of C.
    pub col: u32,
}

/// Seeds: `fraud`, sha256(commit).
#[account(zero_copy)]
#[derive(Debug)]
pub struct FraudCase {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Wrong entries proven.
    pub entry_count: u8,
    /// One when a false seed link was proven: fraud at once.
    pub link_proven: u8,
    /// One when its consequence was executed.
    pub executed: u8,
    /// Zeros.
    pub padding: [u8; 3],
    /// The commit, as `millrace_core::proof::Commit` encodes it, padded with zeros.
    pub commit: [u8; COMMIT_SPACE],
    /// Node accused.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Who opened it: receives the bounty, gets the deposit back once an entry is proven, and the rent.
    pub opener: Pubkey,
    /// Deposit, lamports, kept on this account beside its rent.
    pub deposit_lamports: u64,
    /// Instant it was opened.
    pub opened_at: i64,
    /// Instant from which what was proven so far is executed.
    pub closes_at: i64,
    /// Instant it was executed.
    pub executed_at: i64,
    /// The entries proven.
    pub entries: [ProvenEntry; ENTRIES_FOR_FRAUD],
    /// Zeros.
    pub padding2: [u8; 4],
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

impl FraudCase {
    /// Whether what was proven is fraud rather than a flipped bit.
    pub fn is_fraud(&self) -> bool {
        self.link_proven == 1 || usize::from(self.entry_count) >= ENTRIES_FOR_FRAUD
    }

    /// Whether `entry` shares a row or a column with one already proven. One flipped operand spoils a whole row
    /// of one round, so rows and columns of different rounds are different.
    pub fn shares_line(&self, entry: &ProvenEntry) -> bool {
        self.entries.iter().take(usize::from(self.entry_count)).any(|proven| {
            proven.round == entry.round && (proven.row == entry.row || proven.col == entry.col)
        })
    }
}
