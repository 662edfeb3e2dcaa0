//! Starts to take an oracle's stake out. It stays slashable until it is withdrawn.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, OracleUnstakeBegun};
use crate::state::{Config, Oracle};

/// Called by: the oracle's authority; beside its seat for what exceeds the least stake, once removed for everything.
/// Moves: nothing; what is on its way out matures together, from now on.
#[event_cpi]
#[derive(Accounts)]
pub struct BeginOracleUnstake<'info> {
    /// Key of the oracle.
    pub authority: Signer<'info>,
    /// The deployment: tells the least stake and how long unbonding takes.
    pub config: AccountLoader<'info, Config>,
    /// The oracle.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority)]
    pub oracle: AccountLoader<'info, Oracle>,
}

impl BeginOracleUnstake<'_> {
    fn validate(&self, amount: u64) -> Result<()> {
        require!(amount > 0, MillraceError::ZeroAmount);
        Ok(())
    }

    /// Moves stake to what is on its way out.
    pub fn handle(ctx: Context<Self>, amount: u64) -> Result<()> {
        let accounts = &ctx.accounts;
        accounts.validate(amount)?;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let config = accounts.config.load()?;
            let mut oracle = accounts.oracle.load_mut()?;
            oracle.begin_unstake(amount, &config.params, now)?;
            OracleUnstakeBegun {
                sequence: next(&mut oracle.sequence),
                oracle: accounts.oracle.key(),
                amount,
                stake: oracle.stake,
                unbonding_amount: oracle.unbonding_amount,
                matures_at: oracle.unbonding_matures_at,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
