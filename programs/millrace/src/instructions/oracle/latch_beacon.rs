//! Keeps the hash of the slot a beacon named.

use anchor_lang::prelude::*;

use super::slot_hashes::{SlotHashes, SLOT_HASHES_ID};
use crate::errors::MillraceError;
use crate::events::{emit, next, BeaconLatched};
use crate::state::Beacons;

/// Called by: anyone; the oracles do. Moves: nothing. Whoever calls, the hash is the same.
#[event_cpi]
#[derive(Accounts)]
pub struct LatchBeacon<'info> {
    /// The beacons. There is only one such account.
    #[account(mut)]
    pub beacons: AccountLoader<'info, Beacons>,
    /// CHECK: the SlotHashes sysvar, by its address.
    #[account(address = SLOT_HASHES_ID)]
    pub slot_hashes: UncheckedAccount<'info>,
}

impl LatchBeacon<'_> {
    /// Stores the hash of the named slot or of the next one present.
    pub fn handle(ctx: Context<Self>, epoch: u64) -> Result<()> {
        let accounts = &ctx.accounts;
        let event = {
            let slot_hashes = accounts.slot_hashes.try_borrow_data()?;
            let slot_hashes = SlotHashes::new(&slot_hashes)?;
            let mut beacons = accounts.beacons.load_mut()?;
            let sequence = next(&mut beacons.sequence);
            let beacon = beacons.opened_mut(epoch).ok_or(MillraceError::BeaconNotOpen)?;
            require!(!beacon.is_latched(), MillraceError::BeaconOpen);
            beacon.hash.copy_from_slice(slot_hashes.at_or_after(beacon.slot)?);
            BeaconLatched { sequence, epoch, slot: beacon.slot, hash: beacon.hash }
        };
        emit(&accounts.event_authority, &event)
    }
}
