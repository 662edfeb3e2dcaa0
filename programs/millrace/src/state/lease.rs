//! One node at work for one job.

mod guaranteed;
mod settle;
#[cfg(test)]
mod tests;

pub use guaranteed::Takeover;

use anchor_lang::prelude::*;
use millrace_core::reliability::{after_completion, after_failure};

use super::dispute::DISPUTED;
use super::{Customer, Job, LeaseTerms, Node, Provider, Tier};
use crate::constants::ACCOUNT_VERSION;
use crate::errors::MillraceError;

/// Where a lease stands. Everything from [`LeaseState::Completed`] on is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LeaseState {
    /// Awarded; no leaf has been applied.
    Awarded = 0,
    /// At least one leaf has been applied.
    Active = 1,
    /// The job ended with exit code zero.
    Completed = 2,
    /// The customer's code or inputs failed.
    JobFailed = 3,
    /// The node failed.
    NodeFailed = 4,
    /// The customer stopped it.
    Stopped = 5,
    /// Left by either side after the oracles fell silent, or unwound because its job was cancelled.
    Exited = 6,
    /// Ended by both sides together.
    Mutual = 7,
}

/// What a lease is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LeaseRole {
    /// Works at a position of the job.
    Member = 0,
    /// Is ready to take over a position, at a part of its price.
    StandBy = 1,
}

/// Job position of a stand-by, which serves none.
pub const NO_POSITION: u8 = u8::MAX;

/// Seeds: `lease`, job, index.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Lease {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// A [`LeaseState`].
    pub state: u8,
    /// A [`super::Tier`].
    pub tier: u8,
    /// Number under its job.
    pub index: u8,
    /// Position of the job it serves, [`NO_POSITION`] for a stand-by.
    pub job_position: u8,
    /// A [`LeaseRole`].
    pub role: u8,
    /// One when a stand-by took over its position.
    pub is_replaced: u8,
    /// Exit code of the job, once it ended.
    pub exit_code: i32,
    /// One while a dispute about it is open, two once one was: a lease is disputed once.
    pub is_disputed: u8,
    /// Zeros.
    pub padding: [u8; 3],
    /// Its job.
    pub job: Pubkey,
    /// Customer account that pays.
    pub customer: Pubkey,
    /// That customer's vault.
    pub customer_vault: Pubkey,
    /// Provider account that earns.
    pub provider: Pubkey,
    /// That provider's vault.
    pub provider_vault: Pubkey,
    /// The node at work.
    pub node: Pubkey,
    /// Price, base units a second; a stand-by's is a share of its bid.
    pub per_sec: u64,
    /// Price bid, base units a second: what a stand-by gets once it works.
    pub full_per_sec: u64,
    /// Most seconds it may be paid for; shortened by a stop.
    pub max_secs: u64,
    /// What the customer's reserve still keeps for it, base units.
    pub reserve_amount: u64,
    /// Bond it began with, base units; zero for Spot.
    pub bond: u64,
    /// What of the bond is still locked behind it, base units.
    pub bond_left: u64,
    /// Leases, by index, whose lost seconds were claimed from this bond: bit i for index i.
    pub unkept_claimed: u64,
    /// Seconds the oracles saw it live, as of the last leaf applied.
    pub live_secs: u64,
    /// Of these, seconds whose work was kept.
    pub checkpointed_secs: u64,
    /// Of these, seconds lost when another member failed: paid from that member's bond, not by the customer.
    pub lost_secs: u64,
    /// Lost seconds already claimed.
    pub lost_claimed_secs: u64,
    /// Instant of the award.
    pub started_at: i64,
    /// Instant the customer asked to stop, zero if never.
    pub stop_at: i64,
    /// Instant its end was applied, zero while it runs.
    pub ended_at: i64,
    /// `at` of the last leaf applied, zero if none.
    pub last_leaf_at: i64,
    /// Seconds paid.
    pub paid_secs: u64,
    /// Charged for them, base units, holdback included.
    pub gross_amount: u64,
    /// Fee charged on top, base units.
    pub fee_amount: u64,
    /// Part of the gross still held back, base units.
    pub holdback_amount: u64,
    /// Parameters it is judged by.
    pub terms: LeaseTerms,
    /// Content root of the last kept checkpoint.
    pub checkpoint_root: [u8; 32],
    /// Content root of the results.
    pub result_root: [u8; 32],
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

/// What a new lease begins with, beside what its job says.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// Canonical bump of its address.
    pub bump: u8,
    /// Number under its job.
    pub index: u8,
    /// Position it serves, or [`NO_POSITION`].
    pub job_position: u8,
    /// Works, or stands by.
    pub role: LeaseRole,
    /// Its job.
    pub job: Pubkey,
    /// That customer's vault.
    pub customer_vault: Pubkey,
    /// Provider account that earns.
    pub provider: Pubkey,
    /// That provider's vault.
    pub provider_vault: Pubkey,
    /// The node at work.
    pub node: Pubkey,
    /// Price, base units a second.
    pub per_sec: u64,
    /// Price bid, base units a second.
    pub full_per_sec: u64,
    /// Most seconds it may be paid for.
    pub max_secs: u64,
    /// What the customer's reserve keeps for it, base units.
    pub reserve_amount: u64,
    /// Bond behind it, base units.
    pub bond: u64,
    /// What of the bond is locked, base units.
    pub bond_left: u64,
    /// Content root it goes on from, zeros for none.
    pub checkpoint_root: [u8; 32],
    /// Now.
    pub started_at: i64,
    /// Who pays the rent and gets it back.
    pub rent_payer: Pubkey,
}

/// What leaves a lease at its close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Sent to the provider, base units.
    pub holdback_amount: u64,
    /// Of the reserve, the customer's again, base units.
    pub released_amount: u64,
    /// Of the bond, free stake again, base units.
    pub bond_amount: u64,
}

impl Lease {
    /// Writes a new account of `job`.
    pub fn open(&mut self, job: &Job, opening: &Opening) {
        self.version = ACCOUNT_VERSION;
        self.bump = opening.bump;
        self.tier = job.tier;
        self.index = opening.index;
        self.job_position = opening.job_position;
        self.role = opening.role as u8;
        self.job = opening.job;
        self.customer = job.customer;
        self.customer_vault = opening.customer_vault;
        self.provider = opening.provider;
        self.provider_vault = opening.provider_vault;
        self.node = opening.node;
        self.per_sec = opening.per_sec;
        self.full_per_sec = opening.full_per_sec;
        self.max_secs = opening.max_secs;
        self.reserve_amount = opening.reserve_amount;
        self.bond = opening.bond;
        self.bond_left = opening.bond_left;
        self.checkpoint_root = opening.checkpoint_root;
        self.started_at = opening.started_at;
        self.terms = job.terms;
        self.rent_payer = opening.rent_payer;
    }

    /// Whether nothing more is earned.
    pub fn has_ended(&self) -> bool {
        self.state >= LeaseState::Completed as u8
    }

    /// Whether it works at a position of a Guaranteed job: kept seconds are paid, others may take over.
    pub fn is_guaranteed_member(&self) -> bool {
        self.tier == Tier::Guaranteed as u8 && self.role == LeaseRole::Member as u8
    }

    /// Whether it is a Guaranteed member whose node failed: a stand-by may take over, and its bond answers.
    pub fn is_failed_member(&self) -> bool {
        self.state == LeaseState::NodeFailed as u8 && self.is_guaranteed_member()
    }

    /// Whether no dispute about it is open.
    ///
    /// # Errors
    /// [`MillraceError::LeaseDisputed`].
    pub fn require_undisputed(&self) -> Result<()> {
        require!(self.is_disputed != DISPUTED, MillraceError::LeaseDisputed);
        Ok(())
    }

    /// Asks for the end: no second after `now` and the notice is paid.
    ///
    /// # Errors
    /// [`MillraceError::LeaseEnded`], [`MillraceError::AlreadyStopped`].
    pub fn stop(&mut self, now: i64) -> Result<()> {
        require!(!self.has_ended(), MillraceError::LeaseEnded);
        require!(self.stop_at == 0, MillraceError::AlreadyStopped);
        self.stop_at = now;
        self.max_secs = self.max_secs.min(self.elapsed_secs(now.saturating_add(self.terms.stop_notice_secs)));
        Ok(())
    }

    /// Instant from which either side may leave: the oracles have been silent for too long. Silence begins with the
    /// last leaf, or with the lease's longest time, whichever is earlier: reports beyond it prove nothing.
    pub fn silent_until(&self) -> i64 {
        let longest_secs = i64::try_from(self.max_secs).unwrap_or(i64::MAX);
        let last_at = self.last_leaf_at.max(self.started_at).min(self.started_at.saturating_add(longest_secs));
        last_at.saturating_add(self.terms.oracle_outage_secs)
    }

    /// Ends at the last proven second what the oracles have been silent about for too long. `key` is its own address.
    ///
    /// # Errors
    /// [`MillraceError::LeaseEnded`], [`MillraceError::OraclesNotSilent`].
    pub fn exit(&mut self, key: &Pubkey, now: i64, parties: (&mut Customer, &mut Provider, &mut Node)) -> Result<()> {
        require!(!self.has_ended(), MillraceError::LeaseEnded);
        require!(now >= self.silent_until(), MillraceError::OraclesNotSilent);
        self.end(LeaseState::Exited, key, now, parties)
    }

    /// Ends at the last proven second what a cancelled job has no use for: `key` is its own address.
    ///
    /// # Errors
    /// [`MillraceError::LeaseEnded`].
    pub fn unwind(&mut self, key: &Pubkey, now: i64, parties: (&mut Customer, &mut Provider, &mut Node)) -> Result<()> {
        require!(!self.has_ended(), MillraceError::LeaseEnded);
        self.end(LeaseState::Exited, key, now, parties)
    }

    /// The end, whatever its kind: what the reserve still holds is the customer's again, unless a stand-by may need it;
    /// the node is free, unless it serves another lease by now; and the provider's record has one more entry. A job that
    /// failed by itself says nothing of its provider.
    fn end(
        &mut self,
        state: LeaseState,
        key: &Pubkey,
        now: i64,
        (customer, provider, node): (&mut Customer, &mut Provider, &mut Node),
    ) -> Result<()> {
        self.state = state as u8;
        self.ended_at = now;
        if !self.is_failed_member() {
            customer.release(std::mem::take(&mut self.reserve_amount))?;
        }
        if node.lease == *key {
            node.lease = Pubkey::default();
        }
        match state {
            LeaseState::Completed => {
                provider.completions = provider.completions.saturating_add(1);
                let half_fee_amount = self.terms.reliability_half_fee_amount;
                provider.reliability_bps = after_completion(provider.reliability_bps, self.fee_amount, half_fee_amount);
            }
            LeaseState::NodeFailed => {
                provider.failures = provider.failures.saturating_add(1);
                provider.reliability_bps = after_failure(provider.reliability_bps);
            }
            LeaseState::Stopped | LeaseState::Exited => {
                provider.interruptions = provider.interruptions.saturating_add(1);
            }
            LeaseState::JobFailed | LeaseState::Mutual | LeaseState::Awarded | LeaseState::Active => {}
        }
        Ok(())
    }

    /// Pays out what was held back, and gives back what reserve and bond are left, once nothing more can change them.
    ///
    /// # Errors
    /// [`MillraceError::LeaseRunning`], [`MillraceError::LeaseDisputed`], [`MillraceError::CompensationDue`],
    /// [`MillraceError::InvariantBroken`].
    pub fn close(&mut self, customer: &mut Customer, provider: &mut Provider) -> Result<Closing> {
        require!(self.has_ended(), MillraceError::LeaseRunning);
        self.require_undisputed()?;
        require!(self.compensation_due(provider) == 0, MillraceError::CompensationDue);
        let holdback_amount = std::mem::take(&mut self.holdback_amount);
        customer.release_holdback(holdback_amount)?;
        provider.earned = provider.earned.checked_add(holdback_amount).ok_or(MillraceError::MathOverflow)?;
        let released_amount = std::mem::take(&mut self.reserve_amount);
        customer.release(released_amount)?;
        let bond_amount = self.return_bond(provider)?;
        Ok(Closing { holdback_amount, released_amount, bond_amount })
    }

    /// Instant from which anyone may close it: the dispute window is over.
    pub fn closes_at(&self) -> i64 {
        self.ended_at.saturating_add(self.terms.dispute_window_secs)
    }

    /// I5: paid seconds, and those paid from others' bonds, within the lease; charged exactly `per_sec × paid_secs`.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn invariant(&self) -> Result<()> {
        let exact = self.per_sec.checked_mul(self.paid_secs) == Some(self.gross_amount);
        let ordered = self.holdback_amount <= self.gross_amount
            && self.bond_left <= self.bond
            && self.lost_claimed_secs <= self.lost_secs
            && self.paid_secs.saturating_add(self.lost_claimed_secs) <= self.max_secs;
        require!(exact && ordered, MillraceError::InvariantBroken);
        Ok(())
    }
}
