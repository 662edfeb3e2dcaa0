//! Takes free money out of a customer's escrow.

use anchor_lang::prelude::*;

use crate::constants::CUSTOMER_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, CustomerWithdrawn};
use crate::state::Customer;
use crate::token;

/// Called by: the authority. Moves: `amount` of the free money from the vault to `destination`. Keeps: I1, I4.
#[event_cpi]
#[derive(Accounts)]
pub struct WithdrawCustomer<'info> {
    /// Owns the money.
    pub authority: Signer<'info>,
    /// The customer.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// CHECK: compared with the address the customer stores.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: any token account of the mint, the authority's choice; not the vault itself.
    #[account(mut)]
    pub destination: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the vault's mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vault.
    pub token_program: UncheckedAccount<'info>,
}

impl WithdrawCustomer<'_> {
    fn validate(&self, amount: u64) -> Result<()> {
        require!(amount > 0, MillraceError::ZeroAmount);
        let customer = self.customer.load()?;
        require_keys_eq!(self.authority.key(), customer.authority, MillraceError::WrongAuthority);
        require_keys_eq!(self.vault.key(), customer.vault, MillraceError::WrongAccount);
        Ok(())
    }

    /// Books, then sends.
    pub fn handle(ctx: Context<Self>, amount: u64) -> Result<()> {
        let accounts = &ctx.accounts;
        accounts.validate(amount)?;
        let (bump, sequence, free, owed) = {
            let mut customer = accounts.customer.load_mut()?;
            customer.withdraw(amount)?;
            customer.invariant()?;
            (customer.bump, next(&mut customer.sequence), customer.free, customer.owed())
        };
        token::transfer(
            &accounts.token_program,
            &accounts.vault,
            &accounts.mint,
            &accounts.destination,
            accounts.customer.as_ref(),
            &[&[CUSTOMER_SEED, accounts.authority.key.as_ref(), &[bump]]],
            amount,
        )?;
        token::require_covers(&accounts.vault, owed)?;
        emit(
            &accounts.event_authority,
            &CustomerWithdrawn { sequence, customer: accounts.customer.key(), amount, free },
        )
    }
}
