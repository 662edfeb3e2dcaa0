//! What oracles put forward for an epoch.

use millrace_core::leaves::{LeaseLeaf, LeaseStatus, NodeLeaf, OracleLeaf, Verdict};
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
    /// Of an oracle.
    Oracle(OracleLeaf),
}

impl Found {
    /// Its place in the tree.
    pub fn tree_node(&self) -> TreeNode {
        match self {
            Self::Lease(leaf) => leaf.tree_node(),
            Self::Node(leaf) => leaf.tree_node(),
            Self::Oracle(leaf) => leaf.tree_node(),
        }
    }
}

/// What is kept and lost of a guaranteed lease's live seconds: most of what was kept and lost before stays so.
fn kept(leaf: LeaseLeaf, before: [u64; 3], dice: &mut Dice) -> LeaseLeaf {
    if dice.once_in(16) {
        return LeaseLeaf { checkpointed_secs: dice.below(2_000), lost_secs: dice.below(500), ..leaf };
    }
    let live_secs = leaf.live_secs.max(before[0]);
    let lost_secs = before[2] + dice.below(3) * dice.below(live_secs - before[1] - before[2] + 1) / 4;
    let checkpointed_secs = before[1] + dice.below(live_secs - before[1] - lost_secs + 1);
    LeaseLeaf { live_secs, checkpointed_secs, lost_secs, ..leaf }
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
                5 | 6 if lease.is_member => LeaseStatus::NodeFailed,
                4 if lease.stop_at.is_some() => LeaseStatus::Stopped,
                _ => LeaseStatus::Running,
            };
            let at = if dice.once_in(20) { now + 1 + dice.below(100) as i64 } else { now };
            let leaf = LeaseLeaf { at, ..market.world.lease_leaf(key, live_secs, status) };
            found.push(Found::Lease(if lease.is_member { kept(leaf, lease.seen_secs, dice) } else { leaf }));
        }
        for (key, node) in &market.books.nodes {
            // Who sells nothing is measured at once; the others now and then.
            if node.is_retired() || (node.is_able(now + 3_600) && !dice.once_in(3)) {
                continue;
            }
            let good = NodeSpec::default().passed(key, epoch, now);
            let leaf = match dice.below(24) {
                0 => NodeLeaf { verdict: Verdict::Refused, ..good },
                1 => NodeLeaf { verdict: Verdict::Withheld, ..good },
                2 => NodeLeaf { gops: dice.below(20_000), ..good },
                _ => NodeLeaf { gops: node.claimed_gops, ..good },
            };
            found.push(Found::Node(leaf));
        }
        for (key, oracle) in &market.model.oracles {
            if dice.once_in(2) {
                let opened = oracle.opened.0 + dice.below(3);
                found.push(Found::Oracle(OracleLeaf { oracle: key.to_bytes(), signed: opened, opened, at: now }));
            }
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
        let mut found: Vec<Found> =
            leases.map(|key| Found::Lease(market.world.lease_leaf(key, 1_000_000, LeaseStatus::Completed))).collect();
        found.extend(market.model.nodes.keys().map(|key| Found::Node(NodeSpec::default().passed(key, epoch, now))));
        let nobody = Pubkey::new_from_array([2; 32]);
        found.push(Found::Lease(market.world.lease_leaf(&nobody, epoch, LeaseStatus::Completed)));
        Self::of(epoch, found)
    }
}
