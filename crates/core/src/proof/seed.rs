use super::Task;
use crate::{
    hash::sha256,
    merkle::{leaf_node, TreeNode},
};

/// Entries that a prover must open: a fraction δ of wrong entries passes with probability (1 − δ)⁵¹².
pub const QUERIES: usize = 512;

/// The nonce of an audit: SHA-256 of the 16-byte shares of the oracles that took part, in ascending order of their
/// seats in the `OracleSet`.
pub fn nonce(shares: &[[u8; 16]]) -> [u8; 32] {
    sha256(&[shares.as_flattened()])
}

/// Seed of round 0: `sha256("MRseed" ‖ deployment_id ‖ node ‖ gpu_index ‖ epoch ‖ beacon ‖ nonce)`.
pub fn seed_0(task: &Task) -> [u8; 32] {
    sha256(&[
        b"MRseed",
        &task.deployment_id,
        &task.node,
        &task.gpu_index.to_le_bytes(),
        &task.epoch.to_le_bytes(),
        &task.beacon,
        &task.nonce,
    ])
}

/// Seed of the round after the one of `seed` and `root`: `sha256("MRnext" ‖ seed ‖ root)`.
pub fn next_seed(seed: &[u8; 32], root: &TreeNode) -> [u8; 32] {
    sha256(&[b"MRnext", seed, root])
}

/// Leaf of the super-tree for one round: `leaf_node(seed ‖ root)`.
pub fn super_leaf(seed: &[u8; 32], root: &TreeNode) -> TreeNode {
    leaf_node(&[seed, root])
}

/// One entry of one round's C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Query {
    /// Round, from 0.
    pub round: u32,
    /// Row of C and of A.
    pub row: u32,
    /// Column of C and of B.
    pub col: u32,
}

impl Query {
    /// Whether one bad operand could spoil both entries: they have a row or a column in common. The round does not
    /// matter, since a stuck memory cell spoils the same row in every round.
    pub const fn shares_line(&self, other: &Query) -> bool {
        self.row == other.row || self.col == other.col
    }
}

/// The entry that query `i` of [`QUERIES`] asks for: from `sha256("MRchal" ‖ super_root ‖ next_beacon ‖ i)` with `i` as
/// u32, bytes 0..8 modulo `rounds`, bytes 8..12 modulo n, bytes 12..16 modulo n. Two queries may fall on one entry.
///
/// n and `rounds` are a commit's, so neither is 0.
pub fn query(super_root: &TreeNode, next_beacon: &[u8; 32], i: u32, n: u32, rounds: u32) -> Query {
    let q = sha256(&[b"MRchal", super_root, next_beacon, &i.to_le_bytes()]);
    let word = |at: usize| u32::from_le_bytes([q[at], q[at + 1], q[at + 2], q[at + 3]]);
    let round = (u64::from(word(4)) << 32 | u64::from(word(0))) % u64::from(rounds);
    Query { round: round as u32, row: word(8) % n, col: word(12) % n }
}
