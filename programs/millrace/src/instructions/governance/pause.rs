//! Refuses new work for a while, and takes it again.

use anchor_lang::prelude::*;

use crate::events::{emit, next, PauseSet};
use crate::state::Config;

/// Called by: the guardian. Moves: nothing, and stops nothing that moves: only new jobs, bids and registrations are
/// refused, at most 7 days in any 30; what runs, is owed or is voted on goes on.
#[event_cpi]
#[derive(Accounts)]
pub struct Pause<'info> {
    /// The guardian.
    pub guardian: Signer<'info>,
    /// The deployment.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
}

impl Pause<'_> {
    /// Pauses for `secs`.
    pub fn handle(ctx: Context<Self>, secs: i64) -> Result<()> {
        ctx.accounts.change(|config, now| config.pause(secs, now))
    }

    /// Ends the pause.
    pub fn end(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.change(|config, now| {
            config.unpause(now);
            Ok(())
        })
    }

    fn change(&self, change: impl FnOnce(&mut Config, i64) -> Result<()>) -> Result<()> {
        let event = {
            let mut config = self.config.load_mut()?;
            config.require_guardian(self.guardian.key)?;
            change(&mut config, Clock::get()?.unix_timestamp)?;
            PauseSet {
                sequence: next(&mut config.sequence),
                paused_at: config.paused_at,
                paused_until: config.paused_until,
            }
        };
        emit(&self.event_authority, &event)
    }
}
