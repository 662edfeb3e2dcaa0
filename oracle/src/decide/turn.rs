//! Whose report the oracles sign: the beacon names a proposer, and the next seat follows when it is silent.

use millrace_core::merkle::TreeNode;

/// The seat that proposes first: the beacon of the epoch modulo the seats, or the epoch's number where its beacon was
/// missed. `None` without seats.
pub fn first_proposer(epoch: u64, beacon: Option<&[u8; 32]>, seats: u8) -> Option<u8> {
    let seats = u64::from(seats);
    let chance = beacon.map_or(epoch, |hash| {
        let mut head = [0; 8];
        head.copy_from_slice(&hash[..8]);
        u64::from_le_bytes(head)
    });
    chance.checked_rem(seats).map(|seat| seat as u8)
}

/// How the vote on one epoch stands, seen from one seat that has not signed yet.
#[derive(Clone, Debug)]
pub struct Vote {
    /// Seat that proposes first.
    pub first: u8,
    /// Seats there are.
    pub seats: u8,
    /// Time since the epoch to be reported ended, by this oracle's clock, milliseconds.
    pub elapsed_millis: u64,
    /// Time a proposer has before the next may propose too, milliseconds.
    pub fallback_millis: u64,
    /// What other seats signed on chain for the epoch, with each seat's weight.
    pub signed: Vec<(u8, u64, TreeNode)>,
}

impl Vote {
    /// The seats whose proposal may be signed now, best first.
    ///
    /// A root others have signed comes before any other, the heaviest first: once a vote is cast, following it reaches
    /// quorum and anything else splits it. Then the proposers whose turn has come, in their order.
    pub fn candidates(&self) -> Vec<u8> {
        let weight_of = |root: &TreeNode| -> u128 {
            self.signed.iter().filter(|(_, _, signed)| signed == root).map(|(_, weight, _)| u128::from(*weight)).sum()
        };
        let mut voted: Vec<(u128, u8, u8)> =
            self.signed.iter().map(|(seat, _, root)| (weight_of(root), self.rank(*seat), *seat)).collect();
        voted.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut order: Vec<u8> = voted.into_iter().map(|(_, _, seat)| seat).collect();

        let mut due: Vec<u8> = (0..self.seats).filter(|seat| self.is_due(*seat)).collect();
        due.sort_unstable_by_key(|seat| self.rank(*seat));
        for seat in due {
            if !order.contains(&seat) {
                order.push(seat);
            }
        }
        order
    }

    /// Places between the first proposer and `seat`.
    fn rank(&self, seat: u8) -> u8 {
        let seats = u16::from(self.seats.max(1));
        ((u16::from(seat) + seats - u16::from(self.first) % seats) % seats) as u8
    }

    fn is_due(&self, seat: u8) -> bool {
        u64::from(self.rank(seat)).saturating_mul(self.fallback_millis) <= self.elapsed_millis
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(first: u8, elapsed_millis: u64) -> Vote {
        Vote { first, seats: 3, elapsed_millis, fallback_millis: 600, signed: Vec::new() }
    }

    #[test]
    fn the_beacon_names_the_proposer_and_a_missed_one_is_no_gap() {
        let mut hash = [0; 32];
        hash[0] = 7;
        assert_eq!(first_proposer(9, Some(&hash), 3), Some(1));
        assert_eq!(first_proposer(9, None, 3), Some(0));
        assert_eq!(first_proposer(9, None, 0), None);
    }

    #[test]
    fn the_next_seat_proposes_after_each_timeout() {
        assert_eq!(vote(2, 0).candidates(), [2]);
        assert_eq!(vote(2, 599).candidates(), [2]);
        assert_eq!(vote(2, 600).candidates(), [2, 0]);
        assert_eq!(vote(2, 1_200).candidates(), [2, 0, 1]);
        assert_eq!(vote(2, u64::MAX).candidates(), [2, 0, 1]);
    }

    #[test]
    fn a_root_someone_signed_comes_first() {
        let mut late = vote(0, 1_300);
        late.signed = vec![(2, 1, [9; 24])];
        assert_eq!(late.candidates(), [2, 0, 1]);
    }

    #[test]
    fn the_heaviest_root_comes_first() {
        let mut split = Vote { seats: 5, ..vote(0, 0) };
        split.signed = vec![(1, 1, [1; 24]), (3, 1, [3; 24]), (4, 1, [3; 24])];
        assert_eq!(split.candidates(), [3, 4, 1, 0]);
    }
}
