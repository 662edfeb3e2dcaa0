//! Giving out the positions of a job, and its stand-bys.

use anchor_lang::prelude::*;
use millrace_core::lease::standby_per_sec;

use super::{Bid, Job, JobState, Topology};
use crate::errors::MillraceError;
use crate::state::{LeaseRole, Node, Provider, NO_POSITION};

/// Whether a bid can be awarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds in everything it promised.
    Holds,
    /// A newer measurement of node or provider misses the requirements: no one's fault.
    Unmet,
    /// The node cannot serve, or its provider does not back it any more: the bidder's fault.
    Broken,
}

/// What an award gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awarded {
    /// Index of the lease.
    pub index: u8,
    /// Position it serves, or [`NO_POSITION`].
    pub job_position: u8,
    /// Works, or stands by.
    pub role: LeaseRole,
    /// Price of the lease, base units a second.
    pub per_sec: u64,
    /// What the lease may cost at most, base units.
    pub reserve_amount: u64,
    /// What the customer gets back, base units.
    pub released_amount: u64,
    /// Bond that stands behind the lease, base units.
    pub bond: u64,
}

impl Job {
    /// How a bid of `node` on this job (at `key`) stands: the node able, held by this bid alone, of a provider at large
    /// whose free stake covers the lease's bond, and with all the job requires.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn standing(&self, key: &Pubkey, node: &Node, provider: &Provider, now: i64) -> Result<Standing> {
        let free_then = provider.free_stake().saturating_add(node.bid_bond.min(provider.bonds));
        let is_backed = node.bid_job == *key
            && node.lease == Pubkey::default()
            && node.is_able(now)
            && provider.require_active(now).is_ok()
            && free_then >= self.lease_bond()?;
        Ok(match (is_backed, self.is_met_by(node, provider.reliability_bps)) {
            (false, _) => Standing::Broken,
            (true, false) => Standing::Unmet,
            (true, true) => Standing::Holds,
        })
    }

    /// Gives the next position to `bid`, which stands at `entry`; once all positions are given, the place of a
    /// stand-by. Where stand-bys may take over, a position keeps all it reserved: the next may be dearer.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`], [`MillraceError::MathOverflow`].
    pub fn award(&mut self, entry: usize, bid: &Bid) -> Result<Awarded> {
        let index = self.leases_opened;
        let bond = self.lease_bond()?;
        let (kept_amount, reserve_amount, role, job_position, per_sec) = if self.is_open() {
            let kept_amount = self.position_cost()?;
            let may_change_hands = self.requirements.standby_count > 0;
            let reserve_amount = if may_change_hands { kept_amount } else { self.cost_at(bid.per_sec)? };
            (kept_amount, reserve_amount, LeaseRole::Member, self.positions_filled, bid.per_sec)
        } else {
            let per_sec = standby_per_sec(bid.per_sec, self.terms.standby_bps).ok_or(MillraceError::MathOverflow)?;
            (self.standby_cost()?, self.cost_at(per_sec)?, LeaseRole::StandBy, NO_POSITION, per_sec)
        };
        let released_amount = kept_amount.checked_sub(reserve_amount).ok_or(MillraceError::InvariantBroken)?;
        self.reserve_amount = self.reserve_amount.checked_sub(kept_amount).ok_or(MillraceError::InvariantBroken)?;
        self.award_cursor = entry.saturating_add(1) as u8;
        self.count_lease();
        match role {
            LeaseRole::Member => self.positions_filled = self.positions_filled.saturating_add(1),
            LeaseRole::StandBy => self.standbys_opened = self.standbys_opened.saturating_add(1),
        }
        if self.requirements.topology == Topology::SameRegion as u8 {
            self.region_fixed = bid.region.saturating_add(1);
        }
        if self.is_open() && self.positions_filled == self.requirements.node_count {
            self.state = JobState::Awarded as u8;
        }
        Ok(Awarded { index, job_position, role, per_sec, reserve_amount, released_amount, bond })
    }

    /// Counts a lease whose account was opened.
    pub fn count_lease(&mut self) {
        self.leases_opened = self.leases_opened.saturating_add(1);
        self.leases_open = self.leases_open.saturating_add(1);
    }
}
