//! Judged cases: what is an offence, what is frozen, how long it may be appealed, and what is taken in the end.

mod end;
mod open;

use millrace_core::leaves::{NodeLeaf, Verdict};
use millrace_tests::fraud::Accusation;
use millrace_tests::{NodeSpec, Pubkey, World, MILL};

pub(crate) const STAKE: u64 = 1_000 * MILL;
pub(crate) const NODE_STAKE: u64 = 200 * MILL;
/// A fifth of what the node answers with.
pub(crate) const WITHHELD_PENALTY: u64 = 40 * MILL;
/// A tenth of it.
pub(crate) const CAPACITY_PENALTY: u64 = 20 * MILL;

/// A commit of `node` in this epoch that was not opened.
pub(crate) fn withheld(world: &World, node: &Pubkey) -> NodeLeaf {
    NodeLeaf { verdict: Verdict::Withheld, ..NodeSpec::default().passed(node, world.epoch(), world.now()) }
}

/// An audit of this epoch that found a fifth of the claimed speed.
pub(crate) fn slow(world: &World, node: &Pubkey) -> NodeLeaf {
    NodeLeaf { gops: 2_000, ..NodeSpec::default().passed(node, world.epoch(), world.now()) }
}

/// A market with a provider, its verified node and a watcher; later than the audit of that node.
pub(crate) fn market() -> (World, Accusation) {
    let mut world = World::new();
    let accusation = world.accusation();
    world.warp_to_next_epoch();
    (world, accusation)
}
