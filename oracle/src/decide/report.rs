//! The leaves of an epoch as one ordered set: read, written, hashed.

use millrace_core::leaves::{LeaseLeaf, NodeLeaf, NotALeaf, OracleLeaf};
use millrace_core::merkle::{Tree, TreeNode};
use millrace_wire::messages::{HexBytes, Report};

/// Most leaves read from a peer.
pub const MAX_LEAVES: usize = 20_000;

/// All leaves of an epoch in the order of the tree: leases by key, nodes by key, oracles by key, no key twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafSet {
    epoch: u64,
    leases: Vec<LeaseLeaf>,
    nodes: Vec<NodeLeaf>,
    oracles: Vec<OracleLeaf>,
}

/// Why a peer's report is no set of leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReport {
    /// A leaf does not decode.
    #[error(transparent)]
    Leaf(#[from] NotALeaf),
    /// Too many leaves.
    #[error("the report has {0} leaves, at most {MAX_LEAVES} are read")]
    TooMany(usize),
    /// Out of order, or a key twice.
    #[error("the leaves are not sorted by key, each key once")]
    Unsorted,
}

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

    /// Reads what a peer sent.
    ///
    /// # Errors
    /// [`BadReport`].
    pub fn from_wire(report: &Report) -> Result<Self, BadReport> {
        let lists = [&report.lease_leaves, &report.node_leaves, &report.oracle_leaves];
        let count = lists.iter().fold(0usize, |sum, list| sum.saturating_add(list.len()));
        if count > MAX_LEAVES {
            return Err(BadReport::TooMany(count));
        }
        let leases: Vec<_> =
            report.lease_leaves.iter().map(|leaf| LeaseLeaf::from_bytes(&leaf.0)).collect::<Result<_, _>>()?;
        let nodes: Vec<_> =
            report.node_leaves.iter().map(|leaf| NodeLeaf::from_bytes(&leaf.0)).collect::<Result<_, _>>()?;
        let oracles: Vec<_> =
            report.oracle_leaves.iter().map(|leaf| OracleLeaf::from_bytes(&leaf.0)).collect::<Result<_, _>>()?;
        let is_sorted = leases.windows(2).all(|pair| pair[0].lease < pair[1].lease)
            && nodes.windows(2).all(|pair| pair[0].node < pair[1].node)
            && oracles.windows(2).all(|pair| pair[0].oracle < pair[1].oracle);
        if !is_sorted {
            return Err(BadReport::Unsorted);
        }
        Ok(Self { epoch: report.epoch, leases, nodes, oracles })
    }

    /// What a peer or a provider reads.
    pub fn to_wire(&self) -> Report {
        Report {
            epoch: self.epoch,
            lease_leaves: self.leases.iter().map(|leaf| HexBytes(leaf.to_bytes().to_vec())).collect(),
            node_leaves: self.nodes.iter().map(|leaf| HexBytes(leaf.to_bytes().to_vec())).collect(),
            oracle_leaves: self.oracles.iter().map(|leaf| HexBytes(leaf.to_bytes().to_vec())).collect(),
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

    /// Leaves in all: [`MAX_LEAVES`] fit easily.
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
pub(crate) mod tests {
    use super::*;
    use millrace_core::leaves::{LeaseStatus, Verdict};

    pub(crate) fn lease(key: u8, live_secs: u64, at: i64) -> LeaseLeaf {
        LeaseLeaf {
            lease: [key; 32],
            live_secs,
            checkpointed_secs: 0,
            lost_secs: 0,
            status: LeaseStatus::Running,
            exit_code: 0,
            checkpoint_root: [0; 32],
            result_root: [0; 32],
            at,
        }
    }

    pub(crate) fn node(key: u8, gops: u64, at: i64) -> NodeLeaf {
        NodeLeaf {
            node: [key; 32],
            audit_epoch: 4,
            super_root: [key; 24],
            verdict: Verdict::Passed,
            gops,
            vram_mib: 6,
            bandwidth_mbps: 100,
            at,
        }
    }

    #[test]
    fn the_order_of_arrival_does_not_change_the_root() {
        let one = LeafSet::new(3, vec![lease(2, 5, 9), lease(1, 5, 9)], vec![node(9, 1, 9), node(3, 1, 9)]);
        let other = LeafSet::new(3, vec![lease(1, 5, 9), lease(2, 5, 9)], vec![node(3, 1, 9), node(9, 1, 9)]);
        assert_eq!(one.root(), other.root());
        assert_eq!(one.len(), 4);
        assert_ne!(one.root(), LeafSet::new(3, vec![lease(1, 6, 9)], vec![]).root());
    }

    #[test]
    fn a_report_reads_back_and_a_shuffled_or_doubled_one_does_not() {
        let set = LeafSet::new(3, vec![lease(2, 5, 9), lease(1, 5, 9)], vec![node(3, 1, 9)]);
        let wire = set.to_wire();
        assert_eq!(LeafSet::from_wire(&wire), Ok(set));

        let mut shuffled = wire.clone();
        shuffled.lease_leaves.swap(0, 1);
        assert_eq!(LeafSet::from_wire(&shuffled), Err(BadReport::Unsorted));
        let mut doubled = wire.clone();
        doubled.node_leaves.push(doubled.node_leaves[0].clone());
        assert_eq!(LeafSet::from_wire(&doubled), Err(BadReport::Unsorted));
        let mut cut = wire.clone();
        cut.lease_leaves[0].0.pop();
        assert_eq!(LeafSet::from_wire(&cut), Err(BadReport::Leaf(NotALeaf)));
        let mut flood = wire;
        flood.lease_leaves = vec![HexBytes(vec![]); MAX_LEAVES + 1];
        assert!(matches!(LeafSet::from_wire(&flood), Err(BadReport::TooMany(_))));
    }

    pub(crate) fn oracle(key: u8, opened: u64, at: i64) -> OracleLeaf {
        OracleLeaf { oracle: [key; 32], signed: 9, opened, at }
    }

    #[test]
    fn oracles_ride_along_and_are_no_report_by_themselves() {
        let alone = LeafSet::new(3, vec![], vec![]).with_oracles(vec![oracle(2, 1, 9), oracle(1, 1, 9)]);
        assert!(alone.is_empty());
        assert_eq!((alone.len(), alone.oracle(&[2; 32]).unwrap().0), (2, 1));
        let set = LeafSet::new(3, vec![lease(1, 5, 9)], vec![node(3, 1, 9)]);
        let with = set.clone().with_oracles(vec![oracle(1, 1, 9)]);
        assert_ne!(set.root(), with.root());
        assert_eq!(LeafSet::from_wire(&with.to_wire()), Ok(with.clone()));
        let (index, leaf) = with.oracle(&[1; 32]).unwrap();
        let path = with.tree().path(u64::from(index));
        assert_eq!(millrace_core::merkle::root_from_path(leaf.tree_node(), u64::from(index), &path), with.root());
        let mut doubled = with.to_wire();
        doubled.oracle_leaves.push(doubled.oracle_leaves[0].clone());
        assert_eq!(LeafSet::from_wire(&doubled), Err(BadReport::Unsorted));
    }

    #[test]
    fn a_report_kept_from_before_oracles_had_leaves_reads_back() {
        let set = LeafSet::new(3, vec![lease(1, 5, 9)], vec![node(3, 1, 9)]);
        let mut text = serde_json::to_value(set.to_wire()).unwrap();
        text.as_object_mut().unwrap().remove("oracle_leaves").unwrap();
        assert_eq!(LeafSet::from_wire(&serde_json::from_value(text).unwrap()), Ok(set));
    }

    #[test]
    fn every_leaf_has_its_path() {
        use millrace_core::merkle::root_from_path;
        let set = LeafSet::new(3, vec![lease(1, 5, 9), lease(2, 5, 9)], vec![node(3, 1, 9)]);
        let tree = set.tree();
        for (index, leaf) in set.leases().iter().enumerate() {
            assert_eq!(root_from_path(leaf.tree_node(), index as u64, &tree.path(index as u64)), set.root());
        }
        assert_eq!(root_from_path(set.nodes()[0].tree_node(), 2, &tree.path(2)), set.root());
    }
}
