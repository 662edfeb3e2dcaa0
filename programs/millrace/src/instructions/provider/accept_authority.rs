//! Second step to another cold key: the new one signs, so it exists.

use anchor_lang::prelude::*;

use crate::events::{emit, next, AuthorityAccepted};
use crate::state::Provider;

/// Called by: the key the authority proposed. Moves: nothing; from now on it owns the provider's money. The account, its
/// vault and who gets their rent stay what they are.
#[event_cpi]
#[derive(Accounts)]
pub struct AcceptAuthority<'info> {
    /// The cold key to be.
    pub pending_authority: Signer<'info>,
    /// The provider.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
}

impl AcceptAuthority<'_> {
    /// Hands the provider over.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let event = {
            let mut provider = accounts.provider.load_mut()?;
            let previous_authority = provider.accept_authority(accounts.pending_authority.key)?;
            AuthorityAccepted {
                sequence: next(&mut provider.sequence),
                provider: accounts.provider.key(),
                authority: provider.authority,
                previous_authority,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
