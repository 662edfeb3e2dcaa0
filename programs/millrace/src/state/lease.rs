//! One node at work for one job.

use anchor_lang::prelude::*;
use millrace_core::lease::{Meter, Payment};
use millrace_core::leaves::{LeaseLeaf, LeaseStatus};
use millrace_core::reliability::{after_completion, after_failure};

use super::{Customer, LeaseTerms, Node, Provider};
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
    /// Left by either side after the oracles fell silent.
    Exited = 6,
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
    /// Price, base units a second.
    pub per_sec: u64,
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

impl Lease {
    /// Whether nothing more is earned.
    pub fn has_ended(&self) -> bool {
        self.state >= LeaseState::Completed as u8
    }

    /// Applies what the oracles found, in a root accepted at `accepted_at`: books the pay for the seconds newly
    /// proven and, when the finding is final, the end. Returns what is to be sent to the provider now.
    ///
    /// # Errors
    /// [`MillraceError::LeaseEnded`], [`MillraceError::StaleLeaf`], [`MillraceError::LeafTooNew`],
    /// [`MillraceError::InvariantBroken`].
    pub fn settle(
        &mut self,
        leaf: &LeaseLeaf,
        accepted_at: i64,
        now: i64,
        (customer, provider, node): (&mut Customer, &mut Provider, &mut Node),
    ) -> Result<Payment> {
        require!(!self.has_ended(), MillraceError::LeaseEnded);
        // Nothing found before the award is of this lease: an address may have served an earlier one.
        require!(leaf.at > self.last_leaf_at.max(self.started_at), MillraceError::StaleLeaf);
        require!(leaf.at <= accepted_at, MillraceError::LeafTooNew);
        let payment = self.advance(leaf.live_secs, accepted_at)?;
        customer.pay(&payment)?;
        provider.earned = provider.earned.checked_add(payment.net_amount).ok_or(MillraceError::MathOverflow)?;
        self.last_leaf_at = leaf.at;
        self.checkpoint_root = leaf.checkpoint_root;
        self.result_root = leaf.result_root;
        self.exit_code = leaf.exit_code;
        let end = match leaf.status {
            LeaseStatus::Running => {
                self.state = LeaseState::Active as u8;
                return Ok(payment);
            }
            LeaseStatus::Completed => LeaseState::Completed,
            LeaseStatus::JobFailed => LeaseState::JobFailed,
            LeaseStatus::NodeFailed => LeaseState::NodeFailed,
            LeaseStatus::Stopped => LeaseState::Stopped,
        };
        self.end(end, now, customer, provider, node)?;
        Ok(payment)
    }

    /// Pays the seconds proven up to `live_secs`, none beyond what passed until `seen_at` nor beyond `max_secs` (I5).
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`] when the reserve would not cover it.
    fn advance(&mut self, live_secs: u64, seen_at: i64) -> Result<Payment> {
        let elapsed_secs = u64::try_from(seen_at.saturating_sub(self.started_at)).unwrap_or(0);
        let mut meter = Meter {
            per_sec: self.per_sec,
            paid_secs: self.paid_secs,
            gross_amount: self.gross_amount,
            fee_amount: self.fee_amount,
            holdback_amount: self.holdback_amount,
            reserve_amount: self.reserve_amount,
        };
        let payment = meter
            .advance(live_secs, elapsed_secs.min(self.max_secs), self.terms.fee_bps, self.terms.holdback_bps)
            .ok_or(MillraceError::InvariantBroken)?;
        self.paid_secs = meter.paid_secs;
        self.gross_amount = meter.gross_amount;
        self.fee_amount = meter.fee_amount;
        self.holdback_amount = meter.holdback_amount;
        self.reserve_amount = meter.reserve_amount;
        Ok(payment)
    }

    /// Asks for the end: no second after `now` and the notice is paid.
    ///
    /// # Errors
    /// [`MillraceError::LeaseEnded`], [`MillraceError::AlreadyStopped`].
    pub fn stop(&mut self, now: i64) -> Result<()> {
        require!(!self.has_ended(), MillraceError::LeaseEnded);
        require!(self.stop_at == 0, MillraceError::AlreadyStopped);
        let last_at = now.saturating_add(self.terms.stop_notice_secs);
        let secs = u64::try_from(last_at.saturating_sub(self.started_at)).unwrap_or(0);
        self.stop_at = now;
        self.max_secs = self.max_secs.min(secs);
        Ok(())
    }

    /// Ends at the last proven second what the oracles have been silent about for too long.
    ///
    /// # Errors
    /// [`MillraceError::LeaseEnded`], [`MillraceError::OraclesNotSilent`].
    pub fn exit(
        &mut self,
        now: i64,
        (customer, provider, node): (&mut Customer, &mut Provider, &mut Node),
    ) -> Result<()> {
        require!(!self.has_ended(), MillraceError::LeaseEnded);
        let silent_until = self.last_leaf_at.max(self.started_at).saturating_add(self.terms.oracle_outage_secs);
        require!(now >= silent_until, MillraceError::OraclesNotSilent);
        self.end(LeaseState::Exited, now, customer, provider, node)
    }

    /// The end, whatever its kind: what the reserve still holds is the customer's again, the node is free, and the
    /// provider's record has one more entry. A job that failed by itself says nothing of its provider.
    fn end(
        &mut self,
        state: LeaseState,
        now: i64,
        customer: &mut Customer,
        provider: &mut Provider,
        node: &mut Node,
    ) -> Result<()> {
        self.state = state as u8;
        self.ended_at = now;
        customer.release(std::mem::take(&mut self.reserve_amount))?;
        node.lease = Pubkey::default();
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
            LeaseState::JobFailed | LeaseState::Awarded | LeaseState::Active => {}
        }
        Ok(())
    }

    /// Pays out what was held back, once nothing more can change it. Returns what is to be sent.
    ///
    /// # Errors
    /// [`MillraceError::LeaseRunning`], [`MillraceError::InvariantBroken`].
    pub fn release_holdback(&mut self, customer: &mut Customer, provider: &mut Provider) -> Result<u64> {
        require!(self.has_ended(), MillraceError::LeaseRunning);
        let amount = std::mem::take(&mut self.holdback_amount);
        customer.release_holdback(amount)?;
        provider.earned = provider.earned.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        Ok(amount)
    }

    /// Instant from which anyone may close it: the dispute window is over.
    pub fn closes_at(&self) -> i64 {
        self.ended_at.saturating_add(self.terms.dispute_window_secs)
    }

    /// I5: paid seconds within the lease, charged exactly `per_sec × paid_secs`.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn invariant(&self) -> Result<()> {
        let exact = self.per_sec.checked_mul(self.paid_secs) == Some(self.gross_amount);
        require!(exact && self.holdback_amount <= self.gross_amount, MillraceError::InvariantBroken);
        Ok(())
    }
}
