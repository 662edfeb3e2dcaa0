//! Accepts the result of a lease before its dispute window is over.

use anchor_lang::prelude::*;

use super::CloseLease;
use crate::errors::MillraceError;

impl CloseLease<'_> {
    /// Called by: the customer's authority, on any ended lease but one whose node failed a Guaranteed job: others have
    /// claims on its bond until its dispute window is over. Moves: as [`CloseLease`], at once.
    pub fn accept(ctx: Context<Self>) -> Result<()> {
        let caller = ctx.accounts.caller.key();
        ctx.accounts.pay_out(true, |lease, customer| {
            require_keys_eq!(caller, customer.authority, MillraceError::WrongAuthority);
            require!(!lease.is_failed_member(), MillraceError::CannotAccept);
            Ok(())
        })
    }
}
