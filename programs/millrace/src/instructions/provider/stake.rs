//! Puts tokens behind a provider's word.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};

use crate::errors::MillraceError;
use crate::events::{emit, next, Staked};
use crate::state::{Config, Provider};
use crate::token;

/// Called by: the authority. Moves: `amount` from its token account to the vault; what arrived is credited (I2).
#[event_cpi]
#[derive(Accounts)]
pub struct Stake<'info> {
    /// Cold key of the provider, owner of the source.
    pub authority: Signer<'info>,
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The provider.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority, has_one = vault @ MillraceError::WrongAccount)]
    pub provider: AccountLoader<'info, Provider>,
    /// Its vault.
    #[account(mut)]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    /// Where the tokens come from.
    #[account(mut, constraint = source.mint == mint.key() @ MillraceError::WrongMint)]
    pub source: Box<InterfaceAccount<'info, TokenAccount>>,
    /// The MILL mint.
    #[account(address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// Token program of the mint.
    pub token_program: Interface<'info, TokenInterface>,
}

impl Stake<'_> {
    fn validate(&self, amount: u64) -> Result<()> {
        require!(amount > 0, MillraceError::ZeroAmount);
        Ok(())
    }

    /// Moves the tokens and credits what arrived.
    pub fn handle(ctx: Context<Self>, amount: u64) -> Result<()> {
        ctx.accounts.validate(amount)?;
        let accounts = &ctx.accounts;
        let vault = accounts.vault.to_account_info();
        let before = token::balance(&vault)?;
        token::transfer(
            &accounts.token_program.to_account_info(),
            &accounts.source.to_account_info(),
            &accounts.mint.to_account_info(),
            &vault,
            &accounts.authority.to_account_info(),
            &[],
            amount,
        )?;
        let arrived_amount = token::balance(&vault)?.checked_sub(before).ok_or(MillraceError::InvariantBroken)?;

        let event = {
            let mut provider = accounts.provider.load_mut()?;
            provider.add_stake(arrived_amount)?;
            provider.invariant()?;
            token::require_covers(&vault, provider.owed())?;
            Staked {
                sequence: next(&mut provider.sequence),
                provider: accounts.provider.key(),
                amount: arrived_amount,
                stake: provider.stake,
                locked: provider.locked,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
