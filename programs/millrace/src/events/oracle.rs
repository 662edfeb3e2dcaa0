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
