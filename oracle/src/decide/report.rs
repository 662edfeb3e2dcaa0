//! Reports as peers and providers read them, and as the journal keeps them.

use millrace_agreement::{LeafSet, Unsorted};
use millrace_core::leaves::{LeaseLeaf, NodeLeaf, NotALeaf, OracleLeaf};
use millrace_wire::messages::{HexBytes, Report};

/// Most leaves read from a peer.
pub const MAX_LEAVES: usize = 20_000;

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
    #[error(transparent)]
    Unsorted(#[from] Unsorted),
}

/// Reads what a peer sent.
///
/// # Errors
/// [`BadReport`].
pub fn from_wire(report: &Report) -> Result<LeafSet, BadReport> {
    let lists = [&report.lease_leaves, &report.node_leaves, &report.oracle_leaves];
    let count = lists.iter().fold(0usize, |sum, list| sum.saturating_add(list.len()));
    if count > MAX_LEAVES {
        return Err(BadReport::TooMany(count));
    }
    let leases = report.lease_leaves.iter().map(|leaf| LeaseLeaf::from_bytes(&leaf.0)).collect::<Result<_, _>>()?;
    let nodes = report.node_leaves.iter().map(|leaf| NodeLeaf::from_bytes(&leaf.0)).collect::<Result<_, _>>()?;
    let oracles = report.oracle_leaves.iter().map(|leaf| OracleLeaf::from_bytes(&leaf.0)).collect::<Result<_, _>>()?;
    Ok(LeafSet::from_sorted(report.epoch, leases, nodes, oracles)?)
}

/// What a peer or a provider reads.
pub fn to_wire(set: &LeafSet) -> Report {
    Report {
        epoch: set.epoch(),
        lease_leaves: set.leases().iter().map(|leaf| HexBytes(leaf.to_bytes().to_vec())).collect(),
        node_leaves: set.nodes().iter().map(|leaf| HexBytes(leaf.to_bytes().to_vec())).collect(),
        oracle_leaves: set.oracles().iter().map(|leaf| HexBytes(leaf.to_bytes().to_vec())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_agreement::testing::{lease, node, oracle};

    fn set() -> LeafSet {
        let set = LeafSet::new(3, vec![lease(2, 5, 9), lease(1, 5, 9)], vec![node(3, 1, 9)]);
        set.with_oracles(vec![oracle(1, 1, 9)])
    }

    #[test]
    fn a_report_reads_back_and_a_shuffled_or_doubled_one_does_not() {
        let wire = to_wire(&set());
        assert_eq!(from_wire(&wire), Ok(set()));

        let mut shuffled = wire.clone();
        shuffled.lease_leaves.swap(0, 1);
        assert_eq!(from_wire(&shuffled), Err(BadReport::Unsorted(Unsorted)));
        let mut doubled = wire.clone();
        doubled.oracle_leaves.push(doubled.oracle_leaves[0].clone());
        assert_eq!(from_wire(&doubled), Err(BadReport::Unsorted(Unsorted)));
        let mut cut = wire.clone();
        cut.lease_leaves[0].0.pop();
        assert_eq!(from_wire(&cut), Err(BadReport::Leaf(NotALeaf)));
        let mut flood = wire;
        flood.lease_leaves = vec![HexBytes(vec![]); MAX_LEAVES + 1];
        assert!(matches!(from_wire(&flood), Err(BadReport::TooMany(_))));
    }

    #[test]
    fn a_report_kept_from_before_oracles_had_leaves_reads_back() {
        let set = LeafSet::new(3, vec![lease(1, 5, 9)], vec![node(3, 1, 9)]);
        let mut text = serde_json::to_value(to_wire(&set)).unwrap();
        text.as_object_mut().unwrap().remove("oracle_leaves").unwrap();
        assert_eq!(from_wire(&serde_json::from_value(text).unwrap()), Ok(set));
    }
}
