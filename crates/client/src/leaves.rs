//! Finding leaves in a report, and the path that proves each.

use std::slice::ChunksExact;

use millrace::state::AcceptedRoot;
use millrace_core::leaves::{
    lease_tree_node, node_tree_node, oracle_tree_node, LeaseLeaf, NodeLeaf, LEASE_LEAF_LEN, NODE_LEAF_LEN,
    ORACLE_LEAF_LEN,
};
use millrace_core::merkle::Tree;

/// The leaves of a report as an oracle gives them: each kind encoded, one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct RawReport<'a> {
    /// Of leases.
    pub leases: &'a [u8],
    /// Of nodes.
    pub nodes: &'a [u8],
    /// Of oracles.
    pub oracles: &'a [u8],
}

/// A leaf with what proves it on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven<L, const N: usize> {
    /// What it says.
    pub leaf: L,
    /// Its encoding.
    pub bytes: [u8; N],
    /// Its place.
    pub index: u32,
    /// Its siblings from the bottom up, 24 bytes each.
    pub path: Vec<u8>,
}

/// The leaves asked for, of a report that is the one accepted on chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProvenReport {
    /// Of leases.
    pub leases: Vec<Proven<LeaseLeaf, LEASE_LEAF_LEN>>,
    /// Of nodes.
    pub nodes: Vec<Proven<NodeLeaf, NODE_LEAF_LEN>>,
}

/// Why a report an oracle gave is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReport {
    /// Not a list of leaves.
    #[error("it holds something that is not a leaf")]
    NotLeaves,
    /// Another report.
    #[error("its leaves do not give the root accepted on chain")]
    OtherRoot,
}

/// Checks a report against the accepted root, and makes the path of every leaf that `wants_lease` or `wants_node` asks for.
///
/// # Errors
/// [`BadReport`].
pub fn prove(
    report: RawReport,
    accepted: &AcceptedRoot,
    wants_lease: impl Fn(&LeaseLeaf) -> bool,
    wants_node: impl Fn(&NodeLeaf) -> bool,
) -> Result<ProvenReport, BadReport> {
    let leases = split(report.leases, LEASE_LEAF_LEN)?;
    let nodes = split(report.nodes, NODE_LEAF_LEN)?;
    let oracles = split(report.oracles, ORACLE_LEAF_LEN)?;
    let hashed = leases.clone().map(lease_tree_node).chain(nodes.clone().map(node_tree_node));
    let all: Vec<_> = hashed.chain(oracles.map(oracle_tree_node)).collect();
    let count = u32::try_from(all.len()).map_err(|_| BadReport::OtherRoot)?;
    let tree = Tree::new(all);
    if count != accepted.leaves || tree.root() != accepted.root {
        return Err(BadReport::OtherRoot);
    }
    let path = |index: u32| tree.path(u64::from(index)).concat();
    let mut proven = ProvenReport::default();
    let first_node = leases.len() as u32;
    for (index, bytes) in (0..).zip(leases) {
        let leaf = LeaseLeaf::from_bytes(bytes).map_err(|_| BadReport::NotLeaves)?;
        if wants_lease(&leaf) {
            proven.leases.push(Proven { leaf, bytes: leaf.to_bytes(), index, path: path(index) });
        }
    }
    for (index, bytes) in (first_node..).zip(nodes) {
        let leaf = NodeLeaf::from_bytes(bytes).map_err(|_| BadReport::NotLeaves)?;
        if wants_node(&leaf) {
            proven.nodes.push(Proven { leaf, bytes: leaf.to_bytes(), index, path: path(index) });
        }
    }
    Ok(proven)
}

/// The encodings of leaves that are `len` bytes long.
fn split(leaves: &[u8], len: usize) -> Result<ChunksExact<'_, u8>, BadReport> {
    let each = leaves.chunks_exact(len);
    match each.remainder().is_empty() {
        true => Ok(each),
        false => Err(BadReport::NotLeaves),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use millrace::state::Reports;
    use millrace_core::leaves::{LeaseStatus, OracleLeaf, Verdict};

    fn lease_leaf(lease: u8) -> LeaseLeaf {
        LeaseLeaf {
            lease: [lease; 32],
            live_secs: 5,
            checkpointed_secs: 0,
            lost_secs: 0,
            status: LeaseStatus::Running,
            exit_code: 0,
            checkpoint_root: [0; 32],
            result_root: [0; 32],
            at: 9,
        }
    }

    fn node_leaf(node: u8) -> NodeLeaf {
        NodeLeaf {
            node: [node; 32],
            audit_epoch: 3,
            super_root: [1; 24],
            verdict: Verdict::Passed,
            gops: 50,
            vram_mib: 6,
            bandwidth_mbps: 100,
            at: 9,
        }
    }

    /// A report's leaves, each kind joined.
    #[derive(Clone)]
    struct Joined {
        leases: Vec<u8>,
        nodes: Vec<u8>,
        oracles: Vec<u8>,
    }

    impl Joined {
        fn raw(&self) -> RawReport<'_> {
            RawReport { leases: &self.leases, nodes: &self.nodes, oracles: &self.oracles }
        }
    }

    fn report() -> (Joined, Reports) {
        let leases = [1, 2, 3].map(lease_leaf);
        let nodes = [7, 8].map(node_leaf);
        let oracle = OracleLeaf { oracle: [4; 32], signed: 2, opened: 1, at: 9 };
        let first = leases.iter().map(LeaseLeaf::tree_node).chain(nodes.iter().map(NodeLeaf::tree_node));
        let tree = Tree::new(first.chain([oracle.tree_node()]).collect());
        let report = Joined {
            leases: leases.map(|leaf| leaf.to_bytes()).concat(),
            nodes: nodes.map(|leaf| leaf.to_bytes()).concat(),
            oracles: oracle.to_bytes().to_vec(),
        };
        let mut reports = Box::new(Reports::zeroed());
        reports.accept(4, tree.root(), 6, 1, 10);
        (report, *reports)
    }

    #[test]
    fn the_program_accepts_the_path_of_every_leaf_asked_for() {
        let (report, reports) = report();
        let accepted = reports.accepted(4).unwrap();
        let proven = prove(report.raw(), accepted, |leaf| leaf.lease == [2; 32], |leaf| leaf.node == [8; 32]).unwrap();
        assert_eq!((proven.leases.len(), proven.nodes.len()), (1, 1));
        let (lease, node) = (&proven.leases[0], &proven.nodes[0]);
        assert!(reports.prove(4, lease.index, lease_tree_node(&lease.bytes), &lease.path).is_ok());
        assert!(reports.prove(4, node.index, node_tree_node(&node.bytes), &node.path).is_ok());
        assert_eq!((lease.index, node.index), (1, 4));
    }

    #[test]
    fn a_report_that_is_not_the_accepted_one_is_refused() {
        let (report, reports) = report();
        let accepted = AcceptedRoot { ..*reports.accepted(4).unwrap() };
        let refuse =
            |report: &Joined, accepted: &AcceptedRoot| prove(report.raw(), accepted, |_| true, |_| true).unwrap_err();
        let mut fewer = report.clone();
        fewer.nodes.truncate(NODE_LEAF_LEN);
        assert_eq!(refuse(&fewer, &accepted), BadReport::OtherRoot);
        fewer.nodes.pop();
        assert_eq!(refuse(&fewer, &accepted), BadReport::NotLeaves);
        let mut changed = report.clone();
        changed.leases[40] ^= 1;
        assert_eq!(refuse(&changed, &accepted), BadReport::OtherRoot);
        assert_eq!(refuse(&report, &AcceptedRoot::zeroed()), BadReport::OtherRoot);
    }
}
