//! Puts tokens behind an oracle's word.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, OracleStaked};
use crate::state::Oracle;
use crate::token;

/// Called by: whoever owns `source`; usually the oracle's authority, who alone gets it back. Moves: `amount` from
/// `source` to the vault, and credits what arrived.
#[event_cpi]
#[derive(Accounts)]
pub struct StakeOracle<'info> {
    /// Owns `source`.
    pub staker: Signer<'info>,
    /// The oracle that answers with it.
    #[account(mut)]
    pub oracle: AccountLoader<'info, Oracle>,
    /// CHECK: compared with the address the oracle stores.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the token program takes from it by the staker's signature.
    #[account(mut)]
    pub source: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the vault's mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vault.
    pub token_program: UncheckedAccount<'info>,
}

impl StakeOracle<'_> {
    fn validate(&self, amount: u64) -> Result<()> {
        require!(amount > 0, MillraceError::ZeroAmount);
        require_keys_eq!(self.vault.key(), self.oracle.load()?.vault, MillraceError::WrongAccount);
        Ok(())
    }

    /// Sends, then credits the difference the vault shows.
    pub fn handle(ctx: Context<Self>, amount: u64) -> Result<()> {
        let accounts = &ctx.accounts;
        accounts.validate(amount)?;
        let before = token::balance(&accounts.vault)?;
        token::transfer(
            &accounts.token_program,
            &accounts.source,
            &accounts.mint,
            &accounts.vault,
            &accounts.staker,
            &[],
            amount,
        )?;
        let arrived = token::balance(&accounts.vault)?.checked_sub(before).ok_or(MillraceError::InvariantBroken)?;
        require!(arrived > 0, MillraceError::ZeroAmount);
        let event = {
            let mut oracle = accounts.oracle.load_mut()?;
            oracle.add_stake(arrived)?;
            token::require_covers(&accounts.vault, oracle.owed())?;
            OracleStaked {
                sequence: next(&mut oracle.sequence),
                oracle: accounts.oracle.key(),
                amount: arrived,
                stake: oracle.stake,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
