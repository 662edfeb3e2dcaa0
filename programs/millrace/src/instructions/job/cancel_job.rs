//! Withdraws a job that was not awarded.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, JobCancelled};
use crate::state::{Bid, Customer, Job};

/// Called by: the customer's authority before the first award, or once bidding is over and no bid is left for the
/// positions that lack one; anyone from `award_by` on. Moves: what the job reserved back to the customer's free money.
/// Leases it has are ended by [`crate::instructions::UnwindLease`]. Keeps: I4.
#[event_cpi]
#[derive(Accounts)]
pub struct CancelJob<'info> {
    /// The customer's authority, or after `award_by` anyone.
    pub caller: Signer<'info>,
    /// The customer who posted it.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// The job.
    #[account(mut)]
    pub job: AccountLoader<'info, Job>,
}

impl CancelJob<'_> {
    fn validate(&self, customer: &Customer, job: &Job, bids: &[Bid], now: i64) -> Result<()> {
        require_keys_eq!(self.customer.key(), job.customer, MillraceError::WrongAccount);
        require!(job.is_open(), MillraceError::JobNotOpen);
        let by_owner = self.caller.key() == customer.authority && job.may_withdraw(bids, now);
        require!(by_owner || now >= job.award_by, MillraceError::AwardPending);
        Ok(())
    }

    /// Frees the reserve.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let mut customer = accounts.customer.load_mut()?;
        let (mut job, bids) = Job::load_with_bids_mut(accounts.job.as_ref())?;
        accounts.validate(&customer, &job, &bids, now)?;

        let released_amount = job.cancel()?;
        customer.release(released_amount)?;
        job.invariant()?;
        customer.invariant()?;

        let event = JobCancelled {
            sequence: next(&mut job.sequence),
            job: accounts.job.key(),
            released_amount,
            customer_free: customer.free,
            customer_reserved: customer.reserved,
        };
        drop((customer, job, bids));
        emit(&accounts.event_authority, &event)
    }
}
