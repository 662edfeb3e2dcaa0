//! Rows of A, columns of B and B packed for the kernels, from a round's seed.

use crate::sha::{BlockHasher, LANES};
use millrace_core::proof::matrix::{Operand, BIAS, BLOCK_LEN};
use rayon::prelude::*;

/// Columns in a panel of [`PackedB`].
pub(crate) const PANEL: usize = LANES;
/// Neighbours along k that the kernels multiply at once.
pub(crate) const QUAD: usize = 4;

/// Elements of a line that are made at once.
const STRETCH: usize = LANES * BLOCK_LEN;

/// One row of A or column of B, as int8. `out.len()` is n.
pub(crate) fn line(seed: &[u8; 32], operand: Operand, line: u32, out: &mut [i8]) {
    let mut stretches = Stretches::new(seed, operand, line);
    for out in out.chunks_mut(STRETCH) {
        stretches.write(out);
    }
}

/// Entry (`row`, `col`) of a round's product, as [`millrace_core::proof::matrix::entry`] defines it, sixteen blocks at a
/// time. Needs 4 KB of stack and no heap, whatever n is.
pub(crate) fn entry(seed: &[u8; 32], n: u32, row: u32, col: u32) -> i32 {
    let (mut row, mut col) = (Stretches::new(seed, Operand::A, row), Stretches::new(seed, Operand::B, col));
    let (mut a, mut b) = ([0; STRETCH], [0; STRETCH]);
    let mut sum = 0;
    for first in (0..n as usize).step_by(STRETCH) {
        let len = STRETCH.min(n as usize - first);
        row.write(&mut a[..len]);
        col.write(&mut b[..len]);
        sum += dot(&a[..len], &b[..len]);
    }
    sum
}

/// A line, [`STRETCH`] elements after the other.
struct Stretches {
    hasher: BlockHasher,
    line: u32,
    block: u32,
}

impl Stretches {
    fn new(seed: &[u8; 32], operand: Operand, line: u32) -> Self {
        Self { hasher: BlockHasher::new(seed, operand), line, block: 0 }
    }

    /// The next elements: [`STRETCH`], or fewer if they are the last.
    fn write(&mut self, out: &mut [i8]) {
        let (line, first) = (self.line, self.block);
        self.block += LANES as u32;
        let digests = self.hasher.digests(|_| line, |i| first + i);
        for (elements, word) in out.as_chunks_mut().0.iter_mut().zip(digests.as_flattened()) {
            *elements = (word ^ u32::from_ne_bytes([BIAS; 4])).to_be_bytes().map(|byte| byte as i8);
        }
    }
}

/// Σₖ a\[k\]·b\[k\], which an i32 holds for lines of the protocol's lengths.
pub(crate) fn dot(a: &[i8], b: &[i8]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { dot_avx2(a, b) };
    }
    dot_plain(a, b)
}

/// [`dot_plain`], compiled for wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_avx2(a: &[i8], b: &[i8]) -> i32 {
    dot_plain(a, b)
}

#[inline(always)]
fn dot_plain(a: &[i8], b: &[i8]) -> i32 {
    // Checks for overflow would keep the compiler from making vectors of it.
    a.iter().zip(b).fold(0i32, |sum, (a, b)| sum.wrapping_add(i32::from(i16::from(*a).wrapping_mul(i16::from(*b)))))
}

/// All of B, as bytes (128 more than the elements), in panels of 16 columns; in a panel, for each four neighbours along
/// k, the four of each column in turn. So the four products that a VNNI instruction adds up lie together.
pub(crate) struct PackedB {
    n: usize,
    bytes: Vec<u8>,
}

impl PackedB {
    /// Makes B in the current rayon pool.
    pub(crate) fn new(seed: &[u8; 32], n: u32) -> Self {
        let n = n as usize;
        let mut bytes = vec![0; n * n];
        bytes.par_chunks_mut(PANEL * n).zip((0..n as u32).into_par_iter().step_by(PANEL)).for_each(|(panel, col)| {
            make_panel(seed, col, panel);
        });
        Self { n, bytes }
    }

    /// Some columns of n bytes each, one after the other.
    #[cfg(test)]
    pub(crate) fn from_columns(n: usize, columns: &[u8]) -> Self {
        let mut bytes = vec![0; columns.len()];
        for (i, byte) in columns.iter().enumerate() {
            let (col, k) = (i / n, i % n);
            bytes[col / PANEL * PANEL * n + k / QUAD * PANEL * QUAD + col % PANEL * QUAD + k % QUAD] = *byte;
        }
        Self { n, bytes }
    }

    /// Rows and columns.
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// The panels from left to right, [`PANEL`]` · n` bytes each.
    pub(crate) fn panels(&self) -> std::slice::ChunksExact<'_, u8> {
        self.bytes.chunks_exact(PANEL * self.n)
    }
}

fn make_panel(seed: &[u8; 32], first_col: u32, panel: &mut [u8]) {
    let mut hasher = BlockHasher::new(seed, Operand::B);
    for (rows, block) in panel.chunks_exact_mut(PANEL * BLOCK_LEN).zip(0..) {
        let digests = hasher.digests(|i| first_col + i, |_| block);
        // A word of a digest is four neighbours of a column.
        for (row, word) in rows.as_chunks_mut::<{ PANEL * QUAD }>().0.iter_mut().zip(0..) {
            for (bytes, digest) in row.as_chunks_mut().0.iter_mut().zip(digests) {
                *bytes = digest[word].to_be_bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_core::proof::matrix::block;

    const SEED: [u8; 32] = [9; 32];

    /// A line as `millrace_core` makes it, as bytes.
    fn bytes(operand: Operand, line: u32, n: u32) -> Vec<u8> {
        (0..n / BLOCK_LEN as u32).flat_map(|i| block(&SEED, operand, line, i)).collect()
    }

    #[test]
    fn lines_are_made_of_the_blocks_of_core() {
        for n in [256, 1024] {
            for operand in [Operand::A, Operand::B] {
                let mut out = vec![0; n as usize];
                line(&SEED, operand, 70_000, &mut out);
                let expected = bytes(operand, 70_000, n).into_iter().map(|byte| (i16::from(byte) - 128) as i8);
                assert_eq!(out, expected.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn packed_b_is_made_of_the_columns_of_core() {
        let columns = (0..256).flat_map(|col| bytes(Operand::B, col, 256)).collect::<Vec<_>>();
        assert_eq!(PackedB::new(&SEED, 256).bytes, PackedB::from_columns(256, &columns).bytes);
    }
}
