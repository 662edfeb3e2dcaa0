//! The bandwidth of a node: what the oracles that measured it state, and the one figure that follows.

use ed25519_dalek::{Signature, VerifyingKey};
use millrace_core::proof::bandwidth::{lower_median, Transfer, TransferError};

use super::intake::{is_quorum, ShareGiver};

/// How long a transfer counts, seconds: links change rarely, and measuring one takes up to 136 MB.
pub const TRANSFERS_LAST_SECS: u64 = 7 * 86_400;

/// What transfers are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// This deployment.
    pub deployment_id: [u8; 32],
    /// The node that was measured.
    pub node: [u8; 32],
    /// The current epoch.
    pub epoch: u64,
    /// Length of an epoch, seconds.
    pub epoch_secs: u64,
    /// All seats.
    pub seats: &'a [ShareGiver],
    /// Weight the measurers together must exceed: `weight × 10,000 > quorum_bps × total`.
    pub quorum_bps: u16,
    /// What this oracle stated: it must be among them, so that a node cannot leave out whom it is slow to.
    pub own: Option<[Transfer; 2]>,
}

/// Why transfers give no figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BandwidthRefusal {
    /// Not a transfer.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// Of another deployment or node.
    #[error("a transfer is of another deployment or node")]
    Other,
    /// Too old.
    #[error("a transfer is of epoch {epoch}, which is too long ago")]
    Old {
        /// Its epoch.
        epoch: u64,
    },
    /// Not by an oracle.
    #[error("a transfer is not signed by an oracle with a seat")]
    Signature,
    /// One direction twice, or only one.
    #[error("each oracle states both directions, each once")]
    Directions,
    /// This oracle's own are missing or others.
    #[error("what this oracle stated is not among the transfers")]
    OwnMissing,
    /// Too few oracles.
    #[error("the transfers are of oracles with {got} of {total} weight, which is no quorum; let more oracles measure")]
    NoQuorum {
        /// Weight of the measurers.
        got: u64,
        /// Weight of all seats.
        total: u64,
    },
}

/// Whether a transfer of `of` still counts in `epoch`.
pub fn is_fresh(of: u64, epoch: u64, epoch_secs: u64) -> bool {
    of <= epoch.saturating_add(1) && epoch.saturating_sub(of).saturating_mul(epoch_secs) <= TRANSFERS_LAST_SECS
}

/// The node's bandwidth, Mbit/s: the lower median over the oracles, of the slower direction each.
///
/// # Errors
/// [`BandwidthRefusal`].
pub fn figure(signed: &[(Vec<u8>, Vec<u8>)], expected: &Expected) -> Result<u32, BandwidthRefusal> {
    let mut by_seat = vec![[None; 2]; expected.seats.len()];
    for (bytes, signature) in signed {
        let transfer = Transfer::from_bytes(bytes)?;
        if (transfer.deployment_id, transfer.peer) != (expected.deployment_id, expected.node) {
            return Err(BandwidthRefusal::Other);
        }
        if !is_fresh(transfer.epoch, expected.epoch, expected.epoch_secs) {
            return Err(BandwidthRefusal::Old { epoch: transfer.epoch });
        }
        let seat = expected.seats.iter().position(|seat| seat.authority == transfer.measurer);
        let seat = seat.filter(|_| is_signed(&transfer.measurer, bytes, signature));
        let place = &mut by_seat[seat.ok_or(BandwidthRefusal::Signature)?][transfer.direction as usize];
        if place.replace(transfer).is_some() {
            return Err(BandwidthRefusal::Directions);
        }
    }
    let mut figures = vec![];
    let (mut got, mut total, mut has_own) = (0u64, 0u64, expected.own.is_none());
    for (seat, measured) in expected.seats.iter().zip(&by_seat) {
        total = total.saturating_add(seat.weight);
        match measured {
            [None, None] => {}
            [Some(from), Some(to)] => {
                figures.push(from.mbps().min(to.mbps()));
                got = got.saturating_add(seat.weight);
                has_own |= expected.own == Some([*from, *to]);
            }
            _ => return Err(BandwidthRefusal::Directions),
        }
    }
    if !has_own {
        return Err(BandwidthRefusal::OwnMissing);
    }
    if !is_quorum(got, total, expected.quorum_bps) {
        return Err(BandwidthRefusal::NoQuorum { got, total });
    }
    Ok(lower_median(&mut figures).unwrap_or(0))
}

fn is_signed(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let signature = Signature::from_slice(signature);
    let key = VerifyingKey::from_bytes(key);
    matches!((key, signature), (Ok(key), Ok(signature)) if key.verify_strict(message, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};
    use millrace_core::proof::bandwidth::Direction;

    const NODE: [u8; 32] = [2; 32];

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
            epoch: 9,
            epoch_secs: 3_600,
            seats,
            quorum_bps: 6_000,
            own: None,
        }
    }

    /// What an oracle states: Mbit/s in each direction.
    fn states(oracle: u8, from: u64, to: u64) -> [Transfer; 2] {
        let one = |direction, mbps: u64| Transfer {
            deployment_id: [1; 32],
            measurer: key(oracle).verifying_key().to_bytes(),
            peer: NODE,
            epoch: 9,
            direction,
            bytes: 8_000_000,
            nanos: 64_000_000_000 / mbps,
        };
        [one(Direction::FromPeer, from), one(Direction::ToPeer, to)]
    }

    fn sign(oracle: u8, transfer: Transfer) -> (Vec<u8>, Vec<u8>) {
        let bytes = transfer.to_bytes().to_vec();
        let signature = key(oracle).sign(&bytes).to_bytes().to_vec();
        (bytes, signature)
    }

    fn signed(all: &[(u8, [Transfer; 2])]) -> Vec<(Vec<u8>, Vec<u8>)> {
        all.iter().flat_map(|(oracle, both)| both.map(|transfer| sign(*oracle, transfer))).collect()
    }

    #[test]
    fn the_figure_is_the_lower_median_of_the_slower_directions() {
        let seats = seats();
        let two = [(0, states(0, 100, 40)), (1, states(1, 50, 500))];
        assert_eq!(figure(&signed(&two), &expected(&seats)), Ok(40));
        let three = [two[0], two[1], (2, states(2, 5_000, 80))];
        assert_eq!(figure(&signed(&three), &expected(&seats)), Ok(50));
    }

    #[test]
    fn a_quorum_must_have_measured_and_this_oracle_may_not_be_left_out() {
        let seats = seats();
        let one = signed(&[(0, states(0, 100, 40))]);
        assert_eq!(figure(&one, &expected(&seats)), Err(BandwidthRefusal::NoQuorum { got: 1, total: 3 }));
        let two = signed(&[(0, states(0, 100, 40)), (1, states(1, 50, 500))]);
        let own = Expected { own: Some(states(2, 3, 3)), ..expected(&seats) };
        assert_eq!(figure(&two, &own), Err(BandwidthRefusal::OwnMissing));
        let own = Expected { own: Some(states(1, 50, 500)), ..expected(&seats) };
        assert_eq!(figure(&two, &own), Ok(40));
        let older = Expected { own: Some(states(1, 10, 500)), ..expected(&seats) };
        assert_eq!(figure(&two, &older), Err(BandwidthRefusal::OwnMissing));
    }

    #[test]
    fn what_is_not_stated_by_a_seat_about_this_node_is_refused() {
        let seats = seats();
        let with = |changed: (Vec<u8>, Vec<u8>)| {
            let mut all = signed(&[(0, states(0, 100, 40)), (1, states(1, 50, 500))]);
            all[0] = changed;
            figure(&all, &expected(&seats))
        };
        let honest = states(0, 100, 40)[0];
        assert_eq!(with(sign(0, honest)), Ok(40));
        assert_eq!(with(sign(1, honest)), Err(BandwidthRefusal::Signature), "another's signature");
        let stranger = Transfer { measurer: key(7).verifying_key().to_bytes(), ..honest };
        assert_eq!(with(sign(7, stranger)), Err(BandwidthRefusal::Signature));
        assert_eq!(with(sign(0, Transfer { peer: [9; 32], ..honest })), Err(BandwidthRefusal::Other));
        assert_eq!(with(sign(0, Transfer { deployment_id: [9; 32], ..honest })), Err(BandwidthRefusal::Other));
        let other_way = Transfer { direction: Direction::ToPeer, ..honest };
        assert_eq!(with(sign(0, other_way)), Err(BandwidthRefusal::Directions), "one direction twice");
        assert!(matches!(with((vec![], vec![])), Err(BandwidthRefusal::Transfer(_))));
        let one_way = [signed(&[(0, states(0, 100, 40))])[..1].to_vec(), signed(&[(1, states(1, 50, 500))])].concat();
        assert_eq!(figure(&one_way, &expected(&seats)), Err(BandwidthRefusal::Directions));
    }

    #[test]
    fn a_transfer_counts_for_a_week() {
        let seats = seats();
        let all = signed(&[(0, states(0, 100, 40)), (1, states(1, 50, 500))]);
        let at = |epoch| figure(&all, &Expected { epoch, ..expected(&seats) });
        // The oracle that measured may be an epoch ahead.
        assert_eq!((at(8), at(9), at(9 + 168)), (Ok(40), Ok(40), Ok(40)));
        assert_eq!(
            (at(7), at(9 + 169)),
            (Err(BandwidthRefusal::Old { epoch: 9 }), Err(BandwidthRefusal::Old { epoch: 9 }))
        );
    }
}
