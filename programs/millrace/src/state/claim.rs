//! A payment out of a provider's bond that waits until every fraud it could hide is judged.
//!
//! A bond paid at once to a customer of one's own would be a way around unbonding.

use anchor_lang::prelude::*;

use super::Provider;
use crate::errors::MillraceError;

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

impl Claim {
    /// Takes what is paid for it out of what `payer` keeps for claims: less than its amount where a slash came first.
    ///
    /// # Errors
    /// [`MillraceError::ClaimNotMature`], [`MillraceError::InvariantBroken`].
    pub fn pay(&self, payer: &mut Provider, now: i64) -> Result<u64> {
        require!(now >= self.matures_at, MillraceError::ClaimNotMature);
        let amount = self.amount.min(payer.claims);
        payer.claims = payer.claims.saturating_sub(amount);
        payer.open_claims = payer.open_claims.checked_sub(1).ok_or(MillraceError::InvariantBroken)?;
        Ok(amount)
    }
}

/// Counts a claim on another's bond that will be paid to `provider`.
///
/// # Errors
/// [`MillraceError::MathOverflow`].
pub fn expect_by_provider(provider: &mut Provider) -> Result<()> {
    provider.claims_due = provider.claims_due.checked_add(1).ok_or(MillraceError::MathOverflow)?;
    Ok(())
}

/// Books a claim on another's bond, paid to `provider` with `amount`: it is income.
///
/// # Errors
/// [`MillraceError::MathOverflow`], [`MillraceError::InvariantBroken`].
pub fn receive_by_provider(provider: &mut Provider, amount: u64) -> Result<()> {
    provider.claims_due = provider.claims_due.checked_sub(1).ok_or(MillraceError::InvariantBroken)?;
    provider.earned = provider.earned.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;

    #[test]
    fn a_claim_pays_what_a_slash_left_and_never_more() {
        let claim = Claim { amount: 100, matures_at: 50, ..Claim::zeroed() };
        let with = |claims| Provider { claims, open_claims: 2, ..Provider::zeroed() };
        for (kept, paid, left) in [(150, 100, 50), (100, 100, 0), (30, 30, 0), (0, 0, 0)] {
            let mut payer = with(kept);
            assert_eq!(claim.pay(&mut payer, 50).unwrap(), paid);
            assert_eq!((payer.claims, payer.open_claims), (left, 1));
        }
        assert!(claim.pay(&mut with(150), 49).is_err(), "a second too early");
    }
}
