//! Gives a provider another hot key.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, OperatorSet};
use crate::state::{Config, Provider};

/// Called by: the authority, at most once per fraud window: a commit is judged under the key of its epoch, and the
/// account remembers two. Moves: nothing. The new key bids at once and signs commits from the next epoch on.
#[event_cpi]
#[derive(Accounts)]
pub struct SetOperator<'info> {
    /// Cold key of the provider.
    pub authority: Signer<'info>,
    /// The deployment: tells the epoch.
    pub config: AccountLoader<'info, Config>,
    /// The provider.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority)]
    pub provider: AccountLoader<'info, Provider>,
}

impl SetOperator<'_> {
    /// Rotates the key.
    pub fn handle(ctx: Context<Self>, operator: Pubkey) -> Result<()> {
        let accounts = &ctx.accounts;
        let epoch = accounts.config.load()?.epoch_at(Clock::get()?.unix_timestamp)?;
        let event = {
            let mut provider = accounts.provider.load_mut()?;
            provider.rotate_operator(operator, epoch)?;
            OperatorSet {
                sequence: next(&mut provider.sequence),
                provider: accounts.provider.key(),
                operator,
                previous_operator: provider.previous_operator,
                operator_since_epoch: provider.operator_since_epoch,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
