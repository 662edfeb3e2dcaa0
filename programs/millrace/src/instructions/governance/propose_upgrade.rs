//! Proposes another build of the program.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;

use super::filing::Filing;
use super::payload::UpgradePayload;
use crate::errors::MillraceError;
use crate::events::emit;
use crate::loader;
use crate::state::{Config, Draft, ProposalKind};

/// Called by: anyone with the deposit and a program buffer of theirs. Moves: the deposit from `source` to the treasury,
/// and the right over the buffer to governance. This program never writes a buffer, so what is in it now is what a vote
/// in favour installs.
#[event_cpi]
#[derive(Accounts)]
pub struct ProposeUpgrade<'info> {
    /// Makes it; owns the buffer; pays deposit and rent.
    #[account(mut)]
    pub proposer: Signer<'info>,
    /// The deployment.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
    /// CHECK: created here, at the address of the next number.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: read as a buffer of the loader; the loader checks that the proposer may give it away.
    #[account(mut)]
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    pub governance: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader, by its address.
    #[account(address = bpf_loader_upgradeable::ID)]
    pub loader: UncheckedAccount<'info>,
    /// CHECK: the token program checks that the proposer may spend from it and that it is of the mint.
    #[account(mut)]
    pub source: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    #[account(mut)]
    pub treasury: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own treasury and source.
    pub token_program: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl ProposeUpgrade<'_> {
    /// The buffer's length.
    fn validate(&self) -> Result<u64> {
        require_keys_eq!(self.governance.key(), self.config.load()?.governance, MillraceError::WrongAccount);
        let buffer = loader::read_buffer(&self.buffer)?;
        require_keys_eq!(buffer.authority, self.proposer.key(), MillraceError::NotABuffer);
        Ok(buffer.len)
    }

    /// Takes the buffer and files the proposal. `program_hash`: sha256 of the program, for whoever votes to compare.
    pub fn handle(ctx: Context<Self>, program_hash: [u8; 32]) -> Result<()> {
        let accounts = &ctx.accounts;
        let program_len = accounts.validate()?;
        loader::set_authority(&accounts.buffer, &accounts.proposer, &accounts.governance, &[])?;
        let mut payload = Vec::with_capacity(40);
        UpgradePayload { program_hash, program_len }.serialize(&mut payload)?;
        let filing = Filing {
            proposer: &accounts.proposer,
            config: &accounts.config,
            proposal: &accounts.proposal,
            source: &accounts.source,
            treasury: &accounts.treasury,
            mint: &accounts.mint,
            token_program: &accounts.token_program,
        };
        let draft = Draft {
            kind: ProposalKind::UpgradeProgram,
            proposer: accounts.proposer.key(),
            target: accounts.buffer.key(),
            payload: &payload,
        };
        let (event, _) = filing.file(&draft)?;
        emit(&accounts.event_authority, &event)
    }
}
