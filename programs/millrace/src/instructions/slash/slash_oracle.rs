//! Takes the stake of an oracle that passed a computation with a wrong number it had to check.

use anchor_lang::prelude::*;
use millrace_core::leaves::{node_tree_node, NodeLeaf, Verdict, NODE_LEAF_LEN};
use millrace_core::proof::{query, Query, QUERIES};

use super::payout::Payout;
use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, OracleSlashed};
use crate::state::{Beacons, Config, FraudCase, Oracle, Reports};
use crate::token;

/// The leaf the oracle signed, and which of its queries a proven entry answers.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SlashOracleArgs {
    /// Epoch of the report.
    pub epoch: u64,
    /// Place of the leaf, from zero.
    pub index: u32,
    /// The leaf as [`NodeLeaf`] encodes it.
    pub leaf: [u8; NODE_LEAF_LEN],
    /// The sibling tree nodes from the bottom up, 24 bytes each.
    pub path: Vec<u8>,
    /// Number of the query, below 512.
    pub query: u16,
    /// Number of the case's proven entry, below three.
    pub entry: u8,
}

/// Called by: anyone, while the report is in the ring, for each of its signers; what a signer stakes again meanwhile is
/// taken too. Moves: all of the oracle's stake, at work and on its way out, from its vault: the bounty to the case's
/// bounty account and the rest by a burn. An oracle checks every entry the queries name and no other, so one proven wrong
/// among them was not checked. Keeps: I6, I7.
#[event_cpi]
#[derive(Accounts)]
pub struct SlashOracle<'info> {
    /// The deployment; counts the burn.
    #[account(mut, seeds = [CONFIG_SEED], bump = config.load()?.bump)]
    pub config: AccountLoader<'info, Config>,
    /// The beacons. There is only one such account.
    pub beacons: AccountLoader<'info, Beacons>,
    /// The reports. There is only one such account.
    pub reports: AccountLoader<'info, Reports>,
    /// The case with the wrong entry.
    pub case: AccountLoader<'info, FraudCase>,
    /// The oracle.
    #[account(mut)]
    pub oracle: AccountLoader<'info, Oracle>,
    /// CHECK: the oracle's vault, by its stored key.
    #[account(mut, address = oracle.load()?.vault @ MillraceError::WrongAccount)]
    pub oracle_vault: UncheckedAccount<'info>,
    /// CHECK: fixed in the case; whether it can receive is asked before anything is sent.
    #[account(mut, address = case.load()?.bounty_account @ MillraceError::WrongAccount)]
    pub bounty_account: UncheckedAccount<'info>,
    /// CHECK: the MILL mint.
    #[account(mut, address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: UncheckedAccount<'info>,
    /// CHECK: token program of the mint.
    #[account(address = config.load()?.token_program @ MillraceError::WrongTokenProgram)]
    pub token_program: UncheckedAccount<'info>,
}

impl SlashOracle<'_> {
    fn validate(&self, args: &SlashOracleArgs) -> Result<()> {
        let leaf = NodeLeaf::from_bytes(&args.leaf).map_err(|_| MillraceError::NotALeaf)?;
        let signers = {
            let reports = self.reports.load()?;
            reports.prove(args.epoch, args.index, node_tree_node(&args.leaf), &args.path)?.signers
        };
        require!(leaf.verdict == Verdict::Passed, MillraceError::NoOffence);
        let case = self.case.load()?;
        let commit = case.commit()?;
        let is_of_commit =
            leaf.node == commit.node && leaf.audit_epoch == commit.epoch && leaf.super_root == commit.super_root;
        require!(is_of_commit, MillraceError::LeafOfAnother);
        let proven = case.entries[..usize::from(case.entry_count)].get(usize::from(args.entry));
        let proven = proven.ok_or(MillraceError::NotAQuery)?;
        require!(usize::from(args.query) < QUERIES, MillraceError::NotAQuery);
        let next_epoch = commit.epoch.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        let next_beacon = self.beacons.load()?.latched(next_epoch).ok_or(MillraceError::WrongBeacon)?.hash;
        let asked = query(&commit.super_root, &next_beacon, u32::from(args.query), commit.n, commit.rounds);
        let is_asked = asked == Query { round: proven.round, row: proven.row, col: proven.col };
        require!(is_asked, MillraceError::NotAQuery);
        self.oracle.load()?.require_signer(signers, args.epoch)
    }

    /// Takes, pays and burns.
    pub fn handle(ctx: Context<Self>, args: SlashOracleArgs) -> Result<()> {
        ctx.accounts.validate(&args)?;
        let accounts = &ctx.accounts;
        let (taken_amount, authority, bump) = {
            let mut oracle = accounts.oracle.load_mut()?;
            (oracle.slash_all()?, oracle.authority, [oracle.bump])
        };
        let payout = Payout {
            vault: &accounts.oracle_vault,
            owner: accounts.oracle.as_ref(),
            bounty_account: &accounts.bounty_account,
            mint: &accounts.mint,
            token_program: &accounts.token_program,
        };
        let split = payout.send(&accounts.config, taken_amount, &[&[ORACLE_SEED, authority.as_ref(), &bump]])?;
        let event = {
            let mut oracle = accounts.oracle.load_mut()?;
            let owed = oracle.stake.saturating_add(oracle.unbonding_amount);
            token::require_covers(&accounts.oracle_vault, owed)?;
            OracleSlashed {
                sequence: next(&mut oracle.sequence),
                oracle: accounts.oracle.key(),
                case: accounts.case.key(),
                taken_amount,
                bounty_amount: split.bounty_amount,
                burn_amount: split.burn_amount,
                stake: oracle.stake,
                unbonding_amount: oracle.unbonding_amount,
                slashed_total: oracle.slashed_total,
                burned_total: accounts.config.load()?.burned_total,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
