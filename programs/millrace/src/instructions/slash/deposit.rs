//! The deposit of a case: lamports on the case account itself, beside its rent.

use anchor_lang::prelude::*;

/// Sends `lamports` of the case to `to` and returns what was sent: nothing when that would leave `to` below its own
/// rent, since the runtime would then refuse the whole transaction. What stays goes with the rent when the case closes.
///
/// # Errors
/// The runtime's.
pub(super) fn pay_out(case: &AccountInfo, to: &AccountInfo, lamports: u64) -> Result<u64> {
    let least = Rent::get()?.minimum_balance(to.data_len());
    if to.lamports().saturating_add(lamports) < least {
        return Ok(0);
    }
    case.sub_lamports(lamports)?;
    to.add_lamports(lamports)?;
    Ok(lamports)
}
