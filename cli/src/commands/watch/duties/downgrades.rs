//! Bad audits that the node's own agent does not apply: whoever does is paid out of the node's stake.

use millrace::instructions::ApplyAuditArgs;
use millrace::state::Node;
use millrace_client::{ix, Pubkey};
use millrace_core::leaves::NodeLeaf;

use super::reports::ProvenNode;
use super::{Duty, Moment};
use crate::context::mill;

/// Whether applying `leaf` to `node` now is a downgrade: the program's own answer, on a copy.
pub fn is_due(node: &Node, leaf: &NodeLeaf, audit_valid_secs: i64) -> bool {
    let mut after = *node;
    after.apply_audit(leaf, audit_valid_secs).unwrap_or(false)
}

/// The application of the leaf of the report of `epoch`.
pub fn duty(key: &Pubkey, node: &Node, epoch: u64, proven: &ProvenNode, moment: &Moment) -> Duty {
    let args = ApplyAuditArgs { epoch, index: proven.index, leaf: proven.bytes, path: proven.path.clone() };
    let (verdict, fee) = (proven.leaf.verdict, mill(moment.config.params.downgrade_fee_amount));
    Duty {
        kind: "apply downgrade",
        account: *key,
        what: format!(
            "node {key} was found {verdict:?} at {} gops in epoch {}, which its agent did not apply: for a fee of up to {fee}",
            proven.leaf.gops, proven.leaf.audit_epoch
        ),
        instruction: ix::apply_downgrade(key, node, &moment.wallet, &moment.market(), args),
        is_paid: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use millrace::state::NodeState;
    use millrace_core::leaves::Verdict;

    #[test]
    fn a_worse_audit_of_a_node_that_sells_is_due_until_it_is_applied() {
        let node = Node {
            state: NodeState::Verified as u8,
            claimed_gops: 100,
            verified_gops: 100,
            last_leaf_at: 10,
            ..Node::zeroed()
        };
        let passed = |gops| NodeLeaf {
            node: [1; 32],
            audit_epoch: 3,
            super_root: [2; 24],
            verdict: Verdict::Passed,
            gops,
            vram_mib: 0,
            bandwidth_mbps: 0,
            at: 11,
        };
        let refused = NodeLeaf { verdict: Verdict::Refused, ..passed(0) };
        assert!(is_due(&node, &passed(74), 60), "more than a quarter slower");
        assert!(is_due(&node, &refused, 60));
        assert!(!is_due(&node, &passed(75), 60) && !is_due(&node, &passed(200), 60), "no downgrade");
        assert!(!is_due(&Node { last_leaf_at: 11, ..node }, &refused, 60), "applied, or a newer one was");
        assert!(!is_due(&Node { state: NodeState::Suspended as u8, ..node }, &refused, 60), "it sells nothing");
        assert!(!is_due(&Node { state: NodeState::Retired as u8, ..node }, &refused, 60));
    }
}
