//! Ends a lease on seconds both sides agree on.

use anchor_lang::prelude::*;

use crate::constants::CUSTOMER_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, LeaseSettledMutually};
use crate::state::{Customer, Lease, Node, Provider};
use crate::token;

/// Called by: the customer's authority and the provider's authority or operator together, while the lease runs, and
/// neither a dispute about it nor a case of the provider is open. Moves: the pay for the seconds agreed and not paid
/// yet, net of the holdback, from the customer's to the provider's vault; the rest of the reserve to the customer's free
/// money, the bond to free stake. The fee is charged on all that a leaf proves or that passed since: else who deals beside
/// the oracles would save it. Keeps: I1, I2, I3, I4, I5.
#[event_cpi]
#[derive(Accounts)]
pub struct SettleMutual<'info> {
    /// The customer's authority.
    pub customer_authority: Signer<'info>,
    /// The provider's authority or operator.
    pub provider_signer: Signer<'info>,
    /// The lease. All links below are compared with what it stores.
    #[account(mut)]
    pub lease: AccountLoader<'info, Lease>,
    /// The customer who pays.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// CHECK: compared with the address the lease stores.
    #[account(mut)]
    pub customer_vault: UncheckedAccount<'info>,
    /// The provider who earns.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// CHECK: compared with the address the lease stores.
    #[account(mut)]
    pub provider_vault: UncheckedAccount<'info>,
    /// The node at work.
    #[account(mut)]
    pub node: AccountLoader<'info, Node>,
    /// CHECK: the token program compares it with the vaults' mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vaults.
    pub token_program: UncheckedAccount<'info>,
}

impl SettleMutual<'_> {
    fn validate(&self, lease: &Lease, customer: &Customer, provider: &Provider) -> Result<()> {
        require_keys_eq!(*self.customer.as_ref().key, lease.customer, MillraceError::WrongAccount);
        require_keys_eq!(*self.customer_vault.key, lease.customer_vault, MillraceError::WrongAccount);
        require_keys_eq!(*self.provider.as_ref().key, lease.provider, MillraceError::WrongAccount);
        require_keys_eq!(*self.provider_vault.key, lease.provider_vault, MillraceError::WrongAccount);
        require_keys_eq!(*self.node.as_ref().key, lease.node, MillraceError::WrongAccount);
        require_keys_eq!(*self.customer_authority.key, customer.authority, MillraceError::WrongAuthority);
        provider.require_operator(self.provider_signer.key)
    }

    /// Books the end, then sends the pay. `secs`: seconds paid in all, those already paid included.
    pub fn handle(ctx: Context<Self>, secs: u64) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let (event, owed, authority, bump) = {
            let mut lease = accounts.lease.load_mut()?;
            let mut customer = accounts.customer.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            let mut node = accounts.node.load_mut()?;
            accounts.validate(&lease, &customer, &provider)?;
            let parties = (&mut *customer, &mut *provider, &mut *node);
            let payment = lease.end_mutually(accounts.lease.as_ref().key, secs, now, parties)?;
            lease.invariant()?;
            customer.invariant()?;
            provider.invariant()?;
            let event = LeaseSettledMutually {
                sequence: next(&mut lease.sequence),
                lease: accounts.lease.key(),
                job: lease.job,
                paid_secs: lease.paid_secs,
                net_amount: payment.net_amount,
                holdback_amount: payment.holdback_amount,
                fee_amount: payment.fee_amount,
                customer_free: customer.free,
                customer_reserved: customer.reserved,
                customer_fee_due: customer.fee_due,
                provider_earned: provider.earned,
                provider_lease_bonds: provider.lease_bonds,
                provider_locked: provider.locked,
            };
            (event, (customer.owed(), provider.owed()), customer.authority, customer.bump)
        };
        if event.net_amount > 0 {
            token::transfer(
                &accounts.token_program,
                &accounts.customer_vault,
                &accounts.mint,
                &accounts.provider_vault,
                accounts.customer.as_ref(),
                &[&[CUSTOMER_SEED, authority.as_ref(), &[bump]]],
                event.net_amount,
            )?;
        }
        token::require_covers(&accounts.customer_vault, owed.0)?;
        token::require_covers(&accounts.provider_vault, owed.1)?;
        emit(&accounts.event_authority, &event)
    }
}
