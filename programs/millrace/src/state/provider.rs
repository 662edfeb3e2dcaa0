//! A seller of GPU time: its stake, what it earned, and how it has done.

use anchor_lang::prelude::*;
use millrace_core::epoch::FRAUD_WINDOW_EPOCHS;
use millrace_core::slash::judged_cap;

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
    /// Leases whose account is open: their holdback is still to come.
    pub open_leases: u16,
    /// Cold key it registered under: its address and its vault's signer seed for ever.
    pub origin: Pubkey,
    /// Cold key: owns the money.
    pub authority: Pubkey,
    /// Cold key to be, once it accepts; zeros if none.
    pub pending_authority: Pubkey,
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
    /// Part of `locked` behind guaranteed leases, base units.
    pub lease_bonds: u64,
    /// Taken out of the stake by judged cases that are not executed yet, base units.
    pub frozen: u64,
    /// Taken out of the stake for those its bonds pay, until their claims mature, base units. Slashable last.
    pub claims: u64,
    /// Epoch of the last execution of a judged case.
    pub judged_epoch: u64,
    /// What the provider could lose at that epoch's first execution, base units.
    pub judged_base_amount: u64,
    /// What it lost by judgement in that epoch, base units.
    pub judged_amount: u64,
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
    /// Number of the next claim on its bonds.
    pub next_claim: u32,
    /// Claims on its bonds whose account is open.
    pub open_claims: u32,
    /// Claims on others' bonds that will be paid to it.
    pub claims_due: u32,
    /// Number of the next judged case.
    pub next_slash_case: u32,
    /// Judged cases whose account is open.
    pub open_slash_cases: u32,
    /// Zeros.
    pub padding: [u8; 4],
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

/// What leaves the vault at a withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payout {
    /// Income, base units.
    pub earned_amount: u64,
    /// Matured stake, base units.
    pub unbonded_amount: u64,
}

impl Provider {
    /// Credits stake that arrived.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn add_stake(&mut self, amount: u64) -> Result<()> {
        self.stake = self.stake.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        Ok(())
    }

    /// Turns free stake into an unbonding entry.
    ///
    /// # Errors
    /// [`MillraceError::NotEnoughStake`], [`MillraceError::UnbondingFull`].
    pub fn begin_unstake(&mut self, amount: u64, matures_at: i64) -> Result<()> {
        require!(amount <= self.free_stake(), MillraceError::NotEnoughStake);
        let entry = self.unbonding.get_mut(usize::from(self.unbonding_count)).ok_or(MillraceError::UnbondingFull)?;
        *entry = Unbonding { amount, matures_at };
        self.unbonding_count = self.unbonding_count.saturating_add(1);
        self.stake = self.stake.checked_sub(amount).ok_or(MillraceError::InvariantBroken)?;
        Ok(())
    }

    /// Takes out all earnings and every entry matured at `now`; the others keep their order.
    ///
    /// # Errors
    /// [`MillraceError::NothingToWithdraw`], [`MillraceError::MathOverflow`].
    pub fn withdraw(&mut self, now: i64) -> Result<Payout> {
        let earned_amount = std::mem::take(&mut self.earned);
        let mut unbonded_amount = 0u64;
        let mut kept = [Unbonding { amount: 0, matures_at: 0 }; MAX_UNBONDING];
        let mut kept_count = 0u8;
        for entry in self.unbonding_entries() {
            if entry.matures_at <= now {
                unbonded_amount = unbonded_amount.checked_add(entry.amount).ok_or(MillraceError::MathOverflow)?;
            } else {
                kept[usize::from(kept_count)] = *entry;
                kept_count = kept_count.saturating_add(1);
            }
        }
        self.unbonding = kept;
        self.unbonding_count = kept_count;
        let payout_amount = earned_amount.checked_add(unbonded_amount).ok_or(MillraceError::MathOverflow)?;
        require!(payout_amount > 0, MillraceError::NothingToWithdraw);
        Ok(Payout { earned_amount, unbonded_amount })
    }

    /// Opens the next node's place and locks its stake. Returns its index.
    ///
    /// # Errors
    /// [`MillraceError::NotEnoughStake`], [`MillraceError::MathOverflow`].
    pub fn add_node(&mut self, locked_stake: u64) -> Result<u32> {
        self.lock(locked_stake)?;
        let index = self.next_node_index;
        self.next_node_index = index.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        self.open_nodes = self.open_nodes.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        Ok(index)
    }

    /// Counts a lease whose account was opened; its provider stays until it is closed.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn lease_opened(&mut self) -> Result<()> {
        self.open_leases = self.open_leases.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        Ok(())
    }

    /// Counts a lease whose account was closed.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn lease_closed(&mut self) -> Result<()> {
        self.open_leases = self.open_leases.checked_sub(1).ok_or(MillraceError::InvariantBroken)?;
        Ok(())
    }

    /// Makes `operator` the hot key: it bids at once and signs commits from the epoch after `epoch`.
    ///
    /// # Errors
    /// [`MillraceError::RotatedTooSoon`]: the key before the last could still be needed to judge a commit.
    pub fn rotate_operator(&mut self, operator: Pubkey, epoch: u64) -> Result<()> {
        let was_rotated = self.operator_since_epoch > 0;
        let window_ends = self.operator_since_epoch.saturating_add(FRAUD_WINDOW_EPOCHS);
        require!(!was_rotated || epoch >= window_ends, MillraceError::RotatedTooSoon);
        self.previous_operator = std::mem::replace(&mut self.operator, operator);
        self.operator_since_epoch = epoch.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        Ok(())
    }

    /// Names the cold key to be; zeros take the name back.
    pub fn propose_authority(&mut self, authority: Pubkey) {
        self.pending_authority = authority;
    }

    /// Makes the proposed cold key the cold key. Returns the one before. Address and vault stay where they are.
    ///
    /// # Errors
    /// [`MillraceError::NoPendingAuthority`] when `signer` was not proposed.
    pub fn accept_authority(&mut self, signer: &Pubkey) -> Result<Pubkey> {
        let is_proposed = self.pending_authority != Pubkey::default() && self.pending_authority == *signer;
        require!(is_proposed, MillraceError::NoPendingAuthority);
        Ok(std::mem::replace(&mut self.authority, std::mem::take(&mut self.pending_authority)))
    }

    /// Whether `signer` is the hot key, or the cold key, which may do whatever the hot key may.
    ///
    /// # Errors
    /// [`MillraceError::WrongOperator`].
    pub fn require_operator(&self, signer: &Pubkey) -> Result<()> {
        require!(*signer == self.operator || *signer == self.authority, MillraceError::WrongOperator);
        Ok(())
    }

    /// Whether nothing is owed to it and nothing can still come.
    ///
    /// # Errors
    /// [`MillraceError::ProviderNotEmpty`].
    pub fn require_empty(&self) -> Result<()> {
        let open =
            [self.open_nodes, u32::from(self.open_leases), self.open_claims, self.claims_due, self.open_slash_cases];
        let is_empty = self.owed() == 0 && open == [0; 5];
        require!(is_empty, MillraceError::ProviderNotEmpty);
        Ok(())
    }

    /// Sum of the unbonding entries, base units.
    pub fn unbonding_amount(&self) -> u64 {
        self.unbonding_entries().iter().fold(0, |sum: u64, entry| sum.saturating_add(entry.amount))
    }

    /// The unbonding entries in use, oldest first.
    pub fn unbonding_entries(&self) -> &[Unbonding] {
        self.unbonding.get(..usize::from(self.unbonding_count)).unwrap_or(&[])
    }

    /// Whether no penalty will ever reach anything, unless new stake arrives.
    pub fn has_nothing_to_slash(&self) -> bool {
        self.stake == 0 && self.unbonding_count == 0 && self.frozen == 0 && self.claims == 0
    }

    /// Stake no node and no bid locks, base units.
    pub fn free_stake(&self) -> u64 {
        self.stake.saturating_sub(self.locked)
    }

    /// What the vault must hold at least (I2), base units.
    pub fn owed(&self) -> u64 {
        [self.unbonding_amount(), self.earned, self.frozen, self.claims]
            .iter()
            .fold(self.stake, |sum, part| sum.saturating_add(*part))
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

    /// Locks the bond of a guaranteed lease.
    ///
    /// # Errors
    /// [`MillraceError::NotEnoughStake`].
    pub fn lock_lease_bond(&mut self, amount: u64) -> Result<()> {
        self.lock(amount)?;
        self.lease_bonds = self.lease_bonds.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        Ok(())
    }

    /// Returns the bond of a guaranteed lease, or what is left of it, to free stake.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`] when more than stands.
    pub fn unlock_lease_bond(&mut self, amount: u64) -> Result<()> {
        self.lease_bonds = self.lease_bonds.checked_sub(amount).ok_or(MillraceError::InvariantBroken)?;
        self.unlock(amount)
    }

    /// Turns `amount` of free stake into a claim on it: whoever it is for is paid when the claim matures. Returns the
    /// claim's number.
    ///
    /// # Errors
    /// [`MillraceError::NotEnoughStake`], [`MillraceError::MathOverflow`].
    pub fn open_claim(&mut self, amount: u64) -> Result<u32> {
        require!(amount <= self.free_stake(), MillraceError::NotEnoughStake);
        self.stake = self.stake.checked_sub(amount).ok_or(MillraceError::InvariantBroken)?;
        self.claims = self.claims.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        let number = self.next_claim;
        self.next_claim = number.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        self.open_claims = self.open_claims.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        Ok(number)
    }

    /// Takes a bid bond out of the stake.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`] when more than stands.
    pub fn forfeit_bond(&mut self, amount: u64) -> Result<()> {
        self.unlock_bond(amount)?;
        self.stake = self.stake.checked_sub(amount).ok_or(MillraceError::InvariantBroken)?;
        Ok(())
    }

    /// Takes `amount` of locked stake out of it.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`] when less is locked.
    pub fn take_locked(&mut self, amount: u64) -> Result<()> {
        self.unlock(amount)?;
        self.stake = self.stake.checked_sub(amount).ok_or(MillraceError::InvariantBroken)?;
        Ok(())
    }

    /// Takes up to `amount` of free stake. Returns what was taken.
    pub fn take_free(&mut self, amount: u64) -> u64 {
        let taken = amount.min(self.free_stake());
        self.stake = self.stake.saturating_sub(taken);
        taken
    }

    /// Takes up to `amount` of unbonding stake, newest first. Returns what was taken.
    pub fn take_unbonding(&mut self, amount: u64) -> u64 {
        let mut rest = amount;
        while let Some(newest) = self.unbonding[..usize::from(self.unbonding_count)].last_mut() {
            if rest == 0 {
                break;
            }
            let part = rest.min(newest.amount);
            newest.amount = newest.amount.saturating_sub(part);
            rest = rest.saturating_sub(part);
            if newest.amount == 0 {
                *newest = Unbonding { amount: 0, matures_at: 0 };
                self.unbonding_count = self.unbonding_count.saturating_sub(1);
            }
        }
        amount.saturating_sub(rest)
    }

    /// Counts what was slashed.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn record_slash(&mut self, amount: u64) -> Result<()> {
        self.slashed_total = self.slashed_total.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        Ok(())
    }

    /// Keeps `amount`, taken out of its stake, for a judged case. Returns the case's number.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn freeze(&mut self, amount: u64) -> Result<u32> {
        self.frozen = self.frozen.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        let number = self.next_slash_case;
        self.next_slash_case = number.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        self.open_slash_cases = self.open_slash_cases.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        Ok(number)
    }

    /// Gives `amount` of what is frozen back to free stake.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`] when less is frozen.
    pub fn unfreeze(&mut self, amount: u64) -> Result<()> {
        self.frozen = self.frozen.checked_sub(amount).ok_or(MillraceError::InvariantBroken)?;
        self.add_stake(amount)
    }

    /// Takes up to `amount` of what is frozen, as far as `max_bps` lets a provider lose by judgement in `epoch`: a
    /// share of its stake, unbonding and frozen stake at the epoch's first execution. Returns what was taken.
    ///
    /// # Errors
    /// [`MillraceError::EpochCapReached`]; [`MillraceError::InvariantBroken`] when less is frozen.
    pub fn execute_frozen(&mut self, amount: u64, epoch: u64, max_bps: u16) -> Result<u64> {
        if self.judged_epoch != epoch || self.judged_base_amount == 0 {
            self.judged_epoch = epoch;
            self.judged_base_amount = self.stake.saturating_add(self.unbonding_amount()).saturating_add(self.frozen);
            self.judged_amount = 0;
        }
        let cap = judged_cap(self.judged_base_amount, max_bps).ok_or(MillraceError::ParameterOutOfBounds)?;
        let taken = amount.min(cap.saturating_sub(self.judged_amount));
        require!(taken > 0, MillraceError::EpochCapReached);
        self.frozen = self.frozen.checked_sub(taken).ok_or(MillraceError::InvariantBroken)?;
        self.judged_amount = self.judged_amount.saturating_add(taken);
        self.record_slash(taken)?;
        Ok(taken)
    }

    /// Counts a judged case whose account was closed.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn slash_case_closed(&mut self) -> Result<()> {
        self.open_slash_cases = self.open_slash_cases.checked_sub(1).ok_or(MillraceError::InvariantBroken)?;
        Ok(())
    }

    /// Jails it until `until`, or for longer if it already is.
    pub fn jail(&mut self, until: i64) {
        self.status = ProviderStatus::Jailed as u8;
        self.jailed_until = self.jailed_until.max(until);
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
        let bonds = self.bonds.saturating_add(self.lease_bonds);
        require!(bonds <= self.locked && self.locked <= self.stake, MillraceError::InvariantBroken);
        Ok(())
    }
}
