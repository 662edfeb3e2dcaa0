//! Events of fraud cases. Amounts are base units after the change, unless they say otherwise.

use anchor_lang::prelude::*;

/// A commit was accused.
#[event]
pub struct CaseOpened {
    /// Number among the case's events.
    pub sequence: u64,
    /// The case account.
    pub case: Pubkey,
    /// sha256 of the commit.
    pub commit_id: [u8; 32],
    /// Node accused.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Who opened it.
    pub opener: Pubkey,
    /// Epoch of the commit.
    pub epoch: u64,
    /// Deposit, lamports.
    pub deposit_lamports: u64,
    /// Instant from which what was proven is executed.
    pub closes_at: i64,
}

/// A committed entry was recomputed and is wrong.
#[event]
pub struct EntryProven {
    /// Number among the case's events.
    pub sequence: u64,
    /// The case account.
    pub case: Pubkey,
    /// Who proved it.
    pub prover: Pubkey,
    /// Round of the entry.
    pub round: u32,
    /// Its row.
    pub row: u32,
    /// Its column.
    pub col: u32,
    /// Entries proven so far.
    pub entry_count: u8,
}

/// A committed seed does not follow from what was committed before it: fraud.
#[event]
pub struct LinkProven {
    /// Number among the case's events.
    pub sequence: u64,
    /// The case account.
    pub case: Pubkey,
    /// Who proved it.
    pub prover: Pubkey,
    /// Round whose seed is false.
    pub round: u32,
}

/// A case had its consequence, or a further part of it.
#[event]
pub struct SlashExecuted {
    /// Number among the case's events.
    pub sequence: u64,
    /// The case account.
    pub case: Pubkey,
    /// Node accused.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// What was proven, a [`crate::state::Outcome`].
    pub outcome: u8,
    /// Taken now.
    pub taken_amount: u64,
    /// Paid to the bounty account now.
    pub bounty_amount: u64,
    /// Burned now.
    pub burn_amount: u64,
    /// Still out of reach.
    pub unpaid_amount: u64,
    /// Deposit paid out now, lamports.
    pub deposit_lamports: u64,
    /// Who got it.
    pub deposit_to: Pubkey,
    /// Stake the node answers with.
    pub node_locked_stake: u64,
    /// The provider's stake.
    pub provider_stake: u64,
    /// Stake the provider has locked.
    pub provider_locked: u64,
    /// The provider's stake on its way out.
    pub provider_unbonding: u64,
    /// Instant its jail ends.
    pub provider_jailed_until: i64,
    /// Burned by the program since genesis.
    pub burned_total: u64,
}

/// A case account was closed.
#[event]
pub struct CaseClosed {
    /// Number among the case's events.
    pub sequence: u64,
    /// The case account.
    pub case: Pubkey,
}
