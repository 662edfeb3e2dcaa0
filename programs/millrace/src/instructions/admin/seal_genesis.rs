//! Ends genesis: from here on only governance changes what may be changed.

use anchor_lang::prelude::*;

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, GenesisSealed};
use crate::state::{Beacons, Config, OracleSet};

/// Called by: the deployer, once, when there is a seat and the beacon account has its size. Moves: nothing; the
/// deployer loses every power of genesis.
#[event_cpi]
#[derive(Accounts)]
pub struct SealGenesis<'info> {
    /// The deployer.
    pub authority: Signer<'info>,
    /// The deployment.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
    /// The seats.
    pub oracles: AccountLoader<'info, OracleSet>,
    /// CHECK: the seeds prove it; only its length is read.
    #[account(seeds = [BEACONS_SEED], bump, owner = crate::ID)]
    pub beacons: UncheckedAccount<'info>,
}

impl SealGenesis<'_> {
    fn validate(&self) -> Result<()> {
        self.config.load()?.require_genesis(&self.authority.key())?;
        require!(self.oracles.load()?.count > 0, MillraceError::NoSeats);
        require!(self.beacons.data_len() >= Beacons::SPACE, MillraceError::BeaconsTooSmall);
        Ok(())
    }

    /// Closes genesis and takes the deployer's power.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let accounts = &ctx.accounts;
        let (seats, total_weight) = {
            let oracles = accounts.oracles.load()?;
            (oracles.count, oracles.total_weight)
        };
        let sequence = {
            let mut config = accounts.config.load_mut()?;
            config.genesis_open = 0;
            config.authority = Pubkey::default();
            next(&mut config.sequence)
        };
        emit(&accounts.event_authority, &GenesisSealed { sequence, config: accounts.config.key(), seats, total_weight })
    }
}
