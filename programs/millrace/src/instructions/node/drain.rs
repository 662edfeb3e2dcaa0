//! Stops or resumes a node's bidding; what it has begun goes on.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, DrainSet};
use crate::state::{Node, Provider};

/// Called by: the operator or the authority. Moves: nothing. A draining node takes no new work; a bid of its own
/// that stands would be broken at the award.
#[event_cpi]
#[derive(Accounts)]
pub struct Drain<'info> {
    /// Hot or cold key of the provider.
    pub operator: Signer<'info>,
    /// The provider.
    pub provider: AccountLoader<'info, Provider>,
    /// Its node.
    #[account(mut, has_one = provider @ MillraceError::WrongAccount)]
    pub node: AccountLoader<'info, Node>,
}

impl Drain<'_> {
    fn validate(&self) -> Result<()> {
        self.provider.load()?.require_operator(&self.operator.key())?;
        require!(!self.node.load()?.is_retired(), MillraceError::NodeRetired);
        Ok(())
    }

    /// Sets or clears the mark.
    pub fn handle(ctx: Context<Self>, draining: bool) -> Result<()> {
        ctx.accounts.validate()?;
        let accounts = &ctx.accounts;
        let sequence = {
            let mut node = accounts.node.load_mut()?;
            node.draining = u8::from(draining);
            next(&mut node.sequence)
        };
        emit(&accounts.event_authority, &DrainSet { sequence, node: accounts.node.key(), draining })
    }
}
