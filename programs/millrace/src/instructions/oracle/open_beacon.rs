//! Names the slot whose hash will be the beacon of the current epoch.

use anchor_lang::prelude::*;

use super::slot_hashes::{SlotHashes, SLOT_HASHES_ID};
use crate::errors::MillraceError;
use crate::events::{emit, next, BeaconOpened};
use crate::state::{Beacons, Config};

/// Called by: anyone; the oracles do. Moves: nothing. The slot named lies ahead, so the caller chooses nothing.
#[event_cpi]
#[derive(Accounts)]
pub struct OpenBeacon<'info> {
    /// The deployment: tells the epoch. There is only one.
    pub config: AccountLoader<'info, Config>,
    /// The beacons. There is only one such account.
    #[account(mut)]
    pub beacons: AccountLoader<'info, Beacons>,
    /// CHECK: the SlotHashes sysvar, by its address.
    #[account(address = SLOT_HASHES_ID)]
    pub slot_hashes: UncheckedAccount<'info>,
}

impl OpenBeacon<'_> {
    fn validate(&self, epoch: u64, now: i64) -> Result<()> {
        require!(epoch == self.config.load()?.epoch_at(now)?, MillraceError::WrongEpoch);
        Ok(())
    }

    /// Opens the beacon of `epoch`, the current one, or opens it again when its slot was missed.
    pub fn handle(ctx: Context<Self>, epoch: u64) -> Result<()> {
        let clock = Clock::get()?;
        ctx.accounts.validate(epoch, clock.unix_timestamp)?;
        let accounts = &ctx.accounts;
        let event = {
            let slot_hashes = accounts.slot_hashes.try_borrow_data()?;
            let slot_hashes = SlotHashes::new(&slot_hashes)?;
            let mut beacons = accounts.beacons.load_mut()?;
            let slot = beacons.open(epoch, clock.slot, |named| slot_hashes.has_dropped(named))?;
            BeaconOpened { sequence: next(&mut beacons.sequence), epoch, slot }
        };
        emit(&accounts.event_authority, &event)
    }
}
