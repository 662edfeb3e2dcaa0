//! Puts the parameters that were voted for in force.

use anchor_lang::prelude::*;

use crate::events::{emit, next, ParamsActivated};
use crate::state::Config;

/// Called by: anyone, once the epoch has come. Moves: nothing. What was begun under the old parameters keeps them.
#[event_cpi]
#[derive(Accounts)]
pub struct ActivateParams<'info> {
    /// The deployment.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
}

impl ActivateParams<'_> {
    /// Replaces the parameters.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let event = {
            let mut config = accounts.config.load_mut()?;
            let old = config.params;
            config.activate(Clock::get()?.unix_timestamp)?;
            Box::new(ParamsActivated {
                sequence: next(&mut config.sequence),
                base_epoch: config.base_epoch,
                base_at: config.base_at,
                old,
                new: config.params,
            })
        };
        emit(&accounts.event_authority, event.as_ref())
    }
}
