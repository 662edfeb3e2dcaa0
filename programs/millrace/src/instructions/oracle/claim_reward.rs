//! Pays an oracle its share of the pool.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, RewardClaimed};
use crate::state::{Config, Oracle, OracleSet};
use crate::token;

/// Called by: anyone, in the period after the one that is paid; whoever was removed meanwhile is paid too. Moves: what the
/// pool held when the period closed, times the oracle's part of all points, rounded down, from the pool to a token account
/// of the oracle's authority. What nobody claims in time stays in the pool for later periods.
#[event_cpi]
#[derive(Accounts)]
pub struct ClaimReward<'info> {
    /// The deployment: tells the period and names the pool. There is only one.
    pub config: AccountLoader<'info, Config>,
    /// The seats and what they earned together. There is only one such account.
    #[account(mut)]
    pub oracles: AccountLoader<'info, OracleSet>,
    /// The oracle that is paid.
    #[account(mut)]
    pub oracle: AccountLoader<'info, Oracle>,
    /// CHECK: owns the pool and signs for it; it holds no data.
    #[account(seeds = [GOVERNANCE_SEED], bump)]
    pub governance: UncheckedAccount<'info>,
    /// The oracles' pool.
    #[account(mut, address = config.load()?.oracle_pool @ MillraceError::WrongAccount)]
    pub oracle_pool: Box<InterfaceAccount<'info, TokenAccount>>,
    /// A token account of the oracle's authority.
    #[account(
        mut,
        constraint = destination.mint == mint.key() @ MillraceError::WrongMint,
        constraint = destination.owner == oracle.load()?.authority @ MillraceError::WrongAccount,
    )]
    pub destination: Box<InterfaceAccount<'info, TokenAccount>>,
    /// The MILL mint.
    #[account(address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// Token program of the mint.
    pub token_program: Interface<'info, TokenInterface>,
}

impl ClaimReward<'_> {
    /// Books the share and sends it.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let config = accounts.config.load()?;
            let mut oracles = accounts.oracles.load_mut()?;
            let mut oracle = accounts.oracle.load_mut()?;
            oracles.roll(config.epoch_at(now)?, config.params.reward_period_epochs, accounts.oracle_pool.amount);
            let claimed = oracles.claim(&mut oracle)?;
            RewardClaimed {
                sequence: next(&mut oracle.sequence),
                oracle: accounts.oracle.key(),
                period: oracles.closed_period,
                points: claimed.points,
                all_points: oracles.closed_points,
                amount: claimed.amount,
                closed_pot_amount: oracles.closed_pot_amount,
                closed_claimed_amount: oracles.closed_claimed_amount,
                oracle_rewarded_total: oracle.rewarded_total,
                rewarded_total: oracles.rewarded_total,
            }
        };
        token::transfer(
            &accounts.token_program.to_account_info(),
            &accounts.oracle_pool.to_account_info(),
            &accounts.mint.to_account_info(),
            &accounts.destination.to_account_info(),
            &accounts.governance.to_account_info(),
            &[&[GOVERNANCE_SEED, &[ctx.bumps.governance]]],
            event.amount,
        )?;
        emit(&accounts.event_authority, &event)
    }
}
