//! A later build of the program, at the same address, as governance would install it. All it does is show, once, how a
//! layout is migrated; `docs/adr/0025` says the rules.
//!
//! 1. An account keeps its address, its discriminator and its length. Version 1 left 64 reserved bytes of zeros in each;
//!    a later version takes fields from their front. Where more is needed, the account grows by `resize` first.
//! 2. The version byte says which layout the bytes have. The new build reads the old layout only to migrate it.
//! 3. Migrating is an instruction anyone may send, which cannot be done wrong: it takes no arguments, a second time it
//!    changes nothing, and a version it does not know it leaves alone.
//! 4. Every other instruction of the new build refuses an account that is not migrated, so that none is read wrongly.

use anchor_lang::prelude::*;
use millrace::state::Config;
#[cfg(target_os = "solana")]
use solana_compiler_builtins as _;

declare_id!("Gd64twpn3aFjXe2YVKmQSiFvBGiVPGkRgWGyGiHfMcmm");

/// The layout version this build migrates from.
const OLD_VERSION: u8 = 1;
/// The layout version this build works with.
const NEW_VERSION: u8 = 2;

/// What this build refuses.
#[error_code]
pub enum SecondBuildError {
    /// The account's version is one this build does not know.
    #[msg("The account's version is one this build does not know")]
    UnknownVersion,
    /// The account is not migrated.
    #[msg("The account is not migrated; send migrate_config")]
    NotMigrated,
}

/// The instructions of this build.
#[program]
pub mod millrace_second_build {
    use super::*;

    /// Brings the config to version 2. Anyone.
    pub fn migrate_config(ctx: Context<OfConfig>) -> Result<()> {
        migrate(&mut *ctx.accounts.config.load_mut()?, Clock::get()?.unix_timestamp)
    }

    /// Succeeds when the config is of version 2: what every other instruction would check first. Anyone.
    pub fn check_config(ctx: Context<OfConfig>) -> Result<()> {
        require!(ctx.accounts.config.load()?.version == NEW_VERSION, SecondBuildError::NotMigrated);
        Ok(())
    }
}

/// The config alone.
#[derive(Accounts)]
pub struct OfConfig<'info> {
    /// The deployment.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
}

/// From version 1 to 2: the first eight reserved bytes become the instant of the migration, `migrated_at: i64`.
fn migrate(config: &mut Config, now: i64) -> Result<()> {
    match config.version {
        OLD_VERSION => {
            config.reserved[..8].copy_from_slice(&now.to_le_bytes());
            config.version = NEW_VERSION;
            Ok(())
        }
        NEW_VERSION => Ok(()),
        _ => err!(SecondBuildError::UnknownVersion),
    }
}
