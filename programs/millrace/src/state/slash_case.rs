//! A judged offence: frozen first, open to appeal, executed by anyone.

use anchor_lang::prelude::*;

use super::Provider;
use crate::errors::MillraceError;

/// What a node is charged with. Each is shown by a leaf of an accepted report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Offence {
    /// It committed to a computation and did not open it in time.
    Withheld = 0,
    /// It was repeatedly found slower than half of what it sells.
    Capacity = 1,
}

/// Seeds: `slash`, provider, number.
#[account(zero_copy)]
#[derive(Debug)]
pub struct SlashCase {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// An [`Offence`].
    pub offence: u8,
    /// One when governance has been asked to overturn it: its appeal time was extended, once.
    pub is_appealed: u8,
    /// Number under its provider.
    pub number: u32,
    /// Provider charged.
    pub provider: Pubkey,
    /// Node charged.
    pub node: Pubkey,
    /// Who showed the offence: gets the bounty and paid the rent.
    pub prover: Pubkey,
    /// Token account that gets the bounty; where it cannot be paid, the bounty burns.
    pub bounty_account: Pubkey,
    /// sha256 of the leaf that shows the offence.
    pub evidence_hash: [u8; 32],
    /// Epoch of the audit it is about.
    pub audit_epoch: u64,
    /// What is still frozen, base units.
    pub frozen_amount: u64,
    /// What was executed so far, base units.
    pub executed_amount: u64,
    /// Instant it was opened.
    pub opened_at: i64,
    /// Instant from which anyone may execute it.
    pub appeal_until: i64,
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

impl SlashCase {
    /// Gives governance time until `until` to overturn it: once, before the time to appeal is over.
    ///
    /// # Errors
    /// [`MillraceError::NothingToSlash`], [`MillraceError::AlreadyAppealed`], [`MillraceError::AppealOver`].
    pub fn appeal(&mut self, until: i64, now: i64) -> Result<()> {
        require!(self.frozen_amount > 0, MillraceError::NothingToSlash);
        require!(self.is_appealed == 0, MillraceError::AlreadyAppealed);
        require!(now < self.appeal_until, MillraceError::AppealOver);
        self.is_appealed = 1;
        self.appeal_until = self.appeal_until.max(until);
        Ok(())
    }

    /// Gives what is still frozen back to the provider's stake, by a vote. Returns it.
    ///
    /// # Errors
    /// [`MillraceError::NothingToSlash`], [`MillraceError::InvariantBroken`], [`MillraceError::MathOverflow`].
    pub fn overturn(&mut self, provider: &mut Provider) -> Result<u64> {
        require!(self.frozen_amount > 0, MillraceError::NothingToSlash);
        let amount = std::mem::take(&mut self.frozen_amount);
        provider.frozen = provider.frozen.checked_sub(amount).ok_or(MillraceError::InvariantBroken)?;
        provider.stake = provider.stake.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        provider.invariant()?;
        Ok(amount)
    }
}
