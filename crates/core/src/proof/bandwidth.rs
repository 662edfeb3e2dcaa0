//! Bandwidth between two machines, as the one that measured it states and signs it.

use super::{commit::take, memory::joined};

/// Fewest bytes of a transfer that counts.
pub const MIN_TRANSFER_BYTES: u64 = 4 << 20;
/// Most bytes of a transfer.
pub const MAX_TRANSFER_BYTES: u64 = 4 << 30;
/// Most bandwidth that a transfer shows, Mbit/s: what is faster counts as this.
pub const MAX_MBPS: u32 = 1_000;

/// Bytes of an encoded [`Transfer`], which is also the message that the measurer signs.
pub const TRANSFER_LEN: usize = 8 + 32 + 32 + 32 + 8 + 1 + 8 + 8;

const TAG: &[u8; 8] = b"MRtransf";

/// Which way the bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// From the peer to the measurer.
    FromPeer = 0,
    /// From the measurer to the peer.
    ToPeer = 1,
}

/// One timed transfer. Only the measurer's clock counts, in either direction: it stops when the last byte has come, or
/// when the peer has shown that it has all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Fixed in `Config`; no other deployment or cluster has it.
    pub deployment_id: [u8; 32],
    /// Who measured, and signs: the key of an oracle or of a node.
    pub measurer: [u8; 32],
    /// Address of the `Node` account that was measured.
    pub peer: [u8; 32],
    /// Epoch in which it was measured.
    pub epoch: u64,
    /// Which way the bytes went.
    pub direction: Direction,
    /// Bytes transferred.
    pub bytes: u64,
    /// From before they could be known to the peer until they had arrived.
    pub nanos: u64,
}

/// Why bytes are not a transfer that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// The encoding is longer or shorter than it must be.
    #[error("the encoding has {0} bytes, a transfer's has {TRANSFER_LEN}")]
    Length(usize),
    /// The bytes are not a transfer.
    #[error("a transfer begins with MRtransf")]
    Tag,
    /// The direction is unknown.
    #[error("a transfer is of direction 0 or 1, this one is of direction {0}")]
    Direction(u8),
    /// Too short to tell anything, or impossibly long.
    #[error("{0} bytes; a transfer is of 4 MiB to 4 GiB")]
    Size(u64),
}

impl Transfer {
    /// The one encoding: `MRtransf`, then the fields in their order, the direction as a byte, integers little-endian.
    pub fn to_bytes(&self) -> [u8; TRANSFER_LEN] {
        joined(&[
            TAG,
            &self.deployment_id,
            &self.measurer,
            &self.peer,
            &self.epoch.to_le_bytes(),
            &[self.direction as u8],
            &self.bytes.to_le_bytes(),
            &self.nanos.to_le_bytes(),
        ])
    }

    /// Reads [`Transfer::to_bytes`]. Whoever gets one from here has one that counts.
    ///
    /// # Errors
    /// [`TransferError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TransferError> {
        if bytes.len() != TRANSFER_LEN {
            return Err(TransferError::Length(bytes.len()));
        }
        let mut rest = bytes.strip_prefix(TAG).ok_or(TransferError::Tag)?;
        let transfer = Self {
            deployment_id: take(&mut rest),
            measurer: take(&mut rest),
            peer: take(&mut rest),
            epoch: u64::from_le_bytes(take(&mut rest)),
            direction: match take(&mut rest) {
                [0] => Direction::FromPeer,
                [1] => Direction::ToPeer,
                [other] => return Err(TransferError::Direction(other)),
            },
            bytes: u64::from_le_bytes(take(&mut rest)),
            nanos: u64::from_le_bytes(take(&mut rest)),
        };
        match (MIN_TRANSFER_BYTES..=MAX_TRANSFER_BYTES).contains(&transfer.bytes) {
            true => Ok(transfer),
            false => Err(TransferError::Size(transfer.bytes)),
        }
    }

    /// See [`mbps`].
    pub const fn mbps(&self) -> u32 {
        mbps(self.bytes, self.nanos)
    }
}

/// Mbit/s, rounded down, at most [`MAX_MBPS`]; 0 for a time that could not be measured.
pub const fn mbps(bytes: u64, nanos: u64) -> u32 {
    match nanos {
        0 => 0,
        nanos => {
            let mbps = bytes as u128 * 8_000 / nanos as u128;
            if mbps > MAX_MBPS as u128 {
                MAX_MBPS
            } else {
                mbps as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSFER: Transfer = Transfer {
        deployment_id: [1; 32],
        measurer: [2; 32],
        peer: [3; 32],
        epoch: 4,
        direction: Direction::ToPeer,
        bytes: 5_000_000,
        nanos: 2_000_000_000,
    };

    #[test]
    fn a_transfer_has_one_encoding() {
        let bytes = TRANSFER.to_bytes();
        assert_eq!(bytes[..8], *b"MRtransf");
        for (range, byte) in [(8..40, 1), (40..72, 2), (72..104, 3)] {
            assert!(bytes[range].iter().all(|b| *b == byte));
        }
        assert_eq!(bytes[104..113], [4, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(bytes[113..121], 5_000_000u64.to_le_bytes());
        assert_eq!(bytes[121..], 2_000_000_000u64.to_le_bytes());
        assert_eq!(Transfer::from_bytes(&bytes), Ok(TRANSFER));
    }

    #[test]
    fn what_is_no_transfer_that_counts_is_refused() {
        let bytes = TRANSFER.to_bytes();
        assert_eq!(Transfer::from_bytes(&bytes[..TRANSFER_LEN - 1]), Err(TransferError::Length(TRANSFER_LEN - 1)));
        let changed = |at: usize, byte| {
            let mut bytes = bytes;
            bytes[at] = byte;
            Transfer::from_bytes(&bytes)
        };
        assert_eq!(changed(0, 0), Err(TransferError::Tag));
        assert_eq!(changed(112, 2), Err(TransferError::Direction(2)));
        let read = |bytes| Transfer::from_bytes(&Transfer { bytes, ..TRANSFER }.to_bytes());
        assert!(read(MIN_TRANSFER_BYTES).is_ok() && read(MAX_TRANSFER_BYTES).is_ok());
        for bytes in [MIN_TRANSFER_BYTES - 1, MAX_TRANSFER_BYTES + 1] {
            assert_eq!(read(bytes), Err(TransferError::Size(bytes)));
        }
    }

    #[test]
    fn mbps_is_bits_over_microseconds_rounded_down_and_capped() {
        assert_eq!(TRANSFER.mbps(), 20);
        assert_eq!(mbps(5_000_000, 2_000_000_001), 19);
        assert_eq!(mbps(1, 0), 0);
        assert_eq!(mbps(u64::MAX, 1), MAX_MBPS);
    }
}
