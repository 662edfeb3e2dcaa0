//! Opens a customer account and its vault.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, CustomerOpened};
use crate::state::{space, Config, Customer};

/// Called by: the authority, who pays the rent. Moves: nothing.
#[event_cpi]
#[derive(Accounts)]
pub struct OpenCustomer<'info> {
    /// Owns the money; pays the rent.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The new account; its seeds prove one customer per authority.
    #[account(init, payer = authority, space = space::<Customer>(), seeds = [CUSTOMER_SEED, authority.key().as_ref()], bump)]
    pub customer: AccountLoader<'info, Customer>,
    /// Its vault.
    #[account(init, payer = authority, seeds = [VAULT_SEED, customer.key().as_ref()], bump, token::mint = mint, token::authority = customer, token::token_program = token_program)]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    /// The MILL mint.
    #[account(address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// Token program of the mint.
    pub token_program: Interface<'info, TokenInterface>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

impl OpenCustomer<'_> {
    /// Writes the account.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let sequence = {
            let mut customer = accounts.customer.load_init()?;
            customer.version = ACCOUNT_VERSION;
            customer.bump = ctx.bumps.customer;
            customer.authority = accounts.authority.key();
            customer.vault = accounts.vault.key();
            customer.rent_payer = accounts.authority.key();
            customer.invariant()?;
            next(&mut customer.sequence)
        };
        emit(
            &accounts.event_authority,
            &CustomerOpened {
                sequence,
                customer: accounts.customer.key(),
                authority: accounts.authority.key(),
                vault: accounts.vault.key(),
            },
        )
    }
}
