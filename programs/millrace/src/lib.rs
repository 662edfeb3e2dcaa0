//! Millrace: an open market for GPU time.
//!
//! Providers stake and are measured, customers escrow and post jobs, oracles report one Merkle root an epoch, and
//! this program pays by the proven second, burns a part of each fee, and slashes on evidence it recomputes itself.

use anchor_lang::prelude::*;
#[cfg(target_os = "solana")]
use solana_compiler_builtins as _;

pub mod constants;
pub mod errors;
pub mod events;
pub mod instructions;
#[cfg(not(feature = "no-entrypoint"))]
mod security;
pub mod state;
pub mod token;

use instructions::*;

declare_id!("Gd64twpn3aFjXe2YVKmQSiFvBGiVPGkRgWGyGiHfMcmm");

/// The instructions. Each is one file under `instructions/`.
#[program]
pub mod millrace {
    use super::*;

    // Providers

    /// Opens a provider account and its vault. Signed by its cold key.
    pub fn register_provider(ctx: Context<RegisterProvider>, args: RegisterProviderArgs) -> Result<()> {
        RegisterProvider::handle(ctx, args)
    }
}
