//! Closes the account of a node no fraud of which can be judged any more.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, NodeClosed};
use crate::state::{Config, Node, Provider};

/// Called by: anyone, once a fraud of the retired node can be neither opened nor judged any more. Moves: the rent to
/// who paid it.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseNode<'info> {
    /// The deployment: tells how long a fraud can be judged.
    pub config: AccountLoader<'info, Config>,
    /// The provider.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// Its node.
    #[account(
        mut, close = rent_payer,
        has_one = provider @ MillraceError::WrongAccount,
        has_one = rent_payer @ MillraceError::WrongAccount,
    )]
    pub node: AccountLoader<'info, Node>,
    /// CHECK: who paid the rent, as the node account says.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}

impl CloseNode<'_> {
    fn validate(&self, now: i64) -> Result<()> {
        let node = self.node.load()?;
        require!(node.is_retired(), MillraceError::NodeNotRetired);
        // A node slashed at work is retired at once, but its lease cannot end without it.
        require!(node.is_free(), MillraceError::NodeBusy);
        let closes_at = node.retired_at.saturating_add(self.config.load()?.params.judged_within_secs());
        require!(now >= closes_at, MillraceError::FraudWindowOpen);
        Ok(())
    }

    /// Closes the account.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate(Clock::get()?.unix_timestamp)?;
        let accounts = &ctx.accounts;
        let open_nodes = {
            let mut provider = accounts.provider.load_mut()?;
            provider.open_nodes = provider.open_nodes.checked_sub(1).ok_or(MillraceError::InvariantBroken)?;
            provider.open_nodes
        };
        let sequence = next(&mut accounts.node.load_mut()?.sequence);
        emit(
            &accounts.event_authority,
            &NodeClosed { sequence, node: accounts.node.key(), provider: accounts.provider.key(), open_nodes },
        )
    }
}
