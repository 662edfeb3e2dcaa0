//! Closes a judged case that has done its work.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, SlashCaseClosed};
use crate::state::{Provider, SlashCase};

/// Called by: anyone, once the case is executed in full or overturned. Moves: the rent to who paid it.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseSlashCase<'info> {
    /// Provider charged; it stays while a case of it is open.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// The case.
    #[account(
        mut, close = rent_payer,
        has_one = provider @ MillraceError::WrongAccount,
        has_one = rent_payer @ MillraceError::WrongAccount,
    )]
    pub case: AccountLoader<'info, SlashCase>,
    /// CHECK: who paid the rent, as the case says.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}

impl CloseSlashCase<'_> {
    /// Checks that nothing is left to do; Anchor closes the account on the way out.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let event = {
            let (mut case, mut provider) = (accounts.case.load_mut()?, accounts.provider.load_mut()?);
            case.require_closable()?;
            provider.slash_case_closed()?;
            SlashCaseClosed {
                sequence: next(&mut case.sequence),
                case: accounts.case.key(),
                provider: accounts.provider.key(),
                open_slash_cases: provider.open_slash_cases,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
