//! Genesis: who may open a market, with which mint and which parameters, and what is left of that power.

mod mint;
mod opening;
mod params;
mod seats;

use millrace::instructions::{InitializeArgs, SeatOracleArgs};
use millrace_tests::genesis::endpoint;
use millrace_tests::{local_bounds, local_params, Genesis, Keypair, Pubkey, TokenStandard, World};

/// The system program's refusal to create an account twice.
pub(crate) const ALREADY_IN_USE: u32 = 0;

pub(crate) fn args() -> InitializeArgs {
    InitializeArgs { params: local_params(), bounds: local_bounds() }
}

pub(crate) fn bare() -> (World, Keypair) {
    let world = World::bare(TokenStandard::Token);
    let deployer = world.deployer.insecure_clone();
    (world, deployer)
}

pub(crate) fn unsealed() -> (World, Keypair) {
    let world = World::unsealed(&Genesis::default());
    let deployer = world.deployer.insecure_clone();
    (world, deployer)
}

pub(crate) fn seat(oracle: &Pubkey, weight: u64) -> SeatOracleArgs {
    SeatOracleArgs { oracle_authority: *oracle, weight, endpoint: endpoint("https://oracle.example") }
}
