//! Whether a commit may be measured: everything about it but the computation itself.

use millrace_core::proof::statement::is_quorum;
use millrace_core::proof::{nonce, Commit};

/// Smallest n a GPU may be measured with; smaller computations are for class CPU.
pub const MIN_GPU_N: u32 = 4_096;

/// Slots before the one the next beacon names in which no commit is taken any more: what this oracle knows of the chain
/// may be that old, and whoever commits after the next beacon chooses the queries.
pub const SLOT_MARGIN: u64 = 2;

/// An oracle that may give shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareGiver {
    /// Its seat key.
    pub authority: [u8; 32],
    /// Its weight.
    pub weight: u64,
}

/// What this oracle knows when a commit arrives.
#[derive(Clone, Debug)]
pub struct Intake<'a> {
    /// This deployment.
    pub deployment_id: [u8; 32],
    /// The beacon of the commit's epoch, if latched.
    pub beacon: Option<[u8; 32]>,
    /// Slot the beacon of the next epoch names; `None` while nobody opened it.
    pub next_beacon_slot: Option<u64>,
    /// The chain's slot.
    pub slot: u64,
    /// Whether the node is of class GPU.
    pub is_gpu: bool,
    /// GPUs of the node.
    pub gpu_count: u16,
    /// The key that signs for the node in the commit's epoch.
    pub operator: [u8; 32],
    /// The key that signed the request.
    pub signer: [u8; 32],
    /// The share this oracle gave for this node, GPU and epoch.
    pub own_share: Option<[u8; 16]>,
    /// Who may give shares.
    pub givers: Givers<'a>,
}

/// Why a commit is not measured. Nothing follows for the node: it was not audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitRefusal {
    /// Asked for by someone else.
    #[error("the request is not signed by the node's operator; sign with the operator key registered on chain")]
    WrongOperator,
    /// Of another deployment.
    #[error("the commit is of another deployment; read deployment_id from Config")]
    WrongDeployment,
    /// Its beacon is not the epoch's.
    #[error("the commit's beacon is not the one latched for its epoch; read it from Beacons")]
    WrongBeacon,
    /// A GPU the node does not have.
    #[error("the node has {gpu_count} GPUs, there is no index {gpu_index}")]
    NoSuchGpu {
        /// GPUs there are.
        gpu_count: u16,
        /// The index named.
        gpu_index: u32,
    },
    /// Too small for a GPU.
    #[error("n is {0}; a GPU is measured with n of at least {MIN_GPU_N}")]
    TooSmall(u32),
    /// No share was given here.
    #[error("this oracle gave no share for this node, GPU and epoch; ask for it before the run")]
    NoShare,
    /// The list of shares has a stranger, or one oracle twice.
    #[error("the shares are not of distinct oracles with a seat, in seat order")]
    BadShares,
    /// This oracle's share is missing or altered.
    #[error("this oracle's share is not among the shares as it was given")]
    OwnShareMissing,
    /// Too few oracles took part.
    #[error("the shares are of oracles with {got} of {total} weight, which is no quorum; ask more oracles")]
    NoQuorum {
        /// Weight of the givers.
        got: u64,
        /// Weight of all seats.
        total: u64,
    },
    /// The nonce is not made of the shares.
    #[error("the nonce is not the sha256 of the shares in seat order")]
    WrongNonce,
    /// The next beacon is out or about to be.
    #[error("it is too late: the beacon of the next epoch is about to be known; start earlier or run fewer rounds")]
    TooLate,
}

/// Checks a commit and the shares its nonce should be made of.
///
/// # Errors
/// [`CommitRefusal`].
pub fn check(commit: &Commit, shares: &[([u8; 32], [u8; 16])], known: &Intake) -> Result<(), CommitRefusal> {
    if known.signer != known.operator {
        return Err(CommitRefusal::WrongOperator);
    }
    if commit.deployment_id != known.deployment_id {
        return Err(CommitRefusal::WrongDeployment);
    }
    if known.beacon != Some(commit.beacon) {
        return Err(CommitRefusal::WrongBeacon);
    }
    if commit.gpu_index >= u32::from(known.gpu_count) {
        return Err(CommitRefusal::NoSuchGpu { gpu_count: known.gpu_count, gpu_index: commit.gpu_index });
    }
    if known.is_gpu && commit.n < MIN_GPU_N {
        return Err(CommitRefusal::TooSmall(commit.n));
    }
    let own_share = known.own_share.ok_or(CommitRefusal::NoShare)?;
    check_shares(&commit.nonce, shares, own_share, &known.givers)?;
    match is_late(known.slot, known.next_beacon_slot) {
        true => Err(CommitRefusal::TooLate),
        false => Ok(()),
    }
}

/// Whether the next beacon is out or about to be, in `slot`: what it asks for must be committed to before.
pub fn is_late(slot: u64, next_beacon_slot: Option<u64>) -> bool {
    next_beacon_slot.is_some_and(|named| slot.saturating_add(SLOT_MARGIN) >= named)
}

/// Who may give shares.
#[derive(Clone, Copy, Debug)]
pub struct Givers<'a> {
    /// This oracle's seat key.
    pub me: [u8; 32],
    /// All seats, in seat order.
    pub seats: &'a [ShareGiver],
    /// Weight the givers together must exceed: `weight × 10,000 > quorum_bps × total`.
    pub quorum_bps: u16,
}

/// Checks that a nonce is made of these shares: of a quorum of distinct seats in order, this oracle's among them.
///
/// # Errors
/// [`CommitRefusal`].
pub fn check_shares(
    expected: &[u8; 32],
    shares: &[([u8; 32], [u8; 16])],
    own_share: [u8; 16],
    known: &Givers,
) -> Result<(), CommitRefusal> {
    let seat_of = |oracle: &[u8; 32]| known.seats.iter().position(|seat| seat.authority == *oracle);
    let mut last_seat = None;
    let mut weight = 0u64;
    for (oracle, _) in shares {
        let seat = seat_of(oracle).ok_or(CommitRefusal::BadShares)?;
        if last_seat.is_some_and(|last| seat <= last) {
            return Err(CommitRefusal::BadShares);
        }
        last_seat = Some(seat);
        weight = weight.saturating_add(known.seats[seat].weight);
    }
    if !shares.contains(&(known.me, own_share)) {
        return Err(CommitRefusal::OwnShareMissing);
    }
    let total = known.seats.iter().fold(0u64, |sum, seat| sum.saturating_add(seat.weight));
    if !is_quorum(weight, total, known.quorum_bps) {
        return Err(CommitRefusal::NoQuorum { got: weight, total });
    }
    let in_order: Vec<[u8; 16]> = shares.iter().map(|(_, share)| *share).collect();
    match nonce(&in_order) == *expected {
        true => Ok(()),
        false => Err(CommitRefusal::WrongNonce),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: [u8; 32] = [2; 32];
    const SHARE: [u8; 16] = [22; 16];
    const SEATS: [ShareGiver; 3] = [
        ShareGiver { authority: [1; 32], weight: 1 },
        ShareGiver { authority: ME, weight: 1 },
        ShareGiver { authority: [3; 32], weight: 1 },
    ];

    fn shares() -> Vec<([u8; 32], [u8; 16])> {
        vec![([1; 32], [11; 16]), (ME, SHARE)]
    }

    fn nonce_of(shares: &[([u8; 32], [u8; 16])]) -> [u8; 32] {
        nonce(&shares.iter().map(|(_, share)| *share).collect::<Vec<_>>())
    }

    fn commit() -> Commit {
        Commit {
            deployment_id: [5; 32],
            node: [6; 32],
            gpu_index: 0,
            epoch: 9,
            beacon: [7; 32],
            nonce: nonce_of(&shares()),
            n: 256,
            rounds: 2,
            super_root: [8; 24],
        }
    }

    fn known() -> Intake<'static> {
        Intake {
            deployment_id: [5; 32],
            beacon: Some([7; 32]),
            next_beacon_slot: None,
            slot: 100,
            is_gpu: false,
            gpu_count: 1,
            operator: [4; 32],
            signer: [4; 32],
            own_share: Some(SHARE),
            givers: Givers { me: ME, seats: &SEATS, quorum_bps: 6_000 },
        }
    }

    fn refusal(commit: &Commit, shares: &[([u8; 32], [u8; 16])], known: &Intake) -> CommitRefusal {
        check(commit, shares, known).unwrap_err()
    }

    #[test]
    fn an_honest_commit_is_taken() {
        assert_eq!(check(&commit(), &shares(), &known()), Ok(()));
        let all = vec![([1; 32], [11; 16]), (ME, SHARE), ([3; 32], [33; 16])];
        assert_eq!(check(&Commit { nonce: nonce_of(&all), ..commit() }, &all, &known()), Ok(()));
    }

    #[test]
    fn another_nodes_operator_is_refused() {
        assert_eq!(refusal(&commit(), &shares(), &Intake { signer: [9; 32], ..known() }), CommitRefusal::WrongOperator);
    }

    #[test]
    fn a_commit_of_another_deployment_epoch_or_gpu_is_refused() {
        let foreign = Commit { deployment_id: [1; 32], ..commit() };
        assert_eq!(refusal(&foreign, &shares(), &known()), CommitRefusal::WrongDeployment);
        let stale = Intake { beacon: Some([1; 32]), ..known() };
        assert_eq!(refusal(&commit(), &shares(), &stale), CommitRefusal::WrongBeacon);
        let early = Intake { beacon: None, ..known() };
        assert_eq!(refusal(&commit(), &shares(), &early), CommitRefusal::WrongBeacon);
        let invented = Commit { gpu_index: 1, ..commit() };
        assert!(matches!(refusal(&invented, &shares(), &known()), CommitRefusal::NoSuchGpu { .. }));
    }

    #[test]
    fn a_gpu_is_not_measured_with_a_toy() {
        assert_eq!(refusal(&commit(), &shares(), &Intake { is_gpu: true, ..known() }), CommitRefusal::TooSmall(256));
    }

    #[test]
    fn a_nonce_without_this_oracles_share_is_refused() {
        let others = vec![([1; 32], [11; 16]), ([3; 32], [33; 16])];
        let without = Commit { nonce: nonce_of(&others), ..commit() };
        assert_eq!(refusal(&without, &others, &known()), CommitRefusal::OwnShareMissing);
        assert_eq!(refusal(&commit(), &shares(), &Intake { own_share: None, ..known() }), CommitRefusal::NoShare);
        let old = Intake { own_share: Some([0; 16]), ..known() };
        assert_eq!(refusal(&commit(), &shares(), &old), CommitRefusal::OwnShareMissing);
        // Listed, but not what the nonce is made of.
        assert_eq!(refusal(&without, &shares(), &known()), CommitRefusal::WrongNonce);
    }

    #[test]
    fn shares_must_be_of_a_quorum_of_distinct_seats_in_order() {
        let alone = vec![(ME, SHARE)];
        let lonely = Commit { nonce: nonce_of(&alone), ..commit() };
        assert_eq!(refusal(&lonely, &alone, &known()), CommitRefusal::NoQuorum { got: 1, total: 3 });
        let stranger = vec![(ME, SHARE), ([9; 32], [1; 16])];
        assert_eq!(refusal(&commit(), &stranger, &known()), CommitRefusal::BadShares);
        let twice = vec![(ME, SHARE), (ME, SHARE)];
        assert_eq!(refusal(&commit(), &twice, &known()), CommitRefusal::BadShares);
        let swapped: Vec<_> = shares().into_iter().rev().collect();
        assert_eq!(refusal(&commit(), &swapped, &known()), CommitRefusal::BadShares);
    }

    #[test]
    fn a_commit_after_the_next_beacon_is_too_late() {
        let open = |next: u64, slot: u64| Intake { next_beacon_slot: Some(next), slot, ..known() };
        assert_eq!(check(&commit(), &shares(), &open(108, 105)), Ok(()));
        assert_eq!(refusal(&commit(), &shares(), &open(108, 106)), CommitRefusal::TooLate);
        assert_eq!(refusal(&commit(), &shares(), &open(108, 500)), CommitRefusal::TooLate);
    }
}
