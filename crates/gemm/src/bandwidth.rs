//! Timed transfers of bytes that nobody knows beforehand, over anything that reads and writes.
//!
//! The measurer asks, and only its clock counts. From the peer: it sends a fresh seed, from which the peer makes the
//! bytes, and stops when the last of them has come; every byte is compared. To the peer: it makes them from a seed that it
//! keeps, and stops when their SHA-256 comes back, which nobody has without all of them. Its clock starts before it says
//! anything, so that a slow way cannot be hidden by collecting bytes at its end.
//!
//! A request is 48 bytes: eight of tag (`MRsend\0\0`, `MRtake\0\0`, `MRdone\0\0`), the number of bytes as u64, the seed
//! (zeros where none is sent). The bytes are the ChaCha8 key stream of the seed, nonce and counter 0.

use millrace_core::proof::bandwidth::{mbps, Direction, MIN_TRANSFER_BYTES};
use rand_chacha::{
    rand_core::{RngCore, SeedableRng},
    ChaCha8Rng,
};
use sha2::{Digest, Sha256};
use std::{
    io::{self, Read, Write},
    time::{Duration, Instant},
};

const SEND: &[u8; 8] = b"MRsend\0\0";
const TAKE: &[u8; 8] = b"MRtake\0\0";
const DONE: &[u8; 8] = b"MRdone\0\0";
const REQUEST_LEN: usize = 8 + 8 + 32;

/// Bytes made, sent and compared at once.
const BLOCK_LEN: usize = 64 << 10;

/// How much larger the next transfer may be than one that was too short.
const MAX_GROWTH: u64 = 16;

/// What a measurement is to span.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the first transfer, at least 1.
    pub min_bytes: u64,
    /// A transfer that took less is followed by a larger one, up to the most bytes.
    pub min_time: Duration,
    /// Most bytes of a transfer.
    pub max_bytes: u64,
    /// A transfer that takes longer is given up. Looked at whenever bytes come or go: for a peer that does nothing, the
    /// transport must have a timeout of its own.
    pub max_time: Duration,
}

impl Default for Limits {
    /// 2 s, or 64 MiB, which a link takes 2 s for that brings 268 Mbit/s; a minute at most.
    fn default() -> Self {
        Self {
            min_bytes: MIN_TRANSFER_BYTES,
            min_time: Duration::from_secs(2),
            max_bytes: 64 << 20,
            max_time: Duration::from_secs(60),
        }
    }
}

/// A transfer as it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Bytes transferred.
    pub bytes: u64,
    /// What it took by the measurer's clock.
    pub nanos: u64,
}

impl Measured {
    /// Mbit/s, rounded down.
    pub const fn mbps(&self) -> u32 {
        mbps(self.bytes, self.nanos)
    }
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BandwidthError {
    /// The transport failed, or the peer hung up.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer sent other bytes than the seed gives.
    #[error("byte {at} or one of the {BLOCK_LEN} after it is not what the seed gives")]
    OtherBytes {
        /// First byte of the block in which they differ.
        at: u64,
    },
    /// The peer answered with another digest.
    #[error("the peer's digest is not that of the {bytes} bytes that were sent")]
    OtherDigest {
        /// Bytes sent.
        bytes: u64,
    },
    /// It took too long.
    #[error("{done} of {bytes} bytes in {} s, which is the most allowed", limit.as_secs())]
    TooSlow {
        /// Bytes sent or received.
        done: u64,
        /// Bytes of the transfer.
        bytes: u64,
        /// The most that it may take.
        limit: Duration,
    },
    /// A request asks for too much.
    #[error("{asked} bytes are asked for, allowed are {allowed}")]
    TooMuch {
        /// Bytes asked for.
        asked: u64,
        /// What this peer still allows.
        allowed: u64,
    },
    /// Not a request.
    #[error("a request begins with MRsend, MRtake or MRdone")]
    Tag,
}

/// Measures one direction as [`serve`] answers at the other end: transfers, each larger than the one before, until one
/// takes long enough or is as large as allowed. That one counts. `fresh_seed` gives 32 random bytes for each.
///
/// # Errors
/// [`BandwidthError`]; the link is of no use afterwards.
pub fn measure(
    link: &mut (impl Read + Write),
    direction: Direction,
    limits: &Limits,
    mut fresh_seed: impl FnMut() -> [u8; 32],
) -> Result<Measured, BandwidthError> {
    let mut bytes = limits.min_bytes.min(limits.max_bytes);
    loop {
        let transfer = Timed { bytes, limit: limits.max_time, start: Instant::now() };
        let elapsed = match direction {
            Direction::FromPeer => transfer.receive(link, fresh_seed())?,
            Direction::ToPeer => transfer.send(link, fresh_seed())?,
        };
        if elapsed >= limits.min_time || bytes == limits.max_bytes {
            return Ok(Measured { bytes, nanos: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX) });
        }
        // A quarter more than would have been enough.
        let growth = limits.min_time.as_secs_f64() / elapsed.as_secs_f64() * 1.25;
        bytes = bytes.saturating_mul((growth.ceil() as u64).clamp(2, MAX_GROWTH)).min(limits.max_bytes);
    }
}

/// Tells [`serve`] at the other end that no more is to be measured.
///
/// # Errors
/// When the transport fails.
pub fn finish(link: &mut impl Write) -> Result<(), BandwidthError> {
    Ok(request(link, DONE, 0, &[0; 32])?)
}

/// Answers requests until [`finish`], sending and taking at most `max_bytes` for all of them together.
///
/// # Errors
/// [`BandwidthError::TooMuch`], [`BandwidthError::Tag`], and when the transport fails.
pub fn serve(link: &mut (impl Read + Write), max_bytes: u64) -> Result<(), BandwidthError> {
    let mut allowed = max_bytes;
    loop {
        let mut request = [0; REQUEST_LEN];
        link.read_exact(&mut request)?;
        let (tag, rest) = request.split_first_chunk::<8>().expect("a request is longer");
        let (bytes, seed) = rest.split_first_chunk::<8>().expect("a request is longer");
        let bytes = u64::from_le_bytes(*bytes);
        allowed = allowed.checked_sub(bytes).ok_or(BandwidthError::TooMuch { asked: bytes, allowed })?;
        match tag {
            SEND => {
                let mut stream = ChaCha8Rng::from_seed(seed.try_into().expect("32 bytes are left"));
                let mut block = vec![0; BLOCK_LEN];
                for (_, len) in blocks(bytes) {
                    stream.fill_bytes(&mut block[..len]);
                    link.write_all(&block[..len])?;
                }
                link.flush()?;
            }
            TAKE => {
                let mut digest = Sha256::new();
                let mut block = vec![0; BLOCK_LEN];
                for (_, len) in blocks(bytes) {
                    link.read_exact(&mut block[..len])?;
                    digest.update(&block[..len]);
                }
                link.write_all(&digest.finalize())?;
                link.flush()?;
            }
            DONE => return Ok(()),
            _ => return Err(BandwidthError::Tag),
        }
    }
}

/// Where each block of so many bytes begins, and its length.
fn blocks(bytes: u64) -> impl Iterator<Item = (u64, usize)> {
    (0..bytes.div_ceil(BLOCK_LEN as u64)).map(move |i| {
        let at = i * BLOCK_LEN as u64;
        // At most the length of a block.
        (at, (bytes - at).min(BLOCK_LEN as u64) as usize)
    })
}

fn request(link: &mut impl Write, tag: &[u8; 8], bytes: u64, seed: &[u8; 32]) -> io::Result<()> {
    link.write_all(&[&tag[..], &bytes.to_le_bytes(), seed].concat())?;
    link.flush()
}

/// A transfer under way.
struct Timed {
    bytes: u64,
    limit: Duration,
    start: Instant,
}

impl Timed {
    fn receive(&self, link: &mut (impl Read + Write), seed: [u8; 32]) -> Result<Duration, BandwidthError> {
        request(link, SEND, self.bytes, &seed)?;
        let mut stream = ChaCha8Rng::from_seed(seed);
        let (mut block, mut expected) = (vec![0; BLOCK_LEN], vec![0; BLOCK_LEN]);
        let mut elapsed = Duration::ZERO;
        for (at, len) in blocks(self.bytes) {
            link.read_exact(&mut block[..len])?;
            elapsed = self.elapsed(at + len as u64)?;
            stream.fill_bytes(&mut expected[..len]);
            if block[..len] != expected[..len] {
                return Err(BandwidthError::OtherBytes { at });
            }
        }
        Ok(elapsed)
    }

    fn send(&self, link: &mut (impl Read + Write), seed: [u8; 32]) -> Result<Duration, BandwidthError> {
        request(link, TAKE, self.bytes, &[0; 32])?;
        let mut stream = ChaCha8Rng::from_seed(seed);
        let mut digest = Sha256::new();
        let mut block = vec![0; BLOCK_LEN];
        for (at, len) in blocks(self.bytes) {
            stream.fill_bytes(&mut block[..len]);
            digest.update(&block[..len]);
            link.write_all(&block[..len])?;
            self.elapsed(at + len as u64)?;
        }
        link.flush()?;
        let mut answer = [0; 32];
        link.read_exact(&mut answer)?;
        let elapsed = self.elapsed(self.bytes)?;
        match answer == *digest.finalize() {
            true => Ok(elapsed),
            false => Err(BandwidthError::OtherDigest { bytes: self.bytes }),
        }
    }

    fn elapsed(&self, done: u64) -> Result<Duration, BandwidthError> {
        let elapsed = self.start.elapsed();
        match elapsed <= self.limit {
            true => Ok(elapsed),
            false => Err(BandwidthError::TooSlow { done, bytes: self.bytes, limit: self.limit }),
        }
    }
}
