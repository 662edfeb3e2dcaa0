//! Applies what the oracles measured of a node.

use anchor_lang::prelude::*;
use millrace_core::leaves::{node_tree_node, NodeLeaf, NODE_LEAF_LEN};

use crate::errors::MillraceError;
use crate::events::{emit, next, AuditApplied};
use crate::state::{Config, Node, Reports};

/// A leaf of an accepted report.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct ApplyAuditArgs {
    /// Epoch of the report.
    pub epoch: u64,
    /// Place of the leaf, from zero.
    pub index: u32,
    /// The leaf as [`NodeLeaf`] encodes it.
    pub leaf: [u8; NODE_LEAF_LEN],
    /// The sibling tree nodes from the bottom up, 24 bytes each.
    pub path: Vec<u8>,
}

/// Called by: anyone; agents apply their own. Moves: nothing; whoever applies a downgrade of another is paid by
/// `apply_downgrade`.
#[event_cpi]
#[derive(Accounts)]
pub struct ApplyAudit<'info> {
    /// The deployment: tells how long an audit is valid. There is only one.
    pub config: AccountLoader<'info, Config>,
    /// The reports. There is only one such account.
    pub reports: AccountLoader<'info, Reports>,
    /// The node the leaf is of.
    #[account(mut)]
    pub node: AccountLoader<'info, Node>,
}

/// The leaf of `args`, proven to be of `node` and under an accepted root.
///
/// # Errors
/// [`MillraceError::NotALeaf`], [`MillraceError::LeafOfAnother`], [`MillraceError::LeafTooNew`], and those of
/// [`Reports::prove`].
pub(crate) fn proven_leaf(reports: &AccountLoader<Reports>, node: &Pubkey, args: &ApplyAuditArgs) -> Result<NodeLeaf> {
    let leaf = NodeLeaf::from_bytes(&args.leaf).map_err(|_| MillraceError::NotALeaf)?;
    require!(leaf.node == node.to_bytes(), MillraceError::LeafOfAnother);
    let accepted_at =
        reports.load()?.prove(args.epoch, args.index, node_tree_node(&args.leaf), &args.path)?.accepted_at;
    // A finding of the future would hold off every later one.
    require!(leaf.at <= accepted_at, MillraceError::LeafTooNew);
    Ok(leaf)
}

/// What applying `leaf` made of `node`.
pub(super) fn audit_applied(key: Pubkey, node: &mut Node, epoch: u64, leaf: &NodeLeaf) -> AuditApplied {
    AuditApplied {
        sequence: next(&mut node.sequence),
        node: key,
        epoch,
        verdict: leaf.verdict as u8,
        measured_gops: leaf.gops,
        state: node.state,
        verified_gops: node.verified_gops,
        verified_vram_mib: node.verified_vram_mib,
        verified_bandwidth_mbps: node.verified_bandwidth_mbps,
        verified_until: node.verified_until,
    }
}

impl ApplyAudit<'_> {
    /// Verifies, downgrades or suspends the node.
    pub fn handle(ctx: Context<Self>, args: ApplyAuditArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let key = accounts.node.key();
        let leaf = proven_leaf(&accounts.reports, &key, &args)?;
        let audit_valid_secs = accounts.config.load()?.params.audit_valid_secs;
        let event = {
            let mut node = accounts.node.load_mut()?;
            node.apply_audit(&leaf, audit_valid_secs)?;
            audit_applied(key, &mut node, args.epoch, &leaf)
        };
        emit(&accounts.event_authority, &event)
    }
}
