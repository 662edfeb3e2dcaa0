//! Accepts the result of a lease before its dispute window is over.

use anchor_lang::prelude::*;

use super::CloseLease;
use crate::errors::MillraceError;

impl CloseLease<'_> {
    /// Called by: the customer's authority, on any ended lease. Moves: as [`CloseLease`], at once.
    pub fn accept(ctx: Context<Self>) -> Result<()> {
        let caller = ctx.accounts.caller.key();
        ctx.accounts.pay_out(true, |_, customer| {
            require_keys_eq!(caller, customer.authority, MillraceError::WrongAuthority);
            Ok(())
        })
    }
}
