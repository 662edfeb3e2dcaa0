//! What the oracles state of a node's memory and of its link, and the figures that follow. All are shown the same
//! statements, and so find the same figures.

use ed25519_dalek::{Signature, VerifyingKey};
use millrace_core::proof::bandwidth::Transfer;
use millrace_core::proof::statement::{quorum_figure, MemoryStatement};

use super::intake::ShareGiver;

/// How long a transfer counts, seconds: links change rarely, and measuring one takes up to 136 MB.
pub const TRANSFERS_LAST_SECS: u64 = 7 * 86_400;

/// A statement's bytes and its signature.
pub type Signed = (Vec<u8>, Vec<u8>);

/// What statements are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// This deployment.
    pub deployment_id: [u8; 32],
    /// The node.
    pub node: [u8; 32],
    /// `Commit::id` of the audit.
    pub commit_id: [u8; 32],
    /// Epoch of the audit.
    pub epoch: u64,
    /// Length of an epoch, seconds.
    pub epoch_secs: u64,
    /// All seats.
    pub seats: &'a [ShareGiver],
    /// See [`quorum_figure`].
    pub quorum_bps: u16,
}

/// Whether a transfer of epoch `of` still counts in `epoch`.
pub fn is_fresh(of: u64, epoch: u64, epoch_secs: u64) -> bool {
    of <= epoch.saturating_add(1) && epoch.saturating_sub(of).saturating_mul(epoch_secs) <= TRANSFERS_LAST_SECS
}

impl Expected<'_> {
    /// Memory of the GPU, MiB: what a quorum saw proven. What is no statement about it is passed over.
    pub fn memory(&self, statements: &[Signed]) -> u32 {
        let mut by_seat = vec![None; self.seats.len()];
        for signed in statements {
            let Some(stated) = MemoryStatement::from_bytes(&signed.0) else { continue };
            let is_this = (stated.deployment_id, stated.commit_id) == (self.deployment_id, self.commit_id);
            if let Some(seat) = is_this.then(|| self.seat_that_signed(&stated.oracle, signed)).flatten() {
                by_seat[seat].get_or_insert(stated.vram_mib);
            }
        }
        self.figure(by_seat)
    }

    /// Bandwidth of the node, Mbit/s: what a quorum measured in the slower direction. What is no statement about it, or
    /// too old, is passed over.
    pub fn bandwidth(&self, statements: &[Signed]) -> u32 {
        let mut by_seat = vec![[None; 2]; self.seats.len()];
        for signed in statements {
            let Ok(stated) = Transfer::from_bytes(&signed.0) else { continue };
            let is_this = (stated.deployment_id, stated.peer) == (self.deployment_id, self.node)
                && is_fresh(stated.epoch, self.epoch, self.epoch_secs);
            if let Some(seat) = is_this.then(|| self.seat_that_signed(&stated.measurer, signed)).flatten() {
                by_seat[seat][stated.direction as usize].get_or_insert(stated.mbps());
            }
        }
        let slower = |[from, to]: [Option<u32>; 2]| Some(from?.min(to?));
        self.figure(by_seat.into_iter().map(slower).collect())
    }

    fn seat_that_signed(&self, key: &[u8; 32], (message, signature): &Signed) -> Option<usize> {
        let seat = self.seats.iter().position(|seat| seat.authority == *key)?;
        let key = VerifyingKey::from_bytes(key).ok()?;
        key.verify_strict(message, &Signature::from_slice(signature).ok()?).ok().map(|()| seat)
    }

    fn figure(&self, by_seat: Vec<Option<u32>>) -> u32 {
        let total = self.seats.iter().fold(0u64, |sum, seat| sum.saturating_add(seat.weight));
        let stated = self.seats.iter().zip(by_seat).filter_map(|(seat, figure)| Some((seat.weight, figure?)));
        quorum_figure(&mut stated.collect::<Vec<_>>(), total, self.quorum_bps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};
    use millrace_core::proof::bandwidth::Direction;

    const NODE: [u8; 32] = [2; 32];
    const COMMIT: [u8; 32] = [3; 32];

    fn key(oracle: u8) -> SigningKey {
        SigningKey::from_bytes(&[100 + oracle; 32])
    }

    fn seats() -> Vec<ShareGiver> {
        (0..3).map(|i| ShareGiver { authority: key(i).verifying_key().to_bytes(), weight: 1 }).collect()
    }

    fn expected(seats: &[ShareGiver]) -> Expected<'_> {
        Expected {
            deployment_id: [1; 32],
            node: NODE,
            commit_id: COMMIT,
            epoch: 9,
            epoch_secs: 3_600,
            seats,
            quorum_bps: 6_000,
        }
    }

    fn sign(oracle: u8, bytes: &[u8]) -> Signed {
        (bytes.to_vec(), key(oracle).sign(bytes).to_bytes().to_vec())
    }

    fn transfer(oracle: u8, direction: Direction, mbps: u64) -> Transfer {
        Transfer {
            deployment_id: [1; 32],
            measurer: key(oracle).verifying_key().to_bytes(),
            peer: NODE,
            epoch: 9,
            direction,
            bytes: 8_000_000,
            nanos: 64_000_000_000 / mbps,
        }
    }

    /// What an oracle states of the link: Mbit/s from and to the node.
    fn both(oracle: u8, from: u64, to: u64) -> Vec<Signed> {
        let states = |direction, mbps| sign(oracle, &transfer(oracle, direction, mbps).to_bytes());
        vec![states(Direction::FromPeer, from), states(Direction::ToPeer, to)]
    }

    fn memory(oracle: u8, vram_mib: u32) -> MemoryStatement {
        let oracle = key(oracle).verifying_key().to_bytes();
        MemoryStatement { deployment_id: [1; 32], oracle, commit_id: COMMIT, vram_mib }
    }

    #[test]
    fn bandwidth_is_what_a_quorum_measured_in_the_slower_direction() {
        let seats = seats();
        let all = [both(0, 100, 40), both(1, 50, 500), both(2, 900, 80)].concat();
        assert_eq!(expected(&seats).bandwidth(&all), 50);
        assert_eq!(expected(&seats).bandwidth(&all[..4]), 40, "two of three are a quorum");
        assert_eq!(expected(&seats).bandwidth(&all[..3]), 0, "one direction is no measurement");
    }

    #[test]
    fn memory_is_what_a_quorum_saw_proven() {
        let seats = seats();
        let states = |oracle, mib| sign(oracle, &memory(oracle, mib).to_bytes());
        assert_eq!(expected(&seats).memory(&[states(0, 64), states(1, 0), states(2, 64)]), 64);
        assert_eq!(expected(&seats).memory(&[states(0, 64), states(1, 0), states(2, 0)]), 0);
        assert_eq!(expected(&seats).memory(&[states(0, 64), states(0, 64)]), 0, "one oracle counts once");
    }

    #[test]
    fn what_is_not_stated_by_a_seat_about_this_audit_is_passed_over_and_harms_nothing() {
        let seats = seats();
        let honest = memory(1, 64);
        let stranger = MemoryStatement { oracle: key(7).verifying_key().to_bytes(), ..honest };
        let bad = [
            sign(0, &honest.to_bytes()),
            sign(7, &stranger.to_bytes()),
            sign(1, &MemoryStatement { commit_id: [9; 32], ..honest }.to_bytes()),
            sign(1, &MemoryStatement { deployment_id: [9; 32], ..honest }.to_bytes()),
            sign(1, b"garbage"),
            (vec![], vec![]),
        ];
        let with = |more: &[Signed]| [&[sign(0, &memory(0, 64).to_bytes())][..], &bad, more].concat();
        assert_eq!(expected(&seats).memory(&with(&[])), 0);
        assert_eq!(expected(&seats).memory(&with(&[sign(1, &honest.to_bytes())])), 64);

        let honest = transfer(1, Direction::FromPeer, 50);
        let bad = [
            sign(0, &honest.to_bytes()),
            sign(1, &Transfer { peer: [9; 32], ..honest }.to_bytes()),
            sign(1, &Transfer { deployment_id: [9; 32], ..honest }.to_bytes()),
            sign(1, &Transfer { epoch: 11, ..honest }.to_bytes()),
        ];
        let with = |more: Vec<Signed>| [both(0, 100, 40), bad.to_vec(), more].concat();
        assert_eq!(expected(&seats).bandwidth(&with(vec![])), 0);
        assert_eq!(expected(&seats).bandwidth(&with(both(1, 50, 500))), 40);
    }

    #[test]
    fn a_transfer_counts_for_a_week() {
        let seats = seats();
        let all = [both(0, 100, 40), both(1, 50, 500)].concat();
        let at = |epoch| Expected { epoch, ..expected(&seats) }.bandwidth(&all);
        // The oracle that measured may be an epoch ahead.
        assert_eq!((at(7), at(8), at(9), at(9 + 168), at(9 + 169)), (0, 40, 40, 40, 0));
    }
}
