//! Opens the market: writes what this deployment is, once.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use anchor_spl::token_interface::Mint;
use millrace_core::hash::sha256;

use super::mint_rules::check_mint;
use crate::constants::*;
use crate::create;
use crate::errors::MillraceError;
use crate::events::{emit, next, Initialized};
use crate::instructions::oracle::slot_hashes::{SlotHashes, SLOT_HASHES_ID};
use crate::state::{space, Beacons, Config, DurationBounds, OracleSet, Params, Reports};

/// What the market starts with.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct InitializeArgs {
    /// The parameters in force until governance changes them.
    pub params: Params,
    /// Bounds of every duration, immutable from here on.
    pub bounds: DurationBounds,
}

/// Called by: the program's upgrade authority, who pays the rent and may seat oracles until genesis is sealed.
/// Moves: nothing. Treasury and oracle pool are token accounts of the governance address from the start: they can
/// always receive, and nobody can close them. `init` makes it work once only.
#[event_cpi]
#[derive(Accounts)]
pub struct Initialize<'info> {
    /// The program's upgrade authority; pays the rent.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// Says who that is. It exists only under the upgradeable loader: elsewhere nobody can initialise.
    #[account(
        seeds = [crate::ID.as_ref()], bump, seeds::program = bpf_loader_upgradeable::ID,
        constraint = program_data.upgrade_authority_address == Some(authority.key()) @ MillraceError::NotUpgradeAuthority,
    )]
    pub program_data: Box<Account<'info, ProgramData>>,
    /// The deployment.
    #[account(init, payer = authority, space = space::<Config>(), seeds = [CONFIG_SEED], bump)]
    pub config: AccountLoader<'info, Config>,
    /// The seats, empty.
    #[account(init, payer = authority, space = space::<OracleSet>(), seeds = [ORACLES_SEED], bump)]
    pub oracles: AccountLoader<'info, OracleSet>,
    /// The reports, empty.
    #[account(init, payer = authority, space = space::<Reports>(), seeds = [REPORTS_SEED], bump)]
    pub reports: AccountLoader<'info, Reports>,
    /// CHECK: created here, owned by this program; too short to load as `Beacons` until it is grown.
    #[account(init, payer = authority, space = MAX_GROWTH, owner = crate::ID, seeds = [BEACONS_SEED], bump)]
    pub beacons: UncheckedAccount<'info>,
    /// The MILL mint: SPL Token or Token-2022.
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// CHECK: created here, at the treasury's address.
    #[account(mut)]
    pub treasury: UncheckedAccount<'info>,
    /// CHECK: created here, at the oracle pool's address.
    #[account(mut)]
    pub oracle_pool: UncheckedAccount<'info>,
    /// CHECK: must own the mint.
    pub token_program: UncheckedAccount<'info>,
    /// CHECK: the SlotHashes sysvar, by its address.
    #[account(address = SLOT_HASHES_ID)]
    pub slot_hashes: UncheckedAccount<'info>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

impl Initialize<'_> {
    fn validate(&self, args: &InitializeArgs) -> Result<()> {
        check_mint(&self.mint)?;
        args.bounds.check()?;
        args.params.check(&args.bounds)
    }

    /// Opens treasury and oracle pool, owned by `governance`.
    #[inline(never)]
    fn open_pools(&self, governance: &Pubkey) -> Result<()> {
        let mint = self.mint.to_account_info();
        for (account, seed) in [(&self.treasury, TREASURY_SEED), (&self.oracle_pool, ORACLE_POOL_SEED)] {
            let seeds: [&[u8]; 3] = [seed, &[], &[]];
            create::token_account(&self.authority, account, seeds, &self.token_program, &mint, governance)?;
        }
        Ok(())
    }

    /// Writes the accounts.
    pub fn handle(ctx: Context<Self>, args: InitializeArgs) -> Result<()> {
        ctx.accounts.validate(&args)?;
        let accounts = &ctx.accounts;
        let rent_payer = accounts.authority.key();
        let now = Clock::get()?.unix_timestamp;
        let (governance, governance_bump) = Pubkey::find_program_address(&[GOVERNANCE_SEED], &crate::ID);
        accounts.open_pools(&governance)?;
        // No one knows this hash before the block, so no other deployment, fork or cluster has the same.
        let deployment_id = {
            let slot_hashes = accounts.slot_hashes.try_borrow_data()?;
            sha256(&[crate::ID.as_ref(), SlotHashes::new(&slot_hashes)?.newest_hash()?])
        };
        {
            let mut oracles = accounts.oracles.load_init()?;
            oracles.version = ACCOUNT_VERSION;
            oracles.bump = ctx.bumps.oracles;
            oracles.rent_payer = rent_payer;
        }
        {
            let mut reports = accounts.reports.load_init()?;
            reports.version = ACCOUNT_VERSION;
            reports.bump = ctx.bumps.reports;
            reports.rent_payer = rent_payer;
        }
        Beacons::write_header(&mut accounts.beacons.try_borrow_mut_data()?, ctx.bumps.beacons, &rent_payer)?;

        let event = {
            let mut config = accounts.config.load_init()?;
            config.version = ACCOUNT_VERSION;
            config.bump = ctx.bumps.config;
            config.genesis_open = 1;
            config.authority = rent_payer;
            config.governance = governance;
            config.governance_bump = governance_bump;
            config.mint = accounts.mint.key();
            config.token_program = *accounts.mint.to_account_info().owner;
            config.oracle_pool = accounts.oracle_pool.key();
            config.treasury = accounts.treasury.key();
            config.deployment_id = deployment_id;
            config.genesis_supply = accounts.mint.supply;
            config.base_epoch = 0;
            config.base_at = now;
            config.rent_payer = rent_payer;
            config.bounds = args.bounds;
            config.params = args.params.clean();
            Initialized {
                sequence: next(&mut config.sequence),
                config: accounts.config.key(),
                authority: rent_payer,
                governance,
                mint: config.mint,
                treasury: config.treasury,
                oracle_pool: config.oracle_pool,
                deployment_id,
                genesis_supply: config.genesis_supply,
                base_at: now,
                params: config.params,
                bounds: config.bounds,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
