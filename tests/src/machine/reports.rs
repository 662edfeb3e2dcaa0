//! What oracles put forward for an epoch.

use std::rc::Rc;

use millrace::state::Beacons;
use millrace_core::leaves::{LeaseLeaf, LeaseStatus, NodeLeaf, OracleLeaf, Verdict};
use millrace_core::merkle::TreeNode;

use millrace_core::proof::{query, Task, QUERIES};

use super::{Dice, Market};
use crate::fraud::{SparseRun, Value};
use crate::{pda, NodeSpec, Pubkey, Report};

/// Rounds of the computations that nodes cheat in.
pub const ROUNDS: u32 = 4;
/// Where they are wrong.
pub const WRONG: [(u32, u32); ROUNDS as usize] = [(1, 2), (3, 4), (5, 6), (7, 8)];

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

/// What a GPU of `node` has to compute in `epoch`.
pub fn task(market: &Market, node: &Pubkey, epoch: u64, beacon: [u8; 32]) -> Task {
    Task {
        beacon,
        deployment_id: market.world.config().deployment_id,
        node: node.to_bytes(),
        gpu_index: 0,
        epoch,
        nonce: [4; 32],
        n: 256,
        rounds: ROUNDS,
    }
}

/// A computation with wrong numbers that oracles say passed, although a query asked for one of them.
#[derive(Clone)]
pub struct Overlooked {
    /// Place of the leaf that passes it.
    pub nth: usize,
    /// The computation.
    pub run: Rc<SparseRun>,
    /// Round of the wrong number asked for.
    pub round: u32,
    /// The query that asks for it.
    pub query: u16,
}

impl Overlooked {
    /// One of `node`, of an epoch whose queries are known. Whoever knows the next beacon finds a nonce with which it asks
    /// for what is wrong: here that is the test.
    fn of(market: &Market, node: &Pubkey, nth: usize) -> Option<Self> {
        let (beacons, now) = (market.world.read::<Beacons>(&pda::beacons()), market.world.epoch());
        let mut recent = (now.saturating_sub(30)..now).rev();
        let (this, next) = recent.find_map(|epoch| Some((beacons.latched(epoch)?, beacons.latched(epoch + 1)?)))?;
        let task = task(market, node, this.epoch, this.hash);
        (0..500u32).find_map(|n| {
            let mut nonce = [0; 32];
            nonce[..4].copy_from_slice(&n.to_le_bytes());
            let run = SparseRun::new(&Task { nonce, ..task }, &WRONG, Value::Wrong);
            let commit = &run.commit;
            let (query, round) = (0..QUERIES as u16).find_map(|i| {
                let asked = query(&commit.super_root, &next.hash, u32::from(i), commit.n, commit.rounds);
                let is_wrong = WRONG[asked.round as usize] == (asked.row, asked.col);
                is_wrong.then_some((i, asked.round))
            })?;
            Some(Self { nth, run: Rc::new(run), round, query })
        })
    }
}

/// A report an oracle may sign.
#[derive(Clone)]
pub struct Draft {
    /// The report.
    pub report: Report,
    /// What it says.
    pub found: Vec<Found>,
    /// What it passes and should not.
    pub overlooked: Vec<Overlooked>,
}

impl Draft {
    fn of(epoch: u64, found: Vec<Found>, overlooked: Vec<Overlooked>) -> Self {
        let leaves: Vec<TreeNode> = found.iter().map(Found::tree_node).collect();
        Self { report: Report::over(epoch, &leaves), found, overlooked }
    }

    /// What the oracles see of everything now: mostly the truth, now and then a clock that ran ahead, a figure that
    /// fell, an end, a wrong number nobody looked at.
    pub fn honest(market: &Market, epoch: u64, dice: &mut Dice) -> Self {
        let now = market.world.now();
        let (mut found, mut overlooked) = (vec![], vec![]);
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
                3..=6 => match Overlooked::of(market, key, found.len()) {
                    Some(one) => {
                        let commit = one.run.commit;
                        overlooked.push(one);
                        NodeLeaf { super_root: commit.super_root, audit_epoch: commit.epoch, ..good }
                    }
                    None => good,
                },
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
        Self::of(epoch, found, overlooked)
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
        Self::of(epoch, found, vec![])
    }
}
