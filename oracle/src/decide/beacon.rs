//! When to open and when to latch an epoch's beacon.
//!
//! Every oracle may do both; the first transaction wins and the others find it done. A stagger by seat, rotated each
//! epoch, keeps most epochs to one transaction of each kind.

use millrace::state::Beacon;

/// Slots a hash stays in SlotHashes: a beacon not latched by then must be opened again.
const SLOT_HASHES: u64 = 512;

/// What the beacon of an epoch needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeaconStep {
    /// Nobody opened it.
    Open,
    /// The slot it names has passed.
    Latch,
    /// The slot it names has not passed.
    Wait,
    /// It is latched.
    Done,
}

/// What the beacon of `epoch` needs at `slot`, given what lies at its place of the ring.
pub fn step(epoch: u64, place: &Beacon, slot: u64) -> BeaconStep {
    if place.epoch != epoch || place.slot == 0 {
        return BeaconStep::Open;
    }
    if place.is_latched() {
        return BeaconStep::Done;
    }
    match slot {
        slot if slot <= place.slot => BeaconStep::Wait,
        slot if slot - place.slot >= SLOT_HASHES => BeaconStep::Open,
        _ => BeaconStep::Latch,
    }
}

/// How long seat `seat` of `count` leaves a step of `epoch` to the seats before it, milliseconds.
pub fn stagger_millis(seat: u8, count: u8, epoch: u64, each_millis: u64) -> u64 {
    let count = u64::from(count.max(1));
    (u64::from(seat) + epoch % count) % count * each_millis
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(epoch: u64, slot: u64, hash: u8) -> Beacon {
        Beacon { epoch, slot, hash: [hash; 32] }
    }

    #[test]
    fn a_beacon_is_opened_awaited_latched_and_left_alone() {
        assert_eq!(step(5, &place(0, 0, 0), 100), BeaconStep::Open);
        assert_eq!(step(0, &place(0, 0, 0), 100), BeaconStep::Open, "an unused place is not epoch 0's beacon");
        assert_eq!(step(1_029, &place(5, 90, 7), 100), BeaconStep::Open, "the place still holds an older epoch");
        assert_eq!(step(5, &place(5, 108, 0), 108), BeaconStep::Wait);
        assert_eq!(step(5, &place(5, 108, 0), 109), BeaconStep::Latch);
        assert_eq!(step(5, &place(5, 108, 7), 109), BeaconStep::Done);
    }

    #[test]
    fn a_beacon_whose_slot_is_forgotten_is_opened_again() {
        assert_eq!(step(5, &place(5, 100, 0), 611), BeaconStep::Latch);
        assert_eq!(step(5, &place(5, 100, 0), 612), BeaconStep::Open);
        assert_eq!(step(5, &place(5, 100, 7), 10_000), BeaconStep::Done);
    }

    #[test]
    fn each_seat_is_first_in_some_epoch_and_no_two_at_once() {
        for epoch in 0..3 {
            let mut waits: Vec<u64> = (0..3).map(|seat| stagger_millis(seat, 3, epoch, 100)).collect();
            waits.sort_unstable();
            assert_eq!(waits, [0, 100, 200]);
        }
        assert_eq!(stagger_millis(2, 3, 1, 100), 0);
        assert_eq!(stagger_millis(0, 0, 9, 100), 0, "no seats is no reason to panic");
    }
}
