//! Governance: who has how much of a say, what it takes to pass, and what a vote can and cannot do.

mod deposits;
mod guardian;
mod locks;
mod oracles;
mod params;
mod proposals;
mod quorum;
mod surplus;
mod treasury;
mod upgrade;
mod verdicts;
mod votes;

use millrace::state::{Params, ProposalKind};
use millrace_tests::voting::{Voter, NO_TARGET, VOTES};
use millrace_tests::{Pubkey, World};

/// The system program's refusal to create an account twice.
pub(crate) const ALREADY_IN_USE: u32 = 0;
/// The token programs' refusal to send more than there is.
pub(crate) const INSUFFICIENT_FUNDS: u32 = 1;
/// The token programs' refusal to obey who does not own the account.
pub(crate) const OWNER_MISMATCH: u32 = 4;

/// A market and one holder who can carry anything alone.
pub(crate) fn market() -> (World, Voter) {
    let mut world = World::new();
    let voter = world.voter("voter", VOTES);
    (world, voter)
}

/// Proposes another fee: the proposal most tests are about.
pub(crate) fn propose_fee(world: &mut World, voter: &Voter, fee_bps: u16) -> Pubkey {
    let params = Params { fee_bps, ..world.config().params };
    world.propose(voter, ProposalKind::UpdateParams, &NO_TARGET, &params)
}
