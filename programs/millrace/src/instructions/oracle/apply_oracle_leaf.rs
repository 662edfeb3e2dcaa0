//! Counts what an oracle opened: what it is paid by.

use anchor_lang::prelude::*;
use millrace_core::leaves::{oracle_tree_node, OracleLeaf, ORACLE_LEAF_LEN};

use crate::errors::MillraceError;
use crate::events::{emit, next, OracleLeafApplied};
use crate::state::{Config, Oracle, OracleSet, Reports};
use crate::token;

/// A leaf of an accepted report.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct ApplyOracleLeafArgs {
    /// Epoch of the report.
    pub epoch: u64,
    /// Place of the leaf, from zero.
    pub index: u32,
    /// The leaf as [`OracleLeaf`] encodes it.
    pub leaf: [u8; ORACLE_LEAF_LEN],
    /// The sibling tree nodes from the bottom up, 24 bytes each.
    pub path: Vec<u8>,
}

/// Called by: anyone; oracles apply their own, rivals one that is being saved up. Moves: nothing; points go to the reward
/// period under way, and the first call in a period closes the one before with what the pool holds.
///
/// The report is of the period under way or of the epoch right before it, which is signed within it: what was opened long
/// ago is not counted now.
#[event_cpi]
#[derive(Accounts)]
pub struct ApplyOracleLeaf<'info> {
    /// The deployment: tells the period and names the pool. There is only one.
    pub config: AccountLoader<'info, Config>,
    /// The seats and what they earned together. There is only one such account.
    #[account(mut)]
    pub oracles: AccountLoader<'info, OracleSet>,
    /// The reports. There is only one such account.
    pub reports: AccountLoader<'info, Reports>,
    /// The oracle the leaf is of, removed or not.
    #[account(mut)]
    pub oracle: AccountLoader<'info, Oracle>,
    /// CHECK: the oracles' pool, by the address the config stores; only its balance is read.
    #[account(address = config.load()?.oracle_pool @ MillraceError::WrongAccount)]
    pub oracle_pool: UncheckedAccount<'info>,
}

impl ApplyOracleLeaf<'_> {
    fn validate(&self, args: &ApplyOracleLeafArgs) -> Result<OracleLeaf> {
        let leaf = OracleLeaf::from_bytes(&args.leaf).map_err(|_| MillraceError::NotALeaf)?;
        require!(leaf.oracle == self.oracle.key().to_bytes(), MillraceError::LeafOfAnother);
        // An address may have been an oracle's before: nothing reported then is of this one.
        require!(args.epoch >= self.oracle.load()?.seated_epoch, MillraceError::StaleLeaf);
        let accepted_at =
            self.reports.load()?.prove(args.epoch, args.index, oracle_tree_node(&args.leaf), &args.path)?.accepted_at;
        require!(leaf.at <= accepted_at, MillraceError::LeafTooNew);
        Ok(leaf)
    }

    /// Proves the leaf, then counts it.
    pub fn handle(ctx: Context<Self>, args: ApplyOracleLeafArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let leaf = accounts.validate(&args)?;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let config = accounts.config.load()?;
            let period_epochs = config.params.reward_period_epochs;
            let mut oracles = accounts.oracles.load_mut()?;
            let mut oracle = accounts.oracle.load_mut()?;
            oracles.roll(config.epoch_at(now)?, period_epochs, token::balance(&accounts.oracle_pool)?);
            require!(args.epoch.saturating_add(1) >= oracles.reward_period, MillraceError::WrongEpoch);
            let added_points = oracles.count(&mut oracle, leaf.opened, leaf.at, period_epochs)?;
            OracleLeafApplied {
                sequence: next(&mut oracle.sequence),
                oracle: accounts.oracle.key(),
                epoch: args.epoch,
                opened: oracle.opened,
                added_points,
                reward_period: oracle.reward_period,
                points: oracle.points,
                period_points: oracles.period_points,
                closed_points: oracle.closed_points,
                all_closed_points: oracles.closed_points,
                closed_pot_amount: oracles.closed_pot_amount,
                closed_claimed_amount: oracles.closed_claimed_amount,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
