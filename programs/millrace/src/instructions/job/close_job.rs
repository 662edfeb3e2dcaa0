//! Closes the account of a job that is over.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, JobClosed};
use crate::state::{Customer, Job};

/// Called by: anyone, once the job is cancelled or all its leases are closed, and the customer's fees are swept
/// ([`super::SweepFees`] goes into the same transaction). Moves: what the job still reserved back to the customer's free
/// money, the rent to who paid it. Keeps: I4.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseJob<'info> {
    /// The customer who posted it.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// The job.
    #[account(mut)]
    pub job: AccountLoader<'info, Job>,
    /// CHECK: compared with the address the job stores.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}

impl CloseJob<'_> {
    fn validate(&self, customer: &Customer, job: &Job) -> Result<()> {
        require_keys_eq!(*self.customer.as_ref().key, job.customer, MillraceError::WrongAccount);
        require_keys_eq!(*self.rent_payer.key, job.rent_payer, MillraceError::WrongAccount);
        require!(!job.is_open() && job.leases_open == 0, MillraceError::LeasesOpen);
        require!(customer.fee_due == 0, MillraceError::FeesDue);
        Ok(())
    }

    /// Frees what is left and closes.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let event = {
            let mut customer = accounts.customer.load_mut()?;
            let mut job = accounts.job.load_mut()?;
            accounts.validate(&customer, &job)?;

            let released_amount = std::mem::take(&mut job.reserve_amount);
            customer.release(released_amount)?;
            customer.open_jobs = customer.open_jobs.checked_sub(1).ok_or(MillraceError::InvariantBroken)?;
            customer.invariant()?;
            JobClosed {
                sequence: next(&mut job.sequence),
                job: accounts.job.key(),
                customer: job.customer,
                released_amount,
                customer_free: customer.free,
                customer_reserved: customer.reserved,
                result_root: job.result_root,
            }
        };
        emit(&accounts.event_authority, &event)?;
        accounts.job.close(accounts.rent_payer.to_account_info())
    }
}
