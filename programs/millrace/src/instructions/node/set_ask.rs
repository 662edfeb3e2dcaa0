//! Changes a node's asking price.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, AskSet};
use crate::state::{Node, Provider};

/// Called by: the operator or the authority. Moves: nothing. Bids that stand keep their price.
#[event_cpi]
#[derive(Accounts)]
pub struct SetAsk<'info> {
    /// Hot or cold key of the provider.
    pub operator: Signer<'info>,
    /// The provider.
    pub provider: AccountLoader<'info, Provider>,
    /// Its node.
    #[account(mut, has_one = provider @ MillraceError::WrongAccount)]
    pub node: AccountLoader<'info, Node>,
}

impl SetAsk<'_> {
    fn validate(&self, ask_per_sec: u64) -> Result<()> {
        let provider = self.provider.load()?;
        provider.require_operator(&self.operator.key())?;
        require!(ask_per_sec >= provider.min_bid_per_sec, MillraceError::BelowPriceFloor);
        require!(!self.node.load()?.is_retired(), MillraceError::NodeRetired);
        Ok(())
    }

    /// Writes the price, base units a second.
    pub fn handle(ctx: Context<Self>, ask_per_sec: u64) -> Result<()> {
        ctx.accounts.validate(ask_per_sec)?;
        let accounts = &ctx.accounts;
        let sequence = {
            let mut node = accounts.node.load_mut()?;
            node.ask_per_sec = ask_per_sec;
            next(&mut node.sequence)
        };
        emit(&accounts.event_authority, &AskSet { sequence, node: accounts.node.key(), ask_per_sec })
    }
}
