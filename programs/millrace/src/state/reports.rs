//! What the oracles agreed on, one root an epoch.

use anchor_lang::prelude::*;

use millrace_core::merkle::{depth, root_from_path, TreeNode, TREE_NODE_LEN};

use super::OracleSet;
use crate::constants::{MAX_SEATS, REPORT_RING};
use crate::errors::MillraceError;

/// A root that reached quorum.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct AcceptedRoot {
    /// Epoch it reports.
    pub epoch: u64,
    /// Instant it reached quorum.
    pub accepted_at: i64,
    /// Merkle root of the epoch's leaves.
    pub root: [u8; 24],
    /// Leaves under the root; zero marks an unused place.
    pub leaves: u32,
    /// Bit s for seat s, as of now: late signers are added.
    pub signers: u32,
}

/// What one seat last signed for one epoch.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct SeatRow {
    /// Epoch signed; with `leaves` zero the row is unused.
    pub epoch: u64,
    /// Root signed.
    pub root: [u8; 24],
    /// Leaves under it.
    pub leaves: u32,
    /// First bytes of the key that signed: a row counts for nobody who took the seat later.
    pub signer: [u8; 4],
}

/// Seeds: `reports`. A root's weight is the sum of the weights of equal seat rows, so junk roots take nobody's
/// place. An epoch's accepted root lies at `epoch % 64`, a seat's row at `[epoch % 2][seat]`.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Reports {
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
    /// The last accepted roots.
    pub ring: [AcceptedRoot; REPORT_RING],
    /// What each seat signed for the current and the previous epoch.
    pub rows: [[SeatRow; MAX_SEATS]; 2],
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

/// Who stands behind a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Sum of the weights of equal seat rows.
    pub weight: u64,
    /// Bit s for seat s.
    pub signers: u32,
}

impl SeatRow {
    fn is_for(&self, epoch: u64) -> bool {
        self.epoch == epoch && self.leaves > 0
    }
}

impl Reports {
    /// Writes the row of `seat`, held by `authority`: once an epoch, over the row of the epoch before last.
    ///
    /// # Errors
    /// [`MillraceError::AlreadySigned`], [`MillraceError::NotAnOracle`] for a seat out of range.
    pub fn sign(&mut self, seat: u8, authority: &Pubkey, epoch: u64, root: TreeNode, leaves: u32) -> Result<()> {
        let rows = &mut self.rows[row_place(epoch)];
        let row = rows.get_mut(usize::from(seat)).ok_or(MillraceError::NotAnOracle)?;
        require!(!row.is_for(epoch), MillraceError::AlreadySigned);
        *row = SeatRow { epoch, root, leaves, signer: signer_tag(authority) };
        Ok(())
    }

    /// Counts the seats whose row of `epoch` says exactly this.
    pub fn tally(&self, oracles: &OracleSet, epoch: u64, root: TreeNode, leaves: u32) -> Tally {
        let mut tally = Tally { weight: 0, signers: 0 };
        for (seat, (row, held)) in self.rows[row_place(epoch)].iter().zip(oracles.seats()).enumerate() {
            let is_same = row.epoch == epoch && row.leaves == leaves && row.root == root;
            if is_same && row.signer == signer_tag(&held.authority) {
                tally.weight = tally.weight.saturating_add(held.weight);
                tally.signers |= 1u32.checked_shl(seat as u32).unwrap_or(0);
            }
        }
        tally
    }

    /// Puts a root with its quorum into the ring; for one already there only signers are added: who was removed
    /// since still answers for it. The first root of an epoch stands for ever: two cannot both have more than half.
    pub fn accept(&mut self, epoch: u64, root: TreeNode, leaves: u32, signers: u32, now: i64) {
        let place = &mut self.ring[ring_place(epoch)];
        if place.epoch != epoch || place.leaves == 0 {
            *place = AcceptedRoot { epoch, accepted_at: now, root, leaves, signers };
        } else if place.root == root && place.leaves == leaves {
            place.signers |= signers;
        }
    }

    /// The accepted root under which `leaf` stands at `index`, proven by `path`: the siblings from the bottom up,
    /// [`TREE_NODE_LEN`] bytes each, as many as the tree has levels.
    ///
    /// # Errors
    /// [`MillraceError::NoAcceptedRoot`], [`MillraceError::WrongPath`].
    pub fn prove(&self, epoch: u64, index: u32, leaf: TreeNode, path: &[u8]) -> Result<&AcceptedRoot> {
        let accepted = self.accepted(epoch).ok_or(MillraceError::NoAcceptedRoot)?;
        let (path, rest) = path.as_chunks::<TREE_NODE_LEN>();
        let fits =
            rest.is_empty() && index < accepted.leaves && path.len() == depth(u64::from(accepted.leaves)) as usize;
        require!(fits, MillraceError::WrongPath);
        require!(root_from_path(leaf, u64::from(index), path) == accepted.root, MillraceError::WrongPath);
        Ok(accepted)
    }

    /// The accepted root of `epoch`, if it is in the ring.
    pub fn accepted(&self, epoch: u64) -> Option<&AcceptedRoot> {
        let place = self.ring.get(ring_place(epoch))?;
        (place.epoch == epoch && place.leaves > 0).then_some(place)
    }
}

/// Where an epoch's accepted root lies.
pub fn ring_place(epoch: u64) -> usize {
    epoch.checked_rem(REPORT_RING as u64).map_or(0, |place| place as usize)
}

/// What a row keeps of the key that signed it.
fn signer_tag(authority: &Pubkey) -> [u8; 4] {
    let [a, b, c, d, ..] = authority.to_bytes();
    [a, b, c, d]
}

/// Where an epoch's seat rows lie.
fn row_place(epoch: u64) -> usize {
    (epoch % 2) as usize
}
