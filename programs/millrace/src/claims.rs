//! Opening a claim on a provider's bond: the one way by which anyone is paid out of stake.

use anchor_lang::prelude::*;

use crate::constants::{ACCOUNT_VERSION, CLAIM_SEED};
use crate::create;
use crate::errors::MillraceError;
use crate::state::{space, Beneficiary, Claim, Provider};

/// Whom a claim pays, and for what.
pub struct ClaimTo {
    /// Kind of the account paid.
    pub kind: Beneficiary,
    /// The account paid.
    pub key: Pubkey,
    /// Lease or job it stems from.
    pub source: Pubkey,
}

/// Turns `amount` of the free stake of `provider` (at `provider_key`) into a claim, in a new account that `payer` pays
/// for. Callers unlock the bond before and count the claim at its beneficiary.
///
/// # Errors
/// [`MillraceError::WrongAccount`] when `account` is not the provider's next claim, and those of
/// [`Provider::open_claim`].
pub fn open<'info>(
    payer: &AccountInfo<'info>,
    account: &AccountInfo<'info>,
    (provider_key, provider): (&Pubkey, &mut Provider),
    to: &ClaimTo,
    amount: u64,
    matures_at: i64,
) -> Result<()> {
    let number = provider.open_claim(amount)?;
    let seeds = [CLAIM_SEED, provider_key.as_ref(), &number.to_le_bytes()];
    let bump = create::create::<Claim>(payer, account, seeds, space::<Claim>())?;
    let mut claim = create::load_new::<Claim>(account)?;
    claim.version = ACCOUNT_VERSION;
    claim.bump = bump;
    claim.beneficiary_kind = to.kind as u8;
    claim.number = number;
    claim.provider = *provider_key;
    claim.beneficiary = to.key;
    claim.source = to.source;
    claim.amount = amount;
    claim.matures_at = matures_at;
    claim.rent_payer = *payer.key;
    Ok(())
}

/// Whether `account` is where the next claim on the provider at `provider_key` would be opened: for callers that may
/// come to open none.
///
/// # Errors
/// [`MillraceError::WrongAccount`].
pub fn require_next(account: &Pubkey, provider_key: &Pubkey, provider: &Provider) -> Result<()> {
    let seeds = [CLAIM_SEED, provider_key.as_ref(), &provider.next_claim.to_le_bytes()];
    let (address, _) = Pubkey::find_program_address(&seeds, &crate::ID);
    require_keys_eq!(*account, address, MillraceError::WrongAccount);
    Ok(())
}
