//! Leaves for tests.

use millrace_core::leaves::{LeaseLeaf, LeaseStatus, NodeLeaf, OracleLeaf, Verdict};

/// A lease that runs.
pub fn lease(key: u8, live_secs: u64, at: i64) -> LeaseLeaf {
    LeaseLeaf {
        lease: [key; 32],
        live_secs,
        checkpointed_secs: 0,
        lost_secs: 0,
        status: LeaseStatus::Running,
        exit_code: 0,
        checkpoint_root: [0; 32],
        result_root: [0; 32],
        at,
    }
}

/// A node that passed its audit in epoch 4.
pub fn node(key: u8, gops: u64, at: i64) -> NodeLeaf {
    NodeLeaf {
        node: [key; 32],
        audit_epoch: 4,
        super_root: [key; 24],
        verdict: Verdict::Passed,
        gops,
        vram_mib: 6,
        bandwidth_mbps: 100,
        at,
    }
}

/// An oracle that signed nine reports.
pub fn oracle(key: u8, opened: u64, at: i64) -> OracleLeaf {
    OracleLeaf { oracle: [key; 32], signed: 9, opened, at }
}
