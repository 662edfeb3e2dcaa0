//! Carries out a vote on the parameters.

use anchor_lang::prelude::*;

use super::payload;
use crate::events::{emit, next, ParamsScheduled, ProposalExecuted};
use crate::state::{Config, Params, Proposal, ProposalKind};

/// Called by: anyone, between the proposal's `eta` and its expiry. Moves: nothing; the parameters hold two epochs later,
/// when [`super::ActivateParams`] is called, and never for a lease or an unbonding that was there before.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteParams<'info> {
    /// The deployment.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
}

impl ExecuteParams<'_> {
    /// Makes the parameters pending.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let proposal_key = accounts.proposal.key();
        let (executed, scheduled) = {
            let mut config = accounts.config.load_mut()?;
            let mut proposal = accounts.proposal.load_mut()?;
            proposal.execute(ProposalKind::UpdateParams, now)?;
            let params = payload::read::<Box<Params>>(proposal.payload())?;
            let pending_epoch = config.schedule(&params, now)?;
            let executed = ProposalExecuted::of(next(&mut proposal.sequence), proposal_key, &proposal, 0);
            let scheduled = ParamsScheduled {
                sequence: next(&mut config.sequence),
                proposal: proposal_key,
                pending_epoch,
                old: config.params,
                new: config.pending,
            };
            (executed, Box::new(scheduled))
        };
        emit(&accounts.event_authority, &executed)?;
        emit(&accounts.event_authority, scheduled.as_ref())
    }
}
