//! Frees a node whose bid no longer counts, and its bond.

use anchor_lang::prelude::*;
use anchor_lang::system_program;

use crate::errors::MillraceError;
use crate::events::{emit, next, BidReleased};
use crate::state::{Job, Node, Provider};

/// Called by: anyone, once the bid fell off the leaderboard or can no longer be awarded, or the job is awarded, cancelled
/// or closed, or the time to award it has passed. Moves: nothing; the bond is free stake again. Keeps: I3.
#[event_cpi]
#[derive(Accounts)]
pub struct ReleaseBid<'info> {
    /// The bidder.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// The node that was offered.
    #[account(mut)]
    pub node: AccountLoader<'info, Node>,
    /// CHECK: compared with the job the node stores; read as a job unless the account is closed.
    pub job: UncheckedAccount<'info>,
}

impl ReleaseBid<'_> {
    fn validate(&self, node: &Node, now: i64) -> Result<()> {
        require_keys_eq!(self.provider.key(), node.provider, MillraceError::WrongAccount);
        require!(node.bid_job != Pubkey::default(), MillraceError::NoSuchBid);
        require_keys_eq!(self.job.key(), node.bid_job, MillraceError::NoSuchBid);
        require!(!self.still_stands(now)?, MillraceError::BidStands);
        Ok(())
    }

    fn still_stands(&self, now: i64) -> Result<bool> {
        if *self.job.owner == system_program::ID {
            return Ok(false);
        }
        let (job, bids) = Job::load_with_bids(&self.job)?;
        Ok(now < job.award_by && job.may_award(&bids, self.node.as_ref().key))
    }

    /// Unlocks the bond and frees the node.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let mut provider = accounts.provider.load_mut()?;
        let mut node = accounts.node.load_mut()?;
        accounts.validate(&node, now)?;

        let bond = node.release_bid(&mut provider)?;
        provider.invariant()?;

        let event = BidReleased {
            sequence: next(&mut node.sequence),
            job: accounts.job.key(),
            node: accounts.node.key(),
            provider: accounts.provider.key(),
            bond,
            provider_bonds: provider.bonds,
            provider_locked: provider.locked,
        };
        drop((provider, node));
        emit(&accounts.event_authority, &event)
    }
}
