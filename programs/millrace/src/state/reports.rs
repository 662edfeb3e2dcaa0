//! What the oracles agreed on, one root an epoch.

use anchor_lang::prelude::*;

use crate::constants::{MAX_SEATS, REPORT_RING};

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
    /// Zeros.
    pub padding: [u8; 4],
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

impl Reports {
    /// The accepted root of `epoch`, if it is in the ring.
    pub fn accepted(&self, epoch: u64) -> Option<&AcceptedRoot> {
        let place = self.ring.get(ring_place(epoch))?;
        (place.epoch == epoch && place.leaves > 0).then_some(place)
    }
}

/// Where an epoch's accepted root lies.
pub fn ring_place(epoch: u64) -> usize {
    (epoch % REPORT_RING as u64) as usize
}
