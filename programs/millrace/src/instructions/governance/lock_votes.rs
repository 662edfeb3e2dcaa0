//! Locks tokens for a say.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, VotesLocked};
use crate::state::{space, Config, VoterLock};
use crate::token;

/// Called by: the voter, who pays the rent. Moves: `amount` from `source` to the lock's new vault. Keeps: I8.
#[event_cpi]
#[derive(Accounts)]
pub struct LockVotes<'info> {
    /// Whose tokens they are; pays the rent.
    #[account(mut)]
    pub voter: Signer<'info>,
    /// The deployment: counts all weight.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
    /// The new lock; its seeds prove one lock per voter.
    #[account(init, payer = voter, space = space::<VoterLock>(), seeds = [LOCK_SEED, voter.key().as_ref()], bump)]
    pub lock: AccountLoader<'info, VoterLock>,
    /// Its vault.
    #[account(init, payer = voter, seeds = [VAULT_SEED, lock.key().as_ref()], bump, token::mint = mint, token::authority = lock, token::token_program = token_program)]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    /// CHECK: the token program checks that the voter may spend from it and that it is of the vault's mint.
    #[account(mut)]
    pub source: UncheckedAccount<'info>,
    /// The MILL mint.
    #[account(address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// Token program of the mint.
    pub token_program: Interface<'info, TokenInterface>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

impl LockVotes<'_> {
    /// Receives, then books what arrived.
    pub fn handle(ctx: Context<Self>, amount: u64, lock_secs: i64) -> Result<()> {
        let accounts = &ctx.accounts;
        let (voter, lock_key, now) = (accounts.voter.key(), accounts.lock.key(), Clock::get()?.unix_timestamp);
        let vault = accounts.vault.to_account_info();
        let (program, mint) = (accounts.token_program.to_account_info(), accounts.mint.to_account_info());
        token::transfer(&program, &accounts.source, &mint, &vault, &accounts.voter, &[], amount)?;
        let event = {
            let mut config = accounts.config.load_mut()?;
            let mut lock = accounts.lock.load_init()?;
            lock.version = ACCOUNT_VERSION;
            lock.bump = ctx.bumps.lock;
            lock.voter = voter;
            lock.vault = *vault.key;
            lock.rent_payer = voter;
            lock.add(amount, lock_secs, &config.params, now)?;
            config.reweigh(0, lock.weight)?;
            token::require_covers(&vault, lock.amount)?;
            VotesLocked::of(next(&mut lock.sequence), lock_key, amount, &lock, config.vote_weight_total)
        };
        emit(&accounts.event_authority, &event)
    }
}
