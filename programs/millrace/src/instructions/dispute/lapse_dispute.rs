//! Ends the vote on a dispute the oracles did not decide.

use anchor_lang::prelude::*;

use crate::events::{emit, next, DisputeLapsed};
use crate::state::Dispute;

/// Called by: anyone, once the vote is over without a quorum. Moves: nothing yet; the dispute's bond will go back and
/// the lease its normal way, unless governance rules otherwise. Keeps: I9.
#[event_cpi]
#[derive(Accounts)]
pub struct LapseDispute<'info> {
    /// The dispute.
    #[account(mut)]
    pub dispute: AccountLoader<'info, Dispute>,
}

impl LapseDispute<'_> {
    /// Writes the ruling.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let mut dispute = accounts.dispute.load_mut()?;
            dispute.lapse(now)?;
            DisputeLapsed {
                sequence: next(&mut dispute.sequence),
                dispute: accounts.dispute.key(),
                appeal_until: dispute.appeal_until,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
