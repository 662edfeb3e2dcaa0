//! What the oracles report: leaves of one Merkle tree an epoch.
//!
//! Fixed-length encodings, little-endian, each hashed behind its own domain tag, so a leaf of one kind or
//! another account never passes for one of these. Amounts of time are cumulative over the life of a lease:
//! an epoch that is lost costs nothing, a leaf applied twice pays nothing.

use crate::merkle::{leaf_node, TreeNode};

/// How a lease stands. Anything but [`LeaseStatus::Running`] is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LeaseStatus {
    /// The job runs.
    Running = 0,
    /// The job ended with exit code zero.
    Completed = 1,
    /// The customer's own code or inputs failed: all live seconds are paid.
    JobFailed = 2,
    /// The node failed: unreachable, sandbox lost, refused.
    NodeFailed = 3,
    /// The customer stopped it.
    Stopped = 4,
}

impl LeaseStatus {
    /// Whether nothing follows.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Running)
    }
}

impl TryFrom<u8> for LeaseStatus {
    type Error = ();

    fn try_from(byte: u8) -> Result<Self, ()> {
        Ok(match byte {
            0 => Self::Running,
            1 => Self::Completed,
            2 => Self::JobFailed,
            3 => Self::NodeFailed,
            4 => Self::Stopped,
            _ => return Err(()),
        })
    }
}

/// What the oracles found of one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseLeaf {
    /// Address of the lease account.
    pub lease: [u8; 32],
    /// Seconds the oracles saw the job live, since the lease began.
    pub live_secs: u64,
    /// Of these, seconds covered by a checkpoint that was kept.
    pub checkpointed_secs: u64,
    /// Of these, seconds lost because another member of the job's cluster failed.
    pub lost_secs: u64,
    /// How the lease stands.
    pub status: LeaseStatus,
    /// The job's exit code; zero while it runs.
    pub exit_code: i32,
    /// Content root of the last kept checkpoint, zeros if none.
    pub checkpoint_root: [u8; 32],
    /// Content root of the results, zeros until the job ended.
    pub result_root: [u8; 32],
    /// Instant of the finding; strictly increases for a lease.
    pub at: i64,
}

/// Bytes of an encoded [`LeaseLeaf`].
pub const LEASE_LEAF_LEN: usize = 32 + 8 + 8 + 8 + 1 + 4 + 32 + 32 + 8;

/// What an audit found of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// Every queried entry was right and the speed was measured.
    Passed = 1,
    /// The proof was wrong or the answer malformed.
    Refused = 2,
    /// A commit without a valid bundle in time.
    Withheld = 3,
}

impl TryFrom<u8> for Verdict {
    type Error = ();

    fn try_from(byte: u8) -> Result<Self, ()> {
        Ok(match byte {
            1 => Self::Passed,
            2 => Self::Refused,
            3 => Self::Withheld,
            _ => return Err(()),
        })
    }
}

/// What the oracles measured of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLeaf {
    /// Address of the node account.
    pub node: [u8; 32],
    /// Epoch whose beacon seeded the audit.
    pub audit_epoch: u64,
    /// What the node committed to.
    pub super_root: TreeNode,
    /// The finding.
    pub verdict: Verdict,
    /// Measured speed, 10⁹ int8 operations per second, all GPUs of the node together.
    pub gops: u64,
    /// Measured memory of one GPU, MiB.
    pub vram_mib: u32,
    /// Measured bandwidth to the oracles, Mbit/s.
    pub bandwidth_mbps: u32,
    /// Instant of the finding; strictly increases for a node.
    pub at: i64,
}

/// Bytes of an encoded [`NodeLeaf`].
pub const NODE_LEAF_LEN: usize = 32 + 8 + 24 + 1 + 8 + 4 + 4 + 8;

/// What an oracle did for the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OracleLeaf {
    /// Address of the oracle account.
    pub oracle: [u8; 32],
    /// Reports it signed.
    pub signed: u64,
    /// Observations it committed to, opened in time and did not copy.
    pub opened: u64,
    /// Instant of the finding; strictly increases for an oracle.
    pub at: i64,
}

/// Bytes of an encoded [`OracleLeaf`].
pub const ORACLE_LEAF_LEN: usize = 32 + 8 + 8 + 8;

/// Bytes that are not a leaf of the kind asked for: wrong length or an unknown status or verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a leaf of this kind")]
pub struct NotALeaf;

/// Reads and writes fields in order; a leaf's encoding is the order of its fields.
struct Cursor<T> {
    bytes: T,
    at: usize,
}

impl Cursor<&mut [u8]> {
    fn put(&mut self, field: &[u8]) {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
    }
}

impl Cursor<&[u8]> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        field
    }
}

impl LeaseLeaf {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> [u8; LEASE_LEAF_LEN] {
        let mut bytes = [0; LEASE_LEAF_LEN];
        let mut out = Cursor { bytes: &mut bytes[..], at: 0 };
        out.put(&self.lease);
        out.put(&self.live_secs.to_le_bytes());
        out.put(&self.checkpointed_secs.to_le_bytes());
        out.put(&self.lost_secs.to_le_bytes());
        out.put(&[self.status as u8]);
        out.put(&self.exit_code.to_le_bytes());
        out.put(&self.checkpoint_root);
        out.put(&self.result_root);
        out.put(&self.at.to_le_bytes());
        bytes
    }

    /// Reads the canonical encoding.
    ///
    /// # Errors
    /// [`NotALeaf`] for a wrong length or an unknown status.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotALeaf> {
        if bytes.len() != LEASE_LEAF_LEN {
            return Err(NotALeaf);
        }
        let mut from = Cursor { bytes, at: 0 };
        Ok(Self {
            lease: from.take(),
            live_secs: u64::from_le_bytes(from.take()),
            checkpointed_secs: u64::from_le_bytes(from.take()),
            lost_secs: u64::from_le_bytes(from.take()),
            status: LeaseStatus::try_from(from.take::<1>()[0]).map_err(|()| NotALeaf)?,
            exit_code: i32::from_le_bytes(from.take()),
            checkpoint_root: from.take(),
            result_root: from.take(),
            at: i64::from_le_bytes(from.take()),
        })
    }

    /// Its node in the epoch's tree.
    pub fn tree_node(&self) -> TreeNode {
        lease_tree_node(&self.to_bytes())
    }
}

/// The tree node of an encoded [`LeaseLeaf`].
pub fn lease_tree_node(bytes: &[u8]) -> TreeNode {
    leaf_node(&[b"MRlease\0", bytes])
}

impl NodeLeaf {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> [u8; NODE_LEAF_LEN] {
        let mut bytes = [0; NODE_LEAF_LEN];
        let mut out = Cursor { bytes: &mut bytes[..], at: 0 };
        out.put(&self.node);
        out.put(&self.audit_epoch.to_le_bytes());
        out.put(&self.super_root);
        out.put(&[self.verdict as u8]);
        out.put(&self.gops.to_le_bytes());
        out.put(&self.vram_mib.to_le_bytes());
        out.put(&self.bandwidth_mbps.to_le_bytes());
        out.put(&self.at.to_le_bytes());
        bytes
    }

    /// Reads the canonical encoding.
    ///
    /// # Errors
    /// [`NotALeaf`] for a wrong length or an unknown verdict.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotALeaf> {
        if bytes.len() != NODE_LEAF_LEN {
            return Err(NotALeaf);
        }
        let mut from = Cursor { bytes, at: 0 };
        Ok(Self {
            node: from.take(),
            audit_epoch: u64::from_le_bytes(from.take()),
            super_root: from.take(),
            verdict: Verdict::try_from(from.take::<1>()[0]).map_err(|()| NotALeaf)?,
            gops: u64::from_le_bytes(from.take()),
            vram_mib: u32::from_le_bytes(from.take()),
            bandwidth_mbps: u32::from_le_bytes(from.take()),
            at: i64::from_le_bytes(from.take()),
        })
    }

    /// Its node in the epoch's tree.
    pub fn tree_node(&self) -> TreeNode {
        node_tree_node(&self.to_bytes())
    }
}

/// The tree node of an encoded [`NodeLeaf`].
pub fn node_tree_node(bytes: &[u8]) -> TreeNode {
    leaf_node(&[b"MRnode\0\0", bytes])
}

impl OracleLeaf {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> [u8; ORACLE_LEAF_LEN] {
        let mut bytes = [0; ORACLE_LEAF_LEN];
        let mut out = Cursor { bytes: &mut bytes[..], at: 0 };
        out.put(&self.oracle);
        out.put(&self.signed.to_le_bytes());
        out.put(&self.opened.to_le_bytes());
        out.put(&self.at.to_le_bytes());
        bytes
    }

    /// Reads the canonical encoding.
    ///
    /// # Errors
    /// [`NotALeaf`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotALeaf> {
        if bytes.len() != ORACLE_LEAF_LEN {
            return Err(NotALeaf);
        }
        let mut from = Cursor { bytes, at: 0 };
        Ok(Self {
            oracle: from.take(),
            signed: u64::from_le_bytes(from.take()),
            opened: u64::from_le_bytes(from.take()),
            at: i64::from_le_bytes(from.take()),
        })
    }

    /// Its place in the tree.
    pub fn tree_node(&self) -> TreeNode {
        oracle_tree_node(&self.to_bytes())
    }
}

/// Tree node of an encoded oracle leaf.
pub fn oracle_tree_node(bytes: &[u8]) -> TreeNode {
    leaf_node(&[b"MRoracle", bytes])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn lease_leaf()(lease: [u8; 32], live_secs: u64, checkpointed_secs: u64, lost_secs: u64, status in 0u8..5, exit_code: i32, checkpoint_root: [u8; 32], result_root: [u8; 32], at: i64) -> LeaseLeaf {
            LeaseLeaf { lease, live_secs, checkpointed_secs, lost_secs, status: LeaseStatus::try_from(status).unwrap(), exit_code, checkpoint_root, result_root, at }
        }
    }

    prop_compose! {
        fn node_leaf()(node: [u8; 32], audit_epoch: u64, super_root: [u8; 24], verdict in 1u8..4, gops: u64, vram_mib: u32, bandwidth_mbps: u32, at: i64) -> NodeLeaf {
            NodeLeaf { node, audit_epoch, super_root, verdict: Verdict::try_from(verdict).unwrap(), gops, vram_mib, bandwidth_mbps, at }
        }
    }

    proptest! {
        #[test]
        fn leaves_read_back_what_was_written(lease in lease_leaf(), node in node_leaf()) {
            prop_assert_eq!(LeaseLeaf::from_bytes(&lease.to_bytes()), Ok(lease));
            prop_assert_eq!(NodeLeaf::from_bytes(&node.to_bytes()), Ok(node));
        }

        #[test]
        fn one_changed_byte_is_another_leaf(lease in lease_leaf(), at in 0..LEASE_LEAF_LEN, flip in 1u8..) {
            let mut bytes = lease.to_bytes();
            bytes[at] ^= flip;
            prop_assert_ne!(lease_tree_node(&bytes), lease.tree_node());
        }
    }

    #[test]
    fn unknown_kinds_and_lengths_are_refused() {
        assert_eq!(LeaseLeaf::from_bytes(&[0; LEASE_LEAF_LEN - 1]), Err(NotALeaf));
        let mut bytes = [0; LEASE_LEAF_LEN];
        bytes[56] = 5;
        assert_eq!(LeaseLeaf::from_bytes(&bytes), Err(NotALeaf));
        assert_eq!(NodeLeaf::from_bytes(&[0; NODE_LEAF_LEN]), Err(NotALeaf));
    }
}
