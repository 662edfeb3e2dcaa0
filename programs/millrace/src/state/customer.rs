//! A buyer's escrow and its books.

use anchor_lang::prelude::*;
use millrace_core::lease::Payment;
use millrace_core::money::FeeSplit;

use crate::errors::MillraceError;

/// Seeds: `customer`, authority. Its vault holds `free + reserved + holdbacks + fee_due` or more (I1).
#[account(zero_copy)]
#[derive(Debug)]
pub struct Customer {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Zeros.
    pub padding: [u8; 2],
    /// Jobs whose account is open.
    pub open_jobs: u32,
    /// Claims on bonds that will be paid to it.
    pub claims_due: u32,
    /// Zeros.
    pub padding2: [u8; 4],
    /// Who owns the money.
    pub authority: Pubkey,
    /// Token account of this customer, owned by this account.
    pub vault: Pubkey,
    /// Withdrawable, base units.
    pub free: u64,
    /// Set aside for open jobs, leases and disputes, base units.
    pub reserved: u64,
    /// Held back from providers until acceptance, base units.
    pub holdbacks: u64,
    /// Fees charged and not yet swept, base units.
    pub fee_due: u64,
    /// Paid in so far, base units.
    pub deposited: u64,
    /// Compensation received so far (claims on bonds), base units.
    pub received: u64,
    /// Paid out to the authority so far, base units.
    pub refunded: u64,
    /// Paid to providers so far, base units.
    pub paid: u64,
    /// Burned so far, base units.
    pub burned: u64,
    /// To the oracle pool so far, base units.
    pub oracle_share: u64,
    /// To the treasury so far, base units.
    pub treasury_share: u64,
    /// Id of the next job.
    pub next_job_id: u64,
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved_bytes: [u8; 64],
}

/// Adds or subtracts in place, and names the failure.
fn add(to: &mut u64, amount: u64) -> Result<()> {
    *to = to.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
    Ok(())
}

fn sub(from: &mut u64, amount: u64, error: MillraceError) -> Result<()> {
    *from = from.checked_sub(amount).ok_or(error)?;
    Ok(())
}

impl Customer {
    /// What the vault must hold at least (I1), base units.
    pub fn owed(&self) -> u64 {
        self.free.saturating_add(self.reserved).saturating_add(self.holdbacks).saturating_add(self.fee_due)
    }

    /// Credits what arrived.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn deposit(&mut self, amount: u64) -> Result<()> {
        add(&mut self.free, amount)?;
        add(&mut self.deposited, amount)
    }

    /// Takes back free money.
    ///
    /// # Errors
    /// [`MillraceError::NotEnoughFree`].
    pub fn withdraw(&mut self, amount: u64) -> Result<()> {
        sub(&mut self.free, amount, MillraceError::NotEnoughFree)?;
        add(&mut self.refunded, amount)
    }

    /// Sets free money aside for a job.
    ///
    /// # Errors
    /// [`MillraceError::NotEnoughFree`].
    pub fn reserve(&mut self, amount: u64) -> Result<()> {
        sub(&mut self.free, amount, MillraceError::NotEnoughFree)?;
        add(&mut self.reserved, amount)
    }

    /// Frees what a job or a lease no longer needs.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn release(&mut self, amount: u64) -> Result<()> {
        sub(&mut self.reserved, amount, MillraceError::InvariantBroken)?;
        add(&mut self.free, amount)
    }

    /// Books one payment of a lease out of the reserve.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`], [`MillraceError::MathOverflow`].
    pub fn pay(&mut self, payment: &Payment) -> Result<()> {
        sub(&mut self.reserved, payment.net_amount, MillraceError::InvariantBroken)?;
        sub(&mut self.reserved, payment.holdback_amount, MillraceError::InvariantBroken)?;
        sub(&mut self.reserved, payment.fee_amount, MillraceError::InvariantBroken)?;
        add(&mut self.paid, payment.net_amount)?;
        add(&mut self.holdbacks, payment.holdback_amount)?;
        add(&mut self.fee_due, payment.fee_amount)
    }

    /// Books a holdback paid out to its provider.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn release_holdback(&mut self, amount: u64) -> Result<()> {
        sub(&mut self.holdbacks, amount, MillraceError::InvariantBroken)?;
        add(&mut self.paid, amount)
    }

    /// Counts a claim on a bond that will be paid to it.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn expect_claim(&mut self) -> Result<()> {
        self.claims_due = self.claims_due.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        Ok(())
    }

    /// Books a claim that was paid with `amount`.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`], [`MillraceError::InvariantBroken`].
    pub fn receive_claim(&mut self, amount: u64) -> Result<()> {
        self.claims_due = self.claims_due.checked_sub(1).ok_or(MillraceError::InvariantBroken)?;
        self.receive(amount)
    }

    /// Takes back a holdback its provider lost to a dispute. The fee on it stays charged.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn take_back_holdback(&mut self, amount: u64) -> Result<()> {
        sub(&mut self.holdbacks, amount, MillraceError::InvariantBroken)?;
        add(&mut self.free, amount)
    }

    /// Books reserved money paid to a provider beside any lease: the bond of a dispute it lost.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn forfeit(&mut self, amount: u64) -> Result<()> {
        sub(&mut self.reserved, amount, MillraceError::InvariantBroken)?;
        add(&mut self.paid, amount)
    }

    /// Books a compensation that arrived.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn receive(&mut self, amount: u64) -> Result<()> {
        add(&mut self.free, amount)?;
        add(&mut self.received, amount)
    }

    /// Whether nothing is owed to it or by it, and nothing of it is open.
    ///
    /// # Errors
    /// [`MillraceError::CustomerNotEmpty`].
    pub fn require_empty(&self) -> Result<()> {
        let is_empty = self.owed() == 0 && self.open_jobs == 0 && self.claims_due == 0;
        require!(is_empty, MillraceError::CustomerNotEmpty);
        Ok(())
    }

    /// Books a sweep of all fees due.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`] when the split is not the fee due.
    pub fn sweep(&mut self, split: &FeeSplit) -> Result<()> {
        for (total, part) in [
            (&mut self.burned, split.burn_amount),
            (&mut self.oracle_share, split.oracle_amount),
            (&mut self.treasury_share, split.treasury_amount),
        ] {
            sub(&mut self.fee_due, part, MillraceError::InvariantBroken)?;
            add(total, part)?;
        }
        require!(self.fee_due == 0, MillraceError::InvariantBroken);
        Ok(())
    }

    /// I4: deposited + received = spent + refunded + held, to the base unit, where spent = paid + burned +
    /// oracle share + treasury share + fee due and held = free + reserved + holdbacks.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn invariant(&self) -> Result<()> {
        let parts = [
            self.paid,
            self.burned,
            self.oracle_share,
            self.treasury_share,
            self.fee_due,
            self.refunded,
            self.free,
            self.reserved,
            self.holdbacks,
        ];
        let out = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(*part));
        let brought_in = self.deposited.checked_add(self.received);
        require!(out.is_some() && out == brought_in, MillraceError::InvariantBroken);
        Ok(())
    }
}
