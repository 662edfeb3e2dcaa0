//! A seat's word on a dispute.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, DisputeVoted};
use crate::state::{Config, Dispute, Oracle, OracleSet};

/// Called by: the key of a seat with enough stake, once a dispute, until its vote ends. Moves: nothing, now or ever, to
/// a judge. The quorum of a report rules here too.
#[event_cpi]
#[derive(Accounts)]
pub struct VoteDispute<'info> {
    /// Key of the seat.
    pub authority: Signer<'info>,
    /// The deployment: tells the quorum and the least stake. There is only one.
    pub config: AccountLoader<'info, Config>,
    /// The seats. There is only one such account.
    pub oracles: AccountLoader<'info, OracleSet>,
    /// The voter's record.
    #[account(has_one = authority @ MillraceError::NotAnOracle)]
    pub oracle: AccountLoader<'info, Oracle>,
    /// The dispute.
    #[account(mut)]
    pub dispute: AccountLoader<'info, Dispute>,
}

impl VoteDispute<'_> {
    fn validate(&self, config: &Config, oracles: &OracleSet, oracle: &Oracle) -> Result<()> {
        oracle.require_able(config.params.oracle_stake_amount)?;
        oracles.seat_of(oracle.seat, &oracle.authority)?;
        Ok(())
    }

    /// Counts the vote and, at quorum, rules.
    pub fn handle(ctx: Context<Self>, uphold: bool) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let config = accounts.config.load()?;
            let oracles = accounts.oracles.load()?;
            let oracle = accounts.oracle.load()?;
            accounts.validate(&config, &oracles, &oracle)?;
            let mut dispute = accounts.dispute.load_mut()?;
            dispute.vote(oracle.seat, uphold, &oracles, config.params.quorum_bps, now)?;
            DisputeVoted {
                sequence: next(&mut dispute.sequence),
                dispute: accounts.dispute.key(),
                oracle: accounts.oracle.key(),
                uphold,
                upheld_weight: dispute.upheld_weight,
                dismissed_weight: dispute.dismissed_weight,
                ruling: dispute.ruling,
                appeal_until: dispute.appeal_until,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
