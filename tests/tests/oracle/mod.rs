//! Oracles: beacons no one chooses, reports no minority makes, audits of no one else.

mod audits;
mod beacons;
mod downgrades;
mod reports;

use millrace::events::ReportSigned;
use millrace::instructions::{ApplyAuditArgs, SignReportArgs};
use millrace_core::leaves::NodeLeaf;
use millrace_core::merkle::TreeNode;
use millrace_tests::{ix, Genesis, Instruction, Keypair, NodeSpec, Pubkey, Report, Seller, Signer, World, MILL};

/// Compute units a signature of a report may cost.
pub(crate) const SIGN_REPORT_CU: u64 = 8_700;

pub(crate) fn weighted(weights: &[u64]) -> World {
    World::at(Genesis { weights: weights.to_vec(), ..Genesis::default() })
}

pub(crate) fn anyone(world: &mut World) -> Keypair {
    world.stranger("anyone")
}

pub(crate) fn root(n: u8) -> TreeNode {
    [n; 24]
}

pub(crate) fn args(epoch: u64, root: TreeNode, leaves: u32) -> SignReportArgs {
    SignReportArgs { epoch, root, leaves, next_observation_hash: [8; 32] }
}

pub(crate) fn sign(world: &mut World, seat: usize, args: SignReportArgs) -> ReportSigned {
    let oracle = world.oracles[seat].insecure_clone();
    world.must(&[ix::sign_report(&oracle.pubkey(), args)], &[&oracle]).event()
}

pub(crate) fn market() -> (World, Seller, Pubkey) {
    let mut world = World::new();
    let seller = world.provider("seller", 1_000 * MILL);
    let node = world.node(&seller, &NodeSpec::default());
    (world, seller, node)
}

pub(crate) fn passed(world: &World, node: &Pubkey) -> NodeLeaf {
    NodeSpec::default().passed(node, world.epoch(), world.now())
}

pub(crate) fn application(report: &Report, leaf: &NodeLeaf) -> Instruction {
    let (index, path) = report.proof(0);
    let args = ApplyAuditArgs { epoch: report.epoch, index, leaf: leaf.to_bytes(), path };
    ix::apply_audit(&Pubkey::new_from_array(leaf.node), args)
}
