//! What a bond behind a lease answers for, and who takes over when its node fails.

use anchor_lang::prelude::*;
use millrace_core::money::share_floor;

use super::{Lease, LeaseRole};
use crate::errors::MillraceError;
use crate::state::{Customer, Provider};

/// What a stand-by takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// Position of the job.
    pub job_position: u8,
    /// Price from now on, base units a second.
    pub per_sec: u64,
    /// Seconds the position has left.
    pub max_secs: u64,
    /// What the position's reserve still holds, base units.
    pub reserve_amount: u64,
    /// Bond the stand-by began with, base units.
    pub bond: u64,
    /// What of it is locked, base units.
    pub bond_left: u64,
    /// Content root to go on from.
    pub checkpoint_root: [u8; 32],
}

impl Lease {
    /// What is left of the bond once slashes took their part, which come before it, base units.
    fn bond_in_reach(&self, provider: &Provider) -> u64 {
        self.bond_left.min(provider.lease_bonds)
    }

    /// Gives what is left of the bond back to free stake. Returns it.
    pub(super) fn return_bond(&mut self, provider: &mut Provider) -> Result<u64> {
        let amount = self.bond_in_reach(provider);
        self.bond_left = 0;
        provider.unlock_lease_bond(amount)?;
        Ok(amount)
    }

    /// Ends this failed lease for good: `stand_by`, which stands by no longer, takes over its position, its remaining
    /// seconds and its reserve, with the bond it has, at its full price.
    ///
    /// # Errors
    /// [`MillraceError::NotFailed`], [`MillraceError::AlreadyReplaced`], [`MillraceError::DisputeWindowOver`],
    /// [`MillraceError::NothingLeftToDo`], [`MillraceError::NotStandBy`].
    pub fn fail_over(&mut self, stand_by: &mut Lease, now: i64) -> Result<Takeover> {
        require!(self.is_failed_member(), MillraceError::NotFailed);
        require!(self.is_replaced == 0, MillraceError::AlreadyReplaced);
        require!(now < self.closes_at(), MillraceError::DisputeWindowOver);
        let max_secs = self.max_secs.saturating_sub(self.paid_secs);
        require!(max_secs > 0 && self.stop_at == 0, MillraceError::NothingLeftToDo);
        let stands_by = stand_by.job == self.job
            && stand_by.role == LeaseRole::StandBy as u8
            && !stand_by.has_ended()
            && stand_by.stop_at == 0;
        require!(stands_by, MillraceError::NotStandBy);

        self.is_replaced = 1;
        stand_by.stop_at = now;
        stand_by.max_secs = stand_by.max_secs.min(stand_by.elapsed_secs(now));
        Ok(Takeover {
            job_position: self.job_position,
            per_sec: stand_by.full_per_sec,
            max_secs,
            reserve_amount: std::mem::take(&mut self.reserve_amount),
            bond: stand_by.bond,
            bond_left: std::mem::take(&mut stand_by.bond_left),
            checkpoint_root: self.checkpoint_root,
        })
    }

    /// Lost seconds that neither the customer paid nor a bond, none beyond what could be paid for.
    fn unkept_secs(&self) -> u64 {
        let lost_secs = self.lost_secs.saturating_sub(self.lost_claimed_secs);
        lost_secs.min(self.payable_secs(self.last_leaf_at).saturating_sub(self.paid_secs))
    }

    /// Takes what `member` lost by this failure out of its bond: at the member's price, at most what is left. Once for
    /// each member. Returns seconds and base units; the latter are free stake of `provider`, for a claim.
    ///
    /// # Errors
    /// [`MillraceError::NotFailed`], [`MillraceError::DisputeWindowOver`], [`MillraceError::WrongAccount`],
    /// [`MillraceError::AlreadyClaimed`], [`MillraceError::NothingLost`].
    pub fn pay_unkept(&mut self, member: &mut Lease, provider: &mut Provider, now: i64) -> Result<(u64, u64)> {
        require!(self.is_failed_member(), MillraceError::NotFailed);
        require!(now < self.closes_at(), MillraceError::DisputeWindowOver);
        require!(member.job == self.job && member.is_guaranteed_member(), MillraceError::WrongAccount);
        // Nobody is owed anything by itself.
        require!(member.provider != self.provider, MillraceError::WrongAccount);
        let bit = 1u64.checked_shl(u32::from(member.index)).ok_or(MillraceError::InvariantBroken)?;
        require!(self.unkept_claimed & bit == 0, MillraceError::AlreadyClaimed);
        let secs = member.unkept_secs();
        let lost_amount = secs.checked_mul(member.per_sec).ok_or(MillraceError::MathOverflow)?;
        let amount = lost_amount.min(self.bond_in_reach(provider));
        require!(amount > 0, MillraceError::NothingLost);

        self.unkept_claimed |= bit;
        self.bond_left = self.bond_left.saturating_sub(amount);
        provider.unlock_lease_bond(amount)?;
        member.lost_claimed_secs = member.lost_claimed_secs.saturating_add(secs);
        Ok((secs, amount))
    }

    /// What its customer is owed out of its bond, base units: a share of the bond it began with, rounded down, at most
    /// what is left of it. Nothing unless it is a failed member.
    pub fn compensation_due(&self, provider: &Provider) -> u64 {
        if !self.is_failed_member() {
            return 0;
        }
        let share = share_floor(self.bond, self.terms.compensation_bps).unwrap_or(self.bond);
        share.min(self.bond_in_reach(provider))
    }

    /// Takes the customer's compensation out of the bond, whose rest is free stake. Returns both, base units; the
    /// compensation is free stake of `provider` too, for a claim.
    ///
    /// # Errors
    /// [`MillraceError::NotFailed`], [`MillraceError::LeaseDisputed`], [`MillraceError::DisputeWindowOpen`],
    /// [`MillraceError::NoCompensation`].
    pub fn compensate(&mut self, customer: &mut Customer, provider: &mut Provider, now: i64) -> Result<(u64, u64)> {
        require!(self.is_failed_member(), MillraceError::NotFailed);
        self.require_undisputed()?;
        require!(now >= self.closes_at(), MillraceError::DisputeWindowOpen);
        let amount = self.compensation_due(provider);
        require!(amount > 0, MillraceError::NoCompensation);
        let returned_amount = self.return_bond(provider)?.saturating_sub(amount);
        customer.expect_claim()?;
        Ok((amount, returned_amount))
    }
}
