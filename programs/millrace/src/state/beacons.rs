//! Randomness no one chooses: a slot hash latched once an epoch.

use anchor_lang::prelude::*;

use crate::constants::{ACCOUNT_VERSION, BEACON_RING, BEACON_SLOTS_AHEAD};
use crate::errors::MillraceError;
use crate::events::next;

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
    /// Bytes of the full account, discriminator included.
    pub const SPACE: usize = super::space::<Self>();

    /// Opens the beacon of `epoch` and returns the slot it names. One already open is opened again only when its
    /// slot `was_missed`.
    ///
    /// # Errors
    /// [`MillraceError::BeaconOpen`].
    pub fn open(&mut self, epoch: u64, slot_now: u64, was_missed: impl Fn(u64) -> bool) -> Result<u64> {
        if let Some(beacon) = self.opened_mut(epoch) {
            require!(!beacon.is_latched() && was_missed(beacon.slot), MillraceError::BeaconOpen);
        }
        let slot = slot_now.checked_add(BEACON_SLOTS_AHEAD).ok_or(MillraceError::MathOverflow)?;
        let place = self.ring.get_mut(ring_place(epoch)).ok_or(MillraceError::InvariantBroken)?;
        *place = Beacon { epoch, slot, hash: [0; 32] };
        Ok(slot)
    }

    /// The beacon of `epoch`, open or latched.
    pub fn opened_mut(&mut self, epoch: u64) -> Option<&mut Beacon> {
        let place = self.ring.get_mut(ring_place(epoch))?;
        (place.epoch == epoch && place.slot > 0).then_some(place)
    }

    /// Writes discriminator and header into an account still too short to load.
    ///
    /// # Errors
    /// [`MillraceError::BeaconsTooSmall`].
    pub(crate) fn write_header(data: &mut [u8], bump: u8, rent_payer: &Pubkey) -> Result<()> {
        put(data, 0, Self::DISCRIMINATOR)?;
        put(data, const { 8 + std::mem::offset_of!(Self, version) }, &[ACCOUNT_VERSION])?;
        put(data, const { 8 + std::mem::offset_of!(Self, bump) }, &[bump])?;
        put(data, const { 8 + std::mem::offset_of!(Self, rent_payer) }, rent_payer.as_ref())
    }

    /// Counts an event of an account still too short to load.
    ///
    /// # Errors
    /// [`MillraceError::BeaconsTooSmall`].
    pub(crate) fn next_sequence(data: &mut [u8]) -> Result<u64> {
        const AT: usize = 8 + std::mem::offset_of!(Beacons, sequence);
        let bytes = data.get(AT..AT + 8).and_then(|bytes| bytes.try_into().ok());
        let mut sequence = u64::from_le_bytes(bytes.ok_or(MillraceError::BeaconsTooSmall)?);
        let number = next(&mut sequence);
        put(data, AT, &number.to_le_bytes())?;
        Ok(number)
    }

    /// The latched beacon of `epoch`, if it is in the ring.
    pub fn latched(&self, epoch: u64) -> Option<&Beacon> {
        let place = self.ring.get(ring_place(epoch))?;
        (place.epoch == epoch && place.slot > 0 && place.is_latched()).then_some(place)
    }
}

fn put(data: &mut [u8], at: usize, field: &[u8]) -> Result<()> {
    let place = data.get_mut(at..at.saturating_add(field.len())).ok_or(MillraceError::BeaconsTooSmall)?;
    place.copy_from_slice(field);
    Ok(())
}

/// Where an epoch's beacon lies.
pub fn ring_place(epoch: u64) -> usize {
    epoch.checked_rem(BEACON_RING as u64).map_or(0, |place| place as usize)
}
