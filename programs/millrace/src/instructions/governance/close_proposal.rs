//! Closes a proposal that is over, and settles its deposit.

use anchor_lang::prelude::*;

use crate::constants::GOVERNANCE_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, ProposalClosed};
use crate::state::{Config, Proposal};
use crate::token;

/// Called by: anyone, once the proposal was executed, failed or expired. Moves: the deposit from the treasury to a token
/// account of the proposer if enough voted, whichever way; else it stays the treasury's. The rent goes to who paid it.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseProposal<'info> {
    /// The deployment.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
    /// The proposal.
    #[account(mut, close = rent_payer)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// CHECK: signs for the treasury; compared with the address the config stores.
    pub governance: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    #[account(mut)]
    pub treasury: UncheckedAccount<'info>,
    /// CHECK: a token account the proposer controls; not looked at when the deposit stays.
    #[account(mut)]
    pub destination: UncheckedAccount<'info>,
    /// CHECK: receives the rent; fixed in the proposal.
    #[account(mut, address = proposal.load()?.rent_payer @ MillraceError::WrongAccount)]
    pub rent_payer: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the treasury's mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the treasury.
    pub token_program: UncheckedAccount<'info>,
}

impl CloseProposal<'_> {
    fn validate(&self, proposal: &Proposal, config: &Config, now: i64) -> Result<()> {
        require_keys_eq!(self.governance.key(), config.governance, MillraceError::WrongAccount);
        require_keys_eq!(self.treasury.key(), config.treasury, MillraceError::WrongAccount);
        proposal.require_closable(now)?;
        if proposal.tally().meets_quorum() {
            require_keys_eq!(token::owner(&self.destination)?, proposal.proposer, MillraceError::WrongAccount);
        }
        Ok(())
    }

    /// Settles the deposit; Anchor closes the account on the way out.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let (event, bump) = {
            let mut config = accounts.config.load_mut()?;
            let mut proposal = accounts.proposal.load_mut()?;
            accounts.validate(&proposal, &config, now)?;
            config.settle_deposit(proposal.deposit_amount)?;
            let returned_amount = if proposal.tally().meets_quorum() { proposal.deposit_amount } else { 0 };
            let event = ProposalClosed {
                sequence: next(&mut proposal.sequence),
                proposal: accounts.proposal.key(),
                id: proposal.id,
                is_passed: proposal.is_passed(),
                is_done: proposal.is_done == 1,
                deposit_amount: proposal.deposit_amount,
                returned_amount,
                deposits_held: config.deposits_held,
            };
            (event, config.governance_bump)
        };
        if event.returned_amount > 0 {
            token::transfer(
                &accounts.token_program,
                &accounts.treasury,
                &accounts.mint,
                &accounts.destination,
                &accounts.governance,
                &[&[GOVERNANCE_SEED, &[bump]]],
                event.returned_amount,
            )?;
        }
        token::require_covers(&accounts.treasury, event.deposits_held)?;
        emit(&accounts.event_authority, &event)
    }
}
