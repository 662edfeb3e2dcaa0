//! Carries out a vote on the guardian.

use anchor_lang::prelude::*;

use super::payload;
use crate::events::{emit, next, GuardianSet, ProposalExecuted};
use crate::state::{Config, Proposal, ProposalKind};

/// Called by: anyone, between the proposal's `eta` and its expiry. Moves: nothing. The address of zeros is nobody.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteGuardian<'info> {
    /// The deployment.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
}

impl ExecuteGuardian<'_> {
    /// Names the guardian.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let proposal_key = accounts.proposal.key();
        let (executed, set) = {
            let mut config = accounts.config.load_mut()?;
            let mut proposal = accounts.proposal.load_mut()?;
            proposal.execute(ProposalKind::SetGuardian, Clock::get()?.unix_timestamp)?;
            let previous_guardian = config.guardian;
            config.guardian = payload::read(proposal.payload())?;
            let executed = ProposalExecuted::of(next(&mut proposal.sequence), proposal_key, &proposal, 0);
            let set = GuardianSet {
                sequence: next(&mut config.sequence),
                proposal: proposal_key,
                guardian: config.guardian,
                previous_guardian,
            };
            (executed, set)
        };
        emit(&accounts.event_authority, &executed)?;
        emit(&accounts.event_authority, &set)
    }
}
