//! Randomness no one chooses: a slot hash latched once an epoch.

use anchor_lang::prelude::*;

use crate::constants::BEACON_RING;

/// The beacon of one epoch.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct Beacon {
    /// Its epoch.
    pub epoch: u64,
    /// Slot named when it was opened; zero marks an unused place.
    pub slot: u64,
    /// Hash of that slot or of the next present; zeros until latched.
    pub hash: [u8; 32],
}

/// Seeds: `beacons`. An epoch's beacon lies at `epoch % 1,024`. 48 KiB, so it is grown in steps before use.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Beacons {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Zeros.
    pub padding: [u8; 6],
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// The ring.
    pub ring: [Beacon; BEACON_RING],
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

impl Beacon {
    /// Whether its hash is known.
    pub fn is_latched(&self) -> bool {
        self.hash != [0; 32]
    }
}

impl Beacons {
    /// The latched beacon of `epoch`, if it is in the ring.
    pub fn latched(&self, epoch: u64) -> Option<&Beacon> {
        let place = self.ring.get(ring_place(epoch))?;
        (place.epoch == epoch && place.slot > 0 && place.is_latched()).then_some(place)
    }
}

/// Where an epoch's beacon lies.
pub fn ring_place(epoch: u64) -> usize {
    (epoch % BEACON_RING as u64) as usize
}
