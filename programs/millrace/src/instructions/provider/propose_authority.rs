//! First step to another cold key: the old one names it.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, AuthorityProposed};
use crate::state::Provider;

/// Called by: the authority. Moves: nothing, and gives nothing away yet: a mistyped key never accepts. Zeros take a
/// proposal back.
#[event_cpi]
#[derive(Accounts)]
pub struct ProposeAuthority<'info> {
    /// Cold key of the provider.
    pub authority: Signer<'info>,
    /// The provider.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority)]
    pub provider: AccountLoader<'info, Provider>,
}

impl ProposeAuthority<'_> {
    /// Writes the key down.
    pub fn handle(ctx: Context<Self>, pending_authority: Pubkey) -> Result<()> {
        let accounts = &ctx.accounts;
        let event = {
            let mut provider = accounts.provider.load_mut()?;
            provider.propose_authority(pending_authority);
            AuthorityProposed {
                sequence: next(&mut provider.sequence),
                provider: accounts.provider.key(),
                authority: provider.authority,
                pending_authority,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
