//! The operands, made from a round's seed 32 bytes at a time, and single entries of their product.

use crate::hash::sha256_within;

/// Consecutive elements (along k) that one hash gives.
pub const BLOCK_LEN: usize = 32;

/// Bytes hashed for a block: one SHA-256 compression.
pub const PREIMAGE_LEN: usize = 8 + 32 + 1 + 4 + 4;

/// What to subtract from a byte of a block to get the element: elements are int8, full range.
pub const BIAS: u8 = 128;

const TAG: &[u8; 8] = b"MRmat\0\0\0";
const BLOCK_AT: usize = PREIMAGE_LEN - 4;
const DIGEST_AT: usize = 56;

/// An operand of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Operand {
    /// A, a line of which is a row.
    A = 0,
    /// B, a line of which is a column.
    B = 1,
}

/// What is hashed for one block: `"MRmat\0\0\0" ‖ seed ‖ m ‖ line_u32 ‖ block_u32`.
pub fn preimage(seed: &[u8; 32], operand: Operand, line: u32, block: u32) -> [u8; PREIMAGE_LEN] {
    let mut bytes = [0; PREIMAGE_LEN];
    bytes[..8].copy_from_slice(TAG);
    bytes[8..40].copy_from_slice(seed);
    bytes[40] = operand as u8;
    bytes[41..45].copy_from_slice(&line.to_le_bytes());
    bytes[BLOCK_AT..].copy_from_slice(&block.to_le_bytes());
    bytes
}

/// Elements `32·block .. 32·block + 32` of a line, each as its byte: the element is byte − 128.
pub fn block(seed: &[u8; 32], operand: Operand, line: u32, block: u32) -> [u8; BLOCK_LEN] {
    crate::hash::sha256(&[&preimage(seed, operand, line, block)])
}

/// A row of A or a column of B, one block at a time in one buffer.
///
/// The digest lies behind the preimage, and eight bytes behind the digest let [`pair`] read across its end.
struct Line([u8; DIGEST_AT + BLOCK_LEN + 8]);

impl Line {
    #[inline(always)]
    fn new(seed: &[u8; 32], operand: Operand, line: u32) -> Self {
        let mut buf = [0; DIGEST_AT + BLOCK_LEN + 8];
        buf[..PREIMAGE_LEN].copy_from_slice(&preimage(seed, operand, line, 0));
        Self(buf)
    }

    #[inline(always)]
    fn make(&mut self, block: u32) {
        self.0[BLOCK_AT..PREIMAGE_LEN].copy_from_slice(&block.to_le_bytes());
        sha256_within(&mut self.0, PREIMAGE_LEN, DIGEST_AT);
    }

    #[inline(always)]
    fn bytes(&self) -> &[u8; BLOCK_LEN + 8] {
        self.0.last_chunk().expect("the buffer is longer")
    }
}

/// Two bytes, four apart, each in a 32-bit lane.
const LANES: u64 = 0x0000_00ff_0000_00ff;
/// [`BIAS`] in both lanes.
const LANE_BIAS: u64 = (BIAS as u64) << 32 | BIAS as u64;

/// A block and eight bytes that may be anything.
type Bytes = [u8; BLOCK_LEN + 8];

/// The elements at `at` and `at + 4`, as the number `first + second·2³²` modulo 2⁶⁴.
#[inline(always)]
fn pair(bytes: &Bytes, at: usize) -> u64 {
    let word = u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    (word & LANES).wrapping_sub(LANE_BIAS)
}

/// The sum of up to 32,768 products of pairs.
///
/// One 64-bit product makes two terms: with `x = a₀ + a₄·2³²` and `y = b₄ + b₀·2³²`,
/// `x·y = a₀b₄ + (a₀b₀ + a₄b₄)·2³²` modulo 2⁶⁴. What is wanted gathers in the upper half. In the lower half gather half as many
/// products of two int8, at most 2²⁹ in amount.
#[derive(Clone, Copy, Default)]
struct Dot(u64);

impl Dot {
    #[inline(always)]
    fn add(&mut self, a: &Bytes, b: &Bytes) {
        // b with the halves of every eight bytes exchanged, so that y is one load like x. The pair at `at + 3` reads
        // three bytes of the eight that follow, and masks them.
        let mut swapped = [0; BLOCK_LEN + 8];
        let mut at = 0;
        while at < BLOCK_LEN {
            swapped[at..at + 4].copy_from_slice(&b[at + 4..at + 8]);
            swapped[at + 4..at + 8].copy_from_slice(&b[at..at + 4]);
            at += 8;
        }
        let mut at = 0;
        while at < BLOCK_LEN {
            for i in at..at + 4 {
                self.0 = self.0.wrapping_add(pair(a, i).wrapping_mul(pair(&swapped, i)));
            }
            at += 8;
        }
    }

    fn sum(self) -> i32 {
        let lower = self.0 as i32 as i64;
        ((self.0 as i64).wrapping_sub(lower) >> 32) as i32
    }
}

/// Entry (`row`, `col`) of the product of the round with this seed: Σₖ A\[row\]\[k\]·B\[k\]\[col\].
///
/// n is a multiple of 32, at most 65,536. Costs about 13 compute units for each k on chain, 7 of them for hashing.
pub fn entry(seed: &[u8; 32], n: u32, row: u32, col: u32) -> i32 {
    let mut a = Line::new(seed, Operand::A, row);
    let mut b = Line::new(seed, Operand::B, col);
    let mut dot = Dot::default();
    for block in 0..n / BLOCK_LEN as u32 {
        a.make(block);
        b.make(block);
        dot.add(a.bytes(), b.bytes());
    }
    dot.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_sums_do_not_overflow() {
        for (a, b, term) in [(0, 0, 16_384), (0, 255, -16_256), (255, 0, -16_256), (255, 255, 16_129)] {
            let mut dot = Dot::default();
            for _ in 0..65_536 / BLOCK_LEN {
                dot.add(&[a; 40], &[b; 40]);
            }
            assert_eq!(dot.sum(), term * 65_536);
        }
    }

    proptest! {
        #[test]
        fn a_dot_is_the_sum_of_the_products_of_its_elements(
            blocks in prop::collection::vec((any::<[u8; 32]>(), any::<[u8; 32]>()), 1..50),
            behind in any::<[u8; 8]>(),
        ) {
            let mut dot = Dot::default();
            let mut expected = 0;
            for (a, b) in blocks {
                let padded = |bytes: &[u8; 32]| {
                    let mut padded = [0; 40];
                    padded[..32].copy_from_slice(bytes);
                    padded[32..].copy_from_slice(&behind);
                    padded
                };
                dot.add(&padded(&a), &padded(&b));
                expected += a.iter().zip(&b).map(|(a, b)| (i32::from(*a) - 128) * (i32::from(*b) - 128)).sum::<i32>();
            }
            prop_assert_eq!(dot.sum(), expected);
        }
    }
}
