//! Carries out a vote that replaces the program.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;

use super::payload::{self, UpgradePayload};
use crate::constants::GOVERNANCE_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, ProposalExecuted};
use crate::loader::{self, Upgrade};
use crate::state::{Config, Proposal, ProposalKind};

/// Called by: anyone, between the proposal's `eta` and its expiry. Moves: the buffer's bytes over the program's, the
/// buffer's lamports to the proposer. The event comes first: once replaced, the program cannot be called in this
/// transaction.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteUpgrade<'info> {
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// CHECK: may upgrade the program; compared with the address the config stores.
    pub governance: UncheckedAccount<'info>,
    /// CHECK: compared with the address the proposal stores, and read as a buffer.
    #[account(mut)]
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: gets the buffer's lamports; compared with the address the proposal stores.
    #[account(mut)]
    pub proposer: UncheckedAccount<'info>,
    /// CHECK: the loader checks that it is this program's.
    #[account(mut)]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: this program, by its address.
    #[account(mut, address = crate::ID)]
    pub this_program: UncheckedAccount<'info>,
    /// CHECK: the rent sysvar, by its address.
    #[account(address = loader::RENT_ID)]
    pub rent: UncheckedAccount<'info>,
    /// CHECK: the clock sysvar, by its address.
    #[account(address = loader::CLOCK_ID)]
    pub clock: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader, by its address.
    #[account(address = bpf_loader_upgradeable::ID)]
    pub loader: UncheckedAccount<'info>,
}

impl ExecuteUpgrade<'_> {
    fn validate(&self, proposal: &Proposal, config: &Config) -> Result<()> {
        require_keys_eq!(self.governance.key(), config.governance, MillraceError::WrongAccount);
        require_keys_eq!(self.proposer.key(), proposal.proposer, MillraceError::WrongAccount);
        require_keys_eq!(self.buffer.key(), proposal.target, MillraceError::WrongAccount);
        let voted = payload::read::<UpgradePayload>(proposal.payload())?;
        let buffer = loader::read_buffer(&self.buffer).map_err(|_| MillraceError::BufferChanged)?;
        let is_same = buffer.authority == config.governance && buffer.len == voted.program_len;
        require!(is_same, MillraceError::BufferChanged);
        Ok(())
    }

    /// Says so, then upgrades.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let (bump, executed) = {
            let config = accounts.config.load()?;
            let mut proposal = accounts.proposal.load_mut()?;
            proposal.execute(ProposalKind::UpgradeProgram, Clock::get()?.unix_timestamp)?;
            accounts.validate(&proposal, &config)?;
            let sequence = next(&mut proposal.sequence);
            (config.governance_bump, ProposalExecuted::of(sequence, accounts.proposal.key(), &proposal, 0))
        };
        emit(&accounts.event_authority, &executed)?;
        let upgrade = Upgrade {
            program_data: &accounts.program_data,
            program: &accounts.this_program,
            buffer: &accounts.buffer,
            spill: &accounts.proposer,
            rent: &accounts.rent,
            clock: &accounts.clock,
            authority: &accounts.governance,
        };
        loader::upgrade(&upgrade, &[&[GOVERNANCE_SEED, &[bump]]])
    }
}
