//! Pays out what was held back from an ended lease, and closes it.

use anchor_lang::prelude::*;

use crate::constants::CUSTOMER_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, LeaseClosed};
use crate::state::{Customer, Job, Lease, LeaseRole, LeaseState, Provider};
use crate::token;

/// Called by: anyone, once the dispute window since the end is over; the customer need not wait
/// (`accept_result`, which takes the same accounts). A failed Guaranteed lease compensates its customer first
/// ([`super::ClaimCompensation`]). Moves: the holdback from the customer's to the provider's vault; what is left of
/// reserve and bond to the customer's free money and the provider's free stake; the rent to who paid it. Keeps: I1, I2,
/// I3, I4.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseLease<'info> {
    /// Anyone; for `accept_result` the customer's authority.
    pub caller: Signer<'info>,
    /// The lease. All links below are compared with what it stores.
    #[account(mut)]
    pub lease: AccountLoader<'info, Lease>,
    /// The job it served.
    #[account(mut)]
    pub job: AccountLoader<'info, Job>,
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
    /// CHECK: compared with the address the lease stores.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the vaults' mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vaults.
    pub token_program: UncheckedAccount<'info>,
}

impl CloseLease<'_> {
    fn validate_links(&self, lease: &Lease) -> Result<()> {
        require_keys_eq!(*self.job.as_ref().key, lease.job, MillraceError::WrongAccount);
        require_keys_eq!(*self.customer.as_ref().key, lease.customer, MillraceError::WrongAccount);
        require_keys_eq!(*self.customer_vault.key, lease.customer_vault, MillraceError::WrongAccount);
        require_keys_eq!(*self.provider.as_ref().key, lease.provider, MillraceError::WrongAccount);
        require_keys_eq!(*self.provider_vault.key, lease.provider_vault, MillraceError::WrongAccount);
        require_keys_eq!(*self.rent_payer.key, lease.rent_payer, MillraceError::WrongAccount);
        Ok(())
    }

    /// Closes after the dispute window.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let now = Clock::get()?.unix_timestamp;
        ctx.accounts.pay_out(false, |lease, _| {
            require!(lease.has_ended(), MillraceError::LeaseRunning);
            require!(now >= lease.closes_at(), MillraceError::DisputeWindowOpen);
            Ok(())
        })
    }

    /// What `close_lease` and `accept_result` share: books, sends the holdback and closes, if `may_close` agrees.
    pub(crate) fn pay_out(
        &self,
        accepted: bool,
        may_close: impl FnOnce(&Lease, &Customer) -> Result<()>,
    ) -> Result<()> {
        let (event, owed, authority, bump) = {
            let mut lease = self.lease.load_mut()?;
            let mut customer = self.customer.load_mut()?;
            let mut provider = self.provider.load_mut()?;
            let mut job = self.job.load_mut()?;
            self.validate_links(&lease)?;
            may_close(&lease, &customer)?;

            let closing = lease.close(&mut customer, &mut provider)?;
            provider.lease_closed()?;
            job.leases_open = job.leases_open.checked_sub(1).ok_or(MillraceError::InvariantBroken)?;
            let has_result = lease.state == LeaseState::Completed as u8 && lease.role == LeaseRole::Member as u8;
            if has_result && job.result_root == [0; 32] {
                job.result_root = lease.result_root;
            }
            job.invariant()?;
            customer.invariant()?;
            provider.invariant()?;
            let event = LeaseClosed {
                sequence: next(&mut lease.sequence),
                lease: self.lease.key(),
                job: lease.job,
                accepted,
                holdback_amount: closing.holdback_amount,
                released_amount: closing.released_amount,
                bond_amount: closing.bond_amount,
                customer_free: customer.free,
                customer_reserved: customer.reserved,
                customer_holdbacks: customer.holdbacks,
                provider_lease_bonds: provider.lease_bonds,
                provider_locked: provider.locked,
                provider_earned: provider.earned,
            };
            (event, (customer.owed(), provider.owed()), customer.authority, customer.bump)
        };
        if event.holdback_amount > 0 {
            token::transfer(
                &self.token_program,
                &self.customer_vault,
                &self.mint,
                &self.provider_vault,
                self.customer.as_ref(),
                &[&[CUSTOMER_SEED, authority.as_ref(), &[bump]]],
                event.holdback_amount,
            )?;
        }
        token::require_covers(&self.customer_vault, owed.0)?;
        token::require_covers(&self.provider_vault, owed.1)?;
        emit(&self.event_authority, &event)?;
        self.lease.close(self.rent_payer.to_account_info())
    }
}
