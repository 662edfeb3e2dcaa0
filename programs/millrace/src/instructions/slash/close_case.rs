//! Closes a case that has done its work.

use anchor_lang::prelude::*;

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, CaseClosed};
use crate::state::{Config, FraudCase};

/// Called by: anyone, once the case is executed and, where something was proven, its commit is older than the fraud
/// window. Moves: the rent, and a deposit that could not be delivered, to who paid the rent.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseCase<'info> {
    /// The deployment.
    #[account(seeds = [CONFIG_SEED], bump = config.load()?.bump)]
    pub config: AccountLoader<'info, Config>,
    /// The case.
    #[account(mut, close = rent_payer)]
    pub case: AccountLoader<'info, FraudCase>,
    /// CHECK: provider of the node accused, by the case's key; its account may be closed by now.
    #[account(address = case.load()?.provider @ MillraceError::WrongAccount)]
    pub provider: UncheckedAccount<'info>,
    /// CHECK: receives the rent; fixed in the case.
    #[account(mut, address = case.load()?.rent_payer @ MillraceError::WrongAccount)]
    pub rent_payer: UncheckedAccount<'info>,
}

impl CloseCase<'_> {
    /// Checks that nothing is left to do; Anchor closes the account on the way out.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let epoch = accounts.config.load()?.epoch_at(Clock::get()?.unix_timestamp)?;
        let sequence = {
            let mut case = accounts.case.load_mut()?;
            case.require_closable(epoch, *accounts.provider.owner != crate::ID)?;
            next(&mut case.sequence)
        };
        emit(&accounts.event_authority, &CaseClosed { sequence, case: accounts.case.key() })
    }
}
