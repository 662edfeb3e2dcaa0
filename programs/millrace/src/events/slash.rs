//! Events of fraud cases, judged cases and slashed oracles. Amounts are base units after the change, unless they say otherwise.

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

/// An operator signed another commit for the same node, GPU and epoch: fraud. Emitted for each of the two cases.
#[event]
pub struct DoubleCommitProven {
    /// Number among the case's events.
    pub sequence: u64,
    /// The case account.
    pub case: Pubkey,
    /// The case of the other commit.
    pub other_case: Pubkey,
    /// Who proved it.
    pub prover: Pubkey,
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
    /// Instant from which nothing more is proven.
    pub closes_at: i64,
    /// Deposit paid out now, lamports.
    pub deposit_lamports: u64,
    /// Who got it.
    pub deposit_to: Pubkey,
    /// Stake the node answers with.
    pub node_locked_stake: u64,
    /// Bond behind its bid.
    pub node_bid_bond: u64,
    /// The provider's stake.
    pub provider_stake: u64,
    /// Stake the provider has locked.
    pub provider_locked: u64,
    /// Of that, behind bids.
    pub provider_bonds: u64,
    /// The provider's stake on its way out.
    pub provider_unbonding: u64,
    /// Taken out of its stake for claims that wait to be paid.
    pub provider_claims: u64,
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

/// A node answered with its stake for another of its provider.
#[event]
pub struct NodeSlashed {
    /// Number among the node's events.
    pub sequence: u64,
    /// The node account.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// The node's state.
    pub state: u8,
    /// Stake it still locks.
    pub locked_stake: u64,
    /// Bond still behind its bid.
    pub bid_bond: u64,
}

/// A node was charged with an offence that is judged.
#[event]
pub struct SlashCaseOpened {
    /// Number among the case's events.
    pub sequence: u64,
    /// The case account.
    pub case: Pubkey,
    /// Number under its provider.
    pub number: u32,
    /// Provider charged.
    pub provider: Pubkey,
    /// Node charged.
    pub node: Pubkey,
    /// A [`crate::state::Offence`].
    pub offence: u8,
    /// Who showed it.
    pub prover: Pubkey,
    /// Epoch of the audit it is about.
    pub audit_epoch: u64,
    /// sha256 of the leaf that shows it.
    pub evidence_hash: [u8; 32],
    /// Frozen for it.
    pub frozen_amount: u64,
    /// Instant from which it may be executed.
    pub appeal_until: i64,
    /// The node's state.
    pub node_state: u8,
    /// Stake the node answers with.
    pub node_locked_stake: u64,
    /// Bond behind its bid.
    pub node_bid_bond: u64,
    /// The provider's stake.
    pub provider_stake: u64,
    /// Stake the provider has locked.
    pub provider_locked: u64,
    /// Of that, behind bids.
    pub provider_bonds: u64,
    /// The provider's stake on its way out.
    pub provider_unbonding: u64,
    /// Taken out of its stake for claims that wait to be paid.
    pub provider_claims: u64,
    /// Taken out of its stake for judged cases.
    pub provider_frozen: u64,
}

/// A judged case had its consequence, or the part of it that the epoch's cap allowed.
#[event]
pub struct SlashCaseExecuted {
    /// Number among the case's events.
    pub sequence: u64,
    /// The case account.
    pub case: Pubkey,
    /// Provider charged.
    pub provider: Pubkey,
    /// Taken now.
    pub taken_amount: u64,
    /// Paid to the bounty account now.
    pub bounty_amount: u64,
    /// Burned now.
    pub burn_amount: u64,
    /// Still frozen by this case.
    pub frozen_amount: u64,
    /// Executed of it so far.
    pub executed_amount: u64,
    /// Frozen of the provider, all cases together.
    pub provider_frozen: u64,
    /// Slashed of the provider so far.
    pub provider_slashed_total: u64,
    /// Burned by the program since genesis.
    pub burned_total: u64,
}

/// A judged case's account was closed.
#[event]
pub struct SlashCaseClosed {
    /// Number among the case's events: its last.
    pub sequence: u64,
    /// The case account.
    pub case: Pubkey,
    /// Provider charged.
    pub provider: Pubkey,
    /// Judged cases of that provider whose account is still open.
    pub open_slash_cases: u32,
}

/// An oracle lost its stake for passing what it had not checked.
#[event]
pub struct OracleSlashed {
    /// Number among the oracle's events.
    pub sequence: u64,
    /// The oracle account.
    pub oracle: Pubkey,
    /// The case with the wrong entry.
    pub case: Pubkey,
    /// Taken.
    pub taken_amount: u64,
    /// Paid to the bounty account.
    pub bounty_amount: u64,
    /// Burned.
    pub burn_amount: u64,
    /// The oracle's stake.
    pub stake: u64,
    /// Its stake on its way out.
    pub unbonding_amount: u64,
    /// Slashed of it so far.
    pub slashed_total: u64,
    /// Burned by the program since genesis.
    pub burned_total: u64,
}
