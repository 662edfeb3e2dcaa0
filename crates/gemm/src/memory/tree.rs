//! The trees of the proof of memory: over words, or the ends of walks, which can be had again.

use crate::{sha::hash_level_in_place, tree::UpperTree, ProveError};
use millrace_core::{
    merkle::{depth, parent, TreeNode, EMPTY, TREE_NODE_LEN},
    proof::memory::{word_leaf, Word},
};
use rayon::prelude::*;
use std::ops::Range;

/// Levels left out above the leaves, where there are so many: 0.75 bytes are kept for a leaf.
const MAX_SKIPPED: u32 = 6;

/// Groups of leaves, each under one kept node, hashed by one thread in a row.
const GROUPS_PER_TASK: usize = 16;

/// The tree over `leaves` words, padded as [`millrace_core::merkle::Tree`] is.
pub(crate) struct KeptTree {
    leaves: u64,
    upper: UpperTree,
}

impl KeptTree {
    /// Builds it in the current rayon pool. `words` gives some of the words; `watch` is told of how many more are done, and
    /// stops the work with an error.
    pub fn build(
        leaves: u64,
        words: impl Fn(Range<u64>) -> Result<Vec<Word>, ProveError> + Sync,
        watch: impl Fn(u64) -> Result<(), ProveError> + Sync,
    ) -> Result<Self, ProveError> {
        let skipped = skipped(leaves);
        let width = 1usize << (depth(leaves) - skipped);
        let empty = empty(skipped);
        let upper = UpperTree::build(skipped, width, |nodes| {
            nodes.par_chunks_mut(GROUPS_PER_TASK).enumerate().try_for_each(|(task, kept)| {
                let first = (task * GROUPS_PER_TASK) as u64;
                for (node, index) in kept.iter_mut().zip(first..) {
                    let group = group(index, skipped, leaves);
                    if group.is_empty() {
                        *node = empty;
                        continue;
                    }
                    let mut scratch = padded(&words(group)?, skipped);
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

    pub fn root(&self) -> TreeNode {
        self.upper.root()
    }

    /// All nodes so many levels below the root, which must be kept ones.
    pub fn level(&self, below: u32) -> Vec<TreeNode> {
        let levels = depth(self.leaves) - below;
        let mut nodes = self.upper.level(below).to_vec();
        // A tree of bands has nothing in the place of what is under padding alone.
        nodes[self.leaves.div_ceil(1 << levels) as usize..].fill(empty(levels));
        nodes
    }

    /// Word `index`, and the path from it up to the root, bottom first. `words` gives some of the words once more.
    ///
    /// # Errors
    /// What `words` gives.
    pub fn open(
        &self,
        index: u64,
        words: impl FnOnce(Range<u64>) -> Result<Vec<Word>, ProveError>,
    ) -> Result<(Word, Vec<TreeNode>), ProveError> {
        let skipped = self.upper.skipped();
        let group = group(index >> skipped, skipped, self.leaves);
        let at = (index - group.start) as usize;
        let words = words(group)?;
        Ok((words[at], self.upper.path(index, padded(&words, skipped))))
    }
}

/// A [`KeptTree`] under way whose nodes are made elsewhere, a band of words at a time.
pub(crate) struct TreeOfBands {
    leaves: u64,
    depth: u32,
    band_depth: u32,
    /// One after the other, as in [`UpperTree`]. The system makes zeros when they are first touched: while the card works, if
    /// nobody does before.
    nodes: Vec<u8>,
}

impl TreeOfBands {
    /// In bands of 2^`band_depth` words, or one of all where there are fewer.
    pub fn new(leaves: u64, band_depth: u32) -> Self {
        let depth = depth(leaves);
        let nodes = vec![0; (2 * TREE_NODE_LEN) << (depth - skipped(leaves))];
        Self { leaves, depth, band_depth: band_depth.min(depth), nodes }
    }

    /// Levels of a band.
    pub fn band_depth(&self) -> u32 {
        self.band_depth
    }

    /// Bands in which there are words.
    pub fn bands(&self) -> u64 {
        self.leaves.div_ceil(1 << self.band_depth)
    }

    /// The words of a band.
    pub fn band(&self, band: u64) -> Range<u64> {
        group(band, self.band_depth, self.leaves)
    }

    /// Kept nodes of a band, and one: as a heap, its root is at 1, the children of `i` at `2i` and `2i + 1`.
    pub fn heap_len(&self) -> usize {
        2 << (self.band_depth - skipped(self.leaves))
    }

    /// Takes up the nodes of a band.
    pub fn put(&mut self, band: u64, heap: &[TreeNode]) {
        assert_eq!(heap.len(), self.heap_len());
        let root = (1 << (self.depth - self.band_depth)) + band as usize;
        let (nodes, _) = self.nodes.as_chunks_mut();
        for level in 0..heap.len().ilog2() {
            nodes[root << level..(root + 1) << level].copy_from_slice(&heap[1 << level..2 << level]);
        }
    }

    /// The tree, when all bands were put.
    pub fn finish(mut self) -> KeptTree {
        let (first, bands) = (1 << (self.depth - self.band_depth), self.bands() as usize);
        let (nodes, _) = self.nodes.as_chunks_mut();
        nodes[first + bands..2 * first].fill(empty(self.band_depth));
        for i in (1..first).rev() {
            nodes[i] = parent(&nodes[2 * i], &nodes[2 * i + 1]);
        }
        KeptTree { leaves: self.leaves, upper: UpperTree::from_nodes(skipped(self.leaves), self.nodes) }
    }
}

/// Levels that are not kept.
fn skipped(leaves: u64) -> u32 {
    depth(leaves).min(MAX_SKIPPED)
}

/// The node so many levels above nothing but padding.
fn empty(levels: u32) -> TreeNode {
    (0..levels).fold(EMPTY, |node, _| parent(&node, &node))
}

/// The leaves under a node so many levels above them, padding left out.
fn group(index: u64, levels: u32, leaves: u64) -> Range<u64> {
    (index << levels).min(leaves)..((index + 1) << levels).min(leaves)
}

/// The leaves of a group.
fn padded(words: &[Word], skipped: u32) -> Vec<TreeNode> {
    let mut leaves = words.iter().map(word_leaf).collect::<Vec<_>>();
    leaves.resize(1 << skipped, EMPTY);
    leaves
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_core::merkle::{root_from_path, Tree};

    const COUNTS: [u64; 11] = [1, 2, 3, 63, 64, 65, 127, 128, 700, 1024, 5000];

    fn words(of: Range<u64>) -> Result<Vec<Word>, ProveError> {
        Ok(of.map(|i| std::array::from_fn(|at| (i >> (8 * (at % 8))) as u8)).collect())
    }

    fn whole(leaves: u64) -> Tree {
        Tree::new(words(0..leaves).unwrap().iter().map(word_leaf).collect())
    }

    #[test]
    fn it_is_the_tree_of_core_whatever_the_number_of_leaves() {
        for leaves in COUNTS {
            let kept = KeptTree::build(leaves, words, |_| Ok(())).unwrap();
            let tree = whole(leaves);
            assert_eq!(kept.root(), tree.root(), "{leaves} leaves");
            for index in [0, leaves / 2, leaves - 1] {
                let (word, path) = kept.open(index, words).unwrap();
                assert_eq!(path, tree.path(index), "leaf {index} of {leaves}");
                assert_eq!(root_from_path(word_leaf(&word), index, &path), kept.root());
            }
        }
    }

    #[test]
    fn it_is_the_same_out_of_bands_of_any_depth() {
        for (leaves, band_depth) in COUNTS.iter().flat_map(|leaves| [6, 7, 9, 20].map(|depth| (*leaves, depth))) {
            let mut bands = TreeOfBands::new(leaves, band_depth);
            for band in 0..bands.bands() {
                let mut level = words(bands.band(band)).unwrap().iter().map(word_leaf).collect::<Vec<_>>();
                level.resize(1 << bands.band_depth(), EMPTY);
                let mut levels = vec![level];
                while let [.., lowest] = &levels[..] {
                    let (pairs, _) = lowest.as_chunks();
                    if pairs.is_empty() {
                        break;
                    }
                    levels.push(pairs.iter().map(|[left, right]| parent(left, right)).collect());
                }
                levels.push(vec![EMPTY]);
                let heap = levels.into_iter().rev().flatten().take(bands.heap_len()).collect::<Vec<_>>();
                bands.put(band, &heap);
            }
            let (kept, tree) = (bands.finish(), whole(leaves));
            assert_eq!(kept.root(), tree.root(), "{leaves} leaves");
            for index in [0, leaves / 2, leaves - 1] {
                assert_eq!(kept.open(index, words).unwrap().1, tree.path(index), "leaf {index} of {leaves}");
            }
            let whole = KeptTree::build(leaves, words, |_| Ok(())).unwrap();
            for below in 0..=depth(leaves) - skipped(leaves) {
                assert_eq!(kept.level(below), whole.level(below), "{below} below the root of {leaves}");
            }
        }
    }
}
