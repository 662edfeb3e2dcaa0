//! A result its customer calls wrong: the oracles rule, governance may overturn.

use anchor_lang::prelude::*;
use millrace_core::reliability::after_failure;

use super::{Customer, Lease, OracleSet, Params, Provider};
use crate::errors::MillraceError;

/// [`Lease::is_disputed`] while a dispute is open.
pub const DISPUTED: u8 = 1;
/// [`Lease::is_disputed`] once a dispute is over: a lease is disputed once.
pub const WAS_DISPUTED: u8 = 2;

/// How a dispute was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ruling {
    /// Not yet.
    None = 0,
    /// The result is wrong or unusable: holdback and bond are the customer's.
    Upheld = 1,
    /// The result is good: holdback and the dispute's bond are the provider's.
    Dismissed = 2,
    /// No quorum in time: as dismissed, but the dispute's bond goes back.
    Lapsed = 3,
}

/// Seeds: `dispute`, lease.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Dispute {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// A [`Ruling`].
    pub ruling: u8,
    /// One when governance has been asked to overturn it: its appeal time was extended, once. Two once it has.
    pub is_appealed: u8,
    /// Seats that voted: bit s for seat s.
    pub voted: u32,
    /// The lease.
    pub lease: Pubkey,
    /// Customer account that opened it.
    pub customer: Pubkey,
    /// Provider account of the lease.
    pub provider: Pubkey,
    /// sha256 of the evidence.
    pub evidence_hash: [u8; 32],
    /// Bond of the opener, base units: kept in the customer's vault, out of its free money.
    pub bond: u64,
    /// Time to appeal once there is a ruling, seconds: as when it was opened.
    pub appeal_window_secs: i64,
    /// Weight for [`Ruling::Upheld`].
    pub upheld_weight: u64,
    /// Weight for [`Ruling::Dismissed`].
    pub dismissed_weight: u64,
    /// Instant it was opened.
    pub opened_at: i64,
    /// Instant votes end.
    pub vote_until: i64,
    /// Instant from which the ruling may be carried out; zero before there is one.
    pub appeal_until: i64,
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

/// What a dispute moves when it is over, base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Holdback back to the customer's free money.
    pub holdback_amount: u64,
    /// Bond of the lease that becomes a claim of the customer.
    pub claim_amount: u64,
    /// Bond of the dispute from the customer's to the provider's vault.
    pub forfeited_amount: u64,
}

impl Dispute {
    /// Opens it over `lease`: sets its bond aside, fixes its deadlines.
    ///
    /// # Errors
    /// [`MillraceError::LeaseRunning`], [`MillraceError::LeaseDisputed`] for the second dispute of a lease,
    /// [`MillraceError::DisputeClosed`] after the dispute window, [`MillraceError::NothingToDispute`],
    /// [`MillraceError::NotEnoughFree`].
    pub fn open(&mut self, lease: &mut Lease, customer: &mut Customer, params: &Params, now: i64) -> Result<()> {
        require!(lease.has_ended(), MillraceError::LeaseRunning);
        require!(lease.is_disputed == 0, MillraceError::LeaseDisputed);
        require!(now < lease.closes_at(), MillraceError::DisputeClosed);
        require!(lease.holdback_amount > 0 || lease.bond_left > 0, MillraceError::NothingToDispute);
        customer.reserve(params.dispute_bond_amount)?;
        lease.is_disputed = DISPUTED;
        self.bond = params.dispute_bond_amount;
        self.opened_at = now;
        self.vote_until = now.saturating_add(params.dispute_vote_secs);
        self.appeal_window_secs = params.appeal_window_secs;
        Ok(())
    }

    /// Counts the vote of `seat`; a quorum on one side is the ruling.
    ///
    /// # Errors
    /// [`MillraceError::DisputeClosed`] once there is a ruling or time is up, [`MillraceError::AlreadyVoted`],
    /// [`MillraceError::NotAnOracle`].
    pub fn vote(&mut self, seat: u8, uphold: bool, oracles: &OracleSet, quorum_bps: u16, now: i64) -> Result<()> {
        require!(self.ruling == Ruling::None as u8 && now < self.vote_until, MillraceError::DisputeClosed);
        let bit = 1u32.checked_shl(u32::from(seat)).ok_or(MillraceError::NotAnOracle)?;
        require!(self.voted & bit == 0, MillraceError::AlreadyVoted);
        let weight = oracles.seats().get(usize::from(seat)).ok_or(MillraceError::NotAnOracle)?.weight;
        self.voted |= bit;
        let (side, ruling) = if uphold {
            (&mut self.upheld_weight, Ruling::Upheld)
        } else {
            (&mut self.dismissed_weight, Ruling::Dismissed)
        };
        *side = side.checked_add(weight).ok_or(MillraceError::MathOverflow)?;
        if oracles.is_quorum(*side, quorum_bps) {
            self.rule(ruling, now);
        }
        Ok(())
    }

    /// Ends a vote that found no quorum in time.
    ///
    /// # Errors
    /// [`MillraceError::DisputeClosed`] when there is a ruling, [`MillraceError::DisputeOpen`] while votes are taken.
    pub fn lapse(&mut self, now: i64) -> Result<()> {
        require!(self.ruling == Ruling::None as u8, MillraceError::DisputeClosed);
        require!(now >= self.vote_until, MillraceError::DisputeOpen);
        self.rule(Ruling::Lapsed, now);
        Ok(())
    }

    fn rule(&mut self, ruling: Ruling, now: i64) {
        self.ruling = ruling as u8;
        self.appeal_until = now.saturating_add(self.appeal_window_secs);
    }

    /// Lets governance decide until `until` at least: once, in the time to appeal.
    ///
    /// # Errors
    /// [`MillraceError::DisputeOpen`] without a ruling, [`MillraceError::AppealOver`],
    /// [`MillraceError::AlreadyAppealed`].
    pub fn appeal(&mut self, now: i64, until: i64) -> Result<()> {
        require!(self.ruling != Ruling::None as u8, MillraceError::DisputeOpen);
        require!(now < self.appeal_until, MillraceError::AppealOver);
        require!(self.is_appealed == 0, MillraceError::AlreadyAppealed);
        self.is_appealed = 1;
        self.appeal_until = self.appeal_until.max(until);
        Ok(())
    }

    /// Governance rules otherwise, once: for the provider what was for the customer, for the customer everything else.
    ///
    /// # Errors
    /// [`MillraceError::DisputeOpen`] without a ruling, [`MillraceError::AppealOver`],
    /// [`MillraceError::AlreadyAppealed`] the second time.
    pub fn overturn(&mut self, now: i64) -> Result<()> {
        require!(self.ruling != Ruling::None as u8, MillraceError::DisputeOpen);
        require!(now < self.appeal_until, MillraceError::AppealOver);
        require!(self.is_appealed < 2, MillraceError::AlreadyAppealed);
        let is_upheld = self.ruling == Ruling::Upheld as u8;
        self.ruling = if is_upheld { Ruling::Dismissed } else { Ruling::Upheld } as u8;
        self.is_appealed = 2;
        Ok(())
    }

    /// Carries the ruling out in the books, once the time to appeal is over. The lease then closes its normal way with
    /// what it still has; the judges get nothing whatever they rule. The caller opens the claim and moves the bond.
    ///
    /// # Errors
    /// [`MillraceError::DisputeOpen`] without a ruling, [`MillraceError::AppealOpen`],
    /// [`MillraceError::InvariantBroken`], [`MillraceError::MathOverflow`].
    pub fn settle(
        &self,
        now: i64,
        (lease, customer, provider): (&mut Lease, &mut Customer, &mut Provider),
    ) -> Result<Settlement> {
        require!(self.ruling != Ruling::None as u8, MillraceError::DisputeOpen);
        require!(now >= self.appeal_until, MillraceError::AppealOpen);
        lease.is_disputed = WAS_DISPUTED;
        let mut settlement = Settlement::default();
        if self.ruling == Ruling::Dismissed as u8 {
            settlement.forfeited_amount = self.bond;
            customer.forfeit(self.bond)?;
            provider.earned = provider.earned.checked_add(self.bond).ok_or(MillraceError::MathOverflow)?;
            return Ok(settlement);
        }
        customer.release(self.bond)?;
        if self.ruling == Ruling::Upheld as u8 {
            settlement.holdback_amount = std::mem::take(&mut lease.holdback_amount);
            customer.take_back_holdback(settlement.holdback_amount)?;
            settlement.claim_amount = std::mem::take(&mut lease.bond_left);
            provider.unlock_lease_bond(settlement.claim_amount)?;
            provider.failures = provider.failures.saturating_add(1);
            provider.reliability_bps = after_failure(provider.reliability_bps);
        }
        Ok(settlement)
    }
}
