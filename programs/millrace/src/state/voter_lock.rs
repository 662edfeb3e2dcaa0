//! Tokens locked for a say.

use anchor_lang::prelude::*;

/// Seeds: `lock`, voter. Its vault holds `amount` or more.
#[account(zero_copy)]
#[derive(Debug)]
pub struct VoterLock {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Zeros.
    pub padding: [u8; 2],
    /// Votes whose account is open.
    pub open_votes: u32,
    /// Whose tokens they are.
    pub voter: Pubkey,
    /// Token account of this lock, owned by this account.
    pub vault: Pubkey,
    /// Base units locked.
    pub amount: u64,
    /// Weight of one unit, basis points, fixed when locked: 10,000 to 40,000, or zero for a lock too short.
    pub multiplier_bps: u64,
    /// `amount × multiplier`, as counted in [`super::Config::vote_weight_total`].
    pub weight: u64,
    /// Length of the lock, seconds.
    pub lock_secs: i64,
    /// Instant from which it may be taken out.
    pub lock_until: i64,
    /// Instant of the last deposit: only older locks vote on a proposal.
    pub created_at: i64,
    /// Instant the last proposal voted on ends.
    pub held_until: i64,
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}
