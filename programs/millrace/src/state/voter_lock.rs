//! Tokens locked for a say.

use anchor_lang::prelude::*;
use millrace_core::vote;

use super::Params;
use crate::errors::MillraceError;

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
    /// Weight of one unit, basis points, fixed when locked: 10,000 to 40,000.
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

impl VoterLock {
    /// Adds `amount` and locks everything for `lock_secs` from now on: a new lock of the whole, which no proposal made
    /// before counts, and which ends no earlier than the one before.
    ///
    /// # Errors
    /// [`MillraceError::ZeroAmount`], [`MillraceError::LockTooShort`], [`MillraceError::LockTooLong`],
    /// [`MillraceError::MathOverflow`].
    pub fn add(&mut self, amount: u64, lock_secs: i64, params: &Params, now: i64) -> Result<()> {
        require!(amount > 0, MillraceError::ZeroAmount);
        require!(lock_secs >= params.voting_secs, MillraceError::LockTooShort);
        require!(lock_secs <= params.max_lock_secs, MillraceError::LockTooLong);
        let lock_until = now.checked_add(lock_secs).ok_or(MillraceError::MathOverflow)?;
        require!(lock_until >= self.lock_until, MillraceError::LockTooShort);
        self.amount = self.amount.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        self.multiplier_bps = vote::multiplier_bps(lock_secs, params.voting_secs, params.max_lock_secs);
        self.weight = vote::weight(self.amount, self.multiplier_bps).ok_or(MillraceError::MathOverflow)?;
        self.lock_secs = lock_secs;
        self.lock_until = lock_until;
        self.created_at = now;
        Ok(())
    }

    /// Counts a vote: the tokens stay until `voting_ends_at`.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn hold(&mut self, voting_ends_at: i64) -> Result<()> {
        self.held_until = self.held_until.max(voting_ends_at);
        self.open_votes = self.open_votes.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        Ok(())
    }

    /// A vote's account was closed.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn vote_closed(&mut self) -> Result<()> {
        self.open_votes = self.open_votes.checked_sub(1).ok_or(MillraceError::InvariantBroken)?;
        Ok(())
    }

    /// Whether the tokens may be taken out at `now`: the lock is over, and so is every proposal voted on.
    ///
    /// # Errors
    /// [`MillraceError::LockHeld`].
    pub fn require_free(&self, now: i64) -> Result<()> {
        let is_free = now >= self.lock_until && now >= self.held_until && self.open_votes == 0;
        require!(is_free, MillraceError::LockHeld);
        Ok(())
    }
}
