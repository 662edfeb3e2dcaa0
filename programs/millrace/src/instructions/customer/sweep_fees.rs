//! Burns and pays out the fees a customer owes.

use anchor_lang::prelude::*;
use millrace_core::money::split_fee;

use crate::constants::CUSTOMER_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, FeesSwept};
use crate::state::{Config, Customer};
use crate::token;

/// Called by: anyone. Moves: the fees due out of the customer's vault: the burn share into nothing, the rest to the
/// oracle pool and the treasury. Keeps: I1, I4, I6.
#[event_cpi]
#[derive(Accounts)]
pub struct SweepFees<'info> {
    /// The deployment: names the mint and the receivers, and counts what burned.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
    /// The customer who owes.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// CHECK: compared with the address the customer stores.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    #[account(mut)]
    pub oracle_pool: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    #[account(mut)]
    pub treasury: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    #[account(mut)]
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vault.
    pub token_program: UncheckedAccount<'info>,
}

impl SweepFees<'_> {
    fn validate(&self, config: &Config, customer: &Customer) -> Result<()> {
        require_keys_eq!(self.vault.key(), customer.vault, MillraceError::WrongAccount);
        require_keys_eq!(self.oracle_pool.key(), config.oracle_pool, MillraceError::WrongAccount);
        require_keys_eq!(self.treasury.key(), config.treasury, MillraceError::WrongAccount);
        require_keys_eq!(self.mint.key(), config.mint, MillraceError::WrongMint);
        require!(customer.fee_due > 0, MillraceError::NoFeesDue);
        Ok(())
    }

    /// Books, burns, then pays the two shares.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let (split, authority, bump, owed, sequence, burned_total) = {
            let mut config = accounts.config.load_mut()?;
            let mut customer = accounts.customer.load_mut()?;
            accounts.validate(&config, &customer)?;
            let params = &config.params;
            let split = split_fee(customer.fee_due, params.oracle_share_bps, params.treasury_share_bps)
                .ok_or(MillraceError::InvariantBroken)?;
            customer.sweep(&split)?;
            config.record_burn(split.burn_amount)?;
            customer.invariant()?;
            let sequence = next(&mut customer.sequence);
            (split, customer.authority, customer.bump, customer.owed(), sequence, config.burned_total)
        };
        let seeds: &[&[&[u8]]] = &[&[CUSTOMER_SEED, authority.as_ref(), &[bump]]];
        let (program, vault, mint) = (&accounts.token_program, &accounts.vault, &accounts.mint);
        let owner = accounts.customer.as_ref();
        if split.burn_amount > 0 {
            token::burn(program, vault, mint, owner, seeds, split.burn_amount)?;
        }
        if split.oracle_amount > 0 {
            token::transfer(program, vault, mint, &accounts.oracle_pool, owner, seeds, split.oracle_amount)?;
        }
        if split.treasury_amount > 0 {
            token::transfer(program, vault, mint, &accounts.treasury, owner, seeds, split.treasury_amount)?;
        }
        token::require_covers(vault, owed)?;
        emit(
            &accounts.event_authority,
            &FeesSwept {
                sequence,
                customer: accounts.customer.key(),
                burn_amount: split.burn_amount,
                oracle_amount: split.oracle_amount,
                treasury_amount: split.treasury_amount,
                burned_total,
            },
        )
    }
}
