//! What token holders decide.

use anchor_lang::prelude::*;

/// Most bytes of a proposal's payload.
pub const MAX_PAYLOAD: usize = 640;

/// What a proposal would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ProposalKind {
    /// Sets the parameters, from a later epoch on.
    UpdateParams = 0,
    /// Names who may pause new work.
    SetGuardian = 1,
    /// Gives an oracle a seat.
    AddOracle = 2,
    /// Takes an oracle's seat.
    RemoveOracle = 3,
    /// Pays out of the treasury.
    TreasuryTransfer = 4,
    /// Gives back what a judged case froze.
    OverturnSlash = 5,
    /// Turns the ruling of a dispute round.
    OverturnRuling = 6,
    /// Replaces the program.
    UpgradeProgram = 7,
}

/// Seeds: `proposal`, id. What it would do is fixed when it is made: the payload lies in the account.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Proposal {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// A [`ProposalKind`].
    pub kind: u8,
    /// One once it was executed, or closed without.
    pub is_done: u8,
    /// Bytes of `payload` in use.
    pub payload_len: u16,
    /// One once its deposit was returned or kept.
    pub is_deposit_settled: u8,
    /// Zeros.
    pub padding: [u8; 1],
    /// Its number.
    pub id: u64,
    /// Who made it.
    pub proposer: Pubkey,
    /// sha256 of kind and payload.
    pub payload_hash: [u8; 32],
    /// Account it is about (a case, a dispute, a buffer, a receiver), zeros if none.
    pub target: Pubkey,
    /// Deposit, base units.
    pub deposit_amount: u64,
    /// Weight in favour.
    pub yes_weight: u64,
    /// Weight against.
    pub no_weight: u64,
    /// Tokens that voted, base units, multipliers left out.
    pub voted_amount: u64,
    /// All weight there was when it was made.
    pub total_weight: u64,
    /// Mint supply when it was made, base units.
    pub supply_amount: u64,
    /// Instant it was made.
    pub created_at: i64,
    /// Instant votes end.
    pub voting_ends_at: i64,
    /// First instant it may be executed.
    pub eta: i64,
    /// Last instant it may be executed.
    pub expires_at: i64,
    /// Quorum it needs, basis points of `total_weight`.
    pub quorum_bps: u16,
    /// Zeros.
    pub padding2: [u8; 6],
    /// What its kind needs, Borsh-encoded.
    pub payload: [u8; MAX_PAYLOAD],
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

/// Seeds: `vote`, proposal, voter. Shows that the voter voted, and how; it cannot be closed before the proposal ends.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Vote {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// One for, zero against.
    pub is_yes: u8,
    /// Zeros.
    pub padding: [u8; 5],
    /// The proposal.
    pub proposal: Pubkey,
    /// The voter.
    pub voter: Pubkey,
    /// Weight it counted with.
    pub weight: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}
