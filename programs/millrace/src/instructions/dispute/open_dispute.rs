//! Calls the result of a lease wrong.

use anchor_lang::prelude::*;

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, DisputeOpened};
use crate::state::{space, Config, Customer, Dispute, Lease};

/// Called by: the customer's authority, who pays the rent, once a lease, between its end and the end of its dispute
/// window, while something is held back or a bond stands. Moves: the dispute's bond from the customer's free to its
/// reserved money. The lease does not close before the dispute does. Keeps: I1, I4.
#[event_cpi]
#[derive(Accounts)]
pub struct OpenDispute<'info> {
    /// Owns the customer; pays the rent.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The deployment: tells bond and deadlines. There is only one.
    pub config: AccountLoader<'info, Config>,
    /// The lease.
    #[account(mut)]
    pub lease: AccountLoader<'info, Lease>,
    /// The customer who pays it.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority)]
    pub customer: AccountLoader<'info, Customer>,
    /// The new account; its seeds prove one dispute at a time for a lease.
    #[account(init, payer = authority, space = space::<Dispute>(), seeds = [DISPUTE_SEED, lease.key().as_ref()], bump)]
    pub dispute: AccountLoader<'info, Dispute>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl OpenDispute<'_> {
    fn validate(&self, lease: &Lease) -> Result<()> {
        require_keys_eq!(self.customer.key(), lease.customer, MillraceError::WrongAccount);
        Ok(())
    }

    /// Sets the bond aside and fixes the deadlines.
    pub fn handle(ctx: Context<Self>, evidence_hash: [u8; 32]) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let config = accounts.config.load()?;
            let mut lease = accounts.lease.load_mut()?;
            let mut customer = accounts.customer.load_mut()?;
            accounts.validate(&lease)?;
            let mut dispute = accounts.dispute.load_init()?;
            dispute.version = ACCOUNT_VERSION;
            dispute.bump = ctx.bumps.dispute;
            dispute.lease = accounts.lease.key();
            dispute.customer = lease.customer;
            dispute.provider = lease.provider;
            dispute.evidence_hash = evidence_hash;
            dispute.rent_payer = accounts.authority.key();
            dispute.open(&mut lease, &mut customer, &config.params, now)?;
            lease.invariant()?;
            customer.invariant()?;
            DisputeOpened {
                sequence: next(&mut dispute.sequence),
                dispute: accounts.dispute.key(),
                lease: dispute.lease,
                customer: dispute.customer,
                provider: dispute.provider,
                evidence_hash,
                bond: dispute.bond,
                vote_until: dispute.vote_until,
                customer_free: customer.free,
                customer_reserved: customer.reserved,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
