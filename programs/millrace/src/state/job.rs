//! Work for sale, and the leaderboard of who would do it.

mod award;
mod board;
#[cfg(test)]
mod tests;

pub use award::{Awarded, Standing};

use std::cell::{Ref, RefMut};

use anchor_lang::prelude::*;
use millrace_core::lease::{max_position_cost, max_standby_cost};
use millrace_core::money::{max_lease_cost, share_ceil};
use millrace_core::score::Objective;

use super::{LeaseTerms, Node};
use crate::errors::MillraceError;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum JobState {
    /// Takes bids until [`Job::bidding_ends_at`], then waits for its award.
    Open = 0,
    /// Every position has its lease.
    Awarded = 1,
    /// Withdrawn, or not awarded in time: everything is refunded.
    Cancelled = 2,
}

/// How much a job pays for certainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Tier {
    /// Every proven second is paid; nobody takes over.
    Spot = 0,
    /// Kept seconds are paid, a bond stands behind each lease, stand-bys take over.
    Guaranteed = 1,
}

/// How close to each other a job's nodes must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Topology {
    /// Anywhere the job's regions allow.
    Any = 0,
    /// All in one region.
    SameRegion = 1,
    /// All at one site of one provider: bids come for all positions at once.
    SameSite = 2,
}

/// What a node must have to bid.
#[zero_copy]
#[derive(borsh::BorshSerialize, borsh::BorshDeserialize, Debug, PartialEq, Eq)]
#[borsh(crate = "anchor_lang::prelude::borsh")]
pub struct Requirements {
    /// Least measured speed, gops.
    pub min_gops: u64,
    /// Regions allowed: bit r for region r; all ones for any.
    pub regions: u64,
    /// Least measured memory of one GPU, MiB.
    pub min_vram_mib: u32,
    /// Least measured bandwidth, Mbit/s.
    pub min_bandwidth_mbps: u32,
    /// Least reliability of the provider, basis points.
    pub min_reliability_bps: u16,
    /// A [`super::NodeClass`].
    pub class: u8,
    /// Nodes wanted, 1 to [`crate::constants::MAX_NODE_COUNT`].
    pub node_count: u8,
    /// A [`Topology`].
    pub topology: u8,
    /// Stand-bys wanted besides, at most `node_count`; zero for Spot.
    pub standby_count: u8,
    /// Zeros.
    pub padding: [u8; 2],
}

/// One entry of a leaderboard.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct Bid {
    /// The node offered.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Price, base units a second.
    pub per_sec: u64,
    /// Score by the job's objective; higher is better.
    pub score: u64,
    /// Bond that stands behind it, base units.
    pub bond: u64,
    /// Region of the node.
    pub region: u8,
    /// One when the bidder would also stand by.
    pub may_stand_by: u8,
    /// Zeros.
    pub padding: [u8; 6],
}

/// Seeds: `job`, customer, id. The leaderboard follows the struct in the account's data: room for
/// `2 × node_count` bids, best first, equal scores by arrival.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Job {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// A [`JobState`].
    pub state: u8,
    /// A [`Tier`].
    pub tier: u8,
    /// A [`Objective`].
    pub objective: u8,
    /// Entries in the leaderboard.
    pub bid_count: u8,
    /// Leaderboard entry the next award looks at.
    pub award_cursor: u8,
    /// Leases opened so far: the next lease's index.
    pub leases_opened: u8,
    /// Leases whose account is open.
    pub leases_open: u8,
    /// Positions that got their first lease.
    pub positions_filled: u8,
    /// Stand-bys taken on.
    pub standbys_opened: u8,
    /// Region all leases must be in, plus one; zero while any will do.
    pub region_fixed: u8,
    /// Zeros.
    pub padding: [u8; 4],
    /// Customer account that pays.
    pub customer: Pubkey,
    /// Number under its customer.
    pub id: u64,
    /// sha256 of the manifest: code, inputs, environment, limits.
    pub manifest_hash: [u8; 32],
    /// What a node must have.
    pub requirements: Requirements,
    /// Highest bid allowed, base units a second.
    pub max_per_sec: u64,
    /// Longest the job may run, seconds.
    pub max_secs: u64,
    /// Instant it was posted.
    pub posted_at: i64,
    /// Instant bidding closes.
    pub bidding_ends_at: i64,
    /// Instant from which anyone may cancel what was not awarded.
    pub award_by: i64,
    /// Part of the customer's reserve this job still holds itself, base units; leases carry their own.
    pub reserve_amount: u64,
    /// Parameters in force when it was posted.
    pub terms: LeaseTerms,
    /// Content root of the results of the first completed lease.
    pub result_root: [u8; 32],
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

impl Job {
    /// Bytes of a job account for `node_count` nodes, discriminator included.
    pub const fn space(node_count: u8) -> usize {
        let bids = Self::leaderboard_len(node_count).saturating_mul(std::mem::size_of::<Bid>());
        8usize.saturating_add(std::mem::size_of::<Self>()).saturating_add(bids)
    }

    /// Entries the leaderboard has room for.
    pub const fn leaderboard_len(node_count: u8) -> usize {
        (node_count as usize).saturating_mul(2)
    }

    /// The job and its leaderboard, for reading.
    ///
    /// # Errors
    /// Anchor's, when the account is not a job.
    pub fn load_with_bids<'a>(account: &'a AccountInfo) -> Result<(Ref<'a, Job>, Ref<'a, [Bid]>)> {
        let data = account.try_borrow_data()?;
        Self::require_job(account, &data)?;
        Ok(Ref::map_split(data, |data| {
            let (job, bids) = data[8..].split_at(std::mem::size_of::<Job>());
            (bytemuck::from_bytes(job), bytemuck::cast_slice(bids))
        }))
    }

    /// The job and its leaderboard, for writing.
    ///
    /// # Errors
    /// Anchor's, when the account is not a job or not writable.
    pub fn load_with_bids_mut<'a>(account: &'a AccountInfo) -> Result<(RefMut<'a, Job>, RefMut<'a, [Bid]>)> {
        require!(account.is_writable, ErrorCode::AccountNotMutable);
        let data = account.try_borrow_mut_data()?;
        Self::require_job(account, &data)?;
        Ok(RefMut::map_split(data, |data| {
            let (job, bids) = data[8..].split_at_mut(std::mem::size_of::<Job>());
            (bytemuck::from_bytes_mut(job), bytemuck::cast_slice_mut(bids))
        }))
    }

    fn require_job(account: &AccountInfo, data: &[u8]) -> Result<()> {
        require_keys_eq!(*account.owner, crate::ID, ErrorCode::AccountOwnedByWrongProgram);
        require!(data.starts_with(Self::DISCRIMINATOR), ErrorCode::AccountDiscriminatorMismatch);
        // Room for the job and a whole number of bids, or the casts would panic.
        let bids_len = data.len().checked_sub(Self::space(0)).ok_or(ErrorCode::AccountDidNotDeserialize)?;
        require!(bids_len.is_multiple_of(std::mem::size_of::<Bid>()), ErrorCode::AccountDidNotDeserialize);
        Ok(())
    }

    /// The objective.
    ///
    /// # Errors
    /// [`MillraceError::UnknownObjective`].
    pub fn objective(&self) -> Result<Objective> {
        Objective::try_from(self.objective).map_err(|()| error!(MillraceError::UnknownObjective))
    }

    /// Whether `node`, of a provider with this reliability, has all the job requires.
    pub fn is_met_by(&self, node: &Node, reliability_bps: u16) -> bool {
        let wanted = &self.requirements;
        let region_bit = 1u64.checked_shl(u32::from(node.region)).unwrap_or(0);
        node.class == wanted.class
            && node.verified_gops >= wanted.min_gops
            && node.verified_vram_mib >= wanted.min_vram_mib
            && node.verified_bandwidth_mbps >= wanted.min_bandwidth_mbps
            && wanted.regions & region_bit != 0
            && reliability_bps >= wanted.min_reliability_bps
    }

    /// The most one position can cost, base units, whoever serves it in the end.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn position_cost(&self) -> Result<u64> {
        max_position_cost(self.max_per_sec, self.max_secs, self.requirements.standby_count, self.terms.fee_bps)
            .ok_or_else(|| error!(MillraceError::MathOverflow))
    }

    /// The most one stand-by can cost, base units.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn standby_cost(&self) -> Result<u64> {
        max_standby_cost(self.max_per_sec, self.max_secs, self.terms.standby_bps, self.terms.fee_bps)
            .ok_or_else(|| error!(MillraceError::MathOverflow))
    }

    /// The most the whole job can cost, base units: what is reserved for it.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn most_cost(&self) -> Result<u64> {
        let wanted = &self.requirements;
        let positions = self.position_cost()?.checked_mul(u64::from(wanted.node_count));
        let standbys = self.standby_cost()?.checked_mul(u64::from(wanted.standby_count));
        let both = positions.zip(standbys).and_then(|(positions, standbys)| positions.checked_add(standbys));
        both.ok_or_else(|| error!(MillraceError::MathOverflow))
    }

    /// The most a lease at `per_sec` can cost, base units.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn cost_at(&self, per_sec: u64) -> Result<u64> {
        max_lease_cost(per_sec, self.max_secs, self.terms.fee_bps).ok_or_else(|| error!(MillraceError::MathOverflow))
    }

    fn share_of_most(&self, bps: u16) -> Result<u64> {
        let gross = self.max_per_sec.checked_mul(self.max_secs).ok_or(MillraceError::MathOverflow)?;
        share_ceil(gross, bps).ok_or_else(|| error!(MillraceError::MathOverflow))
    }

    /// The bond behind any bid, base units: a share of the most the job may pay for a node, whatever was bid, so that
    /// dust does not stand in the way. Rounded up, against the bidder.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn bid_bond(&self) -> Result<u64> {
        self.share_of_most(self.terms.bid_bond_bps)
    }

    /// The bond behind any lease of it, base units; zero for Spot. Rounded up, against the provider.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn lease_bond(&self) -> Result<u64> {
        if self.is_guaranteed() {
            self.share_of_most(self.terms.bond_bps)
        } else {
            Ok(0)
        }
    }

    /// Whether it is of the Guaranteed tier.
    pub fn is_guaranteed(&self) -> bool {
        self.tier == Tier::Guaranteed as u8
    }

    /// Whether it waits for bids or for its award.
    pub fn is_open(&self) -> bool {
        self.state == JobState::Open as u8
    }

    /// Withdraws it. Returns what the customer gets back, base units. Leases it has are unwound one by one.
    ///
    /// # Errors
    /// [`MillraceError::JobNotOpen`].
    pub fn cancel(&mut self) -> Result<u64> {
        require!(self.is_open(), MillraceError::JobNotOpen);
        self.state = JobState::Cancelled as u8;
        Ok(std::mem::take(&mut self.reserve_amount))
    }

    /// I-job: cursors stay within what they count.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn invariant(&self) -> Result<()> {
        let wanted = &self.requirements;
        let first_leases = self.positions_filled.saturating_add(self.standbys_opened);
        let taken_over = self.leases_opened.checked_sub(first_leases);
        let ordered = self.award_cursor <= self.bid_count
            && self.leases_open <= self.leases_opened
            && self.positions_filled <= wanted.node_count
            && self.standbys_opened <= wanted.standby_count
            && taken_over.is_some_and(|taken_over| taken_over <= self.standbys_opened);
        require!(ordered, MillraceError::InvariantBroken);
        Ok(())
    }
}
