//! The leaves of an epoch as one ordered set.

use millrace_core::leaves::{LeaseLeaf, NodeLeaf, OracleLeaf};
use millrace_core::merkle::{Tree, TreeNode};

/// All leaves of an epoch in the order of the tree: leases by key, nodes by key, oracles by key, no key twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafSet {
    epoch: u64,
    leases: Vec<LeaseLeaf>,
    nodes: Vec<NodeLeaf>,
    oracles: Vec<OracleLeaf>,
}

/// Leaves that are no set: out of order, or a key twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leaves are not sorted by key, each key once")]
pub struct Unsorted;

impl LeafSet {
    /// The set of these leaves. Of several leaves with one key the first is kept.
    pub fn new(epoch: u64, mut leases: Vec<LeaseLeaf>, mut nodes: Vec<NodeLeaf>) -> Self {
        leases.sort_by_key(|leaf| leaf.lease);
        leases.dedup_by_key(|leaf| leaf.lease);
        nodes.sort_by_key(|leaf| leaf.node);
        nodes.dedup_by_key(|leaf| leaf.node);
        Self { epoch, leases, nodes, oracles: Vec::new() }
    }

    /// The same with what the oracles did. It rides along: a report of nothing else is not made.
    pub fn with_oracles(mut self, mut oracles: Vec<OracleLeaf>) -> Self {
        oracles.sort_by_key(|leaf| leaf.oracle);
        oracles.dedup_by_key(|leaf| leaf.oracle);
        self.oracles = oracles;
        self
    }

    /// The set of leaves that are in the order of the tree already, each key once.
    ///
    /// # Errors
    /// [`Unsorted`].
    pub fn from_sorted(
        epoch: u64,
        leases: Vec<LeaseLeaf>,
        nodes: Vec<NodeLeaf>,
        oracles: Vec<OracleLeaf>,
    ) -> Result<Self, Unsorted> {
        let is_sorted = leases.windows(2).all(|pair| pair[0].lease < pair[1].lease)
            && nodes.windows(2).all(|pair| pair[0].node < pair[1].node)
            && oracles.windows(2).all(|pair| pair[0].oracle < pair[1].oracle);
        is_sorted.then_some(Self { epoch, leases, nodes, oracles }).ok_or(Unsorted)
    }

    /// The leaves of the accounts that are `wanted`.
    pub fn of(&self, wanted: impl Fn(&[u8; 32]) -> bool) -> Self {
        Self {
            epoch: self.epoch,
            leases: self.leases.iter().filter(|leaf| wanted(&leaf.lease)).copied().collect(),
            nodes: self.nodes.iter().filter(|leaf| wanted(&leaf.node)).copied().collect(),
            oracles: self.oracles.iter().filter(|leaf| wanted(&leaf.oracle)).copied().collect(),
        }
    }

    /// The epoch reported.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Leaves of leases, by key.
    pub fn leases(&self) -> &[LeaseLeaf] {
        &self.leases
    }

    /// Leaves of nodes, by key.
    pub fn nodes(&self) -> &[NodeLeaf] {
        &self.nodes
    }

    /// Leaves of oracles, by key.
    pub fn oracles(&self) -> &[OracleLeaf] {
        &self.oracles
    }

    /// Leaves in all.
    pub fn len(&self) -> u32 {
        let count = self.leases.len().saturating_add(self.nodes.len()).saturating_add(self.oracles.len());
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Whether there is nothing to report: no lease and no node.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.nodes.is_empty()
    }

    /// The leaf of `oracle` and its place in the tree.
    pub fn oracle(&self, oracle: &[u8; 32]) -> Option<(u32, &OracleLeaf)> {
        let place = self.oracles.iter().position(|leaf| leaf.oracle == *oracle)?;
        let index = self.leases.len().checked_add(self.nodes.len())?.checked_add(place)?;
        Some((u32::try_from(index).ok()?, self.oracles.get(place)?))
    }

    /// The tree, for its root and its paths.
    pub fn tree(&self) -> Tree {
        let leases = self.leases.iter().map(LeaseLeaf::tree_node);
        let nodes = self.nodes.iter().map(NodeLeaf::tree_node);
        Tree::new(leases.chain(nodes).chain(self.oracles.iter().map(OracleLeaf::tree_node)).collect())
    }

    /// The root that is signed.
    pub fn root(&self) -> TreeNode {
        self.tree().root()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{lease, node, oracle};
    use millrace_core::merkle::root_from_path;

    #[test]
    fn the_order_of_arrival_does_not_change_the_root() {
        let one = LeafSet::new(3, vec![lease(2, 5, 9), lease(1, 5, 9)], vec![node(9, 1, 9), node(3, 1, 9)]);
        let other = LeafSet::new(3, vec![lease(1, 5, 9), lease(2, 5, 9)], vec![node(3, 1, 9), node(9, 1, 9)]);
        assert_eq!(one.root(), other.root());
        assert_eq!(one.len(), 4);
        assert_ne!(one.root(), LeafSet::new(3, vec![lease(1, 6, 9)], vec![]).root());
    }

    #[test]
    fn leaves_out_of_order_or_twice_are_no_set() {
        let set = |leases, nodes, oracles| LeafSet::from_sorted(3, leases, nodes, oracles);
        assert!(set(vec![lease(1, 5, 9), lease(2, 5, 9)], vec![node(3, 1, 9)], vec![oracle(1, 1, 9)]).is_ok());
        assert_eq!(set(vec![lease(2, 5, 9), lease(1, 5, 9)], vec![], vec![]), Err(Unsorted));
        assert_eq!(set(vec![], vec![node(3, 1, 9), node(3, 2, 9)], vec![]), Err(Unsorted));
        assert_eq!(set(vec![], vec![], vec![oracle(2, 1, 9), oracle(1, 1, 9)]), Err(Unsorted));
    }

    #[test]
    fn oracles_ride_along_and_are_no_report_by_themselves() {
        let alone = LeafSet::new(3, vec![], vec![]).with_oracles(vec![oracle(2, 1, 9), oracle(1, 1, 9)]);
        assert!(alone.is_empty());
        assert_eq!((alone.len(), alone.oracle(&[2; 32]).unwrap().0), (2, 1));
        let set = LeafSet::new(3, vec![lease(1, 5, 9)], vec![node(3, 1, 9)]);
        let with = set.clone().with_oracles(vec![oracle(1, 1, 9)]);
        assert_ne!(set.root(), with.root());
        let (index, leaf) = with.oracle(&[1; 32]).unwrap();
        let path = with.tree().path(u64::from(index));
        assert_eq!(root_from_path(leaf.tree_node(), u64::from(index), &path), with.root());
    }

    #[test]
    fn a_part_keeps_its_order() {
        let set = LeafSet::new(3, vec![lease(1, 5, 9), lease(2, 5, 9)], vec![node(3, 1, 9)])
            .with_oracles(vec![oracle(4, 1, 9)]);
        let part = set.of(|account| [[2; 32], [4; 32]].contains(account));
        assert_eq!(part, LeafSet::new(3, vec![lease(2, 5, 9)], vec![]).with_oracles(vec![oracle(4, 1, 9)]));
    }

    #[test]
    fn every_leaf_has_its_path() {
        let set = LeafSet::new(3, vec![lease(1, 5, 9), lease(2, 5, 9)], vec![node(3, 1, 9)]);
        let tree = set.tree();
        for (index, leaf) in set.leases().iter().enumerate() {
            assert_eq!(root_from_path(leaf.tree_node(), index as u64, &tree.path(index as u64)), set.root());
        }
        assert_eq!(root_from_path(set.nodes()[0].tree_node(), 2, &tree.path(2)), set.root());
    }
}
