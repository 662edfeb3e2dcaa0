//! A payment out of a provider's bond that waits until every fraud it could hide is judged.
//!
//! A bond paid at once to a customer of one's own would be a way around unbonding.

use anchor_lang::prelude::*;

/// Who is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Beneficiary {
    /// A customer: the amount becomes its free money.
    Customer = 0,
    /// A provider: the amount becomes its earnings.
    Provider = 1,
}

/// Seeds: `claim`, the provider that pays, number. The amount lies in that provider's vault, in
/// [`super::Provider::claims`].
#[account(zero_copy)]
#[derive(Debug)]
pub struct Claim {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// A [`Beneficiary`].
    pub beneficiary_kind: u8,
    /// Zeros.
    pub padding: [u8; 1],
    /// Number under its provider.
    pub number: u32,
    /// Provider account that pays.
    pub provider: Pubkey,
    /// Customer or provider account that is paid.
    pub beneficiary: Pubkey,
    /// Lease or job it stems from.
    pub source: Pubkey,
    /// Base units.
    pub amount: u64,
    /// Instant from which anyone may have it paid.
    pub matures_at: i64,
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}
