//! Gives the next position of a job to the best bid left.

use anchor_lang::prelude::*;

use crate::constants::*;
use crate::create;
use crate::errors::MillraceError;
use crate::events::{emit, next, LeaseAwarded};
use crate::state::{space, Bid, Customer, Job, Lease, Node, Opening, Provider, Standing};

/// Called by: anyone, after bidding and before `award_by`; the caller pays the lease's rent and gets it back at its
/// end. Moves: what the place reserved beyond the bid's price back to the customer's free money; the winner's bid bond to
/// its free stake, and for a Guaranteed job the lease's bond out of it. Once all positions are given, those who offered
/// it become stand-bys. A node that can no longer serve is refused: [`super::DropBrokenBid`] passes over it.
/// Keeps: I3, I4.
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
        let standing = job.standing(self.job.as_ref().key, node, provider, now)?;
        require!(standing == Standing::Holds, MillraceError::BidBroken);
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
        let (entry, bid) = job.next_bid(&bids, now)?;
        accounts.validate(&job, &bid, &node, &provider, now)?;

        let (job_key, lease_key) = (accounts.job.key(), accounts.lease.key());
        let awarded = job.award(entry, &bid)?;
        let seeds = [LEASE_SEED, job_key.as_ref(), &[awarded.index]];
        let bump = create::create::<Lease>(&accounts.payer, &accounts.lease, seeds, space::<Lease>())?;
        customer.release(awarded.released_amount)?;
        node.release_bid(&mut provider)?;
        node.lease = lease_key;
        provider.lock_lease_bond(awarded.bond)?;
        provider.lease_opened()?;

        let mut lease = create::load_new::<Lease>(&accounts.lease)?;
        let opening = Opening {
            bump,
            index: awarded.index,
            job_position: awarded.job_position,
            role: awarded.role,
            job: job_key,
            customer_vault: customer.vault,
            provider: bid.provider,
            provider_vault: provider.vault,
            node: bid.node,
            per_sec: awarded.per_sec,
            full_per_sec: bid.per_sec,
            max_secs: job.max_secs,
            reserve_amount: awarded.reserve_amount,
            bond: awarded.bond,
            bond_left: awarded.bond,
            checkpoint_root: [0; 32],
            started_at: now,
            rent_payer: accounts.payer.key(),
        };
        lease.open(&job, &opening);
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
            index: awarded.index,
            job_position: awarded.job_position,
            role: awarded.role as u8,
            per_sec: awarded.per_sec,
            reserve_amount: awarded.reserve_amount,
            bond: awarded.bond,
            job_reserve_amount: job.reserve_amount,
            customer_free: customer.free,
            customer_reserved: customer.reserved,
            provider_bonds: provider.bonds,
            provider_lease_bonds: provider.lease_bonds,
            provider_locked: provider.locked,
        };
        drop((customer, provider, node, job, bids, lease));
        emit(&accounts.event_authority, &event)
    }
}
