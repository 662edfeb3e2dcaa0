//! Ends genesis: from here on only governance changes what may be changed.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, GenesisSealed};
use crate::loader;
use crate::state::{Beacons, Config, OracleSet};

/// Called by: the deployer, once, when there is a seat and the beacon account has its size. Moves: nothing; the
/// deployer loses every power of genesis, and the right to upgrade the program goes to governance.
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
    /// Says who may upgrade the program.
    #[account(mut, seeds = [crate::ID.as_ref()], bump, seeds::program = bpf_loader_upgradeable::ID)]
    pub program_data: Box<Account<'info, ProgramData>>,
    /// CHECK: compared with the address the config stores.
    pub governance: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader, by its address.
    #[account(address = bpf_loader_upgradeable::ID)]
    pub loader: UncheckedAccount<'info>,
}

impl SealGenesis<'_> {
    fn validate(&self) -> Result<()> {
        let config = self.config.load()?;
        config.require_genesis(&self.authority.key())?;
        require_keys_eq!(self.governance.key(), config.governance, MillraceError::WrongAccount);
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
        // The deployer may have given it away already: then only to governance.
        if accounts.program_data.upgrade_authority_address != Some(accounts.governance.key()) {
            let program_data = accounts.program_data.to_account_info();
            loader::set_authority(&program_data, &accounts.authority, &accounts.governance, &[])?;
        }
        emit(&accounts.event_authority, &GenesisSealed { sequence, config: accounts.config.key(), seats, total_weight })
    }
}
