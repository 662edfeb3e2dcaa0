//! Carries out a vote that takes an oracle's seat.

use anchor_lang::prelude::*;

use super::payload;
use crate::errors::MillraceError;
use crate::events::{emit, next, OracleUnseated, ProposalExecuted};
use crate::state::{Config, Oracle, OracleSet, Proposal, ProposalKind};

/// Called by: anyone, between the proposal's `eta` and its expiry. Moves: nothing. What the oracle signed before stands,
/// and it still answers for it.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteRemoveOracle<'info> {
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// The seats.
    #[account(mut)]
    pub oracles: AccountLoader<'info, OracleSet>,
    /// The oracle the proposal names.
    #[account(mut)]
    pub oracle: AccountLoader<'info, Oracle>,
}

impl ExecuteRemoveOracle<'_> {
    /// Frees the seat.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let epoch = accounts.config.load()?.epoch_at(now)?;
        let (executed, unseated) = {
            let mut proposal = accounts.proposal.load_mut()?;
            proposal.execute(ProposalKind::RemoveOracle, now)?;
            let mut oracle = accounts.oracle.load_mut()?;
            let mut oracles = accounts.oracles.load_mut()?;
            let named = payload::read::<Pubkey>(proposal.payload())?;
            require_keys_eq!(oracle.authority, named, MillraceError::WrongAccount);
            let seat = oracles.remove(&named)?;
            oracle.is_removed = 1;
            oracle.removed_epoch = epoch;
            let sequence = next(&mut proposal.sequence);
            let unseated = OracleUnseated {
                sequence: next(&mut oracles.sequence),
                oracle: accounts.oracle.key(),
                seat,
                removed_epoch: epoch,
                total_weight: oracles.total_weight,
            };
            (ProposalExecuted::of(sequence, accounts.proposal.key(), &proposal, 0), unseated)
        };
        emit(&accounts.event_authority, &executed)?;
        emit(&accounts.event_authority, &unseated)
    }
}
