//! Events of beacons, reports and audits.

use anchor_lang::prelude::*;

/// A beacon named its slot.
#[event]
pub struct BeaconOpened {
    /// Number among the beacons' events.
    pub sequence: u64,
    /// The epoch.
    pub epoch: u64,
    /// The slot whose hash it will take.
    pub slot: u64,
}

/// A beacon is known.
#[event]
pub struct BeaconLatched {
    /// Number among the beacons' events.
    pub sequence: u64,
    /// The epoch.
    pub epoch: u64,
    /// The slot it named.
    pub slot: u64,
    /// The hash of that slot or of the next one present.
    pub hash: [u8; 32],
}

/// An oracle signed a report.
#[event]
pub struct ReportSigned {
    /// Number among the reports' events.
    pub sequence: u64,
    /// The oracle account.
    pub oracle: Pubkey,
    /// The epoch reported.
    pub epoch: u64,
    /// The root signed.
    pub root: [u8; 24],
    /// Leaves under it.
    pub leaves: u32,
    /// Who signed this root so far: bit s for seat s.
    pub signers: u32,
    /// Their weight.
    pub weight: u64,
    /// Whether the root has its quorum.
    pub is_accepted: bool,
}

/// An audit was applied to a node.
#[event]
pub struct AuditApplied {
    /// Number among the node's events.
    pub sequence: u64,
    /// The node.
    pub node: Pubkey,
    /// Epoch of the report.
    pub epoch: u64,
    /// A `millrace_core::leaves::Verdict`.
    pub verdict: u8,
    /// Measured speed, gops.
    pub measured_gops: u64,
    /// The node's state now.
    pub state: u8,
    /// Speed it may sell now, gops.
    pub verified_gops: u64,
    /// Memory of one GPU it may sell now, MiB.
    pub verified_vram_mib: u32,
    /// Bandwidth it may sell now, Mbit/s.
    pub verified_bandwidth_mbps: u32,
    /// Instant this expires.
    pub verified_until: i64,
}

/// Tokens were put behind an oracle's word.
#[event]
pub struct OracleStaked {
    /// Number among the oracle's events.
    pub sequence: u64,
    /// The oracle account.
    pub oracle: Pubkey,
    /// What arrived, base units.
    pub amount: u64,
    /// Stake at work now, base units.
    pub stake: u64,
}

/// An oracle's stake began to leave.
#[event]
pub struct OracleUnstakeBegun {
    /// Number among the oracle's events.
    pub sequence: u64,
    /// The oracle account.
    pub oracle: Pubkey,
    /// What began to leave, base units.
    pub amount: u64,
    /// Stake at work now, base units.
    pub stake: u64,
    /// All that is on its way out now, base units.
    pub unbonding_amount: u64,
    /// Instant from which all of it may be withdrawn.
    pub matures_at: i64,
}

/// An oracle's stake was paid out.
#[event]
pub struct OracleWithdrawn {
    /// Number among the oracle's events.
    pub sequence: u64,
    /// The oracle account.
    pub oracle: Pubkey,
    /// What was sent, base units.
    pub amount: u64,
    /// Stake at work now, base units.
    pub stake: u64,
    /// What is on its way out now, base units.
    pub unbonding_amount: u64,
}

/// Observations an oracle opened were counted.
#[event]
pub struct OracleLeafApplied {
    /// Number among the oracle's events.
    pub sequence: u64,
    /// The oracle account.
    pub oracle: Pubkey,
    /// Epoch of the report.
    pub epoch: u64,
    /// Observations opened since it was first seated, as of this leaf.
    pub opened: u64,
    /// Points counted by this leaf.
    pub added_points: u64,
    /// First epoch of the reward period under way.
    pub reward_period: u64,
    /// The oracle's points in it.
    pub points: u64,
    /// All oracles' points in it.
    pub period_points: u64,
    /// The oracle's points in the period just closed, not claimed yet.
    pub closed_points: u64,
    /// All oracles' points in the period just closed.
    pub all_closed_points: u64,
    /// What the pool held when it closed, base units.
    pub closed_pot_amount: u64,
    /// What of that was claimed, base units.
    pub closed_claimed_amount: u64,
}

/// An oracle was paid for a period.
#[event]
pub struct RewardClaimed {
    /// Number among the oracle's events.
    pub sequence: u64,
    /// The oracle account.
    pub oracle: Pubkey,
    /// First epoch of the period it was paid for.
    pub period: u64,
    /// Its points in that period.
    pub points: u64,
    /// All oracles' points in that period.
    pub all_points: u64,
    /// What was sent from the pool, base units.
    pub amount: u64,
    /// What the pool held when the period closed, base units.
    pub closed_pot_amount: u64,
    /// What of that was claimed so far, base units.
    pub closed_claimed_amount: u64,
    /// Paid to this oracle so far, base units.
    pub oracle_rewarded_total: u64,
    /// Paid to all oracles so far, base units.
    pub rewarded_total: u64,
}

/// The account of a removed oracle was closed.
#[event]
pub struct OracleClosed {
    /// Number among the oracle's events.
    pub sequence: u64,
    /// The oracle account.
    pub oracle: Pubkey,
    /// What strangers had sent to its vault; it went to the treasury.
    pub surplus_amount: u64,
}
