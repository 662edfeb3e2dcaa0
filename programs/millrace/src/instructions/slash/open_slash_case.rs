//! Charges a node with what the oracles found of it, and freezes the penalty.

use anchor_lang::prelude::*;
use millrace_core::hash::sha256;
use millrace_core::leaves::NODE_LEAF_LEN;

use super::nodes::OtherNodes;
use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, SlashCaseOpened};
use crate::instructions::oracle::apply_audit::{proven_leaf, ApplyAuditArgs};
use crate::state::{space, Config, Node, Provider, Reach, Reports, SlashCase};

/// A leaf of an accepted report, and who is paid for it.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct OpenSlashCaseArgs {
    /// Epoch of the report.
    pub epoch: u64,
    /// Place of the leaf, from zero.
    pub index: u32,
    /// The leaf as `millrace_core::leaves::NodeLeaf` encodes it.
    pub leaf: [u8; NODE_LEAF_LEN],
    /// The sibling tree nodes from the bottom up, 24 bytes each.
    pub path: Vec<u8>,
    /// Token account for the bounty, usually the prover's own; where it cannot be paid, the bounty burns.
    pub bounty_account: Pubkey,
}

/// Called by: anyone, once for an audit, while its report is in the ring. Behind these accounts come other nodes of the
/// provider, in the order of their numbers: what they lock is frozen as far as nothing else covers the penalty.
/// Moves: nothing; stake becomes frozen, and is executed when the time to appeal is over. Keeps: I3, I7.
#[event_cpi]
#[derive(Accounts)]
pub struct OpenSlashCase<'info> {
    /// Pays the rent.
    #[account(mut)]
    pub prover: Signer<'info>,
    /// The deployment. There is only one.
    pub config: AccountLoader<'info, Config>,
    /// The reports. There is only one such account.
    pub reports: AccountLoader<'info, Reports>,
    /// Provider of the node.
    #[account(mut, address = node.load()?.provider @ MillraceError::WrongAccount)]
    pub provider: AccountLoader<'info, Provider>,
    /// The node the leaf is of.
    #[account(mut)]
    pub node: AccountLoader<'info, Node>,
    /// The new account, at the provider's next number.
    #[account(
        init, payer = prover, space = space::<SlashCase>(),
        seeds = [SLASH_SEED, provider.key().as_ref(), &provider.load()?.next_slash_case.to_le_bytes()], bump,
    )]
    pub case: AccountLoader<'info, SlashCase>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl OpenSlashCase<'_> {
    /// Freezes the penalty and writes the account.
    pub fn handle(ctx: Context<Self>, args: OpenSlashCaseArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let OpenSlashCaseArgs { epoch, index, leaf, path, bounty_account } = args;
        let finding =
            proven_leaf(&accounts.reports, accounts.node.as_ref().key, &ApplyAuditArgs { epoch, index, leaf, path })?;
        let params = accounts.config.load()?.params;
        let others =
            OtherNodes::new(ctx.remaining_accounts, accounts.provider.as_ref().key, accounts.node.as_ref().key)?;
        let (event, before) = {
            let nodes = others.load_mut()?;
            let before = OtherNodes::held(&nodes);
            let (mut case, mut provider) = (accounts.case.load_init()?, accounts.provider.load_mut()?);
            let mut reach = Reach { provider: &mut provider, node: Some(accounts.node.load_mut()?), others: nodes };
            case.open(&finding, &mut reach, &params, now)?;
            case.version = ACCOUNT_VERSION;
            case.bump = ctx.bumps.case;
            case.provider = accounts.provider.key();
            case.node = accounts.node.key();
            case.prover = accounts.prover.key();
            case.bounty_account = bounty_account;
            case.evidence_hash = sha256(&[&leaf]);
            case.rent_payer = accounts.prover.key();
            let (provider, node) = (reach.provider, reach.node.ok_or(MillraceError::InvariantBroken)?);
            let event = SlashCaseOpened {
                sequence: next(&mut case.sequence),
                case: accounts.case.key(),
                number: case.number,
                provider: case.provider,
                node: case.node,
                offence: case.offence,
                prover: case.prover,
                audit_epoch: case.audit_epoch,
                evidence_hash: case.evidence_hash,
                frozen_amount: case.frozen_amount,
                appeal_until: case.appeal_until,
                node_state: node.state,
                node_locked_stake: node.locked_stake,
                node_bid_bond: node.bid_bond,
                provider_stake: provider.stake,
                provider_locked: provider.locked,
                provider_bonds: provider.bonds,
                provider_unbonding: provider.unbonding_amount(),
                provider_claims: provider.claims,
                provider_frozen: provider.frozen,
            };
            (event, before)
        };
        emit(&accounts.event_authority, &event)?;
        others.changes(&before)?.iter().try_for_each(|event| emit(&accounts.event_authority, event))
    }
}
