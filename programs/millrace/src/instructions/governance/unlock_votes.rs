//! Takes tokens out of a lock that is over, and closes it.

use anchor_lang::prelude::*;

use crate::constants::LOCK_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, VotesUnlocked};
use crate::state::{Config, VoterLock};
use crate::token;

/// Called by: the voter, once the lock is over and every proposal voted on has ended. Moves: all that was locked to
/// `destination`, what strangers sent to the vault to the treasury, the rent to who paid it. Keeps: I8.
#[event_cpi]
#[derive(Accounts)]
pub struct UnlockVotes<'info> {
    /// Whose tokens they are.
    pub voter: Signer<'info>,
    /// The deployment: counts all weight, names the treasury.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
    /// The lock, closed here.
    #[account(mut)]
    pub lock: AccountLoader<'info, VoterLock>,
    /// CHECK: compared with the address the lock stores.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: any token account of the mint, the voter's choice; not the vault itself.
    #[account(mut)]
    pub destination: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    #[account(mut)]
    pub treasury: UncheckedAccount<'info>,
    /// CHECK: compared with the address the lock stores.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the vault's mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vault.
    pub token_program: UncheckedAccount<'info>,
}

impl UnlockVotes<'_> {
    fn validate(&self, lock: &VoterLock, config: &Config, now: i64) -> Result<()> {
        require_keys_eq!(self.voter.key(), lock.voter, MillraceError::WrongAuthority);
        require_keys_eq!(self.vault.key(), lock.vault, MillraceError::WrongAccount);
        require_keys_eq!(self.rent_payer.key(), lock.rent_payer, MillraceError::WrongAccount);
        require_keys_eq!(self.treasury.key(), config.treasury, MillraceError::WrongAccount);
        lock.require_free(now)
    }

    /// Books, sends, closes the vault, then the account.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let (bump, sequence, amount, vote_weight_total) = {
            let mut config = accounts.config.load_mut()?;
            let mut lock = accounts.lock.load_mut()?;
            accounts.validate(&lock, &config, now)?;
            config.reweigh(lock.weight, 0)?;
            lock.weight = 0;
            let amount = std::mem::take(&mut lock.amount);
            (lock.bump, next(&mut lock.sequence), amount, config.vote_weight_total)
        };
        let seeds: &[&[&[u8]]] = &[&[LOCK_SEED, accounts.voter.key.as_ref(), &[bump]]];
        let (program, vault, owner) = (&accounts.token_program, &accounts.vault, accounts.lock.as_ref());
        token::transfer(program, vault, &accounts.mint, &accounts.destination, owner, seeds, amount)?;
        let surplus_amount = token::balance(vault)?;
        if surplus_amount > 0 {
            token::transfer(program, vault, &accounts.mint, &accounts.treasury, owner, seeds, surplus_amount)?;
        }
        token::close(program, vault, &accounts.rent_payer, owner, seeds)?;
        emit(
            &accounts.event_authority,
            &VotesUnlocked { sequence, lock: accounts.lock.key(), amount, surplus_amount, vote_weight_total },
        )?;
        accounts.lock.close(accounts.rent_payer.to_account_info())
    }
}
