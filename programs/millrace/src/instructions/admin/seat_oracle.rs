//! Adds an oracle seat while genesis is open.

use anchor_lang::prelude::*;

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
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl SeatOracle<'_> {
    fn validate(&self, args: &SeatOracleArgs) -> Result<()> {
        self.config.load()?.require_genesis(&self.authority.key())?;
        check_seat(args)
    }

    /// Takes the next seat.
    pub fn handle(ctx: Context<Self>, args: SeatOracleArgs) -> Result<()> {
        ctx.accounts.validate(&args)?;
        let accounts = &ctx.accounts;
        let rent_payer = accounts.authority.key();
        let seated_epoch = accounts.config.load()?.epoch_at(Clock::get()?.unix_timestamp)?;
        let event = take_seat(&accounts.oracles, &accounts.oracle, ctx.bumps.oracle, &args, seated_epoch, rent_payer)?;
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

/// Seats who is named by `args` from `seated_epoch` on and writes the new `oracle` account, whose rent `rent_payer` paid.
///
/// # Errors
/// Those of [`OracleSet::add`].
pub(crate) fn take_seat<'info>(
    oracles: &AccountLoader<'info, OracleSet>,
    oracle: &AccountLoader<'info, Oracle>,
    bump: u8,
    args: &SeatOracleArgs,
    seated_epoch: u64,
    rent_payer: Pubkey,
) -> Result<OracleSeated> {
    let (seat, total_weight, sequence) = {
        let mut oracles = oracles.load_mut()?;
        let seat = oracles.add(args.oracle_authority, args.weight)?;
        (seat, oracles.total_weight, next(&mut oracles.sequence))
    };
    let mut state = oracle.load_init()?;
    state.version = ACCOUNT_VERSION;
    state.bump = bump;
    state.seat = seat;
    state.authority = args.oracle_authority;
    state.seated_epoch = seated_epoch;
    state.endpoint = args.endpoint;
    state.rent_payer = rent_payer;
    Ok(OracleSeated {
        sequence,
        oracle: oracle.key(),
        oracle_authority: args.oracle_authority,
        seat,
        weight: args.weight,
        total_weight,
    })
}
