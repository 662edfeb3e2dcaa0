//! Sends what strangers left in a vault to the treasury.

use anchor_lang::prelude::*;

use crate::constants::{CUSTOMER_SEED, LOCK_SEED, PROVIDER_SEED};
use crate::create;
use crate::errors::MillraceError;
use crate::events::{emit, next, SurplusSwept};
use crate::state::{Config, Customer, Provider, VoterLock};
use crate::token;

/// Called by: anyone. Moves: what the vault of a customer, provider or lock holds beyond its owner's books, to the
/// treasury. Keeps: I1, I2.
#[event_cpi]
#[derive(Accounts)]
pub struct SweepSurplus<'info> {
    /// The deployment: names the treasury.
    pub config: AccountLoader<'info, Config>,
    /// CHECK: a customer, a provider or a lock: loaded as what it says it is.
    #[account(mut)]
    pub owner: UncheckedAccount<'info>,
    /// CHECK: compared with the address its owner stores.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    #[account(mut)]
    pub treasury: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the vault's mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vault.
    pub token_program: UncheckedAccount<'info>,
}

/// What an owner of a vault says of it.
struct Books {
    seed: &'static [u8],
    key: Pubkey,
    bump: u8,
    vault: Pubkey,
    owed: u64,
    sequence: u64,
}

impl SweepSurplus<'_> {
    fn books(&self) -> Result<Books> {
        if let Ok(mut it) = create::load_as::<Customer>(&self.owner) {
            let sequence = next(&mut it.sequence);
            let (key, bump, vault, owed) = (it.authority, it.bump, it.vault, it.owed());
            return Ok(Books { seed: CUSTOMER_SEED, key, bump, vault, owed, sequence });
        }
        if let Ok(mut it) = create::load_as::<Provider>(&self.owner) {
            let sequence = next(&mut it.sequence);
            let (key, bump, vault, owed) = (it.origin, it.bump, it.vault, it.owed());
            return Ok(Books { seed: PROVIDER_SEED, key, bump, vault, owed, sequence });
        }
        let mut it = create::load_as::<VoterLock>(&self.owner)?;
        let sequence = next(&mut it.sequence);
        Ok(Books { seed: LOCK_SEED, key: it.voter, bump: it.bump, vault: it.vault, owed: it.amount, sequence })
    }

    fn validate(&self, books: &Books) -> Result<()> {
        require_keys_eq!(self.vault.key(), books.vault, MillraceError::WrongAccount);
        require_keys_eq!(self.treasury.key(), self.config.load()?.treasury, MillraceError::WrongAccount);
        Ok(())
    }

    /// Sends the surplus.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let books = accounts.books()?;
        accounts.validate(&books)?;
        let amount = token::balance(&accounts.vault)?.saturating_sub(books.owed);
        require!(amount > 0, MillraceError::NoSurplus);
        token::transfer(
            &accounts.token_program,
            &accounts.vault,
            &accounts.mint,
            &accounts.treasury,
            &accounts.owner,
            &[&[books.seed, books.key.as_ref(), &[books.bump]]],
            amount,
        )?;
        token::require_covers(&accounts.vault, books.owed)?;
        emit(&accounts.event_authority, &SurplusSwept { sequence: books.sequence, owner: accounts.owner.key(), amount })
    }
}
