//! Adds to a lock: all of it is locked anew.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, VotesLocked};
use crate::state::{Config, VoterLock};
use crate::token;

/// Called by: the voter. Moves: `amount` from `source` to the lock's vault. The whole lock is as young as this call, so
/// that it votes on no proposal made before. Keeps: I8.
#[event_cpi]
#[derive(Accounts)]
pub struct ExtendLock<'info> {
    /// Whose tokens they are.
    pub voter: Signer<'info>,
    /// The deployment: counts all weight.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
    /// The lock.
    #[account(mut)]
    pub lock: AccountLoader<'info, VoterLock>,
    /// CHECK: compared with the address the lock stores.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the token program checks that the voter may spend from it and that it is of the vault's mint.
    #[account(mut)]
    pub source: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the vault's mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vault.
    pub token_program: UncheckedAccount<'info>,
}

impl ExtendLock<'_> {
    fn validate(&self) -> Result<()> {
        let lock = self.lock.load()?;
        require_keys_eq!(self.voter.key(), lock.voter, MillraceError::WrongAuthority);
        require_keys_eq!(self.vault.key(), lock.vault, MillraceError::WrongAccount);
        Ok(())
    }

    /// Receives, then books what arrived.
    pub fn handle(ctx: Context<Self>, amount: u64, lock_secs: i64) -> Result<()> {
        let accounts = &ctx.accounts;
        accounts.validate()?;
        let (lock_key, now) = (accounts.lock.key(), Clock::get()?.unix_timestamp);
        let (program, vault) = (&accounts.token_program, &accounts.vault);
        token::transfer(program, &accounts.source, &accounts.mint, vault, &accounts.voter, &[], amount)?;
        let event = {
            let mut config = accounts.config.load_mut()?;
            let mut lock = accounts.lock.load_mut()?;
            let old_weight = lock.weight;
            lock.add(amount, lock_secs, &config.params, now)?;
            config.reweigh(old_weight, lock.weight)?;
            token::require_covers(vault, lock.amount)?;
            VotesLocked::of(next(&mut lock.sequence), lock_key, amount, &lock, config.vote_weight_total)
        };
        emit(&accounts.event_authority, &event)
    }
}
