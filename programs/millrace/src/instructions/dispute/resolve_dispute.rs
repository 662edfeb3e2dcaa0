//! Carries out the ruling on a dispute.

use anchor_lang::prelude::*;

use crate::claims::{self, ClaimTo};
use crate::constants::CUSTOMER_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, DisputeResolved};
use crate::state::{Beneficiary, Customer, Dispute, Lease, Provider};
use crate::token;

/// Called by: anyone, once the time to appeal is over; the caller pays the rent of a claim, if there is one. Moves, when
/// upheld: the holdback to the customer's free money, the lease's bond to a claim of the customer, the dispute's bond
/// back. When dismissed: the dispute's bond from the customer's to the provider's vault, as earnings. When lapsed: the
/// dispute's bond back. The lease then closes as any other. Keeps: I1, I2, I3, I4, I9.
#[event_cpi]
#[derive(Accounts)]
pub struct ResolveDispute<'info> {
    /// Anyone; pays the rent of the claim.
    #[account(mut)]
    pub caller: Signer<'info>,
    /// The dispute. All links below are compared with what it or its lease stores.
    #[account(mut)]
    pub dispute: AccountLoader<'info, Dispute>,
    /// The lease.
    #[account(mut)]
    pub lease: AccountLoader<'info, Lease>,
    /// The customer who called the result wrong.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// CHECK: compared with the address the lease stores.
    #[account(mut)]
    pub customer_vault: UncheckedAccount<'info>,
    /// The provider of the result.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// CHECK: compared with the address the lease stores.
    #[account(mut)]
    pub provider_vault: UncheckedAccount<'info>,
    /// CHECK: the provider's next claim; its address is derived when one is opened, and it is left alone otherwise.
    #[account(mut)]
    pub claim: UncheckedAccount<'info>,
    /// CHECK: compared with the address the dispute stores.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the vaults' mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vaults.
    pub token_program: UncheckedAccount<'info>,
    /// Creates the claim.
    pub system_program: Program<'info, System>,
}

impl ResolveDispute<'_> {
    fn validate(&self, dispute: &Dispute, lease: &Lease) -> Result<()> {
        require_keys_eq!(self.lease.key(), dispute.lease, MillraceError::WrongAccount);
        require_keys_eq!(self.customer.key(), dispute.customer, MillraceError::WrongAccount);
        require_keys_eq!(self.provider.key(), dispute.provider, MillraceError::WrongAccount);
        require_keys_eq!(self.customer_vault.key(), lease.customer_vault, MillraceError::WrongAccount);
        require_keys_eq!(self.provider_vault.key(), lease.provider_vault, MillraceError::WrongAccount);
        require_keys_eq!(self.rent_payer.key(), dispute.rent_payer, MillraceError::WrongAccount);
        Ok(())
    }

    /// Books, opens the claim or moves the bond, and closes the dispute.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let (event, owed, authority, bump) = {
            let mut dispute = accounts.dispute.load_mut()?;
            let mut lease = accounts.lease.load_mut()?;
            let mut customer = accounts.customer.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            accounts.validate(&dispute, &lease)?;
            let settlement = dispute.settle(now, (&mut lease, &mut customer, &mut provider))?;
            if settlement.claim_amount > 0 {
                customer.claims_due = customer.claims_due.checked_add(1).ok_or(MillraceError::MathOverflow)?;
                let matures_at = now.saturating_add(lease.terms.unbonding_secs);
                let to = ClaimTo { kind: Beneficiary::Customer, key: dispute.customer, source: dispute.lease };
                let payer = accounts.caller.to_account_info();
                let provider = (&dispute.provider, &mut *provider);
                claims::open(&payer, &accounts.claim, provider, &to, settlement.claim_amount, matures_at)?;
            }
            lease.invariant()?;
            customer.invariant()?;
            provider.invariant()?;
            let event = DisputeResolved {
                sequence: next(&mut dispute.sequence),
                dispute: accounts.dispute.key(),
                lease: dispute.lease,
                ruling: dispute.ruling,
                bond: dispute.bond,
                forfeited_amount: settlement.forfeited_amount,
                holdback_amount: settlement.holdback_amount,
                claim: if settlement.claim_amount > 0 { accounts.claim.key() } else { Pubkey::default() },
                claim_amount: settlement.claim_amount,
                lease_holdback_amount: lease.holdback_amount,
                lease_bond_left: lease.bond_left,
                customer_free: customer.free,
                customer_reserved: customer.reserved,
                customer_holdbacks: customer.holdbacks,
                customer_paid: customer.paid,
                provider_earned: provider.earned,
                provider_stake: provider.stake,
                provider_locked: provider.locked,
                provider_lease_bonds: provider.lease_bonds,
                provider_claims: provider.claims,
            };
            (event, (customer.owed(), provider.owed()), customer.authority, customer.bump)
        };
        if event.forfeited_amount > 0 {
            token::transfer(
                &accounts.token_program,
                &accounts.customer_vault,
                &accounts.mint,
                &accounts.provider_vault,
                accounts.customer.as_ref(),
                &[&[CUSTOMER_SEED, authority.as_ref(), &[bump]]],
                event.forfeited_amount,
            )?;
        }
        token::require_covers(&accounts.customer_vault, owed.0)?;
        token::require_covers(&accounts.provider_vault, owed.1)?;
        emit(&accounts.event_authority, &event)?;
        accounts.dispute.close(accounts.rent_payer.to_account_info())
    }
}
