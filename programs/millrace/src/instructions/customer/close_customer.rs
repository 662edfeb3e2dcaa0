//! Closes a customer account and its vault.

use anchor_lang::prelude::*;

use crate::constants::CUSTOMER_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, CustomerClosed};
use crate::state::{Config, Customer};
use crate::token;

/// Called by: the authority, once nothing is left in the books. Moves: what strangers sent to the vault goes to the
/// treasury, the rent of both accounts to who paid it. Only its owner may close it, since an empty customer may
/// well deposit again.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseCustomer<'info> {
    /// Owns the account.
    pub authority: Signer<'info>,
    /// The deployment: names the treasury.
    pub config: AccountLoader<'info, Config>,
    /// The account to close.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// CHECK: compared with the address the customer stores.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    #[account(mut)]
    pub treasury: UncheckedAccount<'info>,
    /// CHECK: compared with the address the customer stores.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the vault's mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vault.
    pub token_program: UncheckedAccount<'info>,
}

impl CloseCustomer<'_> {
    fn validate(&self, customer: &Customer) -> Result<()> {
        require_keys_eq!(self.authority.key(), customer.authority, MillraceError::WrongAuthority);
        require_keys_eq!(self.vault.key(), customer.vault, MillraceError::WrongAccount);
        require_keys_eq!(self.treasury.key(), self.config.load()?.treasury, MillraceError::WrongAccount);
        require_keys_eq!(self.rent_payer.key(), customer.rent_payer, MillraceError::WrongAccount);
        customer.require_empty()
    }

    /// Sweeps the surplus, closes the vault, then the account.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let (bump, sequence) = {
            let mut customer = accounts.customer.load_mut()?;
            accounts.validate(&customer)?;
            customer.invariant()?;
            (customer.bump, next(&mut customer.sequence))
        };
        let seeds: &[&[&[u8]]] = &[&[CUSTOMER_SEED, accounts.authority.key.as_ref(), &[bump]]];
        let (program, vault, owner) = (&accounts.token_program, &accounts.vault, accounts.customer.as_ref());
        let surplus_amount = token::balance(vault)?;
        if surplus_amount > 0 {
            token::transfer(program, vault, &accounts.mint, &accounts.treasury, owner, seeds, surplus_amount)?;
        }
        token::close(program, vault, &accounts.rent_payer, owner, seeds)?;
        emit(
            &accounts.event_authority,
            &CustomerClosed { sequence, customer: accounts.customer.key(), surplus_amount },
        )?;
        accounts.customer.close(accounts.rent_payer.to_account_info())
    }
}
