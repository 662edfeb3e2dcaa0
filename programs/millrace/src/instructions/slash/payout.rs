//! Where slashed stake goes: the bounty, if it can be paid, and the fire.

use anchor_lang::prelude::*;
use millrace_core::slash::{split_slash, SlashSplit};

use super::bounty::can_receive;
use crate::errors::MillraceError;
use crate::state::Config;
use crate::token;

/// The accounts of a payout.
pub(super) struct Payout<'a, 'info> {
    /// What was slashed lies here.
    pub(super) vault: &'a AccountInfo<'info>,
    /// Owner of the vault: an account of this program.
    pub(super) owner: &'a AccountInfo<'info>,
    /// Who proved it, perhaps unable to receive.
    pub(super) bounty_account: &'a AccountInfo<'info>,
    /// The MILL mint.
    pub(super) mint: &'a AccountInfo<'info>,
    /// Its token program.
    pub(super) token_program: &'a AccountInfo<'info>,
}

impl Payout<'_, '_> {
    /// Sends the bounty and burns the rest of `taken`, signed by the seeds of the vault's owner. A bounty that cannot
    /// be received burns too.
    ///
    /// # Errors
    /// The token program's, and those of [`Config::record_burn`].
    pub(super) fn send(&self, config: &AccountLoader<Config>, taken: u64, seeds: &[&[&[u8]]]) -> Result<SlashSplit> {
        let bounty_bps = config.load()?.params.bounty_bps;
        let is_payable = self.bounty_account.key != self.vault.key
            && can_receive(self.bounty_account, self.mint.key, self.token_program.key);
        let split = split_slash(taken, if is_payable { bounty_bps } else { 0 }).ok_or(MillraceError::MathOverflow)?;
        let Self { vault, owner, bounty_account, mint, token_program } = self;
        if split.bounty_amount > 0 {
            token::transfer(token_program, vault, mint, bounty_account, owner, seeds, split.bounty_amount)?;
        }
        if split.burn_amount > 0 {
            token::burn(token_program, vault, mint, owner, seeds, split.burn_amount)?;
            config.load_mut()?.record_burn(split.burn_amount)?;
        }
        Ok(split)
    }
}
