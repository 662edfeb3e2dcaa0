//! Carries out a vote that overturns a judged case.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, ProposalExecuted, SlashOverturned};
use crate::state::{Proposal, ProposalKind, Provider, SlashCase};

/// Called by: anyone, between the proposal's `eta` and its expiry. Moves: nothing; what the case froze is the provider's
/// stake again. Keeps: I2, I3.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteOverturnSlash<'info> {
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// The case it names.
    #[account(mut)]
    pub case: AccountLoader<'info, SlashCase>,
    /// The provider charged.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
}

impl ExecuteOverturnSlash<'_> {
    fn validate(&self, proposal: &Proposal, case: &SlashCase) -> Result<()> {
        require_keys_eq!(self.case.key(), proposal.target, MillraceError::WrongAccount);
        require_keys_eq!(self.provider.key(), case.provider, MillraceError::WrongAccount);
        Ok(())
    }

    /// Gives back what is frozen.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let (executed, overturned) = {
            let mut proposal = accounts.proposal.load_mut()?;
            let mut case = accounts.case.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            proposal.execute(ProposalKind::OverturnSlash, Clock::get()?.unix_timestamp)?;
            accounts.validate(&proposal, &case)?;
            let amount = case.overturn(&mut provider)?;
            let sequence = next(&mut proposal.sequence);
            let overturned = SlashOverturned {
                sequence: next(&mut case.sequence),
                case: accounts.case.key(),
                provider: case.provider,
                amount,
                provider_stake: provider.stake,
                provider_frozen: provider.frozen,
            };
            (ProposalExecuted::of(sequence, accounts.proposal.key(), &proposal, amount), overturned)
        };
        emit(&accounts.event_authority, &executed)?;
        emit(&accounts.event_authority, &overturned)
    }
}
