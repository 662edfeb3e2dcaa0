//! Takes a free node off the market for good and unlocks its stake.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, NodeRetired};
use crate::state::{Node, Provider};

/// Called by: the authority. Moves: nothing; locked stake becomes free stake, which can leave only through
/// unbonding, so a fraud of this node is still paid for. The account keeps the figure for the fraud window.
#[event_cpi]
#[derive(Accounts)]
pub struct Retire<'info> {
    /// Cold key of the provider.
    pub authority: Signer<'info>,
    /// The provider.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority)]
    pub provider: AccountLoader<'info, Provider>,
    /// Its node.
    #[account(mut, has_one = provider @ MillraceError::WrongAccount)]
    pub node: AccountLoader<'info, Node>,
}

impl Retire<'_> {
    fn validate(&self) -> Result<()> {
        let node = self.node.load()?;
        require!(!node.is_retired(), MillraceError::NodeRetired);
        require!(node.is_free(), MillraceError::NodeBusy);
        Ok(())
    }

    /// Retires the node.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let mut node = accounts.node.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            provider.unlock(node.locked_stake)?;
            provider.invariant()?;
            node.retire(now);
            NodeRetired {
                sequence: next(&mut node.sequence),
                node: accounts.node.key(),
                provider: accounts.provider.key(),
                unlocked_amount: node.locked_stake,
                provider_locked: provider.locked,
                provider_stake: provider.stake,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
