//! Claims what the customer of a failed lease is owed out of its bond.

use anchor_lang::prelude::*;

use crate::claims::{self, ClaimTo};
use crate::errors::MillraceError;
use crate::events::{emit, next, CompensationClaimed};
use crate::state::{Beneficiary, Customer, Lease, Provider};

/// Called by: anyone, once the dispute window of a Guaranteed lease that its node failed is over and while a bond is left;
/// the caller pays the claim's rent and gets it back. Moves: nothing yet; a share of the bond becomes the customer's claim
/// on it, what is left is free stake again. Keeps: I3, I9.
#[event_cpi]
#[derive(Accounts)]
pub struct ClaimCompensation<'info> {
    /// Pays the claim's rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The lease that failed.
    #[account(mut)]
    pub lease: AccountLoader<'info, Lease>,
    /// The customer who is paid.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// The provider whose bond answers.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// CHECK: opened here at the seeds `claim`, provider, number.
    #[account(mut)]
    pub claim: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl ClaimCompensation<'_> {
    fn validate(&self, lease: &Lease) -> Result<()> {
        require_keys_eq!(self.customer.key(), lease.customer, MillraceError::WrongAccount);
        require_keys_eq!(self.provider.key(), lease.provider, MillraceError::WrongAccount);
        Ok(())
    }

    /// Turns the customer's share of the bond into a claim.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let mut lease = accounts.lease.load_mut()?;
            accounts.validate(&lease)?;
            let mut customer = accounts.customer.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            let (amount, returned_amount) = lease.compensate(&mut customer, &mut provider, now)?;
            let matures_at = now.saturating_add(lease.terms.unbonding_secs);
            let to = ClaimTo { kind: Beneficiary::Customer, key: lease.customer, source: accounts.lease.key() };
            let payer = (accounts.provider.as_ref().key, &mut *provider);
            claims::open(&accounts.payer, &accounts.claim, payer, &to, amount, matures_at)?;
            lease.invariant()?;
            customer.invariant()?;
            provider.invariant()?;
            CompensationClaimed {
                sequence: next(&mut lease.sequence),
                lease: accounts.lease.key(),
                claim: accounts.claim.key(),
                amount,
                returned_amount,
                matures_at,
                provider: lease.provider,
                provider_stake: provider.stake,
                provider_lease_bonds: provider.lease_bonds,
                provider_locked: provider.locked,
                provider_claims: provider.claims,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
