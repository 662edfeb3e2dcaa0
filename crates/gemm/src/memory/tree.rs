//! The trees of the proof of memory: over words, or the ends of walks, which can be had again.

use crate::{sha::hash_level_in_place, tree::UpperTree, ProveError};
use millrace_core::merkle::{depth, parent, TreeNode, EMPTY};
use rayon::prelude::*;

/// Levels left out above the leaves, where there are so many: 0.75 bytes are kept for a leaf.
const MAX_SKIPPED: u32 = 6;

/// Groups of leaves, each under one kept node, hashed by one thread in a row.
const GROUPS_PER_TASK: usize = 16;

/// The tree over `leaves` leaves, padded as [`millrace_core::merkle::Tree`] is.
pub(super) struct KeptTree {
    leaves: u64,
    upper: UpperTree,
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
        let empty = (0..skipped).fold(EMPTY, |node, _| parent(&node, &node));
        let upper = UpperTree::build(skipped, width, |nodes| {
            nodes.par_chunks_mut(GROUPS_PER_TASK).enumerate().try_for_each(|(task, kept)| {
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
            })
        })?;
        Ok(Self { leaves, upper })
    }

    pub(super) fn root(&self) -> TreeNode {
        self.upper.root()
    }

    /// All nodes `depth` levels below the root, which must be kept ones.
    pub(super) fn level(&self, depth: u32) -> &[TreeNode] {
        self.upper.level(depth)
    }

    /// From leaf `index` up to the root, bottom first. `leaf` gives the leaves once more.
    pub(super) fn path(&self, index: u64, leaf: impl Fn(u64) -> TreeNode) -> Vec<TreeNode> {
        let skipped = self.upper.skipped();
        self.upper.path(index, group_leaves(index >> skipped, skipped, self.leaves, leaf))
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
