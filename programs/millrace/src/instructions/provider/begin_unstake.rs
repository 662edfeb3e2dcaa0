//! Starts to take stake out. It stays slashable until it is withdrawn.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, UnstakeBegun};
use crate::state::{Config, Provider};

/// Called by: the authority. Moves: nothing; free stake becomes an unbonding entry whose instant is fixed now.
#[event_cpi]
#[derive(Accounts)]
pub struct BeginUnstake<'info> {
    /// Cold key of the provider.
    pub authority: Signer<'info>,
    /// The deployment: tells how long unbonding takes.
    pub config: AccountLoader<'info, Config>,
    /// The provider.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority)]
    pub provider: AccountLoader<'info, Provider>,
}

impl BeginUnstake<'_> {
    fn validate(&self, amount: u64) -> Result<()> {
        require!(amount > 0, MillraceError::ZeroAmount);
        Ok(())
    }

    /// Moves free stake to an unbonding entry.
    pub fn handle(ctx: Context<Self>, amount: u64) -> Result<()> {
        ctx.accounts.validate(amount)?;
        let accounts = &ctx.accounts;
        let unbonding_secs = accounts.config.load()?.params.unbonding_secs;
        let matures_at = Clock::get()?.unix_timestamp.saturating_add(unbonding_secs);
        let event = {
            let mut provider = accounts.provider.load_mut()?;
            provider.begin_unstake(amount, matures_at)?;
            provider.invariant()?;
            UnstakeBegun {
                sequence: next(&mut provider.sequence),
                provider: accounts.provider.key(),
                amount,
                matures_at,
                stake: provider.stake,
                locked: provider.locked,
                unbonding: provider.unbonding_amount(),
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
