//! A judged offence: frozen first, open to appeal, executed by anyone.

use std::ops::DerefMut;

use anchor_lang::prelude::*;
use millrace_core::leaves::{NodeLeaf, Verdict};
use millrace_core::slash::judged_penalty;

use super::{Node, Params, Provider, Reach};
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
    /// One when governance overturned it.
    pub is_overturned: u8,
    /// Zeros.
    pub padding: [u8; 7],
    /// Provider charged.
    pub provider: Pubkey,
    /// Node charged.
    pub node: Pubkey,
    /// Who showed the offence.
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

/// Audits in a row that found less than half of the claimed speed before the last of them is an offence.
pub const SLOW_AUDITS_FOR_OFFENCE: u8 = 2;

impl Offence {
    /// What `leaf` charges `node` with. Slowness counts by the last audit applied, so that a run of slow audits is one
    /// offence at a time.
    ///
    /// # Errors
    /// [`MillraceError::NoOffence`]; [`MillraceError::OffenceJudged`] when this audit or a later one was judged.
    pub fn of(leaf: &NodeLeaf, node: &Node) -> Result<Self> {
        require!(leaf.audit_epoch >= node.judgeable_from_epoch, MillraceError::OffenceJudged);
        match leaf.verdict {
            Verdict::Withheld => Ok(Self::Withheld),
            Verdict::Passed => {
                let is_last = leaf.audit_epoch == node.audit_epoch && node.is_slow(leaf.gops);
                require!(is_last && node.downgrades >= SLOW_AUDITS_FOR_OFFENCE, MillraceError::NoOffence);
                Ok(Self::Capacity)
            }
            Verdict::Refused => err!(MillraceError::NoOffence),
        }
    }

    /// Its penalty, basis points of what the node answers with.
    pub fn slash_bps(self, params: &Params) -> u16 {
        match self {
            Self::Withheld => params.withheld_slash_bps,
            Self::Capacity => params.capacity_slash_bps,
        }
    }
}

impl SlashCase {
    /// Opens it on what `leaf` shows of the offending node of `reach`: freezes the penalty at once, suspends the node,
    /// and lets nobody execute it before the time to appeal is over. A part of the penalty may stay out of reach only
    /// when no further node could have been given.
    ///
    /// # Errors
    /// Those of [`Offence::of`] and [`Reach::take`]; [`MillraceError::NothingToSlash`].
    pub fn open<N: DerefMut<Target = Node>>(
        &mut self,
        leaf: &NodeLeaf,
        reach: &mut Reach<N>,
        params: &Params,
        now: i64,
    ) -> Result<()> {
        let node = reach.node.as_deref_mut().ok_or(MillraceError::NothingToSlash)?;
        let offence = Offence::of(leaf, node)?;
        let penalty =
            judged_penalty(node.locked_stake, offence.slash_bps(params)).ok_or(MillraceError::ParameterOutOfBounds)?;
        node.judgeable_from_epoch = leaf.audit_epoch.saturating_add(1);
        node.suspend();
        // A good audit found before this one may have been held back.
        node.last_leaf_at = node.last_leaf_at.max(leaf.at);
        let frozen = reach.take(penalty)?;
        require!(frozen > 0, MillraceError::NothingToSlash);
        require!(frozen == penalty || reach.is_complete(), MillraceError::NodesMissing);
        self.number = reach.provider.freeze(frozen)?;
        self.offence = offence as u8;
        self.audit_epoch = leaf.audit_epoch;
        self.frozen_amount = frozen;
        self.opened_at = now;
        self.appeal_until = now.saturating_add(params.appeal_window_secs);
        reach.provider.invariant()
    }

    /// Executes what may be executed in `epoch`, and returns it: the caller pays it out of the provider's vault. What
    /// the cap leaves waits for a later epoch.
    ///
    /// # Errors
    /// [`MillraceError::CaseOverturned`], [`MillraceError::NothingToSlash`], [`MillraceError::AppealOpen`], and those of
    /// [`Provider::execute_frozen`].
    pub fn execute(&mut self, provider: &mut Provider, max_bps: u16, epoch: u64, now: i64) -> Result<u64> {
        self.require_frozen()?;
        require!(now >= self.appeal_until, MillraceError::AppealOpen);
        let taken = provider.execute_frozen(self.frozen_amount, epoch, max_bps)?;
        self.frozen_amount = self.frozen_amount.checked_sub(taken).ok_or(MillraceError::InvariantBroken)?;
        self.executed_amount = self.executed_amount.checked_add(taken).ok_or(MillraceError::MathOverflow)?;
        provider.invariant()?;
        Ok(taken)
    }

    /// Gives governance time until `until` to overturn it: once, before the time to appeal is over.
    ///
    /// # Errors
    /// [`MillraceError::CaseOverturned`], [`MillraceError::NothingToSlash`], [`MillraceError::AppealOver`],
    /// [`MillraceError::AlreadyAppealed`].
    pub fn appeal(&mut self, until: i64, now: i64) -> Result<()> {
        self.require_frozen()?;
        require!(self.is_appealed == 0, MillraceError::AlreadyAppealed);
        require!(now < self.appeal_until, MillraceError::AppealOver);
        self.is_appealed = 1;
        self.appeal_until = self.appeal_until.max(until);
        Ok(())
    }

    /// Gives what is still frozen back to the provider's free stake, by a vote. Returns it.
    ///
    /// # Errors
    /// [`MillraceError::CaseOverturned`], [`MillraceError::NothingToSlash`], and those of [`Provider::unfreeze`].
    pub fn overturn(&mut self, provider: &mut Provider) -> Result<u64> {
        self.require_frozen()?;
        let amount = std::mem::take(&mut self.frozen_amount);
        provider.unfreeze(amount)?;
        self.is_overturned = 1;
        provider.invariant()?;
        Ok(amount)
    }

    /// Whether its account may go: nothing is frozen by it.
    ///
    /// # Errors
    /// [`MillraceError::CaseNotExecuted`].
    pub fn require_closable(&self) -> Result<()> {
        require!(self.frozen_amount == 0, MillraceError::CaseNotExecuted);
        Ok(())
    }

    fn require_frozen(&self) -> Result<()> {
        require!(self.is_overturned == 0, MillraceError::CaseOverturned);
        require!(self.frozen_amount > 0, MillraceError::NothingToSlash);
        Ok(())
    }
}
