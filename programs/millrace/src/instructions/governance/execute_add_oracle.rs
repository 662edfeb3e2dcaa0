//! Carries out a vote that gives an oracle a seat.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};

use super::payload;
use crate::constants::{ORACLE_SEED, VAULT_SEED};
use crate::errors::MillraceError;
use crate::events::{emit, next, ProposalExecuted};
use crate::instructions::admin::seat_oracle::{SeatOracleArgs, Seating};
use crate::state::{space, Config, Oracle, OracleSet, Proposal, ProposalKind};

/// Called by: anyone, who pays the rent, between the proposal's `eta` and its expiry. Moves: nothing.
#[event_cpi]
#[derive(Accounts)]
#[instruction(oracle_authority: Pubkey)]
pub struct ExecuteAddOracle<'info> {
    /// Pays the rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// The seats.
    #[account(mut)]
    pub oracles: AccountLoader<'info, OracleSet>,
    /// The seat's own account; its seeds prove one seat per key.
    #[account(init, payer = payer, space = space::<Oracle>(), seeds = [ORACLE_SEED, oracle_authority.as_ref()], bump)]
    pub oracle: AccountLoader<'info, Oracle>,
    /// Vault of its stake, empty.
    #[account(init, payer = payer, seeds = [VAULT_SEED, oracle.key().as_ref()], bump, token::mint = mint, token::authority = oracle, token::token_program = token_program)]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    /// The MILL mint.
    #[account(address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// Token program of the mint.
    pub token_program: Interface<'info, TokenInterface>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

impl ExecuteAddOracle<'_> {
    /// Takes the next free seat, from the next epoch on. `oracle_authority`: the key the proposal names.
    pub fn handle(ctx: Context<Self>, oracle_authority: Pubkey) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let seated_epoch = accounts.config.load()?.epoch_at(now)?.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        let (executed, args) = {
            let mut proposal = accounts.proposal.load_mut()?;
            proposal.execute(ProposalKind::AddOracle, now)?;
            let args = payload::read::<SeatOracleArgs>(proposal.payload())?;
            let sequence = next(&mut proposal.sequence);
            (ProposalExecuted::of(sequence, accounts.proposal.key(), &proposal, 0), args)
        };
        require_keys_eq!(oracle_authority, args.oracle_authority, MillraceError::WrongAccount);
        let seating = Seating {
            oracle: accounts.oracle.key(),
            bump: ctx.bumps.oracle,
            vault: accounts.vault.key(),
            seated_epoch,
            rent_payer: accounts.payer.key(),
        };
        let seated = seating.take(&mut *accounts.oracles.load_mut()?, &mut *accounts.oracle.load_init()?, &args)?;
        emit(&accounts.event_authority, &executed)?;
        emit(&accounts.event_authority, &seated)
    }
}
