//! A Merkle tree over what can be had again, without its lowest levels.

use crate::{
    sha::{hash_level_in_place, hash_parents},
    ProveError,
};
use millrace_core::merkle::{depth, parent, TreeNode, EMPTY};
use rayon::prelude::*;

/// Levels left out above the leaves, where there are so many: 0.75 bytes are kept for a leaf.
const MAX_SKIPPED: u32 = 6;

/// Groups of leaves, each under one kept node, hashed by one thread in a row.
const GROUPS_PER_TASK: usize = 16;

/// Parents hashed together by one thread, where there are more.
const PARENTS_PER_TASK: usize = 2048;

/// The tree over `leaves` leaves, padded as [`millrace_core::merkle::Tree`] is.
pub(super) struct KeptTree {
    leaves: u64,
    skipped: u32,
    /// As a heap: the root at 1, the children of `i` at `2i` and `2i + 1`; 0 is unused.
    nodes: Vec<TreeNode>,
}

impl KeptTree {
    /// Builds it in the current rayon pool. `leaf(i)` gives leaf `i`; `watch` is told of how many more are done, and stops the
    /// work with an error.
    pub(super) fn build(
        leaves: u64,
        leaf: impl Fn(u64) -> TreeNode + Sync,
        watch: impl Fn(u64) -> Result<(), ProveError> + Sync,
    ) -> Result<Self, ProveError> {
        let skipped = depth(leaves).min(MAX_SKIPPED);
        let width = 1usize << (depth(leaves) - skipped);
        let mut nodes = vec![EMPTY; 2 * width];
        let empty = (0..skipped).fold(EMPTY, |node, _| parent(&node, &node));
        nodes[width..].par_chunks_mut(GROUPS_PER_TASK).enumerate().try_for_each(|(task, kept)| {
            let first = (task * GROUPS_PER_TASK) as u64;
            for (node, group) in kept.iter_mut().zip(first..) {
                if group << skipped >= leaves {
                    *node = empty;
                    continue;
                }
                let mut scratch = group_leaves(group, skipped, leaves, &leaf);
                for level in 0..skipped {
                    hash_level_in_place(&mut scratch[..1 << (skipped - level)]);
                }
                *node = scratch[0];
            }
            watch(((first + kept.len() as u64) << skipped).min(leaves) - (first << skipped).min(leaves))
        })?;
        let mut width = width;
        while width > 1 {
            let (parents, children) = nodes.split_at_mut(width);
            parents[width / 2..]
                .par_chunks_mut(PARENTS_PER_TASK)
                .zip(children[..width].par_chunks(2 * PARENTS_PER_TASK))
                .for_each(|(parents, children)| hash_parents(children, parents));
            width /= 2;
        }
        Ok(Self { leaves, skipped, nodes })
    }

    pub(super) fn root(&self) -> TreeNode {
        self.level(0)[0]
    }

    /// All nodes `depth` levels below the root, which must be kept ones.
    pub(super) fn level(&self, depth: u32) -> &[TreeNode] {
        &self.nodes[1 << depth..2 << depth]
    }

    /// From leaf `index` up to the root, bottom first. `leaf` gives the leaves once more.
    pub(super) fn path(&self, index: u64, leaf: impl Fn(u64) -> TreeNode) -> Vec<TreeNode> {
        let group = index >> self.skipped;
        let low = millrace_core::merkle::Tree::new(group_leaves(group, self.skipped, self.leaves, leaf));
        let mut path = low.path(index & ((1 << self.skipped) - 1));
        let mut at = self.nodes.len() / 2 + group as usize;
        while at > 1 {
            path.push(self.nodes[at ^ 1]);
            at /= 2;
        }
        path
    }
}

fn group_leaves(group: u64, skipped: u32, leaves: u64, leaf: impl Fn(u64) -> TreeNode) -> Vec<TreeNode> {
    let first = group << skipped;
    (first..first + (1 << skipped)).map(|i| if i < leaves { leaf(i) } else { EMPTY }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_core::merkle::{leaf_node, root_from_path, Tree};

    #[test]
    fn it_is_the_tree_of_core_whatever_the_number_of_leaves() {
        for leaves in [1, 2, 3, 63, 64, 65, 127, 128, 700, 1024, 5000] {
            let all = (0..leaves).map(|i: u64| leaf_node(&[&i.to_le_bytes()])).collect::<Vec<_>>();
            let leaf = |i: u64| all[i as usize];
            let kept = KeptTree::build(leaves, leaf, |_| Ok(())).unwrap();
            let tree = Tree::new(all.clone());
            assert_eq!(kept.root(), tree.root(), "{leaves} leaves");
            for index in [0, leaves / 2, leaves - 1] {
                assert_eq!(kept.path(index, leaf), tree.path(index), "leaf {index} of {leaves}");
                assert_eq!(root_from_path(leaf(index), index, &tree.path(index)), kept.root());
            }
        }
    }
}
