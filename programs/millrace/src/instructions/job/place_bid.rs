//! Offers a node for a job.

use anchor_lang::prelude::*;
use millrace_core::score::score;

use crate::errors::MillraceError;
use crate::events::{emit, next, BidPlaced};
use crate::state::{Bid, Job, Node, Provider};

/// Called by: the operator of the node's provider, or its cold key, while the job takes bids. Moves: nothing; locks the
/// bid bond within the provider's stake. The program scores the bid, so choosing is no one's privilege. Keeps: I3.
#[event_cpi]
#[derive(Accounts)]
pub struct PlaceBid<'info> {
    /// Hot key of the provider, or its cold key.
    pub operator: Signer<'info>,
    /// The bidder.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// The node offered.
    #[account(mut)]
    pub node: AccountLoader<'info, Node>,
    /// The job bid for.
    #[account(mut)]
    pub job: AccountLoader<'info, Job>,
}

impl PlaceBid<'_> {
    fn validate(&self, provider: &Provider, node: &Node, job: &Job, per_sec: u64, now: i64) -> Result<()> {
        provider.require_operator(self.operator.key)?;
        require_keys_eq!(*self.provider.as_ref().key, node.provider, MillraceError::WrongAccount);
        provider.require_active(now)?;
        require!(job.is_open(), MillraceError::JobNotOpen);
        require!(now < job.bidding_ends_at, MillraceError::BiddingClosed);
        require!(node.is_able(now), MillraceError::NodeNotAble);
        require!(node.is_free(), MillraceError::NodeBusy);
        require!(per_sec > 0, MillraceError::ZeroAmount);
        require!(per_sec <= job.max_per_sec, MillraceError::BidTooHigh);
        require!(per_sec >= provider.min_bid_per_sec, MillraceError::BelowPriceFloor);
        require!(job.is_met_by(node, provider.reliability_bps), MillraceError::RequirementsNotMet);
        Ok(())
    }

    /// Scores the bid, locks its bond and puts it in its place. `per_sec`: the price, base units a second.
    pub fn handle(ctx: Context<Self>, per_sec: u64) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let mut provider = accounts.provider.load_mut()?;
        let mut node = accounts.node.load_mut()?;
        let (mut job, mut bids) = Job::load_with_bids_mut(accounts.job.as_ref())?;
        accounts.validate(&provider, &node, &job, per_sec, now)?;

        let (job_key, node_key) = (accounts.job.key(), accounts.node.key());
        let bond = job.bond_for(per_sec)?;
        let score = score(job.objective()?, per_sec, node.verified_gops, provider.reliability_bps);
        let bid = Bid {
            node: node_key,
            provider: node.provider,
            per_sec,
            score,
            bond,
            region: node.region,
            may_stand_by: 0,
            padding: [0; 6],
        };
        let rank = job.place(&mut bids, bid)?;
        provider.lock_bond(bond)?;
        node.bid_job = job_key;
        node.bid_bond = bond;
        job.invariant()?;
        provider.invariant()?;

        let event = BidPlaced {
            sequence: next(&mut job.sequence),
            job: job_key,
            node: node_key,
            provider: node.provider,
            per_sec,
            score,
            rank,
            bond,
            provider_locked: provider.locked,
        };
        drop((provider, node, job, bids));
        emit(&accounts.event_authority, &event)
    }
}
