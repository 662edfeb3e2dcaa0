//! Closes a removed oracle that owes and is owed nothing.

use anchor_lang::prelude::*;

use crate::constants::ORACLE_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, OracleClosed};
use crate::state::{Config, Oracle};
use crate::token;

/// Called by: anyone, once governance removed the oracle, its stake is withdrawn or slashed, no root it signed is in the
/// ring, and the period after its last points is over. Moves: tokens strangers sent to the vault, to the treasury; the
/// rent to who paid it.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseOracle<'info> {
    /// The deployment: names the treasury.
    pub config: AccountLoader<'info, Config>,
    /// The oracle.
    #[account(mut)]
    pub oracle: AccountLoader<'info, Oracle>,
    /// CHECK: compared with the address the oracle stores.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    #[account(mut)]
    pub treasury: UncheckedAccount<'info>,
    /// CHECK: compared with the address the oracle stores.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the vault's mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vault.
    pub token_program: UncheckedAccount<'info>,
}

impl CloseOracle<'_> {
    fn validate(&self, config: &Config, oracle: &Oracle, now: i64) -> Result<()> {
        require_keys_eq!(self.vault.key(), oracle.vault, MillraceError::WrongAccount);
        require_keys_eq!(self.treasury.key(), config.treasury, MillraceError::WrongAccount);
        require_keys_eq!(self.rent_payer.key(), oracle.rent_payer, MillraceError::WrongAccount);
        oracle.require_closable(config.epoch_at(now)?, config.params.reward_period_epochs)
    }

    /// Sweeps the surplus, closes the vault, then the account.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let (authority, bump, sequence) = {
            let config = accounts.config.load()?;
            let mut oracle = accounts.oracle.load_mut()?;
            accounts.validate(&config, &oracle, now)?;
            (oracle.authority, oracle.bump, next(&mut oracle.sequence))
        };
        let seeds: &[&[&[u8]]] = &[&[ORACLE_SEED, authority.as_ref(), &[bump]]];
        let (program, vault, owner) = (&accounts.token_program, &accounts.vault, accounts.oracle.as_ref());
        let surplus_amount = token::balance(vault)?;
        if surplus_amount > 0 {
            token::transfer(program, vault, &accounts.mint, &accounts.treasury, owner, seeds, surplus_amount)?;
        }
        token::close(program, vault, &accounts.rent_payer, owner, seeds)?;
        emit(&accounts.event_authority, &OracleClosed { sequence, oracle: accounts.oracle.key(), surplus_amount })?;
        accounts.oracle.close(accounts.rent_payer.to_account_info())
    }
}
