//! Pays a provider what it earned and what has unbonded.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, Withdrawn};
use crate::state::{Config, Provider};
use crate::token;

/// Called by: the authority. Moves: all earnings and every matured unbonding entry, from the vault to the
/// authority's token account. Nothing pauses it, a jail neither.
#[event_cpi]
#[derive(Accounts)]
pub struct Withdraw<'info> {
    /// Cold key of the provider.
    pub authority: Signer<'info>,
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The provider.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority, has_one = vault @ MillraceError::WrongAccount)]
    pub provider: AccountLoader<'info, Provider>,
    /// Its vault.
    #[account(mut)]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    /// A token account of the authority.
    #[account(
        mut,
        constraint = destination.mint == mint.key() @ MillraceError::WrongMint,
        constraint = destination.owner == authority.key() @ MillraceError::WrongAccount,
    )]
    pub destination: Box<InterfaceAccount<'info, TokenAccount>>,
    /// The MILL mint.
    #[account(address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// Token program of the mint.
    pub token_program: Interface<'info, TokenInterface>,
}

impl Withdraw<'_> {
    /// Books the payout and sends it.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let (event, origin, bump) = {
            let mut provider = accounts.provider.load_mut()?;
            let payout = provider.withdraw(now)?;
            provider.invariant()?;
            let event = Withdrawn {
                sequence: next(&mut provider.sequence),
                provider: accounts.provider.key(),
                earned_amount: payout.earned_amount,
                unbonded_amount: payout.unbonded_amount,
                stake: provider.stake,
                unbonding: provider.unbonding_amount(),
            };
            (event, provider.origin, provider.bump)
        };
        token::transfer(
            &accounts.token_program.to_account_info(),
            &accounts.vault.to_account_info(),
            &accounts.mint.to_account_info(),
            &accounts.destination.to_account_info(),
            &accounts.provider.to_account_info(),
            &[&[PROVIDER_SEED, origin.as_ref(), &[bump]]],
            event.earned_amount.saturating_add(event.unbonded_amount),
        )?;
        token::require_covers(&accounts.vault.to_account_info(), accounts.provider.load()?.owed())?;
        emit(&accounts.event_authority, &event)
    }
}
