//! Merkle trees over what can be had again, kept without their lowest levels; a round's, made from the rows of C as they
//! are computed: C itself is never kept.

use crate::{
    backend::{ProveError, RowsDone},
    sha::{hash_leaves, hash_level_in_place, hash_parents},
};
use millrace_core::{
    merkle::{TreeNode, EMPTY, TREE_NODE_LEN},
    proof::{tree_depth, CELLS_PER_LEAF},
};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// Rows of C computed and hashed together by one thread: B is read once for all of them, and there are 64 such blocks or
/// more for the threads to share from n = 2,048 on.
pub(crate) const fn block_rows(n: u32) -> usize {
    match n {
        ..=2_048 => 32,
        4_096 => 64,
        _ => 128,
    }
}

/// Parents hashed together by one thread, where there are more.
const PARENTS_PER_TASK: usize = 2048;

/// A Merkle tree without its lowest levels.
pub struct UpperTree {
    /// Levels left out above the leaves.
    skipped: u32,
    /// As a heap: the root at 1, the children of `i` at `2i` and `2i + 1`; 0 is unused. One node after the other.
    nodes: Vec<u8>,
}

impl UpperTree {
    /// A tree whose lowest kept level has `width` nodes, a power of two, which `fill` writes, `skipped` levels above the
    /// leaves. What is above them is hashed in the current rayon pool.
    ///
    /// # Errors
    /// What `fill` gives.
    pub(crate) fn build(
        skipped: u32,
        width: usize,
        fill: impl FnOnce(&mut [TreeNode]) -> Result<(), ProveError>,
    ) -> Result<Self, ProveError> {
        let mut nodes = vec![EMPTY; 2 * width];
        fill(&mut nodes[width..])?;
        let mut width = width;
        while width > 1 {
            let (parents, children) = nodes.split_at_mut(width);
            parents[width / 2..]
                .par_chunks_mut(PARENTS_PER_TASK)
                .zip(children[..width].par_chunks(2 * PARENTS_PER_TASK))
                .for_each(|(parents, children)| hash_parents(children, parents));
            width /= 2;
        }
        Ok(Self::from_nodes(skipped, nodes.into_flattened()))
    }

    /// A tree whose nodes were computed elsewhere: the lowest kept level, and all above it as a heap.
    pub(crate) fn from_nodes(skipped: u32, nodes: Vec<u8>) -> Self {
        Self { skipped, nodes }
    }

    fn nodes(&self) -> &[TreeNode] {
        self.nodes.as_chunks().0
    }

    /// The root.
    pub fn root(&self) -> TreeNode {
        self.nodes()[1]
    }

    /// Levels left out above the leaves.
    pub(crate) fn skipped(&self) -> u32 {
        self.skipped
    }

    /// All nodes `depth` levels below the root, which must be kept ones.
    pub(crate) fn level(&self, depth: u32) -> &[TreeNode] {
        &self.nodes()[1 << depth..2 << depth]
    }

    /// From leaf `index` up to the root, bottom first. `leaves` are those under the lowest kept node above it:
    /// `2^skipped` of them.
    pub(crate) fn path(&self, index: u64, leaves: Vec<TreeNode>) -> Vec<TreeNode> {
        assert_eq!(leaves.len(), 1 << self.skipped);
        let low = millrace_core::merkle::Tree::new(leaves);
        let mut path = low.path(index & ((1 << self.skipped) - 1));
        let nodes = self.nodes();
        let mut at = nodes.len() / 2 + (index >> self.skipped) as usize;
        while at > 1 {
            path.push(nodes[at ^ 1]);
            at /= 2;
        }
        path
    }
}

/// The tree over a round's C of n rows, computed in the current rayon pool. `fill(first_row, rows)` computes
/// [`block_rows`] rows of n; `skip` is the number of levels not to keep, at most [`max_skip`].
///
/// # Errors
/// [`ProveError::Stopped`] when `rows_done` says to break.
pub(crate) fn round_tree(
    n: u32,
    skip: u32,
    rows_done: &RowsDone,
    fill: impl Fn(u32, &mut [i32]) + Sync,
) -> Result<UpperTree, ProveError> {
    assert!(skip <= max_skip(n));
    let row_len = n as usize;
    let block_rows = block_rows(n);
    let leaves = block_rows * row_len / CELLS_PER_LEAF;
    let done = AtomicU32::new(0);
    UpperTree::build(skip, kept_nodes(n, skip), |nodes| {
        nodes.par_chunks_mut(leaves >> skip).zip((0..n).into_par_iter().step_by(block_rows)).try_for_each_init(
            || (vec![0; block_rows * row_len], vec![EMPTY; leaves]),
            |(cells, scratch), (kept, first_row)| {
                fill(first_row, cells);
                hash_leaves(cells, scratch);
                for level in 0..skip {
                    hash_level_in_place(&mut scratch[..leaves >> level]);
                }
                kept.copy_from_slice(&scratch[..kept.len()]);
                let done = done.fetch_add(block_rows as u32, Ordering::Relaxed) + block_rows as u32;
                if rows_done(done).is_break() {
                    return Err(ProveError::Stopped);
                }
                Ok(())
            },
        )
    })
}

/// Most levels that [`round_tree`] can leave out: a row of C is a whole subtree.
pub(crate) fn max_skip(n: u32) -> u32 {
    (n / CELLS_PER_LEAF as u32).ilog2()
}

/// Nodes of the lowest level that a tree without its lowest `skip` levels keeps.
pub(crate) fn kept_nodes(n: u32, skip: u32) -> usize {
    1 << (tree_depth(n) - skip)
}

/// Bytes of a tree that leaves out `skip` levels.
pub(crate) fn tree_bytes(n: u32, skip: u32) -> u64 {
    2 * (TREE_NODE_LEN * kept_nodes(n, skip)) as u64
}
