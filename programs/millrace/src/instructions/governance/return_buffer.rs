//! Gives a buffer back whose upgrade did not come about.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;

use crate::constants::GOVERNANCE_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, BufferReturned};
use crate::loader;
use crate::state::{Config, Proposal};

/// Called by: anyone, once the proposal failed or expired. Moves: the right over the buffer to the proposer.
#[event_cpi]
#[derive(Accounts)]
pub struct ReturnBuffer<'info> {
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// CHECK: owns the buffer; compared with the address the config stores.
    pub governance: UncheckedAccount<'info>,
    /// CHECK: compared with the address the proposal stores.
    #[account(mut)]
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: compared with the address the proposal stores.
    pub proposer: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader, by its address.
    #[account(address = bpf_loader_upgradeable::ID)]
    pub loader: UncheckedAccount<'info>,
}

impl ReturnBuffer<'_> {
    fn validate(&self, proposal: &Proposal, config: &Config) -> Result<()> {
        require_keys_eq!(self.governance.key(), config.governance, MillraceError::WrongAccount);
        require_keys_eq!(self.buffer.key(), proposal.target, MillraceError::WrongAccount);
        require_keys_eq!(self.proposer.key(), proposal.proposer, MillraceError::WrongAccount);
        Ok(())
    }

    /// Ends the proposal and returns the buffer.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let (bump, event) = {
            let config = accounts.config.load()?;
            let mut proposal = accounts.proposal.load_mut()?;
            proposal.give_buffer_back(Clock::get()?.unix_timestamp)?;
            accounts.validate(&proposal, &config)?;
            let event = BufferReturned {
                sequence: next(&mut proposal.sequence),
                proposal: accounts.proposal.key(),
                buffer: proposal.target,
                proposer: proposal.proposer,
            };
            (config.governance_bump, event)
        };
        let seeds = [GOVERNANCE_SEED, &[bump]];
        loader::set_authority(&accounts.buffer, &accounts.governance, &accounts.proposer, &[&seeds])?;
        emit(&accounts.event_authority, &event)
    }
}
