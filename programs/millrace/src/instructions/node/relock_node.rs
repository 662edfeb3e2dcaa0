//! Fills up the stake of a node that lost some.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, NodeRelocked};
use crate::state::{Node, Provider};

/// Called by: the authority. Moves: nothing; free stake becomes locked, up to what the node's claim needs. A node short
/// of it sells nothing; the next good audit after this lifts the suspension. Keeps: I3.
#[event_cpi]
#[derive(Accounts)]
pub struct RelockNode<'info> {
    /// Cold key of the provider.
    pub authority: Signer<'info>,
    /// The provider.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority)]
    pub provider: AccountLoader<'info, Provider>,
    /// Its node.
    #[account(mut, has_one = provider @ MillraceError::WrongAccount)]
    pub node: AccountLoader<'info, Node>,
}

impl RelockNode<'_> {
    /// Locks what is missing.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let event = {
            let (mut node, mut provider) = (accounts.node.load_mut()?, accounts.provider.load_mut()?);
            let locked_amount = node.relock()?;
            provider.lock(locked_amount)?;
            provider.invariant()?;
            NodeRelocked {
                sequence: next(&mut node.sequence),
                node: accounts.node.key(),
                provider: accounts.provider.key(),
                locked_amount,
                node_locked_stake: node.locked_stake,
                provider_locked: provider.locked,
                provider_stake: provider.stake,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
