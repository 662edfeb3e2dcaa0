//! Lets a judged case have its consequence.

use anchor_lang::prelude::*;

use super::payout::Payout;
use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, SlashCaseExecuted};
use crate::state::{Config, Provider, SlashCase};
use crate::token;

/// Called by: anyone, from `appeal_until` on, and again in later epochs while the cap left something. Moves: what is
/// executed from the provider's vault, the bounty to the case's bounty account and the rest by a burn; nothing to
/// anyone who judged. Keeps: I2, I6, I7.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteSlashCase<'info> {
    /// The deployment; counts the burn.
    #[account(mut, seeds = [CONFIG_SEED], bump = config.load()?.bump)]
    pub config: AccountLoader<'info, Config>,
    /// The case.
    #[account(mut)]
    pub case: AccountLoader<'info, SlashCase>,
    /// Provider charged.
    #[account(mut, address = case.load()?.provider @ MillraceError::WrongAccount)]
    pub provider: AccountLoader<'info, Provider>,
    /// CHECK: the provider's vault, by its stored key.
    #[account(mut, address = provider.load()?.vault @ MillraceError::WrongAccount)]
    pub provider_vault: UncheckedAccount<'info>,
    /// CHECK: fixed in the case; whether it can receive is asked before anything is sent.
    #[account(mut, address = case.load()?.bounty_account @ MillraceError::WrongAccount)]
    pub bounty_account: UncheckedAccount<'info>,
    /// CHECK: the MILL mint.
    #[account(mut, address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: UncheckedAccount<'info>,
    /// CHECK: token program of the mint.
    #[account(address = config.load()?.token_program @ MillraceError::WrongTokenProgram)]
    pub token_program: UncheckedAccount<'info>,
}

impl ExecuteSlashCase<'_> {
    /// Executes what the epoch's cap leaves, pays and burns it.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let (max_bps, epoch) = {
            let config = accounts.config.load()?;
            (config.params.max_slash_per_epoch_bps, config.epoch_at(now)?)
        };
        let (taken_amount, origin, bump) = {
            let mut provider = accounts.provider.load_mut()?;
            let taken = accounts.case.load_mut()?.execute(&mut provider, max_bps, epoch, now)?;
            (taken, provider.origin, [provider.bump])
        };
        let payout = Payout {
            vault: &accounts.provider_vault,
            owner: accounts.provider.as_ref(),
            bounty_account: &accounts.bounty_account,
            mint: &accounts.mint,
            token_program: &accounts.token_program,
        };
        let split = payout.send(&accounts.config, taken_amount, &[&[PROVIDER_SEED, origin.as_ref(), &bump]])?;
        let event = {
            let (mut case, provider) = (accounts.case.load_mut()?, accounts.provider.load()?);
            token::require_covers(&accounts.provider_vault, provider.owed())?;
            SlashCaseExecuted {
                sequence: next(&mut case.sequence),
                case: accounts.case.key(),
                provider: accounts.provider.key(),
                taken_amount,
                bounty_amount: split.bounty_amount,
                burn_amount: split.burn_amount,
                frozen_amount: case.frozen_amount,
                executed_amount: case.executed_amount,
                provider_frozen: provider.frozen,
                provider_slashed_total: provider.slashed_total,
                burned_total: accounts.config.load()?.burned_total,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
