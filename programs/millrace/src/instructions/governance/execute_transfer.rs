//! Carries out a vote that pays out of the treasury.

use anchor_lang::prelude::*;

use super::payload;
use crate::constants::GOVERNANCE_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, ProposalExecuted};
use crate::state::{Config, Proposal, ProposalKind};
use crate::token;

/// Called by: anyone, between the proposal's `eta` and its expiry. Moves: what was voted for from the treasury to the
/// token account the proposal names; deposits of open proposals stay.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteTransfer<'info> {
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// CHECK: signs for the treasury; compared with the address the config stores.
    pub governance: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    #[account(mut)]
    pub treasury: UncheckedAccount<'info>,
    /// CHECK: compared with the address the proposal stores.
    #[account(mut)]
    pub destination: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the treasury's mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the treasury.
    pub token_program: UncheckedAccount<'info>,
}

impl ExecuteTransfer<'_> {
    fn validate(&self, proposal: &Proposal, config: &Config, amount: u64) -> Result<()> {
        require_keys_eq!(self.governance.key(), config.governance, MillraceError::WrongAccount);
        require_keys_eq!(self.treasury.key(), config.treasury, MillraceError::WrongAccount);
        require_keys_eq!(self.destination.key(), proposal.target, MillraceError::WrongAccount);
        let least = config.deposits_held.checked_add(amount).ok_or(MillraceError::TreasuryTooSmall)?;
        require!(token::balance(&self.treasury)? >= least, MillraceError::TreasuryTooSmall);
        Ok(())
    }

    /// Books, then sends.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let (bump, executed) = {
            let config = accounts.config.load()?;
            let mut proposal = accounts.proposal.load_mut()?;
            proposal.execute(ProposalKind::TreasuryTransfer, Clock::get()?.unix_timestamp)?;
            let amount = payload::read::<u64>(proposal.payload())?;
            accounts.validate(&proposal, &config, amount)?;
            let sequence = next(&mut proposal.sequence);
            let executed = ProposalExecuted::of(sequence, accounts.proposal.key(), &proposal, amount);
            (config.governance_bump, executed)
        };
        token::transfer(
            &accounts.token_program,
            &accounts.treasury,
            &accounts.mint,
            &accounts.destination,
            &accounts.governance,
            &[&[GOVERNANCE_SEED, &[bump]]],
            executed.amount,
        )?;
        emit(&accounts.event_authority, &executed)
    }
}
