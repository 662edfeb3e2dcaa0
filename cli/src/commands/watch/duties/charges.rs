//! Offences that the oracles' leaf shows: a bundle withheld, a machine repeatedly slower than half of what it sells.

use bytemuck::Zeroable;
use millrace::instructions::OpenSlashCaseArgs;
use millrace::state::slash_case::Offence;
use millrace::state::{Node, Params, Provider, Reach, SlashCase};
use millrace_client::{ix, Pubkey};
use millrace_core::leaves::NodeLeaf;

use super::reports::ProvenNode;
use super::{Duty, Moment};
use crate::context::mill;

/// Bytes of a transaction that the path and the other nodes of a charge have together: a path of twenty levels and four
/// nodes are measured to fit.
const PATH_AND_NODES_LEN: usize = 20 * 24 + 4 * NODE_LEN;

/// Bytes of a transaction that one more account takes.
const NODE_LEN: usize = 33;

/// What a charge would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What it charges the node with.
    pub offence: Offence,
    /// How much of the provider's stake it freezes, base units.
    pub frozen_amount: u64,
}

/// The charge of `node` with `leaf` at `now` if `others` answer too: the program's own answer, on copies. None where the
/// leaf shows no offence, where it was judged, or where other nodes than these must answer.
pub fn charge(
    leaf: &NodeLeaf,
    node: &Node,
    provider: &Provider,
    others: &[Node],
    params: &Params,
    now: i64,
) -> Option<Charge> {
    let offence = Offence::of(leaf, node).ok()?;
    let (mut node, mut provider, mut others) = (*node, *provider, others.to_vec());
    let mut reach = Reach { provider: &mut provider, node: Some(&mut node), others: others.iter_mut().collect() };
    let mut case = SlashCase::zeroed();
    case.open(leaf, &mut reach, params, now).ok()?;
    Some(Charge { offence, frozen_amount: case.frozen_amount })
}

/// How many other nodes fit a charge whose path has so many bytes.
pub fn most_others(path_len: usize) -> usize {
    PATH_AND_NODES_LEN.saturating_sub(path_len) / NODE_LEN
}

/// The charge by the leaf of the report of `epoch`, reaching `others` too.
pub fn duty(
    (key, node): (&Pubkey, &Node),
    provider: &Provider,
    epoch: u64,
    proven: &ProvenNode,
    charge: Charge,
    others: &[Pubkey],
    moment: &Moment,
) -> Duty {
    let args = OpenSlashCaseArgs {
        epoch,
        index: proven.index,
        leaf: proven.bytes,
        path: proven.path.clone(),
        bounty_account: moment.wallet,
    };
    let offence = match charge.offence {
        Offence::Withheld => "withheld the answer to its audit",
        Offence::Capacity => "was found slower than half of what it sells again",
    };
    Duty {
        kind: "open slash case",
        account: *key,
        what: format!(
            "node {key} {offence} of epoch {}: charged, {} frozen",
            proven.leaf.audit_epoch,
            mill(charge.frozen_amount)
        ),
        instruction: ix::open_slash_case(&moment.watcher, key, node, provider.next_slash_case, args, others),
        is_paid: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace::state::NodeState;
    use millrace_core::leaves::Verdict;

    fn params() -> Params {
        Params { withheld_slash_bps: 2_000, capacity_slash_bps: 1_000, appeal_window_secs: 30, ..Params::zeroed() }
    }

    fn node() -> Node {
        Node { state: NodeState::Verified as u8, claimed_gops: 100, locked_stake: 500, ..Node::zeroed() }
    }

    fn provider() -> Provider {
        Provider { stake: 500, locked: 500, open_nodes: 1, ..Provider::zeroed() }
    }

    fn leaf(verdict: Verdict, gops: u64) -> NodeLeaf {
        NodeLeaf {
            node: [1; 32],
            audit_epoch: 3,
            super_root: [2; 24],
            verdict,
            gops,
            vram_mib: 0,
            bandwidth_mbps: 0,
            at: 11,
        }
    }

    #[test]
    fn a_withheld_answer_is_charged_once() {
        let withheld = leaf(Verdict::Withheld, 0);
        let charged = charge(&withheld, &node(), &provider(), &[], &params(), 20);
        assert_eq!(charged, Some(Charge { offence: Offence::Withheld, frozen_amount: 100 }));
        let judged = Node { judgeable_from_epoch: 4, ..node() };
        assert_eq!(charge(&withheld, &judged, &provider(), &[], &params(), 20), None);
        for honest in [leaf(Verdict::Refused, 0), leaf(Verdict::Passed, 100)] {
            assert_eq!(charge(&honest, &node(), &provider(), &[], &params(), 20), None);
        }
    }

    #[test]
    fn slowness_is_charged_by_the_second_slow_audit_applied() {
        let slow = leaf(Verdict::Passed, 49);
        let applied = Node { audit_epoch: 3, downgrades: 2, last_leaf_at: 11, ..node() };
        let charged = charge(&slow, &applied, &provider(), &[], &params(), 20);
        assert_eq!(charged, Some(Charge { offence: Offence::Capacity, frozen_amount: 50 }));
        assert_eq!(charge(&slow, &Node { downgrades: 1, ..applied }, &provider(), &[], &params(), 20), None);
    }

    #[test]
    fn what_a_retired_node_owes_is_taken_from_the_others_and_all_of_them_must_be_there() {
        let withheld = leaf(Verdict::Withheld, 0);
        let retired = Node { state: NodeState::Retired as u8, ..node() };
        let other = Node { index: 1, locked_stake: 60, ..node() };
        let provider = Provider { stake: 500, locked: 500, open_nodes: 3, ..Provider::zeroed() };
        let with = |others: &[Node]| charge(&withheld, &retired, &provider, others, &params(), 20);
        assert_eq!(with(&[other]), None, "sixty are reached, and another node is left");
        assert_eq!(with(&[other, other]).map(|charge| charge.frozen_amount), Some(100));
    }

    #[test]
    fn a_shorter_path_leaves_room_for_more_nodes() {
        assert_eq!((most_others(20 * 24), most_others(10 * 24), most_others(40 * 24)), (4, 11, 0));
    }
}
