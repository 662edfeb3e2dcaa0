//! Carries out a vote that overturns the ruling of a dispute.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, ProposalExecuted, RulingOverturned};
use crate::state::{Dispute, Proposal, ProposalKind};

/// Called by: anyone, between the proposal's `eta` and its expiry. Moves: nothing; the ruling, turned, is carried out as
/// any other.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteOverturnRuling<'info> {
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// The dispute it names.
    #[account(mut)]
    pub dispute: AccountLoader<'info, Dispute>,
}

impl ExecuteOverturnRuling<'_> {
    /// Turns the ruling.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let (executed, overturned) = {
            let mut proposal = accounts.proposal.load_mut()?;
            let mut dispute = accounts.dispute.load_mut()?;
            proposal.execute(ProposalKind::OverturnRuling, now)?;
            require_keys_eq!(accounts.dispute.key(), proposal.target, MillraceError::WrongAccount);
            dispute.overturn(now)?;
            let sequence = next(&mut proposal.sequence);
            let overturned = RulingOverturned {
                sequence: next(&mut dispute.sequence),
                dispute: accounts.dispute.key(),
                ruling: dispute.ruling,
            };
            (ProposalExecuted::of(sequence, accounts.proposal.key(), &proposal, 0), overturned)
        };
        emit(&accounts.event_authority, &executed)?;
        emit(&accounts.event_authority, &overturned)
    }
}
