//! Puts money into a customer's escrow.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, Deposited};
use crate::state::Customer;
use crate::token;

/// Called by: whoever owns `source`; usually the customer's authority. Moves: `amount` from `source` to the vault, and
/// credits what arrived. Keeps: I1, I4.
#[event_cpi]
#[derive(Accounts)]
pub struct Deposit<'info> {
    /// Owns `source`.
    pub depositor: Signer<'info>,
    /// The customer who is credited.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// CHECK: compared with the address the customer stores.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the token program takes from it by the depositor's signature.
    #[account(mut)]
    pub source: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the vault's mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vault.
    pub token_program: UncheckedAccount<'info>,
}

impl Deposit<'_> {
    fn validate(&self, amount: u64) -> Result<()> {
        require!(amount > 0, MillraceError::ZeroAmount);
        require_keys_eq!(self.vault.key(), self.customer.load()?.vault, MillraceError::WrongAccount);
        Ok(())
    }

    /// Sends, then credits the difference the vault shows.
    pub fn handle(ctx: Context<Self>, amount: u64) -> Result<()> {
        let accounts = &ctx.accounts;
        accounts.validate(amount)?;
        let before = token::balance(&accounts.vault)?;
        token::transfer(
            &accounts.token_program,
            &accounts.source,
            &accounts.mint,
            &accounts.vault,
            &accounts.depositor,
            &[],
            amount,
        )?;
        let arrived = token::balance(&accounts.vault)?.checked_sub(before).ok_or(MillraceError::InvariantBroken)?;
        require!(arrived > 0, MillraceError::ZeroAmount);
        let (sequence, free) = {
            let mut customer = accounts.customer.load_mut()?;
            customer.deposit(arrived)?;
            customer.invariant()?;
            token::require_covers(&accounts.vault, customer.owed())?;
            (next(&mut customer.sequence), customer.free)
        };
        emit(
            &accounts.event_authority,
            &Deposited { sequence, customer: accounts.customer.key(), amount: arrived, free },
        )
    }
}
