//! Grows the beacon account by one step: an account may grow 10,240 bytes a call.

use anchor_lang::prelude::*;
use anchor_lang::system_program::{transfer, Transfer};

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, BeaconsGrown};
use crate::state::Beacons;

/// Called by: anyone, who pays the rent of the step. Moves: lamports from the payer to the account.
#[event_cpi]
#[derive(Accounts)]
pub struct GrowBeacons<'info> {
    /// Pays the rent of the step.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// CHECK: the seeds prove it, the owner that `initialize` made it; too short to load as `Beacons` yet.
    #[account(mut, seeds = [BEACONS_SEED], bump, owner = crate::ID)]
    pub beacons: UncheckedAccount<'info>,
    /// Moves the rent.
    pub system_program: Program<'info, System>,
}

impl GrowBeacons<'_> {
    fn validate(&self) -> Result<()> {
        require!(self.beacons.data_len() < Beacons::SPACE, MillraceError::BeaconsFull);
        Ok(())
    }

    /// Pays the rent and grows the account; new bytes are zeros.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let accounts = &ctx.accounts;
        let len = accounts.beacons.data_len().saturating_add(MAX_GROWTH).min(Beacons::SPACE);
        let rent_due = Rent::get()?.minimum_balance(len).saturating_sub(accounts.beacons.lamports());
        let payment = Transfer { from: accounts.payer.to_account_info(), to: accounts.beacons.to_account_info() };
        transfer(CpiContext::new(System::id(), payment), rent_due)?;
        accounts.beacons.resize(len)?;
        let sequence = Beacons::next_sequence(&mut accounts.beacons.try_borrow_mut_data()?)?;
        emit(
            &accounts.event_authority,
            &BeaconsGrown {
                sequence,
                beacons: accounts.beacons.key(),
                len: len as u64,
                full_len: Beacons::SPACE as u64,
            },
        )
    }
}
