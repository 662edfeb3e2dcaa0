//! Ends a lease of a job that came to nothing.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, LeaseExited};
use crate::state::{Customer, Job, JobState, Lease, Node, Provider};

/// Called by: anyone, once its job is cancelled: not all of its positions found a node in time. Moves: the rest of the
/// reserve back to the customer's free money. What was proven stays paid. Keeps: I4, I5, I9.
#[event_cpi]
#[derive(Accounts)]
pub struct UnwindLease<'info> {
    /// The lease. All links below are compared with what it stores.
    #[account(mut)]
    pub lease: AccountLoader<'info, Lease>,
    /// The job it served.
    pub job: AccountLoader<'info, Job>,
    /// The customer who pays.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// The provider who earns.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// The node at work.
    #[account(mut)]
    pub node: AccountLoader<'info, Node>,
}

impl UnwindLease<'_> {
    fn validate(&self, lease: &Lease) -> Result<()> {
        require_keys_eq!(self.job.key(), lease.job, MillraceError::WrongAccount);
        require_keys_eq!(self.customer.key(), lease.customer, MillraceError::WrongAccount);
        require_keys_eq!(self.provider.key(), lease.provider, MillraceError::WrongAccount);
        require_keys_eq!(self.node.key(), lease.node, MillraceError::WrongAccount);
        require!(self.job.load()?.state == JobState::Cancelled as u8, MillraceError::JobStands);
        Ok(())
    }

    /// Ends the lease where it stands.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let mut lease = accounts.lease.load_mut()?;
            accounts.validate(&lease)?;
            let mut customer = accounts.customer.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            let mut node = accounts.node.load_mut()?;
            lease.unwind(&accounts.lease.key(), now, (&mut customer, &mut provider, &mut node))?;
            lease.invariant()?;
            customer.invariant()?;
            provider.invariant()?;
            LeaseExited {
                sequence: next(&mut lease.sequence),
                lease: accounts.lease.key(),
                paid_secs: lease.paid_secs,
                customer_free: customer.free,
                customer_reserved: customer.reserved,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
