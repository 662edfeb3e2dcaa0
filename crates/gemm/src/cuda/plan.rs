//! How a round, or a fill, fits into a card's memory, and what a card could reach. Plain arithmetic.

use super::{NODE_BYTES, TILE_ROWS};
use millrace_core::proof::{memory::WORD_LEN, CELLS_PER_LEAF, MIN_N};
use std::ops::RangeInclusive;

/// Bands under way at once: one is hashed while the next is multiplied.
pub(super) const LANES: u32 = 2;

/// Most rows of C in a band; more gain nothing.
const MAX_BAND_ROWS: u32 = 4_096;

/// A round's rows are computed in bands, since C is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Rows of C computed and hashed together: a power of two, at least [`TILE_ROWS`].
    pub band_rows: u32,
}

/// Why a round does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom {
    /// What it would take with the smallest bands.
    pub needed_bytes: u64,
    /// The largest n that would fit.
    pub fits: Option<u32>,
}

impl Plan {
    /// The largest bands that fit into `free_bytes` along with B and the kept nodes.
    pub fn new(n: u32, kept_node_bytes: u64, free_bytes: u64) -> Result<Self, NoRoom> {
        let mut band_rows = n.min(MAX_BAND_ROWS);
        // A twentieth stays free for what the driver needs itself.
        let usable = free_bytes - free_bytes / 20;
        while bytes(n, band_rows, kept_node_bytes) > usable {
            band_rows /= 2;
            if band_rows < TILE_ROWS {
                // Half of n has a quarter of the tree.
                let mut smaller = (1..).map(|halvings| (n >> halvings, kept_node_bytes >> (2 * halvings)));
                let first = smaller.find(|(n, kept)| *n < MIN_N || bytes(*n, TILE_ROWS, *kept) <= usable);
                let fits = first.map(|(n, _)| n).filter(|n| *n >= MIN_N);
                return Err(NoRoom { needed_bytes: bytes(n, TILE_ROWS, kept_node_bytes), fits });
            }
        }
        Ok(Self { band_rows })
    }
}

/// What a round takes at least, with the smallest bands and next to nothing kept of its tree.
pub(super) fn least_bytes(n: u32) -> u64 {
    bytes(n, TILE_ROWS, 0)
}

/// What a round takes: all of B, the kept nodes, and for each band under way its rows of A and C and the two lowest levels
/// of its tree.
fn bytes(n: u32, band_rows: u32, kept_node_bytes: u64) -> u64 {
    let (n, cells) = (u64::from(n), u64::from(n) * u64::from(band_rows));
    let leaves = cells / CELLS_PER_LEAF as u64;
    n * n + kept_node_bytes + u64::from(LANES) * (cells + 4 * cells + leaves * NODE_BYTES as u64 * 3 / 2)
}

/// Most and fewest words hashed, or walks done, at once: 2 to this power.
const BAND_DEPTHS: RangeInclusive<u32> = 10..=19;

/// The power of two of the largest bands of words, or of walks, that fit into `free_bytes` along with all words of a fill.
///
/// # Errors
/// The bytes that would do for the smallest.
pub(super) fn band_depth(words: u64, free_bytes: u64) -> Result<u32, u64> {
    // A twentieth of all stays free, as above.
    let needed_bytes = |depth| (words * WORD_LEN as u64 + ((u64::from(LANES) * BAND_BYTES) << depth)) * 20 / 19;
    let fits = BAND_DEPTHS.rev().find(|depth| needed_bytes(*depth) <= free_bytes);
    fits.ok_or_else(|| needed_bytes(*BAND_DEPTHS.start()))
}

/// What a band takes for each of its words: a walker's end, and two nodes.
const BAND_BYTES: u64 = (WORD_LEN + 2 * NODE_BYTES) as u64;

/// Dense int8 operations a second of a card, 10⁹, a multiply-add counted as two: multiprocessors × clock × operations of
/// one in a clock, from NVIDIA's figures for each generation. `None` for cards that have no int8 arithmetic to speak of.
pub(super) fn peak_gops(capability: (i32, i32), multiprocessors: u64, clock_khz: u64) -> Option<u64> {
    let operations_per_clock = match capability {
        (6, 1 | 2) => 1_024,
        (7, 0 | 2) => 512,
        (7, 5) => 2_048,
        (8, 0) => 4_096,
        (8, _) => 2_048,
        (9, _) => 8_192,
        (10, 0) => 16_384,
        // B300 gave up int8 for four-bit floats.
        (10, _) => 512,
        (12, _) => 2_048,
        _ => return None,
    };
    Some(multiprocessors * clock_khz * operations_per_clock / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_round_takes_all_of_b_and_as_many_rows_as_fit() {
        // 0.25 GiB of B; two bands of 4,096 rows of A, C and nodes take 0.94 GiB.
        assert_eq!(Plan::new(16_384, GIB / 8, 4 * GIB), Ok(Plan { band_rows: 4_096 }));
        assert_eq!(Plan::new(16_384, GIB / 8, GIB), Ok(Plan { band_rows: 2_048 }));
        assert_eq!(Plan::new(65_536, GIB / 8, 80 * GIB), Ok(Plan { band_rows: 4_096 }));
        assert_eq!(Plan::new(65_536, GIB / 8, 6 * GIB), Ok(Plan { band_rows: 1_024 }));
        assert_eq!(Plan::new(256, 0, GIB), Ok(Plan { band_rows: 256 }));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let refused = Plan::new(65_536, 0, 4 * GIB).unwrap_err();
        assert_eq!(refused.fits, Some(32_768));
        assert!(refused.needed_bytes > 4 * GIB);
        assert_eq!(Plan::new(256, 0, 100_000).unwrap_err().fits, None);
    }

    #[test]
    fn a_fill_takes_its_words_and_two_bands() {
        // 24 GB, of which nine tenths are words: 80 MiB for both bands.
        assert_eq!(band_depth(675_000_000, 24 * GIB), Ok(19));
        assert_eq!(band_depth(1 << 14, 64 << 20), Ok(18));
        // Half a MiB of words.
        assert_eq!(band_depth(1 << 14, 1 << 20), Ok(11));
        assert_eq!(band_depth(1 << 14, 1 << 19), Err(((1 << 19) + (160 << 10)) * 20 / 19));
        assert!(band_depth(1 << 35, 80 * GIB).unwrap_err() > 1 << 40);
    }

    #[test]
    fn peaks_are_those_the_makers_publish() {
        // Capability, multiprocessors, boost clock in MHz, published dense int8 TOPS.
        for (card, capability, multiprocessors, mhz, tops) in [
            ("T4", (7, 5), 40, 1_590, 130),
            ("L4", (8, 9), 58, 2_040, 242),
            ("RTX 3090", (8, 6), 82, 1_695, 284),
            ("A100", (8, 0), 108, 1_410, 624),
            ("RTX 4090", (8, 9), 128, 2_520, 661),
            ("RTX 5090", (12, 0), 170, 2_407, 838),
            ("H100 SXM", (9, 0), 132, 1_830, 1_979),
        ] {
            let peak = peak_gops(capability, multiprocessors, mhz * 1_000).unwrap() as f64;
            assert!((peak / (tops as f64 * 1_000.0) - 1.0).abs() < 0.01, "{card}: {peak}");
        }
        assert_eq!(peak_gops((5, 2), 16, 1_000_000), None);
    }
}
