//! What oracles put forward for an epoch.

use millrace_core::leaves::{LeaseLeaf, LeaseStatus, NodeLeaf, Verdict};
use millrace_core::merkle::TreeNode;

use super::{Dice, Market};
use crate::{NodeSpec, Pubkey, Report};

/// One finding.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// Of a lease.
    Lease(LeaseLeaf),
    /// Of a node.
    Node(NodeLeaf),
}

impl Found {
    /// Its place in the tree.
    pub fn tree_node(&self) -> TreeNode {
        match self {
            Self::Lease(leaf) => leaf.tree_node(),
            Self::Node(leaf) => leaf.tree_node(),
        }
    }
}

/// A report an oracle may sign.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The report.
    pub report: Report,
    /// What it says.
    pub found: Vec<Found>,
}

impl Draft {
    fn of(epoch: u64, found: Vec<Found>) -> Self {
        let leaves: Vec<TreeNode> = found.iter().map(Found::tree_node).collect();
        Self { report: Report::over(epoch, &leaves), found }
    }

    /// What the oracles see of everything now: mostly the truth, now and then a clock that ran ahead, a figure that
    /// fell, an end.
    pub fn honest(market: &Market, epoch: u64, dice: &mut Dice) -> Self {
        let now = market.world.now();
        let mut found = vec![];
        for (key, lease) in market.model.leases.iter().filter(|(_, lease)| lease.ended_at.is_none()) {
            let elapsed = u64::try_from(now - lease.started_at).unwrap_or(0);
            let live_secs = match dice.below(10) {
                0 => elapsed + dice.below(500),
                1 => dice.below(elapsed + 1),
                _ => elapsed - dice.below(elapsed / 8 + 1),
            };
            let status = match dice.below(12) {
                0 | 1 => LeaseStatus::Completed,
                2 => LeaseStatus::JobFailed,
                3 => LeaseStatus::NodeFailed,
                4 if lease.stop_at.is_some() => LeaseStatus::Stopped,
                _ => LeaseStatus::Running,
            };
            let at = if dice.once_in(20) { now + 1 + dice.below(100) as i64 } else { now };
            found.push(Found::Lease(LeaseLeaf { at, ..market.world.lease_leaf(key, live_secs, status) }));
        }
        for (key, node) in &market.books.nodes {
            if node.is_retired() || !(node.verified_until < now + 3_600 || dice.once_in(3)) {
                continue;
            }
            let good = NodeSpec::default().passed(key, epoch, now);
            let leaf = match dice.below(12) {
                0 => NodeLeaf { verdict: Verdict::Refused, ..good },
                1 => NodeLeaf { verdict: Verdict::Withheld, ..good },
                2 => NodeLeaf { gops: dice.below(20_000), ..good },
                _ => NodeLeaf { gops: node.claimed_gops, ..good },
            };
            found.push(Found::Node(leaf));
        }
        // An epoch without work still has a report.
        let nobody = Pubkey::new_from_array([1; 32]);
        found.push(Found::Lease(market.world.lease_leaf(&nobody, epoch, LeaseStatus::Running)));
        Self::of(epoch, found)
    }

    /// What the gang would like the others to sign: every lease ran to its end, every node is well.
    pub fn of_the_gang(market: &Market, epoch: u64) -> Self {
        let now = market.world.now();
        let leases = market.model.leases.keys();
        let mut found: Vec<Found> = leases
            .map(|key| Found::Lease(market.world.lease_leaf(key, 1_000_000, LeaseStatus::Completed)))
            .collect();
        found.extend(market.model.nodes.keys().map(|key| Found::Node(NodeSpec::default().passed(key, epoch, now))));
        let nobody = Pubkey::new_from_array([2; 32]);
        found.push(Found::Lease(market.world.lease_leaf(&nobody, epoch, LeaseStatus::Completed)));
        Self::of(epoch, found)
    }
}
