//! Merkle trees of 24-byte nodes.
//!
//! A leaf is `sha256(0x00 ‖ content)[..24]`, an inner node `sha256(0x01 ‖ left ‖ right)[..24]`: two nodes and a prefix
//! fill one SHA-256 compression, and the prefixes keep a leaf from passing for an inner node. A tree is padded with
//! [`EMPTY`] to the next power of two leaves; its number of levels is fixed by the number of leaves, never by the prover.

use crate::hash::{sha256, sha256_within};

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// Bytes in a [`TreeNode`].
pub const TREE_NODE_LEN: usize = 24;

/// A node of a tree: the first 24 bytes of its SHA-256.
pub type TreeNode = [u8; TREE_NODE_LEN];

/// What pads a tree to a power of two leaves. Nobody knows a content that hashes to it.
pub const EMPTY: TreeNode = [0; TREE_NODE_LEN];

/// First byte of what is hashed for a leaf.
pub const LEAF_PREFIX: u8 = 0;

/// First byte of what is hashed for an inner node.
pub const PARENT_PREFIX: u8 = 1;

/// Most parts that [`leaf_node`] takes.
pub const MAX_LEAF_PARTS: usize = 15;

/// The node of a leaf whose content is the concatenation of `parts`.
///
/// # Panics
/// With more than [`MAX_LEAF_PARTS`] parts.
pub fn leaf_node(parts: &[&[u8]]) -> TreeNode {
    let mut all: [&[u8]; MAX_LEAF_PARTS + 1] = [&[]; MAX_LEAF_PARTS + 1];
    all[0] = &[LEAF_PREFIX];
    all[1..=parts.len()].copy_from_slice(parts);
    truncate(sha256(&all[..=parts.len()]))
}

/// The node above `left` and `right`.
pub fn parent(left: &TreeNode, right: &TreeNode) -> TreeNode {
    let mut message = [PARENT_PREFIX; 1 + 2 * TREE_NODE_LEN];
    message[LEFT..RIGHT].copy_from_slice(left);
    message[RIGHT..].copy_from_slice(right);
    truncate(sha256(&[&message]))
}

/// Levels above the leaves of a tree of `leaves` leaves: ⌈log₂ leaves⌉, and 0 for one leaf or none.
pub const fn depth(leaves: u64) -> u32 {
    match leaves {
        0 | 1 => 0,
        n => u64::BITS - (n - 1).leading_zeros(),
    }
}

const LEFT: usize = 1;
const RIGHT: usize = LEFT + TREE_NODE_LEN;

/// The root of the tree in which `leaf` stands at `index` with the siblings `path`, from the bottom up.
///
/// The caller checks that `path` has as many nodes as the tree has levels and that `index` is below its number of
/// leaves; bits of `index` above the path are ignored. Costs about 140 compute units a level on chain.
pub fn root_from_path(leaf: TreeNode, index: u64, path: &[TreeNode]) -> TreeNode {
    // A digest is eight bytes longer than a node: written as the left node it spills into the right one, which the
    // next sibling overwrites; written as the right one it spills behind the message.
    let mut message = [PARENT_PREFIX; RIGHT + 32];
    let place = |index: u64| if index & 1 == 0 { LEFT } else { RIGHT };

    let mut index = index;
    let mut at = place(index);
    message[at..at + TREE_NODE_LEN].copy_from_slice(&leaf);
    for sibling in path {
        if at == LEFT {
            message[RIGHT..RIGHT + TREE_NODE_LEN].copy_from_slice(sibling);
        } else {
            message[LEFT..RIGHT].copy_from_slice(sibling);
        }
        index >>= 1;
        at = place(index);
        sha256_within(&mut message, 1 + 2 * TREE_NODE_LEN, at);
    }
    let mut root = EMPTY;
    root.copy_from_slice(&message[at..at + TREE_NODE_LEN]);
    root
}

fn truncate(digest: [u8; 32]) -> TreeNode {
    let mut node = EMPTY;
    node.copy_from_slice(&digest[..TREE_NODE_LEN]);
    node
}

/// A whole tree in memory, for those who make paths.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The root at 1, the children of `i` at `2i` and `2i + 1`; 0 is unused.
    nodes: Vec<TreeNode>,
}

#[cfg(feature = "alloc")]
impl Tree {
    /// The tree over `leaves`, padded with [`EMPTY`]. The tree over no leaves is one [`EMPTY`].
    pub fn new(leaves: Vec<TreeNode>) -> Self {
        let width = 1usize << depth(leaves.len() as u64);
        let mut nodes = alloc::vec![EMPTY; 2 * width];
        nodes[width..width + leaves.len()].copy_from_slice(&leaves);
        for i in (1..width).rev() {
            nodes[i] = parent(&nodes[2 * i], &nodes[2 * i + 1]);
        }
        Self { nodes }
    }

    /// The root.
    pub fn root(&self) -> TreeNode {
        self.nodes[1]
    }

    /// The siblings of leaf `index` from the bottom up.
    ///
    /// # Panics
    /// With an index beyond the padded tree.
    pub fn path(&self, index: u64) -> Vec<TreeNode> {
        let width = self.nodes.len() / 2;
        let index = usize::try_from(index).ok().filter(|i| *i < width);
        let mut at = width + index.expect("the leaf is in the tree");
        let mut path = Vec::with_capacity(depth(width as u64) as usize);
        while at > 1 {
            path.push(self.nodes[at ^ 1]);
            at /= 2;
        }
        path
    }
}
