//! Seconds into money: by what the oracles found, or by what both sides agree on.

use anchor_lang::prelude::*;
use millrace_core::lease::{kept_secs, mutual_fee_secs, Meter, Payment};
use millrace_core::leaves::{LeaseLeaf, LeaseStatus};

use super::{Lease, LeaseState};
use crate::errors::MillraceError;
use crate::state::{Customer, Node, Provider};

impl Lease {
    /// Applies what the oracles found, in a root accepted at `accepted_at`: books the pay for the seconds newly
    /// proven and, when the finding is final, the end. Returns what is to be sent to the provider now.
    ///
    /// # Errors
    /// [`MillraceError::LeaseEnded`], [`MillraceError::StaleLeaf`], [`MillraceError::LeafTooNew`],
    /// [`MillraceError::LeafInconsistent`], [`MillraceError::InvariantBroken`].
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
        let end = match leaf.status {
            LeaseStatus::Running => None,
            LeaseStatus::Completed => Some(LeaseState::Completed),
            LeaseStatus::JobFailed => Some(LeaseState::JobFailed),
            LeaseStatus::NodeFailed => Some(LeaseState::NodeFailed),
            LeaseStatus::Stopped => Some(LeaseState::Stopped),
        };
        let owed_secs = self.owed_by(leaf)?;
        let payment = self.advance(owed_secs, accepted_at)?;
        customer.pay(&payment)?;
        provider.earned = provider.earned.checked_add(payment.net_amount).ok_or(MillraceError::MathOverflow)?;
        self.last_leaf_at = leaf.at;
        self.checkpoint_root = leaf.checkpoint_root;
        self.result_root = leaf.result_root;
        self.exit_code = leaf.exit_code;
        match end {
            None => self.state = LeaseState::Active as u8,
            Some(end) => self.end(end, &Pubkey::new_from_array(leaf.lease), now, (customer, provider, node))?,
        }
        Ok(payment)
    }

    /// Seconds the customer owes by `leaf`, of which it keeps the figures. Of a guaranteed member they must add up
    /// and never fall, since others are paid by them too; elsewhere a smaller figure just adds nothing.
    fn owed_by(&mut self, leaf: &LeaseLeaf) -> Result<u64> {
        if !self.is_guaranteed_member() {
            self.live_secs = self.live_secs.max(leaf.live_secs);
            return Ok(leaf.live_secs);
        }
        let adds_up =
            leaf.checkpointed_secs.checked_add(leaf.lost_secs).is_some_and(|accounted| accounted <= leaf.live_secs);
        let rises = leaf.live_secs >= self.live_secs
            && leaf.checkpointed_secs >= self.checkpointed_secs
            && leaf.lost_secs >= self.lost_secs;
        require!(adds_up && rises, MillraceError::LeafInconsistent);
        (self.live_secs, self.checkpointed_secs, self.lost_secs) =
            (leaf.live_secs, leaf.checkpointed_secs, leaf.lost_secs);
        let job_ended = matches!(leaf.status, LeaseStatus::Completed | LeaseStatus::JobFailed | LeaseStatus::Stopped);
        Ok(kept_secs(leaf.live_secs, leaf.checkpointed_secs, leaf.lost_secs, job_ended))
    }

    /// Seconds from the award to `at`.
    pub(super) fn elapsed_secs(&self, at: i64) -> u64 {
        u64::try_from(at.saturating_sub(self.started_at)).unwrap_or(0)
    }

    /// Most seconds the customer may have paid for at `at`: those that passed, within the length of the lease, that
    /// nobody else's bond paid for (I5).
    pub(super) fn payable_secs(&self, at: i64) -> u64 {
        self.elapsed_secs(at).min(self.max_secs).saturating_sub(self.lost_claimed_secs)
    }

    fn meter(&self) -> Meter {
        Meter {
            per_sec: self.per_sec,
            paid_secs: self.paid_secs,
            gross_amount: self.gross_amount,
            fee_amount: self.fee_amount,
            holdback_amount: self.holdback_amount,
            reserve_amount: self.reserve_amount,
        }
    }

    fn set_meter(&mut self, meter: &Meter) {
        self.paid_secs = meter.paid_secs;
        self.gross_amount = meter.gross_amount;
        self.fee_amount = meter.fee_amount;
        self.holdback_amount = meter.holdback_amount;
        self.reserve_amount = meter.reserve_amount;
    }

    /// Pays up to `owed_secs`, none beyond what could be paid for at `seen_at` (I5).
    fn advance(&mut self, owed_secs: u64, seen_at: i64) -> Result<Payment> {
        let mut meter = self.meter();
        let payment = meter
            .advance(owed_secs, self.payable_secs(seen_at), self.terms.fee_bps, self.terms.holdback_bps)
            .ok_or(MillraceError::InvariantBroken)?;
        self.set_meter(&meter);
        Ok(payment)
    }

    /// Ends it by the will of both sides, paid for `secs` in all; `key` is its own address. The fee is charged on what
    /// the oracles would have proven at least; the bond is free again; it is no completion. Returns what is to be sent.
    ///
    /// # Errors
    /// [`MillraceError::LeaseEnded`], [`MillraceError::LeaseDisputed`], [`MillraceError::ProviderUnderJudgement`],
    /// [`MillraceError::ProviderJailed`], [`MillraceError::BadMutualEnd`], [`MillraceError::InvariantBroken`].
    pub fn end_mutually(
        &mut self,
        key: &Pubkey,
        secs: u64,
        now: i64,
        (customer, provider, node): (&mut Customer, &mut Provider, &mut Node),
    ) -> Result<Payment> {
        require!(!self.has_ended(), MillraceError::LeaseEnded);
        self.require_undisputed()?;
        require!(provider.frozen == 0 && provider.open_slash_cases == 0, MillraceError::ProviderUnderJudgement);
        provider.require_active(now)?;
        require!(secs >= self.paid_secs && secs <= self.payable_secs(now), MillraceError::BadMutualEnd);

        let mut payment = self.advance(secs, now)?;
        let elapsed_secs = self.elapsed_secs(now).min(self.max_secs);
        let since_at = if self.last_leaf_at == 0 { self.started_at } else { self.last_leaf_at };
        let since_leaf_secs = u64::try_from(now.saturating_sub(since_at)).unwrap_or(0);
        let fee_secs = mutual_fee_secs(secs, self.live_secs, since_leaf_secs, elapsed_secs);
        let mut meter = self.meter();
        let more_amount = meter.raise_fee(fee_secs, self.terms.fee_bps).ok_or(MillraceError::InvariantBroken)?;
        self.set_meter(&meter);
        payment.fee_amount = payment.fee_amount.checked_add(more_amount).ok_or(MillraceError::MathOverflow)?;

        customer.pay(&payment)?;
        provider.earned = provider.earned.checked_add(payment.net_amount).ok_or(MillraceError::MathOverflow)?;
        self.return_bond(provider)?;
        self.end(LeaseState::Mutual, key, now, (customer, provider, node))?;
        Ok(payment)
    }
}
