//! Reports as peers and providers read them, and as the journal keeps them.

use millrace::constants::MAX_SEATS;
use millrace_agreement::{LeafSet, Unsorted};
use millrace_core::leaves::{
    LeaseLeaf, NodeLeaf, NotALeaf, OracleLeaf, LEASE_LEAF_LEN, NODE_LEAF_LEN, ORACLE_LEAF_LEN,
};
use millrace_wire::messages::{Leaves, Report, BALLOT_DOMAIN};
use millrace_wire::Sealed;

use super::audit::KEPT_EPOCHS;

/// Why a peer's report is no set of leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReport {
    /// A leaf does not decode.
    #[error(transparent)]
    Leaf(#[from] NotALeaf),
    /// Out of order, or a key twice.
    #[error(transparent)]
    Unsorted(#[from] Unsorted),
}

/// Reads what a peer sent. How much that may be is for whoever receives the bytes to say.
///
/// # Errors
/// [`BadReport`].
pub fn from_wire(report: &Report) -> Result<LeafSet, BadReport> {
    let leases = split(&report.lease_leaves, LEASE_LEAF_LEN, LeaseLeaf::from_bytes)?;
    let nodes = split(&report.node_leaves, NODE_LEAF_LEN, NodeLeaf::from_bytes)?;
    let oracles = split(&report.oracle_leaves, ORACLE_LEAF_LEN, OracleLeaf::from_bytes)?;
    Ok(LeafSet::from_sorted(report.epoch, leases, nodes, oracles)?)
}

fn split<T>(leaves: &Leaves, len: usize, read: fn(&[u8]) -> Result<T, NotALeaf>) -> Result<Vec<T>, NotALeaf> {
    let each = leaves.0.chunks_exact(len);
    if !each.remainder().is_empty() {
        return Err(NotALeaf);
    }
    let mut all = Vec::with_capacity(each.len());
    for leaf in each {
        all.push(read(leaf)?);
    }
    Ok(all)
}

/// What a peer or a provider reads.
pub fn to_wire(set: &LeafSet) -> Report {
    Report {
        epoch: set.epoch(),
        lease_leaves: join(set.leases(), LeaseLeaf::to_bytes),
        node_leaves: join(set.nodes(), NodeLeaf::to_bytes),
        oracle_leaves: join(set.oracles(), OracleLeaf::to_bytes),
    }
}

fn join<T, const N: usize>(leaves: &[T], write: fn(&T) -> [u8; N]) -> Leaves {
    let mut bytes = Vec::with_capacity(leaves.len().saturating_mul(N));
    leaves.iter().for_each(|leaf| bytes.extend_from_slice(&write(leaf)));
    Leaves(bytes)
}

/// What an oracle said it saw of `epoch`, if it was `authority` that sealed it.
pub fn open_ballot(sealed: &Sealed, authority: &[u8; 32], epoch: u64) -> Option<LeafSet> {
    let report: Report = sealed.open(BALLOT_DOMAIN, authority).ok()?;
    from_wire(&report).ok().filter(|set| set.epoch() == epoch)
}

/// Leaves of the largest report another oracle can honestly have, by what this one knows: `live_leases` on chain, which may
/// double before it looks again, and what `audits_per_epoch` leave behind.
pub fn most_leaves(live_leases: usize, audits_per_epoch: usize) -> usize {
    let audited = audits_per_epoch.saturating_mul(KEPT_EPOCHS as usize + 1);
    live_leases.saturating_mul(2).saturating_add(audited).saturating_add(MAX_SEATS)
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
        shuffled.lease_leaves.0.rotate_left(LEASE_LEAF_LEN);
        assert_eq!(from_wire(&shuffled), Err(BadReport::Unsorted(Unsorted)));
        let mut doubled = wire.clone();
        doubled.oracle_leaves.0.extend_from_within(..ORACLE_LEAF_LEN);
        assert_eq!(from_wire(&doubled), Err(BadReport::Unsorted(Unsorted)));
        let mut cut = wire;
        cut.lease_leaves.0.pop();
        assert_eq!(from_wire(&cut), Err(BadReport::Leaf(NotALeaf)));
    }

    #[test]
    fn a_hundred_thousand_leaves_read_back_and_fit_what_may_be_sent() {
        let leaf = |number: u32| {
            let mut leaf = lease(1, 5, 9);
            leaf.lease[..4].copy_from_slice(&number.to_be_bytes());
            leaf
        };
        let set = LeafSet::new(3, (0..100_000).map(leaf).collect(), vec![]).with_oracles(vec![oracle(1, 1, 9)]);
        let text = serde_json::to_vec(&to_wire(&set)).unwrap();
        assert!(text.len() <= Report::most_bytes(100_001), "{} bytes", text.len());
        assert!(Report::most_bytes(100_001) - text.len() < text.len() / 50, "the bound is no wider than it must be");
        assert_eq!(from_wire(&serde_json::from_slice(&text).unwrap()), Ok(set));
        assert_eq!(Report::LONGEST_LEAF, LEASE_LEAF_LEN.max(NODE_LEAF_LEN).max(ORACLE_LEAF_LEN));
    }

    #[test]
    fn a_report_kept_as_lists_of_hex_reads_back() {
        let hex = |bytes: &[u8], len| bytes.chunks(len).map(hex::encode).collect::<Vec<_>>();
        let wire = to_wire(&set());
        let text = serde_json::json!({
            "epoch": 3,
            "lease_leaves": hex(&wire.lease_leaves.0, LEASE_LEAF_LEN),
            "node_leaves": hex(&wire.node_leaves.0, NODE_LEAF_LEN),
            "oracle_leaves": hex(&wire.oracle_leaves.0, ORACLE_LEAF_LEN),
        });
        assert_eq!(from_wire(&serde_json::from_str(&text.to_string()).unwrap()), Ok(set()));
    }

    #[test]
    fn a_report_kept_from_before_oracles_had_leaves_reads_back() {
        let set = LeafSet::new(3, vec![lease(1, 5, 9)], vec![node(3, 1, 9)]);
        let mut text = serde_json::to_value(to_wire(&set)).unwrap();
        text.as_object_mut().unwrap().remove("oracle_leaves").unwrap();
        assert_eq!(from_wire(&serde_json::from_value(text).unwrap()), Ok(set));
    }
}
