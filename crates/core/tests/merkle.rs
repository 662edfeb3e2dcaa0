//! Trees and their paths. Needs feature `alloc`.
#![cfg(feature = "alloc")]

use millrace_core::merkle::{depth, leaf_node, parent, root_from_path, Tree, TreeNode, EMPTY};
use proptest::prelude::*;

/// The definition, level by level.
fn root(mut level: Vec<TreeNode>) -> TreeNode {
    level.resize(level.len().next_power_of_two(), EMPTY);
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| parent(&pair[0], &pair[1])).collect();
    }
    level[0]
}

fn leaves() -> impl Strategy<Value = Vec<TreeNode>> {
    prop::collection::vec(any::<TreeNode>(), 1..70)
}

proptest! {
    #[test]
    fn every_leaf_has_a_path_to_the_root(leaves in leaves()) {
        let tree = Tree::new(leaves.clone());
        prop_assert_eq!(tree.root(), root(leaves.clone()));
        for (leaf, index) in leaves.iter().zip(0..) {
            let path = tree.path(index);
            prop_assert_eq!(path.len(), depth(leaves.len() as u64) as usize);
            prop_assert_eq!(root_from_path(*leaf, index, &path), tree.root());
        }
    }

    #[test]
    fn a_path_holds_for_one_leaf_at_one_index(
        leaves in prop::collection::hash_set(any::<TreeNode>(), 2..70),
        at: prop::sample::Index,
        other: prop::sample::Index,
        byte: prop::sample::Index,
        flip in 1u8..,
    ) {
        let leaves = leaves.into_iter().collect::<Vec<_>>();
        let tree = Tree::new(leaves.clone());
        let at = at.index(leaves.len());
        let other = other.index(leaves.len());
        let path = tree.path(at as u64);
        if at != other {
            prop_assert_ne!(root_from_path(leaves[at], other as u64, &path), tree.root());
            prop_assert_ne!(root_from_path(leaves[other], at as u64, &path), tree.root());
        }
        let mut changed = path.clone();
        let bytes = changed.as_flattened_mut();
        let byte = byte.index(bytes.len());
        bytes[byte] ^= flip;
        prop_assert_ne!(root_from_path(leaves[at], at as u64, &changed), tree.root());
    }

    #[test]
    fn a_leaf_never_passes_for_an_inner_node(left: TreeNode, right: TreeNode) {
        prop_assert_ne!(leaf_node(&[&left, &right]), parent(&left, &right));
    }

    #[test]
    fn a_leaf_is_the_hash_of_its_joined_parts(content in prop::collection::vec(any::<u8>(), 0..100), at: prop::sample::Index) {
        let (left, right) = content.split_at(at.index(content.len() + 1));
        prop_assert_eq!(leaf_node(&[left, right]), leaf_node(&[&content]));
    }
}

#[test]
fn depth_is_the_logarithm_rounded_up() {
    let depths = [0, 1, 2, 3, 4, 5, 8, 9, 64, 65, 1 << 28, u64::MAX].map(depth);
    assert_eq!(depths, [0, 0, 1, 2, 2, 3, 3, 4, 6, 7, 28, 64]);
}

#[test]
fn the_smallest_trees() {
    let (a, b, c) = ([1; 24], [2; 24], [3; 24]);
    assert_eq!(Tree::new(vec![]).root(), EMPTY);
    assert_eq!(Tree::new(vec![a]).root(), a);
    assert_eq!(Tree::new(vec![a]).path(0), Vec::<TreeNode>::new());
    assert_eq!(Tree::new(vec![a, b, c]).root(), parent(&parent(&a, &b), &parent(&c, &EMPTY)));
}
