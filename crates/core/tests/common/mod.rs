//! A commit of one known leaf, at any size: all other nodes of its trees are made up.
#![allow(dead_code)]

use millrace_core::{
    merkle::{depth, leaf_node, root_from_path, TreeNode},
    proof::{leaf_index, pack_leaf, super_leaf, tree_depth, Commit, EntryProof, Leaf, Query, Task, CELLS_PER_LEAF},
};

pub fn task(n: u32, rounds: u32) -> Task {
    let [deployment_id, node, beacon, nonce] = [1, 2, 5, 6].map(|byte| [byte; 32]);
    Task { deployment_id, node, gpu_index: 3, epoch: 4, beacon, nonce, n, rounds }
}

/// What an [`EntryProof`] borrows.
pub struct Opened {
    pub commit: Commit,
    pub query: Query,
    pub leaf: Leaf,
    pub path: Vec<TreeNode>,
    pub seed: [u8; 32],
    pub super_path: Vec<TreeNode>,
}

impl Opened {
    /// The commit to `value` at `query`, and to zero at its neighbours in the leaf.
    pub fn new(n: u32, rounds: u32, seed: [u8; 32], query: Query, value: i32) -> Self {
        let mut cells = [0; CELLS_PER_LEAF];
        cells[query.col as usize % CELLS_PER_LEAF] = value;
        Self::with_cells(n, rounds, seed, query, &cells)
    }

    /// The commit to all entries of the leaf that holds `query`.
    pub fn with_cells(n: u32, rounds: u32, seed: [u8; 32], query: Query, cells: &[i32; CELLS_PER_LEAF]) -> Self {
        let leaf = pack_leaf(cells);
        let path = (0..tree_depth(n)).map(|level| [level as u8; 24]).collect::<Vec<_>>();
        let super_path = (0..depth(u64::from(rounds))).map(|level| [0x80 | level as u8; 24]).collect::<Vec<_>>();
        let root = root_from_path(leaf_node(&[&leaf]), leaf_index(n, query.row, query.col), &path);
        let super_root = root_from_path(super_leaf(&seed, &root), u64::from(query.round), &super_path);
        Self { commit: task(n, rounds).commit(super_root), query, leaf, path, seed, super_path }
    }

    pub fn proof(&self) -> EntryProof<'_> {
        let Query { round, row, col } = self.query;
        EntryProof {
            round,
            row,
            col,
            leaf: &self.leaf,
            path: &self.path,
            seed: &self.seed,
            super_path: &self.super_path,
        }
    }
}
