//! Events of providers and nodes.

use anchor_lang::prelude::*;

/// A provider registered.
#[event]
pub struct ProviderRegistered {
    /// Number among the provider's events.
    pub sequence: u64,
    /// The provider account.
    pub provider: Pubkey,
    /// Its cold key.
    pub authority: Pubkey,
    /// Its hot key.
    pub operator: Pubkey,
}
