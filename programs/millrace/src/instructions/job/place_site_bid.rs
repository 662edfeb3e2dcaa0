//! Offers nodes of one site for a job, all or none.

use anchor_lang::prelude::*;
use millrace_core::score::score;

use super::place_bid::{validate_bid, validate_node};
use super::PlaceBidArgs;
use crate::constants::MAX_NODE_COUNT;
use crate::errors::MillraceError;
use crate::events::{emit, next, BidPlaced};
use crate::state::{Bid, Config, Job, Node, Provider, Topology};

/// Called by: the operator of the nodes' provider, or its cold key, while the job takes bids and new work is not paused.
/// The nodes, of one site and region, follow as writable accounts: as many as the job wants where it wants them at one
/// site, else one to as many. Moves: nothing; locks a bid bond for each node within the provider's stake. All have one
/// price and one score, by the slowest of them, so they stand side by side on the leaderboard. Keeps: I3.
#[event_cpi]
#[derive(Accounts)]
pub struct PlaceSiteBid<'info> {
    /// Hot key of the provider, or its cold key.
    pub operator: Signer<'info>,
    /// The deployment: says whether new work is paused.
    pub config: AccountLoader<'info, Config>,
    /// The bidder.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// The job bid for.
    #[account(mut)]
    pub job: AccountLoader<'info, Job>,
}

impl PlaceSiteBid<'_> {
    fn validate(&self, provider: &Provider, job: &Job, node_count: usize, per_sec: u64, now: i64) -> Result<()> {
        self.config.load()?.require_not_paused(now)?;
        validate_bid(provider, self.operator.key, job, per_sec, now)?;
        let wanted = usize::from(job.requirements.node_count.min(MAX_NODE_COUNT));
        let least = if job.requirements.topology == Topology::SameSite as u8 { wanted } else { 1 };
        require!((least..=wanted).contains(&node_count), MillraceError::BadNodeCount);
        Ok(())
    }

    /// Scores the bids, locks their bonds and puts them in their place.
    pub fn handle(ctx: Context<Self>, args: PlaceBidArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let nodes = ctx.remaining_accounts.iter().map(AccountLoader::<Node>::try_from).collect::<Result<Vec<_>>>()?;
        let mut provider = accounts.provider.load_mut()?;
        let (mut job, mut bids) = Job::load_with_bids_mut(accounts.job.as_ref())?;
        accounts.validate(&provider, &job, nodes.len(), args.per_sec, now)?;

        let (job_key, provider_key) = (accounts.job.key(), accounts.provider.key());
        let bond = job.bid_bond()?;
        let mut group = Vec::with_capacity(nodes.len());
        let mut place = None;
        let mut least_gops = u64::MAX;
        for loader in &nodes {
            let mut node = loader.load_mut()?;
            // A node named twice is held by this bid the second time.
            validate_node((&provider_key, &provider), &node, &job, now)?;
            let at = (node.region, node.site);
            require!(*place.get_or_insert(at) == at, MillraceError::WrongTopology);
            least_gops = least_gops.min(node.verified_gops);
            provider.lock_bond(bond)?;
            node.bid_job = job_key;
            node.bid_bond = bond;
            group.push(Bid {
                node: loader.key(),
                provider: provider_key,
                per_sec: args.per_sec,
                score: 0,
                bond,
                region: node.region,
                may_stand_by: u8::from(args.may_stand_by),
                padding: [0; 6],
            });
        }
        let score = score(job.objective()?, args.per_sec, least_gops, provider.reliability_bps);
        group.iter_mut().for_each(|bid| bid.score = score);
        let first_rank = job.place(&mut bids, &group)?;
        job.invariant()?;
        provider.invariant()?;

        let events: Vec<BidPlaced> = group
            .iter()
            .zip(first_rank..)
            .map(|(bid, rank)| BidPlaced {
                sequence: next(&mut job.sequence),
                job: job_key,
                node: bid.node,
                provider: provider_key,
                per_sec: args.per_sec,
                may_stand_by: args.may_stand_by,
                score,
                rank,
                bond,
                provider_bonds: provider.bonds,
                provider_locked: provider.locked,
            })
            .collect();
        drop((provider, job, bids));
        events.iter().try_for_each(|event| emit(&accounts.event_authority, event))
    }
}
