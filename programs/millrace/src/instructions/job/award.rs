//! Gives the next position of a job to the best bid left.

use anchor_lang::prelude::*;

use crate::constants::*;
use crate::create;
use crate::errors::MillraceError;
use crate::events::{emit, next, LeaseAwarded};
use crate::state::{space, Bid, Customer, Job, Lease, Node, Provider};

/// Called by: anyone, after bidding and before `award_by`; the caller pays the lease's rent and gets it back at its
/// end. Moves: what the position reserved beyond the bid's price back to the customer's free money; the winner's bond
/// to its free stake. A node that can no longer serve is refused: [`super::DropBrokenBid`] takes its bond. Keeps: I3, I4.
#[event_cpi]
#[derive(Accounts)]
pub struct Award<'info> {
    /// Pays the lease's rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The job.
    #[account(mut)]
    pub job: AccountLoader<'info, Job>,
    /// The customer who pays for it.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// The bidder.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// The node at the cursor.
    #[account(mut)]
    pub node: AccountLoader<'info, Node>,
    /// CHECK: opened here at the seeds `lease`, job, index.
    #[account(mut)]
    pub lease: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl Award<'_> {
    fn validate(&self, job: &Job, bid: &Bid, node: &Node, provider: &Provider, now: i64) -> Result<()> {
        require_keys_eq!(*self.customer.as_ref().key, job.customer, MillraceError::WrongAccount);
        require_keys_eq!(*self.node.as_ref().key, bid.node, MillraceError::NotNextBid);
        require_keys_eq!(*self.provider.as_ref().key, bid.provider, MillraceError::WrongAccount);
        require!(job.can_be_served_by(self.job.as_ref().key, node, provider, now), MillraceError::BidBroken);
        Ok(())
    }

    /// Opens the lease and moves the reserve.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let mut customer = accounts.customer.load_mut()?;
        let mut provider = accounts.provider.load_mut()?;
        let mut node = accounts.node.load_mut()?;
        let (mut job, bids) = Job::load_with_bids_mut(accounts.job.as_ref())?;
        let bid = job.next_bid(&bids, now)?;
        accounts.validate(&job, &bid, &node, &provider, now)?;

        let (job_key, lease_key) = (accounts.job.key(), accounts.lease.key());
        let index = job.leases_opened;
        let seeds = [LEASE_SEED, job_key.as_ref(), &[index]];
        let bump = create::create::<Lease>(&accounts.payer, &accounts.lease, seeds, space::<Lease>())?;
        let (reserve_amount, rest_amount) = job.award(&bid)?;
        customer.release(rest_amount)?;
        provider.unlock_bond(std::mem::take(&mut node.bid_bond))?;
        provider.lease_opened()?;
        node.bid_job = Pubkey::default();
        node.lease = lease_key;

        let mut lease = create::load_new::<Lease>(&accounts.lease)?;
        lease.version = ACCOUNT_VERSION;
        lease.bump = bump;
        lease.tier = job.tier;
        lease.index = index;
        lease.job_position = index;
        lease.job = job_key;
        lease.customer = job.customer;
        lease.customer_vault = customer.vault;
        lease.provider = bid.provider;
        lease.provider_vault = provider.vault;
        lease.node = bid.node;
        lease.per_sec = bid.per_sec;
        lease.max_secs = job.max_secs;
        lease.reserve_amount = reserve_amount;
        lease.started_at = now;
        lease.terms = job.terms;
        lease.rent_payer = accounts.payer.key();
        job.invariant()?;
        customer.invariant()?;
        provider.invariant()?;
        lease.invariant()?;

        let event = LeaseAwarded {
            sequence: next(&mut job.sequence),
            job: job_key,
            lease: lease_key,
            node: bid.node,
            provider: bid.provider,
            per_sec: bid.per_sec,
            reserve_amount,
            customer_free: customer.free,
            customer_reserved: customer.reserved,
            provider_locked: provider.locked,
        };
        drop((customer, provider, node, job, bids, lease));
        emit(&accounts.event_authority, &event)
    }
}
