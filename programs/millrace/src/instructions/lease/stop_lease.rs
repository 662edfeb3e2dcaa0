//! Asks a lease to stop.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, LeaseStopped};
use crate::state::{Customer, Lease};

/// Called by: the customer's authority, once, while the lease runs. Moves: nothing; no second beyond now and the notice
/// will be paid. Keeps: I5.
#[event_cpi]
#[derive(Accounts)]
pub struct StopLease<'info> {
    /// Owns the customer.
    pub authority: Signer<'info>,
    /// The customer who pays.
    pub customer: AccountLoader<'info, Customer>,
    /// The lease.
    #[account(mut)]
    pub lease: AccountLoader<'info, Lease>,
}

impl StopLease<'_> {
    fn validate(&self, lease: &Lease) -> Result<()> {
        require_keys_eq!(self.customer.key(), lease.customer, MillraceError::WrongAccount);
        require_keys_eq!(self.authority.key(), self.customer.load()?.authority, MillraceError::WrongAuthority);
        Ok(())
    }

    /// Shortens the lease.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let mut lease = accounts.lease.load_mut()?;
            accounts.validate(&lease)?;
            lease.stop(now)?;
            lease.invariant()?;
            LeaseStopped { sequence: next(&mut lease.sequence), lease: accounts.lease.key(), max_secs: lease.max_secs }
        };
        emit(&accounts.event_authority, &event)
    }
}
