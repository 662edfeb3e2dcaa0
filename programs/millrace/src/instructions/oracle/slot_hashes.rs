//! The SlotHashes sysvar, read in place: 20 KiB are too much to copy.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;

/// Address of the sysvar.
pub const SLOT_HASHES_ID: Pubkey = pubkey!("SysvarS1otHashes111111111111111111111111111");
/// Bytes of the count in front.
const COUNT_LEN: usize = 8;
/// Bytes of an entry: slot and hash.
const ENTRY_LEN: usize = 40;

/// The hashes of the last slots that have one, newest first; a skipped slot has none.
pub(crate) struct SlotHashes<'a> {
    entries: &'a [[u8; ENTRY_LEN]],
}

impl<'a> SlotHashes<'a> {
    /// Reads the sysvar's data. The caller has checked the account's address.
    ///
    /// # Errors
    /// [`MillraceError::WrongAccount`] when the data has another shape.
    pub fn new(data: &'a [u8]) -> Result<Self> {
        let (count, entries) = data.split_at_checked(COUNT_LEN).ok_or(MillraceError::WrongAccount)?;
        let count = count.try_into().map(u64::from_le_bytes).ok().and_then(|count| usize::try_from(count).ok());
        let (entries, _) = entries.as_chunks::<ENTRY_LEN>();
        let entries = count.and_then(|count| entries.get(..count)).ok_or(MillraceError::WrongAccount)?;
        Ok(Self { entries })
    }

    /// The hash of the newest slot.
    ///
    /// # Errors
    /// [`MillraceError::WrongAccount`] when there is none.
    pub fn newest_hash(&self) -> Result<&'a [u8]> {
        Ok(hash_of(self.entries.first().ok_or(MillraceError::WrongAccount)?))
    }

    /// Whether `slot`, or the first present after it, can no longer be told: older hashes were dropped.
    pub fn has_dropped(&self, slot: u64) -> bool {
        self.entries.last().is_some_and(|oldest| slot_of(oldest) > slot)
    }

    /// The hash of `slot` or of the next one present, the same whoever asks and whenever.
    ///
    /// # Errors
    /// [`MillraceError::BeaconTooEarly`] before such a slot passed, [`MillraceError::BeaconMissed`] when it was
    /// dropped.
    pub fn at_or_after(&self, slot: u64) -> Result<&'a [u8]> {
        require!(!self.has_dropped(slot), MillraceError::BeaconMissed);
        let not_older = self.entries.partition_point(|entry| slot_of(entry) >= slot);
        let nearest = not_older.checked_sub(1).and_then(|at| self.entries.get(at));
        Ok(hash_of(nearest.ok_or(MillraceError::BeaconTooEarly)?))
    }
}

fn slot_of(entry: &[u8; ENTRY_LEN]) -> u64 {
    let (slot, _) = entry.as_chunks::<8>();
    slot.first().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn hash_of(entry: &[u8; ENTRY_LEN]) -> &[u8] {
    &entry[8..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sysvar(slots: &[u64]) -> Vec<u8> {
        let mut data = (slots.len() as u64).to_le_bytes().to_vec();
        for slot in slots {
            data.extend_from_slice(&slot.to_le_bytes());
            data.extend_from_slice(&[*slot as u8; 32]);
        }
        data
    }

    fn at_or_after(slots: &[u64], slot: u64) -> Result<u8> {
        let data = sysvar(slots);
        let hash = SlotHashes::new(&data)?.at_or_after(slot)?.to_vec();
        Ok(hash[0])
    }

    #[test]
    fn a_skipped_slot_yields_the_next_present() {
        let slots = [20, 19, 16, 15, 12];
        assert_eq!(at_or_after(&slots, 16).unwrap(), 16);
        assert_eq!(at_or_after(&slots, 17).unwrap(), 19);
        assert_eq!(at_or_after(&slots, 20).unwrap(), 20);
        assert_eq!(at_or_after(&slots, 12).unwrap(), 12);
    }

    #[test]
    fn a_slot_that_has_not_passed_or_was_dropped_is_refused() {
        assert_eq!(at_or_after(&[20, 19], 21).unwrap_err(), MillraceError::BeaconTooEarly.into());
        assert_eq!(at_or_after(&[], 21).unwrap_err(), MillraceError::BeaconTooEarly.into());
        assert_eq!(at_or_after(&[20, 19], 18).unwrap_err(), MillraceError::BeaconMissed.into());
    }

    #[test]
    fn data_of_another_shape_is_refused() {
        let data = sysvar(&[3, 2, 1]);
        assert!(SlotHashes::new(&data[..data.len() - 1]).is_err());
        assert!(SlotHashes::new(&data[..7]).is_err());
    }
}
