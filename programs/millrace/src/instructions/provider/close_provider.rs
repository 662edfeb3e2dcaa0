//! Closes a provider that owes and is owed nothing.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{close_account, CloseAccount, Mint, TokenAccount, TokenInterface};

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, ProviderClosed};
use crate::state::{Config, Provider};
use crate::token;

/// Called by: the authority, when stake, unbonding and earnings are gone, every node account is closed, no lease is
/// open and no jail runs. Moves: tokens strangers sent to the vault, to the treasury; the rent to who paid it.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseProvider<'info> {
    /// Cold key of the provider.
    pub authority: Signer<'info>,
    /// The deployment.
    #[account(has_one = treasury @ MillraceError::WrongAccount)]
    pub config: AccountLoader<'info, Config>,
    /// The provider.
    #[account(
        mut, close = rent_payer,
        has_one = authority @ MillraceError::WrongAuthority,
        has_one = vault @ MillraceError::WrongAccount,
        has_one = rent_payer @ MillraceError::WrongAccount,
    )]
    pub provider: AccountLoader<'info, Provider>,
    /// Its vault.
    #[account(mut)]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    /// Receives a surplus of the vault.
    #[account(mut)]
    pub treasury: Box<InterfaceAccount<'info, TokenAccount>>,
    /// CHECK: who paid the rent, as the provider account says.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// The MILL mint.
    #[account(address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// Token program of the mint.
    pub token_program: Interface<'info, TokenInterface>,
}

impl CloseProvider<'_> {
    fn validate(&self, now: i64) -> Result<()> {
        let provider = self.provider.load()?;
        provider.require_active(now)?;
        provider.require_empty()
    }

    /// Sweeps the vault and closes both accounts.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate(Clock::get()?.unix_timestamp)?;
        let accounts = &ctx.accounts;
        let (origin, bump) = {
            let provider = accounts.provider.load()?;
            (provider.origin, provider.bump)
        };
        let seeds: &[&[&[u8]]] = &[&[PROVIDER_SEED, origin.as_ref(), &[bump]]];
        let surplus_amount = accounts.vault.amount;
        if surplus_amount > 0 {
            token::transfer(
                &accounts.token_program.to_account_info(),
                &accounts.vault.to_account_info(),
                &accounts.mint.to_account_info(),
                &accounts.treasury.to_account_info(),
                &accounts.provider.to_account_info(),
                seeds,
                surplus_amount,
            )?;
        }
        let vault_closing = CloseAccount {
            account: accounts.vault.to_account_info(),
            destination: accounts.rent_payer.to_account_info(),
            authority: accounts.provider.to_account_info(),
        };
        close_account(CpiContext::new_with_signer(accounts.token_program.key(), vault_closing, seeds))?;
        let sequence = next(&mut accounts.provider.load_mut()?.sequence);
        emit(&accounts.event_authority, &ProviderClosed { sequence, provider: accounts.provider.key(), surplus_amount })
    }
}
