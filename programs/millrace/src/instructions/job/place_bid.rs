//! Offers a node for a job.

use anchor_lang::prelude::*;
use millrace_core::score::score;

use crate::errors::MillraceError;
use crate::events::{emit, next, BidPlaced};
use crate::state::{Bid, Config, Job, Node, Provider, Topology};

/// An offer.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct PlaceBidArgs {
    /// The price, base units a second.
    pub per_sec: u64,
    /// Whether the node would also stand by, at a share of that price, should the positions go to others.
    pub may_stand_by: bool,
}

/// Called by: the operator of the node's provider, or its cold key, while the job takes bids and new work is not paused.
/// Moves: nothing; locks the bid bond within the provider's stake. The program scores the bid, so choosing is no one's
/// privilege. Keeps: I3.
#[event_cpi]
#[derive(Accounts)]
pub struct PlaceBid<'info> {
    /// Hot key of the provider, or its cold key.
    pub operator: Signer<'info>,
    /// The deployment: says whether new work is paused.
    pub config: AccountLoader<'info, Config>,
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

/// What every bid has to be: of a provider at large, by its operator, in time and within the price limits.
pub(super) fn validate_bid(provider: &Provider, operator: &Pubkey, job: &Job, per_sec: u64, now: i64) -> Result<()> {
    provider.require_operator(operator)?;
    provider.require_active(now)?;
    require!(job.is_open(), MillraceError::JobNotOpen);
    require!(now < job.bidding_ends_at, MillraceError::BiddingClosed);
    require!(per_sec > 0, MillraceError::ZeroAmount);
    require!(per_sec <= job.max_per_sec, MillraceError::BidTooHigh);
    require!(per_sec >= provider.min_bid_per_sec, MillraceError::BelowPriceFloor);
    Ok(())
}

/// What every node offered has to be: its own provider's, able, free, and with all the job requires.
pub(super) fn validate_node(
    (provider_key, provider): (&Pubkey, &Provider),
    node: &Node,
    job: &Job,
    now: i64,
) -> Result<()> {
    require_keys_eq!(*provider_key, node.provider, MillraceError::WrongAccount);
    require!(node.is_able(now), MillraceError::NodeNotAble);
    require!(node.is_free(), MillraceError::NodeBusy);
    require!(job.is_met_by(node, provider.reliability_bps), MillraceError::RequirementsNotMet);
    Ok(())
}

impl PlaceBid<'_> {
    fn validate(&self, provider: &Provider, node: &Node, job: &Job, per_sec: u64, now: i64) -> Result<()> {
        self.config.load()?.require_not_paused(now)?;
        validate_bid(provider, self.operator.key, job, per_sec, now)?;
        require!(job.requirements.topology != Topology::SameSite as u8, MillraceError::WrongTopology);
        validate_node((self.provider.as_ref().key, provider), node, job, now)
    }

    /// Scores the bid, locks its bond and puts it in its place.
    pub fn handle(ctx: Context<Self>, args: PlaceBidArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let mut provider = accounts.provider.load_mut()?;
        let mut node = accounts.node.load_mut()?;
        let (mut job, mut bids) = Job::load_with_bids_mut(accounts.job.as_ref())?;
        accounts.validate(&provider, &node, &job, args.per_sec, now)?;

        let (job_key, node_key) = (accounts.job.key(), accounts.node.key());
        let bond = job.bid_bond()?;
        let score = score(job.objective()?, args.per_sec, node.verified_gops, provider.reliability_bps);
        let bid = Bid {
            node: node_key,
            provider: node.provider,
            per_sec: args.per_sec,
            score,
            bond,
            region: node.region,
            may_stand_by: u8::from(args.may_stand_by),
            padding: [0; 6],
        };
        let rank = job.place(&mut bids, &[bid])?;
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
            per_sec: args.per_sec,
            may_stand_by: args.may_stand_by,
            score,
            rank,
            bond,
            provider_bonds: provider.bonds,
            provider_locked: provider.locked,
        };
        drop((provider, node, job, bids));
        emit(&accounts.event_authority, &event)
    }
}
