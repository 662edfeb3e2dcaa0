//! Adds an oracle seat while genesis is open.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, OracleSeated};
use crate::instructions::provider::register_provider::is_endpoint;
use crate::state::{space, Config, Oracle, OracleSet};

/// Who is seated.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SeatOracleArgs {
    /// Key that signs reports.
    pub oracle_authority: Pubkey,
    /// Weight in the quorum, above zero.
    pub weight: u64,
    /// URL of the daemon, UTF-8, padded with zeros.
    pub endpoint: [u8; ENDPOINT_LEN],
}

/// Called by: the deployer, who pays the rent, until genesis is sealed. Moves: nothing.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: SeatOracleArgs)]
pub struct SeatOracle<'info> {
    /// The deployer; pays the rent.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The seats.
    #[account(mut)]
    pub oracles: AccountLoader<'info, OracleSet>,
    /// The seat's own account; its seeds prove one seat per key.
    #[account(
        init, payer = authority, space = space::<Oracle>(),
        seeds = [ORACLE_SEED, args.oracle_authority.as_ref()], bump,
    )]
    pub oracle: AccountLoader<'info, Oracle>,
    /// Vault of its stake, empty.
    #[account(init, payer = authority, seeds = [VAULT_SEED, oracle.key().as_ref()], bump, token::mint = mint, token::authority = oracle, token::token_program = token_program)]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    /// The MILL mint.
    #[account(address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// Token program of the mint.
    pub token_program: Interface<'info, TokenInterface>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

impl SeatOracle<'_> {
    fn validate(&self) -> Result<()> {
        self.config.load()?.require_genesis(&self.authority.key())
    }

    /// Takes the next seat, from the epoch under way on: before the seal nobody held it.
    pub fn handle(ctx: Context<Self>, args: SeatOracleArgs) -> Result<()> {
        ctx.accounts.validate()?;
        let accounts = &ctx.accounts;
        let seating = Seating {
            oracle: accounts.oracle.key(),
            bump: ctx.bumps.oracle,
            vault: accounts.vault.key(),
            seated_epoch: accounts.config.load()?.epoch_at(Clock::get()?.unix_timestamp)?,
            rent_payer: accounts.authority.key(),
        };
        let event = seating.take(&mut *accounts.oracles.load_mut()?, &mut *accounts.oracle.load_init()?, &args)?;
        emit(&accounts.event_authority, &event)
    }
}

/// Whether `args` could be seated: with weight and an address.
///
/// # Errors
/// [`MillraceError::ZeroWeight`], [`MillraceError::BadEndpoint`].
pub(crate) fn check_seat(args: &SeatOracleArgs) -> Result<()> {
    require!(args.weight > 0, MillraceError::ZeroWeight);
    require!(is_endpoint(&args.endpoint), MillraceError::BadEndpoint);
    Ok(())
}

/// Where an oracle is seated, whoever decides it.
pub(crate) struct Seating {
    /// The oracle account, just opened.
    pub oracle: Pubkey,
    /// Its bump.
    pub bump: u8,
    /// Vault of its stake.
    pub vault: Pubkey,
    /// First epoch it reports. Later than any a seat's last holder may have signed: the epoch under way only at genesis.
    pub seated_epoch: u64,
    /// Who paid the rent.
    pub rent_payer: Pubkey,
}

impl Seating {
    /// Adds the seat and writes the oracle's account.
    ///
    /// # Errors
    /// [`MillraceError::BadEndpoint`], and those of [`OracleSet::add`].
    pub(crate) fn take(
        &self,
        oracles: &mut OracleSet,
        oracle: &mut Oracle,
        args: &SeatOracleArgs,
    ) -> Result<OracleSeated> {
        check_seat(args)?;
        let seat = oracles.add(args.oracle_authority, args.weight)?;
        oracle.version = ACCOUNT_VERSION;
        oracle.bump = self.bump;
        oracle.seat = seat;
        oracle.authority = args.oracle_authority;
        oracle.vault = self.vault;
        oracle.seated_epoch = self.seated_epoch;
        oracle.reward_period = oracles.reward_period;
        oracle.endpoint = args.endpoint;
        oracle.rent_payer = self.rent_payer;
        Ok(OracleSeated {
            sequence: next(&mut oracles.sequence),
            oracle: self.oracle,
            oracle_authority: args.oracle_authority,
            seat,
            weight: args.weight,
            total_weight: oracles.total_weight,
        })
    }
}
