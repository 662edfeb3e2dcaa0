//! A seller of GPU time: its stake, what it earned, and how it has done.

use anchor_lang::prelude::*;

use crate::constants::{ENDPOINT_LEN, MAX_UNBONDING};
use crate::errors::MillraceError;

/// Whether a provider may take new work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ProviderStatus {
    /// May bid.
    Active = 0,
    /// May not bid or register until [`Provider::jailed_until`].
    Jailed = 1,
}

/// Stake on its way out. Slashable until withdrawn.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct Unbonding {
    /// Base units.
    pub amount: u64,
    /// Instant from which it may be withdrawn; fixed when unstaking began.
    pub matures_at: i64,
}

/// Seeds: `provider`, authority. Its vault holds `stake + unbonding + earned` or more (I2).
#[account(zero_copy)]
#[derive(Debug)]
pub struct Provider {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// A [`ProviderStatus`].
    pub status: u8,
    /// Entries in use at the front of `unbonding`, oldest first.
    pub unbonding_count: u8,
    /// Reliability, basis points.
    pub reliability_bps: u16,
    /// Zeros.
    pub padding: [u8; 2],
    /// Cold key: owns the money.
    pub authority: Pubkey,
    /// Hot key of the agent: bids and signs commits, never withdraws.
    pub operator: Pubkey,
    /// Hot key before the last rotation; commits of epochs before `operator_since_epoch` are under it.
    pub previous_operator: Pubkey,
    /// Epoch from which `operator` signs.
    pub operator_since_epoch: u64,
    /// Token account of this provider, owned by this account.
    pub vault: Pubkey,
    /// Stake at work or free, base units.
    pub stake: u64,
    /// Part of `stake` that nodes and bonds lock (I3), base units.
    pub locked: u64,
    /// Income, withdrawable at once, base units.
    pub earned: u64,
    /// Part of `locked` behind live bids, base units.
    pub bonds: u64,
    /// Most the operator may have locked behind bids at once, base units; set by the cold key.
    pub max_bonds_amount: u64,
    /// Least the operator may bid, base units a second; set by the cold key.
    pub min_bid_per_sec: u64,
    /// Stake on its way out, oldest first.
    pub unbonding: [Unbonding; MAX_UNBONDING],
    /// Leases completed.
    pub completions: u64,
    /// Leases its nodes failed.
    pub failures: u64,
    /// Leases stopped by the customer or left by an exit.
    pub interruptions: u64,
    /// Base units slashed so far.
    pub slashed_total: u64,
    /// Instant a jail ends.
    pub jailed_until: i64,
    /// Index of the next node.
    pub next_node_index: u32,
    /// Nodes whose account is open.
    pub open_nodes: u32,
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// URL of the agent, UTF-8, padded with zeros.
    pub endpoint: [u8; ENDPOINT_LEN],
    /// sha256 of the agent's TLS public key; zeros where requests and answers are only signed.
    pub tls_spki_hash: [u8; 32],
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

impl Provider {
    /// Sum of the unbonding entries, base units.
    pub fn unbonding_amount(&self) -> u64 {
        self.unbonding_entries().iter().fold(0, |sum: u64, entry| sum.saturating_add(entry.amount))
    }

    /// The unbonding entries in use, oldest first.
    pub fn unbonding_entries(&self) -> &[Unbonding] {
        self.unbonding.get(..usize::from(self.unbonding_count)).unwrap_or(&[])
    }

    /// Stake no node and no bid locks, base units.
    pub fn free_stake(&self) -> u64 {
        self.stake.saturating_sub(self.locked)
    }

    /// What the vault must hold at least (I2), base units.
    pub fn owed(&self) -> u64 {
        self.stake.saturating_add(self.unbonding_amount()).saturating_add(self.earned)
    }

    /// Locks free stake.
    ///
    /// # Errors
    /// [`MillraceError::NotEnoughStake`].
    pub fn lock(&mut self, amount: u64) -> Result<()> {
        require!(amount <= self.free_stake(), MillraceError::NotEnoughStake);
        self.locked = self.locked.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        Ok(())
    }

    /// Unlocks what was locked.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`] when more than is locked.
    pub fn unlock(&mut self, amount: u64) -> Result<()> {
        self.locked = self.locked.checked_sub(amount).ok_or(MillraceError::InvariantBroken)?;
        Ok(())
    }

    /// Locks a bid bond within the cold key's cap.
    ///
    /// # Errors
    /// [`MillraceError::BondCapExceeded`], [`MillraceError::NotEnoughStake`].
    pub fn lock_bond(&mut self, amount: u64) -> Result<()> {
        let bonds = self.bonds.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        require!(bonds <= self.max_bonds_amount, MillraceError::BondCapExceeded);
        self.lock(amount)?;
        self.bonds = bonds;
        Ok(())
    }

    /// Returns a bid bond to free stake.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`] when more than stands.
    pub fn unlock_bond(&mut self, amount: u64) -> Result<()> {
        self.bonds = self.bonds.checked_sub(amount).ok_or(MillraceError::InvariantBroken)?;
        self.unlock(amount)
    }

    /// Whether `operator` may act for this provider at `now`.
    ///
    /// # Errors
    /// [`MillraceError::ProviderJailed`].
    pub fn require_active(&self, now: i64) -> Result<()> {
        let jailed = self.status == ProviderStatus::Jailed as u8 && now < self.jailed_until;
        require!(!jailed, MillraceError::ProviderJailed);
        Ok(())
    }

    /// The key that signs commits of `epoch`.
    pub fn operator_at(&self, epoch: u64) -> Pubkey {
        if epoch >= self.operator_since_epoch {
            self.operator
        } else {
            self.previous_operator
        }
    }

    /// I3: bonds ≤ locked ≤ stake.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn invariant(&self) -> Result<()> {
        require!(self.bonds <= self.locked && self.locked <= self.stake, MillraceError::InvariantBroken);
        Ok(())
    }
}
