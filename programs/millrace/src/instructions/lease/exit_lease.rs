//! Leaves a lease the oracles fell silent about.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, LeaseExited};
use crate::state::{Customer, Lease, Node, Provider};

/// Called by: the customer's authority, or the provider's authority or operator, once no leaf was applied to this
/// lease for `oracle_outage_secs`, or for as long since it could run no longer. Moves: the rest of the reserve back to the customer's free money. What was proven stays
/// paid. Keeps: I4, I5, I9.
#[event_cpi]
#[derive(Accounts)]
pub struct ExitLease<'info> {
    /// Either side.
    pub caller: Signer<'info>,
    /// The lease. All links below are compared with what it stores.
    #[account(mut)]
    pub lease: AccountLoader<'info, Lease>,
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

impl ExitLease<'_> {
    fn validate(&self, lease: &Lease, customer: &Customer, provider: &Provider) -> Result<()> {
        require_keys_eq!(self.customer.key(), lease.customer, MillraceError::WrongAccount);
        require_keys_eq!(self.provider.key(), lease.provider, MillraceError::WrongAccount);
        require_keys_eq!(self.node.key(), lease.node, MillraceError::WrongAccount);
        let sides = [customer.authority, provider.authority, provider.operator];
        require!(sides.contains(self.caller.key), MillraceError::WrongAuthority);
        Ok(())
    }

    /// Ends the lease where it stands.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let mut lease = accounts.lease.load_mut()?;
            let mut customer = accounts.customer.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            let mut node = accounts.node.load_mut()?;
            accounts.validate(&lease, &customer, &provider)?;
            lease.exit(&accounts.lease.key(), now, (&mut customer, &mut provider, &mut node))?;
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
