//! Events of genesis.

use anchor_lang::prelude::*;

use crate::state::{DurationBounds, Params};

/// The market opened. Its parameters were none before.
#[event]
pub struct Initialized {
    /// Number among the config's events.
    pub sequence: u64,
    /// The config account.
    pub config: Pubkey,
    /// Who may seat oracles and seal genesis.
    pub authority: Pubkey,
    /// Owns treasury and oracle pool.
    pub governance: Pubkey,
    /// The MILL mint.
    pub mint: Pubkey,
    /// Receives the treasury's share.
    pub treasury: Pubkey,
    /// Receives the oracles' share.
    pub oracle_pool: Pubkey,
    /// Tells this deployment from every other.
    pub deployment_id: [u8; 32],
    /// Mint supply, base units.
    pub genesis_supply: u64,
    /// Instant epoch 0 began.
    pub base_at: i64,
    /// The parameters in force.
    pub params: Params,
    /// Bounds of every duration.
    pub bounds: DurationBounds,
}

/// The beacon account grew one step.
#[event]
pub struct BeaconsGrown {
    /// Number among the beacons' events.
    pub sequence: u64,
    /// The beacon account.
    pub beacons: Pubkey,
    /// Its length now, bytes.
    pub len: u64,
    /// The length it needs, bytes.
    pub full_len: u64,
}

/// An oracle took a seat.
#[event]
pub struct OracleSeated {
    /// Number among the oracle set's events.
    pub sequence: u64,
    /// The oracle account.
    pub oracle: Pubkey,
    /// Key that signs its reports.
    pub oracle_authority: Pubkey,
    /// Index of its seat.
    pub seat: u8,
    /// Its weight.
    pub weight: u64,
    /// Weight of all seats now.
    pub total_weight: u64,
}

/// Genesis ended: the deployer has no power left, and governance upgrades the program.
#[event]
pub struct GenesisSealed {
    /// Number among the config's events.
    pub sequence: u64,
    /// The config account.
    pub config: Pubkey,
    /// Seats taken.
    pub seats: u8,
    /// Weight of all seats.
    pub total_weight: u64,
}
