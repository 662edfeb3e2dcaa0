//! One machine for sale.

use anchor_lang::prelude::*;
use millrace_core::leaves::{NodeLeaf, Verdict};
use millrace_core::slash::is_downgrade;

use super::Provider;
use crate::errors::MillraceError;

/// What a node computes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NodeClass {
    /// Sold by measured GPU capability.
    Gpu = 0,
    /// Processor only.
    Cpu = 1,
}

/// Where a node stands. A verified node without a bid or lease is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NodeState {
    /// Registered, not yet measured.
    Registered = 0,
    /// Measured; may bid until [`Node::verified_until`].
    Verified = 1,
    /// Failed an audit, fell below what it claims, or has less stake than that needs; the next good audit lifts it.
    Suspended = 2,
    /// Gone for good; its stake is unlocked or slashed.
    Retired = 3,
}

/// Seeds: `node`, provider, index.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Node {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// A [`NodeClass`].
    pub class: u8,
    /// A [`NodeState`].
    pub state: u8,
    /// One when it takes no new bids.
    pub draining: u8,
    /// Region code, 0 to 63: a bit of a job's region mask.
    pub region: u8,
    /// GPUs in the machine; one for class CPU.
    pub gpu_count: u16,
    /// Index under its provider.
    pub index: u32,
    /// Claimed model: a label from the client's catalogue, proven by nothing.
    pub model_id: u32,
    /// Its provider account.
    pub provider: Pubkey,
    /// Site within the region, chosen by the provider, equal for nodes of one place.
    pub site: [u8; 16],
    /// Claimed memory of one GPU, MiB.
    pub claimed_vram_mib: u32,
    /// Measured memory of one GPU, MiB.
    pub verified_vram_mib: u32,
    /// Measured bandwidth, Mbit/s.
    pub verified_bandwidth_mbps: u32,
    /// Audits in a row that found less than half of the claimed speed.
    pub downgrades: u8,
    /// Zeros.
    pub padding: [u8; 3],
    /// Claimed speed, gops: the most it may be verified for, and what its stake covers.
    pub claimed_gops: u64,
    /// Measured speed, gops, at most the claimed.
    pub verified_gops: u64,
    /// Instant of the audit in force.
    pub verified_at: i64,
    /// Instant that audit expires.
    pub verified_until: i64,
    /// `at` of the last leaf applied; strictly increases.
    pub last_leaf_at: i64,
    /// Epoch of the last audit applied.
    pub audit_epoch: u64,
    /// What the node committed to in that audit.
    pub super_root: [u8; 24],
    /// Stake this node answers with, base units; kept after retirement for the fraud window.
    pub locked_stake: u64,
    /// Stake its claim needs, base units: below it the node sells nothing.
    pub stake_required: u64,
    /// First epoch whose audit a judged case may still be opened for: one more than that of the last judged.
    pub judgeable_from_epoch: u64,
    /// Asking price, base units a second.
    pub ask_per_sec: u64,
    /// Job of its live bid, zeros if none.
    pub bid_job: Pubkey,
    /// Bond behind that bid, base units.
    pub bid_bond: u64,
    /// Lease it serves, zeros if none.
    pub lease: Pubkey,
    /// Instant it retired.
    pub retired_at: i64,
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

impl Node {
    /// Takes over what an audit found: a pass sets the figures and their expiry, at most the claimed speed;
    /// less than half of it, any other verdict, or less stake than the claim needs, suspends. A lease under way goes
    /// on. Returns whether it is a downgrade: the node sold before and does not now, or sells more than a quarter less.
    ///
    /// # Errors
    /// [`MillraceError::NodeRetired`], [`MillraceError::StaleLeaf`].
    pub fn apply_audit(&mut self, leaf: &NodeLeaf, valid_secs: i64) -> Result<bool> {
        require!(!self.is_retired(), MillraceError::NodeRetired);
        require!(leaf.at > self.last_leaf_at, MillraceError::StaleLeaf);
        let (was_verified, gops_before) = (self.state == NodeState::Verified as u8, self.verified_gops);
        let has_passed = leaf.verdict == Verdict::Passed;
        let is_slow = has_passed && self.is_slow(leaf.gops);
        if is_slow {
            // One audit is one finding, however often it is reported.
            let is_another = self.last_leaf_at == 0 || leaf.audit_epoch > self.audit_epoch;
            self.downgrades = self.downgrades.saturating_add(u8::from(is_another));
        } else if has_passed {
            self.downgrades = 0;
        }
        self.last_leaf_at = leaf.at;
        self.audit_epoch = leaf.audit_epoch;
        self.super_root = leaf.super_root;
        if has_passed {
            self.verified_gops = leaf.gops.min(self.claimed_gops);
            self.verified_vram_mib = leaf.vram_mib.min(self.claimed_vram_mib);
            self.verified_bandwidth_mbps = leaf.bandwidth_mbps;
            self.verified_at = leaf.at;
            // From the finding, not from now: a leaf kept back must not stay valid for longer.
            self.verified_until = leaf.at.saturating_add(valid_secs);
        }
        let holds = has_passed && !is_slow && self.stake_missing() == 0;
        self.state = if holds { NodeState::Verified } else { NodeState::Suspended } as u8;
        Ok(was_verified && (!holds || is_downgrade(gops_before, self.verified_gops)))
    }

    /// Whether `gops` is less than half of what it claims.
    pub fn is_slow(&self, gops: u64) -> bool {
        gops < self.claimed_gops.div_ceil(2)
    }

    /// Stake its claim needs beyond what it locks: with any missing it sells nothing. Base units.
    pub fn stake_missing(&self) -> u64 {
        self.stake_required.saturating_sub(self.locked_stake)
    }

    /// Writes down stake locked for it anew.
    ///
    /// # Errors
    /// [`MillraceError::NodeRetired`], [`MillraceError::StakeNotShort`], [`MillraceError::MathOverflow`].
    pub fn relock(&mut self) -> Result<u64> {
        require!(!self.is_retired(), MillraceError::NodeRetired);
        let missing = self.stake_missing();
        require!(missing > 0, MillraceError::StakeNotShort);
        self.locked_stake = self.locked_stake.checked_add(missing).ok_or(MillraceError::MathOverflow)?;
        Ok(missing)
    }

    /// Takes up to `fee` for whoever applied a downgrade of it: of its stake, which free stake of `provider` fills up at
    /// once. Left short of stake it is suspended. Returns what was taken.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`] when it locks more than its provider.
    pub fn pay_downgrade(&mut self, provider: &mut Provider, fee: u64) -> Result<u64> {
        let from_free = provider.take_free(fee);
        let from_locked = fee.saturating_sub(from_free).min(self.locked_stake);
        provider.take_locked(from_locked)?;
        self.locked_stake = self.locked_stake.saturating_sub(from_locked);
        if self.stake_missing() > 0 {
            self.suspend();
        }
        provider.invariant()?;
        Ok(from_free.saturating_add(from_locked))
    }

    /// Takes it off the market until the next good audit.
    pub fn suspend(&mut self) {
        if !self.is_retired() {
            self.state = NodeState::Suspended as u8;
        }
    }

    /// Takes it off the market for good. What it locked stays written down for the fraud window.
    pub fn retire(&mut self, now: i64) {
        self.state = NodeState::Retired as u8;
        self.retired_at = now;
    }

    /// Whether it may take work at `now`: measured, not expired, not draining.
    pub fn is_able(&self, now: i64) -> bool {
        self.state == NodeState::Verified as u8 && self.draining == 0 && now < self.verified_until
    }

    /// Whether neither a bid nor a lease holds it.
    pub fn is_free(&self) -> bool {
        self.bid_job == Pubkey::default() && self.lease == Pubkey::default()
    }

    /// Ends its live bid: what of the bond no slash took is free stake of `provider` again. Returns it.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn release_bid(&mut self, provider: &mut Provider) -> Result<u64> {
        self.bid_job = Pubkey::default();
        let bond = std::mem::take(&mut self.bid_bond).min(provider.bonds);
        provider.unlock_bond(bond)?;
        Ok(bond)
    }

    /// Whether its stake still stands behind it: not retired.
    pub fn is_retired(&self) -> bool {
        self.state == NodeState::Retired as u8
    }
}
