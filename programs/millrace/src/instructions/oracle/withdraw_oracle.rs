//! Pays an oracle the stake that has unbonded.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, OracleWithdrawn};
use crate::state::{Config, Oracle};
use crate::token;

/// Called by: the oracle's authority, once unbonding is over. Moves: all that unbonded, from the vault to a token account
/// of the authority. Nothing pauses it, a removal neither.
#[event_cpi]
#[derive(Accounts)]
pub struct WithdrawOracle<'info> {
    /// Key of the oracle.
    pub authority: Signer<'info>,
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The oracle.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority, has_one = vault @ MillraceError::WrongAccount)]
    pub oracle: AccountLoader<'info, Oracle>,
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

impl WithdrawOracle<'_> {
    /// Books the payout and sends it.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let (event, bump, owed) = {
            let mut oracle = accounts.oracle.load_mut()?;
            let amount = oracle.withdraw(now)?;
            let event = OracleWithdrawn {
                sequence: next(&mut oracle.sequence),
                oracle: accounts.oracle.key(),
                amount,
                stake: oracle.stake,
                unbonding_amount: oracle.unbonding_amount,
            };
            (event, oracle.bump, oracle.owed())
        };
        token::transfer(
            &accounts.token_program.to_account_info(),
            &accounts.vault.to_account_info(),
            &accounts.mint.to_account_info(),
            &accounts.destination.to_account_info(),
            &accounts.oracle.to_account_info(),
            &[&[ORACLE_SEED, accounts.authority.key.as_ref(), &[bump]]],
            event.amount,
        )?;
        token::require_covers(&accounts.vault.to_account_info(), owed)?;
        emit(&accounts.event_authority, &event)
    }
}
