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
        require!(is_endpoint(&args.endpoint), MillraceError::BadEndpoint);
        Ok(())
    }

    /// Takes the next seat.
    pub fn handle(ctx: Context<Self>, args: SeatOracleArgs) -> Result<()> {
        ctx.accounts.validate(&args)?;
        let accounts = &ctx.accounts;
        let rent_payer = accounts.authority.key();
        let (seat, total_weight, sequence) = {
            let mut oracles = accounts.oracles.load_mut()?;
            let seat = oracles.add(args.oracle_authority, args.weight)?;
            (seat, oracles.total_weight, next(&mut oracles.sequence))
        };
        {
            let mut oracle = accounts.oracle.load_init()?;
            oracle.version = ACCOUNT_VERSION;
            oracle.bump = ctx.bumps.oracle;
            oracle.seat = seat;
            oracle.authority = args.oracle_authority;
            oracle.endpoint = args.endpoint;
            oracle.rent_payer = rent_payer;
        }
        emit(
            &accounts.event_authority,
            &OracleSeated {
                sequence,
                oracle: accounts.oracle.key(),
                oracle_authority: args.oracle_authority,
                seat,
                weight: args.weight,
                total_weight,
            },
        )
    }
}
